"""Surrogate birds: the same recording with one thing destroyed.

shuffled: labels permuted within session. shifted: activity shifted in a circle against the song.
poisson: independent Poisson units with the same mean rates. independent: each unit's trials
permuted within class, so that tuning stays and joint patterns go. The last two need spike times.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.splits import folds_of
from neuro2voc.trials import in_order, sung, used_trials

CHANGED = {
    "shuffled": "syllables",
    "shifted": "units",
    "poisson": "units",
    "independent": "units",
}
LEAST_SHIFT = 10.0  # s, or a tenth of the session if that is less
LEAST_GROUP = 5  # trials, below which those of different successors are permuted together
REACH = 0.2  # s before a bout that move together with its first syllable


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
    trials : DataFrame, optional
        Needed by 'independent'; with it 'shuffled' permutes decoded syllables only.
    split : DataFrame, optional
        The folds that 'independent' keeps trials within.

    Raises
    ------
    DataError
        Unknown kind, a surrogate of a surrogate, or one that needs spike times or labels where
        there are none.
    """
    if kind not in CHANGED:
        raise DataError(f"there is no surrogate '{kind}'{nearest(kind, CHANGED)}")
    if recording.surrogate:
        raise DataError(f"{recording.name} is a surrogate; surrogates of surrogates are not made.")
    rng = np.random.default_rng(seed)
    if kind == "shuffled":
        return recording.with_syllables(_shuffled(recording, trials, rng))
    if kind == "independent":
        return recording.with_units(_independent(recording, trials, split, rng))
    if kind == "shifted" and isinstance(recording.units, Binned):
        return recording.with_units(_rolled(recording, rng))
    trains = recording.spike_times(f"The surrogate '{kind}'")
    move = _shifted(recording, rng) if kind == "shifted" else _poisson(rng)
    return recording.with_units(
        replace(recording.units, spike_times=_moved(recording, trains, move))
    )


def _shuffled(
    recording: Recording, trials: pd.DataFrame | None, rng: np.random.Generator
) -> pd.DataFrame:
    """Permute the labels of what is decoded, or of everything where no trials are given."""
    syllables = in_order(recording.syllables)
    label = syllables["label"].to_numpy(dtype=object).copy()
    moving = syllables
    if trials is not None:
        moving = syllables.loc[used_trials(trials, recording.name)["trial"]]
    for index in moving.groupby("session", sort=False).groups.values():
        label[index] = rng.permutation(label[index])
    return syllables.assign(label=label)


def _moved(
    recording: Recording,
    trains: Iterable[np.ndarray],
    move: Callable[[np.ndarray, float, int], np.ndarray],
) -> tuple[np.ndarray, ...]:
    """Move spikes within each session, on a clock that runs only while the unit is observed.

    ``move(times, length, session)`` takes spike times and the length of the session on that clock.
    """
    moved = []
    for unit, times in enumerate(trains):
        parts = []
        for session, pieces in enumerate(_pieces(recording, unit)):
            if not len(pieces):
                continue
            clock = np.r_[0, np.cumsum(pieces[:, 1] - pieces[:, 0])]
            row = np.searchsorted(pieces[:, 0], times, side="right") - 1
            inside = (row >= 0) & (times < pieces[np.maximum(row, 0), 1])
            row, within = row[inside], times[inside]
            local = move(clock[row] + within - pieces[row, 0], clock[-1], session)
            row = np.clip(np.searchsorted(clock, local, side="right") - 1, 0, len(pieces) - 1)
            parts.append(pieces[row, 0] + local - clock[row])
        moved.append(np.unique(np.concatenate(parts)) if parts else times[:0])
    return tuple(moved)


