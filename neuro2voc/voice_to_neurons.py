"""The reverse generation: what neurons do, from the voice alone, on bouts never trained on.

Every bin is predicted from the sound around it. What is predicted is the bin in the middle of a
window (`neuro2voc.neural_windows`), `lead` before the middle of the sound, so that the voice is
seen from some time before to some time after the bin.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import Ridge
from torch import nn

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.deviance import poisson_deviance
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames
from neuro2voc.joint_vae import joint_latents
from neuro2voc.networks.joint_vae import JointVAE
from neuro2voc.networks.neural_vae import poisson_loss
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.neural_vae import LEAST_COUNT, NeuralSettings, decoded
from neuro2voc.neural_windows import Windows, make_windows
from neuro2voc.reconstruction import make_windows_of
from neuro2voc.recording import Recording
from neuro2voc.sound_decoder import vocal_latents
from neuro2voc.sound_windows import levels_from, whole_rows
from neuro2voc.sources.expected import expected_around
from neuro2voc.sources.simulate import Truth
from neuro2voc.splits import NONE
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.training import train
from neuro2voc.trials import used_trials

CONSTANT, PSTH, RIDGE, LATENTS, JOINT = "constant", "psth", "ridge", "latents", "joint"
TRUE = "true rates"
BANDS, STEPS = 32, 5  # of the spectrogram that the ridge sees: means of bands, places in time
PENALTIES = (100.0, 1000.0, 10_000.0, 100_000.0)
LEAST = 0.1  # of a unit's mean rate, below which no linear prediction is taken
PRIOR = 2.0  # bins at the mean rate that each mean over renditions begins with


@dataclass(frozen=True, eq=False)
class Problem:
    """What is predicted from what.

    Attributes
    ----------
    count : ndarray (bins, units)
        NaN where a unit was not observed.
    row : ndarray (bins,)
        Frame of each bin.
    fold, bout : ndarray (bins,)
        -1: no fold.
    windows : Windows
    frames : Frames
    """

    count: np.ndarray
    row: np.ndarray
    fold: np.ndarray
    bout: np.ndarray
    windows: Windows
    frames: Frames

    def parts(self, outer: int, settings: NeuralSettings) -> tuple[np.ndarray, np.ndarray]:
        """Return which bins to train on and to choose by."""
        fold = np.full(len(self.frames.piece), NONE)
        fold[self.row] = self.fold
        parts = settings.parts(self.frames, fold, outer, self.row)
        return tuple(np.searchsorted(self.row, part) for part in parts)

    def voice(self, length: int) -> np.ndarray:
        """Return the first frame of a stretch (bins,) in whose middle each bin's sound lies.

        Raises
        ------
        DataError
            The stretch is longer than windows of activity, and would reach out of the bout.
        """
        if length > self.windows.hops:
            raise DataError(
                f"The window of the first of `vaes` has {length} frames, longer than that under "
                f"`neural_vae`, which has {self.windows.hops}; lengthen `neural_vae: window`, or "
                "shorten that of the VAE."
            )
        return self.row - length // 2


def make_problem(
    recording: Recording, frames: Frames, split: pd.DataFrame, settings: NeuralSettings
) -> Problem:
    """Return the bins that adjoin, each with its frame."""
    windows = make_windows(recording, frames, settings.windows)
    # Whole stretches of sound alone; a bout begins and ends in silence.
    whole = whole_rows(frames, windows.hops) + windows.hops // 2
    first = np.r_[True, np.diff(frames.piece[whole]) != 0]
    since = np.arange(len(whole)) - np.maximum.accumulate(np.where(first, np.arange(len(whole)), 0))
    row = whole[since % windows.width == 0]
    count = windows.count[row, windows.count.shape[1] // 2].astype(float)
    fold = frames.folds(split)[row]
    return Problem(count, row, fold, frames.piece[row], windows, frames)


def mean_count(problem: Problem, kept: np.ndarray) -> np.ndarray:
    """Return each unit's mean count in the bins trained on (units,)."""
    return np.maximum(mean_and_scale(problem.count[kept])[0], LEAST_COUNT)


