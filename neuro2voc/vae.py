"""Song from activity, through the latents of a vocal variational autoencoder.

In two stages, each inside the training folds: the autoencoder learns the bird's sounds from the
sound alone; then an encoder of activity learns to reach the latents of the sound that goes with it.
Held-out song is generated from held-out activity window by window, and windows are added up.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss, normalize

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames, inner_blocks, windows_of
from neuro2voc.networks.neural_encoder import NeuralEncoder
from neuro2voc.networks.vocal_vae import VocalVAE, divergence, sampled
from neuro2voc.schedule import Schedule, make_schedule
from neuro2voc.sound_decoder import AT_ONCE, Memory, SoundDecoder
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.training import Trained, train

log = logging.getLogger(__name__)

# Variance of a latent's mean over held-out sound, below which it says nothing of it (Burda et al.
# 2016, arXiv:1509.00519). Its divergence would not do: it may lie apart from the prior, and still.
ACTIVE = 0.01
FEWEST = 2  # windows that can be told from one another
REACH = 0.2  # s of activity before and after a frame together, in the shipped configuration
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
        length = max(1, round(self.window / frames.hop))
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


def vae_settings(entry: Mapping, training: Mapping, job: object) -> VaeSettings:
    """Return settings from an entry of `vaes`.

    Parameters
    ----------
    entry : mapping
        The entry.
    training : mapping
        The configuration's `training`, which the entry's own comes before.
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
        seed=job.seed,
        checkpoints=job.checkpoints,
        code=job.code,
    )


class NeuralToVoice(nn.Module):
    """An encoder of activity before the decoder of an autoencoder that stays as it is.

    Parameters
    ----------
    encoder : NeuralEncoder
    vocal : VocalVAE
    """

    def __init__(self, encoder: NeuralEncoder, vocal: VocalVAE):
        super().__init__()
        self.encoder, self.vocal = encoder, vocal
        for weights in vocal.parameters():
            weights.requires_grad = False

    def train(self, mode: bool = True) -> "NeuralToVoice":
        """Go into training or out of it; the autoencoder never does."""
        super().train(mode)
        self.vocal.eval()
        return self

    def forward(self, activity: torch.Tensor) -> torch.Tensor:
        """Return latents (n, latent) of activity (n, bins, units)."""
        return self.encoder(activity)


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
        (_stretches(frames, rows, length),) for rows in _rows(frames, kept, settings, length)
    )
    level = frames.level[kept]

    def build() -> VocalVAE:
        network = VocalVAE(frames=length, bands=level.shape[1], **settings.sizes["vocal"])
        if settings.normalised:
            network.set_range(torch.as_tensor(level.mean(axis=0)), float(level.std()) or 1.0)
        return network

    def loss(network: VocalVAE, stretch: torch.Tensor) -> torch.Tensor:
        mean, spread = network.encode(stretch)
        made = network.decode(sampled(mean, spread) if network.training else mean)
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
        Around the beginning of each frame; see `neuro2voc.frames.lagged`.
    vocal : VocalVAE
        Trained on the same training part.
    """
    length, about = vocal.frames, settings.encoder
    mean, scale = mean_and_scale(activity[kept])

    def examples(rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        stretches = _stretches(frames, rows, length)
        return torch.as_tensor(activity[rows]), encoded(vocal, stretches), stretches

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
        total = reached.new_zeros(())
        if about["contrast"] and len(seen) >= FEWEST:
            total = total + about["contrast"] * contrast(reached, latents, about["temperature"])
        if about["reconstruction"]:
            error = mse_loss(network.vocal.decode(reached).float(), stretch)
            total = total + about["reconstruction"] * error / network.vocal.scale**2
        if about["regression"]:
            total = total + about["regression"] * mse_loss(reached, latents)
        return total

    parts = [examples(rows) for rows in _rows(frames, kept, settings, length)]
    return _train("encoder", build, loss, *parts, settings, *numbers)


def decoder_of(
    frames: Frames, kept: np.ndarray, vocal: VocalVAE, trained: Trained, settings: VaeSettings
) -> SoundDecoder:
    """Return what a training part taught, with the song it is recalled from."""
    memory = None
    if settings.encoder["recall"]:
        rows = windows_of(frames, kept, vocal.frames)[:: settings.step]
        latents = encoded(vocal, _stretches(frames, rows, vocal.frames))
        memory = Memory(latents, settings.encoder["temperature"])
    return SoundDecoder(vocal, trained.network.encoder, memory)


def encoded(vocal: VocalVAE, stretches: torch.Tensor) -> torch.Tensor:
    """Return the mean latents (n, latent) of stretches of sound (n, frames, bands)."""
    with torch.inference_mode():
        parts = [vocal.encode(part)[0] for part in stretches.split(AT_ONCE)]
    return torch.cat(parts).clone()


def contrast(ours: torch.Tensor, theirs: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the symmetric InfoNCE loss (nats) of pairs of latents.

    Each of a batch has to be told by its direction from all others of the other kind (Radford et
    al. 2021, arXiv:2103.00020). Lengths do not count, so that this alone leaves open how loud a
    decoder makes what it is given. Chance is the logarithm of the number of pairs.

    Parameters
    ----------
    ours, theirs : Tensor (n, latent)
    temperature : float
    """
    likeness = normalize(ours, dim=1) @ normalize(theirs, dim=1).T / temperature
    right = torch.arange(len(ours), device=ours.device)
    return (cross_entropy(likeness, right) + cross_entropy(likeness.T, right)) / 2


