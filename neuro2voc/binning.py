"""Spikes to counts in windows of time.

Windows are half-open, [start, stop). Times are compared on a clock of whole nanoseconds, so that a
spike on an edge falls to the bin that begins there, whatever the rounding. No count wraps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd

from neuro2voc.configuration import SYLLABLE
from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.recording import Binned, Recording

PER_SECOND = 1e9  # ns


@dataclass(frozen=True)
class Window:
    """A window of time relative to each syllable.

    Attributes
    ----------
    name : str
    align : {'onset', 'offset', 'syllable'}
        'syllable' is the whole syllable from onset to offset, in one bin.
    start, stop : float
        s relative to the onset or offset.
    bin : float
        Width of the bins in s. There are as many as lie whole within [start, stop); what remains at
        the end is not counted.
    step : float
        From the beginning of a bin to that of the next in s; 0 means `bin`. Less makes moving
        windows, whose bins overlap.
    """

    name: str
    align: str
    start: float = 0.0
    stop: float = 0.0
    bin: float = 0.0
    step: float = 0.0

    @property
    def bin_starts(self) -> np.ndarray:
        """Where the bins begin (bins,) in ns relative to the alignment."""
        start, stop, width = (nanoseconds(t) for t in (self.start, self.stop, self.bin))
        return np.arange(start, stop - width + 1, nanoseconds(self.step or self.bin))

    @property
    def bin_stops(self) -> np.ndarray:
        """Where the bins end (bins,) in ns relative to the alignment."""
        return self.bin_starts + nanoseconds(self.bin)

    @property
    def edges(self) -> np.ndarray:
        """Edges of adjoining bins (bins + 1,) in ns relative to the alignment.

        Raises
        ------
        DataError
            If the bins overlap or leave gaps.
        """
        starts, stops = self.bin_starts, self.bin_stops
        if np.any(starts[1:] != stops[:-1]):
            raise DataError(
                f"The window '{self.name}' moves by {self.step:g} s in bins of {self.bin:g} s, and "
                "what is asked for needs bins that adjoin; name a window without a step."
            )
        return np.append(starts, stops[-1:])


@dataclass(frozen=True)
class Tensor:
    """Spike counts, or activity that was binned before, of trials.

    Attributes
    ----------
    window : Window
    counts : ndarray (trials, units, bins) of unsigned integers; of float32 from `Binned` activity
    observed : ndarray (trials, units) of bool
        False where the unit was not recorded for the whole window; its counts are then no zeros but
        unknown.
    trial : ndarray (trials,)
    unit : ndarray (units,) of str
    duration : ndarray (trials,)
        Of the syllables, s.
    additive : bool
        False for levels, which are averages over their bins; all else adds up over time.
    """

    window: Window
    counts: np.ndarray
    observed: np.ndarray
    trial: np.ndarray
    unit: np.ndarray
    duration: np.ndarray
    additive: bool = True


def make_window(name: str, windows: dict) -> Window:
    """Return the window that `windows` describes under `name`; 'syllable' needs no entry."""
    return Window(SYLLABLE, SYLLABLE) if name == SYLLABLE else Window(name=name, **windows[name])


def nanoseconds(seconds: np.ndarray | float) -> np.ndarray:
    """Round seconds to whole nanoseconds."""
    return np.rint(np.asarray(seconds) * PER_SECOND).astype(np.int64)


def first_times(edges: np.ndarray) -> np.ndarray:
    """Return the smallest float64 times (s) that `nanoseconds` rounds to `edges` (ns) or more.

    A time t is at or after an edge on the clock of whole nanoseconds if and only if
    ``t >= first_times(edge)``, so that spike times can be compared without converting them.
    """
    times = (edges - 0.5) / PER_SECOND
    # A few steps of the last digit at most.
    while np.any(late := nanoseconds(before := np.nextafter(times, -np.inf)) >= edges):
        times = np.where(late, before, times)
    while np.any(early := nanoseconds(times) < edges):
        times = np.where(early, np.nextafter(times, np.inf), times)
    return times


def count_spikes(spike_times: Sequence[np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Count spikes between edges.

    Parameters
    ----------
    spike_times : sequence of ndarray
        s, sorted, one array per unit.
    edges : ndarray (trials, bins + 1)
        ns, not decreasing along the second axis. Trials may overlap and come in any order.

    Returns
    -------
    ndarray (trials, units, bins)
        Spikes with ``edges[:, b] <= t < edges[:, b + 1]``, in the smallest unsigned type that holds
        them.
    """
    # Numba takes a while to import, which jobs that count nothing should not pay for.
    from neuro2voc.kernels import count_between

    counts = np.empty((len(edges), len(spike_times), edges.shape[1] - 1), dtype=np.uint8)
    times = np.ascontiguousarray(first_times(edges))
    if all(count_between(train, times, unit, counts) for unit, train in _trains(spike_times)):
        return counts
    return _count_many(spike_times, edges[:, :-1], edges[:, 1:])


