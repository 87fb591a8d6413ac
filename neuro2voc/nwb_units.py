"""Units of an NWB file: spike times, where they were recorded, and when they were observed."""

import logging

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.nwb_tables import (
    check_length,
    column,
    column_names,
    dataset_of,
    kind_of,
    numbers,
    stops_of,
    strings,
)
from neuro2voc.recording import Units
from neuro2voc.spike_trains import NEGATIVE, NOT_FINITE, NOT_INCREASING, check_trains

log = logging.getLogger(__name__)

ELECTRODES = "general/extracellular_ephys/electrodes"
QUALITY = ("quality", "KSLabel", "label", "group")
# Heights along the probe. `y` is one only on a probe: see `_heights`.
HEIGHTS = ("rel_y", "probe_vertical_position", "y")
PLACES = ("location", "brain_area", "area")
NOWHERE = {"", "unknown", "n/a", "none", "nan"}
NEAR = 100.0  # µm; a unit is seen about as far along a probe (Neuropixels: some five rows each way)
SAMPLES = 1e5  # s, more than a day; whole numbers beyond are counts of samples
DAY = 86_400.0  # s


def find_units(file: h5py.File, groups: dict[str, h5py.Group]) -> h5py.Group | None:
    """Return the table of units: /units, else the first one in processing; None without any."""
    if isinstance(file.get("units"), h5py.Group):
        return file["units"]
    for place, group in groups.items():
        named = place.startswith("processing/") and place.endswith("/units")
        if place.startswith("processing/") and (named or kind_of(group) == "Units"):
            return group
    return None


def has_spikes(table: h5py.Group | None) -> bool:
    """Tell whether a table of units has spike times."""
    return table is not None and "spike_times" in table and "spike_times_index" in table


def read_units(file: h5py.File, table: h5py.Group | None) -> Units:
    """Read units with their spike times.

    Unsorted spike times are sorted and exact duplicates within a unit dropped, as are spikes
    outside a unit's ``obs_intervals``, each with a notice.

    Parameters
    ----------
    file : h5py.File
        The open file.
    table : h5py.Group, optional
        Its table of units.

    Raises
    ------
    DataError
        If there are no spike times, or some are negative, no numbers, counts of samples, or lie
        absurdly far behind all others.
    """
    path = file.filename
    if not has_spikes(table) or not dataset_of(table, "spike_times_index").size:
        lacks = " (its table of units has no spike_times)" if table is not None else ""
        raise DataError(
            f"{path} has no units with spike times{lacks}; add a units table with spike_times (s), "
            "for example from the spike sorter's output."
        )
    outer = [n for n in ("spike_times_index_index", "spike_times_index") if n in table][0]
    described = describe_units(file, table, len(dataset_of(table, outer)))
    trains = read_trains(table, described.index)
    observed = read_observed(table, len(trains))
    if observed is not None:
        trains = observed_only(trains, observed, path)
    if not any(map(len, trains)):
        when = "" if observed is None else " in the times of its obs_intervals"
        raise DataError(f"No unit of {path} has a spike{when}; check the spike sorter's output.")
    _check_last(trains, described.index, path)
    step = float(table["spike_times"].attrs.get("resolution", 0))  # -1 where unknown
    known = {"resolution": step} if 0 < step < np.inf else {}
    return Units(trains, described, observed, **known)


def read_trains(table: h5py.Group, ids: pd.Index) -> tuple[np.ndarray, ...]:
    """Return each unit's spike times (s), sorted and without exact duplicates.

    Parameters
    ----------
    table : h5py.Group
        The table of units.
    ids : pandas.Index
        The units' ids.

    Raises
    ------
    DataError
        If spike times are negative, no numbers, or counts of samples.
    """
    flat = numbers(table, "spike_times").astype(np.float64, copy=False)
    stops = stops_of(table, "spike_times", len(flat))
    check_length(table, "spike_times_index", len(stops), len(ids))
    factor = float(table["spike_times"].attrs.get("conversion", 1.0))
    return _clean(flat if factor == 1.0 else flat * factor, stops, ids, table.file.filename)


