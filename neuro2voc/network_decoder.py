"""Trained networks as decoders, and their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from neuro2voc.grid import Cell, smoothed
from neuro2voc.network_files import Weights, read_decoders, write_decoders
from neuro2voc.networks.cnn_lstm import CNNLSTM
from neuro2voc.networks.eegnet import EEGNet
from neuro2voc.networks.lstm import LSTM
from neuro2voc.networks.mamba2_bins import BinnedMamba2

NETWORKS = {"lstm": LSTM, "eegnet": EEGNet, "cnn_lstm": CNNLSTM, "mamba2_bins": BinnedMamba2}


class Standardised(nn.Module):
    """A network that sees a part of the window, smoothed, each unit with mean 0 and deviation 1.

    Where a unit was not observed it sees 0.
    """

    def __init__(self, network: nn.Module, cell: Cell, mean: np.ndarray, scale: np.ndarray):
        super().__init__()
        self.network, self.cell = network, cell
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the network makes of activity (trials, bins, units), NaN where unobserved."""
        seen = (smoothed(x, self.cell) - self.mean) / self.scale
        return self.network(torch.nan_to_num(seen, nan=0.0))


@dataclass(frozen=True)
class NetworkDecoder:
    """Networks of the same kind whose probabilities are averaged.

    Attributes
    ----------
    classes_ : ndarray (K,)
        Labels, sorted.
    networks : tuple of Module
        On the CPU; each returns margins (trials, K) of activity (trials, bins, units).
    bins : int
        Of the window.
    """

    classes_: np.ndarray
    networks: tuple[nn.Module, ...]
    bins: int

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities (trials, K) of features (trials, units * bins)."""
        x = in_time(X, self.bins)
        with torch.inference_mode():
            parts = [torch.softmax(network(x).double(), dim=1) for network in self.networks]
        return torch.stack(parts).mean(dim=0).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the likeliest label of each trial."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def in_time(X: np.ndarray, bins: int) -> torch.Tensor:
    """Return features (trials, units * bins) as activity (trials, bins, units)."""
    tensor = torch.as_tensor(np.asarray(X, dtype=np.float32))
    return tensor.reshape(len(tensor), -1, bins).transpose(1, 2).contiguous()


def write_networks(
    path: str | Path, decoders: Mapping[str, list[NetworkDecoder]], about: Mapping
) -> None:
    """Write networks; see `neuro2voc.network_files.write_decoders`.

    Parameters
    ----------
    path : path
    decoders : mapping of list of NetworkDecoder
        By feature, one for each fold.
    about : mapping
        decoder (one of `NETWORKS`), sizes, and whatever else tells what they are of.
    """

    def describe(one: NetworkDecoder) -> dict:
        return {"classes": list(one.classes_), "bins": one.bins, "cell": one.networks[0].cell}

    write_decoders(path, decoders, describe, about)


def read_networks(path: str | Path) -> tuple[dict[str, list[NetworkDecoder]], dict]:
    """Read what `write_networks` wrote; see `neuro2voc.network_files.read_decoders`."""
    return read_decoders(path, _network_decoder)


def _network_decoder(one: dict, weights: list[Weights], about: dict) -> NetworkDecoder:
    networks = []
    for state in weights:
        units = len(state["mean"])
        bare = NETWORKS[about["decoder"]](
            units=units, classes=len(one["classes"]), **about["sizes"]
        )
        network = Standardised(bare, Cell(*one["cell"]), np.zeros(units), np.ones(units))
        network.load_state_dict(state)
        networks.append(network.eval())
    return NetworkDecoder(np.array(one["classes"]), tuple(networks), one["bins"])
