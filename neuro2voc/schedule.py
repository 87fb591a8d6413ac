"""How long, in what steps and where networks are trained."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How long, in what steps and where a network is trained.

    Attributes
    ----------
    epochs : int
        At most; the learning rate falls to zero over so many.
    patience : int
        Epochs without a better validation loss after which training stops.
    batch : int
        Examples per step.
    at_once : int
        Examples whose activity is in memory at once. 0: all. A network with an attribute of this
        name sees to it itself and is given whole batches. Of others a step adds up the gradients
        of as many parts as its batch needs; batch normalisation, where they have it, is of each
        part by itself.
    rate : float
        Highest learning rate, of AdamW (Loshchilov & Hutter 2019).
    decay : float
        Weight decay.
    warmup : float
        Share of all steps over which the learning rate rises; it then falls along a half cosine.
    clip : float
        Longest gradient; longer ones are shortened.
    device : str
        'auto' (a CUDA GPU where there is one), 'cpu' or 'cuda'.
    """

    epochs: int
    patience: int
    batch: int
    rate: float
    decay: float
    warmup: float
    clip: float
    device: str = "auto"
    at_once: int = 0


def make_schedule(training: Mapping) -> Schedule:
    """Return the schedule that `training` in the configuration describes; members are not of it."""
    return Schedule(**{key: value for key, value in training.items() if key != "members"})


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Return the learning rate at a step, as a fraction of the highest."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1, (step - rising) / max(1, steps - rising))))
