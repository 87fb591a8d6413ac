"""Excerpts of song to listen to: the original, what was generated, and nulls, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import wavfile

from neuro2voc.errors import DataError
from neuro2voc.files import replacing
from neuro2voc.frames import Frames
from neuro2voc.recording import Recording
from neuro2voc.sound_measures import cepstral_distortion, correlation
from neuro2voc.spectrograms import levels, power_frames, resampled, to_sound
from neuro2voc.splits import folds_of

ORIGINAL, INVERTED = "original", "original without phases"
MIDDLE = 3.0  # s taken of a fold where there are no bouts
PAUSE = 0.5  # s between excerpts in one file
PEAK = 0.9  # of full scale, the loudest sample of a page


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A stretch of song from several sources.

    Attributes
    ----------
    name : str
        What a reader is told that it is.
    start : float
        s of the recording.
    duration : float
        s.
    fold : int
        The fold in which it was held out; -1 where it is several.
    syllables : list of (float, float, str)
        Onset and offset (s from the start) and label.
    level : dict from str to ndarray (frames, bands)
        dB, by source.
    sound : dict from str to ndarray
        float32 at the settings' rate, by source.
    numbers : dict from str to dict
        Correlation and cepstral distortion (dB) with the original, by source.
    """

    name: str
    start: float
    duration: float
    fold: int
    syllables: list[tuple[float, float, str]]
    level: dict[str, np.ndarray]
    sound: dict[str, np.ndarray]
    numbers: dict[str, dict[str, float]]


