"""Which units a random forest relies on, measured on trials it has not seen."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import outer_folds
from neuro2voc.evaluation import balanced_accuracy, confusion, p_value
from neuro2voc.inclusion import describe_units
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.subsets import unit_features
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

# Importances are means over folds: with five of them there are 100 trees, as in the thesis.
FOREST = {"model__n_estimators": 20, "model__min_samples_leaf": 3}
REPEATS = 3  # permutations of each unit in each fold


def importances(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Measure how much a random forest relies on each unit.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
        Its feature is what the forest sees; its decoder is not used.

    Returns
    -------
    DataFrame
        A row per unit: unit, depth (µm from the tip), location, quality, spikes (mean of the
        feature's window), drop (of the balanced accuracy where the unit's values are permuted
        among the test trials; mean over folds and repeats), impurity (mean decrease of Gini
        impurity in training; sums to 1), balanced_accuracy (of the forest), chance, n_trials,
        n_bouts; with surrogates for both measures {measure}_null_mean, _null_low, _null_high, and
        {measure}_best_high and {measure}_p_best against the greatest of each surrogate; and
        null_replicates.
    """
    protocol = replace(protocol, decoder="forest")
    used = used_trials(trials)
    fold = outer_folds(used, split)
    features = unit_features(recording, used, protocol.feature, windows)
    found, accuracy = measure(features, used, fold, protocol)
    log.info("%s: balanced accuracy %.3f", protocol.feature, accuracy)
    held = used[fold != NONE]
    table = describe_units(recording).assign(
        spikes=np.nanmean(np.where(np.isnan(features).all(axis=0), 0, features), axis=0).sum(-1),
        **found,
        balanced_accuracy=accuracy,
        chance=1 / held["label"].nunique(),
        n_trials=len(held),
        n_bouts=held["bout"].nunique(),
    )
    if not protocol.null_seeds:
        return table
    null = []
    for bird, shifted in shifted_birds(recording, trials, protocol):
        X = unit_features(bird, shifted, protocol.feature, windows)
        null.append(measure(X, shifted, outer_folds(shifted, split), protocol)[0])
    for name in found:
        table = table.assign(**_beside(name, table[name], np.array([n[name] for n in null])))
    return table.assign(null_replicates=len(null))


def _beside(name: str, found: pd.Series, null: np.ndarray) -> dict[str, object]:
    """Return what stands beside a measure: null (surrogates, units) and its greatest."""
    best = null.max(axis=1)
    return {
        f"{name}_null_mean": null.mean(axis=0),
        f"{name}_null_low": null.min(axis=0),
        f"{name}_null_high": null.max(axis=0),
        f"{name}_best_high": best.max(),
        f"{name}_p_best": [p_value(value, best) for value in found],
    }


def measure(
    features: np.ndarray, used: pd.DataFrame, fold: np.ndarray, protocol: Protocol
) -> tuple[dict[str, np.ndarray], float]:
    """Fit a forest without each fold, and permute that fold's trials unit by unit.

    Parameters
    ----------
    features : ndarray (trials, units, columns)
    used : DataFrame
    fold : ndarray (trials,)
    protocol : Protocol

    Returns
    -------
    measures : dict of ndarray (units,)
        drop and impurity, means over folds.
    balanced_accuracy : float
        Of the forest on all folds.
    """
    label = used["label"].to_numpy(dtype=object)
    model = make_decoder(protocol.decoder, protocol.seed, protocol.feature)[0].set_params(**FOREST)
    rng = np.random.default_rng(protocol.seed)
    drops, impurities = [], []
    guess = np.full(len(used), None, dtype=object)
    for now in np.unique(fold[fold != NONE]):
        train, test = (fold != now) & (fold != NONE), fold == now
        model.fit(features[train].reshape(train.sum(), -1), label[train])
        guess[test] = model.predict(features[test].reshape(test.sum(), -1))
        drops.append(_drop(model, features[test], label[test], guess[test], rng))
        impurity = model.named_steps["model"].feature_importances_
        impurities.append(impurity.reshape(features.shape[1:]).sum(axis=1))
    measures = {"drop": np.mean(drops, axis=0), "impurity": np.mean(impurities, axis=0)}
    held = fold != NONE
    return measures, _accuracy(label[held], guess[held])


def _accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    return balanced_accuracy(confusion(truth, guess, sorted({*truth, *guess})))


def _drop(
    model: Pipeline,
    X: np.ndarray,
    label: np.ndarray,
    guess: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the fall of the balanced accuracy (units,) where one unit's trials are permuted."""
    n, units = X.shape[:2]
    permuted = np.zeros((REPEATS, units))
    for repeat in range(REPEATS):
        # One call for all units: forests predict many rows much faster than many times few.
        rows = np.repeat(X[None], units, axis=0)
        for unit in range(units):
            rows[unit, :, unit] = X[rng.permutation(n), unit]
        guesses = model.predict(rows.reshape(units * n, -1)).reshape(units, n)
        permuted[repeat] = [_accuracy(label, row) for row in guesses]
    return _accuracy(label, guess) - permuted.mean(axis=0)
