"""Counts are exact, on a clock of whole nanoseconds."""

import hashlib
from fractions import Fraction

import h5py
import numpy as np
import pandas as pd
import pytest

from neuro2voc.binning import (
    Window,
    make_tensor,
    make_window,
    nanoseconds,
    read_tensor,
    window_bins,
    write_tensor,
)
from neuro2voc.configuration import SYLLABLE, window_of
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix
from neuro2voc.recording import Binned, Recording, Units

ONSET = Window("onset", "onset", -0.1, 0.1, 0.02)
WHOLE = Window(SYLLABLE, SYLLABLE)
MOVING = Window("moving", "onset", -0.15, 0.05, 0.02, 0.0025)


def bird(trains, sessions=((0.0, 100.0),), observed=None, ids=None):
    ids = pd.RangeIndex(len(trains)) if ids is None else ids
    table = pd.DataFrame(index=pd.Index(ids, name="unit"))
    names = [f"s{i}" for i in range(len(sessions))]
    bounds = pd.DataFrame(list(sessions), columns=["start_time", "stop_time"])
    bounds.insert(0, "session", names)
    trains = tuple(np.asarray(train, dtype=float) for train in trains)
    syllables = pd.DataFrame(columns=["start_time", "stop_time", "label", "session"])
    return Recording("bird", Units(trains, table, observed), syllables, bounds)


def trial_table(onset, offset, session="s0"):
    frame = pd.DataFrame({"trial": np.arange(len(onset)), "onset": onset, "offset": offset})
    return frame.assign(session=session)


def test_seconds_become_the_nearest_nanosecond_up_to_a_month():
    for whole in (0, 1, 999_999_999, 1_234_567_890, 30 * 86_400 * 10**9 + 123_456_789):
        # A double holds a month to 0.2 ns.
        assert nanoseconds(whole / 10**9) == whole
    assert nanoseconds(-0.1) == -100_000_000
    assert nanoseconds(np.array([0.1 + 0.2])).tolist() == [300_000_000]


def test_a_window_has_the_bins_it_says():
    assert len(ONSET.edges) == 11
    assert ONSET.edges[0] == -100_000_000
    assert ONSET.edges[-1] == 100_000_000
    assert set(np.diff(ONSET.edges)) == {20_000_000}
    odd = make_window("late", {"late": {"align": "offset", "start": 0, "stop": 0.3, "bin": 0.1}})
    assert odd.edges.tolist() == [0, 100_000_000, 200_000_000, 300_000_000]
    assert make_window(SYLLABLE, {}) == WHOLE


def test_bins_of_a_moving_window_overlap_and_those_of_any_window_lie_whole_within_it():
    assert len(MOVING.bin_starts) == 73
    assert MOVING.bin_starts[[0, 1, -1]].tolist() == [-150_000_000, -147_500_000, 30_000_000]
    assert (MOVING.bin_stops - MOVING.bin_starts == 20_000_000).all()
    assert MOVING.bin_stops[-1] == 50_000_000
    # Of 187.5 ms, 187 bins of 1 ms; the last half is not counted.
    tensor = Window("fine", "onset", -0.125, 0.0625, 0.001)
    assert len(tensor.bin_starts) == 187
    assert tensor.edges[-1] == 62_000_000
    # A step that does not lead to the end, and one that does not divide the bin.
    odd = Window("odd", "onset", 0.0, 0.1, 0.03, 0.02)
    assert odd.bin_starts.tolist() == [0, 20_000_000, 40_000_000, 60_000_000]
    assert (Window("same", "onset", -0.1, 0.1, 0.02, 0.02).edges == ONSET.edges).all()
    with pytest.raises(DataError, match="'moving' moves by 0.0025 s in bins of 0.02 s"):
        _ = MOVING.edges


def test_windows_are_aligned_to_onset_offset_or_both():
    onset, offset = np.array([1.0, 5.0]), np.array([1.3, 5.1])
    late = Window("late", "offset", -0.05, 0.05, 0.05)
    assert (window_bins(late, onset, offset)[0][:, 1] == nanoseconds(offset)).all()
    assert (window_bins(ONSET, onset, offset)[1][:, 4] == nanoseconds(onset)).all()
    starts, stops = window_bins(WHOLE, onset, offset)
    assert starts.tolist() == [[1_000_000_000], [5_000_000_000]]
    assert stops.tolist() == [[1_300_000_000], [5_100_000_000]]
    spikes = [1.0, 1.25, 1.29, 1.3, 5.04, 5.05, 5.1, 5.15]
    recording, trials = bird([spikes]), trial_table(onset, offset)
    assert make_tensor(recording, trials, late).counts[:, 0].tolist() == [[2, 1], [1, 1]]
    assert make_tensor(recording, trials, WHOLE).counts[:, 0].tolist() == [[3], [2]]


