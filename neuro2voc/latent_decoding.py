"""What syllable a window belongs to, by its latents: held out in time, and as the thesis did it.

Windows overlap, and so does what they say. Where some of a syllable's windows are trained on and
others tested, a decoder need only recognise the neighbour; the difference to whole bouts held out
is the leak.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuro2voc.errors import DataError
from neuro2voc.evaluation import summary
from neuro2voc.frames import Frames

NEIGHBOURS = 15
DECODERS = ("logistic", "neighbours")
EVERY = 0.008  # s, from window to window that is decoded


def make_classifier(name: str) -> object:
    """Return a classifier of standardised latents."""
    if name == "logistic":
        own = LogisticRegression(class_weight="balanced", max_iter=300)
    else:
        own = KNeighborsClassifier(NEIGHBOURS)
    return make_pipeline(StandardScaler(), own)


def decoded_rows(frames: Frames, trial: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return the rows of frames that are decoded: some of those within syllables and folds."""
    step = max(1, round(EVERY / frames.hop))
    place = np.arange(len(trial)) % step == 0
    rows = np.flatnonzero(place & (trial >= 0) & (fold >= 0))
    if len(rows) < 2:
        raise DataError("No window lies within a syllable and a fold; look at the labels' times.")
    return rows


def decode_blocked(
    latents_of: Callable[[int], np.ndarray],
    label: np.ndarray,
    bout: np.ndarray,
    fold: np.ndarray,
    decoder: str,
    resamples: int,
    seed: int,
) -> dict:
    """Decode each fold's windows by a classifier trained on the others'.

    Parameters
    ----------
    latents_of : callable
        ``latents_of(fold)`` returns what is decoded (windows, latents), by a model that never saw
        that fold.
    label, bout, fold : ndarray (windows,)
    decoder : str
    resamples, seed : int

    Returns
    -------
    dict
        See `neuro2voc.evaluation.summary`; its trials are windows.
    """
    prediction = np.empty(len(label), dtype=object)
    for outer in np.unique(fold):
        test = fold == outer
        X = latents_of(int(outer))
        prediction[test] = make_classifier(decoder).fit(X[~test], label[~test]).predict(X[test])
    frame = pd.DataFrame({"truth": label, "prediction": prediction})
    return summary(frame, bout, resamples, seed)


def decode_leaking(
    latents: np.ndarray, label: np.ndarray, bout: np.ndarray, decoder: str, folds: int, seed: int
) -> dict:
    """Decode windows held out at random, most of whose neighbours were trained on."""
    prediction = np.empty(len(label), dtype=object)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    for train, test in splitter.split(latents, label):
        fitted = make_classifier(decoder).fit(latents[train], label[train])
        prediction[test] = fitted.predict(latents[test])
    return summary(pd.DataFrame({"truth": label, "prediction": prediction}), bout, 200, seed)


def decoding_table(
    features: Mapping[str, Mapping[int, np.ndarray]],
    label: np.ndarray,
    bout: np.ndarray,
    fold: np.ndarray,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Decode everything both ways.

    Parameters
    ----------
    features : mapping of mapping of ndarray (windows, latents)
        By name and fold, what a model that never saw the fold makes of every window. The leaking
        protocol decodes what the first of these models makes, which did see the other folds.
    label, bout, fold : ndarray (windows,)
    resamples, seed : int

    Returns
    -------
    DataFrame
        features, decoder, protocol ('blocked' or 'random windows'), and the measures.
    """
    rows = []
    for name, by_fold in features.items():
        for decoder in DECODERS:
            about = {"features": name, "decoder": decoder}
            held = decode_blocked(by_fold.__getitem__, label, bout, fold, decoder, resamples, seed)
            rows.append({**about, "protocol": "blocked", **held})
            first = by_fold[min(by_fold)]
            leaking = decode_leaking(first, label, bout, decoder, len(by_fold), seed)
            rows.append({**about, "protocol": "random windows", **leaking})
    return pd.DataFrame(rows)
