"""What single units and groups of them say, on birds whose truth is planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kruskal

from neuro2voc.curves import Protocol
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds
from neuro2voc.densities import DENSITY, densities
from neuro2voc.discriminant import discriminate
from neuro2voc.importances import importances
from neuro2voc.neuron_number import BEST, neuron_number, random_orders
from neuro2voc.rates import TUNING, syllable_rates, tuning, unit_rates
from neuro2voc.recording import Recording, Units
from neuro2voc.regions import ALL, EQUAL, compare_regions, draws, units_of_regions
from neuro2voc.single_units import single_units
from neuro2voc.splits import make_split
from neuro2voc.subsets import decode_subset, of_units, unit_features
from neuro2voc.trials import make_trials, used_trials

WINDOWS = {"onset": {"align": "onset", "start": -0.06, "stop": 0.06, "bin": 0.02}}
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 4}
PROTOCOL = Protocol("lda", "blocked", 3, 50, 1, (), TRIALS, "onset")
JUDGED = replace(PROTOCOL, null_seeds=tuple(range(19)))
BOUTS, LENGTH = 24, 4.0  # s


def make_bird(tuned=("a", "b"), untuned=3, seed=0, depth=True):
    """Bouts of a, b, c in random order, 0.1 s long; each tuned unit bursts before its syllable."""
    rng = np.random.default_rng(seed)
    label = np.concatenate([rng.permutation(list("abcabc")) for _ in range(BOUTS)])
    onset = np.concatenate([LENGTH * bout + 1 + 0.2 * np.arange(6) for bout in range(BOUTS)])
    end = LENGTH * BOUTS
    syllables = pd.DataFrame(
        {"start_time": onset, "stop_time": onset + 0.1, "label": label, "session": "s1"}
    )
    bursts = [
        (onset[label == name, None] - rng.uniform(0.005, 0.035, (1, 4))).ravel() for name in tuned
    ]
    trains = [np.sort(np.r_[times, rng.uniform(0, end, 100)]) for times in bursts]
    trains += [np.sort(rng.uniform(0, end, 800)) for _ in range(untuned)]
    n = len(trains)
    table = pd.DataFrame(
        {"location": (["HVC"] * 2 + ["Area X"] * n)[:n]}, index=[f"u{i}" for i in range(n)]
    )
    if depth:
        table["depth"] = 100.0 * np.arange(n, 0, -1)
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.0], "stop_time": [end]})
    recording = Recording("bird", Units(tuple(trains), table), syllables, sessions)
    trials = make_trials(recording, **TRIALS)
    return recording, trials, make_split("blocked", trials, sessions, 4, 0.5, 1)


BIRD = make_bird()


# Discriminants


@pytest.mark.parametrize("units", [[0], [0, 1], [0, 1, 2, 3, 4]])
def test_discriminants_are_those_of_the_decoder(units):
    recording, trials, split = BIRD
    used = used_trials(trials)
    fold = outer_folds(used, split)
    X = of_units(unit_features(recording, used, "onset", WINDOWS), units)
    X[3, 0] = np.nan
    X[:, -1] = 2.0  # says nothing
    slow = cross_decode(X, used, fold, fixed_fit(make_decoder("lda", 1)[0]))
    fast = discriminate(X, used["label"].to_numpy(), fold)
    assert (fast[fold >= 0] == slow["prediction"]).all()
    assert (fast[fold < 0] == None).all()  # noqa: E711


# Single units


def test_planted_units_are_found_and_the_others_are_not():
    recording, trials, split = BIRD
    table = single_units(recording, trials, split, WINDOWS, JUDGED)
    assert (table["p_best"] <= 0.05).tolist() == [True, True, False, False, False]
    # A unit that knows one of three syllables cannot tell the other two apart.
    assert table["balanced_accuracy"][0] == pytest.approx(2 / 3, abs=0.08)
    assert (table["null_high"] <= table["best_high"]).all()
    assert (table["p"] <= table["p_best"]).all()
    assert table["unit"].tolist() == recording.units.table.index.tolist()


def test_units_that_know_nothing_are_significant_as_often_as_chance_allows():
    recording, trials, split = make_bird(tuned=(), untuned=12, seed=5)
    table = single_units(recording, trials, split, WINDOWS, JUDGED)
    assert (table["p"] <= 0.05).sum() <= binom.ppf(0.999, len(table), 0.05)
    assert abs(table["balanced_accuracy"].mean() - 1 / 3) < 0.03


def test_a_surrogate_is_not_judged():
    recording, trials, split = BIRD
    table = single_units(recording, trials, split, WINDOWS, PROTOCOL)
    assert "p_best" not in table and {"duration", "previous"} <= set(table)


def test_another_decoder_goes_the_long_way():
    recording, trials, split = BIRD
    used = used_trials(trials)
    fold = outer_folds(used, split)
    X = of_units(unit_features(recording, used, "onset", WINDOWS), [0, 1])
    protocol = replace(PROTOCOL, decoder="bayes")
    frame, chosen = decode_subset(X, used, fold, protocol)
    again, _ = decode_subset(X, used, fold, protocol, chosen)
    assert set(chosen) == {"model__var_smoothing"}
    assert (frame["truth"] == frame["prediction"]).mean() > 0.9
    assert list(again["trial"]) == list(frame["trial"])


# Number of neurons


def test_orders_are_permutations_from_the_seed():
    orders = random_orders(7, 4, 1)
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    np.testing.assert_array_equal(orders, random_orders(7, 4, 1))
    assert len(np.unique(orders, axis=0)) == 4


def test_more_neurons_say_more_and_the_best_is_chosen_in_training():
    recording, trials, split = BIRD
    table = neuron_number(recording, trials, split, WINDOWS, JUDGED, [1, 3, 99], 4)
    curve = table[table["choice"] != BEST]
    assert curve["units"].tolist() == [1, 3, 5]
    assert curve["repeats"].tolist() == [4, 4, 1]
    assert curve["balanced_accuracy"].is_monotonic_increasing
    assert (curve["lowest"] <= curve["balanced_accuracy"]).all()
    assert curve["low"].notna().tolist() == [False, False, True]
    assert curve["p"].iat[-1] == 0.05
    assert table.iloc[-1]["balanced_accuracy"] == pytest.approx(2 / 3, abs=0.08)


def test_surrogates_are_means_over_orders_too(monkeypatch):
    recording, trials, split = make_bird(tuned=(), untuned=12, seed=5)
    given = recording, trials, split, WINDOWS, JUDGED, [1], 6
    band = []
    for number in (1, 6):
        monkeypatch.setattr("neuro2voc.neuron_number.NULL_ORDERS", number)
        one = neuron_number(*given).iloc[0]
        band.append(one["null_high"] - one["null_low"])
    assert band[1] < 0.75 * band[0]


def test_choosing_the_best_of_many_ignorant_units_gains_nothing():
    recording, trials, split = make_bird(tuned=(), untuned=20, seed=5)
    table = neuron_number(recording, trials, split, WINDOWS, PROTOCOL, [1], 2)
    best = table[table["choice"] == BEST].iloc[0]
    bound = binom.ppf(0.999, int(best["n_trials"]), 1 / 3) / best["n_trials"]
    assert best["balanced_accuracy"] < bound


# Regions


def test_equally_many_units_are_drawn_from_each_region():
    regions = {"A": np.array([0, 4]), "B": np.array([1, 2, 3])}
    subsets = draws(regions, 5, 1)
    for (region, choice, _), units in subsets.items():
        assert set(units) <= set(regions[region])
        assert len(set(units)) == (2 if choice == EQUAL else len(regions[region]))
    assert sum(key[:2] == ("A", EQUAL) for key in subsets) == 1
    assert sum(key[:2] == ("B", EQUAL) for key in subsets) == 5


def test_the_region_that_knows_is_told_from_the_one_that_does_not():
    recording, trials, split = BIRD
    table = compare_regions(recording, trials, split, WINDOWS, JUDGED, 3)
    score = table.groupby(["region", "choice"])["balanced_accuracy"].mean()
    assert score["HVC", ALL] > 0.9
    assert score["Area X", ALL] < 0.5
    p = table.groupby(["region", "choice"])["p"].first()
    assert p["HVC", EQUAL] == 0.05 and p["Area X", EQUAL] > 0.05
    assert set(table["fewest"]) == {"HVC"}
    row = table[table["region"] == "Area X"].dropna(subset="difference").iloc[0]
    assert row["difference"] == pytest.approx(score["Area X", EQUAL] - score["HVC", EQUAL])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"] < 0
    assert table.loc[table["region"] == "HVC", "difference"].isna().all()


def test_regions_that_know_nothing_do_not_differ():
    outside = 0
    for seed in range(10):
        recording, trials, split = make_bird(tuned=(), untuned=4, seed=seed)
        table = compare_regions(recording, trials, split, WINDOWS, PROTOCOL, 2)
        row = table.dropna(subset="difference").iloc[0]
        outside += not row["difference_low"] <= 0 <= row["difference_high"]
    assert outside <= binom.ppf(0.999, 10, 0.05)


@pytest.mark.parametrize("locations", [None, ["HVC"] * 5, ["HVC"] * 4 + ["Area X"]])
def test_one_region_is_decoded_and_nothing_compared(locations):
    recording, trials, split = BIRD
    bare = recording.units.table.drop(columns="location")
    bare = bare if locations is None else bare.assign(location=locations)
    recording = recording.with_units(replace(recording.units, table=bare))
    assert list(units_of_regions(recording)) == ["unknown" if locations is None else "HVC"]
    table = compare_regions(recording, trials, split, WINDOWS, PROTOCOL, 3)
    assert table["choice"].tolist() == [ALL]


# Importances


def test_a_forest_relies_on_what_is_planted():
    recording, trials, split = BIRD
    protocol = replace(PROTOCOL, null_seeds=(1, 2, 3))
    table = importances(recording, trials, split, WINDOWS, protocol)
    assert table["impurity"].sum() == pytest.approx(1)
    assert set(table["drop"].nlargest(2).index) == {0, 1}
    assert (table["drop"][:2] > table["drop_best_high"].iat[0]).all()
    assert (table["drop"][2:].abs() < 0.1).all()
    assert table["balanced_accuracy"].iat[0] > 0.9


# Rates


def test_counts_and_rates_of_syllables_are_means_over_trials():
    recording, trials, _ = BIRD
    table = syllable_rates(recording, trials).set_index(["unit", "label"])
    used = used_trials(trials)
    train = recording.units.spike_times[0]
    counts = [
        ((train >= row.onset) & (train < row.offset)).sum()
        for row in used[used["label"] == "b"].itertuples()
    ]
    assert table.loc[("u0", "b"), "count"] == pytest.approx(np.mean(counts))
    assert table.loc[("u0", "b"), "rate"] == pytest.approx(np.mean(counts) / 0.1)
    z = table["z"].groupby("unit")
    np.testing.assert_allclose(z.mean(), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(ddof=0), 1)


def test_silence_is_far_from_all_syllables():
    recording, trials, _ = BIRD
    song, rest = recording.syllables, np.arange(0, LENGTH * BOUTS, 0.01) + 0.005
    start, stop = song["start_time"].to_numpy() - 0.5, song["stop_time"].to_numpy() + 0.5
    near = ((start <= rest[:, None]) & (rest[:, None] < stop)).any(axis=1)
    observed = np.array([[0.0, 40.0]])
    units = replace(
        recording.units,
        spike_times=(rest[~near],) * 5,
        observed=(observed, *([np.array([[0.0, LENGTH * BOUTS]])] * 4)),
    )
    table = unit_rates(recording.with_units(units), trials, 1)
    assert table["song"].tolist() == [0] * 5
    # One spike in each hundredth of a second of silence, observed for long or not.
    np.testing.assert_allclose(table["silence"], 100, rtol=0.01)


def test_planted_units_are_tuned():
    recording, trials, _ = BIRD
    table = unit_rates(recording, trials, 1)
    assert (table["q"] <= 0.05).tolist()[:2] == [True, True]
    assert (table["p"][2:] > 0.001).all()


def test_untuned_units_are_tuned_as_often_as_chance_allows():
    recording, trials, _ = make_bird(tuned=(), untuned=60, seed=7)
    p = tuning(recording, used_trials(trials), 1)
    assert (p <= 0.05).sum() <= binom.ppf(0.999, 60, 0.05)
    assert 0.35 < p.mean() < 0.65


def test_a_unit_that_drifts_with_the_song_is_not_tuned():
    recording, trials, _ = make_bird(tuned=("a",), untuned=0, seed=2)
    used = used_trials(trials)
    # Early bouts are rich in a, late ones in c, and the second unit tires.
    rng = np.random.default_rng(1)
    late = used["bout"].to_numpy() / BOUTS
    used = used.assign(label=np.where(rng.uniform(size=len(used)) < late, "c", "a"))
    time = rng.uniform(0, LENGTH * BOUTS, 6000)
    drifting = np.sort(time[rng.uniform(size=6000) < 1 - time / (LENGTH * BOUTS)])
    onset = used.loc[used["label"] == "a", "onset"].to_numpy()
    tuned = np.sort((onset[:, None] + rng.uniform(0, 0.03, (1, 4))).ravel())
    table = pd.DataFrame(index=["tuned", "drifting"])
    p = tuning(recording.with_units(Units((tuned, drifting), table)), used, 1)
    assert p[0] == 0.001 and p[1] > 0.05
    session = tuning(recording.with_units(Units((tuned, drifting), table)), used.assign(bout=0), 1)
    assert session[1] < 0.01, "permuted within the session it would have been"


def test_tuning_in_one_bin_is_that_of_kruskal_and_wallis(monkeypatch):
    recording, trials, _ = make_bird(tuned=(), untuned=4, seed=3)
    used = used_trials(trials)
    window = replace(TUNING, start=0.0, stop=0.1, bin=0.1)
    monkeypatch.setattr("neuro2voc.rates.TUNING", window)
    p = tuning(recording, used, 1)
    for unit, train in enumerate(recording.units.spike_times):
        counts = np.diff(np.searchsorted(train, used[["onset", "offset"]].to_numpy()))[:, 0]
        groups = [counts[used["label"] == name] for name in "abc"]
        assert p[unit] == pytest.approx(kruskal(*groups).pvalue, abs=0.06)


# Densities


def test_density_shows_the_burst_where_it_is_in_ms():
    recording, trials, _ = make_bird(tuned=("a",), untuned=0)
    table = densities(recording, trials, replace(PROTOCOL, null_seeds=(1, 2, 3)))
    a = table[table["label"] == "a"].reset_index(drop=True)
    peak = a.loc[a["rate"].idxmax()]
    assert peak["start"] >= -0.04 and peak["stop"] <= 0.0
    assert peak["low"] > peak["null_high"]
    assert (a["stop"] - a["start"]).round(9).eq(DENSITY.bin).all()
    train = recording.units.spike_times[0]
    onset = used_trials(trials).query("label == 'a'")["onset"].to_numpy()
    inside = [np.diff(np.searchsorted(train, [t + peak["start"], t + peak["stop"]])) for t in onset]
    assert peak["rate"] == pytest.approx(np.mean(inside) / DENSITY.bin, rel=1e-6)


def test_density_is_a_mean_over_observed_units():
    recording, trials, _ = BIRD
    whole, none = np.array([[0.0, LENGTH * BOUTS]]), np.empty((0, 2))
    alone = recording.with_units(replace(recording.units, observed=(whole, *[none] * 4)))
    single = make_bird(tuned=("a",), untuned=0)[0]
    single = recording.with_units(
        replace(single.units, spike_times=recording.units.spike_times[:1])
    )
    of_one = densities(single, trials, PROTOCOL)
    np.testing.assert_allclose(densities(alone, trials, PROTOCOL)["rate"], of_one["rate"])
