"""Song from activity, through the latents of contrastive autoencoders, fold by fold.

Held-out song is generated from held-out activity window by window, and windows are added up.
"""

import logging

import numpy as np
import pandas as pd
import torch

from neuro2voc.collapse import ACTIVE
from neuro2voc.frames import Frames, windows_of
from neuro2voc.networks.neural_encoder import NeuralEncoder
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.sound_decoder import Memory, SoundDecoder, vocal_latents
from neuro2voc.sound_measures import cepstral_distortion, squared_error
from neuro2voc.sound_windows import levels_from
from neuro2voc.vae import STAGES, VaeSettings, stopping_part, train_encoder, train_vocal

log = logging.getLogger(__name__)

SHARPNESS = (1.0, 0.7, 0.5, 0.35)  # shares of the contrast's temperature; at 1 it is calibrated


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
        networks = vocal.network, encoder.network.encoder
        decoder = decoder_of(frames, activity, kept, *networks, settings)
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
        network = train_encoder(frames, activity, kept, own.vocal, settings, *numbers).network
        decoder = decoder_of(frames, activity, kept, own.vocal, network.encoder, settings)
        made[fold == held] = decoder.generate(frames, activity, fold == held)[fold == held]
    return made


def decoder_of(
    frames: Frames,
    activity: np.ndarray,
    kept: np.ndarray,
    vocal: VocalVAE,
    encoder: NeuralEncoder,
    settings: VaeSettings,
) -> SoundDecoder:
    """Return what a training part taught, with the song it is recalled from.

    The mean over all that is likely errs least in levels, but is blurred. How sharply song is
    recalled is chosen on the part of the training part that was held out of training.
    """
    if not settings.encoder["recall"]:
        return SoundDecoder(vocal, encoder)
    training, held = stopping_part(frames, kept, settings)

    def recalling(part: np.ndarray, share: float) -> SoundDecoder:
        rows = windows_of(frames, part, vocal.frames)[:: settings.step]
        heard = torch.as_tensor(levels_from(frames, rows, vocal.frames))
        temperature = share * settings.encoder["temperature"]
        return SoundDecoder(vocal, encoder, Memory(vocal_latents(vocal, heard), temperature))

    errors = []
    for share in SHARPNESS:
        made = recalling(training, share).generate(frames, activity, held)
        errors.append(_distance(frames, made, held))
    chosen = SHARPNESS[int(np.argmin(errors))]
    log.info("song is recalled at %g of the contrast's temperature", chosen)
    return recalling(kept, chosen)


def _distance(frames: Frames, made: np.ndarray, rows: np.ndarray) -> float:
    """Return the cepstral distortion (dB), or of levels of another unit the squared error."""
    if frames.settings is None:
        return squared_error(frames.level[rows], made[rows])
    return cepstral_distortion(frames.level[rows], made[rows], frames.frequencies)
