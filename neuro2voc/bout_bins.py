"""Whole bouts in bins of time: activity, and which syllable it goes with.

No sound is needed. A bout's fold is that of the interval which holds it whole.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from neuro2voc.activity import activity_between
from neuro2voc.errors import DataError
from neuro2voc.recording import Recording
from neuro2voc.runs import runs
from neuro2voc.splits import NONE, folds_of
from neuro2voc.trials import bout_spans, used_trials

log = logging.getLogger(__name__)

SILENCE = ""  # the label of bins that go with no decoded syllable
LEAST = 20  # syllables; with fewer there is nothing to learn from


@dataclass(frozen=True, eq=False)
class BoutBins:
    """Activity of all units in bins of equal width, bout after bout.

    Attributes
    ----------
    activity : ndarray (bins, units)
        float32: spikes in each bin, of levels their mean. NaN where a unit was not observed.
    time : ndarray (bins,)
        s at which each bin begins.
    label : ndarray (bins,) of str
        Syllable that is sung `lead` after the bin's middle, `SILENCE` where none is.
    position : ndarray (bins,)
        Where in that syllable, 0 at its onset to 1 at its offset; NaN in silence.
    bout, fold : ndarray (bins,)
        Bout as trials number them; fold of the whole bout, -1 for none.
    width : float
        Of the bins, s.
    """

    activity: np.ndarray
    time: np.ndarray
    label: np.ndarray
    position: np.ndarray
    bout: np.ndarray
    fold: np.ndarray
    width: float

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.time)

    @property
    def sung(self) -> np.ndarray:
        """Return which bins (bins,) go with a syllable."""
        return self.label != SILENCE

    @property
    def pieces(self) -> list[slice]:
        """The rows of each bout, in time."""
        return runs(self.bout)

    def only(self, rows: np.ndarray) -> "BoutBins":
        """Return some of the bins; whole bouts, or windows would join what was apart."""
        arrays = ("activity", "time", "label", "position", "bout", "fold")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})


def bout_bins(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    width: float,
    lead: float,
    shortest: int = 1,
) -> BoutBins:
    """Bin whole bouts, from `lead` before the first syllable to the last one's end.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; bouts with used ones are binned, and used ones give labels.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    width : float
        Of the bins, s.
    lead : float
        s by which activity leads the song.
    shortest : int
        Bouts of fewer bins are left out.

    Raises
    ------
    DataError
        No labels, few syllables, no bout that is long enough or lies whole in a fold.
    """
    if trials.empty:
        raise DataError(
            f"{recording.name} has no labels, so no embedding of it can be judged; name the table "
            "that holds them under `intervals:`, or leave this figure out."
        )
    used = used_trials(trials, recording.name)
    if len(used) < LEAST:
        raise DataError(
            f"{recording.name} has {len(used)} decoded syllables, too few for an embedding; it "
            f"needs at least {LEAST}."
        )
    parts, short = [], 0
    for bout, onset, end in bout_spans(trials, recording.name).itertuples():
        begin = onset - lead
        count = int(np.floor((end - begin) / width + 1e-6))
        if count < max(shortest, 1):
            short += 1
            continue
        edges = begin + width * np.arange(count + 1)
        label, position = _syllables(used[used["bout"] == bout], edges[:-1] + width / 2 + lead)
        fold = folds_of(split, edges[:1], edges[-1:])[0]
        parts.append(
            (
                activity_between(recording, edges),
                edges[:-1],
                label,
                position,
                np.full(count, bout),
                np.full(count, fold),
            )
        )
    if not parts:
        raise DataError(
            f"All {short} bouts of {recording.name} are shorter than a receptive field of "
            f"{shortest} {'bin' if shortest == 1 else 'bins'} ({shortest * width:g} s); leave it "
            "out of `embedding: spaces`, or lower `embedding: bin`."
        )
    if short:
        log.warning(
            "%d of %d bouts of %s are shorter than the longest receptive field (%g s) and left out",
            *(short, short + len(parts), recording.name, shortest * width),
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if (columns[-1] == NONE).all():
        raise DataError(
            f"No whole bout of {recording.name} lies in one fold of this split, so none can be "
            "held out; choose `embedding: split` among blocked and session."
        )
    return BoutBins(*columns, width=width)


def _syllables(used: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return label and position (times,) of the syllables that are sung at these times (s)."""
    onset, offset = used["onset"].to_numpy(), used["offset"].to_numpy()
    row = np.searchsorted(onset, times, side="right") - 1
    inside = (row >= 0) & (times < offset[np.maximum(row, 0)])
    row = np.maximum(row, 0)
    label = np.where(inside, used["label"].to_numpy(dtype=str)[row], SILENCE)
    position = (times - onset[row]) / (offset[row] - onset[row])
    return label, np.where(inside, position, np.nan)
