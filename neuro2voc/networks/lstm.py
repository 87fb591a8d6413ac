"""A recurrent network on binned spikes."""

import torch
from torch import nn


class LSTM(nn.Module):
    """Long short-term memory, and a linear classifier of its last state.

    Parameters
    ----------
    units : int
        Units of the recording.
    classes : int
    hidden : int
        Size of the state.
    layers : int
    dropout : float
        Share of inputs, and of the last state, that is dropped in training.

    Notes
    -----
    Hochreiter & Schmidhuber (1997), Neural Computation 9:1735.
    """

    def __init__(self, *, units: int, classes: int, hidden: int, layers: int, dropout: float):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.lstm = nn.LSTM(units, hidden, layers, batch_first=True)
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the margins (trials, classes) of activity (trials, bins, units)."""
        # Single precision: autocast may take recurrent layers to float16, which nothing scales.
        with torch.autocast(x.device.type, enabled=False):
            states, _ = self.lstm(self.drop(x.float()))
        return self.classifier(self.drop(states[:, -1]))
