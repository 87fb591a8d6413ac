"""What decoders see: one row per trial, made from tensors."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from neuro2voc.binning import Tensor, make_tensor, make_window, read_tensor
from neuro2voc.configuration import window_of
from neuro2voc.recording import Recording


def feature_matrix(feature: str, tensor: Tensor) -> np.ndarray:
    """Return a feature (trials, columns) as float64; NaN where a unit was not observed.

    Parameters
    ----------
    feature : str
        'count' and 'tfidf': spikes in the whole syllable, which decoders of 'tfidf' weigh inside
        their training folds. 'rate': the same per second. Otherwise the counts of the tensor's
        window, units by bins, flattened. The first three carry the syllable's duration whether or
        not the neurons do.
    tensor : Tensor
        Of the window that `neuro2voc.configuration.window_of` names.
    """
    counts = tensor.counts.astype(np.float64)
    counts[~tensor.observed] = np.nan
    # Levels are averages over the syllable already.
    if feature == "rate" and tensor.additive:
        counts /= tensor.duration[:, None, None]
    return counts.reshape(len(counts), -1)


def by_window(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    """Return tensors by the names of their windows."""
    return {tensor.window.name: tensor for tensor in tensors}


def read_features(names: list[str], paths: Iterable[str]) -> dict[str, np.ndarray]:
    """Read features (trials, columns) from tensor files."""
    tensors = by_window(map(read_tensor, paths))
    return {name: feature_matrix(name, tensors[window_of(name)]) for name in names}


def make_features(
    recording: Recording, trials: pd.DataFrame, names: list[str], windows: Mapping
) -> dict[str, np.ndarray]:
    """Make features (trials, columns) by name; see `feature_matrix`.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        Those to be decoded.
    names : list of str
        count, rate, tfidf, or names of windows.
    windows : mapping
        The configuration's.
    """
    tensors = {
        name: make_tensor(recording, trials, make_window(name, windows))
        for name in sorted({window_of(feature) for feature in names})
    }
    return {name: feature_matrix(name, tensors[window_of(name)]) for name in names}


def features_maker(names: list[str], windows: Mapping) -> Callable:
    """Return a function that makes these features of a bird, as `neuro2voc.curves.curve` wants."""
    return lambda recording, trials: make_features(recording, trials, names, windows)
