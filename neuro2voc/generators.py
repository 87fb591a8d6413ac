"""Song from activity by what needs no network: the baselines that networks have to beat.

Each is fitted to the frames of training folds and generates those of the fold that is held out.
All see the same activity, in bins around each frame.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from neuro2voc.frames import Frames, inner_blocks, overlap_add, windows_of
from neuro2voc.interpolation import stretched
from neuro2voc.runs import runs
from neuro2voc.sound_identity import GAP, sung_trials, syllable_of_frames
from neuro2voc.sound_windows import levels_from, rows_reaching
from neuro2voc.splits import NONE
from neuro2voc.standardisation import mean_and_scale

log = logging.getLogger(__name__)

ALPHAS = (3e2, 1e3, 3e3, 1e4, 3e4, 1e5)  # of ridge, for standardised columns
KERNEL_ALPHAS = (0.01, 0.1, 1.0, 10.0)
LANDMARKS = 400  # of the kernel: training frames that all others are compared with
WIDTH = 1.0  # of the kernel, as a share of the mean squared distance between frames
COMPONENTS = 30  # of activity, in which neighbours are looked for
BLOCKS = 3  # of a training part, on which a penalty is chosen
NEARBY = 0.04  # s of song that the nearest stretch of training activity gives away
SMOOTH = 0.02  # s over which the probabilities of syllables are averaged
SHORTEST = 0.02  # s; what is shorter is no syllable
MEAN = 64  # frames of a mean spectrogram, more than any syllable of song has at 4 ms


def generate(
    name: str,
    frames: Frames,
    activity: np.ndarray,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    seed: int,
    reach: float,
    settings: Mapping[int, float] | None = None,
) -> tuple[np.ndarray, dict[int, float]]:
    """Generate the song of every fold.

    Parameters
    ----------
    name : {'ridge', 'kernel', 'nearest', 'syllable'}
        Ridge regression of levels on activity at several lags (a Wiener filter of finite length);
        the same on radial kernels; the song that went with the nearest training activity; the mean
        spectrogram of the syllable that a linear discriminant takes the activity for.
    frames : Frames
    activity : ndarray (frames, bins, units)
        See `neuro2voc.frame_activity.lagged`.
    trials, split : DataFrame
        See `neuro2voc.trials` and `neuro2voc.splits`.
    seed : int
        Draws the kernel's landmarks.
    reach : float
        s that blocks of a training part are kept apart, on which a penalty is chosen: how far
        activity is seen (`neuro2voc.generated.reach`).
    settings : mapping, optional
        By fold, the penalty; for surrogates, which are given that of the bird itself.

    Returns
    -------
    made : ndarray (frames, bands)
        In the frames' unit; NaN outside all folds.
    chosen : dict
        By fold, the penalty, where there is one.
    """
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan, dtype=np.float32)
    chosen: dict[int, float] = {}
    for held in map(int, np.unique(fold[fold >= 0])):
        kept, wanted = (fold >= 0) & (fold != held), fold == held
        X = standardised_activity(activity, kept)
        if name == "nearest":
            made[wanted] = _nearest(frames, X, kept, wanted)[wanted]
        elif name == "syllable":
            made[wanted] = _of_syllables(frames, X, trials, split, kept, wanted, held)[wanted]
        else:
            kernel = _kernel(X.shape[1], seed) if name == "kernel" else None
            alpha = (settings or {}).get(held) or _penalty(frames, X, kept, kernel, reach)
            chosen[held] = alpha
            ridge = Ridge(alpha=alpha)
            fitted = (make_pipeline(kernel, ridge) if kernel else ridge).fit(
                X[kept], frames.level[kept]
            )
            made[wanted] = fitted.predict(X[wanted])
    lowest = frames.lowest
    return np.maximum(made, lowest, where=np.isfinite(made), out=made), chosen


def standardised_activity(activity: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return activity (frames, bins * units) less its mean, over its deviation, on kept frames.

    What was not observed is taken for the mean; what never varies is 0.
    """
    X = activity.reshape(len(activity), -1)
    mean, scale = mean_and_scale(X[kept], still=np.inf)
    return np.nan_to_num((X - mean.astype(np.float32)) / scale.astype(np.float32))


def _kernel(columns: int, seed: int) -> Nystroem:
    # Of standardised columns, two frames lie 2 * columns apart on average, squared.
    gamma = 1 / (WIDTH * 2 * columns)
    return Nystroem(gamma=gamma, n_components=LANDMARKS, random_state=seed % 2**32)


def _penalty(
    frames: Frames, X: np.ndarray, kept: np.ndarray, kernel: Nystroem | None, reach: float
) -> float:
    """Return the penalty of least squared error on blocks of the training part."""
    alphas = KERNEL_ALPHAS if kernel else ALPHAS
    error = np.zeros(len(alphas))
    for training, held in inner_blocks(frames, kept, BLOCKS, reach):
        seen, tested = X[training], X[held]
        if kernel:
            seen = kernel.fit_transform(seen)
            tested = kernel.transform(tested)
        made = ridge_path(seen, frames.level[training], tested, alphas)
        error += [((one - frames.level[held]) ** 2).sum() for one in made]
    return float(alphas[int(error.argmin())])


