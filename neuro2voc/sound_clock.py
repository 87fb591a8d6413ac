"""Whether sound and labels run on one clock, and whether the sound covers the song."""

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.signal import butter, fftconvolve, sosfiltfilt

from neuro2voc.errors import DataError
from neuro2voc.recording import Audio, Recording
from neuro2voc.trials import sung

LIMIT = 0.005  # s; sound and labels further apart are refused
REACH = 1.0  # s, the largest lag looked for
FAR, FAR_PIECES = 30.0, 10  # s; where nothing is found within reach, some pieces look further
MARGIN = 0.1  # s of silence looked at on either side of a piece of song
STEP = 0.001  # s, of the envelope
PIECE = 10  # syllables; long bouts are cut, so that a few bouts can be resampled too
FEWEST, MOST = 5, 60  # pieces: fewer cannot be resampled, more only take longer
PARTS = 3  # of a session, each with a lag of its own, since clocks drift
RESAMPLES = 200
# Below lie hum and handling noise, above song has little power (Hz).
BAND = (500.0, 10_000.0)
FLOOR = 1e-6  # of the loudest power; bounds the logarithm where silence is digital
LEVEL = 0.9  # of a peak's height, where its middle is taken
CLEAR = 3.0  # dB by which labelled sound must stand out; hand labels of real song reach 22 to 25
SHARPEST = 0.01  # s; where resampling moves the peak further than this, nothing can be told
MEASURES = ["lag", "low", "high"]
UNKNOWN = (np.nan, np.nan, np.nan)


def check_sound_covers(recording: Recording) -> None:
    """Refuse a recording with syllables before its sound begins or after it ends.

    Raises
    ------
    DataError
        Naming how many syllables there are beyond either end.
    """
    audio, syllables = recording.audio, recording.syllables
    if audio is None:
        return
    sample = 1 / audio.rate
    early = int((syllables["start_time"] < audio.start_time - sample).sum())
    late = int((syllables["stop_time"] > audio.stop_time + sample).sum())
    if early or late:
        counts = ((early, "before it begins"), (late, "after it ends"))
        where = " and ".join(f"{count} {place}" for count, place in counts if count)
        raise DataError(
            f"The sound of {recording.name} lasts from {audio.start_time:g} to "
            f"{audio.stop_time:g} s, but of its {len(syllables)} syllables {where}; "
            "give all of the sound, correct the clock of one, or leave the sound out."
        )


def check_clock(recording: Recording, trials: pd.DataFrame) -> None:
    """Refuse a recording whose sound and labels are clearly more than 5 ms apart.

    That is, whose lag's interval lies beyond 5 ms in some part of a session. Where the lag cannot
    be told nothing is refused; without sound there is nothing to check.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.

    Raises
    ------
    DataError
        Naming the session and the lag.
    """
    lags = sound_lags(recording, trials)
    for part in lags[apart(lags)].itertuples():
        later = "the sound comes later" if part.lag > 0 else "the sound comes earlier"
        raise DataError(
            f"The sound and the labels of {recording.name} are {abs(part.lag) * 1e3:.1f} ms apart "
            f"in {part.session} between {part.start_time:.0f} and {part.stop_time:.0f} s ({later}; "
            f"95 % interval {part.low * 1e3:.1f} to {part.high * 1e3:.1f} ms), and at most "
            f"{LIMIT * 1e3:g} ms are accepted; correct the clock of one."
        )


def apart(lags: pd.DataFrame) -> pd.Series:
    """Return which rows of `sound_lags` have an interval wholly beyond 5 ms."""
    return (lags["low"] > LIMIT) | (lags["high"] < -LIMIT)