def places_in_song(problem: Problem, trials: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return of each bin the syllable that was last begun ('' for none) and bins since its onset.

    The sound that goes with the bin is meant, `lead` after it, so that activity which precedes a
    syllable by up to about that much is told from what came before.
    """
    used = used_trials(trials).sort_values("onset")
    middle = problem.frames.start[problem.row] + problem.frames.hop / 2
    onset, bout = used["onset"].to_numpy(), used["bout"].to_numpy()
    last = np.searchsorted(onset, middle, side="right") - 1
    same = (last >= 0) & (bout[np.maximum(last, 0)] == problem.bout)
    label = np.where(same, used["label"].to_numpy(dtype=object)[np.maximum(last, 0)], "")
    since = np.where(same, middle - onset[np.maximum(last, 0)], 0.0)
    return label.astype(str), np.floor(since / problem.windows.bin).astype(int)


def predict_psth(
    problem: Problem, trials: pd.DataFrame, kept: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Return the mean over renditions of the same syllable at the same time since its onset."""
    label, since = places_in_song(problem, trials)
    place = pd.MultiIndex.from_arrays([label, since])
    codes, names = pd.factorize(place)
    constant = mean_count(problem, kept)
    count = problem.count[kept]
    seen = np.isfinite(count)
    total = PRIOR * np.tile(constant, (len(names), 1))
    number = np.full(total.shape, PRIOR)
    np.add.at(total, codes[kept], np.where(seen, count, 0))
    np.add.at(number, codes[kept], seen)
    return (total / number)[codes[test]]


def coarse_voice(problem: Problem, length: int) -> np.ndarray:
    """Return means of bands at some places around each bin (bins, columns), for linear models."""
    level = problem.frames.level
    bands = np.array_split(np.arange(level.shape[1]), min(BANDS, level.shape[1]))
    coarse = np.stack([level[:, own].mean(1) for own in bands], axis=1)
    places = np.unique(np.linspace(0, length - 1, STEPS).round().astype(int))
    return coarse[problem.voice(length)[:, None] + places].reshape(len(problem.row), -1)


def predict_ridge(
    problem: Problem,
    voice: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    test: np.ndarray,
) -> np.ndarray:
    """Return rates that are linear in the voice; the penalty is chosen on inner bins."""
    kept, held = parts
    constant = mean_count(problem, kept)
    count = np.where(np.isfinite(problem.count), problem.count, constant)
    mean, scale = voice[kept].mean(0), voice[kept].std() + 1e-9
    seen = (voice - mean) / scale

    def predicted(penalty: float, fit: np.ndarray, of: np.ndarray) -> np.ndarray:
        made = Ridge(penalty).fit(seen[fit], count[fit]).predict(seen[of])
        return np.maximum(made, LEAST * constant)

    inner = [
        poisson_deviance(problem.count[held], predicted(penalty, kept, held)).sum()
        for penalty in PENALTIES
    ]
    return predicted(PENALTIES[int(np.argmin(inner))], np.r_[kept, held], test)


class RateDecoder(nn.Module):
    """Poisson rates of latents.

    Parameters
    ----------
    latents : int
        Columns of what is seen.
    hidden : int
    mean : ndarray (units,)
        Constant rates, which it begins near.
    """

    def __init__(self, latents: int, hidden: int, mean: np.ndarray):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("dispersion", torch.ones(len(mean)))
        self.layers = nn.Sequential(
            nn.Linear(latents, hidden), nn.SiLU(), nn.Linear(hidden, len(mean))
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return expected counts (bins, units)."""
        return self.mean * self.layers(latents).clamp(-6, 6).exp()


def predict_from_latents(
    problem: Problem,
    latents: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    test: np.ndarray,
    settings: NeuralSettings,
    fold: int,
) -> np.ndarray:
    """Return rates that a small network makes of a frozen model's latents of the voice.

    Parameters
    ----------
    latents : ndarray (bins, columns)
    """
    kept, held = parts
    mean, scale = latents[kept].mean(0), np.maximum(latents[kept].std(0), 1e-6)
    seen = torch.as_tensor((latents - mean) / scale, dtype=torch.float32)
    count = torch.as_tensor(problem.count, dtype=torch.float32)
    constant = mean_count(problem, kept)

    def loss(network: RateDecoder, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return poisson_loss(network(x).float(), y).mean()

    trained = train(
        lambda: RateDecoder(latents.shape[1], settings.sizes["hidden"], constant),
        loss,
        (seen[kept], count[kept]),
        (seen[held], count[held]),
        settings.schedule,
        derive_seed(settings.seed, "rates of latents", fold),
        f"rates of vocal latents, fold {fold}",
        checkpoint_of(settings),
    )
    with torch.inference_mode():
        return trained.network(seen[test]).numpy()


def predict_joint(problem: Problem, network: JointVAE, test: np.ndarray) -> np.ndarray:
    """Return the rates that a joint autoencoder makes of the voice alone."""
    length = network.vocal.frames
    level = levels_from(problem.frames, problem.voice(length)[test], length)
    rates = decoded(network.neural, joint_latents(network, None, level))
    return rates[:, rates.shape[1] // 2]


def expected_rates(problem: Problem, truth: Truth) -> np.ndarray:
    """Return what a simulated bird's units are expected to do in each bin, given its song."""
    own, frames = problem.windows.settings, problem.frames
    around = expected_around(truth, frames, own.before, max(own.after, frames.hop))
    made = make_windows_of(around, frames, problem.windows)
    return np.maximum(made[problem.row, made.shape[1] // 2], 1e-9)


def predictions(
    problem: Problem,
    trials: pd.DataFrame,
    joint: Mapping[str, JointVAE],
    vocal: Mapping[int, VocalVAE],
    settings: NeuralSettings,
) -> dict[str, np.ndarray]:
    """Predict every held-out bin by every method.

    Parameters
    ----------
    problem : Problem
    trials : DataFrame
        Empty: no mean over renditions.
    joint : mapping of JointVAE
        By fold.
    vocal : mapping of VocalVAE
        By fold, autoencoders of the voice that never saw it; empty: none.
    settings : NeuralSettings

    Returns
    -------
    dict of ndarray (bins, units)
        By method; NaN outside folds.
    """
    length = problem.windows.hops
    voice = coarse_voice(problem, length)
    made: dict[str, np.ndarray] = {}

    def note(method: str, test: np.ndarray, rates: np.ndarray) -> None:
        made.setdefault(method, np.full(problem.count.shape, np.nan))[test] = rates

    for outer in np.unique(problem.fold[problem.fold >= 0]):
        test = np.flatnonzero(problem.fold == outer)
        parts = problem.parts(int(outer), settings)
        both = np.concatenate(parts)
        note(CONSTANT, test, mean_count(problem, both))
        if len(trials):
            note(PSTH, test, predict_psth(problem, trials, both, test))
        note(RIDGE, test, predict_ridge(problem, voice, parts, test))
        if vocal:
            own = vocal[int(outer)]
            level = levels_from(problem.frames, problem.voice(own.frames), own.frames)
            latents = vocal_latents(own, torch.as_tensor(level)).numpy()
            rates = predict_from_latents(problem, latents, parts, test, settings, int(outer))
            note(LATENTS, test, rates)
        if str(outer) in joint:
            note(JOINT, test, predict_joint(problem, joint[str(outer)], test))
    return made
