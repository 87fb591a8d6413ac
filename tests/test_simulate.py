"""The simulated bird does what its truth says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.io import wavfile
from scipy.stats import chi2, norm

from neuro2voc.errors import DataError
from neuro2voc.sources.population import (
    REFRACTORY,
    draw_pair_states,
    draw_population,
    drop_refractory,
    hazard,
)
from neuro2voc.sources.settings import Settings, bird_settings
from neuro2voc.sources.simulate import read_truth, simulate, write_truth
from neuro2voc.sources.song import INTRODUCTORY, TICK, draw_repertoire, draw_song, read_song
from neuro2voc.trials import make_trials

SMALL = Settings(syllable_types=3, units=8, sessions=2, bouts=6)
BOUT_GAP = 0.5


@pytest.fixture(scope="module")
def bird():
    """A larger bird of single units without drift, whose song is all motif."""
    chosen = Settings(
        syllable_types=4, units=90, sessions=2, bouts=30, stereotypy=1, drift=0, mua=0, pairs=2
    )
    return simulate("bird", chosen, 11)


def everything(made):
    recording, truth, (rate, samples) = made
    return [
        *recording.units.spike_times,
        *(column.to_numpy() for _, column in recording.syllables.items()),
        truth.states,
        truth.gains,
        truth.population.burst,
        np.array([rate, truth.seed]),
        samples,
    ]


def test_a_seed_makes_one_bird_and_another_seed_another():
    first, again, other = (everything(simulate("bird", SMALL, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first[:8], other[:8], strict=True))
    assert not np.array_equal(first[-1], other[-1])


def test_a_change_to_the_neurons_leaves_the_song_as_it_was():
    first, other = simulate("bird", SMALL, 1), simulate("bird", replace(SMALL, tuning=0.0), 1)
    pd.testing.assert_frame_equal(first[0].syllables, other[0].syllables)
    np.testing.assert_array_equal(first[2][1], other[2][1])


def test_the_recording_is_complete_and_lies_within_its_sessions():
    recording, truth, (rate, samples) = simulate("bird", SMALL, 3)
    assert recording.simulated
    assert len(recording.units) == len(recording.units.table) == 8
    assert {"depth", "location", "quality"} <= set(recording.units.table)
    end = recording.sessions["stop_time"].iloc[-1]
    assert len(samples) == round(end * rate)
    assert samples.dtype == np.int16
    for train in recording.units.spike_times:
        assert (np.diff(train) > 0).all()
        assert train[0] >= 0
        assert train[-1] < end
    joined = recording.syllables.merge(recording.sessions, on="session")
    assert (joined["start_time_x"] >= joined["start_time_y"]).all()
    assert (joined["stop_time_x"] <= joined["stop_time_y"]).all()
    assert len(truth.song) == len(recording.syllables)


@pytest.mark.parametrize("settings", [SMALL, replace(SMALL, pairs=0, units=1)])
def test_the_truth_is_read_as_it_was_written(tmp_path, settings):
    _, truth, _ = simulate("bird", settings, 4)
    for name in ("a.h5", "b.h5"):
        write_truth(truth, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    back = read_truth(tmp_path / "a.h5")
    assert back.settings == truth.settings
    assert back.seed == truth.seed
    assert back.repertoire.labels == truth.repertoire.labels
    assert back.population.synergy == truth.population.synergy
    pd.testing.assert_frame_equal(back.song, truth.song)
    pd.testing.assert_frame_equal(back.population.table, truth.population.table, check_dtype=False)
    for name in ("burst", "phase", "level", "sign"):
        np.testing.assert_array_equal(
            getattr(back.population, name), getattr(truth.population, name)
        )
    for name in ("states", "gains"):
        np.testing.assert_array_equal(getattr(back, name), getattr(truth, name))
    np.testing.assert_array_equal(back.repertoire.durations, truth.repertoire.durations)
    np.testing.assert_array_equal(back.repertoire.spread, truth.repertoire.spread)
    assert back.repertoire.limits == truth.repertoire.limits
    assert back.voices == truth.voices
    assert len(back.voices) == len(truth.repertoire.labels)


def test_a_bird_without_sound_of_its_own_has_no_voices(tmp_path):
    _, truth, _ = simulate("bird", replace(SMALL, audio_rate=0.0), 4)
    write_truth(truth, tmp_path / "truth.h5")
    assert read_truth(tmp_path / "truth.h5").voices == truth.voices == ()


# Spikes


def test_single_units_respect_their_refractory_period_and_multi_units_do_not():
    recording, truth, _ = simulate("bird", replace(SMALL, units=20, mua=0.5, bouts=15), 5)
    intervals = [np.diff(train) for train in recording.units.spike_times]
    good = (truth.population.table["quality"] == "good").to_numpy()
    assert 0 < good.sum() < 20
    assert min(gaps.min() for gaps, ok in zip(intervals, good, strict=True) if ok) > (
        REFRACTORY * TICK
    )
    assert min(gaps.min() for gaps, ok in zip(intervals, good, strict=True) if not ok) < TICK


@hypothesis_settings(derandomize=True, max_examples=300, deadline=None)
@given(st.sets(st.integers(0, 60), max_size=50).map(sorted), st.integers(0, 5))
def test_dropping_refractory_spikes_equals_walking_through_them(ticks, refractory):
    kept = []
    for tick in ticks:
        if not kept or tick - kept[-1] > refractory:
            kept.append(tick)
    assert drop_refractory(np.array(ticks, dtype=int), refractory).tolist() == kept


def bouts_of(recording):
    trials = make_trials(recording, BOUT_GAP, [], 2)
    return trials.groupby("bout").agg(onset=("onset", "min"), offset=("offset", "max")).to_numpy()


def inside(times, intervals):
    return np.diff(np.searchsorted(times, intervals)).sum()


def song_deviations(recording):
    """Per unit: by how many Poisson deviations its spikes in song differ from their share."""
    intervals = bouts_of(recording)
    share = np.diff(intervals).sum() / recording.sessions["stop_time"].iloc[-1]
    n = np.array([len(train) for train in recording.units.spike_times])
    sung = np.array([inside(train, intervals) for train in recording.units.spike_times])
    return (sung - n * share) / np.sqrt(n * share * (1 - share))


def test_without_tuning_units_fire_in_song_as_outside():
    chosen = replace(SMALL, units=30, bouts=15, tuning=0.0, drift=0.0)
    z = song_deviations(simulate("bird", chosen, 6)[0])
    # A refractory period makes counts scatter less than Poisson's, never more.
    assert (z**2).sum() < chi2.ppf(0.99, len(z))
    tuned = song_deviations(simulate("bird", replace(chosen, tuning=1.0), 6)[0])
    assert (tuned**2).sum() > 10 * chi2.ppf(0.99, len(z))


def test_tonic_units_fire_at_base_times_gain_less_their_refractory_time():
    recording, truth, _ = simulate(
        "bird", replace(SMALL, units=30, bouts=20, drift=0.3, mua=0.4, pairs=0), 7
    )
    table, song = truth.population.table, truth.song
    tonic = np.flatnonzero(table["kind"] == "tonic")
    bouts = song.groupby("bout").agg(
        start=("start", "min"), stop=("stop", "max"), epoch=("epoch", "first")
    )
    ticks = (bouts["stop"] - bouts["start"]).to_numpy()
    intervals = bouts[["start", "stop"]].to_numpy() * TICK
    z = []
    for unit in tonic:
        gain = truth.gains[unit, bouts["epoch"]]
        chance = -np.expm1(-table["base"].iat[unit] * gain * TICK)
        np.testing.assert_allclose(chance, hazard(table["base"].iat[unit], 0.0, gain, 1.0))
        # Of a renewal process: one spike per mean interval of 1 / chance + refractory ticks.
        expected = (ticks / (1 / chance + table["refractory"].iat[unit])).sum()
        z.append((inside(recording.units.spike_times[unit], intervals) - expected) / expected**0.5)
    z = np.array(z)
    assert len(z) > 5
    assert (z**2).sum() < chi2.ppf(0.99, len(z))
    assert abs(z.sum()) < norm.ppf(0.995) * np.sqrt(len(z))


def single_bursts(truth):
    """Premotor units that burst once, in a motif syllable, with their bursts' places in sound (s).

    An introductory note may follow another too soon, and so may a second burst the first.
    """
    people, song = truth.population, truth.song
    for unit in np.flatnonzero((people.table["kind"] == "premotor").to_numpy()):
        labels = np.flatnonzero(people.burst[unit])
        if len(labels) == 1 and labels[0] > 0:
            sung = song[song["label"] == labels[0]]
            place = sung["start"] + people.phase[unit, labels[0]] * (sung["stop"] - sung["start"])
            yield unit, people.table.iloc[unit], people.burst[unit].max(), place.to_numpy() * TICK


def test_premotor_bursts_lead_their_sound_by_what_was_planted(bird):
    """The likeliest lead of each unit's mean response lies within its error of the planted one."""
    recording, truth, _ = bird
    z = []
    for unit, row, burst, place in single_bursts(truth):
        lags = (recording.units.spike_times[unit][:, None] - place).ravel()
        counts, edges = np.histogram(lags, np.arange(-0.12, 0.06, TICK))
        t = edges[:-1] + TICK / 2

        def rate(lead, t=t, row=row, burst=burst):
            return row["base"] + burst * np.exp(-0.5 * ((t + lead) / row["width"]) ** 2)

        leads = np.arange(0, 0.08, TICK / 4)
        likeliest = leads[np.argmax([counts @ np.log(rate(lead)) for lead in leads])]
        # Fisher's information of a Poisson process about a shift in time.
        slope = np.gradient(rate(row["lead"]), TICK)
        information = len(place) * TICK * (slope**2 / rate(row["lead"])).sum()
        z.append((likeliest - row["lead"]) * np.sqrt(information))
    assert len(z) >= 10
    assert np.square(z).sum() < chi2.ppf(0.99, len(z))


