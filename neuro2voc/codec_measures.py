"""What a codec of activity keeps, judged on held-out song beside what it has to be seen beside.

The measure is the share of Poisson deviance that is explained: 0 for each unit's mean rate in the
training folds, 1 where every count is foreseen. A codec sees the counts that it is judged by, so
with enough codes it explains any noise. Two controls say how much of that is more than copying:
the same codec trained on units moved apart, which share nothing, and the rates of units that the
encoder did not see.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from neuro2voc.codec import (
    CodecSettings,
    FittedCodec,
    code,
    constant_rate,
    decode,
    stopping_part,
    train_codec,
    training_windows,
)
from neuro2voc.configuration import derive_seed
from neuro2voc.deviance import explained, explained_interval, sums_by, unit_deviance
from neuro2voc.factors import Factors, in_groups
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.stretches import Stretch

log = logging.getLogger(__name__)

# Shares of the mean rate that a prediction is mixed with, of which inner folds choose.
MIXED = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


@dataclass
class Deviances:
    """Deviance of held-out activity, in nats.

    Attributes
    ----------
    blocks, folds : list
        The block and fold of each row.
    constant, model : list of ndarray (units,)
        Of the training folds' mean rates; of what is judged.
    """

    blocks: list = field(default_factory=list)
    folds: list = field(default_factory=list)
    constant: list = field(default_factory=list)
    model: list = field(default_factory=list)

    def add(
        self,
        block: object,
        fold: int,
        values: np.ndarray,
        constant: np.ndarray,
        rates: np.ndarray,
    ) -> None:
        """Add activity (units, bins) of one block and fold."""
        self.blocks.append(block)
        self.folds.append(fold)
        always = np.broadcast_to(constant[:, None], values.shape)
        self.constant.append(unit_deviance(values, always))
        self.model.append(unit_deviance(values, rates))

    def by_fold(self) -> np.ndarray:
        """Return the share explained in each fold (folds,), in their order."""
        parts = [np.sum(part, axis=1) for part in (self.model, self.constant)]
        return explained(*(sums_by(part, self.folds) for part in parts))

    def units(self) -> np.ndarray:
        """Return the share explained of each unit (units,), NaN where it has no deviance."""
        return explained(np.sum(self.model, axis=0), np.sum(self.constant, axis=0))

    def summary(self, resamples: int, seed: int) -> tuple[float, float, float]:
        """Return the share explained of all, and its 95 % interval over blocks."""
        model, constant = (np.sum(part, axis=1) for part in (self.model, self.constant))
        model, constant = (sums_by(part, self.blocks) for part in (model, constant))
        whole = explained(model.sum(), constant.sum())
        return whole, *explained_interval(model, constant, resamples, seed)


def books_judged(books: int) -> list[int]:
    """Return the numbers of codebooks that a codec is judged at: 1, 2, 4, ... and all."""
    return sorted({*(2**n for n in range(books.bit_length()) if 2**n <= books), books})


def moved_apart(parts: Sequence[Stretch], frame: int, seed: int) -> list[Stretch]:
    """Return stretches in which each unit's activity is rolled by a lag of its own, within folds.

    Units keep their rates and what follows what in their own trains, but share nothing any more,
    not even the song.
    """
    rng = np.random.default_rng(seed)
    values = np.concatenate([part.values for part in parts], axis=1)
    fold = np.repeat(np.concatenate([part.fold for part in parts]), frame)
    for now in np.unique(fold):
        bins = np.flatnonzero(fold == now)
        for unit in range(len(values)):
            values[unit, bins] = np.roll(values[unit, bins], rng.integers(len(bins)))
    ends = np.cumsum([part.values.shape[1] for part in parts])
    moved = np.split(values, ends[:-1], axis=1)
    return [
        Stretch(part.start, own, part.block, part.fold)
        for part, own in zip(parts, moved, strict=True)
    ]


def training_rate(parts: Sequence[Stretch], fold: int, frame: int) -> np.ndarray:
    """Return mean activity per bin (units,) of all folds but one."""
    known = [np.repeat((part.fold != fold) & (part.fold != NONE), frame) for part in parts]
    return constant_rate(
        np.concatenate([p.values[:, row] for p, row in zip(parts, known, strict=True)], axis=1)
    )


@torch.inference_mode()
def rates_from_others(codec: FittedCodec, values: np.ndarray) -> np.ndarray:
    """Return rates (units, bins) of units from codes of activity in which they were hidden."""
    rates = np.full(values.shape, np.nan, dtype=np.float32)
    for group in in_groups(len(values)):
        seen = torch.ones(1, len(values))
        seen[:, group] = 0
        log_rates = codec.network(torch.as_tensor(values)[None], seen=seen)[0][0]
        rates[group] = log_rates.exp().numpy()[group]
    return rates


def shares_of_mean(values: np.ndarray, rates: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Return the share (units,) of its mean rate that each unit's prediction is best mixed with.

    Parameters
    ----------
    values, rates : ndarray (units, bins)
        Of inner folds, which the predictor was not fitted to.
    constant : ndarray (units,)
    """
    scores = [unit_deviance(values, mixed(rates, constant, np.full(len(rates), s))) for s in MIXED]
    return np.array(MIXED)[np.argmin(scores, axis=0)]