def _pieces(recording: Recording, unit: int) -> list[np.ndarray]:
    """Intervals (k, 2) in s in which a unit was observed, for each session.

    Of activity in bins, the bins that lie in them whole.
    """
    bounds = recording.sessions[["start_time", "stop_time"]].to_numpy()
    observed = bounds if recording.units.observed is None else recording.units.observed[unit]
    pieces = [np.clip(observed, start, stop) for start, stop in bounds]
    if isinstance(recording.units, Binned):
        units = recording.units
        pieces = [units.start_time + _bins(units, piece) / units.rate for piece in pieces]
    return [piece[piece[:, 1] > piece[:, 0]] for piece in pieces]


def _bins(units: Binned, pieces: np.ndarray) -> np.ndarray:
    """Return the first bin (k, 2) that lies in each interval (s) whole, and the one after the last.

    A thousandth of a bin is forgiven: times come from other divisions than bins do.
    """
    edges = (pieces - units.start_time) * units.rate
    edges = np.stack([np.ceil(edges[:, 0] - 1e-3), np.floor(edges[:, 1] + 1e-3)], axis=1)
    return np.clip(edges, 0, len(units.values)).astype(np.int64)


def _rolled(recording: Recording, rng: np.random.Generator) -> Binned:
    """Shift bins, and events with them, in a circle by one lag per session; see `_shifted`.

    The lag is a whole number of bins.
    """
    units = recording.units
    lags = _lags(recording, rng, units.rate)
    values = units.values.copy()
    for unit in range(len(units)):
        for lag, pieces in zip(lags, _pieces(recording, unit), strict=True):
            bins = np.r_[tuple(slice(a, b) for a, b in _bins(units, pieces))] if len(pieces) else []
            values[bins, unit] = np.roll(units.values[bins, unit], round(lag * units.rate))
    events = units.events
    if events is not None:
        events = _moved(recording, events, lambda t, length, s: (t + lags[s]) % length)
    return replace(units, values=values, events=events)


def _shifted(recording: Recording, rng: np.random.Generator) -> Callable:
    """One random lag in s per session, the same for all units: what they share among them stays."""
    lags = _lags(recording, rng)
    return lambda times, observed, session: (times + lags[session]) % observed


def _lags(recording: Recording, rng: np.random.Generator, rate: float | None = None) -> list[float]:
    """Draw a lag in s for each session, of whole bins where a rate of bins (Hz) is given.

    On the observed time of every unit it is at least LEAST_SHIFT, or a tenth if that is less; where
    units differ so much that no lag is, it is the one that comes closest.
    """
    lengths = [
        [np.sum(pieces[:, 1] - pieces[:, 0]) for pieces in _pieces(recording, unit)]
        for unit in range(1 if recording.units.observed is None else len(recording.units))
    ]
    sessions = [np.unique([n for n in column if n > 0]) for column in zip(*lengths, strict=True)]
    if rate is None:
        return [_draw_lag(n, np.minimum(LEAST_SHIFT, n / 10), rng) for n in sessions]
    lags = []
    for length in sessions:
        bins = np.unique(np.rint(length * rate))
        least = np.ceil(np.minimum(LEAST_SHIFT * rate, bins / 10))
        # Whole bins of at least `least`, and of at most all but as many.
        lags.append(np.floor(_draw_lag(bins, least, rng)) / rate)
    return lags


def _draw_lag(lengths: np.ndarray, least: np.ndarray, rng: np.random.Generator) -> float:
    """Draw a lag that is long enough, in a circle, on clocks of all these lengths."""
    if not len(lengths):
        return 0.0
    if len(lengths) == 1:
        return rng.uniform(least[0], lengths[0] - least[0])
    lags = rng.uniform(0, lengths[-1], 10_000)
    around = lags[:, None] % lengths
    enough = (np.minimum(around, lengths - around) / least).min(axis=1)
    return lags[np.argmax(enough >= 1) if (enough >= 1).any() else np.argmax(enough)]


def _poisson(rng: np.random.Generator) -> Callable:
    return lambda times, length, session: rng.uniform(0, length, rng.poisson(len(times)))


