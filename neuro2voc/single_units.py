"""Every unit alone as a predictor of the song."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds, sum_up
from neuro2voc.evaluation import p_value
from neuro2voc.files import read_csv
from neuro2voc.inclusion import describe_units
from neuro2voc.nulls import table_beside_null
from neuro2voc.recording import Recording
from neuro2voc.subsets import baseline_scores, decode_subset, of_units, score, unit_features
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

COLUMNS = {"unit": str, "location": str, "balanced_accuracy": float}


def single_units(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Decode from every unit alone, beside its null and that of the best of all units.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol

    Returns
    -------
    DataFrame
        A row per unit: unit, depth (µm from the tip), location, quality, what
        `neuro2voc.evaluation.summary` returns, duration and previous (balanced accuracies of the
        baselines); with surrogates null_mean, null_low, null_high, null_replicates, p, and
        best_high and p_best: against the best unit of each surrogate, which allows for having
        looked at all units.
    """
    used = used_trials(trials)
    fold = outer_folds(used, split)
    features = unit_features(recording, used, protocol.feature, windows)
    rows, settings = [], []
    for unit in range(len(recording.units)):
        frame, chosen = decode_subset(of_units(features, [unit]), used, fold, protocol)
        rows.append(sum_up(frame, used, protocol.resamples, protocol.seed))
        settings.append(chosen)
    log.info("%d units decoded", len(rows))
    table = describe_units(recording).join(pd.DataFrame(rows))
    table = table.assign(**baseline_scores(used, fold))
    if not protocol.null_seeds:
        return table
    null = _null(recording, trials, split, windows, protocol, settings)
    table = table_beside_null(table, null)
    best = null.max(axis=1)
    p_best = [p_value(value, best) for value in table["balanced_accuracy"]]
    return table.assign(best_high=best.max(), p_best=p_best)


def _null(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    settings: list[dict],
) -> np.ndarray:
    """Return balanced accuracies (surrogates, units) on shifted birds."""
    scores = []
    for bird, used in shifted_birds(recording, trials, protocol):
        fold = outer_folds(used, split)
        features = unit_features(bird, used, protocol.feature, windows)
        frames = [
            decode_subset(of_units(features, [unit]), used, fold, protocol, chosen)[0]
            for unit, chosen in enumerate(settings)
        ]
        scores.append([score(frame, used) for frame in frames])
    return np.array(scores)


def read_single_units(path: str) -> pd.DataFrame:
    """Read the table of single units."""
    return read_csv(path, COLUMNS)
