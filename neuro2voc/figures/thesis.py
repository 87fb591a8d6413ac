"""The thesis' numbers, drawn beside what the same and an honest protocol give here."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style

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
    has_null = table["null"].notna().any()
    handles = [
        _mark("D", "white", style.BLACK, "published: another bird, accuracy"),
        _mark("o", style.VERMILION, style.VERMILION, "same protocol here, accuracy"),
        _mark("o", style.BLUE, style.BLUE, "whole bouts held out, balanced accuracy"),
    ]
    if has_null:
        handles.append(_mark("|", style.GREY, style.GREY, "its null: mean of shifted birds"))
    handles.append(Line2D([], [], ls="--", color=style.GREY, label="chance"))
    figure = style.new_figure(
        style.PAGE,
        ROW * len(table) + 14,
        f"{name}: the thesis' numbers again",
        [_headline(table) if has_null else "A control: it has no null of its own."],
        [
            f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts; settings as "
            "published, nothing tuned here. Blue lines are 95 % intervals over bouts. Rates and "
            "TF-IDF carry the syllable's duration, so that their null is what duration gives, "
            "or less. The published bird is another one: compare each row's blue with its null, "
            "not across birds."
        ],
        keys=-(-len(handles) // 3),
        kind=kind,
    )
    ax = figure.subplots()
    ax.axvline(first["chance"], color=style.GREY, ls="--")
    for y, row in enumerate(table.itertuples()):
        ax.plot(row.null, y, "|", ms=11, mew=2, color=style.GREY)
        ax.plot(row.published, y, "D", ms=4.5, mfc="white", mec=style.BLACK)
        ax.plot(row.same, y - 0.14, "o", ms=4, color=style.VERMILION)
        ax.plot([row.low, row.high], [y + 0.14] * 2, color=style.BLUE)
        ax.plot(row.honest, y + 0.14, "o", ms=4, color=style.BLUE)
    ax.set(xlim=(0, 1.02), ylim=(len(table) - 0.5, -0.5), xlabel="accuracy")
    ax.set_yticks(range(len(table)), table["quantity"])
    ax.tick_params(axis="y", length=0)
    style.legend_below(figure, handles, 3)
    return figure


def _mark(marker: str, face: str, edge: str, label: str) -> Line2D:
    return Line2D([], [], ls="none", marker=marker, mfc=face, mec=edge, mew=1.2, label=label)


def _headline(table: pd.DataFrame) -> str:
    above = table["low"] > table["null"]
    least = (table["honest"] - table["null"])[above].min()
    count = f"{int(above.sum())} of {len(table)} numbers lie above their null"
    return f"{count}, by {least:.2f} or more." if above.any() else f"{count}."
