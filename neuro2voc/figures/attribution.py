"""Which units speak for which syllable, and which only together: one composite figure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.attribution_words import (
    LEVEL,
    LINKED,
    findings,
    headline,
    notes,
    parent,
    titles,
)
from neuro2voc.figures.depth import (
    height_of_rows,
    in_rows,
    label_rows,
    mark_regions,
    region_colors,
)
from neuro2voc.figures.words import shortened
from neuro2voc.inclusion import UNKNOWN
from neuro2voc.recording import Recording

PANEL = 42.0  # mm, a panel of points
CELL, MAP = 8.0, (24.0, 76.0)  # mm, a column of the map, and the least and most of all
LANE = 2.2  # mm, a bracket that links a pair
BESIDE = 32.0  # mm, words and ticks around the axes
FEW, ROW_OF_FEW = 24.0, 8.0  # mm, least for all rows and most for one: names of regions fit in
TALL = 12  # rows; above as many, syllables are named at the head of the map too
PADS = (5, 15)  # pt from axes to their titles, without and with such names
BAND = "#f4f4f4"  # behind every other row, to follow it from panel to panel

# Cells that can be believed have a hue; all others are grey, and paler than any of those.
GREYS = LinearSegmentedColormap.from_list("greys", ["#ffffff", "#b4b4b4"])
BLUES = LinearSegmentedColormap.from_list("blues", ["#9fd0ee", style.BLUE, "#00304d"])
REDS = LinearSegmentedColormap.from_list("reds", ["#f7c3a0", style.VERMILION, "#5c2900"])


@style.in_style()
def draw_attribution(
    tables: Mapping[str, pd.DataFrame], recording: Recording, protocol: Protocol
) -> Figure:
    """Draw importances, the syllables they are for, and joint evidence, a row per unit by depth.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        table, cells and pairs; see `neuro2voc.attribution_tables`. In a bird of one unit, rows are
        its bins of time.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what the models saw.
    """
    found, cells = findings(tables), tables["cells"]
    rows, pairs = in_rows(tables["table"]), found["pairs"][:LINKED]
    kinds = _kinds(cells, found)
    few = min(FEW, ROW_OF_FEW * len(rows))
    heights = max(few, height_of_rows(len(rows))), style.LINE * len(kinds)
    handles = _handles(rows, found, recording)
    players = "bins of time" if found["noun"] == "bin" else "units"
    figure = style.new_figure(
        style.PAGE,
        sum(heights) + BESIDE,
        f"{recording.name}: which {players} speak for which syllable, alone and together",
        [headline(tables, found, recording)],
        notes(tables, found, protocol),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    width = float(np.clip(CELL * cells["syllable"].nunique(), *MAP))
    widths = {"importance": PANEL, "map": width}
    if len(pairs):
        widths["links"] = LANE * (len(pairs) + 0.5)
    if found["together"]:
        widths["evidence"] = PANEL
    axes, below = _panels(figure, widths, heights)
    _draw_points(axes["importance"], rows, "importance")
    _draw_cells(axes["map"], cells, kinds, rows, width)
    _draw_key(below, kinds, _most(cells))
    if "links" in axes:
        _draw_links(axes["links"], pairs, rows)
    if "evidence" in axes:
        _draw_points(axes["evidence"], rows, "evidence")
        axes["evidence"].axvline(0, color=style.BLACK, lw=0.6, zorder=1)
    _set_titles(axes, titles(found, len(cells)), len(rows))
    _label_players(axes["importance"], rows, heights[0])
    mark_regions(axes.get("evidence", axes["map"]), rows)
    style.legend_below(figure, handles, 2)
    return figure


def _panels(
    figure: Figure, widths: Mapping[str, float], heights: tuple[float, float]
) -> tuple[dict[str, Axes], Axes]:
    """Return axes side by side with the same rows, and those of the key below the map."""
    grid = figure.add_gridspec(
        2, len(widths), width_ratios=list(widths.values()), height_ratios=heights
    )
    axes: dict[str, Axes] = {}
    for column, name in enumerate(widths):
        axes[name] = figure.add_subplot(grid[0, column], sharey=axes.get("importance"))
        axes[name].tick_params(axis="y", left=not column, labelleft=not column)
    return axes, figure.add_subplot(grid[1, 1])


def _set_titles(axes: Mapping[str, Axes], counts: tuple[str, str, str], rows: int) -> None:
    for count, (name, title, label) in zip(
        counts,
        (
            ("importance", "over all syllables", "mean |SHAP value| (nats)"),
            ("map", "for which syllable", ""),
            ("evidence", "together with others", "joint evidence (nats)"),
        ),
        strict=True,
    ):
        if name in axes:
            axes[name].set_title(f"{title}:\n{count}", loc="left", y=1, pad=PADS[rows > TALL])
            axes[name].set_xlabel(label)
    axes["importance"].set_xlim(left=0)


def _label_players(ax: Axes, rows: pd.DataFrame, height: float) -> None:
    """Write depths beside rows, or, in a bird of one unit, times."""
    label_rows(ax, rows, height)
    if rows["start"].isna().any():
        return
    every = int(np.ceil(style.LINE * len(rows) / height))
    shown = rows.iloc[::-1].iloc[::every]
    times = [f"{1e3 * bin.start:.4g} to {1e3 * bin.stop:.4g}" for bin in shown.itertuples()]
    ax.set_yticks(shown["row"], [time.replace("-", "−") for time in times])
    ax.set_ylabel("bins of time (ms)")


# Points


def _draw_points(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    """Draw a score of each row over its own null, filled where it is beyond that of all."""
    colors = region_colors(rows)
    _draw_bands(ax, len(rows))
    for _, row in rows.iterrows():
        color, y = colors[row["location"]], row["row"]
        low, high, mean = (row[f"{name}_null_{end}"] for end in ("low", "high", "mean"))
        ax.plot([low, high], [y, y], color=style.PALE, lw=2.2, solid_capstyle="butt", zorder=1)
        ax.plot(mean, y, "|", ms=3, color=style.GREY, zorder=2)
        if f"{name}_low" in rows:
            interval = [row[f"{name}_low"], row[f"{name}_high"]]
            ax.plot(interval, [y, y], color=color, lw=0.7, zorder=2)
        face = color if row[f"{name}_p"] <= LEVEL else "white"
        ax.plot(row[name], y, "o", ms=3.2, mfc=face, mec=color, mew=0.8, zorder=3)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _draw_bands(ax: Axes, rows: int) -> None:
    for row in range(1, rows, 2):
        ax.axhspan(row - 0.5, row + 0.5, color=BAND, lw=0, zorder=0)


def _draw_links(ax: Axes, pairs: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Link the rows of each pair; the most evident stands nearest to the joint evidence."""
    row_of = rows["row"].sort_index().to_numpy()
    color_of = rows["location"].map(region_colors(rows)).sort_index().to_numpy()
    _draw_bands(ax, len(rows))
    for lane, pair in enumerate(pairs.itertuples()):
        ends = [pair.first, pair.second]
        ax.plot([-lane, -lane], row_of[ends], color=style.BLACK, lw=0.9, zorder=2)
        for end in ends:
            ax.plot([-lane, 0.75], [row_of[end]] * 2, color=style.GREY, lw=0.5, zorder=1)
            ax.plot(-lane, row_of[end], "o", ms=2.8, mew=0, color=color_of[end], zorder=3)
    ax.set(xlim=(0.25 - len(pairs), 0.75), xticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)


