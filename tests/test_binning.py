"""Counts are exact, on a clock of whole nanoseconds."""

import hashlib

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.binning import (
    Window,
    count_spikes,
    make_tensor,
    make_window,
    nanoseconds,
    read_tensor,
    window_edges,
    write_tensor,
)
from neuro2voc.configuration import SYLLABLE, window_of
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix
from neuro2voc.recording import Recording, Units

ONSET = Window("onset", "onset", -0.1, 0.1, 0.02)
WHOLE = Window(SYLLABLE, SYLLABLE)


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


def brute_force(trains, edges):
    return [
        [[sum(a <= t < b for t in train) for a, b in zip(row, row[1:], strict=False)]
         for train in trains]
        for row in edges
    ]  # fmt: skip


trains = st.lists(st.lists(st.integers(0, 30), max_size=25).map(sorted), min_size=1, max_size=4)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    trains,
    st.integers(1, 4).flatmap(
        lambda bins: st.lists(
            st.lists(st.integers(-3, 33), min_size=bins + 1, max_size=bins + 1).map(sorted),
            min_size=1,
            max_size=5,
        )
    ),
    st.sampled_from([1, 333, 20_000_000, 10**9]),
    st.sampled_from([0, 7, 86_400 * 10**9]),
)
def test_counts_agree_with_brute_force_in_whole_nanoseconds(trains, edges, step, begin):
    """Spikes on edges, twice, or not at all; bins of no width; a clock that has run for a day."""
    trains = [[begin + step * t for t in train] for train in trains]
    edges = np.array([[begin + step * t for t in row] for row in edges])
    seconds = [np.array(train, dtype=float) / 1e9 for train in trains]
    assert count_spikes(seconds, edges).tolist() == brute_force(trains, edges.tolist())


def test_seconds_become_the_nearest_nanosecond_up_to_a_month():
    for whole in (0, 1, 999_999_999, 1_234_567_890, 30 * 86_400 * 10**9 + 123_456_789):
        # A double holds a month to 0.2 ns.
        assert nanoseconds(whole / 10**9) == whole
    assert nanoseconds(-0.1) == -100_000_000
    assert nanoseconds(np.array([0.1 + 0.2])).tolist() == [300_000_000]


def test_bins_are_half_open_whatever_the_rounding_of_seconds():
    # 0.1 + 0.2 > 0.3 in floating point; on the nanosecond clock they are one time.
    edges = np.array([[200_000_000, 300_000_000, 400_000_000]])
    assert count_spikes([np.array([0.1 + 0.2])], edges).tolist() == [[[0, 1]]]
    assert count_spikes([np.array([0.2, 0.4])], edges).tolist() == [[[1, 0]]]


def test_a_window_has_the_bins_it_says():
    assert len(ONSET.edges) == 11
    assert ONSET.edges[0] == -100_000_000
    assert ONSET.edges[-1] == 100_000_000
    assert set(np.diff(ONSET.edges)) == {20_000_000}
    odd = make_window("late", {"late": {"align": "offset", "start": 0, "stop": 0.3, "bin": 0.1}})
    assert odd.edges.tolist() == [0, 100_000_000, 200_000_000, 300_000_000]
    assert make_window(SYLLABLE, {}) == WHOLE


def test_windows_are_aligned_to_onset_offset_or_both():
    onset, offset = np.array([1.0, 5.0]), np.array([1.3, 5.1])
    late = Window("late", "offset", -0.05, 0.05, 0.05)
    assert (window_edges(late, onset, offset)[:, 1] == nanoseconds(offset)).all()
    assert (window_edges(ONSET, onset, offset)[:, 5] == nanoseconds(onset)).all()
    assert window_edges(WHOLE, onset, offset).tolist() == [
        [1_000_000_000, 1_300_000_000],
        [5_000_000_000, 5_100_000_000],
    ]
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


@pytest.mark.parametrize(("most", "dtype"), [(255, np.uint8), (256, np.uint16), (65536, np.uint32)])
def test_the_type_grows_with_the_counts(most, dtype):
    counts = count_spikes([np.linspace(0, 0.5, most)], np.array([[0, 10**9]]))
    assert counts.dtype == dtype
    assert counts.item() == most


@pytest.mark.parametrize("window", [ONSET, WHOLE, Window("late", "offset", 0.0, 0.06, 0.03)])
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
        assert [file.attrs[k] for k in ("start", "stop", "bin")] == [-0.1, 0.1, 0.02]


def test_a_file_that_is_no_tensor_ends_in_a_sentence(tmp_path):
    (tmp_path / "text.h5").write_text("no tensor")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["counts"] = [1]
    for name in ("text.h5", "other.h5", "missing.h5"):
        with pytest.raises(DataError, match=f"{name} is not a tensor file .* make it anew"):
            read_tensor(tmp_path / name)
