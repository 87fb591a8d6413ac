"""What can be decoded without any neuron: the numbers every decoder has to be seen beside.

All are scikit-learn estimators to be fitted within folds, with `classes_` and `predict_proba`.
"""

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

# Bandwidths tried, as parts of the standard deviation of all durations: from syllables that are
# timed far better than they differ, to one that spreads over all others.
BANDWIDTHS = np.geomspace(0.01, 1, 25)
# Trials of a class that choose its bandwidth; more would cost quadratically and change little.
CHOOSERS = 500
# Share of durations expected to be mistaken: without it, one trial annotated far off its class
# would widen the bandwidth of the whole class.
MISTAKEN = 0.01


def majority() -> DummyClassifier:
    """Return the decoder that always says the commonest syllable."""
    return DummyClassifier(strategy="most_frequent")


def duration_only() -> "DurationClassifier":
    """Return the decoder that knows how long a syllable lasted and nothing else.

    Its input is one column, the duration in s.
    """
    return DurationClassifier()


def previous_syllable() -> Pipeline:
    """Return the decoder that knows the preceding syllable and nothing else.

    Its input is one column, the label of the preceding syllable of the bout, `start` for a bout's
    first. A label that was not in training counts as none.
    """
    return make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), LogisticRegression(class_weight="balanced")
    )


class DurationClassifier(ClassifierMixin, BaseEstimator):
    """Bayes' rule with a Gaussian kernel density of durations for each syllable and equal priors.

    The bandwidth of a class maximises the likelihood of its trials, each left out in turn, so that
    a class of two tight modes is not smeared into one.

    Attributes
    ----------
    classes_ : numpy.ndarray (K,)
        Labels, sorted.
    durations_ : list of numpy.ndarray
        Training durations of each class, s.
    bandwidths_ : list of float
        Bandwidth of each class, s.
    """

    def fit(self, X, y) -> "DurationClassifier":
        """Fit to durations `X` (n, 1) in s and labels `y` (n,)."""
        X, y = validate_data(self, X, y)
        duration = _only_column(X)
        widths = _candidate_bandwidths(duration)
        self.classes_ = unique_labels(y)
        self.durations_ = [duration[y == label] for label in self.classes_]
        self.bandwidths_ = [_best_bandwidth(trials, widths) for trials in self.durations_]
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Return the probabilities (n, K) of the labels in `classes_`."""
        check_is_fitted(self)
        duration = _only_column(validate_data(self, X, reset=False))
        log_density = [
            logsumexp(-0.5 * ((duration[:, None] - trials) / width) ** 2, axis=1)
            - np.log(width * trials.size)
            for trials, width in zip(self.durations_, self.bandwidths_, strict=True)
        ]
        return softmax(np.column_stack(log_density), axis=1)

    def predict(self, X) -> np.ndarray:
        """Return the likeliest label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def _only_column(X: np.ndarray) -> np.ndarray:
    if X.shape[1] != 1:
        raise ValueError(f"DurationClassifier takes one column, the duration; got {X.shape[1]}.")
    return X[:, 0]


def _candidate_bandwidths(duration: np.ndarray) -> np.ndarray:
    """Bandwidths to choose from, s, ascending.

    None is below the step at which durations were annotated (at least 1 µs): a narrower kernel
    would see only ties.
    """
    steps = np.diff(np.unique(np.round(duration, 6)))
    step = steps.min() if steps.size else 1e-3
    return np.maximum(BANDWIDTHS * duration.std(), step)


def _best_bandwidth(trials: np.ndarray, widths: np.ndarray) -> float:
    """Choose the bandwidth under which each trial is likeliest given the others.

    A single trial has no others; it is taken to scatter like all trials of all classes.
    """
    if trials.size == 1:
        return float(widths[-1])
    every = -(-trials.size // CHOOSERS)
    trials = trials[::every]
    squares = (trials[:, None] - trials) ** 2
    np.fill_diagonal(squares, np.inf)
    mistaken = np.log(MISTAKEN / widths[-1])
    likelihood = []
    for width in widths:
        others = logsumexp(-0.5 * squares / width**2, axis=1) - np.log((trials.size - 1) * width)
        likelihood.append(np.logaddexp(others, mistaken).sum())
    return float(widths[np.argmax(likelihood)])
