"""Counting spikes in windows at the thesis' scale, beside pynapple and plain NumPy.

Everybody gets what it works on before the clock starts: pynapple its TsGroup, NumPy its spike times
in whole nanoseconds, ours nothing but the spike times in seconds. Timed is what one window costs,
on one thread, the contenders in turn, the median of several.

pynapple's bins of one window per trial need trials whose windows do not overlap, so its best route
for windows around syllables is `build_tensor` on subsets of trials that keep clear of one another,
and moving windows are sums of neighbouring bins of one step. Its documented perievent route takes
39 s and elephant's 160 s for the same window; they are left out.

The run fails where results disagree, never for being slow.
"""

import sys

from benchmarks import scale  # sets the number of threads, so it comes first

# isort: split
import numpy as np
import pynapple as nap

from neuro2voc.binning import Window, count_spikes, count_window, nanoseconds

REPEATS = 5
WHOLE = "whole syllables"
MOVING = Window("moving windows of 20 ms by 2.5 ms", "onset", -0.15, 0.05, 0.02, 0.0025)
TENSOR = Window("bins of 1 ms, -125 to +62.5 ms", "onset", -0.125, 0.0625, 0.001)
BARS = {WHOLE: 2, MOVING.name: 25, TENSOR.name: 50}  # times as fast as pynapple
# pynapple's intervals are closed, and it shortens one by 1 µs that touches the next: only cells
# with a spike this near to one of their edges may differ.
TIE = 1_001  # ns


