"""Sound against labels: planted lags, real hand labels, and when nothing can be told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat
from singing import SMALL, Sound, make_bird

from neuro2voc.errors import DataError
from neuro2voc.recording import Recording
from neuro2voc.sound_clock import check_clock, check_sound_covers, sound_lags
from neuro2voc.trials import make_trials

TWO_SESSIONS = replace(SMALL, sessions=2, bouts=8, units=2)
MEASURES = ["lag", "low", "high"]


@pytest.fixture(scope="module")
def bird():
    return make_bird(1, TWO_SESSIONS)


def late(recording, seconds):
    """Return the recording with its sound later by whole samples."""
    sound = recording.audio
    return replace(
        recording, audio=Sound(sound.rate, np.roll(sound.samples, round(seconds * sound.rate)))
    )


@pytest.mark.parametrize("planted", [0.0, 0.003, 0.007, 0.04, -0.25, 3.0])
def test_planted_lags_are_measured_within_half_a_millisecond(bird, planted):
    recording, trials = bird
    lags = sound_lags(late(recording, planted), trials)
    assert set(lags["session"]) == {"session1", "session2"}
    assert lags["lag"].to_numpy() == pytest.approx(planted, abs=5e-4)
    assert (lags["low"] <= lags["lag"]).all() and (lags["lag"] <= lags["high"]).all()
    assert (lags["high"] - lags["low"]).max() < 1e-3


@pytest.mark.parametrize("planted", [0.0, 0.003, -0.003])
def test_lags_within_five_milliseconds_pass(bird, planted):
    recording, trials = bird
    check_clock(late(recording, planted), trials)


@pytest.mark.parametrize("planted", [0.007, -0.007, 0.04, 3.0])
def test_lags_beyond_five_milliseconds_are_refused(bird, planted):
    recording, trials = bird
    with pytest.raises(DataError, match=rf"bird are {abs(planted) * 1e3:.0f}\.. ms apart"):
        check_clock(late(recording, planted), trials)


def test_a_session_on_its_own_clock_is_named(bird):
    recording, trials = bird
    apart = trials.copy()
    apart.loc[apart["session"] == "session2", ["onset", "offset"]] -= 0.02
    lags = sound_lags(recording, apart).groupby("session")["lag"].median()
    assert lags["session1"] == pytest.approx(0, abs=5e-4)
    assert lags["session2"] == pytest.approx(0.02, abs=5e-4)
    with pytest.raises(DataError, match=r"apart in session2 .* \(the sound comes later"):
        check_clock(recording, apart)


@pytest.mark.parametrize("wider", [0.02, 0.01, 0.005, -0.005, -0.01, -0.015])
def test_too_wide_or_narrow_labels_do_not_move_the_lag(bird, wider):
    recording, trials = bird
    biased = trials.assign(onset=trials["onset"] - wider, offset=trials["offset"] + wider)
    lags = sound_lags(recording, biased)["lag"].dropna()
    assert len(lags) >= 3
    assert lags.median() == pytest.approx(0, abs=1e-3)
    assert lags.to_numpy() == pytest.approx(0, abs=2e-3)


def test_noise_says_nothing_and_is_not_refused(bird):
    recording, trials = bird
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(len(recording.audio.samples)).astype(np.float32)
    noisy = replace(recording, audio=Sound(recording.audio.rate, noise))
    assert sound_lags(noisy, trials)[MEASURES].isna().all(axis=None)
    check_clock(noisy, trials)


def test_another_birds_labels_say_nothing(bird):
    recording, _ = bird
    _, trials = make_bird(2, TWO_SESSIONS)
    trials = trials[trials["offset"] < recording.audio.stop_time]
    assert sound_lags(recording, trials)[MEASURES].isna().all(axis=None)


def test_two_bouts_are_too_few(bird):
    recording, trials = bird
    few = trials[trials["bout"] < 2]
    lags = sound_lags(recording, few)
    assert len(lags) == 1
    assert lags[MEASURES].isna().all(axis=None)


def test_no_sound_no_clock(bird):
    recording, trials = bird
    mute = replace(recording, audio=None)
    assert sound_lags(mute, trials).empty
    check_clock(mute, trials)
    check_sound_covers(mute)


def test_syllables_beyond_the_sound_are_counted(bird):
    recording, _ = bird
    check_sound_covers(recording)
    sound = recording.audio
    stop = recording.syllables["stop_time"].iloc[-3] - 0.001
    short = replace(recording, audio=Sound(sound.rate, sound.samples[: int(stop * sound.rate)]))
    with pytest.raises(DataError, match="but of its .* syllables 3 after it ends"):
        check_sound_covers(short)
    short.audio.start_time = recording.syllables["start_time"].iloc[1] + 0.001
    with pytest.raises(DataError, match="2 before it begins and"):
        check_sound_covers(short)


def test_hand_labels_of_real_song_agree_with_their_sound(shared_data):
    """Ten songs of a Bengalese finch, labelled by hand: 601 syllables, half a millisecond early."""
    samples, rows, begin = [], [], 0.0
    for file in sorted((shared_data / "bf_gy6or6").glob("*.cbin")):
        sound = np.fromfile(file, ">i2").reshape(-1, 2)[:, 0].astype(np.float32)
        notes = loadmat(f"{file}.not.mat", squeeze_me=True)
        rows += zip(
            begin + notes["onsets"] / 1e3,
            begin + notes["offsets"] / 1e3,
            notes["labels"],
            strict=True,
        )
        samples.append(sound)
        begin += len(sound) / 32_000
    syllables = pd.DataFrame(rows, columns=["start_time", "stop_time", "label"])
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.0], "stop_time": [begin]})
    audio = Sound(32_000.0, np.concatenate(samples))
    recording = Recording("gy6or6", None, syllables.assign(session="s1"), sessions, audio)
    trials = make_trials(recording, 0.5, [], 2)
    lags = sound_lags(recording, trials)
    assert (-1e-3 < lags["low"]).all() and (lags["high"] < 1e-3).all()
    assert (lags["low"] <= lags["lag"]).all() and (lags["lag"] <= lags["high"]).all()
    check_clock(recording, trials)