def sound_lags(recording: Recording, trials: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the sound comes later than its labels say, for each third of each session.

    That lag is sought at which labelled intervals stand out most from the silence between them: the
    mean log envelope within, minus that without, has a peak there. Where labels begin early and end
    late, or late and early, as a threshold makes them, the peak is a plateau; so not its highest
    point is taken but the middle between the lags at which it has fallen to nine tenths. Labels
    wider or narrower by up to 15 ms at each end move that by less than 2 ms (songs of Bengalese
    finches labelled by hand, and simulated ones). Clocks jump and drift, hence thirds; a session
    with fewer than fifteen pieces of at most ten syllables of a bout has fewer parts.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        See `neuro2voc.trials.make_trials`; all that is sung counts, decoded or not.

    Returns
    -------
    DataFrame
        session, start_time, stop_time, lag, low, high (s); empty without sound. A lag is positive
        where the sound is late, and its interval (95 %) resamples pieces. All three are NaN where
        that cannot be told: with fewer than five pieces, where labels stand out by less than 3 dB
        at any lag within half a minute, or where resampling moves the peak by more than 10 ms.
    """
    pieces = _pieces(trials)
    if recording.audio is None:
        pieces = pieces.iloc[:0]
    parts = []
    for session, song in pieces.groupby("session", sort=False):
        count = int(np.clip(len(song) // FEWEST, 1, PARTS))
        bounds = np.linspace(0, len(song), count + 1).round().astype(int)
        parts += [(session, song.iloc[first:last]) for first, last in pairwise(bounds)]
    each = max(FEWEST, MOST // max(len(parts), 1))
    rows = []
    for session, song in parts:
        lag = UNKNOWN
        if len(song) >= FEWEST:
            lag = _lag(_contrasts(recording.audio, trials, _spread(song, each)))
        rows.append((session, song["start"].min(), song["stop"].max(), *lag))
    lags = pd.DataFrame(rows, columns=["session", "start_time", "stop_time", *MEASURES])
    if len(lags) and lags["lag"].isna().all():
        lags[MEASURES] = _far_lag(recording.audio, trials)
    return lags


def _far_lag(audio: Audio, trials: pd.DataFrame) -> tuple[float, float, float]:
    """Return the lag of the whole recording where it is larger than `REACH`."""
    pieces = _pieces(trials)
    if len(pieces) < FEWEST:
        return UNKNOWN
    return _lag(_contrasts(audio, trials, _spread(pieces, FAR_PIECES), FAR))


def _pieces(trials: pd.DataFrame) -> pd.DataFrame:
    """Cut bouts into pieces of at most `PIECE` syllables: session, start, stop (s)."""
    song = sung(trials)
    piece = song.groupby("bout").cumcount() // PIECE
    groups = song.groupby(["bout", piece.rename("piece")], sort=False)
    return groups.agg(session=("session", "first"), start=("onset", "min"), stop=("offset", "max"))


def _spread(pieces: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most so many pieces, evenly spread."""
    chosen = np.linspace(0, len(pieces) - 1, min(len(pieces), most)).round().astype(int)
    return pieces.iloc[chosen]


def _contrasts(
    audio: Audio, trials: pd.DataFrame, pieces: pd.DataFrame, reach: float = REACH
) -> np.ndarray:
    """Return by how many dB labels stand out, (pieces, lags from -reach to reach in steps)."""
    song = sung(trials)
    onsets, offsets = song["onset"].to_numpy(), song["offset"].to_numpy()
    contrasts = []
    for piece in pieces.itertuples():
        count = round((piece.stop - piece.start + 2 * MARGIN) / STEP)
        start = piece.start - MARGIN
        near = (offsets > start) & (onsets < start + count * STEP)
        labelled = _labelled(onsets[near] - start, offsets[near] - start, count)
        silent = 1 - labelled
        # Song without a gap says nothing, and its contrast is 0 at every lag.
        weight = labelled / labelled.sum() - silent / silent.sum() if silent.any() else silent
        level = _envelope(audio, start - reach, count + 2 * round(reach / STEP))
        contrasts.append(fftconvolve(level, weight[::-1], mode="valid"))
    return np.array(contrasts)


def _labelled(onsets: np.ndarray, offsets: np.ndarray, count: int) -> np.ndarray:
    """Return the share of each step that is labelled, so that nothing is lost to the grid."""
    edges = np.arange(count + 1) * STEP
    covered = np.clip(edges, onsets[:, None], offsets[:, None]) - onsets[:, None]
    return np.clip(np.diff(covered.sum(axis=0)) / STEP, 0, 1)


def _envelope(audio: Audio, start: float, count: int) -> np.ndarray:
    """Return the sound's level (dB) in steps from `start` on, smoothed over 2 ms.

    Where there is no sound, the nearest level there is stands for it.
    """
    first = max(0, int(np.ceil((audio.start_time - start) / STEP)))
    last = min(count, int(np.floor((audio.stop_time - start) / STEP)))
    if last - first < 2 * MARGIN / STEP:
        return np.zeros(count)
    sound = audio.read(start + first * STEP, start + last * STEP).astype(float)
    if not np.isfinite(sound).all():
        raise DataError(
            f"The sound of {audio.path} holds samples that are no numbers between "
            f"{start + first * STEP:.2f} and {start + last * STEP:.2f} s; fill or cut them out."
        )
    top = min(BAND[1], 0.45 * audio.rate)
    sos = butter(2, (BAND[0], top), "bandpass", fs=audio.rate, output="sos")
    power = sosfiltfilt(sos, sound) ** 2
    edges = np.round(np.arange(last - first) * STEP * audio.rate).astype(int)
    means = np.add.reduceat(power, edges) / np.diff(np.r_[edges, len(power)])
    smooth = np.convolve(np.pad(means, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    if not smooth.any():
        return np.zeros(count)
    level = 10 * np.log10(smooth + FLOOR * smooth.max())
    return np.pad(level, (first, count - last), mode="edge")


def _lag(contrasts: np.ndarray) -> tuple[float, float, float]:
    """Return the lag (s) of the peak of the mean contrast, with its interval over pieces."""
    count = len(contrasts)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    low, high = np.quantile([_middle(curve) for curve in weights @ contrasts], [0.025, 0.975])
    mean = contrasts.mean(axis=0)
    if mean.max() < CLEAR or high - low > SHARPEST:
        return UNKNOWN
    return _middle(mean), float(low), float(high)


def _middle(curve: np.ndarray) -> float:
    """Return the lag (s) half-way between those on either side where a peak falls to `LEVEL`."""
    top = int(curve.argmax())
    usual = np.median(curve)
    level = usual + LEVEL * (curve[top] - usual)
    below = np.flatnonzero(curve < level)
    after = int(np.searchsorted(below, top))
    if after in (0, len(below)):  # the peak lies at the end of the lags looked at
        return STEP * (top - len(curve) // 2)
    left, right = below[after - 1], below[after]
    left = left + (level - curve[left]) / (curve[left + 1] - curve[left])
    right = right - (level - curve[right]) / (curve[right - 1] - curve[right])
    return float(STEP * ((left + right) / 2 - len(curve) // 2))
