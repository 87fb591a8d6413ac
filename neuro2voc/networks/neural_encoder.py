"""From activity to the latents of the sound that goes with it."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from neuro2voc.networks.vocal_vae import VocalVAE

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


class NeuralToVoice(nn.Module):
    """An encoder of activity before the decoder of an autoencoder that stays as it is.

    Parameters
    ----------
    encoder : NeuralEncoder
    vocal : VocalVAE
    """

    def __init__(self, encoder: NeuralEncoder, vocal: VocalVAE):
        super().__init__()
        self.encoder, self.vocal = encoder, vocal
        for weights in vocal.parameters():
            weights.requires_grad = False

    def train(self, mode: bool = True) -> "NeuralToVoice":
        """Go into training or out of it; the autoencoder never does."""
        super().train(mode)
        self.vocal.eval()
        return self

    def forward(self, activity: torch.Tensor) -> torch.Tensor:
        """Return latents (n, latent) of activity (n, bins, units)."""
        return self.encoder(activity)


def contrast_loss(ours: torch.Tensor, theirs: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the symmetric InfoNCE loss (nats) of pairs of latents.

    Each of a batch has to be told by its direction from all others of the other kind (Radford et
    al. 2021, arXiv:2103.00020). Lengths do not count, so that this alone leaves open how loud a
    decoder makes what it is given. Chance is the logarithm of the number of pairs.

    Parameters
    ----------
    ours, theirs : Tensor (n, latent)
    temperature : float
    """
    likeness = normalize(ours, dim=1) @ normalize(theirs, dim=1).T / temperature
    right = torch.arange(len(ours), device=ours.device)
    return (cross_entropy(likeness, right) + cross_entropy(likeness.T, right)) / 2
