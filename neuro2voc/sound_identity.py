"""Which syllable is sung when, and which a classifier of real sound hears in generated sound."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from neuro2voc.errors import DataError
from neuro2voc.frames import Frames
from neuro2voc.interpolation import stretched
from neuro2voc.splits import folds_of
from neuro2voc.trials import used_trials

LENGTH = 16  # frames to which every syllable is stretched; about 6 ms each of a common one
COMPONENTS = 30  # of the syllables' shapes, more than there are types
REAL = "real"  # the name of the sound that was sung, among methods
GAP = "gap"  # the label of frames between syllables


def sung_trials(frames: Frames, trials: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Return the used trials of which there are frames, with `fold` and the rows `first`, `stop`.

    Trials that no fold holds whole are left out, and so are frames at their edges that reach out of
    the fold.
    """
    used = trials[trials["used"] == 1]
    fold = folds_of(split, used["onset"].to_numpy(), used["offset"].to_numpy())
    fold_of_frame, rows = frames.folds(split), []
    for onset, offset, own in zip(used["onset"], used["offset"], fold, strict=True):
        within = frames.within(onset, offset)
        inside = within.start + np.flatnonzero(fold_of_frame[within] == own)
        rows.append((inside[0], inside[-1] + 1) if len(inside) else (0, 0))
    first, stop = np.array(rows, dtype=int).reshape(-1, 2).T
    used = used.assign(fold=fold, first=first, stop=stop)
    return used[(fold >= 0) & (stop > first)].reset_index(drop=True)


def syllable_of_frames(frames: Frames, trials: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return which syllable each frame lies in.

    Returns
    -------
    label : ndarray (frames,) of str
        `GAP` between syllables, '' in those that are not decoded.
    trial : ndarray (frames,)
        -1 outside those that are decoded.

    Raises
    ------
    DataError
        No labels.
    """
    label = np.full(len(frames.start), GAP, dtype=object)
    trial = np.full(len(frames.start), -1)
    for row in used_trials(trials).itertuples():
        inside = frames.within(row.onset, row.offset)
        label[inside], trial[inside] = row.label, row.trial
    # A syllable within another is set aside: its frames are neither's.
    for row in trials[trials["used"] == 0].itertuples():
        inside = frames.within(row.onset, row.offset)
        label[inside], trial[inside] = "", -1
    return label.astype(str), trial


def listeners(frames: Frames, trials: pd.DataFrame, split: pd.DataFrame) -> dict[int, Pipeline]:
    """Return by fold a classifier of syllables that knows the real sound of all others.

    Each syllable stretched to 16 frames, every cell standardised, 30 principal components, a linear
    discriminant with shrunken covariance and equal priors.

    Parameters
    ----------
    frames : Frames
    trials, split : DataFrame
        See `neuro2voc.trials` and `neuro2voc.splits`.

    Raises
    ------
    DataError
        Outside a fold fewer than two types of syllables are left to learn from.
    """
    sung = sung_trials(frames, trials, split)
    label, fold = sung["label"].to_numpy(), sung["fold"].to_numpy()
    shapes, found = _shapes(frames.level, sung), {}
    for held in map(int, np.unique(fold)):
        learnt = fold != held
        types, count = np.unique(label[learnt], return_counts=True)
        if len(types) < 2 or learnt.sum() <= len(types):
            raise DataError(
                f"Outside fold {held} {len(types)} type(s) of syllables with {count.sum()} "
                "renditions have sound to learn from, too few to tell them apart; lower `folds`, "
                "or name more `labels`."
            )
        found[held] = make_pipeline(
            StandardScaler(),
            PCA(min(COMPONENTS, learnt.sum() - 1), svd_solver="full"),
            LinearDiscriminantAnalysis("lsqr", "auto", np.full(len(types), 1 / len(types))),
        ).fit(shapes[learnt], label[learnt])
    return found


def heard_identities(
    frames: Frames,
    generated: Mapping[str, np.ndarray],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    heard_by: Mapping[int, Pipeline],
) -> pd.DataFrame:
    """Classify held-out syllables as they were sung, and as they were generated.

    True onsets and offsets are given, so that it is not judged when something is sung.

    Parameters
    ----------
    frames : Frames
    generated : mapping from str to ndarray (frames, bands)
        By method. A syllable with a frame that was not generated (NaN) is not classified.
    trials, split : DataFrame
        See `neuro2voc.trials` and `neuro2voc.splits`.
    heard_by : mapping of Pipeline
        See `listeners`.

    Returns
    -------
    DataFrame
        method ('real' for the sound itself, which is the ceiling), trial, bout, fold, truth,
        prediction.
    """
    sung = sung_trials(frames, trials, split)
    fold, parts = sung["fold"].to_numpy(), []
    for order, (name, level) in enumerate({REAL: frames.level, **generated}.items()):
        shapes = _shapes(level, sung)
        whole = np.isfinite(shapes).all(axis=1)
        for held, listener in heard_by.items():
            rows = np.flatnonzero((fold == held) & whole)
            if len(rows):
                table = sung.loc[rows, ["trial", "bout", "fold", "label"]]
                table = table.rename(columns={"label": "truth"})
                prediction = listener.predict(shapes[rows])
                parts.append(table.assign(method=name, prediction=prediction, order=order))
    found = pd.concat(parts).sort_values(["order", "trial"], ignore_index=True)
    return found[["method", "trial", "bout", "fold", "truth", "prediction"]]


def _shapes(level: np.ndarray, sung: pd.DataFrame) -> np.ndarray:
    """Return each syllable's levels (trials, LENGTH * bands)."""
    rows = zip(sung["first"], sung["stop"], strict=True)
    return np.array([stretched(level[a:b], LENGTH).ravel() for a, b in rows])