def test_bursts_are_as_strong_as_planted(bird):
    """Spikes around a burst: its area and the baseline, less what refractoriness takes at most."""
    recording, truth, _ = bird
    checked = 0
    for unit, row, burst, place in single_bursts(truth):
        t = np.arange(-4 * row["width"], 4 * row["width"], TICK) + TICK / 2
        rate = row["base"] + burst * np.exp(-0.5 * (t / row["width"]) ** 2)
        most = (-np.expm1(-rate * TICK)).sum() * len(place)
        edges = (place - row["lead"])[:, None] + [t[0] - TICK / 2, t[-1] + TICK / 2]
        spikes = np.diff(np.searchsorted(recording.units.spike_times[unit], edges)).sum()
        least = most * (1 - rate.max() * TICK * row["refractory"])
        assert least - 3 * np.sqrt(least) < spikes < most + 3 * np.sqrt(most)
        checked += 1
    assert checked >= 10


# Pairs


@pytest.mark.parametrize("synergy", [0.0, 0.4, 1.0])
def test_pair_states_follow_sign_and_synergy(synergy):
    chosen = replace(SMALL, syllable_types=6, pairs=3, synergy=synergy)
    rng = np.random.default_rng(8)
    people = draw_population(chosen, 7, rng)
    assert (people.sign[:, 0] == 0).all()
    assert (np.abs(people.sign[:, 1:]) == 1).all()
    assert (people.sign.sum(axis=1) == 0).all()
    label = np.tile(np.arange(7), 3000)
    states = draw_pair_states(people, label, rng)
    assert states.shape == (len(label), 3, 2)
    bound = norm.ppf(1 - 0.005 / 21)
    for name in range(7):
        here = states[label == name]
        agree = (here[:, :, 0] == here[:, :, 1]).mean(axis=0)
        expected = (1 + synergy * people.sign[:, name]) / 2
        deviation = np.sqrt(expected * (1 - expected) / len(here))
        assert (np.abs(agree - expected) <= bound * deviation).all()
        # Alone, a member is as often high as low, whatever the syllable.
        assert (np.abs(here.mean(axis=0) - 0.5) < 1.1 * bound * 0.5 / np.sqrt(len(here))).all()


