"""Syllables: how many of each class there are, how long they last, and what follows what."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro2voc.figures import style
from neuro2voc.figures.words import shortened
from neuro2voc.predecessors import END, successor
from neuro2voc.recording import Recording
from neuro2voc.trials import START, sung

MOST = 40  # classes drawn
FOLLOWING = 14  # classes in the matrix of transitions, the commonest ones
SESSIONS = 12  # of which counts are drawn
LONGEST = 24  # characters of a class's name
ROW, TALLEST = 6, 150  # mm, of a class and of all classes
SQUARE = 5  # mm
OTHERS = "others"
GOLDEN = 0.6180339887498949  # its multiples modulo 1 spread evenly without being random


def syllable_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row per syllable: trial, session, label, previous, next, duration_ms, used, note."""
    duration = (trials["offset"] - trials["onset"]) * 1000
    columns = trials[["trial", "session", "label", "previous"]]
    columns = columns.assign(next=successor(trials), duration_ms=duration)
    return columns.assign(used=trials["used"], note=trials["note"])


def transitions(trials: pd.DataFrame, most: int = FOLLOWING) -> pd.DataFrame:
    """Count what follows what within bouts.

    Parameters
    ----------
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.
    most : int
        Labels that are kept, the commonest ones; the rest are 'others'.

    Returns
    -------
    DataFrame
        Rows: 'start' and labels. Columns: labels and 'end'.
    """
    outer = sung(trials)
    kept = sorted(outer["label"].value_counts(sort=True).index[:most])

    def named(labels: pd.Series, edge: str) -> pd.Series:
        return labels.where(labels.isin([*kept, edge]), OTHERS)

    first = outer[outer["previous"] == START]
    before = pd.concat([named(outer["label"], START), first["previous"]])
    after = pd.concat([named(successor(outer), END), named(first["label"], END)])
    names = [*kept, *([OTHERS] if outer["label"].nunique() > len(kept) else [])]
    counts = pd.crosstab(before.to_numpy(), after.to_numpy())
    return counts.reindex(index=[START, *names], columns=[*names, END], fill_value=0)


@style.in_style()
def draw_syllables(trials: pd.DataFrame, recording: Recording) -> Figure:
    """Draw counts, durations and transitions of all classes; what is set aside is grey.

    Parameters
    ----------
    trials : DataFrame
        See `neuro2voc.trials.make_trials`; empty where there are no labels.
    recording : Recording
        The bird.
    """
    title, kind = f"{recording.name}: syllables", style.kind_of(recording)
    if trials.empty:
        words = "This recording has no labels, so there is no syllable to draw."
        return style.new_figure(style.COLUMN, 2, title, [words], kind=kind)
    table = syllable_table(trials)
    counts = table.groupby("label")["used"].agg(["sum", "size"])
    counts = counts.sort_values(["sum", "size"], ascending=False, kind="stable")
    used = list(counts.index[counts["sum"] > 0])
    order = sorted(used) + [label for label in counts.index if label not in used]
    left_out, order = order[MOST:], order[:MOST]
    following = transitions(trials)
    heights = [min(ROW * len(order), TALLEST) + 12, SQUARE * len(following) + 20]
    figure = style.new_figure(
        style.PAGE,
        sum(heights),
        title,
        [_headline(table, used), _stereotypy(following)],
        _notes(table, len(left_out)),
        kind=kind,
    )
    grid = figure.add_gridspec(2, 2, height_ratios=heights, width_ratios=[2, 3])
    left = figure.add_subplot(grid[0, 0])
    right = figure.add_subplot(grid[0, 1], sharey=left)
    colors = style.colors_of(used, style.SYLLABLES)
    for y, label in enumerate(order):
        rows = table[table["label"] == label]
        _draw_count(left, y, rows, colors.get(label, style.PALE))
        _draw_durations(right, y, rows, colors.get(label, style.PALE))
    left.set(xlabel="syllables (number)", ylabel="class", ylim=(len(order) - 0.4, -0.6))
    left.set_yticks(range(len(order)), [shortened(label, LONGEST) for label in order])
    left.set_xlim(0, 1.35 * counts["size"].max())  # numbers stand right of the bars
    for label in left.get_yticklabels()[min(len(used), MOST) :]:
        label.set_color(style.GREY)
    right.set(xlabel="duration (ms)", xlim=(0, 1.03 * table["duration_ms"].max()))
    right.tick_params(axis="y", labelleft=False, length=0)
    _draw_transitions(figure.add_subplot(grid[1, 0]), following)
    _draw_sessions(figure.add_subplot(grid[1, 1]), table, order[:MOST])
    return figure


