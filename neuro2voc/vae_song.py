"""Song from activity, through the latents of contrastive autoencoders, fold by fold.

Held-out song is generated from held-out activity window by window, and windows are added up.
"""

import logging

import numpy as np
import pandas as pd
import torch

from neuro2voc.collapse import ACTIVE
from neuro2voc.frames import Frames, windows_of
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.sound_decoder import Memory, SoundDecoder, vocal_latents
from neuro2voc.sound_windows import levels_from
from neuro2voc.training import Trained
from neuro2voc.vae import STAGES, VaeSettings, train_encoder, train_vocal

log = logging.getLogger(__name__)


def generate_by_vae(
    frames: Frames, activity: np.ndarray, split: pd.DataFrame, settings: VaeSettings
) -> tuple[np.ndarray, np.ndarray, list[SoundDecoder], pd.DataFrame, pd.DataFrame]:
    """Generate every fold's song by what the others taught.

    Parameters
    ----------
    frames, activity, settings
        See `neuro2voc.vae.train_encoder`.
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


def decoder_of(
    frames: Frames, kept: np.ndarray, vocal: VocalVAE, trained: Trained, settings: VaeSettings
) -> SoundDecoder:
    """Return what a training part taught, with the song it is recalled from."""
    memory = None
    if settings.encoder["recall"]:
        rows = windows_of(frames, kept, vocal.frames)[:: settings.step]
        heard = torch.as_tensor(levels_from(frames, rows, vocal.frames))
        memory = Memory(vocal_latents(vocal, heard), settings.encoder["temperature"])
    return SoundDecoder(vocal, trained.network.encoder, memory)
