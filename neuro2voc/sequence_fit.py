"""Networks on tokens, fitted like the classical decoders: vocabulary and weights in the folds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from neuro2voc.binning import make_window
from neuro2voc.configuration import derive_seed
from neuro2voc.network_training import (
    NetworkSettings,
    decode_by,
    inner_parts,
    losses_of,
    network_settings,
    train_member,
)
from neuro2voc.networks.gpt2 import checkpoint_sizes
from neuro2voc.networks.sequence import SequenceNetwork
from neuro2voc.recording import Recording
from neuro2voc.sequence_decoder import SequenceDecoder, token_tensors
from neuro2voc.token_times import clock_steps
from neuro2voc.tokens import Corpus, make_corpus
from neuro2voc.vocabulary import Vocabulary, fit_vocabulary

# Returns the weights to begin with, given the training trials and the vocabulary learnt from them.
Beginning = Callable[[pd.DataFrame, Vocabulary], Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class Reading:
    """How networks read tokens.

    Attributes
    ----------
    vocabulary : int
        Most tokens, see `neuro2voc.vocabulary.fit_vocabulary`.
    clock : float
        s; times are told in steps of it.
    context : int
        Longest sequence, in tokens.
    """

    vocabulary: int
    clock: float
    context: int


def sequence_fit(
    settings: NetworkSettings, reading: Reading, beginning: Beginning | None = None
) -> tuple[Callable, list[dict], list[tuple[SequenceDecoder, pd.DataFrame]]]:
    """Return a fitting function, the list it notes its choices in, and that of what it fitted.

    Parameters
    ----------
    settings : NetworkSettings
    reading : Reading
    beginning : callable, optional
        Where weights come from other than chance; see `neuro2voc.pretraining`.

    Returns
    -------
    fit : callable
        ``fit(corpus, trials)`` with a `Corpus` of the trials returns a `SequenceDecoder`.
    chosen : list of dict
        Of each fit, the epochs chosen and the size of the vocabulary.
    fitted : list of (SequenceDecoder, DataFrame)
        Of each fit, the decoder and its losses: inner, epoch, rate, training, validation.
    """
    chosen: list[dict] = []
    fitted: list[tuple[SequenceDecoder, pd.DataFrame]] = []

    def fit(corpus: Corpus, trials: pd.DataFrame) -> SequenceDecoder:
        fold = len(chosen)
        vocabulary = fit_vocabulary(corpus, corpus.scheme, corpus.unit, reading.vocabulary)
        context = min(reading.context, settings.sizes.get("context", reading.context))
        inputs = token_tensors(corpus, vocabulary, reading.clock, context)
        classes, target = np.unique(trials["label"].to_numpy(), return_inverse=True)
        begin = dict(beginning(trials, vocabulary)) if beginning else {}
        times = clock_steps(corpus.scheme, reading.clock)

        def build() -> SequenceNetwork:
            network = make_network(settings, vocabulary.size, times, len(classes))
            network.load_state_dict(begin, strict=False)
            return network

        parts = inner_parts(settings, trials)
        trained = [
            train_member(inputs, target, rows, settings, build, fold, inner)
            for inner, rows in enumerate(parts[: settings.members or len(parts)])
        ]
        networks = tuple(one.network for one in trained)
        device = settings.schedule.device
        decoder = SequenceDecoder(classes, networks, vocabulary, reading.clock, context, device)
        chosen.append({"epochs": [one.epoch for one in trained], "vocabulary": vocabulary.size})
        fitted.append((decoder, losses_of(trained)))
        return decoder

    return fit, chosen, fitted


def make_network(
    settings: NetworkSettings, vocabulary: int, times: int, classes: int
) -> SequenceNetwork:
    """Return an untrained network for so many tokens, times and classes."""
    return SequenceNetwork(
        kind=settings.kind,
        vocabulary=vocabulary,
        times=times,
        classes=classes,
        **settings.sizes,
    )


def sequence_fits(
    settings: NetworkSettings, reading: Reading, schemes: list[str]
) -> dict[tuple[str, str], Callable]:
    """Return what `neuro2voc.comparison.null_band` fits surrogates with: the network anew."""

    def fit(replicate: int) -> Callable:
        return sequence_fit(replace(settings, seed=derive_seed(settings.seed, replicate)), reading)[
            0
        ]

    return {(settings.kind, scheme): fit for scheme in schemes}


def decode_by_sequences(
    corpora: Mapping[str, Corpus],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    settings: NetworkSettings,
    reading: Reading,
    resamples: int,
) -> tuple[pd.DataFrame, dict, dict[str, list[SequenceDecoder]], pd.DataFrame]:
    """Train and decode in every fold; see `neuro2voc.network_training.decode_by`.

    Parameters
    ----------
    corpora : mapping of Corpus
        By scheme, of the used trials.
    trials, split, resamples
        See `neuro2voc.network_training.decode_by`.
    settings : NetworkSettings
    reading : Reading
    """

    def make_fit(scheme: str) -> tuple[Callable, list[dict], list]:
        return sequence_fit(settings, reading)

    return decode_by(corpora, trials, split, make_fit, resamples, settings.seed)


def reading_settings(reading: Mapping) -> Reading:
    """Return the configuration's `sequences` as a `Reading`."""
    return Reading(**{key: reading[key] for key in ("vocabulary", "clock", "context")})


def sequence_settings(kind: str, split: str, job: object) -> NetworkSettings:
    """Return `network_settings` with the sizes that the network itself is given.

    A GPT-2 that begins with somebody's weights has their sizes.

    Parameters
    ----------
    kind, split, job
        See `neuro2voc.network_training.network_settings`; with reading.
    """
    settings = network_settings(kind, split, job)
    if kind != "gpt2":
        return settings
    sizes = {**settings.sizes, "context": job.reading["context"]}
    if sizes["checkpoint"]:
        sizes |= checkpoint_sizes(sizes["checkpoint"])
    return replace(settings, sizes=sizes)


def corpora_maker(schemes: list[str], tokens: Mapping, windows: Mapping) -> Callable:
    """Return a function that makes corpora of a bird, by scheme, as `null_band` wants.

    Parameters
    ----------
    schemes : list of str
    tokens, windows : mapping
        The configuration's.
    """
    window = make_window(tokens["window"], windows)

    def make(recording: Recording, trials: pd.DataFrame) -> dict[str, Corpus]:
        return {
            name: make_corpus(recording, trials, window, name, tokens["tick"], tokens["aggregate"])
            for name in schemes
        }

    return make
