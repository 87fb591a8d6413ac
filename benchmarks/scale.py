"""A recording as large as the thesis', and fair timing: what both benchmarks need."""

import os

# Before anything imports a numerical library: everybody gets one thread.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["NUMBA_NUM_THREADS"] = "1"

import gc
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from neuro2voc.recording import Recording, Units
from neuro2voc.sources import thesis

SAMPLES = 20_000  # Hz, the thesis' clock: spikes and syllables fall on samples, hence on edges
SYLLABLES_PER_BOUT = 20


def recording(seed: int = 1) -> Recording:
    """Return 75 Poisson units and 3,459 syllables with the thesis' durations and syntax."""
    rng = np.random.default_rng(seed)
    stops = np.cumsum(thesis.SESSION_TICKS) / 1000
    sessions = pd.DataFrame({"session": ["g0", "g1", "g2"], "start_time": np.r_[0, stops[:-1]]})
    sessions["stop_time"] = stops
    table = pd.DataFrame({"depth": np.linspace(thesis.SHALLOWEST, thesis.DEEPEST, thesis.UNITS)})
    units = Units(_trains(rng, stops[-1]), table.rename_axis("unit"), resolution=1 / SAMPLES)
    return Recording("thesis", units, _syllables(rng, sessions), sessions)


def _trains(rng: np.random.Generator, duration: float) -> tuple[np.ndarray, ...]:
    """Return Poisson trains on samples, with the thesis' spread of rates and number of spikes."""
    rates = np.array(thesis.RATES_OVERALL)
    n_spikes = np.rint(rates / rates.sum() * thesis.SPIKES).astype(int)
    n_samples = int(duration * SAMPLES)
    return tuple(np.unique(rng.integers(0, n_samples, n)) / SAMPLES for n in n_spikes)


def _syllables(rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """Return syllables that touch within bouts; bouts are spread evenly over each session."""
    runs = [run for run, n in thesis.RUNS.items() for _ in range(n)]
    song = "".join(rng.permutation(runs))
    middle, low, high = np.array(thesis.DURATIONS)[[thesis.LABELS.index(s) for s in song]].T
    spread = (high - low) / 1.35  # of a normal distribution with these quartiles
    drawn = np.clip(rng.normal(middle, spread), thesis.SHORTEST, thesis.LONGEST)
    lengths = np.rint(drawn / 1000 * SAMPLES)
    rows, done = [], 0
    for session, n in zip(sessions.itertuples(), thesis.TRIALS_PER_SESSION, strict=True):
        bouts = np.array_split(np.arange(done, done + n), round(n / SYLLABLES_PER_BOUT))
        begins = np.linspace(session.start_time, session.stop_time, len(bouts) + 2)[1:-1]
        for bout, begin in zip(bouts, begins, strict=True):
            edges = np.rint(begin * SAMPLES) + np.r_[0, np.cumsum(lengths[bout])]
            rows += [
                (start / SAMPLES, stop / SAMPLES, song[index], session.session)
                for index, start, stop in zip(bout, edges[:-1], edges[1:], strict=True)
            ]
        done += n
    return pd.DataFrame(rows, columns=["start_time", "stop_time", "label", "session"])


def seconds(
    contenders: dict[str, Callable[[], object]], repeats: int, warm_up: bool = True
) -> dict[str, float]:
    """Return each contender's median time (s); they take turns, the first one not timed.

    Time is that of the processor in this process: on a quiet machine what a clock on the wall says
    of one thread, and less disturbed on a busy one.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + warm_up):
        for name, run in contenders.items():
            gc.collect()
            begin = time.process_time()
            result = run()
            elapsed = time.process_time() - begin
            del result
            if turn >= warm_up:
                times[name].append(elapsed)
    return {name: float(np.median(values)) for name, values in times.items()}


def print_table(rows: list[tuple], columns: tuple[str, ...]) -> None:
    """Print rows as a Markdown table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row) + " |")
