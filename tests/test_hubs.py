"""Players and pairs beside surrogates: maxima, intervals, tables, and a planted pair."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, rankdata

from neuro2voc import attribution
from neuro2voc.attribution_tables import describe_players, explanation_tables
from neuro2voc.curves import Protocol
from neuro2voc.decoding import outer_folds
from neuro2voc.hubs import (
    AttributionNull,
    Surrogates,
    against_null,
    exchangeable,
    explain_bird,
    independent_null,
    interval_of_sums,
    shifted_null,
)
from neuro2voc.inclusion import inclusion_table, with_included
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.splits import make_split
from neuro2voc.surrogates import surrogate
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
    null = null_of(recording, trials, split, PROTOCOL)
    return found, null, tables_of(recording, trials, found, null)


def null_of(recording, trials, split, protocol, seeds=INDEPENDENT):
    given = (recording, trials, split, WINDOWS, protocol)
    return AttributionNull(shifted_null(*given), *independent_null(*given, seeds))


def tables_of(recording, trials, found, null, protocol=PROTOCOL):
    inclusion = inclusion_table(recording, {})
    return explanation_tables(recording, found, null, trials, inclusion, WINDOWS, protocol)


# Scores against surrogates


def by_hand(observed, null):
    """The same in loops, for scores that all vary: each row beside all other rows."""
    every = np.vstack([observed, null])
    least = np.median([np.sqrt(np.mean((x - x.mean()) ** 2)) for x in every.T])
    t = []
    for row, scores in enumerate(every):
        others = np.delete(every, row, axis=0)
        spread = np.sqrt(np.mean((others - others.mean(axis=0)) ** 2, axis=0))
        t.append((scores - others.mean(axis=0)) / (spread + least))
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


@pytest.mark.parametrize("effects", [1, 5])
def test_effects_on_some_scores_do_not_lift_the_others(effects):
    rng = np.random.default_rng(4)
    birds, found = 1000, 0
    for _ in range(birds):
        every = rng.normal(size=(20, 8))
        every[0, :effects] += 20
        p = against_null(every[0], every[1:])[1]
        assert (p[:effects] == 0.05).all()
        found += p[effects:].min() <= 0.05
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


def test_a_surrogate_is_seen_beside_the_others():
    null = surrogates(4)
    own = null.without(2)
    assert own.replicate.tolist() == [1, 3, 4]
    for name in ("cells", "absolute", "evidence"):
        np.testing.assert_array_equal(getattr(own, name), np.delete(getattr(null, name), 1, axis=0))
    assert len(null.without(0).replicate) == len(null.without(9).replicate) == 4


def test_shifted_birds_are_explained_as_single_surrogates_are(bird, judged):
    recording, trials, split = bird
    null = judged[1].shifted
    assert null.replicate.tolist() == list(range(1, 10))
    single = surrogate(recording, "shifted", SHIFTED[3], trials)
    found = explain_bird(single, trials, split, WINDOWS, PROTOCOL)
    np.testing.assert_array_equal(null.cells[3], found.cells)
    np.testing.assert_array_equal(null.evidence[3], found.evidence)


def test_units_that_do_not_count_leave_shifted_surrogates_as_they_are(bird):
    recording, trials, split = bird
    inclusion = inclusion_table(recording, {}).assign(included=[1, 1, 0, 1, 1])
    protocol = replace(PROTOCOL, null_seeds=SHIFTED[:1])
    null = shifted_null(recording, trials, split, WINDOWS, protocol, inclusion)
    single = with_included(surrogate(recording, "shifted", SHIFTED[0], trials), inclusion)
    found = explain_bird(single, trials, split, WINDOWS, protocol)
    np.testing.assert_array_equal(null.cells[0], found.cells)
    assert null.cells.shape == (1, 3, 4)


def test_kept_is_groups_over_trials(bird):
    recording, trials, split = bird
    copies, kept = independent_null(recording, trials, split, WINDOWS, PROTOCOL, ())
    used = used_trials(trials)
    group = exchangeable(used, outer_folds(used, split))
    assert len(copies.replicate) == 0 and kept == pytest.approx(len(set(group)) / len(group))


def binned(recording, additive):
    edges = np.arange(0, LENGTH * BOUTS + 1e-9, 0.01)
    values = [np.histogram(train, edges)[0] for train in recording.units.spike_times]
    values = np.array(values, dtype=np.float32).T
    return recording.with_units(
        Binned(values if additive else np.sqrt(values), 100.0, 0.0, recording.units.table, additive)
    )


@pytest.mark.parametrize("additive", [True, False])
def test_activity_in_bins_is_judged_too(bird, additive):
    recording, trials, split = bird
    recording = binned(recording, additive)
    protocol = replace(PROTOCOL, null_seeds=SHIFTED[:2])
    found = explain_bird(recording, trials, split, WINDOWS, protocol)
    assert found.balanced_accuracy > 0.5
    null = null_of(recording, trials, split, protocol)
    pairs = tables_of(recording, trials, found, null)["pairs"]
    assert pairs.loc[0, ["unit_first", "unit_second"]].tolist() == ["u0", "u1"]
    assert pairs.loc[0, "evidence_p"] == 0.05


@pytest.mark.parametrize("feature", ["onset", "premotor", "count"])
def test_the_bins_of_a_single_unit_are_its_players(bird, feature):
    recording, trials, split = bird
    units = recording.units
    recording = recording.with_units(Units(units.spike_times[2:3], units.table[2:3]))
    protocol = replace(PROTOCOL, null_seeds=SHIFTED[:2], feature=feature)
    found = explain_bird(recording, trials, split, WINDOWS, protocol)
    null = null_of(recording, trials, split, protocol)
    tables = tables_of(recording, trials, found, null, protocol)
    assert (tables["pairs"]["evidence_p"] > 0.05).all()
    assert tables["table"]["evidence_p"].notna().all()
    table, bins = tables["table"], 4 if feature == "onset" else 1
    assert table["unit"].tolist() == ["u2"] * bins
    assert len(tables["cells"]) == 3 * bins and len(tables["pairs"]) == bins * (bins - 1) // 2
    start = {"onset": [-0.04, -0.02, 0, 0.02], "premotor": [-0.04], "count": [np.nan]}[feature]
    np.testing.assert_allclose(table["start"], start, atol=1e-12)
    np.testing.assert_allclose(
        table["stop"] - table["start"], 0.02 if bins == 4 else 0.08 + 0 * table["start"]
    )
    assert table["rate"].nunique() == 1


# Tables


def test_the_planted_pair_is_found_and_nothing_else(judged):
    found, null, tables = judged
    pairs, table = tables["pairs"], tables["table"]
    assert pairs.loc[0, ["unit_first", "unit_second"]].tolist() == ["u0", "u1"]
    assert (pairs["evidence_p"] <= 0.05).tolist() == [True] + [False] * 9
    assert pairs.loc[0, "absolute_p"] == 0.05
    assert pairs.loc[0, "evidence"] > 0.02 > pairs.loc[1:, "evidence"].max()
    assert (table["evidence_p"] <= 0.05).tolist() == [True, True, False, False, False]
    # What single units say they say in independent copies too; shifted ones say nothing.
    assert (table["importance_p"][[2, 3]] <= 0.1).all() and table["importance_p"][4] > 0.1
    assert found.balanced_accuracy > 0.7 and 0 < null.kept < 0.1


def test_an_independent_bird_has_no_evident_pair(bird):
    recording, trials, split = bird
    single = surrogate(recording, "independent", 7, trials, split)
    found = explain_bird(single, trials, split, WINDOWS, PROTOCOL)
    null = null_of(single, trials, split, replace(PROTOCOL, null_seeds=()))
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
