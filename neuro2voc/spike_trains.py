"""What can be wrong with spike times, told at the speed of reading them."""

import numpy as np

NOT_FINITE, NEGATIVE, NOT_INCREASING = 1, 2, 4


def check_trains(flat: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Tell what is wrong with each unit's spike times.

    Parameters
    ----------
    flat : numpy.ndarray
        float64 (spikes,): the spike times (s) of all units, one unit after another, as NWB stores
        them.
    stops : numpy.ndarray
        int64 (units,): where each unit's spikes end in `flat`.

    Returns
    -------
    numpy.ndarray
        uint8 (units,). 0: finite, not negative and strictly increasing, so there is nothing to sort
        and nothing twice. Otherwise the sum of `NOT_FINITE` (1: NaN or infinite times),
        `NEGATIVE` (2: times below 0) and `NOT_INCREASING` (4: some time is not later than the one
        before it, or one of the two is NaN).

    Examples
    --------
    >>> check_trains(np.array([0.1, 0.2, 0.5, 0.5]), np.array([2, 4, 4])).tolist()
    [0, 4, 0]
    """
    flags = np.zeros(len(stops), dtype=np.uint8)
    for unit, train in enumerate(np.split(flat, stops)[: len(stops)]):
        if not (train[1:] > train[:-1]).all():
            flags[unit] |= NOT_INCREASING
        # One end each tells it of a train that increases; NaN fails both comparisons.
        ends = train if flags[unit] else train[[0, -1]] if len(train) else train
        if not np.isfinite(ends).all():
            flags[unit] |= NOT_FINITE
        if (ends < 0).any():
            flags[unit] |= NEGATIVE
    return flags
