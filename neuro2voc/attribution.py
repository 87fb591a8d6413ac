"""Which units speak for which syllable: SHAP values and interactions of boosted trees.

One multi-class model per fold is fitted to the other folds and explained on its own trials, which
it has not seen. Values are of margins: what the softmax turns into probabilities, so that a margin
is the logarithm of a syllable's probability but for a term that all syllables share. Trials are
weighed so that all syllables count alike.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost

from neuro2voc.decoders import Boosted
from neuro2voc.errors import DataError
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.splits import NONE
from neuro2voc.tree_interactions import pair_interactions, pair_number, pair_of_number

log = logging.getLogger(__name__)

# Nothing is tuned, so that a bird and its surrogates are explained by models of the same kind.
# Three levels let a tree find pairs of which neither unit says anything alone. That each tree sees
# half of the trials was chosen on four simulated birds with planted pairs; results/shap_truth is
# made of others.
MODEL = {"max_depth": 3, "rounds": 100, "rate": 0.2, "rows": 0.5}


@dataclass(frozen=True)
class Explanation:
    """What a model made of every held-out trial.

    Attributes
    ----------
    trials : DataFrame
        trial, bout, fold, truth, prediction and weight (they sum to 1; all syllables weigh alike):
        a row per explained trial, in time order.
    labels : list of str
        The syllables (K), sorted.
    values : ndarray (trials, columns, K)
        SHAP values (nats). NaN for a syllable that the fold's training trials lack.
    expected : ndarray (trials, K)
        The model's mean margin; with the sum of the values it is the trial's margin.
    features : ndarray (trials, columns)
        What the model saw; NaN where a unit was not observed.
    unit : ndarray (columns,)
        The number of the player each column belongs to: its unit, or, in a bird of one unit, its
        bin of time.
    absolute, signed : ndarray (K, units, units)
        Mean |interaction| and mean interaction of every two players, symmetric, for each syllable's
        margin; 0 on the diagonal.
    evidence : ndarray (units, units)
        Each player's half of what their joint pattern adds to the margin of the syllable that was
        sung, less what it adds to the mean of all margins: their interaction for the truth.
        Trials of a syllable that the fold's training trials lack add 0.
    hub_of_bout, evidence_of_bout : ndarray (bouts, units)
        What the rows of the mean over syllables of `absolute`, and of `evidence`, sum to in each
        bout: their sums over bouts are the rows' sums.
    """

    trials: pd.DataFrame
    labels: list[str]
    values: np.ndarray
    expected: np.ndarray
    features: np.ndarray
    unit: np.ndarray
    absolute: np.ndarray
    signed: np.ndarray
    evidence: np.ndarray
    hub_of_bout: np.ndarray
    evidence_of_bout: np.ndarray

    @property
    def balanced_accuracy(self) -> float:
        """Of the models on their held-out trials."""
        trials = self.trials
        return balanced_accuracy(confusion(trials["truth"], trials["prediction"], self.labels))

    @property
    def of_units(self) -> np.ndarray:
        """Values (trials, units, K) summed over each player's columns."""
        first = np.flatnonzero(np.diff(self.unit, prepend=-1))
        return np.add.reduceat(self.values, first, axis=1)

    @property
    def cells(self) -> np.ndarray:
        """Mean |SHAP value| (K, units): how much each player moves each syllable's margin."""
        return weighed_mean(np.abs(self.of_units), self.trials["weight"].to_numpy()).T

    @property
    def importance(self) -> np.ndarray:
        """Mean |SHAP value| (units,) over all syllables' margins."""
        return self.cells.mean(axis=0)

    @property
    def hub(self) -> np.ndarray:
        """Hub score (units,): the sum of a player's mean |interactions| with all others."""
        return self.absolute.mean(axis=0).sum(axis=1)

    @property
    def joint_evidence(self) -> np.ndarray:
        """Sum (units,) of a player's evidence with all others."""
        return self.evidence.sum(axis=1)


