"""What pretraining gains: the same trials learnt from three beginnings, few of them and all."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pandas as pd

from neuro2voc.configuration import derive_seed
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import cross_decode, outer_folds, sum_up
from neuro2voc.differences import difference_over_bouts
from neuro2voc.learning import drawn_bouts
from neuro2voc.network_training import NetworkSettings
from neuro2voc.pretraining import (
    CorpusOf,
    Pretrained,
    begin_with,
    corpus_maker,
    pretrain_in_folds,
    pretraining_settings,
)
from neuro2voc.recording import Recording
from neuro2voc.sequence_decoder import SequenceDecoder
from neuro2voc.sequence_fit import (
    Beginning,
    Reading,
    reading_settings,
    sequence_fit,
    sequence_settings,
)
from neuro2voc.tokens import Corpus
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

NOTHING, OWN, OTHER = "none", "own", "other"
ABOUT = ["learnt_from", "seconds", "surprise", "frequencies"]
COLUMNS = [
    "beginning",
    *ABOUT,
    "part",
    "n_training",
    "balanced_accuracy",
    "low",
    "high",
    "accuracy",
    "bits",
    "chance",
    "gain",
    "gain_low",
    "gain_high",
    "control",
    "n_trials",
    "n_bouts",
]


@dataclass(frozen=True)
class Learning:
    """How networks are pretrained and trained.

    Attributes
    ----------
    settings : NetworkSettings
    reading : Reading
    epochs : int
        Of pretraining, at most.
    corpus_of : callable
        See `neuro2voc.pretraining.corpus_maker`.
    """

    settings: NetworkSettings
    reading: Reading
    epochs: int
    corpus_of: CorpusOf

    @property
    def before(self) -> tuple[CorpusOf, NetworkSettings, Reading]:
        """What `neuro2voc.pretraining.pretrain` wants to know."""
        return self.corpus_of, pretraining_settings(self.settings, self.epochs), self.reading


def learning_settings(kind: str, split: str, job: object) -> Learning:
    """Return how a job pretrains and trains.

    There is one network in each fold: differences between beginnings are looked for, not the best
    decoder.

    Parameters
    ----------
    kind, split : str
    job : object
        See `neuro2voc.sequence_fit.sequence_settings`; with epochs (of pretraining), tokens,
        windows and reading.
    """
    settings = sequence_settings(kind, split, job)
    return Learning(
        replace(settings, members=1),
        reading_settings(job.reading),
        job.epochs,
        corpus_maker(job.reading["schemes"][0], job.tokens, job.windows),
    )


def pretraining_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    parts: Sequence[float],
    learning: Learning,
    other: Pretrained | None,
    protocol: Protocol,
) -> pd.DataFrame:
    """Learn parts of the training trials of every fold from each beginning.

    The beginnings are none; the recording itself, all of it outside of the held-out fold and its
    guards whatever the part, since that needs no label; and another bird. All see the same trials,
    drawn once, those of a smaller part among those of a larger one, in the same order.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones are decoded.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    parts : sequence of float
        Of the training bouts, see `neuro2voc.learning.drawn_bouts`.
    learning : Learning
    other : Pretrained, optional
        Of another bird.
    protocol : Protocol
        Of its surrogates, the first is learnt likewise with the largest part.

    Returns
    -------
    DataFrame
        A row per part and beginning ('none', 'own', 'other'), columns `COLUMNS`. learnt_from: the
        bird; seconds (s of its recording), surprise and frequencies (nats, see
        `neuro2voc.pretraining.Pretrained`): means over folds. n_training: trials, mean over folds.
        gain, with its 95 % interval over bouts: balanced accuracy less that without pretraining.
        control: balanced accuracy on the surrogate, missing where there is none.
    """
    used = used_trials(trials, recording.name)
    decoded = _decoded(recording, used, split, parts, learning, other, protocol)
    table = pd.DataFrame(_rows(decoded, used, protocol))
    one = replace(protocol, null_seeds=protocol.null_seeds[:1])
    largest = max(parts)
    for bird, own in shifted_birds(recording, trials, one):
        for key, (frame, _) in _decoded(
            bird, own, split, [largest], learning, other, protocol
        ).items():
            score = sum_up(frame, own, 1, protocol.seed)["balanced_accuracy"]
            here = (table["part"] == largest) & (table["beginning"] == key[1])
            table.loc[here, "control"] = score
    return table.reindex(columns=COLUMNS)


def _decoded(
    recording: Recording,
    used: pd.DataFrame,
    split: pd.DataFrame,
    parts: Sequence[float],
    learning: Learning,
    other: Pretrained | None,
    protocol: Protocol,
) -> dict[tuple[float, str], tuple[pd.DataFrame, dict]]:
    """Return predictions, and what they rest on, by part and beginning."""
    corpus, fold = learning.corpus_of(recording, used), outer_folds(used, split)
    settings, reading = learning.settings, learning.reading
    own, known = pretrain_in_folds(recording, split, *learning.before)
    beginnings = {NOTHING: None, OWN: own}
    if other is not None:
        beginnings[OTHER] = begin_with(other, recording.name, settings, reading, corpus.scheme)
    found = {}
    for part in sorted(parts):
        for name, beginning in beginnings.items():
            sizes: list[int] = []
            fit = _fit_part(part, beginning, learning, protocol.seed, sizes)
            frame = cross_decode(corpus, used, fold, fit)
            learnt = {NOTHING: [], OWN: list(known.values()), OTHER: [other]}[name]
            found[part, name] = frame, {**_about(learnt), "n_training": np.mean(sizes)}
    return found


def _fit_part(
    part: float, beginning: Beginning | None, learning: Learning, seed: int, sizes: list[int]
) -> Callable[[Corpus, pd.DataFrame], SequenceDecoder]:
    """Return a function that fits a part of what it is given; it notes how many trials that is.

    Draws and seeds depend on the fold alone, so that beginnings and parts are compared on the same.
    """
    folds = count()

    def fit(corpus: Corpus, trials: pd.DataFrame) -> SequenceDecoder:
        fold = next(folds)
        drawn = drawn_bouts(trials, part, np.random.default_rng([seed, fold]))
        sizes.append(int(drawn.sum()))
        settings = replace(learning.settings, seed=derive_seed(learning.settings.seed, fold))
        # Pretraining knows the fold by all of its training trials.
        begin = beginning and (lambda _, vocabulary: beginning(trials, vocabulary))
        return sequence_fit(settings, learning.reading, begin)[0](corpus[drawn], trials[drawn])

    return fit


def _about(learnt: Sequence[Pretrained]) -> dict:
    """Return whom weights are learnt from, how long, and how well: means over folds."""
    if not learnt:
        return {"learnt_from": ""}
    means = {key: np.mean([one.about[key] for one in learnt]) for key in ABOUT[1:]}
    return {"learnt_from": learnt[0].about["bird"], **means}


def _rows(
    decoded: dict[tuple[float, str], tuple[pd.DataFrame, dict]],
    used: pd.DataFrame,
    protocol: Protocol,
) -> list[dict]:
    rows = []
    for (part, name), (frame, about) in decoded.items():
        row = {"part": part, "beginning": name, **about}
        row |= sum_up(frame, used, protocol.resamples, protocol.seed)
        if name != NOTHING:
            without = decoded[part, NOTHING][0]
            gain = difference_over_bouts(
                [frame], [without], used, protocol.resamples, protocol.seed
            )
            row |= {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
        rows.append(row)
        log.info("part %g, pretraining %s: %.3f", part, name, row["balanced_accuracy"])
    return rows
