"""Time warping: every rendition of a syllable brought to one length, its activity along with it.

A warp says for each of the `length` frames of a label's reference where in the rendition's own time
it is sampled; sound and activity are sampled at the same places, the activity some lead earlier.
References are those of a label, so that whoever warps a rendition has to know its label: warped
renditions say whether renditions are alike, never which label they have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist

from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.frame_activity import activity_around
from neuro2voc.frames import Frames, hops
from neuro2voc.interpolation import sampled
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.trials import used_trials

# Rows that are trained on and held out.
Parts = list[tuple[np.ndarray, np.ndarray]]

WARPS = ("unwarped", "linear", "dtw")
REACH = 3  # standard deviations, behind which a Gaussian is nothing
# Steps through (reference, rendition): time runs at half to twice its speed and never stands still,
# which keeps paths strictly monotone (Sakoe & Chiba 1978, IEEE Trans. ASSP 26:43, slope constraint
# P = 1). Each costs as much as the frames that it passes, so that no path gains by being short.
STEPS, COSTS = np.array([[1, 1], [1, 2], [2, 1]]), np.array([2, 3, 3])


def leading_activity(
    recording: Recording, frames: Frames, lead: float, smoothing: float
) -> np.ndarray:
    """Return the activity that precedes each frame by `lead`.

    Parameters
    ----------
    recording : Recording
    frames : Frames
    lead : float
        s; taken up to a whole number of hops.
    smoothing : float
        Standard deviation of a Gaussian in s; 0: none.

    Returns
    -------
    ndarray (frames, units)
        float32, per hop, NaN where a unit was not observed.
    """
    hop = frames.hop
    ahead, margin = hops(lead, hop), hops(REACH * smoothing, hop)
    parts = activity_around(recording, frames, (ahead + margin) * hop, margin * hop)
    found = []
    for piece, values in zip(frames.pieces, parts, strict=True):
        if smoothing > 0:
            values = _smoothed(values, smoothing / hop)
        found.append(values[margin : margin + piece.stop - piece.start])
    return np.concatenate(found)


def _smoothed(values: np.ndarray, width: float) -> np.ndarray:
    """Smooth over rows by a Gaussian of `width` rows; what is missing has no weight."""
    seen = np.isfinite(values)
    weight = gaussian_filter1d(seen.astype(np.float32), width, 0, truncate=REACH, mode="nearest")
    total = gaussian_filter1d(np.where(seen, values, 0), width, 0, truncate=REACH, mode="nearest")
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=seen)


@dataclass(frozen=True, eq=False)
class Renditions:
    """The renditions that are trained on and held out.

    Attributes
    ----------
    trials : DataFrame
        Used trials that have a fold, with `fold`.
    first, count : ndarray (trials,)
        First row of each among the frames, and number of its frames.
    last : ndarray (trials,)
        Last row of the piece of song that each lies in.
    folds : list of (train, test)
        Rows of `trials`.
    """

    trials: pd.DataFrame
    first: np.ndarray
    count: np.ndarray
    last: np.ndarray
    folds: Parts


def make_renditions(
    trials: pd.DataFrame, split: pd.DataFrame, frames: Frames, name: str
) -> Renditions:
    """Find the renditions among the frames.

    Parameters
    ----------
    trials : DataFrame
        All trials; only used ones that have a fold take part.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    frames : Frames
    name : str
        The bird's, for messages.

    Raises
    ------
    DataError
        No labels, or a syllable shorter than two frames.
    """
    used = used_trials(trials, name)
    fold = outer_folds(used, split)
    used = used.assign(fold=fold)[fold != NONE].reset_index(drop=True)
    spans = [frames.within(*span) for span in zip(used["onset"], used["offset"], strict=True)]
    first = np.array([span.start for span in spans], dtype=int)
    count = np.array([span.stop - span.start for span in spans], dtype=int)
    if (count < 2).any():
        row = used.iloc[int(np.argmax(count < 2))]
        raise DataError(
            f"{name}: the syllable '{row['label']}' from {row['onset']:.3f} to "
            f"{row['offset']:.3f} s (trial {row['trial']}) holds {count[count < 2][0]} frames of "
            f"{1000 * frames.hop:g} ms, and warping needs two; lower `spectrogram: hop`, or leave "
            "out its label under `labels`."
        )
    fold = used["fold"].to_numpy()
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    ends = np.array([piece.stop for piece in frames.pieces])
    last = ends[np.searchsorted(ends, first, side="right")] - 1
    return Renditions(used, first, count, last, folds)


def rows_of(first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return all rows of these renditions, one after another."""
    return np.concatenate([np.arange(a, a + n) for a, n in zip(first, count, strict=True)])


