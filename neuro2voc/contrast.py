"""Which bins are to lie together in an embedding, and which apart: batches for CEBRA.

What CEBRA's own loaders draw, but never across two bouts, and under a seed of its own.

time: a bin and the one `apart` later in the same bout, as CEBRA's `TimeContrastive`.
behaviour: two bins of the same syllable, as its `DiscreteDataLoader`.
hybrid: both at once, as its `HybridDataLoader`: a bin, one of the same syllable at nearly the same
place within it (its `DeltaNormalDistribution` on syllable and position), and the one `apart` later.
"""

from collections.abc import Callable

import numpy as np

from neuro2voc.bout_bins import BoutBins
from neuro2voc.errors import DataError

CONDITIONS = ("time", "behaviour", "hybrid")
# Rows (batch,) of references, of their positive partners (one set per aim), and of negatives.
Batch = tuple[np.ndarray, list[np.ndarray], np.ndarray]


def batches(
    bins: BoutBins, condition: str, apart: int, nearby: float
) -> Callable[[int, np.random.Generator], Batch]:
    """Return a function that draws batches of rows.

    Parameters
    ----------
    bins : BoutBins
        Those to train on.
    condition : {'time', 'behaviour', 'hybrid'}
    apart : int
        Bins from a bin to its partner in time.
    nearby : float
        Standard deviation of the difference in position, in parts of the syllable.

    Raises
    ------
    DataError
        No bout is longer than `apart`, or fewer than two syllables are left.
    """
    later = np.zeros(len(bins), dtype=bool)
    later[:-apart] = bins.bout[:-apart] == bins.bout[apart:]
    allowed = {"time": later, "behaviour": bins.sung, "hybrid": later & bins.sung}[condition]
    rows = np.flatnonzero(allowed)
    if condition != "behaviour" and not len(rows):
        raise DataError(
            f"No bout holds two bins that are {apart * bins.width:g} s apart; lower "
            "`embedding: apart`."
        )
    if condition != "time" and len(np.unique(bins.label[rows])) < 2:
        raise DataError(
            "Fewer than two syllables are left to train an embedding on; lower the number of "
            "folds, or leave only `time` under `embedding: spaces`."
        )
    partner = Partners(bins) if condition != "time" else None

    def draw(batch: int, rng: np.random.Generator) -> Batch:
        drawn = rows[rng.integers(len(rows), size=2 * batch)]
        reference, negative = drawn[:batch], drawn[batch:]
        positives = []
        if condition == "behaviour":
            positives.append(partner.any(reference, rng))
        if condition == "hybrid":
            positives.append(partner.near(reference, nearby, rng))
        if condition != "behaviour":
            positives.append(reference + apart)
        return reference, positives, negative

    return draw


class Partners:
    """Bins of the same syllable, sorted by position once, so that none is searched for in a batch.

    CEBRA compares each query with all bins; here it costs a binary search.
    """

    def __init__(self, bins: BoutBins):
        # Positions lie between 0 and 1, so one sorted column holds all syllables.
        self.code = np.unique(bins.label, return_inverse=True)[1]
        self.position = bins.position
        sung = np.flatnonzero(bins.sung)
        order = np.lexsort((bins.position[sung], self.code[sung]))
        self.rows = sung[order]
        codes = self.code[self.rows]
        self.first = np.searchsorted(codes, np.arange(self.code.max() + 1))
        self.last = np.searchsorted(codes, np.arange(self.code.max() + 1), side="right") - 1
        self.key = 2.0 * codes + self.position[self.rows]

    def any(self, reference: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw for each bin any bin of its syllable, itself included."""
        code = self.code[reference]
        return self.rows[rng.integers(self.first[code], self.last[code] + 1)]

    def near(self, reference: np.ndarray, nearby: float, rng: np.random.Generator) -> np.ndarray:
        """Draw for each bin the one of its syllable that is nearest to a place near its own."""
        place = self.position[reference] + nearby * rng.standard_normal(len(reference))
        return self.nearest(self.code[reference], place)

    def nearest(self, code: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return the bin of each syllable whose position is nearest to a place."""
        sought = 2.0 * code + np.clip(place, -0.4, 1.4)
        above = np.clip(np.searchsorted(self.key, sought), self.first[code], self.last[code])
        below = np.clip(above - 1, self.first[code], self.last[code])
        nearer = np.abs(self.key[below] - sought) <= np.abs(self.key[above] - sought)
        return self.rows[np.where(nearer, below, above)]
