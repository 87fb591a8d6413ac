"""Decoding: every trial predicted once, by a model that never saw its fold."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from neuro2voc.errors import DataError
from neuro2voc.evaluation import summary
from neuro2voc.files import read_csv, write_csv, write_json
from neuro2voc.splits import NONE, folds_of, inner_folds

log = logging.getLogger(__name__)

PREDICTIONS = {"feature": str, "trial": int, "fold": int, "truth": str, "prediction": str}


def outer_folds(trials: pd.DataFrame, split: pd.DataFrame) -> np.ndarray:
    """Return each trial's fold (trials,), -1 for none."""
    return folds_of(split, trials["onset"].to_numpy(), trials["offset"].to_numpy())


def cross_decode(
    X: np.ndarray,
    trials: pd.DataFrame,
    fold: np.ndarray,
    fit: Callable[[np.ndarray, pd.DataFrame], BaseEstimator],
) -> pd.DataFrame:
    """Predict every fold by a model fitted to the others.

    Parameters
    ----------
    X : ndarray (trials, columns)
    trials : DataFrame
        trial, label and what `fit` needs, one row per row of `X`.
    fold : ndarray (trials,)
        -1: neither trained on nor predicted.
    fit : callable
        ``fit(X, trials)`` returns a fitted classifier.

    Returns
    -------
    DataFrame
        trial, fold, truth, prediction and one column ``p_<label>`` per class, in time order.

    Raises
    ------
    DataError
        The training part of a fold holds one class only.
    """
    labels = sorted(trials["label"].unique())
    parts = []
    for now in np.unique(fold[fold != NONE]):
        train, test = (fold != now) & (fold != NONE), fold == now
        if trials["label"][train].nunique() < 2:
            raise DataError(
                f"Without fold {now} fewer than two classes are left to train on; lower `folds`, "
                "or decode labels that are spread over the recording."
            )
        model = fit(X[train], trials[train])
        probability = np.zeros((test.sum(), len(labels)))
        probability[:, np.searchsorted(labels, model.classes_)] = _probability(model, X[test])
        part = trials.loc[test, ["trial"]].copy()
        part["fold"] = now
        part["truth"] = trials["label"][test]
        part["prediction"] = model.predict(X[test])
        part[[f"p_{label}" for label in labels]] = probability
        parts.append(part)
    return pd.concat(parts).sort_values("trial", ignore_index=True)


def _probability(model: BaseEstimator, X: np.ndarray) -> np.ndarray:
    """Class probabilities; of a support vector machine the softmax of its decision values."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    values = model.decision_function(X)
    return softmax(np.stack([-values, values], 1) / 2 if values.ndim == 1 else values, axis=1)


def tuned_fit(
    model: BaseEstimator, grid: dict[str, list], split: str, folds: int, seed: int
) -> tuple[Callable, list[dict]]:
    """Return a fitting function that tunes on inner folds, and the list it notes its choices in.

    Parameters
    ----------
    model, grid
        See `neuro2voc.decoders.make_decoder`. With an empty grid nothing is tuned.
    split : str
        The inner folds are made as the outer ones were.
    folds : int
        Number of inner folds.
    seed : int
    """
    chosen: list[dict] = []

    def fit(X: np.ndarray, trials: pd.DataFrame) -> BaseEstimator:
        label = trials["label"].to_numpy()
        if not grid:
            chosen.append({})
            return clone(model).fit(X, label)
        parts = [
            (train, test)
            for train, test in inner_folds(split, trials, folds, seed)
            if len(np.unique(label[train])) > 1
        ]
        if not parts:
            raise DataError(
                "No inner fold holds two classes to train on, so nothing can be tuned; lower "
                "`inner_folds` or decode labels that are spread over the recording."
            )
        search = GridSearchCV(clone(model), grid, cv=parts, scoring="balanced_accuracy")
        search.fit(X, label)
        chosen.append(search.best_params_)
        return search.best_estimator_

    return fit, chosen


def fixed_fit(model: BaseEstimator, settings: dict | None = None) -> Callable:
    """Return a fitting function that tunes nothing."""

    def fit(X: np.ndarray, trials: pd.DataFrame) -> BaseEstimator:
        return clone(model).set_params(**(settings or {})).fit(X, trials["label"].to_numpy())

    return fit


def commonest(chosen: list[dict]) -> dict:
    """Return the settings that most folds chose, the earliest of equals."""
    keys = [json.dumps(settings, sort_keys=True) for settings in chosen]
    return chosen[max(range(len(keys)), key=lambda i: (keys.count(keys[i]), -i))]


def decode(
    features: dict[str, np.ndarray],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    fitting: Callable[[str], tuple[Callable, list[dict]]],
    resamples: int,
    seed: int,
) -> tuple[pd.DataFrame, dict]:
    """Decode each feature and sum up.

    Parameters
    ----------
    features : dict of ndarray (trials, columns)
    trials : DataFrame
        The used trials.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    fitting : callable
        ``fitting(feature)`` returns a new fitting function and its list of choices, one per fold.
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    predictions : DataFrame
        feature, trial, fold, truth, prediction, p_<label>…
    metrics : dict
        Per feature what `neuro2voc.evaluation.summary` returns and the settings chosen per fold.
    """
    fold = outer_folds(trials, split)
    frames, metrics = [], {}
    for name, X in features.items():
        fit, chosen = fitting(name)
        frame = cross_decode(X, trials, fold, fit)
        metrics[name] = {**sum_up(frame, trials, resamples, seed), "chosen": chosen}
        log.info(
            "%s: balanced accuracy %.3f (chance %.3f)",
            name,
            metrics[name]["balanced_accuracy"],
            metrics[name]["chance"],
        )
        frame.insert(0, "feature", name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True), metrics


def sum_up(frame: pd.DataFrame, trials: pd.DataFrame, resamples: int, seed: int) -> dict:
    """Return `neuro2voc.evaluation.summary` with the trials' own bouts."""
    bouts = trials.set_index("trial")["bout"].loc[frame["trial"]].to_numpy()
    return summary(frame, bouts, resamples, seed)


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a predictions.csv."""
    return read_csv(path, PREDICTIONS)


def write_decoding(
    paths: tuple[str | Path, str | Path], predictions: pd.DataFrame, metrics: dict, **about: str
) -> None:
    """Write the two files of every model, predictions.csv and metrics.json.

    Parameters
    ----------
    paths : (path, path)
        Of the two files.
    predictions, metrics
        See `decode`.
    **about : str
        What they are of: bird, split, decoder.
    """
    write_csv(predictions, paths[0])
    write_json({**about, "features": metrics}, paths[1])
