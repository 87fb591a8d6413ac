"""A recording: units, syllables, sessions and sound on one clock, held by one NWB file.

Reading takes whole columns straight from the HDF5 tables, writing goes through pynwb.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.files import replacing

if TYPE_CHECKING:  # pynwb takes a second to import, and only writers need it
    import hdmf
    import pynwb

log = logging.getLogger(__name__)

SOUND = re.compile("voc|mic|audio|song|sound", re.IGNORECASE)
# Where no date is known; the same for every file, so that files are the same.
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)


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
        with _reading(self.path) as file:
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
        path = Path(path)
        with _reading(path) as file:
            if "scratch/surrogate_of" in file:
                return cls._open_surrogate(file, path, intervals, label_column)
            units = _read_units(file, path)
            syllables = _read_syllables(file, path, intervals, label_column)
            sessions = _read_sessions(file, path)
            audio = _read_audio(file, path)
            simulated = "simulated" in _strings(file.get("general/keywords"))
        if sessions is None:
            sessions = _default_sessions(units, syllables, audio, path)
        syllables = _assign_sessions(syllables, sessions, path)
        return cls(path.stem, units, syllables, sessions, audio, simulated)

    @classmethod
    def _open_surrogate(cls, file: h5py.File, path: Path, *labels: str) -> "Recording":
        """Open the parent of a surrogate and put in what the surrogate changed."""
        parent = file["scratch/surrogate_of"].asstr()[()]
        _check_parent(parent, path)
        if not (path.parent / parent).exists():
            raise DataError(
                f"{path} is a surrogate of {parent}, which is not in the same folder; "
                f"make {path.parent / parent} first."
            )
        recording = cls.open(path.parent / parent, *labels)
        if recording.surrogate is not None:
            raise DataError(
                f"{path} is a surrogate of {parent}, itself a surrogate; "
                "make surrogates of recordings only."
            )
        if "units" in file:
            recording = recording.with_units(_read_units(file, path))
        if "intervals/syllables" in file:
            syllables = _read_syllables(file, path, "syllables", "label")
            syllables = _assign_sessions(syllables, recording.sessions, path)
            recording = recording.with_syllables(syllables)
        return replace(
            recording,
            name=path.stem,
            parent=Path(parent).stem,
            surrogate=file["scratch/surrogate_kind"].asstr()[()],
            replicate=int(file["scratch/surrogate_replicate"][()]),
        )

    def with_units(self, units: Units) -> "Recording":
        """Return the same recording with other units."""
        return replace(self, units=units)

    def with_syllables(self, syllables: pd.DataFrame) -> "Recording":
        """Return the same recording with other syllables."""
        return replace(self, syllables=syllables)


# Reading


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    """Yield an open NWB file; what HDF5 cannot read becomes a sentence."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; correct the path or make the file.")
    try:
        with h5py.File(path, "r") as file:
            if not ("nwb_version" in file.attrs or "nwb_version" in file):
                raise DataError(
                    f"{path} is an HDF5 file but no NWB file (it has no nwb_version); "
                    "convert it to NWB 2 first."
                )
            yield file
    except OSError as error:
        reason = (re.findall(r"\((.*)\)", str(error), re.DOTALL) or [str(error)])[0]
        raise DataError(
            f"{path} cannot be read as HDF5, the container of NWB ({reason}): it is another kind "
            "of file, cut short or damaged; copy or make it again."
        ) from error
    except KeyError as error:
        raise DataError(
            f"{path} lacks something that NWB asks for ({error.args[0]}); "
            "see what `pynwb-validate` says of it and mend it."
        ) from error


def _strings(dataset: h5py.Dataset | None) -> list[str]:
    """Return the values of a dataset or attribute as strings; none for None."""
    values = () if dataset is None else np.atleast_1d(dataset[()])
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else _text(v) for v in values]


def _text(value: object) -> str:
    """Return a label as text: 3.0 is '3', what is missing is ''."""
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return str(value)


def _is_column(table: h5py.Group, name: str) -> bool:
    """Tell whether a table's column holds one number, truth value or string per row."""
    column = table.get(name)
    if not isinstance(column, h5py.Dataset) or column.ndim != 1 or f"{name}_index" in table:
        return False
    if h5py.check_string_dtype(column.dtype) is not None:
        return True
    return column.dtype.kind in "biuf" and column.attrs.get("neurodata_type") == "VectorData"


