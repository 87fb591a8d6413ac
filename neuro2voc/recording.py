"""A recording: units, syllables, sessions and sound on one clock, held by one NWB file."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError


@dataclass(frozen=True, eq=False)
class Units:
    """Sorted units.

    Parameters
    ----------
    spike_times : tuple of numpy.ndarray
        One sorted float64 array (s) per unit.
    table : pandas.DataFrame
        One row per unit, indexed by the unit's id (index name ``unit``). Columns as far as known:
        ``depth`` (µm from the tip, float), ``location`` (str), ``quality`` (str), and any others.
    observed : tuple of numpy.ndarray, optional
        Per unit the intervals (k, 2) in seconds in which it was observed; outside them it is
        missing, not silent. None: the whole recording.
    resolution : float
        Smallest possible difference of two spike times (s), one sample of the amplifier; 30 kHz,
        the rate of Neuropixels probes, where a file does not say.
    """

    spike_times: tuple[np.ndarray, ...]
    table: pd.DataFrame
    observed: tuple[np.ndarray, ...] | None = None
    resolution: float = 1 / 30_000

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.spike_times)


@dataclass(frozen=True)
class Audio:
    """Sound in an NWB file, read piece by piece; the file is opened only while reading.

    Of several channels the first (column 0) is read.

    Parameters
    ----------
    path : Path
        The NWB file.
    series : str
        The series' place in it, for example ``acquisition/audio``.
    rate : float
        Samples per second (Hz).
    start_time : float
        Time of the first sample (s).
    n_samples : int
        Number of samples.
    conversion, offset : float
        The file's values times `conversion` plus `offset` are in the series' unit.
    """

    path: Path
    series: str
    rate: float
    start_time: float
    n_samples: int
    conversion: float = 1.0
    offset: float = 0.0

    @property
    def stop_time(self) -> float:
        """Time at which the last sample ends (s)."""
        return self.start_time + self.n_samples / self.rate

    def read(self, start: float, stop: float) -> np.ndarray:
        """Return the samples of ``[start, stop)``.

        Parameters
        ----------
        start, stop : float
            Seconds on the recording's clock, each moved to the nearest sample.

        Returns
        -------
        numpy.ndarray
            float32, shape (n,), in the series' unit.

        Raises
        ------
        DataError
            If the interval is empty or reaches beyond the sound, or the file cannot be read.
        """
        first, last = (round((t - self.start_time) * self.rate) for t in (start, stop))
        if not 0 <= first < last <= self.n_samples:
            raise DataError(
                f"The sound of {self.path} lasts from {self.start_time:g} to {self.stop_time:g} s "
                f"and has no interval from {start:g} to {stop:g} s; ask for a part of it."
            )
        from neuro2voc.nwb_reading import open_nwb

        with open_nwb(self.path) as file:
            data = file[self.series]["data"]
            samples = data[first:last] if data.ndim == 1 else data[first:last, 0]
        return (samples * self.conversion + self.offset).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Recording:
    """What was recorded from one bird.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    units : Units
        The units.
    syllables : pandas.DataFrame
        ``start_time, stop_time`` (s), ``label, session`` (str), sorted by ``start_time``.
    sessions : pandas.DataFrame
        ``session`` (str), ``start_time, stop_time`` (s), sorted by ``start_time``.
    audio : Audio, optional
        The sound, where there is any.
    simulated : bool
        Whether the bird is a simulated one.
    parent, surrogate, replicate : str, str, int, optional
        For a surrogate: its parent's name, its kind (``shifted``, ...) and its number.
    """

    name: str
    units: Units
    syllables: pd.DataFrame
    sessions: pd.DataFrame
    audio: Audio | None = None
    simulated: bool = False
    parent: str | None = None
    surrogate: str | None = None
    replicate: int | None = None

    @classmethod
    def open(
        cls, path: str | Path, intervals: str = "syllables", label_column: str = "label"
    ) -> "Recording":
        """Read a recording, or a surrogate together with its parent, from an NWB file.

        Parameters
        ----------
        path : str or Path
            The file. A surrogate's parent lies in the same folder.
        intervals : str
            The interval table that holds the syllables.
        label_column : str
            Its column that holds their labels.

        Returns
        -------
        Recording
            Spike times are sorted and exact duplicates within a unit dropped. Without a table of
            sessions there is one, ``session1``.

        Raises
        ------
        DataError
            If the file is missing or no NWB file, or has no spikes or no such labels.
        """
        # The reader builds these classes, so it is imported only here.
        from neuro2voc.nwb_reading import read_recording

        return read_recording(Path(path), intervals, label_column)

    def with_units(self, units: Units) -> "Recording":
        """Return the same recording with other units."""
        return replace(self, units=units)

    def with_syllables(self, syllables: pd.DataFrame) -> "Recording":
        """Return the same recording with other syllables."""
        return replace(self, syllables=syllables)