def test_a_high_state_adds_its_level_to_the_rate(bird):
    recording, truth, _ = bird
    table, song = truth.population.table, truth.song
    duration = ((song["stop"] - song["start"]) * TICK).to_numpy()
    for pair in range(2):
        for member, unit in enumerate(np.flatnonzero(table["pair"] == pair)):
            edges = song[["start", "stop"]].to_numpy() * TICK - table["lead"].iat[unit]
            counts = np.diff(np.searchsorted(recording.units.spike_times[unit], edges))[:, 0]
            high = truth.states[:, pair, member] == 1
            rates = [
                counts[rows].sum() / duration[rows].sum() / (1 - REFRACTORY * TICK * level)
                for rows, level in (
                    (~high, table["base"].iat[unit]),
                    (high, table["base"].iat[unit] + table["pair_level"].iat[unit]),
                )
            ]
            planted = table["pair_level"].iat[unit]
            error = np.sqrt(sum(rates[i] / duration[high == i].sum() for i in (0, 1)))
            assert abs(rates[1] - rates[0] - planted) < 3.5 * error


# Song


def test_pauses_part_bouts_and_gaps_do_not(bird):
    song = bird[1].song
    silence = (song["start"].to_numpy()[1:] - song["stop"].to_numpy()[:-1]) * TICK
    new = np.diff(song["bout"]) > 0
    assert silence[new].min() >= 1.0
    assert silence[~new].min() >= 0.005
    assert silence[~new].max() < BOUT_GAP
    trials = make_trials(bird[0], BOUT_GAP, [], 2)
    np.testing.assert_array_equal(trials["bout"], song["bout"])


