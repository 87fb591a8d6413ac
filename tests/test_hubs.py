"""Players and pairs beside surrogates: maxima, intervals, tables, and a planted pair."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, rankdata

from neuro2voc import attribution
from neuro2voc.attribution_tables import describe_players, explanation_tables
from neuro2voc.curves import Protocol
from neuro2voc.hubs import (
    AttributionNull,
    Surrogates,
    against_null,
    attribution_null,
    explain_bird,
    interval_of_sums,
)
from neuro2voc.inclusion import inclusion_table
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.splits import make_split
from neuro2voc.surrogates import share_kept, surrogate
from neuro2voc.trials import make_trials, used_trials

WINDOWS = {
    "premotor": {"align": "onset", "start": -0.04, "stop": 0.04, "bin": 0.08},
    "onset": {"align": "onset", "start": -0.04, "stop": 0.04, "bin": 0.02},
}
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 4}
SHIFTED, INDEPENDENT = tuple(range(9)), tuple(range(100, 119))
PROTOCOL = Protocol("lda", "blocked", 3, 200, 1, SHIFTED, TRIALS, "premotor")
BOUTS, LENGTH = 40, 4.0  # s


@pytest.fixture(autouse=True, scope="module")
def few_rounds():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "MODEL", {**attribution.MODEL, "rounds": 30})
        yield


def make_bird(seed=0):
    """Bouts of abcabc; see `planted`."""
    rng = np.random.default_rng(seed)
    label = np.tile(list("abcabc"), BOUTS)
    onset = (LENGTH * np.arange(BOUTS)[:, None] + 1 + 0.2 * np.arange(6)).ravel()
    syllables = pd.DataFrame(
        {
            "start_time": onset,
            "stop_time": onset + rng.uniform(0.08, 0.1, len(onset)),
            "label": label,
            "session": "s1",
        }
    )
    end = LENGTH * BOUTS
    trains = [
        np.unique(np.r_[planted(onset, count, rng), rng.uniform(0, end, 100)])
        for count in counts(label, rng)
    ]
    table = pd.DataFrame({"depth": 100.0 * np.arange(5)}, index=[f"u{i}" for i in range(5)])
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.0], "stop_time": [end]})
    recording = Recording("bird", Units(tuple(trains), table), syllables, sessions)
    trials = make_trials(recording, **TRIALS)
    return recording, trials, make_split("blocked", trials, sessions, 4, 0.5, 1)


def counts(label, rng):
    """Spikes of u0 and u1, which agree in a and c and differ in b; u2 knows a, u3 c, u4 nothing."""
    state = rng.integers(0, 2, len(label))
    other = np.where(label == "b", 1 - state, state)
    means = [1 + 5 * state, 1 + 5 * other]
    means += [np.where(label == name, 4.0, 1.0) for name in "ac"]
    return [rng.poisson(mean) for mean in [*means, np.full(len(label), 2.0)]]


def planted(onset, count, rng):
    """Spikes within the window of each syllable."""
    times = np.repeat(onset, count)
    return times + rng.uniform(-0.035, 0.035, len(times))


@pytest.fixture(scope="module")
def bird():
    return make_bird()


@pytest.fixture(scope="module")
def judged(bird, few_rounds):
    """A bird's explanation, its null and its three tables."""
    recording, trials, split = bird
    found = explain_bird(recording, trials, split, WINDOWS, PROTOCOL)
    null = attribution_null(recording, trials, split, WINDOWS, PROTOCOL, split, INDEPENDENT)
    return found, null, tables_of(recording, trials, found, null)


def tables_of(recording, trials, found, null, protocol=PROTOCOL):
    inclusion = inclusion_table(recording, {})
    return explanation_tables(recording, found, null, trials, inclusion, WINDOWS, protocol)


# Scores against surrogates


def by_hand(observed, null):
    """The same in loops, for scores that all vary: each row beside all other rows."""
    every = np.vstack([observed, null])
    t = []
    for row, scores in enumerate(every):
        others = np.delete(every, row, axis=0)
        spread = np.sqrt(np.mean((others - others.mean(axis=0)) ** 2, axis=0))
        t.append((scores - others.mean(axis=0)) / (spread + np.median(spread)))
    p = [(1 + sum(max(row) >= score for row in t[1:])) / (1 + len(null)) for score in t[0]]
    return t[0], p


