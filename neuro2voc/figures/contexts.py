"""Accuracy against the length of the context, drawn."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter, NullLocator

from neuro2voc.contexts import COUNTS, LONGEST, ORACLE, told_from
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.growing_windows import control
from neuro2voc.recording import Recording

HEIGHT = 60  # mm
MARGIN = 1.15  # factor of length, to the ends of the axis
MARK = 0.045  # s, where the published Mamba failed
LOOKS = {
    "gpt2": (style.BLUE, "o"),
    "mamba2": (style.VERMILION, "^"),
    "hybrid": (style.ORANGE, "D"),
    "mamba": (style.SKY, "v"),
    COUNTS: (style.GREY, "s"),
}
APART = 0.0105  # of the axis, between decoders of one length, so that none hides another


@style.in_style()
def draw_contexts(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw balanced accuracy against the length of the window.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.contexts.context_table`.
    recording : Recording
        The bird.
    protocol : Protocol
        How the discriminant was decoded.
    """
    decoders = [name for name in LOOKS if (table["decoder"] == name).any()]
    handles = _handles(table, decoders)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: how much context decoders need",
        _headline(table, decoders, recording),
        [_note(table, decoders, protocol)],
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    ax = figure.subplots()
    ends = 1e3 * table["length"].min() / MARGIN, 1e3 * table["length"].max() * MARGIN
    _draw_beside(ax, table)
    for place, name in enumerate(decoders):
        rows = table[table["decoder"] == name].sort_values("length")
        shift = (ends[1] / ends[0]) ** (APART * (place - (len(decoders) - 1) / 2))
        _draw_decoder(ax, name, rows, 1e3 * rows["length"] * shift)
    _label_axes(ax, np.unique(table["length"]), ends)
    style.legend_below(figure, handles, 2)
    return figure


def _draw_beside(ax: Axes, table: pd.DataFrame) -> None:
    """Draw what decoders are judged by: surrogates of counts, chance, song order, oracle."""
    counts = table[table["decoder"] == COUNTS].sort_values("length")
    x = 1e3 * counts["length"]
    if counts["null_low"].notna().any():
        # A single length still needs a band that can be seen.
        wide = {"color": style.PALE, "lw": 3 if len(counts) == 1 else 0}
        ax.fill_between(x, counts["null_low"], counts["null_high"], **wide, zorder=1)
    ax.axhline(counts["chance"].iat[0], color=style.BLACK, lw=0.7, zorder=2)
    ax.axhline(counts["previous"].iat[0], color=style.PURPLE, ls=":", lw=1.2, zorder=2)
    oracle = table[table["decoder"] == ORACLE].sort_values("length")
    if len(oracle):
        x = 1e3 * oracle["length"]
        ax.plot(x, oracle["balanced_accuracy"], "_-", ms=6, color=style.GREEN, lw=1.6, zorder=2)
    if counts["length"].min() < MARK < counts["length"].max():
        ax.axvline(1e3 * MARK, color=style.GREY, lw=0.7, ls=(0, (2, 2)), zorder=0)
        words = f"{1e3 * MARK:g} ms, at which the published Mamba failed"
        place = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center"}
        at = (1e3 * MARK, 1)
        ax.annotate(words, at, xycoords=ax.get_xaxis_transform(), size=style.SMALL, **place)


def _draw_decoder(ax: Axes, name: str, rows: pd.DataFrame, x: pd.Series) -> None:
    color, marker = LOOKS[name]
    ax.vlines(x, rows["low"], rows["high"], color=color, lw=1.4, zorder=3)
    ax.plot(x, rows["balanced_accuracy"], marker=marker, ms=3.5, color=color, zorder=4)
    if name != COUNTS:
        hollow = {"marker": marker, "ms": 3.5, "mfc": "white", "ls": "none", "color": color}
        ax.plot(x, rows["null_mean"], **hollow, zorder=4)


def _label_axes(ax: Axes, lengths: np.ndarray, ends: tuple[float, float]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(1e3 * lengths, [f"{1e3 * length:g}" for length in lengths])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(xlim=ends, xlabel="length of the window around the onset (ms)", ylim=(0, 1.02))
    ax.set_ylabel("balanced accuracy")


def _handles(table: pd.DataFrame, decoders: Sequence[str]) -> list:
    """Return the legend: only what occurs."""
    judged = table["null_low"].notna().any()
    handles = []
    if (table["decoder"] == ORACLE).any():
        line = {"color": style.GREEN, "lw": 1.6, "marker": "_", "ms": 6}
        handles.append(
            Line2D([], [], **line, label="oracle: no decoder of these counts does better")
        )
    for name in decoders:
        color, marker = LOOKS[name]
        words = "linear discriminant on spike counts" if name == COUNTS else f"{name} on tokens"
        handles.append(Line2D([], [], color=color, marker=marker, ms=3.5, label=words))
    if judged and len(decoders) > 1:
        hollow = {"marker": "o", "ms": 3.5, "mfc": "white", "ls": "none", "color": style.BLUE}
        words = "hollow: the same network trained on a shifted surrogate"
        handles.append(Line2D([], [], **hollow, label=words))
    if judged:
        n = table.loc[table["decoder"] == COUNTS, "null_replicates"].max()
        words = f"discriminant on {n:.0f} shifted surrogates: their range"
        handles.append(Patch(color=style.PALE, label=words))
    previous, chance = table["previous"].iat[0], table["chance"].iat[0]
    words = f"the previous syllable alone ({previous:.2f})"
    handles.append(Line2D([], [], color=style.PURPLE, ls=":", lw=1.2, label=words))
    handles.append(Line2D([], [], color=style.BLACK, lw=0.7, label=f"chance ({chance:.2f})"))
    return handles


def _headline(table: pd.DataFrame, decoders: list[str], recording: Recording) -> list[str]:
    if recording.surrogate:
        return [control(recording)]
    if (table["verdict"].isin(["unjudged", ""])).all():
        return ["There are no surrogates, so nothing here is judged."]
    order = f"song order ({table['previous'].iat[0]:.2f})"
    return [
        _since(table, decoders, ("stands", "order"), "control and chance"),
        _since(table, decoders, ("stands",), order),
    ]


def _since(
    table: pd.DataFrame, decoders: Sequence[str], verdicts: tuple[str, ...], what: str
) -> str:
    """Say from which length on decoders tell more than something, those of one length together."""
    groups: dict[float, list[str]] = {}
    for name in decoders:
        groups.setdefault(told_from(table, name, verdicts), []).append(name)
    longest = table["length"].max()
    since = [
        f"{', '.join(names)} "
        + (f"from {1e3 * length:g} ms on" if length <= longest else f"not at {1e3 * longest:g} ms")
        for length, names in sorted(groups.items())
    ]
    return f"More than {what}: {'; '.join(since)}."


def _note(table: pd.DataFrame, decoders: Sequence[str], protocol: Protocol) -> str:
    first = table.iloc[0]
    words = (
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts, split "
        f"'{protocol.split}'; bars are 95 % intervals over bouts. Half of each window lies before "
        "the onset: long windows also read the neighbouring syllables, which song order gives away."
    )
    if len(decoders) > 1 and table["null_low"].notna().any():
        words += " Trained anew at every length, networks have one surrogate, not a band."
    if (table["decoder"] == ORACLE).any() and table["length"].max() > LONGEST:
        words += f" The oracle is not computed for more than {1e3 * LONGEST:g} ms."
    return words
