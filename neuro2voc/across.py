"""One bird's decoder on another bird's neurons.

Birds have different neurons, so the tested bird's activity is first mapped into the space in which
the trained bird's decoder works: a ridge regression, fitted on training bouts, from its features to
the places where the trained bird's syllables lie. A map that has seen a syllable's label can place
it by itself; *calibrated* scores say that few bouts suffice to use another bird's decoder.
*Transferred* ones say more: there the map is fitted without the two syllables that are then told
apart. Both are compared with the same map under wrong correspondences, in which the trained bird's
syllables change names: only what is better than these is common to the birds.
"""

import logging
from dataclasses import dataclass
from itertools import combinations, islice, permutations, product
from math import factorial

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuro2voc.binning import read_tensor
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.evaluation import p_value, summary
from neuro2voc.features import feature_matrix
from neuro2voc.nulls import null_columns
from neuro2voc.splits import NONE, read_split
from neuro2voc.trials import read_trials, used_trials

log = logging.getLogger(__name__)

ALPHAS = np.logspace(0, 5, 11)  # of the ridge; chosen by leave-one-out within the training trials
LEAST = 5  # trials of a syllable in every bird, below which it is left out
HOWS = {
    "within": "its own decoder",
    "calibrated": "map fitted with all syllables",
    "transferred": "map fitted without the two syllables told apart",
}


@dataclass(frozen=True)
class BirdTrials:
    """What is needed of one bird.

    Attributes
    ----------
    name : str
    X : ndarray (trials, columns)
    label : ndarray (trials,)
        In the names that all birds share.
    fold, bout : ndarray (trials,)
    """

    name: str
    X: np.ndarray
    label: np.ndarray
    fold: np.ndarray
    bout: np.ndarray

    def only(self, rows: np.ndarray) -> "BirdTrials":
        """Return some of the trials."""
        return BirdTrials(
            self.name, self.X[rows], self.label[rows], self.fold[rows], self.bout[rows]
        )


def with_common_labels(birds: list[BirdTrials]) -> list[BirdTrials]:
    """Keep the syllables that all birds have, and the trials that have a fold.

    Raises
    ------
    DataError
        Fewer than two birds, or they share fewer than two syllables.
    """
    if len(birds) < 2:
        raise DataError("`across: birds` names fewer than two birds; name those to compare.")
    birds = [bird.only(bird.fold != NONE) for bird in birds]
    counts = [pd.Series(bird.label).value_counts() for bird in birds]
    common = set.intersection(*({name for name in c.index if c[name] >= LEAST} for c in counts))
    if len(common) < 2:
        raise DataError(
            f"{', '.join(bird.name for bird in birds)} share fewer than two syllables of at least "
            f"{LEAST} trials; say under `across: labels` which of theirs correspond."
        )
    return [bird.only(np.isin(bird.label, sorted(common))) for bird in birds]


def across_birds(
    birds: list[BirdTrials], resamples: int, replicates: int, seed: int
) -> pd.DataFrame:
    """Decode every bird by its own and by every other bird's decoder.

    Parameters
    ----------
    birds : list of BirdTrials
    resamples : int
        Of the bootstrap over the tested bird's bouts.
    replicates : int
        Wrong correspondences of syllables that make up the null, each another one; fewer where
        there are no more. Three syllables have five, so that p cannot be below 1/6.
    seed : int

    Returns
    -------
    DataFrame
        trained, tested (birds), how (see `HOWS`), what `neuro2voc.evaluation.summary` returns, and
        null_mean, null_low, null_high, null_replicates, p. Chance is one over the number of
        syllables, for 'transferred' one half.

    Raises
    ------
    DataError
        See `with_common_labels`.
    """
    birds = with_common_labels(birds)
    rows = []
    for bird in birds:
        scores = summary(_within(bird, seed), bird.bout, resamples, seed)
        rows.append({"trained": bird.name, "tested": bird.name, "how": "within", **scores})
    rng = np.random.default_rng(seed)
    for trained, tested in permutations(birds, 2):
        places = _places(trained)
        wrong = wrong_orders(len(places), replicates, rng)
        for how, told in (("calibrated", _calibrated), ("transferred", _transferred)):
            frames = told(tested, places.to_numpy(), [np.arange(len(places)), *wrong])
            if frames:
                scores = _beside_wrong(frames, how, resamples, seed)
                rows.append({"trained": trained.name, "tested": tested.name, "how": how, **scores})
    for row in rows:
        log.info("{tested} by {trained}, {how}: {balanced_accuracy:.3f}".format(**row))
    return pd.DataFrame(rows)


