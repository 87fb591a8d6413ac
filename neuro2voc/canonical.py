"""Canonical correlation of activity and sound, fitted on training trials, of held-out ones.

Trials are centred within groups, so that nothing is correlated by what a group shares. The null
permutes trials within the same groups; these do not reach across folds, so that components stay as
they are and only what activity and sound have in common is fitted anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

# Of the mean variance of the components, added to each; those that hardly vary would otherwise be
# blown up (canonical ridge: Vinod 1976, J. Econometrics 4:147).
RIDGE = 0.05
CHUNK = 100  # permutations in memory at once


@dataclass(frozen=True, eq=False)
class Latents:
    """Components of activity and sound, in which canonical axes are looked for.

    Attributes
    ----------
    activity, sound : ndarray (trials, components)
        See `whitened`.
    train, test : ndarray (n,)
        Rows of the trials that components and canonical axes are fitted on, and of those that are
        correlated.
    """

    activity: np.ndarray
    sound: np.ndarray
    train: np.ndarray
    test: np.ndarray


def centred(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return values (trials, columns) less the mean of their group (trials,)."""
    number = np.unique(group, return_inverse=True)[1]
    member = (number[:, None] == np.arange(number.max() + 1)).astype(float)
    means = member.T @ values / member.sum(axis=0)[:, None]
    return values - means[number]


def permutations(group: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Return random orders (number, trials) in which each group's trials change places."""
    rng = np.random.default_rng(seed)
    places = np.argsort(group, kind="stable")
    orders = np.empty((number, len(group)), dtype=int)
    for order in orders:
        order[places] = np.lexsort((rng.random(len(group)), group))
    return orders


def whitened(values: np.ndarray, train: np.ndarray, components: int) -> np.ndarray:
    """Return the principal components (trials, k) that vary most among the training trials.

    Parameters
    ----------
    values : ndarray (trials, columns)
        Centred.
    train : ndarray (n,)
        Rows.
    components : int
        At most; fewer where the training trials span fewer.

    Returns
    -------
    ndarray
        Of all trials, divided by their deviation in training (with the ridge).
    """
    own = values[train].astype(float)
    # Of the two Gram matrices the smaller has the same components in a fraction of the time.
    wide = own.shape[1] > len(own)
    gram = (own @ own.T if wide else own.T @ own) / len(own)
    largest = [max(0, len(gram) - components), len(gram) - 1]
    power, vectors = eigh(gram, subset_by_index=largest)
    power, vectors = power[::-1], vectors[:, ::-1]
    kept = power > 1e-9 * max(power[0], 1e-9)
    if not kept.any():
        return np.zeros((len(values), 0))
    power, axes = power[kept], vectors[:, kept]
    if wide:
        axes = own.T @ axes / np.sqrt(len(own) * power)
    return values @ axes / np.sqrt(power + RIDGE * power.mean())


def canonical_axes(activity: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the canonical axes of whitened latents (Hotelling 1936, Biometrika 28:321).

    They are the singular vectors of the cross-covariance.

    Parameters
    ----------
    activity : ndarray (trials, m)
    sound : ndarray (..., trials, n)
        Any number of pairings at once.

    Returns
    -------
    ndarray (..., m, k), ndarray (..., n, k)
        k is the smaller of m and n; the pair that covaries most first.
    """
    left, _, right = np.linalg.svd(activity.T @ sound, full_matrices=False)
    return left, np.swapaxes(right, -1, -2)


def variates(latents: Latents, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return canonical variates of activity and sound of the test trials.

    Parameters
    ----------
    latents : Latents
    orders : ndarray (pairings, trials)
        The trial whose sound is paired with each trial's activity.

    Returns
    -------
    ndarray (pairings, test, k), ndarray (pairings, test, k)
    """
    sound = latents.sound[orders]
    left, right = canonical_axes(latents.activity[latents.train], sound[:, latents.train])
    return latents.activity[latents.test] @ left, sound[:, latents.test] @ right


def correlations(latents: Sequence[Latents], orders: np.ndarray) -> np.ndarray:
    """Return correlations (pairings, k) of variates of test trials, pooled over folds.

    They are not centred again, since their groups are. Where folds have different numbers of
    components, the least number counts.
    """
    found = []
    for start in range(0, len(orders), CHUNK):
        chunk = orders[start : start + CHUNK]
        moments = [_moments(*variates(each, chunk)).sum(axis=2) for each in latents]
        found.append(_correlation(_added(moments)))
    return np.concatenate(found)


def intervals(
    latents: Sequence[Latents], bouts: np.ndarray, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return 95 % intervals (k,) of the correlations, by a percentile bootstrap over bouts.

    Axes are not fitted anew, so that the intervals are too narrow. NaN where there is one bout.

    Parameters
    ----------
    latents : sequence of Latents
    bouts : ndarray (trials,)
    resamples, seed : int
    """
    itself = np.arange(len(bouts))[None]
    names, bout = np.unique(bouts, return_inverse=True)
    parts = []
    for each in latents:
        moments = _moments(*variates(each, itself))[:, 0]
        sums = np.zeros((3, len(names), moments.shape[-1]))
        np.add.at(sums, (slice(None), bout[each.test]), moments)
        parts.append(sums)
    sums = _added(parts)
    if len(names) < 2:
        return np.full(sums.shape[-1], np.nan), np.full(sums.shape[-1], np.nan)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    resampled = _correlation(np.einsum("rb,mbk->mrk", weights.astype(float), sums))
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    return low, high


def _moments(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the products and squares (3, ...) that correlations are made of."""
    return np.stack([first * second, first**2, second**2])


def _added(moments: Sequence[np.ndarray]) -> np.ndarray:
    pairs = min(each.shape[-1] for each in moments)
    return np.sum([each[..., :pairs] for each in moments], axis=0)


def _correlation(moments: np.ndarray) -> np.ndarray:
    product, first, second = moments
    size = np.sqrt(first * second)
    return np.divide(product, size, out=np.zeros_like(product), where=size > 0)
