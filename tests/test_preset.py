"""A bird like the thesis' has its published statistics, and the trap they set."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2, norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from neuro2voc.binning import Window, make_tensor
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix
from neuro2voc.sources import oracle, thesis
from neuro2voc.sources.population import NEAR, draw_population
from neuro2voc.sources.settings import FIXED, Settings, bird_settings
from neuro2voc.sources.simulate import draw_constant, simulate
from neuro2voc.sources.song import (
    TICK,
    draw_durations,
    draw_repertoire,
    draw_song,
    log_duration_probability,
)
from neuro2voc.trials import make_trials

THESIS = Settings(preset="thesis", audio_rate=0)
REPERTOIRE = draw_repertoire(THESIS, np.random.default_rng(0))


@pytest.fixture(scope="module")
def bird():
    return simulate("thesis", THESIS, 1)


@pytest.fixture(scope="module")
def ignorant():
    """Without tuning and drift: its rates have no reason to scatter."""
    return simulate("thesis", replace(THESIS, tuning=0.0, drift=0.0), 2)


@pytest.fixture(scope="module")
def song(bird):
    return bird[1].song


# What is published is consistent with itself


def test_runs_sing_each_label_and_sessions_all_trials_as_often_as_published():
    sung = Counter("".join(run * count for run, count in thesis.RUNS.items()))
    assert tuple(sung[label] for label in thesis.LABELS) == thesis.TRIALS_PER_LABEL
    assert sum(thesis.TRIALS_PER_SESSION) == sum(thesis.TRIALS_PER_LABEL) == 3459
    assert len(thesis.RATES_IN_SONG) == len(thesis.RATES_OVERALL) == thesis.UNITS
    for rates in (thesis.RATES_IN_SONG, thesis.RATES_OVERALL):
        assert list(rates) == sorted(rates, reverse=True)


# Song


def runs_of(song):
    label, bout = song["label"].to_numpy(), song["bout"].to_numpy()
    breaks = np.flatnonzero((np.diff(label) <= 0) | (np.diff(bout) > 0)) + 1
    runs = np.split(label, breaks)
    return Counter("".join(thesis.LABELS[label] for label in run) for run in runs)


@pytest.mark.parametrize("seed", range(5))
def test_syntax_and_counts_are_the_published_ones(seed):
    song, bounds = draw_song(THESIS, REPERTOIRE, np.random.default_rng(seed))
    assert runs_of(song) == Counter(thesis.RUNS)
    assert tuple(song.groupby("session").size()) == thesis.TRIALS_PER_SESSION
    assert tuple(song.groupby("label").size()) == thesis.TRIALS_PER_LABEL
    assert set(song["session"][song["label"] == 6]) == {2}
    assert tuple(np.diff(bounds)[:, 0]) == thesis.SESSION_TICKS
    inside = bounds[song["session"]]
    assert (song["start"] >= inside[:, 0]).all()
    assert (song["stop"] <= inside[:, 1]).all()


def test_no_two_songs_are_alike():
    first, second = (draw_song(THESIS, REPERTOIRE, np.random.default_rng(s))[0] for s in (0, 1))
    assert (first["label"] != second["label"]).any()


def test_bouts_are_parted_by_pauses_and_nothing_else_is(bird, song):
    trials = make_trials(bird[0], 0.5, [], 5)
    np.testing.assert_array_equal(trials["bout"], song["bout"])
    assert trials["used"].all()
    silence = song["start"].to_numpy()[1:] - song["stop"].to_numpy()[:-1]
    bout, run = np.diff(song["bout"]) > 0, np.diff(song["label"]) <= 0
    assert silence[bout].min() >= 1000
    assert 100 <= silence[run & ~bout].min() <= silence[run & ~bout].max() <= 300
    assert 0 == silence[~run & ~bout].min() <= silence[~run & ~bout].max() <= 4


def test_durations_have_the_published_medians_and_quartiles():
    rng = np.random.default_rng(0)
    for label, quartiles in enumerate(thesis.DURATIONS):
        ticks = draw_durations(REPERTOIRE, np.full(20_000, label), rng)
        assert thesis.SHORTEST <= ticks.min() <= ticks.max() <= thesis.LONGEST
        median, low, high = quartiles
        found = np.quantile(ticks, [0.5, 0.25, 0.75])
        assert np.abs(found - [median, low, high]).max() <= 1


@pytest.mark.parametrize("settings", [THESIS, Settings(), Settings(duration_cv=0.0)])
def test_the_probability_of_a_duration_is_that_of_drawing_it(settings):
    rng = np.random.default_rng(3)
    repertoire = draw_repertoire(settings, rng)
    ticks = np.arange(repertoire.limits[0], min(repertoire.limits[1], 400) + 1)
    probability = np.exp(log_duration_probability(repertoire, ticks))
    np.testing.assert_allclose(probability.sum(axis=0), 1)
    n = 20_000
    for label in range(len(repertoire.labels)):
        drawn = draw_durations(repertoire, np.full(n, label), rng)
        seen = np.bincount(drawn, minlength=ticks[-1] + 1)[ticks[0] :]
        expected = n * probability[:, label]
        common = expected > 5
        rest = n - expected[common].sum()
        statistic = ((seen - expected)[common] ** 2 / expected[common]).sum()
        assert statistic < chi2.ppf(1 - 0.01 / 7, common.sum())
        assert seen[~common].sum() <= rest + 4 * np.sqrt(rest) + 1


# Units


def test_units_have_the_published_depths_and_qualities():
    for seed in range(3):
        table = draw_population(THESIS, 7, np.random.default_rng(seed)).table
        assert len(table) == thesis.UNITS
        assert (table["quality"] == "good").sum() == thesis.GOOD
        assert table["depth"].nunique() == thesis.DEPTHS
        assert (table["depth"].min(), table["depth"].max()) == (200, 3380)


def test_the_slowest_units_burst_and_the_fastest_know_nothing(bird):
    base = bird[1].population.table.groupby("kind")["base"]
    assert max(base.max()["premotor"], base.max()["pair"]) < base.min()["graded"]
    assert base.max()["graded"] < min(base.min()["pitch"], base.min()["loudness"])
    assert base.median()["tonic"] > max(base.max()["pitch"], base.max()["loudness"])


def counts_in(recording, edges):
    """Spikes of each unit within intervals (n, 2) in s."""
    trains = recording.units.spike_times
    return np.array([np.diff(np.searchsorted(train, edges)).sum() for train in trains])


def test_there_are_as_many_spikes_as_published(bird):
    recording = bird[0]
    total = sum(len(train) for train in recording.units.spike_times)
    assert total == pytest.approx(thesis.SPIKES, rel=0.01)
    sung = counts_in(recording, recording.syllables[["start_time", "stop_time"]].to_numpy()).sum()
    assert sung == pytest.approx(thesis.SPIKES_IN_SYLLABLES, rel=0.1)


def test_rates_are_the_published_ones_in_song_and_overall(ignorant):
    recording = ignorant[0]
    length = recording.sessions["stop_time"].iloc[-1]
    overall = np.sort([len(train) / length for train in recording.units.spike_times])[::-1]
    np.testing.assert_allclose(overall, thesis.RATES_OVERALL, rtol=0.06)
    edges = recording.syllables[["start_time", "stop_time"]].to_numpy()
    seconds = np.diff(edges).sum()
    counts = np.sort(counts_in(recording, edges))[::-1]
    expected = np.array(thesis.RATES_IN_SONG) * seconds
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()


def test_rates_give_the_duration_away_and_fixed_windows_do_not(ignorant):
    """The trap: a forest under the thesis' split, and neurons that know nothing of the song."""
    recording = ignorant[0]
    trials = make_trials(recording, 0.5, [], 5)
    label = trials["label"].to_numpy()
    scores = {}
    for name, window in (
        ("rate", Window("syllable", "syllable")),
        ("early", Window("early", "onset", 0.0, 0.1, 0.1)),
    ):
        X = feature_matrix(name, make_tensor(recording, trials, window))
        train, test, of_train, of_test = train_test_split(X, label, test_size=0.3, random_state=42)
        forest = RandomForestClassifier(100, random_state=42).fit(train, of_train)
        scores[name] = forest.score(test, of_test)
    assert scores["rate"] > 0.85
    majority = max(thesis.TRIALS_PER_LABEL) / sum(thesis.TRIALS_PER_LABEL)
    assert scores["early"] < binom.ppf(0.999, len(of_test), majority) / len(of_test)