def mixed(rates: np.ndarray, constant: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return rates (units, bins) mixed with mean rates (units,)."""
    return (1 - share)[:, None] * rates + (share * constant)[:, None]


@dataclass
class Judged:
    """What came out of one kind of activity.

    Attributes
    ----------
    codecs : dict of FittedCodec
        By the fold that each never saw.
    codes : dict of list of ndarray (frames, books)
        By fold and stretch: all of them, held out or not.
    losses : DataFrame
        fold, epoch, rate, training, validation.
    own : dict of Deviances
        By number of codebooks.
    others : Deviances
        Of units from all codes of the others.
    factors, factors_others : Deviances
        Of the factorisation.
    perplexity, dead : ndarray (folds, books)
        Of held-out frames: how many codes, used equally often, would be as unpredictable. Codes of
        each book that no frame took, held out or not.
    """

    codecs: dict
    codes: dict
    losses: pd.DataFrame
    own: dict
    others: Deviances
    factors: Deviances
    factors_others: Deviances
    perplexity: np.ndarray
    dead: np.ndarray


def judge(
    parts: Sequence[Stretch],
    recording: Recording,
    settings: CodecSettings,
    number: int = 0,
    beside: bool = True,
) -> Judged:
    """Train a codec for every fold and judge it on that fold.

    Parameters
    ----------
    parts : sequence of Stretch
    recording : Recording
        For its units.
    settings : CodecSettings
    number : int
        Tells this kind of activity from others of the job.
    beside : bool
        Whether the factorisation is fitted, too.
    """
    books = settings.sizes["books"]
    own = {n: Deviances() for n in books_judged(books)}
    rest = Judged({}, {}, pd.DataFrame(), own, Deviances(), Deviances(), Deviances(), None, None)
    losses, perplexity, dead = [], [], []
    folds = np.unique(np.concatenate([part.fold for part in parts]))
    for fold in map(int, folds[folds != NONE]):
        codec, history = train_codec(parts, fold, recording, settings, number)
        rest.codecs[fold] = codec
        losses.append(history.assign(fold=fold))
        frame = codec.network.frame
        constant = training_rate(parts, fold, frame)
        windows, block = training_windows(parts, fold, settings, codec.bin)
        stop = stopping_part(block, settings.inner_folds, fold)
        inner = np.concatenate(list(windows[stop]), axis=1)
        share = shares_of_mean(inner, rates_from_others(codec, inner), constant)
        predictors = []
        if beside:
            seed = derive_seed(settings.seed, "factors", number, fold)
            factors = Factors(windows[~stop], frame, settings.sizes["dims"], seed)
            for rates, into in (
                (factors.rates, rest.factors),
                (factors.rates_from_others, rest.factors_others),
            ):
                predictors.append((rates, shares_of_mean(inner, rates(inner), constant), into))
        rest.codes[fold] = [code(codec.network, part.values) for part in parts]
        for part, codes in zip(parts, rest.codes[fold], strict=True):
            held = part.fold == fold
            if not held.any():
                continue
            by_books = {n: decode(codec, codes[:, :n]) for n in own}
            judged = [(by_books[n], own[n]) for n in own]
            from_others = mixed(rates_from_others(codec, part.values), constant, share)
            judged.append((from_others, rest.others))
            judged += [
                (mixed(rates(part.values), constant, portion), into)
                for rates, portion, into in predictors
            ]
            for name in np.unique(part.block[held]):
                bins = np.repeat(held & (part.block == name), frame)
                for rates, into in judged:
                    into.add(name, fold, part.values[:, bins], constant, rates[:, bins])
        codes = np.concatenate(rest.codes[fold])
        held = np.concatenate([part.fold for part in parts]) == fold
        use = [codebook_use(one, held, settings.sizes["codes"]) for one in codes.T]
        perplexity.append([one[0] for one in use])
        dead.append([one[1] for one in use])
        log.info(
            "fold %d: explains %.3f of the deviance so far, %.1f of %d codes in use",
            *(fold, own[books].summary(1, 0)[0], np.mean(perplexity[-1]), settings.sizes["codes"]),
        )
    rest.losses = pd.concat(losses, ignore_index=True)
    rest.perplexity, rest.dead = np.array(perplexity), np.array(dead)
    return rest


def codebook_use(codes: np.ndarray, held: np.ndarray, entries: int) -> tuple[float, int]:
    """Return the perplexity of one book's codes in held-out frames, and how many no frame took.

    Parameters
    ----------
    codes : ndarray (frames,)
    held : ndarray (frames,) of bool
    entries : int
        Of the codebook.
    """
    share = np.bincount(codes[held], minlength=entries) / held.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum())), entries - len(np.unique(codes))