def _clean(flat: np.ndarray, stops: np.ndarray, ids: pd.Index, path: str) -> tuple[np.ndarray, ...]:
    """Return each unit's spike times, sorted and without exact duplicates."""
    flags = check_trains(flat, stops)
    trains = np.split(flat, stops[:-1])
    for unit in np.flatnonzero(flags & (NOT_FINITE | NEGATIVE)):
        if flags[unit] & NOT_FINITE:
            raise DataError(
                f"Unit {ids[unit]} of {path} has spike times that are no numbers; remove them."
            )
        raise DataError(
            f"Unit {ids[unit]} of {path} has a spike at {trains[unit].min():g} s, before time 0; "
            "move the clock of the whole file (spikes, syllables, sound) so that it begins at 0."
        )
    mended = np.flatnonzero(flags & NOT_INCREASING)
    unsorted = sum(bool(np.any(np.diff(trains[unit]) < 0)) for unit in mended)
    for unit in mended:
        trains[unit] = np.unique(trains[unit])
    if unsorted:
        log.warning("%s: sorted the spike times of %d units", path, unsorted)
    if dropped := len(flat) - sum(map(len, trains)):
        log.warning("%s: dropped %d spikes that were there twice in one unit", path, dropped)
    _check_seconds(trains, path)
    return tuple(trains)


def _check_seconds(trains: list[np.ndarray], path: str) -> None:
    """Raise a `DataError` if spike times are counts of samples."""
    longest = max(trains, key=len)
    if len(longest) < 2 or longest[-1] <= SAMPLES:
        return
    if np.all(longest == np.rint(longest)) and np.median(np.diff(longest)) > 1:
        raise DataError(
            f"The spike times of {path} are whole numbers up to {longest[-1]:.0f}, samples rather "
            "than seconds; divide them by the sampling rate."
        )


def _check_last(trains: tuple[np.ndarray, ...], ids: pd.Index, path: str) -> None:
    """Raise a `DataError` if the last spike makes a session far longer than it can have been.

    Refused is a last spike more than a day behind the first, and more than ten times as far behind
    it as 99.9 % of all spikes.
    """
    unit, last = max(enumerate(t[-1] if len(t) else 0.0 for t in trains), key=lambda pair: pair[1])
    first = min(t[0] for t in trains if len(t))
    if last - first <= DAY:
        return
    span = np.quantile(np.concatenate(trains), 0.999, method="lower") - first
    if last - first > 10 * span:
        raise DataError(
            f"Unit {ids[unit]} of {path} has a spike at {last:g} s, {last - first:.3g} s after the "
            f"first one, though 99.9 % of all spikes lie within {span:.3g} s; remove it."
        )


def observed_only(
    trains: tuple[np.ndarray, ...], observed: tuple[np.ndarray, ...], path: str
) -> tuple[np.ndarray, ...]:
    """Drop spikes outside the intervals in which their unit was observed.

    Parameters
    ----------
    trains : tuple of numpy.ndarray
        Sorted spike times (s) of each unit.
    observed : tuple of numpy.ndarray
        Per unit sorted, disjoint intervals (k, 2) in s, with their ends.
    path : str
        For the notice.
    """
    kept = []
    for times, intervals in zip(trains, observed, strict=True):
        first = np.searchsorted(times, intervals[:, 0])
        last = np.searchsorted(times, intervals[:, 1], side="right")
        if len(intervals) == 1:  # the usual case, without a copy
            kept.append(times[first[0] : last[0]])
        else:
            pieces = [times[a:b] for a, b in zip(first, last, strict=True)]
            kept.append(np.concatenate([np.zeros(0), *pieces]))
    if dropped := sum(map(len, trains)) - sum(map(len, kept)):
        log.warning("%s: dropped %d spikes in times that were not observed", path, dropped)
    return tuple(kept)


