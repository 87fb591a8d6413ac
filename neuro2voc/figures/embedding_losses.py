"""Losses of embedding networks while they learn: a panel per condition and receptive field."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuro2voc.embedding_scores import UNTOLD
from neuro2voc.figures import style
from neuro2voc.figures.embedding import in_order
from neuro2voc.recording import Recording

COLUMNS = 3
HEIGHT = 36  # mm, of a row of panels


@style.in_style()
def draw_embedding_losses(losses: pd.DataFrame, recording: Recording) -> Figure:
    """Draw the loss of every network against its iterations, beside chance.

    Parameters
    ----------
    losses : DataFrame
        See `neuro2voc.embedding_scores.Embedded.curves`; empty where no network was trained.
    recording : Recording
        The bird.
    """
    cells = in_order(list(losses.groupby(["method", "field"]).groups))
    handles = _handles(losses)
    lines = max(1, -(-len(cells) // COLUMNS))
    figure = style.new_figure(
        style.PAGE,
        HEIGHT * lines,
        f"{recording.name}: did embedding networks tell anything apart?",
        [_headline(losses, cells)],
        [
            "InfoNCE in nats, means over stretches of iterations. Chance is the logarithm of the "
            "batch, twice that for hybrid, which has two aims. These are losses of the bouts "
            "trained on: a network can learn noise by heart, as on the surrogate; what counts is "
            "decoded on held-out bouts."
        ],
        keys=1,
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(lines, COLUMNS, squeeze=False)
    for ax in axes.ravel()[len(cells) :]:
        ax.set_axis_off()
    for ax, (method, field) in zip(axes.ravel(), cells, strict=False):
        mine = losses[(losses["method"] == method) & (losses["field"] == field)]
        for (bird, _), one in mine.groupby(["bird", "fold"]):
            color = style.BLUE if bird == "real" else style.VERMILION
            ax.plot(one["iteration"], one["loss"], color=color, lw=0.9, zorder=2 + (bird != "real"))
        chance = mine["chance"].iat[0]
        ax.axhline(chance, color=style.BLACK, lw=0.8, zorder=1)
        room = max(chance - mine["loss"].min(), 0.02 * chance)
        ax.set_ylim(chance - 1.1 * room, max(chance + 0.25 * room, mine["loss"].quantile(0.99)))
        ax.set_xlim(0, mine["iteration"].max())
        bins = "1 bin" if field == 1 else f"{field} bins"
        ax.set_title(f"{method}, {bins}: {_fell(mine)}")
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for ax in axes[:, 0]:
        ax.set_ylabel("loss (nats)")
    for ax in axes.ravel()[: len(cells)][-COLUMNS:]:
        ax.set_xlabel("iteration")
    style.legend_below(figure, handles, len(handles))
    return figure


def reached(losses: pd.DataFrame) -> pd.Series:
    """Return the last loss of every network of the bird itself, by its fold."""
    own = losses[losses["bird"] == "real"]
    return own.sort_values("iteration").groupby("fold")["loss"].last()


def _fell(losses: pd.DataFrame) -> str:
    below = losses["chance"].iat[0] - reached(losses).mean()
    return f"{abs(below):.2f} {'below' if below >= 0 else 'above'} chance"


def _headline(losses: pd.DataFrame, cells: list) -> str:
    if not cells:
        return "No network was trained."
    total, untold = 0, 0
    for method, field in cells:
        mine = losses[(losses["method"] == method) & (losses["field"] == field)]
        last = reached(mine)
        total += len(last)
        untold += int((last > (1 - UNTOLD) * mine["chance"].iat[0]).sum())
    if not untold:
        return f"All {total} networks ended below chance: they tell apart what they were to."
    return (
        f"{untold} of {total} networks did not get below chance: they hardly tell apart what they "
        "were to."
    )


def _handles(losses: pd.DataFrame) -> list[Line2D]:
    handles = [Line2D([], [], color=style.BLUE, label="a network of the bird, one per fold")]
    if (losses["bird"] == "shifted").any():
        words = "a network of a shifted surrogate"
        handles.append(Line2D([], [], color=style.VERMILION, label=words))
    handles.append(Line2D([], [], color=style.BLACK, lw=0.8, label="chance"))
    return handles
