"""The one training loop.

Deterministic on one type of processor: the same examples, settings and seed end in the same
weights, whether or not training was killed and resumed on the way. Numerical libraries are kept to
one thread by `neuro2voc.jobs`.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace

import pandas as pd
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from neuro2voc.allocator import keep_memory
from neuro2voc.checkpoints import Checkpoint
from neuro2voc.errors import DataError
from neuro2voc.schedule import Schedule, rate_at

# Not under the package's logger: a line per epoch belongs into the log file, not on the terminal.
log = logging.getLogger("training")

Examples = tuple[torch.Tensor, ...]
CHECKPOINT_EVERY = 10.0  # s; a state is written in far less
# In messages of errors that have no class of their own.
FULL = ("out of memory", "allocate memory", "STATUS_ALLOC_FAILED")


@dataclass(frozen=True)
class Trained:
    """A trained network, on the CPU, ready to predict.

    Attributes
    ----------
    network : torch.nn.Module
        With the weights of the epoch whose validation loss was lowest.
    history : DataFrame
        epoch (from 1), rate, training, validation: the mean losses.
    epoch : int
        The one whose weights these are.
    """

    network: nn.Module
    history: pd.DataFrame
    epoch: int


def choose_device(name: str) -> torch.device:
    """Return the device to train on.

    Raises
    ------
    DataError
        'cuda' is asked for and cannot be used.
    """
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise DataError(
            "config.yaml, `training.device` is cuda, but PyTorch finds no CUDA GPU here: run it "
            "where there is one (on a cluster, with `gpu: 1`), or set it to auto or cpu."
        )
    return torch.device("cuda" if usable and name != "cpu" else "cpu")


def train(
    build: Callable[[], nn.Module],
    loss: Callable[..., torch.Tensor],
    examples: Examples,
    held_out: Examples,
    schedule: Schedule,
    seed: int,
    name: str = "the network",
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train a network until the loss on held-out examples stops falling.

    Parameters
    ----------
    build : callable
        ``build()`` returns the untrained network; its weights are drawn under `seed`.
    loss : callable
        ``loss(network, *batch)`` returns the mean loss of a batch.
    examples, held_out : tuple of Tensor
        Inputs, targets and whatever `loss` wants, one example per row; for training and for
        choosing the epoch to stop at.
    schedule : Schedule
    seed : int
        Of weights, order and dropout.
    name : str
        For messages.
    checkpoint : Checkpoint, optional
        Where to keep the state; what is found there is resumed if it is of this very training.

    Raises
    ------
    DataError
        The loss is not finite, memory runs out, or there is no GPU where one is asked for.
    """
    device = choose_device(schedule.device)
    keep_memory()
    with _seeded(seed, device), _in_memory(schedule, device, name):
        network = build().to(device)
        steps = schedule
        if hasattr(network, "at_once"):
            network.at_once, steps = schedule.at_once, replace(schedule, at_once=0)
        run = _Run(network, steps, len(examples[0]))
        log.info("%s: on %s", name, device.type)
        if checkpoint is not None:
            settings = (*astuple(schedule), seed, device.type)
            checkpoint = checkpoint.of(run.start(), (*examples, *held_out), settings)
            run.resume(checkpoint.read(device))
        examples = tuple(tensor.to(device) for tensor in examples)
        held_out = tuple(tensor.to(device) for tensor in held_out)
        saved = time.monotonic()
        with tqdm(
            total=schedule.epochs, initial=run.epoch, desc=name, disable=None, leave=False
        ) as bar:
            while run.goes_on():
                order = _order(len(examples[0]), seed, run.epoch)
                rate = run.optimiser.param_groups[0]["lr"]
                training = _epoch(run, loss, examples, order)
                validation = _mean_loss(network, loss, held_out, steps.at_once or steps.batch)
                _check_finite(training, validation, name, run.epoch + 1, schedule.rate)
                run.note(rate, training, validation)
                log.info(
                    "%s: epoch %d, training loss %.4f, validation loss %.4f",
                    *(name, run.epoch, training, validation),
                )
                bar.update()
                if checkpoint is not None and (
                    time.monotonic() - saved >= CHECKPOINT_EVERY or not run.goes_on()
                ):
                    checkpoint.write(*run.state())
                    saved = time.monotonic()
        network.load_state_dict(run.best)
    history = pd.DataFrame(run.rows, columns=["epoch", "rate", "training", "validation"])
    return Trained(network.cpu().eval(), history, run.best_epoch)


