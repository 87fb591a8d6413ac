"""How much is known by when: windows that begin at one time and grow."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.figures import style
from neuro2voc.figures.comparison import VERDICTS
from neuro2voc.growing import first_standing
from neuro2voc.recording import Recording

COLUMNS = 4
ROW = 44  # mm
POINT = 3.2  # pt


@style.in_style()
def draw_growing_windows(table: pd.DataFrame, recording: Recording, split: str) -> Figure:
    """Draw balanced accuracy against the end of the window, a panel per start.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.growing.growing_table`.
    recording : Recording
    split : str
        The split's name, for the words.
    """
    starts = sorted(table["start"].unique())
    rows = -(-len(starts) // COLUMNS)
    columns = -(-len(starts) // rows)
    handles = accuracy_handles(table)
    width = style.PAGE if columns > 1 else style.COLUMN
    per_row = 3 if columns > 1 else 1
    figure = style.new_figure(
        width,
        rows * ROW + 4,
        f"{recording.name}: what neurons tell as a window grows",
        [_headline(table, recording)],
        [
            "A triangle marks where counts begin, the dashed line the onset. "
            + conditions(table, split)
        ],
        keys=-(-len(handles) // per_row),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(starts):
            ax.set_visible(False)
            continue
        _draw_start(ax, table[table["start"] == starts[i]], starts[i])
        lowest = i + columns >= len(starts)
        ax.tick_params(labelleft=i % columns == 0, labelbottom=lowest)
        ax.set_xlabel("end of window (ms from onset)" if lowest else "")
        ax.set_ylabel("balanced accuracy" if i % columns == 0 else "")
    low = 1e3 * min(starts)
    axes[0, 0].set(ylim=(0, 1), xlim=(low, 1e3 * table["end"].max() + 4))
    figure.get_layout_engine().set(wspace=0.05, hspace=0.05)
    style.legend_below(figure, handles, per_row)
    return figure


def _draw_start(ax: Axes, rows: pd.DataFrame, start: float) -> None:
    ax.set_title(f"counts from {milliseconds(start)} on", loc="left")
    draw_accuracy(ax, rows, 1e3 * rows["end"])
    ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    # Where the counts begin, so that the longest window can be read off as an interval.
    ax.plot(1e3 * start, 0, marker="^", ms=5, color=style.BLACK, clip_on=False, zorder=6)


def draw_accuracy(ax: Axes, rows: pd.DataFrame, x: pd.Series) -> None:
    """Draw a curve of accuracies in order of `x`, with null, chance, baseline and verdicts."""
    if "null_low" in rows:
        ax.fill_between(x, rows["null_low"], rows["null_high"], color=style.PALE, lw=0, zorder=1)
    ax.axhline(rows["chance"].iat[0], color=style.BLACK, lw=0.7, zorder=2)
    ax.axhline(rows["previous"].iat[0], color=style.PURPLE, ls=":", lw=1.2, zorder=2)
    ax.fill_between(x, rows["low"], rows["high"], color=style.SKY, alpha=0.35, lw=0, zorder=3)
    ax.plot(x, rows["balanced_accuracy"], color=style.BLACK, lw=0.7, zorder=4)
    for verdict, mine in rows.groupby("verdict"):
        look = {"marker": "o", "ms": POINT, "mew": 0.5, "ls": "none", **VERDICTS[verdict][0]}
        ax.plot(x[mine.index], mine["balanced_accuracy"], **look, zorder=5)


def accuracy_handles(table: pd.DataFrame) -> list:
    """Return the legend of `draw_accuracy`: only what occurs."""
    words = {
        "stands": "above surrogates and the previous syllable",
        "order": "above surrogates, not above the previous syllable",
        "null": "not told from surrogates",
        "unjudged": "not judged: no surrogates",
    }
    handles = [
        Line2D([], [], marker="o", ms=4, mew=0.6, ls="none", label=words[name])
        for name in words
        if (table["verdict"] == name).any()
    ]
    shown = [name for name in words if (table["verdict"] == name).any()]
    for handle, name in zip(handles, shown, strict=True):
        handle.set(**VERDICTS[name][0])
    handles.append(Patch(color=style.SKY, alpha=0.35, label="95 % interval over bouts"))
    if "null_low" in table:
        n = table["null_replicates"].max()
        handles.append(Patch(color=style.PALE, label=f"range of {n:.0f} shifted surrogates"))
    chance, previous = table["chance"].iat[0], table["previous"].iat[0]
    label = f"the previous syllable alone ({previous:.2f})"
    handles.append(Line2D([], [], color=style.PURPLE, ls=":", lw=1.2, label=label))
    handles.append(Line2D([], [], color=style.BLACK, lw=0.7, label=f"chance ({chance:.2f})"))
    return handles


def conditions(table: pd.DataFrame, split: str) -> str:
    """Say how many trials were decoded, how they were held out and by what."""
    first = table.iloc[0]
    return (
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts; split '{split}'; linear "
        "discriminant. Before the onset, windows also see the syllable before."
    )


def control(recording: Recording) -> str:
    """Say what a surrogate should show in windows of fixed length, which carry no duration."""
    if recording.surrogate == "independent":
        return "A control: tuning is kept, joint patterns are gone; scores should stay high."
    return f"A control ({recording.surrogate}): nothing is tied to the song, so all is chance."


def milliseconds(seconds: float) -> str:
    """Write a time with its sign, in ms."""
    return f"{1e3 * seconds:+.4g} ms".replace("-", "−").replace("+0 ms", "0 ms")


def _headline(table: pd.DataFrame, recording: Recording) -> str:
    if recording.surrogate:
        return control(recording)
    if (table["verdict"] == "unjudged").all():
        return "There are no surrogates, so nothing here is judged."
    above = _earliest(table, ("stands", "order"))
    beyond = _earliest(table, ("stands",))
    if above is None:
        return "No window tells more than surrogates do."
    sentence = f"Above surrogates as soon as a window ends at {_words(above)}; "
    if beyond is None:
        return sentence + "no window tells more than the previous syllable alone."
    return sentence + f"above the previous syllable alone from an end at {_words(beyond)} on."


def _earliest(table: pd.DataFrame, verdicts: tuple[str, ...]) -> tuple[float, float] | None:
    """Return the earliest end with such verdicts and the start of its window."""
    firsts = [
        (first_standing(rows, verdicts), start)
        for start, rows in table.sort_values("end").groupby("start")
    ]
    known = [pair for pair in firsts if pair[0] == pair[0]]
    return min(known) if known else None


def _words(found: tuple[float, float]) -> str:
    end, start = found
    return f"{milliseconds(end)} (begun at {milliseconds(start)})"
