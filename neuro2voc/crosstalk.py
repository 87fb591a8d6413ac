"""Whether sound has leaked into the electrodes: spikes locked to the sound's fine structure.

Neurons that control song follow its envelope, over tens of milliseconds; a microphone's current in
an electrode follows the waveform itself, over fractions of one. So only frequencies of the waveform
are looked at, against a null that keeps all but their phase: the sound of each fifth of a second is
turned upside down or not, at random. How loud it was when units fired, at which frequencies, and
how they fired together and in bursts stay exactly as they were; only a phase that is the same
throughout is lost. (Shifting the sound instead takes spikes to where it is louder or softer.)
"""

import logging
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal import resample_poly
from scipy.signal.windows import hann

from neuro2voc.recording import Audio, Recording
from neuro2voc.trials import sung

log = logging.getLogger(__name__)

LEVEL = 0.05
# Below, neurons themselves may follow sound that they hear; above, amplifiers pass little (Hz).
LOWEST, HIGHEST = 300.0, 8000.0
RATE = 20_000.0  # Hz at most, of sound and of spikes in bins
WINDOW = 512  # samples: 26 ms, resolving 39 Hz
TAPER = hann(WINDOW, sym=False).astype(np.float32)
OVERLAP = 0.75  # windows half a window apart weigh each spike with the sound around it so often
PIECE = 0.2  # s, about a syllable
MOST_SOUND = 240.0  # s, of bouts evenly spread; more only takes longer
REPLICATES = 199
FEWEST_SPIKES, FEWEST_PIECES = 50, 20
AT_ONCE = 32  # units, to bound memory


@dataclass(frozen=True, eq=False)
class Crosstalk:
    """How far spikes are locked to the waveform of the sound.

    Attributes
    ----------
    units : DataFrame
        A row for ``all`` units together and one for each: ``unit`` (str); ``spikes`` in the song
        looked at; ``frequency`` (Hz) at which they are locked most; the squared ``coherence``
        there; its ``ratio`` to its mean over replicates; the family-wise ``coherence_p`` over
        frequencies and rows; ``average``, the largest absolute value of the spike-triggered average
        of the sound within 13 ms, in root mean squares of the sound; ``average_high``, which 5 % of
        replicates exceed; ``average_ratio`` to its mean over replicates; the family-wise
        ``average_p``; ``p``, twice the lesser of the two. NaN
        with fewer than 50 spikes.
    coherence_limit, average_limit : float
        The ratios that 2.5 % of replicates exceed in any row; two tests make 5 %.
    seconds : float
        Of song looked at.
    """

    units: pd.DataFrame
    coherence_limit: float
    average_limit: float
    seconds: float


def find_crosstalk(recording: Recording, trials: pd.DataFrame, seed: int) -> Crosstalk:
    r"""Look for spikes locked to the waveform of the sound.

    With the windowed spectra X of the sound and Y of the spikes, and their products summed over the
    windows of each piece of song, :math:`C_k = \sum X^* Y`, the squared coherence is
    :math:`|\sum_k C_k|^2 / (\sum |X|^2 \sum |Y|^2)` (Welch 1967, IEEE Trans. Audio 15:70).
    Turning a piece's sound upside down changes the sign of :math:`C_k`; over random signs the mean
    of the numerator is :math:`\sum_k |C_k|^2`. The ratio of the two, largest over frequencies, is
    tested, and beside it the transform of :math:`\sum_k C_k`, the spike-triggered average of the
    sound, which gathers what is locked over all frequencies.

    Parameters
    ----------
    recording : Recording
        With sound.
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.
    seed : int
        Of the null.

    Raises
    ------
    DataError
        The activity is not spike times, or the sound cannot be read.
    """
    trains = recording.spike_times("The search for crosstalk")
    trains = (np.concatenate([*trains, np.zeros(0)]), *trains)
    rate = min(recording.audio.rate, RATE)
    sound, starts = _pieces(recording.audio, trials, rate)
    frequency = rfftfreq(WINDOW, 1 / rate)
    band = (frequency >= LOWEST) & (frequency <= min(HIGHEST, 0.4 * rate))
    spectra = _spectra(sound)[..., band]
    power = (np.abs(spectra) ** 2).sum(axis=(0, 1))
    signs = np.random.default_rng(seed).integers(0, 2, (REPLICATES, len(starts)))
    signs = (2 * signs - 1).astype(np.complex64)
    parts = []
    for first in range(0, len(trains), AT_ONCE):
        cross, found = [], []
        for train in trains[first : first + AT_ONCE]:
            counts = _counts(train, starts, sound.shape[1], rate)
            own = _spectra(counts)[..., band]
            cross.append((spectra.conj() * own).sum(axis=1))
            found.append((counts.sum(), *(np.abs(own) ** 2).sum(axis=(0, 1))))
        cross, found = np.array(cross), np.array(found)
        chance = (np.abs(cross) ** 2).sum(axis=1)
        null = _turned(cross, chance, signs, band)
        parts.append((found[:, 0], found[:, 1:], cross.sum(axis=1), chance, *null))
        log.info(
            "crosstalk: %d of %d units", min(first + AT_ONCE, len(trains)) - 1, len(trains) - 1
        )
    spikes, own, sums, chance, null, null_average = map(np.concatenate, zip(*parts, strict=True))

    ratios = _divide(np.abs(sums) ** 2, chance)
    top = ratios.argmax(axis=1)
    rows = np.arange(len(trains))
    loudness = np.sqrt(2 * power.sum() / (spectra[..., 0].size * WINDOW * (TAPER**2).sum()))
    scale = _divide(1.0, OVERLAP * loudness * spikes)
    average = _average(sums, band)
    table = pd.DataFrame(
        {
            "unit": ["all", *map(str, recording.units.table.index)],
            "spikes": spikes.astype(int),
            "frequency": frequency[band][top],
            "coherence": _divide(np.abs(sums) ** 2, power * own)[rows, top],
            "ratio": ratios[rows, top],
            "average": average * scale,
            "average_high": np.quantile(null_average, 1 - LEVEL, axis=1) * scale,
        }
    )
    few = (spikes < FEWEST_SPIKES) | (len(starts) < FEWEST_PIECES) | (power.sum() == 0)
    table.loc[few, list(table.columns[2:])] = np.nan
    usual = null_average.mean(axis=1)
    table["average_ratio"] = np.where(few, np.nan, _divide(average, usual))
    coherence_p, coherence_limit = _family_wise(table["ratio"], null[~few])
    null_average = _divide(null_average, usual[:, None])[~few]
    average_p, average_limit = _family_wise(table["average_ratio"], null_average)
    p = 2 * np.fmin(coherence_p, average_p)
    table = table.assign(coherence_p=coherence_p, average_p=average_p, p=np.minimum(1, p))
    return Crosstalk(table, coherence_limit, average_limit, len(starts) * PIECE)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide, with 0 where there is nothing to divide by."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def _family_wise(observed: pd.Series, null: np.ndarray) -> tuple[np.ndarray, float]:
    """Return p of each row, and the limit for p = 0.025, against the largest of all rows.

    Parameters
    ----------
    observed : Series (rows,)
        NaN where it has no null.
    null : ndarray (rows that have one, replicates)
    """
    largest = null.max(axis=0, initial=0)
    p = (1 + (largest >= observed.to_numpy()[:, None]).sum(axis=1)) / (1 + len(largest))
    limit = np.quantile(largest, 1 - LEVEL / 2, method="higher")
    return np.where(observed.isna(), np.nan, p), float(limit)


