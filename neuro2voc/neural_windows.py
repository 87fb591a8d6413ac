"""Windows of activity around the frames of song: what neural autoencoders see.

A window belongs to a frame of the voice, and the frame's fold, bout and syllable are its own. It
lies `lead` before the sound that it goes with, because activity that makes a sound precedes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuro2voc.errors import DataError
from neuro2voc.frame_activity import activity_around, lagged
from neuro2voc.frames import Frames, hops, inner_blocks
from neuro2voc.recording import Binned, Recording
from neuro2voc.splits import NONE


@dataclass(frozen=True)
class WindowSettings:
    """Which windows.

    Attributes
    ----------
    window : float
        s, from the first bin's beginning to the last one's end.
    bin : float
        s; in effect a whole number of frames.
    lead : float
        s from the window's middle to the middle of the sound that it goes with.
    step : float
        s from one window that is trained on to the next; in effect whole frames.
    """

    window: float
    bin: float
    lead: float
    step: float

    @property
    def before(self) -> float:
        """Time (s) that a window begins before its frame."""
        return self.window / 2 + self.lead

    @property
    def after(self) -> float:
        """Time (s) that it ends behind the beginning of its frame; may be negative."""
        return self.window / 2 - self.lead


def window_settings(config: Mapping) -> WindowSettings:
    """Return the settings of windows among those of a model."""
    return WindowSettings(**{name: config[name] for name in ("window", "bin", "lead", "step")})


@dataclass(frozen=True, eq=False)
class Windows:
    """Activity around every frame.

    Attributes
    ----------
    count : ndarray (frames, bins, units)
        float32 counts or levels; NaN where a unit was not observed.
    width : int
        Frames of a bin.
    bin : float
        s.
    settings : WindowSettings
    additive : bool
        Counts, not levels.
    """

    count: np.ndarray
    width: int
    bin: float
    settings: WindowSettings
    additive: bool = True

    @property
    def hops(self) -> int:
        """Frames that a window spans."""
        return self.width * self.count.shape[1]


def make_windows(recording: Recording, frames: Frames, settings: WindowSettings) -> Windows:
    """Count the activity around every frame.

    Raises
    ------
    DataError
        A window shorter than a bin, or levels below 0, which no Poisson rate explains.
    """
    if settings.window < settings.bin:
        raise DataError(
            f"A window of {settings.window:g} s holds no bin of {settings.bin:g} s; raise `window` "
            "or lower `bin` of `neural_vae` in config.yaml."
        )
    # Windows that end before their frame are cut out of longer ones.
    after = max(settings.after, frames.hop)
    activity = activity_around(recording, frames, settings.before, after)
    means = lagged(activity, frames, settings.before, after, settings.bin)
    width = max(1, round(settings.bin / frames.hop))
    bins = max(1, hops(settings.window, frames.hop) // width)
    count = width * means[:, :bins]
    if np.nanmin(count) < 0:
        raise DataError(
            f"The activity of {recording.name} has levels below 0, which are no rates; leave the "
            "neural autoencoders out, or give counts or events."
        )
    additive = not isinstance(recording.units, Binned) or recording.units.additive
    return Windows(count, width, width * frames.hop, settings, additive)


def tiles(frames: Frames, windows: Windows) -> np.ndarray:
    """Return the rows of windows that adjoin, so that each bin is seen once."""
    return np.concatenate(
        [np.arange(piece.start, piece.stop, windows.hops) for piece in frames.pieces]
    )


def training_parts(
    frames: Frames,
    fold: np.ndarray,
    outer: int,
    rows: np.ndarray,
    settings: WindowSettings,
    inner_folds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and to stop by, for one outer fold.

    Parameters
    ----------
    frames : Frames
    fold : ndarray (frames,)
        See `Frames.folds`.
    outer : int
        The fold that is held out.
    rows : ndarray
        Frames to choose from, in order.
    settings : WindowSettings
    inner_folds : int
        Blocks of the training part, of which the first is held out (`inner_blocks`).

    Returns
    -------
    train, stop : ndarray
        No window of one reaches into those of the other.

    Raises
    ------
    DataError
        One of them is empty.
    """
    kept = (fold != NONE) & (fold != outer)
    reach = settings.window + frames.hop
    parts = tuple(rows[mask[rows]] for mask in inner_blocks(frames, kept, inner_folds, reach)[0])
    if not min(map(len, parts)):
        raise DataError(
            f"Beside fold {outer} {len(parts[0])} windows are left to train on and "
            f"{len(parts[1])} to stop by, and one of each is needed; lower `folds`, or shorten "
            "`window` or `step` of `neural_vae`."
        )
    return parts


def training_rows(frames: Frames, settings: WindowSettings) -> np.ndarray:
    """Return the frames whose windows are trained on: one every `step` of each piece."""
    step = max(1, round(settings.step / frames.hop))
    return np.concatenate([np.arange(p.start, p.stop, step) for p in frames.pieces])
