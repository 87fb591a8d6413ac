"""One latent space for activity and voice, into which either leads alone."""

from collections.abc import Callable

import torch
from torch import nn

from neuro2voc.networks.neural_vae import NeuralVAE, poisson_loss
from neuro2voc.networks.vocal_vae import VocalVAE, divergence, drawn

Posterior = tuple[torch.Tensor, torch.Tensor]


class JointVAE(nn.Module):
    """Two autoencoders whose posteriors are multiplied.

    Parameters
    ----------
    neural : NeuralVAE
    vocal : VocalVAE
        With as many latents.

    Notes
    -----
    After Wu & Goodman (2018), Multimodal generative models for scalable weakly-supervised learning,
    NeurIPS: what both modalities, or one of them, say of the latents is the product of Gaussians,
    the prior among them, so that either may be missing. Theirs reconstructs from one modality that
    modality alone; here either reconstructs both, since that is what it is asked for.
    """

    def __init__(self, neural: NeuralVAE, vocal: VocalVAE):
        super().__init__()
        self.neural, self.vocal = neural, vocal

    def encode(
        self, count: torch.Tensor | None = None, level: torch.Tensor | None = None
    ) -> Posterior:
        """Return mean and log variance (windows, latents) given activity, voice or both."""
        given = [] if count is None else [self.neural.encode(count)]
        given += [] if level is None else [self.vocal.encode(level)]
        return product(given)

    def posteriors(self, count: torch.Tensor, level: torch.Tensor) -> list[Posterior]:
        """Return the posteriors given activity, voice and both."""
        experts = [self.neural.encode(count), self.vocal.encode(level)]
        return [product(experts[:1]), product(experts[1:]), product(experts)]


def product(experts: list[Posterior]) -> Posterior:
    """Return mean and log variance of a product of Gaussians and the standard normal prior.

    Precisions add up, and means are weighed by them.
    """
    precisions = [torch.exp(-log_variance) for _, log_variance in experts]
    precision = 1 + sum(precisions)
    mean = sum(mean * weight for (mean, _), weight in zip(experts, precisions, strict=True))
    return mean / precision, -torch.log(precision)


def joint_loss(beta: float, voice: float) -> Callable[..., torch.Tensor]:
    """Return a loss of windows, in nats, averaged over the three posteriors.

    Parameters
    ----------
    beta : float
        Weight of the divergence from the prior.
    voice : float
        Nats that a mean squared error of one standard deviation of the levels costs.
    """

    def loss(network: JointVAE, count: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        total = 0.0
        for mean, log_variance in network.posteriors(count, level):
            z = drawn(mean, log_variance) if network.training else mean
            rate, made = network.neural.decode(z).float(), network.vocal.decode(z).float()
            dispersion = network.neural.dispersion
            total = total + poisson_loss(rate / dispersion, count / dispersion)
            error = ((made - level) / network.vocal.scale) ** 2
            total = total + voice * error.flatten(1).mean(1)
            total = total + beta * divergence(mean, log_variance).float().sum(-1)
        return total.mean() / 3

    return loss
