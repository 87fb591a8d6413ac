"""Counts agree with counting one by one, in whole numbers, whatever spikes and trials there are."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.binning import (
    Window,
    count_spikes,
    count_window,
    first_times,
    nanoseconds,
)
from neuro2voc.spike_trains import NEGATIVE, NOT_FINITE, NOT_INCREASING, check_trains

UNITS = st.sampled_from([1, 333, 2_500_000, 10**9])  # ns
CLOCKS = st.sampled_from([0, 7, 86_400 * 10**9])  # ns at which the clock begins
# Empty trains, one spike, duplicates and spikes on edges all occur in these few whole numbers.
TRAINS = st.lists(st.lists(st.integers(0, 30), max_size=25).map(sorted), min_size=1, max_size=4)
EXAMPLES = settings(derandomize=True, max_examples=300, deadline=None)


def brute_force(trains, bins):
    """Count spikes in lists of (start, stop) per trial."""
    return [[[sum(a <= t < b for t in train) for a, b in row] for train in trains] for row in bins]


def seconds(trains):
    return [np.array(train, dtype=float) / 1e9 for train in trains]


@EXAMPLES
@given(
    TRAINS,
    st.integers(1, 4).flatmap(
        lambda bins: st.lists(
            st.lists(st.integers(-3, 33), min_size=bins + 1, max_size=bins + 1).map(sorted),
            min_size=1,
            max_size=5,
        )
    ),
    UNITS,
    CLOCKS,
)
def test_counts_between_edges_agree_with_brute_force(trains, edges, unit, begin):
    """Trials in any order, overlapping or empty; bins of no width; times before 0."""
    trains = [[begin + unit * t for t in train] for train in trains]
    edges = [[begin + unit * t for t in row] for row in edges]
    bins = [list(zip(row, row[1:], strict=False)) for row in edges]
    assert count_spikes(seconds(trains), np.array(edges)).tolist() == brute_force(trains, bins)


@EXAMPLES
@given(
    TRAINS,
    st.lists(st.integers(-5, 35), min_size=0, max_size=6),
    st.integers(-12, 6),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 12),
    UNITS,
    CLOCKS,
)
def test_counts_in_moving_windows_agree_with_brute_force(
    trains, onsets, start, width, step, bins, unit, begin
):
    """Steps that divide the bin, do not, equal it or leave gaps; trials in any order."""
    stop = start + (bins - 1) * step + width
    window = Window("w", "onset", *(t * unit / 1e9 for t in (start, stop, width, step)))
    assert len(window.bin_starts) == bins
    trains = [[begin + unit * t for t in train] for train in trains]
    onsets = [begin + unit * t for t in onsets]
    spans = [
        [
            (o + unit * (start + b * step), o + unit * (start + b * step + width))
            for b in range(bins)
        ]
        for o in onsets
    ]
    counts = count_window(seconds(trains), window, np.array(onsets, dtype=np.int64))
    assert counts.shape == (len(onsets), len(trains), bins)
    assert counts.tolist() == brute_force(trains, spans)


@EXAMPLES
@given(
    st.lists(st.floats(0, 20, width=64), max_size=60).map(sorted),
    st.lists(st.floats(-1, 21), min_size=1, max_size=8),
    st.sampled_from([(0.02, 0.0025), (0.001, 0.001), (0.03, 0.02), (1.0, 0.3)]),
)
def test_any_times_are_counted_on_the_clock_of_whole_nanoseconds(times, onsets, bin_and_step):
    """The whole numbers are taken by exact arithmetic, not by the code that is tested."""
    ticks = [round(Fraction(t) * 10**9) for t in times]
    window = Window("w", "onset", -1.0, 1.0, *bin_and_step)
    onsets = [round(Fraction(o) * 10**9) for o in onsets]
    spans = [
        [(o + int(a), o + int(b)) for a, b in zip(window.bin_starts, window.bin_stops, strict=True)]
        for o in onsets
    ]
    found = count_window([np.array(times)], window, np.array(onsets))
    assert found.tolist() == brute_force([ticks], spans)


@EXAMPLES
@given(st.integers(-(10**16), 10**16))
def test_the_first_time_of_an_edge_is_the_smallest_that_rounds_to_it(edge):
    time = float(first_times(np.array([edge]))[0])
    assert nanoseconds(time) >= edge
    assert nanoseconds(math.nextafter(time, -math.inf)) < edge


def test_bins_are_half_open_whatever_the_rounding_of_seconds():
    # 0.1 + 0.2 > 0.3 in floating point; on the nanosecond clock they are one time.
    edges = np.array([[200_000_000, 300_000_000, 400_000_000]])
    assert count_spikes([np.array([0.1 + 0.2])], edges).tolist() == [[[0, 1]]]
    assert count_spikes([np.array([0.2, 0.4])], edges).tolist() == [[[1, 0]]]


@pytest.mark.parametrize(
    ("most", "dtype"), [(255, np.uint8), (256, np.uint16), (65535, np.uint16), (65536, np.uint32)]
)
def test_no_count_wraps_but_the_type_grows(most, dtype):
    busy, quiet = np.linspace(0.02, 0.03, most), np.array([0.025, 0.5])
    window = Window("w", "onset", 0.0, 0.1, 0.05, 0.02)
    begin = np.array([0, 420_000_000])
    for trains, unit in (([busy, quiet], 0), ([quiet, busy], 1)):
        whole = count_spikes(trains, np.array([[0, 10**9], [2 * 10**9, 3 * 10**9]]))
        moving = count_window(trains, window, begin)
        assert whole.dtype == moving.dtype == dtype
        assert whole[:, unit, 0].tolist() == [most, 0]
        assert whole[:, 1 - unit, 0].tolist() == [2, 0]
        assert moving[:, unit].tolist() == [[most, most - (busy < 0.02).sum(), 0], [0, 0, 0]]
        assert moving[:, 1 - unit].tolist() == [[1, 1, 0], [0, 0, 1]]


def test_spike_times_may_be_read_only_strided_or_single():
    times = np.linspace(0, 1, 101)
    times.flags.writeable = False
    edges = np.array([[0, 500_000_000]])
    for train in (times, times[::2], times.astype(np.float32)):
        assert count_spikes([train], edges).item() == (np.asarray(train, float) < 0.5).sum()


STRANGE = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, -0.0, 0.0, 1.0, 1.5, 2.0])


@EXAMPLES
@given(st.lists(st.lists(st.one_of(STRANGE, st.floats(0, 9)), max_size=6), max_size=5))
def test_trains_are_flagged_for_what_is_wrong_with_them(trains):
    flat = np.array([t for train in trains for t in train], dtype=float)
    stops = np.cumsum([len(train) for train in trains]).astype(np.int64)
    wanted = []
    for train in trains:
        wrong = NOT_FINITE * (not all(map(math.isfinite, train)))
        wrong += NEGATIVE * any(t < 0 for t in train)
        steps = zip(train, train[1:], strict=False)
        wrong += NOT_INCREASING * (not all(a < b for a, b in steps))
        wanted.append(wrong)
    flags = check_trains(flat, stops)
    assert flags.dtype == np.uint8
    assert flags.tolist() == wanted


def test_good_trains_have_no_flag():
    train = np.arange(0, 1, 0.001)
    assert check_trains(np.tile(train, 2), np.array([1000, 1000, 2000])).tolist() == [0, 0, 0]
