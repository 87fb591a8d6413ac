"""Activity that is no table of spike times, and given spectrograms, from series of an NWB file.

A dense series of threshold crossings (0 or 1 at the amplifier's rate, as FALCON B1 has it) becomes
spike times; counts in bins, calcium traces and smoothed rates become `Binned`.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.nwb_tables import UNPROVEN, dataset_of, groups_of, kind_of, listed, numbers, strings
from neuro2voc.recording import Binned, Spectrogram, Units

log = logging.getLogger(__name__)

# Names of series of activity, the surest first; matched anywhere in the name, in any case.
NAMES = (r"^tx\d*$|threshold|crossing", "binned|spike|count", "deconv", "firing|neural", "roi|df")
PIECE = 1 << 21  # values read at once, 16 MiB of float64
CROSSINGS = 1000.0  # Hz; zeros and ones sampled faster are moments, not bins
SHRUNK = 1100  # times, more than gzip shrinks even zeros
FULL = 0.1  # share of the time that bins must cover; sparser ones are no regular series


def find_activity(file: h5py.File) -> list[str]:
    """Return the places of dense series that look like activity, the likeliest first.

    Parameters
    ----------
    file : h5py.File
        An open NWB file.

    Returns
    -------
    list of str
        Places of two-dimensional numeric ``TimeSeries`` named like activity (``tx``,
        ``binned_spikes``, ...) and of any ``RoiResponseSeries``, deconvolved ones first.
    """
    found = []
    for place, group in groups_of(file).items():
        name, kind = place.split("/")[-1], kind_of(group)
        data = group.get("data")
        if kind not in ("TimeSeries", "RoiResponseSeries") or not isinstance(data, h5py.Dataset):
            continue
        rank = [n for n, words in enumerate(NAMES) if re.search(words, name, re.IGNORECASE)]
        named = bool(rank) or kind == "RoiResponseSeries"
        if named and data.ndim == 2 and data.dtype.kind in "biuf":
            found.append((min(rank, default=len(NAMES)), place))
    return [place for _, place in sorted(found)]


def own_activity(file: h5py.File) -> str | None:
    """Return the place of the activity in a file of `neuro2voc.nwb_writing`, None elsewhere.

    There ``units`` describes the units, and its spike times, if any, are events found in the
    activity.
    """
    return next(iter(_scratch(file, "activity")), None)


def _scratch(file: h5py.File, name: str) -> list[str]:
    notes = file.get("scratch")
    return strings(notes, name) if isinstance(notes, h5py.Group) else []


def read_activity(file: h5py.File, path: Path, name: str) -> Units | Binned:
    """Read a dense series of activity; the first axis is time, the second the units.

    Parameters
    ----------
    file : h5py.File
        The open NWB file.
    path : Path
        Where it lies, for sentences.
    name : str
        The series' place in it, for example ``acquisition/tx``.

    Returns
    -------
    Units or Binned
        `Units` if all values are 0 or 1 and there are more than 1000 a second: each 1 is an event
        at the time of its sample. Else `Binned`, of counts if all values are whole and none is
        negative. Units are numbered like the columns. Times without samples are unobserved.

    Raises
    ------
    DataError
        If there is no such series, it is not (time, units), a value is no number, or its times are
        not regular to half a bin.
    """
    series = file.get(name)
    if not isinstance(series, h5py.Group) or not isinstance(series.get("data"), h5py.Dataset):
        found = find_activity(file)
        known = f"; it has: {listed(found)}" if found else ""
        raise DataError(f"{path} has no series '{name}'{nearest(name, found)}{known}.")
    data = series["data"]
    if data.ndim != 2 or data.dtype.kind not in "biuf" or 0 in data.shape:
        raise DataError(
            f"{_name(series)} of {path} has values of type {data.dtype} in the shape {data.shape}, "
            "and activity is a table of numbers, (time, units); name another series."
        )
    if data.size * data.dtype.itemsize > UNPROVEN + SHRUNK * data.id.get_storage_size():
        raise DataError(
            f"{_name(series)} of {path} claims {data.size} values but holds "
            f"{data.id.get_storage_size()} bytes; it was never filled, make it again."
        )
    clock = _read_clock(series, path)
    if clock.rate > CROSSINGS:
        events = _read_events(series, path)
        if events is not None:
            return Units(
                events,
                _numbered(data.shape[1]).assign(quality="crossings"),
                tuple(clock.observed() for _ in events),
                1 / clock.rate,
            )
    return _read_binned(file, series, clock, path)


def _numbered(units: int) -> pd.DataFrame:
    return pd.DataFrame(index=pd.RangeIndex(units, name="unit"))


@dataclass(frozen=True)
class _Clock:
    """When samples were taken.

    `rate` (Hz), and of each stretch without a gap its first and last time (s) and its number of
    samples.
    """

    rate: float
    first: np.ndarray
    last: np.ndarray
    samples: np.ndarray

    def observed(self) -> np.ndarray:
        """Return the stretches as intervals (k, 2) in s."""
        return np.stack([self.first, self.last + 1 / self.rate], axis=1)


def _read_clock(series: h5py.Group, path: Path) -> _Clock:
    """Return the clock of a series with a rate or with timestamps."""
    samples = len(series["data"])
    if "starting_time" in series:
        first = float(numbers(series, "starting_time", 0))
        rate = float(series["starting_time"].attrs.get("rate", np.nan))
        if not (0 < rate < np.inf and np.isfinite(first)):
            raise DataError(
                f"{_name(series)} of {path} begins at {first:g} s with {rate:g} samples a second; "
                "correct its starting_time and rate."
            )
        last = first + (samples - 1) / rate
        return _Clock(rate, np.array([first]), np.array([last]), np.array([samples]))
    stamps = series.get("timestamps")
    if stamps is None or stamps.shape != (samples,) or samples < 2:
        raise DataError(
            f"{_name(series)} of {path} has neither a rate nor a timestamp for each of its "
            f"{samples} samples; add one of them."
        )
    return _clock_of(dataset_of(series, "timestamps"), series, path)


def _clock_of(stamps: h5py.Dataset, series: h5py.Group, path: Path) -> _Clock:
    """Part timestamps (s) where more than half a sample is missing; read in pieces."""
    period, before = None, None
    first, last, begin = [], [], []
    for start, times in _pieces(stamps):
        period = np.median(np.diff(times)) if period is None else period
        steps = np.diff(times, prepend=np.nan if before is None else before)
        # The negation also finds what is no number.
        bad = ~(steps > period / 2) if period > 0 else np.ones(len(steps), dtype=bool)
        bad[0] &= before is not None
        bad |= ~np.isfinite(times)
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{_name(series)} of {path} has no regular times: sample {start + row} comes at "
                f"{times[row]:g} s, {steps[row]:.3g} s after the one before it, where "
                f"{period:.3g} s are usual; resample it, or give it a rate."
            )
        cuts = np.flatnonzero(steps > 1.5 * period)
        cuts = np.r_[0, cuts] if before is None else cuts
        first += list(times[cuts])
        begin += list(start + cuts)
        last += list(np.r_[np.nan if before is None else before, times][cuts])
        before = times[-1]
    last = np.array([*last[1:], before])
    counts = np.diff([*begin, len(stamps)])
    whole = np.sum(counts - 1)
    rate = whole / np.sum(last - first) if whole else 1 / period
    return _Clock(float(rate), np.array(first), last, counts)


def _read_events(series: h5py.Group, path: Path) -> tuple[np.ndarray, ...] | None:
    """Return the times (s) of each column's ones, or None if there are other values than 0 and 1.

    The series is read in pieces: at 30 kHz an hour of 85 channels is 73 GB.
    """
    times, columns = [], []
    for start, values in _values(series, path):
        if not ((values == 0) | (values == 1)).all():
            return None
        row, column = np.nonzero(values)
        times.append(_times_of(series, start, start + len(values))[row])
        columns.append(column.astype(np.int32))
        if start:
            log.info("%s: %d of %d samples read", path.name, start, len(series["data"]))
    times, columns = np.concatenate(times), np.concatenate(columns)
    order = np.argsort(columns, kind="stable")
    counts = np.bincount(columns, minlength=series["data"].shape[1])
    return tuple(np.split(times[order], np.cumsum(counts)[:-1]))


def _times_of(series: h5py.Group, start: int, stop: int) -> np.ndarray:
    """Return the times (s) of samples [start, stop)."""
    if "starting_time" not in series:
        return series["timestamps"][start:stop].astype(np.float64)
    begin = series["starting_time"]
    return float(begin[()]) + np.arange(start, stop) / float(begin.attrs["rate"])


def _read_binned(file: h5py.File, series: h5py.Group, clock: _Clock, path: Path) -> Binned:
    """Return the series on one regular grid; bins that it lacks are 0 and unobserved."""
    off = np.abs((clock.last - clock.first) * clock.rate - (clock.samples - 1))
    place = np.rint((clock.first - clock.first[0]) * clock.rate)
    bins, samples = place[-1] + clock.samples[-1], np.sum(clock.samples)
    overlap = np.any(place[1:] < place[:-1] + clock.samples[:-1])
    if off.max() > 0.5 or overlap or samples < FULL * bins:
        raise DataError(
            f"{_name(series)} of {path} has times that lie on no regular grid of "
            f"{1e3 / clock.rate:.4g} ms; resample it, or give it a rate."
        )
    shift = np.repeat(place - np.r_[0, np.cumsum(clock.samples)[:-1]], clock.samples).astype(int)
    values = np.zeros((int(bins), series["data"].shape[1]), dtype=np.float32)
    counts = True
    for start, piece in _values(series, path):
        values[np.arange(start, start + len(piece)) + shift[start : start + len(piece)]] = piece
        counts = counts and bool((piece >= 0).all() and (piece == np.rint(piece)).all())
    if series.name == f"/{own_activity(file)}":
        counts = _scratch(file, "activity_kind") == ["counts"]
    observed = None
    if len(place) > 1:
        gaps = clock.first[0] + np.stack([place, place + clock.samples], axis=1) / clock.rate
        observed = tuple(gaps for _ in range(values.shape[1]))
    return Binned(
        values,
        clock.rate,
        float(clock.first[0]),
        _numbered(values.shape[1]),
        counts,
        observed=observed,
    )


def _pieces(data: h5py.Dataset) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row and the float64 values of one piece of a series after the other."""
    rows = max(2, PIECE // int(np.prod(data.shape[1:])))
    for start in range(0, len(data), rows):
        yield start, data[start : start + rows].astype(np.float64)


def _values(series: h5py.Group, path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the pieces of a series' data in its unit."""
    data = series["data"]
    conversion, offset = _scale(data)
    for start, values in _pieces(data):
        values = values * conversion + offset
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise DataError(
                f"{_name(series)} of {path} holds {values[row, column]} at sample {start + row} of "
                f"unit {column}, where a number belongs; mend the series, or leave that unit out."
            )
        yield start, values


def _scale(data: h5py.Dataset) -> tuple[float, float]:
    """Return the factor and the summand that take a series' values to its unit."""
    return float(data.attrs.get("conversion", 1.0)), float(data.attrs.get("offset", 0.0))


def _name(series: h5py.Group) -> str:
    return f"The series '{series.name.lstrip('/')}'"


def read_spectrogram(file: h5py.File, path: Path) -> Spectrogram | None:
    """Find a spectrogram that was given instead of sound, or beside it.

    Parameters
    ----------
    file : h5py.File
        The open NWB file.
    path : Path
        Where it lies.

    Returns
    -------
    Spectrogram or None
        The first ``TimeSeries`` or ``DecompositionSeries``, (frames, bands) or (frames, channels,
        bands), with ``spectrogram`` in its name and a rate.
        Frequencies are the middles of the series' bands, or ``scratch/spectrogram_frequencies``.
    """
    found = []
    for place, series in groups_of(file).items():
        if kind_of(series) not in ("TimeSeries", "DecompositionSeries"):
            continue
        if not re.search("spectrogram", place.split("/")[-1], re.IGNORECASE):
            continue
        data, start = series.get("data"), series.get("starting_time")
        shaped = isinstance(data, h5py.Dataset) and data.ndim in (2, 3) and 0 not in data.shape
        if shaped and data.dtype.kind in "iuf" and start is not None and "rate" in start.attrs:
            found.append(series)
    if not found:
        return None
    series, start = found[0], found[0]["starting_time"]
    return Spectrogram(
        path,
        series.name.lstrip("/"),
        float(start.attrs["rate"]),
        float(start[()]),
        len(series["data"]),
        _frequencies(file, series),
        *_scale(series["data"]),
    )


def _frequencies(file: h5py.File, series: h5py.Group) -> np.ndarray | None:
    """Return the frequency (Hz) of each band, where it is known."""
    if "bands/band_limits" in series:
        known = numbers(series["bands"], "band_limits", 2).mean(axis=1)
    elif "scratch/spectrogram_frequencies" in file:
        known = numbers(file["scratch"], "spectrogram_frequencies")
    else:
        return None
    fits = known.shape == series["data"].shape[-1:] and np.isfinite(known).all()
    return known.astype(np.float64) if fits else None
