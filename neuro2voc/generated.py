"""Generated song: what it is made from, and its files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np

from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.frame_activity import activity_around, lagged
from neuro2voc.frames import Frames
from neuro2voc.recording import Recording

# A thirtieth of a dB at the floor, finer than anything that is measured.
STORED = np.float16


def song_activity(recording: Recording, frames: Frames, around: Mapping[str, float]) -> np.ndarray:
    """Return the activity (frames, bins, units) around every frame.

    Parameters
    ----------
    recording : Recording
    frames : Frames
        Of the recording, or of its parent.
    around : mapping
        before, after, bin in s; see `neuro2voc.frame_activity.lagged`.
    """
    activity = activity_around(recording, frames, around["before"], around["after"])
    return lagged(activity, frames, **around)


def reach(around: Mapping[str, float]) -> float:
    """Return the time (s) over which activity is seen, before and after a frame together."""
    return around["before"] + around["after"]


def write_generated(path: str | Path, made: Mapping[str, np.ndarray]) -> None:
    """Write generated song, one dataset (frames, bands) for each name."""
    with hdf5_writer(path) as file:
        for name, values in made.items():
            file.create_dataset(
                name, data=values.astype(STORED), compression="gzip", shuffle=True, chunks=True
            )


def read_generated(paths: Iterable[str | Path]) -> dict[str, np.ndarray]:
    """Read generated song from several files: by name, float32 (frames, bands).

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    made = {}
    for path in paths:
        try:
            with h5py.File(path) as file:
                made |= {name: file[name][()].astype(np.float32) for name in file}
        except OSError as error:
            raise DataError(f"{path} holds no generated song ({error}); make it again.") from error
    return made
