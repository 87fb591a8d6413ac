"""Whole bouts in bins: no spike is lost, labels lead, folds come from the clock."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from embedding_birds import make_bird

from neuro2voc.bout_bins import SILENCE, bout_bins
from neuro2voc.errors import DataError
from neuro2voc.recording import Binned
from neuro2voc.splits import NONE
from neuro2voc.surrogates import surrogate

WIDTH, LEAD = 0.01, 0.03


@pytest.fixture(scope="module")
def bird():
    return make_bird()


def test_bins_hold_every_spike_of_their_bout_once(bird):
    recording, trials, split = bird
    bins = bout_bins(recording, trials, split, WIDTH, LEAD)
    assert len(bins.pieces) == trials["bout"].nunique()
    for piece in bins.pieces:
        begin, end = bins.time[piece.start], bins.time[piece.stop - 1] + WIDTH
        np.testing.assert_allclose(np.diff(bins.time[piece]), WIDTH, atol=1e-9)
        for unit, train in enumerate(recording.units.spike_times):
            inside = ((train >= begin - 1e-9) & (train < end - 1e-9)).sum()
            assert bins.activity[piece, unit].sum() == inside


def test_a_bout_begins_a_lead_before_its_first_syllable_and_ends_with_its_last(bird):
    recording, trials, split = bird
    bins = bout_bins(recording, trials, split, WIDTH, LEAD)
    for bout, song in trials.groupby("bout"):
        mine = bins.time[bins.bout == bout]
        assert mine[0] == pytest.approx(song["onset"].min() - LEAD)
        assert (
            song["offset"].max() - WIDTH <= mine[-1] + WIDTH + 1e-9 <= song["offset"].max() + 2e-9
        )


def test_labels_are_those_of_a_loop_over_the_syllables_sung_a_lead_later(bird):
    recording, trials, split = bird
    bins = bout_bins(recording, trials, split, WIDTH, LEAD)
    for row in range(0, len(bins), 7):
        sung = bins.time[row] + WIDTH / 2 + LEAD
        here = trials[(trials["onset"] <= sung) & (sung < trials["offset"])]
        assert bins.label[row] == (here["label"].iat[0] if len(here) else SILENCE)
        if len(here):
            through = (sung - here["onset"].iat[0]) / (here["offset"] - here["onset"]).iat[0]
            assert bins.position[row] == pytest.approx(through, abs=1e-9)
        else:
            assert np.isnan(bins.position[row])


def test_a_bout_has_the_fold_of_its_trials_and_of_nobody_where_a_guard_cuts_it(bird):
    recording, trials, split = bird
    bins = bout_bins(recording, trials, split, WIDTH, LEAD)
    assert set(bins.fold) == {0, 1, 2}
    first = split[split["guard"] == 0].iloc[0]
    held = trials[(trials["onset"] >= first["start"]) & (trials["offset"] <= first["stop"])]
    assert set(bins.bout[bins.fold == first["fold"]]) == set(held["bout"])
    song = trials[trials["bout"] == 0]
    cut = split.assign(start=split["start"].replace(first["start"], song["onset"].min() - 0.01))
    assert (bout_bins(recording, trials, cut, WIDTH, LEAD).fold[bins.bout == 0] == NONE).all()


@pytest.mark.parametrize("kind", ["shifted", "shuffled", "poisson"])
def test_surrogates_have_the_same_bins_with_other_activity_or_other_labels(bird, kind):
    recording, trials, split = bird
    bins = bout_bins(recording, trials, split, WIDTH, LEAD)
    other = surrogate(recording, kind, 1, trials)
    changed = trials.assign(label=other.syllables["label"]) if kind == "shuffled" else trials
    moved = bout_bins(other, changed, split, WIDTH, LEAD)
    assert (moved.time == bins.time).all() and (moved.bout == bins.bout).all()
    assert (moved.label == bins.label).all() == (kind != "shuffled")
    assert (moved.activity == bins.activity).all() == (kind == "shuffled")


@pytest.mark.parametrize("additive", [True, False])
def test_activity_in_other_bins_keeps_its_sum_or_its_level(bird, additive):
    recording, trials, split = bird
    rate, length = 30.0, recording.sessions["stop_time"].max()
    values = np.random.default_rng(0).random((int(length * rate), 3)).astype(np.float32)
    table = pd.DataFrame(index=pd.Index(range(3), name="unit"))
    binned = Binned(values, rate, 0.0, table, additive)
    bins = bout_bins(recording.with_units(binned), trials, split, WIDTH, LEAD)
    steady = replace(binned, values=np.full_like(values, 2.0))
    even = bout_bins(recording.with_units(steady), trials, split, WIDTH, LEAD)
    np.testing.assert_allclose(even.activity, 2.0 * rate * WIDTH if additive else 2.0, rtol=1e-4)
    if additive:
        row = bins.pieces[2].start
        begin, end = bins.time[row], bins.time[row] + 20 * WIDTH
        fine = np.repeat(values.astype(float), 1000, axis=0) / 1000
        ticks = slice(round(begin * rate * 1000), round(end * rate * 1000))
        total = bins.activity[row : row + 20].sum(axis=0)
        np.testing.assert_allclose(total, fine[ticks].sum(axis=0), atol=2e-3)


def test_units_that_were_not_observed_are_missing_not_silent(bird):
    recording, trials, split = bird
    whole = np.array([[0.0, 1e4]])
    parts = np.array([[0.0, 10.0], [15.0, 1e4]])
    observed = tuple([parts, *[whole] * (len(recording.units) - 1)])
    other = recording.with_units(replace(recording.units, observed=observed))
    bins = bout_bins(other, trials, split, WIDTH, LEAD)
    middle = bins.time + WIDTH / 2
    gap = (middle >= 10) & (middle < 15)
    assert gap.any() and (np.isnan(bins.activity[:, 0]) == gap).all()
    assert np.isfinite(bins.activity[:, 1:]).all()


def test_what_cannot_be_embedded_ends_in_a_sentence(bird):
    recording, trials, split = bird
    with pytest.raises(DataError, match="bird has no labels, so no embedding"):
        bout_bins(recording, trials.iloc[:0], split, WIDTH, LEAD)
    with pytest.raises(DataError, match="bird has 10 decoded syllables, too few"):
        bout_bins(recording, trials.iloc[:10], split, WIDTH, LEAD)
    with pytest.raises(DataError, match=r"All 12 bouts of bird are shorter than .* 1 bin \(2 s\)"):
        bout_bins(recording, trials, split, 2.0, LEAD)
    with pytest.raises(DataError, match=r"a receptive field of 200 bins \(2 s\); leave it out"):
        bout_bins(recording, trials, split, WIDTH, LEAD, shortest=200)
    random = split.assign(fold=NONE)
    with pytest.raises(DataError, match="choose `embedding: split` among blocked and session"):
        bout_bins(recording, trials, random, WIDTH, LEAD)


def test_bouts_shorter_than_a_receptive_field_are_left_out_and_said(bird, caplog):
    recording, trials, split = bird
    alone = trials.drop(trials.index[(trials["bout"] == 3)][1:])
    bins = bout_bins(recording, alone, split, WIDTH, LEAD, shortest=20)
    assert set(bins.bout) == set(trials["bout"]) - {3}
    assert (
        "1 of 12 bouts of bird are shorter than the longest receptive field (0.2 s)" in caplog.text
    )
    assert set(bout_bins(recording, alone, split, WIDTH, LEAD).bout) == set(trials["bout"])