def _columns(table: h5py.Group) -> list[str]:
    """Return the names of a table's columns that hold one value per row, in the file's order."""
    return [str(n) for n in table.attrs.get("colnames", ()) if _is_column(table, str(n))]


def _values(table: h5py.Group, name: str) -> np.ndarray | list[str]:
    """Return a column: numbers as they are, anything else as strings."""
    column = table[name]
    return column[()] if column.dtype.kind in "biuf" else _strings(column)


def _ragged(table: h5py.Group, name: str, path: Path) -> list[np.ndarray]:
    """Return a ragged column as one array per row, read at once."""
    values = table[name][()]
    stops = table[f"{name}_index"][()].astype(np.int64)  # stored as uint8 where that suffices
    if np.any(np.diff(stops, prepend=0) < 0) or (stops[-1] if len(stops) else 0) != len(values):
        raise DataError(
            f"In {path} the index of units/{name} does not fit its {len(values)} values; "
            "the file is damaged, make it again."
        )
    return np.split(values, stops[:-1]) if len(stops) else []


def _read_units(file: h5py.File, path: Path) -> Units:
    group = file.get("units")
    if group is None or "spike_times_index" not in group or not len(group["spike_times_index"]):
        raise DataError(
            f"{path} has no units with spike times; add a units table with spike_times (s), "
            "for example from the spike sorter's output."
        )
    table = pd.DataFrame({name: _values(group, name) for name in _columns(group)})
    ids = group["id"][()]
    # Ids that are no numbers lie in a column of their own: NWB knows integers only.
    if "unit" in table and table["unit"].is_unique:
        ids = table.pop("unit")
    table.index = pd.Index(ids, name="unit")
    spike_times = _clean_spikes(_ragged(group, "spike_times", path), table.index, path)
    observed = None
    if "obs_intervals_index" in group:
        observed = tuple(np.asarray(o, float) for o in _ragged(group, "obs_intervals", path))
    step = float(group["spike_times"].attrs.get("resolution", 0))  # -1 where unknown
    known = {"resolution": step} if step > 0 else {}
    return Units(spike_times, _describe_units(table, file), observed, **known)


def _clean_spikes(trains: list[np.ndarray], ids: pd.Index, path: Path) -> tuple[np.ndarray, ...]:
    """Return spike times as sorted float64 without exact duplicates within a unit."""
    if not any(map(len, trains)):
        raise DataError(f"No unit of {path} has a spike; check the spike sorter's output.")
    cleaned, duplicates = [], 0
    for unit, train in zip(ids, trains, strict=True):
        train = np.asarray(train, dtype=np.float64)
        if not np.isfinite(train).all():
            raise DataError(
                f"Unit {unit} of {path} has spike times that are no numbers; remove them."
            )
        if np.any(np.diff(train) <= 0):
            n = len(train)
            train = np.unique(train)
            duplicates += n - len(train)
        cleaned.append(train)
    if duplicates:
        log.warning("%s: dropped %d spikes that were there twice in one unit", path, duplicates)
    return tuple(cleaned)


def _describe_units(table: pd.DataFrame, file: h5py.File) -> pd.DataFrame:
    """Return the table of units with depth, location and quality as far as they are known."""
    table = table.copy()
    for source in ("quality", "KSLabel", "label", "group"):
        if source in table and not pd.api.types.is_numeric_dtype(table[source]):
            table["quality"] = table[source]
            break
    units, electrodes = file["units"], file.get("general/extracellular_ephys/electrodes")
    if electrodes is not None and "electrodes" in units:
        rows = units["electrodes"][()].astype(np.int64)
        if "electrodes_index" in units:
            # A unit on several electrodes has no one place here.
            stops = units["electrodes_index"][()].astype(np.int64)
            one = np.diff(stops, prepend=0) == 1
            rows = np.where(one, np.append(rows, -1)[np.maximum(stops - 1, 0)], -1)
        for column, source in (("depth", "rel_y"), ("location", "location")):
            if column not in table and _is_column(electrodes, source):
                values = pd.Series(_values(electrodes, source))
                table[column] = values.reindex(rows).to_numpy()
    if "depth" in table:
        table["depth"] = pd.to_numeric(table["depth"], errors="coerce").astype(float)
    if "location" in table:
        table["location"] = table["location"].fillna("").astype(str)
    return table


