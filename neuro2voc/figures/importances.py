"""Which units a random forest relies on, by depth."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import spearmanr

from neuro2voc.configuration import WHOLE_SYLLABLE_FEATURES
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import (
    count_of,
    height_of_rows,
    in_rows,
    label_rows,
    mark_regions,
    region_colors,
)
from neuro2voc.recording import Recording

LEVEL = 0.05
MEASURES = {
    "drop": ("held out: loss of balanced accuracy\nwhere the unit's trials are permuted", "loss"),
    "impurity": ("in training, as the thesis drew it:\nshare of the decrease of impurity", "share"),
}


@style.in_style()
def draw_importances(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw the held-out importance of every unit beside the one that training reports.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.importances.importances`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what the forest saw.
    """
    judged = "drop_p_best" in table
    rows = in_rows(table)
    height = height_of_rows(len(rows))
    handles = _handles(judged, protocol)
    figure = style.new_figure(
        style.PAGE,
        height + 20,
        f"{recording.name}: what a random forest relies on, from {protocol.feature}",
        [_headline(table, judged)],
        _notes(table, protocol),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (name, (title, label)) in zip(axes, MEASURES.items(), strict=True):
        _draw_measure(ax, rows, name, judged)
        ax.set_title(title, loc="left")
        ax.set_xlabel(label)
    label_rows(axes[0], rows, height)
    axes[0].axvline(0, color=style.BLACK, lw=0.7, zorder=1)
    axes[1].set_xlim(left=0)
    axes[1].set_ylabel("")
    mark_regions(axes[1], rows)
    style.legend_below(figure, handles, 2)
    return figure


def _draw_measure(ax: Axes, rows: pd.DataFrame, name: str, judged: bool) -> None:
    colors = region_colors(rows)
    for _, row in rows.iterrows():
        color, y = colors[row["location"]], row["row"]
        filled = judged and row[f"{name}_p_best"] <= LEVEL
        if judged:
            low, high, mean = (row[f"{name}_null_{end}"] for end in ("low", "high", "mean"))
            ax.plot([low, high], [y, y], color=style.PALE, lw=2.2, zorder=1)
            ax.plot(mean, y, "|", ms=3, color=style.GREY, zorder=2)
        face = color if filled else "white"
        ax.plot(row[name], y, "o", ms=3.2, mfc=face, mec=color, mew=0.8, zorder=3)
    if judged:
        best = rows[f"{name}_best_high"].iat[0]
        ax.axvline(best, color=style.VERMILION, lw=0.9, ls=(0, (4, 2)), zorder=1)


def _handles(judged: bool, protocol: Protocol) -> list:
    point = {"marker": "o", "ms": 3.2, "mec": style.BLACK, "ls": "none"}
    if not judged:
        return [Line2D([], [], mfc="white", **point, label="a unit; colours are regions")]
    number, dashes = len(protocol.null_seeds), (0, (4, 2))
    return [
        Patch(
            color=style.PALE, label=f"the unit's null: {number} shifted surrogates and their mean"
        ),
        Line2D([], [], color=style.VERMILION, ls=dashes, label="the greatest of any unit in these"),
        Line2D([], [], mfc=style.BLACK, **point, label="beyond that (p ≤ 0.05 for all units)"),
        Line2D([], [], mfc="white", **point, label="not beyond it"),
    ]


def _headline(table: pd.DataFrame, judged: bool) -> str:
    accuracy = (
        f"the forest has {table['balanced_accuracy'].iat[0]:.2f}, "
        f"chance is {table['chance'].iat[0]:.2f}"
    )
    if not judged:
        return f"A control, not judged; {accuracy}."
    good = (table["drop_p_best"] <= LEVEL).sum()
    own = (table["drop"] > table["drop_null_high"]).sum()
    words = f"{good or 'None'} of {count_of(len(table))} matter{'s' if good <= 1 else ''} more than"
    words += f" any unit of a shifted bird, {own or 'none'} more than their own shifted copies"
    return f"{words}; {accuracy}."


def _notes(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = table.iloc[0]
    notes = [
        f"Split '{protocol.split}': {first['n_trials']} trials in {first['n_bouts']} bouts. Means "
        "over folds; units that say the same share what they matter."
    ]
    if "impurity_null_mean" in table and table["spikes"].nunique() > 2:
        rank = spearmanr(table["spikes"], table["impurity_null_mean"]).statistic
        if rank > 0.3:
            words = "In shifted birds, whose units know nothing of the song, impurity follows "
            words += f"activity (rank correlation {rank:.2f})"
            if protocol.feature in WHOLE_SYLLABLE_FEATURES:
                words += ", for busy units measure the syllable's duration"
            notes.append(f"{words}.")
    return notes
