"""Other explainers beside SHAP values: permuting a unit's trials, and doing without the unit.

They ask what SHAP values do not: how many held-out syllables a model gets wrong without what a unit
says. Permuting asks it of the models that SHAP values explain; leaving out asks it of models fitted
anew, in which other units can stand in.
"""

import logging
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from neuro2voc.attribution import MODEL
from neuro2voc.attribution_tables import describe_players
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoders import Boosted
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds
from neuro2voc.differences import difference_over_bouts
from neuro2voc.errors import DataError
from neuro2voc.files import read_csv
from neuro2voc.hubs import against_null
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.subsets import score, unit_features
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

REPEATS = 5  # permutations of each player in each fold
REFITS = 20  # of the whole model with other seeds: the standard deviation is known to a sixth
ABLATIONS = 2  # models fitted without each player
LEVEL = 0.05  # for all players together
MEASURES = {
    "importance": "SHAP values",
    "permutation": "permutation",
    "ablation": "ablation",
}

COLUMNS = {"unit": str, "importance": float, "importance_p": float, "balanced_accuracy": float}


def explainers(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    shap: pd.DataFrame,
) -> pd.DataFrame:
    """Put beside each player's SHAP value what permuting it and leaving it out cost.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
        That of the SHAP values; its null seeds are those of the shifted surrogates.
    shap : DataFrame
        See `neuro2voc.attribution_tables.unit_table`.

    Returns
    -------
    DataFrame
        A row per player: those of `neuro2voc.attribution_tables.describe_players`; of `shap`
        importance (mean |SHAP value|, nats) with its null and p, evidence and evidence_p;
        permutation (fall of the balanced accuracy where the player's held-out trials are permuted)
        with _low and _high over bouts, _null_mean, _null_low and _null_high over shifted
        surrogates, _p (see `neuro2voc.hubs.against_null`) and _changed (share of the decisions
        that come out differently); ablation (fall of the balanced accuracy of models fitted
        without the player) with _low and _high over bouts, _least (the smallest fall that other
        seeds of the models do not explain) and _p (see `chance_of_refits`); found_by (those of
        `MEASURES` whose p is at most `LEVEL` and whose interval over bouts, where there is one,
        lies above 0); and, the same in every row,
        rho_importance_permutation, rho_importance_ablation and rho_permutation_ablation
        (Spearman), balanced_accuracy (of the models of the SHAP values), refits (mean balanced
        accuracy of models with other seeds) and refits_sd, chance, shifted (number of surrogates),
        n_trials, n_bouts.

    Raises
    ------
    DataError
        The SHAP values are of other models.
    """
    used = used_trials(trials)
    fold = outer_folds(used, split)
    X = of_players(unit_features(recording, used, protocol.feature, windows))
    frame, guesses = permute(X, used, fold, protocol.seed)
    _check_same(shap, len(guesses), score(frame, used))
    players = describe_players(recording, protocol.feature, windows)
    known = [name for name in shap if name.startswith("importance")] + ["evidence", "evidence_p"]
    table = players.join(shap[known])
    permuted = [[frame.assign(prediction=guess) for guess in each] for each in guesses]
    table = table.assign(**_differences("permutation", [frame], permuted, used, protocol))
    table["permutation_changed"] = shares(frame, guesses != frame["prediction"].to_numpy())
    null = permutation_null(recording, trials, split, windows, protocol)
    table = table.assign(**_beside("permutation", table["permutation"], null))
    log.info("permutation done")
    whole = [refit(X, used, fold, protocol.seed + i) for i in range(REFITS)]
    without = ablate(X, used, fold, protocol.seed)
    table = table.assign(**_differences("ablation", whole, without, used, protocol))
    refits = np.array([score(each, used) for each in whole])
    table["ablation_least"], table["ablation_p"] = chance_of_refits(table["ablation"], refits)
    table["found_by"] = _found_by(table)
    rho = table[list(MEASURES)].corr(method="spearman")
    for first, second in combinations(MEASURES, 2):
        table[f"rho_{first}_{second}"] = rho.loc[first, second]
    return table.assign(
        balanced_accuracy=score(frame, used),
        refits=refits.mean(),
        refits_sd=refits.std(ddof=1),
        chance=1 / frame["truth"].nunique(),
        shifted=len(null),
        n_trials=len(frame),
        n_bouts=used["bout"][fold != NONE].nunique(),
    )


def _found_by(table: pd.DataFrame) -> list[str]:
    found = table[[f"{name}_p" for name in MEASURES]].to_numpy() <= LEVEL
    found[:, 1:] &= ~(table[["permutation_low", "ablation_low"]].to_numpy() <= 0)
    return [", ".join(np.array(list(MEASURES.values()))[row]) for row in found]


def _check_same(shap: pd.DataFrame, players: int, accuracy: float) -> None:
    if len(shap) != players or not np.allclose(shap["balanced_accuracy"], accuracy, atol=1e-9):
        raise DataError(
            "The table of SHAP values is of other models than these trials, this split and this "
            "feature give; make it again."
        )


def of_players(X: np.ndarray) -> np.ndarray:
    """Return features (trials, players, columns): of a single unit the players are its columns."""
    return X.swapaxes(1, 2) if X.shape[1] == 1 else X