@pytest.mark.parametrize("stereotypy", [0.0, 0.6, 1.0])
def test_stereotypy_is_the_probability_of_the_motifs_next_syllable(stereotypy):
    chosen = Settings(syllable_types=5, stereotypy=stereotypy, bouts=300, sessions=1)
    rng = np.random.default_rng(9)
    song, bounds = draw_song(chosen, draw_repertoire(chosen, rng), rng)
    label, bout = song["label"].to_numpy(), song["bout"].to_numpy()
    follows = (bout[1:] == bout[:-1]) & (label[:-1] > 0)
    as_motif = (label[1:] == label[:-1] % 5 + 1)[follows]
    # What does not follow the motif is drawn from all types, the motif's next one included.
    expected = stereotypy + (1 - stereotypy) / 5
    error = np.sqrt(expected * (1 - expected) / len(as_motif))
    assert abs(as_motif.mean() - expected) <= norm.ppf(0.995) * error
    assert (label[np.r_[True, np.diff(bout) > 0]] == 0).all()
    assert bounds.tolist() == [[0, bounds[-1, 1]]]
    assert set(label) == set(range(6))


def test_durations_scatter_around_their_types_mean_as_set():
    chosen = Settings(bouts=300, sessions=1)
    rng = np.random.default_rng(10)
    repertoire = draw_repertoire(chosen, rng)
    song, _ = draw_song(chosen, repertoire, rng)
    duration = (song["stop"] - song["start"]) * TICK
    assert sorted(repertoire.durations[1:])[:: len(repertoire.durations) - 2] == [
        chosen.shortest,
        chosen.longest,
    ]
    z = []
    for label, values in duration.groupby(song["label"]):
        mean = repertoire.durations[label]
        deviation = chosen.duration_cv * mean
        z.append((values.mean() - mean) / (deviation / np.sqrt(len(values))))
        assert values.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * len(values)))
    assert np.square(z).sum() < chi2.ppf(0.99, len(z))


@pytest.fixture
def given_song(tmp_path):
    """A .wav file of noise and annotations of two bouts of three labels in it."""
    rng = np.random.default_rng(12)
    wavfile.write(tmp_path / "song.wav", 16000, rng.integers(-999, 999, 16000 * 20, np.int16))
    onset = np.r_[1 + 0.2 * np.arange(30), 10 + 0.2 * np.arange(30)]
    table = pd.DataFrame({"onset_s": onset, "offset_s": onset + 0.1, "label": list("abß") * 20})
    table.to_csv(tmp_path / "song.csv", index=False)
    return tmp_path


