"""Neural variational autoencoders, trained inside training folds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from torch import nn

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.frames import Frames
from neuro2voc.network_files import check_units, read_models, write_models
from neuro2voc.networks.neural_vae import KINDS, NeuralVAE, vae_loss
from neuro2voc.networks.vocal_vae import VocalVAE, divergence
from neuro2voc.neural_windows import (
    Windows,
    WindowSettings,
    make_windows,
    training_parts,
    training_rows,
    window_settings,
)
from neuro2voc.recording import Recording
from neuro2voc.schedule import Schedule, make_schedule
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.training import Trained, train

Parts = tuple[np.ndarray, np.ndarray]
LEAST_COUNT = 1e-3  # counts in a bin, below which no mean rate is taken to fall
AT_ONCE = 4096  # windows that pass through a trained network together


@dataclass(frozen=True)
class NeuralSettings:
    """What is trained, and how.

    Attributes
    ----------
    sizes : mapping
        latent, hidden, filters, hide (see `neuro2voc.networks.neural_vae`).
    beta : float
        Weight of the divergence from the prior; 1 bounds the likelihood.
    windows : WindowSettings
    schedule : Schedule
    inner_folds : int
        Blocks of the training part, the first of which decides when to stop.
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

    def parts(self, frames: Frames, fold: np.ndarray, outer: int, rows: np.ndarray) -> Parts:
        """Return those of some rows to train on and to stop by; see `training_parts`."""
        return training_parts(frames, fold, outer, rows, self.windows, self.inner_folds)

    def folds(
        self, frames: Frames, split: pd.DataFrame, rows: np.ndarray
    ) -> Iterator[tuple[int, Parts]]:
        """Yield every fold, and the rows of the others to train on and to stop by."""
        fold = frames.folds(split)
        for outer in map(int, np.unique(fold[fold >= 0])):
            yield outer, self.parts(frames, fold, outer, rows)


def neural_settings(config: Mapping, job: SimpleNamespace) -> NeuralSettings:
    """Return settings from those under `neural_vae` and from what a job knows.

    Parameters
    ----------
    config : mapping
        The configuration's.
    job : object
        With training (the configuration's, with the model's own; members are not used),
        inner_folds, seed, checkpoints and code.
    """
    return NeuralSettings(
        {key: config[key] for key in ("latent", "hidden", "filters", "hide")},
        config["beta"],
        window_settings(config),
        make_schedule(job.training),
        job.inner_folds,
        job.seed,
        job.checkpoints,
        job.code,
    )


