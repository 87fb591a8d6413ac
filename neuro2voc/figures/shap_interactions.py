"""Which pairs of units say more together than each alone, and where on the probe they lie."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from neuro2voc.attribution import Explanation
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import region_colors
from neuro2voc.figures.pairs import (
    BELOW,
    LEVEL,
    SHORT,
    axes_at,
    bar_below,
    draw_matrix,
    in_order,
    name_pairs,
    names_of,
    no_pairs,
    notes_of,
    null_of,
    one_that_scores,
    region_handles,
    ring,
    signed,
    significant,
)
from neuro2voc.figures.players import are_bins
from neuro2voc.hubs import Surrogates
from neuro2voc.recording import Recording
from neuro2voc.unit_correlations import rank_correlation

TITLE = "which pairs say more together than each alone"
STRONGEST = 10  # pairs on the probe
SIDE = 53  # mm of a matrix
LEFT, MIDDLE, RIGHT = 16, 73, 138  # mm, where matrices and probe begin
TITLES = 11  # mm above the axes
SKETCH = SIDE + 16  # mm of the probe
DOT = 3.2  # pt
WIDEST = 3.0  # pt of an arc
FAINT = "#a0a0a0"  # arcs that are not believed
# Across the sketch, in widths of a dot: half the shank, from there to names, the farthest arc.
SHANK, NAMES, FARTHEST = 2.6, 3.0, 14.0


@style.in_style()
def draw_shap_interactions(
    explanation: Explanation,
    null: Surrogates,
    table: pd.DataFrame,
    pairs: pd.DataFrame,
    recording: Recording,
    protocol: Protocol,
) -> Figure:
    """Draw interactions and evidence of all pairs beside a copy's, and the strongest pairs.

    Parameters
    ----------
    explanation : Explanation
    null : Surrogates
        Independent copies, which the pairs are seen beside; may be empty.
    table, pairs : DataFrame
        See `neuro2voc.attribution_tables`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what the models saw.
    """
    if pairs.empty:
        return no_pairs(recording, TITLE, table, protocol)
    handles = _handles(table, pairs) + region_handles(table)
    figure = style.new_figure(
        style.PAGE,
        TITLES + SIDE + BELOW,
        f"{recording.name}: {TITLE}",
        _headline(table, pairs),
        [_what_is_evidence(), *notes_of(table, protocol)],
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    left, middle = (axes_at(figure, start, BELOW, SIDE, SIDE) for start in (LEFT, MIDDLE))
    right = axes_at(figure, RIGHT, BELOW + SIDE - SKETCH, style.PAGE - RIGHT - 1, SKETCH)
    order = in_order(table)
    beside = _beside(table)
    absolute = explanation.absolute.mean(axis=0)
    absolute_null = null.absolute[0] if len(null.absolute) else absolute
    norm = Normalize(0, _limit(absolute, absolute_null))
    image = draw_matrix(left, order, absolute, absolute_null, "Greys", norm, SIDE)
    left.set_title(f"Size: large where {one_that_scores(table)}s meet.\n{beside}", loc="left")
    bar_below(left, image, "mean |interaction| (nats)", SIDE)
    evidence_null = null.evidence[0] if len(null.evidence) else explanation.evidence
    limit = _limit(explanation.evidence, null.evidence)
    norm = Normalize(-limit, limit)
    image = draw_matrix(middle, order, explanation.evidence, evidence_null, "RdBu_r", norm, SIDE)
    middle.set_title(f"Evidence: does it tell the syllable?\n{beside}", loc="left")
    middle.set_ylabel("")
    middle.tick_params(labelleft=False)
    bar_below(middle, image, "evidence for the syllable sung (nats)", SIDE)
    for ax in (left, middle):
        ring(ax, order, significant(pairs))
    _draw_probe(right, order, pairs.head(STRONGEST), limit)
    number = min(STRONGEST, len(pairs))
    right.set_title(f"The {number} most evident pairs" if number > 1 else "The pair", loc="left")
    style.legend_below(figure, handles, 3)
    figure.set_layout_engine("none")  # all is in its place
    return figure


def _beside(table: pd.DataFrame) -> str:
    if not null_of(table):
        return "Both halves: this bird."
    return "Lower left: this bird.\nUpper right: an independent copy."


def _limit(*values: np.ndarray) -> float:
    """Return the greatest size of anything, so that the null is no more vivid than it should be."""
    return max((float(np.abs(each).max()) for each in values if each.size), default=0) or 1.0


def _headline(table: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    names, number = names_of(table, ""), len(pairs)
    deep = "" if are_bins(table) or table["depth"].isna().all() else " (in brackets: depth, µm)"
    if not null_of(table):
        best = pairs.head(1)
        return [
            f"Not judged, for want of a null. The most evident: {name_pairs(best, names)}{deep}."
        ]
    found, beside = significant(pairs), null_of(table)
    than = f"more together than in {beside}"
    if len(found):
        verb = "says" if len(found) == 1 else "say"
        first = f"{len(found)} of {number} pair{'s' if number > 1 else ''} {verb} {than} "
        first += f"(p ≤ 0.05 for all): {name_pairs(found, names)}{deep}."
    else:
        best = pairs.iloc[0]
        who = f"None of {number} pairs says" if number > 1 else "The only pair does not say"
        first = f"{who} {than}; {'the most evident' if number > 1 else 'it'} has "
        first += f"{signed(best['evidence'])} nats (p = {best['evidence_p']:.2f})."
    rank = rank_correlation(
        pairs[["absolute"]].to_numpy().T, pairs["absolute_null_mean"].to_numpy()
    )[0]
    if np.isnan(rank):
        return [first]
    return [
        first,
        f"Size alone is no evidence: over pairs, |interaction| follows that in {beside} (rank "
        f"correlation {rank:.2f}).",
    ]


def _what_is_evidence() -> str:
    return (
        "Evidence of a pair: each one's half of what their joint pattern adds to the margin of the "
        "syllable that was sung, less what it adds to all margins on average. Its colours end at "
        "the greatest of the bird and its copies."
    )


def _handles(table: pd.DataFrame, pairs: pd.DataFrame) -> list:
    handles = []
    if null_of(table):
        ringed = {"marker": "o", "ms": 5, "mfc": "none", "mec": style.BLACK, "ls": "none"}
        handles += [
            Line2D([], [], **ringed, label="pairs beyond the null (p ≤ 0.05 for all pairs)"),
            Line2D([], [], color=style.VERMILION, lw=2, label="the same, at the right"),
            Line2D([], [], color=FAINT, lw=1.5, label="not beyond it; width is evidence"),
        ]
    else:
        handles.append(Line2D([], [], color=FAINT, lw=1.5, label="pairs; width is evidence"))
    if (pairs["evidence"].head(STRONGEST) < 0).any():
        handles.append(Line2D([], [], color=FAINT, ls=":", label="speaks against the truth"))
    return handles


def _draw_probe(ax: Axes, order: pd.DataFrame, pairs: pd.DataFrame, limit: float) -> None:
    """Draw players at their depth (or in their order) and the pairs as arcs between them."""
    deep = order["depth"].notna().all() and not are_bins(order)
    height = order["depth"].to_numpy() if deep else np.arange(len(order))[::-1].astype(float)
    low, high = height.min(), height.max()
    span = max(high - low, 1e-9)
    # The tip is drawn where it is not much farther away than the units are from each other.
    tip = deep and 0 <= low <= span
    foot, head = (0.0 if tip else low - 0.06 * span), high + 0.06 * span
    mm = (head - foot) / SKETCH  # in data
    across = _across(height, 1.15 * DOT / 72 / style.MM * mm)
    _draw_shank(ax, foot, head, tip)
    colors = order["location"].map(region_colors(order))
    ax.scatter(across, height, s=DOT**2, c=list(colors), lw=0, zorder=3)
    place = pd.Series(np.arange(len(order)), index=order.index)
    for row in pairs.iloc[::-1].itertuples():  # the most evident on top
        ends = place[[row.first, row.second]]
        clear = row.evidence_p <= LEVEL
        _draw_arc(
            ax,
            across[ends],
            height[ends],
            2 + (FARTHEST - 2) * abs(np.diff(height[ends])[0]) / span,
            lw=0.4 + (WIDEST - 0.4) * abs(row.evidence) / limit,
            color=style.VERMILION if clear else FAINT,
            ls=":" if row.evidence < 0 else "-",
            zorder=2.5 if clear else 2,
        )
    _name_ends(ax, order, pairs, across, height, style.LINE * mm, (foot, head))
    ax.set(xlim=(-16.5, 13), ylim=(foot - 0.01 * span, head))
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.spines["left"].set_visible(deep)
    if deep:
        ax.set_ylabel("depth (µm)")
    else:
        ax.set_yticks([])


def _across(height: np.ndarray, apart: float) -> np.ndarray:
    """Return where dots stand across the shank, side by side where they would touch."""
    lane = np.zeros(len(height), dtype=int)
    last: list[float] = []  # the highest dot of each lane
    for i in np.argsort(height, kind="stable"):
        free = [n for n, below in enumerate(last) if height[i] - below >= apart]
        lane[i] = free[0] if free else len(last)
        last[lane[i] : lane[i] + 1] = [height[i]]
    lanes = len(last)
    step = min(1.2, 2 * SHANK / lanes)
    return (lane - (lanes - 1) / 2) * step


def _draw_shank(ax: Axes, foot: float, head: float, tip: bool) -> None:
    point = foot + 0.04 * (head - foot) if tip else foot
    corners = [(-SHANK, head), (-SHANK, point), (0, foot), (SHANK, point), (SHANK, head)]
    ax.add_patch(Polygon(corners, closed=True, fc="#f0f0f0", lw=0, zorder=0))


def _draw_arc(ax: Axes, x: np.ndarray, y: np.ndarray, reach: float, **look: object) -> None:
    far = SHANK + reach
    corners = [(x[0], y[0]), (far, y[0]), (far, y[1]), (x[1], y[1])]
    path = Path(corners, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    ax.add_patch(PathPatch(path, fill=False, capstyle="round", **look))


def _name_ends(
    ax: Axes,
    order: pd.DataFrame,
    pairs: pd.DataFrame,
    across: np.ndarray,
    height: np.ndarray,
    gap: float,
    limits: tuple[float, float],
) -> None:
    """Name the units of pairs left of the shank, as near to their height as lines of text allow."""
    place = pd.Series(np.arange(len(order)), index=order.index)
    named = place[pd.unique(pairs[["first", "second"]].to_numpy().ravel())].to_numpy()
    named = named[np.argsort(height[named], kind="stable")]
    clear = set(place[significant(pairs)[["first", "second"]].to_numpy().ravel()])
    names = names_of(order, "", SHORT)
    lines = spread(height[named], gap, limits)
    for i, line in zip(named, lines, strict=True):
        ax.annotate(
            names[i],
            (across[i], height[i]),
            (-SHANK - NAMES, line),
            ha="right",
            va="center",
            size=style.SMALL,
            color=style.VERMILION if i in clear else "#404040",
            weight="bold" if i in clear else "normal",
            arrowprops={"arrowstyle": "-", "color": style.PALE, "lw": 0.5, "shrinkA": 1},
        )


def spread(wanted: np.ndarray, gap: float, limits: tuple[float, float]) -> np.ndarray:
    """Return heights at least `gap` apart, as near as can be to those wanted, which are sorted.

    What lies too close forms groups about their mean (pool adjacent violators).
    """
    steps = gap * np.arange(len(wanted))
    groups: list[list[float]] = []  # sum and number of what each group wants, less the steps
    for value in wanted - steps:
        groups.append([value, 1])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, number = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + number]
    means = np.concatenate([np.full(int(number), total / number) for total, number in groups])
    low, high = limits
    return np.clip(means, low, max(low, high - steps[-1])) + steps
