"""The pitch of sound, from its spectrogram alone, so that generated sound needs no phases.

The autocorrelation of a frame is the cosine transform of its power. Divided by the window's own, it
peaks at the period of what is periodic, and the peak's height says how periodic it is (Boersma
1993, IFA Proceedings 17:97).
"""

import numpy as np

from neuro2voc.sound_measures import total_level

LOWEST, HIGHEST = 300.0, 5000.0  # Hz, beyond the fundamentals of songbirds that are known
LAGS = 64_000  # per s; nothing is finer than a hundredth of the shortest period once interpolated
PERIODIC = 0.85  # least height of the peak, of 1; see docs/voice/measures.md
QUIET = -40.0  # dB relative to the reference; what is softer in all is background
OCTAVE = 0.05  # of the peak's height; by so much is the higher of two an octave apart favoured


def pitch(level: np.ndarray, frequencies: np.ndarray, window: float) -> np.ndarray:
    """Return the pitch (frames,) of sound in Hz, NaN where it is not voiced.

    Parameters
    ----------
    level : ndarray (frames, bands)
        dB; frames of NaN have no pitch.
    frequencies : ndarray (bands,)
        Hz, evenly spaced.
    window : float
        s, length of the Hann window of each frame.
    """
    lag = np.arange(int(LAGS / HIGHEST), int(LAGS / LOWEST) + 2) / LAGS
    power = 10 ** (np.asarray(level, float) / 10)
    height = power @ np.cos(2 * np.pi * np.outer(frequencies, lag))
    height /= power.sum(axis=1, keepdims=True) * _hann_autocorrelation(lag / window)
    peak = np.zeros(height.shape, dtype=bool)
    peak[:, 1:-1] = (height[:, 1:-1] > height[:, :-2]) & (height[:, 1:-1] >= height[:, 2:])
    favoured = np.where(peak, np.minimum(height, 1) - OCTAVE * np.log2(lag * LOWEST), -np.inf)
    best, rows = favoured.argmax(axis=1), np.arange(len(level))
    best = np.clip(best, 1, len(lag) - 2)
    before, here, after = (height[rows, best + step] for step in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        top = best + (before - after) / (2 * (before - 2 * here + after))
        found = LAGS / (top + lag[0] * LAGS)
        voiced = peak[rows, best] & (here >= PERIODIC) & (total_level(level) >= QUIET)
    return np.where(voiced, found, np.nan)


def _hann_autocorrelation(lag: np.ndarray) -> np.ndarray:
    """Autocorrelation of a Hann window of length 1, relative to that at 0 (Boersma 1993)."""
    angle = 2 * np.pi * lag
    return (1 - lag) * (2 + np.cos(angle)) / 3 + np.sin(angle) / (2 * np.pi)


def pitch_error(real: np.ndarray, made: np.ndarray) -> tuple[float, float]:
    """Compare two tracks of pitch where the real sound is voiced.

    What is made may be unvoiced there; such frames cannot be compared and count against the share,
    not in the difference. A small difference with a small share is no success.

    Parameters
    ----------
    real, made : ndarray (frames,)
        Hz, NaN where unvoiced.

    Returns
    -------
    difference : float
        Median absolute difference in semitones; NaN where nothing can be compared.
    share : float
        Share of the frames voiced in the real sound that are voiced in the other; NaN where there
        are none.
    """
    voiced = np.isfinite(real)
    both = voiced & np.isfinite(made)
    if not voiced.any():
        return np.nan, np.nan
    difference = np.abs(12 * np.log2(made[both] / real[both]))
    return float(np.median(difference)) if both.any() else np.nan, float(both.sum() / voiced.sum())
