"""Checkpoints: the state of a training, from which it goes on after a kill.

They lie outside the results, since Snakemake deletes the outputs of a job that failed.
"""

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from neuro2voc.files import replacing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of one training is kept.

    Attributes
    ----------
    folder : path
        Of a job, which may hold several trainings and belongs to no other job.
    code : str
        The version of the code that trains (`neuro2voc.provenance.code_version`).
    key : str
        Digest of all that training depends on; its file's name.
    """

    folder: Path
    code: str
    key: str = ""

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.folder) / f"{self.key}.safetensors"

    def of(self, weights: dict, examples: tuple, settings: tuple) -> "Checkpoint":
        """Return the checkpoint of the training with these weights, examples and settings."""
        named = {**weights, **{f"example {i}": tensor for i, tensor in enumerate(examples)}}
        return Checkpoint(self.folder, self.code, _digest(named, (self.code, *settings))[:32])

    def write(self, tensors: dict[str, torch.Tensor], plain: dict) -> None:
        """Keep a state. Where that fails, say so and let training go on."""
        tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        state = json.dumps(plain)
        try:
            with replacing(self.path) as temporary:
                save_file(tensors, temporary, {"state": state, "sha256": _digest(tensors, state)})
        except (OSError, SafetensorError) as error:
            log.warning("%s cannot be written (%s); training goes on without.", self.path, error)

    def read(self, device: torch.device) -> tuple[dict[str, torch.Tensor], dict] | None:
        """Return the state that was kept, None where there is none that can be read."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt", str(device)) as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}
                about = file.metadata()
            if _digest(tensors, about["state"]) != about["sha256"]:
                raise ValueError("its bytes are not those that were written")
            return tensors, json.loads(about["state"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            log.warning("%s cannot be read (%s); training starts anew.", self.path, error)
            return None


def checkpoint_of(settings: object) -> Checkpoint | None:
    """Return where trainings keep their states, of settings with `checkpoints` and `code`."""
    return Checkpoint(settings.checkpoints, settings.code) if settings.checkpoints else None


def remove_checkpoints(folder: str | Path) -> None:
    """Remove what a job has kept, once its results are written."""
    shutil.rmtree(folder, ignore_errors=True)


def _digest(tensors: dict[str, torch.Tensor], settings: object) -> str:
    digest = hashlib.sha256(repr(settings).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
