"""Differences over bouts: against a loop, and of decoders that do not differ."""

import numpy as np
import pandas as pd
import pytest

from neuro2voc.differences import difference_over_bouts
from neuro2voc.evaluation import balanced_accuracy, confusion

LABELS = list("abc")


def make_frames(number, right, bouts=12, seed=0):
    """Predictions that are right with a probability, else any label; and their trials."""
    rng = np.random.default_rng(seed)
    trials = pd.DataFrame({"trial": np.arange(100, 100 + 9 * bouts)})
    trials["bout"] = 7 + np.arange(9 * bouts) // 9
    truth = rng.choice(LABELS, 9 * bouts)
    said = [
        np.where(rng.uniform(size=len(truth)) < right, truth, rng.choice(LABELS, len(truth)))
        for _ in range(number)
    ]
    return [trials[["trial"]].assign(truth=truth, prediction=one) for one in said], trials


def score(frame):
    return balanced_accuracy(confusion(frame["truth"], frame["prediction"], LABELS))


def test_difference_is_that_of_the_mean_scores():
    (a, b, c), trials = make_frames(3, 0.5)
    found = difference_over_bouts([a], [b, c], trials, 50, 1)
    assert found.mean == pytest.approx(score(a) - (score(b) + score(c)) / 2)
    assert found.low <= found.mean <= found.high
    back = difference_over_bouts([b, c], [a], trials, 50, 1)
    np.testing.assert_allclose([back.low, back.high], [-found.high, -found.low])


def test_interval_is_that_of_a_loop_over_resampled_bouts():
    (a, b), trials = make_frames(2, 0.6, bouts=5)
    found = difference_over_bouts([a], [b], trials, 40, 3)
    weights = np.random.default_rng(3).multinomial(5, np.full(5, 0.2), size=40)
    draws = []
    for weight in weights:
        rows = np.repeat(np.arange(len(trials)), weight[trials["bout"] - 7])
        draws.append(score(a.iloc[rows]) - score(b.iloc[rows]))
    np.testing.assert_allclose([found.low, found.high], np.quantile(draws, [0.025, 0.975]))


def test_a_decoder_does_not_differ_from_itself_and_one_bout_has_no_interval():
    (a, b), trials = make_frames(2, 0.6)
    same = difference_over_bouts([a], [a], trials, 50, 1)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    one = difference_over_bouts([a], [b], trials.assign(bout=0), 50, 1)
    assert np.isnan([one.low, one.high]).all()
    assert one.mean == pytest.approx(score(a) - score(b))
