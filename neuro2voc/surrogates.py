"""Surrogate birds: the same recording with one thing destroyed.

shuffled: labels permuted within session. shifted: spikes shifted in a circle against the song.
poisson: independent Poisson units with the same mean rates. independent: each unit's trials
permuted within class, so that tuning stays and joint patterns go.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.recording import Recording, Units
from neuro2voc.splits import folds_of

CHANGED = {
    "shuffled": "syllables",
    "shifted": "units",
    "poisson": "units",
    "independent": "units",
}
LEAST_SHIFT = 10.0  # s, or a tenth of the session if that is less
REACH = 0.2  # s around a bout that moves together with its first and last syllable


def surrogate(
    recording: Recording,
    kind: str,
    seed: int,
    trials: pd.DataFrame | None = None,
    split: pd.DataFrame | None = None,
) -> Recording:
    """Make a surrogate of a recording.

    Parameters
    ----------
    recording : Recording
        No surrogate itself.
    kind : {'shuffled', 'shifted', 'poisson', 'independent'}
    seed : int
    trials, split : DataFrame, optional
        Trials and blocked folds, needed by 'independent': trials move within folds only.

    Raises
    ------
    DataError
        Unknown kind, or a surrogate of a surrogate.
    """
    if kind not in CHANGED:
        raise DataError(f"there is no surrogate '{kind}'{nearest(kind, CHANGED)}")
    if recording.surrogate:
        raise DataError(f"{recording.name} is a surrogate; surrogates of surrogates are not made.")
    rng = np.random.default_rng(seed)
    if kind == "shuffled":
        return recording.with_syllables(_shuffled(recording.syllables, rng))
    if kind == "independent":
        return recording.with_units(_independent(recording, trials, split, rng))
    move = _shifted(recording, rng) if kind == "shifted" else _poisson(rng)
    return recording.with_units(_moved(recording, move))


def _shuffled(syllables: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    label = syllables["label"].to_numpy(dtype=object).copy()
    for rows in syllables.groupby("session", sort=False).indices.values():
        label[rows] = rng.permutation(label[rows])
    return syllables.assign(label=label)


def _moved(recording: Recording, move: Callable[[np.ndarray, float, int], np.ndarray]) -> Units:
    """Move spikes within each session, on a clock that runs only while the unit is observed.

    ``move(times, length, session)`` takes spike times and the length of the session on that clock.
    """
    units = recording.units
    bounds = recording.sessions[["start_time", "stop_time"]].to_numpy()
    trains = []
    for unit, times in enumerate(units.spike_times):
        observed = bounds if units.observed is None else units.observed[unit]
        parts = []
        for session, (start, stop) in enumerate(bounds):
            pieces = np.clip(observed, start, stop)
            pieces = pieces[pieces[:, 1] > pieces[:, 0]]
            if not len(pieces):
                continue
            clock = np.r_[0, np.cumsum(pieces[:, 1] - pieces[:, 0])]
            row = np.searchsorted(pieces[:, 0], times, side="right") - 1
            inside = (row >= 0) & (times < pieces[np.maximum(row, 0), 1])
            row, within = row[inside], times[inside]
            local = clock[row] + within - pieces[row, 0]
            local = move(local, clock[-1], session)
            row = np.clip(np.searchsorted(clock, local, side="right") - 1, 0, len(pieces) - 1)
            parts.append(pieces[row, 0] + local - clock[row])
        trains.append(np.unique(np.concatenate(parts)) if parts else times[:0])
    return replace(units, spike_times=tuple(trains))


def _shifted(recording: Recording, rng: np.random.Generator) -> Callable:
    """One random lag per session, the same for all units: what they share among them stays."""
    length = (recording.sessions["stop_time"] - recording.sessions["start_time"]).to_numpy()
    least = np.minimum(LEAST_SHIFT, length / 10)
    part = rng.uniform(least / length, 1 - least / length)
    return lambda times, observed, session: (times + part[session] * observed) % observed


def _poisson(rng: np.random.Generator) -> Callable:
    return lambda times, length, session: rng.uniform(0, length, rng.poisson(len(times)))


def _independent(
    recording: Recording,
    trials: pd.DataFrame | None,
    split: pd.DataFrame | None,
    rng: np.random.Generator,
) -> Units:
    """Permute each unit's trials among those of one class, predecessor, session and fold.

    A trial is a syllable with the gap before it. Spikes keep their place relative to its onset and
    offset (the gap and the syllable are stretched to fit), so that counts stay as they were. The
    predecessor is kept because windows before the onset see it.
    """
    if trials is None or split is None:
        raise DataError("the surrogate 'independent' needs trials and folds.")
    knots, last = _segments(trials)
    fold = folds_of(split, trials["onset"].to_numpy(), trials["offset"].to_numpy())
    group = (
        pd.DataFrame(
            {
                "label": trials["label"].to_numpy(),
                "previous": trials["previous"].to_numpy(),
                "session": trials["session"].astype(str).to_numpy(),
                "fold": fold,
                "last": last,
                # Spikes of a gap cannot go to where there is none.
                "pieces": (np.diff(knots) > 0) @ [1, 2, 4],
            }
        )
        .groupby(["label", "previous", "session", "fold", "last", "pieces"])
        .ngroup()
        .to_numpy()
    )
    trains = []
    for unit, times in enumerate(recording.units.spike_times):
        key = group
        if recording.units.observed is not None:
            # A trial in which the unit was not observed throughout stays as it is.
            begin, end = recording.units.observed[unit].T
            row = np.searchsorted(begin, knots[:, 0], side="right")
            whole = knots[:, 3] <= np.r_[-np.inf, end][row]
            key = np.where(whole, group, -1 - np.arange(len(group)))
        target = np.empty(len(group), dtype=int)
        target[np.lexsort((rng.random(len(group)), key))] = np.argsort(key, kind="stable")
        trains.append(np.unique(_carried(times, knots, target)))
    return replace(recording.units, spike_times=tuple(trains))


def _segments(trials: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Knots (trials, 4) of each trial in s: begin of its gap, onset, offset, end; and who is last.

    The gap before a syllable is its own, of a bout's first syllable REACH of it. What follows a
    bout's last syllable is its own for REACH.
    """
    onset, offset = trials["onset"].to_numpy(), trials["offset"].to_numpy()
    bout = trials["bout"].to_numpy()
    first, last = np.r_[True, np.diff(bout) > 0], np.r_[np.diff(bout) > 0, True]
    before = np.r_[-np.inf, offset[:-1]]
    begin = np.where(first, np.maximum(onset - REACH, before), before)
    after = np.r_[begin[1:], np.inf]
    end = np.where(last, np.minimum(offset + REACH, after), offset)
    return np.stack([begin, onset, offset, end], axis=1), last


def _carried(times: np.ndarray, knots: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Carry the spikes of each segment to its target, piece by piece in proportion."""
    row = np.searchsorted(knots[:, 0], times, side="right") - 1
    inside = (row >= 0) & (times < knots[np.maximum(row, 0), 3])
    row, t = row[inside], times[inside]
    piece = (t >= knots[row, 1]).astype(int) + (t >= knots[row, 2])
    start, stop = knots[row, piece], knots[row, piece + 1]
    to = target[row]
    part = (t - start) / (stop - start)
    moved = times.copy()
    moved[inside] = knots[to, piece] + part * (knots[to, piece + 1] - knots[to, piece])
    return moved
