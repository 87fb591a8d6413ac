"""What figures of pairs share: units in order, their names, matrices, and words about the null.

In a bird of one unit, its bins of time stand in the place of units.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import in_rows, region_colors
from neuro2voc.figures.players import are_bins, copies_of, noun_of, number_of
from neuro2voc.figures.words import LONGEST, shortened
from neuro2voc.inclusion import UNKNOWN
from neuro2voc.nulls import FEWEST
from neuro2voc.recording import Recording

LEVEL = 0.05
GAP, STRIP = 0.01, 0.03  # of the matrix: to the strip of regions, and its width
BAR = 14  # mm from a matrix to its bar of colours
BELOW = 23  # mm that labels and bar take below a matrix
EMPTY = "#e4e4e4"  # where a unit meets itself, or nothing is known
NAMED = 3  # pairs in a headline
SHORT = 6  # characters of a name beside a matrix or on the probe


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return players from the head of a matrix to its foot, where the probe's tip is.

    Those of unknown depth stand at the head, bins of time in their order. The index still says
    which row of the table a player is.
    """
    return in_rows(table).iloc[::-1]


def one_that_scores(table: pd.DataFrame) -> str:
    """Return which players have large interactions whether or not they say anything together."""
    return f"much-used {noun_of(table)}"


def names_of(table: pd.DataFrame, measure: str = " µm", longest: int = LONGEST) -> list[str]:
    """Return what each player is called: its unit with the depth, or its time."""
    if are_bins(table):
        return [f"{_ms(row.start)} to {_ms(row.stop)} ms" for row in table.itertuples()]
    names = [shortened(str(unit), longest) for unit in table["unit"]]
    return [
        name if np.isnan(depth) else f"{name} ({depth:.0f}{measure})"
        for name, depth in zip(names, table["depth"], strict=True)
    ]


def row_names(order: pd.DataFrame) -> tuple[list[str], str]:
    """Return what stands beside each row, and along all of them."""
    if are_bins(order):
        middle = (order["start"] + order["stop"]) / 2
        return [_ms(time) for time in middle], "bins of time (ms, their middles)"
    if order["depth"].isna().all():
        return names_of(order, longest=SHORT), "units"
    depths = ["?" if np.isnan(depth) else f"{depth:.0f}" for depth in order["depth"]]
    return depths, "units, by depth (µm from the probe's tip)"


def _ms(time: float) -> str:
    return f"{1e3 * time:.0f}".replace("-0", "0").replace("-", "−")


def null_of(table: pd.DataFrame) -> str:
    """Return what pairs are seen beside, in words; empty where there is nothing."""
    number = int(table["joint_replicates"].iat[0])
    return f"{number} independent cop{'ies' if number > 1 else 'y'}" if number else ""


