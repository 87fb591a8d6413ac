"""Zebra-finch-like syllables by a source-filter model, for simulated birds that must be heard.

The source is a train of harmonics or a band of noise whose pitch glides; the filter is a Gaussian
spectral envelope. The kinds are the common ones of zebra finch song: harmonic stacks, sweeps and
noisy notes (Zann 1993, The Auk 110:702; Lachlan et al. 2016, Front. Psychol. 7:980). Their ranges
are chosen to keep most energy within 0.5 to 8 kHz and the types of one bird apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from neuro2voc.errors import DataError

KINDS = ("stack", "sweep", "noise")

PEAK = 0.3  # of full scale at 0 dB: leaves 10 dB before anything clips
FULL_SCALE = 32767
PIECE = (
    1 << 20
)  # samples of noise drawn at a time: hours of sound in little more than their own size
RAMP = 0.005  # s; short enough to keep edges findable, long enough not to click
BAND_EDGE = 0.45  # of the sampling rate; nothing is synthesised above it, so nothing aliases
MODULATION_DEPTH = 0.8
ENVELOPE_FLOOR = 0.04  # -28 dB: harmonics far from the formant stay visible


@dataclass(frozen=True)
class Voice:
    """How one syllable type sounds.

    Attributes
    ----------
    kind : str
        ``stack`` (harmonic stack), ``sweep`` (gliding tone with weak harmonics) or ``noise``
        (band-passed noise).
    pitch : float
        Fundamental or centre of the noise half-way through the syllable, Hz.
    slope : float
        Change of pitch from onset to offset, octaves.
    formant, bandwidth : float
        Centre and standard deviation of the Gaussian spectral envelope, Hz. Noise is its own
        formant: its envelope is centred on its pitch.
    modulation : float
        Frequency of amplitude modulation, Hz; 0 for none.
    level : float
        Loudness against other voices, dB.
    """

    kind: str
    pitch: float
    slope: float
    formant: float
    bandwidth: float
    modulation: float
    level: float = 0.0


def draw_voices(n: int, rng: np.random.Generator) -> tuple[Voice, ...]:
    """Draw `n` distinct voices: a stack, a sweep, a noise, a stack and so on.

    Within a kind, pitches and formants lie in different parts of their ranges, sweeps alternate
    between falling and rising, and every second voice is modulated in amplitude.
    """
    voices: list[Voice | None] = [None] * n
    for offset, kind in enumerate(KINDS):
        places = range(offset, n, len(KINDS))
        for i, voice in zip(places, _voices_of_kind(kind, len(places), rng), strict=True):
            voices[i] = voice
    return tuple(voices)


def introductory_voice(rng: np.random.Generator) -> Voice:
    """Draw the voice of an introductory note: soft and noisy; sing it for some 40 to 60 ms."""
    pitch = rng.uniform(2400, 3000)
    return Voice("noise", pitch, rng.uniform(-0.5, -0.3), pitch, 1100.0, 0.0, level=-9.0)


def sing(
    voice: Voice,
    duration: float,
    rate: float,
    rng: np.random.Generator,
    pitch: float = 0.0,
    loudness: float = 0.0,
) -> np.ndarray:
    """Sing one rendition of a syllable.

    Parameters
    ----------
    voice : Voice
        What to sing.
    duration : float
        Length, s.
    rate : float
        Sampling rate, Hz.
    rng : numpy.random.Generator
        Draws the phases of the harmonics, or the noise.
    pitch : float
        Shift of the pitch, octaves; the formant stays where it is.
    loudness : float
        Gain, dB; at 0 the largest sample is 0.3 of full scale.

    Returns
    -------
    numpy.ndarray
        Sound, float64 (round(duration * rate),), with raised-cosine ramps of 5 ms at both ends.
    """
    n = round(duration * rate)
    if n == 0:
        return np.zeros(0)
    contour = voice.pitch * 2.0 ** (pitch + voice.slope * (np.arange(n) / n - 0.5))
    top = BAND_EDGE * rate
    if contour.max() > top:
        raise DataError(
            f"A voice that reaches {contour.max():.0f} Hz cannot be sung at {rate:g} samples per s;"
            f" use a rate of at least {contour.max() / BAND_EDGE:.0f}."
        )
    phase = 2 * np.pi * np.cumsum(contour) / rate
    if voice.kind == "noise":
        sound = _noise(contour, phase, voice.bandwidth, rate, rng)
    else:
        sound = _harmonics(voice, contour, phase, top, rng)
    if voice.modulation:
        wave = np.cos(2 * np.pi * voice.modulation * np.arange(n) / rate)
        sound *= 1 - MODULATION_DEPTH * (1 + wave) / 2
    sound *= _ramps(n, rate)
    return sound * (PEAK * 10 ** ((voice.level + loudness) / 20) / np.abs(sound).max())


def sing_song(
    events: Iterable[tuple[float, float, int, float, float]],
    voices: Sequence[Voice],
    sample_count: int,
    rate: float,
    rng: np.random.Generator,
    background_db: float = -50,
) -> np.ndarray:
    """Sing a whole recording over background noise.

    Parameters
    ----------
    events : iterable of (start, stop, voice, pitch, loudness)
        One per syllable: start and stop in s, index into `voices`, pitch shift in octaves and gain
        in dB as in `sing`.
    voices : sequence of Voice
        What there is to sing.
    sample_count : int
        Length of the recording, samples.
    rate : float
        Sampling rate, Hz.
    rng : numpy.random.Generator
        Draws the background, then the syllables in the order given.
    background_db : float
        RMS of the white background, dB of full scale.

    Returns
    -------
    numpy.ndarray
        Sound, int16 (sample_count,); what would exceed full scale is clipped, never wrapped.
    """
    song = np.empty(sample_count, dtype=np.int16)
    for first in range(0, sample_count, PIECE):
        noise = rng.standard_normal(min(PIECE, sample_count - first), dtype=np.float32)
        song[first : first + PIECE] = _int16(noise * np.float32(10 ** (background_db / 20)))
    for start, stop, voice, pitch, loudness in events:
        first, last = round(start * rate), round(stop * rate)
        if not 0 <= first <= last <= sample_count:
            raise DataError(
                f"The syllable from {start:g} to {stop:g} s does not lie within the recording of"
                f" {sample_count / rate:g} s."
            )
        duration = (last - first) / rate
        sound = sing(voices[voice], duration, rate, rng, pitch, loudness)
        song[first:last] = _int16(song[first:last] / FULL_SCALE + sound)
    return song


def _int16(sound: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(sound, -1, 1) * FULL_SCALE).astype(np.int16)


def _voices_of_kind(kind: str, n: int, rng: np.random.Generator) -> list[Voice]:
    modulated = rng.permutation(np.arange(n) % 2 == 1)
    modulation = np.where(modulated, rng.uniform(35, 60, n), 0.0)
    if kind == "stack":
        pitch = _spread(420, 950, n, rng)
        slope = rng.uniform(-0.1, 0.1, n)
        formant = _spread(2000, 5000, n, rng)
        bandwidth = rng.uniform(1000, 1500, n)
    elif kind == "sweep":
        pitch = _spread(1100, 2800, n, rng)
        # Down-sweeps are the commoner in zebra finches, so a single sweep falls.
        slope = rng.uniform(0.8, 1.2, n) * np.where(np.arange(n) % 2, 1, -1)
        formant = pitch
        bandwidth = rng.uniform(1800, 2200, n)
    else:
        pitch = _spread(1800, 6200, n, rng)
        slope = rng.uniform(-0.15, 0.15, n)
        formant = pitch
        bandwidth = rng.uniform(0.14, 0.2, n) * pitch
    columns = (pitch, slope, formant, bandwidth, modulation)
    return [Voice(kind, *map(float, row)) for row in zip(*columns, strict=True)]


def _spread(low: float, high: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` values in random order, each from the middle 40 % of its own octave-wise share."""
    share = (rng.permutation(n) + rng.uniform(0.3, 0.7, n)) / max(n, 1)
    return low * (high / low) ** share


