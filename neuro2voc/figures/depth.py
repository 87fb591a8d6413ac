"""Units in rows by their depth, so that units at one depth never cover each other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from neuro2voc.figures import style
from neuro2voc.inclusion import UNKNOWN

ROW = (1.5, 4.0)  # mm, least and most for one unit
TALLEST = 150  # mm for all units, as far as ROW allows
LONG_LABEL = 60  # mm that the whole name of the axis takes


def in_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of units with a column `row`, from 0 at the foot, in the order of rows.

    The foot is the probe's tip. Units of unknown depth come last; where none is known, they stand
    in the order of the table, the first at the head.
    """
    if table["depth"].notna().any():
        ordered = table.sort_values("depth", kind="stable", na_position="last")
    else:
        ordered = table.iloc[::-1]
    return ordered.assign(row=np.arange(len(table)))


def height_of_rows(units: int) -> float:
    """Return the height (mm) of axes that hold so many rows."""
    least, most = ROW
    return units * float(np.clip(TALLEST / units, least, most))


def label_rows(ax: Axes, rows: pd.DataFrame, height: float) -> None:
    """Write depths, or names where no depth is known, beside rows as far as there is room.

    Parameters
    ----------
    ax : Axes
    rows : DataFrame
        See `in_rows`.
    height : float
        Of the axes, mm.
    """
    deep = rows["depth"].notna().any()
    every = max(1, int(np.ceil(style.LINE * len(rows) / height)))
    shown = rows.iloc[::-1].iloc[::every]
    depths = shown["depth"].map(lambda depth: "?" if np.isnan(depth) else f"{depth:.0f}")
    ax.set_yticks(shown["row"], depths if deep else shown["unit"])
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.tick_params(axis="y", length=1.5)
    depth = "units, by depth (µm from the probe's tip)" if height > LONG_LABEL else "depth (µm)"
    ax.set_ylabel(depth if deep else "units")


def region_colors(rows: pd.DataFrame) -> Mapping[str, str]:
    """Return a colour for each region; unknown ones are grey."""
    known = rows.loc[rows["location"] != UNKNOWN, "location"]
    return {**style.colors_of(known, style.REGIONS), UNKNOWN: style.GREY}


def mark_regions(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw regions as a strip to the right of the axes and name the longest run of each."""
    colors = region_colors(rows)
    longest: dict[str, tuple[int, float]] = {}
    runs = (rows["location"] != rows["location"].shift()).cumsum()
    for _, run in rows.groupby(runs):
        name, first, number = run["location"].iat[0], run["row"].iat[0], len(run)
        if name == UNKNOWN:
            continue
        place = {"transform": ax.get_yaxis_transform(), "clip_on": False, "lw": 0}
        ax.add_patch(Rectangle((1.0, first - 0.5), 0.025, number, color=colors[name], **place))
        longest[name] = max(longest.get(name, (0, 0.0)), (number, first + (number - 1) / 2))
    for name, (_, middle) in longest.items():
        ax.annotate(
            name,
            (1.025, middle),
            xycoords=ax.get_yaxis_transform(),
            xytext=(3, 0),
            textcoords="offset points",
            rotation=90,
            va="center",
            color=colors[name],
            weight="bold",
        )


def count_of(units: int) -> str:
    """Return a number of units in words."""
    return "1 unit" if units == 1 else f"{units} units"


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Write plain numbers along a logarithmic axis from `low` to `high`."""
    steps = (1, 2, 5) if high / low < 100 else (1,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=99))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
