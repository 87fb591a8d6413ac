"""Sound to spectrogram, and back.

A spectrogram is an array (frames, bands) of levels in dB. Frame k is centred on the middle of the
k-th hop of its stretch of time, so that frames and bins of spikes of the same width share their
edges.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import nnls
from scipy.signal import get_window, resample_poly

from neuro2voc.errors import DataError

# Rates of sound cards are not whole (25000.1 Hz); this is exact to 20 ms within an hour, and each
# stretch, some seconds long, is resampled by itself.
LARGEST_FACTOR = 1000
EMPTY = 1e-30  # power of digital silence, which has no logarithm
ROUNDS = 60  # of Griffin & Lim's algorithm; more are not heard


@dataclass(frozen=True)
class SpectrogramSettings:
    """How sound becomes levels.

    Attributes
    ----------
    rate : float
        Hz; sound of another rate is resampled to this one.
    window : float
        Length of the Hann window in s; one over it is the distance of linear bands.
    hop : float
        From frame to frame in s.
    highest : float
        Hz; bands end below it.
    floor : float
        dB below the reference, under which levels are not followed.
    mel : int
        Number of mel bands, or 0 for linear ones.
    """

    rate: float = 20_000
    window: float = 0.016
    hop: float = 0.004
    highest: float = 8_000
    floor: float = 60
    mel: int = 0

    def __post_init__(self):
        for name in ("window", "hop"):
            samples = getattr(self, name) * self.rate
            if samples < 1 or abs(samples - round(samples)) > 1e-6:
                raise DataError(
                    f"config.yaml, `spectrogram.{name}` is {getattr(self, name):g} s, which at "
                    f"{self.rate:g} Hz is no whole number of samples; choose a multiple of "
                    f"{1 / self.rate:g} s."
                )
        if self.highest > self.rate / 2:
            raise DataError(
                f"config.yaml, `spectrogram.highest` is {self.highest:g} Hz, but sound of "
                f"{self.rate:g} Hz reaches {self.rate / 2:g} Hz; lower it or raise `rate`."
            )

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return round(self.window * self.rate)

    @property
    def hop_samples(self) -> int:
        """Samples from frame to frame."""
        return round(self.hop * self.rate)

    @property
    def linear_frequencies(self) -> np.ndarray:
        """Middle of each linear band in Hz, whether or not mel bands are made of them."""
        return np.arange(round(self.highest * self.window)) / self.window

    @property
    def frequencies(self) -> np.ndarray:
        """Middle of each band in Hz."""
        if not self.mel:
            return self.linear_frequencies
        weights = mel_weights(self.linear_frequencies, self.mel)
        return (weights @ self.linear_frequencies) / weights.sum(axis=1)


def check_rate(rate: float, settings: SpectrogramSettings) -> None:
    """Refuse sound of a rate (Hz) at which the highest bands were never recorded.

    They would lie at the floor throughout, and whoever sings silence there would be right.

    Raises
    ------
    DataError
    """
    if rate < 2 * settings.highest:
        raise DataError(
            f"The sound was recorded at {rate:g} Hz and holds nothing above {rate / 2:g} Hz; set "
            f"`spectrogram: highest` (now {settings.highest:g}) to {rate / 2:g} or less."
        )


def resampled(samples: np.ndarray, rate: float, wanted: float) -> np.ndarray:
    """Return sound at another rate (polyphase filter; float64)."""
    ratio = Fraction(wanted / rate).limit_denominator(LARGEST_FACTOR)
    samples = np.asarray(samples, dtype=float)
    if ratio == 1:
        return samples
    return resample_poly(samples, ratio.numerator, ratio.denominator)


def power_frames(samples: np.ndarray, settings: SpectrogramSettings, frames: int) -> np.ndarray:
    """Return the power (frames, linear bands) of sound at the settings' rate.

    Parameters
    ----------
    samples : ndarray (n,)
        From half a window before the middle of the first frame; what is missing at the end is
        silence.
    settings : SpectrogramSettings
    frames : int

    Returns
    -------
    ndarray
        Scaled so that a sine of amplitude a has power a² / 2 in the band that it falls on.
    """
    length, hop = settings.window_samples, settings.hop_samples
    needed = (frames - 1) * hop + length
    samples = np.pad(samples[:needed], (0, max(0, needed - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    shape = get_window("hann", length)
    spectrum = np.fft.rfft(windows * shape, axis=1)[:, : len(settings.linear_frequencies)]
    power = 2 * np.abs(spectrum / shape.sum()) ** 2
    if settings.mel:
        power = power @ mel_weights(settings.linear_frequencies, settings.mel).T
    return power


def mel_weights(frequencies: np.ndarray, bands: int) -> np.ndarray:
    """Return triangular weights (bands, frequencies), equally wide in mel, each of height 1.

    The mel scale is that of O'Shaughnessy (1987): 2595 log10(1 + f / 700). Bands go from the lowest
    to the highest frequency. Unlike librosa's they take any frequencies, as given spectrograms
    have; a band too narrow for any of them takes the nearest.
    """
    frequencies = np.asarray(frequencies, dtype=float)
    edges = np.linspace(*_mel(frequencies[[0, -1]]), bands + 2)
    place = _mel(frequencies)
    rise = (place - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - place) / np.diff(edges)[1:, None]
    weights = np.clip(np.minimum(rise, fall), 0, None)
    empty = np.flatnonzero(weights.sum(axis=1) == 0)
    weights[empty, np.abs(place - edges[1:-1, None])[empty].argmin(axis=1)] = 1
    return weights


def _mel(frequency: np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + frequency / 700)


def levels(power: np.ndarray, reference: float, floor: float) -> np.ndarray:
    """Return power as float32 levels in dB relative to `reference`, not below -`floor`."""
    level = 10 * np.log10(np.maximum(power, EMPTY) / reference)
    return np.maximum(level, -floor).astype(np.float32)


def to_sound(
    level: np.ndarray, reference: float, settings: SpectrogramSettings, seed: int
) -> np.ndarray:
    """Return sound whose spectrogram is close to the one given (Griffin & Lim 1984).

    Levels hold no phases; these are found in rounds, from random ones on (fast variant of Perraudin
    et al. 2013, as librosa has it). What lies at the floor is taken for silence.

    Parameters
    ----------
    level : ndarray (frames, bands)
        dB.
    reference : float
        Power at 0 dB.
    settings : SpectrogramSettings
    seed : int
        Of the first phases.

    Returns
    -------
    ndarray
        float32 (frames * hop,) at the settings' rate, from the beginning of the first hop on.
    """
    import librosa

    power = np.where(level > -settings.floor, reference * 10 ** (np.asarray(level, float) / 10), 0)
    if settings.mel:
        weights = mel_weights(settings.linear_frequencies, settings.mel)
        power = np.array([nnls(weights, frame)[0] for frame in power])
    length, hop = settings.window_samples, settings.hop_samples
    shape = get_window("hann", length)
    magnitude = np.zeros((length // 2 + 1, len(power)))
    magnitude[: power.shape[1]] = np.sqrt(power / 2).T * shape.sum()
    sound = librosa.griffinlim(
        magnitude,
        n_iter=ROUNDS,
        hop_length=hop,
        n_fft=length,
        window=shape,
        center=False,
        random_state=seed % 2**32,
    )
    # The first window begins half a window before the middle of the first hop.
    before = length // 2 - hop // 2
    sound = sound[before : before + len(power) * hop]
    return np.pad(sound, (0, len(power) * hop - len(sound))).astype(np.float32)
