"""What a codec keeps: deviance by hand, planted structure, noise that is only copied, figures."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import poisson
from sklearn.decomposition import NMF
from test_codec import GIVEN, SETTINGS, TRAINING, make_network, parted
from test_figures import check_legible, words

from neuro2voc.binning import Window
from neuro2voc.codec import FittedCodec, code, codec_settings, decode
from neuro2voc.codec_measures import (
    Deviances,
    books_judged,
    codebook_use,
    mixed,
    moved_apart,
    rates_from_others,
    shares_of_mean,
)
from neuro2voc.codec_syllables import boxes, places, syllable_rows
from neuro2voc.codec_table import APART, CODEC, COLUMNS, COUNTS, FACTORS, codec_result
from neuro2voc.deviance import explained, unit_deviance
from neuro2voc.factors import Factors, in_groups
from neuro2voc.figures.codec import draw_codec, headline
from neuro2voc.recording import Binned, Recording
from neuro2voc.splits import NONE, make_split
from neuro2voc.stretches import Stretch, stretches
from neuro2voc.trials import make_trials

WINDOW = Window("onset", "onset", -0.06, 0.06, 0.02)
LEARNING = {**TRAINING, "epochs": 12, "patience": 12}
LEARNS = codec_settings({**GIVEN, "width": 16}, LEARNING, inner_folds=2, seed=3)


@cache
def result_of(shared, syllables=True):
    bird, trials, split, _ = parted(shared)
    if not syllables:
        trials = trials.iloc[:0]
        split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    return bird, codec_result(bird, trials, split, LEARNS, WINDOW, 200, 5)


def rows_of(result, coding):
    return result.table[result.table["coding"] == coding].set_index("codebooks")


# Measures


def test_deviance_is_twice_the_likelihood_lost_against_foreseeing_every_count():
    rng = np.random.default_rng(0)
    y, rate = rng.poisson(0.7, (3, 50)).astype(float), rng.uniform(0.1, 2, (3, 50))
    perfect = poisson.logpmf(y, np.maximum(y, 1e-12)).sum(axis=1)
    lost = perfect - poisson.logpmf(y, rate).sum(axis=1)
    assert_allclose(unit_deviance(y, rate), 2 * lost, atol=1e-6)
    y[1, 10:20] = np.nan
    kept = np.r_[0:10, 20:50]
    assert_allclose(unit_deviance(y, rate)[1], unit_deviance(y[1:2, kept], rate[1:2, kept])[0])


def test_a_silent_unit_is_not_coded_well_by_being_silent():
    silent, rate = np.zeros((1, 100)), np.full((1, 100), 0.5 / 300)
    constant = unit_deviance(silent, rate)
    assert explained(constant, constant) == 0
    assert constant > 0 and np.isnan(explained(np.zeros(1), np.zeros(1)))[0]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_no_constant_explains_more_than_the_mean(seed, units):
    rng = np.random.default_rng(seed)
    y = rng.poisson(0.5, (units, 40)).astype(float) + np.eye(units, 40)
    mean, other = y.mean(axis=1), rng.uniform(0.01, 3, units)
    best, worse = (unit_deviance(y, np.repeat(r[:, None], 40, axis=1)) for r in (mean, other))
    assert (best <= worse + 1e-9).all()


def test_intervals_resample_whole_blocks():
    found = Deviances()
    for block, share in ((1, 0.2), (2, 0.4), (2, 0.6)):
        found.blocks.append(block)
        found.constant.append(np.array([10.0]))
        found.model.append(np.array([10 * (1 - share)]))
    whole, low, high = found.summary(2000, 0)
    found.folds = [0, 0, 1]
    assert_allclose(found.by_fold(), [0.3, 0.6])
    assert whole == pytest.approx(0.4) and low == pytest.approx(0.2) and high == pytest.approx(0.5)
    alone = Deviances([1], [0], [np.array([10.0])], [np.array([8.0])])
    assert alone.summary(10, 0)[0] == pytest.approx(0.2) and np.isnan(alone.summary(10, 0)[1])


def test_codecs_are_judged_at_powers_of_two_and_all():
    assert [books_judged(n) for n in (1, 2, 3, 8, 12)] == [
        *([1], [1, 2], [1, 2, 3], [1, 2, 4, 8], [1, 2, 4, 8, 12])
    ]


def test_perplexity_counts_codes_as_if_all_were_equally_frequent():
    held = np.array([True] * 8 + [False] * 2)
    codes = np.array([0, 1, 2, 3, 0, 1, 2, 3, 7, 7])
    assert codebook_use(codes, held, 16) == (pytest.approx(4), 11)
    assert codebook_use(np.zeros(10, int), held, 16) == (pytest.approx(1), 15)


def test_units_moved_apart_keep_their_activity_and_folds_but_nothing_in_common():
    _, _, _, parts = parted(0.9)
    before = [part.values.copy() for part in parts]
    moved = moved_apart(parts, 2, 1)
    for part, old in zip(parts, before, strict=True):
        assert_array_equal(part.values, old)  # the bird's own is left alone
    for fold in (0, 1, 2):
        own, other = (
            np.concatenate([p.values for p in which if p.fold[0] == fold], axis=1)
            for which in (parts, moved)
        )
        assert_array_equal(np.sort(own), np.sort(other))
        assert _shared(own) > 0.2 > 0.1 > abs(_shared(other))


def _shared(values):
    """Return the mean correlation of units, over 50 ms."""
    whole = values.shape[1] // 5 * 5
    sums = values[:, :whole].reshape(len(values), -1, 5).sum(axis=2)
    return np.corrcoef(sums)[~np.eye(len(values), dtype=bool)].mean()


def test_predictions_are_mixed_with_mean_rates_as_far_as_they_are_wrong():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 2, (3, 4000))
    y, constant = rng.poisson(truth).astype(float), truth.mean(axis=1)
    rates = np.stack([truth[0], rng.uniform(0.2, 2, 4000), 0.5 * truth[2] + 0.5 * constant[2]])
    share = shares_of_mean(y, rates, constant)
    assert share[0] <= 0.1 and share[1] >= 0.8 and share[2] <= 0.1
    assert_allclose(mixed(rates, constant, np.ones(3)), np.repeat(constant[:, None], 4000, axis=1))


def test_each_unit_is_foretold_from_codes_that_it_had_no_part_in():
    _, result = result_of(0.9)
    codec = result.codecs[0]
    groups = in_groups(6)
    assert sorted(np.concatenate(groups)) == list(range(6)) and in_groups(1) == []
    values = parted(0.9)[3][0].values
    for group in groups:
        other = values.copy()
        other[group] += 5
        changed = rates_from_others(codec, other)[group]
        assert_allclose(changed, rates_from_others(codec, values)[group], rtol=1e-5)


def test_factors_are_those_of_scikit_learn_and_hide_units_too():
    rng = np.random.default_rng(0)
    windows = rng.poisson(0.6, (12, 4, 20)).astype(np.float32)
    factors = Factors(windows, 2, 3, 7)
    patches = windows.transpose(1, 0, 2).reshape(4, -1, 2).transpose(1, 0, 2).reshape(-1, 8)
    model = NMF(3, beta_loss="kullback-leibler", solver="mu", max_iter=100, random_state=7).fit(
        patches.astype(float)
    )
    assert_allclose(factors.basis, model.components_, rtol=1e-6)
    values = windows[0]
    louder = values.copy()
    louder[2] += 9
    assert_allclose(factors.rates_from_others(values)[2], factors.rates_from_others(louder)[2])
    assert (factors.rates(values) != factors.rates(louder)).any()
    assert factors.rates(values).shape == values.shape


# Whole results


def test_structure_that_units_share_is_found_and_more_than_copied():
    _, result = result_of(0.9)
    own, apart = rows_of(result, CODEC), rows_of(result, APART)
    assert own.loc[3, "low"] > apart.loc[3, "high"]
    assert own.loc[3, "others_low"] > 0.03 > apart.loc[3, "others_high"]
    assert (own["explained"].diff().dropna() > 0).all()
    assert_allclose(own["bits"], [150, 300, 450])
    assert (own["bits_used"] <= own["bits"] + 1e-6).all()
    assert list(result.table.columns) == COLUMNS
    # Codes of hidden units are of no use unless units share something; factors foretell as well.
    assert rows_of(result, FACTORS)["others"].iat[0] > 0.03


def test_of_neurons_that_know_nothing_codes_copy_noise_and_foretell_nothing():
    _, result = result_of(0.0)
    own, apart = rows_of(result, CODEC), rows_of(result, APART)
    assert own.loc[3, "others"] < 0.005 and own.loc[3, "others_low"] <= 0
    # What is copied is copied of units moved apart as well.
    assert own.loc[3, "explained"] > 0.03
    assert abs(own.loc[3, "explained"] - apart.loc[3, "explained"]) < 0.05
    assert own.loc[3, "folds_above"] < 3 or own.loc[3, "low"] <= apart.loc[3, "high"]
    # A code cannot make counts likelier by more bits than it has.
    assert (own["bits_gained"] <= own["bits_used"]).all()
    kept = own.loc[3]
    assert kept["accuracy_low"] <= max(kept["null_high"], kept["chance"])


def test_syllables_are_decoded_from_counts_and_from_rates_of_the_same_time():
    bird, trials, _, parts = parted()
    used = trials[trials["used"] == 1]
    place = places(parts, used, WINDOW, 0.01)
    assert (place[:, 0] >= 0).all()
    found = boxes([part.values for part in parts], place, WINDOW, 0.01)
    assert found.shape == (len(used), 6 * 6)
    for row, (number, first) in zip(found[:20], place[:20], strict=True):
        begin = parts[number].start + 0.01 * first
        edges = begin + 0.02 * np.arange(7)
        counts = [np.histogram(times, edges)[0] for times in bird.units.spike_times]
        assert_array_equal(row.reshape(6, 6), counts)
    late = Stretch(0.0, np.zeros((2, 10)), np.zeros(5), np.zeros(5))
    assert (places([late], used, WINDOW, 0.01) == -1).all()


def test_syllables_are_decoded_through_the_codec_that_never_saw_their_fold():
    _, trials, split, parts = parted()
    used = trials[trials["used"] == 1]
    codecs = {fold: FittedCodec(make_network(fold, 6), (), 0.01) for fold in range(4)}
    codes = {
        fold: [code(codec.network, part.values) for part in parts] for fold, codec in codecs.items()
    }

    def rows(names):
        """Rows with the folds 0, 1, 2 named otherwise, fold 0 then having a codec but no trials."""
        named = {0: 3} | {name: fold for fold, name in enumerate(names)}
        own = ({name: what[fold] for name, fold in named.items()} for what in (codecs, codes))
        other = split.assign(fold=split["fold"].replace(dict(enumerate(names))))
        return syllable_rows(parts, *own, [3], used, other, WINDOW, 20, 1, 2)

    expected = rows([0, 1, 2])
    assert expected[1]["n_trials"] == len(used)
    assert rows([1, 4, 5]) == expected


def test_syllables_that_units_follow_are_kept_and_unlabelled_birds_have_none():
    bird, result = result_of(0.0)
    trials = make_trials(bird, 0.5, [], 3)
    # Unit k fires at the k-th label's onsets.
    trains = [
        np.sort(np.r_[times[::4], trials.loc[trials["label"] == label, "onset"] + 0.012])
        for times, label in zip(bird.units.spike_times, "abcdab", strict=True)
    ]
    tuned = bird.with_units(replace(bird.units, spike_times=tuple(trains)))
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    found = codec_result(tuned, trials, split, LEARNS, WINDOW, 200, 5)
    kept, counts = rows_of(found, CODEC).loc[3], rows_of(found, COUNTS).loc[0]
    assert counts["balanced_accuracy"] > 0.8 and counts["chance"] == 0.25
    assert kept["accuracy_low"] > max(kept["null_high"], 0.3)
    assert kept["balanced_accuracy"] <= counts["balanced_accuracy"]
    silent = result_of(0.0, syllables=False)[1]
    assert silent.table["balanced_accuracy"].isna().all()
    assert set(silent.table["n_blocks"].dropna()) == {3}


def test_levels_of_activity_are_coded_too_and_a_unit_alone_has_no_others():
    rng = np.random.default_rng(1)
    time = np.arange(900) / 30
    wave = np.clip(np.sin(2 * np.pi * time[:, None] / 0.7 + np.arange(4)), 0, 1)
    values = (wave + rng.exponential(0.05, (900, 4))).astype(np.float32)
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [30.0]})
    for units in (4, 1):
        table = pd.DataFrame(index=pd.RangeIndex(units, name="unit"))
        activity = Binned(values[:, :units], 30.0, 0.0, table, False)
        none = parted()[1].iloc[:0]
        bird = Recording("levels", activity, none, sessions)
        split = make_split("blocked", none, sessions, 3, 0.5, 0)
        how = replace(LEARNS if units > 1 else SETTINGS, window=0.3)
        found = codec_result(bird, none, split, how, WINDOW, 50, 2)
        own = rows_of(found, CODEC)
        assert (own.loc[3, "explained"] > 0.1 or units == 1) and found.bin == pytest.approx(1 / 30)
        assert np.isnan(own.loc[3, "others"]) == (units == 1)
        figure = draw_codec(found, bird, LEARNS, "blocked")
        check_legible(figure)
        text = words(figure).replace("\n", " ")
        assert "quasi-likelihood" in text
        assert ("there is one unit only" in text) == ("all is copied" in text) == (units == 1)


def test_examples_are_held_out_rates_picked_by_rank():
    bird, result = result_of(0.9)
    _, trials, split, _ = parted(0.9)
    parts = stretches(bird, trials, split, 0.01, 2, 0.11)
    shares = [example.explained for example in result.examples]
    assert shares == sorted(shares) and len(shares) == 3
    for example in result.examples:
        (part,) = [p for p in parts if -1e-6 < example.start - p.start < p.values.shape[1] / 100]
        first = round((example.start - part.start) / 0.01)
        shown = slice(first, first + example.counts.shape[1])
        assert_array_equal(example.counts, part.values[:, shown])
        own = result.codecs[part.fold[first // 2]]
        expected = decode(own, code(own.network, part.values))[:, shown]
        assert_allclose(example.rates, expected, rtol=1e-5)


def test_the_figure_says_what_is_copied_and_what_is_shared():
    bird, result = result_of(0.9)
    figure = draw_codec(result, bird, LEARNS, "blocked")
    check_legible(figure)
    text = words(figure).replace("\n", " ")
    for part in (
        "simulated",
        "the rest is shared",
        "450 bit/s",
        "split 'blocked'",
        "chance (0.25)",
    ):
        assert part in text, part
    bird, result = result_of(0.0)
    check_legible(draw_codec(result, bird, LEARNS, "blocked"))
    text = " ".join(headline(result, bird))
    assert "nothing certain" in text and "not told from permuted labels" in text
    control = replace(bird, surrogate="poisson", parent="bird", replicate=1)
    assert headline(result, control)[0].startswith("A control")


def test_a_collapsed_codebook_is_named():
    bird, result = result_of(0.9)
    books = result.books.assign(perplexity=[6.0, 1.2, 1.0], dead=[0.0, 6, 7])
    text = " ".join(headline(replace(result, books=books), bird))
    assert "Collapsed: codebooks 2, 3" in text
    figure = draw_codec(replace(result, books=books), bird, LEARNS, "blocked")
    check_legible(figure)
    assert "†: codes that no frame took" in words(figure).replace("\n", " ")
    assert "Collapsed" not in " ".join(headline(result, bird))


def test_the_same_inputs_give_the_same_tables():
    bird, trials, split, _ = parted(0.9)
    quick = replace(SETTINGS, seed=2)
    one, two = (codec_result(bird, trials, split, quick, WINDOW, 20, 2) for _ in range(2))
    for name in ("table", "units", "books", "losses"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))


def test_guards_take_no_part():
    bird, trials, split, parts = parted(0.9)
    assert all((part.fold != NONE).all() for part in parts)
    late = split.assign(start=split["start"] + 1)  # its first bouts begin in no fold
    found = codec_result(bird, trials, late, replace(SETTINGS, seed=2), WINDOW, 20, 2)
    whole = sum(len(part.fold) for part in stretches(bird, trials, split, 0.01, 2, 0.11))
    assert found.table["n_frames"].iloc[0] < whole
