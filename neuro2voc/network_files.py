"""Trained networks on disk: weights as safetensors, and beside them as JSON what they are of."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from neuro2voc.errors import DataError
from neuro2voc.files import replacing, write_json
from neuro2voc.recording import Recording

Decoder = TypeVar("Decoder")
Made = TypeVar("Made")
Weights = dict[str, torch.Tensor]


def write_weights(path: str | Path, weights: Mapping[str, torch.Tensor], about: Mapping) -> None:
    """Write weights, and what they are of as JSON.

    Parameters
    ----------
    path : path
        ``.safetensors``; the JSON has the same name with ``.json``.
    weights : mapping of Tensor
    about : mapping
        What is needed to make the networks anew.
    """
    with replacing(path) as temporary:
        save_file({key: value.contiguous() for key, value in weights.items()}, temporary)
    write_json(about, Path(path).with_suffix(".json"))


def read_weights(
    path: str | Path, build: Callable[[Weights, dict], Made], what: str = "networks"
) -> tuple[Made, dict]:
    """Make anew what `write_weights` wrote the weights of.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    build : callable
        ``build(weights, about)`` makes it, and takes all of the weights (`take`).
    what : str
        For messages.

    Returns
    -------
    made : object
        What `build` returned.
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
            weights = {key: file.get_tensor(key) for key in file.keys()}
        made = build(weights, about)
        if weights:
            raise ValueError(f"{len(weights)} weights belong to none of the {what}")
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or path} does not exist; make it anew.") from None
    except Exception as error:  # safetensors, JSON and torch each have their own kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} and {sidecar.name} beside it hold no {what} that can be read ({reason}); "
            "make them anew."
        ) from error
    return made, about


def weights_of(networks: Mapping[str, nn.Module]) -> Weights:
    """Return the weights of networks as ``<network>/<name>``."""
    return {
        f"{name}/{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


def take(weights: Weights, network: str) -> Weights:
    """Take a network's weights out of those of all."""
    prefix = f"{network}/"
    names = [key for key in weights if key.startswith(prefix)]
    return {key.removeprefix(prefix): weights.pop(key) for key in names}


def write_models(path: str | Path, models: Mapping[str, nn.Module], about: Mapping) -> None:
    """Write networks by name, tensors ``<model>/<name>``.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    models : mapping of Module
        By name, such as ``1d/0`` for a kind and the fold that it never saw.
    about : mapping
        What `read_models` builds them anew from.
    """
    write_weights(path, weights_of(models), {**about, "models": list(models)})


def read_models(
    path: str | Path, build: Callable[[str, dict], nn.Module]
) -> tuple[dict[str, nn.Module], dict]:
    """Read what `write_models` wrote: networks by name, and the JSON.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    build : callable
        ``build(name, about)`` returns the untrained network.

    Raises
    ------
    DataError
        See `read_weights`.
    """

    def models(weights: Weights, about: dict) -> dict[str, nn.Module]:
        found = {}
        for name in about["models"]:
            network = build(name, about)
            network.load_state_dict(take(weights, name))
            found[name] = network.eval()
        return found

    return read_weights(path, models)


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
        ``.safetensors``.
    decoders : mapping of sequence of Decoder
        By feature or scheme, one for each fold, with `networks`.
    describe : callable
        ``describe(decoder)`` returns what else is needed to make it anew.
    about : mapping
        What tells of all of them, such as their sizes.
    """
    networks = {
        f"{feature}/{fold}/{member}": network
        for feature, folds in decoders.items()
        for fold, decoder in enumerate(folds)
        for member, network in enumerate(decoder.networks)
    }
    features = {
        feature: [{"networks": len(one.networks), **describe(one)} for one in folds]
        for feature, folds in decoders.items()
    }
    write_weights(path, weights_of(networks), {**about, "features": features})


def read_decoders(
    path: str | Path, build: Callable[[dict, list[Weights], dict], Decoder]
) -> tuple[dict[str, list[Decoder]], dict]:
    """Read what `write_decoders` wrote: decoders by feature and fold, and the JSON.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    build : callable
        ``build(one, weights, about)`` makes a decoder of what `describe` said of it, the weights
        of its networks, and the JSON.

    Raises
    ------
    DataError
        See `read_weights`.
    """

    def decoders(weights: Weights, about: dict) -> dict[str, list[Decoder]]:
        def decoder(place: str, one: dict) -> Decoder:
            members = [take(weights, f"{place}/{member}") for member in range(one["networks"])]
            return build(one, members, about)

        return {
            feature: [decoder(f"{feature}/{fold}", one) for fold, one in enumerate(folds)]
            for feature, folds in about["features"].items()
        }

    return read_weights(path, decoders)


def check_units(trained: Sequence[str], recording: Recording) -> None:
    """Stop where a recording's units are not those that networks were trained on.

    Parameters
    ----------
    trained : sequence of str
        Names, in order.
    recording : Recording

    Raises
    ------
    DataError
        Names or their order differ.
    """
    units = list(recording.units.table.index.astype(str))
    if units != list(trained):
        missing = [unit for unit in trained if unit not in units]
        what = f"unit {missing[0]} is missing" if missing else "there are others, or another order"
        raise DataError(
            f"{recording.name} holds {len(units)} units, and not the {len(trained)} that the "
            f"networks were trained on ({what}). Give it a recording that was sorted together with "
            "that one, or train them anew."
        )
