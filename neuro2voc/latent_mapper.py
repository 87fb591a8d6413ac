"""From the latents of activity to those of the voice, both autoencoders as they are."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import mse_loss

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames, overlap_add
from neuro2voc.networks.neural_vae import NeuralVAE
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.neural_vae import NeuralSettings, decoded, encoded
from neuro2voc.neural_windows import make_windows
from neuro2voc.recording import Recording
from neuro2voc.sound_decoder import read_sound_decoders, vocal_latents
from neuro2voc.sound_windows import levels_from, rows_reaching, whole_rows
from neuro2voc.training import train


class LatentMapper(nn.Module):
    """A network from latents to latents, both standardised by those it was trained on.

    Parameters
    ----------
    source, target : ndarray (windows, latents)
        What it is trained on.
    hidden : int
    """

    def __init__(self, source: np.ndarray, target: np.ndarray, hidden: int):
        super().__init__()
        for name, values in (("source", source), ("target", target)):
            mean, scale = values.mean(0), np.maximum(values.std(0), 1e-6)
            self.register_buffer(f"{name}_mean", torch.as_tensor(mean))
            self.register_buffer(f"{name}_scale", torch.as_tensor(scale))
        self.layers = nn.Sequential(
            nn.Linear(source.shape[1], hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, target.shape[1]),
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return latents (windows, latents) in the units of the targets."""
        seen = (latents - self.source_mean) / self.source_scale
        return self.layers(seen) * self.target_scale + self.target_mean


def mapping_loss(network: LatentMapper, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error in standard deviations of each target."""
    scale = network.target_scale
    return mse_loss(network(source).float() / scale, target / scale)


def fit_mapper(
    source: np.ndarray,
    target: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    settings: NeuralSettings,
    fold: int,
) -> LatentMapper:
    """Train a mapper on some rows and stop it by others."""
    kept, held = parts

    def examples(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.as_tensor(source[rows]), torch.as_tensor(target[rows])

    trained = train(
        lambda: LatentMapper(source[kept], target[kept], settings.sizes["hidden"]),
        mapping_loss,
        examples(kept),
        examples(held),
        settings.schedule,
        derive_seed(settings.seed, "mapper", fold),
        f"latent mapper, fold {fold}",
        checkpoint_of(settings),
    )
    return trained.network


def read_vocal_vaes(path: str | Path, frames: Frames, split: pd.DataFrame) -> dict[int, VocalVAE]:
    """Return the autoencoders of the voice, by the fold that each never saw, of `vaes`' models.

    Parameters
    ----------
    path : path
        See `neuro2voc.sound_decoder.write_sound_decoders`.
    frames : Frames
    split : DataFrame
        They were trained on. A fold without frames has no model.

    Raises
    ------
    DataError
        There are more models than folds with frames, or fewer.
    """
    decoders, _ = read_sound_decoders(path)
    fold = frames.folds(split)
    folds = np.unique(fold[fold >= 0])
    if len(folds) != len(decoders):
        raise DataError(
            f"{path} holds what {len(decoders)} folds learnt, but {len(folds)} folds of this split "
            "have sound; make it anew from this split and sound."
        )
    return {int(held): one.vocal for held, one in zip(folds, decoders, strict=True)}


def generate_by_mapper(
    neural: Mapping[int, NeuralVAE],
    vocal: Mapping[int, VocalVAE],
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
    settings: NeuralSettings,
) -> np.ndarray:
    """Generate each fold's voice from its activity, through the latents of both.

    Parameters
    ----------
    neural, vocal : mapping
        By fold, autoencoders that never saw it.
    recording : Recording
    frames : Frames
    split : DataFrame
    settings : NeuralSettings
        Of the neural autoencoders; mappers are as wide and trained in the same way.

    Returns
    -------
    ndarray (frames, bands)
        dB in the frames' order; NaN where no fold is.
    """
    windows = make_windows(recording, frames, settings.windows)
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan, dtype=np.float32)
    for outer, voice in vocal.items():
        middle = voice.frames // 2
        rows = whole_rows(frames, voice.frames)
        source = _at(rows, encoded(neural[outer], windows.count[rows + middle])[0], len(fold))
        every = rows[:: max(1, round(settings.windows.step / frames.hop))]
        kept, held = settings.parts(frames, fold, outer, every)
        both = np.concatenate([kept, held])
        heard = torch.as_tensor(levels_from(frames, both, voice.frames))
        target = _at(both, vocal_latents(voice, heard).numpy(), len(fold))
        mapper = fit_mapper(source, target, (kept, held), settings, outer)
        wanted = fold == outer
        rows = rows_reaching(frames, voice.frames, wanted)
        with torch.inference_mode():
            latents = mapper(torch.as_tensor(source[rows])).numpy()
        voices = decoded(voice, latents)
        made[wanted] = overlap_add(frames, rows, voices, wanted)[wanted]
    return made


def _at(rows: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return values at their rows of an array as long as the song."""
    placed = np.zeros((count, values.shape[1]), dtype=np.float32)
    placed[rows] = values
    return placed
