"""Syllables in other company, drawn so that what is owed to the song's order is seen to go."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.configuration import WHOLE_SYLLABLE_FEATURES
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.words import shortened
from neuro2voc.predecessors import LEAST, OTHER, USUAL
from neuro2voc.recording import Recording

ROW = 6.5  # mm
MOST = 14  # syllables whose recalls are written
WITHOUT_NEURONS = {"duration": "duration alone", "previous": "previous syllable"}
VERDICTS = {
    "stands": ({"mfc": style.BLUE}, "tells the syllable, whatever came before"),
    "duration": (
        {"mfc": style.ORANGE, "mfcalt": "white", "fillstyle": "left"},
        "so does duration alone",
    ),
    "not told": ({"mfc": "white"}, "not told from its null or chance"),
    "unjudged": ({"mfc": style.GREY, "marker": "D"}, "not judged: no null band"),
    "": ({"mfc": style.PALE, "mec": style.GREY}, "sees no neuron"),
}


@style.in_style()
def draw_predecessors(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw decoding by models that know a trial's transition and by models that do not.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.predecessors.predecessor_table`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its decoder and split are named.
    """
    title = f"{recording.name}: the same syllable after different ones"
    kind = style.kind_of(recording)
    if table.empty:
        return style.new_figure(
            style.COLUMN,
            2,
            title,
            [
                "No syllable follows different ones often enough (needs "
                f"{LEAST} trials of two transitions, for two syllables); nothing can be said."
            ],
            kind=kind,
        )
    usual = table[table["training"] == USUAL].set_index("feature")
    other = table[table["training"] == OTHER].set_index("feature")
    names = [name for name in other.index if name not in WITHOUT_NEURONS] + list(WITHOUT_NEURONS)
    handles = _handles(other)
    figure = style.new_figure(
        style.PAGE,
        ROW * len(names) + 12,
        title,
        _headline(other, recording),
        _notes(other, protocol),
        keys=-(-len(handles) // 2),
        kind=kind,
    )
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    _draw_scores(left, usual, other, names)
    _draw_recalls(right, other, names)
    left.set_yticks(range(len(names)), [WITHOUT_NEURONS.get(name, name) for name in names])
    left.set_ylim(len(names) - 0.5, -0.5)
    style.legend_below(figure, handles, 2)
    return figure


def _draw_scores(ax: Axes, usual: pd.DataFrame, other: pd.DataFrame, names: list[str]) -> None:
    chance = other["chance"].iat[0]
    ax.axvline(chance, color=style.BLACK, lw=0.7, zorder=1)
    ax.annotate(
        f"chance {chance:.2f}",
        (chance, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        size=style.SMALL,
    )
    for y, name in enumerate(names):
        row = other.loc[name]
        if row["verdict"] in ("stands", "duration", "not told"):
            span = row["null_high"] - row["null_low"]
            ax.barh(y, span, left=row["null_low"], height=0.6, color=style.PALE, lw=0, zorder=2)
            ax.plot([row["null_mean"]] * 2, [y - 0.3, y + 0.3], color=style.GREY, lw=1, zorder=2)
        before, score = usual.loc[name, "balanced_accuracy"], row["balanced_accuracy"]
        ax.plot([before, score], [y, y], color=style.PALE, lw=0.9, ls=":", zorder=2)
        ax.plot([row["low"], row["high"]], [y, y], color=style.BLACK, zorder=3)
        ax.plot(before, y, marker="|", ms=8, mew=1.4, color=style.VERMILION, zorder=3)
        ax.plot(score, y, **_point(row["verdict"]), zorder=4)
    ax.set(xlim=(-0.02, 1.02), xlabel="balanced accuracy", xticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"])


def _point(verdict: str) -> dict:
    return {"marker": "o", "ms": 5, "mew": 0.8, "ls": "none", "mec": style.BLACK} | VERDICTS[
        verdict
    ][0]


def _draw_recalls(ax: Axes, other: pd.DataFrame, names: list[str]) -> None:
    """Draw which part of each syllable is decoded in other company."""
    columns = [name for name in other.columns if name.startswith("recall_")]
    recall = other.loc[names, columns].to_numpy(dtype=float)
    ax.imshow(recall, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if len(columns) <= MOST:
        for (y, x), value in np.ndenumerate(recall):
            if np.isfinite(value):
                color = "white" if value > 0.6 else style.BLACK
                ax.text(
                    x,
                    y,
                    f"{100 * value:.0f}",
                    ha="center",
                    va="center",
                    size=style.SMALL,
                    color=color,
                )
    labels = [shortened(name.removeprefix("recall_")) for name in columns]
    turned = max(map(len, labels)) > 3
    ax.set_xticks(range(len(columns)), labels, rotation=90 if turned else 0)
    ax.set(xlabel="syllable", title="% recognised in other company")
    ax.tick_params(length=0)


def _handles(other: pd.DataFrame) -> list:
    shown = [name for name in VERDICTS if (other["verdict"] == name).any()]
    handles = [Line2D([], [], **_point(name), label=VERDICTS[name][1]) for name in shown]
    mark = {"marker": "|", "ms": 8, "mew": 1.4, "ls": "none", "color": style.VERMILION}
    handles.append(Line2D([], [], **mark, label="models that know the transition too"))
    if "null_replicates" in other and other["null_replicates"].notna().any():
        n = int(other["null_replicates"].max())
        label = f"null in other company: range and mean of {n} shifted surrogates"
        handles.append(Patch(color=style.PALE, label=label))
    return handles


def _headline(other: pd.DataFrame, recording: Recording) -> list[str]:
    row = other.iloc[0]
    asked = (
        f"{row['n_trials']:.0f} trials of {row['n_transitions']:.0f} transitions are asked for by "
        "models that never saw their transition: whoever knows the previous syllable only is "
        "always wrong."
    )
    neurons = other[other["verdict"] != ""]
    if recording.surrogate:
        return [asked, "A control: nothing here should lie above chance but by duration."]
    if (neurons["verdict"] == "unjudged").all():
        return [asked, "There is no null band, so nothing here is judged."]
    words = {
        "stands": "tell the syllable itself, not only the song's order",
        "duration": "tell no more than duration alone",
    }
    whole = neurons.index.isin(WHOLE_SYLLABLE_FEATURES)
    untold = neurons["verdict"] == "not told"
    groups = [(neurons["verdict"] == verdict, said) for verdict, said in words.items()]
    groups += [
        (untold & whole, "tell no more than shifted spikes do, which have the duration"),
        (untold & ~whole, "tell no more than shifted spikes do"),
    ]
    told = [f"{' and '.join(neurons.index[mine])} {said}" for mine, said in groups if mine.any()]
    return [asked, f"Neurons seen through {'; through '.join(told)}."]


def _notes(other: pd.DataFrame, protocol: Protocol) -> list[str]:
    notes = [
        f"Linear discriminant, {protocol.split}; {other['n_bouts'].iat[0]:.0f} bouts; lines "
        "are 95 % intervals over bouts. A syllable takes part if at least two transitions to it "
        f"have {LEAST} trials each, and only their trials do. Where transitions of the commonest "
        "kind are left out few trials remain to learn from, so the null lies below chance: a score "
        "below what models reach otherwise is not yet evidence for the song's order."
    ]
    if "smallest_effect" in other and other["smallest_effect"].notna().any():
        effects = other["smallest_effect"].dropna()
        notes.append(
            "Smallest rise above the null that these bouts could show (5 %, power 80 %): "
            + ", ".join(f"{value:.2f} ({name})" for name, value in effects.items())
            + "."
        )
    return notes
