"""When units speak for the syllable that is sung: SHAP values by time and depth, drawn."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, MultipleLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import in_rows, label_rows, mark_regions
from neuro2voc.figures.growing_windows import milliseconds
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording
from neuro2voc.shap_time import EVERY

LEVEL = 0.05
ROW, HEIGHT = 1.9, (12, 150)  # mm: one unit; all of them, least and most
TOP, AROUND = 24, 26  # mm: what stands over the maps; titles, times and scales
WIDE = 0.42  # share of the width for all syllables together
MOST = 10  # syllables with a map of their own
NARROW = 8  # so many maps leave each room for one tick only
BELIEVED = "viridis_r"
GREY = "#a8a8a8"
MUTED = LinearSegmentedColormap.from_list("muted", ["white", GREY])


@style.in_style()
def draw_shap_time(
    cells: pd.DataFrame, times: pd.DataFrame, recording: Recording, protocol: Protocol
) -> Figure:
    """Draw evidence by time and depth, of all syllables together and of each.

    Parameters
    ----------
    cells, times : DataFrame
        See `neuro2voc.shap_time.shap_time`.
    recording : Recording
        The bird.
    protocol : Protocol
        How its trials were held out and explained.
    """
    judged = cells["evidence_p"].notna().any()
    rows = in_rows(cells[["unit", "depth", "location"]].drop_duplicates("unit"))
    height = float(np.clip(ROW * len(rows), *HEIGHT))
    shown = _shown(cells)
    handles = _handles(times, judged)
    figure = style.new_figure(
        style.PAGE,
        TOP + height + AROUND,
        f"{recording.name}: when units speak for the syllable that is sung (SHAP)",
        [_headline(cells, recording, judged), _accuracy(times)],
        _notes(cells, times, protocol, judged, shown),
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(
        2,
        len(shown),
        sharey="row",
        squeeze=False,
        height_ratios=[TOP, height],
        width_ratios=[WIDE, *[(1 - WIDE) / (len(shown) - 1)] * (len(shown) - 1)],
    )
    longest = max(3, int(60 / len(shown)))  # letters that fit over a map
    for (above, below), syllable in zip(axes.T, shown, strict=True):
        _draw_times(above, times[times["syllable"] == syllable], judged)
        name = shortened(syllable, longest) if syllable else "all syllables"
        above.set_title(name, loc="left" if syllable == EVERY else "center")
        part = cells[cells["syllable"] == syllable]
        greatest = _greatest(cells, syllable)
        image = _draw_map(below, part, rows, greatest, judged)
        if syllable == EVERY:
            _add_scale(image, [below], "evidence, mean over syllables (nats)", height)
        for ax in (above, below):
            ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (4, 2)))
            ax.set_xlim(image.get_extent()[:2])
    _add_scale(image, list(axes[1, 1:]), "evidence in trials of the syllable above (nats)", height)
    axes[0, 0].set_ylabel("evidence (nats)")
    axes[0, 0].yaxis.set_major_locator(MaxNLocator(4))
    label_rows(axes[1, 0], rows, height)
    mark_regions(axes[1, 0], rows)
    _label_times(axes)
    style.legend_below(figure, handles, 3)
    return figure


def _shown(cells: pd.DataFrame) -> list[str]:
    """Return the syllables that are drawn: of too many those that most is said of."""
    single = cells[cells["syllable"] != EVERY]
    most = single.groupby("syllable")["evidence"].sum().nlargest(MOST).index
    return [EVERY, *sorted(most)]


def _greatest(cells: pd.DataFrame, syllable: str) -> float:
    """Return the end of the scale: one for all syllables together, one for each of them."""
    part = cells[(cells["syllable"] == EVERY) == (syllable == EVERY)]
    return max(float(part["evidence"].max()), 1e-9)


def _draw_times(ax: Axes, times: pd.DataFrame, judged: bool) -> None:
    """Draw the sum over units in each window beside surrogates."""
    middle = _middle(times)
    if judged:
        low, high = times["evidence_null_low"], times["evidence_null_high"]
        ax.fill_between(middle, low, high, color=style.PALE, lw=0)
    ax.plot(middle, times["evidence"], color=style.BLACK if judged else style.GREY)
    good = times[times["evidence_p"] <= LEVEL]
    ax.plot(_middle(good), good["evidence"], "o", ms=2, mew=0, color=style.BLACK)
    ax.axhline(0, color=style.GREY, lw=0.5)


def _middle(table: pd.DataFrame) -> pd.Series:
    return 500 * (table["start"] + table["stop"])


def _draw_map(
    ax: Axes, cells: pd.DataFrame, rows: pd.DataFrame, greatest: float, judged: bool
) -> AxesImage:
    """Draw what is believed in colour, the rest in grey; return the image that has a scale."""
    middle = _middle(cells.drop_duplicates("start")).to_numpy()
    table = cells.set_index("unit").loc[rows["unit"]]
    value, p = (
        table[name].to_numpy().reshape(len(rows), -1) for name in ("evidence", "evidence_p")
    )
    half = (middle[1] - middle[0]) / 2 if len(middle) > 1 else 5
    place = {
        "origin": "lower",
        "aspect": "auto",
        "interpolation": "nearest",
        "extent": (middle[0] - half, middle[-1] + half, -0.5, len(rows) - 0.5),
        "vmin": 0,
        "vmax": greatest,
    }
    image = ax.imshow(value, cmap=MUTED, **place)
    if judged:
        image = ax.imshow(np.where(p <= LEVEL, value, np.nan), cmap=BELIEVED, **place)
    for side in ax.spines.values():
        side.set(visible=True, color=style.PALE)
    return image


def _add_scale(image: AxesImage, axes: list[Axes], label: str, height: float) -> None:
    """Draw a scale 1 mm below axes that are `height` mm high."""
    place = {"location": "bottom", "shrink": 0.8, "pad": 1 / height}
    aspect = 40 if len(axes) == 1 else 40 * (1 - WIDE) / WIDE  # equally high
    few = MaxNLocator(4)
    bar = axes[0].figure.colorbar(image, ax=axes, aspect=aspect, ticks=few, **place)
    bar.set_label(label)
    bar.outline.set_visible(False)


def _label_times(axes: np.ndarray) -> None:
    for ax in axes[0]:
        ax.tick_params(axis="x", labelbottom=False)
    axes[1, 0].set_xlabel("middle of window (ms from onset)")
    for ax in axes[:, 0]:
        ax.xaxis.set_major_locator(MultipleLocator(50))
    for ax in axes[:, 1:].flat:
        few = axes.shape[1] - 1 < NARROW
        ax.xaxis.set_major_locator(MultipleLocator(100) if few else FixedLocator([0]))
        ax.tick_params(axis="y", left=False)
    axes[1, axes.shape[1] // 2].set_xlabel("ms from onset")


def _handles(times: pd.DataFrame, judged: bool) -> list:
    if not judged:
        line = Line2D([], [], color=style.GREY, label="sum over units")
        return [line, Patch(color=GREY, label="a unit in a window, not judged")]
    number = times["null_replicates"].iat[0]
    return [
        Line2D([], [], color=style.BLACK, marker="o", ms=2, label="sum over units; dot: p ≤ 0.05"),
        Patch(color=style.PALE, label=f"range of {number} shifted surrogates"),
        Patch(color=GREY, label="grey in maps: no more than in these (p > 0.05)"),
    ]


def _headline(cells: pd.DataFrame, recording: Recording, judged: bool) -> str:
    if recording.surrogate:
        return f"A control ({recording.surrogate}), not judged."
    if not judged:
        return "There are no surrogates, so nothing here is judged."
    every = cells[cells["syllable"] == EVERY]
    hits = every[every["evidence_p"] <= LEVEL]
    if hits.empty:
        return "No unit speaks for the syllable that is sung in any window more than in surrogates."
    early, late = _middle(hits).quantile([0.25, 0.75], interpolation="nearest") / 1e3
    where = f"half of these have their middle from {milliseconds(early)} to {milliseconds(late)}"
    units = every["unit"].nunique()
    if units == 1:
        windows = f"{len(hits)} of {len(every)} windows"
        return f"The unit speaks for the syllable that is sung in {windows}; {where}."
    good = hits["unit"].nunique()
    most = hits.groupby("unit", sort=False)["evidence"].sum().nlargest(3).index
    return (
        f"{good} of {units} units {'speaks' if good == 1 else 'speak'} for the syllable that is "
        f"sung, in {len(hits)} of {len(every)} cells (a unit in a window); {where}, and most is "
        f"said by {_listed(hits, most)}."
    )


def _listed(hits: pd.DataFrame, units: pd.Index) -> str:
    first = hits.drop_duplicates("unit").set_index("unit").loc[units]
    names = [
        f"{unit} ({depth:.0f} µm)" if depth == depth else str(unit)
        for unit, depth in first["depth"].items()
    ]
    if len(names) == 1:
        return f"unit {names[0]}"
    return f"units {', '.join(names[:-1])} and {names[-1]}"


def _accuracy(times: pd.DataFrame) -> str:
    first, every = times.iloc[0], times[times["syllable"] == EVERY]
    words = f"All evidence sums to {_signed(every['evidence'].sum())} nats"
    if first["null_replicates"]:
        words += f" ({_signed(every['evidence_null_mean'].sum())} in surrogates)"
    words += f"; the trees' balanced accuracy is {first['balanced_accuracy']:.2f}, chance "
    words += f"{first['chance']:.2f}, the previous syllable alone {first['previous']:.2f}"
    order = first["previous"] >= first["balanced_accuracy"] > first["chance"]
    if first["null_replicates"] and order:
        words += ": before the onset, all of it may be the song's order"
    return f"{words}."


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _notes(
    cells: pd.DataFrame, times: pd.DataFrame, protocol: Protocol, judged: bool, shown: list[str]
) -> list[str]:
    first = times.iloc[0]
    starts = cells["start"].drop_duplicates().to_numpy()
    width = 1e3 * (first["stop"] - first["start"])
    every = f" every {1e3 * (starts[1] - starts[0]):g} ms" if len(starts) > 1 else ""
    notes = [
        "Evidence: what a unit's count in a window adds to the margin (log probability but for a "
        "common term) of the syllable sung, less the mean of all margins; held out.",
        f"Windows of {width:g} ms{every}, drawn at their middles: those that overlap share spikes "
        f"and credit. Split '{protocol.split}': {first['n_trials']} trials in {first['n_bouts']} "
        "bouts.",
        "Dashed: onset. Before it units may also tell the syllable before, and through the song's "
        "order this one" + _silence(first["silence"]) + ".",
    ]
    if judged:
        sums = times.loc[times["syllable"] == EVERY]
        size, null = sums["importance"].sum(), sums["importance_null_mean"].sum()
        notes.append(
            f"Mean |SHAP| sums to {size:.1f} nats here and to {null:.1f} in surrogates, which know "
            "nothing: its size alone proves nothing."
        )
        if first["null_replicates"] < 1 / LEVEL - 1:
            notes.append("So few surrogates can show no p of 0.05, so no cell has a colour.")
    if left := times["syllable"].nunique() - len(shown):
        notes.append(f"{left} more syllables, of which less is said, stand in the table only.")
    return notes


def _silence(seconds: float) -> str:
    return "" if np.isnan(seconds) else f" (median silence between them {1e3 * seconds:.0f} ms)"
