"""Decoders trained on one session and tested on another, where neurons may have drifted."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import commonest, fixed_fit, sum_up, tuned_fit
from neuro2voc.errors import DataError
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.nulls import cell_beside_null
from neuro2voc.recording import Recording
from neuro2voc.splits import contiguous_blocks
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

FOLDS = 5  # blocks of a part
HALVES = ("first half", "second half")
# Predictions of the trials of a test part, by (training part, test part).
Cells = dict[tuple[str, str], pd.DataFrame]


@dataclass(frozen=True)
class Loss:
    """How much is lost from within to across parts.

    Attributes
    ----------
    mean, low, high : float
        Balanced accuracy within minus across, mean over test parts, and its 95 % interval over the
        bouts of the test parts.
    """

    mean: float
    low: float
    high: float


def parts_of(trials: pd.DataFrame) -> np.ndarray:
    """Return the part (trials,) each trial belongs to: its session, or half where there is one.

    Halves hold whole bouts and about equally many trials; a single bout is one part.
    """
    session, bout = trials["session"].to_numpy(dtype=object), trials["bout"].to_numpy()
    if len(np.unique(session)) > 1 or len(np.unique(bout)) < 2:
        return session
    return np.array(HALVES, dtype=object)[contiguous_blocks(bout, 2)]


def common_trials(trials: pd.DataFrame, part: np.ndarray, folds: int) -> np.ndarray:
    """Tell which trials (trials,) are of classes with at least `folds` trials in every part."""
    counts = pd.crosstab(trials["label"].to_numpy(), part)
    return trials["label"].isin(counts.index[(counts >= folds).all(axis=1)]).to_numpy()


def transfer(X: np.ndarray, trials: pd.DataFrame, part: np.ndarray, fit: Callable) -> Cells:
    """Predict the trials of every part by models trained on every part.

    Every part is cut into five contiguous blocks of its bouts, or as many as the poorest part has
    bouts. A model learns from all blocks of its part but one, and predicts that block of every
    part, so that within and across parts models learn from equally many blocks.

    Parameters
    ----------
    X : ndarray (trials, columns)
    trials : DataFrame
        trial, bout, label and what `fit` needs, one row per row of `X`, in time order.
    part : ndarray (trials,)
    fit : callable
        ``fit(X, trials)`` returns a fitted classifier.

    Returns
    -------
    dict of DataFrame
        trial, truth, prediction, in time order, by (training part, test part).
    """
    bout, label = trials["bout"].to_numpy(), trials["label"].to_numpy()
    names = list(dict.fromkeys(part))
    blocks = min(FOLDS, *(len(np.unique(bout[part == name])) for name in names))
    block = np.empty(len(part), dtype=int)
    for name in names:
        block[part == name] = contiguous_blocks(bout[part == name], blocks)
    prediction = {name: np.empty(len(part), dtype=object) for name in names}
    for name, now in product(names, range(blocks)):
        train, test = (part == name) & (block != now), block == now
        if len(np.unique(label[train])) < 2:
            raise DataError(
                f"Without a block of its bouts {name} has fewer than two classes to train on; "
                "decode labels that are spread over the recording."
            )
        prediction[name][test] = fit(X[train], trials[train]).predict(X[test])
    frame = trials[["trial", "label"]].rename(columns={"label": "truth"})
    return {
        (train, test): frame.assign(prediction=prediction[train])[part == test]
        for train, test in product(names, names)
    }


def session_table(
    recording: Recording, trials: pd.DataFrame, features_of: Callable, protocol: Protocol
) -> pd.DataFrame:
    """Train on each session and test on each.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones are decoded, of classes that every part has often enough.
    features_of : callable
        ``features_of(recording, used)`` returns features by name; `protocol.feature` is seen.
    protocol : Protocol

    Returns
    -------
    DataFrame
        A row per pair of parts, within and across: train, test, n_training, what
        `neuro2voc.evaluation.summary` returns, null_mean, null_low, null_high, null_replicates, p,
        smallest_effect (missing without surrogates) and, the same in all rows, loss, loss_low,
        loss_high. No row where there is one part, a part of one bout, or fewer than two classes
        common to all.
    """
    used = used_trials(trials, recording.name)
    part = parts_of(used)
    kept = common_trials(used, part, protocol.trials["folds"])
    bouts = used[kept].groupby(part[kept])["bout"].nunique()
    if len(bouts) < 2 or bouts.min() < 2 or used["label"][kept].nunique() < 2:
        return pd.DataFrame(columns=["train", "test"])
    model, grid = make_decoder(protocol.decoder, protocol.seed, protocol.feature)
    fit, chosen = tuned_fit(model, grid, "blocked", protocol.inner_folds, protocol.seed)
    X = features_of(recording, used)[protocol.feature]
    cells = transfer(X[kept], used[kept], part[kept], fit)
    again = fixed_fit(model, commonest(chosen))
    null: dict[tuple[str, str], list[float]] = {pair: [] for pair in cells}
    for bird, own in shifted_birds(recording, trials, protocol):
        X = features_of(bird, own)[protocol.feature]
        for pair, frame in transfer(X[kept], own[kept], part[kept], again).items():
            score = sum_up(frame, own, 1, protocol.seed)["balanced_accuracy"]
            null[pair].append(score)
    size = pd.Series(part[kept]).value_counts()
    rows = []
    for (train, test), frame in cells.items():
        row = {"train": train, "test": test, "n_training": int(size[train])}
        row |= sum_up(frame, used, protocol.resamples, protocol.seed)
        rows.append(row | cell_beside_null(row, null[train, test]))
        log.info("%s to %s: balanced accuracy %.3f", train, test, row["balanced_accuracy"])
    lost = loss_across(cells, used, protocol.resamples, protocol.seed)
    return pd.DataFrame(rows).assign(loss=lost.mean, loss_low=lost.low, loss_high=lost.high)


def loss_across(cells: Cells, trials: pd.DataFrame, resamples: int, seed: int) -> Loss:
    """Return how much balanced accuracy is lost from within to across parts.

    The interval resamples the bouts of every test part, the same ones for all training parts;
    that training would come out differently on other bouts is not in it.
    """
    bout_of = trials.set_index("trial")["bout"]
    labels = sorted(trials["label"].unique())
    rng = np.random.default_rng(seed)
    means, draws = [], []
    for test in dict.fromkeys(test for _, test in cells):
        trains = [test, *(a for a, b in cells if b == test and a != test)]
        counts = np.stack([_by_bout(cells[a, test], bout_of, labels) for a in trains])
        bouts = counts.shape[1]
        weights = rng.multinomial(bouts, np.full(bouts, 1 / bouts), size=resamples)
        resampled = np.einsum("rb,tbij->rtij", weights, counts)
        for sums, into in ((counts.sum(axis=1)[None], means), (resampled, draws)):
            scores = balanced_accuracy(sums)
            into.append(scores[:, 0] - scores[:, 1:].mean(axis=1))
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    return Loss(float(np.mean(means)), float(low), float(high))


def _by_bout(frame: pd.DataFrame, bout_of: pd.Series, labels: list[str]) -> np.ndarray:
    """Confusion matrices (bouts, K, K) of the bouts in `frame`, in order."""
    bout = bout_of.loc[frame["trial"]].to_numpy()
    return np.stack(
        [
            confusion(frame["truth"][bout == name], frame["prediction"][bout == name], labels)
            for name in np.unique(bout)
        ]
    )
