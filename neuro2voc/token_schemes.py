"""Spikes as symbols, and back.

A trial's spikes, in ticks of one length, become a sequence of unsigned integers: the alphabet of a
scheme. Bit schemes write '0' and '1' for every unit and tick, where position says which; `events`
writes who fires and how long nothing did.
"""

from dataclasses import dataclass

import numpy as np

from neuro2voc.binning import nanoseconds
from neuro2voc.configuration import SCHEMES
from neuro2voc.errors import DataError, nearest

SILENT, FIRES, BOUNDARY = 0, 1, 2  # symbols of bit schemes
EVENTS = "events"
BITS = tuple(name for name in SCHEMES if name != EVENTS)
GAPS = 12  # gap symbols, for 1, 2, 4 ... 2048 ticks
LONGEST_GAP = 2 ** (GAPS - 1)


@dataclass(frozen=True)
class Scheme:
    """How spikes are written as symbols.

    Attributes
    ----------
    name : {'spatial', 'temporal', 'spatial_rm0', 'aggregated', 'events'}
        spatial: for each tick a boundary and a bit per unit. temporal: for each unit a boundary and
        a bit per tick. spatial_rm0: spatial without the ticks in which nobody fires. aggregated:
        spatial over groups of `width` ticks, 1 where a unit fires at all. events: in time order,
        and within a tick in the order of units, the unit of each spike; between ticks the gap in
        symbols of powers of two, largest first, the largest as often as needed.
    units : int
    ticks : int
        In a window.
    tick : float
        s.
    width : int
        Ticks put together; 1 but for 'aggregated'.
    """

    name: str
    units: int
    ticks: int
    tick: float
    width: int = 1

    @property
    def alphabet(self) -> int:
        """Number of different symbols; of `events` as many for any window."""
        return self.units + GAPS if self.name == EVENTS else 3

    @property
    def dtype(self) -> np.dtype:
        """The smallest type that holds the symbols."""
        return np.min_scalar_type(self.alphabet - 1)

    @property
    def groups(self) -> int:
        """Groups of ticks in a window; the last one may be short."""
        return -(-self.ticks // self.width)


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spikes of trials, trial after trial, sorted by tick and then by unit.

    Attributes
    ----------
    starts : ndarray (trials + 1,)
        Trial i has the spikes from ``starts[i]`` to ``starts[i + 1]``.
    unit, tick : ndarray (spikes,)
        Index of the unit, and of the tick from the window's start.
    """

    starts: np.ndarray
    unit: np.ndarray
    tick: np.ndarray

    def part(self, first: int, last: int) -> "Spikes":
        """Return the trials from `first` up to `last`."""
        starts = self.starts[first : last + 1]
        inside = slice(starts[0], starts[-1])
        return Spikes(starts - starts[0], self.unit[inside], self.tick[inside])


def make_scheme(name: str, units: int, ticks: int, tick: float, aggregate: float) -> Scheme:
    """Return a scheme by its name.

    Parameters
    ----------
    name : str
    units, ticks : int
    tick : float
        s.
    aggregate : float
        s that 'aggregated' puts together.

    Raises
    ------
    DataError
        If there is no such scheme, or `aggregate` is no multiple of `tick`.
    """
    if name not in SCHEMES:
        raise DataError(
            f"there is no token scheme '{name}'{nearest(name, SCHEMES) or ';'} "
            f"there are: {', '.join(SCHEMES)}."
        )
    if name != "aggregated":
        return Scheme(name, units, ticks, tick)
    width, rest = divmod(int(nanoseconds(aggregate)), int(nanoseconds(tick)))
    if rest or width < 1:
        raise DataError(
            f"`tokens` puts ticks of {tick:g} s together to {aggregate:g} s, which is no multiple; "
            "change `aggregate` or `tick`."
        )
    return Scheme(name, units, ticks, tick, width)


def ranges(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the ranges [low, high) each member is of, and the members."""
    length = high - low
    row = np.repeat(np.arange(len(low)), length)
    return row, np.arange(length.sum()) + (low - np.cumsum(length) + length)[row]


def encode(scheme: Scheme, unit: np.ndarray, tick: np.ndarray) -> np.ndarray:
    """Write one trial as symbols.

    Parameters
    ----------
    scheme : Scheme
    unit, tick : ndarray (spikes,)
        Index of unit and tick, in any order.

    Returns
    -------
    ndarray (symbols,)
        Unsigned; see `Scheme`. Empty where nobody fires, in `events` and `spatial_rm0`.

    Raises
    ------
    DataError
        If a spike lies outside the scheme's units or ticks.
    """
    unit, tick = np.asarray(unit, dtype=np.int64), np.asarray(tick, dtype=np.int64)
    for name, index, number in (("unit", unit, scheme.units), ("tick", tick, scheme.ticks)):
        if len(index) and not (0 <= index.min() and index.max() < number):
            raise DataError(
                f"a spike has the {name} {index.max()}, and the scheme '{scheme.name}' was made "
                f"for {number} {name}s; make a scheme that fits."
            )
    order = np.lexsort((unit, tick))
    return encode_trials(scheme, Spikes(np.array([0, len(unit)]), unit[order], tick[order]))[0]


def encode_trials(scheme: Scheme, spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
    """Write trials as symbols.

    Returns
    -------
    symbols : ndarray (symbols,)
        Trial after trial.
    starts : ndarray (trials + 1,)
        Trial i has the symbols from ``starts[i]`` to ``starts[i + 1]``.
    """
    return _encode_events(scheme, spikes) if scheme.name == EVENTS else _encode_bits(scheme, spikes)


def _encode_events(scheme: Scheme, spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
    first = spikes.starts[:-1][np.diff(spikes.starts) > 0]
    gap = np.diff(spikes.tick, prepend=0)
    gap[first] = spikes.tick[first]
    longest, rest = np.divmod(gap, LONGEST_GAP)
    length = longest + np.bitwise_count(rest) + 1
    ends = np.cumsum(length)
    symbols = np.empty(ends[-1] if len(ends) else 0, dtype=scheme.dtype)
    symbols[ends - 1] = spikes.unit
    place = ends - length
    symbols[ranges(place, place + longest)[1]] = scheme.units + GAPS - 1
    place += longest
    for power in reversed(range(GAPS - 1)):
        here = np.flatnonzero(rest >> power & 1)
        symbols[place[here]] = scheme.units + power
        place[here] += 1
    return symbols, np.append(0, ends)[spikes.starts]


def _encode_bits(scheme: Scheme, spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
    trials = len(spikes.starts) - 1
    trial = np.repeat(np.arange(trials), np.diff(spikes.starts))
    group = spikes.tick // scheme.width
    if scheme.name == "temporal":
        bits = np.zeros((trials, scheme.units, scheme.groups + 1), dtype=scheme.dtype)
        bits[trial, spikes.unit, group + 1] = FIRES
    else:
        bits = np.zeros((trials, scheme.groups, scheme.units + 1), dtype=scheme.dtype)
        bits[trial, group, spikes.unit + 1] = FIRES
    bits[:, :, 0] = BOUNDARY
    kept = np.full(trials, bits.shape[1])
    if scheme.name == "spatial_rm0":
        fires = bits[:, :, 1:].any(axis=2)
        bits, kept = bits[fires], fires.sum(axis=1)
    return bits.reshape(-1), np.append(0, np.cumsum(kept * bits.shape[-1]))


def decode(scheme: Scheme, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read one trial's spikes from its symbols.

    `events` gives back every spike. The others give each unit at most one spike per tick; besides,
    ticks of `spatial_rm0` are numbered without the empty ones, and those of `aggregated` are the
    first of their group.

    Parameters
    ----------
    scheme : Scheme
    symbols : ndarray (symbols,)

    Returns
    -------
    unit, tick : ndarray (spikes,)
        Sorted by tick, then by unit as far as the symbols are.

    Raises
    ------
    DataError
        If the symbols are none of this scheme, as a model's may be.
    """
    symbols = np.asarray(symbols).astype(np.int64)
    if scheme.name == EVENTS:
        return _decode_events(scheme, symbols)
    columns = 1 + (scheme.groups if scheme.name == "temporal" else scheme.units)
    rows = len(symbols) // columns
    written = scheme.units if scheme.name == "temporal" else scheme.groups
    whole = rows <= written if scheme.name == "spatial_rm0" else rows == written
    if not whole or len(symbols) % columns:
        raise _no_symbols(scheme, f"they are {len(symbols)} symbols in rows of {columns}")
    bits = symbols.reshape(rows, columns)
    if (bits[:, 0] != BOUNDARY).any() or not np.isin(bits[:, 1:], (SILENT, FIRES)).all():
        raise _no_symbols(scheme, "boundaries are not where they belong")
    bits = bits[:, 1:].T if scheme.name == "temporal" else bits[:, 1:]
    group, unit = np.nonzero(bits)
    return unit, group * scheme.width


def _decode_events(scheme: Scheme, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = symbols - scheme.units
    if len(symbols) and not (0 <= symbols.min() and power.max() < GAPS):
        raise _no_symbols(scheme, f"they go from {symbols.min()} to {symbols.max()}")
    time = np.cumsum(np.where(power >= 0, 1 << np.maximum(power, 0), 0))
    unit, tick = symbols[power < 0], time[power < 0]
    if len(tick) and tick[-1] >= scheme.ticks:
        raise _no_symbols(scheme, f"they last {tick[-1] + 1} ticks of at most {scheme.ticks}")
    return unit, tick


def _no_symbols(scheme: Scheme, why: str) -> DataError:
    return DataError(
        f"these are no symbols of the scheme '{scheme.name}' with {scheme.units} units and "
        f"{scheme.ticks} ticks: {why}; decode them with the scheme that wrote them."
    )
