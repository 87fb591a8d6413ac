"""Which units speak for each syllable, by depth: mean |SHAP values| beside their null."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import (
    height_of_rows,
    in_rows,
    label_rows,
    mark_regions,
    region_colors,
)
from neuro2voc.figures.players import are_bins, noun_of, number_of
from neuro2voc.figures.words import shortened
from neuro2voc.inclusion import UNKNOWN
from neuro2voc.recording import Recording

LEVEL = 0.05
ACROSS = 8  # panels side by side
LISTED = 10  # units named under a panel, at most
NAME = 7  # characters of a unit's name under a panel and at its bar
MEASURE = "mean |SHAP value| for the syllable's margin (nats)"
MS = 1e3  # in a second


@style.in_style()
def draw_shap_syllables(
    table: pd.DataFrame, cells: pd.DataFrame, recording: Recording, protocol: Protocol
) -> Figure:
    """Draw how much every unit moves each syllable's margin, and name those that stand out.

    Parameters
    ----------
    table : DataFrame
        Of players; see `neuro2voc.attribution_tables.unit_table`.
    cells : DataFrame
        Of players and syllables; see `neuro2voc.attribution_tables.cell_table`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what the models saw.
    """
    rows = in_rows(table)
    height = height_of_rows(len(rows))
    syllables = list(cells["syllable"].unique())
    lists = _list_lines(cells)
    across = -(-len(syllables) // -(-len(syllables) // ACROSS))
    down = -(-len(syllables) // across)
    handles = _handles(cells, table)
    figure = style.new_figure(
        style.PAGE,
        down * (height + style.LINE * lists + 17),
        f"{recording.name}: which {noun_of(table)}s speak for each syllable, "
        f"from {protocol.feature}",
        _headline(table, cells),
        _notes(table, cells, protocol),
        keys=len(handles),
        kind=style.kind_of(recording),
    )
    axes, feet = _panels(figure, down, across, height, lists)
    wide = 1.4 * cells[["absolute", "null_high"]].max().max()
    for number, syllable in enumerate(syllables):
        ax, cell = axes[number], cells[cells["syllable"] == syllable]
        _draw_bars(ax, rows, cell.set_index("player"))
        ax.set_title(_title(syllable, cell))
        ax.set_xlabel(" ")
        ax.set_xlim(0, wide or 1)
        ax.locator_params(axis="x", nbins=3)
        if lists:
            _list_units(feet[number], table, cell)
    for ax in [*axes[len(syllables) :], *feet[len(syllables) :]]:
        ax.set_visible(False)
    for ax in axes[::across]:
        _label_players(ax, rows, height)
        _write_measure(ax)
    for last in range(across, len(syllables) + across, across):
        mark_regions(axes[min(last, len(syllables)) - 1], rows)
    style.legend_below(figure, handles, 1)
    return figure


def name_of(player: pd.Series) -> str:
    """Return a player's name: its unit's, or from when to when its bin lasts (ms)."""
    if np.isnan(player["start"]):
        return player["unit"]
    return f"{MS * player['start']:.0f} to {MS * player['stop']:.0f}".replace("-", "−")


def place_of(player: pd.Series) -> str:
    """Say in words which player is meant, and where it lies as far as that is known."""
    if not np.isnan(player["start"]):
        return f"the bin {name_of(player)} ms"
    known = [] if player["location"] == UNKNOWN else [player["location"]]
    known += [] if np.isnan(player["depth"]) else [f"{player['depth']:.0f} µm"]
    where = f" ({', '.join(known)})" if known else ""
    return f"unit {shortened(player['unit'])}{where}"


def _title(syllable: str, cell: pd.DataFrame) -> str:
    if cell["p"].isna().all():
        return shortened(syllable)
    number = (cell["p"] <= LEVEL).sum()
    return f"{shortened(syllable)}\n{number or 'none'} stand{'s' if number < 2 else ''} out"


def _panels(
    figure: Figure, down: int, across: int, height: float, lists: int
) -> tuple[list[Axes], list[Axes]]:
    """Return a panel for each syllable and, where units are listed, the place below it."""
    ratios = [height, style.LINE * lists] if lists else [height]
    grid = figure.subplots(down * len(ratios), across, squeeze=False, height_ratios=ratios * down)
    feet = grid[1::2].ravel() if lists else []
    for ax in feet:
        ax.axis("off")
    return list(grid[:: len(ratios)].ravel()), list(feet)


def _draw_bars(ax: Axes, rows: pd.DataFrame, cell: pd.DataFrame) -> None:
    """Draw a syllable's panel; both tables have the players as their index."""
    colors = region_colors(rows)
    bars = rows.drop(columns="unit").join(cell)
    color, stands = bars["location"].map(colors), bars["p"] <= LEVEL
    span = bars["null_high"] - bars["null_low"]
    ax.barh(bars["row"], span, left=bars["null_low"], height=0.8, color=style.PALE, lw=0)
    ax.barh(
        bars["row"],
        bars["absolute"],
        height=0.45,
        color=color.where(stands, "white"),
        edgecolor=color.where(stands, style.GREY),
        lw=np.where(stands, 0, 0.4),
        zorder=2,
    )
    for bar in bars[stands & bars["start"].isna()].itertuples():
        ax.annotate(
            shortened(bar.unit, NAME),
            (max(bar.absolute, bar.null_high), bar.row),
            xytext=(1.5, 0),
            textcoords="offset points",
            va="center_baseline",
            size=6,
            color=colors[bar.location],
        )
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.tick_params(axis="y", left=False, labelleft=False)


