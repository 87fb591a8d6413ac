"""Trained networks on tokens as decoders, and their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from neuro2voc.network_files import Weights, read_decoders, write_decoders
from neuro2voc.networks.sequence import SequenceNetwork
from neuro2voc.token_times import check_lengths, padded, read_tokens
from neuro2voc.tokens import Corpus
from neuro2voc.training import choose_device
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
        On the CPU, but while they decode.
    vocabulary : Vocabulary
        Learnt from the training trials.
    clock : float
        s, see `neuro2voc.token_times.read_tokens`.
    context : int
        Longest sequence.
    device : str
        Where to decode, see `neuro2voc.training.choose_device`.
    """

    classes_: np.ndarray
    networks: tuple[SequenceNetwork, ...]
    vocabulary: Vocabulary
    clock: float
    context: int
    device: str = "cpu"

    def predict_proba(self, corpus: Corpus) -> np.ndarray:
        """Return the probabilities (trials, K) of trials.

        Raises
        ------
        DataError
            They are of other units or another scheme, or too long.
        """
        self.vocabulary.require(corpus.scheme, corpus.unit, "the decoder's")
        parts, device = [], choose_device(self.device)
        networks = [network.to(device) for network in self.networks]
        for first in range(0, len(corpus), TOGETHER):
            part = corpus[first : first + TOGETHER]
            tensors = token_tensors(part, self.vocabulary, self.clock, self.context)
            tokens = [tensor.to(device) for tensor in tensors]
            with torch.inference_mode():
                each = [torch.softmax(network(*tokens).double(), dim=1) for network in networks]
            parts.append(torch.stack(each).mean(dim=0).cpu().numpy())
        for network in networks:
            network.cpu()
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
    path: str | Path, decoders: Mapping[str, list[SequenceDecoder]], about: Mapping
) -> None:
    """Write networks; see `neuro2voc.network_files.write_decoders`.

    Parameters
    ----------
    path : path
    decoders : mapping of list of SequenceDecoder
        By scheme, one for each fold.
    about : mapping
        decoder (its kind), sizes, and whatever else tells what they are of.
    """

    def describe(one: SequenceDecoder) -> dict:
        vocabulary = vocabulary_to_json(one.vocabulary)
        known = {"classes": list(one.classes_), "vocabulary": vocabulary}
        return {**known, "clock": one.clock, "context": one.context}

    write_decoders(path, decoders, describe, about)


def read_sequences(path: str | Path) -> tuple[dict[str, list[SequenceDecoder]], dict]:
    """Read what `write_sequences` wrote; see `neuro2voc.network_files.read_decoders`."""
    sidecar = str(Path(path).with_suffix(".json"))
    return read_decoders(path, partial(_decoder, name=sidecar))


def _decoder(one: dict, weights: list[Weights], about: dict, name: str) -> SequenceDecoder:
    vocabulary = vocabulary_from_json(one["vocabulary"], name)
    sizes = {key: value for key, value in about["sizes"].items() if key != "checkpoint"}
    networks = []
    for state in weights:
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
