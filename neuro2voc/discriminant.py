"""Linear discriminants, thousands of them.

The decoder `lda` of `neuro2voc.decoders` again, without scikit-learn's checks of every call, which
take ten times as long as the arithmetic where a curve needs thousands of small fits.
"""

import numpy as np
from scipy.linalg import LinAlgError, lstsq, solve

from neuro2voc.splits import NONE


def discriminate(X: np.ndarray, label: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predict every fold from the others by linear discriminants with shrunken covariance.

    Parameters
    ----------
    X : ndarray (trials, columns)
        NaN where missing, which takes the training mean.
    label : ndarray (trials,)
    fold : ndarray (trials,)
        -1: neither trained on nor predicted.

    Returns
    -------
    ndarray (trials,) of object
        Predicted labels, None where there is no fold.
    """
    predicted = np.full(len(X), None, dtype=object)
    for now in np.unique(fold[fold != NONE]):
        train, test = (fold != now) & (fold != NONE), fold == now
        Z = _scaled(X, train)
        classes, code = np.unique(label[train].astype(str), return_inverse=True)
        weights, offsets = fit_discriminant(Z[train], code)
        predicted[test] = classes[(Z[test] @ weights.T + offsets).argmax(axis=1)]
    return predicted


def _scaled(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Fill and scale by mean and standard deviation of the training trials."""
    seen = X[train]
    known = np.isfinite(seen)
    mean = np.where(known, seen, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    Z = np.where(np.isfinite(X), X, mean) - mean
    spread = Z[train].std(axis=0)
    # Rounding leaves no variance of a constant column.
    return Z / np.where(spread > 1e-12 * np.maximum(np.abs(mean), 1), spread, 1)


def fit_discriminant(X: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear discriminant with equal priors.

    Parameters
    ----------
    X : ndarray (trials, columns)
    code : ndarray (trials,)
        Class numbers, from 0 without a gap.

    Returns
    -------
    weights : ndarray (classes, columns)
    offsets : ndarray (classes,)
    """
    parts = [X[code == k] for k in range(code.max() + 1)]
    means = np.stack([part.mean(axis=0) for part in parts])
    covariance = np.mean([shrunken_covariance(part) for part in parts], axis=0)
    try:
        weights = solve(covariance, means.T, assume_a="pos").T
    except LinAlgError:
        weights = lstsq(covariance, means.T)[0].T
    return weights, -0.5 * np.sum(means * weights, axis=1)


def shrunken_covariance(X: np.ndarray) -> np.ndarray:
    """Estimate a covariance matrix, shrunken towards uncorrelated columns.

    Columns are scaled to variance 1 first, so that the target, a multiple of the identity, suits
    all of them. The shrinkage is that of Ledoit & Wolf (2004, J. Multivar. Anal. 88:365), eq. 14.

    Parameters
    ----------
    X : ndarray (n, columns)

    Returns
    -------
    ndarray (columns, columns)
    """
    n, columns = X.shape
    spread = X.std(axis=0)
    spread[spread < 1e-12] = 1
    Z = (X - X.mean(axis=0)) / spread
    sample = Z.T @ Z / n
    if columns > 1:
        level = np.trace(sample) / columns
        # Squared distances per column: of the sample from the target, and of its error.
        whole = np.sum(sample**2) / columns - level**2
        error = (np.sum(np.sum(Z**2, axis=1) ** 2) / n - np.sum(sample**2)) / (columns * n)
        shrinkage = min(error, whole) / whole if whole > 0 and error > 0 else 0.0
        sample = (1 - shrinkage) * sample
        sample[np.diag_indices(columns)] += shrinkage * level
    return spread[:, None] * sample * spread
