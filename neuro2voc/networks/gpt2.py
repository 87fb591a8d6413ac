"""GPT-2, from scratch or from somebody's weights."""

import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import GPT2Config, GPT2Model
from transformers.utils import logging

from neuro2voc.errors import DataError

# It warns of token numbers that are never used here.
logging.set_verbosity_error()

# What `GPT2` computes: weights that were trained for something else would be of no use.
COMPUTED = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
}


class GPT2(nn.Module):
    """The layers of GPT-2 as transformers has them, with embeddings of another vocabulary.

    Nothing is dropped in them: tokens are left out before (`SequenceNetwork`), which also saves
    time. Dropout of attention alone makes training at 900 tokens on a processor four to five times
    as slow.

    Parameters
    ----------
    width, layers, heads : int
        Size of hidden states, number of layers, heads of attention in each; heads divide width.
    context : int
        Longest sequence.
    checkpoint : str
        Weights to begin with, see `read_checkpoint`; '' for none. The sizes are then the
        checkpoint's (`checkpoint_sizes`).

    Notes
    -----
    Radford et al. (2019), "Language models are unsupervised multitask learners".
    """

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        heads: int,
        context: int,
        checkpoint: str = "",
    ):
        super().__init__()
        self.model = GPT2Model(
            GPT2Config(
                vocab_size=1,
                n_positions=context,
                n_embd=width,
                n_layer=layers,
                n_head=heads,
                embd_pdrop=0.0,
                resid_pdrop=0.0,
                attn_pdrop=0.0,
                # GPT-2's own, in one step in the place of five.
                activation_function="gelu_pytorch_tanh",
                use_cache=False,
            )
        )
        if checkpoint:
            load_checkpoint(self.model, checkpoint)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return hidden states of embeddings, both (batch, length, width).

        Padding is on the right, where no token before it looks; `mask` is not needed.
        """
        return self.model(inputs_embeds=x).last_hidden_state


def checkpoint_sizes(checkpoint: str) -> dict[str, int]:
    """Return width, layers, heads and context of a checkpoint.

    Raises
    ------
    DataError
        See `read_checkpoint`.
    """
    config = _settings(read_checkpoint(checkpoint))
    return {
        "width": config.n_embd,
        "layers": config.n_layer,
        "heads": config.n_head,
        "context": config.n_positions,
    }


def read_checkpoint(checkpoint: str) -> Path:
    """Return the folder of a checkpoint, downloaded where it names one that is not at hand.

    Parameters
    ----------
    checkpoint : str
        A folder with config.json and model.safetensors as transformers writes them, or
        ``owner/name@revision`` of a model hub. The revision is the whole commit, 40 digits, so
        that the weights are the same everywhere and always.

    Raises
    ------
    DataError
        There is no such folder or model.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    hub = re.fullmatch(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})", checkpoint)
    if not hub:
        raise DataError(
            f"config.yaml, `gpt2.checkpoint`: '{checkpoint}' is neither a folder nor "
            "owner/name@revision with the 40 digits of a commit; correct it, or '' for none."
        )
    from huggingface_hub import snapshot_download

    name, revision = hub.groups()
    try:
        files = ["config.json", "model.safetensors"]
        return Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except Exception as error:  # network, permissions, names: each its own kind
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"config.yaml, `gpt2.checkpoint`: {checkpoint} cannot be had ({reason}); fetch it "
            "where there is a network, or name a folder."
        ) from error


def load_checkpoint(model: GPT2Model, checkpoint: str) -> None:
    """Give a model the weights of a checkpoint, all but its embeddings of words.

    Those are of another vocabulary: their rows mean nothing to spikes.

    Raises
    ------
    DataError
        The weights are missing, damaged or of other sizes.
    """
    folder = read_checkpoint(checkpoint)
    own = [key for key in model.state_dict() if key != "wte.weight"]
    try:
        _settings(folder)
        # Not through from_pretrained, which makes up what is missing.
        with safe_open(folder / "model.safetensors", "pt") as file:
            names = {key.removeprefix("transformer."): key for key in file.keys()}
            if missing := [key for key in own if key not in names]:
                raise ValueError(f"{len(missing)} weights are missing, {missing[0]} first")
            state = {key: file.get_tensor(names[key]) for key in own}
        model.load_state_dict(state, strict=False)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _no_checkpoint(folder, error) from error


def _settings(folder: Path) -> GPT2Config:
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if content.get("model_type") != "gpt2":
            raise ValueError(f"its model_type is {content.get('model_type')!r}, not 'gpt2'")
        config = GPT2Config.from_dict(content)
        for name, known in COMPUTED.items():
            if getattr(config, name) not in known:
                raise ValueError(f"its {name} is {getattr(config, name)!r}, not {known[0]!r}")
    except Exception as error:  # transformers has its own kinds
        raise _no_checkpoint(folder, error) from error
    return config


def _no_checkpoint(folder: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    return DataError(
        f"{folder} holds no GPT-2 that can be read ({reason}); name a folder with config.json and "
        "model.safetensors under `gpt2.checkpoint`, or '' for none."
    )
