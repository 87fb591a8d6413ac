"""Decoding from some of the units: one, some, those of a region."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from neuro2voc.comparison import baseline_fitting
from neuro2voc.curves import Protocol, predict
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import cross_decode, fixed_fit, sum_up
from neuro2voc.discriminant import discriminate
from neuro2voc.features import make_features
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE


def unit_features(
    recording: Recording, used: pd.DataFrame, feature: str, windows: Mapping
) -> np.ndarray:
    """Return a feature (trials, units, columns per unit); NaN where a unit was not observed."""
    X = make_features(recording, used, [feature], windows)[feature]
    return X.reshape(len(used), len(recording.units), -1)


def of_units(features: np.ndarray, units: Sequence[int]) -> np.ndarray:
    """Return the features (trials, columns) of some units, by their rows in the recording."""
    return features[:, units].reshape(len(features), -1)


def decode_subset(
    X: np.ndarray,
    used: pd.DataFrame,
    fold: np.ndarray,
    protocol: Protocol,
    settings: dict | None = None,
) -> tuple[pd.DataFrame, dict]:
    """Predict every trial once from a subset's features.

    Parameters
    ----------
    X : ndarray (trials, columns)
    used : DataFrame
        The used trials.
    fold : ndarray (trials,)
    protocol : Protocol
    settings : dict, optional
        Of the decoder. None: chosen on inner folds.

    Returns
    -------
    predictions : DataFrame
        trial, truth, prediction, as far as `neuro2voc.decoding.sum_up` needs them.
    settings : dict
        The decoder's.
    """
    if protocol.decoder == "lda" and protocol.feature != "tfidf":
        held = fold != NONE
        guess = discriminate(X, used["label"].to_numpy(), fold)
        frame = used.loc[held, ["trial"]].assign(truth=used["label"], prediction=guess[held])
        return frame, {}
    if settings is None:
        return predict(X, used, fold, protocol)
    model = make_decoder(protocol.decoder, protocol.seed, protocol.feature)[0]
    return cross_decode(X, used, fold, fixed_fit(model, settings)), settings


def score(frame: pd.DataFrame, used: pd.DataFrame) -> float:
    """Return the balanced accuracy of predictions."""
    return sum_up(frame, used, 1, 0)["balanced_accuracy"]


def baseline_scores(used: pd.DataFrame, fold: np.ndarray) -> dict[str, float]:
    """Return the balanced accuracies of duration alone and of the previous syllable alone."""
    scores = {}
    for name in ("duration", "previous"):
        features, model = baseline_fitting(name, used)
        frame = cross_decode(*features.values(), used, fold, fixed_fit(model))
        scores[name] = score(frame, used)
    return scores
