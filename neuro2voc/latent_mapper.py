"""From the latents of activity to those of the voice, both autoencoders as they are."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import mse_loss

from neuro2voc.configuration import derive_seed
from neuro2voc.frames import Frames
from neuro2voc.joint_vae import voice_of_latents
from neuro2voc.networks.neural_vae import NeuralVAE
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.neural_vae import AT_ONCE, VAESettings, encoded
from neuro2voc.neural_windows import make_windows, training_parts
from neuro2voc.recording import Recording
from neuro2voc.training import train
from neuro2voc.vocal_windows import overlapped, stretches


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
    settings: VAESettings,
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
        settings.checkpoint,
    )
    return trained.network


@torch.inference_mode()
def vocal_latents(network: VocalVAE, level: np.ndarray) -> np.ndarray:
    """Return the means of latents (windows, latents) of stretches (windows, frames, bands)."""
    means = [
        network.encode(torch.as_tensor(level[i : i + AT_ONCE]))[0]
        for i in range(0, len(level), AT_ONCE)
    ]
    return torch.cat(means).numpy()


def generate_by_mapper(
    neural: Mapping[int, NeuralVAE],
    vocal: Mapping[int, VocalVAE],
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
    settings: VAESettings,
) -> np.ndarray:
    """Generate each fold's voice from its activity, through the latents of both.

    Parameters
    ----------
    neural, vocal : mapping
        By fold, autoencoders that never saw it.
    recording : Recording
    frames : Frames
    split : DataFrame
    settings : VAESettings
        Of the neural autoencoders; mappers are as wide and trained in the same way.

    Returns
    -------
    ndarray (frames, bands)
        dB in the frames' order; NaN where no fold is.
    """
    windows = make_windows(recording, frames, settings.windows)
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan)
    for outer, voice in vocal.items():
        level = stretches(frames, voice.frames)
        source = encoded(neural[outer], windows.count)[0]
        target = vocal_latents(voice, level)
        parts = training_parts(fold, outer, frames, settings.windows, settings.inner_folds)
        mapper = fit_mapper(source, target, parts, settings, int(outer))
        rows = np.flatnonzero(fold == outer)
        with torch.inference_mode():
            latents = mapper(torch.as_tensor(source[rows])).numpy()
        made[rows] = overlapped(voice_of_latents(voice, latents), rows, frames)[rows]
    return made