def numpy_whole(ticks: list[np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Look up where each syllable begins and ends among the spikes."""
    counts = np.empty((len(edges), len(ticks), 1), dtype=np.uint8)
    for unit, train in enumerate(ticks):
        counts[:, unit] = np.diff(np.searchsorted(train, edges), axis=1)
    return counts


def numpy_bins(ticks: list[np.ndarray], begin: np.ndarray, bins: int, width: int) -> np.ndarray:
    """Look up which spikes are near each trial, and add one at each one's bin."""
    counts = np.zeros((len(begin), len(ticks), bins), dtype=np.uint8)
    for unit, train in enumerate(ticks):
        first = np.searchsorted(train, begin)
        number = np.searchsorted(train, begin + bins * width) - first
        trial = np.repeat(np.arange(len(begin)), number)
        spike = np.arange(len(trial)) + np.repeat(first - np.cumsum(number) + number, number)
        cell = (trial * len(ticks) + unit) * bins + (train[spike] - begin[trial]) // width
        np.add.at(counts.reshape(-1), cell, np.uint8(1))
    return counts


def moving_sums(fine: np.ndarray, wide: int) -> np.ndarray:
    """Return sums over `wide` neighbouring bins, as differences of running totals."""
    if wide == 1:
        return fine
    # uint8 wraps here and wraps back in the difference.
    total = np.zeros((*fine.shape[:2], fine.shape[2] + 1), dtype=np.uint8)
    np.cumsum(fine, axis=2, dtype=np.uint8, out=total[:, :, 1:])
    return total[:, :, wide:] - total[:, :, :-wide]


def numpy_window(ticks: list[np.ndarray], window: Window, onset: np.ndarray) -> np.ndarray:
    """Count in bins of one step and add neighbours up."""
    width, step = (int(nanoseconds(t)) for t in (window.bin, window.step or window.bin))
    bins, wide = len(window.bin_starts), width // step
    fine = numpy_bins(ticks, onset + window.bin_starts[0], bins + wide - 1, step)
    return moving_sums(fine, wide)


def subsets(start: np.ndarray, stop: np.ndarray) -> list[np.ndarray]:
    """Part trials, sorted by start, into as few subsets as keep clear of one another."""
    parts: list[list[int]] = []
    for trial, begin in enumerate(start):
        for part in parts:
            if stop[part[-1]] < begin:
                part.append(trial)
                break
        else:
            parts.append([trial])
    return [np.array(part) for part in parts]


def pynapple_window(group: nap.TsGroup, window: Window, onset: np.ndarray) -> np.ndarray:
    """Return counts (trials, units, bins) from `build_tensor` on subsets of trials."""
    step = window.step or window.bin
    bins, wide = len(window.bin_starts), round(window.bin / step)
    start = onset + window.start
    stop = start + (bins + wide - 1) * step
    fine = np.empty((len(onset), len(group), bins + wide - 1), dtype=np.uint8)
    for part in subsets(start, stop):
        epochs = nap.IntervalSet(start[part], stop[part])
        tensor = nap.build_tensor(group, epochs, bin_size=step)
        fine[part] = tensor[:, :, : fine.shape[2]].transpose(1, 0, 2)
    return moving_sums(fine, wide)


def ties(
    ticks: list[np.ndarray], starts: np.ndarray, stops: np.ndarray, cells: tuple[np.ndarray, ...]
) -> int:
    """Return how many of the cells (trial, unit, bin) have a spike within a tie of an edge."""
    found = 0
    for trial, unit, bin in zip(*cells, strict=True):
        for edge in (starts[trial, bin], stops[trial, bin]):
            near = np.searchsorted(ticks[unit], [edge - TIE, edge + TIE + 1])
            if near[1] > near[0]:
                found += 1
                break
    return found


def main() -> int:
    """Print the table; return 1 where results disagree."""
    recording = scale.recording()
    trains, syllables = recording.units.spike_times, recording.syllables
    onset_s, offset_s = (syllables[c].to_numpy() for c in ("start_time", "stop_time"))
    onset, offset = nanoseconds(onset_s), nanoseconds(offset_s)
    edges = np.stack([onset, offset], axis=1)
    ticks = [nanoseconds(train) for train in trains]
    group = nap.TsGroup({unit: nap.Ts(train) for unit, train in enumerate(trains)})
    epochs = nap.IntervalSet(onset_s, offset_s)
    print(f"{len(trains)} units, {sum(map(len, trains)):,} spikes, {len(onset):,} syllables\n")
    cases = {
        WHOLE: (
            lambda: count_spikes(trains, edges),
            lambda: group.count(ep=epochs).values[:, :, None],
            lambda: numpy_whole(ticks, edges),
            (onset[:, None], offset[:, None]),
        )
    }
    for window in (MOVING, TENSOR):
        cases[window.name] = (
            lambda window=window: count_window(trains, window, onset),
            lambda window=window: pynapple_window(group, window, onset_s),
            lambda window=window: numpy_window(ticks, window, onset),
            (onset[:, None] + window.bin_starts, onset[:, None] + window.bin_stops),
        )
    rows, notes, failed = [], [], False
    for name, (ours, pynapple, plain, bins) in cases.items():
        counts, theirs = ours(), pynapple()
        exact = counts.dtype == np.uint8 and np.array_equal(counts, plain())
        cells = np.nonzero(counts != theirs)
        explained = ties(ticks, *bins, cells)
        failed |= not exact or explained != len(cells[0])
        notes.append(
            f"{name}: pynapple differs in {len(cells[0]):,} of {counts.size:,} cells, "
            f"{explained:,} of them with a spike within 1 µs of an edge."
        )
        del theirs
        took = scale.seconds({"ours": ours, "pynapple": pynapple, "NumPy": plain}, REPEATS)
        ms = {who: 1e3 * time for who, time in took.items()}
        rows += [
            (
                f"{name} (trials, units, bins: {counts.shape})",
                f"{ms['ours']:.1f}",
                f"{peer} {ms[peer]:.1f}",
                f"{ms[peer] / ms['ours']:.1f}",
                bar,
                agreement,
            )
            for peer, bar, agreement in (
                ("pynapple", f"{BARS[name]}", "but for ties" if len(cells[0]) else "exact"),
                ("NumPy", "", "exact" if exact else "DISAGREES"),
            )
        ]
    scale.print_table(rows, ("what", "ours (ms)", "peer (ms)", "ratio", "bar", "agreement"))
    print("\n" + "\n".join(notes))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
