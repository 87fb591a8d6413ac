"""How alike held-out renditions are to their label's template, as they are and warped.

A template is the mean of a label's training renditions. Whoever warps by sound makes sounds more
alike to the template by construction; whether activity becomes more alike as well is the test.
"""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.errors import DataError
from neuro2voc.frames import Frames
from neuro2voc.interpolation import sampled
from neuro2voc.nulls import table_beside_null
from neuro2voc.recording import Recording
from neuro2voc.warping import (
    WARPS,
    Renditions,
    dtw_places,
    fit_reference,
    leading_activity,
    linear_places,
    make_renditions,
    rows_of,
    standardised,
    unwarped_places,
)

log = logging.getLogger(__name__)

ALL = "all"  # stands for the mean over labels
SOUND, ACTIVITY = "sound", "activity"
COLUMNS = [
    "modality",
    "label",
    "warp",
    "similarity",
    "low",
    "high",
    "gain",
    "gain_low",
    "gain_high",
    "null_mean",
    "null_low",
    "null_high",
    "null_replicates",
    "p",
    "n_trials",
    "n_bouts",
]


# Places (n, length) of a label's training and held-out renditions, by warp.
Warped = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]
# Per fold the frames of all training renditions, and each label's renditions.
Plan = list[tuple[np.ndarray, dict[str, Warped]]]


def warp_plan(values: np.ndarray, renditions: Renditions) -> Plan:
    """Warp every rendition to the reference of its label in each fold.

    Parameters
    ----------
    values : ndarray (frames, columns)
        What renditions are compared by in dynamic time warping.
    renditions : Renditions

    Returns
    -------
    list of (rows, dict)
        Per fold the frames of all training renditions, and of each label its training renditions,
        its held-out ones, and by warp the places (training and held-out, length) at which these are
        sampled. A label with one training rendition is missing.

    Raises
    ------
    DataError
        All labels are missing in all folds.
    """
    first, count = renditions.first, renditions.count
    label = renditions.trials["label"].to_numpy()
    plan = []
    for train, test in renditions.folds:
        rows = rows_of(first[train], count[train])
        compared = standardised(values, rows)
        labels = {}
        for name in np.unique(label[test]):
            own, held = train[label[train] == name], test[label[test] == name]
            if len(own) < 2:
                continue
            reference = fit_reference(compared, first[own], count[own])
            both = np.r_[own, held]
            spans = first[both], count[both]
            places = {
                "unwarped": unwarped_places(first[both], renditions.last[both], len(reference)),
                "linear": linear_places(*spans, len(reference)),
                "dtw": dtw_places(compared, *spans, reference),
            }
            labels[name] = own, held, places
        plan.append((rows, labels))
    if not any(labels for _, labels in plan):
        raise DataError(
            "In no fold has a label two training renditions, so that there is no reference to "
            "warp to; lower `folds`, or name fewer `labels`."
        )
    return plan


def likeness(values: np.ndarray, plan: Plan, number: int) -> np.ndarray:
    """Correlate held-out renditions with the template of their label.

    Bands and units are standardised on the training renditions of all labels, so that what all
    syllables share counts for nothing.

    Parameters
    ----------
    values : ndarray (frames, columns)
        Levels or activity.
    plan : list
        See `warp_plan`.
    number : int
        Of trials.

    Returns
    -------
    ndarray (warps, trials)
        NaN where there was no template.
    """
    found = np.full((len(WARPS), number), np.nan)
    for rows, labels in plan:
        scaled = standardised(values, rows)
        for own, held, places in labels.values():
            for row, warp in enumerate(WARPS):
                warped = sampled(scaled, places[warp])
                template = warped[: len(own)].mean(axis=0)
                found[row, held] = correlation_with(template, warped[len(own) :])
    return found


