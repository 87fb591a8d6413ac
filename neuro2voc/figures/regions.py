"""Regions of the brain side by side, drawn."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import region_colors
from neuro2voc.figures.single_units import BASELINES
from neuro2voc.inclusion import UNKNOWN
from neuro2voc.recording import Recording
from neuro2voc.regions import ALL, EQUAL

ROW = 5.0  # mm
SINGLE = "single"
GOLDEN = 0.6180339887498949  # its multiples modulo 1 spread evenly without being random


@style.in_style()
def draw_regions(
    table: pd.DataFrame, singles: pd.DataFrame, recording: Recording, protocol: Protocol
) -> Figure:
    """Draw each region's accuracy: all units, equally many, and every unit alone.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.regions.compare_regions`.
    singles : DataFrame
        See `neuro2voc.single_units.single_units`.
    recording : Recording
        The bird.
    protocol : Protocol
        How they were decoded.
    """
    regions = list(table["region"].unique())
    rows = [
        (region, choice)
        for region in regions
        for choice in (ALL, EQUAL, SINGLE)
        if choice == SINGLE or ((table["region"] == region) & (table["choice"] == choice)).any()
    ]
    judged = "null_high" in table
    handles = _handles(judged, protocol)
    figure = style.new_figure(
        style.COLUMN,
        ROW * len(rows) + 14,
        f"{recording.name}: regions",
        _headline(table, regions, judged),
        _notes(table, protocol),
        keys=len(handles),
        kind=style.kind_of(recording),
    )
    ax = figure.subplots()
    colors = region_colors(pd.DataFrame({"location": [*regions, *singles["location"]]}))
    for y, (region, choice) in enumerate(rows):
        part = table[(table["region"] == region) & (table["choice"] == choice)]
        if choice == SINGLE:
            scores = _alone(singles, region)["balanced_accuracy"].to_numpy()
            jitter = (np.arange(len(scores)) * GOLDEN % 1 - 0.5) * 0.5
            ax.plot(scores, y + jitter, "o", ms=2.2, mew=0, color=colors[region])
        else:
            _draw_choice(ax, y, part, colors[region], judged)
        if y and choice == ALL:
            ax.axhline(y - 0.5, color=style.PALE, lw=0.6)
    _draw_reference(ax, table)
    ax.set_yticks(range(len(rows)), [_label(table, singles, *row) for row in rows])
    for text, (region, _) in zip(ax.get_yticklabels(), rows, strict=True):
        text.set_color(colors[region])
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="balanced accuracy", xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5))
    style.legend_below(figure, handles, 1)
    return figure


def _alone(singles: pd.DataFrame, region: str) -> pd.DataFrame:
    """Return the units of a region; where none is known, all of them."""
    return singles if region == UNKNOWN else singles[singles["location"] == region]


def _label(table: pd.DataFrame, singles: pd.DataFrame, region: str, choice: str) -> str:
    name = "unknown region" if region == UNKNOWN else region
    if choice == SINGLE:
        return "each alone"
    part = table[(table["region"] == region) & (table["choice"] == choice)]
    number = part["units"].iat[0]
    if choice == EQUAL:
        return f"any {number}" if len(part) > 1 else f"its {number}"
    return f"{name}: all {number}" if number > 1 else f"{name}: 1 unit"


def _draw_choice(ax: Axes, y: int, part: pd.DataFrame, color: str, judged: bool) -> None:
    """Draw one or many draws, their mean, and their null."""
    if judged:
        first = part.iloc[0]
        span = first["null_high"] - first["null_low"]
        ax.barh(y, span, left=first["null_low"], height=0.6, color=style.PALE, lw=0)
    if len(part) > 1:
        ax.plot(part["balanced_accuracy"], np.full(len(part), y), "|", ms=5, color=color)
    elif part["low"].notna().all():
        ax.plot([part["low"].iat[0], part["high"].iat[0]], [y, y], color=color, lw=1)
    face = color if len(part) == 1 else "white"
    ax.plot(part["balanced_accuracy"].mean(), y, "o", ms=4, mfc=face, mec=color, zorder=4)


def _draw_reference(ax: Axes, table: pd.DataFrame) -> None:
    first = table.iloc[0]
    ax.axvline(first["chance"], color=style.BLACK, lw=0.7, zorder=1)
    for name, (_, color, dashes) in BASELINES.items():
        ax.axvline(first[name], color=color, ls=dashes, lw=0.9, zorder=1)


def _handles(judged: bool, protocol: Protocol) -> list:
    point = {"marker": "o", "ms": 4, "color": style.BLACK}
    bar = {"marker": "|", "ms": 5, "ls": "none", "color": style.BLACK}
    handles = [
        Line2D([], [], **point, label="accuracy with its 95 % interval; open: mean of draws"),
        Line2D([], [], **bar, label="draws of as many units as the smallest region has"),
    ]
    if judged:
        label = f"null: range of {len(protocol.null_seeds)} shifted surrogates"
        handles.append(Patch(color=style.PALE, label=label))
    handles.append(Line2D([], [], color=style.BLACK, lw=0.7, label="chance"))
    for words, color, dashes in BASELINES.values():
        handles.append(Line2D([], [], color=color, ls=dashes, label=f"{words}, without neurons"))
    return handles


def _headline(table: pd.DataFrame, regions: list[str], judged: bool) -> list[str]:
    control = "" if judged else "A control, not judged. "
    if len(regions) == 1:
        if regions == [UNKNOWN]:
            words = "No region with two units or more is known"
        else:
            words = f"Only {regions[0]} has two units or more"
        return [f"{control}{words}, so there is nothing to compare."]
    equal = table[table["choice"] == EQUAL].groupby("region")["balanced_accuracy"]
    order = equal.mean().sort_values(ascending=False)
    number = table.loc[table["choice"] == EQUAL, "units"].iat[0]
    words = ", ".join(f"{region} {score:.2f}" for region, score in order.items())
    lines = [f"{control}With {number} units each: {words}; chance {table['chance'].iat[0]:.2f}."]
    compared = table.dropna(subset="difference").drop_duplicates("region")
    return lines + [_difference(row) for _, row in compared.iterrows()]


def _difference(row: pd.Series) -> str:
    """Say how far a region lies above the one with fewest units."""
    region, other = row["region"], row["fewest"]
    if np.isnan(row["difference_low"]):
        return f"With one bout there is no interval on the difference of {region} and {other}."
    # No negative zero.
    mean, low, high = (
        round(float(row[name]), 2) + 0.0
        for name in ("difference", "difference_low", "difference_high")
    )
    if row["difference_low"] > 0:
        return f"{region} exceeds {other} by {mean:.2f} (95 % interval {low:.2f} to {high:.2f})."
    if row["difference_high"] < 0:
        return f"{other} exceeds {region} by {-mean:.2f} (95 % interval {-high:.2f} to {-low:.2f})."
    words = f"{mean:.2f} (95 % interval {low:.2f} to {high:.2f})".replace("-", "−")
    return f"{region} and {other} are not told apart: difference {words}."


def _notes(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = table.iloc[0]
    return [
        f"{protocol.decoder} on {protocol.feature}, split '{protocol.split}': "
        f"{first['n_trials']} trials in {first['n_bouts']} bouts. Intervals are over bouts. "
        "Open points and their nulls are means over draws."
    ]
