"""What time warping does to renditions, and whether it helps, drawn."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.figures import style
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording
from neuro2voc.templates import ACTIVITY, ALL, SOUND
from neuro2voc.warped_example import Example
from neuro2voc.warping import WARPS

ROW, LEAST = 4.6, 30  # mm for a label, and at least for each row of panels
APART = 0.24  # of a row, between warps of one label
LOOKS = {
    "unwarped": (style.GREY, "s"),
    "linear": (style.BLUE, "o"),
    "dtw": (style.VERMILION, "^"),
}
WORDS = {"unwarped": "unwarped", "linear": "linear warping", "dtw": "DTW"}
MEAN = "mean"  # over labels
MOST = 24  # labels that are drawn
WIDTH = 0.3  # of the axis at least, so that noise is not drawn as large as what there is


@style.in_style()
def draw_warping(
    table: pd.DataFrame,
    example: Example,
    recording: Recording,
    settings: Mapping,
    split: str,
) -> Figure:
    """Draw one label's renditions before and after, and how alike all are to their templates.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.templates.template_table`.
    example : Example
        See `neuro2voc.warped_example.make_example`.
    recording : Recording
        The bird.
    settings : mapping
        The configuration's `warping`.
    split : str
        The split's name.
    """
    by = settings["by"]
    trials = table[table["label"] != ALL].groupby("label")["n_trials"].max()
    labels = [*sorted(trials.nlargest(MOST).index), ALL]
    left_out = len(trials) - len(labels) + 1
    handles = _handles(table)
    figure = style.new_figure(
        style.PAGE,
        2 * max(LEAST, ROW * len(labels)) + 14,
        f"{recording.name}: are renditions more alike when they are warped?",
        _headline(table, recording, by),
        [_note(table, split, settings["lead"], len(recording.units), left_out)],
        keys=-(-len(handles) // 4),
        kind=style.kind_of(recording),
    )
    left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])
    _draw_example(left, example)
    for row, modality in enumerate((SOUND, ACTIVITY)):
        ax = right.add_subplot(2, 1, row + 1)
        _draw_likeness(ax, table[table["modality"] == modality], labels)
        words = "DTW was found on it, and is bound to help" if modality == by else "the test of DTW"
        ax.set_title(f"{modality} ({words})", loc="left")
    style.legend_below(figure, handles, 4)
    return figure


def _draw_example(figure: Figure, example: Example) -> None:
    axes = figure.subplots(2, len(WARPS), sharex=True, sharey=True)
    number, length = example.sound.shape[1:]
    end = 1000 * example.hop * length
    rows = (
        (example.sound, "magma", "sound, mean level"),
        (example.activity, "Greys", f"unit {shortened(example.unit)}"),
    )
    for row, (values, colors, name) in enumerate(rows):
        limits = {"vmin": values.min(), "vmax": np.quantile(values, 0.995)}
        for column, warp in enumerate(WARPS):
            ax = axes[row, column]
            ax.imshow(
                values[column],
                aspect="auto",
                cmap=colors,
                interpolation="nearest",
                extent=(0, end, number, 0),
                **limits,
            )
            if warp == "unwarped":
                ends = np.minimum(example.duration, end)
                ax.plot(ends, np.arange(number) + 0.5, color=style.ORANGE, lw=1.2)
            if row == 0:
                ax.set_title(WORDS[warp], loc="left", color=LOOKS[warp][0], weight="bold")
        axes[row, 0].set_ylabel(f"{name}\nrendition")
    axes[1, 1].set_xlabel(f"time in '{shortened(example.label)}' (ms)")
    for ax in axes.flat:
        ax.set(xlim=(0, end), ylim=(number, 0), yticks=[0, number])


def _draw_likeness(ax: Axes, rows: pd.DataFrame, labels: Sequence[str]) -> None:
    rows = rows.set_index(["label", "warp"])
    for y, label in enumerate(labels):
        for place, warp in enumerate(WARPS):
            row = rows.loc[(label, warp)]
            at = y + APART * (place - 1)
            color, marker = LOOKS[warp]
            if np.isfinite(row["null_low"]):
                span = row["null_high"] - row["null_low"]
                ax.barh(at, span, left=row["null_low"], height=APART, color=style.PALE, lw=0)
            ax.plot([row["low"], row["high"]], [at, at], color=color, zorder=3)
            ax.plot(row["similarity"], at, marker=marker, ms=3.5, color=color, zorder=4)
    ax.axhline(len(labels) - 1.5, color=style.PALE, lw=0.6)
    ax.axvline(0, color=style.BLACK, lw=0.7, zorder=1)
    names = [MEAN if label == ALL else shortened(label) for label in labels]
    ax.set_yticks(range(len(labels)), names)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    low = rows["null_low"].min() if rows["null_low"].notna().any() else 0
    high = max(WIDTH, rows["high"].max(), rows["similarity"].max())
    ax.set_xlim(min(0, low, rows["similarity"].min()) - 0.03, high * 1.04 + 0.01)
    ax.set_xlabel("correlation with the label's template")


def _handles(table: pd.DataFrame) -> list:
    handles = [
        Line2D([], [], color=color, marker=marker, ms=3.5, label=WORDS[warp])
        for warp, (color, marker) in LOOKS.items()
    ]
    if table["null_replicates"].notna().any():
        n = table["null_replicates"].max()
        handles.append(Patch(color=style.PALE, label=f"range of {n:.0f} shifted surrogates"))
    return handles


def _headline(table: pd.DataFrame, recording: Recording, by: str) -> list[str]:
    lines = [_control(recording)] if recording.surrogate else []
    means = table[table["label"] == ALL].set_index(["modality", "warp"])
    other = ACTIVITY if by == SOUND else SOUND
    found = means.loc[by, "similarity"]
    lines.append(
        f"Held-out {by}: {found['unwarped']:.2f} as it is, {found['linear']:.2f} warped linearly, "
        f"{found['dtw']:.2f} by DTW, which was found on this very {by}."
    )
    told = [_gain(means.loc[(other, warp)], warp) for warp in ("linear", "dtw")]
    start = means.loc[(other, "unwarped"), "similarity"]
    lines.append(f"Held-out {other}: {start:.3f} as it is; {'; '.join(told)}.")
    return lines


def _control(recording: Recording) -> str:
    """Say what a surrogate should show."""
    if recording.surrogate == "independent":
        return "A control: tuning is kept, so that activity should be about as alike as before."
    if recording.surrogate == "shuffled":
        return "A control: labels are shuffled, so that nothing should be like its template."
    return f"A control ({recording.surrogate}): activity should be like no template."


def _gain(row: pd.Series, warp: str) -> str:
    verdict = "is not seen to matter"
    if row["gain_low"] > 0:
        verdict = "helps"
    if row["gain_high"] < 0:
        verdict = "harms"
    span = f"{row['gain']:+.3f}, {row['gain_low']:+.3f} to {row['gain_high']:+.3f}"
    name = "DTW on top of it" if warp == "dtw" else WORDS[warp]
    return f"{name} {verdict} ({span})".replace("-", "−")


def _note(table: pd.DataFrame, split: str, lead: float, units: int, left_out: int) -> str:
    rarer = f" {left_out} rarer labels are not drawn." if left_out else ""
    first = table[table["label"] == ALL].iloc[0]
    return (
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts, split "
        f"'{split}'; bars are 95 % intervals over bouts. Activity of {units} units, "
        f"{1000 * lead:g} ms before the sound, sampled at the places where the sound is. Templates "
        "and references are means of training renditions, and a rendition is warped to that of its "
        "own label: this says whether renditions are alike, never that a label could be decoded. "
        f"Left: held-out renditions, the shortest on top; orange: where they end.{rarer}"
    )
