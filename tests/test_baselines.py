"""Decoders without neurons find what is there without neurons, and no more."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict

from neuro2voc.baselines import duration_only, majority, previous_syllable

LABELS = np.array(list("abcde"))
# Modes of each syllable's duration, s.
NORMAL = ((0.06,), (0.09,), (0.10,), (0.14,), (0.20,))
MULTIMODAL = ((0.05, 0.15), (0.07, 0.10), (0.085, 0.18), (0.12, 0.20))


def draw_durations(modes, n, rng, sd=0.008):
    duration = [rng.normal(rng.choice(centres, n), sd) for centres in modes]
    return np.concatenate(duration)[:, None], np.repeat(LABELS[: len(modes)], n)


def bayes(modes, duration, sd=0.008):
    density = [norm.pdf(duration, centres, sd).mean(axis=1) for centres in modes]
    return LABELS[np.argmax(density, axis=0)]


@pytest.mark.parametrize("modes", [NORMAL, MULTIMODAL], ids=["normal", "multimodal"])
@pytest.mark.parametrize(("n", "loss"), [(20, 0.035), (60, 0.02), (200, 0.01)])
def test_duration_comes_near_bayes(modes, n, loss):
    lost = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        fitted = duration_only().fit(*draw_durations(modes, n, rng))
        new, truth = draw_durations(modes, 2000, rng)
        best = balanced_accuracy_score(truth, bayes(modes, new))
        lost.append(best - balanced_accuracy_score(truth, fitted.predict(new)))
    assert np.mean(lost) < loss


def test_duration_copes_with_unequal_classes():
    rng = np.random.default_rng(0)
    many, few = rng.normal(0.10, 0.01, 400), rng.normal(0.12, 0.01, 20)
    fitted = duration_only().fit(np.r_[many, few][:, None], ["a"] * 400 + ["b"] * 20)
    assert fitted.predict([[0.106], [0.116]]).tolist() == ["a", "b"]


def test_duration_copes_with_mistakes_and_with_coarse_annotation():
    rng = np.random.default_rng(0)
    train, labels = draw_durations(NORMAL, 60, rng)
    new, truth = draw_durations(NORMAL, 2000, rng)
    clean = balanced_accuracy_score(truth, duration_only().fit(train, labels).predict(new))
    mistaken = train.copy()
    mistaken[::40] = rng.uniform(0.02, 0.5, mistaken[::40].shape)
    coarse = 0.004 * np.round(train / 0.004)
    for spoilt in (mistaken, coarse):
        fitted = duration_only().fit(spoilt, labels)
        assert balanced_accuracy_score(truth, fitted.predict(new)) > clean - 0.03


def test_duration_without_information_is_at_chance():
    rng = np.random.default_rng(0)
    duration, labels = rng.normal(0.1, 0.01, (500, 1)), np.repeat(LABELS, 100)
    predicted = cross_val_predict(duration_only(), duration, labels, cv=5)
    assert balanced_accuracy_score(labels, predicted) == pytest.approx(0.2, abs=0.06)


@pytest.mark.parametrize(
    "duration",
    [
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],  # all alike
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.2],  # and a class of one trial
        [0.1, 0.1, 0.1, 0.1 + 1e-12, 0.3, 0.3],
    ],
)
def test_duration_stays_finite_in_poor_data(duration):
    labels = ["a", "a", "a", "b", "b", "c"]
    fitted = duration_only().fit(np.array(duration)[:, None], labels)
    probability = fitted.predict_proba([[0.1], [0.2], [5.0]])
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1)


def test_duration_of_one_class_and_of_wrong_columns():
    fitted = duration_only().fit([[0.1], [0.2]], ["a", "a"])
    assert fitted.predict([[0.7]]).tolist() == ["a"]
    with pytest.raises(ValueError, match="one column"):
        duration_only().fit([[0.1, 2.0], [0.2, 3.0]], ["a", "b"])


def test_duration_is_the_same_every_time():
    data = draw_durations(NORMAL, 200, np.random.default_rng(0))
    first = duration_only().fit(*data)
    second = clone(first).fit(*data)
    np.testing.assert_array_equal(first.predict_proba(data[0]), second.predict_proba(data[0]))


def test_previous_syllable_learns_the_syntax():
    rng = np.random.default_rng(0)
    # After the start comes a, after a comes b, after b comes c or a.
    after = {"start": ["a"], "a": ["b"], "b": ["c", "c", "c", "a"], "c": ["a"]}
    previous = rng.choice(list(after), 400)
    label = np.array([rng.choice(after[p]) for p in previous])
    frame = pd.DataFrame({"previous": previous})
    fitted = previous_syllable().fit(frame, label)
    new = pd.DataFrame({"previous": ["start", "a", "b", "c", "never heard"]})
    assert fitted.predict(new).tolist()[:4] == ["a", "b", "c", "a"]
    probability = fitted.predict_proba(new)
    assert list(fitted.classes_) == ["a", "b", "c"]
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert probability[1, 1] > 0.9


def test_previous_syllable_is_balanced():
    # b follows everything more rarely than a does, but it follows y more often than it follows x.
    previous = np.repeat(["x", "x", "y", "y"], [90, 10, 60, 40])[:, None]
    label = np.repeat(["a", "b", "a", "b"], [90, 10, 60, 40])
    fitted = previous_syllable().fit(previous, label)
    assert fitted.predict([["x"], ["y"]]).tolist() == ["a", "b"]


def test_majority_says_the_commonest():
    fitted = majority().fit(np.zeros((5, 1)), list("abbbc"))
    assert fitted.predict(np.zeros((3, 1))).tolist() == ["b"] * 3
    assert fitted.predict_proba(np.zeros((1, 1))).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("make", [majority, lambda: duration_only()])
def test_classes_are_sorted_and_probabilities_follow_them(make):
    X, y = draw_durations(NORMAL, 20, np.random.default_rng(0))
    fitted = make().fit(X[::-1], y[::-1])
    assert fitted.classes_.tolist() == list("abcde")
    probability = fitted.predict_proba(X)
    assert probability.shape == (100, 5)
    np.testing.assert_array_equal(fitted.classes_[probability.argmax(axis=1)], fitted.predict(X))