def _rows(
    frames: Frames, kept: np.ndarray, settings: VaeSettings, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first frames of windows to train on, and of those that decide when to stop."""
    reach = length * frames.hop + REACH
    training, held = inner_blocks(frames, kept, BLOCKS, reach)[0]
    rows = windows_of(frames, training, length)[:: settings.step]
    stop = windows_of(frames, held, length)[:: settings.step]
    if min(len(rows), len(stop)) < FEWEST:
        raise DataError(
            f"A training part holds {len(rows)} windows of {settings.window:g} s to learn from and "
            f"{len(stop)} to stop by, and needs {FEWEST} of each; shorten `window` or `step` under "
            "`vaes`, or lower `folds`."
        )
    return rows, stop


def _stretches(frames: Frames, rows: np.ndarray, length: int) -> torch.Tensor:
    return torch.as_tensor(frames.level[rows[:, None] + np.arange(length)])


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


def generate_by_vae(
    frames: Frames, activity: np.ndarray, split: pd.DataFrame, settings: VaeSettings
) -> tuple[np.ndarray, np.ndarray, list[SoundDecoder], pd.DataFrame, pd.DataFrame]:
    """Generate every fold's song by what the others taught.

    Parameters
    ----------
    frames, activity, settings
        See `train_encoder`.
    split : DataFrame
        See `neuro2voc.splits.make_split`.

    Returns
    -------
    made : ndarray (frames, bands)
        dB; NaN outside all folds.
    through : ndarray (frames, bands)
        The true sound through the autoencoders that never saw it: what they can sing at best.
    decoders : list of SoundDecoder
        One per fold.
    losses : DataFrame
        fold, stage, epoch, rate, training, validation.
    latents : DataFrame
        fold, latent, spread (variance of its mean over sound that was held out inside the training
        part).
    """
    fold = frames.folds(split)
    made, through = (np.full(frames.level.shape, np.nan, dtype=np.float32) for _ in range(2))
    decoders, losses, latents = [], [], []
    for held in np.unique(fold[fold >= 0]):
        kept = (fold >= 0) & (fold != held)
        vocal, spread = train_vocal(frames, kept, settings, int(held))
        encoder = train_encoder(frames, activity, kept, vocal.network, settings, int(held))
        decoder = decoder_of(frames, kept, vocal.network, encoder, settings)
        wanted = fold == held
        made[wanted] = decoder.generate(frames, activity, wanted)[wanted]
        through[wanted] = decoder.sing_again(frames, wanted)[wanted]
        decoders.append(decoder)
        active = int((spread > ACTIVE).sum())
        level = logging.INFO if active else logging.WARNING
        words = "fold %d: %d of %d latents vary with sound that was held out%s"
        collapsed = "" if active else ": the autoencoder has collapsed; lower `beta` under `vaes`"
        log.log(level, words, held, active, len(spread), collapsed)
        for stage, trained in zip(STAGES, (vocal, encoder), strict=True):
            losses.append(trained.history.assign(fold=held, stage=stage))
        latents.append(pd.DataFrame({"fold": held, "spread": spread}).reset_index())
    table = pd.concat(latents, ignore_index=True).rename(columns={"index": "latent"})
    columns = ["fold", "stage", "epoch", "rate", "training", "validation"]
    return made, through, decoders, pd.concat(losses, ignore_index=True)[columns], table


def collapsed_folds(latents: pd.DataFrame) -> list[int]:
    """Return the folds whose autoencoder tells nothing of sound that was held out.

    Parameters
    ----------
    latents : DataFrame
        fold, spread; as `generate_by_vae` returns them.
    """
    most = latents.groupby("fold")["spread"].max()
    return [int(fold) for fold in most.index[most <= ACTIVE]]


def generate_surrogate(
    frames: Frames,
    activity: np.ndarray,
    split: pd.DataFrame,
    decoders: list[SoundDecoder],
    settings: VaeSettings,
    replicate: int,
) -> np.ndarray:
    """Generate song from a surrogate's activity: encoders are trained anew.

    The autoencoders, which saw no activity, are those of `decoders`. Each surrogate, by its number,
    has a seed of its own: with one for all, they would share its luck and the bird would not.
    """
    fold = frames.folds(split)
    made = np.full(frames.level.shape, np.nan, dtype=np.float32)
    for held, own in zip(np.unique(fold[fold >= 0]), decoders, strict=True):
        kept = (fold >= 0) & (fold != held)
        numbers = int(held), replicate
        encoder = train_encoder(frames, activity, kept, own.vocal, settings, *numbers)
        decoder = decoder_of(frames, kept, own.vocal, encoder, settings)
        made[fold == held] = decoder.generate(frames, activity, fold == held)[fold == held]
    return made
