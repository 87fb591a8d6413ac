"""Whether what looks like neurons is sound, movement or a bad clock: checks before all else."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import poisson

from neuro2voc.crosstalk import Crosstalk, find_crosstalk
from neuro2voc.recording import Audio, Recording, Units
from neuro2voc.sound_clock import LIMIT, apart, sound_lags
from neuro2voc.trials import sung

LEVEL = 0.05  # of each check's false alarms, per recording
STEP = 0.0005  # s, from one window to the next, since bursts do not keep to a grid
PER_WINDOW = 2  # steps
JITTER = 20  # ms by which each unit's spikes could as well have come earlier or later
WIDTH = 2 * JITTER + 1  # ms that spikes near a window of 1 ms come from
APART = 0.005  # s; improbable windows closer to each other are one event
RUN = 3  # samples in a row at the edge of a session's range; unclipped peaks hardly stay for two

# Verdicts.
CLEAN, FOUND, UNKNOWN, IMPOSSIBLE = "none found", "FOUND", "cannot tell", "not checked"


@dataclass(frozen=True, eq=False)
class Bursts:
    """How many units fire within the same millisecond.

    Attributes
    ----------
    together : DataFrame
        A row per number of units, from 0 on: ``units``; windows of 1 ms, one every half, with so
        many: ``seen``, ``expected`` at most, and ``improbable``.
    events : DataFrame
        A row per improbable event: ``time`` (s), ``units`` (number), ``in_song`` (bool).
    minutes_in_song, minutes_outside : float
        What was looked at.
    p : float
        Of the most improbable window, times the number of windows.
    needed : int
        Units that would have to fire together to be noticed if no others fired near; more than
        there are where nothing can be told.
    """

    together: pd.DataFrame
    events: pd.DataFrame
    minutes_in_song: float
    minutes_outside: float
    p: float
    needed: int


@dataclass(frozen=True)
class Check:
    """One check in words and numbers.

    Attributes
    ----------
    check : str
        Its name.
    verdict : str
        ``none found``, ``FOUND``, ``cannot tell`` or ``not checked``.
    words : str
        One sentence.
    value, null_low, null_high, p : float
        What was measured, what there would be of it without an artefact, and how surely.
    unit : str
        Of `value`.
    """

    check: str
    verdict: str
    words: str
    value: float = np.nan
    unit: str = ""
    null_low: float = np.nan
    null_high: float = np.nan
    p: float = np.nan


@dataclass(frozen=True, eq=False)
class Artefacts:
    """All checks of a recording; what could not be checked is None.

    Attributes
    ----------
    checks : tuple of Check
        Crosstalk, bursts, clipping, clock, in this order.
    crosstalk : Crosstalk, optional
    bursts : Bursts, optional
    levels : DataFrame, optional
        See `find_clipping`.
    lags : DataFrame, optional
        See `neuro2voc.sound_clock.sound_lags`.
    """

    checks: tuple[Check, ...]
    crosstalk: Crosstalk | None
    bursts: Bursts | None
    levels: pd.DataFrame | None
    lags: pd.DataFrame | None


def check_artefacts(recording: Recording, trials: pd.DataFrame, seed: int) -> Artefacts:
    """Check a recording for what passes for neural activity or spoils sound.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.
    seed : int
        Of the null of crosstalk.
    """
    spikes, sound = isinstance(recording.units, Units), recording.audio is not None
    crosstalk = find_crosstalk(recording, trials, seed) if spikes and sound else None
    bursts = find_bursts(recording, trials) if spikes else None
    levels = find_clipping(recording.audio, trials) if sound else None
    lags = sound_lags(recording, trials) if sound else None
    checks = (
        _crosstalk_check(crosstalk, sound),
        _bursts_check(bursts, len(recording.units)),
        _clipping_check(levels),
        _clock_check(lags),
    )
    return Artefacts(checks, crosstalk, bursts, levels, lags)


def find_bursts(recording: Recording, trials: pd.DataFrame) -> Bursts:
    """Look for milliseconds in which improbably many units fire at once.

    Were each unit's spikes moved by up to 20 ms either way, each unit on its own, then the number
    of units in a window of 1 ms would be a sum of independent events, its mean at most the number
    of spikes within 41 ms over 41. One beyond that mean, such a sum exceeds any value at most as
    often as a Poisson number of the same mean (Hoeffding 1956, Ann. Math. Stat. 27:713). Windows
    are improbable where that chance times their number is at most 5 %.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.

    Raises
    ------
    DataError
        The activity is not spike times.
    """
    trains = recording.spike_times("The search for bursts common to all units")
    sessions = recording.sessions
    parts = [
        _units_together(trains, session.start_time, session.stop_time)
        for session in sessions.itertuples()
    ]
    first = np.cumsum([0, *(len(part[0]) for part in parts)])
    together, near = (np.concatenate(part) for part in zip(*parts, strict=True))
    number = np.arange(len(trains) + 1)
    # Windows by how many spikes were near and units fired: far fewer kinds than windows.
    shape = (int(near.max(initial=0)) + 1, len(number))
    kinds = np.bincount(near * shape[1] + together, minlength=shape[0] * shape[1]).reshape(shape)
    mean = np.arange(shape[0])[:, None] / WIDTH
    chance = np.minimum(1, poisson.sf(number - 1, mean) * len(together))
    bouts = _bouts(trials)
    improbable = chance <= LEVEL
    windows = np.flatnonzero(improbable[near, together])
    session = np.searchsorted(first, windows, side="right") - 1
    times = sessions["start_time"].to_numpy()[session] + (windows - first[session]) * STEP
    events = _events(times, together[windows])
    events["in_song"] = _within(events["time"].to_numpy(), bouts)
    song = float((bouts["stop"] - bouts["start"]).sum())
    usual = np.median(near) if len(near) else 0
    noticed = poisson.sf(number - 1, (number + usual) / WIDTH) * len(together) <= LEVEL
    return Bursts(
        together=pd.DataFrame(
            {
                "units": number,
                "seen": kinds.sum(axis=0),
                "expected": (kinds.sum(axis=1)[:, None] * poisson.pmf(number, mean)).sum(axis=0),
                "improbable": np.where(improbable, kinds, 0).sum(axis=0),
            }
        ),
        events=events,
        minutes_in_song=song / 60,
        minutes_outside=max(0.0, len(together) * STEP - song) / 60,
        p=float(chance[kinds > 0].min(initial=1)),
        needed=int(number[noticed][0]) if noticed.any() else len(number),
    )


def _units_together(
    trains: tuple[np.ndarray, ...], start: float, stop: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per window, the number of units in it and of spikes near, each (windows,)."""
    count = int(np.ceil((stop - start) / STEP))
    together, spikes = np.zeros((2, count + 1), dtype=np.int32)
    for train in trains:
        train = train[np.searchsorted(train, start) : np.searchsorted(train, stop)]
        steps = ((train - start) / STEP).astype(np.int32).clip(max=count - 1) + 1
        before = np.diff(steps, prepend=-1)  # spike times are sorted
        steps, before = steps[before > 0], before[before > 0]
        spikes[steps] += 1
        # A window begins with the step before it, so that every spike lies in two.
        together[steps] += 1
        together[steps[before > 1] - 1] += 1
    reach = (WIDTH - 1) * PER_WINDOW // 2
    summed = np.pad(np.cumsum(spikes, dtype=np.int32), (reach + 1, reach + 1), mode="edge")
    summed[: reach + 1] = 0
    return together, summed[WIDTH * PER_WINDOW :][: count + 1] - summed[: count + 1]