def weighed_mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return means (...) of values (trials, ...) by weight (trials,) over what is not NaN."""
    weight = weight.reshape(-1, *[1] * (values.ndim - 1)) * ~np.isnan(values)
    total = weight.sum(axis=0)
    mean = np.full(total.shape, np.nan)
    return np.divide(np.nansum(values * weight, axis=0), total, out=mean, where=total > 0)


def explain(X: np.ndarray, used: pd.DataFrame, fold: np.ndarray, seed: int) -> Explanation:
    """Fit a model without each fold, and explain it on that fold's trials.

    Parameters
    ----------
    X : ndarray (trials, units, columns per unit)
        NaN where a unit was not observed.
    used : DataFrame
        The used trials: trial, label, bout.
    fold : ndarray (trials,)
        -1: neither trained on nor explained.
    seed : int
        Of the trees.

    Raises
    ------
    DataError
        The training part of a fold holds one class only.
    """
    units, columns = X.shape[1:]
    unit = np.arange(columns) if units == 1 else np.repeat(np.arange(units), columns)
    held = fold != NONE
    X, trials = X[held].reshape(held.sum(), -1), _weighed(used[held], fold[held])
    labels = sorted(trials["truth"].unique())
    shape = (len(X), X.shape[1], len(labels))
    values, expected = np.full(shape, np.nan), np.full((shape[0], shape[2]), np.nan)
    guess = np.full(len(X), None, dtype=object)
    pairs = _Pairs(trials, labels, unit.max() + 1)
    for now in np.unique(trials["fold"]):
        train, test = (trials["fold"] != now).to_numpy(), (trials["fold"] == now).to_numpy()
        model = _fit(X[train], trials["truth"][train], now, seed)
        guess[test] = model.predict(X[test])
        place = np.searchsorted(labels, model.classes_)
        found = contributions(model, X[test])
        values[np.ix_(test, np.arange(shape[1]), place)] = found[:, :, :-1].transpose(0, 2, 1)
        expected[np.ix_(test, place)] = found[:, :, -1]
        pairs.add(model, X[test], np.flatnonzero(test), place, unit)
    return Explanation(
        trials=trials.assign(prediction=guess),
        labels=labels,
        values=values,
        expected=expected,
        features=X,
        unit=unit,
        **pairs.summary(),
    )


def _weighed(used: pd.DataFrame, fold: np.ndarray) -> pd.DataFrame:
    """Return trial, bout, fold, truth and weight: all syllables weigh alike."""
    number = used.groupby("label")["label"].transform("size").to_numpy()
    return pd.DataFrame(
        {
            "trial": used["trial"].to_numpy(),
            "bout": used["bout"].to_numpy(),
            "fold": fold,
            "truth": used["label"].to_numpy(dtype=object),
            "weight": 1 / (number * used["label"].nunique()),
        }
    )


def _fit(X: np.ndarray, label: pd.Series, fold: int, seed: int) -> Boosted:
    if label.nunique() < 2:
        raise DataError(
            f"Without fold {fold} fewer than two classes are left to train on; lower `folds`, or "
            "decode labels that are spread over the recording."
        )
    return Boosted(**MODEL, seed=seed).fit(X, label.to_numpy(dtype=object))


def margin_of_class(model: Boosted) -> list[tuple[int, float]]:
    """Return, for each class, the number of its margin and the factor it comes with.

    With two classes XGBoost has one margin, the logarithm of the odds: half of it speaks for the
    second class, and half against the first.
    """
    if len(model.classes_) == 2:
        return [(0, -0.5), (0, 0.5)]
    return [(number, 1.0) for number in range(len(model.classes_))]


def contributions(model: Boosted, X: np.ndarray) -> np.ndarray:
    """Return exact SHAP values and, last, the mean margin (trials, classes, columns + 1) in nats.

    They are path-dependent tree SHAP values (Lundberg et al. 2020, Nat. Mach. Intell. 2:56), by
    XGBoost.
    """
    booster = model.booster_.get_booster()
    found = booster.predict(xgboost.DMatrix(X, nthread=1), pred_contribs=True)
    found = found.reshape(len(X), -1, X.shape[1] + 1).astype(np.float64)
    return np.stack(
        [factor * found[:, margin] for margin, factor in margin_of_class(model)], axis=1
    )


class _Pairs:
    """Sums of interactions over trials; the values of single trials are not kept."""

    def __init__(self, trials: pd.DataFrame, labels: list[str], units: int):
        self.truth = np.searchsorted(labels, trials["truth"].to_numpy(dtype=str))
        self.weight = trials["weight"].to_numpy()
        self.bout = np.unique(trials["bout"], return_inverse=True)[1]
        bouts, pairs = self.bout.max() + 1, units * (units + 1) // 2
        self.units, self.classes = units, len(labels)
        self.absolute, self.signed = np.zeros((2, len(labels), pairs))
        self.evidence = np.zeros(pairs)
        self.hub_of_bout, self.evidence_of_bout = np.zeros((2, bouts, units))

    def add(
        self, model: Boosted, X: np.ndarray, row: np.ndarray, place: np.ndarray, unit: np.ndarray
    ) -> None:
        """Add a fold: its model, features, rows among all trials, and the places of its classes."""
        margins = margin_of_class(model)
        for margin, rows, pair, values in pair_interactions(model.booster_.get_booster(), X, unit):
            now = row[rows]
            apart = np.diff(pair_of_number(pair), axis=0)[0] != 0
            # The margin of the truth less the mean of the model's margins; a trial of a syllable
            # that the model has no margin for is evidence of nothing.
            truth = self.truth[now]
            known = np.isin(truth, place) / len(place)
            for index in np.flatnonzero([number == margin for number, _ in margins]):
                label, factor = place[index], margins[index][1]
                judged = self.weight[now] * ((truth == label) - known)
                self._add_class(label, factor * values, pair, now, apart, judged)

    def _add_class(
        self,
        label: int,
        values: np.ndarray,
        pair: np.ndarray,
        row: np.ndarray,
        apart: np.ndarray,
        judged: np.ndarray,
    ) -> None:
        weight, size = self.weight[row], np.abs(values)
        self.absolute[label, pair] += size @ weight
        self.signed[label, pair] += values @ weight
        self.evidence[pair] += values @ judged
        first, second = pair_of_number(pair[apart])
        for total, each in (
            (self.hub_of_bout, size[apart] * weight / self.classes),
            (self.evidence_of_bout, values[apart] * judged),
        ):
            bouts, start = np.unique(self.bout[row], return_index=True)
            per_bout = np.add.reduceat(each, start, axis=1).T
            for players in (first, second):
                np.add.at(total, (bouts[:, None], players), per_bout)

    def summary(self) -> dict[str, np.ndarray]:
        """Return what an `Explanation` says of pairs."""
        return {
            "absolute": _square(self.absolute, self.units),
            "signed": _square(self.signed, self.units),
            "evidence": _square(self.evidence, self.units),
            "hub_of_bout": self.hub_of_bout,
            "evidence_of_bout": self.evidence_of_bout,
        }


def _square(pairs: np.ndarray, units: int) -> np.ndarray:
    """Return (..., units, units), symmetric with 0 on the diagonal, of (..., pairs)."""
    first, second = np.tril_indices(units, -1)
    square = np.zeros((*pairs.shape[:-1], units, units))
    square[..., first, second] = pairs[..., pair_number(first, second)]
    return square + square.swapaxes(-1, -2)
