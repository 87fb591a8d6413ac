"""Spike density of the population around the onset of each syllable, drawn."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.rates import activity_name
from neuro2voc.recording import Recording
from neuro2voc.trials import used_trials

COLUMNS = 4  # panels beside each other
PANEL = 34  # mm
MOST = 20  # panels
BAR = {"lw": 4, "solid_capstyle": "butt"}  # of a syllable


@style.in_style()
def draw_densities(
    table: pd.DataFrame, trials: pd.DataFrame, recording: Recording, protocol: Protocol
) -> Figure:
    """Draw the population's activity around the onset of each syllable.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.densities.densities`.
    trials : DataFrame
        All trials, for the durations of syllables.
    recording : Recording
        The bird.
    protocol : Protocol
        Of it the number of surrogates.
    """
    labels = list(table["label"].unique())[:MOST]
    columns = min(COLUMNS, len(labels))
    lines = -(-len(labels) // columns)
    judged = "null_high" in table
    handles = _handles(judged, protocol)
    figure = style.new_figure(
        style.PAGE if columns > 2 else 45 * columns + 15,
        PANEL * lines + 8,
        f"{recording.name}: activity around each syllable",
        [_headline(table, recording, judged)],
        _notes(table, len(labels)),
        keys=-(-len(handles) // (2 if columns > 2 else 1)),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    colors = style.colors_of(table["label"], style.SYLLABLES)
    used = used_trials(trials)
    values = table[table["label"].isin(labels)]
    shown = ["rate", "high", "low", *(["null_low", "null_high"] if judged else [])]
    low, high = np.nanmin(values[shown]), np.nanmax(values[shown])
    floor = max(0, low - 0.25 * (high - low)) if low >= 0 else low - 0.25 * (high - low)
    for ax, label in zip(axes.flat, labels, strict=False):
        lasting = used[used["label"] == label]
        duration = 1000 * (lasting["offset"] - lasting["onset"])
        _draw_label(ax, values[values["label"] == label], duration, colors[label], judged)
        ax.set(xlim=(-200, 200), ylim=(floor, high + 0.05 * (high - floor)))
        ax.set_xticks([-100, 0, 100])
    for ax in axes.flat[len(labels) :]:
        ax.remove()
    for ax in axes.flat[max(0, len(labels) - columns) : len(labels)]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("time from onset (ms)")
    for ax in axes[:, 0]:
        ax.set_ylabel(activity_name(recording).replace("Hz", "Hz per unit"))
    style.legend_below(figure, handles, 2 if columns > 2 else 1)
    return figure


def _draw_label(
    ax: Axes, rows: pd.DataFrame, duration: pd.Series, color: str, judged: bool
) -> None:
    """Draw one label: null, interval, mean, and how long the syllable lasts."""
    middle = 500 * (rows["start"] + rows["stop"])
    if judged:
        ax.fill_between(middle, rows["null_low"], rows["null_high"], color=style.PALE, lw=0)
    if rows["low"].notna().all():
        ax.fill_between(middle, rows["low"], rows["high"], color=color, alpha=0.3, lw=0)
    ax.plot(middle, rows["song"], color=style.BLACK, lw=0.7, ls=(0, (2, 1.5)))
    ax.plot(middle, rows["rate"], color=color)
    ax.axvline(0, color=style.BLACK, lw=0.7)
    place = {"transform": ax.get_xaxis_transform()}
    ax.plot([0, duration.median()], [0.05, 0.05], color=color, **BAR, **place)
    spread = duration.quantile([0.05, 0.95])
    ax.plot(spread, [0.05, 0.05], color=style.BLACK, lw=0.8, **place)
    ax.set_title(f"{rows['label'].iat[0]}   {rows['trials'].iat[0]} trials", loc="left")


def _handles(judged: bool, protocol: Protocol) -> list:
    handles = [
        Line2D([], [], color=style.BLUE, label="mean over units and trials"),
        Patch(color=style.BLUE, alpha=0.3, lw=0, label="its 95 % interval over bouts"),
        Line2D([], [], color=style.BLACK, lw=0.7, ls=(0, (2, 1.5)), label="mean of all syllables"),
        Line2D([], [], color=style.BLUE, **BAR, label="the syllable: median; thin: 5 to 95 %"),
    ]
    if judged:
        label = f"null: range of {len(protocol.null_seeds)} shifted surrogates, bin by bin"
        handles.append(Patch(color=style.PALE, label=label))
    return handles


def _headline(table: pd.DataFrame, recording: Recording, judged: bool) -> str:
    units = len(recording.units)
    mean = "1 unit" if units == 1 else f"Mean of {units} units"
    if not judged:
        return f"{mean}. A control, not judged."
    above = 100 * (table["low"] > table["null_high"]).mean()
    below = 100 * (table["high"] < table["null_low"]).mean()
    differ = 100 * ((table["low"] > table["song"]) | (table["high"] < table["song"])).mean()
    return (
        f"{mean}. Above the null, which holds silence too, in {above:.0f} % of all bins, below it "
        f"in {below:.0f} %; unlike the mean of all syllables in {differ:.0f} % (by accident in "
        "about 5 %)."
    )


def _notes(table: pd.DataFrame, drawn: int) -> list[str]:
    notes = [
        "Bins of 20 ms, every 5 ms. Before 0 and after the bar other syllables are sung as a rule."
    ]
    if (more := table["label"].nunique() - drawn) > 0:
        notes.append(f"{more} more classes are not drawn; the table beside the figure has them.")
    return notes
