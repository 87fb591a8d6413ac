"""Variational autoencoders of windows of neural activity, with Poisson rates.

Windows are (windows, bins, units), counts; NaN where a unit was not observed. Encoders see them
standardised, decoders return logarithms of rates relative to each unit's mean, so that an untrained
one is near a constant rate.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate, silu

from neuro2voc.networks.vocal_vae import divergence, drawn

LIMIT = 10.0  # of the logarithm of a variance, beyond which exponentials lose their digits
RANGE = 6.0  # largest logarithm of a rate relative to the unit's mean: a factor of 400


class NeuralVAE(nn.Module):
    """What both kinds share; `_features` and `_image` differ.

    Parameters
    ----------
    bins, units : int
        Of a window.
    latent : int
        Dimensions of the latent space.
    hidden : int
        Size of the layer between convolutions and latents.
    features : int
        Numbers that the encoder's convolutions end in, and the decoder's begin with.
    mean, scale, dispersion : ndarray (units,)
        Of a bin in the windows trained on: mean, standard deviation, and the unit in which levels
        have a variance like their mean, as counts have it (1 for counts).
    hide : float
        Share of units that the encoder is not shown in a step of training, so that latents say what
        units have in common and not the noise of each (Keshtkaran & Pandarinath 2019).
    """

    def __init__(
        self,
        bins: int,
        units: int,
        latent: int,
        hidden: int,
        features: int,
        mean: np.ndarray,
        scale: np.ndarray,
        dispersion: np.ndarray,
        hide: float = 0.0,
    ):
        super().__init__()
        self.hide = nn.Dropout1d(hide)
        self.bins, self.units = bins, units
        for name, values in (("mean", mean), ("scale", scale), ("dispersion", dispersion)):
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32))
        self.inwards = nn.Linear(features, hidden)
        self.posterior = nn.Linear(hidden, 2 * latent)
        self.outwards = nn.Sequential(
            nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, features)
        )

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and logarithm of the variance of the latents (windows, latents)."""
        seen = torch.nan_to_num((x - self.mean) / self.scale)
        seen = self.hide(seen.transpose(1, 2)).transpose(1, 2)
        features = silu(self.inwards(self._features(seen)))
        mean, log_variance = self.posterior(features).chunk(2, dim=-1)
        return mean, log_variance.clamp(-LIMIT, LIMIT)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return expected counts (windows, bins, units)."""
        relative = self._image(silu(self.outwards(z))).clamp(-RANGE, RANGE)
        return self.mean * relative.exp()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return expected counts, and mean and logarithm of the variance of the latents."""
        mean, log_variance = self.encode(x)
        z = drawn(mean, log_variance) if self.training else mean
        return self.decode(z), mean, log_variance


class NeuralVAE1D(NeuralVAE):
    """Convolutions over time; units are channels.

    Parameters
    ----------
    filters : int
        Channels of the inner convolution, twice as many of the outer one; each spans three bins.
    """

    def __init__(self, *, bins: int, units: int, filters: int, **others):
        super().__init__(bins, units, features=2 * filters * bins, **others)
        self.encoder = nn.Sequential(
            nn.Conv1d(units, filters, 3, padding=1),
            nn.SiLU(),
            nn.Conv1d(filters, 2 * filters, 3, padding=1),
            nn.SiLU(),
        )
        self.decoder = nn.Sequential(
            nn.Conv1d(2 * filters, filters, 3, padding=1),
            nn.SiLU(),
            nn.Conv1d(filters, units, 3, padding=1),
        )

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x.transpose(1, 2)).flatten(1)

    def _image(self, features: torch.Tensor) -> torch.Tensor:
        return self.decoder(features.unflatten(1, (-1, self.bins))).transpose(1, 2)


class NeuralVAE2D(NeuralVAE):
    """A window as an image, units over time: neighbours along the probe share filters.

    Parameters
    ----------
    filters : int
        Maps of the first convolution, twice as many of the second; each halves both sides.
    order : ndarray (units,)
        Units from one end of the probe to the other.
    """

    def __init__(self, *, bins: int, units: int, filters: int, order: np.ndarray, **others):
        sides = [(units, bins)]
        for _ in range(2):
            sides.append(tuple(-(-side // 2) for side in sides[-1]))
        super().__init__(bins, units, features=2 * filters * sides[2][0] * sides[2][1], **others)
        self.sides = sides
        self.register_buffer("order", torch.as_tensor(np.array(order), dtype=torch.int64))
        self.encoder = nn.Sequential(
            nn.Conv2d(1, filters, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1),
            nn.SiLU(),
        )
        self.middle = nn.Conv2d(2 * filters, filters, 3, padding=1)
        self.last = nn.Conv2d(filters, 1, 3, padding=1)
        # What is of a unit itself, and not of its place among others.
        self.offset = nn.Parameter(torch.zeros(units))

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x[:, :, self.order].transpose(1, 2)[:, None]).flatten(1)

    def _image(self, features: torch.Tensor) -> torch.Tensor:
        image = features.unflatten(1, (-1, *self.sides[2]))
        image = silu(self.middle(interpolate(image, self.sides[1])))
        image = self.last(interpolate(image, self.sides[0]))[:, 0].transpose(1, 2)
        return image[:, :, self.order.argsort()] + self.offset


KINDS = {"1d": NeuralVAE1D, "2d": NeuralVAE2D}


def poisson_loss(rate: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Return the negative logarithm of the likelihood of counts, less what rates do not change.

    Parameters
    ----------
    rate, count : Tensor (windows, bins, units)
        NaN counts are not observed and cost nothing.

    Returns
    -------
    Tensor (windows,)
        nats, summed over bins and units.
    """
    seen = torch.isfinite(count)
    value = rate - torch.nan_to_num(count) * rate.log()
    return torch.where(seen, value, 0.0).flatten(1).sum(1)


def vae_loss(beta: float):
    """Return a loss of windows: Poisson likelihood and `beta` times the divergence, in nats."""

    def loss(network: NeuralVAE, count: torch.Tensor) -> torch.Tensor:
        rate, mean, log_variance = network(count)
        given = poisson_loss(rate.float() / network.dispersion, count / network.dispersion)
        return (given + beta * divergence(mean, log_variance).float().sum(-1)).mean()

    return loss