def _within(bird: BirdTrials, seed: int) -> pd.DataFrame:
    """Predict every trial by the bird's own decoder, fitted to the other folds."""
    prediction = np.empty(len(bird.label), dtype=object)
    for now in np.unique(bird.fold):
        test = bird.fold == now
        model = make_decoder("lda", seed)[0].fit(bird.X[~test], bird.label[~test])
        prediction[test] = model.predict(bird.X[test])
    return pd.DataFrame({"truth": bird.label, "prediction": prediction})


def _places(bird: BirdTrials) -> pd.DataFrame:
    """Return where a bird's syllables lie (syllables, dimensions) in its discriminant space."""
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto"),
    )
    points = model.fit(bird.X, bird.label).transform(bird.X)
    return pd.DataFrame(points).groupby(bird.label).mean()


def wrong_orders(n: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw orders of n syllables, all different and none their own; all there are if too few."""
    own = tuple(range(n))
    if factorial(n) - 1 <= count:
        return [np.array(order) for order in islice(permutations(own), 1, None)]
    drawn = {own: None}
    while len(drawn) <= count:
        drawn[tuple(map(int, rng.permutation(n)))] = None
    return [np.array(order) for order in drawn][1:]


def _memberships(bird: BirdTrials, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Regress which syllable a trial is (tests, syllables).

    A map to places is this times the places, because regression is linear in its targets.
    """
    names = np.unique(bird.label)
    target = (bird.label[train][:, None] == names).astype(float)
    ridge = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), RidgeCV(alphas=ALPHAS)
    )
    return ridge.fit(bird.X[train], target).predict(bird.X[test])


def _calibrated(bird: BirdTrials, places: np.ndarray, orders: list) -> list[pd.DataFrame]:
    """Predict every trial after a map fitted to all syllables of the other folds.

    Returns a table of truth, prediction and bout for every order of the places.
    """
    names = np.unique(bird.label)
    member = np.empty((len(bird.label), len(names)))
    for now in np.unique(bird.fold):
        member[bird.fold == now] = _memberships(bird, bird.fold != now, bird.fold == now)
    return [
        pd.DataFrame(
            {
                "truth": bird.label,
                "prediction": names[_nearest(member @ places[order], places[order])],
                "bout": bird.bout,
            }
        )
        for order in orders
    ]


def _transferred(bird: BirdTrials, places: np.ndarray, orders: list) -> list[pd.DataFrame]:
    """Tell each two syllables apart after a map fitted without either.

    With fewer than five syllables a map would know less than two directions: the list is empty.
    """
    names = np.unique(bird.label)
    if len(names) < 5:
        return []
    rows, said = [], [[] for _ in orders]
    for pair, now in product(combinations(range(len(names)), 2), np.unique(bird.fold)):
        asked = np.isin(bird.label, names[list(pair)])
        test = asked & (bird.fold == now)
        if not test.any():
            continue
        member = _memberships(bird, ~asked & (bird.fold != now), test)
        rows.append(np.flatnonzero(test))
        for predictions, order in zip(said, orders, strict=True):
            here = places[order]
            nearest = _nearest(member @ here, here[list(pair)])
            predictions.append(names[list(pair)][nearest])
    truth, bout = (column[np.concatenate(rows)] for column in (bird.label, bird.bout))
    return [
        pd.DataFrame({"truth": truth, "prediction": np.concatenate(predictions), "bout": bout})
        for predictions in said
    ]


def _nearest(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return which place is nearest to each point."""
    return ((points[:, None] - places) ** 2).sum(axis=2).argmin(axis=1)


def _beside_wrong(frames: list[pd.DataFrame], how: str, resamples: int, seed: int) -> dict:
    """Sum up the first table, and put beside it what the others score."""
    first, *others = frames
    scores = summary(first, first["bout"], resamples, seed)
    if how == "transferred":  # of two syllables each time
        scores |= {"chance": 0.5, "bits": np.nan}
    null = [summary(f, f["bout"], 1, seed)["balanced_accuracy"] for f in others]
    return scores | null_columns(null) | {"p": p_value(scores["balanced_accuracy"], null)}


def read_bird(
    name: str, tensor: str, trials: str, split: str, feature: str, common: dict[str, str]
) -> BirdTrials:
    """Read what is needed of a bird from the workflow's files.

    Parameters
    ----------
    name : str
    tensor, trials, split : path
    feature : str
    common : dict of str
        What the bird's syllables are called in common, where that is not their own name.
    """
    used = used_trials(read_trials(trials), name)
    return BirdTrials(
        name=name,
        X=feature_matrix(feature, read_tensor(tensor)),
        label=used["label"].replace(common).to_numpy(dtype=str),
        fold=outer_folds(used, read_split(split)),
        bout=used["bout"].to_numpy(),
    )