# Cells


def _kinds(cells: pd.DataFrame, found: dict) -> list[tuple]:
    """Return the kinds of cells that there are: which they are, their colours and their name."""
    marked, right = cells["p"] <= LEVEL, cells["present"] > cells["absent"]
    kinds = [
        (marked & ~right, REDS, "beyond the null, but misleading"),
        (~marked, GREYS, "not beyond the null" if found["judged"] else "not judged"),
        (marked & right, BLUES, "speaks for the syllable (p ≤ 0.05)"),
    ]
    return [kind for kind in kinds if kind[0].any()]


def _most(cells: pd.DataFrame) -> float:
    return cells["absolute"].max() or 1.0


def _draw_cells(
    ax: Axes, cells: pd.DataFrame, kinds: list[tuple], rows: pd.DataFrame, width: float
) -> None:
    """Draw players by syllables; `width` is that of the axes in mm."""
    labels = cells["syllable"].unique()
    x = pd.Index(labels).get_indexer(cells["syllable"])
    y = rows["row"].sort_index().to_numpy()[cells["player"]]
    edges = [np.arange(number + 1) - 0.5 for number in (len(labels), len(rows))]
    for chosen, colors, _ in kinds:
        values = np.full((len(rows), len(labels)), np.nan)
        values[y[chosen], x[chosen]] = cells["absolute"][chosen]
        ax.pcolormesh(*edges, values, cmap=colors, vmin=0, vmax=_most(cells))
    for draw, inner in zip((ax.axvline, ax.axhline), edges, strict=True):
        for edge in inner[1:-1]:
            draw(edge, color="white", lw=0.5)
    for i in np.flatnonzero(cells["p"] <= LEVEL):
        frame = {"fill": False, "lw": 0.7, "clip_on": False, "zorder": 4}
        ax.add_patch(Rectangle((x[i] - 0.5, y[i] - 0.5), 1, 1, **frame))
    _name_columns(ax, labels, width / len(labels), len(rows) > TALL)