def read_observed(table: h5py.Group, units: int) -> tuple[np.ndarray, ...] | None:
    """Return each unit's obs_intervals, sorted, those that touch joined; None without any."""
    if "obs_intervals" not in table or "obs_intervals_index" not in table:
        return None
    path = table.file.filename
    empty = not dataset_of(table, "obs_intervals").size
    values = np.zeros((0, 2)) if empty else numbers(table, "obs_intervals", 2).astype(np.float64)
    stops = stops_of(table, "obs_intervals", len(values))
    check_length(table, "obs_intervals_index", len(stops), units)
    if values.shape[1] != 2 or not np.all(np.isfinite(values) & (values[:, 1:] >= values[:, :1])):
        raise DataError(
            f"In {path} units/obs_intervals are not all a start and a stop after it (s); correct "
            "or remove them."
        )
    return tuple(joined(part) for part in np.split(values, stops[:-1]))


def joined(intervals: np.ndarray) -> np.ndarray:
    """Return intervals (k, 2) sorted, with those that overlap or touch made one.

    Examples
    --------
    >>> joined(np.array([[4.0, 5.0], [0.0, 2.0], [1.0, 3.0]])).tolist()
    [[0.0, 3.0], [4.0, 5.0]]
    """
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.r_[True, intervals[1:, 0] > reach[:-1]][: len(intervals)]
    last = np.r_[first[1:], True][: len(intervals)]
    return np.stack([intervals[first, 0], reach[last]], axis=1)


def without(intervals: np.ndarray, invalid: np.ndarray) -> np.ndarray:
    """Return what is left of sorted, disjoint intervals (k, 2) outside others like them.

    Examples
    --------
    >>> without(np.array([[0.0, 5.0], [6.0, 7.0]]), np.array([[1.0, 2.0], [4.0, 6.5]])).tolist()
    [[0.0, 1.0], [2.0, 4.0], [6.5, 7.0]]
    """
    gaps = np.stack([np.r_[-np.inf, invalid[:, 1]], np.r_[invalid[:, 0], np.inf]], axis=1)
    pieces = [(max(start, a), min(stop, b)) for start, stop in intervals for a, b in gaps if a < b]
    return np.array([p for p in pieces if p[0] < p[1]], dtype=float).reshape(-1, 2)


def describe_units(file: h5py.File, table: h5py.Group, units: int) -> pd.DataFrame:
    """Return the table of units, as far as known with depth, location and quality.

    Parameters
    ----------
    file : h5py.File
        The open file.
    table : h5py.Group
        Its table of units.
    units : int
        How many there are.

    Returns
    -------
    pandas.DataFrame
        As `Units.table`: all columns that hold one value per unit, and

        ``depth``: from the table, else the height of the unit's electrode. Of several electrodes
        the one where its mean waveform is largest counts; without waveforms their mean, if they
        lie within 100 µm.

        ``location``: from the table, else the electrode's brain area.

        ``quality``: from ``quality``, else ``KSLabel``, else a textual ``label`` or ``group``.
    """
    frame = pd.DataFrame({n: column(table, n, units) for n in column_names(table)})
    frame.index = _ids(table, frame, units)
    for source in QUALITY:
        if source in frame and not pd.api.types.is_numeric_dtype(frame[source]):
            frame["quality"] = frame[source]
            break
    electrodes = file.get(ELECTRODES)
    if isinstance(electrodes, h5py.Group) and "electrodes" in table:
        rows = _electrode_rows(table, units)
        for name, find in (("depth", _depths), ("location", _locations)):
            if name not in frame and (values := find(electrodes, table, rows)) is not None:
                frame[name] = values
    if "depth" in frame:
        frame["depth"] = pd.to_numeric(frame["depth"], errors="coerce").astype(float)
    if "location" in frame:
        frame["location"] = frame["location"].fillna("").astype(str)
    return frame


