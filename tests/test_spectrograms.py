"""Sound to spectrogram and back."""

import numpy as np
import pytest

from neuro2voc.errors import DataError
from neuro2voc.spectrograms import (
    SpectrogramSettings,
    check_rate,
    levels,
    mel_weights,
    power_frames,
    resampled,
    to_sound,
)

SETTINGS = SpectrogramSettings()


def tone(frequency, seconds, rate=20_000, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def test_the_thesis_settings_make_128_bands_of_62_5_hz():
    assert len(SETTINGS.frequencies) == 128
    np.testing.assert_allclose(np.diff(SETTINGS.frequencies), 62.5)


def test_a_tone_has_its_power_in_its_band():
    power = power_frames(tone(1000, 1), SETTINGS, 100)
    assert (power.argmax(axis=1) == 16).all()
    np.testing.assert_allclose(power[:, 16], 0.5**2 / 2, rtol=1e-6)


def test_frames_are_centred_on_their_hops():
    # A click in the middle of the tenth hop is loudest in the tenth frame.
    samples = np.zeros(20_000)
    margin = (SETTINGS.window_samples - SETTINGS.hop_samples) // 2
    samples[margin + 10 * SETTINGS.hop_samples + SETTINGS.hop_samples // 2] = 1
    power = power_frames(samples, SETTINGS, 50).sum(axis=1)
    assert power.argmax() == 10
    np.testing.assert_allclose(power[9], power[11], rtol=0.05)


@pytest.mark.parametrize("rate", [16_000, 25_000.1, 32_000, 44_100, 48_000])
def test_sound_of_another_rate_keeps_its_pitch_and_level(rate):
    n = round(rate)
    samples = 0.5 * np.sin(2 * np.pi * 2000 * np.arange(n) / rate)
    power = power_frames(resampled(samples, rate, 20_000), SETTINGS, 200)[20:180]
    assert (power.argmax(axis=1) == 32).all()
    np.testing.assert_allclose(power[:, 32], 0.125, rtol=0.01)


def test_sound_of_a_much_lower_rate_is_refused_in_a_sentence():
    with pytest.raises(DataError, match="recorded at 8000 Hz and holds nothing above 4000 Hz"):
        check_rate(8000, SETTINGS)
    check_rate(16_000, SETTINGS)


def test_levels_have_a_floor_and_silence_has_one():
    level = levels(np.array([[0.0, 1e-9, 1.0, 10.0]]), 1.0, 60)
    np.testing.assert_allclose(level, [[-60, -60, 0, 10]])
    assert level.dtype == np.float32


@pytest.mark.parametrize("key", ["window", "hop"])
def test_lengths_are_whole_samples(key):
    with pytest.raises(DataError, match=f"spectrogram.{key}.*whole number of samples"):
        SpectrogramSettings(**{key: 0.00403})


def test_bands_end_where_sound_does():
    with pytest.raises(DataError, match="reaches 5000 Hz"):
        SpectrogramSettings(rate=10_000)


def test_mel_weights_cover_all_frequencies_and_are_equally_wide_in_mel():
    frequencies = SETTINGS.linear_frequencies
    weights = mel_weights(frequencies, 20)
    assert weights.shape == (20, 128) and (weights.sum(axis=1) > 0).all()
    middle = 2595 * np.log10(1 + (weights @ frequencies / weights.sum(axis=1)) / 700)
    np.testing.assert_allclose(np.diff(middle)[3:], np.diff(middle)[3:].mean(), rtol=0.15)
    # Between the first and the last middle every frequency counts once in all.
    inside = (frequencies > 300) & (frequencies < 6500)
    np.testing.assert_allclose(weights[:, inside].sum(axis=0), 1, rtol=1e-9)


@pytest.mark.parametrize("mel", [0, 64])
def test_a_spectrogram_of_the_sound_made_of_a_spectrogram_is_much_like_it(mel):
    settings = SpectrogramSettings(mel=mel)
    time = np.arange(20_000) / 20_000
    sweep = np.sin(2 * np.pi * (1000 * time + 1000 * time**2)) * np.sin(np.pi * time) ** 2
    margin = (settings.window_samples - settings.hop_samples) // 2
    level = levels(power_frames(np.pad(sweep, margin), settings, 250), 0.1, 60)
    sound = to_sound(level, 0.1, settings, seed=1)
    assert len(sound) == 20_000 and sound.dtype == np.float32
    again = levels(power_frames(np.pad(sound, margin), settings, 250), 0.1, 60)
    loud = level > -30
    assert np.corrcoef(level.ravel(), again.ravel())[0, 1] > 0.9
    assert np.abs(level - again)[loud].mean() < 3
    np.testing.assert_array_equal(sound, to_sound(level, 0.1, settings, seed=1))
