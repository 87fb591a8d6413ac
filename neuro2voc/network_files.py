"""Trained networks on disk: weights as safetensors, and beside them as JSON what they are of."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from neuro2voc.errors import DataError
from neuro2voc.files import replacing, write_json

Decoder = TypeVar("Decoder")
Weights = dict[str, torch.Tensor]


def write_decoders(
    path: str | Path,
    decoders: Mapping[str, Sequence[Decoder]],
    describe: Callable[[Decoder], dict],
    about: Mapping,
) -> None:
    """Write the networks of decoders, tensors ``<feature>/<fold>/<member>/<name>``.

    Parameters
    ----------
    path : path
        ``.safetensors``; the JSON has the same name with ``.json``.
    decoders : mapping of sequence of Decoder
        By feature or scheme, one for each fold, with `networks`.
    describe : callable
        ``describe(decoder)`` returns what else is needed to make it anew.
    about : mapping
        What tells of all of them, such as their sizes.
    """
    tensors = {
        f"{feature}/{fold}/{member}/{key}": value.contiguous()
        for feature, folds in decoders.items()
        for fold, decoder in enumerate(folds)
        for member, network in enumerate(decoder.networks)
        for key, value in network.state_dict().items()
    }
    features = {
        feature: [{"networks": len(one.networks), **describe(one)} for one in folds]
        for feature, folds in decoders.items()
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary)
    write_json({**about, "features": features}, Path(path).with_suffix(".json"))


def read_decoders(
    path: str | Path, build: Callable[[dict, list[Weights], dict], Decoder]
) -> tuple[dict[str, list[Decoder]], dict]:
    """Read what `write_decoders` wrote.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    build : callable
        ``build(one, weights, about)`` makes a decoder of what `describe` said of it, the weights
        of its networks, and the JSON.

    Returns
    -------
    decoders : dict of list of Decoder
        As they were written.
    about : dict
        The JSON.

    Raises
    ------
    DataError
        A file is missing or damaged, or the two do not belong together.
    """
    sidecar = Path(path).with_suffix(".json")
    try:
        about = json.loads(sidecar.read_text(encoding="utf-8"))
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
        decoders = {
            feature: [
                build(one, _weights(tensors, f"{feature}/{fold}", one["networks"]), about)
                for fold, one in enumerate(folds)
            ]
            for feature, folds in about["features"].items()
        }
        if tensors:
            raise ValueError(f"{len(tensors)} weights belong to none of the networks")
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or path} does not exist; make it anew.") from None
    except Exception as error:  # safetensors, JSON and torch each have their own kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} and {sidecar.name} beside it hold no networks that can be read ({reason}); "
            "make them anew."
        ) from error
    return decoders, about


def _weights(tensors: Weights, where: str, networks: int) -> list[Weights]:
    """Take a decoder's weights out of those of all."""
    found = []
    for member in range(networks):
        prefix = f"{where}/{member}/"
        names = [key for key in tensors if key.startswith(prefix)]
        found.append({key.removeprefix(prefix): tensors.pop(key) for key in names})
    return found
