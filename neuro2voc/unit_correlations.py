"""How units vary together: with the syllable (signal) and from trial to trial (noise).

Signal correlation is that of two units' mean activity per syllable: are they tuned alike? Noise
correlation is that of their activity with each syllable's mean taken off: do they fluctuate
together? (Cohen & Kohn 2011, Nat. Neurosci. 14:811.)
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata, t

from neuro2voc.attribution import Explanation

SHUFFLES = 199  # p from 0.005 on


def unit_correlations(explanation: Explanation, pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Correlate the activity of every pair of units that was explained.

    The null of noise correlations are trials shuffled within syllable, each unit for itself. That
    also destroys what units share because they drift together.

    Parameters
    ----------
    explanation : Explanation
        Its features are the activity; a unit's columns are summed.
    pairs : DataFrame
        first and second (numbers of players), unit_first, unit_second, depth_first, depth_second,
        evidence, evidence_p; see `neuro2voc.attribution_tables.pair_table`.
    seed : int
        Of the shuffles.

    Returns
    -------
    DataFrame
        A row per pair, in the order of `pairs`, with its columns named above, and: signal; noise,
        noise_null_low and noise_null_high (the middle 95 % of the pair's shuffles), noise_p (share
        of shuffles in which the |noise correlation| of any pair comes out as great, so that all
        pairs are allowed for); noise_least and noise_greatest (of single syllables). The same in
        every row: signal_chance (see `signal_chance`), rho (Spearman, of |noise| with evidence),
        rho_null_low and rho_null_high (the middle 95 % over shuffles), shuffles and n_trials.
    """
    truth = explanation.trials["truth"].to_numpy(dtype=str)
    means, noise = signal_and_noise(activity_of(explanation), truth)
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    rng = np.random.default_rng(seed)
    null = np.empty((SHUFFLES, len(pairs)))
    for number in range(SHUFFLES):
        null[number] = correlation(shuffled_within(noise, truth, rng))[first, second]
    observed = correlation(noise)[first, second]
    by_syllable = [correlation(noise[truth == label]) for label in explanation.labels]
    by_syllable = np.array([each[first, second] for each in by_syllable])
    low, high = np.quantile(null, [0.025, 0.975], axis=0)
    ends = [f"{name}_{end}" for name in ("unit", "depth") for end in ("first", "second")]
    rho = rank_correlation(np.abs([observed, *null]), pairs["evidence"].to_numpy())
    rho_low, rho_high = np.quantile(rho[1:], [0.025, 0.975])
    return pairs[["first", "second", *ends, "evidence", "evidence_p"]].assign(
        signal=correlation(means)[first, second],
        noise=observed,
        noise_null_low=low,
        noise_null_high=high,
        noise_p=p_of_any(observed, null),
        noise_least=np.fmin.reduce(by_syllable),
        noise_greatest=np.fmax.reduce(by_syllable),
        signal_chance=signal_chance(len(explanation.labels)),
        rho=rho[0],
        rho_null_low=rho_low,
        rho_null_high=rho_high,
        shuffles=SHUFFLES,
        n_trials=len(truth),
    )


def activity_of(explanation: Explanation) -> np.ndarray:
    """Return what the model saw of each player (trials, players), its columns summed.

    NaN where a unit was not observed.
    """
    first = np.flatnonzero(np.diff(explanation.unit, prepend=-1))
    return np.add.reduceat(explanation.features, first, axis=1)


def signal_and_noise(activity: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part activity (trials, units) in means per syllable and the rest.

    Returns
    -------
    means : ndarray (syllables, units)
        In sorted order; NaN where a unit was observed in no trial of the syllable.
    noise : ndarray (trials, units)
    """
    frame = pd.DataFrame(activity)
    means = frame.groupby(truth).mean()
    return means.to_numpy(), activity - means.loc[truth].to_numpy()


def correlation(values: np.ndarray) -> np.ndarray:
    """Return Pearson's correlations (units, units) of columns, over the rows where both are known.

    NaN where fewer than three rows are shared (two always lie on a line) or one does not vary.
    """
    known = ~np.isnan(values)
    shared = known.astype(float)
    number = shared.T @ shared
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - mean, 0)
    total, square = centred.T @ shared, centred.T**2 @ shared  # of one, where the other is known
    count = np.maximum(number, 1)
    covariance = centred.T @ centred - total * total.T / count
    variance = square - total**2 / count
    variance[(variance <= 1e-9 * square) | (number < 3)] = np.nan  # rounding is no variation
    return covariance / np.sqrt(variance * variance.T)


def shuffled_within(values: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle each column for itself within each syllable; what is not known stays in its place."""
    shuffled = values.copy()
    for label in np.unique(truth):
        block = values[truth == label]
        known = ~np.isnan(block)
        whole = known.all(axis=0)
        block[:, whole] = rng.permuted(block[:, whole], axis=0)
        for unit in np.flatnonzero(~whole):
            block[known[:, unit], unit] = rng.permutation(block[known[:, unit], unit])
        shuffled[truth == label] = block
    return shuffled


def p_of_any(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return how often any |value| of a surrogate is as great as each observed one, which counts.

    Parameters
    ----------
    observed : ndarray (m,)
    null : ndarray (R, m)

    Returns
    -------
    ndarray (m,)
        NaN where the observed one is.
    """
    size, greatest = np.abs(observed), np.fmax.reduce(np.abs(null), axis=1, initial=0)
    # What is equal but for the order of sums counts as equal.
    reached = greatest[:, None] >= size - 1e-9
    p = (1 + reached.sum(axis=0)) / (1 + len(null))
    return np.where(np.isnan(size), np.nan, p)


def signal_chance(syllables: int) -> float:
    """Return the |signal correlation| that one in twenty pairs of unrelated units exceeds.

    With so few syllables it is great: 0.75 with seven. Student's t, two-sided; NaN below three.
    """
    if syllables < 3:
        return float("nan")
    least = t.ppf(0.975, syllables - 2)
    return float(least / np.sqrt(syllables - 2 + least**2))


def rank_correlation(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation (R,) of each row (R, m) with values (m,).

    Over what is known in all rows; NaN where nothing varies.
    """
    known = np.isfinite(rows).all(axis=0) & np.isfinite(values)
    if known.sum() < 3:
        return np.full(len(rows), np.nan)
    ranks = rankdata(rows[:, known], axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    other = rankdata(values[known])
    other = other - other.mean()
    spread = np.sqrt((ranks**2).sum(axis=1) * (other**2).sum())
    return ranks @ other / np.where(spread > 0, spread, np.nan)
