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
ACCURACY, BITS = 40, 30  # mm, rows of panels
POINT = 3.2  # pt


@style.in_style()
def draw_growing_windows(table: pd.DataFrame, recording: Recording, split: str) -> Figure:
    """Draw balanced accuracy and information against the end of the window, a panel per start.

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
    low = 1e3 * min(starts)
    handles = accuracy_handles(table)
    width = style.PAGE if columns > 1 else style.COLUMN
    per_row = 3 if columns > 1 else 1
    figure = style.new_figure(
        width,
        rows * (ACCURACY + BITS) + 4,
        f"{recording.name}: what neurons tell as a window grows",
        _headline(table, recording),
        [
            "A triangle marks where counts begin, the dashed line the onset. "
            + conditions(table, split)
            + " Information of the predictions, corrected for limited sampling, has no interval."
        ],
        keys=-(-len(handles) // per_row),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(
        2 * rows, columns, sharex=True, squeeze=False, height_ratios=[ACCURACY, BITS] * rows
    )
    tallest = 1.1 * max(0.1, table[["bits", "previous_bits"]].max().max())
    for i in range(rows * columns):
        row, column = divmod(i, columns)
        upper, lower = axes[2 * row : 2 * row + 2, column]
        if i >= len(starts):
            upper.set_visible(False)
            lower.set_visible(False)
            continue
        mine = table[table["start"] == starts[i]]
        upper.set_title(f"counts from {milliseconds(starts[i])} on", loc="left")
        draw_accuracy(upper, mine, 1e3 * mine["end"])
        _draw_bits(lower, mine, 1e3 * mine["end"])
        for ax, top, name in (
            (upper, 1, "balanced accuracy"),
            (lower, tallest, "information (bits)"),
        ):
            ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
            # Where the counts begin, so that the longest window can be read off as an interval.
            start = 1e3 * starts[i]
            ax.plot(start, 0, marker="^", ms=5, color=style.BLACK, clip_on=False, zorder=6)
            ax.set(ylim=(0, top), xlim=(low, 1e3 * table["end"].max() + 4))
            ax.set_ylabel(name if column == 0 else "")
            ax.tick_params(labelleft=column == 0, labelbottom=False)
        if i + columns >= len(starts):
            lower.tick_params(labelbottom=True)
            lower.set_xlabel("end of window (ms from onset)")
    figure.get_layout_engine().set(wspace=0.05, hspace=0.05)
    style.legend_below(figure, handles, per_row)
    return figure


def _draw_bits(ax: Axes, rows: pd.DataFrame, x: pd.Series) -> None:
    """Draw the information of the predictions, that of surrogates and of the previous syllable."""
    if "bits_null_low" in rows:
        low, high = rows["bits_null_low"], rows["bits_null_high"]
        ax.fill_between(x, low, high, color=style.PALE, lw=0, zorder=1)
    ax.axhline(rows["previous_bits"].iat[0], color=style.PURPLE, ls=":", lw=1.2, zorder=2)
    ax.plot(x, rows["bits"], ".-", ms=POINT, color=style.BLACK, lw=0.7, zorder=4)


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
        "not told": "not told from surrogates",
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


def _headline(table: pd.DataFrame, recording: Recording) -> list[str]:
    if recording.surrogate:
        return [control(recording)]
    if (table["verdict"] == "unjudged").all():
        return ["There are no surrogates, so nothing here is judged."]
    above = _earliest(table, ("stands", "order"))
    beyond = _earliest(table, ("stands",))
    if above is None:
        return ["No window tells more than surrogates do."]
    if beyond is None:
        first = "No window tells more than the previous syllable alone."
    else:
        first = f"More than the previous syllable alone from an end at {_words(beyond)} on."
    if beyond is not None and above[0] >= beyond[0]:
        return [first]
    return [
        first,
        f"More than surrogates from an end at {_words(above)} on, which may be the song's order.",
    ]


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
