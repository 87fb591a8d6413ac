"""Learning curves: a panel per decoder, training above test."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.learning import still_rising
from neuro2voc.recording import Recording

HEIGHT = 45  # mm
LEVEL = 0.05


@style.in_style()
def draw_learning_curves(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw training and test accuracy against the number of training trials.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.learning.learning_table`.
    recording : Recording
        The bird.
    protocol : Protocol
    """
    decoders = list(dict.fromkeys(table["decoder"]))
    handles = _handles(table)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: would more bouts help?",
        _headline(table, decoders, recording),
        _notes(table, protocol),
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, len(decoders), sharex=True, sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, decoders, strict=True):
        rows = table[table["decoder"] == name]
        _draw_curve(ax, rows, table)
        last = rows.iloc[-1]
        ax.set_title(
            f"{name}: trained {last['train']:.2f}, held out {last['balanced_accuracy']:.2f}"
        )
        ax.set_xlabel("training trials")
    axes[0].set(ylabel="balanced accuracy", ylim=(0, 1.03))
    axes[0].set_xlim(0, 1.05 * table["n_training"].max())
    style.legend_below(figure, handles, 3)
    return figure


def _draw_curve(ax: Axes, rows: pd.DataFrame, table: pd.DataFrame) -> None:
    ax.axhline(table["chance"].iat[0], color=style.BLACK, lw=0.7)
    if "null_mean" in rows and rows["null_mean"].notna().any():
        whole = rows[rows["null_mean"].notna()].iloc[0]
        ax.axhspan(whole["null_low"], whole["null_high"], color=style.PALE, lw=0, zorder=0)
    ax.plot(rows["n_training"], rows["balanced_accuracy"], ".", ms=3, color=style.BLUE, alpha=0.5)
    mean = rows.groupby("part")[["n_training", "train", "balanced_accuracy"]].mean()
    ax.plot(mean["n_training"], mean["train"], "s--", ms=3, mfc="white", color=style.VERMILION)
    ax.plot(mean["n_training"], mean["balanced_accuracy"], "o-", ms=3.5, color=style.BLUE)
    last = rows.iloc[-1]
    ax.plot([last["n_training"]] * 2, [last["low"], last["high"]], color=style.BLUE, lw=1.6)


def _handles(table: pd.DataFrame) -> list:
    red = {"marker": "s", "ms": 3, "ls": "--", "mfc": "white", "color": style.VERMILION}
    blue = {"marker": "o", "ms": 3.5, "color": style.BLUE}
    handles = [
        Line2D([], [], **red, label="on the trials trained on"),
        Line2D([], [], **blue, label="on bouts held out (dots: single draws)"),
        Line2D([], [], color=style.BLACK, lw=0.7, label=f"chance {table['chance'].iat[0]:.2f}"),
    ]
    if "null_mean" in table:
        n = int(table["null_replicates"].max())
        label = f"null of {table['decoder'].iat[0]} on all bouts: {n} shifted surrogates"
        handles.append(Patch(color=style.PALE, label=label))
    return handles


def _headline(table: pd.DataFrame, decoders: list[str], recording: Recording) -> list[str]:
    if recording.surrogate:
        return ["A control: test accuracy should stay at chance, or at duration, however many."]
    main = decoders[0]
    whole = table[table["decoder"] == main].iloc[-1]
    if np.isnan(whole.get("p", np.nan)):
        lines = ["There is no null band, so nothing here is judged."]
    elif whole["p"] <= LEVEL and whole["low"] > whole["null_high"]:
        lines = [f"On all training bouts {main} stands above its null."]
    else:
        return [f"Even on all training bouts {main} is not told from its null, whatever it learns."]
    rising = {name: still_rising(table, name) for name in decoders}
    for verdict, words in (
        (True, "Still rising with the last bouts, so that more may help"),
        (False, "No rise with the last bouts can be seen"),
    ):
        if names := [name for name in decoders if rising[name] is verdict]:
            lines.append(f"{words}: {', '.join(_rise(table, name) for name in names)}.")
    return lines


def _rise(table: pd.DataFrame, decoder: str) -> str:
    last = table[table["decoder"] == decoder].iloc[-1]
    span = f"{last['rise']:+.3f}, {last['rise_low']:+.3f} to {last['rise_high']:+.3f}"
    return f"{decoder} ({span})".replace("-", "−")


def _notes(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    last = table.iloc[-1]
    repeats = int(table["repeat"].max())
    parts = np.unique(table["part"])
    notes = [
        f"{protocol.feature}, {protocol.split}; {last['n_trials']} test trials of "
        f"{last['n_bouts']} bouts. Whole bouts are drawn at random from the training folds, "
        f"{repeats} draws of each part; bars are 95 % intervals over bouts. Settings are chosen on "
        "all training bouts. Training far above test is overfitting."
    ]
    if len(parts) > 1:
        notes.append(
            f"Rises are from {100 * parts[-2]:g} % (mean of draws) to all of the training bouts, "
            "with 95 % intervals over the bouts tested, not over those trained on."
        )
    if "smallest_effect" in table and table["smallest_effect"].notna().any():
        effect = table["smallest_effect"].dropna().iat[0]
        notes.append(
            "Smallest rise above the null's mean that all bouts could show: "
            f"{effect:.2f} (5 %, power 80 %)."
        )
    return notes
