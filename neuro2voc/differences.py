"""Differences between decoders of the same trials, with intervals from resampled bouts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.evaluation import balanced_accuracy


@dataclass(frozen=True)
class Difference:
    """A difference of balanced accuracies with its 95 % interval over the bouts tested.

    Attributes
    ----------
    mean, low, high : float
        `low` and `high` are NaN where there is one bout only.
    """

    mean: float
    low: float
    high: float


def difference_over_bouts(
    first: Sequence[pd.DataFrame],
    second: Sequence[pd.DataFrame],
    trials: pd.DataFrame,
    resamples: int,
    seed: int,
) -> Difference:
    """Compare the mean balanced accuracies of two groups of decoders.

    All decoders are scored on the same resampled bouts (percentile bootstrap, Efron & Tibshirani
    1993, An Introduction to the Bootstrap, chapter 13). That they would come out differently if
    trained on other bouts is not in the interval.

    Parameters
    ----------
    first, second : sequence of DataFrame
        Predictions of the same trials: trial, truth, prediction.
    trials : DataFrame
        Columns `trial` and `bout`.
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    Difference
        First minus second.
    """
    frames = [*first, *second]
    bout_of = trials.set_index("trial")["bout"]
    bouts = np.unique(bout_of.loc[frames[0]["trial"]])
    columns = [frame[name] for frame in frames for name in ("truth", "prediction")]
    labels = pd.concat(columns).unique()
    counts = np.stack([_by_bout(frame, bout_of, bouts, labels) for frame in frames])
    sign = np.r_[np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))]
    mean = float(sign @ balanced_accuracy(counts.sum(axis=1)))
    if len(bouts) < 2:
        return Difference(mean, float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(bouts), np.full(len(bouts), 1 / len(bouts)), size=resamples)
    resampled = np.tensordot(weights.astype(float), counts, axes=(1, 1))
    low, high = np.quantile(balanced_accuracy(resampled) @ sign, [0.025, 0.975])
    return Difference(mean, float(low), float(high))


def _by_bout(
    frame: pd.DataFrame, bout_of: pd.Series, bouts: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return the confusion matrix of every bout (bouts, K, K)."""
    known, k = pd.Index(labels), len(labels)
    row = np.searchsorted(bouts, bout_of.loc[frame["trial"]].to_numpy())
    cell = row * k + known.get_indexer(frame["truth"])
    cell = cell * k + known.get_indexer(frame["prediction"])
    counts = np.bincount(cell, minlength=len(bouts) * k * k)
    return counts.reshape(len(bouts), k, k).astype(float)
