"""Learning to expect the next token of a whole recording, before syllables are learnt.

No label is needed for that, so that all of a recording serves: outside the held-out folds and their
guards, or another bird's.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from neuro2voc.binning import PER_SECOND, Window, nanoseconds
from neuro2voc.checkpoints import checkpoint_of
from neuro2voc.configuration import derive_seed, parse_bird
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.network_files import Weights, read_weights, write_weights
from neuro2voc.network_training import NetworkSettings
from neuro2voc.networks.sequence import SequenceNetwork, next_token_loss
from neuro2voc.recording import Recording
from neuro2voc.sequence_fit import Beginning, Reading, corpora_maker, make_network
from neuro2voc.token_schemes import Scheme
from neuro2voc.token_times import clock_steps, padded, read_tokens
from neuro2voc.tokens import Corpus
from neuro2voc.training import Trained, train
from neuro2voc.vocabulary import (
    FIRST,
    Vocabulary,
    fit_vocabulary,
    vocabulary_from_json,
    vocabulary_to_json,
)

log = logging.getLogger(__name__)

# Writes the spikes of a recording's trials as tokens.
CorpusOf = Callable[[Recording, pd.DataFrame], Corpus]

HELD_OUT = 0.1  # share of the pieces, the last ones, by which pretraining stops
PER_WINDOW = 2  # pieces that begin within the length of one
WHOLE = ("layers.", "clock.", "embedding.")  # weights that know something before any label
BODY = ("layers.", "clock.")  # those that mean the same to any bird
# Sizes that no weight depends on.
FREE = ("dropout", "thin", "checkpoint")
DIGITS = 6  # behind the point, of what is told in JSON, so that it is read as it was written
NO_TRIALS = pd.DataFrame({"trial": [], "onset": [], "offset": []})
ABOUT = ("kind", "sizes", "scheme", "tick", "width", "clock", "times", "bird", "seconds")


@dataclass(frozen=True)
class Pretrained:
    """Weights that know what comes next.

    Attributes
    ----------
    weights : dict of Tensor
        Of a `neuro2voc.networks.sequence.SequenceNetwork`, less its classifier.
    vocabulary : Vocabulary
    about : dict
        kind, sizes, scheme, tick, width (ticks put together), clock, times: what else reads these
        weights has to agree in; bird and seconds (s): what they are learnt from; surprise (nats):
        the lowest loss on pieces held out; frequencies (nats): the loss there of expecting each
        token as often as it occurs.
    """

    weights: dict[str, torch.Tensor]
    vocabulary: Vocabulary
    about: dict


def corpus_maker(scheme: str, tokens: Mapping, windows: Mapping) -> CorpusOf:
    """Return a function that writes spikes of a bird's trials as tokens of one scheme.

    Parameters
    ----------
    scheme : str
    tokens, windows : mapping
        The configuration's.
    """
    make = corpora_maker([scheme], tokens, windows)
    return lambda recording, trials: make(recording, trials)[scheme]


def pieces(stretches: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Cut stretches of time into pieces as long as the window of trials.

    Parameters
    ----------
    stretches : DataFrame
        start, stop (s), in time order.
    window : Window

    Returns
    -------
    DataFrame
        trial (from 0), onset and offset, so that the window around each piece's onset, or offset,
        is the piece. Pieces of a stretch begin every half of their length; none reaches out.
    """
    lead = nanoseconds(window.start)
    length = nanoseconds(window.stop) - lead
    # Whole nanoseconds, as those of windows: no rounding lets a spike of beyond in.
    begins = [
        np.arange(start, stop - length + 1, length // PER_WINDOW)
        for start, stop in nanoseconds(stretches[["start", "stop"]].to_numpy(float))
    ]
    align = (np.concatenate([*begins, np.zeros(0, int)]) - lead) / PER_SECOND
    return pd.DataFrame(
        {
            "trial": np.arange(len(align)),
            "onset": align,
            "offset": align,
        }
    )


def whole_stretches(recording: Recording) -> pd.DataFrame:
    """Return the sessions of a recording as stretches."""
    sessions = recording.sessions
    return pd.DataFrame({"start": sessions["start_time"], "stop": sessions["stop_time"]})


def training_stretches(
    recording: Recording, split: pd.DataFrame, training: pd.DataFrame
) -> pd.DataFrame:
    """Return the stretches of the folds that training trials lie in, guards left out.

    Parameters
    ----------
    recording : Recording
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    training : DataFrame
        onset, offset of trials of all folds but the held-out one.
    """
    folds = np.unique(outer_folds(training, split))
    inside = split[split["fold"].isin(folds[folds >= 0]) & (split["guard"] == 0)]
    found = [
        (max(part.start, session.start), min(part.stop, session.stop))
        for session in whole_stretches(recording).itertuples()
        for part in inside.itertuples()
    ]
    return pd.DataFrame([p for p in found if p[1] > p[0]], columns=["start", "stop"])


def pretrain(
    recording: Recording,
    stretches: pd.DataFrame,
    corpus_of: CorpusOf,
    settings: NetworkSettings,
    reading: Reading,
    vocabulary: Vocabulary | None = None,
    number: int = 0,
) -> tuple[Pretrained, Trained]:
    """Train a network to expect the next token.

    Of pieces with more tokens than are read, the first ones are.

    Parameters
    ----------
    recording : Recording
    stretches : DataFrame
        start, stop (s): all that may be seen.
    corpus_of : callable
        ``corpus_of(recording, trials)`` writes spikes as tokens, see `corpus_maker`.
    settings : NetworkSettings
    reading : Reading
    vocabulary : Vocabulary, optional
        Otherwise one is learnt from the pieces.
    number : int
        Tells this training from others of its job.

    Raises
    ------
    DataError
        The stretches are too short.
    """
    window = corpus_of(recording, NO_TRIALS).window
    made = pieces(stretches, window)
    kept = len(made) - max(1, round(HELD_OUT * len(made)))
    if kept < PER_WINDOW:
        raise DataError(
            f"{recording.name}: only {len(made)} pieces of "
            f"{window.stop - window.start:g} s lie within the {seconds_of(stretches):g} "
            "s that may be learnt from, too few for pretraining; take a longer recording, a "
            "shorter window under `tokens` or, where much is held out, another split."
        )
    corpus = corpus_of(recording, made)
    # Pieces overlap, so those at the boundary are in neither part.
    seen, held = corpus[: kept - PER_WINDOW + 1], corpus[kept:]
    if vocabulary is None:
        vocabulary = fit_vocabulary(seen, corpus.scheme, corpus.unit, reading.vocabulary)
    examples, held_out = (piece_tensors(part, vocabulary, reading) for part in (seen, held))
    read_by = about_reading(settings, reading, corpus.scheme)
    shares = token_shares(examples[0], vocabulary.size)

    def build() -> SequenceNetwork:
        # Of two classes, which nothing is asked about.
        network = make_network(settings, vocabulary.size, read_by["times"], 2)
        # What frequencies say of the next token is known from the start: layers that had to learn
        # it would tell of little else, and trials would be learnt worse than from chance.
        nn.init.zeros_(network.next.weight)
        network.next.bias.data = shares.log().float()
        return network

    trained = train(
        build,
        next_token_loss,
        examples,
        held_out,
        settings.schedule,
        derive_seed(settings.seed, "pretrain", number),
        f"{settings.kind}, next token, {recording.name}",
        checkpoint_of(settings),
    )
    weights = {k: v for k, v in trained.network.state_dict().items() if k.startswith(WHOLE)}
    about = {
        **read_by,
        "bird": recording.name,
        "seconds": seconds_of(stretches),
        "surprise": round(float(trained.history["validation"].min()), DIGITS),
        "frequencies": round(surprise_of_shares(shares, held_out[0]), DIGITS),
    }
    log.info(
        "next token of %s: %.3f nats (by frequencies %.3f), %d epochs, %.0f s of recording",
        *(about[key] for key in ("bird", "surprise", "frequencies")),
        *(trained.epoch, about["seconds"]),
    )
    return Pretrained(weights, vocabulary, about), trained


def seconds_of(stretches: pd.DataFrame) -> float:
    """Return how long (s) stretches are together, to the millisecond."""
    return round(float((stretches["stop"] - stretches["start"]).sum()), 3)


def piece_tensors(
    corpus: Corpus, vocabulary: Vocabulary, reading: Reading
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and their times (pieces, longest), padded, of each at most the context."""
    ids, times = (
        [row[: reading.context] for row in rows]
        for rows in read_tokens(vocabulary, corpus, reading.clock)
    )
    return torch.as_tensor(padded(ids, np.int32)), torch.as_tensor(padded(times, np.int16))


def token_shares(ids: torch.Tensor, size: int) -> torch.Tensor:
    """Return how often each token occurs (size,), one more time than counted; they add up to 1.

    Parameters
    ----------
    ids : Tensor
        Tokens (pieces, longest); padding and beginnings, which never come next, are not counted.
    size : int
        Of the vocabulary.
    """
    counts = 1.0 + torch.bincount(ids[ids >= FIRST], minlength=size).double()
    return counts / counts.sum()


def surprise_of_shares(shares: torch.Tensor, ids: torch.Tensor) -> float:
    """Return the loss (nats) of expecting each token as often as it occurs, whatever came before.

    Parameters
    ----------
    shares : Tensor
        See `token_shares`.
    ids : Tensor
        Tokens (pieces, longest).
    """
    real = ids >= FIRST
    surprise = -shares.log()[ids.long()] * real
    return float((surprise.sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean())


def about_reading(settings: NetworkSettings, reading: Reading, scheme: Scheme) -> dict:
    """Return what two networks have to agree in to share weights."""
    return {
        "kind": settings.kind,
        "sizes": {k: v for k, v in settings.sizes.items() if k not in FREE},
        "scheme": scheme.name,
        "tick": round(scheme.tick, DIGITS),
        "width": scheme.width,
        "clock": round(reading.clock, DIGITS),
        "times": clock_steps(scheme, reading.clock),
    }


def begin_with(
    pretrained: Pretrained, bird: str, settings: NetworkSettings, reading: Reading, scheme: Scheme
) -> Beginning:
    """Return what `neuro2voc.sequence_fit.sequence_fit` begins with: weights that were kept.

    Where bird and units are the same, tokens keep their meaning and their embeddings; otherwise
    layers and clock are taken over and embeddings drawn anew, since unit 3 of one bird is not unit
    3 of another.

    Parameters
    ----------
    pretrained : Pretrained
        Of other recordings: what is held out of this one must not be among what it has seen.
    bird : str
        Whose trials are learnt; it is the same as its selections and surrogates.
    settings : NetworkSettings
    reading : Reading
    scheme : Scheme
        Of the trials.

    Raises
    ------
    DataError
        The network has another kind or other sizes, or reads otherwise.
    """
    theirs = pretrained.about
    differing = [
        f"{key} {theirs[key]} and not {value}"
        for key, value in about_reading(settings, reading, scheme).items()
        if theirs[key] != value
    ]
    if differing:
        raise DataError(
            f"the weights learnt from {theirs['bird']} cannot be begun with, since they are of "
            f"another network or reading: {'; '.join(differing)}. Pretrain with these settings."
        )
    own = parse_bird(bird).parent == parse_bird(theirs["bird"]).parent

    def beginning(_: pd.DataFrame, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
        same = vocabulary_to_json(vocabulary) == vocabulary_to_json(pretrained.vocabulary)
        parts = WHOLE if own and same else BODY
        return {k: v for k, v in pretrained.weights.items() if k.startswith(parts)}

    return beginning


def pretrain_in_folds(
    recording: Recording,
    split: pd.DataFrame,
    corpus_of: CorpusOf,
    settings: NetworkSettings,
    reading: Reading,
) -> tuple[Beginning, dict[str, Pretrained]]:
    """Return what `sequence_fit` begins with: weights of the bird itself, learnt in the folds.

    Each held-out fold has its own, which saw nothing of that fold's time nor of its guards, but all
    other time, since no label is needed. They are learnt once for each set of folds and vocabulary.

    Returns
    -------
    beginning : callable
        Of all trials outside of the held-out fold, and a vocabulary.
    known : dict of Pretrained
        What it has learnt so far.
    """
    known: dict[str, Pretrained] = {}

    def beginning(trials: pd.DataFrame, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
        stretches = training_stretches(recording, split, trials)
        key = json.dumps([stretches.to_numpy().tolist(), vocabulary_to_json(vocabulary)])
        if key not in known:
            known[key], _ = pretrain(
                recording, stretches, corpus_of, settings, reading, vocabulary, len(known)
            )
        return known[key].weights

    return beginning, known


def write_pretrained(pretrained: Pretrained, path: str | Path) -> None:
    """Write weights as safetensors, and what they are of as JSON beside them."""
    about = {**pretrained.about, "vocabulary": vocabulary_to_json(pretrained.vocabulary)}
    write_weights(path, pretrained.weights, about)


def read_pretrained(path: str | Path) -> Pretrained:
    """Read what `write_pretrained` wrote.

    Raises
    ------
    DataError
        See `neuro2voc.network_files.read_weights`.
    """
    sidecar = str(Path(path).with_suffix(".json"))

    def build(weights: Weights, about: dict) -> Pretrained:
        vocabulary = vocabulary_from_json(about.pop("vocabulary"), sidecar)
        pretrained = Pretrained(dict(weights), vocabulary, about)
        _check_weights(pretrained)
        weights.clear()
        return pretrained

    return read_weights(path, build, "pretrained weights")[0]


def _check_weights(pretrained: Pretrained) -> None:
    """Check that the weights are all of the network that the JSON tells of."""
    about = pretrained.about
    absent = [key for key in ABOUT if key not in about]
    if absent:
        raise ValueError(f"the JSON says nothing of {absent[0]}")
    sizes = {**about["sizes"], "dropout": 0.0, "thin": 0.0}
    size, times = pretrained.vocabulary.size, about["times"]
    network = SequenceNetwork(kind=about["kind"], vocabulary=size, times=times, classes=2, **sizes)
    wanted = {k: v.shape for k, v in network.state_dict().items() if k.startswith(WHOLE)}
    if wanted != {key: value.shape for key, value in pretrained.weights.items()}:
        raise ValueError("the weights are not those of the network that the JSON tells of")


def pretraining_settings(settings: NetworkSettings, epochs: int) -> NetworkSettings:
    """Return settings with so many epochs at most."""
    return replace(settings, schedule=replace(settings.schedule, epochs=epochs))
