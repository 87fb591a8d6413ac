"""Gaussian posteriors over latents, which all variational autoencoders share."""

import torch

LEAST, MOST = -10.0, 10.0  # logarithm of a variance, beyond which exponentials lose their digits


def drawn(mean: torch.Tensor, log_variance: torch.Tensor, training: bool) -> torch.Tensor:
    """Return latents (..., latents): drawn while training, else their means."""
    if not training:
        return mean
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of each latent from a standard Gaussian (nats)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)


def product(
    means: list[torch.Tensor], log_variances: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and logarithm of the variance of a product of Gaussian experts and the prior.

    Precisions add up; the standard Gaussian prior is one of the experts (Wu & Goodman 2018).
    """
    precisions = [torch.exp(-value) for value in log_variances]
    precision = 1 + sum(precisions)
    mean = sum(m * p for m, p in zip(means, precisions, strict=True)) / precision
    return mean, -torch.log(precision)
