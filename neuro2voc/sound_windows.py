"""Stretches of sound of one length, as autoencoders of the voice see them."""

import numpy as np

from neuro2voc.frames import Frames, windows_of


def whole_rows(frames: Frames, length: int) -> np.ndarray:
    """Return the first frames of all stretches that no bout's end cuts.

    The window of activity that goes with one is that of its first frame in `neuro2voc.vae`, that of
    its frame number ``length // 2`` in `neuro2voc.joint_vae` and `neuro2voc.latent_mapper`.
    """
    return windows_of(frames, np.ones(len(frames.piece), dtype=bool), length)


def rows_reaching(frames: Frames, length: int, wanted: np.ndarray) -> np.ndarray:
    """Return the first frames of all stretches that hold a wanted frame."""
    rows = whole_rows(frames, length)
    seen = np.r_[0, np.cumsum(wanted)]
    return rows[seen[rows + length] > seen[rows]]


def levels_from(frames: Frames, rows: np.ndarray, length: int) -> np.ndarray:
    """Return the levels (rows, length, bands) from each of these frames on."""
    return frames.level[rows[:, None] + np.arange(length)]
