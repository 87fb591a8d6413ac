"""Reading recordings from NWB: whole columns straight from the HDF5 tables.

Schemas of all ages and extensions that are not installed open alike.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.recording import Audio, Recording, Units

log = logging.getLogger(__name__)

COVERED = 0.9  # of a session, from its first to its last spike; less is worth a warning
SOUND = re.compile("voc|mic|audio|song|sound", re.IGNORECASE)


def read_recording(path: Path, intervals: str, label_column: str) -> Recording:
    """Read a recording, or a surrogate together with its parent; see `Recording.open`."""
    with open_nwb(path) as file:
        if "scratch/surrogate_of" in file:
            return _read_surrogate(file, path, intervals, label_column)
        units = _read_units(file, path)
        syllables = _read_syllables(file, path, intervals, label_column)
        sessions = _read_sessions(file, path)
        audio = _read_audio(file, path)
        simulated = "simulated" in strings(file.get("general/keywords"))
    if sessions is None:
        sessions = _default_sessions(units, syllables, path)
    syllables = _assign_sessions(syllables, sessions, path)
    _check_coverage(units, sessions, path)
    return Recording(path.stem, units, syllables, sessions, audio, simulated)


def _read_surrogate(file: h5py.File, path: Path, *labels: str) -> Recording:
    """Open the parent of a surrogate and put in what the surrogate changed."""
    parent = file["scratch/surrogate_of"].asstr()[()]
    check_parent(parent, path)
    if not (path.parent / parent).exists():
        raise DataError(
            f"{path} is a surrogate of {parent}, which is not in the same folder; "
            f"make {path.parent / parent} first."
        )
    recording = read_recording(path.parent / parent, *labels)
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


def check_parent(parent: str, path: Path) -> None:
    """Raise a `DataError` unless a surrogate names its parent by a plain file name."""
    if "/" in parent or "\\" in parent or parent in ("", ".", ".."):
        raise DataError(
            f"The surrogate {path} names '{parent}' as its parent, which is no plain file name; "
            "a parent lies in the same folder as its surrogate."
        )


@contextmanager
def open_nwb(path: Path) -> Iterator[h5py.File]:
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


def strings(dataset: h5py.Dataset | None) -> list[str]:
    """Return the values of a dataset or attribute as strings; none for None."""
    values = () if dataset is None else np.atleast_1d(dataset[()])
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else text(v) for v in values]


def text(value: object) -> str:
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
    return column[()] if column.dtype.kind in "biuf" else strings(column)


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
        spike_times = _observed_only(spike_times, observed, path)
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
        if len(train) and train.min() < 0:
            raise DataError(
                f"Unit {unit} of {path} has a spike at {train.min():g} s, before time 0; move the "
                "clock of the whole file (spikes, syllables, sound) so that it begins at 0."
            )
        if np.any(np.diff(train) <= 0):
            n = len(train)
            train = np.unique(train)
            duplicates += n - len(train)
        cleaned.append(train)
    if duplicates:
        log.warning("%s: dropped %d spikes that were there twice in one unit", path, duplicates)
    return tuple(cleaned)


def _observed_only(
    trains: tuple[np.ndarray, ...], observed: tuple[np.ndarray, ...], path: Path
) -> tuple[np.ndarray, ...]:
    """Drop spikes outside the intervals in which their unit was observed."""
    kept = []
    for times, intervals in zip(trains, observed, strict=True):
        row = np.searchsorted(intervals[:, 0], times, side="right")
        kept.append(times[times <= np.r_[-np.inf, intervals[:, 1]][row]])
    if dropped := sum(map(len, trains)) - sum(map(len, kept)):
        log.warning("%s: dropped %d spikes outside their unit's obs_intervals", path, dropped)
    return tuple(kept)


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
        frame[column] = pd.Series(strings(group[column]), dtype=str)
    bad = np.flatnonzero(~(frame["stop_time"] >= frame["start_time"]))
    if len(bad):
        start, stop = frame.loc[bad[0], ["start_time", "stop_time"]]
        raise DataError(
            f"In {path} row {bad[0]} of the table '{name}' lasts from {start:g} to {stop:g} s "
            f"({len(bad)} such rows); correct or remove intervals that end before they begin."
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


def _default_sessions(units: Units, syllables: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return one session, or those the syllables name, parted between them.

    It lasts as long as units were observed, or else from the first spike to the last, and holds all
    syllables. Sound may last longer: time without a chance of spikes would dilute surrogates.
    """
    if units.observed is None:
        times = [t for t in units.spike_times if len(t)]
    else:
        times = [o.ravel() for o in units.observed if len(o)]
    start = min(syllables["start_time"].min(), *(t.min() for t in times))
    # The next number up: intervals are half-open, and the last spike belongs to the session.
    stop = np.nextafter(max(syllables["stop_time"].max(), *(t.max() for t in times)), np.inf)
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


def _check_coverage(units: Units, sessions: pd.DataFrame, path: Path) -> None:
    """Warn of sessions that last much longer than their spikes."""
    for session in sessions.itertuples():
        bounds = [session.start_time, session.stop_time]
        inside = [(t, *np.searchsorted(t, bounds)) for t in units.spike_times]
        ends = [t[[first, last - 1]] for t, first, last in inside if last > first]
        covered, length = np.ptp(ends) if ends else 0.0, np.ptp(bounds)
        if covered < COVERED * length:
            log.warning(
                "%s: spikes cover only %.0f of the %.0f s of session %s; correct its times, or "
                "shifted and Poisson surrogates have fewer spikes in song than the bird",
                path,
                covered,
                length,
                session.session,
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
        if sound and "timestamps" in series:
            log.warning("%s: the sound '%s' has timestamps and no rate; it is not read", path, name)
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
    with open_nwb(Path(path)) as file:
        subject = {
            field: strings(file[f"general/subject/{field}"])[0]
            for field in fields
            if f"general/subject/{field}" in file
        }
        start = datetime.fromisoformat(strings(file["session_start_time"])[0])
        description = strings(file["session_description"])[0]
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    return {"description": description, "start_time": start, "subject": subject}
