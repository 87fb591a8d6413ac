"""Which sign leads: accuracy of short windows before, within and after syllables."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.figures import style
from neuro2voc.figures.growing_windows import control, milliseconds
from neuro2voc.lag import CONTEXT
from neuro2voc.recording import Recording

HEIGHT = 62  # mm
COLORS = {"none": style.GREY, "transition": style.BLUE}
NEIGHBOUR = {"onset": "predecessor", "offset": "successor"}
JUDGED = "#e8f1f8"  # behind the windows that the verdict is about


@style.in_style()
def draw_lag(table: pd.DataFrame, verdict: dict, recording: Recording, split: str) -> Figure:
    """Draw accuracy above the surrogates at every lag around onset and offset.

    Parameters
    ----------
    table, verdict
        See `neuro2voc.lag.lag_table`.
    recording : Recording
    split : str
        The split's name, for the words.
    """
    judged = "null_mean" in table
    base = table["null_mean"] if judged else table["chance"]
    table = table.assign(base=base)
    handles = _handles(judged, table)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: does activity lead the syllable or follow it?",
        _headline(verdict, table, recording),
        _notes(table, split),
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 2, sharey=True)
    figure.get_layout_engine().set(wspace=0.03)
    for ax, align in zip(axes, CONTEXT, strict=True):
        _draw_side(ax, table[table["align"] == align], align, judged)
    what = "surrogates" if judged else "chance"
    axes[0].set_ylabel(f"balanced accuracy above {what}")
    style.legend_below(figure, handles, 3)
    return figure


def _draw_side(ax: Axes, rows: pd.DataFrame, align: str, judged: bool) -> None:
    first = rows[rows["control"] == "none"]
    low, high = 1e3 * first["start"].min(), 1e3 * first["stop"].max()
    ax.set_xlim(low, high)
    side = (low, 0) if align == "onset" else (0, high)
    ax.axvspan(*side, color=JUDGED, lw=0, zorder=0)
    ax.axhline(0, color=style.BLACK, lw=0.7, zorder=1)
    ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (4, 2)), zorder=1)
    asked = rows.loc[rows["control"] == "transition", "n_trials"].iat[0]
    for left_out, mine in rows.groupby("control"):
        x = 500 * (mine["start"] + mine["stop"])
        color, strong = COLORS[left_out], left_out == ("transition" if asked else "none")
        if judged and strong:
            band = [mine[name] - mine["base"] for name in ("null_low", "null_high")]
            ax.fill_between(x, *band, color=style.PALE, lw=0, zorder=1)
        interval = [mine[name] - mine["base"] for name in ("low", "high")]
        ax.fill_between(x, *interval, color=color, alpha=0.25, lw=0, zorder=2)
        y = mine["balanced_accuracy"] - mine["base"]
        ax.plot(x, y, color=color, marker="o", ms=2.6, zorder=4 if strong else 3)
    word = "before the onset" if align == "onset" else "after the offset"
    ax.text(
        sum(side) / 2,
        0.99,
        word,
        ha="center",
        va="top",
        size=style.SMALL,
        transform=ax.get_xaxis_transform(),
    )
    ax.set_title(
        f"around the {align}: {first['n_trials'].iat[0]} trials;\n"
        f"{asked} of them whose syllable has several {NEIGHBOUR[align]}s",
        loc="left",
    )
    ax.set_xlabel(f"middle of window (ms from {align})")


def _handles(judged: bool, table: pd.DataFrame) -> list:
    words = {"transition": "with the neighbour's help ruled out", "none": "all trials"}
    handles = [
        Line2D([], [], color=COLORS[name], marker="o", ms=2.6, label=label)
        for name, label in words.items()
    ]
    if judged:
        n = table["null_replicates"].max()
        handles.append(Patch(color=style.PALE, label=f"range of {n} shifted surrogates"))
    handles.append(Patch(color=style.BLUE, alpha=0.25, label="95 % interval over bouts"))
    handles.append(Patch(color=JUDGED, label="windows that the verdict is about"))
    return handles


def _headline(verdict: dict, table: pd.DataFrame, recording: Recording) -> list[str]:
    if recording.surrogate:
        return [f"{control(recording)} Leaving transitions out costs a little everywhere."]
    if verdict["verdict"] == "unjudged":
        asked = table[table["control"] == "transition"].groupby("align")["n_trials"].min()
        if (asked == 0).any():
            where = " or ".join(f"{NEIGHBOUR[align]}s" for align in asked.index[asked == 0])
            return [
                f"Cannot be judged: fewer than two syllables have two {where} with at least 5 "
                "trials each, so what is decoded may be the neighbour."
            ]
        return ["There are no surrogates, so nothing here is judged."]
    words = {
        "premotor": "Activity leads: neurons say the syllable before it begins",
        "auditory": "Activity follows: neurons say the syllable after it has ended",
        "neither": "Neither sign leads",
    }
    span = f"{verdict['difference_low']:+.3f} to {verdict['difference_high']:+.3f}"
    rise = (
        f"{words[verdict['verdict']]} (accuracy above surrogates {verdict['before']:+.3f} before, "
        f"{verdict['after']:+.3f} after; difference {verdict['difference']:+.3f}, {span})."
    )
    peak = (
        f"Around the onset most is said in the window centred at {milliseconds(verdict['peak'])} "
        f"({milliseconds(verdict['peak_low'])} to {milliseconds(verdict['peak_high'])})."
    )
    return [rise.replace("-", "−"), peak]


def _notes(table: pd.DataFrame, split: str) -> list[str]:
    first = table.iloc[0]
    width = 1e3 * (first["stop"] - first["start"])
    return [
        "Ruled out: no trial is predicted by a decoder that saw its syllable beside the same "
        "predecessor (onset) or successor (offset), so that knowing the neighbour only misleads, "
        "below 0.",
        f"Windows of {width:g} ms, each drawn at its middle; {first['n_bouts']} bouts; split "
        f"'{split}'; linear discriminant; intervals from resampled bouts.",
    ]
