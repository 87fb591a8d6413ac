"""One latent space of activity and voice, trained inside training folds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.frames import Frames, overlap_add
from neuro2voc.network_files import check_units, read_models, write_models
from neuro2voc.networks.joint_vae import JointVAE, joint_loss
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.neural_vae import (
    AT_ONCE,
    NeuralSettings,
    Parts,
    about_neurons,
    build_vae,
    decoded,
    networks_and_losses,
    neural_settings,
    unit_statistics,
)
from neuro2voc.neural_windows import Windows, WindowSettings, make_windows
from neuro2voc.recording import Recording
from neuro2voc.sound_windows import levels_from, rows_reaching, whole_rows
from neuro2voc.training import Trained, train

KIND = "1d"  # of the side of neurons


@dataclass(frozen=True)
class JointSettings:
    """What is trained, and how.

    Attributes
    ----------
    neural : NeuralSettings
        Of the side of neurons; its schedule and seed are those of both.
    vocal_hidden : tuple of int
        Widths of the dense layers on the side of the voice.
    voice : float
        See `neuro2voc.networks.joint_vae.joint_loss`.
    """

    neural: NeuralSettings
    vocal_hidden: tuple[int, ...]
    voice: float


def joint_settings(neural: Mapping, joint: Mapping, job: object) -> JointSettings:
    """Return settings from those under `neural_vae` and `joint_vae`, and from what a job knows."""
    own = neural_settings(neural, job)
    return JointSettings(own, tuple(joint["vocal_hidden"]), joint["voice"])


def fit_joint_vae(
    windows: Windows,
    frames: Frames,
    parts: Parts,
    settings: JointSettings,
    fold: int,
) -> Trained:
    """Train a joint autoencoder.

    Parameters
    ----------
    windows : Windows
    frames : Frames
    parts : (ndarray, ndarray)
        First frames of stretches of voice, as long as windows, to train on and to stop by.
    settings : JointSettings
    fold : int
        The one that is held out.
    """
    kept, held = parts
    middle = windows.hops // 2
    about = {
        "sizes": dict(settings.neural.sizes),
        "vocal_hidden": list(settings.vocal_hidden),
        "bins": windows.count.shape[1],
        "order": np.arange(windows.count.shape[2]),
        "frames": windows.hops,
        "bands": frames.level.shape[1],
    }
    statistics = unit_statistics(windows, kept + middle)
    seen = torch.as_tensor(frames.level[kept])
    mean = seen.mean(0)
    spread = float((seen - mean).std())

    def build() -> JointVAE:
        network = build_joint(about, statistics)
        network.vocal.set_range(mean, max(spread, 1e-6))
        return network

    def examples(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        count = torch.as_tensor(windows.count[rows + middle])
        return count, torch.as_tensor(levels_from(frames, rows, windows.hops))

    return train(
        build,
        joint_loss(settings.neural.beta, settings.voice),
        examples(kept),
        examples(held),
        settings.neural.schedule,
        derive_seed(settings.neural.seed, "joint", fold),
        f"joint VAE, fold {fold}",
        checkpoint_of(settings.neural),
    )


def build_joint(about: Mapping, statistics: Mapping | None = None) -> JointVAE:
    """Return an untrained joint autoencoder."""
    vocal = VocalVAE(
        frames=about["frames"],
        bands=about["bands"],
        latent=about["sizes"]["latent"],
        hidden=about["vocal_hidden"],
    )
    return JointVAE(build_vae(KIND, about, statistics), vocal)


def train_joint_vaes(
    recording: Recording, frames: Frames, split: pd.DataFrame, settings: JointSettings
) -> tuple[dict[str, JointVAE], pd.DataFrame]:
    """Train a joint autoencoder for every fold.

    Returns
    -------
    models : dict of JointVAE
        By the fold that each never saw, as ``0``.
    losses : DataFrame
        fold, epoch, rate, training, validation.
    """
    own = settings.neural
    windows = make_windows(recording, frames, own.windows)
    rows = whole_rows(frames, windows.hops)[:: max(1, round(own.windows.step / frames.hop))]
    models, losses = networks_and_losses(
        {
            str(fold): fit_joint_vae(windows, frames, parts, settings, fold)
            for fold, parts in own.folds(frames, split, rows)
        }
    )
    return models, losses.drop(columns="model")


def write_joint_vaes(
    path: str | Path,
    models: Mapping[str, JointVAE],
    recording: Recording,
    settings: JointSettings,
    names: Mapping[str, str],
) -> None:
    """Write joint autoencoders; `names` are bird and split."""
    first = next(iter(models.values()))
    about = {
        **names,
        **about_neurons(first.neural, recording, settings.neural),
        "frames": first.vocal.frames,
        "bands": first.vocal.bands,
        "vocal_hidden": list(settings.vocal_hidden),
    }
    write_models(path, models, about)


def read_joint_vaes(path: str | Path) -> tuple[dict[str, JointVAE], dict]:
    """Read what `write_joint_vaes` wrote: joint autoencoders by fold, and the JSON."""
    return read_models(path, lambda _, about: build_joint(about))


@torch.inference_mode()
def joint_latents(
    network: JointVAE, count: np.ndarray | None = None, level: np.ndarray | None = None
) -> np.ndarray:
    """Return the means of latents (windows, latents) given activity, voice or both."""
    given = [None if part is None else torch.as_tensor(part) for part in (count, level)]
    number = len(next(part for part in given if part is not None))
    means = [
        network.encode(*(None if part is None else part[i : i + AT_ONCE] for part in given))[0]
        for i in range(0, number, AT_ONCE)
    ]
    return torch.cat(means).numpy()


def generate_by_joint(
    models: Mapping[str, JointVAE],
    settings: WindowSettings,
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
) -> np.ndarray:
    """Generate each fold's voice from its activity alone, by the model that never saw the fold.

    Parameters
    ----------
    models : mapping of JointVAE
        By fold; see `read_joint_vaes`.
    settings : WindowSettings
        Those that the models were trained with (``WindowSettings(**about["windows"])``).
    recording : Recording
    frames : Frames
    split : DataFrame

    Returns
    -------
    ndarray (frames, bands)
        dB in the frames' order; NaN where no fold is.
    """
    windows = make_windows(recording, frames, settings)
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan, dtype=np.float32)
    for name, network in models.items():
        wanted = fold == int(name)
        made[wanted] = _voice_where(network, windows, frames, wanted)[wanted]
    return made


def _voice_where(
    network: JointVAE, windows: Windows, frames: Frames, wanted: np.ndarray
) -> np.ndarray:
    rows = rows_reaching(frames, windows.hops, wanted)
    latents = joint_latents(network, windows.count[rows + windows.hops // 2])
    return overlap_add(frames, rows, decoded(network.vocal, latents), wanted)


def voice_of_session(
    path: str | Path, fold: int, recording: Recording, frames: Frames
) -> np.ndarray:
    """Generate the voice (frames, bands) of another session of the same units, from activity alone.

    Raises
    ------
    DataError
        The recording has other units.
    """
    models, about = read_joint_vaes(path)
    check_units(about["units"], recording)
    windows = make_windows(recording, frames, WindowSettings(**about["windows"]))
    wanted = np.ones(len(frames.piece), dtype=bool)
    return _voice_where(models[str(fold)], windows, frames, wanted)
