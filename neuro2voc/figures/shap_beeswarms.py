"""SHAP values of single trials: how the units that matter most speak for each syllable."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import spearmanr

from neuro2voc.attribution import Explanation
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import region_colors
from neuro2voc.figures.players import are_bins, noun_of, number_of
from neuro2voc.figures.shap_syllables import LEVEL, name_of
from neuro2voc.figures.words import shortened
from neuro2voc.inclusion import UNKNOWN
from neuro2voc.recording import Binned, Recording
from neuro2voc.unit_correlations import activity_of

SHOWN = 6  # units of each syllable
ACROSS = 2  # panels side by side
ROW = 6.0  # mm for one unit: its trials of the syllable above, all others below
HALF = 0.23  # of a row, from its middle to that of either half
ROOM = 0.4  # of a row, for the dots of a half
DOT = (0.4, 0.9)  # mm, least and greatest diameter
FILLED = 0.25  # of a half's area, about what its dots cover
AXIS = 60  # mm, about the width of a panel's axis
GOLDEN = 0.6180339887498949  # its multiples modulo 1 spread evenly without being random
# Even to the eye and with any colour vision; without its end, which is lost on white.
MAP = ListedColormap(colormaps["viridis"](np.linspace(0, 0.9, 256)))
UNSEEN = (0.6, 0.6, 0.6, 1.0)  # where the unit was not observed
BAR = 2.5  # mm, thickness of the colour scale
SHADE = "#ececec"
MUTED = 0.35  # of the colour that is left where nothing stands out


@style.in_style()
def draw_shap_beeswarms(
    explanation: Explanation,
    table: pd.DataFrame,
    cells: pd.DataFrame,
    recording: Recording,
    protocol: Protocol,
) -> Figure:
    """Draw the SHAP value of every held-out trial, for the foremost units of each syllable.

    Parameters
    ----------
    explanation : Explanation
    table : DataFrame
        Of players; see `neuro2voc.attribution_tables.unit_table`.
    cells : DataFrame
        Of players and syllables; see `neuro2voc.attribution_tables.cell_table`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what the models saw.
    """
    labels = explanation.labels
    shown = min(SHOWN, len(table))
    down = -(-len(labels) // ACROSS)
    handles = _handles(cells, table)
    figure = style.new_figure(
        style.PAGE,
        down * (ROW * shown + 6) + (6 if len(labels) % ACROSS else 6 + 14),
        f"{recording.name}: what single trials say of each syllable, from {protocol.feature}",
        [_headline(explanation, table, cells)],
        _notes(explanation, table, protocol),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(down, ACROSS, squeeze=False, sharex=True).ravel()
    values, seen = explanation.of_units, activity_of(explanation)
    chosen = [foremost(cells[cells["syllable"] == label], shown) for label in labels]
    drawn = [values[:, cell["player"], number] for number, cell in enumerate(chosen)]
    span = np.nanmax(np.concatenate(drawn)) - np.nanmin(np.concatenate(drawn))
    for ax, label, cell, x in zip(axes, labels, chosen, drawn, strict=False):
        sung = (explanation.trials["truth"] == label).to_numpy()
        _draw_syllable(ax, x, seen[:, cell["player"]], sung, cell, span or 1.0)
        _label_rows(ax, cell, table, seen, _measure(recording, protocol))
        ax.set_title(_title(label, cells, shown), weight="bold")
    for ax in axes[max(0, len(labels) - ACROSS) : len(labels)]:
        ax.tick_params(axis="x", labelbottom=True)
    for ax in axes[len(axes) - ACROSS : len(labels)]:
        ax.set_xlabel("SHAP value for the syllable's margin (nats)")
    _explain_colors(figure, axes, len(labels), shown, noun_of(table))
    style.legend_below(figure, handles, 2)
    return figure


def foremost(cell: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return a syllable's players that stand out most; without a null, those that weigh most."""
    order = cell.sort_values(["t", "absolute"], ascending=False, kind="stable", na_position="last")
    return order.head(number)


def swarm(values: np.ndarray, cell: float, dot: float, room: float) -> np.ndarray:
    """Return offsets that part dots of like value, symmetric about 0.

    Dots within a cell of values stand one dot apart, or as close as it takes for all of them to fit
    into the room. Their order is mixed, so that early trials are not below late ones.

    Parameters
    ----------
    values : ndarray (n,)
    cell : float
        Width of a cell, as the values.
    dot, room : float
        A dot's diameter and the room for offsets, in one unit.
    """
    _, place, number = np.unique(np.floor(values / cell), return_inverse=True, return_counts=True)
    mixed = np.arange(len(values)) * GOLDEN % 1
    order = np.lexsort((mixed, place))
    rank = np.empty(len(values))
    rank[order] = np.arange(len(values)) - np.repeat(np.cumsum(number) - number, number)
    apart = np.minimum(dot, (room - dot) / np.maximum(number - 1, 1))
    return (rank - (number[place] - 1) / 2) * apart[place]


