"""Spike density of the population around the onset of each syllable."""

import numpy as np
import pandas as pd

from neuro2voc.binning import PER_SECOND, Window, make_tensor
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.rates import activity_name
from neuro2voc.recording import Recording
from neuro2voc.trials import used_trials

# 20 ms, the thesis' bin, is as long as a burst; 200 ms hold the neighbouring syllables too.
DENSITY = Window("density", "onset", -0.2, 0.2, 0.02, step=0.005)
LEVEL = 0.95


def densities(recording: Recording, trials: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Average the activity of all units around the onset of each syllable.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; used ones count.
    protocol : Protocol
        Of it the resamples, the seeds and the settings of trials.

    Returns
    -------
    DataFrame
        A row per label and bin of 20 ms, every 5 ms: label, start, stop (s from the onset), rate
        (Hz per unit, mean over units and trials; a level where activity is one), low, high (95 %
        interval over bouts, missing where there is one bout), trials, bouts, song (mean over all
        labels, each weighed alike); with surrogates null_mean, null_low, null_high (their range)
        and null_replicates.
    """
    used = used_trials(trials)
    activity = population_activity(recording, used)
    null: dict[str, list[np.ndarray]] = {}
    for bird, shifted in shifted_birds(recording, trials, protocol):
        moved = population_activity(bird, shifted)
        for label, rows in shifted.reset_index().groupby("label").indices.items():
            null.setdefault(label, []).append(np.nanmean(moved[rows], axis=0))
    starts, stops = DENSITY.bin_starts / PER_SECOND, DENSITY.bin_stops / PER_SECOND
    tables = []
    for label, rows in used.reset_index().groupby("label").indices.items():
        bouts = used["bout"].to_numpy()[rows]
        low, high = _interval(activity[rows], bouts, protocol.resamples, protocol.seed)
        table = pd.DataFrame({"label": label, "start": starts, "stop": stops})
        table = table.assign(rate=np.nanmean(activity[rows], axis=0), low=low, high=high)
        table = table.assign(trials=len(rows), bouts=len(np.unique(bouts)))
        if label in null:
            curves = np.array(null[label])
            table = table.assign(
                null_mean=curves.mean(axis=0),
                null_low=curves.min(axis=0),
                null_high=curves.max(axis=0),
                null_replicates=len(curves),
            )
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    return table.assign(song=table.groupby("start")["rate"].transform("mean"))


def population_activity(recording: Recording, used: pd.DataFrame) -> np.ndarray:
    """Return the mean activity of the observed units (trials, bins), in Hz where it can be."""
    tensor = make_tensor(recording, used, DENSITY)
    total = np.einsum("tub,tu->tb", tensor.counts.astype(np.float32), tensor.observed)
    units = tensor.observed.sum(axis=1, keepdims=True)
    mean = np.divide(total, units, out=np.full(total.shape, np.nan), where=units > 0)
    return mean / DENSITY.bin if "Hz" in activity_name(recording) else mean


def _interval(
    activity: np.ndarray, bouts: np.ndarray, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval (bins,) of the mean over trials from a bootstrap over bouts."""
    names, bout = np.unique(bouts, return_inverse=True)
    if len(names) < 2:
        missing = np.full(activity.shape[1], np.nan)
        return missing, missing
    known = np.isfinite(activity)
    totals = np.zeros((2, len(names), activity.shape[1]))
    np.add.at(totals[0], bout, np.where(known, activity, 0))
    np.add.at(totals[1], bout, known)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    sums, numbers = weights @ totals[0], weights @ totals[1]
    means = np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=numbers > 0)
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(means, [tail, 1 - tail], axis=0)
    return low, high
