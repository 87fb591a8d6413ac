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


@dataclass(frozen=True, eq=False)
class Binned:
    """Activity that never was spike times: counts in bins, or a rate sampled at regular times.

    Parameters
    ----------
    values : numpy.ndarray
        float32 (bins, units).
    rate : float
        Bins per second (Hz).
    start_time : float
        Time at which the first bin begins (s).
    table : pandas.DataFrame
        As that of `Units`.
    additive : bool
        True for counts, which add up over time; False for levels (deconvolved calcium, smoothed
        rates), which are averaged.
    events : tuple of numpy.ndarray, optional
        Sorted times (s) of events found in each unit's activity, where somebody found some.
    observed : tuple of numpy.ndarray, optional
        As that of `Units`.
    """

    values: np.ndarray
    rate: float
    start_time: float
    table: pd.DataFrame
    additive: bool
    events: tuple[np.ndarray, ...] | None = None
    observed: tuple[np.ndarray, ...] | None = None

    def __len__(self) -> int:
        """Return the number of units."""
        return self.values.shape[1]

    @property
    def stop_time(self) -> float:
        """Time at which the last bin ends (s)."""
        return self.start_time + len(self.values) / self.rate


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
            short = max(self.start_time - start, stop - self.stop_time, 0)
            raise DataError(
                f"The sound of {self.path} lasts from {self.start_time:g} to {self.stop_time:g} s "
                f"and has no interval from {start:g} to {stop:g} s"
                f"{f', {short:.3g} s beyond it' if short else ''}; ask for a part of it."
            )
        from neuro2voc.nwb_tables import open_nwb

        with open_nwb(self.path) as file:
            data = file[self.series]["data"]
            samples = data[first:last] if data.ndim == 1 else data[first:last, 0]
        return (samples * self.conversion + self.offset).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """A spectrogram that was given, in an NWB file; read piece by piece, as `Audio` is.

    Parameters
    ----------
    path : Path
        The NWB file.
    series : str
        The series' place in it, for example ``acquisition/spectrogram``.
    rate : float
        Frames per second (Hz).
    start_time : float
        Time of the first frame (s).
    n_frames : int
        Number of frames.
    frequencies : numpy.ndarray, optional
        Middle of each band (Hz), where it is known.
    conversion, offset : float
        The file's values times `conversion` plus `offset` are in the series' unit.
    """

    path: Path
    series: str
    rate: float
    start_time: float
    n_frames: int
    frequencies: np.ndarray | None = None
    conversion: float = 1.0
    offset: float = 0.0

    @property
    def stop_time(self) -> float:
        """Time at which the last frame ends (s)."""
        return self.start_time + self.n_frames / self.rate

    def read(self, start: float, stop: float) -> np.ndarray:
        """Return the frames of ``[start, stop)``.

        Parameters
        ----------
        start, stop : float
            Seconds on the recording's clock, each moved to the nearest frame.

        Returns
        -------
        numpy.ndarray
            float32 (frames, bands), in the series' unit; the first channel of several.

        Raises
        ------
        DataError
            If the interval is empty or reaches beyond the frames, or the file cannot be read.
        """
        first, last = (round((t - self.start_time) * self.rate) for t in (start, stop))
        if not 0 <= first < last <= self.n_frames:
            raise DataError(
                f"The spectrogram of {self.path} lasts from {self.start_time:g} to "
                f"{self.stop_time:g} s and has no interval from {start:g} to {stop:g} s; ask for a "
                "part of it."
            )
        from neuro2voc.nwb_tables import open_nwb

        with open_nwb(self.path) as file:
            data = file[self.series]["data"]
            frames = data[first:last] if data.ndim == 2 else data[first:last, 0]
        return (frames * self.conversion + self.offset).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Recording:
    """What was recorded from one bird.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    units : Units or Binned
        The units, as spike times or, where there are none, as activity in bins.
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
    spectrogram : Spectrogram, optional
        A spectrogram that was given, where there is one.
    """

    name: str
    units: Units | Binned
    syllables: pd.DataFrame
    sessions: pd.DataFrame
    audio: Audio | None = None
    simulated: bool = False
    parent: str | None = None
    surrogate: str | None = None
    replicate: int | None = None
    spectrogram: Spectrogram | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        intervals: str = "",
        label_column: str = "",
        activity: str = "",
        audio: str = "",
    ) -> "Recording":
        """Read a recording, or a surrogate together with its parent, from an NWB file.

        Parameters
        ----------
        path : str or Path
            The file. A surrogate's parent lies in the same folder.
        intervals, label_column : str
            The table that holds the syllables, by its name or place, and its column that holds
            their labels; '' for ``syllables`` and ``label``.
        activity : str
            The series that holds the activity; '' for the units, or the one series named like
            activity where no unit has spike times.
        audio : str
            The series that holds the sound; '' for the one most likely to.

        Returns
        -------
        Recording
            Spike times are sorted and exact duplicates within a unit dropped. Without a table of
            sessions there is one, ``session1``. If no labels were asked for by name and the file
            has none, `syllables` is empty.

        Raises
        ------
        DataError
            If the file is missing, damaged or no NWB file, or has no activity, or what was asked
            for is not there; if its times contradict one another.
        """
        # The reader builds these classes, so it is imported only here.
        from neuro2voc.nwb_reading import read_recording

        return read_recording(Path(path), intervals, label_column, activity, audio)

    def spike_times(self, needed_for: str) -> tuple[np.ndarray, ...]:
        """Return each unit's spike times (s), or refuse.

        Parameters
        ----------
        needed_for : str
            What cannot be done without them, as the subject of a sentence.

        Raises
        ------
        DataError
            If the activity never was spike times.
        """
        if isinstance(self.units, Units):
            return self.units.spike_times
        raise DataError(
            f"{needed_for} needs spike times, but the activity of {self.name} is given in bins of "
            f"{1e3 / self.units.rate:.3g} ms; choose another analysis, or a recording of spikes."
        )

    def with_units(self, units: Units | Binned) -> "Recording":
        """Return the same recording with other units."""
        return replace(self, units=units)

    def with_syllables(self, syllables: pd.DataFrame) -> "Recording":
        """Return the same recording with other syllables."""
        return replace(self, syllables=syllables)