def example_rows(frames: Frames, trials: pd.DataFrame, split: pd.DataFrame) -> list[slice]:
    """Choose excerpts that nobody picked: of each fold one, as rows of the frames.

    It is the first bout with the median number of used trials in that fold, or without labels the
    middle 3 s of the fold's longest stretch.
    """
    fold = frames.folds(split)
    if trials.empty:
        return _middles(frames, fold)
    used = trials[trials["used"] == 1]
    held = folds_of(split, used["onset"].to_numpy(), used["offset"].to_numpy())
    by_piece = {int(frames.piece[rows.start]): rows for rows in frames.pieces}
    chosen = []
    for number in np.unique(held[held >= 0]):
        counts = used["bout"][held == number].value_counts().sort_index()
        counts = counts[[bout for bout in counts.index if bout in by_piece and bout not in chosen]]
        if len(counts):
            middle = np.sort(counts.to_numpy())[(len(counts) - 1) // 2]
            chosen.append(int(counts.index[counts == middle][0]))
    return [by_piece[bout] for bout in sorted(chosen)]


def _middles(frames: Frames, fold: np.ndarray) -> list[slice]:
    held, chosen = frames.held(fold), []
    for number in np.unique(fold[fold >= 0]):
        own = [rows for rows in held if fold[rows.start] == number]
        longest = max(own, key=lambda rows: rows.stop - rows.start)
        length = min(longest.stop - longest.start, round(MIDDLE / frames.hop))
        first = (longest.start + longest.stop - length) // 2
        chosen.append(slice(first, first + length))
    return sorted(chosen, key=lambda rows: rows.start)


def excerpts(
    recording: Recording,
    frames: Frames,
    generated: Mapping[str, np.ndarray],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    seed: int,
) -> list[Excerpt]:
    """Cut excerpts out of a recording and of what was generated, and make them heard.

    Two sources come before the generated ones: the original, and the original turned into a
    spectrogram and back as the generated ones are, so that one hears what that costs. What was not
    generated (NaN) is silent.

    Parameters
    ----------
    recording : Recording
        With sound.
    frames : Frames
    generated : mapping from str to ndarray (frames, bands)
        By source, in the order in which they are shown.
    trials, split : DataFrame
        See `example_rows`.
    seed : int
        Of the phases from which inversion begins, the same for all sources.

    Raises
    ------
    DataError
        No sound, or a spectrogram that was given and cannot be turned into sound.
    """
    if recording.audio is None or frames.settings is None:
        raise DataError(
            f"{recording.name} holds no sound that its spectrogram was made of, so there is "
            "nothing to listen to; name the series under `audio:`, or look at its figures instead."
        )
    fold = frames.folds(split)
    made = []
    for rows in example_rows(frames, trials, split):
        start = float(frames.start[rows.start])
        duration = float((rows.stop - rows.start) * frames.hop)
        real = frames.level[rows]
        inverted = _sound(frames, real, seed)
        level = {ORIGINAL: real, INVERTED: _level(frames, inverted, len(real))}
        level |= {name: values[rows] for name, values in generated.items()}
        silent = {name: _filled(frames, values) for name, values in level.items()}
        sound = {ORIGINAL: _original(recording, frames, start, duration), INVERTED: inverted}
        sound |= {name: _sound(frames, silent[name], seed) for name in generated}
        inside = trials[(trials["onset"] >= start) & (trials["offset"] <= start + duration)]
        folds = np.unique(fold[rows][fold[rows] >= 0])
        made.append(
            Excerpt(
                f"{'moment' if trials.empty else 'bout'} {frames.piece[rows.start]}",
                start,
                duration,
                int(folds[0]) if len(folds) == 1 else -1,
                [
                    (float(a - start), float(b - start), label)
                    for a, b, label in zip(
                        inside["onset"], inside["offset"], inside["label"], strict=True
                    )
                ],
                silent,
                sound,
                {name: _numbers(frames, real, values) for name, values in level.items()},
            )
        )
    return made


def _filled(frames: Frames, level: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(level), level, frames.lowest).astype(np.float32)


def _sound(frames: Frames, level: np.ndarray, seed: int) -> np.ndarray:
    return to_sound(level, frames.reference, frames.settings, seed)


def _level(frames: Frames, sound: np.ndarray, count: int) -> np.ndarray:
    """Return the levels of sound that begins with the first hop."""
    settings = frames.settings
    before = (settings.window_samples - settings.hop_samples) // 2
    power = power_frames(np.pad(sound, (before, 0)), settings, count)
    return levels(power, frames.reference, settings.floor)


def _original(recording: Recording, frames: Frames, start: float, duration: float) -> np.ndarray:
    audio = recording.audio
    heard = audio.read(max(start, audio.start_time), min(start + duration, audio.stop_time))
    return resampled(heard, audio.rate, frames.settings.rate).astype(np.float32)


def _numbers(frames: Frames, real: np.ndarray, made: np.ndarray) -> dict[str, float]:
    rows = np.isfinite(made).all(axis=1)
    if not rows.any():
        return {"correlation": np.nan, "cepstral_distortion": np.nan}
    return {
        "correlation": correlation(real[rows], made[rows]),
        "cepstral_distortion": cepstral_distortion(real[rows], made[rows], frames.frequencies),
    }


def common_gain(made: list[Excerpt]) -> float:
    """Return the factor that takes the loudest sample of all excerpts and sources to 0.9.

    One for all, so that loudness can be compared by ear.
    """
    peak = max((float(np.abs(s).max()) for e in made for s in e.sound.values()), default=0.0)
    return PEAK / peak if peak else 1.0


def write_wav(path: str | Path, samples: np.ndarray, rate: float) -> None:
    """Write sound (n,) between -1 and 1 as a .wav file of 16 bits; what is louder is clipped."""
    with replacing(path) as temporary:
        temporary.write_bytes(wav_bytes(samples, rate))


def wav_bytes(samples: np.ndarray, rate: float) -> bytes:
    """Return sound (n,) between -1 and 1 as a .wav file of 16 bits."""
    file = BytesIO()
    whole = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    wavfile.write(file, round(rate), whole)
    return file.getvalue()


def write_joined(made: list[Excerpt], source: str, path: str | Path, rate: float) -> None:
    """Write a source's excerpts one after another, half a second apart, as one .wav file.

    All sources of the same excerpts have one gain.
    """
    pause = np.zeros(round(PAUSE * rate), np.float32)
    parts = [part for excerpt in made for part in (excerpt.sound[source], pause)]
    write_wav(path, common_gain(made) * np.concatenate(parts[:-1]), rate)
