"""Stretches of a spectrogram around every frame, and a spectrogram of stretches that overlap."""

import numpy as np

from neuro2voc.frames import Frames


def stretches(frames: Frames, length: int) -> np.ndarray:
    """Return the levels around every frame (frames, length, bands).

    The frame itself is number ``length // 2``; beyond the ends of its piece the last frame is
    repeated.
    """
    before = length // 2
    parts = []
    for piece in frames.pieces:
        level = np.pad(frames.level[piece], ((before, length - 1 - before), (0, 0)), mode="edge")
        parts.append(np.lib.stride_tricks.sliding_window_view(level, length, axis=0))
    return np.concatenate(parts).transpose(0, 2, 1)


def overlapped(made: np.ndarray, rows: np.ndarray, frames: Frames) -> np.ndarray:
    """Return levels (frames, bands): the mean of all stretches that reach a frame.

    Parameters
    ----------
    made : ndarray (n, length, bands)
        Stretches as `stretches` cuts them; what reaches beyond the piece is dropped.
    rows : ndarray (n,)
        The frame of each.
    frames : Frames

    Returns
    -------
    ndarray
        NaN where no stretch reaches.
    """
    count, length = len(frames.piece), made.shape[1]
    total = np.zeros((count, made.shape[2]))
    number = np.zeros((count, 1))
    for i in range(length):
        place = rows + i - length // 2
        inside = (place >= 0) & (place < count)
        inside[inside] &= frames.piece[place[inside]] == frames.piece[rows[inside]]
        # Rows differ, so no place occurs twice.
        total[place[inside]] += made[inside, i]
        number[place[inside]] += 1
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