def unit_statistics(windows: Windows, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return what networks know of units before they are trained: mean, scale, dispersion."""
    # As precise as networks keep them.
    mean, scale = (np.float32(v).astype(float) for v in mean_and_scale(windows.count[rows]))
    mean = np.maximum(mean, LEAST_COUNT)
    levels = np.where(scale == 1, 1.0, scale**2 / mean)  # what never varies has a scale of 1
    return {
        "mean": mean,
        "scale": scale,
        "dispersion": np.ones_like(mean) if windows.additive else levels,
    }


def depth_order(recording: Recording) -> np.ndarray:
    """Return the units from the probe's base to its tip, as they are where depths are unknown."""
    table = recording.units.table
    if "depth" not in table or table["depth"].isna().any():
        return np.arange(len(table))
    return np.argsort(-table["depth"].to_numpy(float), kind="stable")


def fit_neural_vae(
    windows: Windows,
    parts: Parts,
    kind: str,
    order: np.ndarray,
    settings: NeuralSettings,
    fold: int,
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
    settings : NeuralSettings
    fold : int
        The one that is held out.
    """
    kept, held = parts
    about = {"sizes": settings.sizes, "bins": windows.count.shape[1], "order": order}
    statistics = unit_statistics(windows, kept)
    return train(
        lambda: build_vae(kind, about, statistics),
        vae_loss(settings.beta),
        (torch.as_tensor(windows.count[kept]),),
        (torch.as_tensor(windows.count[held]),),
        settings.schedule,
        derive_seed(settings.seed, kind, fold),
        f"neural VAE {kind}, fold {fold}",
        checkpoint_of(settings),
    )


def build_vae(kind: str, about: Mapping, statistics: Mapping | None = None) -> NeuralVAE:
    """Return an untrained autoencoder of units in an order, with what is known of them."""
    order = np.asarray(about["order"])
    if statistics is None:  # they are among the weights
        statistics = {name: np.ones(len(order)) for name in ("mean", "scale", "dispersion")}
    own = {"order": order} if kind == "2d" else {}
    shape = {"bins": about["bins"], "units": len(order)}
    return KINDS[kind](**shape, **statistics, **about["sizes"], **own)


def train_neural_vaes(
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
    kinds: Sequence[str],
    settings: NeuralSettings,
) -> tuple[dict[str, NeuralVAE], pd.DataFrame]:
    """Train an autoencoder of every kind for every fold.

    Returns
    -------
    models : dict of NeuralVAE
        By kind and the fold that it never saw, as ``1d/0``.
    losses : DataFrame
        model, fold, epoch, rate, training, validation.
    """
    windows = make_windows(recording, frames, settings.windows)
    order, rows = depth_order(recording), training_rows(frames, settings.windows)
    return networks_and_losses(
        {
            f"{kind}/{fold}": fit_neural_vae(windows, parts, kind, order, settings, fold)
            for fold, parts in settings.folds(frames, split, rows)
            for kind in kinds
        }
    )


def networks_and_losses(
    trained: Mapping[str, Trained],
) -> tuple[dict[str, nn.Module], pd.DataFrame]:
    """Return networks by name, and the losses of those called ``<model>/<fold>``, or ``<fold>``.

    Returns
    -------
    networks : dict of Module
    losses : DataFrame
        model, fold, epoch, rate, training, validation.
    """
    losses = []
    for name, one in trained.items():
        model, _, fold = name.rpartition("/")
        losses.append(one.history.assign(model=model, fold=int(fold)))
    columns = ["model", "fold", "epoch", "rate", "training", "validation"]
    networks = {name: one.network for name, one in trained.items()}
    return networks, pd.concat(losses, ignore_index=True)[columns]


def write_neural_vaes(
    path: str | Path,
    models: Mapping[str, NeuralVAE],
    recording: Recording,
    settings: NeuralSettings,
    names: Mapping[str, str],
) -> None:
    """Write autoencoders; `names` are bird and split."""
    about = about_neurons(next(iter(models.values())), recording, settings)
    write_models(path, models, {**names, **about})


def about_neurons(network: NeuralVAE, recording: Recording, settings: NeuralSettings) -> dict:
    """Return what makes an autoencoder of a recording's units anew, and what it sees of them."""
    return {
        "units": [str(unit) for unit in recording.units.table.index],
        "order": depth_order(recording),
        "bins": network.bins,
        "sizes": settings.sizes,
        "windows": asdict(settings.windows),
    }


def read_neural_vaes(path: str | Path) -> tuple[dict[str, NeuralVAE], dict]:
    """Read what `write_neural_vaes` wrote: autoencoders by kind and fold, and the JSON."""
    return read_models(path, lambda name, about: build_vae(name.partition("/")[0], about))


def models_of_kind(models: Mapping[str, NeuralVAE], kind: str) -> dict[int, NeuralVAE]:
    """Return the autoencoders of one kind, by the fold that each never saw."""
    own = {name.partition("/")[2]: one for name, one in models.items() if name.startswith(kind)}
    return {int(fold): one for fold, one in own.items()}


def latents_of_session(
    path: str | Path, model: str, recording: Recording, frames: Frames
) -> np.ndarray:
    """Return the latents (frames, latents) of another recording of the same units.

    Parameters
    ----------
    path : path
        See `write_neural_vaes`.
    model : str
        Such as ``1d/0``.
    recording : Recording
        Another session or day.
    frames : Frames
        Of it.

    Raises
    ------
    DataError
        The recording has other units.
    """
    models, about = read_neural_vaes(path)
    check_units(about["units"], recording)
    windows = make_windows(recording, frames, WindowSettings(**about["windows"]))
    return encoded(models[model], windows.count)[0]


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
def decoded(network: NeuralVAE | VocalVAE, latents: np.ndarray) -> np.ndarray:
    """Return expected counts (windows, bins, units), or levels in dB (windows, hops, bands)."""
    parts = torch.as_tensor(latents).split(AT_ONCE)
    return np.concatenate([network.decode(part).numpy() for part in parts])