def _title(label: str, cells: pd.DataFrame, shown: int) -> str:
    """Return a panel's title: its syllable and, if not all that stand out are shown, how many."""
    standing = ((cells["syllable"] == label) & (cells["p"] <= LEVEL)).sum()
    words = f": {shown} of {standing} that stand out" if standing > shown else ""
    return f"{shortened(label)}{words}"


def _draw_syllable(
    ax: Axes,
    values: np.ndarray,
    seen: np.ndarray,
    sung: np.ndarray,
    cell: pd.DataFrame,
    span: float,
) -> None:
    """Draw a syllable's trials: values and seen (trials, rows), sung (trials,).

    Parameters
    ----------
    cell : DataFrame
        The rows: players.
    span : float
        Of all panels' values (nats).
    """
    dot = float(np.clip(np.sqrt(FILLED * AXIS * ROW * ROOM / len(values)), *DOT))
    for row, (present, absent, p) in enumerate(cell[["present", "absent", "p"]].to_numpy()):
        color, known = _colors(seen[:, row], muted=p > LEVEL), ~np.isnan(values[:, row])
        for middle, half, mean in (
            (row - HALF, known & sung, present),
            (row + HALF, known & ~sung, absent),
        ):
            x = values[half, row]
            y = middle + swarm(x, dot * span / AXIS, dot / ROW, ROOM)
            area = (dot * style.MM * 72) ** 2
            ax.scatter(x, y, s=area, c=color[half], lw=0, rasterized=True, zorder=2)
            if half.any():
                _mark_mean(ax, mean, middle)
        ax.axhspan(row - 2 * HALF, row, color=SHADE, lw=0, zorder=0)
    ax.axvline(0, color=style.BLACK, lw=0.5, zorder=1)
    ax.set_ylim(len(cell) - 0.5, -0.5)


def _mark_mean(ax: Axes, mean: float, middle: float) -> None:
    ends = [middle - ROOM / 2, middle + ROOM / 2]
    for color, width in (("white", 2.2), (style.BLACK, 1.2)):
        ax.plot([mean, mean], ends, color=color, lw=width, zorder=3, solid_capstyle="butt")


def _colors(seen: np.ndarray, muted: bool) -> np.ndarray:
    """Return colours (trials, 4) from a player's least to its greatest activity."""
    low, high = _range(seen)
    colors = MAP((seen - low) / ((high - low) or 1.0))
    colors[np.isnan(seen)] = UNSEEN
    return 1 - MUTED * (1 - colors) if muted else colors


def _range(seen: np.ndarray) -> tuple[float, float]:
    known = seen[~np.isnan(seen)]
    return (known.min(), known.max()) if len(known) else (0.0, 0.0)


def _label_rows(
    ax: Axes, cell: pd.DataFrame, table: pd.DataFrame, seen: np.ndarray, measure: str
) -> None:
    """Write each row's player, its place, and what the ends of the colour scale mean for it."""
    colors, labels = {**region_colors(table), UNKNOWN: style.BLACK}, []
    for found in cell.itertuples():
        player = table.iloc[found.player]
        low, high = _range(seen[:, found.player])
        labels.append(f"{_short_place(player)}\n{low:.3g}–{high:.3g}{measure}")
    ax.set_yticks(range(len(cell)), labels, size=style.SMALL - 0.5)
    ax.tick_params(axis="y", length=0)
    for text, found in zip(ax.get_yticklabels(), cell.itertuples(), strict=True):
        stands = found.p <= LEVEL
        text.set_color(colors[table["location"].iat[found.player]] if stands else style.GREY)
        text.set_weight("bold" if stands else "normal")
    for name, y in (("sung", -HALF), ("others", HALF)):
        place = {"xycoords": ax.get_yaxis_transform(), "va": "center", "ha": "left"}
        ax.annotate(name, (1.01, y), size=style.SMALL - 0.5, color=style.GREY, **place)


def _short_place(player: pd.Series) -> str:
    if not np.isnan(player["start"]):
        return f"{name_of(player)} ms"
    depth = "" if np.isnan(player["depth"]) else f", {player['depth']:.0f} µm"
    return f"{shortened(player['unit'], 9)}{depth}"