def _draw_transitions(ax: Axes, following: pd.DataFrame) -> None:
    """Draw the probability (%) of every next syllable."""
    total = following.sum(axis=1).to_numpy()[:, None]
    share = 100 * following.to_numpy() / np.maximum(total, 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (y, x), value in np.ndenumerate(share):
        if value >= 0.5:
            color = "white" if value > 60 else style.BLACK
            ax.text(x, y, f"{value:.0f}", ha="center", va="center", size=6, color=color)
    rows, columns = ([shortened(name) for name in axis] for axis in following.axes)
    ax.set_yticks(range(len(rows)), rows)
    turned = max(map(len, columns[:-1])) > 2 or len(columns) > 12
    ax.set_xticks(range(len(columns)), columns, rotation=90 if turned else 0)
    ax.set(title="what follows (% of the row)", xlabel="next", ylabel="syllable")
    ax.tick_params(length=0)


def _draw_sessions(ax: Axes, table: pd.DataFrame, order: list[str]) -> None:
    """Draw how often each class was sung in each session, used or not."""
    counts = pd.crosstab(table["session"], table["label"])
    counts = counts.loc[table["session"].unique()[:SESSIONS], order]
    ax.imshow(counts, cmap="Greys", vmin=0, vmax=2 * counts.to_numpy().max(), aspect="auto")
    if len(order) <= FOLLOWING + 2:
        for (y, x), value in np.ndenumerate(counts.to_numpy()):
            ax.text(x, y, str(value), ha="center", va="center", size=style.SMALL)
    ax.set_yticks(range(len(counts)), [shortened(name) for name in counts.index])
    labels = [shortened(name) for name in order]
    turned = max(map(len, labels)) > 3 or len(labels) > FOLLOWING + 2
    ax.set_xticks(range(len(order)), labels, rotation=90 if turned else 0)
    missing = table["session"].nunique() - len(counts)
    more = f", {missing} more not drawn" if missing else ""
    ax.set(title=f"syllables in each session{more}", xlabel="class", ylabel="session")
    ax.tick_params(length=0)


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


def _stereotypy(following: pd.DataFrame) -> str:
    """Say how much knowing a syllable tells of the next."""
    sure = following.max(axis=1).sum() / following.to_numpy().sum()
    return (
        f"The commonest next syllable follows in {100 * sure:.0f} % of cases: the more, the less "
        "can be told apart what neurons say of a syllable and of its neighbour."
    )


def _notes(table: pd.DataFrame, left_out: int) -> list[str]:
    notes = [
        "Top right: every syllable a dot, the black line their median. Start and end are those of "
        "bouts."
    ]
    if left_out:
        notes.append(
            f"{left_out} more classes are not drawn; the table beside the figure has them."
        )
    for note, rows in table[table["used"] == 0].groupby("note"):
        counts = rows["label"].value_counts(sort=False).sort_index()
        which = ", ".join(f"{n} {shortened(label, LONGEST)}" for label, n in counts.items())
        notes.append(f"Grey, set aside because {_reason(note)}: {which}.")
    return notes


def _reason(note: str) -> str:
    """Fit a trial's note into a sentence."""
    if note.startswith("label not"):
        return note.replace("label not", "the label is not", 1)
    if note.startswith(("lies", "lasts", "has no")):
        return f"it {note}"
    return note.replace("class has", "the class has", 1)
