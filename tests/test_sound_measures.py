"""Measures of generated sound against their definitions, cell by cell."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import spectrogram
from scipy.signal.windows import gaussian

from neuro2voc import sound_measures as measures
from neuro2voc.sound_pitch import pitch, pitch_error
from neuro2voc.sources.synthesis import Voice, sing
from neuro2voc.spectrograms import SpectrogramSettings, levels, mel_weights, power_frames

SETTINGS = SpectrogramSettings()
FREQUENCIES = SETTINGS.frequencies


@pytest.fixture
def pair():
    rng = np.random.default_rng(1)
    real = rng.uniform(-60, 0, (9, 128)).astype(np.float32)
    return real, np.clip(real + rng.normal(0, 9, real.shape), -60, 0).astype(np.float32)


def test_correlation_and_squared_error_pool_all_cells(pair):
    real, made = pair
    x, y = real.ravel().tolist(), made.ravel().tolist()
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    top = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    below = math.fsum((a - mx) ** 2 for a in x) * math.fsum((b - my) ** 2 for b in y)
    assert measures.correlation(real, made) == pytest.approx(top / math.sqrt(below), abs=1e-12)
    squares = math.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / len(x)
    assert measures.squared_error(real, made) == pytest.approx(squares, rel=1e-12)
    assert measures.correlation(real, 3 * real + 5) == pytest.approx(1)
    for flat in (np.full_like(real, -60), real.copy()):
        expected = np.nan if np.ptp(flat) == 0 else 1.0
        assert measures.correlation(real, flat) == pytest.approx(expected, nan_ok=True)


def similarity_by_hand(real, made, side, span):
    """The mean over all windows that fit, of Wang's index with sample (co)variances."""
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    values = []
    for i in range(real.shape[0] - side + 1):
        for j in range(real.shape[1] - side + 1):
            x = real[i : i + side, j : j + side].ravel().astype(float)
            y = made[i : i + side, j : j + side].ravel().astype(float)
            both = np.cov(x, y, ddof=1)
            top = (2 * x.mean() * y.mean() + c1) * (2 * both[0, 1] + c2)
            below = (x.mean() ** 2 + y.mean() ** 2 + c1) * (both[0, 0] + both[1, 1] + c2)
            values.append(top / below)
    return np.mean(values)


@pytest.mark.parametrize(("frames", "side"), [(9, 7), (7, 7), (6, 5), (4, 3), (3, 3)])
def test_similarity_takes_a_smaller_window_for_a_short_syllable(pair, frames, side):
    real, made = (level[:frames, :20] for level in pair)
    by_hand = similarity_by_hand(real, made, side, 60)
    assert measures.similarity(real, made, 60) == pytest.approx(by_hand, abs=1e-9)
    assert measures.similarity(real, real, 60) == pytest.approx(1)


def test_two_frames_have_no_similarity(pair):
    assert np.isnan(measures.similarity(pair[0][:2], pair[1][:2], 60))


def test_cepstral_distortion_is_kubicheks_sum(pair):
    real, made = pair
    weights = mel_weights(FREQUENCIES, 25)
    found = []
    for frames in zip(real.astype(float), made.astype(float), strict=True):
        c = []
        for level in frames:
            amplitude = np.log(np.sqrt(weights @ 10 ** (level / 10)))
            c.append(
                [
                    2
                    / 25
                    * sum(
                        a * math.cos(d * math.pi * (n + 0.5) / 25) for n, a in enumerate(amplitude)
                    )
                    for d in range(1, 14)
                ]
            )
        square = sum((a - b) ** 2 for a, b in zip(*c, strict=True))
        found.append(10 / math.log(10) * math.sqrt(2 * square))
    assert measures.cepstral_distortion(real, made, FREQUENCIES) == pytest.approx(np.mean(found))


@pytest.mark.parametrize("depth", [1.0, 6.0])
@pytest.mark.parametrize("order", [1, 5, 13])
def test_a_ripple_over_mel_bands_is_its_root_mean_square(depth, order):
    """Bands that are mel bands themselves: a cosine of A dB distorts by A / sqrt(2) dB."""
    weights = mel_weights(FREQUENCIES, 25)
    # Levels that put exactly the ripple into the mel bands: one frequency per band at its peak.
    centres = weights.argmax(axis=1)
    assert len(set(centres)) == 25
    ripple = depth * np.cos(order * np.pi * (np.arange(25) + 0.5) / 25)
    level = np.full((2, 128), -300.0)
    level[:, centres] = 0
    rippled = level.copy()
    rippled[:, centres] += ripple
    share = weights[:, centres] @ 10 ** (ripple / 10) / weights[:, centres].sum(axis=1)
    leaked = 10 * np.log10(share)
    found = measures.cepstral_distortion(level, rippled, FREQUENCIES)
    own = 2 / 25 * np.cos(np.pi * np.outer(np.arange(1, 14), np.arange(25) + 0.5) / 25) @ leaked
    assert found == pytest.approx(np.sqrt((own**2).sum() / 2))
    # Triangles overlap a little at these centres, so the ripple itself comes out nearly.
    assert found == pytest.approx(depth / np.sqrt(2), rel=0.35)


def test_loudness_alone_distorts_no_cepstrum_but_the_amplitude():
    level = np.random.default_rng(2).uniform(-40, -10, (5, 128))
    assert measures.cepstral_distortion(level, level - 7, FREQUENCIES) == pytest.approx(0, abs=1e-9)
    assert measures.amplitude_error(level, level - 7) == pytest.approx(7)


