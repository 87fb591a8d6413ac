"""Measures of generated sound, bout by bout and syllable by syllable."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro2voc import sound_measures as measures
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames
from neuro2voc.sound_identity import sung_trials
from neuro2voc.sound_pitch import pitch, pitch_error

PIECE = 2.0  # s, about as long as a bout; what stands for bouts where there are no labels
EVERY = ""  # the label of what is not of one type of syllable

# Each measure's unit, and whether more is better.
MEASURES = {
    "correlation": ("", True),
    "squared_error": ("dB²", False),
    "similarity": ("", True),
    "cepstral_distortion": ("dB", False),
    "amplitude_error": ("dB", False),
    "pitch_error": ("semitones", False),
    "pitch_share": ("", True),
    "b1_error": ("", False),
}


def measure_table(
    frames: Frames,
    generated: Mapping[str, np.ndarray],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    syllables: bool = True,
) -> pd.DataFrame:
    """Measure generated sound against what was sung, bout by bout and syllable by syllable.

    Frames outside all folds, and those that a method did not generate, are left out. Under a split
    of single trials a bout is what is left of it.

    Parameters
    ----------
    frames : Frames
    generated : mapping from str to ndarray (frames, bands)
        By method, in the frames' own unit; NaN in frames that were not generated.
    trials, split : DataFrame
        See `neuro2voc.trials` and `neuro2voc.splits`.
    syllables : bool
        Whether they are measured, too, or bouts alone.

    Returns
    -------
    DataFrame
        method; unit ('bout', 'syllable', or without labels 'piece' of about 2 s within a fold);
        number (of bout, trial or piece); bout; fold (-1 where several share a bout); label;
        duration (s measured); the measures of `MEASURES`. All that needs decibels is NaN for a
        spectrogram that was given, whose unit is not known. Pitch needs linear bands besides. B1's
        measure of what is constant is that of silence.

    Raises
    ------
    DataError
        Nothing to measure, or an array that is not of the frames' shape.
    """
    fold = frames.folds(split)
    units = _units(frames, trials, split, fold)
    if not syllables:
        units = units[units["unit"] != "syllable"]
    tracks = _pitch(frames, frames.level)
    parts = []
    for method, made in generated.items():
        if made.shape != frames.level.shape:
            raise DataError(
                f"'{method}' was generated in the shape {made.shape}, but the song has "
                f"{frames.level.shape} (frames, bands); generate it anew from the same frames."
            )
        finite = np.isfinite(made).all(axis=1) & (fold >= 0)
        track = _pitch(frames, made)
        apart = _differences(frames, made, finite)
        rows = []
        for unit in units.to_dict("records"):
            inside = np.flatnonzero(finite[unit["first"] : unit["stop"]]) + unit["first"]
            if len(inside):
                pitches = [t[inside] for t in (tracks, track)] if tracks is not None else None
                values = _measured(frames, frames.level[inside], made[inside], pitches)
                values |= {name: found[inside].mean() for name, found in apart.items()}
                folds = np.unique(fold[inside])
                about = {"fold": folds[0] if len(folds) == 1 else -1}
                rows.append(unit | about | {"duration": len(inside) * frames.hop} | values)
        parts.append(pd.DataFrame(rows).assign(method=method))
    if not sum(map(len, parts)):
        raise DataError("Nothing was generated in any fold, so there is nothing to measure.")
    columns = ["method", "unit", "number", "bout", "fold", "label", "duration", *MEASURES]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[columns]


def _units(
    frames: Frames, trials: pd.DataFrame, split: pd.DataFrame, fold: np.ndarray
) -> pd.DataFrame:
    """Return what is measured: unit, number, bout, label, and the rows `first` to `stop`."""
    if trials.empty:
        return _pieces(frames, fold)
    bouts = pd.DataFrame(
        [(frames.piece[rows.start], rows.start, rows.stop) for rows in frames.pieces],
        columns=["number", "first", "stop"],
    ).assign(unit="bout", label=EVERY)
    bouts["bout"] = bouts["number"]
    sung = sung_trials(frames, trials, split).rename(columns={"trial": "number"})
    sung = sung.assign(unit="syllable")
    columns = ["unit", "number", "bout", "label", "first", "stop"]
    return pd.concat([bouts[columns], sung[columns]], ignore_index=True)


def _pieces(frames: Frames, fold: np.ndarray) -> pd.DataFrame:
    """Part each stretch of time within one fold and one piece of sound into pieces of about 2 s."""
    rows = []
    for held in frames.held(fold):
        parts = max(1, round((held.stop - held.start) * frames.hop / PIECE))
        edges = np.linspace(held.start, held.stop, parts + 1).astype(int)
        rows += zip(edges[:-1], edges[1:], strict=True)
    pieces = pd.DataFrame(rows, columns=["first", "stop"])
    pieces["number"] = pieces["bout"] = np.arange(len(pieces))
    return pieces.assign(unit="piece", label=EVERY)


def _pitch(frames: Frames, level: np.ndarray) -> np.ndarray | None:
    settings = frames.settings
    if settings is None or settings.mel:
        return None
    found = np.full(len(level), np.nan)
    rows = np.flatnonzero(np.isfinite(level).all(axis=1))
    found[rows] = pitch(level[rows], frames.frequencies, settings.window)
    return found


def _differences(frames: Frames, made: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return by measure what frames lie apart, of measures that are means over frames."""
    if frames.settings is None:
        return {}
    real, made = frames.level[kept], made[kept]
    found = {
        "cepstral_distortion": measures.cepstral_differences(real, made, frames.frequencies),
        "amplitude_error": measures.amplitude_differences(real, made),
    }
    apart = {name: np.full(len(kept), np.nan) for name in found}
    for name, values in found.items():
        apart[name][kept] = values
    return apart


def _measured(
    frames: Frames, real: np.ndarray, made: np.ndarray, pitches: list[np.ndarray] | None
) -> dict[str, float]:
    decibels = frames.settings is not None
    span = frames.settings.floor if decibels else np.ptp(frames.level)
    values = dict.fromkeys(MEASURES, np.nan) | {
        "correlation": measures.correlation(real, made),
        "squared_error": measures.squared_error(real, made),
        "similarity": measures.similarity(real, made, span),
    }
    if decibels:
        powers = [10 ** (level.astype(float) / 10) for level in (real, made)]
        constant = not np.ptp(made)
        values["b1_error"] = (
            measures.b1_silence(powers[0]) if constant else measures.b1_error(*powers)
        )
    if pitches is not None:
        values["pitch_error"], values["pitch_share"] = pitch_error(*pitches)
    return values
