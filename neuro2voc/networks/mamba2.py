"""Mamba-2, on any machine: the layers, and which computation carries them.

Names and shapes of the weights, and what is computed, are those of `Mamba2Model` in transformers,
less its embeddings, so weights go from one to the other as they are.
"""

import importlib
import math
from collections.abc import Callable
from functools import cache

import torch
from torch import nn
from torch.nn import functional

from neuro2voc.networks.ssd import ssd

EPSILON = 1e-5  # of the normalisations
SLOWEST, FASTEST = 0.001, 0.1  # time steps at the start


class Mamba2(nn.Module):
    """Mamba-2 layers and a final normalisation, from embeddings to hidden states.

    Parameters
    ----------
    width : int
        Size of embeddings and hidden states.
    layers : int
    state : int
        Numbers kept for each channel of a head.
    head : int
        Channels of a head. It divides `width` × `expand`.
    expand : int
        Channels inside a layer, as a multiple of `width`.
    conv : int
        Places that the convolution before the state space sees.
    chunk : int
        Places computed at once (`neuro2voc.networks.ssd`). It changes the speed, not the result.

    Notes
    -----
    Dao & Gu (2024), arXiv:2405.21060.
    """

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        state: int,
        head: int,
        expand: int,
        conv: int,
        chunk: int,
    ):
        super().__init__()
        sizes = {"width": width, "state": state, "head": head, "expand": expand}
        self.layers = nn.ModuleList(
            Mamba2Block(**sizes, conv=conv, chunk=chunk) for _ in range(layers)
        )
        self.norm_f = RMSNorm(width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return hidden states (batch, length, width) of embeddings of the same shape.

        Parameters
        ----------
        x : torch.Tensor, shape (batch, length, width)
        mask : torch.Tensor of bool, optional, shape (batch, length)
            True where a place is real; padding is on the right.
        """
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm_f(x)


class Mamba2Block(nn.Module):
    """A mixer of the normalised input, added to the input; parameters as in `Mamba2`."""

    def __init__(self, *, width: int, **sizes: int):
        super().__init__()
        self.norm = RMSNorm(width)
        self.mixer = Mamba2Mixer(width=width, **sizes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return what `Mamba2.forward` returns, for one layer and not normalised."""
        return x + self.mixer(self.norm(x), mask)


class Mamba2Mixer(nn.Module):
    """A gated state space behind a short causal convolution; parameters as in `Mamba2`.

    All heads share what is written to the state and how it is read (one group).

    Parameters
    ----------
    time_step_limit : tuple of float
        Least and greatest time step.
    """

    def __init__(
        self,
        *,
        width: int,
        state: int,
        head: int,
        expand: int,
        conv: int,
        chunk: int,
        time_step_limit: tuple[float, float] = (0.0, math.inf),
    ):
        super().__init__()
        inner = width * expand
        if inner % head:
            raise ValueError(f"width × expand ({inner}) must be a multiple of head ({head})")
        heads = inner // head
        self.head, self.chunk, self.time_step_limit = head, chunk, time_step_limit
        self.parts = [inner, inner + 2 * state, heads]
        self.channels = [inner, state, state]
        self.in_proj = nn.Linear(width, sum(self.parts), bias=False)
        self.conv1d = nn.Conv1d(
            self.parts[1], self.parts[1], conv, groups=self.parts[1], padding=conv - 1
        )
        self.dt_bias = nn.Parameter(_inverse_softplus(_time_steps(heads)))
        self.A_log = nn.Parameter(torch.arange(1, heads + 1).log())
        self.D = nn.Parameter(torch.ones(heads))
        self.norm = GatedRMSNorm(inner)
        self.out_proj = nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.conv1d.bias)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return the output (batch, length, width) of an input of the same shape."""
        gate, mixed, dt = self.in_proj(x).split(self.parts, dim=-1)
        mixed = causal_conv(mixed, self.conv1d.weight, self.conv1d.bias)
        dt = functional.softplus(dt.float() + self.dt_bias).clamp(*self.time_step_limit)
        if mask is not None:
            mixed, dt = mixed * mask[..., None], dt * mask[..., None]
        u, B, C = mixed.split(self.channels, dim=-1)
        u, B, C = u.unflatten(-1, (-1, self.head)), B[:, :, None], C[:, :, None]
        A = -torch.exp(self.A_log.float())
        y = scan_on(x.device)(u, dt, A, B, C, self.chunk, self.D)
        return self.out_proj(self.norm(y.flatten(2), gate))


class RMSNorm(nn.Module):
    """Each place divided by its root mean square, in single precision."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalised input."""
        return functional.rms_norm(x.float(), x.shape[-1:], self.weight, EPSILON).to(x.dtype)


class GatedRMSNorm(RMSNorm):
    """The same of an input that was multiplied by the SiLU of a gate."""

    def forward(self, x: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """Return the normalised input."""
        return super().forward(x * functional.silu(gate))


def causal_conv(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return the SiLU of each channel's convolution with its own past.

    Parameters
    ----------
    x : torch.Tensor, shape (batch, length, channels)
    weight : torch.Tensor, shape (channels, 1, width)
    bias : torch.Tensor, shape (channels,)
    """
    channels, _, width = weight.shape
    kernel = conv_kernel() if _on_gpu(x.device) else None
    # What the kernel can do.
    if kernel is not None and 2 <= width <= 4 and channels % 8 == 0:
        x = x.contiguous().transpose(1, 2)
        return kernel(x, weight[:, 0], bias, activation="silu").transpose(1, 2)
    # As an image of one row, whose channels may lie together in memory: no transposed copies.
    x = functional.pad(x, (0, 0, width - 1, 0)).transpose(1, 2)[:, :, None]
    out = functional.conv2d(x, weight[:, :, None], bias, groups=channels)
    return functional.silu(out[:, :, 0].transpose(1, 2))


def scan_on(device: torch.device) -> Callable[..., torch.Tensor]:
    """Return the scan for a device: mamba-ssm's on a GPU where it is installed, else ours.

    It takes x, dt, A, B, C, chunk and D as `neuro2voc.networks.ssd.ssd` and returns outputs.
    """
    kernel = scan_kernel() if _on_gpu(device) else None
    if kernel is None:
        return _own_scan
    return lambda x, dt, A, B, C, chunk, D: kernel(x, dt, A, B, C, chunk_size=chunk, D=D)


def _own_scan(x, dt, A, B, C, chunk, D):
    return ssd(x, dt, A, B, C, chunk, D=D)[0]


@cache
def scan_kernel() -> Callable | None:
    """Return mamba-ssm's scan, or None where it cannot be imported."""
    return _imported("mamba_ssm.ops.triton.ssd_combined", "mamba_chunk_scan_combined")


@cache
def conv_kernel() -> Callable | None:
    """Return causal-conv1d's convolution, or None where it cannot be imported."""
    return _imported("causal_conv1d", "causal_conv1d_fn")


def _on_gpu(device: torch.device) -> bool:
    return device.type == "cuda"


def _imported(module: str, name: str) -> Callable | None:
    # Extensions compiled for another version fail with any of these.
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, OSError, RuntimeError, AttributeError):
        return None


def _time_steps(heads: int) -> torch.Tensor:
    """Return time steps, uniform on a logarithmic scale."""
    low, high = math.log(SLOWEST), math.log(FASTEST)
    return torch.exp(low + (high - low) * torch.rand(heads))


def _inverse_softplus(x: torch.Tensor) -> torch.Tensor:
    return x + torch.log(-torch.expm1(-x))
