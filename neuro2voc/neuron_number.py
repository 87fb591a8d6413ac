"""Accuracy against the number of neurons."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds, sum_up
from neuro2voc.nulls import table_beside_null
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE, inner_folds
from neuro2voc.subsets import baseline_scores, decode_subset, of_units, score, unit_features
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

BEST = "best single"
RANDOM = "random"
NULL_ORDERS = 3  # averaged for each surrogate; all ten would be three times as many fits


def random_orders(units: int, repeats: int, seed: int) -> np.ndarray:
    """Return orders (repeats, units) in which units are added; subsets of one order are nested."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(units) for _ in range(repeats)])


def neuron_number(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    numbers: Sequence[int],
    repeats: int,
) -> pd.DataFrame:
    """Decode from ever more neurons, added in random order.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
    numbers : sequence of int
        Of neurons; those that the bird does not have are left out, and all of its own are added.
    repeats : int
        Random orders. Each surrogate is a mean over the first three of them, which scatters a
        little more than one over all, so p errs on the safe side.

    Returns
    -------
    DataFrame
        A row per number: choice ('random'), units, repeats, balanced_accuracy (mean over orders),
        lowest, highest (of the orders), low, high (95 % interval over bouts where there is one
        order only, that is for all neurons), chance, n_trials, n_bouts, duration, previous; with
        surrogates null_mean, null_low, null_high, null_replicates, p. One more row, choice 'best
        single': in each fold the neuron that decodes its training part best, chosen on inner folds.
    """
    used = used_trials(trials)
    fold = outer_folds(used, split)
    total = len(recording.units)
    numbers = sorted({n for n in numbers if n < total} | {total})
    orders = random_orders(total, repeats, protocol.seed)
    features = unit_features(recording, used, protocol.feature, windows)
    settings: dict[int, dict] = {}
    rows = []
    for number in numbers:
        found = []
        # All neurons are the same neurons in any order.
        for order in orders if number < total else orders[:1]:
            X = of_units(features, np.sort(order[:number]))
            frame, settings[number] = decode_subset(X, used, fold, protocol)
            found.append(sum_up(frame, used, protocol.resamples, protocol.seed))
        rows.append({"choice": RANDOM, "units": number, **_over_orders(pd.DataFrame(found))})
        log.info("%d neurons: balanced accuracy %.3f", number, rows[-1]["balanced_accuracy"])
    table = pd.DataFrame(rows)
    if protocol.null_seeds:
        null = _null(recording, trials, split, windows, protocol, settings, orders)
        table = table_beside_null(table, null)
    best = sum_up(best_single(features, used, fold, protocol), used, protocol.resamples, 0)
    one = {"choice": BEST, "units": 1, "repeats": 1, **best}
    table = pd.concat([table, pd.DataFrame([one])[[c for c in one if c in table]]])
    return table.assign(**baseline_scores(used, fold)).reset_index(drop=True)


def _over_orders(found: pd.DataFrame) -> dict:
    """Sum up what the orders gave."""
    scores = found["balanced_accuracy"]
    single = len(found) == 1
    return {
        "repeats": len(found),
        "balanced_accuracy": scores.mean(),
        "lowest": scores.min(),
        "highest": scores.max(),
        "low": found["low"].iat[0] if single else np.nan,
        "high": found["high"].iat[0] if single else np.nan,
        **found[["chance", "n_trials", "n_bouts"]].iloc[0],
    }


def _null(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    settings: dict[int, dict],
    orders: np.ndarray,
) -> np.ndarray:
    """Return balanced accuracies (surrogates, numbers), each a mean over some of the orders."""
    scores = []
    for bird, used in shifted_birds(recording, trials, protocol):
        fold = outer_folds(used, split)
        features = unit_features(bird, used, protocol.feature, windows)
        means = []
        for number, chosen in settings.items():
            taken = orders[:NULL_ORDERS] if number < orders.shape[1] else orders[:1]
            subsets = [of_units(features, np.sort(order[:number])) for order in taken]
            frames = [decode_subset(X, used, fold, protocol, chosen)[0] for X in subsets]
            means.append(np.mean([score(frame, used) for frame in frames]))
        scores.append(means)
    return np.array(scores)


def best_single(
    features: np.ndarray, used: pd.DataFrame, fold: np.ndarray, protocol: Protocol
) -> pd.DataFrame:
    """Predict every fold from the one neuron that inner folds of the others choose."""
    parts = []
    for now in np.unique(fold[fold != NONE]):
        train = (fold != now) & (fold != NONE)
        seen, inner = used[train], _inner_fold(used[train], protocol)
        scores = [
            score(decode_subset(features[train, unit], seen, inner, protocol)[0], seen)
            for unit in range(features.shape[1])
        ]
        frame, _ = decode_subset(features[:, int(np.argmax(scores))], used, fold, protocol)
        parts.append(frame[fold[fold != NONE] == now])
    return pd.concat(parts)


def _inner_fold(trials: pd.DataFrame, protocol: Protocol) -> np.ndarray:
    """Return each training trial's inner fold (trials,), -1 for none."""
    parts = inner_folds(protocol.split, trials, protocol.inner_folds, protocol.seed)
    inner = np.full(len(trials), NONE)
    for number, (_, test) in enumerate(parts):
        inner[test] = number
    return inner