def _ids(table: h5py.Group, frame: pd.DataFrame, units: int) -> pd.Index:
    """Return the units' ids: names where there are some, since NWB's ids are mere numbers."""
    for source in ("unit", "unit_name"):
        named = source in frame and not pd.api.types.is_numeric_dtype(frame[source])
        if named and frame[source].is_unique:
            return pd.Index(frame.pop(source), name="unit")
    if "id" not in table:
        return pd.RangeIndex(units, name="unit")
    ids = pd.Index(numbers(table, "id"), name="unit")
    check_length(table, "id", len(ids), units)
    if not ids.is_unique:
        log.warning("%s: units share their ids and are numbered anew", table.file.filename)
        return pd.RangeIndex(units, name="unit")
    return ids


def _electrode_rows(table: h5py.Group, units: int) -> list[np.ndarray]:
    """Return for each unit the rows of its electrodes; one each where there is no index."""
    rows = numbers(table, "electrodes").astype(np.int64)
    if "electrodes_index" in table:
        stops = stops_of(table, "electrodes", len(rows))
    else:
        stops = np.arange(1, len(rows) + 1)
    check_length(table, "electrodes", len(stops), units)
    return np.split(rows, stops[:-1]) if len(stops) else []


def _depths(electrodes: h5py.Group, table: h5py.Group, rows: list[np.ndarray]) -> list | None:
    heights = _heights(electrodes)
    if heights is None:
        return None
    peaks = _peaks(table, rows)
    depths = []
    for own, peak in zip(rows, peaks, strict=True):
        # Further apart, the mean would be a place where no electrode saw the unit.
        known = heights.reindex(own if peak is None else own[[peak]]).to_numpy()
        depths.append(known.mean() if len(known) and np.ptp(known) <= NEAR else np.nan)
    return depths


def _heights(electrodes: h5py.Group) -> pd.Series | None:
    """Return the electrodes' heights along the probe (µm), where they are known.

    NWB's y is a coordinate of the brain by its schema and a height by custom; brain coordinates
    give themselves away by values below 0, and a column of one value says nothing.
    """
    names = column_names(electrodes)
    for source in HEIGHTS:
        if source not in names or electrodes[source].dtype.kind not in "iuf":
            continue
        heights = pd.Series(numbers(electrodes, source), dtype=float)
        if source != "y" or (heights.min() >= 0 and heights.nunique() > 1):
            return heights
    return None


def _peaks(table: h5py.Group, rows: list[np.ndarray]) -> list[int | None]:
    """Return which of its electrodes sees each unit's mean waveform largest, where known."""
    waves = table.get("waveform_mean")
    # (units, samples, electrodes); one with two dimensions has a single electrode.
    if not isinstance(waves, h5py.Dataset) or waves.ndim != 3 or len(waves) != len(rows):
        return [None] * len(rows)
    dataset_of(table, "waveform_mean")
    peaks = []
    for unit, own in enumerate(rows):
        fits = waves.shape[2] == len(own) > 1 and waves.shape[1] > 0
        size = np.nan_to_num(np.ptp(waves[unit], axis=0)) if fits else np.zeros(1)
        peaks.append(int(np.argmax(size)) if size.max() > 0 else None)
    return peaks


def _locations(electrodes: h5py.Group, table: h5py.Group, rows: list[np.ndarray]) -> list | None:
    """Return each unit's brain area, '' where its electrodes lie in several."""
    names = column_names(electrodes)
    for source in PLACES:
        if source not in names:
            continue
        areas = pd.Series(strings(electrodes, source), dtype=str)
        if set(areas.str.lower()) <= NOWHERE:
            continue
        peaks = _peaks(table, rows)
        parts = [
            areas.reindex(own if peak is None else own[[peak]]).dropna().unique()
            for own, peak in zip(rows, peaks, strict=True)
        ]
        return [part[0] if len(part) == 1 else "" for part in parts]
    return None
