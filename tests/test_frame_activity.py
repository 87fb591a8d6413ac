"""Activity in bins of time, and at the time of frames of song."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singing import Sound, make_bird

from neuro2voc.activity import activity_between
from neuro2voc.errors import DataError
from neuro2voc.frame_activity import activity_around, lagged
from neuro2voc.frames import Frames, make_frames
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.trials import COLUMNS

SETTINGS = SpectrogramSettings()
NONE = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


@pytest.fixture(scope="module")
def bird():
    return make_bird(3)


def times(largest=40, **sizes):
    """Sorted whole milliseconds; many of them are the same, or an edge."""
    return st.lists(st.integers(0, largest), **sizes).map(sorted)


def recorded(units):
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [1e4]})
    return Recording("any", units, NONE, sessions)


def seconds(milliseconds, begin):
    return (begin + np.array(milliseconds, dtype=float)) / 1000


def unobserved(edges, intervals):
    """Whether no interval holds the middle of each bin."""
    middle = [Fraction(a + b, 2) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    pairs = list(zip(intervals[::2], intervals[1::2], strict=True))
    return np.array([not any(a <= m < b for a, b in pairs) for m in middle])


edges_of = times(min_size=2, max_size=8).map(lambda found: sorted(set(found) | {1, 30}))
begins = st.sampled_from([0, 1, 333_333, 7_654_321])
intervals_of = st.none() | st.lists(
    times(min_size=0, max_size=6).map(lambda t: sorted(set(t))[: len(set(t)) // 2 * 2]),
    min_size=2,
    max_size=2,
)


@settings(deadline=None)  # the first call loads compiled code
@given(edges_of, st.lists(times(max_size=20), min_size=2, max_size=2), intervals_of, begins)
def test_spikes_are_counted_in_the_bin_that_holds_them(edges, trains, intervals, begin):
    observed = intervals and tuple(seconds(each, begin).reshape(-1, 2) for each in intervals)
    table = pd.DataFrame(index=pd.RangeIndex(2, name="unit"))
    units = Units(tuple(seconds(train, begin) for train in trains), table, observed)
    found = activity_between(recorded(units), seconds(edges, begin))
    expected = np.array(
        [
            [sum(a <= spike < b for spike in train) for train in trains]
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        ],
        dtype=float,
    )
    for unit, each in enumerate(intervals or ()):
        expected[unobserved(edges, each), unit] = np.nan
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@given(
    edges_of,
    st.lists(st.tuples(*[st.integers(0, 9)] * 2), min_size=1, max_size=12),
    st.sampled_from([100, 250, 300, 1000]),
    st.integers(0, 20),
    st.booleans(),
    intervals_of,
    begins,
)
def test_activity_in_bins_is_shared_out_or_averaged(
    edges, values, rate, late, additive, intervals, begin
):
    observed = intervals and tuple(seconds(each, begin).reshape(-1, 2) for each in intervals)
    table = pd.DataFrame(index=pd.RangeIndex(2, name="unit"))
    first = float(seconds(late, begin))
    units = Binned(np.array(values, dtype=np.float32), rate, first, table, additive, None, observed)
    found = activity_between(recorded(units), seconds(edges, begin))
    length, expected = Fraction(1000, rate), np.full(found.shape, np.nan)
    for row, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        if late <= a and b <= late + length * len(values):
            overlap = [
                max(Fraction(0), min(b, late + length * (i + 1)) - max(a, late + length * i))
                for i in range(len(values))
            ]
            total = np.array(overlap) @ np.array(values, dtype=object)
            expected[row] = (total / (length if additive else b - a)).astype(float)
    for unit, each in enumerate(intervals or ()):
        expected[unobserved(edges, each), unit] = np.nan
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_activity_shares_its_edges_with_frames_and_loses_no_spike(bird):
    recording, trials = bird
    frames = make_frames(recording, trials, SETTINGS)
    around = activity_around(recording, frames, 0.1, 0.05)
    for piece, values in zip(frames.pieces, around, strict=True):
        first = frames.start[piece.start] - 0.1
        last = frames.start[piece.stop - 1] + 0.052
        for unit, times in enumerate(recording.units.spike_times):
            assert values[:, unit].sum() == ((times >= first - 1e-9) & (times < last - 1e-9)).sum()


def test_a_burst_before_the_sound_stands_in_the_bin_before_it():
    # One spike 30 ms before each of two frames.
    sound = Sound(20_000, np.random.default_rng(0).normal(size=40_000).astype(np.float32))
    table = pd.DataFrame(index=pd.RangeIndex(1, name="unit"))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [2.0]})
    syllables = pd.DataFrame(columns=["start_time", "stop_time", "label", "session"])
    recording = Recording(
        "one", Units((np.array([0.9721]),), table), syllables, sessions, audio=sound
    )
    frames = make_frames(recording, NONE, SETTINGS)
    x = lagged(activity_around(recording, frames, 0.04, 0.0), frames, 0.04, 0.0, 0.02)
    assert x.shape == (500, 2, 1)
    hit = np.flatnonzero(x[:, 0, 0])
    np.testing.assert_allclose(frames.start[hit].min() - 0.9721, 0.02, atol=0.0041)
    np.testing.assert_allclose(frames.start[hit].max() - 0.9721, 0.04, atol=0.0041)
    assert x[hit, 0, 0] == pytest.approx(0.2)  # one spike in five hops


def levels_of(values, rate=50.0, additive=False, observed=None):
    table = pd.DataFrame(index=pd.RangeIndex(values.shape[1], name="unit"))
    return Binned(values.astype(np.float32), rate, 0.0, table, additive, observed=observed)


def test_activity_in_bins_is_that_of_the_bin_and_counts_are_shared(bird):
    sound = Sound(20_000, np.random.default_rng(0).normal(size=40_000).astype(np.float32))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [2.0]})
    values = np.arange(100.0)[:, None]
    for additive in (False, True):
        recording = Recording(
            "bins", levels_of(values, additive=additive), NONE, sessions, audio=sound
        )
        frames = make_frames(recording, NONE, SETTINGS)
        (found,) = activity_around(recording, frames, 0.02, 0)
        assert np.isnan(found[:5]).all()  # before the recording
        bins = np.repeat(np.arange(100), 5)
        np.testing.assert_allclose(found[5:, 0], bins / (5 if additive else 1), rtol=1e-6)
        assert lagged([found], frames, 0.02, 0, 0.02)[5, 0, 0] == pytest.approx(found[5:10].mean())


def test_what_was_not_observed_is_missing_not_silent(bird):
    recording, trials = bird
    units = recording.units
    whole = np.array([[0.0, 1e9]])
    gap = np.array([[0.0, trials["onset"].iloc[3]], [trials["onset"].iloc[5], 1e9]])
    seen = replace(units, observed=(gap, *[whole] * (len(units) - 1)))
    frames = make_frames(recording, trials, SETTINGS)
    around = activity_around(recording.with_units(seen), frames, 0.1, 0.1)
    missing = np.isnan(np.concatenate(around))
    expected = (trials["onset"].iloc[5] - trials["onset"].iloc[3]) / 0.004
    assert missing[:, 0].sum() == pytest.approx(expected, abs=2)
    assert not missing[:, 1:].any()


def test_activity_that_ends_before_the_frame_holds_nothing_of_it():
    level, start = np.zeros((50, 2), dtype=np.float32), 0.004 * np.arange(50)
    frames = Frames(level, start, np.zeros(50, dtype=int), 0.004, None, SETTINGS)
    recording = Recording(
        "bins",
        levels_of(np.arange(50.0)[:, None], rate=250.0),
        NONE,
        pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [0.2]}),
    )
    around = activity_around(recording, frames, 0.02, -0.012)
    x = lagged(around, frames, 0.02, -0.012, 0.004)
    np.testing.assert_allclose(x[10, :, 0], [5, 6])
    with pytest.raises(DataError, match="holds no bin of 0.02 s"):
        lagged(around, frames, 0.02, -0.012, 0.02)
