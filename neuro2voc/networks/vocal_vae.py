"""A variational autoencoder of short stretches of a spectrogram."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d


class VocalVAE(nn.Module):
    """Levels of some adjoining frames, through a few Gaussian latents.

    Parameters
    ----------
    frames, bands : int
        Of a stretch.
    latent : int
        Number of latents.
    hidden : sequence of int
        Widths of the dense layers from the input on; the decoder has them in reverse.
    channels : sequence of int
        Of convolutions over time and frequency before the dense layers, each a pair of 3 × 3 of
        which the second halves both; the decoder has them in reverse. Empty: none.

    Notes
    -----
    After Kingma & Welling (2014), arXiv:1312.6114. With ``channels=(16, 32, 64)``,
    ``hidden=(1024, 256)`` and ``latent=32`` it has the layers of arXiv:2502.07800.

    What goes in and comes out are levels as they are (dB); the network itself sees them less `mean`
    (bands) and divided by `scale`, which belong to its weights.
    """

    def __init__(
        self,
        *,
        frames: int,
        bands: int,
        latent: int,
        hidden: Sequence[int],
        channels: Sequence[int] = (),
    ):
        super().__init__()
        self.frames, self.bands = frames, bands
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(()))
        maps, height, width = [1, *channels], frames, bands
        for _ in channels:
            height, width = (height + 1) // 2, (width + 1) // 2
        self.shape = maps[-1], height, width
        dense = [maps[-1] * height * width, *hidden]
        self.narrow = nn.Sequential(
            *(layer for pair in zip(maps[:-1], maps[1:], strict=True) for layer in _down(*pair)),
            nn.Flatten(),
            *(layer for pair in zip(dense[:-1], dense[1:], strict=True) for layer in _dense(*pair)),
            nn.Linear(dense[-1], 2 * latent),
        )
        wide = [latent, *reversed(dense)]
        self.widen = nn.Sequential(
            *(layer for pair in zip(wide[:-2], wide[1:-1], strict=True) for layer in _dense(*pair)),
            nn.Linear(wide[-2], wide[-1]),
        )
        self.unfold = nn.Sequential(
            *(
                layer
                for i, pair in enumerate(zip(maps[:0:-1], maps[-2::-1], strict=True), start=1)
                for layer in _up(*pair, last=i == len(channels))
            )
        )

    def set_range(self, mean: torch.Tensor, scale: float) -> None:
        """Set what levels are standardised by: the mean of each band, and one scale for all."""
        self.mean.copy_(mean)
        self.scale.fill_(scale)

    def encode(self, level: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and log variances (n, latent) of levels (n, frames, bands) in dB."""
        seen = (level - self.mean) / self.scale
        mean, spread = self.narrow(seen[:, None]).chunk(2, dim=1)
        return mean, spread

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return levels (n, frames, bands) in dB of latents (n, latent)."""
        made = self.widen(z).view(len(z), *self.shape)
        if len(self.unfold):
            # Twice the halved sizes may be one too many.
            made = adaptive_avg_pool2d(self.unfold(made), (self.frames, self.bands))
        return made[:, 0] * self.scale + self.mean


def divergence(mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Return each latent's divergence (n, latent) in nats from a standard normal distribution.

    Parameters
    ----------
    mean, spread : Tensor (n, latent)
        Means and log variances.
    """
    return 0.5 * (mean**2 + spread.exp() - spread - 1)


def drawn(mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Draw latents from their distributions, in a way that gradients pass through."""
    return mean + torch.randn_like(mean) * (0.5 * spread).exp()


def _dense(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.SiLU()]


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        *(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()),
        *(nn.Conv2d(outputs, outputs, 3, 2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()),
    ]


def _up(inputs: int, outputs: int, last: bool) -> list[nn.Module]:
    grow = nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1)
    return [grow] if last else [grow, nn.BatchNorm2d(outputs), nn.ReLU()]
