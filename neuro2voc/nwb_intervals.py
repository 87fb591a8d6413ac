"""Interval tables of an NWB file: syllables, sessions, and times that do not count."""

import logging

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.nwb_tables import (
    check_length,
    column_names,
    dataset_of,
    kind_of,
    listed,
    numbers,
    strings,
)
from neuro2voc.nwb_units import joined

log = logging.getLogger(__name__)

TABLE, LABEL = "syllables", "label"  # unless others are named
# Names that other conventions give to labels of sounds.
SYNONYMS = ("label", "labels", "syllable", "syllables", "name", "condition", "cluster", "tags")
NO_SYLLABLES = ("sessions", "invalid_times")
TIMES = ("start_time", "stop_time", "timestamp", "duration")
MOMENTS = ("timestamps", "event_times")  # of ndx-events: times without durations
EMPTY = pd.DataFrame(
    {"start_time": [], "stop_time": [], "label": pd.Series([], dtype=str)}, dtype=None
).astype({"start_time": float, "stop_time": float})


def read_syllables(
    file: h5py.File, groups: dict[str, h5py.Group], intervals: str, label_column: str
) -> pd.DataFrame:
    """Read labelled intervals.

    Parameters
    ----------
    file : h5py.File
        The open file.
    groups : dict of str to h5py.Group
        Its groups by place.
    intervals, label_column : str
        The table, by name or by place, and its column; '' for ``syllables`` and ``label``.

    Returns
    -------
    pandas.DataFrame
        start_time, stop_time (s), label (str) and, where the table has it, session (str), sorted by
        start_time. Empty, with a warning, if nothing was asked for by name and there is nothing
        that could hold labels.

    Raises
    ------
    DataError
        If what was asked for is not there, or labels may lie in a table that was not asked for; the
        sentence names what there is. If intervals end before they begin, syllables lie before time
        0, or a column is too short.
    """
    path = file.filename
    tables = label_tables(groups)
    if not (intervals or label_column) and _nothing_labelled(tables):
        names = [n for n in tables if n not in NO_SYLLABLES]
        others = f" (no column of {listed(names)} holds one per row)" if names else ""
        others = f" (the table '{TABLE}' is empty)" if TABLE in names else others
        log.warning(
            "%s has no labels%s; figures of units need none, all else needs a TimeIntervals table "
            "'%s' with start_time, stop_time (s) and a column '%s'",
            *(path, others, TABLE, LABEL),
        )
        return EMPTY.copy()
    name = _table_asked_for(tables, intervals, path)
    label = label_column or LABEL
    columns = _label_columns(tables[name])
    if label not in columns:
        raise DataError(
            f"The table '{name}' of {path} has no column '{label}'{nearest(label, columns)} "
            f"(its columns with one label per row: {listed(columns) or 'none'}); "
            "name one of them under `label_column:`."
        )
    more = ["session"] if "session" in columns and label != "session" else []
    frame = _read_intervals(tables[name], name, [label, *more]).rename(columns={label: "label"})
    if not len(frame):
        raise DataError(f"The table '{name}' of {path} is empty; add the syllables' intervals.")
    if (early := frame["start_time"].iat[0]) < 0:
        raise DataError(
            f"The table '{name}' of {path} has a syllable at {early:g} s, before time 0 "
            f"({(frame['start_time'] < 0).sum()} such rows); move the clock of the whole file "
            "(spikes, syllables, sound) so that it begins at 0."
        )
    return frame


def label_tables(groups: dict[str, h5py.Group]) -> dict[str, h5py.Group]:
    """Return all tables of times: those in /intervals by their names, others by their places."""
    return {
        place.removeprefix("intervals/"): group
        for place, group in groups.items()
        if (place.startswith("intervals/") and place.count("/") == 1)
        or {"start_time", "stop_time"} <= set(group)
        or "timestamp" in group
        or any(name in group for name in MOMENTS)
        and kind_of(group).endswith(("Events", "EventsTable"))
    }


def _label_columns(table: h5py.Group) -> list[str]:
    """Return the columns that may hold a label, those by the names of labels first."""
    names = [n for n in column_names(table) if n not in TIMES]
    return sorted(names, key=lambda n: n.lower() not in SYNONYMS)


def _likely_columns(table: h5py.Group) -> list[str]:
    """Return the columns named like labels, else those that are not measurements."""
    names = _label_columns(table)
    fitting = [n for n in names if n.lower() in SYNONYMS]
    return fitting or [n for n in names if table[n].dtype.kind != "f"]


