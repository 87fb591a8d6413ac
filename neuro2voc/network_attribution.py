"""When which unit speaks for the syllable that is sung, to a trained network.

Integrated gradients (Sundararajan, Taly & Yan 2017, ICML) share out how far a network's margin for
a trial lies from its margin for a baseline among the units and bins of the trial: the gradient is
averaged along the straight line from the baseline to the trial and multiplied by the difference of
the two. The shares add up to the difference of the margins.

A trial is explained by the networks of its own fold, which never saw it. Their baseline is a trial
in which every unit has, in every bin, the mean of the trials that they were trained on. What is
explained is the margin of a syllable relative to the mean margin of the others, averaged over the
networks of the inner folds.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from captum.attr import IntegratedGradients

from neuro2voc.binning import PER_SECOND, Tensor
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix
from neuro2voc.hubs import against_null
from neuro2voc.inclusion import describe_units
from neuro2voc.network_decoder import NetworkDecoder, in_time
from neuro2voc.recording import Recording
from neuro2voc.sources.simulate import Truth
from neuro2voc.splits import NONE

log = logging.getLogger(__name__)

STEPS = 16  # places between baseline and trial where gradients are taken; see `error`
ROWS = 8  # trials explained at a time: more would not fit into the processor's caches
ROTATIONS = 999
TUNED = ("premotor", "graded", "pair")  # kinds of simulated units that follow the syllable


@dataclass(frozen=True)
class NetworkAttribution:
    """What networks make of every trial that they never saw.

    Attributes
    ----------
    trials : DataFrame
        trial, session, bout, label, fold of those explained.
    labels : ndarray (K,)
        Syllables, sorted.
    values : ndarray (trials, K, units, bins) of float32
        What a unit's activity in a bin adds to the margin of each syllable relative to the mean of
        the others (nats); 0 where the unit was not observed, in bins that the trial's networks do
        not see, and for syllables that they do not know.
    error : float
        The largest difference (nats) between the sum of a trial's shares and the difference of
        margins that they should add up to, over all networks, trials and syllables.
    left_out : int
        Trials of syllables that their networks do not know.
    """

    trials: pd.DataFrame
    labels: np.ndarray
    values: np.ndarray
    error: float
    left_out: int


def attribute(
    decoders: list[NetworkDecoder], tensor: Tensor, trials: pd.DataFrame, split: pd.DataFrame
) -> NetworkAttribution:
    """Explain every trial by the networks of its fold.

    Parameters
    ----------
    decoders : list of NetworkDecoder
        One per fold, in the order of folds.
    tensor : Tensor
        Of the window that the networks see.
    trials : DataFrame
        The used trials, those of the tensor.
    split : DataFrame
        The one that they were trained under.

    Raises
    ------
    DataError
        The networks are not of this split, or not of these units and bins.
    """
    fold = outer_folds(trials, split)
    folds = np.unique(fold[fold != NONE])
    units, bins = tensor.counts.shape[1:]
    shapes = {(len(one.networks[0].mean), one.bins) for one in decoders}
    if len(folds) != len(decoders) or shapes != {(units, bins)}:
        raise DataError(
            f"The networks were trained in {len(decoders)} folds on (units, bins) "
            f"{sorted(shapes)}, but here are {len(folds)} folds and {(units, bins)}; train them "
            "anew."
        )
    x = in_time(feature_matrix(tensor.window.name, tensor), bins)
    label = trials["label"].to_numpy(dtype=object)
    known = np.zeros(len(trials), dtype=bool)
    for now, decoder in zip(folds, decoders, strict=True):
        known[fold == now] = np.isin(label[fold == now], decoder.classes_)
    labels = np.unique(label[fold != NONE])
    values = np.zeros((len(trials), len(labels), units, bins), dtype=np.float32)
    error = 0.0
    for now, decoder in zip(folds, decoders, strict=True):
        place = np.searchsorted(labels, decoder.classes_)
        rows = np.flatnonzero((fold == now) & known)
        for part in np.split(rows, range(ROWS, len(rows), ROWS)):
            values[np.ix_(part, place)], missed = relative_margins(decoder, x[part])
            error = max(error, missed)
        log.info("fold %d: %d trials explained", now, len(rows))
    kept = trials.assign(fold=fold)[["trial", "session", "bout", "label", "fold"]][known]
    left_out = int((fold != NONE).sum() - known.sum())
    return NetworkAttribution(kept, labels, values[known], error, left_out)


def relative_margins(decoder: NetworkDecoder, x: torch.Tensor) -> tuple[np.ndarray, float]:
    """Explain the margins of all classes, each relative to the mean of the others.

    Parameters
    ----------
    decoder : NetworkDecoder
        Its networks weigh alike.
    x : Tensor (trials, bins, units)
        NaN where a unit was not observed.

    Returns
    -------
    values : ndarray (trials, classes, units, bins)
    error : float
        The largest of a margin, see `NetworkAttribution`.
    """
    total, largest, classes = 0.0, 0.0, len(decoder.classes_)
    for network in decoder.networks:
        # Smoothing sums bins. What was not observed counts as no more than the baseline.
        baseline = (network.mean / network.cell.width).expand(x.shape[1:])[None]
        seen = torch.where(x.isnan(), baseline, x)
        method = IntegratedGradients(network)
        for number in range(classes):
            shares, missed = method.attribute(
                seen, baseline, target=number, n_steps=STEPS, return_convergence_delta=True
            )
            # The margin less the mean of the others: n / (n - 1) times it less the mean of all.
            weight = (np.arange(classes) == number) - 1 / classes
            weight *= classes / (classes - 1) / len(decoder.networks)
            part = shares.detach().double().transpose(1, 2).numpy()
            total = total + weight[:, None, None] * part[:, None]
            largest = max(largest, float(missed.abs().max()))
    return total, largest


def attribution_tables(
    found: NetworkAttribution,
    recording: Recording,
    tensor: Tensor,
    seed: int,
    planted: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average attributions over trials and see them beside those to other trials' syllables.

    Parameters
    ----------
    found : NetworkAttribution
    recording : Recording
        The bird that the tensor is of.
    tensor : Tensor
        The one explained.
    seed : int
        Of the rotations (see `rotated`).
    planted : mapping, optional
        What a simulated bird's units are, by their names (see `planted_units`).

    Returns
    -------
    cells : DataFrame
        A row per syllable, unit and bin: syllable, unit, depth (µm from the tip), location, start,
        stop (s from the alignment), n_trials; attribution, the mean over the syllable's trials of
        what the cell adds to the margin of the syllable sung relative to the mean of the others
        (nats); absolute, the mean of its size; null_mean, null_sd (nats), t and p of the
        attribution beside labels moved on, p for all cells together (see
        `neuro2voc.hubs.against_null`).
    units : DataFrame
        A row per unit: the same of sums over bins, averaged over syllables (p: for all units
        together), planted, and in every row n_trials, n_bouts, left_out, rotations, error.
    """
    trials, values = found.trials, found.values
    codes = np.searchsorted(found.labels, trials["label"].to_numpy(dtype=object))
    number = np.bincount(codes, minlength=len(found.labels))
    labels = np.flatnonzero(number)
    number = number[labels]
    moved = rotated(trials, seed)
    attribution, absolute, null = [], [], []
    for label, count in zip(labels, number, strict=True):
        part = values[:, label].reshape(len(values), -1).astype(np.float64)
        attribution.append(part[codes == label].mean(axis=0))
        absolute.append(np.abs(part[codes == label]).mean(axis=0))
        null.append((codes[moved] == label) @ part / count)
    shape = (len(labels), *values.shape[2:])
    attribution, absolute = (np.reshape(each, shape) for each in (attribution, absolute))
    null = np.stack(null, axis=1).reshape(len(moved), *shape)

    known = describe_units(recording)[["unit", "depth", "location"]]
    window = tensor.window
    bins = {"start": window.bin_starts / PER_SECOND, "stop": window.bin_stops / PER_SECOND}
    cells = pd.DataFrame({"syllable": found.labels[labels], "n_trials": number})
    cells = cells.merge(known, how="cross").merge(pd.DataFrame(bins), how="cross")
    units = known.assign(planted=[(planted or {}).get(unit, "") for unit in known["unit"]])
    return cells.assign(**_beside(attribution, absolute, null)), units.assign(
        **_beside(*(each.sum(axis=-1).mean(axis=-2) for each in (attribution, absolute, null))),
        n_trials=len(trials),
        n_bouts=trials["bout"].nunique(),
        left_out=found.left_out,
        rotations=len(moved),
        error=found.error,
    )


