"""Syllables: how many of each class there are, and how long they last."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro2voc.figures import style
from neuro2voc.recording import Recording

MOST = 40  # classes drawn
ROW = 6  # mm
GOLDEN = 0.6180339887498949  # its multiples modulo 1 spread evenly without being random


def syllable_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row per syllable: trial, label, duration_ms, used, note."""
    duration = (trials["offset"] - trials["onset"]) * 1000
    columns = trials[["trial", "label"]].assign(duration_ms=duration)
    return columns.assign(used=trials["used"], note=trials["note"])


@style.in_style()
def draw_syllables(trials: pd.DataFrame, recording: Recording) -> Figure:
    """Draw counts and durations of all classes; what is set aside is grey.

    Parameters
    ----------
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.
    recording : Recording
        The bird.
    """
    table = syllable_table(trials)
    counts = table.groupby("label")["used"].agg(["sum", "size"])
    counts = counts.sort_values(["sum", "size"], ascending=False, kind="stable")
    used = list(counts.index[counts["sum"] > 0])
    order = sorted(used) + [label for label in counts.index if label not in used]
    left_out, order = order[MOST:], order[:MOST]
    colors = style.colors_of(used, style.SYLLABLES)
    figure = style.new_figure(
        style.PAGE,
        ROW * len(order) + 14,
        f"{recording.name}: syllables",
        [_headline(table, used)],
        _notes(table, len(left_out)),
        kind=style.kind_of(recording),
    )
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[2, 3])
    for y, label in enumerate(order):
        rows = table[table["label"] == label]
        _draw_count(left, y, rows, colors.get(label, style.PALE))
        _draw_durations(right, y, rows, colors.get(label, style.PALE))
    left.set(xlabel="syllables (number)", ylabel="class", ylim=(len(order) - 0.4, -0.6))
    left.set_yticks(range(len(order)), order)
    left.set_xlim(0, 1.35 * counts["size"].max())  # numbers stand right of the bars
    for label in left.get_yticklabels()[min(len(used), MOST) :]:
        label.set_color(style.GREY)
    right.set(xlabel="duration (ms)", xlim=(0, 1.03 * table["duration_ms"].max()))
    right.tick_params(axis="y", length=0)
    return figure


def _draw_count(ax: Axes, y: int, rows: pd.DataFrame, color: str) -> None:
    used, aside = int(rows["used"].sum()), int((rows["used"] == 0).sum())
    ax.barh(y, used, height=0.6, color=color, lw=0)
    ax.barh(y, aside, left=used, height=0.6, color=style.PALE, lw=0)
    words = [str(used)] if used else []
    words += [f"{aside} set aside"] if aside else []
    ax.annotate(
        " + ".join(words),
        (used + aside, y),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        size=style.SMALL,
        color=style.BLACK if used else style.GREY,
    )


def _draw_durations(ax: Axes, y: int, rows: pd.DataFrame, color: str) -> None:
    """Draw every syllable as a dot and the median of those used, or else of all, as a line."""
    used = rows["used"] == 1
    for part, shade in ((rows[~used], style.PALE), (rows[used], color)):
        jitter = (np.arange(len(part)) * GOLDEN % 1 - 0.5) * 0.6
        ax.plot(part["duration_ms"], y + jitter, ".", ms=2.5, mew=0, color=shade)
    median = rows.loc[used if used.any() else ~used, "duration_ms"].median()
    ax.plot([median, median], [y - 0.4, y + 0.4], color=style.BLACK, lw=1.4)


def _headline(table: pd.DataFrame, used: list[str]) -> str:
    rows = table[table["used"] == 1]
    median = rows.groupby("label")["duration_ms"].median()
    classes = "1 class" if len(used) == 1 else f"{len(used)} classes"
    return (
        f"{len(rows)} syllables of {classes} to decode; "
        f"median durations {median.min():.0f} to {median.max():.0f} ms."
    )


def _notes(table: pd.DataFrame, left_out: int) -> list[str]:
    notes = ["Right: every syllable a dot, the black line their median."]
    if left_out:
        notes.append(
            f"{left_out} more classes are not drawn; the table beside the figure has them."
        )
    for note, rows in table[table["used"] == 0].groupby("note"):
        counts = rows["label"].value_counts(sort=False).sort_index()
        which = ", ".join(f"{n} {label}" for label, n in counts.items())
        notes.append(f"Grey, set aside because {_reason(note)}: {which}.")
    return notes


def _reason(note: str) -> str:
    """Fit a trial's note into a sentence."""
    if note.startswith("label not"):
        return note.replace("label not", "the label is not", 1)
    if note.startswith(("lies", "lasts", "has no")):
        return f"it {note}"
    return note.replace("class has", "the class has", 1)
