"""Convolutions beside a recurrent network on binned spikes."""

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool1d, max_pool1d, relu

from neuro2voc.networks.lstm import LSTM


class CNNLSTM(nn.Module):
    """Two convolutions over time and, in parallel, a long short-term memory; then a classifier.

    Parameters
    ----------
    units : int
        Units of the recording.
    classes : int
    filters : int
        Maps of the first convolution; the second has twice as many.
    kernel : int
        Bins that a convolution spans.
    steps : int
        Averages over time that the convolutions hand on.
    hidden : int
        Size of the recurrent state.
    dropout : float
        Share of inputs, and of what the classifier sees, that is dropped in training.

    Notes
    -----
    The margins of both branches add up, as they do where a linear classifier sees both side by
    side. Each convolution is followed by the maxima of pairs of bins.
    """

    def __init__(
        self,
        *,
        units: int,
        classes: int,
        filters: int,
        kernel: int,
        steps: int,
        hidden: int,
        dropout: float,
    ):
        super().__init__()
        self.steps = steps
        self.drop = nn.Dropout(dropout)
        self.first = nn.Conv1d(units, filters, kernel, padding="same")
        self.second = nn.Conv1d(filters, 2 * filters, kernel, padding="same")
        self.classifier = nn.Linear(2 * filters * steps, classes, bias=False)
        self.recurrent = LSTM(
            units=units, classes=classes, hidden=hidden, layers=1, dropout=dropout
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the margins (trials, classes) of activity (trials, bins, units)."""
        maps = self.drop(x).transpose(1, 2)
        for convolution in (self.first, self.second):
            maps = max_pool1d(relu(convolution(maps)), 2, ceil_mode=True)
        maps = self.drop(adaptive_avg_pool1d(maps, self.steps).flatten(1))
        return self.classifier(maps) + self.recurrent(x)
