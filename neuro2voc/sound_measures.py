"""How close generated sound comes to what was sung.

Sound is an array (frames, bands) of levels, real and made frame by frame; time is not warped to
make them fit. Where a measure is undefined it is NaN, never a number that looks like one.
"""

import numpy as np
from scipy.fft import dct
from scipy.signal import spectrogram
from scipy.signal.windows import gaussian
from skimage.metrics import structural_similarity

from neuro2voc.spectrograms import mel_weights

WINDOW = 7  # cells, of the structural similarity; the usual one (Wang et al. 2004)
MEL_BANDS, COEFFICIENTS = 25, 13
DECIBEL = 20 / np.log(10)  # dB per neper of amplitude

# FALCON B1 (`data_demos/b1.ipynb` and the loader of snel-repo/falcon-challenge at 42a5d07).
B1_RATE = 25_000  # Hz
B1_WINDOW, B1_OVERLAP, B1_SD = 512, 487, 125  # samples
B1_LOWEST, B1_HIGHEST = 250, 8000  # Hz, neither included
B1_FLOOR = 1e-4  # of the loudest cell; what is below is set to a power of 1
B1_SCORED = 0.1, 0.8  # s, the motif within its trial


def correlation(real: np.ndarray, made: np.ndarray) -> float:
    """Pearson's correlation over all cells of time and frequency pooled.

    Returns
    -------
    float
        NaN where either is constant.
    """
    real, made = np.ravel(real).astype(float), np.ravel(made).astype(float)
    if not (np.ptp(real) and np.ptp(made)):
        return np.nan
    real, made = real - real.mean(), made - made.mean()
    return float(real @ made / np.sqrt((real @ real) * (made @ made)))


def squared_error(real: np.ndarray, made: np.ndarray) -> float:
    """Mean squared difference of levels; dB² where levels are in dB."""
    return float(np.square(np.asarray(real, float) - made).mean())


def similarity(real: np.ndarray, made: np.ndarray, span: float) -> float:
    """Structural similarity (SSIM; Wang et al. 2004, IEEE Trans. Image Process. 13:600).

    Parameters
    ----------
    real, made : ndarray (frames, bands)
    span : float
        Range of levels: the floor in dB, or what a given spectrogram has.

    Returns
    -------
    float
        The mean over windows of 7 by 7 cells, or of fewer where there are fewer frames or bands
        (the next odd number). NaN below 3 by 3.
    """
    side = min(WINDOW, *np.shape(real))
    side -= 1 - side % 2
    if side < 3:
        return np.nan
    real, made = np.asarray(real, float), np.asarray(made, float)
    return float(structural_similarity(real, made, win_size=side, data_range=span))