@pytest.mark.parametrize("replicates", [2, 3, 19])
def test_scores_are_studentised_and_seen_beside_the_greatest_of_each_surrogate(replicates):
    rng = np.random.default_rng(replicates)
    scale = rng.uniform(0.1, 10, 6)
    observed, null = rng.normal(size=6) * scale, rng.normal(size=(replicates, 6)) * scale
    observed[2] += 30 * scale[2]
    t, p = against_null(observed, null)
    expected = by_hand(observed, null)
    np.testing.assert_allclose(t, expected[0], atol=1e-9)
    np.testing.assert_array_equal(p, expected[1])
    assert p[2] == 1 / (1 + replicates) and t.argmax() == 2


def test_scores_are_judged_whatever_their_units():
    rng = np.random.default_rng(1)
    observed, null = rng.normal(size=5), rng.normal(size=(9, 5))
    np.testing.assert_allclose(
        against_null(observed, null), against_null(7 * observed + 3, 7 * null + 3)
    )


@pytest.mark.parametrize("spread", ["alike", "unlike", "sparse"])
@pytest.mark.parametrize("shared", [0, 0.9])
def test_p_values_of_birds_without_effect_are_uniform(spread, shared):
    """The least p of all scores, correlated or not, falls below 5 % as often as it says."""
    rng = np.random.default_rng(3)
    birds, replicates, scores = 2000, 19, 12
    least = []
    scale = 1.0 if spread == "alike" else rng.lognormal(0, 2, scores)
    for _ in range(birds):
        every = rng.normal(size=(replicates + 1, scores)) * (1 - shared)
        every = scale * (every + shared * rng.normal(size=(replicates + 1, 1)))
        if spread == "sparse":
            every *= rng.uniform(size=every.shape) < 0.1
        least.append(against_null(every[0], every[1:])[1].min())
    rank = np.array(least) * (replicates + 1)
    # Ties, where nothing varies or is above 0, can only raise p.
    for level in (1, 5, 10):
        below = (rank <= level + 1e-9).sum()
        share = level / (replicates + 1)
        assert below <= binom.ppf(0.995, birds, share)
        assert spread == "sparse" or below >= binom.ppf(0.005, birds, share)


def test_an_effect_on_one_score_does_not_lift_the_others():
    rng = np.random.default_rng(4)
    birds, found = 1000, 0
    for _ in range(birds):
        every = rng.normal(size=(20, 8))
        every[0, 0] += 20
        p = against_null(every[0], every[1:])[1]
        assert p[0] == 0.05
        found += p[1:].min() <= 0.05
    assert found <= binom.ppf(0.995, birds, 0.05)


def test_scores_that_do_not_vary_are_no_finding():
    null = np.random.default_rng(5).normal(size=(9, 4))
    observed = np.array([0.1, 0.1, 5.0, 0.0])
    null[:, :2] = 0.1
    t, p = against_null(observed, null)
    np.testing.assert_allclose(t[:2], 0, atol=1e-9)
    assert (p[:2] == 1).all() and p[2] == 0.1
    t, p = against_null(np.full(3, 0.3), np.full((9, 3), 0.3))
    assert (t == 0).all() and (p == 1).all()


def test_ties_count_against_the_bird():
    observed = np.array([1.0, 0.0])
    null = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    p = against_null(observed, null)[1]
    assert p[0] == 3 / 4 and p[1] == 1


@pytest.mark.parametrize("shape", [(0, 3), (0, 0), (5, 0)])
def test_without_surrogates_or_scores_nothing_is_judged(shape):
    t, p = against_null(np.ones(3 if shape[1] == 3 else 0), np.zeros(shape))
    assert np.isnan(t).all() and np.isnan(p).all() and len(t) == len(p)


# Intervals over bouts


def test_intervals_are_quantiles_of_means_over_drawn_bouts():
    rng = np.random.default_rng(1)
    of_bout, weight = rng.normal(size=(7, 3)), rng.uniform(size=7)
    low, high = interval_of_sums(of_bout, weight, 4000, 1)
    means = []
    for _ in range(4000):
        drawn = rng.integers(0, 7, 7)
        means.append(of_bout[drawn].sum(axis=0) / weight[drawn].sum())
    expected = np.quantile(means, [0.025, 0.975], axis=0)
    np.testing.assert_allclose([low, high], expected, atol=0.1 * np.ptp(expected, axis=0).max())
    again = interval_of_sums(of_bout, weight, 4000, 1)
    np.testing.assert_array_equal([low, high], again)


def test_bouts_that_say_the_same_leave_no_doubt_and_one_bout_says_nothing_of_it():
    weight = np.array([1.0, 2.0, 5.0])
    np.testing.assert_allclose(
        interval_of_sums(weight[:, None] * [2.0, 3.0], weight, 50, 1), [[2, 3]] * 2
    )
    assert np.isnan(interval_of_sums(np.ones((1, 4)), np.ones(1), 50, 1)).all()