def correlation_with(template: np.ndarray, renditions: np.ndarray) -> np.ndarray:
    """Return the correlation (n,) of renditions (n, length, columns) with a template.

    0 where either never varies.
    """
    flat = renditions.reshape(len(renditions), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    pattern = template.ravel() - template.mean()
    size = np.sqrt((flat**2).sum(axis=1) * (pattern**2).sum())
    return np.divide(flat @ pattern, size, out=np.zeros(len(flat)), where=size > 0)


def template_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    frames: Frames,
    settings: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Compare held-out renditions with their label's template, as they are and warped.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones take part.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    frames : Frames
        The recording's.
    settings : mapping
        lead, smoothing (s): see `neuro2voc.warping.leading_activity`; by: 'sound' or 'activity',
        what dynamic time warping compares.
    protocol : Protocol
        Its surrogates, resamplings and seed.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, a row per modality ('sound', 'activity'), label ('all': mean over labels)
        and warp. similarity: mean correlation with its interval low to high over bouts; gain: over
        the warp before it (linear over unwarped, DTW over linear), with its interval; null_mean,
        null_low, null_high, null_replicates, p: of the activity of shifted surrogates, missing
        without.

    Raises
    ------
    DataError
        See `neuro2voc.warping.make_renditions` and `warp_plan`.
    """
    renditions = make_renditions(trials, split, frames, recording.name)
    number = len(renditions.trials)

    def activity_of(bird: Recording) -> np.ndarray:
        return leading_activity(bird, frames, settings["lead"], settings["smoothing"])

    activity, by_sound = activity_of(recording), settings["by"] == SOUND
    plan = warp_plan(frames.level if by_sound else activity, renditions)
    null = []
    for bird, _ in shifted_birds(recording, trials, protocol):
        moved = activity_of(bird)
        own = plan if by_sound else warp_plan(moved, renditions)
        null.append(likeness(moved, own, number))
    parts = []
    for modality, values in ((SOUND, frames.level), (ACTIVITY, activity)):
        found = likeness(values, plan, number)
        table = summed_up(found, renditions.trials, protocol.resamples, protocol.seed)
        if modality == ACTIVITY and null:
            means = [_mean_likeness(each, renditions.trials) for each in null]
            table = table_beside_null(table, means, "similarity")
        parts.append(table.assign(modality=modality))
        means = table.loc[table["label"] == ALL, "similarity"]
        log.info("%s: %s", modality, means.round(3).tolist())
    return pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)


def summed_up(
    similarity: np.ndarray, trials: pd.DataFrame, resamples: int, seed: int
) -> pd.DataFrame:
    """Return means over trials by label and over labels, with 95 % intervals over bouts.

    Parameters
    ----------
    similarity : ndarray (warps, trials)
        See `likeness`.
    trials : DataFrame
        label, bout.
    resamples, seed : int
        Of the percentile bootstrap over bouts.

    Returns
    -------
    DataFrame
        label, warp, similarity, low, high, gain, gain_low, gain_high, n_trials, n_bouts.
    """
    sums, counts, names = _by_bout(similarity, trials)
    bouts = len(sums)
    mean = _means(sums, counts, np.ones((1, bouts)))[0]
    gain, ends = _gain(mean), np.full((2, *mean.shape), np.nan)
    gains = ends.copy()
    if bouts > 1:
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(bouts, np.full(bouts, 1 / bouts), size=resamples)
        drawn = _means(sums, counts, weights.astype(float))
        ends = np.nanquantile(drawn, [0.025, 0.975], axis=0)
        gains = np.nanquantile(_gain(drawn), [0.025, 0.975], axis=0)
    used, own = counts.sum(axis=0), (counts > 0).sum(axis=0)
    rows = []
    for i, label in enumerate([*names, ALL]):
        last = label == ALL
        for j, warp in enumerate(WARPS):
            rows.append(
                {
                    "label": label,
                    "warp": warp,
                    "similarity": mean[i, j],
                    "low": ends[0, i, j],
                    "high": ends[1, i, j],
                    "gain": gain[i, j],
                    "gain_low": gains[0, i, j],
                    "gain_high": gains[1, i, j],
                    "n_trials": int(used.sum() if last else used[i]),
                    "n_bouts": int(bouts if last else own[i]),
                }
            )
    return pd.DataFrame(rows)


def _by_bout(
    similarity: np.ndarray, trials: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums (bouts, labels, warps) and numbers (bouts, labels) of trials, and the labels."""
    known = np.isfinite(similarity[0])
    names, label = np.unique(trials["label"].to_numpy()[known], return_inverse=True)
    bouts, bout = np.unique(trials["bout"].to_numpy()[known], return_inverse=True)
    sums, counts = (
        np.zeros((len(bouts), len(names), len(WARPS))),
        np.zeros((len(bouts), len(names))),
    )
    np.add.at(sums, (bout, label), similarity[:, known].T)
    np.add.at(counts, (bout, label), 1)
    return sums, counts, names


def _means(sums: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return means (n, labels + 1, warps) with bouts weighed (n, bouts), the last over labels.

    A label that is in no bout of a draw is missing there.
    """
    total = np.einsum("nb,blw->nlw", weights, sums)
    number = np.einsum("nb,bl->nl", weights, counts)[..., None]
    by_label = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return np.concatenate([by_label, np.nanmean(by_label, axis=1, keepdims=True)], axis=1)


def _gain(means: np.ndarray) -> np.ndarray:
    """Return what each warp (last axis) gains over the one before it."""
    return np.diff(means, axis=-1, prepend=means[..., :1])


def _mean_likeness(similarity: np.ndarray, trials: pd.DataFrame) -> np.ndarray:
    """Return means (labels + 1 times warps,) over trials, in the order of `summed_up`."""
    sums, counts, _ = _by_bout(similarity, trials)
    return _means(sums, counts, np.ones((1, len(sums))))[0].ravel()
