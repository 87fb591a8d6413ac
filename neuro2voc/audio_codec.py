"""Sound through the latents of somebody's neural audio codec (EnCodec; Défossez et al. 2023, TMLR).

The codec lies in a local folder as transformers writes it and is used as it is. Activity is decoded
into what its encoder gives before quantising, by ridge regression with lags, and its decoder makes
sound of that. It never saw the bird, so nothing of it depends on a split; the regression does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from neuro2voc.errors import DataError
from neuro2voc.frame_activity import activity_around, lagged
from neuro2voc.frames import Frames
from neuro2voc.recording import Audio, Recording
from neuro2voc.spectrograms import SpectrogramSettings, levels, power_frames, resampled
from neuro2voc.splits import NONE, contiguous_blocks
from neuro2voc.standardisation import mean_and_scale

# Amplitude given to a sine at 0 dB: sound of any unit comes to the loudness of music, which codecs
# were trained on.
LOUD = 0.3
PENALTIES = 10.0 ** np.arange(0, 7)  # of standardised columns
INNER = 3  # parts of the training pieces, by which the penalty is chosen


@dataclass(frozen=True, eq=False)
class AudioCodec:
    """A codec of sound.

    Attributes
    ----------
    model : transformers.EncodecModel
    rate : float
        Hz, of sound.
    hop : int
        Samples of a frame.
    """

    model: torch.nn.Module
    rate: float
    hop: int

    @property
    def frame(self) -> float:
        """Time (s) of a frame."""
        return self.hop / self.rate


def read_audio_codec(folder: str | Path) -> AudioCodec:
    """Return the codec that lies in a folder; nothing is downloaded.

    Raises
    ------
    DataError
        The folder is missing, or holds no such model, or only some of its weights, or weights that
        are no safetensors.
    """
    from transformers import AutoConfig, EncodecModel

    folder = Path(folder).expanduser()
    for name in ("", "config.json", "model.safetensors"):
        if not (folder / name).exists():
            raise DataError(
                f"config.yaml, `audio_codec`: {folder / name} does not exist; name a folder with "
                "config.json and model.safetensors of an EnCodec model, or '' for none."
            )
    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind != "encodec":
            raise ValueError(f"its model_type is '{kind}', not 'encodec'")
        model, about = EncodecModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        # What is missing would be made up.
        if missing := sorted(about["missing_keys"]):
            raise ValueError(f"{len(missing)} weights are missing, {missing[0]} first")
    except Exception as error:  # transformers and safetensors each have their own kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{folder} holds no EnCodec model that can be read ({reason}); name another folder "
            "under `audio_codec`, or '' for none."
        ) from error
    return AudioCodec(model.eval(), float(model.config.sampling_rate), model.config.hop_length)


@torch.inference_mode()
def latents_of_sound(codec: AudioCodec, pieces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what the encoder gives before quantising, of each piece of sound.

    Parameters
    ----------
    codec : AudioCodec
    pieces : sequence of ndarray (samples,)
        At the codec's rate. What fills no whole frame is filled up with silence.

    Returns
    -------
    list of ndarray (frames, dims)
        float32.
    """
    found = []
    for piece in pieces:
        silence = -len(piece) % codec.hop
        sound = torch.as_tensor(np.pad(piece, (0, silence)), dtype=torch.float32)
        channels = sound.repeat(1, codec.model.config.audio_channels, 1)
        found.append(codec.model.encoder(channels)[0].T.numpy())
    return found


@torch.inference_mode()
def sound_of_latents(codec: AudioCodec, latents: np.ndarray) -> np.ndarray:
    """Return sound (frames * hop,) at the codec's rate of latents (frames, dims)."""
    values = torch.as_tensor(np.ascontiguousarray(latents.T), dtype=torch.float32)
    # Of several channels the mean, since all were given the same.
    return codec.model.decoder(values[None])[0].mean(dim=0).numpy()[: len(latents) * codec.hop]


def song_latents(
    recording: Recording, frames: Frames, codec: AudioCodec
) -> tuple[Frames, np.ndarray]:
    """Return the latents of all song, as frames of the codec's own length.

    Parameters
    ----------
    recording : Recording
    frames : Frames
        Of sound: which pieces there are, and how loud 0 dB is.
    codec : AudioCodec

    Returns
    -------
    own : Frames
        `level` is empty; start and piece are those of the codec's frames.
    latents : ndarray (codec's frames, dims)

    Raises
    ------
    DataError
        There is no sound.
    """
    audio = recording.audio
    if not isinstance(frames.settings, SpectrogramSettings) or audio is None:
        raise DataError(
            f"{recording.name} has no sound, and an audio codec codes sound, not spectrograms; "
            "name its sound under `audio:`, or leave `audio_codec` empty for it."
        )
    parts, starts, numbers = [], [], []
    for piece in frames.pieces:
        begin = frames.start[piece.start]
        count = int(np.ceil((piece.stop - piece.start) * frames.hop / codec.frame - 1e-6))
        samples = count * codec.hop
        sound = resampled(_heard(audio, begin, begin + count * codec.frame), audio.rate, codec.rate)
        sound = np.pad(sound[:samples], (0, max(0, samples - len(sound))))
        parts.append(gain(frames) * sound)
        starts.append(begin + codec.frame * np.arange(count))
        numbers.append(np.full(count, frames.piece[piece.start]))
    latents = latents_of_sound(codec, parts)
    start, number = np.concatenate(starts), np.concatenate(numbers)
    empty = np.empty((len(start), 0), dtype=np.float32)
    return Frames(empty, start, number, codec.frame, None, None), np.concatenate(latents)


def gain(frames: Frames) -> float:
    """Return what sound is multiplied with before it is coded."""
    return LOUD / np.sqrt(2 * frames.reference)


