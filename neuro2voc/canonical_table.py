"""What activity and sound of held-out renditions have in common, beside its nulls.

Two questions, two kinds of groups that trials are centred and permuted in. 'syllables': does
activity follow which syllable is sung? Trials of a session and fold are exchanged. 'renditions':
does it follow how a syllable is sung? Trials of a label, session and fold are exchanged.

All renditions are warped linearly to one length, which needs no label: a warp to the label's own
reference would tell it.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from neuro2voc.canonical import (
    Latents,
    centred,
    correlations,
    intervals,
    permutations,
    whitened,
)
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.errors import DataError
from neuro2voc.evaluation import p_value
from neuro2voc.frames import Frames
from neuro2voc.interpolation import sampled
from neuro2voc.nulls import null_columns
from neuro2voc.recording import Recording
from neuro2voc.warping import (
    Parts,
    Renditions,
    leading_activity,
    linear_places,
    make_renditions,
    reference_length,
    rows_of,
    standardised,
)

log = logging.getLogger(__name__)

SYLLABLES, RENDITIONS = "syllables", "renditions"
SHARED = {SYLLABLES: ["session", "fold"], RENDITIONS: ["label", "session", "fold"]}
COLUMNS = [
    "question",
    "pair",
    "correlation",
    "low",
    "high",
    "null_mean",
    "null_low",
    "null_high",
    "p",
    "alike_mean",
    "alike_high",
    "in_sample",
    "in_sample_null",
    "shifted_mean",
    "shifted_low",
    "shifted_high",
    "shifted_replicates",
    "permutations",
    "n_trials",
    "n_bouts",
]


def exchangeable(renditions: Renditions, question: str) -> np.ndarray:
    """Return the group (trials,) that each rendition is centred in, and exchanged within."""
    return renditions.trials.groupby(SHARED[question]).ngroup().to_numpy()


def components_of(
    values: np.ndarray,
    renditions: Renditions,
    group: np.ndarray,
    parts: Parts,
    components: int,
    what: str,
) -> list[np.ndarray]:
    """Return whitened components (trials, k) of warped renditions, fitted in each part.

    Parameters
    ----------
    values : ndarray (frames, columns)
        Activity or levels.
    renditions : Renditions
    group : ndarray (trials,)
        Renditions are centred within these.
    parts : list of (train, test)
    components : int
        At most.
    what : str
        What the values are, for the message.

    Raises
    ------
    DataError
        All renditions are the same.
    """
    first, count = renditions.first, renditions.count
    found = []
    for train, _ in parts:
        places = linear_places(first, count, reference_length(count[train]))
        rows = rows_of(first[train], count[train])
        warped = sampled(standardised(values, rows), places).reshape(len(first), -1)
        found.append(whitened(centred(warped, group), train, components))
    if min(each.shape[1] for each in found) == 0:
        raise DataError(
            f"{what} is the same in all renditions of a syllable, so that nothing can go along "
            "with it; admit other units under `inclusion`, or correct the labels' times."
        )
    return found


def canonical_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    frames: Frames,
    warping: Mapping,
    settings: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Correlate activity and sound of held-out trials, beside their nulls.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones take part.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    frames : Frames
        The recording's.
    warping : mapping
        lead, smoothing (s); see `neuro2voc.warping.leading_activity`.
    settings : mapping
        components: of activity and of sound, at most; permutations: of the null.
    protocol : Protocol
        Its surrogates, resamplings and seed.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, a row per question and canonical pair (from 1). correlation: of held-out
        trials, with its interval low to high over bouts; null_mean, null_low, null_high
        (5th and 95th percentile): of permuted trials; p: how often the greatest of all permuted
        pairs is as great; alike_mean, alike_high: of 'syllables', of trials permuted within labels
        only; in_sample, in_sample_null: of the trials that axes were fitted on, and its mean over
        permutations; shifted_mean, shifted_low, shifted_high, shifted_replicates: of shifted
        surrogates, missing without.

    Raises
    ------
    DataError
        See `neuro2voc.warping.make_renditions` and `components_of`; or no two renditions of a
        syllable share a session and a fold.
    """
    renditions = make_renditions(trials, split, frames, recording.name)
    groups = {question: exchangeable(renditions, question) for question in SHARED}
    if len(np.unique(groups[RENDITIONS])) == len(renditions.trials):
        raise DataError(
            f"{recording.name}: no two renditions of a syllable share a session and a fold, so "
            "that none can be exchanged for another; lower `folds`, or name fewer `labels`."
        )
    every = np.arange(len(renditions.trials))
    bouts = renditions.trials["bout"].to_numpy()
    birds = [recording, *(bird for bird, _ in shifted_birds(recording, trials, protocol))]
    activity = [
        leading_activity(bird, frames, warping["lead"], warping["smoothing"]) for bird in birds
    ]
    orders = {
        question: permutations(group, settings["permutations"], protocol.seed + place)
        for place, (question, group) in enumerate(groups.items())
    }
    tables = []
    for question, group in groups.items():

        def components(values: np.ndarray, parts: Parts, what: str, group=group) -> list:
            words = f"{recording.name}: the {what}"
            return components_of(values, renditions, group, parts, settings["components"], words)

        def latents(values: np.ndarray, sound: list[np.ndarray], parts: Parts) -> list[Latents]:
            own = components(values, parts, "activity")
            return [Latents(*each, *part) for *each, part in zip(own, sound, parts, strict=True)]

        sound = components(frames.level, renditions.folds, "sound")
        held_out = latents(activity[0], sound, renditions.folds)
        whole = [(every, every)]
        in_sample = latents(activity[0], components(frames.level, whole, "sound"), whole)
        table = judged(held_out, in_sample, orders[question])
        low, high = intervals(held_out, bouts, protocol.resamples, protocol.seed)
        table = table.assign(question=question, low=low, high=high)
        if question == SYLLABLES:
            alike = correlations(held_out, orders[RENDITIONS])
            table["alike_mean"] = alike.mean(axis=0)
            table["alike_high"] = np.quantile(alike, 0.95, axis=0)
        shifted = [
            correlations(latents(moved, sound, renditions.folds), every[None])[0]
            for moved in activity[1:]
        ]
        if shifted:
            table = table.assign(**null_columns(padded(shifted, len(table)), "shifted"))
        tables.append(table)
        log.info("%s: %s", question, table["correlation"].head(3).round(3).tolist())
    table = pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)
    return table.assign(
        permutations=settings["permutations"], n_trials=len(bouts), n_bouts=len(np.unique(bouts))
    )


