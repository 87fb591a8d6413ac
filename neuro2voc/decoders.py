"""Classical decoders as scikit-learn pipelines, each with the few settings that are tuned.

All weigh classes equally, because balanced accuracy does. Unobserved units (NaN) take the training
mean. Every fitted step is part of the pipeline, so that it is fitted inside the training folds.
"""

import numpy as np
import xgboost
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight

from neuro2voc.configuration import DECODERS
from neuro2voc.discriminant import Discriminant
from neuro2voc.errors import DataError, nearest


def make_decoder(name: str, seed: int, feature: str = "") -> tuple[Pipeline, dict[str, list]]:
    """Return a decoder and the grid of settings to choose from, in order from simple to flexible.

    Parameters
    ----------
    name : str
        One of `neuro2voc.configuration.DECODERS`.
    seed : int
        Of the trees.
    feature : str
        What it is to see. For 'tfidf' the weighing of units is a fitted step of the pipeline.

    Raises
    ------
    DataError
        There is no such decoder.
    """
    first = [("impute", SimpleImputer(keep_empty_features=True))]
    if feature == "tfidf":
        # As defined by Salton & Buckley (1988, Inf. Process. Manag. 24:513): syllables are
        # documents, units are words.
        first += [("tfidf", TfidfTransformer()), ("dense", FunctionTransformer(_dense))]
    scale = ("scale", StandardScaler())
    if name == "logistic":
        model = LogisticRegression(class_weight="balanced", max_iter=2000)
        return Pipeline([*first, scale, ("model", model)]), {"model__C": [0.001, 0.01, 0.1, 1.0]}
    if name == "svm":
        # Ties broken by decision values, so that predictions agree with the probabilities.
        model = SVC(class_weight="balanced", break_ties=True)
        grid = {"model__C": [1.0, 10.0], "model__gamma": ["scale", 0.001]}
        return Pipeline([*first, scale, ("model", model)]), grid
    if name == "xgboost":
        # Trees need no scaling and take missing values as they are.
        first = first if feature == "tfidf" else []
        return Pipeline([*first, ("model", Boosted(seed=seed))]), {"model__max_depth": [1, 3]}
    if name == "forest":
        # "balanced" fails on labels that look like numbers (scikit-learn 1.9.1); this does not.
        # In a leaf of one trial weights count for nothing, and common classes win.
        model = RandomForestClassifier(
            200,
            class_weight="balanced_subsample",
            min_samples_leaf=3,
            n_jobs=1,
            random_state=seed % 2**32,
        )
        return Pipeline([*first, ("model", model)]), {"model__min_samples_leaf": [10, 3]}
    if name == "bayes":
        # A unit that is silent in a syllable has no variance there; without a floor (here in units
        # of the variance over all trials), one spike would exclude the syllable for ever.
        grid = {"model__var_smoothing": [1.0, 1e-1, 1e-2]}
        return Pipeline([*first, scale, ("model", EvenBayes())]), grid
    if name == "lda":
        return Pipeline([*first, ("model", Discriminant())]), {}
    raise DataError(
        f"there is no decoder '{name}'{nearest(name, DECODERS)} (there are: {', '.join(DECODERS)})."
    )


def _dense(X) -> np.ndarray:
    return X.toarray() if issparse(X) else X


class EvenBayes(GaussianNB):
    """Gaussian naive Bayes with equal priors, whatever the classes in training."""

    def fit(self, X, y) -> "EvenBayes":
        """Fit to features X (trials, columns) and labels y (trials,)."""
        n = len(np.unique(y))
        self.priors = np.full(n, 1 / n)
        super().fit(X, y)
        self.var_ += np.finfo(float).eps  # where no column varies at all
        return self


class Boosted(ClassifierMixin, BaseEstimator):
    """XGBoost on labels of any kind, of which some may be missing from a training fold.

    Parameters
    ----------
    max_depth : int
        Of each tree.
    rounds : int
        Trees per class.
    rate : float
        Learning rate.
    rows : float
        Share of the trials that each tree sees.
    seed : int
        For the subsampling of rows and columns.

    Attributes
    ----------
    classes_ : ndarray (K,)
        Labels seen in training, sorted.
    booster_ : xgboost.XGBClassifier
        Fitted to label numbers.
    """

    def __init__(
        self,
        max_depth: int = 3,
        rounds: int = 60,
        rate: float = 0.2,
        rows: float = 0.8,
        seed: int = 0,
    ):
        self.max_depth = max_depth
        self.rounds = rounds
        self.rate = rate
        self.rows = rows
        self.seed = seed

    def fit(self, X, y) -> "Boosted":
        """Fit to features X (trials, columns), NaN where missing, and labels y (trials,)."""
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        self.booster_ = xgboost.XGBClassifier(
            max_depth=self.max_depth,
            n_estimators=self.rounds,
            learning_rate=self.rate,
            subsample=self.rows,
            colsample_bytree=0.5,
            tree_method="hist",
            max_bin=32,  # counts have few values
            n_jobs=1,
            random_state=self.seed % 2**31,
        )
        weight = compute_sample_weight("balanced", y)
        self.booster_.fit(X, encoder.transform(y), sample_weight=weight)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Return the probabilities (trials, K) of the labels in `classes_`."""
        return self.booster_.predict_proba(X)

    def predict(self, X) -> np.ndarray:
        """Return the likeliest label of each trial."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
