"""Contrastive autoencoders of the voice: settings, and training on one training part.

In two stages: the autoencoder learns the bird's sounds from the sound alone; then an encoder of
activity learns to reach the latents of the sound that goes with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames, inner_blocks, windows_of
from neuro2voc.generated import reach
from neuro2voc.networks.neural_encoder import NeuralEncoder, NeuralToVoice, contrast_loss
from neuro2voc.networks.vocal_vae import VocalVAE, divergence, drawn
from neuro2voc.schedule import Schedule, make_schedule
from neuro2voc.sound_decoder import vocal_latents
from neuro2voc.sound_windows import levels_from
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.training import Trained, train

FEWEST = 2  # windows that can be told from one another
BLOCKS = 6  # of a training part, the first of which decides when to stop
STAGES = ("vocal", "encoder")


@dataclass(frozen=True)
class VaeSettings:
    """What is learnt, and how.

    Attributes
    ----------
    window : float
        Length of a stretch of sound in s, in effect a whole number of frames.
    step : int
        Frames from one training window to the next; all are generated.
    latent, hidden, channels, beta : int, sequence, sequence, float
        Of the autoencoder: see `VocalVAE`; beta weighs the mean divergence of a latent (nats)
        against the mean squared error.
    normalised : bool
        Whether the autoencoder sees levels less their mean, and over their standard deviation, of
        the training frames; else it sees dB.
    encoder : mapping
        hidden, channels, dropout of `NeuralEncoder`; weights `contrast` (symmetric InfoNCE of
        directions at `temperature`), `reconstruction` (squared error of the sound) and
        `regression` (squared error of the latents); `recall`: whether song is made of what `Memory`
        recalls, else of what the encoder reaches.
    schedules : mapping of Schedule
        By stage, 'vocal' and 'encoder'.
    reach : float
        s of activity seen before and after a frame together; see `neuro2voc.generated.reach`.
    seed : int
    checkpoints, code
        See `neuro2voc.network_training.NetworkSettings`.
    """

    window: float
    step: int
    latent: int
    hidden: tuple[int, ...]
    channels: tuple[int, ...]
    beta: float
    normalised: bool
    encoder: Mapping
    schedules: Mapping[str, Schedule]
    reach: float
    seed: int
    checkpoints: str | Path | None = None
    code: str = ""

    def length(self, frames: Frames) -> int:
        """Frames of a window.

        Raises
        ------
        DataError
            A piece of song is shorter.
        """
        length = frames_of(self.window, frames.hop)
        shortest = min(piece.stop - piece.start for piece in frames.pieces)
        if length > shortest:
            raise DataError(
                f"The window of {self.window:g} s under `vaes` is longer than the shortest bout, "
                f"which has {shortest * frames.hop:.3g} s of sound; shorten it."
            )
        return length

    @property
    def sizes(self) -> dict:
        """What makes the networks anew, besides what the recording gives."""
        own = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in self.encoder.items()
            if key in ("hidden", "channels", "dropout")
        }
        vocal = {"latent": self.latent, "hidden": self.hidden, "channels": self.channels}
        return {"vocal": vocal, "encoder": {"latent": self.latent, **own}}


def frames_of(window: float, hop: float) -> int:
    """Return how many frames a window (s) has."""
    return max(1, round(window / hop))


def around_window(entry: Mapping, around: Mapping[str, float], hop: float) -> dict[str, float]:
    """Return the activity that windows see around the beginning of their first frame.

    Windows overlap, so that a frame is made from all that begin up to a window's length less a
    frame before it. An entry without `activity` of its own sees so much less before its windows:
    its frames are then made from the same activity as those of every other generator.

    Parameters
    ----------
    entry : mapping
        An entry of `vaes`.
    around : mapping
        before, after, bin in s: what a frame is made from.
    hop : float
        s.
    """
    if entry["activity"]:
        return {**around, **entry["activity"]}
    earlier = (frames_of(entry["window"], hop) - 1) * hop
    return {**around, "before": round(around["before"] - earlier, 9)}


def vae_settings(entry: Mapping, training: Mapping, around: Mapping, job: object) -> VaeSettings:
    """Return settings from an entry of `vaes`.

    Parameters
    ----------
    entry : mapping
        The entry.
    training : mapping
        The configuration's `training`, which the entry's own comes before.
    around : mapping
        before, after, bin in s: the activity that is seen.
    job : object
        With seed, checkpoints and code.
    """
    schedules = {}
    for stage in STAGES:
        own = {**training, **entry["training"]}
        own |= entry["encoder"]["training"] if stage == "encoder" else {}
        schedules[stage] = make_schedule(own)
    names = ("window", "step", "latent", "beta", "normalised", "encoder")
    return VaeSettings(
        **{name: entry[name] for name in names},
        hidden=tuple(entry["hidden"]),
        channels=tuple(entry["channels"]),
        schedules=schedules,
        reach=reach(around),
        seed=job.seed,
        checkpoints=job.checkpoints,
        code=job.code,
    )


def train_vocal(
    frames: Frames, kept: np.ndarray, settings: VaeSettings, *numbers: int
) -> tuple[Trained, np.ndarray]:
    """Train an autoencoder on the sound of a training part.

    Parameters
    ----------
    frames : Frames
    kept : ndarray (frames,) of bool
        The training part, of which the first inner block decides when to stop.
    settings : VaeSettings
    *numbers : int
        What tells this training from others of its job.

    Returns
    -------
    trained : Trained
    spread : ndarray (latent,)
        Variance of each latent's mean over the stretches of the inner block that was held out.
    """
    length = settings.length(frames)
    examples, held = (
        (torch.as_tensor(levels_from(frames, rows, length)),)
        for rows in _rows(frames, kept, settings, length)
    )
    level = frames.level[kept]

    def build() -> VocalVAE:
        network = VocalVAE(frames=length, bands=level.shape[1], **settings.sizes["vocal"])
        if settings.normalised:
            network.set_range(torch.as_tensor(level.mean(axis=0)), float(level.std()) or 1.0)
        return network

    def loss(network: VocalVAE, stretch: torch.Tensor) -> torch.Tensor:
        mean, spread = network.encode(stretch)
        made = network.decode(drawn(mean, spread) if network.training else mean)
        error = mse_loss(made.float(), stretch) / network.scale**2
        return error + settings.beta * divergence(mean.float(), spread.float()).mean()

    trained = _train("vocal", build, loss, examples, held, settings, *numbers)
    with torch.inference_mode():
        spread = trained.network.encode(held[0])[0].var(dim=0).numpy()
    return trained, spread


def train_encoder(
    frames: Frames,
    activity: np.ndarray,
    kept: np.ndarray,
    vocal: VocalVAE,
    settings: VaeSettings,
    *numbers: int,
) -> Trained:
    """Train an encoder of activity towards the latents of the sound that goes with it.

    Parameters
    ----------
    frames, kept, settings, *numbers
        See `train_vocal`.
    activity : ndarray (frames, bins, units)
        Around the beginning of each frame; see `neuro2voc.frame_activity.lagged`.
    vocal : VocalVAE
        Trained on the same training part.
    """
    length, about = vocal.frames, settings.encoder
    mean, scale = mean_and_scale(activity[kept])

    def examples(rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        heard = torch.as_tensor(levels_from(frames, rows, length))
        return torch.as_tensor(activity[rows]), vocal_latents(vocal, heard), heard

    def build() -> NeuralToVoice:
        bins, units = activity.shape[1:]
        encoder = NeuralEncoder(units=units, bins=bins, **settings.sizes["encoder"])
        encoder.set_range(torch.as_tensor(mean), torch.as_tensor(scale))
        own = VocalVAE(frames=length, bands=frames.level.shape[1], **settings.sizes["vocal"])
        own.load_state_dict(vocal.state_dict())
        return NeuralToVoice(encoder, own)

    def loss(network: NeuralToVoice, *batch: torch.Tensor) -> torch.Tensor:
        seen, latents, stretch = batch
        reached = network(seen).float()
        total = 0 * reached.sum()  # a batch of one has no contrast, but a gradient
        if about["contrast"] and len(seen) >= FEWEST:
            contrast = contrast_loss(reached, latents, about["temperature"])
            total = total + about["contrast"] * contrast
        if about["reconstruction"]:
            error = mse_loss(network.vocal.decode(reached).float(), stretch)
            total = total + about["reconstruction"] * error / network.vocal.scale**2
        if about["regression"]:
            total = total + about["regression"] * mse_loss(reached, latents)
        return total

    parts = [examples(rows) for rows in _rows(frames, kept, settings, length)]
    return _train("encoder", build, loss, *parts, settings, *numbers)


def stopping_part(
    frames: Frames, kept: np.ndarray, settings: VaeSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Part the frames (frames,) of a training part into those that teach and those held out of it.

    What is held out decides when training stops, and how sharply song is recalled.
    """
    apart = settings.length(frames) * frames.hop + settings.reach
    return inner_blocks(frames, kept, BLOCKS, apart)[0]


def _rows(
    frames: Frames, kept: np.ndarray, settings: VaeSettings, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first frames of windows to train on, and of those that decide when to stop."""
    training, held = stopping_part(frames, kept, settings)
    rows = windows_of(frames, training, length)[:: settings.step]
    stop = windows_of(frames, held, length)[:: settings.step]
    if min(len(rows), len(stop)) < FEWEST:
        raise DataError(
            f"A training part holds {len(rows)} windows of {settings.window:g} s to learn from and "
            f"{len(stop)} to stop by, and needs {FEWEST} of each; shorten `window` or `step` under "
            "`vaes`, or lower `folds`."
        )
    return rows, stop


def _train(
    stage: str,
    build: Callable[[], nn.Module],
    loss: Callable[..., torch.Tensor],
    examples: tuple[torch.Tensor, ...],
    held: tuple[torch.Tensor, ...],
    settings: VaeSettings,
    *numbers: int,
) -> Trained:
    number = STAGES.index(stage)
    return train(
        build,
        loss,
        examples,
        held,
        settings.schedules[stage],
        derive_seed(settings.seed, number, *numbers),
        f"{stage}, fold {numbers[0]}",
        checkpoint_of(settings),
    )
