"""Canonical correlations of activity and sound, drawn beside what chance and overfitting give."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.canonical_table import RENDITIONS, SYLLABLES
from neuro2voc.figures import style
from neuro2voc.recording import Recording

HEIGHT = 58  # mm
SHOWN = 6  # pairs
LEVEL = 0.05
TITLES = {
    SYLLABLES: "Which syllable is sung\n(null: all trials exchanged)",
    RENDITIONS: "How it is sung, the label taken out\n(null: renditions of a label exchanged)",
}
WORDS = {SYLLABLES: "which syllable is sung", RENDITIONS: "how a syllable is sung"}
HELD = {"marker": "o", "ms": 5, "mec": style.BLUE, "mew": 1.0, "ls": "none"}
IN_SAMPLE = {
    "marker": "D",
    "ms": 4,
    "mec": style.VERMILION,
    "mfc": "white",
    "mew": 0.9,
    "ls": "none",
}
NOTHING = {"marker": "x", "ms": 4, "mec": style.VERMILION, "mew": 0.9, "ls": "none"}


@style.in_style()
def draw_canonical(table: pd.DataFrame, recording: Recording, split: str) -> Figure:
    """Draw the first canonical correlations of both questions.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.canonical_table.canonical_table`.
    recording : Recording
        The bird.
    split : str
        The split's name.
    """
    handles = _handles(table)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: what activity and sound have in common",
        _headline(table, recording),
        [_note(table, split)],
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 2, sharey=True)
    figure.get_layout_engine().set(wspace=0.04)
    for ax, question in zip(axes, (SYLLABLES, RENDITIONS), strict=True):
        _draw_pairs(ax, table[table["question"] == question].head(SHOWN))
        ax.set_title(TITLES[question], loc="left")
    axes[0].set_ylabel("correlation of a canonical pair")
    style.legend_below(figure, handles, 2)
    return figure


def _draw_pairs(ax: Axes, rows: pd.DataFrame) -> None:
    ax.axhline(0, color=style.BLACK, lw=0.7, zorder=1)
    for row in rows.itertuples():
        x = row.pair
        span = row.null_high - row.null_low
        ax.bar(x, span, bottom=row.null_low, width=0.5, color=style.PALE, lw=0, zorder=2)
        if np.isfinite(row.shifted_low):
            ends = [row.shifted_low, row.shifted_high]
            ax.plot([x - 0.33] * 2, ends, color=style.PURPLE, lw=1.2, zorder=2)
        if np.isfinite(row.alike_mean):
            ends = [x - 0.28, x + 0.28]
            ax.plot(ends, [row.alike_mean] * 2, color=style.GREEN, lw=1.6, zorder=3)
        ax.plot([x, x], [row.low, row.high], color=style.BLUE, zorder=4)
        face = style.BLUE if row.p <= LEVEL else "white"
        ax.plot(x, row.correlation, mfc=face, **HELD, zorder=5)
        ax.plot(x + 0.33, row.in_sample, **IN_SAMPLE, zorder=4)
        ax.plot(x + 0.33, row.in_sample_null, **NOTHING, zorder=3)
    ax.set(xlim=(0.4, SHOWN + 0.7), ylim=(-0.3, 1.03), xticks=range(1, SHOWN + 1))
    ax.set(xlabel="canonical pair, the strongest in training first", yticks=[0, 0.25, 0.5, 0.75, 1])


def _handles(table: pd.DataFrame) -> list:
    shown = table.groupby("question").head(SHOWN)
    handles = []
    if (shown["p"] <= LEVEL).any():
        words = "held-out trials, interval over bouts: above chance (p ≤ 0.05)"
        handles.append(Line2D([], [], mfc=style.BLUE, **HELD, label=words))
    if (shown["p"] > LEVEL).any():
        words = "held-out trials, interval over bouts: not told from chance"
        handles.append(Line2D([], [], mfc="white", **HELD, label=words))
    number = shown["permutations"].iat[0]
    words = f"{number} permutations: where nine in ten lie"
    handles.append(Patch(color=style.PALE, label=words))
    if shown["shifted_replicates"].notna().any():
        words = f"range of {shown['shifted_replicates'].max():.0f} shifted surrogates"
        handles.append(Line2D([], [], color=style.PURPLE, lw=1.2, label=words))
    words = "what the label alone gives: exchanged within labels"
    handles.append(Line2D([], [], color=style.GREEN, lw=1.6, label=words))
    words = "not to be believed: in the trials fitted on"
    handles.append(Line2D([], [], **IN_SAMPLE, label=words))
    words = "the same of permuted trials: overfitting alone"
    handles.append(Line2D([], [], **NOTHING, label=words))
    return handles


def _headline(table: pd.DataFrame, recording: Recording) -> list[str]:
    lines = [_control(recording)] if recording.surrogate else []
    lines += [_finding(table, question) for question in (SYLLABLES, RENDITIONS)]
    first = table[table["question"] == RENDITIONS].iloc[0]
    return [
        *lines,
        f"In sample the latter would seem to be {first['in_sample']:.2f}, and "
        f"{first['in_sample_null']:.2f} where renditions are exchanged: overfitting alone.",
    ]


def _control(recording: Recording) -> str:
    """Say what a surrogate should show."""
    if recording.surrogate == "independent":
        return "A control: which syllable is sung should be followed, how it is sung should not."
    if recording.surrogate == "shuffled":
        return "Only labels are shuffled: this is no control of what activity and sound share."
    return f"A control ({recording.surrogate}): no pair should lie above chance."


def _finding(table: pd.DataFrame, question: str) -> str:
    rows = table[table["question"] == question]
    best = rows.loc[rows["correlation"].idxmax()]
    stand = int((rows["p"] <= LEVEL).sum())
    follows = "follows" if stand else "is not seen to follow"
    span = f"{best['low']:.2f} to {best['high']:.2f}".replace("-", "−")
    pairs = f"; {stand} {'pair stands' if stand == 1 else 'pairs stand'}" if stand else ""
    return (
        f"Activity {follows} {WORDS[question]}: {best['correlation']:.2f} ({span}) in held-out "
        f"trials, p = {best['p']:.3g}{pairs}."
    )


def _note(table: pd.DataFrame, split: str) -> str:
    first = table.iloc[0]
    return (
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts, split "
        f"'{split}'. All renditions are warped linearly to one length; components and axes are "
        "fitted on training trials. p: how often the greatest of all pairs of a permutation is "
        "as great. Trials are centred and exchanged within sessions and folds, so that nothing is "
        "owed to drift from block to block."
    )