def _independent(
    recording: Recording,
    trials: pd.DataFrame | None,
    split: pd.DataFrame | None,
    rng: np.random.Generator,
) -> Units:
    """Permute each unit's trials within class, session and fold; see `_groups`.

    A trial is a syllable with the gap before it. Spikes of the syllable keep their place between
    onset and offset, so that counts stay as they were; spikes of the gap keep their distance from
    the onset. In a group of n trials two units stay together in one n-th of them: the joint pattern
    that survives is groups / trials.
    """
    if trials is None or split is None:
        raise DataError("the surrogate 'independent' needs trials and folds.")
    trials = sung(trials)
    knots = _segments(trials)
    group = _groups(trials, split)
    trains = []
    for unit, times in enumerate(recording.spike_times("The surrogate 'independent'")):
        key = group
        if recording.units.observed is not None:
            # A trial in which the unit was not observed throughout stays as it is.
            begin, end = recording.units.observed[unit].T
            row = np.searchsorted(begin, knots[:, 0], side="right")
            whole = knots[:, 2] <= np.r_[-np.inf, end][row]
            key = np.where(whole, group, -1 - np.arange(len(group)))
        target = np.empty(len(group), dtype=int)
        target[np.lexsort((rng.random(len(group)), key))] = np.argsort(key, kind="stable")
        trains.append(np.unique(_carried(times, knots, target)))
    return replace(recording.units, spike_times=tuple(trains))


def _groups(trials: pd.DataFrame, split: pd.DataFrame) -> np.ndarray:
    """Group (trials,) of trials of one class, session and fold that have the same successor.

    Activity that leads the next syllable lies in this one: with another successor it would be lost
    on windows before the onset. Rare successors share a group, so that few trials stay as they are.
    """
    same = ["label", "session", "fold"]
    kind = trials[["label", "session"]].copy()
    kind["fold"] = folds_of(split, trials["onset"].to_numpy(), trials["offset"].to_numpy())
    ends = trials["bout"].ne(trials["bout"].shift(-1))
    kind["next"] = trials["label"].shift(-1).mask(ends, "")
    size = kind.groupby([*same, "next"])["next"].transform("size")
    return kind.groupby([*same, kind["next"].mask(size < LEAST_GROUP, "")]).ngroup().to_numpy()


def _segments(trials: pd.DataFrame) -> np.ndarray:
    """Begin of the gap, onset and offset (trials, 3) of each trial in s.

    The gap reaches back to the syllable before, from a bout's first syllable by REACH.
    """
    onset, offset = trials["onset"].to_numpy(), trials["offset"].to_numpy()
    first = np.r_[True, np.diff(trials["bout"].to_numpy()) > 0]
    before = np.r_[-np.inf, offset[:-1]]
    begin = np.where(first, np.maximum(onset - REACH, before), before)
    return np.stack([begin, onset, offset], axis=1)


def _carried(times: np.ndarray, knots: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Carry the spikes (sorted, s) of each segment to its target.

    What a longer gap holds farther from the onset than its source's gap reaches stays as it was.
    """
    row = np.searchsorted(knots[:, 0], times, side="right") - 1
    inside = (row >= 0) & (times < knots[np.maximum(row, 0), 2])
    sung = inside & (times >= knots[np.maximum(row, 0), 1])
    silent = inside & ~sung

    start, stop = knots[row[sung], 1], knots[row[sung], 2]
    to_start, to_stop = knots[target[row[sung]], 1], knots[target[row[sung]], 2]
    stretched = to_start + (times[sung] - start) / (stop - start) * (to_stop - to_start)

    width = knots[:, 1] - knots[:, 0]
    source = np.argsort(target)
    before = knots[row[silent], 1] - times[silent]
    to = target[row[silent]]
    shifted = (knots[to, 1] - before)[before <= width[to]]
    kept = times[silent][before > width[source[row[silent]]]]
    return np.concatenate([times[~inside], stretched, shifted, kept])
