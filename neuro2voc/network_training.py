"""What networks of every kind share: settings, inner folds, and one training per inner fold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.decoding import decode
from neuro2voc.errors import DataError
from neuro2voc.grid import Cell
from neuro2voc.schedule import Schedule, make_schedule
from neuro2voc.splits import inner_folds
from neuro2voc.training import Trained, choose_device, train

Rows = tuple[np.ndarray, np.ndarray]
LOSSES = ["feature", "fold", "inner", "epoch", "rate", "training", "validation"]


@dataclass(frozen=True)
class NetworkSettings:
    """What is trained, and how.

    Attributes
    ----------
    kind : str
        One of `neuro2voc.configuration.NETWORKS` or `SEQUENCES`.
    sizes : mapping
        Arguments of the network besides those that the data give.
    schedule : Schedule
    split : str
        The inner folds are made as the outer ones were.
    inner_folds : int
    seed : int
    members : int
        Networks of each outer fold, whose probabilities are averaged: each stops by another inner
        fold. 0: as many as there are.
    grid : sequence of Cell
        Parts of the window and their smoothing, of which each outer fold chooses one. Empty: the
        whole window as it is.
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
    members: int = 0
    grid: Sequence[Cell] = ()
    checkpoints: str | Path | None = None
    code: str = ""


def network_settings(kind: str, split: str, job: object) -> NetworkSettings:
    """Return the settings of a network from what a job knows, less its grid.

    Parameters
    ----------
    kind, split : str
    job : object
        With sizes, training (the fields of `Schedule`, and members), inner_folds, seed, checkpoints
        and code.
    """
    return NetworkSettings(
        kind,
        job.sizes,
        make_schedule(job.training),
        split,
        job.inner_folds,
        job.seed,
        job.training["members"],
        checkpoints=job.checkpoints,
        code=job.code,
    )


def inner_parts(settings: NetworkSettings, trials: pd.DataFrame) -> list[Rows]:
    """Return the rows to train on and to stop by, of every inner fold that serves.

    Raises
    ------
    DataError
        No inner fold holds two classes to train on and one of them to stop by.
    """
    label = trials["label"].to_numpy()
    parts = [
        (kept, held)
        for kept, held in inner_folds(settings.split, trials, settings.inner_folds, settings.seed)
        if len(np.unique(label[kept])) > 1 and np.isin(label[held], label[kept]).any()
    ]
    if not parts:
        raise DataError(
            "No inner fold holds two classes to train on and one of them to stop by, so no "
            "network can be trained; lower `inner_folds` or decode labels that are spread over "
            "the recording."
        )
    return parts


def train_member(
    inputs: tuple[torch.Tensor, ...],
    target: np.ndarray,
    rows: Rows,
    settings: NetworkSettings,
    build: Callable[[], nn.Module],
    *numbers: int,
) -> Trained:
    """Train one network on some rows and stop it by others.

    Parameters
    ----------
    inputs : tuple of Tensor
        What the network is called with, one trial per row.
    target : ndarray (trials,)
        Index of each trial's class.
    rows : (ndarray, ndarray)
        To train on; to stop by.
    settings : NetworkSettings
    build : callable
        Returns the untrained network.
    *numbers : int
        Outer fold, inner fold and what else tells this training from others of its job.
    """
    kept, held = rows
    known = np.unique(target[kept])

    def examples(of: np.ndarray) -> tuple[torch.Tensor, ...]:
        weights = class_weights(target[of], known)
        return *(tensor[of] for tensor in inputs), torch.as_tensor(target[of]), weights

    return train(
        build,
        weighted_cross_entropy,
        examples(kept),
        examples(held),
        settings.schedule,
        derive_seed(settings.seed, *numbers),
        f"{settings.kind}, fold {numbers[0]}, inner fold {numbers[1]}",
        checkpoint_of(settings),
    )


def class_weights(target: np.ndarray, known: np.ndarray) -> torch.Tensor:
    """Return a weight per trial (trials,) with which known classes count alike, 1 in the mean.

    Trials of classes that are not among the known ones, which a network never saw, weigh nothing.
    """
    present, place, counts = np.unique(target, return_inverse=True, return_counts=True)
    counted = np.isin(present, known)
    weight = np.where(counted, len(target) / (max(counted.sum(), 1) * counts), 0.0)
    return torch.as_tensor(weight[place], dtype=torch.float32)


def weighted_cross_entropy(network: nn.Module, *batch: torch.Tensor) -> torch.Tensor:
    """Return the mean of the trials' weighted cross-entropies (nats).

    Parameters
    ----------
    network : Module
    *batch : Tensor
        What the network is called with, the trials' classes and their weights.
    """
    *inputs, target, weight = batch
    return (weight * cross_entropy(network(*inputs).float(), target, reduction="none")).mean()


def losses_of(trained: Sequence[Trained]) -> pd.DataFrame:
    """Return the losses of one outer fold's networks: inner, epoch, rate, training, validation."""
    parts = [one.history.assign(inner=inner) for inner, one in enumerate(trained)]
    return pd.concat(parts, ignore_index=True)


def decode_by(
    features: Mapping,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    make_fit: Callable[[str], tuple[Callable, list[dict], list]],
    resamples: int,
    seed: int,
) -> tuple[pd.DataFrame, dict, dict[str, list], pd.DataFrame]:
    """Train and decode in every fold.

    Parameters
    ----------
    features : mapping
        By name, what is decoded; one trial per row.
    trials : DataFrame
        The used trials.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    make_fit : callable
        ``make_fit(feature)`` returns a fitting function, the list of its choices and that of what
        it fitted: (decoder, losses).
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    predictions, metrics
        See `neuro2voc.decoding.decode`.
    decoders : dict of list
        By feature, one per fold.
    losses : DataFrame
        feature, fold, inner, epoch, rate, training, validation.
    """
    fitted: dict[str, list] = {}

    def fitting(feature: str) -> tuple[Callable, list[dict]]:
        fit, chosen, fitted[feature] = make_fit(feature)
        return fit, chosen

    predictions, metrics = decode(features, trials, split, fitting, resamples, seed)
    decoders = {name: [decoder for decoder, _ in folds] for name, folds in fitted.items()}
    losses = [
        table.assign(feature=name, fold=fold)
        for name, folds in fitted.items()
        for fold, (_, table) in enumerate(folds)
    ]
    return predictions, metrics, decoders, pd.concat(losses, ignore_index=True)[LOSSES]


def about_network(names: Mapping[str, str], job: object) -> dict:
    """Return what a network's JSON says of where it comes from.

    Parameters
    ----------
    names : mapping
        bird, split and decoder.
    job : object
        With sizes and training; windows or reading.
    """
    seen = {key: getattr(job, key) for key in ("windows", "reading") if hasattr(job, key)}
    device = choose_device(job.training["device"]).type
    return {**names, **seen, "sizes": job.sizes, "device": device}
