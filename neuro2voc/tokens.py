"""Spikes of trials, and corpora: trials as symbols, in memory and in files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neuro2voc.binning import Window, first_times, nanoseconds, window_bins
from neuro2voc.configuration import SYLLABLE
from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.recording import Recording
from neuro2voc.token_schemes import SCHEMES, Scheme, Spikes, encode_trials, make_scheme, ranges

BLOCK = 4_000_000  # symbols of bits written out at a time
CHUNK = 2**17  # symbols compressed together in files
NEEDED_FOR = "Writing spikes as tokens"


def tick_window(window: Window, tick: float) -> Window:
    """Return a window whose bins are ticks.

    Raises
    ------
    DataError
        If the window is the whole syllable, or shorter than a tick.
    """
    if window.align == SYLLABLE:
        raise DataError(
            "tokens are made of windows of one length, and syllables differ in theirs; name "
            "another window under `tokens`."
        )
    if window.stop - window.start < tick or nanoseconds(tick) < 1:
        raise DataError(
            f"the window '{window.name}' of {window.stop - window.start:g} s cannot be parted in "
            f"ticks of {tick:g} s; change `tick` under `tokens`."
        )
    return replace(window, bin=tick, step=0.0)


def window_spikes(
    recording: Recording, trials: pd.DataFrame, window: Window, tick: float
) -> Spikes:
    """Return the spikes of every trial in a window, exact on edges.

    A unit counts as silent where it was not observed: symbols have no word for it.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        onset, offset (s).
    window : Window
    tick : float
        s; as many ticks as lie whole within the window.

    Raises
    ------
    DataError
        If the activity never was spike times, or see `tick_window`.
    """
    trains = recording.spike_times(NEEDED_FOR)
    bins = tick_window(window, tick)
    onset, offset = (trials[name].to_numpy(float) for name in ("onset", "offset"))
    begin = window_bins(bins, onset, offset)[0][:, 0]
    return _spikes_from(trains, begin, len(bins.bin_starts), int(nanoseconds(tick)))


def _spikes_from(trains: tuple, begin: np.ndarray, ticks: int, tick: int) -> Spikes:
    """Return spikes in windows of `ticks` ticks of `tick` ns that begin at `begin` (trials,) ns."""
    first, last = first_times(begin), first_times(begin + ticks * tick)
    trial, unit, place = [], [], []
    for index, times in enumerate(trains):
        low, high = np.searchsorted(times, first), np.searchsorted(times, last)
        rows, spikes = ranges(low, high)
        trial.append(rows)
        unit.append(np.full(len(rows), index))
        place.append((nanoseconds(times[spikes]) - begin[rows]) // tick)
    trial, unit, place = (np.concatenate([*x, np.zeros(0, int)]) for x in (trial, unit, place))
    # Units come in order and the sort keeps it.
    order = np.argsort(trial * ticks + place, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(trial, minlength=len(begin))))
    return Spikes(starts, unit[order], place[order])


@dataclass(frozen=True, eq=False)
class Corpus:
    """Trials as symbols.

    Attributes
    ----------
    scheme : Scheme
    window : Window
        Its bins are the ticks.
    unit : tuple of str
        The units' names, in the order of symbols.
    trial : ndarray (trials,)
    starts, stops : ndarray (trials,)
        Where each trial's symbols lie in `symbols`.
    symbols : ndarray (symbols,), or Path
        Of all trials; or the corpus file that they are read from when they are asked for.
    """

    scheme: Scheme
    window: Window
    unit: tuple[str, ...]
    trial: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    symbols: np.ndarray | Path

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.trial)

    def __getitem__(self, rows: np.ndarray | slice) -> "Corpus":
        """Return some of the trials: a slice, an array of positions or of bool."""
        return replace(
            self, trial=self.trial[rows], starts=self.starts[rows], stops=self.stops[rows]
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the symbols of one trial after another."""
        spans = zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        if isinstance(self.symbols, np.ndarray):
            yield from (self.symbols[first:last] for first, last in spans)
            return
        with _opened(self.symbols) as file:
            data = file["symbols"]
            yield from (data[first:last] for first, last in spans)

    def rows(self, indices: np.ndarray | slice = slice(None)) -> list[np.ndarray]:
        """Return the symbols of trials as a list of arrays."""
        return list(self[indices])

    @property
    def lengths(self) -> np.ndarray:
        """Number of symbols of each trial (trials,)."""
        return self.stops - self.starts


