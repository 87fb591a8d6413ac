"""Sound in an NWB file: which series it is, and on which clock."""

import logging
from pathlib import Path

import h5py
import numpy as np

from neuro2voc.errors import DataError, nearest
from neuro2voc.nwb_tables import kind_of, listed
from neuro2voc.recording import Audio

log = logging.getLogger(__name__)

# Parts of the names of series that are sound, the surest first.
WORDS = ("voc", "mic", "audio", "song", "sound")
FOLDERS = ("acquisition/", "stimulus/", "processing/", "analysis/")
PIECE = 1 << 20  # timestamps read at once, 8 MiB


def read_audio(groups: dict[str, h5py.Group], path: Path, name: str) -> Audio | None:
    """Find the sound of a recording.

    Parameters
    ----------
    groups : dict of str to h5py.Group
        The groups of an open file by place.
    path : Path
        The file.
    name : str
        The place or name of the series; '' for the likeliest: an AcousticWaveformSeries before a
        TimeSeries that is named like sound, and among each those that are so named.

    Returns
    -------
    Audio or None
        None where nothing was asked for and no series can be used; why is warned of.

    Raises
    ------
    DataError
        If there is no such series; if it has no regular times or is no sound; if its samples lie in
        another file that is not there.
    """
    series = {p: g for p, g in groups.items() if p.startswith(FOLDERS) and _is_series(g)}
    if name:
        return _open(series[_asked_for(series, path, name)], path)
    ranks = {place: rank for place, g in series.items() if (rank := _rank(place, g)) is not None}
    usable = {}
    for place, rank in ranks.items():
        _check_link(series[place], path)
        try:
            usable[place] = (rank, _open(series[place], path))
        except DataError as error:
            log.warning("%s It is left out.", error)
    if not usable:
        return None
    best = min(rank for rank, _ in usable.values())
    equals = [place for place, (rank, _) in usable.items() if rank == best]
    if len(equals) > 1:
        log.warning(
            "%s has several series of sound (%s); the first is taken, `audio:` can name another",
            path,
            listed(equals),
        )
    return usable[equals[0]][1]


def _is_series(group: h5py.Group) -> bool:
    return group.get("data", getlink=True) is not None and "Series" in kind_of(group)


def _rank(place: str, series: h5py.Group) -> tuple[bool, int] | None:
    """Return how likely a series is the recording's sound, the smallest first; None if it is not.

    A microphone among the stimuli is usual: some converters put all sound there.
    """
    name = place.split("/")[-1].lower()
    word = next((i for i, w in enumerate(WORDS) if w in name), len(WORDS))
    acoustic = kind_of(series) == "AcousticWaveformSeries"
    if acoustic or (kind_of(series) == "TimeSeries" and word < len(WORDS)):
        return (not acoustic, word)
    return None


def _asked_for(series: dict[str, h5py.Group], path: Path, name: str) -> str:
    """Return the place of the series that is asked for by its place or name."""
    name = name.strip("/")
    ends = [place for place in series if place.split("/")[-1] == name]
    if name in series or len(ends) == 1:
        return name if name in series else ends[0]
    known = f" (its series: {listed(series)})" if series else ""
    raise DataError(
        f"{path} has no series '{name}'{nearest(name, [p.split('/')[-1] for p in series])}{known}; "
        "name one of its series under `audio:`."
    )


def _check_link(series: h5py.Group, path: Path) -> None:
    """Raise a `DataError` if the samples lie in another file that is not there."""
    link = series.get("data", getlink=True)
    if series.get("data") is None:
        where = getattr(link, "filename", "its own place")
        raise DataError(
            f"The sound of {path} lies in another file that is not where the link says "
            f"({where}); put it back or link it anew."
        )


def _open(series: h5py.Group, path: Path) -> Audio:
    """Return a series as sound."""
    place = series.name.lstrip("/")
    _check_link(series, path)
    data = series["data"]
    if not isinstance(data, h5py.Dataset) or data.shape is None or data.dtype.kind not in "iuf":
        raise _no_sound(path, place, "holds no numbers")
    if data.is_virtual or data.external:
        raise _no_sound(path, place, "has its samples in files that are not NWB")
    channels = data.shape[1] if data.ndim == 2 else 1
    if data.ndim not in (1, 2) or not 0 < channels <= len(data):
        raise _no_sound(path, place, f"has the shape {data.shape}, not (samples, channels)")
    rate, start = _regular(series, len(data), path)
    conversion, offset = float(data.attrs.get("conversion", 1)), float(data.attrs.get("offset", 0))
    if not (np.isfinite([rate, start, conversion, offset]).all() and rate > 0):
        raise _no_sound(path, place, f"begins at {start:g} s with {rate:g} samples a second")
    return Audio(path, place, rate, start, len(data), conversion, offset)


def _no_sound(path: Path, place: str, why: str) -> DataError:
    return DataError(
        f"The series '{place}' of {path} {why}, so it cannot be read as sound; "
        "correct it, or name another under `audio:`."
    )


def _regular(series: h5py.Group, samples: int, path: Path) -> tuple[float, float]:
    """Return the rate (Hz) and the time of the first sample (s), from timestamps if need be."""
    place = series.name.lstrip("/")
    start = series.get("starting_time")
    if isinstance(start, h5py.Dataset) and start.ndim == 0 and "rate" in start.attrs:
        return float(start.attrs["rate"]), float(start[()])
    times = series.get("timestamps")
    if not isinstance(times, h5py.Dataset) or times.dtype.kind not in "iuf":
        raise _no_sound(path, place, "has neither a rate nor timestamps")
    if times.shape != (samples,) or samples < 2:
        raise _no_sound(path, place, f"has timestamps of shape {times.shape} for {samples} samples")
    first, last = float(times[0]), float(times[-1])
    # Nine digits: a millisecond in ten days, without the noise of floating point.
    rate = float(f"{(samples - 1) / (last - first):.9g}") if last > first else 0.0
    for begin in range(0, samples, PIECE):
        piece = times[begin : begin + PIECE].astype(np.float64)
        off = np.abs((piece - first) * rate - np.arange(begin, begin + len(piece)))
        if not np.all(off <= 0.5):
            row = begin + int(np.argmax(~(off <= 0.5)))
            why = f"has timestamps with gaps or of no regular rate (sample {row} is off the beat)"
            raise _no_sound(path, place, why)
    return rate, first
