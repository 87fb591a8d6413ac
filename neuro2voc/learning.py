"""Learning curves: what decoders make of fewer bouts, and whether more would help."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from neuro2voc.curves import Protocol, null_scores
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import commonest, cross_decode, fixed_fit, outer_folds, sum_up, tuned_fit
from neuro2voc.differences import difference_over_bouts
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.nulls import cell_beside_null
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

THESIS_DECODERS = ("bayes", "svm")  # whose learning curves the thesis drew


def drawn_bouts(trials: pd.DataFrame, part: float, rng: np.random.Generator) -> np.ndarray:
    """Draw whole bouts at random and return which trials (trials,) lie in them.

    Parameters
    ----------
    trials : DataFrame
        Training trials, with bout and label.
    part : float
        Of the bouts, above 0 and at most 1. More are drawn where so few hold one class only.
    rng : Generator
    """
    bout = trials["bout"].to_numpy()
    order = rng.permutation(np.unique(bout))
    number = max(1, round(part * len(order)))
    while True:
        drawn = np.isin(bout, order[:number])
        if number >= len(order) or trials["label"][drawn].nunique() > 1:
            return drawn
        number += 1


def learning_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    features_of: Callable,
    decoders: list[str],
    parts: list[float],
    repeats: int,
    protocol: Protocol,
) -> pd.DataFrame:
    """Train decoders on parts of the bouts of the training folds.

    Settings are chosen in each fold on all its training bouts, for all parts alike.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
        See `neuro2voc.trials.make_trials` and `neuro2voc.splits.make_split`.
    features_of : callable
        ``features_of(recording, used)`` returns features by name; `protocol.feature` is seen.
    decoders : list of str
        The first one's null is computed.
    parts : list of float
        Of the training bouts; the whole is added where it is missing.
    repeats : int
        Draws of each part but the whole.
    protocol : Protocol

    Returns
    -------
    DataFrame
        A row per decoder, part and repeat (from 1): decoder, part, repeat, n_training (trials, mean
        over folds), train (balanced accuracy on what was trained on), what
        `neuro2voc.evaluation.summary` returns of the test folds; for the first decoder on all bouts
        also null_mean, null_low, null_high, null_replicates, p, smallest_effect. Each decoder's row
        on all bouts also has rise, with its 95 % interval rise_low to rise_high over test bouts:
        what all bouts gain over the mean of the draws of the largest part below.
    """
    used = used_trials(trials, recording.name)
    fold = outer_folds(used, split)
    X = features_of(recording, used)[protocol.feature]
    rows = []
    for name in decoders:
        model, grid = make_decoder(name, protocol.seed, protocol.feature)
        fit, chosen = tuned_fit(model, grid, protocol.split, protocol.inner_folds, protocol.seed)
        cross_decode(X, used, fold, fit)
        settings = dict(zip(np.unique(fold[fold != NONE]), chosen, strict=True))
        frames: dict[float, list[pd.DataFrame]] = {}
        for part in sorted({*parts, 1}):
            frames[part] = []
            for repeat in range(1, 1 + (repeats if part < 1 else 1)):
                row = {"decoder": name, "part": part, "repeat": repeat}
                rng = np.random.default_rng([protocol.seed, round(1e6 * part), repeat])
                frame, about = _learn(X, used, fold, model, settings, part, rng)
                score = sum_up(frame, used, protocol.resamples, protocol.seed)
                rows.append(row | about | score)
                frames[part].append(frame)
            log.info("%s, part %g: %.3f", name, part, rows[-1]["balanced_accuracy"])
        rows[-1] |= _rise(frames, used, protocol)
        if name == decoders[0] and protocol.null_seeds:
            null = null_scores(
                recording,
                trials,
                split,
                lambda bird, own: {0: features_of(bird, own)[protocol.feature]},
                {0: commonest(chosen)},
                replace(protocol, decoder=name),
            )[0]
            rows[-1] |= cell_beside_null(rows[-1], null)
    return pd.DataFrame(rows)


def _learn(
    X: np.ndarray,
    used: pd.DataFrame,
    fold: np.ndarray,
    model: BaseEstimator,
    settings: dict[int, dict],
    part: float,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, dict]:
    """Train on a part of every fold's training bouts; return predictions and n_training, train."""
    frames, trained, sizes = [], [], []
    label = used["label"].to_numpy()
    labels = np.unique(label)
    for now, chosen in settings.items():
        train = np.flatnonzero((fold != now) & (fold != NONE))
        train = train[drawn_bouts(used.iloc[train], part, rng)]
        fitted = fixed_fit(model, chosen)(X[train], used.iloc[train])
        said = fitted.predict(X[train])
        trained.append(balanced_accuracy(confusion(label[train], said, labels)))
        sizes.append(len(train))
        test = fold == now
        frame = used.loc[test, ["trial", "label"]].rename(columns={"label": "truth"})
        frames.append(frame.assign(prediction=fitted.predict(X[test])))
    return pd.concat(frames), {"n_training": np.mean(sizes), "train": np.mean(trained)}


def _rise(frames: dict[float, list[pd.DataFrame]], used: pd.DataFrame, protocol: Protocol) -> dict:
    """Return what the whole gains over the largest part below."""
    if len(frames) < 2:
        return {}
    *_, before, whole = frames.values()
    rise = difference_over_bouts(whole, before, used, protocol.resamples, protocol.seed)
    return {"rise": rise.mean, "rise_low": rise.low, "rise_high": rise.high}


def still_rising(table: pd.DataFrame, decoder: str) -> bool | None:
    """Tell whether the interval of a decoder's rise with the last bouts lies above 0.

    Returns
    -------
    bool or None
        None where there is nothing to compare.
    """
    low = table[table["decoder"] == decoder].iloc[-1].get("rise_low", np.nan)
    return None if np.isnan(low) else bool(low > 0)
