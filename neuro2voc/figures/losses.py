"""Losses of networks while they learn: a panel per fold, a line per inner fold."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style
from neuro2voc.recording import Recording

HEIGHT = 38  # mm, of a row


@style.in_style()
def draw_losses(
    losses: pd.DataFrame, metrics: dict, recording: Recording, training: dict
) -> Figure:
    """Draw training and validation loss against epochs.

    Parameters
    ----------
    losses : DataFrame
        See `neuro2voc.network_fit.decode_by_networks`.
    metrics : dict
        Contents of metrics.json.
    recording : Recording
        The bird.
    training : dict
        The configuration's.
    """
    features = list(dict.fromkeys(losses["feature"]))
    folds = sorted(losses["fold"].unique())
    chance = {name: -np.log(metrics["features"][name]["chance"]) for name in features}
    handles = _handles()
    figure = style.new_figure(
        style.PAGE,
        HEIGHT * len(features),
        f"{recording.name}: did {metrics['decoder']} learn what generalises?",
        _headline(losses, metrics, training),
        _notes(losses, metrics, training),
        keys=1,
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(len(features), len(folds), sharex=True, sharey="row", squeeze=False)
    for row, feature in zip(axes, features, strict=True):
        for ax, fold in zip(row, folds, strict=True):
            mine = losses[(losses["feature"] == feature) & (losses["fold"] == fold)]
            _draw_fold(ax, mine, chance[feature])
            ax.set_title(f"without fold {fold}")
        row[0].set_ylabel(f"{feature}: loss (nats)")
        highest = losses.loc[losses["feature"] == feature, ["training", "validation"]].max().max()
        row[0].set_ylim(0, 1.08 * max(highest, chance[feature]))
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    axes[0, 0].set_xlim(0, losses["epoch"].max() + 1)
    style.legend_below(figure, handles, len(handles))
    return figure


def lowest(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each training whose validation loss is lowest, the earliest of equals."""
    places = losses.groupby(["feature", "fold", "inner"], sort=False)["validation"].idxmin()
    return losses.loc[places]


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


def _headline(losses: pd.DataFrame, metrics: dict, training: dict) -> list[str]:
    lines = []
    best = lowest(losses)
    for feature, rows in best.groupby("feature", sort=False):
        cell = metrics["features"][feature]
        verdict = "Yes" if cell["low"] > cell["chance"] else "Not that one could tell"
        held, kept = rows["validation"].mean(), rows["training"].mean()
        lines.append(
            f"{verdict} ({feature}): on inner folds held out the loss falls to {held:.2f} nats, "
            f"where knowing nothing gives {-np.log(cell['chance']):.2f}; training, to {kept:.2f}."
        )
    last = best["epoch"] == training["epochs"]
    if last.any():
        lines.append(
            f"{last.sum()} of {len(best)} trainings were best in the last epoch allowed: raise "
            "`training.epochs`."
        )
    return lines


def _notes(losses: pd.DataFrame, metrics: dict, training: dict) -> list[str]:
    best = lowest(losses)
    scores = ", ".join(
        f"{name} {cell['balanced_accuracy']:.2f} ({cell['low']:.2f} to {cell['high']:.2f}, chance "
        f"{cell['chance']:.2f})"
        for name, cell in metrics["features"].items()
    )
    return [
        f"{len(best)} networks, under the split {metrics['split']}. Each stops after "
        f"{training['patience']} epochs without a lower loss on its inner fold and keeps the "
        "weights of its lowest; the networks of a fold then decode together the fold none of them "
        f"saw. Balanced accuracy there: {scores}.",
        "Losses are cross-entropies with syllables weighed alike, in training with dropout. The "
        "lowest of many epochs flatters: inner folds choose, they do not judge.",
    ]
