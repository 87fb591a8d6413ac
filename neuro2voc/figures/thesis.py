"""The thesis' numbers, drawn beside what the same and an honest protocol give here."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.figures import style
from neuro2voc.figures.style import GREY
from neuro2voc.nulls import FEWEST

AXIS = "accuracy (diamonds, red); balanced accuracy (blue, grey and lines)"
ROW = 5  # mm


@style.in_style()
def draw_thesis(table: pd.DataFrame, name: str, kind: str) -> Figure:
    """Draw every number of the thesis that can be repeated on a bird.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.thesis_table.thesis_table`.
    name : str
        Of the bird.
    kind : str
        See `neuro2voc.figures.style.kind_of`.
    """
    first = table.iloc[0]
    judged = table["null"].notna().all()
    handles = _handles(table, judged)
    figure = style.new_figure(
        style.PAGE,
        ROW * len(table) + 14,
        f"{name}: the thesis' numbers again",
        [_headline(table) if judged else "A control: it has no null of its own."],
        [_note(table, judged)],
        keys=-(-len(handles) // 3),
        kind=kind,
    )
    ax = figure.subplots()
    ax.axvline(first["chance"], color=GREY, ls="--")
    ax.axvline(first["previous"], color=style.PURPLE, ls=":", lw=1.4)
    beyond = stands(table) if judged else np.ones(len(table), dtype=bool)
    for y, row in enumerate(table.itertuples()):
        _draw_row(ax, y, row, beyond[y])
        if judged and row.null_replicates < FEWEST:
            ax.text(1.03, y, f"{row.null_replicates:.0f} shifted, no p", va="center", color=GREY)
    ax.set(xlim=(0, 1.02), ylim=(len(table) - 0.5, -0.5), xlabel=AXIS)
    ax.set_yticks(range(len(table)), table["quantity"])
    ax.tick_params(axis="y", length=0)
    style.legend_below(figure, handles, 3)
    return figure


def stands(table: pd.DataFrame) -> np.ndarray:
    """Tell which intervals lie above their surrogates and above what needs no neurons (rows,)."""
    beside = table[["null_high", "duration", "previous"]].max(axis=1)
    return (table["low"] > beside).to_numpy()


def _draw_row(ax: Axes, y: int, row: tuple, beyond: bool) -> None:
    if row.null_high == row.null_high:
        ax.fill_betweenx([y - 0.34, y + 0.34], 0, row.null_high, color=style.PALE, lw=0)
    if row.duration == row.duration:
        ax.plot([row.duration] * 2, [y - 0.4, y + 0.4], color=style.ORANGE, lw=2)
    ax.plot(row.published, y, "D", ms=4.5, mfc="white", mec=style.BLACK)
    ax.plot(row.same, y - 0.16, "o", ms=4, color=style.VERMILION)
    ax.plot([row.low, row.high], [y + 0.16] * 2, color=style.BLUE)
    face = style.BLUE if beyond else "white"
    ax.plot(row.honest, y + 0.16, "o", ms=4, mfc=face, mec=style.BLUE)


def _handles(table: pd.DataFrame, judged: bool) -> list:
    handles = [
        _mark("D", "white", style.BLACK, "published: another bird, accuracy"),
        _mark("o", style.VERMILION, style.VERMILION, "same protocol here, accuracy"),
        _mark("o", style.BLUE, style.BLUE, "whole bouts held out, balanced accuracy"),
    ]
    if judged:
        handles.append(_mark("o", "white", style.BLUE, "the same, not above all controls"))
        handles.append(Patch(color=style.PALE, label="its null: shifted birds, to their best"))
    return [
        *handles,
        Line2D([], [], color=style.ORANGE, lw=2, label="duration alone, no neuron"),
        Line2D([], [], color=style.PURPLE, ls=":", lw=1.4, label="preceding syllable alone"),
        Line2D([], [], color=GREY, ls="--", label="chance"),
    ]


def _mark(marker: str, face: str, edge: str, label: str) -> Line2D:
    return Line2D([], [], ls="none", marker=marker, mfc=face, mec=edge, mew=1.2, label=label)


def _headline(table: pd.DataFrame) -> str:
    above, beyond = table["low"] > table["null_high"], stands(table)
    return (
        f"{above.sum()} of {len(table)} numbers lie, with their interval, above the shifted birds "
        f"of their row ({_counts(table)}); {beyond.sum()} also above what duration (rates, TF-IDF) "
        "and the preceding syllable give without neurons."
    )


def _counts(table: pd.DataFrame) -> str:
    numbers = sorted(set(table["null_replicates"]), reverse=True)
    few = ", too few for a p" if numbers[0] < FEWEST else ""
    return " or ".join(f"{number:.0f}" for number in numbers) + few


def _note(table: pd.DataFrame, judged: bool) -> str:
    first = table.iloc[0]
    null = f"Rows of fewer than {FEWEST} shifted birds say so and have no p. " if judged else ""
    return (
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts; settings as published, "
        f"nothing tuned here. Blue lines are 95 % intervals over bouts. {null}The published bird "
        "is another one, so compare each row's blue with what lies beside it here, not with its "
        "diamond. Red is accuracy, blue is balanced: rare syllables pull blue down."
    )
