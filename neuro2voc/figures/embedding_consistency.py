"""How well embeddings agree between seeds and birds, drawn."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style
from neuro2voc.figures.embedding import NAMES, in_order
from neuro2voc.recording import Recording

ROW, ENDS = 5, 14  # mm: a row, heading and axis


@style.in_style()
def draw_consistency(table: pd.DataFrame, recording: Recording) -> Figure:
    """Draw the consistency of each kind of embedding beside that of a shifted surrogate.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.consistency.consistency_table`.
    recording : Recording
        The bird.
    """
    kinds = list(table.groupby(["between", "other"], sort=False)) or [(("seeds", ""), table)]
    rows = max(3, *(len(mine) for _, mine in kinds))
    handles = [
        Line2D([], [], marker="o", ls="none", ms=4.5, color=style.BLUE, label=recording.name),
        Line2D(
            [], [], marker="o", mfc="white", ls="none", ms=4.5, color=style.GREY,
            label="its shifted surrogate",
        ),
    ]  # fmt: skip
    figure = style.new_figure(
        style.PAGE,
        ROW * rows + ENDS,
        f"{recording.name}: do embeddings agree where nobody trained them to?",
        [_headline(table)],
        [
            "R² of one embedding given linearly by the other, on bouts held out by the first fold; "
            "of birds on means at ten places within each syllable that both sing. Embeddings of "
            "noise agree, too: only what lies beyond the surrogate is about the song."
        ],
        keys=1,
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    for ax, ((between, other), mine) in zip(axes, kinds, strict=True):
        _draw(ax, mine)
        words = "networks of two seeds" if between == "seeds" else f"this bird and {other}"
        ax.set_title(words if len(mine) else "nothing to compare")
    style.legend_below(figure, handles, 2)
    return figure


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    mine = table.set_index(["method", "field"])
    cells = in_order(list(mine.index))
    for place, cell in enumerate(cells):
        row = mine.loc[cell]
        ax.plot([row["shifted"], row["r2"]], [place, place], color=style.PALE, lw=1, zorder=1)
        ax.plot(row["shifted"], place, "o", ms=4.5, mfc="white", color=style.GREY, zorder=2)
        ax.plot(row["r2"], place, "o", ms=4.5, color=style.BLUE, zorder=3)
    names = [f"{NAMES[method]}, {field} bin{'s' * (field > 1)}" for method, field in cells]
    ax.set_yticks(range(len(cells)), names)
    ax.set_ylim(len(cells) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.set_xlabel("consistency (R²)")
    ax.tick_params(axis="y", length=0)


def _headline(table: pd.DataFrame) -> str:
    parts = []
    for between, words in (("seeds", "two seeds"), ("birds", "two birds")):
        mine = table[table["between"] == between]
        if not len(mine):
            continue
        said = f"{words}: {mine['r2'].mean():.2f} on average"
        if mine["shifted"].notna().any():
            said += f", of surrogates {mine['shifted'].mean():.2f}"
        parts.append(said)
    if not parts:
        return "There is nothing to compare: no second seed, and no bird with the same syllables."
    return f"R² between {'; between '.join(parts)}."