def rotated(trials: pd.DataFrame, seed: int) -> np.ndarray:
    """Return orders (`ROTATIONS`, trials) in which labels move round each session of each fold.

    Networks and activity stay as they are. The labels of a session in a fold are moved on together,
    by a random number of trials, and those at the end come to the beginning, so that the order of
    the song and its slow changes stay. Trials that change places one by one would lose both, and
    the spread of what bouts have by accident would be taken to be smaller than it is.
    """
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(len(trials)), (ROTATIONS, 1))
    for rows in trials.groupby(["session", "fold"], sort=True).indices.values():
        moved = rng.integers(len(rows), size=(ROTATIONS, 1))
        orders[:, rows] = rows[(np.arange(len(rows)) - moved) % len(rows)]
    return orders


def planted_units(truth: Truth) -> dict[str, str]:
    """Return the kinds of a simulated bird's units that follow the syllable, by their names."""
    if not truth.settings.tuning:
        return {}
    kinds = truth.population.table["kind"]
    return {str(unit): kind for unit, kind in kinds.items() if kind in TUNED}


def _beside(
    attribution: np.ndarray, absolute: np.ndarray, null: np.ndarray
) -> dict[str, np.ndarray]:
    """Put measures (...) beside rotations (R, ...), flat."""
    observed, flat = attribution.ravel(), null.reshape(len(null), -1)
    t, p = against_null(observed, flat)
    return {
        "attribution": observed,
        "absolute": absolute.ravel(),
        "null_mean": flat.mean(axis=0),
        "null_sd": flat.std(axis=0),
        "t": t,
        "p": p,
    }
