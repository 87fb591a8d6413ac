"""Neural variational autoencoders, trained inside training folds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neuro2voc.checkpoints import Checkpoint
from neuro2voc.configuration import derive_seed
from neuro2voc.networks.gaussian import divergence
from neuro2voc.networks.neural_vae import KINDS, NeuralVAE, vae_loss
from neuro2voc.neural_windows import WindowSettings, Windows
from neuro2voc.training import Schedule, Trained, train

ACTIVE = 0.01  # nats; a latent that says less than that of an average window has collapsed
LEAST = 1e-3  # counts in a bin, below which no mean rate is taken to fall
AT_ONCE = 4096  # windows that pass through a trained network together


@dataclass(frozen=True)
class VAESettings:
    """What is trained, and how.

    Attributes
    ----------
    sizes : mapping
        latent, hidden, filters.
    beta : float
        Weight of the divergence from the prior; 1 is a bound of the likelihood.
    windows : WindowSettings
    schedule : Schedule
    inner_folds : int
        Blocks of the training part, of which one decides when to stop.
    seed : int
    checkpoints : path, optional
    code : str
        See `neuro2voc.network_training.NetworkSettings`.
    """

    sizes: Mapping
    beta: float
    windows: WindowSettings
    schedule: Schedule
    inner_folds: int
    seed: int
    checkpoints: str | Path | None = None
    code: str = ""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where trainings keep their states."""
        return Checkpoint(self.checkpoints, self.code) if self.checkpoints else None


def unit_statistics(windows: Windows, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return what networks know of units before they are trained: mean, scale, dispersion."""
    count = windows.count[rows].astype(np.float64)
    mean = np.nan_to_num(np.nanmean(count, axis=(0, 1)))
    variance = np.nan_to_num(np.nanvar(count, axis=(0, 1)))
    varies = (mean > 0) & (variance > 0)
    dispersion = np.divide(variance, mean, out=np.ones_like(mean), where=varies)
    return {
        "mean": np.maximum(mean, LEAST),
        "scale": np.where(varies, np.sqrt(variance), 1.0),
        "dispersion": np.ones_like(mean) if windows.additive else dispersion,
    }


def fit_neural_vae(
    windows: Windows,
    parts: tuple[np.ndarray, np.ndarray],
    kind: str,
    order: np.ndarray,
    settings: VAESettings,
    *numbers: int,
) -> Trained:
    """Train an autoencoder.

    Parameters
    ----------
    windows : Windows
    parts : (ndarray, ndarray)
        Rows to train on, rows to stop by.
    kind : {'1d', '2d'}
    order : ndarray (units,)
        Units from one end of the probe to the other; what '2d' takes for neighbours.
    settings : VAESettings
    *numbers : int
        What tells this training from others of its job: the outer fold, first of all.
    """
    kept, held = parts
    _, bins, units = windows.count.shape
    own = {"order": order} if kind == "2d" else {}
    about = {**unit_statistics(windows, kept), **settings.sizes, **own}
    return train(
        lambda: KINDS[kind](bins=bins, units=units, **about),
        vae_loss(settings.beta),
        (torch.as_tensor(windows.count[kept]),),
        (torch.as_tensor(windows.count[held]),),
        settings.schedule,
        derive_seed(settings.seed, kind, *numbers),
        f"neural VAE {kind}, fold {numbers[0]}",
        settings.checkpoint,
    )


@torch.inference_mode()
def encoded(network: NeuralVAE, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and divergences (nats) of the latents (windows, latents)."""
    means, divergences = [], []
    for part in torch.as_tensor(count).split(AT_ONCE):
        mean, log_variance = network.encode(part)
        means.append(mean.numpy())
        divergences.append(divergence(mean, log_variance).numpy())
    return np.concatenate(means), np.concatenate(divergences)


@torch.inference_mode()
def decoded(network: NeuralVAE, latents: np.ndarray) -> np.ndarray:
    """Return expected counts (windows, bins, units)."""
    parts = torch.as_tensor(latents).split(AT_ONCE)
    return np.concatenate([network.decode(part).numpy() for part in parts])
