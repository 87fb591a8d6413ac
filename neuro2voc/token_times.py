"""Tokens as networks read them: which ones, and when each one stands.

Networks are told the time of every token, so that tokens that hold nothing but gaps have nothing
left to say and are not read.
"""

from collections.abc import Iterable

import numpy as np

from neuro2voc.binning import nanoseconds
from neuro2voc.errors import DataError
from neuro2voc.token_schemes import BOUNDARY, EVENTS, Scheme
from neuro2voc.vocabulary import BEGIN, PAD, Vocabulary


def symbol_ticks(scheme: Scheme, symbols: np.ndarray) -> np.ndarray:
    """Return the tick (symbols,) at which each symbol of a trial stands.

    In `events` a gap stands where it begins, and in `spatial_rm0` ticks are numbered without the
    empty ones. In `temporal` the bits of every unit begin at tick 0.
    """
    if scheme.name == EVENTS:
        power = symbols.astype(np.int64) - scheme.units
        gap = np.where(power >= 0, 1 << np.maximum(power, 0), 0)
        return np.cumsum(gap) - gap
    starts = symbols == BOUNDARY
    if scheme.name != "temporal":
        return np.maximum(np.cumsum(starts) - 1, 0) * scheme.width
    place = np.arange(len(symbols))
    return np.maximum(place - np.maximum.accumulate(np.where(starts, place, 0)) - 1, 0)


def read_tokens(
    vocabulary: Vocabulary, trials: Iterable[np.ndarray], clock: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what networks read of each trial.

    Parameters
    ----------
    vocabulary : Vocabulary
    trials : iterable of ndarray
        Symbols of each trial, for example a `neuro2voc.tokens.Corpus`.
    clock : float
        s; times are told in steps of it.

    Returns
    -------
    ids, times : list of ndarray (tokens,)
        Tokens behind one that stands for the beginning; steps of the clock since the window began.
    """
    scheme = vocabulary.scheme
    lengths = np.array([len(token) for token in vocabulary.tokens])
    read = np.array([_says_something(scheme, token) for token in vocabulary.tokens])
    all_ids, all_times = [], []
    trials = list(trials)
    for symbols, tokens in zip(trials, vocabulary.encode_all(trials), strict=True):
        ticks = symbol_ticks(scheme, symbols)[np.cumsum(lengths[tokens]) - lengths[tokens]]
        kept = read[tokens]
        all_ids.append(np.append(BEGIN, tokens[kept]))
        all_times.append(np.append(0, _steps(scheme, ticks[kept], clock)))
    return all_ids, all_times


def clock_steps(scheme: Scheme, clock: float) -> int:
    """Return how many different times a window has."""
    return _steps(scheme, scheme.ticks - 1, clock) + 1


def padded(rows: list[np.ndarray], dtype: type) -> np.ndarray:
    """Return rows as one array (rows, longest), filled up with 0 on the right."""
    table = np.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=dtype)
    for place, row in zip(table, rows, strict=True):
        place[: len(row)] = row
    return table


def check_lengths(
    ids: list[np.ndarray], trial: np.ndarray, scheme: Scheme, context: int, name: str
) -> None:
    """Refuse sequences that are longer than a network can read.

    Raises
    ------
    DataError
        Names scheme, trial and length.
    """
    lengths = np.array([len(row) for row in ids])
    if len(lengths) and lengths.max() > context:
        worst = lengths.argmax()
        raise DataError(
            f"{name}: trial {trial[worst]} has {lengths[worst]} tokens in the scheme "
            f"'{scheme.name}' with ticks of {scheme.tick:g} s, and {context} are read at most "
            "(`sequences.context`, or what `gpt2.checkpoint` was made for); raise it in "
            "config.yaml, or choose a shorter window, longer ticks or the scheme events."
        )


def _says_something(scheme: Scheme, token: np.ndarray) -> bool:
    """Tell whether a token holds more than gaps."""
    return scheme.name != EVENTS or bool((token < scheme.units).any())


def _steps(scheme: Scheme, ticks: np.ndarray | int, clock: float) -> np.ndarray | int:
    """Return the steps of the clock in which ticks begin, exact on edges."""
    return ticks * int(nanoseconds(scheme.tick)) // int(nanoseconds(clock))
