"""When units speak for the syllable that is sung, to a network: integrated gradients, drawn."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from neuro2voc.figures import style
from neuro2voc.figures.depth import in_rows, label_rows, mark_regions
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording

LEVEL = 0.05
ROW, HEIGHT = 1.9, (28, 150)  # mm: one unit; all of them, least and most
AROUND = 22  # mm: titles, times and the scale
BESIDE = 0.22  # share of the width for the panel of units
MOST = 10  # syllables with a map of their own
MARKS = {  # what a simulator may have planted: mark, words
    "tuned": ("D", "planted: follows the syllable by itself"),
    "pair": ("s", "planted: follows it in a pair"),
}


@style.in_style()
def draw_network_attribution(
    cells: pd.DataFrame, units: pd.DataFrame, recording: Recording, about: Mapping
) -> Figure:
    """Draw attributions by unit and time for each syllable, and units over all time.

    Parameters
    ----------
    cells, units : DataFrame
        See `neuro2voc.network_attribution.attribution_tables`.
    recording : Recording
        The bird.
    about : mapping
        decoder, split and feature of the networks.
    """
    rows = in_rows(units)
    height = float(np.clip(ROW * len(rows), *HEIGHT))
    shown = _shown(cells)
    handles = _handles(units, cells)
    figure = style.new_figure(
        style.PAGE,
        height + AROUND,
        f"{recording.name}: when units speak for the syllable sung, to {about['decoder']}",
        [_headline(cells, units, recording), *_planted(units)],
        _notes(cells, units, about, shown),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    widths = [(1 - BESIDE) / len(shown)] * len(shown)
    axes = figure.subplots(1, len(shown) + 1, sharey=True, width_ratios=[*widths, BESIDE])
    scale = max(float(cells["attribution"].abs().max()), 1e-9)
    longest = max(3, int(60 / len(shown)))  # letters that fit over a map
    for ax, syllable in zip(axes, shown, strict=False):
        part = cells[cells["syllable"] == syllable]
        image = _draw_map(ax, part, rows, scale)
        ax.set_title(f"{shortened(syllable, longest)}\nn = {part['n_trials'].iat[0]}")
    axes[len(shown) // 2].set_xlabel("ms from onset")
    label_rows(axes[0], rows, height)
    _add_scale(image, list(axes[:-1]), height)
    _draw_units(axes[-1], rows)
    mark_regions(axes[-1], rows)
    style.legend_below(figure, handles, 2)
    return figure


def _shown(cells: pd.DataFrame) -> list[str]:
    """Return the syllables that are drawn: of too many those with most trials."""
    number = cells.groupby("syllable")["n_trials"].first()
    return sorted(number.nlargest(MOST).index)


def _draw_map(ax: Axes, cells: pd.DataFrame, rows: pd.DataFrame, scale: float) -> AxesImage:
    """Draw a syllable's attributions; dots are cells beyond their null."""
    times = cells.drop_duplicates("start")
    first, last = 1e3 * times["start"].iat[0], 1e3 * times["stop"].iat[-1]
    table = cells.set_index("unit").loc[rows["unit"]]
    value, p = (table[name].to_numpy().reshape(len(rows), -1) for name in ("attribution", "p"))
    image = ax.imshow(
        value,
        cmap="RdBu_r",
        norm=TwoSlopeNorm(0, -scale, scale),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(first, last, -0.5, len(rows) - 0.5),
    )
    row, column = np.nonzero(p <= LEVEL)
    middle = 500 * (times["start"] + times["stop"]).to_numpy()
    ax.plot(middle[column], row, "o", ms=1.1, mew=0, color=style.BLACK)
    ax.axvline(0, color=style.BLACK, lw=0.6, ls=(0, (4, 2)))
    ax.set_xlim(first, last)
    ax.xaxis.set_major_locator(FixedLocator([first, 0] if first < 0 else [first]))
    ax.tick_params(axis="y", left=False)
    for side in ax.spines.values():
        side.set(visible=True, color=style.PALE)
    return image


def _add_scale(image: AxesImage, axes: list[Axes], height: float) -> None:
    place = {"location": "bottom", "shrink": 0.6, "pad": 1 / height, "aspect": 50}
    bar = axes[0].figure.colorbar(image, ax=axes, ticks=MaxNLocator(5), **place)
    bar.set_label("attribution to the margin of the syllable sung (nats), mean over its trials")
    bar.outline.set_visible(False)


