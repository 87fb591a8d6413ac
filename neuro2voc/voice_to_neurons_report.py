"""How well neurons are generated from the voice: scores, nulls and limits of every method."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from neuro2voc.deviance import explained, explained_interval, poisson_deviance, sums_by
from neuro2voc.evaluation import p_value
from neuro2voc.frames import Frames
from neuro2voc.networks.joint_vae import JointVAE
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.neural_vae import NeuralSettings
from neuro2voc.recording import Recording
from neuro2voc.sources.simulate import Truth
from neuro2voc.surrogates import surrogate
from neuro2voc.voice_to_neurons import (
    CONSTANT,
    JOINT,
    RIDGE,
    TRUE,
    Problem,
    expected_rates,
    make_problem,
    predictions,
)

log = logging.getLogger(__name__)

SMOOTH = 0.02  # s, standard deviation of the Gaussian that rates are smoothed by


def smoothed(rates: np.ndarray, bout: np.ndarray, bin: float) -> np.ndarray:
    """Return rates smoothed in time within bouts; missing ones are taken for 0."""
    made = np.empty(rates.shape)
    for one in np.unique(bout):
        rows = bout == one
        made[rows] = gaussian_filter1d(np.nan_to_num(rates[rows]), SMOOTH / bin, axis=0)
    return made


def rate_correlations(
    count: np.ndarray, rate: np.ndarray, bout: np.ndarray, bin: float
) -> np.ndarray:
    """Return the correlation of each unit's smoothed rates (units,); NaN where one is constant."""
    first, second = (smoothed(values, bout, bin) for values in (count, rate))
    first, second = first - first.mean(0), second - second.mean(0)
    norm = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    floor = 1e-9 * np.maximum(1, len(count))
    return np.divide(
        (first * second).sum(0), norm, out=np.full(count.shape[1], np.nan), where=norm > floor
    )


def score_table(
    problem: Problem, made: Mapping[str, np.ndarray], resamples: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum up predictions.

    Returns
    -------
    methods : DataFrame
        method, explained (share of the deviance from a constant rate), low, high, correlation
        (median over units), n_bins, n_bouts.
    units : DataFrame
        method, unit (its place), explained, correlation, rate (Hz).
    """
    held = problem.fold >= 0
    count, bout = problem.count[held], problem.bout[held]
    reference = poisson_deviance(count, made[CONSTANT][held])
    rows, units = [], []
    for method, rates in made.items():
        deviance = poisson_deviance(count, rates[held])
        own, constant = (sums_by(part.sum(1), bout) for part in (deviance, reference))
        low, high = explained_interval(own, constant, resamples, seed)
        r = rate_correlations(count, rates[held], bout, problem.windows.bin)
        if method == CONSTANT:  # of which every fold has another
            r = np.full(len(r), np.nan)
        rows.append(
            {
                "method": method,
                "explained": explained(own.sum(), constant.sum()),
                "low": low,
                "high": high,
                "correlation": float(np.nanmedian(r)) if np.isfinite(r).any() else np.nan,
                "n_bins": len(count),
                "n_bouts": len(own),
            }
        )
        units.append(
            pd.DataFrame(
                {
                    "method": method,
                    "unit": np.arange(len(r)),
                    "explained": explained(deviance.sum(0), reference.sum(0)),
                    "correlation": r,
                    "rate": np.nanmean(count, axis=0) / problem.windows.bin,
                }
            )
        )
    return pd.DataFrame(rows), pd.concat(units, ignore_index=True)


def ridge_null(
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
    settings: NeuralSettings,
    seeds: Iterable[int],
) -> np.ndarray:
    """Return the deviance that the ridge explains of shifted surrogates, one per seed."""
    scores = []
    for seed in seeds:
        bird = surrogate(recording, "shifted", seed)
        problem = make_problem(bird, frames, split, settings)
        made = predictions(problem, pd.DataFrame(), {}, {}, settings)
        scores.append(score_table(problem, made, 2, 0)[0].set_index("method")["explained"][RIDGE])
        log.info("surrogate %d: %.4f", len(scores), scores[-1])
    return np.array(scores)


def with_null(methods: pd.DataFrame, null: np.ndarray, joint: float | None) -> pd.DataFrame:
    """Put the nulls beside: null_mean, null_low, null_high, null_replicates and p.

    Parameters
    ----------
    methods : DataFrame
        See `score_table`.
    null : ndarray (replicates,)
        Of the ridge.
    joint : float or None
        Of the joint autoencoder, trained on one surrogate; one says nothing of p.
    """
    table = methods.set_index("method")
    if len(null):
        columns = ["null_mean", "null_low", "null_high", "null_replicates", "p"]
        values = [null.mean(), null.min(), null.max(), len(null)]
        table.loc[RIDGE, columns] = [*values, p_value(table.loc[RIDGE, "explained"], null)]
    if joint is not None and JOINT in table.index:
        columns = ["null_mean", "null_low", "null_high", "null_replicates"]
        table.loc[JOINT, columns] = [joint, joint, joint, 1]
    return table.reset_index()


@dataclass(frozen=True, eq=False)
class ReverseReport:
    """What is drawn.

    Attributes
    ----------
    methods, units : DataFrame
        See `score_table` and `with_null`.
    made : dict of ndarray (bins, units)
        Held-out predictions by method.
    null : ndarray (bins, units) or None
        Of the joint autoencoder trained on shifted activity.
    problem : Problem
    """

    methods: pd.DataFrame
    units: pd.DataFrame
    made: Mapping[str, np.ndarray]
    null: np.ndarray | None
    problem: Problem


def report_voice_to_neurons(
    recording: Recording,
    frames: Frames,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    joint: Mapping[str, JointVAE],
    shifted: tuple[Recording, Mapping[str, JointVAE]] | None,
    vocal: Mapping[int, VocalVAE],
    settings: NeuralSettings,
    null_seeds: Iterable[int],
    truth: Truth | None,
    resamples: int,
) -> ReverseReport:
    """Predict neurons from the voice, and put nulls and limits beside.

    Parameters
    ----------
    joint : mapping of JointVAE
        By fold.
    shifted : (Recording, mapping of JointVAE) or None
        A shifted surrogate and what was trained on it.
    vocal : mapping of VocalVAE
        By fold, autoencoders of the voice that never saw it; empty: none.
    null_seeds : iterable of int
        Shifted surrogates for the ridge.
    truth : Truth or None
        Of a simulated bird.
    """
    problem = make_problem(recording, frames, split, settings)
    made = predictions(problem, trials, joint, vocal, settings)
    if truth is not None:
        made[TRUE] = np.where(problem.fold[:, None] >= 0, expected_rates(problem, truth), np.nan)
    methods, units = score_table(problem, made, resamples, settings.seed)
    one, null = None, None
    if shifted is not None:
        bird, models = shifted
        other = make_problem(bird, frames, split, settings)
        theirs = predictions(other, trials, models, {}, settings)
        one = score_table(other, theirs, 2, 0)[0].set_index("method")["explained"][JOINT]
        null = theirs[JOINT]
    of_ridge = ridge_null(recording, frames, split, settings, null_seeds)
    return ReverseReport(with_null(methods, of_ridge, one), units, made, null, problem)