def _events(times: np.ndarray, together: np.ndarray) -> pd.DataFrame:
    """Join improbable windows that lie close together, each event at its fullest."""
    event = np.cumsum(np.diff(times, prepend=-np.inf) > APART)
    frame = pd.DataFrame({"event": event, "time": times, "units": together})
    frame = frame.sort_values(["event", "units", "time"], ascending=[True, False, True])
    return frame.drop_duplicates("event")[["time", "units"]].reset_index(drop=True)


def _bouts(trials: pd.DataFrame) -> pd.DataFrame:
    """Return session, start, stop (s) of each bout."""
    groups = sung(trials).groupby("bout")
    return groups.agg(session=("session", "first"), start=("onset", "min"), stop=("offset", "max"))


def _within(times: np.ndarray, intervals: pd.DataFrame) -> np.ndarray:
    """Return which times lie within one of sorted, disjoint intervals."""
    last = np.searchsorted(intervals["start"], times, side="right") - 1
    return (last >= 0) & (times < intervals["stop"].to_numpy()[last.clip(min=0)])


def find_clipping(audio: Audio, trials: pd.DataFrame) -> pd.DataFrame:
    """Look for bouts whose sound stays at the edge of its range.

    Parameters
    ----------
    audio : Audio
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.

    Returns
    -------
    DataFrame
        A row per bout: bout, session, start_time (s), syllables, level (dB; its loudest sample
        against the loudest in song of that session), clipped (bool: at least three samples in a
        row are the session's highest or lowest), clipped_syllables (number).
    """
    bouts = _bouts(trials)
    bouts["start"] = bouts["start"].clip(lower=audio.start_time)
    bouts["stop"] = bouts["stop"].clip(upper=audio.stop_time)
    bouts = bouts[bouts["stop"] - bouts["start"] > RUN / audio.rate]
    ranges = [_range(audio.read(bout.start, bout.stop)) for bout in bouts.itertuples()]
    bouts[["low", "high"]] = np.array(ranges).reshape(-1, 2)
    sessions = bouts.groupby("session")
    lowest, highest = sessions["low"].transform("min"), sessions["high"].transform("max")
    rows = []
    for bout, low, high in zip(bouts.itertuples(), lowest, highest, strict=True):
        times = np.zeros(0)
        if low < high and (bout.low == low or bout.high == high):
            sound = audio.read(bout.start, bout.stop)
            times = bout.start + np.sort(np.r_[_runs(sound, low), _runs(sound, high)]) / audio.rate
        own = sung(trials[trials["bout"] == bout.Index])
        hit = np.searchsorted(times, own["onset"]) < np.searchsorted(times, own["offset"])
        rows.append(
            (bout.Index, bout.session, bout.start, len(own), len(times) > 0, int(hit.sum()))
        )
    columns = ["bout", "session", "start_time", "syllables", "clipped", "clipped_syllables"]
    levels = pd.DataFrame(rows, columns=columns)
    share = np.maximum(-bouts["low"], bouts["high"]) / np.maximum(-lowest, highest)
    levels["level"] = 20 * np.log10(share.to_numpy().clip(1e-6))
    return levels


