"""Song that needs no neuron, to be seen beside song that was generated from neurons.

All are arrays (frames, bands) like the song itself, in its own unit. What is learnt is learnt from
the training folds, and NaN where no fold is.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.frames import Frames
from neuro2voc.interpolation import stretched
from neuro2voc.sound_identity import sung_trials
from neuro2voc.sources.simulate import Truth
from neuro2voc.sources.synthesis import sing_song
from neuro2voc.spectrograms import levels, power_frames, resampled

SHIFT = 0.02  # s by which the shifted song is late, about a premotor lead
SONGS = 8  # sung again for the limit; more change it by less than its interval
MARGIN = 0.1  # s of background sung around a bout


def references(
    frames: Frames, trials: pd.DataFrame, split: pd.DataFrame, seed: int
) -> dict[str, np.ndarray]:
    """Return all references that a recording allows.

    Parameters
    ----------
    frames : Frames
    trials, split : DataFrame
        See `neuro2voc.trials` and `neuro2voc.splits`. Without labels there is no template and no
        other rendition.
    seed : int
        Draws the other renditions.
    """
    made = {
        "silence": silence(frames, split),
        "mean": mean_frame(frames, split),
        "shifted song": shifted_song(frames, split),
    }
    if not trials.empty:
        made["template"] = template(frames, trials, split)
        made["rendition"] = rendition(frames, trials, split, seed)
    return made


def silence(frames: Frames, split: pd.DataFrame) -> np.ndarray:
    """Return silence: the floor everywhere."""
    made = np.full(frames.level.shape, frames.lowest, np.float32)
    return _held(made, frames.folds(split))


def mean_frame(frames: Frames, split: pd.DataFrame) -> np.ndarray:
    """Return the mean frame of the training folds, at all times."""
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan, np.float32)
    for held in _folds(fold):
        made[fold == held] = frames.level[_training(fold, held)].mean(axis=0, dtype=float)
    return made


def shifted_song(frames: Frames, split: pd.DataFrame) -> np.ndarray:
    """Return the song itself 20 ms late, in a circle within each stretch of one fold.

    It is the song and knows everything, so that what it loses says how much a measure forgives.
    """
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan, np.float32)
    shift = max(1, round(SHIFT / frames.hop))
    for rows in frames.held(fold):
        made[rows] = np.roll(frames.level[rows], shift, axis=0)
    return made


def template(frames: Frames, trials: pd.DataFrame, split: pd.DataFrame) -> np.ndarray:
    """Return each type's mean over training renditions, stretched to the true onset and offset.

    It is told what is sung and when. What lies between syllables is the mean training frame of
    that.
    """
    sung = sung_trials(frames, trials, split)

    def mean_rendition(renditions: pd.DataFrame, length: int) -> np.ndarray:
        warped = [stretched(frames.level[a:b], length) for a, b in _rows(renditions)]
        return np.mean(warped, axis=0)

    return _sung_anew(frames, sung, split, mean_rendition)


def rendition(frames: Frames, trials: pd.DataFrame, split: pd.DataFrame, seed: int) -> np.ndarray:
    """Return for each syllable another training rendition of it, stretched to onset and offset.

    It is as sharp as song, and sounds like it, but is another one.
    """
    sung = sung_trials(frames, trials, split)
    rng = np.random.default_rng(seed)

    def another(renditions: pd.DataFrame, length: int) -> np.ndarray:
        first, stop = _rows(renditions)[rng.integers(len(renditions))]
        return stretched(frames.level[first:stop], length)

    return _sung_anew(frames, sung, split, another)


def _sung_anew(
    frames: Frames,
    sung: pd.DataFrame,
    split: pd.DataFrame,
    make: Callable[[pd.DataFrame, int], np.ndarray],
) -> np.ndarray:
    """Put a rendition made of the training folds' in the place of each held-out syllable.

    `make` takes the training renditions of its type and a number of frames. A type without any
    training rendition is the mean training frame of all syllables.
    """
    fold = frames.folds(split)
    within = np.zeros(len(fold), dtype=bool)
    for first, stop in _rows(sung):
        within[first:stop] = True
    made = np.full(frames.level.shape, np.nan, np.float32)
    for held in _folds(fold):
        training = _training(fold, held)
        gaps = training & ~within
        # Under a split of single trials nothing lies between them.
        made[fold == held] = frames.level[gaps if gaps.any() else training].mean(0, dtype=float)
        learnt, tested = sung[sung["fold"] != held], sung[sung["fold"] == held]
        by_label = dict(list(learnt.groupby("label")))
        anything = frames.level[training & within].mean(axis=0, dtype=float)
        for label, first, stop in zip(
            tested["label"], tested["first"], tested["stop"], strict=True
        ):
            known = label in by_label
            made[first:stop] = make(by_label[label], stop - first) if known else anything
    return made


def _rows(sung: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(sung["first"], sung["stop"], strict=True))


def _folds(fold: np.ndarray) -> np.ndarray:
    return np.unique(fold[fold >= 0])


def _training(fold: np.ndarray, held: int) -> np.ndarray:
    training = (fold >= 0) & (fold != held)
    if not training.any():
        raise DataError(
            f"Outside fold {held} there is no song to learn from; a split needs two folds or more."
        )
    return training


def _held(made: np.ndarray, fold: np.ndarray) -> np.ndarray:
    made[fold < 0] = np.nan
    return made


def limit(frames: Frames, truth: Truth, seed: int) -> np.ndarray:
    """Return what no decoder of a simulated bird can beat, but by chance; nothing is learnt for it.

    Neurons know at most which syllable is sung when, how high and how loud; phases, noise and
    background they cannot know. The song with the same syllables is sung 8 times again, and the
    levels of these are averaged: up to the number of songs, the best guess in squared error.

    Parameters
    ----------
    frames : Frames
    truth : Truth
        Of the bird or of a surrogate's parent.
    seed : int
        Of phases, noise and background.

    Raises
    ------
    DataError
        The bird has no voices: its sound was given, or it has none.
    """
    if not truth.voices:
        raise DataError(
            "This bird's sound was given by somebody or left out, so the simulator cannot sing "
            "its song again; there is no limit of what can be generated."
        )
    if frames.settings is None:
        raise DataError("The limit is sung and needs sound, not a spectrogram that was given.")
    made = np.full(frames.level.shape, np.nan, np.float32)
    rng = np.random.default_rng(seed)
    for rows in frames.pieces:
        songs = [_song_again(frames, rows, truth, rng) for _ in range(SONGS)]
        made[rows] = np.mean(songs, axis=0)
    return made


def _song_again(frames: Frames, rows: slice, truth: Truth, rng: np.random.Generator) -> np.ndarray:
    """Sing one bout again and return its levels (frames, bands)."""
    settings, rate = frames.settings, truth.settings.audio_rate
    count = rows.stop - rows.start
    begin = frames.start[rows.start] - MARGIN
    length = count * frames.hop + 2 * MARGIN
    song = truth.song
    near = song[(song["start"] / 1000 > begin) & (song["stop"] / 1000 < begin + length)]
    events = zip(
        near["start"] / 1000 - begin,
        near["stop"] / 1000 - begin,
        near["label"],
        near["pitch"],
        near["loudness"],
        strict=True,
    )
    samples = sing_song(events, truth.voices, round(length * rate), rate, rng) / 32768
    heard = resampled(samples, rate, settings.rate)
    # A frame's window begins half its length before the middle of its hop.
    first = round((MARGIN + (settings.hop - settings.window) / 2) * settings.rate)
    return levels(power_frames(heard[first:], settings, count), frames.reference, settings.floor)
