"""Batches for CEBRA: who is drawn together, and that no pair joins two bouts."""

from dataclasses import replace

import cebra.distributions
import numpy as np
import pytest
import torch
from embedding_birds import make_bins
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.bout_bins import SILENCE
from neuro2voc.contrast import CONDITIONS, Partners, batches
from neuro2voc.errors import DataError


@pytest.mark.parametrize("condition", CONDITIONS)
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    apart=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_partners_in_time_lie_in_the_same_bout_and_partners_in_song_in_the_same_syllable(
    condition, lengths, apart, seed
):
    bins = make_bins(lengths, seed=seed % 1000)
    try:
        draw = batches(bins, condition, apart, 0.1)
    except DataError as error:
        assert "apart" in str(error) or "syllables" in str(error)
        return
    reference, positives, negative = draw(64, np.random.default_rng(seed))
    assert len(reference) == len(negative) == 64
    assert len(positives) == (2 if condition == "hybrid" else 1)
    if condition != "behaviour":
        later = positives[-1]
        assert (later == reference + apart).all()
        assert (bins.bout[later] == bins.bout[reference]).all()
    if condition != "time":
        assert (bins.label[positives[0]] == bins.label[reference]).all()
        assert (bins.label[[*reference, *negative]] != SILENCE).all()


def test_behaviour_draws_as_cebra_does():
    bins = make_bins([400], silent=False)
    draw = batches(bins, "behaviour", 5, 0.1)
    reference, (positive,), _ = draw(40_000, np.random.default_rng(0))
    code = np.unique(bins.label, return_inverse=True)[1]
    theirs = cebra.distributions.DiscreteEmpirical(torch.from_numpy(code))
    np.random.seed(0)  # noqa: NPY002 (CEBRA draws these from the global generator)
    drawn = theirs.sample_prior(40_000)
    partner = theirs.sample_conditional(torch.from_numpy(code)[drawn])
    for mine, other in ((reference, drawn), (positive, partner)):
        shares = [np.bincount(rows, minlength=400) / 40_000 for rows in (mine, other.numpy())]
        assert np.abs(shares[0] - shares[1]).max() < 0.0015  # five standard deviations


def test_time_draws_as_cebra_does_where_there_is_one_bout():
    bins = make_bins([100])
    reference, (positive,), negative = batches(bins, "time", 7, 0.1)(5000, np.random.default_rng(0))
    theirs = cebra.distributions.TimeContrastive(time_offset=7, num_samples=100)
    drawn = theirs.sample_prior(5000)
    assert set(reference) | set(negative) == set(drawn.tolist()) == set(range(93))
    assert (theirs.sample_conditional(torch.from_numpy(reference)).numpy() == positive).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_the_nearest_place_is_the_one_that_cebra_finds_by_comparing_with_all(seed):
    bins = make_bins([60, 50], seed=seed)
    partners, rng = Partners(bins), np.random.default_rng(seed)
    sung = np.flatnonzero(bins.sung)
    reference = rng.choice(sung, 50)
    code, place = partners.code[reference], bins.position[reference] + 0.1 * rng.normal(size=50)
    found = partners.nearest(code, place)
    # Syllables ten apart, so that no other's bin is ever the nearest.
    index = np.c_[10.0 * partners.code[sung], bins.position[sung]]
    theirs = cebra.distributions.ContinuousIndex(torch.from_numpy(index))
    other = sung[theirs.search(torch.from_numpy(np.c_[10.0 * code, place])).numpy()]
    assert (partners.code[found] == partners.code[other]).all()
    distance = [np.abs(bins.position[rows] - place) for rows in (found, other)]
    np.testing.assert_allclose(*distance, atol=1e-6)


def test_no_two_bins_so_far_apart_is_a_sentence():
    with pytest.raises(DataError, match="No bout holds two bins that are 0.3 s apart"):
        batches(make_bins([20, 25]), "time", 30, 0.1)


def test_one_syllable_is_a_sentence():
    bins = make_bins([40])
    one = replace(bins, label=np.where(bins.label == "a", "a", SILENCE))
    with pytest.raises(DataError, match="Fewer than two syllables"):
        batches(one, "hybrid", 2, 0.1)
    batches(one, "time", 2, 0.1)(8, np.random.default_rng(0))  # needs none
