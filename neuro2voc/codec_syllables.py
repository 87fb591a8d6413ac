"""Which syllables a codec's rates still tell, beside the counts that they were made of."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from neuro2voc.binning import PER_SECOND, Window
from neuro2voc.codec import FittedCodec, decode
from neuro2voc.decoding import outer_folds, sum_up
from neuro2voc.discriminant import Discriminant
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.splits import NONE
from neuro2voc.stretches import Stretch

# Rates or counts (units, bins) of a stretch, by the fold that is held out and the stretch's number.
RatesOf = Callable[[int, int], np.ndarray]


def places(
    parts: Sequence[Stretch], trials: pd.DataFrame, window: Window, bin: float
) -> np.ndarray:
    """Return the stretch and first bin (trials, 2) of each trial's window, -1 where none holds it.

    Windows begin at the nearest bin.
    """
    found = np.full((len(trials), 2), -1)
    align = trials["offset" if window.align == "offset" else "onset"].to_numpy()
    length = window.bin_stops[-1] - window.bin_starts[0]
    bins = round(length / PER_SECOND / bin)
    for number, part in enumerate(parts):
        first = np.rint((align + window.bin_starts[0] / PER_SECOND - part.start) / bin).astype(int)
        inside = (first >= 0) & (first + bins <= part.values.shape[1])
        found[inside] = np.c_[np.full(inside.sum(), number), first[inside]]
    return found


def boxes(
    values: Sequence[np.ndarray], place: np.ndarray, window: Window, bin: float
) -> np.ndarray:
    """Return activity of trials (trials, units times boxes), summed over the window's bins.

    Parameters
    ----------
    values : sequence of ndarray (units, bins)
        Of each stretch.
    place : ndarray (trials, 2)
        See `places`; each within a stretch.
    window : Window
    bin : float
        s.
    """
    begins = np.rint((window.bin_starts - window.bin_starts[0]) / PER_SECOND / bin).astype(int)
    width = max(1, round(window.bin / bin))
    rows = []
    for number, first in place:
        bins = first + begins[:, None] + np.arange(width)
        rows.append(values[number][:, bins].sum(axis=2).ravel())
    return np.array(rows, dtype=float)


def held_out_labels(
    rates_of: RatesOf,
    stretches: int,
    folds: np.ndarray,
    label: np.ndarray,
    place: np.ndarray,
    window: Window,
    bin: float,
) -> np.ndarray:
    """Predict each trial's label by a linear discriminant of the other folds' trials.

    Returns
    -------
    ndarray (trials,) of object
        None where a trial has no fold.
    """
    prediction = np.full(len(label), None, dtype=object)
    for fold in np.unique(folds[folds != NONE]):
        X = boxes([rates_of(fold, one) for one in range(stretches)], place, window, bin)
        known, asked = (folds != fold) & (folds != NONE), folds == fold
        mean = np.nan_to_num(np.nanmean(X[known], axis=0))
        X = np.where(np.isnan(X), mean, X)
        prediction[asked] = Discriminant().fit(X[known], label[known]).predict(X[asked])
    return prediction


def syllable_rows(
    parts: Sequence[Stretch],
    codecs: Mapping[int, FittedCodec],
    codes: Mapping[int, Sequence[np.ndarray]],
    books: Sequence[int],
    trials: pd.DataFrame,
    split: pd.DataFrame,
    window: Window,
    resamples: int,
    seed: int,
    permutations: int,
) -> list[dict]:
    """Decode syllables from counts and from rates of so many codebooks.

    Each fold's trials are decoded from rates of the codec that was trained without that fold, by a
    discriminant that saw the other folds' trials through the same codec. Trials of a fold without a
    codec are left out.

    Parameters
    ----------
    parts, codecs, codes
        Of `neuro2voc.codec_measures.judge`: by fold, a codec, and codes of all stretches.
    books : sequence of int
    trials : DataFrame
        The used trials.
    split : DataFrame
    window : Window
    resamples, seed : int
        Of the bootstrap over bouts.
    permutations : int
        Of labels within folds: the null of counts, and of rates of all codebooks.

    Returns
    -------
    list of dict
        codebooks (0: counts), balanced_accuracy, accuracy_low, accuracy_high, chance, n_trials;
        null_low, null_high where there is a null.
    """
    bin = next(iter(codecs.values())).bin
    place = places(parts, trials, window, bin)
    trials, place = trials[place[:, 0] >= 0], place[place[:, 0] >= 0]
    folds, label = outer_folds(trials, split), trials["label"].to_numpy().astype(object)
    folds = np.where(np.isin(folds, list(codecs)), folds, NONE)
    rng = np.random.default_rng(seed)
    shuffled = [_within(folds, label, rng) for _ in range(permutations)]

    def predicted(books: int, label: np.ndarray) -> pd.DataFrame:
        def rates_of(fold: int, stretch: int) -> np.ndarray:
            if not books:
                return parts[stretch].values
            return decode(codecs[fold], codes[fold][stretch][:, :books])

        found = held_out_labels(rates_of, len(parts), folds, label, place, window, bin)
        held = folds != NONE
        about = {"trial": trials["trial"].to_numpy()[held], "truth": label[held]}
        return pd.DataFrame({**about, "prediction": found[held]})

    rows = []
    for number in (0, *books):
        scores = sum_up(predicted(number, label), trials, resamples, seed)
        row = {
            "codebooks": number,
            "balanced_accuracy": scores["balanced_accuracy"],
            "accuracy_low": scores["low"],
            "accuracy_high": scores["high"],
            "chance": scores["chance"],
            "n_trials": scores["n_trials"],
        }
        if permutations and number in (0, max(books)):
            null = [_score(predicted(number, other)) for other in shuffled]
            row |= {"null_low": min(null), "null_high": max(null)}
        rows.append(row)
    return rows


def _score(frame: pd.DataFrame) -> float:
    names = frame["truth"].unique()
    return float(balanced_accuracy(confusion(frame["truth"], frame["prediction"], names)))


def _within(folds: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return labels permuted within folds."""
    mixed = label.copy()
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        mixed[rows] = label[rng.permutation(rows)]
    return mixed
