"""Mean rates of units by syllable and depth, drawn."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style
from neuro2voc.figures.depth import (
    count_of,
    height_of_rows,
    in_rows,
    label_rows,
    log_ticks,
    mark_regions,
    region_colors,
)
from neuro2voc.rates import FALSE_DISCOVERIES, activity_name
from neuro2voc.recording import Recording

LEAST = 12  # mm, below which there is no room for scales


@style.in_style()
def draw_rates(units: pd.DataFrame, syllables: pd.DataFrame, recording: Recording) -> Figure:
    """Draw units by depth: in song and silence, spikes and rate per syllable, and their tuning.

    Parameters
    ----------
    units : DataFrame
        See `neuro2voc.rates.unit_rates`.
    syllables : DataFrame
        See `neuro2voc.rates.syllable_rates`.
    recording : Recording
        The bird.
    """
    rows = in_rows(units)
    height = height_of_rows(len(rows))
    name = activity_name(recording)
    figure = style.new_figure(
        style.PAGE,
        max(height, LEAST) + 27,
        f"{recording.name}: {'rates' if 'Hz' in name else 'levels'} by syllable and depth",
        [_headline(units)],
        _notes(units, name),
        keys=1,
        kind=style.kind_of(recording),
    )
    counted = syllables["count"].notna().any()
    maps = [*(["count"] if counted else []), "rate", "z"]
    axes = figure.subplots(1, 1 + len(maps), sharey=True, width_ratios=[1.1, *[1] * len(maps)])
    _draw_song(axes[0], rows, name)
    names = {"count": "spikes per syllable", "rate": name, "z": "z among syllables"}
    for ax, column in zip(axes[1:], maps, strict=True):
        _draw_map(figure, ax, rows, syllables, column, names[column])
    label_rows(axes[0], rows, height)
    for ax in axes[1:]:
        ax.set_ylabel("")
        ax.tick_params(axis="y", length=0)
    tuned = rows.loc[rows["q"] <= FALSE_DISCOVERIES, "row"]
    place = axes[-1].get_yaxis_transform()
    for row in tuned:
        axes[-1].plot(-0.05, row, "o", ms=2.2, color="k", transform=place, clip_on=False)
    mark_regions(axes[-1], rows)
    style.legend_below(figure, _handles(), 3)
    return figure


def _draw_song(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    """Draw each unit in song and in silence."""
    colors = [region_colors(rows)[location] for location in rows["location"]]
    values = rows[["song", "silence"]]
    if "Hz" in name:
        lowest = values.where(values > 0).min().min()
        floor = 0.1 if np.isnan(lowest) else lowest / 2
        values = values.clip(lower=floor)
        low, high = values.min().min(), values.max().max()
        wide = max(1.2, (10 * low / high) ** 0.5)  # at least a decade, so that numbers stand at it
        ax.set_xscale("log")
        ax.set_xlim(low / wide, high * wide)
        log_ticks(ax.xaxis, low / wide, high * wide)
    ax.hlines(rows["row"], values["silence"], values["song"], color=colors, lw=0.9)
    ax.scatter(values["silence"], rows["row"], s=9, fc="white", ec=colors, lw=0.8, zorder=3)
    ax.scatter(values["song"], rows["row"], s=9, fc=colors, ec=colors, lw=0.8, zorder=3)
    ax.set_xlabel(name)
    ax.set_title("song and silence", loc="left")


def _draw_map(
    figure: Figure,
    ax: Axes,
    rows: pd.DataFrame,
    syllables: pd.DataFrame,
    column: str,
    name: str,
) -> None:
    """Draw units by labels as a map with its scale below."""
    wide = syllables.pivot_table(values=column, index="unit", columns="label", dropna=False).loc[
        rows["unit"]
    ]
    values = wide.to_numpy(dtype=float)
    scale, colors = Normalize(-2, 2), "RdBu_r"
    if column != "z":
        colors = "viridis"
        positive = values[np.isfinite(values) & (values > 0)]
        scale = None
        if len(positive) and np.nanmin(values) >= 0:
            low, high = positive.min(), positive.max()
            scale = LogNorm(max(low, high / 1000), max(high, 1.01 * low))
            values = np.maximum(values, scale.vmin)
    image = ax.imshow(
        values, aspect="auto", origin="lower", cmap=colors, norm=scale, interpolation="none"
    )
    labels = list(wide.columns)
    every = -(-len(labels) // 12)
    ax.set_xticks(range(0, len(labels), every), labels[::every])
    ax.tick_params(axis="x", length=0)
    ax.set_title(name, loc="left")
    ax.spines[:].set_visible(False)
    fraction = 4 / (4 + max(LEAST, height_of_rows(len(rows))))
    bar = figure.colorbar(
        image, ax=ax, location="bottom", fraction=fraction, aspect=14, pad=0.01, shrink=0.9
    )
    if column == "z":
        bar.set_ticks([-2, 0, 2])
    elif scale is not None:
        log_ticks(bar.ax.xaxis, scale.vmin, scale.vmax)


def _handles() -> list:
    look = {"marker": "o", "ls": "none", "ms": 3, "mec": style.BLACK}
    return [
        Line2D([], [], mfc=style.BLACK, **look, label="in syllables"),
        Line2D([], [], mfc="white", **look, label="farther than 0.5 s from any"),
        Line2D([], [], marker="o", ls="none", ms=2.2, color="k", label="tuned (left of z)"),
    ]


def _headline(units: pd.DataFrame) -> str:
    tuned = (units["q"] <= FALSE_DISCOVERIES).sum()
    verb = "fires" if tuned <= 1 else "fire"
    return (
        f"{tuned or 'None'} of {count_of(len(units))} {verb} differently around the onsets of "
        "different syllables."
    )


def _notes(units: pd.DataFrame, name: str) -> list[str]:
    words = (
        "Tuned: Kruskal-Wallis in bins of 20 ms from 50 ms before to 50 ms after the onset, "
        "against labels permuted within bouts (so slow drift is no tuning), false discovery "
        "rate 5 %"
    )
    if len(units) >= 20:
        found = (units["p"] <= 0.05).sum()
        words += f"; {found} have p ≤ 0.05, where about {0.05 * len(units):.0f} would by accident"
    if "Hz" in name:
        return [f"{words}.", "Scales of counts and rates are logarithmic."]
    return [f"{words}.", "Levels are in the unit of the recording."]