def _name_columns(ax: Axes, labels: np.ndarray, cell: float, tall: bool) -> None:
    """Name syllables below columns of so many mm, and above them where the map is tall."""
    names = [shortened(str(label)) for label in labels]
    upright = max(style.text_width(name, style.SMALL) for name in names) > cell - 1
    shown = range(0, len(names), int(np.ceil(style.LINE / cell)))
    ax.set_xticks(shown, [names[i] for i in shown])
    ax.tick_params(axis="x", length=0, labeltop=tall and not upright, rotation=90 if upright else 0)
    ax.spines[["left", "bottom"]].set_visible(False)


def _draw_key(ax: Axes, kinds: list[tuple], most: float) -> None:
    """Explain the colours of cells, a strip for each kind."""
    values = np.linspace(0, most, 65)
    for i, (_, colors, name) in enumerate(kinds):
        ax.pcolormesh(values, [i, i + 1], [(values[:-1] + values[1:]) / 2], cmap=colors)
        ax.axhline(i, color="white", lw=0.8)
        ax.annotate(
            name,
            (0, i + 0.5),
            xycoords=ax.get_yaxis_transform(),
            xytext=(-4, 0),
            textcoords="offset points",
            va="center",
            ha="right",
            size=style.SMALL,
        ).set_in_layout(False)
    ax.set(ylim=(0, len(kinds)), yticks=[], xlabel="mean |SHAP value| (nats)")
    ax.spines["left"].set_visible(False)


# The legend


def _handles(rows: pd.DataFrame, found: dict, recording: Recording) -> list:
    handles = _handle_of_null(rows.iloc[0], found, recording)
    known = "; colours are regions" if (rows["location"] != UNKNOWN).any() else ""
    point = {"marker": "o", "ms": 3.2, "mec": style.BLACK, "ls": "none"}
    if found["judged"] or found["judged_jointly"]:
        beyond = f"beyond the null of all {found['noun']}s (p ≤ 0.05)"
        handles += [
            Line2D([], [], mfc=style.BLACK, **point, label=beyond),
            Line2D([], [], mfc="white", **point, label=f"not beyond it{known}"),
        ]
    else:
        handles.append(Line2D([], [], mfc="white", **point, label=f"not judged{known}"))
    if len(found["pairs"]):
        linked = {"marker": "o", "ms": 2.8, "color": style.BLACK, "lw": 0.9}
        handles.append(Line2D([], [], **linked, label="pair beyond the null of all pairs"))
    return handles


def _handle_of_null(first: pd.Series, found: dict, recording: Recording) -> list:
    null = []
    if first["shifted"]:
        whose = f" of {parent(recording)}" if recording.surrogate else ""
        null.append(f"{first['shifted']} shifted surrogates{whose}")
    if number := first["joint_replicates"] * found["together"]:
        null.append(f"for joint evidence {number} independent cop{'ies' if number > 1 else 'y'}")
    if not null:
        return []
    label = f"its own null: range and mean of {', '.join(null)}"
    return [Patch(color=style.PALE, label=label)]
