"""Which units, and which pairs, say more together than each alone: hubs against their null.

Trees that add up two units' tuning still interact a little wherever both are tuned, so shuffled
labels are no null for interactions: additive tuning would then look like a hub. Independent copies
of a bird keep every unit's tuning and destroy joint patterns.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.attribution import Explanation, explain
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds
from neuro2voc.inclusion import with_included
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.subsets import unit_features
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

LEAST_GROUP = 5  # trials, below which those after different syllables are permuted together


@dataclass(frozen=True)
class Surrogates:
    """What the same models make of surrogate birds of one kind.

    Attributes
    ----------
    replicate : ndarray (R,)
        Their numbers.
    cells : ndarray (R, K, units)
        Mean |SHAP values|.
    absolute, evidence : ndarray (R, units, units)
        Mean |interactions|, over syllables, and evidence.
    """

    replicate: np.ndarray
    cells: np.ndarray
    absolute: np.ndarray
    evidence: np.ndarray

    def without(self, number: int) -> "Surrogates":
        """Return all but one, which is to be seen beside the others."""
        kept = self.replicate != number
        return Surrogates(*(values[kept] for values in vars(self).values()))


@dataclass(frozen=True)
class AttributionNull:
    """What SHAP values and interactions are seen beside.

    Attributes
    ----------
    shifted : Surrogates
        Shifted birds, which know nothing of the song: the null for what units say of syllables.
    independent : Surrogates
        Independent copies, which know all but joint patterns: the null for pairs and hubs.
    kept : float
        Share of the joint pattern that independent copies leave in place.
    """

    shifted: Surrogates
    independent: Surrogates
    kept: float


def shifted_null(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    inclusion: pd.DataFrame | None = None,
) -> Surrogates:
    """Explain shifted surrogates as the bird itself was explained.

    Parameters
    ----------
    recording : Recording
        No surrogate itself, with all its units: a surrogate draws for units that do not count, too.
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
        Its null seeds are those of the surrogates.
    inclusion : DataFrame, optional
        Which units count (see `neuro2voc.inclusion.inclusion_table`); None: all.
    """
    explained = []
    for bird, _ in shifted_birds(recording, trials, protocol):
        chosen = bird if inclusion is None else with_included(bird, inclusion)
        explained.append(explain_bird(chosen, trials, split, windows, protocol))
    return _surrogates(explained)


def independent_null(
    bird: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    seeds: tuple[int, ...],
) -> tuple[Surrogates, float]:
    """Explain independent copies of a bird as the bird itself was explained.

    A copy permutes what the models see, player by player, so that each keeps its tuning exactly,
    whatever the window: the surrogate birds ``~independent`` permute spikes from one onset to the
    next, of which a window that begins before an onset holds parts of two.

    Parameters
    ----------
    bird : Recording
        Any, surrogates and birds of one unit included.
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
    seeds : tuple of int
        One copy each.

    Returns
    -------
    copies : Surrogates
    kept : float
        Share of the joint pattern that stays: in a group of n trials two players stay together in
        one n-th of them.
    """
    used = used_trials(trials)
    fold = outer_folds(used, split)
    X = unit_features(bird, used, protocol.feature, windows)
    group = exchangeable(used, fold)
    copies = []
    for number, seed in enumerate(seeds, start=1):
        made = independent_copy(X, group, np.random.default_rng(seed))
        copies.append(explain(made, used, fold, protocol.seed))
        log.info("independent copy %d of %d", number, len(seeds))
    size = np.bincount(group)[group]
    return _surrogates(copies), float((1 / size[fold != NONE]).mean())


def exchangeable(used: pd.DataFrame, fold: np.ndarray) -> np.ndarray:
    """Group (trials,) trials that could change places if units were independent of one another.

    They have the syllable, session and fold in common, and the syllable before, of which a window
    around the onset holds the end. Where fewer than five have it, they share a group.
    """
    same = ["label", "session", "fold"]
    kind = used[["label", "session", "previous"]].assign(fold=fold)
    size = kind.groupby([*same, "previous"])["previous"].transform("size")
    kind["previous"] = kind["previous"].mask(size < LEAST_GROUP, "\0")  # nobody's label
    return kind.groupby([*same, "previous"]).ngroup().to_numpy()


def independent_copy(X: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute each player's trials within groups.

    Parameters
    ----------
    X : ndarray (trials, units, columns per unit)
        A trial in which a player was not observed (NaN) stays as it is.
    group : ndarray (trials,)
    rng : Generator

    Returns
    -------
    ndarray
        Like `X`. In a bird of one unit its columns, which are the players, are permuted apart.
    """
    players = X if X.shape[1] > 1 else X.swapaxes(1, 2)
    copy = np.empty_like(players)
    for player in range(players.shape[1]):
        observed = ~np.isnan(players[:, player]).any(axis=1)
        key = np.where(observed, group, -1 - np.arange(len(group)))
        target = np.empty(len(key), dtype=int)
        target[np.lexsort((rng.random(len(key)), key))] = np.argsort(key, kind="stable")
        copy[:, player] = players[target, player]
    return copy if X.shape[1] > 1 else copy.swapaxes(1, 2)