def judged(held_out: list[Latents], in_sample: list[Latents], orders: np.ndarray) -> pd.DataFrame:
    """Return a row per pair: its correlation, its null, and the same in sample.

    Parameters
    ----------
    held_out, in_sample : list of Latents
        Of each fold; of all trials as both.
    orders : ndarray (permutations, trials)
    """
    itself = np.arange(orders.shape[1])[None]
    found, null = correlations(held_out, itself)[0], correlations(held_out, orders)
    pairs = len(found)
    return pd.DataFrame(
        {
            "pair": np.arange(1, pairs + 1),
            "correlation": found,
            "null_mean": null.mean(axis=0),
            "null_low": np.quantile(null, 0.05, axis=0),
            "null_high": np.quantile(null, 0.95, axis=0),
            "p": [p_value(each, null.max(axis=1)) for each in found],
            "in_sample": correlations(in_sample, itself)[0, :pairs],
            "in_sample_null": correlations(in_sample, orders)[:, :pairs].mean(axis=0),
        }
    )


def padded(correlations: Sequence[np.ndarray], pairs: int) -> np.ndarray:
    """Return correlations (n, pairs) of surrogates, NaN where one has fewer pairs."""
    return pd.DataFrame(correlations).reindex(columns=range(pairs)).to_numpy()
