"""GPT-2, from scratch or from somebody's weights."""

import json
import re
from pathlib import Path

import torch
from torch import nn
from transformers import GPT2Config, GPT2Model
from transformers.utils import logging

from neuro2voc.errors import DataError

# It warns of token numbers that are never used here.
logging.set_verbosity_error()


class GPT2(nn.Module):
    """The layers of GPT-2 as transformers has them, with embeddings of another vocabulary.

    Parameters
    ----------
    width, layers, heads : int
        Size of hidden states, number of layers, heads of attention in each; heads divide width.
    context : int
        Longest sequence.
    dropout : float
        Of what layers add. Attention itself is not dropped: on a processor that makes training at
        900 tokens four times as slow.
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
        dropout: float,
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
                resid_pdrop=dropout,
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
    try:
        _settings(folder)
        whole = GPT2Model.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        state = {k: v for k, v in whole.state_dict().items() if not k.startswith("wte.")}
        left = model.load_state_dict(state, strict=False)
        if left.unexpected_keys or left.missing_keys != ["wte.weight"]:
            raise ValueError(f"its weights are others: {[*left.missing_keys][:3]}")
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise _no_checkpoint(folder, error) from error


def _settings(folder: Path) -> GPT2Config:
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if content.get("model_type") != "gpt2":
            raise ValueError(f"its model_type is {content.get('model_type')!r}, not 'gpt2'")
        return GPT2Config.from_dict(content)
    except (OSError, ValueError, AttributeError) as error:
        raise _no_checkpoint(folder, error) from error


def _no_checkpoint(folder: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    return DataError(
        f"{folder} holds no GPT-2 that can be read ({reason}); name a folder with config.json and "
        "model.safetensors under `gpt2.checkpoint`, or '' for none."
    )
