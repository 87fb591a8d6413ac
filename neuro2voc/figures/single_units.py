"""What every unit alone says of the song, by depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import (
    count_of,
    height_of_rows,
    in_rows,
    label_rows,
    mark_regions,
    region_colors,
)
from neuro2voc.recording import Recording

LEVEL = 0.05
BASELINES = {
    "duration": ("duration alone", style.ORANGE, "-"),
    "previous": ("previous syllable", style.PURPLE, ":"),
}


@style.in_style()
def draw_single_units(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw the balanced accuracy of every unit alone beside its null.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.single_units.single_units`.
    recording : Recording
        The bird.
    protocol : Protocol
        How units were decoded.
    """
    judged = "p_best" in table
    rows = in_rows(table)
    height = height_of_rows(len(rows))
    handles = _handles(judged, protocol)
    figure = style.new_figure(
        style.COLUMN,
        height + 13,
        f"{recording.name}: every unit alone",
        [_headline(table, judged)],
        _notes(table, protocol, judged),
        keys=len(handles),
        kind=style.kind_of(recording),
    )
    ax = figure.subplots()
    _draw_reference(ax, table, judged)
    colors = region_colors(rows)
    for row in rows.itertuples():
        color = colors[row.location]
        if judged:
            ax.plot([row.null_low, row.null_high], [row.row] * 2, color=style.PALE, lw=2.2)
        if not np.isnan(row.low):
            ax.plot([row.low, row.high], [row.row] * 2, color=color, lw=0.7)
        filled = judged and row.p_best <= LEVEL
        face = color if filled else "white"
        ax.plot(row.balanced_accuracy, row.row, "o", ms=3.2, mfc=face, mec=color, mew=0.8)
    label_rows(ax, rows, height)
    mark_regions(ax, rows)
    ax.set_xlabel("balanced accuracy")
    ax.set_xlim(left=0)
    style.legend_below(figure, handles, 1)
    return figure


def _draw_reference(ax: Axes, table: pd.DataFrame, judged: bool) -> None:
    first = table.iloc[0]
    ax.axvline(first["chance"], color=style.BLACK, lw=0.7)
    if judged:
        ax.axvline(first["best_high"], color=style.VERMILION, lw=0.9, ls=(0, (4, 2)))
    for name, (_, color, dashes) in BASELINES.items():
        ax.axvline(first[name], color=color, ls=dashes, lw=0.9)


def _handles(judged: bool, protocol: Protocol) -> list:
    handles = [Line2D([], [], color=style.BLACK, lw=0.7, label="chance")]
    if judged:
        number = len(protocol.null_seeds)
        point = {"marker": "o", "ms": 3.2, "mec": style.BLACK, "ls": "none"}
        handles += [
            Patch(color=style.PALE, label=f"the unit's null: range of {number} shifted surrogates"),
            Line2D(
                [],
                [],
                color=style.VERMILION,
                ls=(0, (4, 2)),
                label="the best unit of any of these surrogates",
            ),
            Line2D([], [], mfc=style.BLACK, **point, label="better than that (p ≤ 0.05 for all)"),
        ]
    for words, color, dashes in BASELINES.values():
        handles.append(Line2D([], [], color=color, ls=dashes, label=f"{words}, without neurons"))
    return handles


def _headline(table: pd.DataFrame, judged: bool) -> str:
    if not judged:
        return "A control: without a null band of its own, no unit is judged."
    good = table[table["p_best"] <= LEVEL]
    if good.empty:
        return f"None of {count_of(len(table))} says alone which syllable is sung."
    verb = "says" if len(good) == 1 else "say"
    controls = table[list(BASELINES)].iloc[0].max()
    over = (good["low"] > controls).sum()
    return (
        f"{len(good)} of {count_of(len(table))} {verb} alone more than chance could, "
        f"{over or 'none'} more than duration or song order; the best has "
        f"{table['balanced_accuracy'].max():.2f}, chance is {table['chance'].iat[0]:.2f}."
    )


def _notes(table: pd.DataFrame, protocol: Protocol, judged: bool) -> list[str]:
    first = table.iloc[0]
    notes = [
        f"{protocol.decoder} on {protocol.feature}, split '{protocol.split}': "
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts. Lines through points "
        "are 95 % intervals over bouts."
    ]
    if judged and len(protocol.null_seeds) < 1 / LEVEL - 1:
        notes.append("So few surrogates can show no p of 0.05, so no unit can be filled.")
    return notes
