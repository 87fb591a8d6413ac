"""Discriminants from sums, against those of scikit-learn and against leaving out one by one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from neuro2voc.discriminant import Discriminant, cross_predict, discriminant, shrinkage, sums
from neuro2voc.errors import DataError
from neuro2voc.predecessors import leave_transition_out, takes_part


def make_trials(n=160, classes=4, columns=6, seed=0):
    """Poisson counts that depend on the syllable; folds in blocks."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, classes, n)
    X = rng.poisson(rng.uniform(1, 5, (classes, columns))[code]).astype(float)
    return X, code, np.arange(n) * 4 // n, rng.integers(0, 3, n)


def test_without_shrinkage_it_is_fishers_discriminant(monkeypatch):
    monkeypatch.setattr("neuro2voc.discriminant.shrinkage", lambda r, n: np.zeros(n.shape))
    X, code, *_ = make_trials()
    weights, bias = discriminant(*sums(X - X.mean(axis=0), code, 4))
    # Fisher's, with the covariance of every class weighed by its trials, as pooling does.
    number = np.bincount(code)
    model = LinearDiscriminantAnalysis(solver="lsqr", priors=number / len(code)).fit(X, code)
    # scikit-learn divides the covariance by the trials, not by the degrees of freedom.
    ours = ((X - X.mean(axis=0)) @ weights + bias) * len(code) / (len(code) - 4)
    theirs = model.decision_function(X) - np.log(number / len(code))
    assert_allclose(np.diff(ours, axis=1), np.diff(theirs, axis=1), rtol=1e-6, atol=1e-8)


def test_shrinkage_is_that_of_scikit_learn():
    X, *_ = make_trials(n=60, columns=40)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    # scikit-learn leaves out the terms of order 2 / columns.
    assert shrinkage(Z.T @ Z / len(Z), np.array(len(Z))) == pytest.approx(oas(Z)[1], rel=0.05)
    assert shrinkage(np.eye(5), np.array(100)) == 1
    strong = np.full((5, 5), 0.9) + 0.1 * np.eye(5)
    assert shrinkage(strong, np.array(10**6)) < 1e-4


def test_scaling_a_unit_changes_no_prediction():
    X, code, fold, _ = make_trials()
    scaled = X * np.array([1, 10, 0.1, 3, 7, 100.0])
    assert_array_equal(cross_predict(X, code, fold), cross_predict(scaled, code, fold))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), columns=st.integers(1, 8))
def test_subtracting_a_transition_is_leaving_it_out(seed, columns):
    X, code, fold, before = make_trials(90, 3, columns, seed)
    X += np.random.default_rng(seed).normal(0, 1e-3, X.shape)  # whole numbers could tie
    trials = pd.DataFrame({"trial": np.arange(90), "label": code.astype(str), "bout": 0})
    trials["previous"] = before.astype(str)
    fit = lambda X, trials: Discriminant().fit(X, trials["label"].to_numpy())  # noqa: E731
    frame = leave_transition_out(X, trials, fold, fit)
    held = np.where(takes_part(trials), fold, -1)
    predicted = cross_predict(X, code, held, 3 * code + before)
    assert_array_equal(np.flatnonzero(predicted >= 0), frame["trial"])
    assert_array_equal(predicted[frame["trial"]].astype(str), frame["prediction"])


def test_a_syllable_of_one_transition_is_not_predicted():
    X, code, fold, before = make_trials()
    before[code == 2] = 0
    predicted = cross_predict(X, code, fold, 4 * before + code)
    assert (predicted[code == 2] == -1).all()
    assert (predicted[code != 2] >= 0).all()


def test_missing_units_take_the_training_mean():
    X, code, fold, _ = make_trials()
    missing, filled = X.copy(), X.copy()
    missing[fold == 1, 2] = np.nan
    filled[fold == 1, 2] = X[fold != 1, 2].mean()
    # Only where fold 1 is tested: elsewhere its trials are trained on, with a mean of other folds.
    asked = fold == 1
    assert_array_equal(
        cross_predict(missing, code, fold)[asked], cross_predict(filled, code, fold)[asked]
    )


def test_trials_of_no_fold_and_silent_units_do_no_harm():
    X, code, fold, _ = make_trials()
    fold = np.where(np.arange(160) < 10, -1, fold)
    quiet = np.column_stack([X, np.zeros(160), np.full(160, np.nan)])
    assert_array_equal(cross_predict(X, code, fold)[:10], -1)
    agree = cross_predict(quiet, code, fold) == cross_predict(X, code, fold)
    assert agree.mean() > 0.95  # two empty columns only change the shrinkage a little


def test_one_class_left_to_train_on_is_refused():
    code = np.array([0, 0, 0, 1, 1, 1])
    with pytest.raises(DataError, match="fewer than two classes"):
        cross_predict(np.ones((6, 2)), code, np.array([0, 0, 0, 1, 1, 1]))