def test_the_bins_of_a_window_add_up_to_one_wide_bin():
    rng = np.random.default_rng(1)
    recording = bird([np.sort(rng.uniform(0, 100, 3000)) for _ in range(5)])
    onset = np.sort(rng.uniform(1, 99, 40))
    trials = trial_table(onset, onset + 0.05)
    fine = make_tensor(recording, trials, ONSET)
    coarse = make_tensor(recording, trials, Window("one", "onset", -0.1, 0.1, 0.2))
    assert fine.counts.shape == (40, 5, 10)
    assert (fine.counts.sum(axis=2) == coarse.counts[:, :, 0]).all()
    assert fine.counts.sum() > 0
    # Every eighth bin of the moving window adjoins the next.
    moving = make_tensor(recording, trials, MOVING).counts[:, :, 4::8]
    rest = make_tensor(recording, trials, Window("rest", "onset", -0.14, 0.04, 0.02)).counts
    assert (moving == rest).all()


def test_what_was_not_observed_is_said_to_be_unknown():
    observed = (
        np.array([[0.0, 100.0]]),
        np.array([[0.0, 10.0], [20.0, 30.0]]),
        np.zeros((0, 2)),
    )
    recording = bird([[5.0]] * 3, ((0.0, 40.0), (50.0, 90.0)), observed)
    onset = np.array([0.05, 5.0, 9.95, 15.0, 20.1, 20.05, 39.95, 50.1])
    trials = trial_table(onset, onset + 0.01, ["s0"] * 7 + ["s1"])
    tensor = make_tensor(recording, trials, ONSET)
    everywhere = [False, True, True, True, True, True, False, True]
    inside = [False, True, False, False, True, False, False, False]
    assert tensor.observed.T.tolist() == [everywhere, inside, [False] * 8]
    # Whole syllables need less room.
    whole = make_tensor(recording, trials, WHOLE)
    assert whole.observed[:, 0].all()
    assert whole.observed[:, 1].tolist() == [True, True, True, False, True, True, False, False]


def binned(values, rate, start_time, additive, observed=None):
    values = np.asarray(values, dtype=np.float32)
    table = pd.DataFrame(index=pd.RangeIndex(values.shape[1], name="unit"))
    return Binned(values, rate, start_time, table, additive, observed=observed)


def shared_out(values, rate, begin, start, stop):
    """Share counts of bins of 1 / rate s out to [start, stop); exact, one bin after the other."""
    total = Fraction(0)
    for index, value in enumerate(values):
        left, right = begin + Fraction(index, rate), begin + Fraction(index + 1, rate)
        overlap = max(Fraction(0), min(right, stop) - max(left, start))
        total += Fraction(float(value)) * overlap * rate
    return total


@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("window", [ONSET, MOVING, WHOLE, Window("late", "offset", 0, 0.15, 0.05)])
def test_activity_in_bins_is_shared_out_or_averaged(additive, window):
    rng = np.random.default_rng(2)
    rate, begin = 30, Fraction(1, 4)
    values = rng.uniform(-1, 5, (120, 2)) if not additive else rng.integers(0, 9, (120, 2))
    activity = binned(values, rate, float(begin), additive)
    onset = np.array([1.0, 1.25, 2.0371, 3.9])
    trials = trial_table(onset, onset + 0.2)
    tensor = make_tensor(bird([[]]).with_units(activity), trials, window)
    assert tensor.counts.dtype == np.float32
    starts, stops = window_bins(window, onset, onset + 0.2)
    for index in np.ndindex(*tensor.counts.shape):
        trial, unit, bin = index
        span = [Fraction(int(t[trial, bin]), 10**9) for t in (starts, stops)]
        wanted = shared_out(activity.values[:, unit], rate, begin, *span)
        if not additive:
            wanted /= (span[1] - span[0]) * rate
        assert tensor.counts[index] == pytest.approx(float(wanted), abs=2e-6)


def test_activity_in_bins_stays_exact_where_edges_fall_together():
    values = np.random.default_rng(3).integers(0, 1000, (1000, 3))
    activity = binned(values, 50, 0.1, True)
    trials = trial_table([0.1 + 0.02 * 40, 0.1 + 0.02 * 777], [2.0, 17.0])
    counts = make_tensor(bird([[]]).with_units(activity), trials, ONSET).counts
    assert (counts[0] == values[35:45].T).all()
    assert (counts[1] == values[772:782].T).all()


