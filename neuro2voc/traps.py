"""A trap, shown shut: what a bird that knows nothing scores under the thesis' protocol.

Rates are counts divided by durations. A count is a whole number, so that a rate gives the duration
away, and durations tell syllables apart. The thesis (arXiv:2502.07800) held out single trials at
random and compared its accuracy with chance; here the same is done to a bird whose neurons fire
alike in all syllables, beside what shows that nothing was decoded from neurons.
"""

import logging

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
from sklearn.svm import SVC
from xgboost import XGBClassifier

from neuro2voc.baselines import duration_only, previous_syllable
from neuro2voc.binning import Window, make_tensor
from neuro2voc.configuration import SYLLABLE
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds, sum_up
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix
from neuro2voc.recording import Recording
from neuro2voc.surrogates import surrogate
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

THESIS_SEED = 42
TEST_SHARE = 0.3
# What the thesis reports for rates; XGBoost's is its cross-validation score, the only one given.
PUBLISHED = {"forest": 0.9171, "xgboost": 0.9620, "svm": 0.7736}
# 100 ms from the onset: about a median syllable, and the same for all.
FIXED = Window("fixed", "onset", 0.0, 0.1, 0.1)
WHOLE = Window(SYLLABLE, SYLLABLE)


def thesis_model(name: str) -> BaseEstimator:
    """Return a classifier with the settings that the thesis used or chose."""
    if name == "forest":
        return RandomForestClassifier(100, random_state=THESIS_SEED, n_jobs=1)
    if name == "xgboost":
        return XGBClassifier(
            max_depth=3, learning_rate=0.1, n_estimators=200, random_state=THESIS_SEED, n_jobs=1
        )
    return SVC(C=10, gamma="scale")


def thesis_accuracy(model: BaseEstimator, X: np.ndarray, label: np.ndarray, share: float) -> float:
    """Return the accuracy on a random share of the trials, fitted to the others.

    Parameters
    ----------
    model : estimator
    X : ndarray (trials, columns)
    label : ndarray (trials,)
    share : float
        Of the trials to test on; the thesis took 0.3 and 0.2, not stratified, with seed 42.

    Raises
    ------
    DataError
        All trials to train on have the same label.
    """
    parts = train_test_split(X, label, test_size=share, random_state=THESIS_SEED)
    train, test, label_train, label_test = parts
    return float((predict_as_thesis(model, train, label_train, test) == label_test).mean())


def predict_as_thesis(
    model: BaseEstimator, train: np.ndarray, label: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Fit a model to labels' numbers, since XGBoost takes no others, and predict labels.

    Parameters
    ----------
    model : estimator
    train, test : ndarray (trials, columns)
    label : ndarray (training trials,)

    Raises
    ------
    DataError
        There is one label only.
    """
    encoder = LabelEncoder().fit(label)
    if len(encoder.classes_) < 2:
        raise DataError(
            f"All trials to train on are of syllable {encoder.classes_[0]}, so nothing can be told "
            "apart; decode labels that are spread over the recording."
        )
    return encoder.inverse_transform(model.fit(train, encoder.transform(label)).predict(test))


def duration_trap(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    null_seeds: list[int],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Decode a bird as the thesis did, and as one should.

    Parameters
    ----------
    recording : Recording
        A bird without tuning.
    trials, split : DataFrame
        Its trials, and folds of whole bouts.
    null_seeds : list of int
        One shifted surrogate each, for the random forest.
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    DataFrame
        protocol ('thesis': accuracy on a random part; 'contract': balanced accuracy, whole bouts
        held out), feature ('rate', 'fixed', 'duration', 'previous'), model, score, low, high,
        null_mean, null_high, reference (share of the commonest syllable, or chance), published.
    """
    used = used_trials(trials, recording.name)
    label = used["label"].to_numpy(dtype=str)
    features = {"rate": _rates(recording, used), "fixed": _fixed(recording, used)}
    duration = (used["offset"] - used["onset"]).to_numpy()[:, None]
    majority = pd.Series(label).value_counts(normalize=True).iloc[0]
    rows = []
    for feature, X in {**features, "duration": duration}.items():
        for model in PUBLISHED if feature != "duration" else ("forest",):
            score = thesis_accuracy(thesis_model(model), X, label, TEST_SHARE)
            published = PUBLISHED[model] if feature == "rate" else np.nan
            row = {"protocol": "thesis", "feature": feature, "model": model, "score": score}
            rows.append(row | {"reference": majority, "published": published})
            log.info("thesis' protocol, %s, %s: %.3f", feature, model, score)
    fold = outer_folds(used, split)
    honest = {
        ("rate", "forest"): (features["rate"], thesis_model("forest")),
        ("fixed", "forest"): (features["fixed"], thesis_model("forest")),
        ("duration", "duration"): (duration, duration_only()),
        ("previous", "previous"): (used[["previous"]].to_numpy(object), previous_syllable()),
    }
    for (feature, model), (X, estimator) in honest.items():
        cell = sum_up(cross_decode(X, used, fold, fixed_fit(estimator)), used, resamples, seed)
        row = {"protocol": "contract", "feature": feature, "model": model}
        row |= {"score": cell["balanced_accuracy"], "low": cell["low"], "high": cell["high"]}
        rows.append(row | {"reference": cell["chance"]})
        log.info("whole bouts held out, %s: %.3f", feature, row["score"])
    return _beside_null(pd.DataFrame(rows), _shifted(recording, used, fold, null_seeds, seed))


def _rates(recording: Recording, used: pd.DataFrame) -> np.ndarray:
    return feature_matrix("rate", make_tensor(recording, used, WHOLE))


def _fixed(recording: Recording, used: pd.DataFrame) -> np.ndarray:
    return feature_matrix("fixed", make_tensor(recording, used, FIXED))


def _shifted(
    recording: Recording, used: pd.DataFrame, fold: np.ndarray, seeds: list[int], seed: int
) -> pd.DataFrame:
    """Balanced accuracy of the forest on shifted birds: feature, score."""
    rows = []
    for number in seeds:
        bird = surrogate(recording, "shifted", number)
        for feature, make in (("rate", _rates), ("fixed", _fixed)):
            fit = fixed_fit(thesis_model("forest"))
            frame = cross_decode(make(bird, used), used, fold, fit)
            rows.append((feature, sum_up(frame, used, 1, seed)["balanced_accuracy"]))
        log.info("surrogate %d of %d", len(rows) // 2, len(seeds))
    return pd.DataFrame(rows, columns=["feature", "score"])


def _beside_null(table: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    scores = null.groupby("feature")["score"].agg(null_mean="mean", null_high="max")
    honest = table["protocol"] == "contract"
    for column in scores:
        table[column] = table["feature"].map(scores[column]).where(honest)
    return table
