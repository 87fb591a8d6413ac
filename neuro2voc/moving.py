"""Moving windows: what each unit, and all of them, say in each short stretch of time."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from neuro2voc.binning import PER_SECOND, Window, make_tensor, make_window
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.growing import decode_windows, previous_baseline, with_verdict
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

NAME = "moving"
TREES = 100
BLOCK = 256  # features whose trials are classified at once
LEVEL = 0.05


def moving_window(windows: Mapping) -> Window:
    """Return the window called `moving`.

    Raises
    ------
    DataError
        The configuration has none.
    """
    if NAME not in windows:
        raise DataError(
            f"In config.yaml or an overlay, windows has no window called '{NAME}', which this "
            "figure is drawn from; add one, for example {align: onset, start: -0.15, stop: 0.05, "
            "bin: 0.02, step: 0.01}."
        )
    return make_window(NAME, dict(windows))


def moving_counts(recording: Recording, trials: pd.DataFrame, window: Window) -> np.ndarray:
    """Count spikes (trials, units, windows), NaN where a unit was not observed."""
    tensor = make_tensor(recording, trials, window)
    counts = tensor.counts.astype(float)
    counts[~tensor.observed] = np.nan
    return counts


def window_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    window: Window,
    protocol: Protocol,
) -> pd.DataFrame:
    """Decode all units in each moving window.

    Returns
    -------
    DataFrame
        A row per window: start, stop (s from the alignment), and what
        `neuro2voc.growing.decode_windows` and `with_verdict` return.
    """

    def points(bird: Recording, used: pd.DataFrame) -> dict[object, np.ndarray]:
        counts = moving_counts(bird, used, window)
        return {i: counts[:, :, i] for i in range(counts.shape[2])}

    table = decode_windows(recording, trials, split, points, protocol)
    table = with_verdict(table, previous_baseline(trials, split, protocol)["balanced_accuracy"])
    rows = table.pop("point").to_numpy(dtype=int)
    table.insert(0, "start", window.bin_starts[rows] / PER_SECOND)
    table.insert(1, "stop", window.bin_stops[rows] / PER_SECOND)
    return table


def single_feature_bits(X: np.ndarray, code: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Decode each feature by itself, held out, and measure what its predictions tell.

    A linear discriminant of one feature with equal priors says the class whose training mean is
    nearest, whatever the variance; of equally near ones the first. Information, unlike balanced
    accuracy, is not at the mercy of a class with five trials.

    Parameters
    ----------
    X : ndarray (trials, features)
        NaN where missing; such a trial is neither trained on nor counted.
    code : ndarray (trials,)
        Class of each trial, whole numbers from 0.
    fold : ndarray (trials,)
        -1: neither trained on nor predicted.

    Returns
    -------
    ndarray (features,)
        Mutual information of truth and prediction in bits, not corrected for limited sampling;
        NaN for a feature that is missing everywhere.
    """
    classes = int(code.max()) + 1
    member = (code == np.arange(classes)[:, None]).astype(float)
    seen = ~np.isnan(X)
    filled = np.where(seen, X, 0.0)
    cells = np.zeros((classes, classes, X.shape[1]))  # prediction, truth, feature
    for now in np.unique(fold[fold != NONE]):
        train, test = (fold != now) & (fold != NONE), fold == now
        number = member[:, train] @ seen[train]
        mean = np.divide(
            member[:, train] @ filled[train],
            number,
            out=np.full(number.shape, np.inf),
            where=number > 0,
        )
        for block in range(0, X.shape[1], BLOCK):
            part = slice(block, block + BLOCK)
            nearest = np.abs(filled[test, None, part] - mean[:, part]).argmin(axis=1)
            for said in range(classes):
                cells[said, :, part] += member[:, test] @ ((nearest == said) & seen[test, part])
    return _information(cells)


def _information(cells: np.ndarray) -> np.ndarray:
    """Return the information in bits (features,) of counts (predictions, truths, features)."""
    total = cells.sum(axis=(0, 1))
    joint = np.divide(cells, total, out=np.full(cells.shape, np.nan), where=total > 0)
    independent = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    return (joint * np.log2(ratio)).sum(axis=(0, 1))


def forest_importance(X: np.ndarray, code: np.ndarray, seed: int) -> np.ndarray:
    """Return how much impurity each feature takes from a random forest (features,).

    Impurity importance is not held out and favours features with many values, such as counts of
    fast units; only the same measure on surrogate birds says which of it is about the song.
    """
    # More than one thread would add up trees in any order.
    forest = RandomForestClassifier(
        TREES, class_weight="balanced_subsample", n_jobs=1, random_state=seed % 2**32
    )
    seen = ~np.isnan(X)
    mean = np.where(seen, X, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, X, mean).astype(np.float32)
    return forest.fit(filled, code).feature_importances_


def beyond_null(value: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtract the null's mean and judge every feature with control of the family-wise error.

    Parameters
    ----------
    value : ndarray (features,)
    null : ndarray (replicates, features)

    Returns
    -------
    gain : ndarray (features,)
        `value` minus the null's mean.
    p : ndarray (features,)
        Probability that the best of all features of a surrogate gains as much. Each surrogate is
        compared with the mean of the others, as the bird is with the mean of all.
    """
    replicates = len(null)
    gain = value - null.mean(axis=0)
    others = (null.sum(axis=0) - null) / (replicates - 1)
    best = np.nanmax(null - others, axis=1)
    return gain, (1 + (best[:, None] >= gain).sum(axis=0)) / (1 + replicates)


def unit_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    window: Window,
    protocol: Protocol,
) -> pd.DataFrame:
    """Measure what each unit says in each moving window.

    Returns
    -------
    DataFrame
        A row per unit and window: unit, depth (µm from the tip), start, stop (s from the
        alignment), bits (of the one feature, held out; see `single_feature_bits`) and
        importance (of the forest of all features); with surrogates also bits_gain, importance_gain
        (minus the null's mean), bits_p and importance_p (family-wise over all units and windows).
    """
    used = used_trials(trials)
    measured = _measure(recording, used, split, window, protocol.seed)
    units, bins = len(recording.units), len(window.bin_starts)
    depth = recording.units.table["depth"] if "depth" in recording.units.table else np.nan
    table = pd.DataFrame(
        {
            "unit": np.repeat(recording.units.table.index.astype(str), bins),
            "depth": np.repeat(np.broadcast_to(np.asarray(depth, dtype=float), units), bins),
            "start": np.tile(window.bin_starts / PER_SECOND, units),
            "stop": np.tile(window.bin_stops / PER_SECOND, units),
            **measured,
        }
    )
    if len(protocol.null_seeds) < 2:
        return table
    null = [
        _measure(bird, mine, split, window, protocol.seed)
        for bird, mine in shifted_birds(recording, trials, protocol)
    ]
    for name, value in measured.items():
        table[f"{name}_gain"], table[f"{name}_p"] = beyond_null(
            value, np.array([replicate[name] for replicate in null])
        )
    return table


def _measure(
    recording: Recording, trials: pd.DataFrame, split: pd.DataFrame, window: Window, seed: int
) -> dict[str, np.ndarray]:
    X = moving_counts(recording, trials, window).reshape(len(trials), -1)
    fold = outer_folds(trials, split)
    code = np.unique(trials["label"].to_numpy(dtype=str), return_inverse=True)[1]
    return {
        "bits": single_feature_bits(X, code, fold),
        "importance": forest_importance(X, code, seed),
    }
