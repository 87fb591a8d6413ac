"""When each unit speaks for which syllable: SHAP values of moving windows.

One multi-class model per fold sees every unit in every moving window and is explained on its
held-out trials, as in `neuro2voc.attribution`; here each unit and window is a player of its own.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from neuro2voc.attribution import MODEL, contributions
from neuro2voc.binning import PER_SECOND, Window
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoders import Boosted
from neuro2voc.decoding import cross_decode, outer_folds
from neuro2voc.growing import previous_baseline
from neuro2voc.hubs import against_null
from neuro2voc.inclusion import describe_units
from neuro2voc.moving import moving_counts, moving_window
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.subsets import score
from neuro2voc.trials import START, sung, used_trials

log = logging.getLogger(__name__)

EVERY = ""  # stands for the mean over all syllables where a table names a syllable
MEASURES = ("evidence", "importance")
ROWS = 128  # trials explained at once; of thousands of columns, the values of all would take GBs


def explained_window(windows: Mapping) -> Window:
    """Return the window called `moving`, its bins overlapping by no more than half.

    A spike lies in at most two bins then. In finer steps neighbouring bins hold nearly the same
    spikes, trees choose among them by accident, and one credit is spread thinly over many columns.
    """
    window = moving_window(windows)
    return replace(window, step=max(window.step or window.bin, window.bin / 2))


def shap_time(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure what each unit says for each syllable in each moving window.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
        Its null seeds are those of the shifted surrogates.

    Returns
    -------
    cells : DataFrame
        A row per syllable, unit and window: syllable (first '', the mean over all syllables),
        unit, depth (µm from the tip), location, start, stop (s from the alignment), evidence and
        importance (nats, see `mean_contributions`), and of each _null_mean, _null_low, _null_high,
        _t and _p over shifted surrogates (missing without any). p is family-wise (see
        `against_null`): over all units and windows for '', over all syllables, units and windows
        for the rest.
    times : DataFrame
        A row per syllable and window: the same of sums over units; and, the same in every row,
        balanced_accuracy (of the models), chance, previous (balanced accuracy of the previous
        syllable alone), silence (s, median between a syllable and the one before it in its bout),
        n_trials, n_bouts, null_replicates.

    Raises
    ------
    DataError
        There is no window called `moving`, or without some fold one class only is left.
    """
    window = explained_window(windows)
    used = used_trials(trials)
    found, accuracy = explain_windows(recording, used, split, window, protocol.seed)
    log.info("%d units, %d windows: balanced accuracy %.3f", *found.shape[2:], accuracy)
    null = [
        explain_windows(bird, shifted, split, window, protocol.seed)[0]
        for bird, shifted in shifted_birds(recording, trials, protocol)
    ]
    null = np.array(null) if null else np.zeros((0, *found.shape))
    held = used[outer_folds(used, split) != NONE]
    syllables = pd.DataFrame({"syllable": [EVERY, *sorted(held["label"].unique())]})
    bins = {"start": window.bin_starts / PER_SECOND, "stop": window.bin_stops / PER_SECOND}
    units = describe_units(recording)[["unit", "depth", "location"]]
    cells = syllables.merge(units, how="cross").merge(pd.DataFrame(bins), how="cross")
    times = syllables.merge(pd.DataFrame(bins), how="cross")
    return cells.assign(**_beside(found, null)), times.assign(
        **_beside(found.sum(axis=2), null.sum(axis=3)),
        balanced_accuracy=accuracy,
        chance=1 / held["label"].nunique(),
        previous=previous_baseline(trials, split, protocol)["balanced_accuracy"],
        silence=silence_before(trials),
        n_trials=len(held),
        n_bouts=held["bout"].nunique(),
        null_replicates=len(null),
    )


def explain_windows(
    recording: Recording, used: pd.DataFrame, split: pd.DataFrame, window: Window, seed: int
) -> tuple[np.ndarray, float]:
    """Explain a bird's held-out trials by the counts of all units in all bins.

    Returns
    -------
    measures : ndarray (2, 1 + K, units, bins)
        Those of `MEASURES`: first their mean over the K syllables, then each syllable's.
    balanced_accuracy : float
        Of the models.
    """
    X = moving_counts(recording, used, window)
    fold = outer_folds(used, split)
    measures, accuracy = mean_contributions(X.reshape(len(X), -1), used, fold, seed)
    measures = np.concatenate([measures.mean(axis=1, keepdims=True), measures], axis=1)
    return measures.reshape(*measures.shape[:2], *X.shape[1:]), accuracy