def reference_length(count: np.ndarray) -> int:
    """Return the median number of frames of a label's training renditions, at least two."""
    return max(2, int(np.floor(np.median(count) + 0.5)))


def unwarped_places(first: np.ndarray, last: np.ndarray, length: int) -> np.ndarray:
    """Return the rows (n, length) from each rendition's first on, whatever its own length.

    Where a piece of song ends before, its last frame is repeated.
    """
    return np.minimum(first[:, None] + np.arange(length, dtype=float), last[:, None])


def linear_places(first: np.ndarray, count: np.ndarray, length: int) -> np.ndarray:
    """Return rows (n, length) that part each rendition evenly, from its first frame to its last."""
    return first[:, None] + np.linspace(0, 1, length) * (count[:, None] - 1)


def dtw_places(
    values: np.ndarray, first: np.ndarray, count: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """Return the rows (n, length) at which renditions are most like a reference.

    Parameters
    ----------
    values : ndarray (rows, columns)
        What renditions are compared by.
    first, count : ndarray (n,)
        See `Renditions`.
    reference : ndarray (length, columns)
        See `fit_reference`.

    Returns
    -------
    ndarray (n, length)
        Strictly increasing. Dynamic time warping starts from the linear warp, so that renditions
        of any length can be warped; first and last frames are held fast.
    """
    places = linear_places(first, count, len(reference))
    warped = sampled(values, places)
    frames = np.arange(len(reference))
    paths = [dtw_path(reference, rendition) for rendition in warped]
    return np.array(
        [np.interp(path, frames, own) for path, own in zip(paths, places, strict=True)]
    ).reshape(places.shape)


def dtw_path(reference: np.ndarray, rendition: np.ndarray) -> np.ndarray:
    """Return where in a rendition each frame of a reference is (length,), in frames.

    Parameters
    ----------
    reference, rendition : ndarray (length, columns)
        Equally long.

    Returns
    -------
    ndarray
        Strictly increasing from 0 to length - 1, by half a frame to two at a time: the path of
        least summed Euclidean distance.
    """
    from librosa.sequence import dtw

    distance = cdist(reference, rendition)
    _, path = dtw(C=distance, step_sizes_sigma=STEPS, weights_mul=COSTS)
    return np.interp(np.arange(len(reference)), *path[::-1].T)


def fit_reference(values: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the mean of a label's linearly warped renditions (length, columns).

    Its length is their median. Give it training renditions only.

    Raises
    ------
    DataError
        Fewer than two renditions.
    """
    if len(first) < 2:
        raise DataError(
            f"A reference is a mean over renditions, and there {'is' if len(first) else 'are'} "
            f"{len(first) or 'none'} to learn it from; leave out the label under `labels`, or "
            "lower `folds`."
        )
    return sampled(values, linear_places(first, count, reference_length(count))).mean(axis=0)


def standardised(values: np.ndarray, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return values less their mean over `rows`, in units of their deviation there.

    What is missing becomes the mean; what never varies, 0. Give it training rows only.
    """
    mean, spread = np.nanmean(values[rows], axis=0), np.nanstd(values[rows], axis=0)
    scale = np.where(spread > 0, spread, np.inf)
    return np.nan_to_num((values - mean) / scale)