def _pieces(audio: Audio, trials: pd.DataFrame, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return song in pieces, (pieces, samples) with a root mean square of 1, and their starts (s).

    The last piece of a bout reaches beyond it by less than a piece.
    """
    bouts = sung(trials).groupby("bout").agg(start=("onset", "min"), stop=("offset", "max"))
    seconds = (bouts["stop"] - bouts["start"]).sum()
    some = int(np.ceil(len(bouts) * min(1.0, MOST_SOUND / seconds)))
    bouts = bouts.iloc[np.linspace(0, len(bouts) - 1, some).round().astype(int)]
    ratio = Fraction(rate / audio.rate).limit_denominator(1000)
    size, pieces, starts = round(PIECE * rate), [], []
    for bout in bouts.itertuples():
        count = int(np.ceil((bout.stop - bout.start) / PIECE))
        count = min(count, int((audio.stop_time - bout.start) / PIECE))
        if count < 1 or bout.start < audio.start_time:
            continue
        sound = audio.read(bout.start, bout.start + count * PIECE)
        if ratio != 1:
            sound = resample_poly(sound, ratio.numerator, ratio.denominator)
        sound = np.pad(sound, (0, size))[: count * size]
        pieces.append(sound.reshape(count, size))
        starts.append(bout.start + np.arange(count) * PIECE)
    if not pieces:
        return np.zeros((0, size), dtype=np.float32), np.zeros(0)
    pieces = np.concatenate(pieces)
    pieces -= pieces.mean(axis=1, keepdims=True)
    return pieces / (np.sqrt((pieces.astype(float) ** 2).mean()) or 1.0), np.concatenate(starts)


def _counts(train: np.ndarray, starts: np.ndarray, size: int, rate: float) -> np.ndarray:
    """Return spikes in pieces, (pieces, samples)."""
    counts = np.zeros((len(starts), size), dtype=np.float32)
    piece = np.searchsorted(starts, train, side="right") - 1
    train, piece = train[piece >= 0], piece[piece >= 0]
    sample = ((train - starts[piece]) * rate).astype(int)
    inside = sample < size
    np.add.at(counts, (piece[inside], sample[inside]), 1)
    return counts


def _spectra(pieces: np.ndarray) -> np.ndarray:
    """Return spectra of tapered windows half a window apart, complex64 (pieces, windows, F)."""
    windows = np.lib.stride_tricks.sliding_window_view(pieces, WINDOW, axis=1)
    return rfft(windows[:, :: WINDOW // 2] * TAPER, axis=2)


def _turned(
    cross: np.ndarray, chance: np.ndarray, signs: np.ndarray, band: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest ratio and the largest average in each replicate, (units, replicates).

    Parameters
    ----------
    cross : ndarray (units, pieces, F)
        Cross-spectra.
    chance : ndarray (units, F)
        Their squares, summed over pieces.
    signs : ndarray (replicates, pieces)
        -1 where a piece's sound is turned upside down.
    band : ndarray (spectrum,)
        Which frequencies of the whole spectrum these are.
    """
    ratios, averages = [], []
    for unit, expected in zip(cross, chance, strict=True):
        sums = signs @ unit
        ratios.append(_divide(np.abs(sums) ** 2, expected).max(axis=1, initial=0))
        averages.append(_average(sums, band))
    return np.array(ratios), np.array(averages)


def _average(sums: np.ndarray, band: np.ndarray) -> np.ndarray:
    """Return the largest absolute value of the spike-triggered sum of the sound, (...,)."""
    whole = np.zeros((*sums.shape[:-1], len(band)), dtype=np.complex64)
    whole[..., band] = sums.conj()
    return np.abs(irfft(whole, WINDOW)).max(axis=-1)
