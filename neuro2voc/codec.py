"""A neural codec: activity as a stream of codes, trained in the folds, applied to any recording.

Time is parted into frames; of each frame every codebook gives one code. The codec is trained and
judged on song, bouts and a little time around them, and of a recording without labels on all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed
from neuro2voc.errors import DataError
from neuro2voc.network_files import (
    Weights,
    check_units,
    read_weights,
    take,
    weights_of,
    write_weights,
)
from neuro2voc.networks.codec import Codec
from neuro2voc.recording import Recording
from neuro2voc.schedule import Schedule, make_schedule
from neuro2voc.splits import NONE, contiguous_blocks
from neuro2voc.stretches import Stretch, activity_in, bin_width
from neuro2voc.training import train

SIZES = ("books", "codes", "dims", "width", "kernel", "causal", "dropout")
PER_WINDOW = 2  # windows of training that begin within the length of one
COMMITMENT = 0.25  # nats per squared distance, as van den Oord et al. (2017) weigh it


@dataclass(frozen=True)
class CodecSettings:
    """What is trained, and how.

    Attributes
    ----------
    bin : float
        s; of activity that was binned before, at least its own bin.
    frame : float
        s that one code of each codebook stands for.
    window : float
        s of activity in an example of training.
    sizes : dict
        `SIZES`: see `neuro2voc.networks.codec.Codec`.
    schedule : Schedule
    inner_folds : int
        Of the training part, in whole bouts; one of them decides when to stop.
    seed : int
    checkpoints : path, optional
        The folder where this job keeps its states.
    code : str
        The version of the code that trains.
    """

    bin: float
    frame: float
    window: float
    sizes: dict
    schedule: Schedule
    inner_folds: int
    seed: int
    checkpoints: str | Path | None = None
    code: str = ""


@dataclass(frozen=True, eq=False)
class FittedCodec:
    """A trained codec and what it is of.

    Attributes
    ----------
    network : Codec
    unit : tuple of str
        Names, in the order of the network's units.
    bin : float
        s.
    """

    network: Codec
    unit: tuple[str, ...]
    bin: float


@dataclass(frozen=True, eq=False)
class Coded:
    """A stream of codes.

    Attributes
    ----------
    start : float
        s at which the first frame begins.
    codes : ndarray (frames, books)
    """

    start: float
    codes: np.ndarray


def codec_settings(given: dict, training: dict, **others: object) -> CodecSettings:
    """Return settings from what the configuration holds under `codec` and of training."""
    renamed = {**given, "books": given["codebooks"]}
    times = {name: given[name] for name in ("bin", "frame", "window")}
    sizes = {name: renamed[name] for name in SIZES}
    return CodecSettings(**times, sizes=sizes, schedule=make_schedule(training), **others)


def frame_bins(settings: CodecSettings, bin: float) -> int:
    """Return the bins of a frame, at least one."""
    return max(1, round(settings.frame / bin))


def training_windows(
    parts: Sequence[Stretch], held_out: int, settings: CodecSettings, bin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the training folds into windows.

    Returns
    -------
    windows : ndarray (windows, units, bins)
        Whole frames, all of them in training folds; they overlap.
    block : ndarray (windows,)
    """
    frame = frame_bins(settings, bin)
    length = max(1, round(settings.window / (frame * bin)))
    step = max(1, length // PER_WINDOW)
    windows, blocks = [], []
    for part in parts:
        known = (part.fold != held_out) & (part.fold != NONE)
        for first in range(0, len(known) - length + 1, step):
            rows = slice(first, first + length)
            if known[rows].all() and (part.block[rows] == part.block[first]).all():
                windows.append(part.values[:, first * frame : (first + length) * frame])
                blocks.append(part.block[first])
    if len(set(blocks)) < 2:
        raise DataError(
            f"Without fold {held_out} fewer than two bouts, or blocks, hold a window of "
            f"{settings.window:g} s to train a codec on; lower `codec: window` or `folds`."
        )
    return np.stack(windows), np.array(blocks)


def stopping_part(block: np.ndarray, inner_folds: int, fold: int) -> np.ndarray:
    """Tell which windows (windows,) decide when to stop: one of the inner folds, whole blocks."""
    inner = contiguous_blocks(block, min(inner_folds, len(np.unique(block))))
    return inner == fold % (inner.max() + 1)


def codec_loss(network: Codec, x: torch.Tensor) -> torch.Tensor:
    """Return the negative log likelihood (nats) per bin and unit, and the commitment.

    What does not depend on the network is left out. Of levels it is a quasi-likelihood.
    """
    log_rates, _, commitment = network(x)
    seen = ~torch.isnan(x)
    value = torch.where(seen, log_rates.exp() - torch.nan_to_num(x) * log_rates, 0.0)
    return value.sum() / seen.sum().clamp(min=1) + COMMITMENT * commitment


def constant_rate(values: np.ndarray) -> np.ndarray:
    """Return mean activity per bin (units,) of (units, bins), half a count more than was seen."""
    number = np.maximum((~np.isnan(values)).sum(axis=1), 1)
    return ((np.nansum(values, axis=1) + 0.5) / number).astype(np.float32)


def train_codec(
    parts: Sequence[Stretch],
    held_out: int,
    recording: Recording,
    settings: CodecSettings,
    number: int = 0,
) -> tuple[FittedCodec, pd.DataFrame]:
    """Train a codec on all folds but one.

    Parameters
    ----------
    parts : sequence of Stretch
    held_out : int
        The fold.
    recording : Recording
        For its units.
    settings : CodecSettings
    number : int
        Tells this training from others of its job and fold.

    Returns
    -------
    codec : FittedCodec
    losses : DataFrame
        epoch, rate, training, validation.
    """
    bin = bin_width(recording, settings.bin)
    windows, block = training_windows(parts, held_out, settings, bin)
    stop = stopping_part(block, settings.inner_folds, held_out)
    flat = windows[~stop].transpose(1, 0, 2).reshape(windows.shape[1], -1)
    unseen = np.isnan(flat).all(axis=1)
    spread = np.nanstd(np.where(unseen[:, None], 0, flat), axis=1)

    def build() -> Codec:
        mean = torch.as_tensor(constant_rate(flat))
        scale = torch.as_tensor(np.where(spread > 0, spread, 1.0))
        return Codec(mean=mean, scale=scale, frame=frame_bins(settings, bin), **settings.sizes)

    trained = train(
        build,
        codec_loss,
        (torch.as_tensor(windows[~stop]),),
        (torch.as_tensor(windows[stop]),),
        settings.schedule,
        derive_seed(settings.seed, held_out, number),
        f"codec, fold {held_out}",
        checkpoint_of(settings),
    )
    names = tuple(recording.units.table.index.astype(str))
    return FittedCodec(trained.network, names, bin), trained.history


def encode(codec: FittedCodec, recording: Recording) -> list[Coded]:
    """Return the codes of a recording, session by session; it may be of another day.

    Raises
    ------
    DataError
        Its units are not those that the codec was trained on.
    """
    check_units(codec.unit, recording)
    frame, found = codec.network.frame, []
    for begin, end in recording.sessions[["start_time", "stop_time"]].to_numpy(float):
        frames = int((end - begin) / (frame * codec.bin) + 1e-6)
        if frames:
            values = activity_in(recording, begin, frames * frame, codec.bin)
            found.append(Coded(begin, code(codec.network, values)))
    return found


@torch.inference_mode()
def code(network: Codec, values: np.ndarray) -> np.ndarray:
    """Return the codes (frames, books) of activity (units, bins)."""
    return network(torch.as_tensor(values)[None])[1][0].numpy()


@torch.inference_mode()
def decode(codec: FittedCodec, codes: np.ndarray) -> np.ndarray:
    """Return rates (units, bins) of codes (frames, books), per bin; fewer books may be given."""
    vectors = codec.network.quantiser.look_up(torch.as_tensor(codes))
    return codec.network.log_rates(vectors[None])[0].exp().numpy()


def write_codecs(path: str | Path, codecs: Mapping[int, FittedCodec], about: dict) -> None:
    """Write the codecs by fold, tensors ``<fold>/<name>``, and as JSON what they are of."""
    first = next(iter(codecs.values()))
    of_all = {
        "folds": list(codecs),
        "unit": first.unit,
        "bin": first.bin,
        "frame": first.network.frame,
    }
    networks = {str(fold): one.network for fold, one in codecs.items()}
    write_weights(path, weights_of(networks), {**about, **of_all})


def read_codecs(path: str | Path) -> tuple[dict[int, FittedCodec], dict]:
    """Read what `write_codecs` wrote: codecs by fold, and the JSON.

    Raises
    ------
    DataError
        See `neuro2voc.network_files.read_weights`.
    """

    def codecs(weights: Weights, about: dict) -> dict[int, FittedCodec]:
        found = {}
        for fold in about["folds"]:
            own = take(weights, str(fold))
            start = {"mean": own["mean"], "scale": own["scale"], "frame": about["frame"]}
            network = Codec(**start, **about["sizes"])
            network.load_state_dict(own)
            found[fold] = FittedCodec(network.eval(), tuple(about["unit"]), about["bin"])
        return found

    return read_weights(path, codecs, "codecs")
