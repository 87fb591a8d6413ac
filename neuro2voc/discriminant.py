"""Linear discriminants, fast enough for thousands of small fits.

A discriminant needs of its training trials only their number and sum per class and the sum of their
outer products. So a transition between syllables can be left out by subtraction, for every lag and
every surrogate, and a fit takes a tenth of what scikit-learn's checks take. Classes are equally
probable. The covariance within classes is scaled to a correlation, so that units of any rate count
alike, and shrunk towards none by the closed form of Chen et al. (2010, IEEE Trans. Signal Process.
58:5016, equation 23, "OAS"), so that there is nothing to tune.
"""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from neuro2voc.errors import DataError
from neuro2voc.splits import NONE

# Least variance within classes, as a part of the whole: a unit that never varies within a class
# would otherwise outweigh all others.
FLOOR = 1e-6


class Discriminant(ClassifierMixin, BaseEstimator):
    """The same as an estimator.

    Attributes
    ----------
    classes_ : ndarray (K,)
        Labels seen in training, sorted.
    mean_ : ndarray (columns,)
        Of the training trials.
    weights_ : ndarray (columns, K)
    bias_ : ndarray (K,)
    """

    def fit(self, X, y) -> "Discriminant":
        """Fit to features X (trials, columns) and labels y (trials,)."""
        self.classes_, code = np.unique(np.asarray(y), return_inverse=True)
        self.mean_ = np.mean(X, axis=0)
        self.weights_, self.bias_ = discriminant(*sums(X - self.mean_, code, len(self.classes_)))
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Return the probabilities (trials, K) of the labels in `classes_`."""
        return softmax((X - self.mean_) @ self.weights_ + self.bias_, axis=1)

    def predict(self, X) -> np.ndarray:
        """Return the likeliest label of each trial."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def discriminate(X: np.ndarray, label: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predict the label of every trial by a discriminant fitted to the other folds.

    Parameters
    ----------
    X, fold
        See `cross_predict`.
    label : ndarray (trials,)

    Returns
    -------
    ndarray (trials,) of object
        None where there is no fold.
    """
    names, code = np.unique(label.astype(str), return_inverse=True)
    prediction = cross_predict(X, code, fold)
    return np.where(prediction >= 0, names.astype(object)[prediction], None)


def cross_predict(
    X: np.ndarray, code: np.ndarray, fold: np.ndarray, transition: np.ndarray | None = None
) -> np.ndarray:
    """Predict every trial by a discriminant fitted to the other folds.

    Parameters
    ----------
    X : ndarray (trials, columns)
        NaN where missing, which takes the training mean.
    code : ndarray (trials,)
        Class of each trial, whole numbers from 0.
    fold : ndarray (trials,)
        -1: neither trained on nor predicted.
    transition : ndarray (trials,), optional
        Whole numbers. Each trial is then predicted without the trials of its own transition, in the
        training folds too.

    Returns
    -------
    ndarray (trials,)
        Classes; -1 where there is no prediction, because the trial has no fold, or because no other
        transition of the training folds holds its class or any other.

    Raises
    ------
    DataError
        The training part of a fold holds one class only, and no transitions are left out.
    """
    classes = int(code.max()) + 1
    group = np.zeros(len(code), dtype=int) if transition is None else transition
    prediction = np.full(len(code), -1)
    for now in np.unique(fold[fold != NONE]):
        train, test = np.flatnonzero((fold != now) & (fold != NONE)), np.flatnonzero(fold == now)
        if len(np.unique(code[train])) < 2:
            if transition is not None:
                continue
            raise DataError(
                f"Without fold {now} fewer than two classes are left to train on; lower `folds`, "
                "or decode labels that are spread over the recording."
            )
        known, asked = _centred(X[train], X[test])
        whole = sums(known, code[train], classes)
        names, asking = np.unique(group[test], return_inverse=True)
        kept = [np.repeat(part[None], len(names), axis=0) for part in whole]
        for row, name in enumerate(names if transition is not None else ()):
            out = group[train] == name
            for part, gone in zip(kept, sums(known[out], code[train][out], classes), strict=True):
                part[row] -= gone
        weights, bias = discriminant(*kept)
        for row in range(len(names)):
            mine = test[asking == row]
            best = (asked[asking == row] @ weights[row] + bias[row]).argmax(axis=1)
            prediction[mine] = np.where(kept[0][row][code[mine]] > 0, best, -1)
    return prediction


def _centred(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtract the training mean, which also takes the place of missing values."""
    seen = ~np.isnan(train)
    mean = np.where(seen, train, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.nan_to_num(train - mean), np.nan_to_num(test - mean)


def sums(X: np.ndarray, code: np.ndarray, classes: int) -> tuple[np.ndarray, ...]:
    """Sum up trials.

    Parameters
    ----------
    X : ndarray (trials, columns)
    code : ndarray (trials,)
        Class of each trial, 0 to ``classes - 1``.

    Returns
    -------
    number : ndarray (classes,)
    total : ndarray (classes, columns)
    products : ndarray (columns, columns)
        Sum of the outer products of all trials.
    """
    member = (code == np.arange(classes)[:, None]).astype(float)
    return member.sum(axis=1), member @ X, X.T @ X


def discriminant(
    number: np.ndarray, total: np.ndarray, products: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit discriminants to sums of trials, any number at once.

    Parameters
    ----------
    number : ndarray (..., classes)
    total : ndarray (..., classes, columns)
    products : ndarray (..., columns, columns)
        See `sums`; centred to about zero, since variances are differences of large sums.

    Returns
    -------
    weights : ndarray (..., columns, classes)
    bias : ndarray (..., classes)
        ``X @ weights + bias`` is the log probability of the classes up to a common term; a class
        without trials has minus infinity.
    """
    trials, present = number.sum(axis=-1), number > 0
    mean = total / np.maximum(number, 1)[..., None]
    scatter = products - np.swapaxes(total, -1, -2) @ mean
    freedom = np.maximum(trials - present.sum(axis=-1), 1)
    variance = np.diagonal(scatter, axis1=-2, axis2=-1) / freedom[..., None]
    centre = total.sum(axis=-2) / trials[..., None]
    whole = np.diagonal(products, axis1=-2, axis2=-1) / trials[..., None] - centre**2
    variance = np.maximum(variance, FLOOR * whole)
    scale = np.sqrt(np.where(variance > np.finfo(float).eps, variance, 1))
    correlation = scatter / freedom[..., None, None] / (scale[..., None] * scale[..., None, :])
    columns = np.arange(scale.shape[-1])
    correlation[..., columns, columns] = 1
    correlation *= 1 - shrinkage(correlation, freedom)[..., None, None]
    correlation[..., columns, columns] = 1
    scaled = np.swapaxes(mean / scale[..., None, :], -1, -2)
    weights = np.linalg.solve(correlation, scaled)
    bias = np.where(present, -0.5 * (scaled * weights).sum(axis=-2), -np.inf)
    return weights / scale[..., None], bias


def shrinkage(correlation: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return how far (...), 0 to 1, correlations (..., columns, columns) are shrunk to none."""
    p = correlation.shape[-1]
    squares = (correlation**2).sum(axis=(-1, -2))
    excess = (freedom + 1 - 2 / p) * (squares - p)  # squares >= p, the trace squared over p
    wanted = (1 - 2 / p) * squares + p**2
    return np.minimum(1, np.divide(wanted, excess, out=np.ones_like(squares), where=excess > 0))
