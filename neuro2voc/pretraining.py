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
from safetensors import safe_open
from safetensors.torch import save_file

from neuro2voc.binning import Window
from neuro2voc.checkpoints import Checkpoint
from neuro2voc.configuration import derive_seed
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.files import replacing, write_json
from neuro2voc.network_training import NetworkSettings
from neuro2voc.networks.sequence import next_token_loss
from neuro2voc.recording import Recording
from neuro2voc.sequence_decoder import token_tensors
from neuro2voc.sequence_fit import Reading, make_network
from neuro2voc.token_times import clock_steps
from neuro2voc.tokens import Corpus, make_corpus
from neuro2voc.training import Trained, train
from neuro2voc.vocabulary import (
    Vocabulary,
    fit_vocabulary,
    vocabulary_from_json,
    vocabulary_to_json,
)

log = logging.getLogger(__name__)

HELD_OUT = 0.1  # share of the pieces, the last ones, by which pretraining stops
PER_WINDOW = 2  # pieces that begin within the length of one
WHOLE = ("layers.", "clock.", "embedding.")  # weights that know something before any label
BODY = ("layers.", "clock.")  # those that mean the same to any bird


@dataclass(frozen=True)
class Pretrained:
    """Weights that know what comes next.

    Attributes
    ----------
    weights : dict of Tensor
        Of a `neuro2voc.networks.sequence.SequenceNetwork`, less its classifier.
    vocabulary : Vocabulary
    about : dict
        Kind and sizes of the network, its reading and of which bird it is.
    """

    weights: dict[str, torch.Tensor]
    vocabulary: Vocabulary
    about: dict


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
    length = window.stop - window.start
    begins = [
        np.arange(one.start, one.stop - length + 1e-9, length / PER_WINDOW)
        for one in stretches.itertuples()
    ]
    begin = np.concatenate([*begins, np.zeros(0)])
    return pd.DataFrame(
        {
            "trial": np.arange(len(begin)),
            "onset": begin - window.start,
            "offset": begin - window.start,
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
    like: Corpus,
    settings: NetworkSettings,
    reading: Reading,
    vocabulary: Vocabulary | None = None,
    number: int = 0,
) -> tuple[Pretrained, Trained]:
    """Train a network to expect the next token.

    Parameters
    ----------
    recording : Recording
    stretches : DataFrame
        start, stop (s): all that may be seen.
    like : Corpus
        How spikes are written: window, scheme.
    settings : NetworkSettings
    reading : Reading
    vocabulary : Vocabulary, optional
        Otherwise one is learnt from the pieces.
    number : int
        Tells this training from others of its job.

    Raises
    ------
    DataError
        The stretches are too short, or a piece has too many tokens.
    """
    made = pieces(stretches, like.window)
    kept = len(made) - max(1, round(HELD_OUT * len(made)))
    if kept < PER_WINDOW:
        raise DataError(
            f"{recording.name}: {len(made)} pieces of {like.window.stop - like.window.start:g} s "
            "lie outside of what is held out, too few to learn from before any label; take a "
            "longer recording or shorter windows."
        )
    scheme = like.scheme
    width = scheme.width * scheme.tick
    corpus = make_corpus(recording, made, like.window, scheme.name, scheme.tick, width)
    # Pieces overlap, so those at the boundary are in neither part.
    seen, held = corpus[: kept - PER_WINDOW + 1], corpus[kept:]
    if vocabulary is None:
        vocabulary = fit_vocabulary(seen, scheme, corpus.unit, reading.vocabulary)
    examples, held_out = (
        token_tensors(part, vocabulary, reading.clock, reading.context) for part in (seen, held)
    )
    times = clock_steps(scheme, reading.clock)
    trained = train(
        # Of two classes, which nothing is asked about.
        lambda: make_network(settings, vocabulary.size, times, 2),
        next_token_loss,
        examples,
        held_out,
        settings.schedule,
        derive_seed(settings.seed, "pretrain", number),
        f"{settings.kind}, next token, {recording.name}",
        Checkpoint(settings.checkpoints, settings.code) if settings.checkpoints else None,
    )
    weights = {k: v for k, v in trained.network.state_dict().items() if k.startswith(WHOLE)}
    about = {
        "kind": settings.kind,
        "sizes": {k: v for k, v in settings.sizes.items() if k not in ("dropout", "thin")},
        "clock": reading.clock,
        "times": times,
        "bird": recording.name,
    }
    return Pretrained(weights, vocabulary, about), trained


def begin_with(
    pretrained: Pretrained, settings: NetworkSettings, reading: Reading
) -> Callable[[pd.DataFrame, Vocabulary], Mapping[str, torch.Tensor]]:
    """Return what `neuro2voc.sequence_fit.sequence_fit` begins with: weights of another bird.

    Where units are the same, tokens keep their meaning and their embeddings; otherwise layers and
    clock are taken over and embeddings drawn anew, since unit 3 of one bird is not unit 3 of
    another.

    Raises
    ------
    DataError
        The network has another kind or other sizes.
    """
    own = {k: v for k, v in settings.sizes.items() if k not in ("dropout", "thin")}
    theirs = pretrained.about
    if (theirs["kind"], theirs["sizes"], theirs["clock"]) != (settings.kind, own, reading.clock):
        raise DataError(
            f"the weights learnt from {theirs['bird']} are of a {theirs['kind']} with "
            f"{theirs['sizes']} and a clock of {theirs['clock']:g} s, and {settings.kind} with "
            f"{own} and {reading.clock:g} s is asked for; pretrain with these settings."
        )

    def beginning(_: pd.DataFrame, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
        same = vocabulary_to_json(vocabulary) == vocabulary_to_json(pretrained.vocabulary)
        parts = WHOLE if same else BODY
        return {k: v for k, v in pretrained.weights.items() if k.startswith(parts)}

    return beginning


def pretrain_in_folds(
    recording: Recording,
    split: pd.DataFrame,
    like: Corpus,
    settings: NetworkSettings,
    reading: Reading,
) -> Callable[[pd.DataFrame, Vocabulary], Mapping[str, torch.Tensor]]:
    """Return what `sequence_fit` begins with: weights of the bird itself, learnt in the folds.

    Each held-out fold has its own, which saw nothing of that fold's time nor of its guards. They
    are learnt once for each set of folds and vocabulary.
    """
    known: dict[str, Pretrained] = {}

    def beginning(trials: pd.DataFrame, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
        stretches = training_stretches(recording, split, trials)
        key = json.dumps([stretches.to_numpy().tolist(), vocabulary_to_json(vocabulary)])
        if key not in known:
            known[key], trained = pretrain(
                recording, stretches, like, settings, reading, vocabulary, len(known)
            )
            log.info(
                "next token: %.3f nats after %d epochs, %.0f s of recording",
                trained.history["validation"].min(),
                trained.epoch,
                (stretches["stop"] - stretches["start"]).sum(),
            )
        return known[key].weights

    return beginning


def write_pretrained(pretrained: Pretrained, path: str | Path) -> None:
    """Write weights as safetensors, and what they are of as JSON beside them."""
    with replacing(path) as temporary:
        save_file({k: v.contiguous() for k, v in pretrained.weights.items()}, temporary)
    content = {**pretrained.about, "vocabulary": vocabulary_to_json(pretrained.vocabulary)}
    write_json(content, Path(path).with_suffix(".json"))


def read_pretrained(path: str | Path) -> Pretrained:
    """Read what `write_pretrained` wrote.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    sidecar = Path(path).with_suffix(".json")
    try:
        about = json.loads(sidecar.read_text(encoding="utf-8"))
        with safe_open(path, "pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}
        vocabulary = vocabulary_from_json(about.pop("vocabulary"), str(sidecar))
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or path} does not exist; make it anew.") from None
    except Exception as error:  # safetensors and JSON each have their own kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path} and {sidecar.name} beside it hold no pretrained weights that can be read "
            f"({reason}); make them anew."
        ) from error
    return Pretrained(weights, vocabulary, about)


def pretraining_settings(settings: NetworkSettings, epochs: int) -> NetworkSettings:
    """Return settings with so many epochs at most."""
    return replace(settings, schedule=replace(settings.schedule, epochs=epochs))