# Surrogates


def surrogates(number, units=3):
    rng = np.random.default_rng(number)
    square = rng.uniform(size=(2, number, units, units))
    return Surrogates(np.arange(1, number + 1), rng.uniform(size=(number, 2, units)), *square)


def test_a_surrogate_is_seen_beside_the_others_of_its_kind():
    null = AttributionNull(surrogates(4), surrogates(5), 0.1)
    assert null.pairs is null.independent
    own = null.beside("independent", 2)
    assert own.independent.replicate.tolist() == [1, 3, 4, 5] and own.pairs is own.independent
    assert own.shifted is null.shifted
    for name in ("cells", "absolute", "evidence"):
        np.testing.assert_array_equal(
            getattr(own.independent, name), np.delete(getattr(null.independent, name), 1, axis=0)
        )
    own = null.beside("shifted", 4)
    assert own.shifted.replicate.tolist() == [1, 2, 3] and own.pairs is own.shifted
    assert own.independent is null.independent
    for kind in ("poisson", "shuffled"):
        own = null.beside(kind, 1)
        assert own.shifted is null.shifted and own.pairs is null.shifted
    # One that the loop did not make has nothing to leave out.
    assert len(null.beside("independent", 9).independent.replicate) == 5


def test_the_null_is_what_single_surrogate_birds_would_be(bird, judged):
    recording, trials, split = bird
    null = judged[1]
    assert null.shifted.replicate.tolist() == list(range(1, 10))
    assert null.independent.replicate.tolist() == list(range(1, 20))
    assert null.kept == share_kept(trials, split)
    for kind, row, seed in (("shifted", 3, SHIFTED[3]), ("independent", 7, INDEPENDENT[7])):
        single = surrogate(recording, kind, seed, trials, split)
        found = explain_bird(single, trials, split, WINDOWS, PROTOCOL)
        beside = getattr(null, kind)
        np.testing.assert_array_equal(beside.cells[row], found.cells)
        np.testing.assert_array_equal(beside.absolute[row], found.absolute.mean(axis=0))
        np.testing.assert_array_equal(beside.evidence[row], found.evidence)


def binned(recording, additive):
    edges = np.arange(0, LENGTH * BOUTS + 1e-9, 0.01)
    values = [np.histogram(train, edges)[0] for train in recording.units.spike_times]
    values = np.array(values, dtype=np.float32).T
    return recording.with_units(
        Binned(values if additive else np.sqrt(values), 100.0, 0.0, recording.units.table, additive)
    )


@pytest.mark.parametrize("additive", [True, False])
def test_activity_in_bins_has_no_null_for_pairs(bird, additive, caplog):
    recording, trials, split = bird
    recording = binned(recording, additive)
    protocol = replace(PROTOCOL, null_seeds=SHIFTED[:2])
    found = explain_bird(recording, trials, split, WINDOWS, protocol)
    assert found.balanced_accuracy > 0.5
    with caplog.at_level(logging.INFO):
        null = attribution_null(recording, trials, split, WINDOWS, protocol, split, INDEPENDENT)
    assert "no null for interactions, since its activity is not spikes" in caplog.text
    check_that_pairs_are_not_judged(null, tables_of(recording, trials, found, null))


def check_that_pairs_are_not_judged(null, tables):
    assert len(null.independent.replicate) == 0 and np.isnan(null.kept)
    table, pairs = tables["table"], tables["pairs"]
    for name in ("hub_t", "hub_p", "hub_null_mean", "evidence_p", "evidence_null_high", "kept"):
        assert table[name].isna().all()
    assert table["importance_p"].notna().all() and (table["joint_replicates"] == 0).all()
    for name in ("absolute_p", "absolute_null_mean", "evidence_t", "evidence_p"):
        assert pairs[name].isna().all()
    assert pairs["evidence"].is_monotonic_decreasing


