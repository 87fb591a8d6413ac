"""Networks on binned activity, fitted like the classical decoders: to trials of training folds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from neuro2voc.binning import Tensor, Window, make_window
from neuro2voc.configuration import derive_seed
from neuro2voc.decoding import commonest
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.features import by_window, feature_matrix
from neuro2voc.grid import Cell, cells, in_seconds, smoothed, whole
from neuro2voc.network_decoder import NETWORKS, NetworkDecoder, Standardised, in_time
from neuro2voc.network_training import (
    NetworkSettings,
    Rows,
    decode_by,
    inner_parts,
    losses_of,
    train_member,
)
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.training import Trained

GRID = ["feature", "fold", "before", "after", "smoothing", "balanced_accuracy", "chosen"]


def network_fit(
    settings: NetworkSettings, bins: int
) -> tuple[Callable, list[dict], list[tuple[NetworkDecoder, pd.DataFrame]]]:
    """Return a fitting function, the list it notes its choices in, and that of what it fitted.

    Inner folds of the training trials decide in turn when to stop; the probabilities of their
    networks are averaged. Of a grid, the cell is chosen whose network decodes best the first inner
    fold, which it never learnt from; networks of the other inner folds are trained for that cell
    alone.

    Parameters
    ----------
    settings : NetworkSettings
    bins : int
        Of the window.

    Returns
    -------
    fit : callable
        ``fit(X, trials)`` with features X (trials, units * bins) returns a `NetworkDecoder`.
    chosen : list of dict
        Of each fit: epochs; the cell; and of each cell of a grid the score on the first inner fold.
    fitted : list of (NetworkDecoder, DataFrame)
        Of each fit, the decoder and its losses: inner, epoch, rate, training, validation.
    """
    chosen: list[dict] = []
    fitted: list[tuple[NetworkDecoder, pd.DataFrame]] = []
    grid = list(settings.grid) or whole(bins)

    def fit(X: np.ndarray, trials: pd.DataFrame) -> NetworkDecoder:
        x = in_time(X, bins)
        classes, target = np.unique(trials["label"].to_numpy(), return_inverse=True)
        parts = inner_parts(settings, trials)
        parts = parts[: settings.members or len(parts)]

        def member(cell: Cell, inner: int) -> Trained:
            place = len(chosen), inner, grid.index(cell)
            return _train_on(x, target, len(classes), parts[inner], settings, cell, place)

        first = {cell: member(cell, 0) for cell in grid}
        scores = {cell: _score(one.network, x, target, parts[0]) for cell, one in first.items()}
        best = max(grid, key=scores.get)  # the earliest of equals
        trained = [first[best], *(member(best, inner) for inner in range(1, len(parts)))]
        decoder = NetworkDecoder(classes, tuple(one.network for one in trained), bins)
        note = {"epochs": [one.epoch for one in trained], "cell": list(best)}
        chosen.append({**note, "scores": list(scores.values())} if len(grid) > 1 else note)
        fitted.append((decoder, losses_of(trained)))
        return decoder

    return fit, chosen, fitted


def network_fits(
    settings: NetworkSettings, features: list[str], windows: Mapping, metrics: Mapping
) -> dict[tuple[str, str], Callable]:
    """Return what `neuro2voc.comparison.null_band` fits surrogates with: the network anew.

    Parameters
    ----------
    settings : NetworkSettings
    features : list of str
        Names of windows.
    windows : mapping
        The configuration's.
    metrics : mapping
        Contents of the network's metrics.json: surrogates see the cell that most folds chose.
    """

    def anew(feature: str) -> Callable:
        bins = len(make_window(feature, windows).bin_starts)
        cell = commonest([{"cell": one["cell"]} for one in metrics["features"][feature]["chosen"]])
        own = replace(settings, grid=[Cell(*cell["cell"])])

        # A seed for each: with one for all, surrogates would share its luck and the bird would not.
        def fit(replicate: int) -> Callable:
            return network_fit(replace(own, seed=derive_seed(own.seed, replicate)), bins)[0]

        return fit

    return {(settings.kind, feature): anew(feature) for feature in features}


def decode_by_networks(
    tensors: Iterable[Tensor],
    features: list[str],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    settings: NetworkSettings,
    resamples: int,
    grid: Mapping | None = None,
) -> tuple[pd.DataFrame, dict, dict[str, list[NetworkDecoder]], pd.DataFrame]:
    """Train and decode in every fold; see `neuro2voc.network_training.decode_by`.

    Parameters
    ----------
    tensors : iterable of Tensor
        Those of `features`, which name windows.
    features : list of str
    trials, split, resamples
        See `neuro2voc.network_training.decode_by`.
    settings : NetworkSettings
    grid : mapping, optional
        The configuration's, see `neuro2voc.grid.cells`; without it networks see whole windows.
    """
    tensors = by_window(tensors)
    matrices = {name: feature_matrix(name, tensors[name]) for name in features}

    def make_fit(feature: str) -> tuple[Callable, list[dict], list]:
        window = tensors[feature].window
        own = replace(settings, grid=cells(grid, window)) if grid else settings
        return network_fit(own, tensors[feature].counts.shape[2])

    return decode_by(matrices, trials, split, make_fit, resamples, settings.seed)


def grid_table(metrics: Mapping, grid: Mapping, windows: Mapping[str, Window]) -> pd.DataFrame:
    """Return how well each cell of the grid decoded the first inner fold of each outer fold.

    Parameters
    ----------
    metrics : mapping
        By feature, as `decode_by_networks` returns them.
    grid : mapping
        See `neuro2voc.grid.cells`.
    windows : mapping of Window
        By feature.

    Returns
    -------
    DataFrame
        `GRID`: before, after and smoothing in s; the score; whether the fold chose the cell.
    """
    rows = []
    for feature, content in metrics.items():
        made = cells(grid, windows[feature])
        for fold, choice in enumerate(content["chosen"]):
            scores = choice.get("scores", [np.nan])
            for cell, score in zip(made, scores, strict=True):
                place = in_seconds(cell, windows[feature]).values()
                rows.append((feature, fold, *place, score, list(cell) == choice["cell"]))
    return pd.DataFrame(rows, columns=GRID)


def _train_on(
    x: torch.Tensor,
    target: np.ndarray,
    classes: int,
    rows: Rows,
    settings: NetworkSettings,
    cell: Cell,
    place: tuple[int, int, int],
) -> Trained:
    mean, scale = mean_and_scale(smoothed(x[rows[0]], cell).numpy())

    def build() -> nn.Module:
        network = NETWORKS[settings.kind](units=x.shape[2], classes=classes, **settings.sizes)
        return Standardised(network, cell, mean, scale)

    return train_member((x,), target, rows, settings, build, *place)


def _score(network: nn.Module, x: torch.Tensor, target: np.ndarray, rows: Rows) -> float:
    """Return the balanced accuracy on the rows that a network stopped by."""
    held = rows[1]
    with torch.inference_mode():
        found = network(x[held]).argmax(dim=1).numpy()
    return float(balanced_accuracy(confusion(target[held], found, np.unique(target))))
