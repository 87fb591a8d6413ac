"""Song in frames: a spectrogram of every bout.

Frames are kept for the bouts with syllables that are decoded, and of a recording without labels for
all of its sound. They have their fold from the clock, like everything else.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.recording import Audio, Recording, Spectrogram
from neuro2voc.runs import runs
from neuro2voc.spectrograms import (
    EMPTY,
    SpectrogramSettings,
    check_rate,
    levels,
    power_frames,
    resampled,
)
from neuro2voc.splits import folds_of
from neuro2voc.trials import bout_spans

AROUND = 0.05  # s before a bout's first syllable and behind its last
LOUDEST = 0.999  # quantile of the song's power that is 0 dB; the very loudest cell may be a click
MOST = 3_000_000  # frames, about 1.5 GB
NEARLY = 0.999  # of the largest value; what is clipped lies there
JUDGED = 5.0  # s, about, of sound in which clipping is judged: shares of hours would hide it
CLIPPED = 0.02  # share of samples beyond which a spectrogram shows the clipping
NOTICED = 0.001  # share beyond which it is mentioned, far more than single peaks have

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Frames:
    """A spectrogram of song, bout after bout.

    Attributes
    ----------
    level : ndarray (frames, bands)
        float32, dB relative to `reference` and not below -`floor`; of a spectrogram that was given,
        its own values.
    start : ndarray (frames,)
        s at which each frame's hop begins; the frame is centred on the hop's middle.
    piece : ndarray (frames,)
        Bout of each frame, as trials number them, or 0, 1, ... of a recording without labels.
        Frames of a piece adjoin.
    hop : float
        s.
    frequencies : ndarray (bands,) or None
        Hz, where known.
    settings : SpectrogramSettings or None
        What made it of sound; None where it was given.
    reference : float
        Power at 0 dB, in squares of the sound's unit.
    """

    level: np.ndarray
    start: np.ndarray
    piece: np.ndarray
    hop: float
    frequencies: np.ndarray | None
    settings: SpectrogramSettings | None
    reference: float = 1.0

    @property
    def lowest(self) -> float:
        """What silence is: the floor, or the least value of a spectrogram that was given."""
        return -self.settings.floor if self.settings else float(self.level.min())

    @property
    def pieces(self) -> list[slice]:
        """The rows of each piece, in time."""
        return runs(self.piece)

    def folds(self, split: pd.DataFrame) -> np.ndarray:
        """Return the fold (frames,) of each frame under a split, -1 in guards and outside."""
        return folds_of(split, self.start, self.start + self.hop)

    def held(self, fold: np.ndarray) -> list[slice]:
        """Return the rows of each stretch of one fold (frames,) within a piece, in time."""
        return [rows for rows in runs(fold, self.piece) if fold[rows.start] >= 0]

    def within(self, onset: float, offset: float) -> slice:
        """Return the rows of the frames whose middle lies in [onset, offset) s."""
        middle = self.start + self.hop / 2
        return slice(*np.searchsorted(middle, [onset, offset]))


def make_frames(
    recording: Recording, trials: pd.DataFrame, settings: SpectrogramSettings
) -> Frames:
    """Make a recording's frames, from its sound or else from the spectrogram that it was given.

    Raises
    ------
    DataError
        No sound and no spectrogram, a bout without sound, samples that are no numbers, clipped
        sound, silence, or too many frames.
    """
    source, settings = _source(recording, settings)
    hop = settings.hop if settings else 1 / source.rate
    stretches = _stretches(recording, trials, source, hop)
    numbers, begins, counts = map(np.array, zip(*stretches, strict=True))
    _check_size(counts.sum(), hop, recording.name)
    spans = list(zip(begins, counts, strict=True))
    if settings:
        level, reference = _levels_of_sound(source, spans, settings, recording.name)
    else:
        level, reference = _levels_given(source, spans, hop, recording.name), 1.0
    if reference <= 0 or level.max() == level.min():
        raise DataError(
            f"The sound of {recording.name} is silent in all its bouts; name another series under "
            "`audio:`, or correct the labels' times."
        )
    start = np.concatenate([begin + hop * np.arange(count) for begin, count in spans])
    frequencies = settings.frequencies if settings else source.frequencies
    return Frames(
        level,
        start,
        np.repeat(numbers, counts),
        hop,
        None if frequencies is None else np.asarray(frequencies, dtype=float),
        settings,
        reference,
    )


def _source(
    recording: Recording, settings: SpectrogramSettings
) -> tuple[Audio | Spectrogram, SpectrogramSettings | None]:
    """Return what frames are made of, and the settings, None of a spectrogram that was given."""
    if recording.audio:
        check_rate(recording.audio.rate, settings)
        return recording.audio, settings
    if recording.spectrogram:
        return recording.spectrogram, None
    raise DataError(
        f"{recording.name} holds no sound and no spectrogram, so there is nothing that its "
        "activity could be turned into; name the series under `audio:`, or leave `voice` and "
        "`latents` out of the bird's `figures`."
    )


def _check_size(count: int, hop: float, name: str) -> None:
    if count > MOST:
        raise DataError(
            f"{name} has {count * hop / 60:.0f} min of sound in {count} frames, more than {MOST}; "
            "raise `spectrogram: hop`, or name a table of labels, so that only bouts are kept."
        )


def _levels_given(
    source: Spectrogram, spans: Sequence[tuple[float, int]], hop: float, name: str
) -> np.ndarray:
    """Return the values of a spectrogram that was given, in spans of begin (s) and frames."""
    level = np.concatenate([source.read(begin, begin + count * hop) for begin, count in spans])
    if not np.isfinite(level).all():
        raise DataError(
            f"The spectrogram of {name} holds values that are no numbers; fill or cut them out."
        )
    return level


def _levels_of_sound(
    audio: Audio, spans: Sequence[tuple[float, int]], settings: SpectrogramSettings, name: str
) -> tuple[np.ndarray, float]:
    """Return levels of sound in spans of begin (s) and frames, and the power at 0 dB."""
    # A window reaches half its length less half a hop beyond the frames' hops.
    margin = (settings.window - settings.hop) / 2
    parts, peaks = [], []
    for begin, count in spans:
        first, last = begin - margin, begin + count * settings.hop + margin
        heard = _heard(audio, first, last, name)
        peaks += _peaks(heard, first, audio.rate)
        parts.append(power_frames(resampled(heard, audio.rate, settings.rate), settings, count))
    _check_clipping(peaks, name)
    power = np.concatenate(parts)
    reference = float(np.quantile(power, LOUDEST))
    return levels(power, max(reference, EMPTY), settings.floor), reference


def _stretches(
    recording: Recording, trials: pd.DataFrame, source: Audio | Spectrogram, hop: float
) -> list[tuple[int, float, int]]:
    """Return number, begin (s) and frames of every piece that is kept."""
    if trials.empty:
        spans = recording.sessions[["start_time", "stop_time"]].to_numpy(float)
        bouts = enumerate(np.clip(spans, source.start_time, source.stop_time))
    else:
        song = bout_spans(trials, recording.name)
        bouts = zip(song.index, song.to_numpy() + [-AROUND, AROUND], strict=True)
    found, last = [], -np.inf
    for number, (begin, end) in bouts:
        begin, end = max(begin, source.start_time, last), min(end, source.stop_time)
        # On the grid of a given spectrogram, which has frames at its own times.
        if isinstance(source, Spectrogram):
            begin = source.start_time + np.ceil((begin - source.start_time) / hop - 1e-6) * hop
        count = int(np.floor((end - begin) / hop + 1e-6))
        if count < 1:
            raise DataError(
                f"{recording.name} has no sound from {begin:.2f} s on, where bout {number} is "
                f"sung; its sound lasts from {source.start_time:g} to {source.stop_time:g} s. "
                "Correct the clock, or leave out labels without sound."
            )
        found.append((int(number), float(begin), count))
        last = begin + count * hop
    return found


def _heard(audio: Audio, first: float, last: float, name: str) -> np.ndarray:
    """Return the samples from `first` (s) on; silence before there is sound, nothing behind it."""
    heard = audio.read(max(first, audio.start_time), min(last, audio.stop_time))
    if not np.isfinite(heard).all():
        raise DataError(
            f"The sound of {name} holds samples that are no numbers between {first:.2f} and "
            f"{last:.2f} s; fill or cut them out."
        )
    silent = max(0, round((audio.start_time - first) * audio.rate))
    return np.pad(heard, (silent, 0))


class Peak(NamedTuple):
    """The largest value in some seconds of sound, begin to end (s), and its share of samples."""

    begin: float
    end: float
    largest: float
    share: float


def _peaks(heard: np.ndarray, first: float, rate: float) -> list[Peak]:
    """Return the peak of every few seconds of sound that begins at `first` (s)."""
    found = []
    for part in np.array_split(heard, max(1, round(len(heard) / (JUDGED * rate)))):
        size = np.abs(part)
        largest, last = size.max(), first + len(part) / rate
        found.append(Peak(first, last, float(largest), float((size >= NEARLY * largest).mean())))
        first = last
    return found


def _check_clipping(peaks: Sequence[Peak], name: str) -> None:
    """Refuse sound, or warn of it, that stays at the largest value that there is anywhere in it.

    What nowhere reaches that value, as noise or a constant in a silent bout, is not clipped.
    """
    largest = max(one.largest for one in peaks)
    if not largest:
        return
    worst = max((one for one in peaks if one.largest >= NEARLY * largest), key=lambda p: p.share)
    if worst.share > CLIPPED:
        raise DataError(
            f"The sound of {name} is clipped between {worst.begin:.2f} and {worst.end:.2f} s: "
            f"{worst.share:.0%} of its samples are at the largest value. Leave out its labels (if "
            "there are none, name a table of labels, so that only bouts are kept), or name another "
            "series under `audio:`."
        )
    if worst.share > NOTICED:
        log.warning(
            "the sound of %s is slightly clipped, most between %.2f and %.2f s: %.1f %% of its "
            "samples are at the largest value",
            *(name, worst.begin, worst.end, 100 * worst.share),
        )


def hops(time: float, hop: float) -> int:
    """Return how many hops hold a time (s)."""
    return int(np.ceil(time / hop - 1e-6))


def write_frames(frames: Frames, path: str) -> None:
    """Write frames to HDF5."""
    with hdf5_writer(path) as file:
        for name in ("level", "start", "piece"):
            file[name] = getattr(frames, name)
        file.attrs["hop"] = frames.hop
        file.attrs["reference"] = frames.reference
        if frames.frequencies is not None:
            file["frequencies"] = frames.frequencies
        if frames.settings is not None:
            for name, value in vars(frames.settings).items():
                file.attrs[name] = value


def read_frames(path: str) -> Frames:
    """Read what `write_frames` wrote."""
    with h5py.File(path) as file:
        names = SpectrogramSettings.__dataclass_fields__
        settings = None
        if "window" in file.attrs:
            settings = SpectrogramSettings(**{name: file.attrs[name].item() for name in names})
        return Frames(
            file["level"][()],
            file["start"][()],
            file["piece"][()],
            float(file.attrs["hop"]),
            file["frequencies"][()] if "frequencies" in file else None,
            settings,
            float(file.attrs["reference"]),
        )


def windows_of(frames: Frames, kept: np.ndarray, length: int) -> np.ndarray:
    """Return the first rows of all stretches of `length` frames that are kept throughout.

    Parameters
    ----------
    frames : Frames
    kept : ndarray (frames,) of bool
    length : int
        Frames. No stretch runs from one piece into the next.
    """
    found = []
    for piece in frames.pieces:
        inside = np.r_[0, np.cumsum(kept[piece])]
        whole = np.flatnonzero(inside[length:] - inside[:-length] == length)
        found.append(piece.start + whole)
    return np.concatenate(found)


def inner_blocks(
    frames: Frames, kept: np.ndarray, folds: int, reach: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Part the frames of a training part again, for choices that are made inside it.

    Parameters
    ----------
    frames : Frames
    kept : ndarray (frames,) of bool
        Those of the training part.
    folds : int
        Blocks of about equally many frames: whole pieces, where there are enough of them, else
        stretches of time.
    reach : float
        s around a block's frames within the same piece that belong to no other block.

    Returns
    -------
    list of (ndarray, ndarray) of bool (frames,)
        To train on; to choose by.
    """
    rows = np.flatnonzero(kept)
    pieces, counts = np.unique(frames.piece[rows], return_counts=True)
    if len(pieces) >= folds:
        middle = np.cumsum(counts) - counts / 2
        order = np.arange(folds)
        first = np.searchsorted((folds * middle / len(rows)).astype(int), order)
        # Every block has a piece, however long some are.
        first = np.maximum.accumulate(first - order) + order
        first = np.minimum(first, len(pieces) - folds + order)
        piece = np.searchsorted(pieces, frames.piece[rows])
        of_row = np.searchsorted(first, piece, side="right") - 1
    else:
        of_row = folds * np.arange(len(rows)) // len(rows)
    parts = []
    for k in range(folds):
        held = np.zeros(len(kept), dtype=bool)
        held[rows[of_row == k]] = True
        near = held.copy()
        far = hops(reach, frames.hop)
        for piece in frames.pieces:
            # "same" is as long as the longer of the two, and pieces may be short.
            spread = np.convolve(held[piece], np.ones(2 * far + 1))
            near[piece] = spread[far : far + piece.stop - piece.start] > 0
        parts.append((kept & ~near, held))
    return parts


def overlap_add(
    frames: Frames, rows: np.ndarray, stretches: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Put overlapping stretches of a spectrogram together.

    Parameters
    ----------
    frames : Frames
    rows : ndarray (n,)
        The first frame of each stretch, each once.
    stretches : ndarray (n, length, bands)
    wanted : ndarray (frames,) of bool

    Returns
    -------
    ndarray (frames, bands)
        float32: the mean of what stretches say of a frame, those in whose middle it lies weighing
        most. NaN where no frame is wanted.
    """
    length = stretches.shape[1]
    taper = np.hanning(length + 2)[1:-1]
    total = np.zeros(frames.level.shape)
    weight = np.zeros(len(total))
    for place in range(length):
        total[rows + place] += taper[place] * stretches[:, place]
        weight[rows + place] += taper[place]
    made = np.full(total.shape, np.nan, dtype=np.float32)
    made[wanted] = total[wanted] / weight[wanted, None]
    return made
