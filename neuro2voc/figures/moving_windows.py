"""What each unit says in each moving window: time by depth, and all units together."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuro2voc.figures import style
from neuro2voc.figures.growing_windows import (
    accuracy_handles,
    conditions,
    control,
    draw_accuracy,
    milliseconds,
)
from neuro2voc.moving import LEVEL
from neuro2voc.recording import Recording

ROW, LABEL = 1.5, 2.7  # mm: a unit, and a unit with its label
ROOM = 36  # mm, for a long name of the axis
LABELLED, SHORTEST, TOP = 60, 16, 30  # mm: maps with all labels, maps, what stands over them
NOTHING = "#f0f0f0"
# What is measured, its title, its scale and the colour of its line.
MEASURES = {
    "bits": ("one unit, one window alone, held out", "information (bits)", style.BLUE),
    "importance": ("in a random forest of all of them", "impurity importance", style.VERMILION),
}


@style.in_style()
def draw_moving_windows(
    windows: pd.DataFrame, units: pd.DataFrame, recording: Recording, split: str, align: str
) -> Figure:
    """Draw accuracy of all units against time, and time by depth maps of single units.

    Parameters
    ----------
    windows : DataFrame
        See `neuro2voc.moving.window_table`.
    units : DataFrame
        See `neuro2voc.moving.unit_table`.
    recording : Recording
    split : str
        The split's name, for the words.
    align : str
        'onset' or 'offset', from which times count.
    """
    units, names = _in_order(units)
    handles = [*accuracy_handles(windows), *_count_handles(units)]
    height = max(SHORTEST, ROW * len(names), min(LABEL * len(names), LABELLED))
    figure = style.new_figure(
        style.PAGE,
        height + TOP + 34,
        f"{recording.name}: when units say which syllable it is",
        [_headline(windows, units, recording, align)],
        _notes(windows, units, split, align),
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(2, 2, sharex=True, height_ratios=[TOP, height])
    middle = 500 * (windows["start"] + windows["stop"])
    draw_accuracy(axes[0, 0], windows, middle)
    axes[0, 0].set(ylabel="balanced accuracy", ylim=(0, 1))
    axes[0, 0].set_title("all units", loc="left")
    _draw_counts(axes[0, 1], units, middle)
    for ax, measure in zip(axes[1], MEASURES, strict=True):
        _draw_map(ax, units, measure, middle)
        ax.set_title(MEASURES[measure][0], loc="left")
        ax.set_xlabel(f"middle of window (ms from {align})")
        _label_rows(ax, names, height, measure == "bits", units["depth"].notna().all())
    for ax in axes.flat:
        ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (4, 2)))
    style.legend_below(figure, handles, 3)
    return figure


def _in_order(units: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give each unit a row from the tip up, units of unknown depth last, and a name."""
    single = units.drop_duplicates("unit").sort_values("depth", kind="stable")
    row = pd.Series(range(len(single)), index=single["unit"])
    names = [
        str(unit) if np.isnan(depth) else f"{depth:.0f}"
        for unit, depth in zip(single["unit"], single["depth"], strict=True)
    ]
    return units.assign(row=row[units["unit"]].to_numpy()), names


def _judged(units: pd.DataFrame) -> bool:
    return "bits_p" in units


def _draw_counts(ax: Axes, units: pd.DataFrame, middle: pd.Series) -> None:
    """Draw how many units are beyond their null in each window."""
    if not _judged(units):
        ax.set_visible(False)
        return
    ax.set_title("units beyond surrogates", loc="left")
    for measure, (_, _, color) in MEASURES.items():
        number = (units[f"{measure}_p"] <= LEVEL).groupby(units["start"]).sum()
        ax.step(middle, number.to_numpy(), where="mid", color=color)
    ax.set(ylabel="units")
    ax.set_ylim(0, max(1, ax.get_ylim()[1]))
    ax.yaxis.get_major_locator().set_params(integer=True)