def _label_players(ax: Axes, rows: pd.DataFrame, height: float) -> None:
    ax.tick_params(axis="y", left=True, labelleft=True)
    label_rows(ax, rows, height)
    if are_bins(rows):
        ax.set_yticks(rows["row"], [name_of(row) for _, row in rows.iterrows()])
        ax.set_ylabel("time in the window (ms)")


def _write_measure(ax: Axes) -> None:
    """Name the axis of all panels under the first, in the line that their empty names keep."""
    words = ax.annotate(
        MEASURE,
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, -17),
        textcoords="offset points",
        va="top",
    )
    words.set_in_layout(False)  # longer than its panel is wide


def _list_lines(cells: pd.DataFrame) -> int:
    """Return how many lines the longest list under a panel takes, its head included."""
    most = (cells["p"] <= LEVEL).groupby(cells["syllable"]).sum().max()
    return 0 if most == 0 else 1 + min(most, LISTED) + (most > LISTED)


def _list_units(ax: Axes, table: pd.DataFrame, cell: pd.DataFrame) -> None:
    """Write the units that stand out for a syllable under its panel, the strongest first."""
    time = are_bins(table)
    standing = cell[cell["p"] <= LEVEL].sort_values("absolute", ascending=False, kind="stable")
    deep = table["depth"].notna().any()
    lines = [("ms", "", "nats") if time else ("unit", "µm" if deep else "", "nats")]
    for found in standing[:LISTED].itertuples():
        player = table.iloc[found.player]
        depth = "?" if np.isnan(player["depth"]) else f"{player['depth']:.0f}"
        name = name_of(player) if time else shortened(player["unit"], NAME)
        lines.append((name, depth if deep else "", f"{found.absolute:.2f}"))
    if len(standing) > LISTED:
        lines.append((f"and {len(standing) - LISTED} more", "", ""))
    if standing.empty:
        lines = [("none", "", "")]
    ax.set_ylim(_list_lines(cell) or 1, 0)
    for number, line in enumerate(lines):
        for x, text, side in zip((0.0, 0.64, 1.0), line, ("left", "right", "right"), strict=True):
            ax.annotate(
                text,
                (x, 1),
                xycoords="axes fraction",
                xytext=(0, -style.LINE * style.MM * 72 * number),
                textcoords="offset points",
                ha=side,
                va="top",
                size=style.SMALL - 0.5,
                color="#404040" if number and not standing.empty else style.GREY,
            )


def _handles(cells: pd.DataFrame, table: pd.DataFrame) -> list:
    hollow = {"fc": "white", "ec": style.GREY, "lw": 0.4}
    if cells["p"].isna().all():
        return [Patch(**hollow, label="not judged")]
    regions = "" if (table["location"] == UNKNOWN).all() else "; colours are regions"
    number = f"p ≤ {LEVEL} for all {len(cells)} bars"
    return [
        Patch(
            color=style.PALE,
            label=f"the bar's null: range of {table['shifted'].iat[0]} shifted surrogates",
        ),
        Patch(
            color=style.GREY if not regions else style.BLACK,
            label=f"stands out ({number}){regions}; listed under its panel",
        ),
        Patch(**hollow, label="does not stand out"),
    ]


def _headline(table: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    accuracy = (
        f"The models tell {cells['syllable'].nunique()} syllables with balanced accuracy "
        f"{table['balanced_accuracy'].iat[0]:.2f}; chance is {table['chance'].iat[0]:.2f}."
    )
    if cells["p"].isna().all():
        return [f"Without surrogates nothing is judged. {accuracy}"]
    standing = cells[cells["p"] <= LEVEL]
    if standing.empty:
        return [f"None of {number_of(table)} stands out for any syllable. {accuracy}"]
    players = standing["player"].nunique()
    most = standing.loc[standing["absolute"].idxmax()]
    return [
        f"{players} of {number_of(table)} stand{'s' if players == 1 else ''} out for "
        f"{standing['syllable'].nunique()} of {cells['syllable'].nunique()} syllables "
        f"({len(standing)} of {len(cells)} bars); most of all "
        f"{place_of(table.iloc[most['player']])} for {shortened(most['syllable'])}, with "
        f"{most['absolute']:.2f} nats (its shifted copies: at most {most['null_high']:.2f}). "
        f"{accuracy}"
    ]


def _notes(table: pd.DataFrame, cells: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = table.iloc[0]
    notes = [
        f"Boosted trees for all syllables at once on {protocol.feature}, split '{protocol.split}': "
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts, each explained by a "
        "model that has not seen it; all syllables weigh alike."
    ]
    if cells["p"].notna().any() and 1 / (1 + first["shifted"]) > LEVEL:
        notes.append("So few surrogates can show no p of 0.05, so no bar can be filled.")
    if cells["syllable"].nunique() == 2:
        notes.append(
            "With two syllables, what speaks for one speaks as much against the other: both "
            "panels are alike."
        )
    return notes
