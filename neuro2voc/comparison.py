"""The comparison: every number beside what it has to be seen beside."""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2voc.baselines import duration_only, majority, previous_syllable
from neuro2voc.configuration import BASELINES
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import commonest, cross_decode, fixed_fit, outer_folds, sum_up
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.files import read_csv
from neuro2voc.inclusion import with_included
from neuro2voc.nulls import cell_beside_null
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.surrogates import surrogate
from neuro2voc.trials import make_trials, used_trials

log = logging.getLogger(__name__)

ORACLE = "oracle"
NULL = {"decoder": str, "feature": str, "replicate": int, "balanced_accuracy": float}
COLUMNS = [
    "split",
    "decoder",
    "feature",
    "balanced_accuracy",
    "low",
    "high",
    "accuracy",
    "bits",
    "chance",
    "majority",
    "duration",
    "previous",
    "null_mean",
    "null_low",
    "null_high",
    "null_replicates",
    "p",
    "smallest_effect",
    "oracle",
    "fraction_of_oracle",
    "other_company",
    "other_company_chance",
    "other_company_trials",
    "other_company_verdict",
    "n_trials",
    "n_bouts",
]


def baseline_fitting(name: str, trials: pd.DataFrame) -> tuple[dict[str, np.ndarray], object]:
    """Return the one feature of a baseline and its estimator."""
    if name == "duration":
        X = (trials["offset"] - trials["onset"]).to_numpy()[:, None]
        return {"duration": X}, duration_only()
    X = trials["previous"].to_numpy(dtype=object)[:, None]
    if name == "previous":
        return {"previous": X}, previous_syllable()
    return {"none": np.zeros((len(trials), 1))}, majority()


def null_band(
    recording: Recording,
    inclusion: pd.DataFrame,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    kept: pd.DataFrame | None,
    kind: str,
    seeds: list[int],
    fits: Mapping[tuple[str, str], Callable],
    make: Callable,
    trial_settings: dict,
) -> pd.DataFrame:
    """Decode surrogates as the real bird was decoded.

    Parameters
    ----------
    recording, trials
        Of the real bird, with all its units.
    inclusion : DataFrame
        Which of them count.
    split : DataFrame
        The folds to decode in.
    kept : DataFrame, optional
        The folds that 'independent' keeps trials within.
    kind : str
        Of the surrogates.
    seeds : list of int
        One surrogate each.
    fits : mapping from (decoder, feature) to callable
        Each returns, when called with a surrogate's number, the function that fits to it.
    make : callable
        ``make(recording, trials)`` returns what is decoded, by feature; for example
        `neuro2voc.features.features_maker`.
    trial_settings : dict
        Arguments of `neuro2voc.trials.make_trials`.

    Returns
    -------
    DataFrame
        decoder, feature, replicate (from 1), balanced_accuracy.
    """
    rows = []
    for replicate, number in enumerate(seeds, start=1):
        bird = with_included(surrogate(recording, kind, number, trials, kept), inclusion)
        used = used_trials(make_trials(bird, **trial_settings))
        features = make(bird, used)
        fold, labels = outer_folds(used, split), sorted(used["label"].unique())
        for (decoder, feature), fit in fits.items():
            frame = cross_decode(features[feature], used, fold, fit(replicate))
            score = balanced_accuracy(confusion(frame["truth"], frame["prediction"], labels))
            rows.append((decoder, feature, replicate, score))
        log.info("replicate %d of %d", replicate, len(seeds))
    return pd.DataFrame(rows, columns=list(NULL))


def fixed_fits(metrics: list[dict], seed: int) -> dict[tuple[str, str], Callable]:
    """Return the fits of classical decoders, with the settings that most folds chose.

    Parameters
    ----------
    metrics : list of dict
        Contents of the decoders' metrics.json under one split.
    seed : int
        Of the decoders.
    """

    def fixed(decoder: str, feature: str, chosen: list[dict]) -> Callable:
        return lambda _: fixed_fit(make_decoder(decoder, seed, feature)[0], commonest(chosen))

    return {
        (content["decoder"], feature): fixed(content["decoder"], feature, cell["chosen"])
        for content in metrics
        for feature, cell in content["features"].items()
    }


def read_null(path: str | Path) -> pd.DataFrame:
    """Read a null band."""
    return read_csv(path, NULL)