@pytest.mark.parametrize("feature", ["onset", "premotor", "count"])
def test_the_bins_of_a_single_unit_are_its_players(bird, feature, caplog):
    recording, trials, split = bird
    units = recording.units
    recording = recording.with_units(Units(units.spike_times[2:3], units.table[2:3]))
    protocol = replace(PROTOCOL, null_seeds=SHIFTED[:2], feature=feature)
    given = trials, split, WINDOWS, protocol
    found = explain_bird(recording, *given)
    with caplog.at_level(logging.INFO):
        null = attribution_null(recording, *given, split, INDEPENDENT)
    assert "since there is one unit only" in caplog.text
    tables = tables_of(recording, trials, found, null, protocol)
    check_that_pairs_are_not_judged(null, tables)
    table, bins = tables["table"], 4 if feature == "onset" else 1
    assert table["unit"].tolist() == ["u2"] * bins
    assert len(tables["cells"]) == 3 * bins and len(tables["pairs"]) == bins * (bins - 1) // 2
    start = {"onset": [-0.04, -0.02, 0, 0.02], "premotor": [-0.04], "count": [np.nan]}[feature]
    np.testing.assert_allclose(table["start"], start, atol=1e-12)
    np.testing.assert_allclose(
        table["stop"] - table["start"], 0.02 if bins == 4 else 0.08 + 0 * table["start"]
    )
    assert table["rate"].nunique() == 1
    # Its surrogate, which is seen beside the other shifted ones.
    tables_of(recording, trials, found, null.beside("shifted", 1), protocol)


# Tables


def test_the_planted_pair_is_found_and_nothing_else(judged):
    found, null, tables = judged
    pairs, table = tables["pairs"], tables["table"]
    assert pairs.loc[0, ["unit_first", "unit_second"]].tolist() == ["u0", "u1"]
    assert (pairs["evidence_p"] <= 0.05).tolist() == [True] + [False] * 9
    assert pairs.loc[0, "absolute_p"] == 0.05
    assert pairs.loc[0, "evidence"] > 0.02 > pairs.loc[1:, "evidence"].max()
    assert (table["evidence_p"] <= 0.05).tolist() == [True, True, False, False, False]
    # What single units say they say in independent birds too; shifted ones say nothing.
    assert (table["importance_p"][[2, 3]] <= 0.1).all() and table["importance_p"][4] > 0.1
    assert found.balanced_accuracy > 0.7 and 0 < null.kept < 0.1


def test_an_independent_bird_has_no_evident_pair(bird, judged):
    recording, trials, split = bird
    null = judged[1].beside("independent", 1)
    single = surrogate(recording, "independent", INDEPENDENT[0], trials, split)
    found = explain_bird(single, trials, split, WINDOWS, PROTOCOL)
    pairs = tables_of(single, trials, found, null)["pairs"]
    assert (pairs["evidence_p"] > 0.05).all()
    first, second = pairs["first"], pairs["second"]
    np.testing.assert_allclose(pairs["evidence"], found.evidence[first, second])


def test_the_table_of_players_holds_all_that_is_known(bird, judged):
    recording, trials, _ = bird
    found, null, tables = judged
    table = tables["table"]
    assert table["unit"].tolist() == list(recording.units.table.index)
    assert table["depth"].tolist() == list(recording.units.table["depth"])
    np.testing.assert_allclose(table["importance"], found.importance)
    importances = null.shifted.cells.mean(axis=1)
    t, p = against_null(found.importance, importances)
    np.testing.assert_allclose(table["importance_t"], t)
    np.testing.assert_allclose(table["importance_p"], p)
    np.testing.assert_allclose(table["importance_null_high"], importances.max(axis=0))
    hubs = null.independent.absolute.sum(axis=2)
    np.testing.assert_allclose(table["hub"], found.hub)
    np.testing.assert_allclose(table["hub_null_low"], hubs.min(axis=0))
    np.testing.assert_allclose(table["evidence"], found.evidence.sum(axis=1))
    for name in ("hub", "evidence"):
        assert (table[f"{name}_low"] < table[name]).all()
        assert (table[name] < table[f"{name}_high"]).all()
    rate = [len(train) / (LENGTH * BOUTS) for train in recording.units.spike_times]
    np.testing.assert_allclose(table["rate"], rate)
    rho = np.corrcoef(rankdata(table["importance"]), rankdata(rate))[0, 1]
    np.testing.assert_allclose(table["rho_rate"], rho)
    rhos = [np.corrcoef(rankdata(each), rankdata(rate))[0, 1] for each in importances]
    np.testing.assert_allclose(table["rho_rate_null_mean"], np.mean(rhos))
    used = used_trials(trials)
    duration = (used["offset"] - used["onset"]).to_numpy()
    by_unit = [np.corrcoef(rankdata(x), rankdata(duration))[0, 1] for x in found.features.T]
    np.testing.assert_allclose(table["duration_correlation"], by_unit)
    same = {"chance": 1 / 3, "shifted": 9, "joint_replicates": 19, "n_trials": 240, "n_bouts": 40}
    for name, value in same.items():
        assert (table[name] == value).all()
    assert set(table["joint_null"]) == {"independent"}


