"""What warping does to the renditions of one label, to be looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.frames import Frames
from neuro2voc.interpolation import sampled
from neuro2voc.recording import Recording
from neuro2voc.templates import SOUND, warp_plan
from neuro2voc.warping import WARPS, leading_activity, make_renditions


@dataclass(frozen=True, eq=False)
class Example:
    """One label's held-out renditions under each warp, the shortest first.

    Attributes
    ----------
    label, unit : str
    duration : ndarray (renditions,)
        ms.
    sound : ndarray (warps, renditions, length)
        Mean level over bands.
    activity : ndarray (warps, renditions, length)
        Of the unit, per hop.
    hop : float
        s.
    """

    label: str
    unit: str
    duration: np.ndarray
    sound: np.ndarray
    activity: np.ndarray
    hop: float


def make_example(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    frames: Frames,
    settings: Mapping,
) -> Example:
    """Return the held-out renditions of the label whose durations differ most, before and after.

    Parameters
    ----------
    recording : Recording
        That unit is shown whose mean over linearly warped renditions changes most in the course of
        the syllable, relative to its deviation over all frames.
    trials, split, frames, settings
        See `neuro2voc.templates.template_table`.
    """
    renditions = make_renditions(trials, split, frames, recording.name)
    activity = leading_activity(recording, frames, settings["lead"], settings["smoothing"])
    plan = warp_plan(frames.level if settings["by"] == SOUND else activity, renditions)
    spread = pd.Series(renditions.count).groupby(renditions.trials["label"].to_numpy()).std(ddof=0)
    label = spread[spread.index.isin({name for _, labels in plan for name in labels})].idxmax()
    parts = [labels[label] for _, labels in plan if label in labels]
    length = int(np.median([places["linear"].shape[1] for _, _, places in parts]))

    def warped(values: np.ndarray) -> np.ndarray:
        """Return values (warps, renditions, length, columns)."""
        return np.stack(
            [
                np.concatenate(
                    [
                        _brought_to(sampled(values, places[warp][len(own) :]), length)
                        for own, _, places in parts
                    ]
                )
                for warp in WARPS
            ]
        )

    level = warped(frames.level.mean(axis=1, keepdims=True))[..., 0]
    rates = warped(np.nan_to_num(activity))
    course = rates[WARPS.index("linear")].mean(axis=0)
    unit = int(np.argmax(np.ptp(course, axis=0) / np.maximum(np.nanstd(activity, axis=0), 1e-9)))
    count = renditions.count[np.concatenate([held for _, held, _ in parts])]
    order = np.argsort(count, kind="stable")
    name = str(recording.units.table.index[unit])
    duration = 1000 * frames.hop * count[order]
    return Example(label, name, duration, level[:, order], rates[..., unit][:, order], frames.hop)


def _brought_to(values: np.ndarray, length: int) -> np.ndarray:
    """Return values (n, own length, columns) at `length` even places: folds differ by a frame."""
    places = np.linspace(0, values.shape[1] - 1, length)
    return np.stack([sampled(each, places) for each in values])
