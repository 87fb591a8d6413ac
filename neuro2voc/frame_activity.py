"""Activity at the time of frames of song."""

from collections.abc import Sequence

import numpy as np

from neuro2voc.activity import activity_between
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames, hops
from neuro2voc.recording import Recording


def edges_around(frames: Frames, before: float, after: float) -> list[np.ndarray]:
    """Return the edges (hops + 1,), s, of the hops during each piece, and some time around.

    Parameters
    ----------
    frames : Frames
    before, after : float
        s before the first frame and behind the beginning of the last; each is taken up to a whole
        number of hops.

    Returns
    -------
    list of ndarray
        Hop ``ceil(before / hop)`` is the first frame's.
    """
    hop = frames.hop
    ahead, behind = hops(before, hop), max(hops(after, hop) - 1, 0)
    return [
        frames.start[piece.start]
        - ahead * hop
        + hop * np.arange(piece.stop - piece.start + ahead + behind + 1)
        for piece in frames.pieces
    ]


def activity_around(
    recording: Recording, frames: Frames, before: float, after: float
) -> list[np.ndarray]:
    """Return the activity of all units in each piece's hops and some time around.

    Parameters
    ----------
    recording : Recording
    frames : Frames
    before, after : float
        s; see `edges_around`.

    Returns
    -------
    list of ndarray (hops, units)
        See `neuro2voc.activity.activity_between`.
    """
    return [activity_between(recording, edges) for edges in edges_around(frames, before, after)]


def lagged(
    activity: Sequence[np.ndarray], frames: Frames, before: float, after: float, bin: float
) -> np.ndarray:
    """Return for each frame the activity in bins around it.

    Parameters
    ----------
    activity : sequence of ndarray
        As `activity_around` returns it for the same `before` and `after`.
    frames : Frames
    before, after : float
        s before and behind the beginning of the frame; a negative `after` ends before it.
    bin : float
        s, in effect the nearest whole number of hops. Bins adjoin, from `before` on, as many as
        fit.

    Returns
    -------
    ndarray (frames, bins, units)
        float32 means over those hops of each bin in which the unit was observed, else NaN.
    """
    hop = frames.hop
    ahead = hops(before, hop)
    width = max(1, round(bin / hop))
    bins = (ahead + hops(after, hop)) // width
    if bins < 1:
        raise DataError(
            f"Activity from {before:g} s before to {after:g} s behind holds no bin of {bin:g} s; "
            "widen it, or narrow the bin, under `activity:` in config.yaml."
        )
    parts = []
    for piece, values in zip(frames.pieces, activity, strict=True):
        count = piece.stop - piece.start
        first = np.arange(count)[:, None] + width * np.arange(bins)
        seen = np.isfinite(values)
        total, hops_seen = _running(np.where(seen, values, 0)), _running(seen)
        sums = total[first + width] - total[first]
        over = hops_seen[first + width] - hops_seen[first]
        parts.append(np.divide(sums, over, out=np.full(sums.shape, np.nan), where=over > 0))
    return np.concatenate(parts).astype(np.float32)


def _running(values: np.ndarray) -> np.ndarray:
    """Return sums (n + 1, units) of all rows before each row."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0, dtype=float)])
