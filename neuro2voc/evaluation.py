"""How well syllables were decoded, and how far that number can be believed.

Trials of one bout share their bird's mood, tempo and electrode drift, so the bout, not the trial,
is the unit that is resampled. Confusion matrices have the truth in rows, the prediction in columns.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from neuro2voc.errors import DataError


def confusion(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Count how often each label was taken for each other.

    Parameters
    ----------
    truth, prediction : sequence (n,)
        Labels sung and labels decoded, in the same order.
    labels : sequence (K,)
        Order of the classes; every label must be among them.

    Returns
    -------
    numpy.ndarray
        int64 (K, K); entry (i, j) counts trials of label i decoded as j.
    """
    truth, prediction = _codes(truth, labels), _codes(prediction, labels)
    _check_same_length(truth=truth, prediction=prediction)
    k = len(labels)
    return np.bincount(truth * k + prediction, minlength=k * k).reshape(k, k)


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray | float:
    """Mean recall over the classes present in the truth.

    Parameters
    ----------
    confusion : numpy.ndarray (..., K, K)
        Truth in rows.

    Returns
    -------
    float or numpy.ndarray (...)
        NaN where there are no trials at all.
    """
    confusion = np.asarray(confusion, dtype=float)
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(axis=-1)
    recall = np.divide(correct, total, out=np.zeros_like(total), where=total > 0)
    present = (total > 0).sum(axis=-1)
    mean = np.divide(
        recall.sum(axis=-1), present, out=np.full(present.shape, np.nan), where=present > 0
    )
    return float(mean) if mean.ndim == 0 else mean


