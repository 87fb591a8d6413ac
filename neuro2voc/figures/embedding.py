"""Embeddings of bouts that no network saw, and what decoders tell there."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.bout_bins import SILENCE
from neuro2voc.contrast import CONDITIONS
from neuro2voc.embedding_files import Points
from neuro2voc.embedding_scores import Cell
from neuro2voc.figures import style
from neuro2voc.figures.growing_windows import control
from neuro2voc.nulls import FEWEST
from neuro2voc.projections import COUNTS, LINEAR, METHODS
from neuro2voc.recording import Recording

COLUMNS = 5  # panels beside each other
PANEL, ROW, ENDS = 34, 4.4, 13  # mm: a panel, a row of scores, axis and heading of the scores
NAMES = {
    "time": "CEBRA time",
    "behaviour": "CEBRA behaviour",
    "hybrid": "CEBRA hybrid",
    "lda": "linear (LDA, 3-D)",
    "pca": "PCA, 3-D",
    "umap": "UMAP, 3-D",
    "counts": "the bins themselves",
}
SHIFTED = "shifted surrogate"


@style.in_style()
def draw_embedding(points: Points, scores: pd.DataFrame, recording: Recording) -> Figure:
    """Draw embeddings of the first held-out fold, and the scores of all folds beside their nulls.

    Parameters
    ----------
    points : Points
    scores : DataFrame
        See `neuro2voc.embedding_scores.Embedded`.
    recording : Recording
        The bird.
    """
    panels = _panels(points)
    lines = -(-len(panels) // COLUMNS)
    cells = in_order(list(scores.groupby(["method", "field"]).groups))
    bottom = ROW * len(cells) + ENDS
    handles = _handles(points, scores)
    figure = style.new_figure(
        style.PAGE,
        PANEL * lines + bottom,
        f"{recording.name}: do embeddings of unseen bouts tell syllables apart?",
        _headline(scores, recording),
        [_note(points, scores), *_protocol(scores)],
        keys=2,
        kind=style.kind_of(recording),
    )
    upper, lower = figure.add_gridspec(2, 1, height_ratios=[PANEL * lines, bottom])
    grid = upper.subgridspec(lines, COLUMNS)
    labels = sorted(set(points.label) - {SILENCE})
    colors = style.colors_of(labels, style.SYLLABLES)
    for place, (title, values) in enumerate(panels):
        ax = figure.add_subplot(grid[place // COLUMNS, place % COLUMNS])
        _draw_points(ax, title, values, points, colors)
    _draw_scores(figure.add_subplot(lower), scores, cells, points.width)
    style.legend_below(figure, handles, len(handles) // 2)
    return figure


def in_order(cells: Sequence[Cell]) -> list[Cell]:
    """Return cells by method, then by receptive field."""
    return sorted(cells, key=lambda cell: (METHODS.index(cell[0]), cell[1]))


def title_of(cell: Cell, width: float) -> str:
    """Return what a cell is called, with its receptive field in ms."""
    return f"{NAMES[cell[0]]}, {1e3 * cell[1] * width:.0f} ms"


def first_fold(values: np.ndarray, points: Points) -> np.ndarray:
    """Return which bins have a place, of the first fold that has any: others lie turned."""
    seen = np.isfinite(values[:, 0])
    return seen & (points.fold == points.fold[seen].min())


def projected(values: np.ndarray) -> np.ndarray:
    """Return points (n, 2) seen from the side on which they spread most; labels have no say."""
    centred = values - values.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    # Signs of singular vectors are anybody's.
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    return centred @ axes.T


def _panels(points: Points) -> list[tuple[str, np.ndarray]]:
    """Return title and points of every panel; last the shifted surrogate of a network."""
    own, moved = points.sets["points"], points.sets["shifted"]
    own = {cell: own[cell] for cell in in_order(list(own)) if cell[0] != COUNTS}
    panels = [
        ("\n".join(title_of(cell, points.width).rsplit(", ", 1)), values)
        for cell, values in own.items()
    ]
    networks = [cell for cell in own if cell[0] == "behaviour" and cell in moved]
    networks = networks or [cell for cell in own if cell[0] in CONDITIONS and cell in moved]
    if networks:
        cell = networks[-1]
        title = title_of(cell, points.width).removeprefix("CEBRA ")
        panels.append((f"{SHIFTED}:\n{title}", moved[cell]))
    return panels


def _draw_points(ax: Axes, title: str, values: np.ndarray, points: Points, colors: dict) -> None:
    rows = first_fold(values, points)
    shown = values[rows][:, np.isfinite(values[rows]).all(axis=0)]
    flat = projected(shown) if shown.shape[1] > 1 else np.c_[shown, np.zeros(len(shown))]
    color = np.array([colors[label] for label in points.label[rows]])
    ax.scatter(*flat.T, s=1.6, c=color, lw=0, alpha=0.8, rasterized=True)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, size=style.SMALL)
    ax.title.set_color(style.VERMILION if SHIFTED in title else style.BLACK)
    ax.set_adjustable("datalim")
    ax.spines[:].set_visible(False)


def _draw_scores(ax: Axes, scores: pd.DataFrame, cells: list[Cell], width: float) -> None:
    first = scores["decoder"].iat[0]
    for place, (method, field) in enumerate(cells):
        mine = scores[(scores["method"] == method) & (scores["field"] == field)]
        row = mine[mine["decoder"] == first].iloc[0]
        others = mine.loc[mine["decoder"] != first, "balanced_accuracy"]
        color = style.BLUE if method in CONDITIONS else style.BLACK
        if np.isfinite(row["null_low"]):
            span = [row["null_low"], row["null_high"]]
            ax.plot(span, [place, place], color=style.PALE, lw=6, solid_capstyle="butt", zorder=1)
        ax.plot([row["low"], row["high"]], [place, place], color=color, lw=1.2, zorder=3)
        ax.plot(others, [place] * len(others), "|", ms=5, mew=0.8, color=color, ls="", zorder=2)
        ax.plot(row["balanced_accuracy"], place, "o", ms=4.5, color=color, zorder=4)
        ax.plot(row["leak"], place, "x", ms=4.5, mew=1.2, color=style.VERMILION, zorder=3)
    ax.axvline(scores["chance"].iat[0], color=style.BLACK, lw=0.7, zorder=0)
    ax.set_yticks(range(len(cells)), [title_of(cell, width) for cell in cells])
    ax.set_ylim(len(cells) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.set_xlabel("balanced accuracy of single bins")
    ax.tick_params(axis="y", length=0)


def _handles(points: Points, scores: pd.DataFrame) -> list[Line2D]:
    """Return two rows of marks, syllables above, in the order in which legends fill columns."""
    labels = sorted(set(points.label) - {SILENCE})
    colors = style.colors_of(labels, style.SYLLABLES)
    dot = {"marker": "o", "ls": "none", "ms": 4}
    above = [Line2D([], [], color=colors[name], label=name, **dot) for name in labels]
    first = scores["decoder"].iat[0]
    others = [name for name in scores["decoder"].unique() if name != first]
    whole = {"marker": "o", "lw": 1.2, "ms": 4}
    below = [
        Line2D([], [], color=style.BLUE, label=f"CEBRA, {first}", **whole),
        Line2D([], [], color=style.BLACK, label=f"no CEBRA, {first}", **whole),
        Line2D([], [], marker="x", ls="none", ms=4, mew=1.2, color=style.VERMILION, label="leak"),
        Line2D([], [], color=style.BLACK, lw=0.7, label="chance"),
    ]
    if scores["null_low"].notna().any():
        below.append(Line2D([], [], color=style.PALE, lw=6, label=SHIFTED))
    if others:
        marks = {"marker": "|", "ls": "none", "ms": 5, "color": style.GREY}
        below.append(Line2D([], [], label=", ".join(others), **marks))
    rows = max(len(above), len(below))
    blank = [Line2D([], [], ls="none", label="") for _ in range(rows)]
    pairs = zip([*above, *blank][:rows], [*below, *blank][:rows], strict=True)
    return [handle for pair in pairs for handle in pair]


def _headline(scores: pd.DataFrame, recording: Recording) -> list[str]:
    first = scores[scores["decoder"] == scores["decoder"].iat[0]]
    kinds = {
        "CEBRA": first[first["method"].isin(CONDITIONS)],
        "linear projections": first[first["method"] == LINEAR],
        "the bins themselves": first[first["method"] == COUNTS],
        "shifted": None,
    }
    parts = []
    for name, rows in kinds.items():
        values = first["null_low"] if rows is None else rows["balanced_accuracy"]
        highest = first["null_high"] if rows is None else values
        if values.notna().any():
            parts.append(f"{name} {_span(values.min(), highest.max())}")
    said = f"Bouts held out: {', '.join(parts)}; chance {first['chance'].iat[0]:.2f}."
    return [said, control(recording) if recording.surrogate else _beside_linear(first)]


def _beside_linear(first: pd.DataFrame) -> str:
    """Say in how many spaces CEBRA tells more than a linear projection, and if it learnt at all."""
    networks = first[first["method"].isin(CONDITIONS)]
    cebra = networks[networks["gain"].notna()]
    parts = []
    if len(cebra):
        more = (cebra["gain_low"] > 0).sum()
        parts.append(
            f"CEBRA tells more than a linear projection of the same bins in {more} of {len(cebra)} "
            "spaces"
        )
    failed = [
        f"{networks[column].sum():.0f} {what}"
        for column, what in (("collapsed", "collapsed"), ("untold", "stayed at chance"))
        if networks[column].sum()
    ]
    if failed:
        parts.append(f"of {networks['networks'].sum():.0f} networks {' and '.join(failed)}")
    return f"{'; '.join(parts)}." if parts else ""


def _span(low: float, high: float) -> str:
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"


def _protocol(scores: pd.DataFrame) -> list[str]:
    """Say how long CEBRA learnt, what the published protocol gives, and which networks failed."""
    first = scores[scores["decoder"] == scores["decoder"].iat[0]]
    first = first[first["method"].isin(CONDITIONS)]
    if first.empty:
        return []
    said = [f"CEBRA learnt for {first['iterations'].max():,.0f} iterations (published: 50,000)."]
    gain = (first["leak"] - first["balanced_accuracy"]).mean()
    if np.isfinite(gain):
        said.append(
            "Leak: the published protocol, which trains CEBRA on all bouts and holds out single "
            f"bins; {gain:+.2f} on average."
        )
    return [" ".join([*said, *_failures(first)])]


def _failures(first: pd.DataFrame) -> list[str]:
    """Say which networks put all bins in one place, or learnt nothing."""
    said = []
    for column, what in (
        ("collapsed", "put all bins in one place"),
        ("untold", "never got below a loss of chance"),
    ):
        rows = first[first[column] > 0]
        names = [
            f"{row.method} with {row.field} {'bin' if row.field == 1 else 'bins'} "
            f"({getattr(row, column):.0f} of {row.networks:.0f})"
            for row in rows.itertuples()
        ]
        if names:
            said.append(f"Networks that {what}: {', '.join(names)}.")
    return said


def _note(points: Points, scores: pd.DataFrame) -> str:
    row = scores.iloc[0]
    gain = scores.loc[scores["decoder"] == row["decoder"], "gain"].dropna()
    words = (
        f"{row['n_bins']:.0f} bins of {1e3 * points.width:g} ms in {row['n_bouts']:.0f} bouts, "
        "each embedded by a network that saw none of its fold and decoded by what learnt on the "
        f"others; its label is the syllable sung {1e3 * points.lead:g} ms later. Bars: 95 % "
        "intervals over bouts. Above: bouts of the first fold, seen from the side on which they "
        "spread most, which no label chose."
    )
    if len(gain):
        ends = dict.fromkeys(f"{end:+.2f}".replace("-", "−") for end in (gain.min(), gain.max()))
        words += (
            f" CEBRA's gain over a linear projection of the same bins: {' to '.join(ends)}; it "
            "tells more where the 95 % interval of its gain in the same bouts lies above 0."
        )
    if scores["null_replicates"].max() > 0:
        number = int(scores["null_replicates"].max())
        words += f" Grey: range of {number} shifted {'surrogate' if number == 1 else 'surrogates'}"
        words += ", trained anew: too few for a p value." if number < FEWEST else ", trained anew."
    return words
