"""Generated song: what it is made from, and its files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

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


def check_apart(frames: Frames, split: pd.DataFrame, seen: float) -> None:
    """Refuse blocks of time that share activity; between bouts there is silence, between these not.

    Parameters
    ----------
    frames : Frames
        Of a recording without labels.
    split : DataFrame
        See `neuro2voc.splits`.
    seen : float
        s; see `reach`.

    Raises
    ------
    DataError
        Frames of two folds lie nearer than that.
    """
    fold = frames.folds(split)
    rows = np.flatnonzero(fold >= 0)
    gaps = np.diff(frames.start[rows])[np.diff(fold[rows]) != 0]
    if len(gaps) and gaps.min() < seen - 1e-6:
        raise DataError(
            f"Blocks of time lie {gaps.min() - frames.hop:.3g} s apart, but song is made from "
            f"activity over {seen:g} s, so that song that is held out would share some with song "
            f"that is learnt from; raise `guard` to at least {seen:g}."
        )


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