def count_window(
    spike_times: Sequence[np.ndarray], window: Window, alignment: np.ndarray
) -> np.ndarray:
    """Count spikes in the bins of a window around each trial; bins may overlap.

    Parameters
    ----------
    spike_times : sequence of ndarray
        s, sorted, one array per unit.
    window : Window
        Aligned to the onset or offset.
    alignment : ndarray (trials,)
        Onset or offset in ns.

    Returns
    -------
    ndarray (trials, units, bins)
        Spikes in each bin, in the smallest unsigned type that holds them.
    """
    from neuro2voc.kernels import count_moving

    starts = window.bin_starts
    begin = alignment + starts[0]
    edge = first_times(begin)
    width, step = nanoseconds(window.bin), nanoseconds(window.step or window.bin)
    counts = np.zeros((len(begin), len(spike_times), len(starts)), dtype=np.uint8)
    if all(
        count_moving(train, edge, begin, width, step, unit, counts)
        for unit, train in _trains(spike_times)
    ):
        return counts
    begins = alignment[:, None] + starts
    return _count_many(spike_times, begins, begins + width)


def _trains(spike_times: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield units and their spike times in the one form that kernels take."""
    for unit, times in enumerate(spike_times):
        yield unit, np.ascontiguousarray(times, dtype=np.float64)


def _count_many(
    spike_times: Sequence[np.ndarray], starts: np.ndarray, stops: np.ndarray
) -> np.ndarray:
    """Count spikes in bins (trials, bins), ns, where more may lie than the kernels count."""
    starts, stops = first_times(starts), first_times(stops)
    counts = np.empty((len(starts), len(spike_times), starts.shape[1]), dtype=np.uint32)
    for unit, times in enumerate(spike_times):
        counts[:, unit] = np.searchsorted(times, stops) - np.searchsorted(times, starts)
    return counts.astype(np.min_scalar_type(counts.max(initial=0)))


def rebin(activity: Binned, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return activity that was binned before in other bins.

    Parameters
    ----------
    activity : Binned
        Of any rate.
    starts, stops : ndarray (trials, bins)
        ns.

    Returns
    -------
    ndarray (trials, units, bins)
        float32. Counts are shared out: each bin has the part of a count that it overlaps. Levels
        are averaged over the bin's time. Nothing lies outside the recording.

    Raises
    ------
    DataError
        If a value is not finite.
    """
    first, last = _samples(activity, starts), _samples(activity, stops)
    length = 1.0 if activity.additive else last - first
    result = np.empty((len(starts), len(activity), starts.shape[1]), dtype=np.float32)
    for unit in range(len(activity)):
        total = np.append(0.0, np.cumsum(activity.values[:, unit], dtype=np.float64))
        if not np.isfinite(total[-1]):
            raise DataError(
                f"The activity of unit {activity.table.index[unit]} has values that are no "
                "numbers; drop the unit, or put 0 there and leave it out of the observed intervals."
            )
        # Activity is constant within a bin, so its running total is straight between edges.
        below = np.interp(first, np.arange(len(total)), total)
        result[:, unit] = (np.interp(last, np.arange(len(total)), total) - below) / length
    return result


def _samples(activity: Binned, edges: np.ndarray) -> np.ndarray:
    """Return times (ns) in the activity's own bins, whole where they are the same whole ns."""
    samples = (edges / PER_SECOND - activity.start_time) * activity.rate
    nearest = np.rint(samples)
    same = nanoseconds(activity.start_time + nearest / activity.rate) == edges
    return np.where(same, nearest, samples)


def window_bins(
    window: Window, onset: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a window's bins begin and end, each (trials, bins), in ns on the clock."""
    onset, offset = nanoseconds(onset), nanoseconds(offset)
    if window.align == SYLLABLE:
        return onset[:, None], offset[:, None]
    alignment = (onset if window.align == "onset" else offset)[:, None]
    return alignment + window.bin_starts, alignment + window.bin_stops


def make_tensor(recording: Recording, trials: pd.DataFrame, window: Window) -> Tensor:
    """Count the spikes of every unit in a window around every trial."""
    onset, offset = trials["onset"].to_numpy(), trials["offset"].to_numpy()
    starts, stops = window_bins(window, onset, offset)
    units = recording.units
    if isinstance(units, Binned):
        counts = rebin(units, starts, stops)
    elif window.align == SYLLABLE:
        counts = count_spikes(units.spike_times, np.hstack([starts, stops]))
    else:
        counts = count_window(units.spike_times, window, starts[:, 0] - window.bin_starts[0])
    return Tensor(
        window=window,
        counts=counts,
        observed=_observed(recording, trials["session"].astype(str), starts[:, 0], stops[:, -1]),
        trial=trials["trial"].to_numpy(),
        unit=units.table.index.astype(str).to_numpy(),
        duration=offset - onset,
        additive=getattr(units, "additive", True),
    )


def _observed(
    recording: Recording, session: pd.Series, start: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """Which units were recorded throughout which trials' windows (trials, units)."""
    bounds = recording.sessions.set_index("session")[["start_time", "stop_time"]].loc[session]
    bounds = nanoseconds(bounds.to_numpy())
    whole = (start >= bounds[:, 0]) & (stop <= bounds[:, 1])
    units = recording.units
    if isinstance(units, Binned):
        whole &= within(np.array([[units.start_time, units.stop_time]]), start, stop)
    observed = np.repeat(whole[:, None], len(units), axis=1)
    for unit, intervals in enumerate(units.observed or ()):
        observed[:, unit] &= within(intervals, start, stop)
    return observed


def within(intervals: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return which stretches [start, stop), ns, lie whole in one of the intervals (k, 2), s."""
    begin, end = nanoseconds(intervals).T
    row = np.searchsorted(begin, start, side="right")
    return stop <= np.r_[np.iinfo(np.int64).min, end][row]


def write_tensor(tensor: Tensor, path: str) -> None:
    """Write a tensor to HDF5; docs/architecture.md describes the file."""
    window = tensor.window
    with hdf5_writer(path) as file:
        file.create_dataset("counts", data=tensor.counts, compression="gzip", shuffle=True)
        file["observed"] = tensor.observed
        file["trial"] = tensor.trial
        file["unit"] = np.char.encode(tensor.unit.astype(str), "utf-8")
        file["duration"] = tensor.duration
        if window.align != SYLLABLE:
            file["bin_start"] = window.bin_starts / PER_SECOND
            file["bin_stop"] = window.bin_stops / PER_SECOND
        file.attrs["name"] = window.name
        file.attrs["axes"] = ["trial", "unit", "bin"]
        file.attrs["additive"] = tensor.additive
        for name in ("align", "start", "stop", "bin", "step"):
            file.attrs[name] = getattr(window, name)


def read_tensor(path: str) -> Tensor:
    """Read what `write_tensor` wrote.

    Raises
    ------
    DataError
        The file is missing or is not such a file.
    """
    try:
        with h5py.File(path) as file:
            names = ("name", "align", "start", "stop", "bin", "step")
            window = Window(**{name: file.attrs[name] for name in names})
            return Tensor(
                window=window,
                unit=np.char.decode(file["unit"][()], "utf-8"),
                additive=bool(file.attrs["additive"]),
                **{k: file[k][()] for k in ("counts", "observed", "trial", "duration")},
            )
    except (OSError, KeyError) as error:
        raise DataError(
            f"{path} is not a tensor file ({error}); delete it and make it anew."
        ) from error
