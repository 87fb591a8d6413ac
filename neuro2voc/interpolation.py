"""Values between rows."""

import numpy as np


def sampled(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return values (rows, columns) at fractional rows (...), interpolated (..., columns)."""
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    part = (places - low)[..., None].astype(values.dtype)
    return values[low] * (1 - part) + values[high] * part


def stretched(values: np.ndarray, length: int) -> np.ndarray:
    """Return values (rows, columns) interpolated to another number of rows, end to end (float64).

    One row is repeated; there must be at least one.
    """
    return sampled(np.asarray(values, dtype=float), np.linspace(0, len(values) - 1, length))
