"""What decoders see: one row per trial, made from tensors."""

from collections.abc import Iterable

import numpy as np

from neuro2voc.binning import Tensor, read_tensor
from neuro2voc.configuration import window_of


def feature_matrix(feature: str, tensor: Tensor) -> np.ndarray:
    """Return a feature (trials, columns) as float64; NaN where a unit was not observed.

    Parameters
    ----------
    feature : str
        'count' and 'tfidf': spikes in the whole syllable, which the decoder of 'tfidf' weighs inside
        its training folds. 'rate': the same per second. Otherwise the counts of the tensor's
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
