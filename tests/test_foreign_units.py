"""Units of others: electrodes, ids, qualities, indices, and when they were observed."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_recording import lab_file

from neuro2voc.errors import DataError
from neuro2voc.nwb_units import joined, without
from neuro2voc.recording import Recording

SPIKES = np.arange(1.0, 9.0)


def probe(**columns):
    """A function that gives a file a probe with these columns of electrodes."""

    def setup(nwb):
        device = nwb.create_device(name="probe")
        group = nwb.create_electrode_group("g", "shank", "brain", device)
        for name in set(columns) - {"location", "x", "y", "z"}:
            nwb.add_electrode_column(name, name)
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for row in rows:
            nwb.add_electrode(group=group, **({"location": "unknown"} | row))

    return setup


def described(path, setup, electrodes, **more):
    units = [{"spike_times": SPIKES, "electrodes": e, **more} for e in electrodes]
    return Recording.open(lab_file(path, units=units, setup=setup)).units.table


def test_depth_and_location_in_order_of_preference(tmp_path):
    places = {"rel_y": [10.0, 20.0], "probe_vertical_position": [1.0, 2.0], "y": [3.0, 4.0]}
    for name, depth in (("rel_y", 20.0), ("probe_vertical_position", 2.0), ("y", 4.0)):
        table = described(tmp_path / "a.nwb", probe(**places), [[1]])
        assert table["depth"].tolist() == [depth]
        del places[name]
    table = described(tmp_path / "b.nwb", probe(y=[-15.8, 0.6]), [[1]])
    assert "depth" not in table  # a coordinate of the brain
    assert "location" not in table  # 'unknown' says nothing
    table = described(tmp_path / "c.nwb", probe(rel_y=[1.0, 2.0], brain_area=["RA", "X"]), [[1]])
    assert table["location"].tolist() == ["X"]
    table = described(tmp_path / "d.nwb", probe(rel_y=[1.0, 2.0]), [[1]], depth=77.0)
    assert table["depth"].tolist() == [77.0]


def test_units_on_several_electrodes(tmp_path):
    setup = probe(rel_y=[0.0, 80.0, 3000.0], location=["RA", "RA", "HVC"])
    table = described(tmp_path / "a.nwb", setup, [[0, 1], [0, 2], []])
    np.testing.assert_array_equal(table["depth"], [40.0, np.nan, np.nan])
    assert table["location"].tolist() == ["RA", "", ""]
    waves = np.zeros((7, 2))
    waves[3, 1] = -50.0  # the second electrode sees it largest
    table = described(tmp_path / "b.nwb", setup, [[0, 2], [0, 1]], waveform_mean=waves)
    assert table["depth"].tolist() == [3000.0, 80.0]
    assert table["location"].tolist() == ["HVC", "RA"]


def test_one_electrode_each_without_an_index_and_rows_that_are_none(tmp_path):
    path = lab_file(
        tmp_path / "a.nwb",
        units=[{"spike_times": SPIKES, "electrodes": [e]} for e in (1, 0)],
        setup=probe(rel_y=[10.0, 20.0]),
    )
    with h5py.File(path, "a") as file:
        del file["units/electrodes_index"]
    assert Recording.open(path).units.table["depth"].tolist() == [20.0, 10.0]
    with h5py.File(path, "a") as file:
        file["units/electrodes"][0] = 99
    np.testing.assert_array_equal(Recording.open(path).units.table["depth"], [np.nan, 10.0])


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        ({"unit_name": ["3a", "7"]}, ["3a", "7"]),
        ({"unit": ["x", "y"]}, ["x", "y"]),
        ({"unit_name": ["same", "same"]}, [0, 1]),
        ({"id": [17, 4]}, [17, 4]),
    ],
)
def test_ids(tmp_path, columns, ids):
    rows = [
        {"spike_times": SPIKES, **{k: v[i] for k, v in columns.items()}} for i in range(len(ids))
    ]
    table = Recording.open(lab_file(tmp_path / "a.nwb", units=rows)).units.table
    assert table.index.tolist() == ids and table.index.name == "unit"


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i4", ">i8"])
def test_an_index_of_any_width(tmp_path, dtype):
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": SPIKES[:3]}] * 2)
    with h5py.File(path, "a") as file:
        del file["units/spike_times_index"]
        file["units/spike_times_index"] = np.array([3, 6], dtype=dtype)
    trains = Recording.open(path).units.spike_times
    assert [t.tolist() for t in trains] == [[1.0, 2.0, 3.0]] * 2


def test_an_index_of_an_index(tmp_path):
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": SPIKES[:3]}, {"spike_times": []}])
    with h5py.File(path, "a") as file:
        del file["units/spike_times_index"]
        file["units/spike_times_index"] = np.array([1, 3, 3], dtype="u1")
        file["units/spike_times_index_index"] = np.array([2, 3], dtype="u1")
    trains = Recording.open(path).units.spike_times
    assert [t.tolist() for t in trains] == [[1.0, 2.0, 3.0], []]


def test_units_in_processing(tmp_path):
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": SPIKES}])
    with h5py.File(path, "a") as file:
        file.create_group("processing/ecephys")
        file.move("units", "processing/ecephys/units")
    assert Recording.open(path).units.spike_times[0].tolist() == SPIKES.tolist()


def test_a_conversion_of_spike_times(tmp_path):
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": [1000.0, 2000.0]}])
    with h5py.File(path, "a") as file:
        file["units/spike_times"].attrs["conversion"] = 1e-3
    assert Recording.open(path).units.spike_times[0].tolist() == [1.0, 2.0]


def test_samples_are_not_taken_for_seconds(tmp_path):
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": np.arange(9.0) * 30_000}])
    with pytest.raises(
        DataError, match="whole numbers up to 240000, samples rather than seconds; d"
    ):
        Recording.open(path)


@pytest.mark.parametrize("others", [[], [SPIKES], [np.arange(0.5, 5000.0)]])
def test_a_last_spike_far_behind_all_others_is_refused(tmp_path, others):
    trains = [*others, np.r_[SPIKES, 1e9]]
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": t} for t in trains])
    unit = len(others)
    with pytest.raises(DataError, match=rf"Unit {unit} of .* has a spike at 1e\+09 s, .*; remove"):
        Recording.open(path)


@pytest.mark.parametrize("scale", [5e4, 1e6])
def test_a_long_recording_is_not_taken_for_a_stray_spike(tmp_path, scale):
    # Nearly six days with a last spike after twice the span of the others; then months.
    times = np.r_[SPIKES[:-1], 16.0] * scale + 0.25
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": times}], tables={})
    assert Recording.open(path).units.spike_times[0].tolist() == times.tolist()


def test_a_pause_of_less_than_a_day_is_no_stray_spike(tmp_path):
    units = [{"spike_times": np.r_[SPIKES, 80_000.5]}]
    path = lab_file(tmp_path / "a.nwb", units=units, tables={})
    assert Recording.open(path).units.spike_times[0][-1] == 80_000.5


def test_a_column_of_another_length(tmp_path):
    path = lab_file(tmp_path / "a.nwb", units=[{"spike_times": SPIKES, "quality": "good"}] * 2)
    with h5py.File(path, "a") as file:
        file["units/quality"].resize((3,))
    with pytest.raises(DataError, match="units/quality has 3 values for 2 rows; correct it"):
        Recording.open(path)


def test_invalid_times_are_unobserved(tmp_path, caplog):
    def setup(nwb):
        nwb.add_invalid_time_interval(start_time=2.5, stop_time=3.5)
        nwb.add_invalid_time_interval(start_time=3.2, stop_time=4.0)

    tables = {"syllables": [(1, 2, "a"), (5, 6, "b")]}
    units = [{"spike_times": SPIKES}, {"spike_times": [1.5]}]
    path = lab_file(tmp_path / "a.nwb", units=units, tables=tables, setup=setup)
    units = Recording.open(path).units
    for observed in units.observed:
        np.testing.assert_allclose(observed, [[1.0, 2.5], [4.0, 8.0]])
    assert units.spike_times[0].tolist() == [1.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert "dropped 1 spikes in times that were not observed" in caplog.text
    rows = [{"spike_times": SPIKES, "obs_intervals": [[0.0, 3.0]]}]
    path = lab_file(tmp_path / "b.nwb", units=rows, setup=setup)
    assert Recording.open(path).units.observed[0].tolist() == [[0.0, 2.5]]


def test_observed_intervals_overlap_or_are_none(tmp_path):
    rows = [{"spike_times": SPIKES, "obs_intervals": [[4.0, 6.0], [0.0, 3.0], [2.0, 3.5]]}]
    path = lab_file(tmp_path / "a.nwb", units=rows)
    units = Recording.open(path).units
    assert units.observed[0].tolist() == [[0.0, 3.5], [4.0, 6.0]]
    assert units.spike_times[0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    rows = [{"spike_times": SPIKES, "obs_intervals": [[100.0, 101.0]]}]
    with pytest.raises(DataError, match="No unit of .* has a spike in the times of its obs"):
        Recording.open(lab_file(tmp_path / "b.nwb", units=rows))
    with h5py.File(path, "a") as file:
        file["units/obs_intervals"][0] = [6.0, 4.0]
    with pytest.raises(DataError, match="obs_intervals are not all a start and a stop after it"):
        Recording.open(path)


PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=6)


@given(PAIRS, PAIRS)
def test_intervals_as_sets_of_whole_seconds(one, two):
    one, two = (
        np.array([(a, a + n) for a, n in p], dtype=float).reshape(-1, 2) for p in (one, two)
    )

    def seconds(intervals):
        return {int(s) for a, b in intervals for s in np.arange(a, b)}

    left = without(joined(one), joined(two))
    assert seconds(joined(one)) == seconds(one)
    assert seconds(left) == seconds(one) - seconds(two)
    assert np.all(left[1:, 0] >= left[:-1, 1])
