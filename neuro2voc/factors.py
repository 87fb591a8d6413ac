"""Non-negative factors of activity: what a codec without network or codes makes of it."""

import warnings

import numpy as np
from sklearn.decomposition import non_negative_factorization
from sklearn.exceptions import ConvergenceWarning

GROUPS = 5  # parts of the units, each hidden in turn
ROUNDS = 100  # of multiplicative updates


def in_groups(units: int) -> list[np.ndarray]:
    """Return parts of the units, each to be predicted from the others; none of a single unit."""
    if units < 2:
        return []
    return [np.arange(units)[group::GROUPS] for group in range(min(GROUPS, units))]


class Factors:
    """Non-negative matrix factorisation of frames: as many numbers per frame as the codec has.

    It minimises the Poisson deviance (Lee & Seung 2001), and its numbers are not quantised.
    """

    def __init__(self, windows: np.ndarray, frame: int, dims: int, seed: int):
        self.frame, self.dims, self.seed = frame, dims, seed
        patches = self._patches(windows.transpose(1, 0, 2).reshape(windows.shape[1], -1))
        self.dims = min(dims, *patches.shape)
        self.basis = self._factorise(patches, n_components=self.dims)[1]

    def _patches(self, values: np.ndarray) -> np.ndarray:
        """Return frames (frames, units times bins) of activity (units, bins)."""
        parts = np.nan_to_num(values).reshape(len(values), -1, self.frame)
        return parts.transpose(1, 0, 2).reshape(parts.shape[1], -1).astype(float)

    def _factorise(self, patches: np.ndarray, **fixed: object) -> tuple:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Frames without any activity are described without error from the start.
            warnings.simplefilter("ignore", RuntimeWarning)
            return non_negative_factorization(
                patches,
                **fixed,
                beta_loss="kullback-leibler",
                solver="mu",
                max_iter=ROUNDS,
                random_state=self.seed % 2**32,
            )

    def rates(self, values: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
        """Return rates (units, bins) of activity (units, bins), from the units `seen` alone."""
        columns = np.ones(self.basis.shape[1], dtype=bool)
        if seen is not None:
            columns = np.repeat(seen, self.frame)
        patches, basis = self._patches(values)[:, columns], self.basis[:, columns]
        weights = self._factorise(patches, H=basis, update_H=False, n_components=self.dims)[0]
        rates = (weights @ self.basis).reshape(len(patches), len(values), self.frame)
        return rates.transpose(1, 0, 2).reshape(values.shape)

    def rates_from_others(self, values: np.ndarray) -> np.ndarray:
        """Return rates of units from activity in which they are hidden."""
        rates = np.full(values.shape, np.nan)
        for group in in_groups(len(values)):
            seen = np.ones(len(values), dtype=bool)
            seen[group] = False
            rates[group] = self.rates(values, seen)[group]
        return rates
