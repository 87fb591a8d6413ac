"""Units on the probe: where they lie, how often they fire, how well they are isolated."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from neuro2voc.figures import style
from neuro2voc.recording import Recording

UNKNOWN = "unknown"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MIN_ROW, MAX_HEIGHT = 3.2, 120  # mm


def unit_table(recording: Recording) -> pd.DataFrame:
    """Describe every unit in a row.

    Returns
    -------
    DataFrame
        unit, depth (µm from the tip), location and quality ('unknown' where they are not known),
        spikes, observed (s), rate (Hz) while observed; missing for a unit never observed.
    """
    units = recording.units
    times = [_observed(recording, i) for i in range(len(units))]
    spikes = [
        int(sum(np.diff(np.searchsorted(train, intervals)).sum() for intervals in spans))
        for train, spans in zip(units.spike_times, times, strict=True)
    ]
    seconds = np.array([np.diff(spans).sum() for spans in times])
    rate = np.divide(spikes, seconds, out=np.full(len(units), np.nan), where=seconds > 0)
    columns = {name: _column(units.table, name) for name in ("location", "quality")}
    depth = units.table["depth"] if "depth" in units.table else np.nan
    table = pd.DataFrame({"unit": units.table.index.astype(str), "depth": np.asarray(depth)})
    return table.assign(**columns, spikes=spikes, observed=seconds, rate=rate)


def _observed(recording: Recording, unit: int) -> np.ndarray:
    """Return the intervals (k, 2) in which a unit was observed: by itself, else by session."""
    if recording.units.observed is not None:
        return np.asarray(recording.units.observed[unit], dtype=float).reshape(-1, 2)
    return recording.sessions[["start_time", "stop_time"]].to_numpy()


def _column(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), UNKNOWN)
    return table[name].fillna("").astype(str).replace("", UNKNOWN).to_numpy()


@style.in_style()
def draw_units(recording: Recording) -> Figure:
    """Draw each unit's depth against its mean rate.

    Regions are colours and bands, qualities are markers. Where no depth is known, units are drawn
    in their order.
    """
    table = unit_table(recording)
    deep = table["depth"].notna().any()
    drawn = table[table["rate"].notna() & (table["depth"].notna() | (not deep))]
    y = drawn["depth"] if deep else pd.Series(range(1, len(drawn) + 1), index=drawn.index)
    handles = _handles(drawn)
    figure = style.new_figure(
        style.COLUMN,
        75 if deep else min(MAX_HEIGHT, MIN_ROW * len(drawn) + 14),
        f"{recording.name}: units",
        [_headline(drawn)],
        _notes(table, deep),
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    ax = figure.subplots()
    if deep:
        ax.set_ylabel("depth (µm from the probe's tip)")
        _draw_regions(ax, drawn)
    else:
        ax.set(ylabel="unit", ylim=(len(drawn) + 0.6, 0.4))
        every = -(-len(drawn) // 30)
        ax.set_yticks(y[::every], drawn["unit"][::every])
    _draw_points(ax, drawn, y)
    style.legend_below(figure, handles, 3)
    return figure


def _region_colors(drawn: pd.DataFrame) -> dict[str, str]:
    known = drawn.loc[drawn["location"] != UNKNOWN, "location"]
    return {**style.colors_of(known, style.REGIONS), UNKNOWN: style.GREY}


def _quality_marks(drawn: pd.DataFrame) -> dict[str, dict]:
    """Return how each quality is drawn: good ones filled, others open."""
    others = sorted(set(drawn["quality"]) - {"good", UNKNOWN})
    shapes = {"good": "o", UNKNOWN: "o", **dict(zip(others, MARKERS[1:] * 9, strict=False))}
    filled = ("good", UNKNOWN)
    return {name: {"marker": shapes[name], "filled": name in filled} for name in shapes}


def _style_of(color: str, marker: str, filled: bool) -> dict:
    face = color if filled else "white"
    return {"marker": marker, "mfc": face, "mec": color, "ms": 4, "mew": 0.9, "ls": "none"}


def _draw_points(ax: Axes, drawn: pd.DataFrame, y: pd.Series) -> None:
    colors, marks = _region_colors(drawn), _quality_marks(drawn)
    firing = drawn["rate"] > 0
    floor = drawn.loc[firing, "rate"].min() / 2 if firing.any() else 0.1
    for (location, quality), part in drawn.groupby(["location", "quality"]):
        look = _style_of(colors[location], **marks[quality])
        ax.plot(part["rate"].clip(lower=floor), y[part.index], **look, zorder=3)
    ax.set_xscale("log")
    low, high = drawn["rate"].clip(lower=floor).agg(["min", "max"])
    wide = max(1.6, (10 * low / high) ** 0.5)  # at least a decade, so that numbers stand at it
    ax.set_xlim(low / wide, high * wide)
    steps = (1, 2, 5) if high / low < 100 else (1,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps, numticks=99))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("mean rate while observed (Hz)")


def _draw_regions(ax: Axes, drawn: pd.DataFrame) -> None:
    """Shade runs of neighbouring units of one region and name the longest run of each."""
    order = drawn.sort_values("depth", kind="stable")
    depth = order["depth"].to_numpy()
    ax.set_ylim(min(0, depth[0]), depth[-1] + 0.04 * max(np.ptp(depth), 100))
    colors, runs = _region_colors(drawn), (order["location"] != order["location"].shift()).cumsum()
    longest: dict[str, tuple[float, float]] = {}
    for _, run in order.groupby(runs):
        low, high = run["depth"].min(), run["depth"].max()
        name = run["location"].iat[0]
        if name != UNKNOWN:
            ax.axhspan(low, high, color=colors[name], alpha=0.1, lw=0, zorder=0)
            longest[name] = max(longest.get(name, (0, 0)), (high - low, (low + high) / 2))
    for name, (_, middle) in longest.items():
        style.name_beside(ax, middle, name, colors[name])


def _handles(drawn: pd.DataFrame) -> list:
    marks = _quality_marks(drawn)
    counts = drawn["quality"].value_counts()
    names = [name for name in marks if name in counts]
    look = {name: _style_of(style.BLACK, **marks[name]) for name in names}
    word = {name: f"quality {UNKNOWN}" if name == UNKNOWN else name for name in names}
    return [Line2D([], [], **look[n], label=f"{word[n]} ({counts[n]})") for n in names]


def _headline(drawn: pd.DataFrame) -> str:
    count = "1 unit" if len(drawn) == 1 else f"{len(drawn)} units"
    regions = drawn["location"].value_counts(sort=False)
    where = ", ".join(f"{n} in {name}" for name, n in regions.items() if name != UNKNOWN)
    return f"{count}{': ' + where if where else ''}; median {drawn['rate'].median():.1f} Hz."


def _notes(table: pd.DataFrame, deep: bool) -> list[str]:
    notes = [] if deep else ["No depths are known, so units stand in the order of the file."]
    silent, never = (table["rate"] == 0).sum(), table["rate"].isna().sum()
    if silent:
        notes.append(f"{silent} without a spike, drawn at the left edge.")
    if never:
        notes.append(f"{never} never observed, not drawn.")
    if deep and (missing := (table["depth"].isna() & table["rate"].notna()).sum()):
        notes.append(f"{missing} of unknown depth, not drawn.")
    return notes