def test_neurons_can_sing_along_with_a_given_song(given_song):
    chosen = replace(
        SMALL, audio=str(given_song / "song.wav"), annotations=str(given_song / "song.csv")
    )
    recording, truth, (rate, samples) = simulate("bird", chosen, 1)
    assert (rate, len(samples)) == (16000.0, 320000)
    assert recording.sessions["stop_time"].tolist() == [20.0]
    assert "".join(recording.syllables["label"]) == "abß" * 20
    np.testing.assert_allclose(recording.syllables["start_time"].iloc[[0, 30]], [1.0, 10.0])
    assert truth.repertoire.labels == ("a", "b", "ß")
    np.testing.assert_allclose(truth.repertoire.durations, 0.1)
    assert truth.song["bout"].max() == 1
    write_truth(truth, given_song / "truth.h5")
    assert read_truth(given_song / "truth.h5").repertoire.labels == ("a", "b", "ß")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("0.1,0.3,a\n0.2,0.4,b\n", "syllables overlap"),
        ("0.3,0.1,a\n", "end before they begin"),
        ("-0.3,0.1,a\n", "begin before 0 s"),
        ("", "there is no syllable in it"),
    ],
)
def test_annotations_that_cannot_be_sung_are_refused(tmp_path, rows, sentence):
    (tmp_path / "a.csv").write_text("onset_s,offset_s,label\n" + rows)
    with pytest.raises(DataError, match=sentence):
        read_song(str(tmp_path / "a.csv"))


def test_a_song_that_is_missing_or_no_16_bit_sound_ends_in_a_sentence(given_song):
    audio, annotations = str(given_song / "song.wav"), str(given_song / "song.csv")
    (given_song / "bad.wav").write_text("no sound")
    wavfile.write(given_song / "float.wav", 16000, np.zeros(100, np.float32))
    for name, sentence in [
        ("bad.wav", "cannot be read as a .wav file"),
        ("missing.wav", "cannot be read as a .wav file"),
        ("float.wav", "samples are float32; convert the file to 16-bit PCM"),
    ]:
        with pytest.raises(DataError, match=f"{name}: {sentence}"):
            chosen = replace(SMALL, audio=str(given_song / name), annotations=annotations)
            simulate("bird", chosen, 1)
    with pytest.raises(DataError, match="missing.csv does not exist"):
        simulate("bird", replace(SMALL, audio=audio, annotations="missing.csv"), 1)


@pytest.mark.parametrize("alike", [2, 3, 4])
def test_alike_syllables_evoke_the_same_in_every_unit_and_differ_in_pairs_only(alike):
    settings = replace(SMALL, syllable_types=4, units=30, pairs=3, alike=alike)
    truth = simulate("bird", settings, 5)[1]
    people = truth.population
    for response in (people.burst, people.phase, people.level):
        assert (response[:, -alike:] == response[:, [-1]]).all()
        assert alike == 4 or (response[:, -alike - 1] != response[:, -1]).any()
    sign = people.sign[:, -alike:]
    assert np.isin(sign, [-1, 1]).all() and (np.abs(sign.sum(axis=1)) == alike % 2).all()


# Settings


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"syllable_types": 2}, "syllable_types is 2, but must be a whole number between 3 and 12"),
        ({"stereotypy": 1.1}, "stereotypy is 1.1, but must be a number between 0 and 1"),
        ({"units": "many"}, "units is 'many'"),
        ({"drift": float("nan")}, "drift is nan"),
        ({"pairs": -1}, "pairs is -1"),
        ({"stereotypy": None}, "stereotypy is None, but must be a number between 0 and 1"),
        ({"sessions": 2.5}, "sessions is 2.5, but must be a whole number"),
        ({"tuning": True}, "tuning is True"),
        ({"audio": 3}, "audio is 3, but must be the path of a file"),
        ({"pitch_sd": -0.1}, "pitch_sd is -0.1"),
        ({"loudness_sd": -1.0}, "loudness_sd is -1.0"),
        ({"shortest": 0.3}, "longest is below shortest; exchange them"),
        ({"pairs": 5, "units": 9}, "5 pairs need 10 units, but there are 9"),
        ({"alike": 1}, "alike is 1, but must be 0 or from 2 to syllable_types, which is 6"),
        ({"alike": 7}, "alike is 7"),
        ({"audio": "a.wav"}, "audio and annotations must be given together"),
    ],
)
def test_settings_out_of_their_limits_are_refused_in_a_sentence(wrong, sentence):
    with pytest.raises(DataError, match=f"simulated.bird: {sentence}"):
        bird_settings(wrong, "bird")


def test_what_a_bird_does_not_state_is_the_default_and_other_keys_are_left_out():
    assert bird_settings({"units": 32, "labels": ["a"]}, "bird") == Settings(units=32)
    assert INTRODUCTORY not in draw_repertoire(SMALL, np.random.default_rng(0)).labels[1:]
