"""Which units are hubs: the size of interactions, and what exceeds independent copies."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import (
    height_of_rows,
    in_rows,
    label_rows,
    mark_regions,
    region_colors,
)
from neuro2voc.figures.pairs import (
    LEVEL,
    names_of,
    no_pairs,
    notes_of,
    null_of,
    one_that_scores,
)
from neuro2voc.figures.players import are_bins, noun_of, number_of
from neuro2voc.recording import Recording
from neuro2voc.unit_correlations import rank_correlation

MEASURES = {
    "hub": (
        "hub score: how large are a {noun}'s\ninteractions with all others?",
        "sum of mean |interactions| (nats)",
    ),
    "evidence": ("joint evidence: do they help\nto tell the syllable?", "sum of evidence (nats)"),
}
NAMED = 4  # hubs in a headline


@style.in_style()
def draw_hubs(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw each unit's hub score and joint evidence beside their null.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.attribution_tables.unit_table`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what the models saw.
    """
    title = f"which {'bins of time' if are_bins(table) else 'units'} are hubs"
    if len(table) == 1:
        return no_pairs(recording, title, table, protocol)
    rows = in_rows(table)
    height = height_of_rows(len(rows))
    handles = _handles(table)
    figure = style.new_figure(
        style.PAGE,
        height + 20,
        f"{recording.name}: {title}",
        _headline(table),
        notes_of(table, protocol),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (name, (title, label)) in zip(axes, MEASURES.items(), strict=True):
        _draw_measure(ax, rows, name)
        ax.set_title(title.format(noun=noun_of(table)), loc="left")
        ax.set_xlabel(label)
        ax.xaxis.set_major_locator(MaxNLocator(5))
    label_rows(axes[0], rows, height)
    if are_bins(table):
        axes[0].set_yticks(rows["row"], names_of(rows))
        axes[0].set_ylabel("bins of time")
    axes[0].set_xlim(left=0)
    axes[1].axvline(0, color=style.BLACK, lw=0.7, zorder=1)
    axes[1].set_ylabel("")
    mark_regions(axes[1], rows)
    style.legend_below(figure, handles, 2)
    return figure


def _draw_measure(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    colors = region_colors(rows)
    for _, row in rows.iterrows():
        color, y = colors[row["location"]], row["row"]
        low, high, mean = (row[f"{name}_null_{end}"] for end in ("low", "high", "mean"))
        ax.plot([low, high], [y, y], color=style.PALE, lw=2.2, zorder=1)
        ax.plot(mean, y, "|", ms=3, color=style.GREY, zorder=2)
        ax.plot([row[f"{name}_low"], row[f"{name}_high"]], [y, y], color=color, lw=0.7, zorder=2)
        face = color if row[f"{name}_p"] <= LEVEL else "white"
        ax.plot(row[name], y, "o", ms=3.2, mfc=face, mec=color, mew=0.8, zorder=3)


def _handles(table: pd.DataFrame) -> list:
    point = {"marker": "o", "ms": 3.2, "mec": style.BLACK}
    line = {"color": style.BLACK, "lw": 0.7}
    null, noun = null_of(table), noun_of(table)
    if not null:
        label = f"a {noun} with its 95 % interval over bouts"
        return [Line2D([], [], mfc="white", **point, **line, label=label)]
    return [
        Patch(color=style.PALE, label=f"the {noun}'s null: range of {null} and their mean"),
        Line2D([], [], **line, label="95 % interval over bouts, models as they are"),
        Line2D(
            [],
            [],
            mfc=style.BLACK,
            ls="none",
            **point,
            label=f"beyond the null (p ≤ 0.05 for all {noun}s)",
        ),
        Line2D([], [], mfc="white", ls="none", **point, label="not beyond it"),
    ]


def _headline(table: pd.DataFrame) -> list[str]:
    null = null_of(table)
    if not null:
        return [
            f"Not judged: a {one_that_scores(table)} scores high without any joint pattern, and "
            "without a null hubs cannot be told from that."
        ]
    hubs = table[table["evidence_p"] <= LEVEL]
    if hubs.empty:
        first = f"No hub: none of {number_of(table)} has more joint evidence than in {null}."
    else:
        names = names_of(hubs)
        listed = ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else "")
        verb = "has" if len(hubs) == 1 else "have"
        first = f"{len(hubs)} of {number_of(table)} {verb} more joint evidence than in {null} "
        first += f"(p ≤ 0.05 for all): {listed}."
    rank = rank_correlation(table[["hub"]].to_numpy().T, table["hub_null_mean"].to_numpy())[0]
    beyond = int((table["hub_p"] <= LEVEL).sum())
    second = f"The hub score exceeds its null in {beyond or 'none'}: "
    if np.isnan(rank):
        return [first, second.rstrip(": ") + "."]
    return [
        first,
        f"{second}a {one_that_scores(table)} scores high without any joint pattern (rank "
        f"correlation with the null's mean {rank:.2f}), so both are shown.",
    ]