def _count_handles(units: pd.DataFrame) -> list:
    if not _judged(units):
        return []
    words = {"bits": "units beyond surrogates alone", "importance": "the same in the forest"}
    return [Line2D([], [], color=MEASURES[name][2], label=words[name]) for name in MEASURES]


def _draw_map(ax: Axes, units: pd.DataFrame, measure: str, middle: pd.Series) -> None:
    rows, bins = units["row"].max() + 1, len(middle)
    value = units[f"{measure}_gain" if _judged(units) else measure]
    if _judged(units):
        value = value.where(units[f"{measure}_p"] <= LEVEL)
    grid = np.full((rows, bins), np.nan)
    grid[units["row"], units.groupby("unit").cumcount()] = value
    ax.set_facecolor(NOTHING)
    half = (middle.iat[1] - middle.iat[0]) / 2 if bins > 1 else 1
    image = ax.imshow(
        grid,
        origin="lower",
        aspect="auto",
        cmap="viridis_r",
        vmin=0,
        vmax=np.nanmax(grid) if np.isfinite(grid).any() else 1,
        interpolation="nearest",
        extent=(middle.iat[0] - half, middle.iat[-1] + half, -0.5, rows - 0.5),
    )
    few = MaxNLocator(4)
    bar = ax.figure.colorbar(image, ax=ax, location="bottom", aspect=40, shrink=0.7, ticks=few)
    bar.set_label(MEASURES[measure][1] + (" above surrogates" if _judged(units) else ""))
    bar.outline.set_visible(False)
    ax.spines[:].set_visible(False)


def _label_rows(ax: Axes, names: list[str], height: float, left: bool, deep: bool) -> None:
    every = int(np.ceil(len(names) * LABEL / height - 1e-9))
    rows = range(0, len(names), every)
    ax.set_yticks(rows, [names[row] for row in rows] if left else [])
    ax.tick_params(axis="y", length=1.5)
    if left:
        by_depth = "unit, by depth (µm from tip)" if height > ROOM else "depth (µm)"
        ax.set_ylabel(by_depth if deep else "unit")


def _headline(windows: pd.DataFrame, units: pd.DataFrame, recording: Recording, align: str) -> str:
    if recording.surrogate:
        return control(recording)
    if not _judged(units):
        return "There are no surrogates, so nothing here is judged."
    hits = units[units["bits_p"] <= LEVEL]
    words = f"{hits['unit'].nunique()} of {units['unit'].nunique()} units say something alone"
    if len(hits):
        words += f" (best: {_span(hits.loc[hits['bits_gain'].idxmax()])})"
    beyond = windows[windows["verdict"] == "stands"]
    told = windows[windows["verdict"].isin(["stands", "order"])]
    if told.empty:
        return f"{words}; all together say no more than surrogates in any window."
    # No number beside it: the best of many windows flatters.
    best = told.loc[told["balanced_accuracy"].idxmax()]
    return (
        f"{words}; all together say more than surrogates in {len(told)} of {len(windows)} windows, "
        f"most from {_span(best)} of the {align}, and more than the previous syllable alone in "
        f"{len(beyond) or 'none'}."
    )


def _span(row: pd.Series) -> str:
    """Write a window in ms."""
    return f"{milliseconds(row['start'])} to {milliseconds(row['stop'])}"


def _notes(windows: pd.DataFrame, units: pd.DataFrame, split: str, align: str) -> list[str]:
    width = 1e3 * (windows["stop"].iat[0] - windows["start"].iat[0])
    notes = [
        f"Windows of {width:g} ms, each drawn at its middle (dashed: {align}). "
        + conditions(windows, split)
    ]
    if _judged(units):
        n = windows["null_replicates"].iat[0]
        notes.append(
            "Grey in the maps: no more than what the best unit and window of "
            f"{n:.0f} surrogates reaches (family-wise p > {LEVEL})."
        )
    notes.append(
        "The forest's importance is not held out and favours fast units; surrogates show it."
    )
    return notes