def mean_contributions(
    X: np.ndarray, used: pd.DataFrame, fold: np.ndarray, seed: int
) -> tuple[np.ndarray, float]:
    """Average SHAP values of held-out trials, keeping those of a few trials at a time.

    Models and values are those of `neuro2voc.attribution.explain`. A syllable that a fold's
    training trials lack gets nothing in that fold.

    Parameters
    ----------
    X : ndarray (trials, columns)
        NaN where missing.
    used : DataFrame
        trial, label, bout.
    fold : ndarray (trials,)
        -1: neither trained on nor explained.
    seed : int
        Of the trees.

    Returns
    -------
    measures : ndarray (2, K, columns)
        In nats, for each syllable in sorted order. Evidence: over the syllable's own trials, the
        mean of what a column adds to the syllable's margin, less what it adds to the mean of all
        margins; 0 on average where the column knows nothing, and its sum over columns is how far
        the margin of the truth rises above the others. Importance: the mean |SHAP value| for the
        syllable's margin over all trials, all syllables weighing alike; a model that knows nothing
        has it too.
    balanced_accuracy : float
        Of the models.
    """
    models = []

    def fit(X: np.ndarray, trials: pd.DataFrame) -> Boosted:
        models.append(Boosted(**MODEL, seed=seed).fit(X, trials["label"].to_numpy(dtype=object)))
        return models[-1]

    accuracy = score(cross_decode(X, used, fold, fit), used)
    held = fold != NONE
    labels, truth, number = np.unique(
        used["label"].to_numpy(dtype=object)[held], return_inverse=True, return_counts=True
    )
    X, fold, classes = X[held], fold[held], np.arange(len(labels))
    evidence, importance = np.zeros((2, len(labels), X.shape[1]))
    for now, model in zip(np.unique(fold), models, strict=True):
        place = np.searchsorted(labels, model.classes_)
        test = np.flatnonzero(fold == now)
        for rows in np.split(test, range(ROWS, len(test), ROWS)):
            values = contributions(model, X[rows])[:, :, :-1]
            own = truth[rows, None] == classes
            # The model's own margins; a syllable that it does not know gets nothing.
            sign = (own[:, place] - 1 / len(place)) * own[:, place].any(axis=1, keepdims=True)
            for_truth = np.einsum("nk,nkc->nc", sign, values)
            evidence += (own / number).T @ for_truth
            weight = 1 / (number[truth[rows]] * len(labels))
            importance[place] += np.tensordot(weight, np.abs(values), axes=1)
    return np.stack([evidence, importance]), accuracy


def silence_before(trials: pd.DataFrame) -> float:
    """Return the median time (s) between a used syllable and the one before it in its bout.

    0 where syllables adjoin; NaN where no syllable has one before it.
    """
    sounds = sung(trials)
    follows = (sounds["used"] == 1) & (sounds["previous"] != START)
    return float((sounds["onset"] - sounds["offset"].shift())[follows].median())


def _beside(found: np.ndarray, null: np.ndarray) -> dict[str, np.ndarray]:
    """Put measures (2, 1 + K, ...) beside those of surrogates (R, 2, 1 + K, ...), flat."""
    columns = {}
    for number, name in enumerate(MEASURES):
        score, surrogates = found[number], null[:, number]
        t, p = np.full((2, *score.shape), np.nan)
        # The mean over syllables, which comes first, is judged by itself.
        for family in (slice(0, 1), slice(1, None)):
            part = score[family].ravel()
            tested = against_null(part, surrogates[:, family].reshape(len(null), part.size))
            t[family], p[family] = (values.reshape(score[family].shape) for values in tested)
        seen = surrogates if len(null) else np.full((1, *score.shape), np.nan)
        columns[name] = score
        columns[f"{name}_null_mean"] = seen.mean(axis=0)
        columns[f"{name}_null_low"], columns[f"{name}_null_high"] = (
            seen.min(axis=0),
            seen.max(axis=0),
        )
        columns[f"{name}_t"], columns[f"{name}_p"] = t, p
    return {name: values.ravel() for name, values in columns.items()}