def _harmonics(
    voice: Voice, contour: np.ndarray, phase: np.ndarray, top: float, rng: np.random.Generator
) -> np.ndarray:
    """Sum the harmonics that stay below `top` Hz, each weighted by the envelope where it is."""
    order = np.arange(1, int(top / contour.max()) + 1)[:, None]
    distance = (order * contour - voice.formant) / voice.bandwidth
    weight = ENVELOPE_FLOOR + np.exp(-0.5 * distance**2)
    if voice.kind == "sweep":
        weight /= order**1.5
    start = rng.uniform(0, 2 * np.pi, order.shape)
    return (weight * np.sin(order * phase + start)).sum(axis=0)


def _noise(
    contour: np.ndarray, phase: np.ndarray, bandwidth: float, rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Noise with a Gaussian spectrum that follows the pitch: low-passed noise on a gliding carrier.

    The band ends where it would fold over at 0 Hz or reach the band edge.
    """
    n = len(contour)
    frequency = np.abs(fft.fftfreq(n, 1 / rate))
    reach = min(3 * bandwidth, contour.min(), BAND_EDGE * rate - contour.max())
    gain = np.exp(-0.5 * (frequency / bandwidth) ** 2) * (frequency <= reach)
    white = rng.standard_normal((2, n))
    return (fft.ifft(gain * (white[0] + 1j * white[1])) * np.exp(1j * phase)).real


def _ramps(n: int, rate: float) -> np.ndarray:
    """Raised-cosine onset and offset of 5 ms, less where the sound is shorter than 10 ms."""
    length = min(round(RAMP * rate), n // 2)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))
    return np.concatenate([rise, np.ones(n - 2 * length), rise[::-1]])
