"""Losses of networks while they learn: a row per network, a panel per fold, lines per training."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuro2voc.figures import style
from neuro2voc.recording import Recording

HEIGHT, HEADING = 29, 4  # mm, of a row and of the panels' names above the first
TRAINING = ["decoder", "feature", "fold", "inner"]  # what tells one training from another


@style.in_style()
def draw_losses(
    losses: pd.DataFrame,
    metrics: Sequence[Mapping],
    recording: Recording,
    training: Mapping[str, Mapping],
) -> Figure:
    """Draw training and validation loss of a bird's networks against epochs.

    Parameters
    ----------
    losses : DataFrame
        decoder, and the columns of `neuro2voc.network_fit.decode_by_networks`.
    metrics : sequence of mapping
        Contents of each network's metrics.json, under one split.
    recording : Recording
        The bird.
    training : mapping
        The configuration's, by decoder.
    """
    results = {
        (content["decoder"], feature): cell
        for content in metrics
        for feature, cell in content["features"].items()
    }
    rows = list(losses.groupby(["decoder", "feature"], sort=False))
    folds = sorted(losses["fold"].unique())
    handles = _handles()
    figure = style.new_figure(
        style.PAGE,
        HEIGHT * len(rows) + HEADING,
        f"{recording.name}: did the networks learn what generalises?",
        _headline(losses, results, training),
        _notes(losses, results, training, metrics[0]["split"]),
        keys=1,
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(len(rows), len(folds), sharex="row", sharey="row", squeeze=False)
    for i, (row, (key, mine)) in enumerate(zip(axes, rows, strict=True)):
        chance = -np.log(results[key]["chance"])
        for ax, fold in zip(row, folds, strict=True):
            _draw_fold(ax, mine[mine["fold"] == fold], chance)
            # A blank line keeps room for the row's heading, which is wider than a panel.
            ax.set_title(" " if i else f" \nwithout fold {fold}")
        highest = mine[["training", "validation"]].max().max()
        row[0].set(xlim=(0, mine["epoch"].max() + 1), ylim=(0, 1.08 * np.nanmax([highest, chance])))
        row[0].set_ylabel("loss (nats)")
        _head(row[0], _heading(key, mine, results[key]), lift=3 if i else 14)
        row[0].xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    style.legend_below(figure, handles, len(handles))
    return figure


def lowest(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each training whose validation loss is lowest, the earliest of equals."""
    losses = losses.reset_index(drop=True)  # tables put together may repeat numbers
    return losses.loc[losses.groupby(TRAINING, sort=False)["validation"].idxmin()]


def _head(ax: Axes, text: str, lift: float) -> None:
    """Write a row's heading, `lift` pt above its first panel."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "weight": "bold"}
    ax.annotate(text, (0, 1), xytext=(0, lift), **place).set_in_layout(False)


def _heading(key: tuple[str, str], losses: pd.DataFrame, cell: Mapping) -> str:
    best = lowest(losses)
    return (
        f"{', '.join(key)}: loss {best['validation'].mean():.2f} on inner folds, "
        f"{best['training'].mean():.2f} in training, {-np.log(cell['chance']):.2f} knowing "
        f"nothing; decodes {_score(cell)}"
    )


def _score(cell: Mapping) -> str:
    """Return the balanced accuracy with its interval, which a single bout has none of."""
    score = f"{cell['balanced_accuracy']:.2f}"
    told = cell["low"] is not None and not np.isnan(cell["low"])
    return f"{score} ({cell['low']:.2f} to {cell['high']:.2f})" if told else score


def _draw_fold(ax: Axes, losses: pd.DataFrame, chance: float) -> None:
    ax.axhline(chance, color=style.BLACK, lw=0.7)
    for _, one in losses.groupby("inner"):
        ax.plot(one["epoch"], one["training"], "--", color=style.VERMILION, lw=0.7)
        ax.plot(one["epoch"], one["validation"], color=style.BLUE, lw=0.9)
    best = lowest(losses)
    ax.plot(best["epoch"], best["validation"], "o", ms=3.5, color=style.BLUE)


def _handles() -> list:
    blue = {"color": style.BLUE}
    return [
        Line2D([], [], color=style.VERMILION, lw=0.7, ls="--", label="trials trained on"),
        Line2D([], [], lw=0.9, **blue, label="inner fold held out"),
        Line2D([], [], ls="", marker="o", ms=3.5, **blue, label="weights kept"),
        Line2D([], [], color=style.BLACK, lw=0.7, label="knowing nothing"),
    ]


def _names(keys: Sequence[tuple[str, str]], results: Mapping) -> str:
    """Name networks, with their feature where a network has several."""
    decoders = [decoder for decoder, _ in results]
    return ", ".join(
        decoder if decoders.count(decoder) == 1 else f"{decoder} on {feature}"
        for decoder, feature in keys
    )


def _headline(losses: pd.DataFrame, results: Mapping, training: Mapping) -> list[str]:
    """Judge networks by what none saw, and by losses, since some that learn nothing are lucky."""
    best = lowest(losses)
    held = best.groupby(["decoder", "feature"])["validation"].mean()
    yes = [
        key
        for key, cell in results.items()
        if cell["low"] is not None
        and cell["low"] > cell["chance"]
        and held[key] < -np.log(cell["chance"])
    ]
    no = [key for key in results if key not in yes]
    lines = []
    if yes:
        lines.append(
            f"Yes: {_names(yes, results)}. Losses on inner folds fall below knowing nothing, and "
            "folds that no network saw are decoded above chance (whole interval over bouts)."
        )
    if no:
        lines.append(f"Not that one could tell: {_names(no, results)}.")
    late = best[best["epoch"] == [training[name]["epochs"] for name in best["decoder"]]]
    if len(late):
        where = ", ".join(f"{name} {n}" for name, n in late["decoder"].value_counts().items())
        lines.append(
            f"{len(late)} of {len(best)} trainings were best in the last epoch allowed ({where}): "
            "raise `epochs` under `training`."
        )
    return lines


def _notes(losses: pd.DataFrame, results: Mapping, training: Mapping, split: str) -> list[str]:
    cells = list(results.values())
    patience = sorted({training[name]["patience"] for name in losses["decoder"].unique()})
    return [
        f"{len(lowest(losses))} trainings under the split {split}: {_span(cells, 'n_trials')} "
        f"trials of {_span(cells, 'n_bouts')} bouts, chance {_span(cells, 'chance', '.2f')}. Each "
        f"stops after {' or '.join(map(str, patience))} epochs without a lower loss on its inner "
        "fold and keeps the weights of its lowest; the networks of a fold then decode together "
        "the fold none of them saw (balanced accuracy, 95 % interval over bouts).",
        "Losses are cross-entropies with syllables weighed alike, in training with dropout. The "
        "lowest of many epochs flatters: inner folds choose, they do not judge. Each row has "
        "scales of its own; the comparison has the nulls.",
    ]


def _span(cells: Sequence[Mapping], key: str, how: str = "g") -> str:
    low, high = (format(end(cell[key] for cell in cells), how) for end in (min, max))
    return low if low == high else f"{low} to {high}"
