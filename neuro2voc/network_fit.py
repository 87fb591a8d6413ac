"""Networks fitted like the classical decoders: to the trials of the training folds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from neuro2voc.binning import Tensor, make_window
from neuro2voc.checkpoints import Checkpoint
from neuro2voc.configuration import derive_seed
from neuro2voc.decoding import decode
from neuro2voc.errors import DataError
from neuro2voc.features import by_window, feature_matrix
from neuro2voc.network_decoder import NETWORKS, NetworkDecoder, Standardised, in_time
from neuro2voc.splits import inner_folds
from neuro2voc.training import Schedule, Trained, train


@dataclass(frozen=True)
class NetworkSettings:
    """What is trained, and how.

    Attributes
    ----------
    kind : str
        One of `neuro2voc.network_decoder.NETWORKS`.
    sizes : mapping
        Arguments of the network besides units and classes.
    schedule : Schedule
    split : str
        The inner folds are made as the outer ones were.
    inner_folds : int
    seed : int
    checkpoints : path, optional
        The folder where this job keeps its states.
    code : str
        The version of the code that trains; states of another version are not resumed.
    """

    kind: str
    sizes: Mapping
    schedule: Schedule
    split: str
    inner_folds: int
    seed: int
    checkpoints: str | Path | None = None
    code: str = ""


def network_settings(kind: str, split: str, sizes: Mapping, job: object) -> NetworkSettings:
    """Return the settings of a network from what a job knows.

    Parameters
    ----------
    kind, split : str
    sizes : mapping
        See `NetworkSettings`.
    job : object
        With `training` (the fields of `Schedule`), inner_folds, seed, checkpoints and code.
    """
    return NetworkSettings(
        kind,
        sizes,
        Schedule(**job.training),
        split,
        job.inner_folds,
        job.seed,
        job.checkpoints,
        job.code,
    )


def network_fit(
    settings: NetworkSettings, bins: int
) -> tuple[Callable, list[dict], list[tuple[NetworkDecoder, pd.DataFrame]]]:
    """Return a fitting function, the list it notes its choices in, and that of what it fitted.

    Each inner fold of the training trials in turn decides when to stop; the probabilities of the
    networks of all inner folds are averaged.

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
        Of each fit, the epochs chosen.
    fitted : list of (NetworkDecoder, DataFrame)
        Of each fit, the decoder and its losses: inner, epoch, rate, training, validation.
    """
    chosen: list[dict] = []
    fitted: list[tuple[NetworkDecoder, pd.DataFrame]] = []

    def fit(X: np.ndarray, trials: pd.DataFrame) -> NetworkDecoder:
        x, label = in_time(X, bins), trials["label"].to_numpy()
        classes, target = np.unique(label, return_inverse=True)
        trained = [
            _train_one(x, target, rows, settings, len(classes), len(chosen), inner)
            for inner, rows in enumerate(
                inner_folds(settings.split, trials, settings.inner_folds, settings.seed)
            )
            if len(np.unique(label[rows[0]])) > 1 and np.isin(label[rows[1]], label[rows[0]]).any()
        ]
        if not trained:
            raise DataError(
                "No inner fold holds two classes to train on and one of them to stop by, so no "
                "network can be trained; lower `inner_folds` or decode labels that are spread over "
                "the recording."
            )
        decoder = NetworkDecoder(classes, tuple(one.network for one in trained), bins)
        losses = [one.history.assign(inner=inner) for inner, one in enumerate(trained)]
        chosen.append({"epochs": [one.epoch for one in trained]})
        fitted.append((decoder, pd.concat(losses, ignore_index=True)))
        return decoder

    return fit, chosen, fitted


def network_fits(
    settings: Iterable[NetworkSettings], features: list[str], windows: Mapping
) -> dict[tuple[str, str], Callable]:
    """Return what `neuro2voc.comparison.null_band` fits surrogates with: each network anew.

    Parameters
    ----------
    settings : iterable of NetworkSettings
    features : list of str
        Names of windows.
    windows : mapping
        The configuration's.
    """
    bins = {name: len(make_window(name, windows).bin_starts) for name in features}

    def anew(one: NetworkSettings, feature: str) -> Callable:
        # A seed for each: with one for all, surrogates would share its luck and the bird would not.
        def fit(replicate: int) -> Callable:
            return network_fit(replace(one, seed=derive_seed(one.seed, replicate)), bins[feature])[
                0
            ]

        return fit

    return {(one.kind, feature): anew(one, feature) for one in settings for feature in features}


def _train_one(
    x: torch.Tensor,
    target: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray],
    settings: NetworkSettings,
    classes: int,
    fold: int,
    inner: int,
) -> Trained:
    kept, held = rows
    mean, scale = unit_scale(x[kept])
    known = np.unique(target[kept])

    def build() -> nn.Module:
        network = NETWORKS[settings.kind](units=x.shape[2], classes=classes, **settings.sizes)
        return Standardised(network, mean, scale)

    def examples(of: np.ndarray) -> tuple[torch.Tensor, ...]:
        return x[of], torch.as_tensor(target[of]), class_weights(target[of], known)

    return train(
        build,
        weighted_cross_entropy,
        examples(kept),
        examples(held),
        settings.schedule,
        derive_seed(settings.seed, fold, inner),
        f"{settings.kind}, fold {fold}, inner fold {inner}",
        Checkpoint(settings.checkpoints, settings.code) if settings.checkpoints else None,
    )


def unit_scale(x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and standard deviation (units,) of activity (trials, bins, units).

    NaN is left out. Where a unit never varies the deviation is 1, and where it was never observed
    the mean is 0.
    """
    flat = x.reshape(-1, x.shape[2]).double().numpy()
    seen = ~np.isnan(flat)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, flat, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(seen, (flat - mean) ** 2, 0).sum(axis=0) / count)
    return mean, np.where(spread > 0, spread, 1.0)


