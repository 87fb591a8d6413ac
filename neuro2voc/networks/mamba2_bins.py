"""Mamba-2 on binned spikes."""

import torch
from torch import nn

from neuro2voc.networks.mamba2 import Mamba2


class BinnedMamba2(nn.Module):
    """Units mapped to channels, Mamba-2, and a linear classifier of the mean over bins.

    Parameters
    ----------
    units : int
        Units of the recording.
    classes : int
    width, layers, state, head, expand, conv, chunk : int
        See `neuro2voc.networks.mamba2.Mamba2`.
    dropout : float
        Share of inputs and of the mean that is dropped in training.
    """

    def __init__(self, *, units: int, classes: int, width: int, dropout: float, **sizes: int):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.channels = nn.Linear(units, width)
        self.layers = Mamba2(width=width, **sizes)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the margins (trials, classes) of activity (trials, bins, units)."""
        hidden = self.layers(self.channels(self.drop(x)))
        return self.classifier(self.drop(hidden.mean(dim=1)))