def test_units_rest_half_a_second_from_song(bird):
    """Spikes in silence, beyond reach of song, come at the resting rate and singly at random."""
    recording, truth, _ = bird
    song, table = truth.song, truth.population.table
    edges = np.stack([song["stop"][:-1] + NEAR, song["start"][1:] - NEAR], axis=1)
    same = (np.diff(song["epoch"]) == 0) & (edges[:, 1] > edges[:, 0])
    epoch, edges = song["epoch"].to_numpy()[:-1][same], edges[same]
    counts = counts_in(recording, edges * TICK)
    chance = -np.expm1(
        -(table["base"] * table["resting"]).to_numpy()[:, None] * truth.gains[:, epoch] * TICK
    )
    mean = (np.diff(edges)[:, 0] / (1 / chance + table["refractory"].to_numpy()[:, None])).sum(1)
    # A tick holds one spike at most and refractoriness spaces spikes: less scatter than Poisson's.
    z = (counts - mean) / np.sqrt(mean)
    assert (z**2).sum() < chi2.ppf(0.99, len(z))
    assert abs(z.sum()) < norm.ppf(0.995) * np.sqrt(len(z))


@hypothesis_settings(derandomize=True, max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 400), min_size=2, max_size=8, unique=True).map(sorted),
    st.floats(0.001, 1.0),
)
def test_ticks_drawn_by_their_gaps_lie_in_their_spans(edges, chance):
    spans = np.array(edges[: len(edges) // 2 * 2]).reshape(-1, 2)
    ticks = draw_constant(chance, spans, np.random.default_rng(1))
    inside = np.concatenate([np.arange(*span) for span in spans])
    assert (np.diff(ticks) > 0).all()
    assert np.isin(ticks, inside).all()
    if chance == 1:
        np.testing.assert_array_equal(ticks, inside)


def test_ticks_drawn_by_their_gaps_are_independent_and_equally_likely():
    rng, spans, n, chance = np.random.default_rng(0), np.array([[3, 6], [9, 11]]), 20_000, 0.3
    drawn = np.zeros((n, 12))
    for row in drawn:
        row[draw_constant(chance, spans, rng)] = 1
    taken = drawn[:, [3, 4, 5, 9, 10]]
    error = np.sqrt(chance * (1 - chance) / n)
    assert np.abs(taken.mean(axis=0) - chance).max() < 4 * error
    assert np.abs(np.corrcoef(taken.T) - np.eye(5)).max() < 4 / np.sqrt(n)


# The oracle knows this song


def test_the_oracles_contexts_follow_the_thesis_syntax(bird):
    window = Window("onset", "onset", -0.1, 0.1, 0.02)
    rng = np.random.default_rng(0)
    contexts = oracle.draw_contexts(bird[1], list(range(7)), window, rng)
    before = contexts.events["label"][:, contexts.middle - 1]
    assert np.bincount(contexts.label).tolist() == 7 * [oracle.CONTEXTS]
    assert set(before[contexts.label == 3]) == {2}  # a 5 always follows a 4
    assert set(before[contexts.label == 6]) == {-1}  # an 8 begins its bout
    gap = (contexts.events["start"][:, contexts.middle] - contexts.events["stop"].T).T
    assert gap[contexts.label == 3, contexts.middle - 1].max() <= 4


# Settings


@pytest.mark.parametrize("name", FIXED)
def test_what_the_preset_fixes_is_refused_beside_it(name):
    default = getattr(Settings(), name)
    sentence = f"simulated.b: {name} cannot be set beside preset 'thesis', which fixes it"
    with pytest.raises(DataError, match=sentence):
        bird_settings({"preset": "thesis", name: default}, "b")


def test_other_settings_hold_beside_the_preset():
    given = {"tuning": 0.5, "synergy": 0.2, "drift": 0.0, "pairs": 30, "audio_rate": 16000}
    chosen = bird_settings({"preset": "thesis", **given}, "b")
    assert {name: getattr(chosen, name) for name in given} == given
    people = draw_population(chosen, 7, np.random.default_rng(0))
    assert (people.table["kind"] == "pair").sum() == 60
    assert people.synergy == 0.2


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"preset": "nobody"}, "preset is 'nobody', but must be one of thesis"),
        ({"preset": 1}, "preset is 1, but must be a name"),
        ({"preset": "thesis", "pairs": 38}, "38 pairs need 76 units, but there are 75"),
        ({"preset": "thesis", "units": 9, "bouts": 2}, "units, bouts cannot be set .* fixes them"),
        ({"audio_rate": 8000}, "between 16000 and 200000, or 0 for no sound"),
    ],
)
def test_settings_that_make_no_such_bird_are_refused(entry, sentence):
    with pytest.raises(DataError, match=f"simulated.b: .*{sentence}"):
        bird_settings(entry, "b")
    if "preset" in entry and "units" in entry:
        with pytest.raises(DataError, match="fixes them"):
            Settings(**entry)


def test_a_bird_without_sound_is_otherwise_the_same(bird):
    assert bird[2] is None
    small = Settings(syllable_types=3, units=3, pairs=0, sessions=1, bouts=2)
    heard, unheard = simulate("b", small, 1), simulate("b", replace(small, audio_rate=0), 1)
    assert heard[2] is not None and unheard[2] is None
    for one, other in zip(heard[0].units.spike_times, unheard[0].units.spike_times, strict=True):
        np.testing.assert_array_equal(one, other)