def cepstra(level: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return mel-cepstral coefficients 1 to 13 of each frame.

    The logarithm of the amplitude in 25 mel bands is c_0 + c_1 cos(w) + c_2 cos(2 w) + ..., with w
    from 0 to pi over the bands. c_0, the level as a whole, is left out.

    Parameters
    ----------
    level : ndarray (frames, bands)
        dB.
    frequencies : ndarray (bands,)
        Hz.

    Returns
    -------
    ndarray (frames, 13)
        Nepers.
    """
    power = 10 ** (np.asarray(level, float) / 10) @ mel_weights(frequencies, MEL_BANDS).T
    amplitude = np.log(power) / 2
    return dct(amplitude, type=2, axis=1)[:, 1 : COEFFICIENTS + 1] / MEL_BANDS


def cepstral_differences(real: np.ndarray, made: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return the mel-cepstral distortion (frames,) of each frame in dB.

    That is 10 / ln 10 sqrt(2 sum_d (c_d - ĉ_d)²) for coefficients 1 to 13 (Kubichek 1993, Proc.
    IEEE Pacific Rim, 125): the root mean square difference of the two smooth spectra over mel
    bands, whatever their levels. Both silent, they differ by nothing.

    Parameters
    ----------
    real, made : ndarray (frames, bands)
        dB.
    frequencies : ndarray (bands,)
        Hz.
    """
    difference = cepstra(real, frequencies) - cepstra(made, frequencies)
    return DECIBEL / 2 * np.sqrt(2 * np.square(difference).sum(axis=1))


def cepstral_distortion(real: np.ndarray, made: np.ndarray, frequencies: np.ndarray) -> float:
    """Return the mean over frames of `cepstral_differences`, in which silent frames count too."""
    return float(cepstral_differences(real, made, frequencies).mean())


def amplitude_differences(real: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Return how far the total power (frames,) of two sounds lies apart, in dB.

    Parameters
    ----------
    real, made : ndarray (frames, bands)
        dB.
    """
    return np.abs(total_level(real) - total_level(made))


def amplitude_error(real: np.ndarray, made: np.ndarray) -> float:
    """Return the mean over frames of `amplitude_differences`."""
    return float(amplitude_differences(real, made).mean())


def total_level(level: np.ndarray) -> np.ndarray:
    """Return the level (frames,) in dB of all bands (frames, bands) together."""
    return 10 * np.log10((10 ** (np.asarray(level, float) / 10)).sum(axis=1))


def b1_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Return the spectrogram of a trial of FALCON's B1 as the benchmark makes it.

    Parameters
    ----------
    samples : ndarray (n,)
        Sound at 25 kHz; a trial of 0.9 s has 22,500 samples.

    Returns
    -------
    ndarray (158, frames)
        Linear power in bands from 293 to 7959 Hz, a frame per ms; a trial has 880. Cells below a
        ten-thousandth of the loudest are 1, whatever unit the sound has.
    """
    frequencies, _, power = spectrogram(
        samples,
        B1_RATE,
        window=gaussian(B1_WINDOW, std=B1_SD),
        nperseg=B1_WINDOW,
        noverlap=B1_OVERLAP,
        scaling="spectrum",
    )
    power[power < B1_FLOOR * power.max()] = 1
    return power[(frequencies > B1_LOWEST) & (frequencies < B1_HIGHEST)]


def b1_times(frames: int) -> np.ndarray:
    """Return the middles (frames,) in s of the frames of `b1_spectrogram`."""
    return (B1_WINDOW / 2 + (B1_WINDOW - B1_OVERLAP) * np.arange(frames)) / B1_RATE


def b1_scored(frames: int) -> np.ndarray:
    """Return which frames (frames,) of a trial B1 scores: 700 of 880."""
    times = b1_times(frames)
    return (times >= B1_SCORED[0]) & (times < B1_SCORED[1])


def b1_error(real: np.ndarray, made: np.ndarray) -> float:
    """FALCON's B1 measure: mean squared difference of powers, each scaled to 0 to 1 by itself.

    It hardly tells sounds apart, since few cells are loud: an empty spectrogram scores about as
    well as another rendition of the same song. It forgives any loudness, and one cell that is too
    loud rescales all others. Nothing should be read from it without silence beside it.

    Parameters
    ----------
    real, made : ndarray
        Linear power of one trial, in what the benchmark scores (see `b1_scored`).

    Returns
    -------
    float
        NaN where either is constant: the benchmark divides 0 by 0.
    """
    if not (np.ptp(real) and np.ptp(made)):
        return np.nan
    return float(np.square(_scaled(real) - _scaled(made)).mean())


def b1_silence(real: np.ndarray) -> float:
    """Return the B1 measure of silence with one click, which spares it the division by 0.

    The click is taken for the limit of a cell among many: it costs at most one over their number.
    """
    return float(np.square(_scaled(real)).mean()) if np.ptp(real) else np.nan


def _scaled(power: np.ndarray) -> np.ndarray:
    power = np.asarray(power, float)
    return (power - power.min()) / np.ptp(power)
