"""Spikes to counts in windows of time.

Windows are half-open, [start, stop). Times are compared on a clock of whole nanoseconds, so that a
spike that lies on an edge falls to the bin that begins there, whatever the rounding of seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd

from neuro2voc.configuration import SYLLABLE
from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.recording import Recording

NANOSECOND = 1e-9


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
        Width of the bins in s; divides stop - start.
    """

    name: str
    align: str
    start: float = 0.0
    stop: float = 0.0
    bin: float = 0.0

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bins (bins + 1,) in ns relative to the alignment."""
        start, stop, width = (nanoseconds(t) for t in (self.start, self.stop, self.bin))
        return np.arange(start, stop + 1, width)


@dataclass(frozen=True)
class Tensor:
    """Spike counts of trials.

    Attributes
    ----------
    window : Window
    counts : ndarray (trials, units, bins) of unsigned integers
    observed : ndarray (trials, units) of bool
        False where the unit was not recorded for the whole window; its counts are then no zeros but
        unknown.
    trial : ndarray (trials,)
    unit : ndarray (units,) of str
    duration : ndarray (trials,)
        Of the syllables, s.
    """

    window: Window
    counts: np.ndarray
    observed: np.ndarray
    trial: np.ndarray
    unit: np.ndarray
    duration: np.ndarray


def make_window(name: str, windows: dict) -> Window:
    """Return the window that `windows` describes under `name`; 'syllable' needs no entry."""
    return Window(SYLLABLE, SYLLABLE) if name == SYLLABLE else Window(name=name, **windows[name])


def nanoseconds(seconds: np.ndarray | float) -> np.ndarray:
    """Round seconds to whole nanoseconds."""
    return np.rint(np.asarray(seconds) / NANOSECOND).astype(np.int64)


def count_spikes(spike_times: Sequence[np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Count spikes between edges.

    Parameters
    ----------
    spike_times : sequence of ndarray
        s, sorted, one array per unit.
    edges : ndarray (trials, bins + 1)
        ns, not decreasing along the second axis.

    Returns
    -------
    ndarray (trials, units, bins)
        Spikes with ``edges[:, b] <= t < edges[:, b + 1]``, in the smallest unsigned type that holds
        them.
    """
    counts = np.empty((len(edges), len(spike_times), edges.shape[1] - 1), dtype=np.uint32)
    for unit, times in enumerate(spike_times):
        before = np.searchsorted(nanoseconds(times), edges, side="left")
        counts[:, unit] = np.diff(before, axis=1)
    return counts.astype(np.min_scalar_type(counts.max(initial=0)))


def window_edges(window: Window, onset: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the edges (trials, bins + 1) of a window in ns on the recording's clock."""
    onset, offset = nanoseconds(onset), nanoseconds(offset)
    if window.align == SYLLABLE:
        return np.stack([onset, offset], axis=1)
    return (onset if window.align == "onset" else offset)[:, None] + window.edges


def make_tensor(recording: Recording, trials: pd.DataFrame, window: Window) -> Tensor:
    """Count the spikes of every unit in a window around every trial."""
    onset, offset = trials["onset"].to_numpy(), trials["offset"].to_numpy()
    edges = window_edges(window, onset, offset)
    return Tensor(
        window=window,
        counts=count_spikes(recording.units.spike_times, edges),
        observed=_observed(recording, trials["session"].astype(str), edges[:, 0], edges[:, -1]),
        trial=trials["trial"].to_numpy(),
        unit=recording.units.table.index.astype(str).to_numpy(),
        duration=offset - onset,
    )


def _observed(
    recording: Recording, session: pd.Series, start: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """Which units were recorded throughout which trials' windows (trials, units)."""
    bounds = recording.sessions.set_index("session")[["start_time", "stop_time"]].loc[session]
    bounds = nanoseconds(bounds.to_numpy())
    whole = (start >= bounds[:, 0]) & (stop <= bounds[:, 1])
    observed = np.repeat(whole[:, None], len(recording.units), axis=1)
    for unit, intervals in enumerate(recording.units.observed or ()):
        begin, end = nanoseconds(intervals).T
        row = np.searchsorted(begin, start, side="right")
        observed[:, unit] &= stop <= np.r_[np.iinfo(np.int64).min, end][row]
    return observed


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
            file["bin_start"] = window.edges[:-1] * NANOSECOND
            file["bin_stop"] = window.edges[1:] * NANOSECOND
        file.attrs["name"] = window.name
        file.attrs["axes"] = ["trial", "unit", "bin"]
        for name in ("align", "start", "stop", "bin"):
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
            window = Window(
                **{name: file.attrs[name] for name in ("name", "align", "start", "stop", "bin")}
            )
            return Tensor(
                window=window,
                unit=np.char.decode(file["unit"][()], "utf-8"),
                **{k: file[k][()] for k in ("counts", "observed", "trial", "duration")},
            )
    except (OSError, KeyError) as error:
        raise DataError(
            f"{path} is not a tensor file ({error}); delete it and make it anew."
        ) from error