def class_weights(target: np.ndarray, known: np.ndarray) -> torch.Tensor:
    """Return a weight per trial (trials,) with which known classes count alike, 1 in the mean.

    Trials of classes that are not among the known ones, which a network never saw, weigh nothing.
    """
    present, place, counts = np.unique(target, return_inverse=True, return_counts=True)
    counted = np.isin(present, known)
    weight = np.where(counted, len(target) / (max(counted.sum(), 1) * counts), 0.0)
    return torch.as_tensor(weight[place], dtype=torch.float32)


def weighted_cross_entropy(
    network: nn.Module, x: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return the mean of the trials' weighted cross-entropies (nats)."""
    return (weight * cross_entropy(network(x).float(), target, reduction="none")).mean()


def decode_by_networks(
    tensors: Iterable[Tensor],
    features: list[str],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    settings: NetworkSettings,
    resamples: int,
) -> tuple[pd.DataFrame, dict, dict[str, list[NetworkDecoder]], pd.DataFrame]:
    """Train and decode in every fold.

    Parameters
    ----------
    tensors : iterable of Tensor
        Those of `features`, which name windows.
    trials : DataFrame
        The used trials.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    settings : NetworkSettings
    resamples : int
        Of the bootstrap over bouts.

    Returns
    -------
    predictions, metrics
        See `neuro2voc.decoding.decode`.
    decoders : dict of list of NetworkDecoder
        By feature, one per fold.
    losses : DataFrame
        feature, fold, inner, epoch, rate, training, validation.
    """
    tensors = by_window(tensors)
    matrices = {name: feature_matrix(name, tensors[name]) for name in features}
    fitted: dict[str, list] = {}

    def fitting(feature: str) -> tuple[Callable, list[dict]]:
        fit, chosen, fitted[feature] = network_fit(settings, tensors[feature].counts.shape[2])
        return fit, chosen

    predictions, metrics = decode(matrices, trials, split, fitting, resamples, settings.seed)
    decoders = {name: [decoder for decoder, _ in folds] for name, folds in fitted.items()}
    losses = [
        table.assign(feature=name, fold=fold)
        for name, folds in fitted.items()
        for fold, (_, table) in enumerate(folds)
    ]
    columns = ["feature", "fold", "inner", "epoch", "rate", "training", "validation"]
    return predictions, metrics, decoders, pd.concat(losses, ignore_index=True)[columns]
