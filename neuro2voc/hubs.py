"""Which units, and which pairs, say more together than each alone: hubs against their null.

Trees that add up two units' tuning still interact a little wherever both are tuned, so shuffled
labels are no null for interactions: additive tuning would then look like a hub. `~independent`
birds keep every unit's tuning and destroy joint patterns.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from neuro2voc.attribution import Explanation, explain
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds
from neuro2voc.inclusion import with_included
from neuro2voc.recording import Binned, Recording
from neuro2voc.subsets import unit_features
from neuro2voc.surrogates import share_kept, surrogate
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)


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
        They know nothing of the song: the null for what units say of syllables.
    independent : Surrogates
        They know all but joint patterns: the null for pairs and hubs.
    kept : float
        Share of the joint pattern that the independent surrogates leave in place; NaN without them.
    joint : {'independent', 'shifted'}
        Which of them are the null for pairs.
    """

    shifted: Surrogates
    independent: Surrogates
    kept: float
    joint: str = "independent"

    @property
    def pairs(self) -> Surrogates:
        """The null for pairs and hubs."""
        return getattr(self, self.joint)

    def beside(self, kind: str, replicate: int) -> "AttributionNull":
        """Return the null of a surrogate bird, of those of its parent.

        It is itself left out. One that has no tuning left is seen beside others that have none.
        """
        found = self
        if kind in ("shifted", "independent"):
            found = replace(self, **{kind: getattr(self, kind).without(replicate)})
        return replace(found, joint="independent" if kind == "independent" else "shifted")


def attribution_null(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    kept: pd.DataFrame,
    independent_seeds: tuple[int, ...],
    inclusion: pd.DataFrame | None = None,
) -> AttributionNull:
    """Explain surrogate birds as the bird itself was explained.

    Parameters
    ----------
    recording : Recording
        No surrogate itself, with all its units: a surrogate draws for units that do not count, too.
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
        Its null seeds are those of the shifted surrogates.
    kept : DataFrame
        The split within whose folds independent surrogates permute.
    independent_seeds : tuple of int
        One independent surrogate each. None is made of a single unit, or of activity that is not
        spikes.
    inclusion : DataFrame, optional
        Which units count (see `neuro2voc.inclusion.inclusion_table`); None: all.
    """

    def explained(bird: Recording) -> Explanation:
        chosen = bird if inclusion is None else with_included(bird, inclusion)
        return explain_bird(chosen, trials, split, windows, protocol)

    units = len(recording.units) if inclusion is None else inclusion["included"].sum()
    if units == 1 or isinstance(recording.units, Binned):
        why = "there is one unit only" if units == 1 else "its activity is not spikes"
        log.info("%s: no null for interactions, since %s", recording.name, why)
        independent_seeds = ()
    shifted = [explained(bird) for bird, _ in shifted_birds(recording, trials, protocol)]
    independent = []
    for number, seed in enumerate(independent_seeds, start=1):
        bird = surrogate(recording, "independent", seed, trials, kept)
        independent.append(explained(bird))
        log.info("independent surrogate %d of %d", number, len(independent_seeds))
    share = share_kept(trials, kept) if independent else float("nan")
    return AttributionNull(_surrogates(shifted), _surrogates(independent), share)


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
    deviation of all others, t = (x - mean) / (sd + s0), where s0, the median of all standard
    deviations, keeps scores that hardly vary from standing out (Tusher et al. 2001, PNAS 98:5116).
    The greatest t of each surrogate is then the null for every score (Westfall & Young 1993,
    Resampling-Based Multiple Testing): p is the probability, without any effect, that one or more
    of all scores come out as far. Bird and surrogates are treated alike, so that they can be
    exchanged where there is no effect.

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
    deviation[deviation <= 1e-7 * np.sqrt(total / len(every))] = 0
    least = [np.median(row[row > 0]) if row.any() else 1.0 for row in deviation]
    t = away * len(every) / others / (deviation + np.array(least)[:, None])
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