def _range(sound: np.ndarray) -> tuple[float, float]:
    return float(sound.min()), float(sound.max())


def _runs(sound: np.ndarray, edge: float) -> np.ndarray:
    """Return the samples at which runs of at least `RUN` samples at an edge begin."""
    at_edge = np.r_[0, sound == np.float32(edge), 0].astype(int)
    begin, end = (np.flatnonzero(np.diff(at_edge) == sign) for sign in (1, -1))
    return begin[end - begin >= RUN]


def _crosstalk_check(crosstalk: Crosstalk | None, sound: bool) -> Check:
    name = "crosstalk"
    if crosstalk is None:
        needs = "spike times" if sound else "sound"
        return Check(name, IMPOSSIBLE, f"Crosstalk: not checked, since that needs {needs}.")
    units = crosstalk.units
    rows = units[units["p"].notna()]
    if not len(rows):
        return Check(name, UNKNOWN, "Crosstalk: cannot tell, with so little song or so few spikes.")
    locked = rows[rows["p"] <= LEVEL]
    most = rows.loc[(locked if len(locked) else rows)["average_ratio"].idxmax()]
    null_high = most["coherence"] / most["ratio"] * crosstalk.coherence_limit
    numbers = {"unit": "squared coherence", "null_low": 0.0, "null_high": null_high}
    numbers |= {"value": most["coherence"], "p": rows["p"].min()}
    at = f"squared coherence {most['coherence']:.2g} at {most['frequency'] / 1e3:.1f} kHz"
    at += f", p {numbers['p']:.2g}"
    which = "all units together" if most["unit"] == "all" else f"unit {most['unit']}"
    if not len(locked):
        words = f"No crosstalk found: {which} most, {at}."
        return Check(name, CLEAN, words, **numbers)
    single = int((locked["unit"] != "all").sum())
    who = f"{single} of {len(units) - 1} units" if single else "the sum of all units"
    words = f"FOUND: {who} locked to the sound's waveform; {which} most, {at}."
    return Check(name, FOUND, words, **numbers)