def _draw_units(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw each unit's size as a bar, filled where its attribution is beyond its null."""
    stands = rows["p"] <= LEVEL
    ax.barh(
        rows["row"],
        rows["absolute"],
        height=0.6,
        color=np.where(stands, style.BLUE, "white"),
        edgecolor=np.where(stands, style.BLUE, style.GREY),
        lw=0.4,
    )
    widest = max(float(rows["absolute"].max()), 1e-9)
    planted = rows["planted"].map(_kind)
    for kind, (mark, _) in MARKS.items():
        here = rows[planted == kind]
        at = here["absolute"] + 0.05 * widest
        ax.plot(at, here["row"], mark, ms=2.2, mew=0, color=style.VERMILION)
    ax.set_xlim(0, 1.12 * widest)
    ax.set_title("size of attribution,\nsum over time", loc="left")
    ax.set_xlabel("nats")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.tick_params(axis="y", left=False)


def _kind(planted: str) -> str:
    return planted if planted in ("", "pair") else "tuned"


def _handles(units: pd.DataFrame, cells: pd.DataFrame) -> list:
    hollow = {"fc": "white", "ec": style.GREY, "lw": 0.4}
    dot = {"color": style.BLACK, "marker": "o", "ms": 2, "lw": 0}
    handles = [
        Line2D([], [], **dot, label=f"more than with labels moved on, p ≤ {LEVEL} for all maps"),
        Patch(color=style.BLUE, label=f"with its sign more than that, p ≤ {LEVEL} for all units"),
        Patch(**hollow, label="not more"),
    ]
    kinds = set(units["planted"].map(_kind))
    for kind, (mark, words) in MARKS.items():
        if kind in kinds:
            look = {"color": style.VERMILION, "marker": mark, "ms": 2.5, "lw": 0}
            handles.append(Line2D([], [], **look, label=words))
    return handles


def _headline(cells: pd.DataFrame, units: pd.DataFrame, recording: Recording) -> str:
    hits, good = (cells["p"] <= LEVEL).sum(), (units["p"] <= LEVEL).sum()
    found = (
        f"{good} of {len(units)} units speak{'s' if good == 1 else ''} for the syllable that is "
        f"sung, and {hits} of {len(cells)} cells (a unit in a bin for a syllable)."
    )
    if not hits and not good:
        found = "No unit speaks for the syllable that is sung more than for others."
    control = f" A control ({recording.surrogate})." if recording.surrogate else ""
    return (
        f"{found} The margin of the syllable sung changes by {_signed(units['attribution'].sum())} "
        f"nats in all (by {_signed(units['null_mean'].sum())} with labels moved on).{control}"
    )


def _planted(units: pd.DataFrame) -> list[str]:
    """Say how many planted units are among as many with the largest attributions."""
    planted = units["planted"] != ""
    number = int(planted.sum())
    if not number:
        return []
    first = units.nlargest(number, "absolute")
    false = int(((units["p"] <= LEVEL) & ~planted).sum())
    return [
        f"Of the {number} units with the largest attributions {(first['planted'] != '').sum()} "
        f"are among the {number} planted ones; {false or 'none'} of the other "
        f"{len(units) - number} stand{'s' if false == 1 else ''} out."
    ]


def _notes(cells: pd.DataFrame, units: pd.DataFrame, about: Mapping, shown: list[str]) -> list[str]:
    first = units.iloc[0]
    notes = [
        "Integrated gradients: what a unit's activity in a bin adds to the margin of the syllable "
        "sung, less the mean margin of the others, seen from the mean of the trials trained on. "
        f"Split '{about['split']}', window '{about['feature']}': {first['n_trials']} trials in "
        f"{first['n_bouts']} bouts, each explained by networks that never saw it.",
        "Null: the labels of held-out trials moved on by random numbers of trials, in each session "
        f"of each fold, {first['rotations']} times; networks and activity as they are. It judges "
        "the sum with its sign; the size alone proves nothing, since networks that fit noise have "
        "it too. Dashed: onset.",
        f"The parts of a margin add up to it within {first['error']:.2g} nats.",
    ]
    if first["left_out"]:
        notes.append(f"{first['left_out']} trials of syllables unknown to their networks left out.")
    if left := cells["syllable"].nunique() - len(shown):
        notes.append(f"{left} more syllables, with fewer trials, stand in the table only.")
    return notes


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−").replace("−0.00", "+0.00")
