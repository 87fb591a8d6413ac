"""Numbers one can believe: against scikit-learn, brute force and simulation."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, mutual_info_score

from neuro2voc import evaluation
from neuro2voc.errors import DataError
from neuro2voc.evaluation import (
    balanced_accuracy,
    confusion,
    gain_over_bouts,
    information_bits,
    interval_over_bouts,
    p_value,
    smallest_effect,
    summary,
)

LABELS = list("abcd")

trials = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS), st.integers(0, 4)),
    min_size=1,
    max_size=40,
).map(lambda rows: tuple(map(np.array, zip(*rows, strict=True))))


def plug_in_bits(matrix):
    truth, prediction = (
        np.repeat(i, matrix.ravel()) for i in np.indices(matrix.shape).reshape(2, -1)
    )
    return mutual_info_score(truth, prediction) / np.log(2)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(trials)
def test_confusion_and_balanced_accuracy_agree_with_sklearn(rows):
    truth, prediction, _ = rows
    matrix = confusion(truth, prediction, LABELS)
    np.testing.assert_array_equal(matrix, confusion_matrix(truth, prediction, labels=LABELS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sklearn warns of predicted labels that were never true
        expected = balanced_accuracy_score(truth, prediction)
    assert balanced_accuracy(matrix) == pytest.approx(expected)


def test_balanced_accuracy_works_on_stacks_and_on_nothing():
    stack = np.stack([np.eye(3, dtype=int) * 4, np.ones((3, 3), int), np.zeros((3, 3), int)])
    np.testing.assert_allclose(balanced_accuracy(stack), [1, 1 / 3, np.nan])
    assert balanced_accuracy(stack.reshape(3, 1, 3, 3)).shape == (3, 1)
    # A class that is never sung does not count, a class that is never predicted does.
    assert balanced_accuracy([[2, 0, 2], [0, 0, 0], [0, 0, 4]]) == pytest.approx(0.75)


def test_confusion_refuses_unknown_labels_and_unequal_lengths():
    with pytest.raises(DataError, match="'x' is not among"):
        confusion(["a", "x"], ["a", "a"], LABELS)
    with pytest.raises(DataError, match="2 of truth, 1 of prediction"):
        confusion(["a", "a"], ["a"], LABELS)


def recall_mean(rows):
    """Balanced accuracy as one would say it."""
    recalls = []
    for label in sorted({t for t, _ in rows}):
        of_label = [t == p for t, p in rows if t == label]
        recalls.append(sum(of_label) / len(of_label))
    return sum(recalls) / len(recalls)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(trials)
def test_interval_is_the_brute_force_bootstrap(rows):
    truth, prediction, bouts = rows
    interval = interval_over_bouts(truth, prediction, bouts, LABELS, 20, seed=7, level=0.8)
    names = sorted(set(bouts))
    if len(names) == 1:
        assert np.isnan(interval).all()
        return
    of_bout = [
        [(t, p) for t, p, b in zip(truth, prediction, bouts, strict=True) if b == name]
        for name in names
    ]
    rng = np.random.default_rng(7)
    replicates = []
    for _ in range(20):
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))
        replicates.append(
            recall_mean(sum((r * k for r, k in zip(of_bout, drawn, strict=True)), []))
        )
    np.testing.assert_allclose(interval, np.quantile(replicates, [0.1, 0.9]))


def test_interval_of_three_bouts_is_that_of_all_27_resamples():
    rows = [
        [("a", "a"), ("b", "a")],
        [("a", "a"), ("a", "b")],
        [("b", "b"), ("b", "a"), ("a", "a")],
    ]
    every = [recall_mean(sum(draw, [])) for draw in itertools.product(rows, repeat=3)]
    truth, prediction = zip(*sum(rows, []), strict=True)
    bouts = np.repeat([0, 1, 2], [2, 2, 3])
    interval = interval_over_bouts(truth, prediction, bouts, LABELS, 20_000, seed=1)
    np.testing.assert_allclose(interval, np.quantile(every, [0.025, 0.975], method="inverted_cdf"))


def test_interval_covers_the_truth_when_bouts_differ():
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        bouts = np.repeat(np.arange(30), 9)
        truth = np.tile([0, 1, 2], 90)
        skill = rng.beta(6, 4, 30)[bouts]
        right = rng.random(270) < skill
        prediction = np.where(right, truth, (truth + 1) % 3)
        low, high = interval_over_bouts(truth, prediction, bouts, [0, 1, 2], 300, seed)
        covered.append(low <= 0.6 <= high)
    # 99 % binomial bounds of 0.93, what a percentile interval of 30 bouts can be expected to reach.
    assert 0.88 < np.mean(covered) < 0.985


def test_same_seed_same_interval():
    rng = np.random.default_rng(0)
    truth, prediction = rng.choice(LABELS, (2, 60))
    bouts = np.repeat(np.arange(12), 5)
    first, second, other = (
        interval_over_bouts(truth, prediction, bouts, LABELS, 200, seed) for seed in (1, 1, 2)
    )
    assert first == second != other
    assert first[0] < first[1]


def test_information_without_sampling_error_is_the_plug_in():
    # So many trials that the correction vanishes.
    matrix = np.array([[8, 1, 1], [2, 5, 3], [0, 1, 9]]) * 100_000
    assert information_bits(matrix) == pytest.approx(plug_in_bits(matrix), abs=1e-5)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(trials)
def test_information_is_the_corrected_sum_over_cells(rows):
    matrix = confusion(rows[0], rows[1], LABELS)
    n, used = matrix.sum(), (matrix.sum(axis=0) > 0).sum()
    relevant = [evaluation._relevant_predictions(r, used) for r in matrix.astype(float) if r.sum()]
    for count, row in zip(relevant, matrix[matrix.sum(axis=1) > 0], strict=True):
        assert (row > 0).sum() <= count <= used
    bias = (sum(count - 1 for count in relevant) - (used - 1)) / (2 * n * np.log(2))
    ceiling = np.log2((matrix.sum(axis=1) > 0).sum())
    expected = min(max(plug_in_bits(matrix) - bias, 0), ceiling)
    assert information_bits(matrix) == pytest.approx(expected, abs=1e-9)


def test_relevant_predictions_are_those_seen_when_all_were_seen_often():
    assert evaluation._relevant_predictions(np.array([50.0, 40, 60]), 3) == 3
    # One hundred trials that never left two cells leave little room for others; three trials do.
    assert evaluation._relevant_predictions(np.array([50.0, 50, 0, 0, 0]), 5) == 2
    assert evaluation._relevant_predictions(np.array([1.0, 1, 1, 0, 0, 0]), 6) > 3


@pytest.mark.parametrize(("k", "n"), [(2, 40), (4, 134), (7, 350)])
def test_correction_removes_the_bias_of_independent_data(k, n, monkeypatch):
    # Unfloored, so that errors to both sides are seen.
    monkeypatch.setattr(np, "clip", lambda value, low, high: value)
    rng = np.random.default_rng(k)
    tables = rng.multinomial(n, np.full(k * k, 1 / k**2), size=400).reshape(-1, k, k)
    raw = np.array([plug_in_bits(table) for table in tables])
    corrected = np.array([information_bits(table) for table in tables])
    assert raw.mean() > 0.01
    error = corrected.std() / np.sqrt(len(tables))
    # What second-order terms leave is below a fifteenth of the bias.
    assert abs(corrected.mean()) < raw.mean() / 15 + 3 * error


def test_perfect_and_useless_decoders():
    assert information_bits(np.eye(4, dtype=int) * 9) == pytest.approx(2)
    assert information_bits(np.full((4, 4), 9)) == 0
    assert information_bits([[5, 0], [5, 0]]) == 0
    assert information_bits([[5, 3], [0, 0]]) == 0
    assert np.isnan(information_bits(np.zeros((3, 3), int)))


def test_p_value_counts_the_observed_as_one_of_its_null():
    null = np.linspace(0.1, 0.3, 19)
    assert p_value(0.31, null) == 1 / 20
    assert p_value(0.3, null) == 2 / 20
    assert p_value(0.0, null) == 1
    assert p_value(0.5, []) == 1


def test_p_value_is_valid_under_the_null():
    draws = np.random.default_rng(1).normal(size=(5000, 20))
    p = np.array([p_value(draw[0], draw[1:]) for draw in draws])
    # 99.9 % binomial bounds.
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.0102)
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.0233)


def test_smallest_effect_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    null = rng.normal(0.25, 0.02, 5000)
    rise = smallest_effect(null, 0.25)
    assert rise == pytest.approx((1.6449 + 0.8416) * null.std(ddof=1), rel=1e-4)
    with_effect = rng.normal(0.25 + rise, 0.02, 5000)
    assert (with_effect > 0.25 + norm.ppf(0.95) * 0.02).mean() == pytest.approx(0.8, abs=0.03)


def test_smallest_effect_says_when_nothing_could_be_shown():
    assert np.isnan(smallest_effect([0.3], 0.25))
    assert np.isnan(smallest_effect([0.1, 0.9, 0.2, 0.8], 0.5))
    assert smallest_effect([0.25, 0.25], 0.25) == 0


def test_summary_says_it_all():
    frame = pd.DataFrame(
        {
            "trial": range(8),
            "fold": [0] * 4 + [1] * 4,
            "truth": list("aaabbbcc"),
            "prediction": list("aabbbdcc"),
        }
    )
    found = summary(frame, pd.Series([1, 1, 2, 2, 3, 3, 4, 4], index=range(5, 13)), 100, seed=3)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["accuracy"] == 6 / 8
    assert found["chance"] == pytest.approx(1 / 3)
    assert (found["n_trials"], found["n_bouts"]) == (8, 4)
    assert 0 <= found["low"] <= found["balanced_accuracy"] <= found["high"] <= 1
    assert 0 <= found["bits"] <= np.log2(3)
    assert {type(value) for value in found.values()} == {float, int}


@settings(derandomize=True, max_examples=40, deadline=None)
@given(trials)
def test_summary_holds_for_any_few_trials(rows):
    truth, prediction, bouts = rows
    frame = pd.DataFrame({"truth": truth, "prediction": prediction})
    found = summary(frame, bouts, 50, seed=0)
    assert 0 <= found["balanced_accuracy"] <= 1
    assert 0 <= found["bits"] <= 2
    assert np.isnan(found["low"]) == np.isnan(found["high"]) == (found["n_bouts"] == 1)
    if len(set(truth)) == 1:
        assert found["bits"] == 0
        assert found["chance"] == 1


def test_summary_refuses_nothing_and_mismatch():
    frame = pd.DataFrame({"truth": ["a"], "prediction": ["a"]})
    with pytest.raises(DataError, match="no prediction"):
        summary(frame.iloc[:0], [], 10, seed=0)
    with pytest.raises(DataError, match="2 of bouts"):
        summary(frame, [1, 2], 10, seed=0)


def test_a_gain_is_the_difference_of_two_balanced_accuracies_in_the_same_bouts():
    rng = np.random.default_rng(0)
    bouts, truth = np.repeat(np.arange(12), 20), rng.choice(list("aaab"), 240)
    one, other = (
        np.where(rng.random(240) < share, truth, rng.choice(list("ab"), 240))
        for share in (0.7, 0.4)
    )
    found = gain_over_bouts(truth, (one == truth) * 1.0 - (other == truth), bouts, 200, 5)
    parts = [balanced_accuracy(confusion(truth, told, list("ab"))) for told in (one, other)]
    assert found["gain"] == pytest.approx(parts[0] - parts[1])
    drawn = []
    for weights in np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), size=200):
        rows = np.repeat(np.arange(240), weights[bouts])
        both = [
            balanced_accuracy(confusion(truth[rows], told[rows], list("ab")))
            for told in (one, other)
        ]
        drawn.append(both[0] - both[1])
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found["gain_low"] == pytest.approx(low) and found["gain_high"] == pytest.approx(high)


def test_one_bout_gives_a_gain_no_interval():
    found = gain_over_bouts(["a", "b"], [1, 0], [3, 3], 20, 0)
    assert found["gain"] == 0.5 and np.isnan([found["gain_low"], found["gain_high"]]).all()
