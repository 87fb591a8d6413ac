"""Canonical correlation: against closed forms, at chance on noise, and on what was planted."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from scipy.stats import binom
from singing import SMALL, make_bird
from test_figures import check_legible, points, words

from neuro2voc import canonical
from neuro2voc.canonical import (
    Latents,
    canonical_axes,
    centred,
    correlations,
    intervals,
    permutations,
    variates,
    whitened,
)
from neuro2voc.canonical_table import COLUMNS, RENDITIONS, SYLLABLES, canonical_table, judged
from neuro2voc.curves import Protocol
from neuro2voc.errors import DataError
from neuro2voc.figures.canonical import draw_canonical
from neuro2voc.frames import make_frames
from neuro2voc.recording import Units
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split

WARPING = {"lead": 0.035, "smoothing": 0.01}
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 2}


@pytest.fixture
def no_ridge(monkeypatch):
    monkeypatch.setattr(canonical, "RIDGE", 0.0)


def both_ways(activity, sound, group, folds, components=20):
    """Latents of each fold, and in sample, as `canonical_table` makes them."""
    every = np.arange(len(group))
    parts = [(every[folds != k], every[folds == k]) for k in np.unique(folds)]
    parts.append((every, every))
    values = [centred(each, group) for each in (activity, sound)]
    latents = [
        Latents(*(whitened(each, part[0], components) for each in values), *part) for part in parts
    ]
    return latents[:-1], latents[-1:]


def test_in_sample_they_are_the_cosines_between_subspaces(no_ridge):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 6))
    y[:, 0] += x[:, 1]
    group = np.zeros(50, dtype=int)
    _, whole = both_ways(x, y, group, np.arange(50) % 2)
    found = correlations(whole, np.arange(50)[None])[0]
    cosines = np.cos(subspace_angles(x - x.mean(0), y - y.mean(0)))
    assert_allclose(found, np.sort(cosines)[::-1], atol=1e-10)


def test_held_out_they_are_those_of_a_loop_over_folds_and_permutations():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 7)), rng.normal(size=(30, 5))
    folds, group = np.arange(30) // 10, np.arange(30) // 5
    latents, _ = both_ways(x, y, group, folds, 3)
    orders = permutations(group, 4, 0)
    found = correlations(latents, orders)
    for order, row in zip(orders, found, strict=True):
        first, second = [], []
        for each in latents:
            a, b = each.activity, each.sound[order]
            u, _, vt = np.linalg.svd(a[each.train].T @ b[each.train])
            first.append(a[each.test] @ u)
            second.append(b[each.test] @ vt.T)
        u, v = np.concatenate(first), np.concatenate(second)
        expected = (u * v).sum(0) / np.sqrt((u**2).sum(0) * (v**2).sum(0))
        assert_allclose(row, expected, atol=1e-10)


def test_components_are_those_of_the_training_trials(no_ridge):
    rng = np.random.default_rng(2)
    values, train = rng.normal(size=(40, 6)) * [5, 4, 3, 2, 1, 1], np.arange(30)
    found = whitened(values, train, 3)
    assert_allclose(found[train].T @ found[train] / 30, np.eye(3), atol=1e-10)
    left = np.linalg.svd(values[train], full_matrices=False)[0]
    assert_allclose(np.abs(np.sum(left[:, :3] * found[train], 0)), np.sqrt(30), rtol=1e-6)
    spoilt = values.copy()
    spoilt[35] *= 100
    assert_array_equal(np.delete(whitened(spoilt, train, 3), 35, 0), np.delete(found, 35, 0))
    # More columns than trials take the other way to the same components.
    wide = np.hstack([values, np.zeros((40, 60))])
    assert_allclose(np.abs(whitened(wide, train, 3)), np.abs(found), atol=1e-8)


def test_there_are_no_more_components_than_trials_span():
    values = np.random.default_rng(3).normal(size=(10, 50))
    assert whitened(values, np.arange(4), 20).shape == (10, 4)
    assert whitened(np.ones((10, 3)) * np.arange(10)[:, None], np.arange(10), 20).shape == (10, 1)
    assert whitened(np.zeros((10, 3)), np.arange(5), 20).shape == (10, 0)


def test_the_ridge_keeps_components_that_hardly_vary_small():
    values = np.random.default_rng(4).normal(size=(200, 2)) * [1, 1e-4]
    spread = whitened(values, np.arange(200), 2).std(0)
    assert spread[0] > 0.9 and spread[1] < 1e-2


def test_permutations_stay_in_their_groups():
    group = np.random.default_rng(5).integers(0, 4, 40)
    orders = permutations(group, 200, 1)
    assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(40), (200, 1)))
    assert (group[orders] == group).all()
    alone = np.flatnonzero(group == 2)
    assert (np.bincount(orders[:, alone[0]], minlength=40)[alone] > 0).all()
    assert_array_equal(orders, permutations(group, 200, 1))


def test_centred_groups_have_no_mean():
    rng = np.random.default_rng(6)
    values, group = rng.normal(3, 1, (20, 4)), rng.integers(0, 3, 20)
    found = centred(values, group)
    for k in range(3):
        assert_allclose(found[group == k].mean(0), 0, atol=1e-12)
        assert_allclose(np.diff(found[group == k], axis=0), np.diff(values[group == k], axis=0))


def draw(seed, trials=60, shared=0.0, by_label=0.0, drift=0.0, labels=3, columns=5):
    """Activity and sound with a shared part per trial, per label, or per block of time."""
    rng = np.random.default_rng(seed)
    label, block = np.arange(trials) % labels, np.arange(trials) * 3 // trials
    activity, sound = rng.normal(size=(2, trials, columns))
    for strength, part in (
        (shared, rng.normal(size=trials)),
        (by_label, rng.normal(size=labels)[label]),
        (drift, rng.normal(size=3)[block]),
    ):
        activity[:, 0] += strength * part
        sound[:, 1] += strength * part
    groups = {SYLLABLES: block, RENDITIONS: block * labels + label}
    return activity, sound, groups, block


def least_p(seed, question, number=19, **planted):
    activity, sound, groups, block = draw(seed, **planted)
    held_out, whole = both_ways(activity, sound, groups[question], block)
    return judged(held_out, whole, permutations(groups[question], number, seed))["p"].min()


@pytest.mark.parametrize("question", [SYLLABLES, RENDITIONS])
def test_noise_is_found_significant_once_in_twenty(question):
    found = sum(least_p(seed, question) <= 0.05 for seed in range(200))
    assert found <= binom.ppf(0.99, 200, 0.05)
    assert found >= binom.ppf(0.01, 200, 0.05)


def test_what_a_block_of_time_shares_is_no_correlation():
    found = sum(least_p(seed, RENDITIONS, drift=5.0) <= 0.05 for seed in range(60))
    assert found <= binom.ppf(0.99, 60, 0.05)


def test_the_label_is_followed_across_labels_and_not_within():
    across = [least_p(seed, SYLLABLES, by_label=3.0) for seed in range(20)]
    within = [least_p(seed, RENDITIONS, by_label=3.0) for seed in range(20)]
    # Where the numbers of all three labels happen to be alike, they are not told apart.
    assert np.mean(np.array(across) <= 0.05) > 0.6
    assert np.sum(np.array(within) <= 0.05) <= binom.ppf(0.99, 20, 0.05)


def test_what_renditions_share_is_found_at_its_size():
    activity, sound, groups, block = draw(1, trials=600, shared=2.0)
    held_out, whole = both_ways(activity, sound, groups[RENDITIONS], block)
    table = judged(held_out, whole, permutations(groups[RENDITIONS], 99, 0))
    # Of two unit noises with the same part of twice their size, r is 4 / 5.
    assert table["correlation"][0] == pytest.approx(0.8, abs=0.04)
    assert table["p"][0] == 0.01 and (table["p"][1:] > 0.05).all()
    assert (table["in_sample"] >= table["correlation"] - 0.02).all()


def test_in_sample_correlations_of_noise_are_large_and_held_out_ones_are_not():
    activity, sound, groups, block = draw(2, trials=45, columns=15)
    held_out, whole = both_ways(activity, sound, groups[SYLLABLES], block)
    table = judged(held_out, whole, permutations(groups[SYLLABLES], 50, 0))
    assert table["in_sample"][0] > 0.7 and table["in_sample_null"][0] > 0.7
    assert abs(table["null_mean"][0]) < 0.1


def test_intervals_hold_the_correlation_and_need_two_bouts():
    activity, sound, groups, block = draw(3, trials=300, shared=1.0)
    held_out, _ = both_ways(activity, sound, groups[RENDITIONS], block)
    low, high = intervals(held_out, np.arange(300) // 10, 300, 1)
    found = correlations(held_out, np.arange(300)[None])[0]
    assert low[0] < found[0] < high[0] and 0.05 < high[0] - low[0] < 0.4
    assert np.isnan(intervals(held_out, np.zeros(300), 300, 1)).all()


def test_variates_are_of_held_out_trials_only():
    activity, sound, groups, block = draw(4)
    held_out, _ = both_ways(activity, sound, groups[SYLLABLES], block)
    u, v = variates(held_out[0], np.arange(60)[None])
    assert u.shape == v.shape == (1, 20, 5)
    left, right = canonical_axes(held_out[0].activity[20:], held_out[0].sound[20:])
    assert_allclose(np.abs(u[0]), np.abs(held_out[0].activity[:20] @ left))
    assert_allclose(np.abs(v[0]), np.abs(held_out[0].sound[:20] @ right))


# Simulated birds

FOLLOWING = replace(SMALL, units=40, mua=0.0, bouts=12)


@cache
def parts_of(seed, settings):
    bird, trials = make_bird(seed, settings)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    return bird, trials, split, make_frames(bird, trials, SpectrogramSettings())


def table_of(seed, settings, null=0, number=49):
    protocol = Protocol("lda", "blocked", 3, 100, seed, tuple(range(null)), TRIALS)
    parameters = {"components": 20, "permutations": number}
    return canonical_table(*parts_of(seed, settings), WARPING, parameters, protocol)


def of(table, question):
    return table[table["question"] == question].set_index("pair")


def test_units_that_follow_pitch_and_loudness_are_found_within_labels():
    found = [of(table_of(seed, replace(FOLLOWING, tuning=2.0)), RENDITIONS) for seed in (0, 1)]
    assert all(table["p"].min() <= 0.05 for table in found)
    assert np.mean([table["correlation"].max() for table in found]) > 0.4


def test_birds_whose_neurons_know_nothing_follow_nothing():
    tables = [
        table_of(seed, replace(FOLLOWING, units=16, bouts=6, tuning=0.0), number=19)
        for seed in range(8)
    ]
    for question in (SYLLABLES, RENDITIONS):
        found = sum(of(table, question)["p"].min() <= 0.05 for table in tables)
        assert found <= binom.ppf(0.99, 8, 0.05)


@cache
def judged_bird():
    return parts_of(0, FOLLOWING)[0], table_of(0, FOLLOWING, null=2)


def test_the_table_sets_everything_beside_every_pair():
    _, table = judged_bird()
    assert list(table.columns) == COLUMNS
    syllables, renditions = of(table, SYLLABLES), of(table, RENDITIONS)
    assert syllables["p"][1] == 0.02 and syllables["correlation"][1] > 0.6
    # The label alone gives nearly all of it.
    assert syllables["alike_mean"][1] == pytest.approx(syllables["correlation"][1], abs=0.05)
    assert renditions["alike_mean"].isna().all()
    assert (table["shifted_replicates"] == 2).all()
    assert (table["null_low"] < table["null_mean"]).all()
    assert (table["null_mean"] < table["null_high"]).all()
    assert (table["n_bouts"] == 12).all()


def test_the_same_seed_gives_the_same_table():
    pd.testing.assert_frame_equal(table_of(0, FOLLOWING, null=2), judged_bird()[1])


def test_renditions_that_cannot_be_exchanged_end_in_a_sentence():
    bird, trials, split, frames = parts_of(0, FOLLOWING)
    few = trials[trials["used"] == 1].groupby("label").head(1)
    protocol = Protocol("lda", "blocked", 3, 20, 0, (), TRIALS)
    settings = {"components": 5, "permutations": 19}
    with pytest.raises(DataError, match="no two renditions of a syllable share a session"):
        canonical_table(bird, few, split, frames, WARPING, settings, protocol)


def test_silent_units_end_in_a_sentence():
    bird, trials, split, frames = parts_of(0, FOLLOWING)
    mute = Units(tuple(np.array([0.001]) for _ in range(2)), bird.units.table.iloc[:2])
    protocol = Protocol("lda", "blocked", 3, 20, 0, (), TRIALS)
    settings = {"components": 5, "permutations": 19}
    with pytest.raises(DataError, match="bird: the activity is the same in all renditions"):
        canonical_table(bird.with_units(mute), trials, split, frames, WARPING, settings, protocol)


def test_the_figure_shows_held_out_pairs_their_null_and_what_overfitting_gives():
    bird, table = judged_bird()
    figure = draw_canonical(table, bird, "blocked")
    check_legible(figure)
    for ax, question in zip(figure.axes, (SYLLABLES, RENDITIONS), strict=True):
        rows = of(table, question).loc[1:6]
        assert_allclose(points(ax)[:, 1], rows["correlation"])
        assert_allclose(points(ax, "D")[:, 1], rows["in_sample"])
        assert_allclose(points(ax, "x")[:, 1], rows["in_sample_null"])
        bands = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
        assert_allclose(bands, rows[["null_low", "null_high"]])
    text = words(figure)
    for part in ("simulated", "which syllable is sung", "49 permutations", "2 shifted surrogates"):
        assert part in text


def test_a_surrogate_says_what_it_is():
    bird, table = judged_bird()
    bird = replace(bird, surrogate="shifted", parent="bird")
    bare = table.assign(shifted_low=np.nan, shifted_high=np.nan, shifted_replicates=np.nan, p=1.0)
    figure = draw_canonical(bare, bird, "blocked")
    check_legible(figure)
    text = words(figure)
    assert "no pair should lie above chance" in text and "is not seen to follow" in text
    assert "shifted surrogates" not in text and "p ≤ 0.05" not in text