def _heard(audio: Audio, start: float, stop: float) -> np.ndarray:
    return audio.read(max(start, audio.start_time), min(stop, audio.stop_time))


def generate_by_audio_codec(
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
    folder: str | Path,
    before: float,
    after: float,
    bin: float,
) -> np.ndarray:
    """Decode activity into an audio codec's latents and say what they sound like.

    Every frame of the codec is decoded by a regression that was fitted, and whose penalty was
    chosen, without the frame's fold.

    Parameters
    ----------
    recording : Recording
    frames : Frames
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    folder : path
        See `read_audio_codec`.
    before, after, bin : float
        s; see `neuro2voc.frame_activity.lagged`.

    Returns
    -------
    ndarray (frames, bands)
        float32 dB relative to `frames.reference`; NaN where a frame has no fold.
    """
    codec = read_audio_codec(folder)
    own, latents = song_latents(recording, frames, codec)
    x = lagged(activity_around(recording, own, before, after), own, before, after, bin)
    predicted = cross_regress(x.reshape(len(x), -1), latents, own.folds(split), own.piece)
    return levels_of_latents(codec, own, predicted, own.folds(split), frames, frames.folds(split))


def heard_through(recording: Recording, frames: Frames, folder: str | Path) -> np.ndarray:
    """Return song (frames, bands) in dB as the codec gives it back: no decoding does better."""
    codec = read_audio_codec(folder)
    own, latents = song_latents(recording, frames, codec)
    own_fold, fold = np.zeros(len(own.start), int), np.zeros(len(frames.start), int)
    return levels_of_latents(codec, own, latents, own_fold, frames, fold)


def cross_regress(X: np.ndarray, Y: np.ndarray, fold: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Predict every row by a ridge regression fitted to the other folds.

    Parameters
    ----------
    X : ndarray (rows, columns)
        NaN where missing, which takes the training mean.
    Y : ndarray (rows, dims)
    fold : ndarray (rows,)
        -1: neither trained on nor predicted.
    piece : ndarray (rows,)
        In order; inner folds, which choose the penalty, are contiguous blocks of them.

    Returns
    -------
    ndarray (rows, dims)
        NaN where there is no fold.
    """
    predicted = np.full(Y.shape, np.nan, dtype=np.float32)
    for now in np.unique(fold[fold != NONE]):
        known, asked = (fold != now) & (fold != NONE), fold == now
        group = piece[known] if len(np.unique(piece[known])) > 1 else fold[known]
        names = np.unique(group)
        if len(names) < 2:
            raise DataError(
                f"Without fold {now} only one piece of song is left, too little to fit a "
                "regression and choose its penalty; lower `folds`."
            )
        inner = contiguous_blocks(group, min(INNER, len(names)))
        penalty = _best_penalty(X[known], Y[known], inner)
        predicted[asked] = _ridge(X[known], Y[known], X[asked], [penalty])[0]
    return predicted


def _best_penalty(X: np.ndarray, Y: np.ndarray, inner: np.ndarray) -> float:
    """Return the penalty of the least squared error on inner folds, all dimensions alike."""
    errors = np.zeros(len(PENALTIES))
    scale = np.maximum(Y.std(axis=0), 1e-12)
    for part in np.unique(inner):
        found = _ridge(X[inner != part], Y[inner != part], X[inner == part], PENALTIES)
        errors += [(((one - Y[inner == part]) / scale) ** 2).sum() for one in found]
    return float(PENALTIES[errors.argmin()])


def _ridge(
    X: np.ndarray, Y: np.ndarray, asked: np.ndarray, penalties: Sequence[float]
) -> list[np.ndarray]:
    """Return predictions for rows asked, of columns standardised on X, for each penalty."""
    mean, spread = mean_and_scale(X)
    known, rows = (np.nan_to_num((part - mean) / spread) for part in (X, asked))
    # One decomposition serves all penalties.
    values, vectors = np.linalg.eigh(known.T @ known)
    weights = vectors.T @ (known.T @ (Y - Y.mean(axis=0)))
    rows = rows @ vectors
    return [rows @ (weights / (values + one)[:, None]) + Y.mean(axis=0) for one in penalties]


def levels_of_latents(
    codec: AudioCodec,
    own: Frames,
    latents: np.ndarray,
    own_fold: np.ndarray,
    frames: Frames,
    fold: np.ndarray,
) -> np.ndarray:
    """Return levels (frames, bands) of sound made of latents, run by run of one piece and fold."""
    settings = frames.settings
    level = np.full((len(frames.start), len(settings.frequencies)), np.nan, dtype=np.float32)
    edges = np.flatnonzero(np.diff(own.piece) | np.diff(own_fold)) + 1
    for first, last in zip([0, *edges], [*edges, len(own.piece)], strict=True):
        if own_fold[first] == NONE:
            continue
        sound = sound_of_latents(codec, latents[first:last]) / gain(frames)
        sound = resampled(sound, codec.rate, settings.rate)
        begin, end = own.start[first], own.start[last - 1] + own.hop
        inside = (frames.piece == own.piece[first]) & (fold == own_fold[first])
        inside &= (frames.start >= begin - 1e-9) & (frames.start + frames.hop <= end + 1e-9)
        rows = np.flatnonzero(inside)
        if not len(rows):
            continue
        # A window reaches half its length less half a hop beyond its frame's hop.
        margin = (settings.window_samples - settings.hop_samples) // 2
        place = round((frames.start[rows[0]] - begin) * settings.rate)
        heard = np.pad(sound, (margin, 0))[place:]
        power = power_frames(heard, settings, len(rows))
        level[rows] = levels(power, frames.reference, settings.floor)
    return level
