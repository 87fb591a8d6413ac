"""Activity in bins of stretches of time: of song, or of all of a recording without labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.activity import activity_between
from neuro2voc.errors import DataError
from neuro2voc.recording import Binned, Recording
from neuro2voc.splits import NONE, folds_of
from neuro2voc.trials import bout_spans


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some time of a recording in whole frames.

    Attributes
    ----------
    start : float
        s.
    values : ndarray (units, bins)
        float32 counts or levels, NaN where a unit was not observed.
    block : ndarray (frames,)
        What intervals are drawn over: the bout, or the fold where there are no labels.
    fold : ndarray (frames,)
        From the clock, -1 in guards and outside.
    """

    start: float
    values: np.ndarray
    block: np.ndarray
    fold: np.ndarray


def bin_width(recording: Recording, wanted: float) -> float:
    """Return the width of bins in s: as wanted, or that of activity in wider bins."""
    units = recording.units
    return max(wanted, 1 / units.rate) if isinstance(units, Binned) else wanted


def stretches(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    bin: float,
    frame: int,
    around: float,
) -> list[Stretch]:
    """Return the time that a codec is trained and judged on.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        Empty without labels.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    bin : float
        s.
    frame : int
        Bins.
    around : float
        s before a bout's first syllable and behind its last.

    Raises
    ------
    DataError
        No frame lies in any fold.
    """
    found = []
    for number, begin, end in _spans(recording, trials, around):
        frames = int((end - begin) / (frame * bin) + 1e-6)
        if not frames:
            continue
        begins = begin + frame * bin * np.arange(frames)
        fold = folds_of(split, begins, begins + frame * bin)
        block = fold if trials.empty else np.full(frames, number)
        values = activity_in(recording, begin, frames * frame, bin)
        found.append(Stretch(begin, values, block, fold))
    if not any((one.fold != NONE).any() for one in found):
        raise DataError(
            f"{recording.name}: no frame of {1e3 * frame * bin:g} ms lies within a fold of this "
            "split, so there is nothing to code; choose `curves: split: blocked`."
        )
    return found


def _spans(
    recording: Recording, trials: pd.DataFrame, around: float
) -> list[tuple[int, float, float]]:
    """Return number, begin and end (s) of bouts with decoded syllables, or of all sessions."""
    sessions = recording.sessions[["start_time", "stop_time"]].to_numpy(float)
    if trials.empty:
        return [(number, begin, end) for number, (begin, end) in enumerate(sessions)]
    found, last = [], -np.inf
    for number, onset, offset in bout_spans(trials, recording.name).itertuples():
        begin, end = onset - around, offset + around
        inside = sessions[(sessions[:, 0] < end) & (sessions[:, 1] > begin)]
        begin, end = max(begin, last, inside[0, 0]), min(end, inside[-1, 1])
        found.append((int(number), begin, end))
        last = end
    return found


def activity_in(recording: Recording, start: float, bins: int, width: float) -> np.ndarray:
    """Return activity (units, bins) from `start` (s) on; see `activity_between`."""
    return activity_between(recording, start + width * np.arange(bins + 1)).T
