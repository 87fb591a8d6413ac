"""Birds small enough to embed in a test."""

import numpy as np
import pandas as pd

from neuro2voc.bout_bins import SILENCE, BoutBins
from neuro2voc.recording import Recording, Units
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials

LABELS = np.array(list("abc"))


def make_bins(lengths, units=4, seed=0, known=0.0, silent=True, folds=3):
    """Bouts of so many bins, in syllables of five bins with one of silence behind each.

    known: how much more active a syllable's own units are.
    """
    rng = np.random.default_rng(seed)
    label, position, bout = [], [], []
    for number, length in enumerate(lengths):
        at = np.arange(length)
        sung = LABELS[rng.integers(3, size=length // 6 + 1)[at // 6]]
        quiet = (at % 6 == 5) & silent
        label.append(np.where(quiet, SILENCE, sung))
        position.append(np.where(quiet, np.nan, (at % 6 + rng.uniform(0, 0.5, length)) / 7))
        bout.append(np.full(length, number))
    label, position, bout = (np.concatenate(part) for part in (label, position, bout))
    activity = rng.poisson(0.3, (len(label), units)).astype(np.float32)
    for unit in range(units):
        activity[label == LABELS[unit % 3], unit] += known
    fold = bout * folds // len(lengths)
    return BoutBins(activity, 0.01 * np.arange(len(bout)), label, position, bout, fold, 0.01)


def make_bird(bouts=12, syllables=10, units=6, known=True, seed=0, name="bird"):
    """A bird whose units fire 30 ms before their syllables, or at random; with trials and split."""
    rng = np.random.default_rng(seed)
    onset = np.concatenate([3.0 * bout + 0.14 * np.arange(syllables) for bout in range(bouts)]) + 1
    label = rng.integers(3, size=len(onset))
    trains, end = [], onset[-1] + 2
    for unit in range(units):
        mine = onset[label == unit % 3] if known else onset[:0]
        spikes = (mine[:, None] - 0.03 + rng.uniform(0, 0.1, (len(mine), 8))).ravel()
        trains.append(np.unique(np.r_[spikes, rng.uniform(0, end, rng.poisson(5 * end))]))
    song = {"start_time": onset, "stop_time": onset + 0.1, "label": LABELS[label]}
    recording = Recording(
        name,
        Units(tuple(trains), pd.DataFrame(index=pd.Index(range(units), name="unit"))),
        pd.DataFrame(song).assign(session="s"),
        pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [end]}),
        simulated=True,
    )
    trials = make_trials(recording, 0.5, [], 3)
    return recording, trials, make_split("blocked", trials, recording.sessions, 3, 0.5, 0)