def _measure(recording: Recording, protocol: Protocol) -> str:
    """Return the unit of what the models saw, with a space before it."""
    if isinstance(recording.units, Binned):
        return ""
    return " Hz" if protocol.feature == "rate" else " spikes"


def _explain_colors(figure: Figure, axes: np.ndarray, panels: int, shown: int, name: str) -> None:
    """Draw the colour scale, in the place of the missing panel where there is one."""
    scale = ScalarMappable(cmap=MAP)
    if panels < len(axes):
        axes[-1].axis("off")
        thick = BAR / (ROW * shown)
        place = axes[-1].inset_axes((0.1, 0.9 - thick, 0.8, thick))
        bar = figure.colorbar(scale, cax=place, orientation="horizontal")
    else:
        shape = {"shrink": 0.4, "aspect": 0.4 * style.PAGE / BAR, "pad": BAR / (ROW * shown)}
        bar = figure.colorbar(scale, ax=list(axes), location="bottom", **shape)
    bar.set_label(f"the {name}'s activity in the trial (its range stands under its name)")
    bar.set_ticks([0, 1], labels=["least", "most"])
    bar.outline.set_visible(False)


def _handles(cells: pd.DataFrame, table: pd.DataFrame) -> list:
    point = {"marker": "o", "ms": 2.5, "mew": 0, "ls": "none"}
    handles = [
        Line2D([], [], color=MAP(0.5), **point, label="a held-out trial"),
        Line2D([], [], color=style.BLACK, lw=1.2, label="mean of the row (syllables weigh alike)"),
        Patch(color=SHADE, label="trials in which the syllable was sung; below: all others"),
    ]
    if cells["p"].notna().any():
        known = (table["location"] != UNKNOWN).any()
        where = "bold, in its region's colour" if known else "bold"
        name = "bin of time" if are_bins(table) else "unit, depth"
        label = f"{name}: {where} where it stands out (p ≤ {LEVEL} for all {len(cells)}), else pale"
        handles.append(Line2D([], [], ls="none", label=label))
    return handles


def _headline(explanation: Explanation, table: pd.DataFrame, cells: pd.DataFrame) -> str:
    if cells["p"].isna().all():
        return f"Without surrogates nothing is judged: these are the values of {number_of(table)}."
    standing = cells[cells["p"] <= LEVEL]
    if standing.empty:
        return (
            f"None of {number_of(table)} stands out for any syllable: what is drawn are the "
            "foremost of values that shifted surrogates have as well."
        )
    right = (standing["present"] > standing["absent"]).sum()
    rises = _rises(explanation, standing)
    more, less = ((sign * rises > 0).sum() or "none" for sign in (1, -1))
    return (
        f"In {right or 'none'} of {len(standing)} cases of a {noun_of(table)} that stands out for "
        "a syllable, it speaks for it more where the syllable was sung than elsewhere; in "
        f"{more} by firing more, in {less} by firing less."
    )


def _rises(explanation: Explanation, cells: pd.DataFrame) -> np.ndarray:
    """Return the rank correlation of activity and SHAP value over trials, for each cell."""
    values, seen = explanation.of_units, activity_of(explanation)
    found = []
    for cell in cells.itertuples():
        x, y = seen[:, cell.player], values[:, cell.player, explanation.labels.index(cell.syllable)]
        known = ~np.isnan(x) & ~np.isnan(y)
        vary = np.ptp(x[known]) > 0 and np.ptp(y[known]) > 0
        found.append(spearmanr(x[known], y[known]).statistic if vary else np.nan)
    return np.array(found)


def _notes(explanation: Explanation, table: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = table.iloc[0]
    notes = [
        f"Boosted trees for all syllables at once on {protocol.feature}, split '{protocol.split}': "
        f"{first['n_trials']:.0f} trials in {first['n_bouts']:.0f} bouts, each explained by a "
        f"model that has not seen it; balanced accuracy {first['balanced_accuracy']:.2f}, chance "
        f"{first['chance']:.2f}. Right of 0: the {noun_of(table)} speaks for the syllable."
    ]
    if np.isnan(explanation.values).any():
        notes.append(
            "Trials of a fold whose training part lacks a syllable have no value for it and are "
            "not drawn there."
        )
    if np.isnan(explanation.features).any():
        notes.append("Grey dots: the unit was not observed in the whole window.")
    if len(explanation.labels) == 2:
        notes.append("With two syllables, what speaks for one speaks as much against the other.")
    return notes
