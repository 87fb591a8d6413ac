"""Units on the probe: where they lie, how often they fire, how well they are isolated."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style
from neuro2voc.figures.depth import count_of, log_ticks, region_colors
from neuro2voc.inclusion import UNKNOWN
from neuro2voc.recording import Binned, Recording

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MIN_ROW, MAX_HEIGHT = 3.2, 120  # mm
AMPLITUDES = ("amplitude", "Amplitude", "amp")  # columns of spike amplitudes, as sorters name them
OUT = style.PALE  # of units that do not count


def unit_table(recording: Recording, inclusion: pd.DataFrame) -> pd.DataFrame:
    """Describe every unit of a recording in a row.

    Parameters
    ----------
    recording : Recording
        With all its units.
    inclusion : DataFrame
        See `neuro2voc.inclusion.inclusion_table`.

    Returns
    -------
    DataFrame
        `inclusion` with amplitude (µV, as the recording gives it) and, for activity that is neither
        spikes nor counts, level (mean over the recording, in its unit); missing where not known.
    """
    units = recording.units
    name = next((name for name in AMPLITUDES if name in units.table), None)
    amplitude = np.nan if name is None else pd.to_numeric(units.table[name], errors="coerce")
    level = np.nan
    if isinstance(units, Binned) and not units.additive:
        level = np.nanmean(units.values, axis=0, dtype=np.float64)
    return inclusion.assign(amplitude=np.asarray(amplitude, dtype=float), level=level)


@style.in_style()
def draw_units(table: pd.DataFrame, recording: Recording) -> Figure:
    """Draw each unit's depth against its mean rate and, where known, its amplitude.

    Regions are colours and bands, qualities are markers; units that do not count are grey. Where no
    depth is known, units are drawn in their order. Activity that has no rate shows its mean level.

    Parameters
    ----------
    table : DataFrame
        See `unit_table`.
    recording : Recording
        The bird.
    """
    column = "level" if table["rate"].isna().all() and table["level"].notna().any() else "rate"
    deep = table["depth"].notna().any()
    drawn = table[table[column].notna() & (table["depth"].notna() | (not deep))]
    y = drawn["depth"] if deep else pd.Series(range(1, len(drawn) + 1), index=drawn.index)
    handles = _handles(drawn)
    amplitudes = drawn["amplitude"].notna().any()
    columns = 6 if amplitudes else 3
    figure = style.new_figure(
        style.PAGE if amplitudes else style.COLUMN,
        75 if deep else min(MAX_HEIGHT, MIN_ROW * len(drawn) + 14),
        f"{recording.name}: units",
        [_headline(table, column)],
        _notes(table, column, deep),
        keys=-(-len(handles) // columns),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 1 + amplitudes, sharey=True, squeeze=False)[0]
    if deep:
        axes[0].set_ylabel("depth (µm from the probe's tip)")
        for ax in axes:
            _draw_regions(ax, drawn, named=ax is axes[-1])
    else:
        axes[0].set(ylabel="unit", ylim=(len(drawn) + 0.6, 0.4))
        every = -(-len(drawn) // 30)
        axes[0].set_yticks(y[::every], drawn["unit"][::every])
    if column == "rate":
        _draw_rates(axes[0], drawn, y)
    else:
        _draw_points(axes[0], drawn, drawn["level"], y)
        axes[0].set_xlabel("mean level (as recorded)")
    if amplitudes:
        _draw_points(axes[1], drawn, drawn["amplitude"], y)
        axes[1].set_xlabel("spike amplitude (µV)")
    style.legend_below(figure, handles, columns)
    return figure


def _quality_marks(drawn: pd.DataFrame) -> dict[str, dict]:
    """Return how each quality is drawn: good ones filled, others open."""
    others = sorted(set(drawn["quality"]) - {"good", UNKNOWN})
    shapes = {"good": "o", UNKNOWN: "o", **dict(zip(others, MARKERS[1:] * 9, strict=False))}
    filled = ("good", UNKNOWN)
    return {name: {"marker": shapes[name], "filled": name in filled} for name in shapes}


def _style_of(color: str, marker: str, filled: bool) -> dict:
    face = color if filled else "white"
    return {"marker": marker, "mfc": face, "mec": color, "ms": 4, "mew": 0.9, "ls": "none"}


def _draw_points(ax: Axes, drawn: pd.DataFrame, x: pd.Series, y: pd.Series) -> None:
    """Draw units; those that do not count lie below the others."""
    colors, marks = region_colors(drawn), _quality_marks(drawn)
    for (location, quality, counts), part in drawn.groupby(["location", "quality", "included"]):
        look = _style_of(colors[location] if counts else OUT, **marks[quality])
        ax.plot(x[part.index], y[part.index], **look, zorder=3 if counts else 2)


def _draw_rates(ax: Axes, drawn: pd.DataFrame, y: pd.Series) -> None:
    """Draw rates on a logarithmic scale, silent units at its left edge."""
    firing = drawn["rate"] > 0
    floor = drawn.loc[firing, "rate"].min() / 2 if firing.any() else 0.1
    rate = drawn["rate"].clip(lower=floor)
    _draw_points(ax, drawn, rate, y)
    low, high = rate.min(), rate.max()
    wide = max(1.6, (10 * low / high) ** 0.5)  # at least a decade, so that numbers stand at it
    ax.set_xscale("log")
    ax.set_xlim(low / wide, high * wide)
    log_ticks(ax.xaxis, low, high)
    ax.set_xlabel("mean rate while observed (Hz)")


def _draw_regions(ax: Axes, drawn: pd.DataFrame, named: bool) -> None:
    """Shade runs of neighbouring units of one region and name the longest run of each."""
    order = drawn.sort_values("depth", kind="stable")
    depth = order["depth"].to_numpy()
    ax.set_ylim(min(0, depth[0]), depth[-1] + 0.04 * max(np.ptp(depth), 100))
    colors, runs = region_colors(drawn), (order["location"] != order["location"].shift()).cumsum()
    longest: dict[str, tuple[float, float]] = {}
    for _, run in order.groupby(runs):
        low, high = run["depth"].min(), run["depth"].max()
        name = run["location"].iat[0]
        if name != UNKNOWN:
            ax.axhspan(low, high, color=colors[name], alpha=0.1, lw=0, zorder=0)
            longest[name] = max(longest.get(name, (0, 0)), (high - low, (low + high) / 2))
    for name, (_, middle) in longest.items() if named else ():
        style.name_beside(ax, middle, name, colors[name])


def _handles(drawn: pd.DataFrame) -> list:
    marks = _quality_marks(drawn)
    counts = drawn["quality"].value_counts()
    names = [name for name in marks if name in counts]
    look = {name: _style_of(style.BLACK, **marks[name]) for name in names}
    word = {name: f"quality {UNKNOWN}" if name == UNKNOWN else name for name in names}
    handles = [Line2D([], [], **look[n], label=f"{word[n]} ({counts[n]})") for n in names]
    if out := (drawn["included"] == 0).sum():
        grey = _style_of(OUT, "o", filled=True)
        handles.append(Line2D([], [], **grey, label=f"grey: left out ({out})"))
    return handles


def _headline(table: pd.DataFrame, column: str) -> str:
    kept = table[table["included"] == 1]
    regions = kept["location"].value_counts(sort=False)
    where = ", ".join(f"{n} in {name}" for name, n in regions.items() if name != UNKNOWN)
    count = count_of(len(table))
    if len(kept) < len(table):
        verb = "counts" if len(kept) == 1 else "count"
        count = f"{len(kept)} of {count} {verb}"
    middle = f"; median {kept['rate'].median():.1f} Hz" if column == "rate" else ""
    return f"{count}{': ' + where if where else ''}{middle}."


def _notes(table: pd.DataFrame, column: str, deep: bool) -> list[str]:
    notes = [] if deep else ["No depths are known, so units stand in the order of the file."]
    reasons = table.loc[table["included"] == 0, "reason"].value_counts().sort_index()
    if len(reasons):
        why = "; ".join(f"{count} {reason}" for reason, count in reasons.items())
        notes.append(f"Left out by `inclusion`: {why}.")
    if silent := (table["rate"] == 0).sum():
        notes.append(f"{silent} without a spike, drawn at the left edge.")
    if never := (table["observed"] == 0).sum():
        notes.append(f"{never} never observed, not drawn.")
    if deep and (missing := (table["depth"].isna() & table[column].notna()).sum()):
        notes.append(f"{missing} of unknown depth, not drawn.")
    return notes
