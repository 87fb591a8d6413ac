"""How well syllables are told apart in embeddings of bouts that no network saw.

For each outer fold a space is fitted to the other folds' bouts, decoders learn there, and both meet
the held-out bouts once. Shifted surrogates go the same way. The *leak* is what the published
protocol gives: the space is fitted to everything, and single bins are held out at random, between
neighbours that share most of their window.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.class_weight import compute_sample_weight

from neuro2voc.bout_bins import BoutBins, bout_bins
from neuro2voc.configuration import derive_seed
from neuro2voc.contrast import CONDITIONS
from neuro2voc.decoders import make_decoder
from neuro2voc.embedding import DIMENSIONS, Recipe, TrainedCebra, spread
from neuro2voc.errors import DataError
from neuro2voc.evaluation import gain_over_bouts, p_value, summary
from neuro2voc.nulls import FEWEST, null_columns
from neuro2voc.projections import COUNTS, LINEAR, fit_space, thinned
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.surrogates import surrogate

log = logging.getLogger(__name__)

KNN, NEAREST = "knn", 15  # neighbours that vote
TREES = 50  # of a random forest in three dimensions; more cost time and change little
HELD_AT_RANDOM = 0.2  # share of bins, as published
CURVE = 100  # points of a loss curve
COLLAPSED = 0.02  # spread below which all bins lie in one place
UNTOLD = 0.005  # of the loss at chance, nearer than which nothing was learnt
Cell = tuple[str, int]  # method and receptive field (bins)


@dataclass(frozen=True)
class Plan:
    """What is embedded, and how it is judged.

    Attributes
    ----------
    width, lead : float
        See `neuro2voc.bout_bins.bout_bins`.
    spaces : mapping
        Receptive fields (bins) of each method.
    decoders : sequence of str
        'knn' and names that `neuro2voc.decoders.make_decoder` knows; surrogates and the leak are
        decoded by the first. Nothing is tuned.
    recipe : Recipe
    folds : int
        Outer folds held out, the first ones; 0 for all.
    null_folds : int
        The same of each surrogate, each beginning with another. There is a p value only where they
        are all that the bird itself has held out.
    null_seeds : sequence of int
        One shifted surrogate each.
    resamples, seed : int
    """

    width: float
    lead: float
    spaces: Mapping[str, Sequence[int]]
    decoders: Sequence[str]
    recipe: Recipe
    folds: int
    null_folds: int
    null_seeds: Sequence[int]
    resamples: int
    seed: int

    @property
    def cells(self) -> list[Cell]:
        """Return every method with every receptive field."""
        return [(method, field) for method, fields in self.spaces.items() for field in fields]

    @property
    def longest(self) -> int:
        """Return the longest receptive field in bins."""
        return max((field for _, field in self.cells), default=1)

    @property
    def networks(self) -> list[Cell]:
        """Return those that CEBRA is trained for."""
        return [cell for cell in self.cells if cell[0] in CONDITIONS]


@dataclass(frozen=True, eq=False)
class Run:
    """One bird embedded fold by fold.

    Attributes
    ----------
    predictions : DataFrame
        method, field, decoder, bout, truth, prediction: a row per held-out bin.
    points : dict of ndarray (bins, dimensions)
        float32, of each cell; NaN for what was not held out and for silence.
    networks : DataFrame
        method, field, fold, spread, loss, chance: a row per network.
    curves : DataFrame
        method, field, fold, iteration, loss, chance.
    """

    predictions: pd.DataFrame
    points: dict[Cell, np.ndarray]
    networks: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Embedded:
    """A bird in all its spaces.

    Attributes
    ----------
    bins : BoutBins
    points, again, shifted, shifted_again : dict of ndarray (bins, dimensions)
        Held-out coordinates by cell. `again`: of other networks, trained under another seed, for
        the first fold. `shifted`: of the first shifted surrogate, for the first fold.
    scores : DataFrame
        A row per cell and decoder: method, field, decoder, balanced_accuracy, low, high, gain,
        gain_low, gain_high, accuracy, bits, chance, null_mean, null_low, null_high,
        null_replicates, p, leak, spread, loss, loss_chance, networks, iterations, collapsed,
        untold, n_bins, n_bouts. gain: of CEBRA over the linear projection with the same receptive
        field, on the same held-out bins, with its interval over bouts. p: NaN with fewer than 19
        surrogates, or where these are held out in fewer folds.
    curves : DataFrame
        bird, method, field, fold, iteration, loss, chance.
    """

    bins: BoutBins
    points: dict[Cell, np.ndarray]
    again: dict[Cell, np.ndarray]
    shifted: dict[Cell, np.ndarray]
    shifted_again: dict[Cell, np.ndarray]
    scores: pd.DataFrame
    curves: pd.DataFrame


def embed_bird(
    recording: Recording, trials: pd.DataFrame, split: pd.DataFrame, plan: Plan
) -> Embedded:
    """Embed a bird and its surrogates, and decode what was held out.

    Raises
    ------
    DataError
        See `neuro2voc.bout_bins.bout_bins`, `neuro2voc.embedding.train_cebra` and `held_out`.
    """
    bins = bout_bins(recording, trials, split, plan.width, plan.lead, plan.longest)
    folds = np.unique(bins.fold[bins.fold != NONE])
    held = folds[: plan.folds or None]
    own = run_folds(bins, held, plan.cells, plan.decoders, plan, "")
    again = run_folds(bins, held[:1], plan.networks, (), plan, "again")
    leaks = {cell: leak(bins, *cell, plan) for cell in plan.cells}
    null, surrogates = [], []
    for number, seed in enumerate(plan.null_seeds):
        bird = surrogate(recording, "shifted", seed, trials)
        moved = bout_bins(bird, trials, split, plan.width, plan.lead, plan.longest)
        turned = np.roll(held, -number)[: plan.null_folds or None]
        name = f"shifted {number + 1}"
        run = run_folds(moved, turned, plan.cells, plan.decoders[:1], plan, name)
        null.append(_accuracies(run.predictions))
        surrogates.append(run)
        if number == 0:
            surrogates.append(
                run_folds(moved, turned[:1], plan.networks, (), plan, f"{name}, again")
            )
    curves = [own.curves.assign(bird="real")]
    curves += [run.curves.assign(bird="shifted") for run in surrogates[:1]]
    return Embedded(
        bins,
        own.points,
        again.points,
        surrogates[0].points if surrogates else {},
        surrogates[1].points if surrogates else {},
        _table(own, leaks, null, len(held), plan),
        pd.concat(curves, ignore_index=True),
    )


def held_out(bins: BoutBins, fold: int) -> tuple[BoutBins, BoutBins]:
    """Part the bouts of a fold from those of all other folds.

    Raises
    ------
    DataError
        There is no other fold, or a part holds fewer than two syllables.
    """
    train = bins.only((bins.fold != fold) & (bins.fold != NONE))
    test = bins.only(bins.fold == fold)
    for part, what in ((train, "trained on"), (test, "held out")):
        if len(np.unique(part.label[part.sung])) < 2:
            raise DataError(
                f"Of fold {fold}, bouts with fewer than two syllables can be {what}; lower `folds`."
            )
    return train, test


def run_folds(
    bins: BoutBins,
    folds: Sequence[int],
    cells: Sequence[Cell],
    decoders: Sequence[str],
    plan: Plan,
    name: str,
) -> Run:
    """Fit every space to the other folds, and decode what was held out.

    Parameters
    ----------
    bins : BoutBins
    folds : sequence of int
        Those held out, in turn.
    cells, decoders : sequence
    plan : Plan
    name : str
        Tells apart the random numbers of several runs.
    """
    drawn = [cell for cell in cells if cell[0] != COUNTS]  # the others have three dimensions
    points = {cell: np.full((len(bins), DIMENSIONS), np.nan, np.float32) for cell in drawn}
    predictions, networks, curves = [], [], []
    for fold in folds:
        train, test = held_out(bins, fold)
        taught = np.flatnonzero(train.sung)
        taught = taught[thinned(len(taught), plan.recipe.most)]
        asked = np.flatnonzero(test.sung)
        rows = np.flatnonzero(bins.fold == fold)[asked]
        for method, field in cells:
            which = {"method": method, "field": field}
            seed = derive_seed(plan.seed, f"{method} {field} {fold} {name}")
            space, trained = fit_space(method, train, field, plan.recipe, seed, f"{method} {field}")
            seen = space(test, asked)
            if (method, field) in points:
                points[method, field][rows, : seen.shape[1]] = seen
            if trained is not None:
                networks.append({**which, "fold": fold, **_state(trained, seen)})
                curves.append(_curve(trained).assign(**which, fold=fold))
            learnt = space(train, taught) if len(decoders) else None
            for decoder in decoders:
                model = _fitted(decoder, seed, learnt, train.label[taught])
                told = {"truth": test.label[asked], "prediction": model.predict(seen)}
                frame = pd.DataFrame({"bout": test.bout[asked], **told})
                predictions.append(frame.assign(**which, decoder=decoder))
        log.info("%s: fold %d", name or "own", fold)
    return Run(*(_together(predictions), points, pd.DataFrame(networks), _together(curves)))


def leak(bins: BoutBins, method: str, field: int, plan: Plan) -> float:
    """Return the balanced accuracy of the published protocol; see the module's head.

    Its decoder learns from no more bins than the honest one, so that it gains by the leak alone.
    """
    seed = derive_seed(plan.seed, f"{method} {field} leak")
    space, _ = fit_space(method, bins, field, plan.recipe, seed, f"{method} {field}")
    sung = np.flatnonzero(bins.sung)
    parts = train_test_split(sung, test_size=HELD_AT_RANDOM, random_state=seed % 2**32)
    taught, asked = (np.sort(part) for part in parts)
    taught = taught[thinned(len(taught), _honest(bins, plan))]
    model = _fitted(plan.decoders[0], seed, space(bins, taught), bins.label[taught])
    frame = pd.DataFrame(
        {"truth": bins.label[asked], "prediction": model.predict(space(bins, asked))}
    )
    return summary(frame, bins.bout[asked], 1, plan.seed)["balanced_accuracy"]


def _honest(bins: BoutBins, plan: Plan) -> int:
    """Return from how many bins an honest decoder learns, in the fold with the fewest."""
    sung = bins.fold[bins.sung & (bins.fold != NONE)]
    return min(plan.recipe.most, len(sung) - np.unique(sung, return_counts=True)[1].max())


def _fitted(name: str, seed: int, points: np.ndarray, label: np.ndarray) -> BaseEstimator:
    if name == KNN:
        return KNeighborsClassifier(NEAREST).fit(points, label)
    model = make_decoder(name, seed)[0]
    if name != "forest":
        return model.fit(points, label)
    # Weights are worked out once; tree by tree they cost more than the trees.
    model.set_params(model__n_estimators=TREES, model__class_weight=None)
    return model.fit(points, label, model__sample_weight=compute_sample_weight("balanced", label))


def _state(trained: TrainedCebra, seen: np.ndarray) -> dict:
    reached = {"loss": trained.reached, "chance": trained.chance}
    return {"spread": spread(seen), "iterations": len(trained.losses), **reached}


def _curve(trained: TrainedCebra) -> pd.DataFrame:
    """Return means of the loss over equal stretches of iterations."""
    parts = np.array_split(trained.losses, min(CURVE, len(trained.losses)))
    ends = np.cumsum([len(part) for part in parts])
    means = [part.mean() for part in parts]
    return pd.DataFrame({"iteration": ends, "loss": means, "chance": trained.chance})


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _accuracies(predictions: pd.DataFrame) -> dict:
    keys = ["method", "field", "decoder"]
    return {
        key: summary(frame, frame["bout"], 1, 0)["balanced_accuracy"]
        for key, frame in predictions.groupby(keys, sort=False)
    }


def _table(
    own: Run, leaks: dict[Cell, float], null: list[dict], folds: int, plan: Plan
) -> pd.DataFrame:
    rows = []
    whole = not plan.null_folds or plan.null_folds >= folds
    told = dict(list(own.predictions.groupby(["method", "field", "decoder"], sort=False)))
    for key, frame in told.items():
        scores = summary(frame, frame["bout"], plan.resamples, plan.seed)
        scores["n_bins"] = scores.pop("n_trials")
        row = {**dict(zip(("method", "field", "decoder"), key, strict=True)), **scores}
        linear = told.get((LINEAR, *key[1:]))
        if key[0] in CONDITIONS and linear is not None:
            row |= _gain(frame, linear, plan)
        if key[2] == plan.decoders[0]:
            row["leak"] = leaks[key[:2]]
            beside = np.array([scores_of[key] for scores_of in null])
            row |= _beside(scores["balanced_accuracy"], beside, whole)
        rows.append(row | _networks_of(own.networks, *key[:2]))
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _gain(frame: pd.DataFrame, linear: pd.DataFrame, plan: Plan) -> dict[str, float]:
    """Compare two spaces on the same bins, which `run_folds` asks in the same order."""
    right, beside = ((one["truth"] == one["prediction"]).to_numpy(int) for one in (frame, linear))
    return gain_over_bouts(frame["truth"], right - beside, frame["bout"], plan.resamples, plan.seed)


def _beside(observed: float, null: np.ndarray, whole: bool) -> dict:
    """Sum up surrogates; a few, or scores of fewer folds, give no p value."""
    if not len(null):
        return {"null_replicates": 0}
    comparable = whole and len(null) >= FEWEST
    return null_columns(null) | {"p": p_value(observed, null) if comparable else np.nan}


def _networks_of(networks: pd.DataFrame, method: str, field: int) -> dict:
    """Sum up the networks of a cell: what they reached, and how many told nothing."""
    if method not in CONDITIONS:
        return {}
    mine = networks[(networks["method"] == method) & (networks["field"] == field)]
    return {
        "spread": mine["spread"].mean(),
        "loss": mine["loss"].mean(),
        "loss_chance": mine["chance"].mean(),
        "networks": len(mine),
        "iterations": mine["iterations"].max(),
        "collapsed": int((mine["spread"] < COLLAPSED).sum()),
        "untold": int((mine["loss"] > (1 - UNTOLD) * mine["chance"]).sum()),
    }


COLUMNS = [
    *("method", "field", "decoder", "balanced_accuracy", "low", "high"),
    *("gain", "gain_low", "gain_high", "accuracy", "bits"),
    *("chance", "null_mean", "null_low", "null_high", "null_replicates", "p", "leak", "spread"),
    *("loss", "loss_chance", "networks", "iterations", "collapsed", "untold", "n_bins", "n_bouts"),
]
