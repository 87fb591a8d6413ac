"""Batch normalisation that no size of a batch upsets."""

import torch
from torch import nn
from torch.nn.functional import batch_norm


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation, also of a batch of one trial.

    In training each map is centred and scaled over the trials and bins of the batch; afterwards by
    running averages of what batches had. A batch of one trial, which has no spread, goes by these
    averages too and adds nothing to them, so that batches should not all be of one.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return values (trials, maps, ...) normalised map by map."""
        if self.training and len(x) > 1:
            return super().forward(x)
        mean, variance = self.running_mean, self.running_var
        return batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)

    def _check_input_dim(self, x: torch.Tensor) -> None:
        """Take any number of dimensions."""
