"""Syllables sound as their voices say."""

import time

import numpy as np
import pytest
from scipy.signal import periodogram

from neuro2voc.errors import DataError
from neuro2voc.sources.synthesis import (
    KINDS,
    Voice,
    draw_voices,
    introductory_voice,
    sing,
    sing_song,
)

RATE = 20_000
STACK = Voice("stack", 600.0, 0.0, 3000.0, 800.0, 0.0)
SWEEP = Voice("sweep", 2000.0, -1.0, 2000.0, 2000.0, 0.0)
NOISE = Voice("noise", 4000.0, 0.0, 4000.0, 600.0, 0.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def peak_frequency(sound):
    frequency, power = periodogram(sound, RATE, window="hann")
    return frequency[power.argmax()]


def band_levels(sound, bands=30, parts=3):
    """Level in dB of 300 Hz wide bands in each third of a sound: the classifier's features."""
    levels = []
    for part in np.array_split(sound, parts):
        frequency, power = periodogram(part, RATE)
        band = np.minimum(frequency / 300, bands).astype(int)
        levels.append(np.bincount(band, power, bands + 1)[:bands])
    return 10 * np.log10(np.concatenate(levels) + 1e-12)


def test_same_generator_sings_the_same():
    voices = draw_voices(5, rng(3))
    assert voices == draw_voices(5, rng(3))
    assert voices != draw_voices(5, rng(4))
    events = [(0.1, 0.2, 0, 0.0, 0.0), (0.3, 0.4, 2, 0.1, -3.0)]
    first, second = (sing_song(events, voices, RATE, RATE, rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first != sing_song(events, voices, RATE, RATE, rng(2))).any()


@pytest.mark.parametrize("voice", [STACK, SWEEP, NOISE], ids=lambda voice: voice.kind)
@pytest.mark.parametrize("duration", [0.0, 1 / RATE, 2 / RATE, 0.003, 0.07123, 0.1])
def test_durations_are_exact_in_samples(voice, duration):
    sound = sing(voice, duration, RATE, rng())
    assert sound.dtype == np.float64
    assert sound.shape == (round(duration * RATE),)
    assert np.isfinite(sound).all()


@pytest.mark.parametrize("voice", [STACK, SWEEP, NOISE], ids=lambda voice: voice.kind)
def test_loudness_is_gain_and_six_decibels_do_not_clip(voice):
    quiet, loud = (sing(voice, 0.1, RATE, rng(), loudness=db) for db in (0, 6))
    assert np.abs(quiet).max() == pytest.approx(0.3)
    np.testing.assert_allclose(loud, quiet * 10 ** (6 / 20))
    assert np.abs(loud).max() < 1


@pytest.mark.parametrize("voice", [STACK, SWEEP, NOISE], ids=lambda voice: voice.kind)
def test_edges_are_ramped_and_the_middle_is_not(voice):
    sound = sing(voice, 0.1, RATE, rng())
    assert max(abs(sound[0]), abs(sound[-1])) < 0.001
    edge = np.abs(sound[: round(0.001 * RATE)]).max()
    assert edge < 0.05 < np.abs(sound[round(0.005 * RATE) : round(0.015 * RATE)]).max()


def test_stack_has_harmonics_of_its_pitch_under_its_formant():
    frequency, power = periodogram(sing(STACK, 0.5, RATE, rng()), RATE, window="hann")
    assert frequency[power.argmax()] == pytest.approx(3000, abs=5)
    on = np.abs(frequency / 600 - np.round(frequency / 600)) < 0.1
    assert power[on].sum() > 0.99 * power.sum()


def test_pitch_shift_moves_the_harmonics_and_leaves_the_formant():
    shifted = 600 * 2**0.25
    frequency, power = periodogram(sing(STACK, 0.5, RATE, rng(), pitch=0.25), RATE, window="hann")
    on = np.abs(frequency / shifted - np.round(frequency / shifted)) < 0.1
    assert power[on].sum() > 0.99 * power.sum()
    assert (frequency * power).sum() / power.sum() == pytest.approx(3000, rel=0.1)


def test_sweep_glides_by_its_slope():
    sound = sing(SWEEP, 0.2, RATE, rng())
    for place in (0.1, 0.5, 0.9):
        middle = round(place * len(sound))
        here = peak_frequency(sound[middle - 200 : middle + 200])
        assert here == pytest.approx(2000 * 2 ** (0.5 - place), rel=0.08)


def test_noise_is_a_band_around_its_pitch():
    frequency, power = periodogram(sing(NOISE, 0.5, RATE, rng()), RATE)
    centre = (frequency * power).sum() / power.sum()
    spread = np.sqrt(((frequency - centre) ** 2 * power).sum() / power.sum())
    assert centre == pytest.approx(4000, rel=0.03)
    # Amplitudes fall as a Gaussian of 600 Hz, so power falls as one of 600 / sqrt(2).
    assert spread == pytest.approx(600 / np.sqrt(2), rel=0.15)
    assert power.max() < 0.1 * power.sum()


def test_modulation_makes_side_bands():
    tone = Voice("sweep", 3000.0, 0.0, 3000.0, 500.0, 50.0)
    frequency, power = periodogram(sing(tone, 1.0, RATE, rng()), RATE, window="hann")
    sides = power[np.isclose(frequency, 2950) | np.isclose(frequency, 3050)]
    elsewhere = power[np.isclose(frequency, 2975) | np.isclose(frequency, 3025)]
    assert sides.min() > 1000 * elsewhere.max()


def test_voices_rotate_through_the_kinds_and_all_differ():
    voices = draw_voices(11, rng())
    assert [voice.kind for voice in voices] == [KINDS[i % 3] for i in range(11)]
    for kind in KINDS:
        pitches = np.sort([voice.pitch for voice in voices if voice.kind == kind])
        assert (np.diff(np.log2(pitches)) > 0.1).all()
    assert draw_voices(0, rng()) == ()


@pytest.mark.parametrize("seed", range(10))
def test_energy_lies_where_finches_sing(seed):
    for voice in (*draw_voices(8, rng(seed)), introductory_voice(rng(seed))):
        frequency, power = periodogram(sing(voice, 0.1, RATE, rng(seed)), RATE)
        inside = (frequency > 400) & (frequency < 8000)
        assert power[inside].sum() > 0.97 * power.sum()
        assert power[frequency > 9200].sum() < 1e-4 * power.sum()


@pytest.mark.parametrize("seed", range(5))
def test_types_are_told_apart_by_their_nearest_mean_spectrum(seed):
    draw = rng(seed)
    voices = draw_voices(7, draw)
    features = np.array(
        [
            [
                band_levels(
                    sing(
                        voice,
                        0.1 * draw.uniform(0.95, 1.05),
                        RATE,
                        draw,
                        pitch=draw.normal(0, 0.02),
                        loudness=draw.normal(0, 1.5),
                    )
                )
                for _ in range(20)
            ]
            for voice in voices
        ]
    )
    means = features[:, :10].mean(axis=1)
    distance = ((features[:, 10:, None] - means) ** 2).sum(axis=-1)
    assert (distance.argmin(axis=-1) == np.arange(7)[:, None]).mean() > 0.98


def test_introductory_note_is_soft_noise():
    voice = introductory_voice(rng())
    assert voice.kind == "noise"
    assert np.abs(sing(voice, 0.05, RATE, rng())).max() < 0.15


def test_song_holds_its_syllables_where_they_were_sung():
    events = [(0.2, 0.3, 0, 0.0, 0.0), (0.5, 0.6, 1, 0.0, 6.0)]
    song = sing_song(events, [STACK, NOISE], RATE, RATE, rng(), background_db=-50)
    assert song.dtype == np.int16
    assert song.shape == (RATE,)
    level = (song.reshape(-1, 100) / 32767).std(axis=1)
    loud = np.flatnonzero(level > 0.02) * 100 / RATE
    np.testing.assert_allclose(loud[[0, -1]], [0.2, 0.595], atol=0.006)
    assert not ((loud > 0.3) & (loud < 0.495)).any()
    background = song[: round(0.2 * RATE)] / 32767
    assert 20 * np.log10(background.std()) == pytest.approx(-50, abs=0.2)


def test_too_loud_a_song_is_clipped_not_wrapped():
    song = sing_song([(0, 1, 0, 0.0, 30.0)], [STACK], RATE, RATE, rng()).astype(int)
    assert (np.abs(song) <= 32767).all()
    assert (np.abs(song) == 32767).mean() > 0.1
    # The same song unclipped: wrapping would turn signs round.
    soft = sing_song([(0, 1, 0, 0.0, 0.0)], [STACK], RATE, RATE, rng()).astype(int)
    strong = np.abs(soft) > 3000
    assert (np.sign(song[strong]) == np.sign(soft[strong])).all()


def test_syllable_outside_the_recording_is_refused():
    for start, stop in ((-0.1, 0.1), (0.95, 1.05), (0.3, 0.2)):
        with pytest.raises(DataError, match="does not lie within the recording"):
            sing_song([(start, stop, 0, 0.0, 0.0)], [STACK], RATE, RATE, rng())


def test_too_low_a_rate_is_refused():
    with pytest.raises(DataError, match="use a rate of at least"):
        sing(NOISE, 0.1, 8000, rng())


def test_six_hundred_syllables_are_sung_fast():
    voices = draw_voices(7, rng())
    events = [(0.2 * i, 0.2 * i + 0.1, i % 7, 0.0, 0.0) for i in range(600)]
    start = time.process_time()
    sing_song(events, voices, 120 * RATE, RATE, rng())
    assert time.process_time() - start < 2
