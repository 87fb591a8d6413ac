"""Reading recordings from NWB, and what surrogates take from their parents."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.nwb_activity import find_activity, own_activity, read_activity, read_spectrogram
from neuro2voc.nwb_audio import read_audio
from neuro2voc.nwb_intervals import read_invalid_times, read_sessions, read_syllables
from neuro2voc.nwb_tables import groups_of, listed, numbers, open_nwb, strings
from neuro2voc.nwb_units import (
    describe_units,
    find_units,
    has_spikes,
    observed_only,
    read_observed,
    read_trains,
    read_units,
    without,
)
from neuro2voc.recording import Audio, Binned, Recording, Units

log = logging.getLogger(__name__)

COVERED = 0.9  # of a session, from its first to its last spike; less is worth a warning
SILENT = 60.0  # s; so long may all units be silent before the first spike or after the last


def read_recording(
    path: Path, intervals: str, label_column: str, activity: str = "", audio: str = ""
) -> Recording:
    """Read a recording, or a surrogate together with its parent; see `Recording.open`."""
    with open_nwb(path) as file:
        if "scratch/surrogate_of" in file:
            return _read_surrogate(file, path, intervals, label_column, activity, audio)
        groups = groups_of(file)
        units = _read_activity(file, groups, path, activity)
        syllables = read_syllables(file, groups, intervals, label_column)
        sound = read_audio(groups, path, audio)
        sessions = read_sessions(file)
        if sessions is None:
            _check_inside(units, sound, syllables, path)
            sessions = _default_sessions(units, syllables, path)
        syllables = _assign_sessions(syllables, sessions, path)
        units = _without_invalid(units, read_invalid_times(file), sessions, path)
        _check_coverage(units, sessions, path)
        simulated = "simulated" in strings(file, "general/keywords")
        given = read_spectrogram(file, path)
    return Recording(path.stem, units, syllables, sessions, sound, simulated, spectrogram=given)


def _read_activity(
    file: h5py.File, groups: dict[str, h5py.Group], path: Path, activity: str
) -> Units | Binned:
    """Return the activity that is asked for, else the units, else the one dense series."""
    table = find_units(file, groups)
    if activity:
        return read_activity(file, path, activity.strip("/"))
    if own := own_activity(file):
        return _read_own(file, path, own, table)
    if has_spikes(table):
        return read_units(file, table)
    found = find_activity(file)
    if len(found) > 1:
        raise DataError(
            f"{path} has no units with spike times but several series of activity "
            f"({listed(found)}); name one of them under `activity:`."
        )
    if found:
        log.info("%s: activity is read from %s", path, found[0])
        return read_activity(file, path, found[0])
    return read_units(file, table)


def _read_own(file: h5py.File, path: Path, activity: str, table: h5py.Group | None) -> Binned:
    """Return activity in bins as `write_recording` stores it, with the units' own table."""
    binned = read_activity(file, path, activity)
    if table is None:
        return binned
    described = describe_units(file, table, len(binned))
    events = read_trains(table, described.index) if has_spikes(table) else None
    observed = read_observed(table, len(binned))
    return replace(binned, table=described, events=events, observed=observed)


def _read_surrogate(file: h5py.File, path: Path, *names: str) -> Recording:
    """Open the parent of a surrogate and put in what the surrogate changed."""
    parent = "".join(strings(file, "scratch/surrogate_of"))
    check_parent(parent, path)
    if not (path.parent / parent).exists():
        raise DataError(
            f"{path} is a surrogate of {parent}, which is not in the same folder; "
            f"make {path.parent / parent} first."
        )
    with open_nwb(path.parent / parent) as other:
        if "scratch/surrogate_of" in other:
            raise DataError(
                f"{path} is a surrogate of {parent}, itself a surrogate; "
                "make surrogates of recordings only."
            )
    recording = read_recording(path.parent / parent, *names)
    if "units" in file:
        recording = recording.with_units(_read_activity(file, {}, path, ""))
    if "intervals/syllables" in file:
        syllables = read_syllables(file, groups_of(file), "syllables", "label")
        syllables = _assign_sessions(syllables, recording.sessions, path)
        recording = recording.with_syllables(syllables)
    return replace(
        recording,
        name=path.stem,
        parent=Path(parent).stem,
        surrogate="".join(strings(file, "scratch/surrogate_kind")),
        replicate=int(numbers(file, "scratch/surrogate_replicate", 0)),
    )