def _bursts_check(bursts: Bursts | None, units: int) -> Check:
    name = "bursts"
    if bursts is None:
        return Check(name, IMPOSSIBLE, "Common bursts: not checked, since that needs spike times.")
    minutes = bursts.minutes_in_song + bursts.minutes_outside
    if bursts.needed > units or not minutes:
        some = "1 unit is" if units == 1 else f"{units} units are"
        return Check(name, UNKNOWN, f"Common bursts: cannot tell, {some} too few.")
    events = bursts.events
    numbers = {"value": len(events) / minutes, "unit": "per minute", "null_low": 0.0}
    numbers |= {"null_high": LEVEL / minutes, "p": bursts.p}
    if not len(events):
        most = int(bursts.together.loc[bursts.together["seen"] > 0, "units"].max())
        at_most = f"at most {most} of {units} units fire together, p {bursts.p:.2g}"
        words = f"No common bursts found: {at_most}."
        return Check(name, CLEAN, words, **numbers)
    song, outside = burst_rate(bursts, in_song=True), burst_rate(bursts, in_song=False)
    words = (
        f"FOUND: {len(events)} common bursts, {song:.2g} a minute in song and {outside:.2g} "
        f"outside, of {events['units'].mean() / units:.0%} of units."
    )
    return Check(name, FOUND, words, **numbers)


def burst_rate(bursts: Bursts, in_song: bool) -> float:
    """Return common bursts per minute in song or outside; NaN where there is no such time."""
    minutes = bursts.minutes_in_song if in_song else bursts.minutes_outside
    return (bursts.events["in_song"] == in_song).sum() / minutes if minutes else np.nan


def _clipping_check(levels: pd.DataFrame | None) -> Check:
    name = "clipping"
    if levels is None:
        return Check(name, IMPOSSIBLE, "Clipped sound: not checked, since that needs sound.")
    if not len(levels):
        return Check(name, UNKNOWN, "Clipped sound: cannot tell, no bout has sound.")
    bouts, syllables = int(levels["clipped"].sum()), int(levels["clipped_syllables"].sum())
    numbers = {"value": bouts / len(levels), "unit": "share of bouts", "null_low": 0.0}
    numbers |= {"null_high": 0.0}
    if not bouts:
        return Check(name, CLEAN, f"No clipped sound found in {len(levels)} bouts.", **numbers)
    words = (
        f"FOUND: {bouts} of {len(levels)} bouts are clipped, and in them {syllables} of all "
        f"{levels['syllables'].sum()} syllables."
    )
    return Check(name, FOUND, words, **numbers)


def _clock_check(lags: pd.DataFrame | None) -> Check:
    name = "clock"
    if lags is None:
        return Check(name, IMPOSSIBLE, "Clock: not checked, since that needs sound.")
    told = lags.dropna()
    if not len(told):
        return Check(name, UNKNOWN, "Clock: cannot tell, labels do not stand out of the sound.")
    far = told[apart(told)]
    worst = (far if len(far) else told)["lag"].abs().idxmax()
    lag, low, high = 1e3 * told.loc[worst, ["lag", "low", "high"]].astype(float)
    numbers = {"value": lag, "unit": "ms", "null_low": -1e3 * LIMIT, "null_high": 1e3 * LIMIT}
    if not len(far):
        words = (
            f"Sound and labels agree: at most {abs(lag):.1f} ms apart in {len(told)} parts of the "
            f"recording, of {1e3 * LIMIT:g} accepted."
        )
        return Check(name, CLEAN, words, **numbers)
    words = (
        f"FOUND: sound comes {abs(lag):.1f} ms {'later' if lag > 0 else 'earlier'} than its labels "
        f"({min(abs(low), abs(high)):.1f} to {max(abs(low), abs(high)):.1f}) in "
        f"{told.loc[worst, 'session']}; {1e3 * LIMIT:g} ms are accepted."
    )
    return Check(name, FOUND, words, **numbers)