def read_nulls(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """Read null bands by split, the stem of their files; several of one split are put together."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for path in paths:
        tables.setdefault(Path(path).stem, []).append(read_null(path))
    return {split: pd.concat(parts, ignore_index=True) for split, parts in tables.items()}


def comparison_table(
    metrics: list[dict],
    nulls: dict[str, pd.DataFrame],
    oracle: pd.DataFrame | None,
    trials: pd.DataFrame,
    splits: dict[str, pd.DataFrame],
    resamples: int,
    seed: int,
    company: tuple[pd.DataFrame, str] | None = None,
    windows: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Put every decoder beside baselines, null and oracle.

    Parameters
    ----------
    metrics : list of dict
        Contents of metrics.json of decoders and baselines under all splits.
    nulls : dict of DataFrame
        By split: decoder, feature, replicate, balanced_accuracy. Empty for a surrogate bird.
    oracle : DataFrame, optional
        The oracle's predictions.
    trials : DataFrame
        The used trials.
    splits : dict of DataFrame
        By name: the folds. The oracle is judged on the trials that have one.
    resamples, seed : int
        Of the bootstrap over bouts.
    company : (DataFrame, str), optional
        See `neuro2voc.predecessors.predecessor_table`, and the split under which it was made.

    windows : mapping, optional
        Of features that are token schemes: the feature that is made from the same window, whose
        oracle and company are theirs.

    Returns
    -------
    DataFrame
        Rows for decoders, baselines and oracle, columns `COLUMNS`; what does not apply is missing.
    """
    windows = windows or {}
    rows = []
    for split, folds in splits.items():
        cells = {
            (content["decoder"], feature): cell
            for content in metrics
            if content["split"] == split
            for feature, cell in content["features"].items()
        }
        beside = {d: c["balanced_accuracy"] for (d, _), c in cells.items() if d in BASELINES}
        if oracle is not None:
            held = trials["trial"][outer_folds(trials, folds) != NONE]
            for feature, frame in oracle.groupby("feature", sort=False):
                judged = frame[frame["trial"].isin(held)]
                cells[ORACLE, feature] = sum_up(judged, trials, resamples, seed)
        for (decoder, feature), cell in cells.items():
            row = {"split": split, "decoder": decoder, "feature": feature, **cell}
            if decoder not in (*BASELINES, ORACLE):
                row |= beside
                row |= _beside_null(cell, nulls.get(split), decoder, feature)
                row |= _beside_oracle(cell, cells.get((ORACLE, windows.get(feature, feature))))
            rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    return table if company is None else beside_company(table, *company, windows)


def beside_company(
    table: pd.DataFrame,
    company: pd.DataFrame,
    split: str,
    windows: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Say of each feature whether it tells syllables after predecessors that were not trained on.

    Parameters
    ----------
    table : DataFrame
        See `comparison_table`.
    company : DataFrame
        See `neuro2voc.predecessors.predecessor_table`; empty where no syllable follows different
        ones often enough.
    split : str
        Under which it was made; rows of other splits are not judged by it.
    windows : mapping, optional
        See `comparison_table`.

    Returns
    -------
    DataFrame
        The table with `other_company` (balanced accuracy over the syllables that take part), its
        chance and number of trials, and `other_company_verdict` filled in. They judge the feature,
        by a linear discriminant, not the decoder.
    """
    if company.empty:
        return table
    other = company[company["training"] == "other company"].set_index("feature")
    judged = ~table["decoder"].isin([*BASELINES, ORACLE]) & (table["split"] == split)
    columns = {
        "other_company": "balanced_accuracy",
        "other_company_chance": "chance",
        "other_company_trials": "n_trials",
        "other_company_verdict": "verdict",
    }
    return table.assign(
        **{
            ours: table["feature"].replace(windows or {}).map(other[theirs]).where(judged)
            for ours, theirs in columns.items()
        }
    )


def _beside_oracle(cell: dict, oracle: dict | None) -> dict:
    if oracle is None:
        return {}
    best = oracle["balanced_accuracy"]
    return {"oracle": best, "fraction_of_oracle": cell["balanced_accuracy"] / best}


def _beside_null(cell: dict, null: pd.DataFrame | None, decoder: str, feature: str) -> dict:
    if null is None:
        return {}
    rows = (null["decoder"] == decoder) & (null["feature"] == feature)
    return cell_beside_null(cell, null.loc[rows, "balanced_accuracy"].to_numpy())
