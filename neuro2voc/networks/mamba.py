"""Mamba, the first one, for the record: Mamba-2 is faster and no worse."""

import torch
from torch import nn
from transformers import MambaConfig, MambaModel


class Mamba(nn.Module):
    """The layers of Mamba as transformers has them.

    On a processor they are computed place by place; use `neuro2voc.networks.mamba2` instead.

    Parameters
    ----------
    width, layers, state, expand, conv : int
        See `neuro2voc.networks.mamba2.Mamba2`.

    Notes
    -----
    Gu & Dao (2023), arXiv:2312.00752.
    """

    def __init__(self, *, width: int, layers: int, state: int, expand: int, conv: int):
        super().__init__()
        self.model = MambaModel(
            MambaConfig(
                vocab_size=1,
                hidden_size=width,
                num_hidden_layers=layers,
                state_size=state,
                expand=expand,
                conv_kernel=conv,
                use_cache=False,
            )
        )

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return hidden states of embeddings, both (batch, length, width); see `Mamba2.forward`."""
        return self.model(inputs_embeds=x).last_hidden_state