def make_corpus(
    recording: Recording,
    trials: pd.DataFrame,
    window: Window,
    name: str,
    tick: float,
    aggregate: float = 0.0,
) -> Corpus:
    """Write the spikes of trials as symbols, in memory.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        trial, onset, offset (s).
    window : Window
    name : str
        Of the scheme.
    tick, aggregate : float
        s; see `make_scheme`.
    """
    spikes = window_spikes(recording, trials, window, tick)
    corpus = _without_symbols(recording, trials, window, name, tick, aggregate)
    symbols, starts = encode_trials(corpus.scheme, spikes)
    return replace(corpus, symbols=symbols, starts=starts[:-1], stops=starts[1:])


def _without_symbols(
    recording: Recording,
    trials: pd.DataFrame,
    window: Window,
    name: str,
    tick: float,
    aggregate: float,
) -> Corpus:
    bins = tick_window(window, tick)
    none = np.zeros(0, dtype=np.int64)
    return Corpus(
        scheme=make_scheme(name, len(recording.units), len(bins.bin_starts), tick, aggregate),
        window=bins,
        unit=tuple(recording.units.table.index.astype(str)),
        trial=trials["trial"].to_numpy(),
        starts=none,
        stops=none,
        symbols=none,
    )


def _blocks(scheme: Scheme, spikes: Spikes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Encode a few trials at a time, so that bits need little memory."""
    trials = max(1, BLOCK // ((scheme.units + 1) * (scheme.groups + 1)))
    edges = [*range(0, len(spikes.starts) - 1, trials), len(spikes.starts) - 1]
    for first, last in pairwise(edges):
        yield encode_trials(scheme, spikes.part(first, last))


def write_corpora(
    recording: Recording,
    trials: pd.DataFrame,
    window: Window,
    tick: float,
    aggregate: float,
    paths: Mapping[str, str],
) -> dict[str, int]:
    """Write a corpus file per scheme; docs/architecture.md describes the file.

    Parameters
    ----------
    recording, trials, window, tick, aggregate
        See `make_corpus`.
    paths : mapping
        The file of each scheme, by its name.

    Returns
    -------
    dict
        Symbols by scheme.
    """
    spikes = window_spikes(recording, trials, window, tick)
    written = {}
    for name, path in paths.items():
        corpus = _without_symbols(recording, trials, window, name, tick, aggregate)
        written[name] = _write(corpus, spikes, path)
    return written


def _write(corpus: Corpus, spikes: Spikes, path: str) -> int:
    scheme = corpus.scheme
    starts = np.zeros(len(corpus) + 1, dtype=np.int64)
    with hdf5_writer(path) as file:
        data = file.create_dataset(
            "symbols", (0,), scheme.dtype, maxshape=(None,), chunks=(CHUNK,), compression="gzip"
        )
        done = 0
        for symbols, ends in _blocks(scheme, spikes):
            begin = len(data)
            data.resize((begin + len(symbols),))
            data[begin:] = symbols
            starts[done + 1 : done + len(ends)] = begin + ends[1:]
            done += len(ends) - 1
        file["starts"] = starts
        file["trial"] = corpus.trial
        file["unit"] = np.char.encode(np.array(corpus.unit, dtype=str), "utf-8")
        file.attrs["scheme"] = scheme.name
        for name in ("ticks", "tick", "width"):
            file.attrs[name] = getattr(scheme, name)
        for name in ("align", "start", "stop"):
            file.attrs[name] = getattr(corpus.window, name)
        file.attrs["window"] = corpus.window.name
    return int(starts[-1])


def read_corpus(path: str | Path) -> Corpus:
    """Read a corpus file; the symbols stay in it until they are asked for.

    Raises
    ------
    DataError
        The file is missing or is not such a file.
    """
    with _opened(path) as file:
        attrs, starts = file.attrs, file["starts"][()]
        unit = tuple(np.char.decode(file["unit"][()], "utf-8").tolist())
        tick = float(attrs["tick"])
        window = Window(
            attrs["window"], attrs["align"], float(attrs["start"]), float(attrs["stop"]), tick
        )
        scheme = Scheme(attrs["scheme"], len(unit), int(attrs["ticks"]), tick, int(attrs["width"]))
        whole = file["symbols"].shape == (starts[-1],) and len(starts) == len(file["trial"]) + 1
        if scheme.name not in SCHEMES or not whole:
            raise KeyError("its parts do not fit together")
        trial = file["trial"][()]
    return Corpus(scheme, window, unit, trial, starts[:-1], starts[1:], Path(path))


@contextmanager
def _opened(path: str | Path) -> Iterator[h5py.File]:
    """Yield a corpus file; what goes wrong with it ends in a sentence."""
    try:
        with h5py.File(path) as file:
            yield file
    except (KeyError, IndexError, OSError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is no file of tokens ({reason}); delete it and make it anew."
        ) from error