def test_cells_are_means_over_trials_with_and_without_the_syllable(judged):
    found, null, tables = judged
    cells = tables["cells"]
    assert cells["player"].tolist() == np.repeat(range(5), 3).tolist()
    assert cells["syllable"].tolist() == list("abc") * 5
    truth = found.trials["truth"].to_numpy()
    for row in cells.itertuples():
        number = found.labels.index(row.syllable)
        values = found.of_units[:, row.player, number]
        means = {name: values[truth == name].mean() for name in found.labels}
        assert row.present == pytest.approx(means.pop(row.syllable))
        assert row.absent == pytest.approx(np.mean(list(means.values())))
        each = [np.abs(values[truth == name]).mean() for name in found.labels]
        assert row.absolute == pytest.approx(np.mean(each))
        assert row.null_mean == pytest.approx(null.shifted.cells[:, number, row.player].mean())
    assert cells.loc[cells["t"].idxmax(), ["player", "syllable"]].tolist() in ([2, "a"], [3, "c"])
    assert (cells["p"].min(), cells["null_low"].le(cells["null_high"]).all()) == (0.1, True)


def test_pairs_come_each_once_the_most_evident_first(judged):
    found, null, tables = judged
    pairs = tables["pairs"]
    assert (pairs["first"] < pairs["second"]).all() and len(pairs) == 10
    assert not pairs.duplicated(["first", "second"]).any()
    assert pairs["evidence_t"].is_monotonic_decreasing
    for row in pairs.itertuples():
        each = found.signed[:, row.first, row.second]
        assert row.syllable == found.labels[np.abs(each).argmax()]
        assert row.signed == each[np.abs(each).argmax()]
        assert row.absolute == pytest.approx(found.absolute[:, row.first, row.second].mean())
        assert row.evidence == found.evidence[row.first, row.second]
        beside = null.independent.evidence[:, row.first, row.second].mean()
        assert row.evidence_null_mean == pytest.approx(beside)
        assert (row.depth_first, row.depth_second) == (100 * row.first, 100 * row.second)


def test_trials_in_which_a_unit_was_not_observed_say_nothing_of_durations(bird):
    recording, trials, split = bird
    end, half = LENGTH * BOUTS, LENGTH * BOUTS / 2
    observed = [np.array([[0.0, half]])] + [np.array([[0.0, end]])] * 4
    trains = [
        train[train < spans[-1, 1]]
        for train, spans in zip(recording.units.spike_times, observed, strict=True)
    ]
    recording = recording.with_units(
        replace(recording.units, spike_times=tuple(trains), observed=tuple(observed))
    )
    # Syllables last longer where the unit was lost.
    later = trials["onset"] >= half
    trials = trials.assign(offset=trials["offset"] + 0.05 * later)
    used = used_trials(trials)
    found = explain_bird(recording, trials, split, WINDOWS, PROTOCOL)
    assert np.isnan(found.features[:, 0]).sum() == later.sum() > 100
    empty = AttributionNull(surrogates(0), surrogates(0), np.nan)
    empty = replace(
        empty, shifted=Surrogates(*[np.zeros((0, 3, 5))] * 2, *[np.zeros((0, 5, 5))] * 2)
    )
    table = tables_of(recording, trials, found, empty)["table"]
    early = ~later.to_numpy()
    duration = (used["offset"] - used["onset"]).to_numpy()[early]
    rho = np.corrcoef(rankdata(found.features[early, 0]), rankdata(duration))[0, 1]
    assert table["duration_correlation"][0] == pytest.approx(rho)
    assert abs(rho) < 0.3


def test_players_are_units_or_bins(bird):
    recording = bird[0]
    assert describe_players(recording, "onset", WINDOWS)["start"].isna().all()
    assert len(describe_players(recording, "onset", WINDOWS)) == 5


def test_a_bird_held_out_at_random_is_explained_beside_blocked_surrogates(bird):
    recording, trials, split = bird
    random = make_split("random", trials, recording.sessions, 4, 0.5, 1)
    protocol = replace(PROTOCOL, split="random", null_seeds=())
    null = attribution_null(recording, trials, random, WINDOWS, protocol, split, INDEPENDENT[:2])
    used = used_trials(trials)
    assert len(null.shifted.replicate) == 0 and len(null.independent.replicate) == 2
    single = surrogate(recording, "independent", INDEPENDENT[1], trials, split)
    found = explain_bird(single, trials, random, WINDOWS, protocol)
    np.testing.assert_array_equal(found.evidence, null.independent.evidence[1])
    assert found.trials["fold"].nunique() == 4 and len(found.trials) == len(used)
