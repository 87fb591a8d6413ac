"""From activity to the latents of the sound that goes with it."""

from collections.abc import Sequence

import torch
from torch import nn

LARGEST = 10.0  # standard deviations; a unit that all but fell silent in training is no outlier


class NeuralEncoder(nn.Module):
    """Activity in bins of time to latents, without a random part.

    Parameters
    ----------
    units, bins : int
    latent : int
    hidden : sequence of int
        Widths of the dense layers.
    channels : sequence of int
        Of convolutions of three bins over time, with units as channels, before them; empty: none.
    dropout : float
        Share of the input, and of every hidden layer, that is left out in training.

    Notes
    -----
    With ``channels=(32, 64)`` and ``hidden=(256,)`` it has the layers of arXiv:2502.07800. Activity
    goes in as it is; the network sees it less `mean` and over `scale` (units), which belong to its
    weights. What was not observed (NaN) is taken for the mean.
    """

    def __init__(
        self,
        *,
        units: int,
        bins: int,
        latent: int,
        hidden: Sequence[int],
        channels: Sequence[int] = (),
        dropout: float = 0.0,
    ):
        super().__init__()
        self.units, self.bins = units, bins
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("scale", torch.ones(units))
        maps = [units, *channels]
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        for inputs, outputs in zip(maps[:-1], maps[1:], strict=True):
            convolution = nn.Conv1d(inputs, outputs, 3, padding=1)
            layers += [convolution, nn.BatchNorm1d(outputs), nn.ReLU()]
        layers.append(nn.Flatten())
        dense = [maps[-1] * bins, *hidden]
        for inputs, outputs in zip(dense[:-1], dense[1:], strict=True):
            layers += [nn.Linear(inputs, outputs), nn.SiLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(dense[-1], latent))

    def set_range(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        """Set what each unit's activity is standardised by."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, activity: torch.Tensor) -> torch.Tensor:
        """Return latents (n, latent) of activity (n, bins, units)."""
        seen = ((activity - self.mean) / self.scale).nan_to_num(0.0).clamp(-LARGEST, LARGEST)
        return self.layers(seen.transpose(1, 2))
