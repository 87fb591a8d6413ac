"""Curves: the same decoding at many points (windows, lags, numbers of neurons), each with its null.

A curve is given by a function that makes the features of all its points from a bird, so that
surrogate birds go exactly the same way.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import commonest, cross_decode, fixed_fit, outer_folds, sum_up, tuned_fit
from neuro2voc.nulls import table_beside_null
from neuro2voc.recording import Recording
from neuro2voc.surrogates import surrogate
from neuro2voc.trials import make_trials, used_trials

log = logging.getLogger(__name__)

# Features (trials, columns) of every point of a curve, by the point's name.
Points = dict[object, np.ndarray]


@dataclass(frozen=True)
class Protocol:
    """How the points of a curve are decoded.

    Attributes
    ----------
    decoder : str
    split : str
        Name of the outer split; inner folds are made the same way.
    inner_folds : int
    resamples : int
        Of the bootstrap over bouts.
    seed : int
        Of decoders and bootstrap.
    null_seeds : tuple of int
        One shifted surrogate each; empty for a bird that is a surrogate itself.
    trials : dict
        Arguments of `neuro2voc.trials.make_trials`, for the surrogates.
    feature : str
        What is seen where the curve does not vary the window itself.
    """

    decoder: str
    split: str
    inner_folds: int
    resamples: int
    seed: int
    null_seeds: tuple[int, ...] = ()
    trials: dict | None = None
    feature: str = ""


def predict(
    X: np.ndarray, trials: pd.DataFrame, fold: np.ndarray, protocol: Protocol
) -> tuple[pd.DataFrame, dict]:
    """Decode one point with settings chosen on inner folds.

    Returns
    -------
    predictions : DataFrame
        See `neuro2voc.decoding.cross_decode`.
    settings : dict
        Those that most folds chose.
    """
    model, grid = make_decoder(protocol.decoder, protocol.seed, protocol.feature)
    fit, chosen = tuned_fit(model, grid, protocol.split, protocol.inner_folds, protocol.seed)
    frame = cross_decode(X, trials, fold, fit)
    return frame, commonest(chosen)


def curve(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    points_of: Callable[[Recording, pd.DataFrame], Points],
    protocol: Protocol,
) -> pd.DataFrame:
    """Decode every point of a curve and its shifted surrogates.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones are decoded.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    points_of : callable
        ``points_of(recording, used)`` returns the features of all points.
    protocol : Protocol

    Returns
    -------
    DataFrame
        A row per point: point, what `neuro2voc.evaluation.summary` returns, and null_mean,
        null_low, null_high, null_replicates, p (missing without surrogates).
    """
    used = used_trials(trials)
    fold = outer_folds(used, split)
    rows, settings = [], {}
    for point, X in points_of(recording, used).items():
        frame, settings[point] = predict(X, used, fold, protocol)
        rows.append({"point": point, **sum_up(frame, used, protocol.resamples, protocol.seed)})
        log.info("%s: balanced accuracy %.3f", point, rows[-1]["balanced_accuracy"])
    table = pd.DataFrame(rows)
    if not protocol.null_seeds:
        return table
    null = null_scores(recording, trials, split, points_of, settings, protocol)
    return table_beside_null(table, np.stack([null[point] for point in table["point"]], axis=1))


def null_scores(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    points_of: Callable[[Recording, pd.DataFrame], Points],
    settings: dict,
    protocol: Protocol,
) -> dict[object, np.ndarray]:
    """Return each point's balanced accuracies on shifted birds, with settings as given."""
    scores: dict[object, list[float]] = {point: [] for point in settings}
    for bird, used in shifted_birds(recording, trials, protocol):
        fold = outer_folds(used, split)
        for point, X in points_of(bird, used).items():
            model = make_decoder(protocol.decoder, protocol.seed, protocol.feature)[0]
            frame = cross_decode(X, used, fold, fixed_fit(model, settings[point]))
            scores[point].append(sum_up(frame, used, 1, protocol.seed)["balanced_accuracy"])
    return {point: np.array(values) for point, values in scores.items()}


def shifted_birds(
    recording: Recording, trials: pd.DataFrame, protocol: Protocol
) -> Iterator[tuple[Recording, pd.DataFrame]]:
    """Yield shifted surrogates with their used trials, one per seed of the protocol."""
    for replicate, seed in enumerate(protocol.null_seeds, start=1):
        bird = surrogate(recording, "shifted", seed, trials)
        yield bird, used_trials(make_trials(bird, **protocol.trials))
        log.info("surrogate %d of %d", replicate, len(protocol.null_seeds))