def interval_over_bouts(
    truth: Sequence[str],
    prediction: Sequence[str],
    bouts: Sequence,
    labels: Sequence[str],
    resamples: int,
    seed: int,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the balanced accuracy that resamples whole bouts.

    A class that drops out of a resample is left out of that resample's mean. The interval is too
    narrow: with few bouts, as all percentile intervals are (Efron & Tibshirani 1993, An
    Introduction to the Bootstrap, chapter 13), and because decoders are not trained anew. Measured
    coverage of 95 % intervals: 80 % with 10 bouts, 90 % from 20 on (docs/validation.md).

    Parameters
    ----------
    truth, prediction : sequence (n,)
        Labels sung and labels decoded.
    bouts : sequence (n,)
        The bout of each trial; bouts of different sessions need different names.
    labels : sequence (K,)
        Every label that occurs.
    resamples : int
        Bootstrap replicates.
    seed : int
        Of the random draws.
    level : float
        Coverage aimed at.

    Returns
    -------
    low, high : float
        Both NaN where there is one bout only: it says nothing of how bouts differ.
    """
    truth, prediction = _codes(truth, labels), _codes(prediction, labels)
    names, bout = np.unique(np.asarray(bouts), return_inverse=True)
    _check_same_length(truth=truth, prediction=prediction, bouts=bout)
    if len(names) < 2:
        return float("nan"), float("nan")
    k = len(labels)
    cell = (bout * k + truth) * k + prediction
    per_bout = np.bincount(cell, minlength=len(names) * k * k).reshape(len(names), k * k)
    weights = bout_weights(len(names), resamples, seed)
    # Sums of whole numbers are exact in float64, whatever the order in which they are taken.
    replicates = (weights @ per_bout.astype(float)).reshape(resamples, k, k)
    tail = (1 - level) / 2
    low, high = np.quantile(balanced_accuracy(replicates), [tail, 1 - tail])
    return float(low), float(high)


def bout_weights(bouts: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each bout is drawn in each resample: float64 (resamples, bouts)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(bouts, np.full(bouts, 1 / bouts), size=resamples).astype(float)


def gain_over_bouts(
    truth: Sequence[str], difference: Sequence[float], bouts: Sequence, resamples: int, seed: int
) -> dict[str, float]:
    """Difference of two balanced accuracies on the same trials, with its interval over bouts.

    Parameters
    ----------
    truth : sequence (n,)
        Labels sung.
    difference : sequence (n,)
        Of each trial: 1 where only the first was right, -1 where only the second, else 0.
    bouts : sequence (n,)
        The bout of each trial.
    resamples, seed : int
        Of the bootstrap over whole bouts; see `interval_over_bouts`.

    Returns
    -------
    dict
        gain, and its 95 % interval gain_low to gain_high (NaN where there is one bout only).
    """
    truth, difference = np.asarray(truth), np.asarray(difference, dtype=float)
    names, bout = np.unique(np.asarray(bouts), return_inverse=True)
    once = np.vstack([np.ones(len(names)), bout_weights(len(names), resamples, seed)])
    recalls = []
    for label in np.unique(truth):
        own = truth == label
        count = once @ np.bincount(bout[own], minlength=len(names))
        total = once @ np.bincount(bout[own], difference[own], len(names))
        recalls.append(np.divide(total, count, out=np.full(len(once), np.nan), where=count > 0))
    value, *drawn = np.nanmean(recalls, axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(names) > 1 else (np.nan, np.nan)
    return {"gain": float(value), "gain_low": float(low), "gain_high": float(high)}


def information_bits(confusion: np.ndarray) -> float:
    r"""Mutual information between truth and prediction in bits, corrected for limited sampling.

    The plug-in estimate

    .. math:: I = \sum_{s,r} p(s, r) \log_2 \frac{p(s, r)}{p(s)\, p(r)}

    exceeds the true information on average by (Panzeri & Treves 1996, Network 7:87)

    .. math:: \frac{1}{2 N \ln 2} \Big[ \sum_s (R_s - 1) - (R - 1) \Big]

    with N trials, R predictions that occur at all and R_s predictions that could occur for syllable
    s. R_s is estimated from those that do by the Bayes-like procedure of the same paper; counting
    only occupied cells (Miller & Madow) would correct by too little. What is left is held between 0
    and the logarithm of the number of syllables.

    Parameters
    ----------
    confusion : numpy.ndarray (K, K)
        Counts, truth in rows.

    Returns
    -------
    float
        Bits per syllable; NaN where there are no trials.
    """
    counts = np.asarray(confusion, dtype=float)
    counts = counts[counts.sum(axis=1) > 0]
    n = counts.sum()
    if n == 0:
        return float("nan")
    joint = counts / n
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    occupied = joint > 0
    plug_in = (joint[occupied] * np.log2(joint[occupied] / independent[occupied])).sum()
    predicted = int((counts.sum(axis=0) > 0).sum())
    relevant = sum(_relevant_predictions(row, predicted) - 1 for row in counts)
    bias = (relevant - (predicted - 1)) / (2 * n * np.log(2))
    # Rounded, because what rounding leaves of a zero looks like information in a table.
    return float(np.round(np.clip(plug_in - bias, 0.0, np.log2(len(counts))), 12))


def p_value(observed: float, null: Sequence[float]) -> float:
    """One-sided p of `observed` among null replicates: (1 + #{null >= observed}) / (1 + n).

    The observed value counts as one of its own null (Phipson & Smyth 2010, Stat. Appl. Genet. Mol.
    Biol. 9:39), so the smallest possible p is 1 / (1 + n).
    """
    null = np.asarray(null, dtype=float)
    return float((1 + (null >= observed).sum()) / (1 + null.size))


def smallest_effect(null: Sequence[float], chance: float) -> float:
    """Return the smallest rise above the null's mean these bouts could show at 5 % with 80 % power.

    It is (z.95 + z.80) times the standard deviation of the null replicates, 2.49 SD: a one-sided
    test at 5 % needs an accuracy 1.64 SD above the mean of the null, which may lie above chance,
    and a true accuracy 0.84 SD above that gets there in 80 % of recordings. Assumed are Gaussian
    accuracies that scatter with an effect as they do without one. From 19 replicates the SD, and so
    this number, is known to about a sixth. It is what a test against the null needs; to stand above
    duration and the preceding syllable as well takes more wherever these lie higher.

    Parameters
    ----------
    null : sequence (n,)
        Balanced accuracies of surrogate birds.
    chance : float
        Balanced accuracy without information.

    Returns
    -------
    float
        Rise of the balanced accuracy; NaN with fewer than two replicates and where it exceeds
        1 - chance, that is where not even a perfect decoder could be told from chance.
    """
    null = np.asarray(null, dtype=float)
    if null.size < 2:
        return float("nan")
    rise = float((norm.ppf(0.95) + norm.ppf(0.80)) * null.std(ddof=1))
    return rise if rise <= 1 - chance else float("nan")


def summary(
    frame: pd.DataFrame, bouts: Sequence, resamples: int, seed: int
) -> dict[str, float | int]:
    """Sum up the predictions of one decoder.

    Parameters
    ----------
    frame : pandas.DataFrame (n rows)
        Columns `truth` and `prediction`, one row per trial.
    bouts : sequence (n,)
        The bout of each row; bouts of different sessions need different names.
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    dict
        `balanced_accuracy`, its 95 % interval `low` to `high` over bouts, `accuracy`, `bits`,
        `chance` (one over the number of classes in the truth), `n_trials`, `n_bouts`.
    """
    if frame.empty:
        raise DataError("There is no prediction to sum up: no trial was left in any test fold.")
    truth, prediction = frame["truth"].to_numpy(), frame["prediction"].to_numpy()
    labels = pd.unique(np.concatenate([truth, prediction]))
    matrix = confusion(truth, prediction, labels)
    low, high = interval_over_bouts(truth, prediction, bouts, labels, resamples, seed)
    return {
        "balanced_accuracy": balanced_accuracy(matrix),
        "low": low,
        "high": high,
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "bits": information_bits(matrix),
        "chance": 1 / int((matrix.sum(axis=1) > 0).sum()),
        "n_trials": len(frame),
        "n_bouts": len(np.unique(np.asarray(bouts))),
    }


def _codes(values: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    values = np.asarray(values)
    codes = pd.Index(np.asarray(labels)).get_indexer(values)
    if (codes < 0).any():
        raise DataError(
            f"The label '{values[codes < 0][0]}' is not among the labels to be evaluated:"
            f" {', '.join(map(str, labels))}."
        )
    return codes


def _check_same_length(**columns: np.ndarray) -> None:
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{len(column)} of {name}" for name, column in columns.items())
        raise DataError(f"Truth, prediction and bouts must name the same trials; given: {lengths}.")


def _relevant_predictions(row: np.ndarray, possible: int) -> int:
    """Estimate how many of the `possible` predictions could have occurred for one syllable.

    That number is chosen which makes the expected number of occupied cells come closest to the
    number seen, with Bayes-like probabilities (Panzeri & Treves 1996): seen cells take
    (count + 1) / (n + seen) of what the unseen ones leave, and these share evenly.

    Parameters
    ----------
    row : numpy.ndarray (K,)
        Counts of each prediction for this syllable, at least one of them above 0.
    possible : int
        Predictions that occur for any syllable.
    """
    n = row.sum()
    seen = row[row > 0]
    expected = [(1 - (1 - seen / n) ** n).sum()]
    for unseen in range(1, possible - seen.size + 1):
        mass = unseen * (1 - (n / (n + seen.size)) ** (1 / n))
        p_seen = (1 - mass) * (seen + 1) / (n + seen.size)
        p_unseen = mass / unseen
        expected.append((1 - (1 - p_seen) ** n).sum() + unseen * (1 - (1 - p_unseen) ** n))
    return seen.size + int(np.abs(np.array(expected) - seen.size).argmin())
