"""Trained networks on tokens as decoders, and their files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from neuro2voc.errors import DataError
from neuro2voc.files import replacing, write_json
from neuro2voc.networks.sequence import SequenceNetwork
from neuro2voc.token_times import check_lengths, padded, read_tokens
from neuro2voc.tokens import Corpus
from neuro2voc.vocabulary import Vocabulary, vocabulary_from_json, vocabulary_to_json

TOGETHER = 64  # trials decoded at once; bounds memory


@dataclass(frozen=True)
class SequenceDecoder:
    """Networks of the same kind and vocabulary whose probabilities are averaged.

    Attributes
    ----------
    classes_ : ndarray (K,)
        Labels, sorted.
    networks : tuple of SequenceNetwork
        On the CPU.
    vocabulary : Vocabulary
        Learnt from the training trials.
    clock : float
        s, see `neuro2voc.token_times.read_tokens`.
    context : int
        Longest sequence.
    """

    classes_: np.ndarray
    networks: tuple[SequenceNetwork, ...]
    vocabulary: Vocabulary
    clock: float
    context: int

    def predict_proba(self, corpus: Corpus) -> np.ndarray:
        """Return the probabilities (trials, K) of trials.

        Raises
        ------
        DataError
            They are of other units or another scheme, or too long.
        """
        self.vocabulary.require(corpus.scheme, corpus.unit, "the decoder's")
        parts = []
        for first in range(0, len(corpus), TOGETHER):
            part = corpus[first : first + TOGETHER]
            ids, times = token_tensors(part, self.vocabulary, self.clock, self.context)
            with torch.inference_mode():
                each = [torch.softmax(one(ids, times).double(), dim=1) for one in self.networks]
            parts.append(torch.stack(each).mean(dim=0).numpy())
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes_)))

    def predict(self, corpus: Corpus) -> np.ndarray:
        """Return the likeliest label of each trial."""
        return self.classes_[self.predict_proba(corpus).argmax(axis=1)]


def token_tensors(
    corpus: Corpus, vocabulary: Vocabulary, clock: float, context: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and their times (trials, longest) of trials, padded with 0.

    Raises
    ------
    DataError
        A trial is longer than `context`.
    """
    ids, times = read_tokens(vocabulary, corpus, clock)
    check_lengths(ids, corpus.trial, corpus.scheme, context, "The network")
    return torch.as_tensor(padded(ids, np.int32)), torch.as_tensor(padded(times, np.int16))


def write_sequences(
    path: str | Path, decoders: Mapping[str, list[SequenceDecoder]], about: dict
) -> None:
    """Write networks as safetensors, and beside them as JSON what is needed to use them.

    Parameters
    ----------
    path : path
        ``.safetensors``; the JSON has the same name with ``.json``.
    decoders : dict of list of SequenceDecoder
        By scheme, one for each fold.
    about : dict
        decoder (its kind), sizes, and whatever else tells what they are of.
    """
    tensors = {
        f"{scheme}/{fold}/{inner}/{key}": value.contiguous()
        for scheme, folds in decoders.items()
        for fold, decoder in enumerate(folds)
        for inner, network in enumerate(decoder.networks)
        for key, value in network.state_dict().items()
    }
    schemes = {
        scheme: [
            {
                "classes": list(one.classes_),
                "networks": len(one.networks),
                "vocabulary": vocabulary_to_json(one.vocabulary),
                "clock": one.clock,
                "context": one.context,
            }
            for one in folds
        ]
        for scheme, folds in decoders.items()
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary)
    write_json({**about, "schemes": schemes}, Path(path).with_suffix(".json"))


def read_sequences(path: str | Path) -> tuple[dict[str, list[SequenceDecoder]], dict]:
    """Read what `write_sequences` wrote: the decoders by scheme, and the JSON.

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
            scheme: [
                _decoder(tensors, f"{scheme}/{fold}", one, about, str(sidecar))
                for fold, one in enumerate(folds)
            ]
            for scheme, folds in about["schemes"].items()
        }
        networks = [n for folds in decoders.values() for one in folds for n in one.networks]
        strange = len(tensors) - sum(len(network.state_dict()) for network in networks)
        if strange:
            raise ValueError(f"{strange} weights belong to none of the networks")
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or path} does not exist; make it anew.") from None
    except Exception as error:  # safetensors, JSON and torch each have their own kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} and {sidecar.name} beside it hold no networks on tokens that can be read "
            f"({reason}); make them anew."
        ) from error
    return decoders, about


def _decoder(tensors: dict, where: str, one: dict, about: dict, name: str) -> SequenceDecoder:
    vocabulary = vocabulary_from_json(one["vocabulary"], name)
    sizes = {key: value for key, value in about["sizes"].items() if key != "checkpoint"}
    networks = []
    for inner in range(one["networks"]):
        prefix = f"{where}/{inner}/"
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        network = SequenceNetwork(
            kind=about["decoder"],
            vocabulary=vocabulary.size,
            times=len(state["clock.weight"]),
            classes=len(one["classes"]),
            **sizes,
        )
        network.load_state_dict(state)
        networks.append(network.eval())
    return SequenceDecoder(
        np.array(one["classes"]), tuple(networks), vocabulary, one["clock"], one["context"]
    )
