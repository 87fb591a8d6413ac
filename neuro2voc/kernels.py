"""Counting loops in machine code, one unit at a time.

Edges come as times in seconds that stand for whole nanoseconds (`neuro2voc.binning.first_times`),
so that spike times are compared as they are and no recording is converted first.

Compiled code is kept in the package's ``__pycache__``, or in the user's cache where that cannot be
written. Each kernel is compiled for one set of types, so that jobs that compile at the same time
all write the same.
"""

from collections.abc import Callable

import numpy as np
from numba import njit, types

TIMES = types.Array(types.float64, 1, "C", readonly=True)
EDGES = types.Array(types.float64, 2, "C", readonly=True)
TICKS = types.Array(types.int64, 1, "C", readonly=True)
COUNTS = types.Array(types.uint8, 3, "C")
FULL = 255  # what a count in uint8 can hold


def compiled(signature: object) -> Callable:
    """Return a decorator that compiles a function for one signature and keeps the result."""

    def decorate(function: Callable) -> Callable:
        try:
            return njit(signature, cache=True)(function)
        except RuntimeError:  # there is no folder to keep it in
            return njit(signature)(function)

    return decorate


@compiled(types.int64(TIMES, types.float64, types.int64))
def first_from(times: np.ndarray, edge: float, guess: int) -> int:
    """Return the index of the first of the sorted `times` at or after `edge`.

    It is searched in growing steps from `guess` on, then by halving: windows follow one another, so
    that most answers are near.
    """
    low = high = guess
    step = 1
    if guess < len(times) and times[guess] < edge:
        low = high = guess + 1
        while high < len(times) and times[high] < edge:
            low = high + 1
            high += step
            step *= 2
        high = min(high, len(times))
    else:
        while low > 0 and times[low - 1] >= edge:
            high = low - 1
            low -= step
            step *= 2
        low = max(low, 0)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < edge:
            low = middle + 1
        else:
            high = middle
    return low


@compiled(types.boolean(TIMES, EDGES, types.int64, COUNTS))
def count_between(times: np.ndarray, edges: np.ndarray, unit: int, counts: np.ndarray) -> bool:
    """Count one unit's spikes between the edges of every trial.

    Parameters
    ----------
    times : numpy.ndarray
        float64 (spikes,), s, sorted.
    edges : numpy.ndarray
        float64 (trials, bins + 1), s, not decreasing along the second axis. Trials may overlap and
        come in any order; trials in the order of time are counted fastest.
    unit : int
        Which unit's counts these are.
    counts : numpy.ndarray
        uint8 (trials, units, bins), filled at `unit`.

    Returns
    -------
    bool
        Whether all counts fit; `counts` is of no use otherwise.
    """
    after = 0
    for trial in range(edges.shape[0]):
        after = first_from(times, edges[trial, 0], after)
        for bin in range(edges.shape[1] - 1):
            before = after
            after = first_from(times, edges[trial, bin + 1], before)
            if after - before > FULL:
                return False
            counts[trial, unit, bin] = after - before
    return True


@compiled(types.boolean(TIMES, TIMES, TICKS, types.int64, types.int64, types.int64, COUNTS))
def count_moving(
    times: np.ndarray,
    edge: np.ndarray,
    begin: np.ndarray,
    width: int,
    step: int,
    unit: int,
    counts: np.ndarray,
) -> bool:
    """Count one unit's spikes in bins of one width that begin at equal steps, in one pass.

    Parameters
    ----------
    times : numpy.ndarray
        float64 (spikes,), s, sorted.
    edge, begin : numpy.ndarray
        Where each trial's first bin begins: float64 (trials,) in s, int64 (trials,) in ns.
    width, step : int
        ns; neither need divide the other. A spike counts in every bin that holds it.
    unit : int
        Which unit's counts these are.
    counts : numpy.ndarray
        uint8 (trials, units, bins), filled at `unit`, where it has to be 0.

    Returns
    -------
    bool
        Whether all counts fit; `counts` is of no use otherwise.
    """
    bins = counts.shape[2]
    reach = (bins - 1) * step + width
    first = 0
    for trial in range(len(begin)):
        first = first_from(times, edge[trial], first)
        for spike in range(first, len(times)):
            since = np.int64(np.rint(times[spike] * 1e9)) - begin[trial]
            if since >= reach:
                break
            # Bin b holds it if b * step <= since < b * step + width.
            last = min(since // step, bins - 1)
            earliest = 0 if since < width else (since - width) // step + 1
            for bin in range(earliest, last + 1):
                if counts[trial, unit, bin] == FULL:
                    return False
                counts[trial, unit, bin] += 1
    return True
