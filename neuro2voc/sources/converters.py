"""Public data sets as recordings, each in a function of its own."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from neuro2voc.errors import DataError, nearest
from neuro2voc.recording import Binned, Recording, Units

# The repository's documentation gives its recordings' sampling rate (Hz).
LEBLOIS2019_RATE = 32_000


def convert_leblois2019(spikes_path: str | Path, labels_path: str | Path) -> tuple[Recording, dict]:
    """Convert one unit and its song, recorded in the group of A. Leblois (Bordeaux, 2019).

    Parameters
    ----------
    spikes_path : str or Path
        Spike times in seconds, one a line.
    labels_path : str or Path
        ``onset,offset,label`` in samples at 32 kHz, one sound a line, without a header.

    Returns
    -------
    recording : Recording
        One unit ``ch151``, one session. An interval that overlaps the next is kept.
    sound : dict
        Empty: no sound is published.

    Raises
    ------
    DataError
        If a file is missing, or a line is not of this form.
    """
    spikes = [_number(spikes_path, n, line) for n, line in _lines(spikes_path)]
    rows = []
    for number, line in _lines(labels_path):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or not fields[2]:
            raise DataError(
                f"Line {number} of {labels_path} is '{line}', not onset,offset,label; correct it."
            )
        onset, offset = (_number(labels_path, number, field) for field in fields[:2])
        if not offset > onset:
            raise DataError(
                f"Line {number} of {labels_path} ends at sample {offset:.0f}, before it has begun "
                f"at {onset:.0f}; correct it."
            )
        rows.append((onset / LEBLOIS2019_RATE, offset / LEBLOIS2019_RATE, fields[2], "session1"))
    for path, content in ((spikes_path, spikes), (labels_path, rows)):
        if not content:
            raise DataError(f"{path} is empty; fetch it again.")
    syllables = pd.DataFrame(rows, columns=["start_time", "stop_time", "label", "session"])
    end = np.nextafter(max(max(spikes), syllables["stop_time"].max()), np.inf)
    sessions = pd.DataFrame({"session": ["session1"], "start_time": [0.0], "stop_time": [end]})
    units = Units(
        spike_times=(np.unique(spikes),),
        table=pd.DataFrame(index=pd.Index(["ch151"], name="unit")),
        resolution=1 / LEBLOIS2019_RATE,
    )
    syllables = syllables.sort_values("start_time", kind="stable", ignore_index=True)
    return Recording("leblois2019", units, syllables, sessions), {}


def convert_mackevicius2019(
    data_path: str | Path, events_path: str | Path
) -> tuple[Recording, dict]:
    """Convert calcium in HVC of a singing isolate bird (Mackevicius et al., eLife 2019, 8:e38471).

    Parameters
    ----------
    data_path : str or Path
        ``MackeviciusData.mat``: NEURAL (75 neurons, frames at VIDEOfs = 30 Hz), deconvolved calcium
        scaled for each neuron, and SONG (141 bands, frames at SONGfs = 200 Hz), a spectrogram. Both
        are song bouts joined without the silences between them, so that joins lie in the song.
    events_path : str or Path
        The same activity as ``neuron, time`` (s), one event a line (Williams et al., NeurIPS 2020):
        one in each frame in which a neuron was active, at the frame's end. Neurons are numbered in
        another order there; each belongs to the neuron that was active in exactly its frames.

    Returns
    -------
    recording : Recording
        Levels and events, each in the middle of its frame; one session; no labels.
    sound : dict
        The spectrogram, as `neuro2voc.nwb_writing.write_recording` takes it; its frequencies are
        not published.

    Raises
    ------
    DataError
        If a file is missing or not of this form, or the two do not tell of the same activity.
    """
    data = _mat(data_path, ("NEURAL", "VIDEOfs", "SONG", "SONGfs"))
    levels, frames = data["NEURAL"].T, data["SONG"].T
    rate, song_rate = data["VIDEOfs"].item(), data["SONGfs"].item()
    active = {frozenset(np.flatnonzero(level)): unit for unit, level in enumerate(levels.T)}
    events = [np.zeros(0) for _ in levels.T]
    for neuron, frame in _frames_of_events(events_path, rate).items():
        unit = active.get(frozenset(frame))
        if unit is None:
            raise DataError(
                f"Neuron {neuron} of {events_path} has events in other frames than any neuron of "
                f"{data_path} was active in; fetch both again."
            )
        events[unit] = (np.sort(frame) + 0.5) / rate
    stop = len(levels) / rate
    activity = Binned(
        values=levels.astype(np.float32),
        rate=float(rate),
        start_time=0.0,
        table=pd.DataFrame(index=pd.RangeIndex(1, len(events) + 1, name="unit")),
        additive=False,
        events=tuple(events),
    )
    sessions = pd.DataFrame({"session": ["session1"], "start_time": [0.0], "stop_time": [stop]})
    syllables = pd.DataFrame({"start_time": [], "stop_time": [], "label": [], "session": []})
    syllables = syllables.astype({"start_time": float, "stop_time": float, "label": str})
    recording = Recording("mackevicius2019", activity, syllables, sessions)
    return recording, {"spectrogram": (float(song_rate), frames.astype(np.float32), None)}


def _mat(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return arrays of numbers (2-D) of a MATLAB file."""
    try:
        data = loadmat(path, variable_names=tuple(names))
    except Exception as error:  # damaged bytes make scipy raise nearly anything
        raise DataError(f"{path} cannot be read as a MATLAB file ({error}); fetch it.") from error
    for name in names:
        values = data.get(name)
        numeric = values is not None and values.dtype.kind in "uif" and values.size
        if not numeric or not np.isfinite(values).all():
            raise DataError(f"{path} has no table of numbers '{name}'; fetch it again.")
    return {name: data[name] for name in names}


def _frames_of_events(path: str | Path, rate: float) -> dict[int, np.ndarray]:
    """Return each neuron's frames, counted from 0, from lines of neuron and end of frame (s)."""
    rows = []
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) != 2:
            raise DataError(
                f"Line {number} of {path} is '{line}', not neuron and time; correct it."
            )
        rows.append([_number(path, number, field) for field in fields])
    table = pd.DataFrame(rows, columns=["neuron", "time"]).astype({"neuron": int})
    table["frame"] = np.rint(table["time"] * rate).astype(int) - 1
    return {neuron: part.to_numpy() for neuron, part in table.groupby("neuron")["frame"]}


def _lines(path: str | Path) -> list[tuple[int, str]]:
    """Return a text file's lines that are not blank, with their numbers from 1."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error}); fetch it again.") from error
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _number(path: str | Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"Line {line} of {path} has '{text}' where a number belongs; correct it.")
    return value


# By the name under `converter:`; each takes its files in the order they are listed in.
CONVERTERS: dict[str, Callable[..., tuple[Recording, dict]]] = {
    "leblois2019": convert_leblois2019,
    "mackevicius2019": convert_mackevicius2019,
}


def convert(converter: str, paths: Iterable[str]) -> tuple[Recording, dict]:
    """Convert a public data set.

    Returns
    -------
    recording : Recording
    sound : dict
        What `neuro2voc.nwb_writing.write_recording` is to store besides: ``audio`` or
        ``spectrogram``, where there is one.

    Raises
    ------
    DataError
        There is no such converter, or it finds its files malformed.
    """
    if converter not in CONVERTERS:
        raise DataError(
            f"there is no converter '{converter}'{nearest(converter, CONVERTERS) or '.'} "
            f"There are: {', '.join(CONVERTERS)}."
        )
    return CONVERTERS[converter](*paths)