def ridge_path(
    X: np.ndarray, Y: np.ndarray, tested: np.ndarray, alphas: Sequence[float]
) -> Iterator[np.ndarray]:
    """Yield what ridge regression predicts, one penalty after another.

    The same as of a regression for each, in little more time than of one: they share the
    eigenvectors of the columns' covariance.

    Parameters
    ----------
    X : ndarray (n, columns)
    Y : ndarray (n, targets)
    tested : ndarray (m, columns)
    alphas : sequence of float

    Yields
    ------
    ndarray (m, targets)
    """
    mean, level = X.mean(axis=0), Y.mean(axis=0)
    centred = X - mean
    values, vectors = eigh(centred.T @ centred)
    along = vectors.T @ (centred.T @ (Y - level))
    places = (tested - mean) @ vectors
    for alpha in alphas:
        yield places @ (along / (np.maximum(values, 0) + alpha)[:, None]) + level


def _nearest(frames: Frames, X: np.ndarray, kept: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Copy the stretch of training song whose activity is nearest, at every frame, and add up."""
    length = _copied(frames, kept)
    rows = windows_of(frames, kept, length)
    places = PCA(min(COMPONENTS, X.shape[1], len(rows)), svd_solver="covariance_eigh").fit(X[kept])
    neighbours = KNeighborsRegressor(1, algorithm="brute").fit(places.transform(X[rows]), rows)
    begin = rows_reaching(frames, length, wanted)
    found = neighbours.predict(places.transform(X[begin])).astype(int)
    return overlap_add(frames, begin, levels_from(frames, found, length), wanted)


def _copied(frames: Frames, kept: np.ndarray) -> int:
    """Return how many frames are copied at once: of `NEARBY`, if training song has so many.

    Where syllables are held out one by one, training song is in pieces no longer than a syllable.
    """
    length = max(1, round(NEARBY / frames.hop))
    together = max(rows.stop - rows.start for rows in frames.held(np.where(kept, 0, NONE)))
    if together < length:
        log.info("'nearest' copies %d frames, not %d: syllables are short", together, length)
    return min(length, together)


def _of_syllables(
    frames: Frames,
    X: np.ndarray,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    kept: np.ndarray,
    wanted: np.ndarray,
    held: int,
) -> np.ndarray:
    """Say at every frame which syllable is sung, if any, and put its mean spectrogram there."""
    truth, _ = syllable_of_frames(frames, trials)
    clear = kept & (truth != "")
    decoder = _discriminant(X[clear], truth[clear])
    means = _mean_spectrograms(frames, sung_trials(frames, trials, split), held)
    gaps = kept & (truth == GAP)
    made = np.tile(frames.level[gaps if gaps.any() else kept].mean(axis=0), (len(kept), 1))
    # Held-out trials of one bout need not adjoin; nothing is carried over from one to the next.
    for stretch in frames.held(np.where(wanted, held, NONE)):
        for first, stop, label in _syllables_heard(decoder, X[stretch], frames.hop):
            if label in means:
                rows = slice(stretch.start + first, stretch.start + stop)
                made[rows] = stretched(means[label], stop - first)
    return made


def _discriminant(X: np.ndarray, label: np.ndarray) -> ClassifierMixin:
    """Fit a linear discriminant; where there is one label, what always says that one."""
    if len(np.unique(label)) == 1:
        return DummyClassifier().fit(X, label)
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(X, label)


def _mean_spectrograms(frames: Frames, sung: pd.DataFrame, held: int) -> dict[str, np.ndarray]:
    """Return by label the mean (MEAN, bands) of its renditions outside the held-out fold."""
    means = {}
    for label, own in sung[sung["fold"] != held].groupby("label"):
        renditions = zip(own["first"], own["stop"], strict=True)
        means[label] = np.mean([stretched(frames.level[a:b], MEAN) for a, b in renditions], axis=0)
    return means


def _syllables_heard(
    decoder: ClassifierMixin, X: np.ndarray, hop: float
) -> list[tuple[int, int, str]]:
    """Return first row, stop and label of each syllable that activity of adjoining frames says."""
    likely = averaged(decoder.predict_proba(X), max(1, round(SMOOTH / hop)))
    heard = decoder.classes_[likely.argmax(axis=1)]
    return [
        (part.start, part.stop, heard[part.start])
        for part in runs(heard)
        if heard[part.start] != GAP and (part.stop - part.start) * hop >= SHORTEST
    ]


def averaged(values: np.ndarray, width: int) -> np.ndarray:
    """Return values (rows, columns) averaged over so many rows; beyond the ends they are 0."""
    # "same" is as long as the longer of the two, and stretches may be short.
    first = (width - 1) // 2
    box = np.ones(width) / width
    return np.stack([np.convolve(one, box)[first : first + len(one)] for one in values.T], axis=1)


def generate_all(
    names: Sequence[str],
    frames: Frames,
    activity: np.ndarray,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    seed: int,
    reach: float,
) -> tuple[dict[str, np.ndarray], dict[str, dict[int, float]]]:
    """Generate song by several generators; see `generate`.

    Without labels 'syllable' is left out.

    Returns
    -------
    made : dict of ndarray (frames, bands)
        By name.
    chosen : dict of dict
        By name and fold, the penalty, where there is one.
    """
    made, chosen = {}, {}
    for name in names:
        if name == "syllable" and trials.empty:
            log.warning("no labels: 'syllable' is left out")
            continue
        made[name], chosen[name] = generate(name, frames, activity, trials, split, seed, reach)
    return made, chosen