def check_parent(parent: str, path: Path) -> None:
    """Raise a `DataError` unless a surrogate names its parent by a plain file name."""
    if "/" in parent or "\\" in parent or parent in ("", ".", ".."):
        raise DataError(
            f"The surrogate {path} names '{parent}' as its parent, which is no plain file name; "
            "a parent lies in the same folder as its surrogate."
        )


def _span(units: Units | Binned) -> tuple[float, float]:
    """Return when the activity begins and ends (s): as observed, else from first to last spike."""
    if isinstance(units, Binned):
        return units.start_time, units.stop_time
    if units.observed is None:
        times = [t for t in units.spike_times if len(t)]
    else:
        times = [o.ravel() for o in units.observed if len(o)]
    if not times:
        return np.inf, -np.inf
    return min(t[0] for t in times), max(t[-1] for t in times)


def _check_inside(
    units: Units | Binned, audio: Audio | None, syllables: pd.DataFrame, path: Path
) -> None:
    """Refuse syllables that lie wholly outside what was recorded."""
    start, stop = _span(units)
    if isinstance(units, Units) and units.observed is None:
        start, stop = start - SILENT, stop + SILENT
    if audio is not None:
        start, stop = min(start, audio.start_time), max(stop, audio.stop_time)
    outside = (syllables["stop_time"] < start) | (syllables["start_time"] > stop)
    if outside.any():
        first = syllables["start_time"][outside].iloc[0]
        raise DataError(
            f"In {path} {outside.sum()} of {len(syllables)} syllables, the first at {first:g} s, "
            f"lie outside the recording, whose activity lasts from {_span(units)[0]:g} to "
            f"{_span(units)[1]:g} s; put both on one clock, or say in an interval table 'sessions' "
            "when was recorded."
        )


def _default_sessions(units: Units | Binned, syllables: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return one session, or those the syllables name, parted between them.

    It lasts as long as units were observed, or else from the first spike to the last, and holds all
    syllables. Sound may last longer: time without a chance of spikes would dilute surrogates.
    """
    start, stop = _span(units)
    start = min(start, syllables["start_time"].min()) if len(syllables) else start
    stop = max(stop, syllables["stop_time"].max()) if len(syllables) else stop
    # The next number up: intervals are half-open, and the last spike belongs to the session.
    stop = np.nextafter(stop, np.inf)
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


def _without_invalid(
    units: Units | Binned, invalid: np.ndarray, sessions: pd.DataFrame, path: Path
) -> Units | Binned:
    """Take times that NWB calls invalid from those in which units were observed."""
    if not len(invalid):
        return units
    whole = sessions[["start_time", "stop_time"]].to_numpy()
    observed = [whole] * len(units) if units.observed is None else units.observed
    observed = tuple(without(intervals, invalid) for intervals in observed)
    if isinstance(units, Binned):
        return replace(units, observed=observed)
    return replace(
        units, observed=observed, spike_times=observed_only(units.spike_times, observed, str(path))
    )


def _check_coverage(units: Units | Binned, sessions: pd.DataFrame, path: Path) -> None:
    """Warn of sessions that last much longer than their spikes."""
    if isinstance(units, Binned):
        return
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
        about = {field: "".join(strings(file, f"general/subject/{field}")) for field in fields}
        start = datetime.fromisoformat("".join(strings(file, "session_start_time")))
        description = "".join(strings(file, "session_description"))
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    subject = {field: value for field, value in about.items() if value}
    return {"description": description, "start_time": start, "subject": subject}