def significant(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs whose evidence stands out of the null, all pairs allowed for."""
    return pairs[pairs["evidence_p"] <= LEVEL]


def name_pairs(pairs: pd.DataFrame, names: list[str]) -> str:
    """Return the first pairs with their evidence in words; names as `names_of` gives them."""
    words = [
        f"{names[row.first]} with {names[row.second]}, {signed(row.evidence)} nats"
        for row in pairs.head(NAMED).itertuples()
    ]
    rest = len(pairs) - NAMED
    return "; ".join(words) + (f"; and {rest} more" if rest > 0 else "")


def signed(value: float) -> str:
    """Return a small number with its sign."""
    return f"{round(value, 3) + 0.0:+.3f}".replace("-", "−")  # no negative zero


def notes_of(table: pd.DataFrame, protocol: Protocol) -> list[str]:
    """Return what a reader has to know of the model and its null."""
    first = table.iloc[0]
    notes = [
        f"Boosted trees on {protocol.feature}, explained on held-out trials, split "
        f"'{protocol.split}': {first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts; "
        f"balanced accuracy {first['balanced_accuracy']:.2f}, chance {first['chance']:.2f}."
    ]
    replicates = int(first["joint_replicates"])
    if not replicates:
        return notes + ["No independent copies of this bird were made, so no pair is judged."]
    notes.append(copies_of(table))
    if replicates < FEWEST:
        notes.append("So few copies can show no p of 0.05, so nothing can stand out.")
    return notes


def no_pairs(recording: Recording, title: str, table: pd.DataFrame, protocol: Protocol) -> Figure:
    """Say that a bird has no pairs."""
    figure = style.new_figure(
        style.PAGE,
        2,
        f"{recording.name}: {title}",
        [f"{protocol.feature} is one number of {number_of(table)}: there are no pairs."],
        kind=style.kind_of(recording),
    )
    figure.set_layout_engine("none")  # nothing is to be laid out
    return figure


def draw_matrix(
    ax: Axes,
    order: pd.DataFrame,
    lower: np.ndarray,
    upper: np.ndarray,
    colors: str,
    norm: Normalize,
    side: float,
) -> AxesImage:
    """Draw pairs of players, with their depths and regions along both sides.

    Parameters
    ----------
    ax : Axes
    order : DataFrame
        See `in_order`.
    lower, upper : ndarray (players, players)
        In the table's order; what is seen below, and above, the diagonal.
    colors : str
        A colour map.
    norm : Normalize
    side : float
        Of the matrix (mm), for as many labels as there is room for.
    """
    number = len(order)
    place = np.ix_(order.index, order.index)
    grid = np.where(np.tri(number, k=-1, dtype=bool), lower[place], upper[place])
    np.fill_diagonal(grid, np.nan)
    ax.set_facecolor(EMPTY)
    image = ax.imshow(grid, cmap=colors, norm=norm, interpolation="nearest")
    names, along = row_names(order)
    shown = np.arange(0, number, max(1, int(np.ceil(style.LINE * number / side))))
    some = [names[i] for i in shown]
    ax.set_yticks(shown, some)
    ax.set_xticks(shown, some, rotation=90)
    beside = GAP + STRIP if _mark_regions(ax, order) else 0
    ax.tick_params(length=0, pad=1.5 + beside * side * style.MM * 72)
    ax.set_ylabel(along)
    ax.spines[:].set_visible(False)
    return image


def _mark_regions(ax: Axes, order: pd.DataFrame) -> bool:
    """Draw strips of regions between the matrix and its labels; say whether there are any."""
    if (order["location"] == UNKNOWN).all():
        return False
    color = order["location"].map(region_colors(order))
    look = {"clip_on": False, "lw": 0}
    for i, each in enumerate(color):
        left = {"transform": ax.get_yaxis_transform(), **look}
        foot = {"transform": ax.get_xaxis_transform(), **look}
        ax.add_patch(Rectangle((-GAP - STRIP, i - 0.5), STRIP, 1, color=each, **left))
        ax.add_patch(Rectangle((i - 0.5, -GAP - STRIP), 1, STRIP, color=each, **foot))
    return True


def ring(ax: Axes, order: pd.DataFrame, pairs: pd.DataFrame, above: bool = False) -> None:
    """Ring pairs below the diagonal of a matrix, or above it."""
    place = pd.Series(np.arange(len(order)), index=order.index)
    ends = np.sort([place[pairs["first"]], place[pairs["second"]]], axis=0)
    column, row = ends[::-1] if above else ends
    ax.plot(column, row, "o", ms=5, mfc="none", mec=style.BLACK, mew=0.8, clip_on=False)


def axes_at(figure: Figure, left: float, foot: float, width: float, height: float) -> Axes:
    """Return new axes at a place in mm, `foot` above the foot of the room for axes."""
    whole, high = figure.get_figwidth() / style.MM, figure.get_figheight() / style.MM
    bottom = figure.get_layout_engine().get()["rect"][1]
    return figure.add_axes((left / whole, bottom + foot / high, width / whole, height / high))


def bar_below(ax: Axes, image: AxesImage, label: str, side: float) -> None:
    """Say what colours mean, below the labels of a matrix of `side` mm."""
    beside = ax.inset_axes((0.15, -BAR / side, 0.7, 1.5 / side))
    few = MaxNLocator(4, symmetric=image.norm.vmin < 0)
    bar = ax.figure.colorbar(image, cax=beside, orientation="horizontal", ticks=few)
    bar.set_label(label, labelpad=1)
    bar.outline.set_visible(False)


def region_handles(table: pd.DataFrame) -> list[Patch]:
    """Return the legend of regions; empty where none is known."""
    colors = region_colors(table)
    present = sorted(set(table["location"]))
    if present == [UNKNOWN]:
        return []
    return [
        Patch(color=colors[name], label="unknown region" if name == UNKNOWN else name)
        for name in present
    ]