def test_activity_in_bins_is_unknown_outside_its_times():
    activity = binned(np.ones((100, 1)), 100, 1.0, True)
    onset = np.array([1.05, 1.1, 1.9, 1.95])
    recording = bird([[]]).with_units(activity)
    tensor = make_tensor(recording, trial_table(onset, onset + 0.01), ONSET)
    assert tensor.observed[:, 0].tolist() == [False, True, True, False]
    assert make_tensor(recording, trial_table(onset, onset + 0.05), WHOLE).observed.all()
    gap = recording.with_units(binned(np.ones((100, 1)), 100, 1.0, True, (np.array([[1.0, 1.5]]),)))
    tensor = make_tensor(gap, trial_table(onset, onset + 0.01), ONSET)
    assert tensor.observed[:, 0].tolist() == [False, True, False, False]
    values = np.ones((100, 1))
    values[5] = np.nan
    with pytest.raises(DataError, match="unit 0 has values that are no numbers"):
        make_tensor(
            bird([[]]).with_units(binned(values, 100, 1.0, False)), trial_table([1], [2]), WHOLE
        )


def test_features_are_counts_rates_and_flattened_windows_with_nan_where_unknown():
    observed = (np.array([[0.0, 100.0]]), np.array([[4.0, 100.0]]))
    recording = bird([[1.0, 1.05, 5.0], [1.0, 5.01, 5.02]], observed=observed)
    trials = trial_table(np.array([1.0, 5.0]), np.array([1.1, 5.25]))
    tensor = make_tensor(recording, trials, WHOLE)
    np.testing.assert_array_equal(feature_matrix("count", tensor), [[2, np.nan], [1, 2]])
    np.testing.assert_allclose(feature_matrix("rate", tensor), [[20, np.nan], [4, 8]])
    tensor = make_tensor(recording, trials, ONSET)
    X = feature_matrix("onset", tensor)
    assert X.shape == (2, 20)
    np.testing.assert_array_equal(X[1].reshape(2, 10), tensor.counts[1])
    assert np.isnan(X[0, 10:]).all()
    assert [window_of(f) for f in ("count", "rate", "onset")] == [SYLLABLE, SYLLABLE, "onset"]


@pytest.mark.parametrize(
    "window", [ONSET, WHOLE, MOVING, Window("late", "offset", 0.0, 0.06, 0.03)]
)
def test_a_tensor_is_read_as_it_was_written_and_written_byte_for_byte_the_same(tmp_path, window):
    recording = bird([np.arange(0, 90, 0.01), [1.0]], ids=["imec0µ", "2"])
    tensor = make_tensor(recording, trial_table(np.arange(1.0, 9), np.arange(1.0, 9) + 3.1), window)
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path in paths:
        write_tensor(tensor, path)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    assert len(digests) == 1
    back = read_tensor(paths[0])
    assert back.window == window
    assert back.counts.dtype == tensor.counts.dtype
    assert back.unit.tolist() == ["imec0µ", "2"]
    for name in ("counts", "observed", "trial", "unit", "duration"):
        np.testing.assert_array_equal(getattr(back, name), getattr(tensor, name))


def test_the_file_holds_what_its_contract_says(tmp_path):
    write_tensor(make_tensor(bird([[1.0]]), trial_table([1.0], [1.2]), ONSET), tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        assert file["counts"].shape == (1, 1, 10)
        assert file["observed"].dtype == bool
        np.testing.assert_allclose(file["bin_start"], np.arange(-5, 5) * 0.02, atol=1e-12)
        np.testing.assert_allclose(file["bin_stop"], np.arange(-4, 6) * 0.02, atol=1e-12)
        assert file.attrs["align"] == "onset"
        assert [file.attrs[k] for k in ("start", "stop", "bin", "step")] == [-0.1, 0.1, 0.02, 0]
    write_tensor(make_tensor(bird([[1.0]]), trial_table([1.0], [1.2]), MOVING), tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        np.testing.assert_allclose(file["bin_start"], -0.15 + 0.0025 * np.arange(73), atol=1e-12)
        np.testing.assert_allclose(file["bin_stop"], -0.13 + 0.0025 * np.arange(73), atol=1e-12)
        assert file.attrs["step"] == 0.0025


def test_a_file_that_is_no_tensor_ends_in_a_sentence(tmp_path):
    (tmp_path / "text.h5").write_text("no tensor")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["counts"] = [1]
    for name in ("text.h5", "other.h5", "missing.h5"):
        with pytest.raises(DataError, match=f"{name} is not a tensor file .* make it anew"):
            read_tensor(tmp_path / name)
