"""Spaces in which syllables are to be told apart: embeddings, and what needs no network."""

from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import euclidean_distances

from neuro2voc.bout_bins import BoutBins
from neuro2voc.contrast import CONDITIONS
from neuro2voc.embedding import (
    DIMENSIONS,
    Recipe,
    Space,
    TrainedCebra,
    padded,
    scaling,
    train_cebra,
)

COUNTS, LINEAR, PRINCIPAL, UMAP = "counts", "lda", "pca", "umap"
METHODS = (*CONDITIONS, LINEAR, PRINCIPAL, UMAP, COUNTS)
NEIGHBOURS = 15  # of UMAP, its default


def fit_space(
    method: str, bins: BoutBins, field: int, recipe: Recipe, seed: int, name: str = ""
) -> tuple[Space, TrainedCebra | None]:
    """Fit a space by any method.

    Parameters
    ----------
    method : str
        One of `METHODS`: conditions of CEBRA; 'counts', the windows themselves; 'pca', 'umap' and
        'lda' of the windows, 'lda' being a linear projection that parts syllables.
    bins, field, recipe, seed, name
        See `train_cebra`.

    Returns
    -------
    space : callable
    trained : TrainedCebra or None
        Of CEBRA.
    """
    if method in CONDITIONS:
        trained = train_cebra(bins, method, field, recipe, seed, name)
        return trained.space, trained
    scaled = scaling(bins)

    def windows(other: BoutBins, rows: np.ndarray) -> np.ndarray:
        return padded(other, field).windows(scaled(other), rows).reshape(len(rows), -1)

    if method == COUNTS:
        return windows, None
    sung = np.flatnonzero(bins.sung)
    seen, label = windows(bins, sung), bins.label[sung]
    if method == PRINCIPAL:
        dimensions = min(DIMENSIONS, seen.shape[1])
        transform = PCA(dimensions, random_state=seed % 2**32).fit(seen).transform
    elif method == LINEAR:
        # Equal priors, as everywhere; shrinkage, since a long window has hundreds of columns.
        number = len(np.unique(label))
        model = LinearDiscriminantAnalysis(
            solver="eigen",
            shrinkage="auto",
            n_components=min(DIMENSIONS, number - 1, seen.shape[1]),
        )
        transform = model.fit(seen, label).transform
    else:
        transform = _umap(seen[thinned(len(seen), recipe.most)], seed)
    return lambda other, rows: np.float32(transform(windows(other, rows))), None


def _umap(seen: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    import umap  # compiles for seconds

    model = umap.UMAP(
        n_components=DIMENSIONS,
        n_neighbors=min(NEIGHBOURS, len(seen) - 1),
        metric="precomputed",  # its own distances of new points take fifteen times as long
        random_state=seed % 2**32,
        n_jobs=1,
    )
    model.fit(euclidean_distances(seen))
    return lambda other: model.transform(euclidean_distances(other, seen))


def thinned(rows: int, most: int) -> np.ndarray:
    """Return at most so many of a number of rows, evenly spaced."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(int))
