"""A compact convolutional network on binned spikes."""

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool1d, conv1d, elu

from neuro2voc.networks.batch_norm import BatchNorm


class EEGNet(nn.Module):
    """Filters over time, weights over units for each, and a separable convolution over time.

    Parameters
    ----------
    units : int
        Units of the recording.
    classes : int
    filters : int
        Filters over time, which all units share.
    depth : int
        Weightings of units for each of them.
    kernel : int
        Bins that a filter spans.
    steps : int
        Averages over time that the classifier sees; from these it knows when something happened.
    dropout : float
        Share of inputs, and of values after either pooling, that is dropped in training.

    Notes
    -----
    After Lawhern et al. (2018), Journal of Neural Engineering 15:056013. Theirs divides time by
    fixed factors, 32 in all; here it is divided into `steps`, so that any window of at least one
    bin will do. Weight decay stands in for their bounds on the length of weights. Units are weighed
    before the filters over time: of two linear steps either may come first, and there are fewer
    maps than units times filters. Their normalisation between the two is left out, because the one
    behind them undoes whatever it does.
    """

    def __init__(
        self,
        *,
        units: int,
        classes: int,
        filters: int,
        depth: int,
        kernel: int,
        steps: int,
        dropout: float,
    ):
        super().__init__()
        maps = filters * depth
        self.depth, self.steps = depth, steps
        self.drop = nn.Dropout(dropout)
        self.spatial = nn.Linear(units, maps, bias=False)
        self.temporal = nn.Conv1d(1, filters, kernel, bias=False)
        self.filtered_norm = BatchNorm(maps)
        self.depthwise = nn.Conv1d(maps, maps, kernel, padding="same", groups=maps, bias=False)
        self.pointwise = nn.Conv1d(maps, maps, 1, bias=False)
        self.separable_norm = BatchNorm(maps)
        self.classifier = nn.Linear(maps * steps, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the margins (trials, classes) of activity (trials, bins, units)."""
        x = self.spatial(self.drop(x)).transpose(1, 2)
        filters = self.temporal.weight.repeat_interleave(self.depth, dim=0)
        x = conv1d(x, filters, padding="same", groups=x.shape[1])
        x = elu(self.filtered_norm(x))
        x = self.drop(adaptive_avg_pool1d(x, min(2 * self.steps, x.shape[2])))
        x = elu(self.separable_norm(self.pointwise(self.depthwise(x))))
        x = self.drop(adaptive_avg_pool1d(x, self.steps))
        return self.classifier(x.flatten(1))