def _read_intervals(file: h5py.File, path: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """Return an interval table's start_time and stop_time (s) with `columns`, sorted by time."""
    group = file[f"intervals/{name}"]
    frame = pd.DataFrame({c: _values(group, c) for c in ("start_time", "stop_time")}, dtype=float)
    for column in columns:
        frame[column] = pd.Series(_strings(group[column]), dtype=str)
    bad = np.flatnonzero(~(frame["stop_time"] > frame["start_time"]))
    if len(bad):
        start, stop = frame.loc[bad[0], ["start_time", "stop_time"]]
        raise DataError(
            f"In {path} row {bad[0]} of the table '{name}' lasts from {start:g} to {stop:g} s "
            f"({len(bad)} such rows); correct or remove intervals that do not end after they begin."
        )
    return frame.sort_values("start_time", kind="stable", ignore_index=True)


def _read_syllables(file: h5py.File, path: Path, name: str, label: str) -> pd.DataFrame:
    """Return start_time, stop_time, label and, where the table has it, session."""
    here = file.get("intervals", {})
    tables = {
        t: [c for c in _columns(here[t]) if c not in ("start_time", "stop_time")]
        for t in here
        if t not in ("sessions", "invalid_times")
    }
    if name not in tables and not any(tables.values()):
        others = f" (no column of {', '.join(tables)} holds one per row)" if tables else ""
        raise DataError(
            f"{path} has no labels{others}; add a TimeIntervals table '{name}' with start_time, "
            f"stop_time (s) and a column '{label}'."
        )
    if name not in tables:
        raise DataError(
            f"{path} has no interval table '{name}'{nearest(name, tables)} "
            f"(its tables: {', '.join(tables)}); name one of them under `intervals:`."
        )
    if label not in tables[name]:
        raise DataError(
            f"The table '{name}' of {path} has no column '{label}'{nearest(label, tables[name])} "
            f"(its columns: {', '.join(tables[name]) or 'none'}); "
            "name one of them under `label_column:`."
        )
    if not len(here[name]["start_time"]):
        raise DataError(f"The table '{name}' of {path} is empty; add the syllables' intervals.")
    columns = [label] + (["session"] if "session" in tables[name] and label != "session" else [])
    return _read_intervals(file, path, name, columns).rename(columns={label: "label"})


def _read_sessions(file: h5py.File, path: Path) -> pd.DataFrame | None:
    if "sessions" not in file.get("intervals", {}):
        return None
    named = "session" in _columns(file["intervals/sessions"])
    frame = _read_intervals(file, path, "sessions", ["session"] if named else [])
    if not named:
        frame["session"] = [f"session{i + 1}" for i in range(len(frame))]
    return frame[["session", "start_time", "stop_time"]]


def _default_sessions(
    units: Units, syllables: pd.DataFrame, audio: Audio | None, path: Path
) -> pd.DataFrame:
    """Return one session over everything, or those the syllables name, parted between them."""
    spikes = [t for t in units.spike_times if len(t)]
    sound = [audio] if audio else []
    starts = [0.0, syllables["start_time"].min(), *(t[0] for t in spikes)]
    stops = [syllables["stop_time"].max(), *(t[-1] for t in spikes)]
    start = min(starts + [a.start_time for a in sound])
    # The next number up: intervals are half-open, and the last spike belongs to the session.
    stop = np.nextafter(max(stops + [a.stop_time for a in sound]), np.inf)
    if "session" not in syllables:
        return pd.DataFrame({"session": ["session1"], "start_time": [start], "stop_time": [stop]})
    by_session = syllables.groupby("session", sort=False)
    spans = by_session.agg(start_time=("start_time", "min"), stop_time=("stop_time", "max"))
    if np.any(spans["start_time"].to_numpy()[1:] < spans["stop_time"].to_numpy()[:-1]):
        raise DataError(
            f"The sessions that the syllables of {path} name overlap in time; add an interval "
            "table 'sessions' with start_time, stop_time and session."
        )
    between = (spans["start_time"].to_numpy()[1:] + spans["stop_time"].to_numpy()[:-1]) / 2
    return pd.DataFrame(
        {"session": spans.index, "start_time": [start, *between], "stop_time": [*between, stop]}
    )


def _assign_sessions(syllables: pd.DataFrame, sessions: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Give each syllable the session that holds its onset, unless the file says which."""
    if "session" in syllables:
        unknown = ~syllables["session"].isin(sessions["session"])
    else:
        row = np.searchsorted(sessions["start_time"], syllables["start_time"], side="right") - 1
        unknown = syllables["start_time"].to_numpy() >= sessions["stop_time"].to_numpy()[row]
        unknown |= row < 0
        syllables = syllables.assign(session=sessions["session"].to_numpy()[row])
    if unknown.any():
        raise DataError(
            f"In {path} {unknown.sum()} syllables, the first at "
            f"{syllables['start_time'][unknown].iloc[0]:g} s, lie in no session of its table "
            "'sessions'; correct that table."
        )
    return syllables[["start_time", "stop_time", "label", "session"]]


def _read_audio(file: h5py.File, path: Path) -> Audio | None:
    """Return the first AcousticWaveformSeries, else the first TimeSeries named like sound."""
    found = []
    for name, series in file.get("acquisition", {}).items():
        kind = series.attrs.get("neurodata_type")
        sound = kind == "AcousticWaveformSeries" or (kind == "TimeSeries" and SOUND.search(name))
        if sound and "starting_time" in series and series.get("data") is None:
            raise DataError(
                f"The sound of {path} lies in another file that is not where the link says "
                f"({series.get('data', getlink=True).filename}); put it back or link it anew."
            )
        if sound and "rate" in series.get("starting_time", series).attrs:
            found.append((kind != "AcousticWaveformSeries", name))
    if not found:
        return None
    series = file["acquisition"][min(found)[1]]
    start, data = series["starting_time"], series["data"]
    return Audio(
        path,
        series.name.lstrip("/"),
        float(start.attrs["rate"]),
        float(start[()]),
        data.shape[0],
        float(data.attrs.get("conversion", 1.0)),
        float(data.attrs.get("offset", 0.0)),
    )


def about_of(path: str | Path) -> dict:
    """Return what an NWB file says of its origin, as `write_recording` takes it.

    Parameters
    ----------
    path : str or Path
        The file, somebody's recording for example.

    Returns
    -------
    dict
        ``description`` (str), ``start_time`` (datetime) and ``subject`` (dict of str).

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    fields = ("subject_id", "species", "sex", "age", "description", "genotype", "strain", "weight")
    with _reading(Path(path)) as file:
        subject = {
            field: _strings(file[f"general/subject/{field}"])[0]
            for field in fields
            if f"general/subject/{field}" in file
        }
        start = datetime.fromisoformat(_strings(file["session_start_time"])[0])
        description = _strings(file["session_description"])[0]
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    return {"description": description, "start_time": start, "subject": subject}


# Writing


def write_recording(
    recording: Recording,
    path: str | Path,
    *,
    audio: tuple[float, np.ndarray] | None = None,
    description: str = "Neurons and song of one bird.",
    keywords: tuple[str, ...] = (),
    start_time: datetime = NO_DATE,
    subject: Mapping[str, str] | None = None,
) -> None:
    """Write a recording as NWB; the same recording gives the same bytes.

    Parameters
    ----------
    recording : Recording
        What to write.
    path : str or Path
        The file; it is replaced whole or not at all.
    audio : tuple of float and numpy.ndarray, optional
        Sampling rate (Hz) and samples (n,) from time 0 on to store: int16 as they are, floats
        as int16 of the finest step that holds them. Without it, the recording's own `audio` is
        linked by a relative path, not copied.
    description : str
        One sentence on what was recorded.
    keywords : tuple of str
        Added to ``songbird`` and, for a simulated bird, ``simulated``.
    start_time : datetime
        When the recording began, with its time zone.
    subject : mapping of str to str, optional
        Overrides ``species``, ``sex``, ``age``, ``description``, ... of the NWB subject.

    Raises
    ------
    DataError
        If the sound to be linked lies in the very file that is to be written.
    """
    path = Path(path)
    sound = recording.audio if audio is None else None
    if sound is not None and sound.path.resolve() == path.resolve():
        raise DataError(f"{path} holds the sound that it would be linked to; write another file.")
    keywords = ("songbird", *(["simulated"] if recording.simulated else []), *keywords)
    nwb = _nwb_file(path.stem, keywords, description, start_time, subject or {})
    nwb.units = _units_table(recording.units)
    nwb.add_time_intervals(_syllables_table(recording.syllables))
    nwb.add_time_intervals(
        _intervals_table("sessions", "Times recorded in one go.", recording.sessions, ["session"])
    )
    if audio is not None:
        rate, samples = audio
        _write(nwb, path, rate=rate, starting_time=0.0, **_int16(samples))
    elif sound is not None:
        # Relative links are followed from real folders, so a linked results/ must not mislead.
        with h5py.File(sound.path.resolve(), "r") as source:
            start = {"rate": sound.rate, "starting_time": sound.start_time}
            scale = {"conversion": sound.conversion, "offset": sound.offset}
            _write(nwb, path, data=source[sound.series]["data"], **start, **scale)
    else:
        _write(nwb, path)


def write_surrogate(
    recording: Recording,
    path: str | Path,
    *,
    parent: str,
    kind: str,
    replicate: int,
    changed: str,
) -> None:
    """Write what a surrogate changed, and the name of the file that holds all the rest.

    Parameters
    ----------
    recording : Recording
        The changed recording.
    path : str or Path
        The file, in the parent's folder.
    parent : str
        The name of the parent's file, without a folder.
    kind : str
        The kind of surrogate, for example ``shifted``.
    replicate : int
        Its number, from 1.
    changed : {'units', 'syllables'}
        What to store.

    Raises
    ------
    DataError
        If `parent` names a folder or a surrogate.
    """
    path = Path(path)
    _check_parent(parent, path)
    if "~" in parent:
        raise DataError(
            f"{parent} is a surrogate, and {path} cannot be a surrogate of it; name its parent."
        )
    description = f"Surrogate '{kind}', replicate {replicate}, of {parent}: its {changed}."
    keywords = ("songbird", *(["simulated"] if recording.simulated else []), "surrogate")
    about = about_of(path.with_name(parent))
    nwb = _nwb_file(path.stem, keywords, **(about | {"description": description}))
    notes = {"of": (parent, "The file in the same folder that holds all that is not here.")}
    notes["kind"] = (kind, "How the parent was changed.")
    notes["replicate"] = (replicate, "Number of this surrogate among those of its kind.")
    for key, (value, meaning) in notes.items():
        nwb.add_scratch(value, name=f"surrogate_{key}", description=meaning)
    if changed == "units":
        nwb.units = _units_table(recording.units)
    elif changed == "syllables":
        nwb.add_time_intervals(_syllables_table(recording.syllables))
    else:
        raise ValueError(f"changed is 'units' or 'syllables', not {changed!r}")
    _write(nwb, path)


def _check_parent(parent: str, path: Path) -> None:
    if "/" in parent or "\\" in parent or parent in ("", ".", ".."):
        raise DataError(
            f"The surrogate {path} names '{parent}' as its parent, which is no plain file name; "
            "a parent lies in the same folder as its surrogate."
        )


def _nwb_file(
    identifier: str,
    keywords: tuple[str, ...],
    description: str,
    start_time: datetime,
    subject: Mapping[str, str],
) -> "pynwb.NWBFile":
    from pynwb import NWBFile
    from pynwb.file import Subject

    about = {
        "subject_id": re.sub(r"[/\s]", "-", identifier.split("~")[0]),
        "species": "Taeniopygia guttata",
        "sex": "U",
        "age": "P0D/",  # NWB asks for one; "from birth on" is true where none is known
        "description": "A bird.",
    }
    if "simulated" in keywords:  # as simulated: an adult, whose song has crystallised
        about |= {"age": "P90D/", "description": "A simulated bird."}
    return NWBFile(
        session_description=description,
        experiment_description=description,
        identifier=identifier,
        session_start_time=start_time,
        file_create_date=start_time,
        keywords=list(keywords),
        subject=Subject(**(about | dict(subject))),
    )


def _column(name: str, description: str, values: object) -> "hdmf.common.VectorData":
    """Return a column; a long one in compressed pieces, numbers first shuffled by byte."""
    from hdmf.common import VectorData

    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        values = [_text(v) for v in values]
    elif values.size > 100_000:
        values = _packed(values)
    return VectorData(name=name, description=description, data=values)


def _packed(values: np.ndarray) -> "pynwb.H5DataIO":
    """Return an array to be stored in pieces of 2^17 rows, shuffled by byte and compressed."""
    from pynwb import H5DataIO

    chunks = (min(len(values), 1 << 17), *values.shape[1:])
    return H5DataIO(values, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True)


def _ragged_columns(
    name: str, description: str, rows: tuple[np.ndarray, ...], empty: tuple
) -> list:
    """Return a ragged column's index and its values, written whole."""
    from hdmf.common import VectorIndex

    values = np.concatenate([np.zeros(empty), *rows])
    stops = np.cumsum([len(r) for r in rows]).astype(np.uint64)
    column = _column(name, description, values)
    return [VectorIndex(name=f"{name}_index", data=stops, target=column), column]


def _units_table(units: Units) -> "pynwb.misc.Units":
    from pynwb.misc import Units as UnitsTable

    meanings = {
        "depth": "Distance from the probe's tip in micrometres.",
        "location": "Brain area.",
        "quality": "What the spike sorter or its user made of the unit.",
    }
    ids, table = units.table.index, units.table
    columns = _ragged_columns("spike_times", "Spike times in seconds.", units.spike_times, (0,))
    if units.observed is not None:
        meaning = "Intervals in seconds in which the unit was observed."
        columns += _ragged_columns("obs_intervals", meaning, units.observed, (0, 2))
    if not pd.api.types.is_integer_dtype(ids):
        columns.append(_column("unit", "The unit's name.", ids))
        ids = np.arange(len(units))
    columns += [_column(n, meanings.get(n, f"{n} of the unit."), table[n]) for n in table]
    return UnitsTable(
        name="units",
        description="Sorted units.",
        id=np.asarray(ids, dtype=np.int64),
        columns=columns,
        resolution=units.resolution,
    )


def _syllables_table(syllables: pd.DataFrame) -> "pynwb.epoch.TimeIntervals":
    meaning = "Labelled syllables and other sounds."
    return _intervals_table("syllables", meaning, syllables, ["label", "session"])


def _intervals_table(
    name: str, description: str, frame: pd.DataFrame, columns: list[str]
) -> "pynwb.epoch.TimeIntervals":
    from pynwb.epoch import TimeIntervals

    meanings = {
        "start_time": "Start in seconds.",
        "stop_time": "End in seconds, not included.",
        "label": "What was sung.",
        "session": "The recording session.",
    }
    return TimeIntervals(
        name=name,
        description=description,
        id=np.arange(len(frame)),
        columns=[_column(c, meanings[c], frame[c]) for c in ["start_time", "stop_time", *columns]],
    )


def _int16(samples: np.ndarray) -> dict:
    """Return samples as int16 with the factor that takes them back."""
    samples = np.asarray(samples)
    if samples.dtype == np.int16:
        return {"data": _packed(samples), "conversion": 1 / 32768}
    step = float(np.abs(samples).max(initial=0)) / 32767 or 1.0
    return {"data": _packed(np.rint(samples / step).astype(np.int16)), "conversion": step}


def _write(nwb: "pynwb.NWBFile", path: Path, **audio: object) -> None:
    """Write an NWB file whose object ids follow from its identifier, with sound if any."""
    import uuid

    from hdmf.build import Builder, GroupBuilder
    from pynwb import NWBHDF5IO, TimeSeries

    if audio:
        nwb.add_acquisition(
            TimeSeries(name="audio", description="The sound.", unit="a.u.", **audio)
        )
    space = uuid.uuid5(uuid.NAMESPACE_OID, nwb.identifier)

    def derive_ids(builder: Builder, place: str) -> None:
        if "object_id" in builder.attributes:
            builder.set_attribute("object_id", str(uuid.uuid5(space, place)))
        if isinstance(builder, GroupBuilder):
            for child in (*builder.groups.values(), *builder.datasets.values()):
                derive_ids(child, f"{place}/{child.name}")

    class StableIO(NWBHDF5IO):
        """Writes derived ids where pynwb draws random ones."""

        def write_builder(self, builder: Builder, **kwargs: object) -> None:
            derive_ids(builder, "")
            super().write_builder(builder, **kwargs)

    real = path.parent.resolve() / path.name
    with replacing(real) as temporary, StableIO(os.fspath(temporary), "w") as io:
        io.write(nwb)
