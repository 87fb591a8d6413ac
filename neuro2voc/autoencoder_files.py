"""Autoencoders on disk: weights as safetensors, and beside them as JSON what they are of."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from neuro2voc.errors import DataError
from neuro2voc.files import replacing, write_json

Models = dict[str, nn.Module]


def write_models(path: str | Path, models: Mapping[str, nn.Module], about: Mapping) -> None:
    """Write networks, tensors ``<model>/<name>``, and `about` as JSON of the same name.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    models : mapping of Module
        By name, such as ``1d/0`` for a kind and the fold that it never saw.
    about : mapping
        What `read_models` builds them anew from, the names of the units among it.
    """
    tensors = {
        f"{name}/{key}": value.contiguous()
        for name, network in models.items()
        for key, value in network.state_dict().items()
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary)
    write_json({**about, "models": list(models)}, Path(path).with_suffix(".json"))


def read_models(
    path: str | Path, build: Callable[[str, dict], nn.Module]
) -> tuple[dict[str, nn.Module], dict]:
    """Read what `write_models` wrote.

    Parameters
    ----------
    path : path
        ``.safetensors``.
    build : callable
        ``build(name, about)`` returns the untrained network.

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
        models = {}
        for name in about["models"]:
            network = build(name, about)
            prefix = f"{name}/"
            own = [key for key in tensors if key.startswith(prefix)]
            weights: dict[str, torch.Tensor] = {
                key.removeprefix(prefix): tensors.pop(key) for key in own
            }
            network.load_state_dict(weights)
            models[name] = network.eval()
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
    return models, about


def check_units(about: Mapping, units: list, name: str) -> None:
    """Stop where a recording's units are not those that models were trained on.

    Raises
    ------
    DataError
        Names or their order differ.
    """
    units = [str(unit) for unit in units]
    if units != about["units"]:
        missing = [unit for unit in about["units"] if unit not in units]
        what = f"unit {missing[0]} is missing" if missing else "there are others, or another order"
        raise DataError(
            f"The networks were trained on {len(about['units'])} units of {about['bird']}, and "
            f"{name} has other ones ({what}); take the recording of the same units."
        )
