"""Which units count: what is known of each, and the rules that admit it.

A rule is applied only where it can be: a unit whose presence or refractoriness cannot be measured
is not dropped for it. A list of qualities or regions is different, because it says what is wanted.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.files import read_csv
from neuro2voc.recording import Binned, Recording, Units

log = logging.getLogger(__name__)

REFRACTORY = 1.5e-3  # s; Hill, Mehta & Kleinfeld 2011 (J. Neurosci. 31:8699)
MINUTE = 60.0  # s, in which presence is looked for; less than ten minutes are cut in ten
UNKNOWN = "unknown"

COLUMNS = {
    "unit": str,
    "depth": float,
    "location": str,
    "quality": str,
    "spikes": float,
    "observed": float,
    "rate": float,
    "presence": float,
    "violations": float,
    "stability": float,
    "included": int,
    "reason": str,
}


def inclusion_table(recording: Recording, rules: Mapping) -> pd.DataFrame:
    """Describe every unit and say whether it counts.

    Parameters
    ----------
    recording : Recording
        With all its units.
    rules : mapping
        The configuration's `inclusion`; a rule that is missing admits all.

    Returns
    -------
    DataFrame
        unit, depth (µm from the tip), location and quality ('unknown' where they are not known),
        spikes, observed (s), rate (Hz while observed, of counts in bins too), presence (share of
        minutes with a spike),
        violations (share of intervals between spikes below 1.5 ms), stability (lowest over highest
        mean rate among sessions), included (0 or 1) and reason (why not). What cannot be measured
        is missing.

    Raises
    ------
    DataError
        No unit is left.
    """
    measured = [_measure(recording, row) for row in range(len(recording.units))]
    table = pd.concat([describe_units(recording), pd.DataFrame(measured)], axis=1)
    table["reason"] = _reasons(table, rules)
    table["included"] = (table["reason"] == "").astype(int)
    for reason, count in table.loc[table["included"] == 0, "reason"].value_counts().items():
        log.info("%d of %d units dropped: %s", count, len(table), reason)
    if not table["included"].any():
        why = ", ".join(sorted(set(table["reason"])))
        raise DataError(
            f"{recording.name}: none of its {len(table)} units is left by the rules of `inclusion` "
            f"({why}); loosen them."
        )
    return table[list(COLUMNS)]


def describe_units(recording: Recording) -> pd.DataFrame:
    """Say where each unit lies and what it is: unit, depth (µm from the tip), location, quality.

    An unknown depth is missing, an unknown location or quality is 'unknown'.
    """
    table = recording.units.table
    depth = table["depth"].to_numpy(float) if "depth" in table else np.nan
    described = pd.DataFrame({"unit": table.index.astype(str), "depth": depth})
    return described.assign(**{name: _text(table, name) for name in ("location", "quality")})


def _text(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), UNKNOWN)
    return table[name].fillna("").astype(str).replace("", UNKNOWN).to_numpy()


def observed_intervals(recording: Recording, unit: int) -> list[np.ndarray]:
    """Return for each session the intervals (k, 2) in s in which a unit was observed."""
    bounds = recording.sessions[["start_time", "stop_time"]].to_numpy()
    observed = recording.units.observed
    spans = bounds if observed is None else np.reshape(observed[unit], (-1, 2))
    pieces = [np.clip(spans, start, stop) for start, stop in bounds]
    return [piece[piece[:, 1] > piece[:, 0]] for piece in pieces]


def _measure(recording: Recording, unit: int) -> dict[str, float]:
    """Return spikes, observed, rate, presence, violations and stability of one unit."""
    pieces = observed_intervals(recording, unit)
    seconds = np.array([np.sum(piece[:, 1] - piece[:, 0]) for piece in pieces])
    found = {"spikes": np.nan, "observed": seconds.sum(), "rate": np.nan}
    found |= {"presence": np.nan, "violations": np.nan, "stability": np.nan}
    if not seconds.sum():
        return found
    if isinstance(recording.units, Binned):
        return found | _counted(recording.units, unit, pieces)
    times = recording.units.spike_times[unit]
    spikes = np.array([np.diff(np.searchsorted(times, piece)).sum() for piece in pieces])
    rates = spikes[seconds > 0] / seconds[seconds > 0]
    found |= {"spikes": spikes.sum(), "rate": spikes.sum() / seconds.sum()}
    found["presence"] = _presence(times, pieces)
    if len(times) > 1:
        found["violations"] = np.mean(np.diff(times) < REFRACTORY)
    if len(rates) > 1 and rates.max() > 0:
        found["stability"] = rates.min() / rates.max()
    return found


def _counted(units: Binned, unit: int, pieces: list[np.ndarray]) -> dict[str, float]:
    """Return spikes and rate of counts in bins; levels have neither."""
    if not units.additive:
        return {}
    total = np.append(0.0, np.cumsum(units.values[:, unit], dtype=np.float64))
    edges = (np.concatenate(pieces) - units.start_time) * units.rate
    spikes = np.diff(np.interp(edges, np.arange(len(total)), total)).sum()
    return {"spikes": spikes, "rate": spikes / np.diff(np.concatenate(pieces)).sum()}


def _presence(times: np.ndarray, pieces: list[np.ndarray]) -> float:
    """Share of the observed minutes (or tenths of short sessions) that hold a spike."""
    hit, minutes = 0, 0
    for start, stop in np.concatenate(pieces):
        edges = np.linspace(start, stop, max(10, round((stop - start) / MINUTE)) + 1)
        hit += np.count_nonzero(np.diff(np.searchsorted(times, edges)))
        minutes += len(edges) - 1
    return hit / minutes


def _reasons(table: pd.DataFrame, rules: Mapping) -> pd.Series:
    """Say of each unit the first rule that it breaks, '' where it breaks none."""
    reason = pd.Series("", index=table.index)

    def drop(broken: pd.Series, why: str) -> None:
        reason[(reason == "") & broken] = why

    if dropped := rules.get("drop_quality"):
        drop(table["quality"].isin(dropped), "quality is noise or artefact")
    for name in ("quality", "location"):
        if wanted := rules.get(name):
            drop(~table[name].isin(wanted), f"{name} not among {', '.join(wanted)}")
    drop(table["observed"] == 0, "never observed")
    for name, least, words in (
        ("rate", rules.get("minimum_rate", 0), "rate below {:g} Hz"),
        ("presence", rules.get("presence", 0), "spikes in less than {:g} of its minutes"),
        ("stability", rules.get("stability", 0), "rate not stable across sessions (below {:g})"),
    ):
        drop(table[name] < least, words.format(least))
    most = rules.get("violations", 1)
    drop(table["violations"] > most, f"more than {most:g} of intervals below 1.5 ms")
    return reason


def read_inclusion(path: str | Path) -> pd.DataFrame:
    """Read an inclusion table."""
    return read_csv(path, COLUMNS)


def open_bird(recording: str | Path, inclusion: str | Path, name: str) -> Recording:
    """Open a recording with the units that count, under the bird's own name.

    Parameters
    ----------
    recording, inclusion : path
        The NWB file and the inclusion table; a surrogate has its parent's table.
    name : str
        The bird's name in the workflow, for example ``bird1@good``.
    """
    return replace(with_included(Recording.open(recording), read_inclusion(inclusion)), name=name)


def with_included(recording: Recording, table: pd.DataFrame) -> Recording:
    """Return the recording with the included units only."""
    rows = np.flatnonzero(table["included"].to_numpy())
    units = recording.units
    if list(units.table.index.astype(str)) != list(table["unit"]):
        raise DataError(
            f"The inclusion table names other units than {recording.name} has; make it again."
        )
    if len(rows) == len(units):
        return recording
    observed = None if units.observed is None else tuple(units.observed[i] for i in rows)
    kept: Units | Binned
    if isinstance(units, Units):
        trains = tuple(units.spike_times[i] for i in rows)
        kept = replace(units, spike_times=trains, table=units.table.iloc[rows], observed=observed)
    else:
        events = None if units.events is None else tuple(units.events[i] for i in rows)
        kept = replace(
            units,
            values=units.values[:, rows],
            table=units.table.iloc[rows],
            events=events,
            observed=observed,
        )
    return recording.with_units(kept)
