"""All that the figure of neural autoencoders shows: reconstruction, latents, syllables, control."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.frames import Frames
from neuro2voc.latent_decoding import decoded_rows, decoding_table
from neuro2voc.networks.neural_vae import NeuralVAE
from neuro2voc.neural_vae import NeuralSettings, encoded, train_neural_vaes
from neuro2voc.neural_windows import make_windows, training_rows
from neuro2voc.reconstruction import PCA_NAME, WindowPCA, reconstruction_table, reconstructions
from neuro2voc.recording import Binned, Recording
from neuro2voc.sound_identity import syllable_of_frames
from neuro2voc.sources.simulate import Truth
from neuro2voc.surrogates import surrogate

log = logging.getLogger(__name__)
RAW = "counts"


@dataclass(frozen=True, eq=False)
class NeuralVAEReport:
    """What is drawn.

    Attributes
    ----------
    table : DataFrame
        `neuro2voc.reconstruction.reconstruction_table` of the bird (`bird` is 'real') and of its
        control (its kind).
    decoding : DataFrame
        `neuro2voc.latent_decoding.decoding_table`; empty without labels.
    made : dict
        `neuro2voc.reconstruction.reconstructions` of the bird.
    bout : ndarray (windows,)
        Of what was reconstructed.
    bin : float
        s.
    control : str
        Kind of the surrogate, '' where there is none.
    """

    table: pd.DataFrame
    decoding: pd.DataFrame
    made: Mapping
    bout: np.ndarray
    bin: float
    control: str


def control_bird(
    recording: Recording, seeds: Mapping[str, int]
) -> tuple[str, Recording] | tuple[str, None]:
    """Return the control and its kind: independent Poisson units where there are spikes.

    Activity in bins cannot be made Poisson; against shifted activity nothing is lost that an
    autoencoder sees but what is special about song.
    """
    if not seeds:
        return "", None
    kind = "shifted" if isinstance(recording.units, Binned) else "poisson"
    return kind, surrogate(recording, kind, seeds[kind])


def report_neural_vaes(
    recording: Recording,
    frames: Frames,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    models: Mapping[str, NeuralVAE],
    settings: NeuralSettings,
    seeds: Mapping[str, int],
    truth: Truth | None,
    resamples: int,
) -> NeuralVAEReport:
    """Reconstruct, decode, and train and reconstruct the control.

    Parameters
    ----------
    seeds : mapping
        Of the control by its kind (`control_bird`); empty: none.
    truth : Truth or None
        Of a simulated bird.
    """
    made = reconstructions(recording, frames, split, models, settings, truth)
    about = (frames, resamples, settings.seed)
    parts = [reconstruction_table(made, *about).assign(bird="real")]
    kind, bird = control_bird(recording, seeds)
    if bird is not None:
        log.info("training on the surrogate '%s'", kind)
        kinds = sorted({name.partition("/")[0] for name in models})
        trained, _ = train_neural_vaes(bird, frames, split, kinds, settings)
        null = reconstructions(bird, frames, split, trained, settings)
        parts.append(reconstruction_table(null, *about).assign(bird=kind))
    decoding = pd.DataFrame(columns=["features"])
    if len(trials):
        decoding = decode_models(recording, frames, trials, split, models, settings, resamples)
    windows = make_windows(recording, frames, settings.windows)
    return NeuralVAEReport(
        pd.concat(parts, ignore_index=True),
        decoding,
        made,
        frames.piece[made["data"]["rows"]],
        windows.bin,
        kind,
    )


def decode_models(
    recording: Recording,
    frames: Frames,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    models: Mapping[str, NeuralVAE],
    settings: NeuralSettings,
    resamples: int,
) -> pd.DataFrame:
    """Decode syllables from latents, principal components and counts of the same windows."""
    windows = make_windows(recording, frames, settings.windows)
    label, trial = syllable_of_frames(frames, trials)
    fold, every = frames.folds(split), training_rows(frames, settings.windows)
    rows = decoded_rows(frames, trial, fold)
    count = windows.count[rows]
    features: dict[str, dict[int, np.ndarray]] = {}
    for name, network in models.items():
        kind, _, outer = name.partition("/")
        features.setdefault(kind, {})[int(outer)] = encoded(network, count)[0]
    flat = np.nan_to_num(count).reshape(len(count), -1)
    for outer in sorted(set(fold[rows])):
        kept = settings.parts(frames, fold, int(outer), every)[0]
        pca = WindowPCA(windows, kept, settings.sizes["latent"])
        features.setdefault(PCA_NAME, {})[int(outer)] = pca.encode(count)
        features.setdefault(RAW, {})[int(outer)] = flat
    of = (label[rows], frames.piece[rows], fold[rows])
    return decoding_table(features, *of, resamples, settings.seed)
