"""Mamba-2 and attention in one stack."""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from neuro2voc.networks.mamba2 import Mamba2Block, RMSNorm

STATE_SPACE, ATTENTION = "m", "a"


class Hybrid(nn.Module):
    """Layers of Mamba-2 and of attention in a stated order, and a final normalisation.

    Attention sees no positions: the state spaces before it carry what order says.

    Parameters
    ----------
    pattern : str
        The layers from the first to the last: m for Mamba-2, a for attention.
    width : int
        Size of embeddings and hidden states.
    heads : int
        Of attention; they divide `width`.
    **sizes : int
        Of the Mamba-2 layers, see `neuro2voc.networks.mamba2.Mamba2`.

    Notes
    -----
    Lieber et al. (2024), arXiv:2403.19887.
    """

    def __init__(self, *, pattern: str, width: int, heads: int, **sizes: int):
        super().__init__()
        make = {
            STATE_SPACE: lambda: Mamba2Block(width=width, **sizes),
            ATTENTION: lambda: AttentionBlock(width=width, heads=heads),
        }
        self.layers = nn.ModuleList(make[letter]() for letter in pattern)
        self.norm = RMSNorm(width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return hidden states of embeddings, both (batch, length, width); see `Mamba2.forward`."""
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class AttentionBlock(nn.Module):
    """Causal attention and a network of each place by itself, each added to its input.

    Parameters
    ----------
    width, heads : int

    Notes
    -----
    Vaswani et al. (2017), NeurIPS.
    """

    def __init__(self, *, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm, self.norm_alone = RMSNorm(width), RMSNorm(width)
        self.together = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.alone = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return what comes out (batch, length, width); padding on the right is seen by nobody."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.together(self.norm(x)).chunk(3, dim=2)
        )
        seen = scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.alone(self.norm_alone(x))
