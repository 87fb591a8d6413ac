"""How well rates explain counts: Poisson deviance, relative to a constant rate."""

import numpy as np

LEAST = 1e-9  # counts per bin; a rate of nothing has no logarithm


def poisson_deviance(count: np.ndarray, rate: np.ndarray) -> np.ndarray:
    r"""Return twice the log-likelihood that rates lack against knowing each count.

    .. math:: d = 2 \left[ y \log(y / \mu) - (y - \mu) \right]

    Parameters
    ----------
    count : ndarray (...)
        Counts y, or levels not below 0; NaN where nothing was observed.
    rate : ndarray (...)
        Expected counts, above 0.

    Returns
    -------
    ndarray (...)
        float64, 0 where nothing was observed.
    """
    count, rate = np.asarray(count, dtype=float), np.asarray(rate, dtype=float)
    seen = np.isfinite(count)
    count = np.where(seen, count, 0)
    logarithm = np.log(np.where(count > 0, count / rate, 1.0))
    return np.where(seen, 2 * (count * logarithm - (count - rate)), 0.0)


def unit_deviance(values: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return the deviance (units,) of activity given rates, both (units, bins) and per bin."""
    return poisson_deviance(values, np.maximum(rates, LEAST)).sum(axis=1)


def explained(deviance: np.ndarray, reference: np.ndarray) -> np.ndarray | float:
    """Return the share of the reference's deviance that is explained; NaN where that is 0."""
    deviance, reference = np.asarray(deviance, float), np.asarray(reference, float)
    ratio = np.divide(deviance, reference, out=np.full(deviance.shape, np.nan), where=reference > 0)
    # Rounded, because what rounding leaves of a zero looks like something in a table.
    share = np.round(1 - ratio, 12)
    return float(share) if share.ndim == 0 else share


def explained_interval(
    deviance: np.ndarray, reference: np.ndarray, resamples: int, seed: int
) -> tuple[float, float]:
    """Return a 95 % percentile interval of the share explained that resamples bouts.

    Parameters
    ----------
    deviance, reference : ndarray (bouts,)
        Sums over each bout.
    resamples, seed : int

    Returns
    -------
    low, high : float
        NaN with one bout, which says nothing of how bouts differ, and where no share is known.
    """
    bouts = len(deviance)
    if bouts < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(bouts, np.full(bouts, 1 / bouts), size=resamples).astype(float)
    shares = explained(weights @ deviance, weights @ reference)
    if np.isnan(shares).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(shares, [0.025, 0.975])
    return float(low), float(high)


def sums_by(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return sums of rows (groups, ...) by group, in the order of the groups' names."""
    names, place = np.unique(group, return_inverse=True)
    sums = np.zeros((len(names), *values.shape[1:]))
    np.add.at(sums, place, values)
    return sums