class _Run:
    """What changes from epoch to epoch: the network, its optimiser, and the best so far."""

    def __init__(self, network: nn.Module, schedule: Schedule, examples: int):
        self.network, self.schedule = network, schedule
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.rate, weight_decay=schedule.decay
        )
        steps = schedule.epochs * math.ceil(examples / schedule.batch)
        self.rates = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: rate_at(step, steps, schedule.warmup)
        )
        self.rows: list[list[float]] = []
        self.best, self.best_epoch = self.start(), 0

    @property
    def epoch(self) -> int:
        return len(self.rows)

    def start(self) -> dict[str, torch.Tensor]:
        """Return a copy of the weights as they are."""
        return {key: value.detach().clone() for key, value in self.network.state_dict().items()}

    def goes_on(self) -> bool:
        """Tell whether another epoch is to be run."""
        waited = self.epoch - self.best_epoch
        return self.epoch < self.schedule.epochs and waited < self.schedule.patience

    def note(self, rate: float, training: float, validation: float) -> None:
        """Add an epoch's losses; keep its weights if they are the best."""
        if not self.rows or validation < self.rows[self.best_epoch - 1][3]:
            self.best, self.best_epoch = self.start(), self.epoch + 1
        self.rows.append([self.epoch + 1, rate, training, validation])

    def state(self) -> tuple[dict[str, torch.Tensor], dict]:
        """Return all that the next epoch depends on, as tensors and as plain numbers."""
        tensors = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in self.best.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{key}": value for key, value in moments.items()}
        tensors["random"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random_cuda"] = torch.cuda.get_rng_state()
        plain = {
            "rows": self.rows,
            "best_epoch": self.best_epoch,
            "steps": self.rates.last_epoch,
            "rate": self.optimiser.param_groups[0]["lr"],
        }
        return tensors, plain

    def resume(self, state: tuple[dict[str, torch.Tensor], dict] | None) -> None:
        """Go back to a state that was kept."""
        if state is None:
            return
        tensors, plain = state
        parts: dict[str, dict] = {"network": {}, "best": {}, "optimiser": {}}
        for key, value in tensors.items():
            part, _, rest = key.partition(".")
            if part in parts:
                parts[part][rest] = value
        self.network.load_state_dict(parts["network"])
        self.best, self.best_epoch = parts["best"], plain["best_epoch"]
        self.rows = plain["rows"]
        whole = self.optimiser.state_dict()
        for key, value in parts["optimiser"].items():
            number, _, moment = key.partition(".")
            whole["state"].setdefault(int(number), {})[moment] = value
        self.optimiser.load_state_dict(whole)
        self.rates.last_epoch = plain["steps"]
        self.optimiser.param_groups[0]["lr"] = plain["rate"]
        torch.set_rng_state(tensors["random"].cpu())
        if "random_cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random_cuda"].cpu())
        log.info("resumed after epoch %d", self.epoch)


def _order(examples: int, seed: int, epoch: int) -> torch.Tensor:
    """Return the order of an epoch's examples; it depends on no earlier epoch."""
    generator = torch.Generator().manual_seed((seed + 0x9E3779B97F4A7C15 * (epoch + 1)) % 2**63)
    return torch.randperm(examples, generator=generator)


def _epoch(run: _Run, loss: Callable, examples: Examples, order: torch.Tensor) -> float:
    """Take one step per batch; return the mean loss over examples."""
    run.network.train()
    total = 0.0
    for rows in order.split(run.schedule.batch):
        run.optimiser.zero_grad(set_to_none=True)
        for part in rows.split(run.schedule.at_once or len(rows)):
            batch = tuple(tensor[part.to(tensor.device)] for tensor in examples)
            with half_precision(batch[0].device):
                value = loss(run.network, *batch)
            (value * (len(part) / len(rows))).backward()
            total += float(value.detach()) * len(part)
        clip_grad_norm_(run.network.parameters(), run.schedule.clip)
        run.optimiser.step()
        run.rates.step()
    return total / len(order)


def _mean_loss(network: nn.Module, loss: Callable, examples: Examples, batch: int) -> float:
    network.eval()
    total = 0.0
    with torch.inference_mode(), half_precision(examples[0].device):
        for part in zip(*(tensor.split(batch) for tensor in examples), strict=True):
            total += float(loss(network, *part)) * len(part[0])
    return total / len(examples[0])


def half_precision(device: torch.device) -> torch.autocast:
    """Return a context of bfloat16 where the device has it, of nothing elsewhere."""
    has = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has)


def _check_finite(training: float, validation: float, name: str, epoch: int, rate: float) -> None:
    for which, value in (("training", training), ("validation", validation)):
        if not math.isfinite(value):
            raise DataError(
                f"{name}: the {which} loss is {value} in epoch {epoch}: training broke down; "
                f"lower `training.rate` (now {rate:g}) in config.yaml, or look for extreme values "
                "in the recording."
            )


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw under a seed and leave the caller's random numbers as they were."""
    cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed % 2**63)
        yield


@contextmanager
def _in_memory(schedule: Schedule, device: torch.device, name: str) -> Iterator[None]:
    """Say what to lower where memory runs out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        kinds = (torch.OutOfMemoryError, MemoryError)
        if not isinstance(error, kinds) and not any(words in str(error) for words in FULL):
            raise
        where = "the GPU" if device.type == "cuda" else "this machine"
        at_once = schedule.at_once or schedule.batch
        remedy = (
            f"set `training: at_once`, or the network's own, which comes first, below {at_once}"
        )
        if at_once == 1:
            remedy = (
                "lower the network's width or layers, its window, or `training: batch`, or the "
                "network's own, which comes first,"
            )
        raise DataError(
            f"The memory of {where} is too small for {name} with `at_once: {at_once}`; {remedy} "
            "in config.yaml, or give the job more memory."
        ) from error
