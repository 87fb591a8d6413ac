"""Activity of a recording in bins of time that adjoin, whatever it was recorded as."""

from dataclasses import replace

import numpy as np

from neuro2voc.binning import PER_SECOND, count_spikes, nanoseconds, rebin, within
from neuro2voc.recording import Binned, Recording


def activity_between(recording: Recording, edges: np.ndarray) -> np.ndarray:
    """Return the activity of all units between edges.

    Parameters
    ----------
    recording : Recording
    edges : ndarray (bins + 1,)
        s, increasing.

    Returns
    -------
    ndarray (bins, units)
        float32: spikes in each bin, [edge, next edge), none outside of all sessions. Activity that
        was binned before is put into other bins (see `neuro2voc.binning.rebin`). NaN where a unit
        was not observed in the middle of a bin, and where activity in bins does not last the whole
        bin.
    """
    units, edges = recording.units, nanoseconds(edges)
    starts, stops = edges[:-1], edges[1:]
    if isinstance(units, Binned):
        values = rebin(_during(units, edges), starts[None], stops[None])[0].T
        lasting = np.array([[units.start_time, units.stop_time]])
        values[~within(lasting, starts, stops)] = np.nan
    else:
        values = count_spikes(units.spike_times, edges[None])[0].T.astype(np.float32)
    middle = (starts + stops) // 2
    for unit, intervals in enumerate(units.observed or ()):
        values[~within(intervals, middle, middle + 1), unit] = np.nan
    return values


def _during(units: Binned, edges: np.ndarray) -> Binned:
    """Return the part of activity that edges (ns) touch; all of it would be added up for each."""
    first, last = (edges[[0, -1]] / PER_SECOND - units.start_time) * units.rate
    first = int(np.clip(np.floor(first) - 1, 0, len(units.values)))
    last = int(np.clip(np.ceil(last) + 1, first, len(units.values)))
    begin = units.start_time + first / units.rate
    return replace(units, values=units.values[first:last], start_time=begin)
