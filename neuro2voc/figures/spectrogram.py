"""Spectrograms of what a recording sounded like, computed or given, for all figures."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from scipy.signal import spectrogram

from neuro2voc.recording import Recording, Spectrogram

WINDOW, STEP = 0.0128, 0.002  # s
HIGHEST, RANGE = 8000, 60  # Hz, dB below the loudest
PARAMETERS = (
    f"Hann windows of {1e3 * WINDOW:g} ms every {1e3 * STEP:g} ms; dB relative to the loudest, "
    f"{RANGE} dB shown."
)


@dataclass(frozen=True)
class Sound:
    """A spectrogram of a stretch of time.

    Attributes
    ----------
    level : ndarray (bands, frames)
        dB below the loudest, from 0 down to -RANGE; of a given spectrogram its own values.
    start, stop : float
        s on the recording's clock, half a frame around the first and last.
    bottom, top : float
        kHz; numbers of bands where the frequencies of a given spectrogram are unknown.
    given : bool
        Whether the recording holds the spectrogram itself.
    known : bool
        Whether the bands' frequencies are known.
    """

    level: np.ndarray
    start: float
    stop: float
    bottom: float
    top: float
    given: bool = False
    known: bool = True


def sound_between(recording: Recording, start: float, stop: float) -> Sound | None:
    """Return the spectrogram of what there is of [start, stop) in s, None without any sound."""
    audio, frames = recording.audio, recording.spectrogram
    if audio is not None:
        first, last = max(start, audio.start_time), min(stop, audio.stop_time)
        if last - first > 2 * WINDOW:
            return _computed(audio.read(first, last), audio.rate, first)
    if frames is not None:
        first, last = max(start, frames.start_time), min(stop, frames.stop_time)
        if (last - first) * frames.rate >= 2:
            return _given(frames, first, last)
    return None


def _computed(samples: np.ndarray, rate: float, first: float) -> Sound:
    length = int(round(WINDOW * rate))
    overlap = length - int(round(STEP * rate))
    frequency, time, power = spectrogram(
        samples, rate, "hann", length, overlap, nfft=2 * length, mode="psd"
    )
    shown = frequency <= HIGHEST
    power = power[shown] / max(power[shown].max(), np.finfo(float).tiny)
    level = 10 * np.log10(np.maximum(power, 10 ** (-RANGE / 10)))
    half = STEP / 2
    top = frequency[shown][-1] / 1000
    return Sound(level, first + time[0] - half, first + time[-1] + half, 0, top)


def _given(frames: Spectrogram, first: float, last: float) -> Sound:
    level = frames.read(first, last).T
    start = frames.start_time + round((first - frames.start_time) * frames.rate) / frames.rate
    stop = start + level.shape[1] / frames.rate
    frequency = frames.frequencies
    if frequency is None or len(frequency) < 2:
        return Sound(level, start, stop, 0, len(level), given=True, known=False)
    frequency = np.asarray(frequency)
    level = level[frequency <= HIGHEST]
    half = (frequency[1] - frequency[0]) / 2
    top = frequency[frequency <= HIGHEST][-1] + half
    return Sound(level, start, stop, (frequency[0] - half) / 1000, top / 1000, given=True)


def draw_spectrogram(ax: Axes, sound: Sound, zero: float = 0.0, scale: float = 1.0) -> AxesImage:
    """Draw a spectrogram.

    Parameters
    ----------
    zero : float
        Time (s) that is drawn at 0.
    scale : float
        Of the time axis: 1 for s, 1000 for ms.
    """
    image = ax.imshow(
        sound.level,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=None if sound.given else -RANGE,
        vmax=None if sound.given else 0,
        interpolation="nearest",
        extent=(scale * (sound.start - zero), scale * (sound.stop - zero), sound.bottom, sound.top),
    )
    if sound.known:
        ax.set(ylabel="frequency\n(kHz)", yticks=[0, 4, 8], ylim=(0, HIGHEST / 1000))
    else:
        ax.set_ylabel("band")
    return image


def no_sound(ax: Axes, words: str = "This recording holds no sound.") -> None:
    """Say in the spectrogram's place that there is none."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes)