def _nothing_labelled(tables: dict[str, h5py.Group]) -> bool:
    """Tell whether no table could hold labels, or 'syllables' is empty."""
    if TABLE in tables and "start_time" in tables[TABLE]:
        return not dataset_of(tables[TABLE], "start_time").size
    return not any(_likely_columns(t) for name, t in tables.items() if name not in NO_SYLLABLES)


def _table_asked_for(tables: dict[str, h5py.Group], asked: str, path: str) -> str:
    """Return the name of the table that is asked for by its name or place."""
    name = (asked or TABLE).strip("/").removeprefix("intervals/")
    ends = [t for t in tables if t.split("/")[-1] == name]
    if name in tables or len(ends) == 1:
        return name if name in tables else ends[0]
    known = {t: _label_columns(g) for t, g in tables.items() if t not in NO_SYLLABLES}
    if not any(known.values()):
        others = f" (no column of {listed(known)} holds one per row)" if known else ""
        raise DataError(
            f"{path} has no labels{others}; add a TimeIntervals table '{name}' with start_time, "
            f"stop_time (s) and a column '{LABEL}'."
        )
    likely = {t: _likely_columns(tables[t]) for t in known}
    columns = "; ".join(f"{t}: {listed(cs)}" for t, cs in list(likely.items())[:6] if cs)
    raise DataError(
        f"{path} has no interval table '{name}'{nearest(name, known)} (its tables: "
        f"{listed(map(_with_kind(tables), known))}); name one of them under `intervals:` and a "
        f"column under `label_column:`, perhaps {columns or 'one that you add'}."
    )


def _with_kind(tables: dict[str, h5py.Group]):
    """Return a function that shows a table's name, and that its times have no durations."""

    def shown(name: str) -> str:
        table = tables[name]
        lasting = "start_time" in table or "duration" in table
        return name if lasting else f"{name} (without durations)"

    return shown


def _times(table: h5py.Group, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return starts and stops (s) of a table of intervals, or of events that last."""
    path = table.file.filename
    if "start_time" in table:
        start, stop = (numbers(table, c).astype(np.float64) for c in ("start_time", "stop_time"))
        check_length(table, "stop_time", len(stop), len(start))
        return start, stop
    if "duration" not in table or "timestamp" not in table:
        raise DataError(
            f"The table '{name}' of {path} ({kind_of(table)}) has times without durations, and "
            "syllables last; name another table under `intervals:`, or add a column 'duration' (s)."
        )
    start, duration = (numbers(table, c).astype(np.float64) for c in ("timestamp", "duration"))
    check_length(table, "duration", len(duration), len(start))
    if missing := int(np.isnan(duration).sum()):
        raise DataError(
            f"In {path} {missing} of the {len(start)} events of the table '{name}' have no "
            "duration; add them, or remove these events."
        )
    return start, start + duration


def _read_intervals(table: h5py.Group, name: str, columns: list[str]) -> pd.DataFrame:
    """Return start_time and stop_time (s) with `columns` as text, sorted by time."""
    start, stop = _times(table, name)
    frame = pd.DataFrame({"start_time": start, "stop_time": stop})
    for source in columns:
        values = strings(table, source)
        check_length(table, source, len(values), len(frame))
        frame[source] = pd.Series(values, dtype=str)
    bad = np.flatnonzero(~(np.isfinite(start) & np.isfinite(stop) & (stop >= start)))
    if len(bad):
        raise DataError(
            f"In {table.file.filename} row {bad[0]} of the table '{name}' lasts from "
            f"{start[bad[0]]:g} to {stop[bad[0]]:g} s ({len(bad)} such rows); correct or remove "
            "intervals that end before they begin."
        )
    return frame.sort_values("start_time", kind="stable", ignore_index=True)


def read_sessions(file: h5py.File) -> pd.DataFrame | None:
    """Return session, start_time, stop_time of the table 'sessions'; None without one."""
    table = file.get("intervals/sessions")
    if not isinstance(table, h5py.Group):
        return None
    named = "session" in column_names(table)
    frame = _read_intervals(table, "sessions", ["session"] if named else [])
    if not len(frame):
        return None
    if not named:
        frame["session"] = [f"session{i + 1}" for i in range(len(frame))]
    return frame[["session", "start_time", "stop_time"]]


def read_invalid_times(file: h5py.File) -> np.ndarray:
    """Return the intervals (k, 2) in s of the table 'invalid_times', sorted and disjoint."""
    table = file.get("intervals/invalid_times")
    if not isinstance(table, h5py.Group):
        return np.zeros((0, 2))
    times = _read_intervals(table, "invalid_times", []).to_numpy(dtype=np.float64)
    return joined(times[times[:, 1] > times[:, 0]])
