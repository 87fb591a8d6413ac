"""Rows that adjoin and belong together."""

from itertools import pairwise

import numpy as np


def runs(*columns: np.ndarray) -> list[slice]:
    """Return the stretches of rows, in order, within which none of the columns (rows,) changes."""
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    edges = np.r_[0, np.flatnonzero(changes) + 1, len(columns[0])]
    return [slice(first, stop) for first, stop in pairwise(edges.tolist())]