def test_amplitude_error_adds_power_over_bands():
    real = np.array([[-10.0, -10.0], [-20.0, -60.0]])
    made = np.array([[-13.0103, -13.0103], [-20.0, -20.0]])
    by_hand = [
        10 * math.log10(0.2) - 10 * math.log10(0.1),
        10 * math.log10(0.02) - 10 * math.log10(0.01 + 1e-6),
    ]
    assert measures.amplitude_error(real, made) == pytest.approx(np.mean(by_hand), rel=1e-5)


# FALCON B1


def trial(seed):
    """0.9 s at 25 kHz: noise with a glide in the middle."""
    rng = np.random.default_rng(seed)
    t = np.arange(22_500) / 25_000
    loud = np.exp(-(((t - 0.45) / 0.15) ** 2))
    return 3000 * loud * np.sin(2 * np.pi * (1500 * t + 900 * t**2)) + rng.normal(0, 5, len(t))


def test_b1_is_what_the_benchmark_computes():
    """Its own lines once more: spectrogram, floor, bands, mask, scaling, error."""
    targets, masks = [], []
    for sound in (trial(1), trial(2)):
        f, t, S = spectrogram(
            sound,
            25000,
            nperseg=512,
            noverlap=487,
            window=gaussian(512, std=125),
            scaling="spectrum",
        )
        S[S < 1e-4 * np.max(S)] = 1
        S[f < 250] = 1
        S = S[(f > 250) & (f < 8000)]
        assert S.shape == (158, 880)
        targets.append(S)
        masks.append((t >= 0.1) & (t < 0.8))
        np.testing.assert_allclose(measures.b1_times(880), t, rtol=0, atol=1e-12)
    target, prediction = (
        S[:, mask].T.reshape(700, 158) for S, mask in zip(targets, masks, strict=True)
    )
    a = (target - target.min()) / (target.max() - target.min())
    b = (prediction - prediction.min()) / (prediction.max() - prediction.min())
    own = [measures.b1_spectrogram(trial(seed)) for seed in (1, 2)]
    scored = measures.b1_scored(880)
    assert scored.sum() == 700
    for S, made in zip(targets, own, strict=True):
        np.testing.assert_array_equal(made, S)
    error = measures.b1_error(*(S[:, scored] for S in own))
    assert error == pytest.approx(((a - b) ** 2).mean(), rel=1e-12)


def test_b1_forgives_loudness_and_has_nothing_to_say_of_a_constant():
    real = measures.b1_spectrogram(trial(1))
    assert measures.b1_error(real, 1e-3 * real) == pytest.approx(0, abs=1e-15)
    assert np.isnan(measures.b1_error(real, np.zeros_like(real)))
    click = np.zeros_like(real)
    click[3, 5] = 1
    near = measures.b1_silence(real)
    assert measures.b1_error(real, click) == pytest.approx(near, abs=2 / real.size)
    assert near < 0.01


# Pitch


def heard(voice, seed, duration=0.2, background=1e-3):
    rng = np.random.default_rng(seed)
    sound = sing(voice, duration, SETTINGS.rate, rng)
    frames = round(duration / SETTINGS.hop)
    before = (SETTINGS.window_samples - SETTINGS.hop_samples) // 2
    sound = np.pad(sound, before) + background * rng.standard_normal(len(sound) + 2 * before)
    power = power_frames(sound, SETTINGS, frames)
    return levels(power, np.quantile(power, 0.999), 60)


@pytest.mark.parametrize(
    "voice",
    [
        *(Voice("stack", hz, 0.1, 3000, 1200, 0) for hz in (420, 600, 950)),
        *(Voice("sweep", hz, slope, hz, 2000, 45) for hz, slope in ((1400, 1.0), (2400, -1.0))),
    ],
)
def test_pitch_follows_what_was_sung(voice):
    level = heard(voice, 1)
    found = pitch(level, FREQUENCIES, SETTINGS.window)
    middle = (np.arange(len(level)) + 0.5) / len(level)
    sung = voice.pitch * 2 ** (voice.slope * (middle - 0.5))
    difference, share = pitch_error(sung, found)
    assert share > 0.8
    assert difference < 0.1
    octaves = np.abs(np.log2(found / sung))
    assert np.nanmean(octaves > 0.4) < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_silence_have_no_pitch(seed):
    rng = np.random.default_rng(seed)
    hz = rng.uniform(1800, 6200)
    noisy = pitch(heard(Voice("noise", hz, 0, hz, 0.2 * hz, 0), seed), FREQUENCIES, 0.016)
    assert np.isfinite(noisy).mean() < 0.25
    assert np.isnan(pitch(np.full((4, 128), -60.0), FREQUENCIES, 0.016)).all()
    assert np.isnan(pitch(np.full((4, 128), np.nan), FREQUENCIES, 0.016)).all()


def test_what_cannot_be_compared_counts_against_the_share():
    real = np.array([440.0, 440, 440, np.nan, np.nan])
    made = np.array([440.0, 880, np.nan, 440, np.nan])
    assert pitch_error(real, made) == pytest.approx((6.0, 2 / 3))
    assert pitch_error(real, np.full(5, np.nan)) == pytest.approx((np.nan, 0.0), nan_ok=True)
    assert np.isnan(pitch_error(np.full(5, np.nan), real)).all()


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 12), st.integers(0, 3))
def test_no_shape_crashes_and_sound_equals_itself(frames, bands, seed):
    level = np.random.default_rng(seed).uniform(-60, 0, (frames, bands))
    assert measures.squared_error(level, level) == 0
    assert measures.amplitude_error(level, level) == 0
    similar = measures.similarity(level, level, 60)
    assert np.isnan(similar) if min(frames, bands) < 3 else similar == pytest.approx(1)
    if frames * bands > 1:
        assert measures.correlation(level, level) == pytest.approx(1)
