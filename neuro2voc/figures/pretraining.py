"""Accuracy against training-set size, with and without pretraining."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.growing_windows import control
from neuro2voc.pretraining_curve import NOTHING, OTHER, OWN
from neuro2voc.recording import Recording

HEIGHT = 52  # mm
LOOKS = {
    NOTHING: (style.GREY, "s"),
    OWN: (style.BLUE, "o"),
    OTHER: (style.VERMILION, "^"),
}
APART = 1.03  # factor between beginnings of one part, so that intervals do not hide each other


@style.in_style()
def draw_pretraining(
    table: pd.DataFrame, recording: Recording, kind: str, protocol: Protocol
) -> Figure:
    """Draw accuracy by beginning against training trials, and what pretraining gains.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.pretraining_curve.pretraining_table`.
    recording : Recording
        The bird.
    kind : str
        Of the network.
    protocol : Protocol
    """
    handles = _handles(table)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: does {kind} gain from pretraining?",
        _headline(table, recording),
        _notes(table, protocol),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    scores, gains = figure.subplots(1, 2)
    scores.axhline(table["chance"].iat[0], color=style.BLACK, lw=0.7)
    gains.axhline(0, color=LOOKS[NOTHING][0], lw=1.2)
    names = [name for name in LOOKS if (table["beginning"] == name).any()]
    for place, name in enumerate(names):
        rows = table[table["beginning"] == name].sort_values("n_training")
        x = rows["n_training"] * APART ** (place - (len(names) - 1) / 2)
        _draw_line(scores, name, x, rows["balanced_accuracy"], rows["low"], rows["high"])
        hollow = {"marker": LOOKS[name][1], "ms": 3.5, "mfc": "white", "ls": "none"}
        scores.plot(x, rows["control"], **hollow, color=LOOKS[name][0], zorder=4)
        if name != NOTHING:
            _draw_line(gains, name, x, rows["gain"], rows["gain_low"], rows["gain_high"])
    for ax in (scores, gains):
        _label_trials(ax, table["n_training"])
    scores.set(ylim=(0, 1.02), ylabel="balanced accuracy")
    widest = np.nanmax(np.abs(table[["gain", "gain_low", "gain_high"]].to_numpy()))
    # Small gains are not to look large.
    gains.set(ylim=1.1 * max(widest, 0.09) * np.array([-1, 1]), ylabel="gain from pretraining")
    style.legend_below(figure, handles, 2)
    return figure


def _draw_line(
    ax: Axes, name: str, x: pd.Series, y: pd.Series, low: pd.Series, high: pd.Series
) -> None:
    color, marker = LOOKS[name]
    ax.vlines(x, low, high, color=color, lw=1.4, zorder=3)
    ax.plot(x, y, marker=marker, ms=3.5, color=color, zorder=4)


def _label_trials(ax: Axes, numbers: pd.Series) -> None:
    ax.set_xscale("log")
    places = np.unique(numbers)
    ax.set_xticks(places, [f"{number:.0f}" for number in places])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(places.min() / 1.3, places.max() * 1.3)
    ax.set_xlabel("training trials (mean over folds)")


def _learnt(table: pd.DataFrame, name: str) -> str:
    """Say what was learnt before any label."""
    bird = table.loc[table["beginning"] == name, "learnt_from"].iat[0]
    return "the recording itself" if name == OWN else f"another bird ({bird})"


def _handles(table: pd.DataFrame) -> list:
    handles = []
    for name, (color, marker) in LOOKS.items():
        rows = table[table["beginning"] == name]
        if len(rows):
            label = "no pretraining"
            if name != NOTHING:
                label = f"first {_learnt(table, name)}, {rows['seconds'].iat[0]:.0f} s"
            handles.append(Line2D([], [], color=color, marker=marker, ms=3.5, label=label))
    chance = f"chance ({table['chance'].iat[0]:.2f})"
    handles.append(Line2D([], [], color=style.BLACK, lw=0.7, label=chance))
    if table["control"].notna().any():
        hollow = {"marker": "o", "ms": 3.5, "mfc": "white", "ls": "none", "color": style.BLUE}
        words = "hollow: the same for one shifted surrogate"
        handles.append(Line2D([], [], **hollow, label=words))
    return handles


def _headline(table: pd.DataFrame, recording: Recording) -> list[str]:
    if recording.surrogate:
        return [control(recording)]
    return [_verdict(table, name) for name in (OWN, OTHER) if (table["beginning"] == name).any()]


def _verdict(table: pd.DataFrame, name: str) -> str:
    """Say what one beginning gains with each number of trials."""
    rows = table[table["beginning"] == name].sort_values("n_training")
    gains, loses = rows["gain_low"] > 0, rows["gain_high"] < 0
    if gains.any() and loses.any():
        word = "gains and losses"
    elif gains.any():
        word = "a gain" if gains.all() else "a gain with some numbers of trials"
    elif loses.any():
        word = "a loss" if loses.all() else "a loss with some numbers of trials, no gain seen"
    else:
        word = "no gain seen"
    spans = [
        f"{row.gain:+.2f} ({row.gain_low:+.2f} to {row.gain_high:+.2f}) with {row.n_training:.0f}"
        for row in rows.itertuples()
    ]
    words = f"Learning {_learnt(table, name)} first: {word}; {', '.join(spans)} trials."
    return words.replace("-", "−")


def _notes(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = table.iloc[0]
    notes = [
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts, split "
        f"'{protocol.split}'; bars are 95 % intervals over bouts, and hold neither other draws of "
        "training trials nor other networks: one network per fold, one draw. Pretraining on the "
        "recording itself sees all time outside of the held-out fold and its guards, however few "
        "trials are then learnt, since it needs no label."
    ]
    told = [
        f"{_learnt(table, name)} {row['surprise']:.2f} nats, by frequencies alone "
        f"{row['frequencies']:.2f}"
        for name in (OWN, OTHER)
        for _, row in table[table["beginning"] == name].tail(1).iterrows()
    ]
    notes.append(f"Surprise at the next token, held out: {'; '.join(told)}.")
    return notes