def _surrogates(explained: list[Explanation]) -> Surrogates:
    def stacked(arrays: list[np.ndarray]) -> np.ndarray:
        return np.stack(arrays) if arrays else np.zeros((0, 1, 1))

    return Surrogates(
        np.arange(1, len(explained) + 1),
        stacked([each.cells for each in explained]),
        stacked([each.absolute.mean(axis=0) for each in explained]),
        stacked([each.evidence for each in explained]),
    )


def explain_bird(
    bird: Recording, trials: pd.DataFrame, split: pd.DataFrame, windows: Mapping, protocol: Protocol
) -> Explanation:
    """Explain what the protocol's feature says of a bird's used trials; see `explain`."""
    used = used_trials(trials)
    X = unit_features(bird, used, protocol.feature, windows)
    return explain(X, used, outer_folds(used, split), protocol.seed)


def against_null(observed: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Test many scores at once against surrogates.

    Each score of the bird, and of each surrogate, is made comparable by the mean and standard
    deviation of all others, t = (x - mean) / (sd + s0). The same s0 for all, the median of the
    scores' standard deviations over bird and surrogates, keeps scores that hardly vary from
    standing out (Tusher et al. 2001, PNAS 98:5116). The greatest t of each surrogate is then the
    null for every score (Westfall & Young 1993, Resampling-Based Multiple Testing): p is the
    probability, without any effect, that one or more of all scores come out as far. Bird and
    surrogates are treated alike, so that they can be exchanged where there is no effect.

    Parameters
    ----------
    observed : ndarray (m,)
    null : ndarray (R, m)

    Returns
    -------
    t, p : ndarray (m,)
        NaN where there are no surrogates.
    """
    if not null.size:
        return np.full((2, len(observed)), np.nan)
    every = np.vstack([observed, null])
    # The mean of equal numbers may differ from them in the last digit.
    away = np.where(np.ptp(every, axis=0) > 0, every - every.mean(axis=0), 0.0)
    # Sums over all, less what each adds itself.
    others = len(every) - 1
    total = (away**2).sum(axis=0)
    left = np.maximum(total - away**2 * len(every) / others, 0)
    deviation = np.sqrt(left / others)
    # What rounding leaves of a spread that is none.
    spread = np.sqrt(total / len(every))
    deviation[deviation <= 1e-7 * spread] = 0
    least = np.median(spread[spread > 0]) if spread.any() else 1.0
    t = away * len(every) / others / (deviation + least)
    # Rounded, so that what is equal but for the order of sums counts as equal.
    t = np.round(t, 9)
    greatest = t[1:].max(axis=1)
    return t[0], (1 + (greatest[:, None] >= t[0]).sum(axis=0)) / (1 + len(null))


def interval_of_sums(
    of_bout: np.ndarray, weight: np.ndarray, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap intervals (95 %) of weighted means, over whole bouts.

    Models are not fitted anew, so that intervals are too narrow, as those of accuracies are
    (docs/validation.md).

    Parameters
    ----------
    of_bout : ndarray (bouts, m)
        What each bout adds to the means.
    weight : ndarray (bouts,)
        What each bout adds to the sum of weights, 1.
    resamples, seed : int

    Returns
    -------
    low, high : ndarray (m,)
        NaN where there is one bout only.
    """
    bouts = len(of_bout)
    if bouts < 2:
        return np.full((2, of_bout.shape[1]), np.nan)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(bouts, np.full(bouts, 1 / bouts), size=resamples).astype(float)
    low, high = np.quantile((times @ of_bout) / (times @ weight)[:, None], [0.025, 0.975], axis=0)
    return low, high
