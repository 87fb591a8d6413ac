"""What each classical decoder promises, beside what all promise (see test_decoding)."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfTransformer

from neuro2voc.configuration import DECODERS
from neuro2voc.decoders import make_decoder

LABELS = np.array(["2", "3", "8"])


def make_counts(n=90, units=8, seed=0):
    """Poisson counts; unit k fires more in syllable k, units from the fourth on know nothing."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    rate = np.full((n, units), 2.0)
    rate[np.arange(n), label] = 8.0
    return rng.poisson(rate).astype(float), LABELS[label]


@pytest.mark.parametrize("feature", ["count", "tfidf"])
@pytest.mark.parametrize("name", DECODERS)
def test_labels_that_look_like_numbers_stay_words(name, feature):
    X, label = make_counts()
    model = make_decoder(name, 0, feature)[0].fit(X[:60], label[:60])
    said = model.predict(X[60:])
    assert set(said) <= set(LABELS)
    assert model.classes_.tolist() == LABELS.tolist()
    assert (said == label[60:]).mean() > 0.8


@pytest.mark.parametrize("name", DECODERS)
def test_units_that_were_not_observed_or_never_fired_are_borne(name):
    X, label = make_counts()
    X[:45, 4] = np.nan  # in half of the trials
    X[:, 5] = np.nan  # never observed
    X[:, 6] = 0
    for feature in ("count", "tfidf"):
        model = make_decoder(name, 0, feature)[0].fit(X[:60], label[:60])
        # Chance is 1/3: more than 20 of 30 by accident have a probability below 1e-3.
        assert (model.predict(X[60:]) == label[60:]).mean() > 20 / 30


@pytest.mark.parametrize("name", DECODERS)
def test_tfidf_is_weighed_by_the_trials_trained_on_and_no_others(name):
    """One test trial says nothing of the weights that the others get."""
    X, label = make_counts()
    model = make_decoder(name, 0, "tfidf")[0].fit(X[:60], label[:60])
    # Weights are those of the training trials, by scikit-learn's own definition.
    expected = TfidfTransformer().fit(X[:60]).idf_
    np.testing.assert_array_equal(model["tfidf"].idf_, expected)
    assert (TfidfTransformer().fit(X).idf_ != expected).any()
    changed = X.copy()
    changed[60] = [0, 0, 0, 0, 0, 0, 0, 500]
    if hasattr(model, "predict_proba"):
        before, after = model.predict_proba(X[61:]), model.predict_proba(changed[60:])[1:]
        np.testing.assert_allclose(before, after, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X[61:]), model.predict(changed[60:])[1:])


def test_tfidf_is_the_product_of_frequency_and_rarity_at_length_one():
    """By hand: idf = 1 + ln((1 + n) / (1 + trials with a spike)), then unit length."""
    X = np.array([[2.0, 0.0, 1.0], [1.0, 3.0, 0.0], [4.0, 0.0, 0.0]])
    pipeline = make_decoder("logistic", 0, "tfidf")[0]
    seen = clone(pipeline[:3]).fit_transform(X)
    weighed = X * (1 + np.log(4 / (1 + np.array([3, 1, 1]))))
    np.testing.assert_allclose(seen, weighed / np.linalg.norm(weighed, axis=1, keepdims=True))
    assert not isinstance(seen, csr_matrix)


def test_without_tfidf_nothing_is_weighed():
    assert "tfidf" not in make_decoder("svm", 0, "count")[0].named_steps


def test_one_spike_does_not_exclude_a_syllable_in_which_a_unit_was_silent():
    """Unit 7 fires now and then, but not in the "2" of training; three units outweigh its spike."""
    X, label = make_counts()
    X[:, 7] = (label != "2") & (np.arange(len(label)) % 5 == 0)
    model, grid = make_decoder("bayes", 0)
    trial = X[label == "2"].mean(axis=0)
    trial[7] = 1
    chances = [
        model.set_params(model__var_smoothing=floor).fit(X, label).predict_proba(trial[None])[0, 0]
        for floor in grid["model__var_smoothing"]
    ]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.1
    assert chances[-1] < 1e-6


def test_a_forest_depends_on_its_seed_alone():
    X, label = make_counts()
    first, again, other = (
        make_decoder("forest", seed)[0].fit(X, label).predict_proba(X) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("name", ["bayes", "lda", "forest"])
def test_a_syllable_seen_once_in_training_is_borne(name):
    X, label = make_counts()
    keep = np.r_[np.flatnonzero(label != "8"), np.flatnonzero(label == "8")[:1]]
    model = make_decoder(name, 0)[0].fit(X[keep], label[keep])
    assert model.classes_.tolist() == LABELS.tolist()
    assert np.isfinite(model.predict_proba(X)).all()
    assert (model.predict(X)[label != "8"] == label[label != "8"]).mean() > 0.7