def permute(
    X: np.ndarray, used: pd.DataFrame, fold: np.ndarray, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Predict held-out trials as they are, and with each player permuted among those of its fold.

    Parameters
    ----------
    X : ndarray (trials, players, columns)
        A player's columns are permuted together.
    used : DataFrame
    fold : ndarray (trials,)
    seed : int
        Of the models and the permutations.

    Returns
    -------
    frame : DataFrame
        trial, truth, prediction: a row per held-out trial, in time order.
    guesses : ndarray (players, repeats, held-out trials)
        Predictions of the same models for the same trials with one player permuted.
    """
    players = X.shape[1]
    rng = np.random.default_rng(seed)
    guess = np.full(len(used), None, dtype=object)
    guesses = np.full((players, REPEATS, len(used)), None, dtype=object)

    def predict(model: Boosted, rows: np.ndarray) -> np.ndarray:
        return model.predict(rows.reshape(len(rows), -1))

    for now in np.unique(fold[fold != NONE]):
        train, test = (fold != now) & (fold != NONE), fold == now
        label = used["label"][train].to_numpy(dtype=object)
        model = Boosted(**MODEL, seed=seed).fit(X[train].reshape(train.sum(), -1), label)
        guess[test] = predict(model, X[test])
        for player in range(players):
            order = [rng.permutation(np.flatnonzero(test)) for _ in range(REPEATS)]
            rows = np.concatenate([X[test]] * REPEATS)
            rows[:, player] = X[np.concatenate(order), player]
            guesses[player][:, test] = predict(model, rows).reshape(REPEATS, -1)
    held = fold != NONE
    frame = used.loc[held, ["trial"]].assign(truth=used["label"], prediction=guess[held])
    return frame, guesses[:, :, held]


def shares(frame: pd.DataFrame, true: np.ndarray) -> np.ndarray:
    """Return the share of trials of which something is true, all syllables weighing alike.

    Parameters
    ----------
    frame : DataFrame
        truth: a row per trial.
    true : ndarray (players, repeats, trials)

    Returns
    -------
    ndarray (players,)
        Means over repeats. Of right predictions it is the balanced accuracy.
    """
    truth = frame["truth"]
    weight = 1 / (truth.groupby(truth).transform("size") * truth.nunique())
    return (true @ weight.to_numpy()).mean(axis=1)


def permutation_null(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
) -> np.ndarray:
    """Return the falls (surrogates, players) of shifted birds, each with models of its own."""
    null = []
    for bird, used in shifted_birds(recording, trials, protocol):
        X = of_players(unit_features(bird, used, protocol.feature, windows))
        frame, guesses = permute(X, used, outer_folds(used, split), protocol.seed)
        null.append(score(frame, used) - shares(frame, guesses == frame["truth"].to_numpy()))
    return np.array(null)


def refit(X: np.ndarray, used: pd.DataFrame, fold: np.ndarray, seed: int) -> pd.DataFrame:
    """Predict held-out trials (trial, truth, prediction) by models with another seed."""
    model = Boosted(**MODEL, seed=seed)
    return cross_decode(X.reshape(len(X), -1), used, fold, fixed_fit(model))


def ablate(
    X: np.ndarray, used: pd.DataFrame, fold: np.ndarray, seed: int
) -> list[list[pd.DataFrame]]:
    """Return the predictions of models fitted without each player, `ABLATIONS` of each."""
    predictions = []
    for player in range(X.shape[1]):
        # Trees cannot split what is constant; that way nothing else about the models changes.
        without = X.copy()
        without[:, player] = 0
        predictions.append([refit(without, used, fold, seed + i) for i in range(ABLATIONS)])
    return predictions


def chance_of_refits(fall: np.ndarray, refits: np.ndarray) -> tuple[float, np.ndarray]:
    """Judge falls by how far models of all players scatter that differ in nothing but their seed.

    The mean of `ABLATIONS` models is compared with that of the refits (Student's t, one-sided);
    p is multiplied by the number of players (Bonferroni).

    Parameters
    ----------
    fall : ndarray (players,)
    refits : ndarray (R,)
        Balanced accuracies.

    Returns
    -------
    least : float
        The smallest fall with p of `LEVEL` at most.
    p : ndarray (players,)
    """
    deviation = refits.std(ddof=1) * np.sqrt(1 / ABLATIONS + 1 / len(refits))
    free, players = len(refits) - 1, len(fall)
    p = np.minimum(1, players * student.sf(np.asarray(fall) / deviation, free))
    return float(student.isf(LEVEL / players, free) * deviation), p


def _differences(
    name: str,
    first: list[pd.DataFrame],
    second: list[list[pd.DataFrame]],
    used: pd.DataFrame,
    protocol: Protocol,
) -> dict[str, list[float]]:
    given = (used, protocol.resamples, protocol.seed)
    found = [difference_over_bouts(first, each, *given) for each in second]
    ends = {"": "mean", "_low": "low", "_high": "high"}
    return {name + end: [getattr(each, of) for each in found] for end, of in ends.items()}


def _beside(name: str, found: pd.Series, null: np.ndarray) -> dict[str, np.ndarray]:
    values = null if len(null) else np.full((1, len(found)), np.nan)
    return {
        f"{name}_null_mean": values.mean(axis=0),
        f"{name}_null_low": values.min(axis=0),
        f"{name}_null_high": values.max(axis=0),
        f"{name}_p": against_null(found.to_numpy(), null)[1],
    }


def read_unit_table(path: str) -> pd.DataFrame:
    """Read the table of players that SHAP values end in."""
    return read_csv(path, COLUMNS)
