"""Regions of the brain compared, with all of their units and with equally many."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds, sum_up
from neuro2voc.differences import difference_over_bouts
from neuro2voc.evaluation import p_value
from neuro2voc.inclusion import UNKNOWN, describe_units
from neuro2voc.nulls import null_columns
from neuro2voc.recording import Recording
from neuro2voc.subsets import baseline_scores, decode_subset, of_units, score, unit_features
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

LEAST = 2  # units that make a region worth decoding
ALL, EQUAL = "all", "equal"
NULL_DRAWS = 3  # averaged for each surrogate; all ten would be three times as many fits
Subset = tuple[str, str, int]  # region, choice, draw


def units_of_regions(recording: Recording) -> dict[str, np.ndarray]:
    """Return the rows of the units of each region with at least two, by name.

    Where no region is known, all units are one region, 'unknown'.
    """
    location = describe_units(recording)["location"]
    rows = {name: np.flatnonzero(location == name) for name in sorted(set(location))}
    known = {name: units for name, units in rows.items() if name != UNKNOWN}
    large = {name: units for name, units in known.items() if len(units) >= LEAST}
    return large or {UNKNOWN: np.arange(len(location))}


def draws(regions: Mapping[str, np.ndarray], repeats: int, seed: int) -> dict[Subset, np.ndarray]:
    """Return the units to decode from: all of a region's, and equally many drawn from each.

    As many are drawn from each region as the smallest has. That region is only drawn once, since
    there is one way to draw all; where there is one region only, nothing is.
    """
    rng = np.random.default_rng(seed)
    number = min(map(len, regions.values()))
    subsets: dict[Subset, np.ndarray] = {}
    for name, units in regions.items():
        subsets[name, ALL, 0] = units
        for draw in range((1 if len(units) == number else repeats) if len(regions) > 1 else 0):
            subsets[name, EQUAL, draw] = np.sort(rng.permutation(units)[:number])
    return subsets


def compare_regions(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    repeats: int,
) -> pd.DataFrame:
    """Decode from each region's units, all of them and equally many.

    Parameters
    ----------
    recording : Recording
    trials, split : DataFrame
    windows : mapping
        The configuration's.
    protocol : Protocol
    repeats : int
        Draws of equally many units. Each surrogate is a mean over the first three of them, which
        scatters a little more than one over all, so p errs on the safe side.

    Returns
    -------
    DataFrame
        A row per region, choice ('all' or 'equal') and draw: region, choice, draw, units (their
        number), what `neuro2voc.evaluation.summary` returns, duration, previous; with surrogates
        null_mean, null_low, null_high, null_replicates and p, the same for all draws of a region.
        With several regions also difference with its 95 % interval difference_low to
        difference_high over bouts: of the region's equal draws together, minus those of the region
        with fewest units (`fewest`), which is chosen without a look at the results.
    """
    used = used_trials(trials)
    fold = outer_folds(used, split)
    subsets = draws(units_of_regions(recording), repeats, protocol.seed)
    features = unit_features(recording, used, protocol.feature, windows)
    rows, settings, frames = [], {}, {}
    for (region, choice, draw), units in subsets.items():
        frame, settings[region, choice] = decode_subset(
            of_units(features, units), used, fold, protocol
        )
        frames.setdefault((region, choice), []).append(frame)
        found = sum_up(frame, used, protocol.resamples, protocol.seed)
        about = {"region": region, "choice": choice, "draw": draw, "units": len(units)}
        rows.append(about | found)
        log.info("%s, %s: balanced accuracy %.3f", region, choice, found["balanced_accuracy"])
    table = pd.DataFrame(rows).assign(**baseline_scores(used, fold))
    table = table.join(_differences(table, frames, used, protocol))
    if not protocol.null_seeds:
        return table
    null = _null(recording, trials, split, windows, protocol, subsets, settings)
    return table.join(_beside(table, null))


def _null(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
    subsets: Mapping[Subset, np.ndarray],
    settings: Mapping[tuple[str, str], dict],
) -> dict[tuple[str, str], np.ndarray]:
    """Return balanced accuracies on shifted birds, means over draws, by region and choice."""
    taken = {
        key: [units for name, units in subsets.items() if name[:2] == key][:NULL_DRAWS]
        for key in settings
    }
    scores: dict[tuple[str, str], list[float]] = {key: [] for key in settings}
    for bird, used in shifted_birds(recording, trials, protocol):
        fold = outer_folds(used, split)
        features = unit_features(bird, used, protocol.feature, windows)
        for key, chosen in settings.items():
            drawn = [of_units(features, units) for units in taken[key]]
            frames = [decode_subset(X, used, fold, protocol, chosen)[0] for X in drawn]
            scores[key].append(float(np.mean([score(frame, used) for frame in frames])))
    return {key: np.array(values) for key, values in scores.items()}


def _differences(
    table: pd.DataFrame,
    frames: Mapping[tuple[str, str], list[pd.DataFrame]],
    used: pd.DataFrame,
    protocol: Protocol,
) -> pd.DataFrame:
    """Return how far each row's region lies above the one with fewest units; see above."""
    equal = table["choice"] == EQUAL
    if not equal.any():
        return pd.DataFrame(index=table.index)
    units = table[table["choice"] == ALL].set_index("region")["units"]
    fewest = units.idxmin()
    columns = ["difference", "difference_low", "difference_high"]
    result = pd.DataFrame(np.nan, index=table.index, columns=columns)
    for region in units.index.drop(fewest):
        found = difference_over_bouts(
            frames[region, EQUAL], frames[fewest, EQUAL], used, protocol.resamples, protocol.seed
        )
        rows = equal & (table["region"] == region)
        result.loc[rows, columns] = [found.mean, found.low, found.high]
    return result.assign(fewest=fewest)


def _beside(table: pd.DataFrame, null: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Return each row's null and p; equal draws are judged by the mean of all of them."""
    mean = table.groupby(["region", "choice"])["balanced_accuracy"].mean()
    rows = [
        null_columns(null[key]) | {"p": p_value(mean[key], null[key])}
        for key in zip(table["region"], table["choice"], strict=True)
    ]
    return pd.DataFrame(rows, index=table.index)
