"""Activity in other shapes than spike times, and given spectrograms."""

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pynwb import NWBHDF5IO, H5DataIO, NWBFile, TimeSeries
from scipy.io import loadmat

from neuro2voc.errors import DataError
from neuro2voc.nwb_activity import (
    find_activity,
    own_activity,
    read_activity,
    read_spectrogram,
)
from neuro2voc.nwb_tables import open_nwb
from neuro2voc.nwb_writing import write_recording, write_surrogate
from neuro2voc.recording import Binned, Recording, Spectrogram, Units
from neuro2voc.surrogates import surrogate

RATE, SAMPLES, CHANNELS = 30_000, 27_000, 85  # of FALCON B1, per trial


def write_nwb(path, *series):
    """Write a file of somebody else's with these series in `acquisition`."""
    start = datetime(2021, 6, 26, tzinfo=UTC)
    nwb = NWBFile("somebody's", "z_r12r13_21", start)
    for one in series:
        nwb.add_acquisition(TimeSeries(**one))
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb, cache_spec=False)


def packed(values):
    return H5DataIO(values, compression="gzip", compression_opts=1, shuffle=True)


def write_b1(path, first_trial=0, trials=2):
    """Write a file as FALCON B1 has them: crossings, sound and mask on timestamps, no rate."""
    rng = np.random.default_rng(1)
    tx = (rng.random((trials * SAMPLES, CHANNELS)) < 0.001).astype(np.float64)
    stamps = first_trial * 0.9 + np.arange(len(tx)) / RATE
    sound = first_trial * 0.9 + np.arange(trials * 22_500) / 25_000
    write_nwb(
        path,
        {"name": "tx", "data": packed(tx), "unit": "int", "timestamps": packed(stamps)},
        {
            "name": "vocalizations",
            "data": packed(rng.normal(size=len(sound))),
            "unit": "int",
            "timestamps": packed(sound),
        },
        {
            "name": "eval_mask_audio",
            "data": packed(np.zeros(len(sound), bool)),
            "unit": "bool",
            "timestamps": packed(sound),
        },
    )
    return tx, stamps


def opened(path, name=None):
    with open_nwb(path) as file:
        return read_activity(file, path, name or find_activity(file)[0])


# Threshold crossings


@pytest.mark.parametrize("first_trial", [0, 11])
def test_crossings_become_events_at_the_times_of_their_samples(tmp_path, first_trial):
    tx, stamps = write_b1(tmp_path / "b1.nwb", first_trial)
    with open_nwb(tmp_path / "b1.nwb") as file:
        assert find_activity(file) == ["acquisition/tx"]
    units = opened(tmp_path / "b1.nwb")
    assert isinstance(units, Units) and len(units) == CHANNELS
    for channel, times in enumerate(units.spike_times):
        assert_array_equal(times, stamps[tx[:, channel] == 1])
    assert units.table.index.tolist() == list(range(CHANNELS))
    assert units.table["quality"].unique().tolist() == ["crossings"]
    assert units.resolution == pytest.approx(1 / RATE, rel=1e-9)
    begin = first_trial * 0.9
    assert len(units.observed) == CHANNELS
    assert_allclose(units.observed[0], [[begin, begin + 1.8]], atol=1e-6)


def test_a_long_series_is_read_piece_by_piece(tmp_path):
    """As `tx` of 106 MB: memory holds a few pieces of 16 MiB, and no piece is lost."""
    rows = 156_000
    path = tmp_path / "long.nwb"
    write_nwb(path, {"name": "tx", "data": np.zeros((2, CHANNELS)), "unit": "int", "rate": 3e4})
    ones = np.arange(0, rows, 1000), np.arange(0, rows, 1000) % CHANNELS
    with h5py.File(path, "r+") as file:
        del file["acquisition/tx/data"]
        data = file["acquisition/tx"].create_dataset(
            "data", (rows, CHANNELS), "f8", chunks=(6000, CHANNELS), compression=1
        )
        for start in range(0, rows, 6000):
            piece = np.zeros((6000, CHANNELS))
            here = (ones[0] >= start) & (ones[0] < start + 6000)
            piece[ones[0][here] - start, ones[1][here]] = 1
            data[start : start + 6000] = piece
    tracemalloc.start()
    units = opened(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6 < rows * CHANNELS * 8
    for channel, times in enumerate(units.spike_times):
        assert_allclose(times, ones[0][ones[1] == channel] / 3e4, rtol=1e-12)


@settings(derandomize=True, max_examples=20, deadline=None)
@given(
    gaps=st.lists(st.integers(2, 50), max_size=4),
    lengths=st.lists(st.integers(3, 9), min_size=5, max_size=5),
    crossings=st.booleans(),
)
def test_time_without_samples_is_unobserved(tmp_path_factory, gaps, lengths, crossings):
    """Stretches of samples parted by gaps, on the timestamps of a walk along them."""
    rate, stretches, ticks = (2000.0 if crossings else 50.0), [], 0
    for gap, length in zip([0, *gaps], lengths, strict=False):
        ticks += gap
        stretches.append((ticks, ticks + length))
        ticks += length
    place = np.concatenate([np.arange(a, b) for a, b in stretches])
    values = np.random.default_rng(ticks).integers(0, 2, (len(place), 2)).astype(float)
    path = tmp_path_factory.mktemp("gaps") / "g.nwb"
    stamps = 5 + place / rate
    write_nwb(path, {"name": "tx", "data": values, "unit": "int", "timestamps": stamps})
    found = opened(path)
    expected = 5 + np.array(stretches) / rate
    if crossings:
        assert_allclose(found.observed[1], expected, atol=1e-9)
        for unit in (0, 1):
            assert_array_equal(found.spike_times[unit], stamps[values[:, unit] == 1])
        return
    assert found.additive and found.rate == pytest.approx(rate)
    assert_array_equal(found.values[place], values)
    assert len(found.values) == place[-1] + 1 and found.values.sum() == values.sum()
    if len(stretches) == 1:
        assert found.observed is None
    else:
        assert_allclose(found.observed[1], expected, atol=1e-9)


# Bins


def test_counts_in_bins_keep_their_shape(tmp_path):
    """As FALCON H2: counts in bins of 20 ms on timestamps that jitter, with a break."""
    rng = np.random.default_rng(2)
    counts = rng.poisson(0.4, (200, 192))
    stamps = np.arange(200) * 0.02 + rng.uniform(-0.004, 0.004, 200)
    stamps[[0, 199]] = 0, 199 * 0.02
    stamps[120:] += 3.0
    series = {"data": counts, "unit": "counts", "timestamps": stamps}
    write_nwb(
        tmp_path / "h2.nwb",
        {"name": "eval_mask", "data": np.ones(200, bool), "unit": "bool", "timestamps": stamps},
        {"name": "binned_spikes", **series},
    )
    activity = opened(tmp_path / "h2.nwb")
    assert isinstance(activity, Binned) and activity.additive
    assert activity.values.dtype == np.float32
    assert activity.rate == pytest.approx(50, rel=0.002)
    assert_array_equal(activity.values[:120], counts[:120])
    assert_array_equal(activity.values[-80:], counts[120:])
    assert len(activity.values) == 350
    assert_allclose(activity.observed[5], [[0, 2.4], [5.4, 7]], atol=0.01)


@pytest.mark.parametrize(
    ("values", "additive"),
    [([[0.0, 3], [2, 1]], True), ([[0.0, 0.5], [2, 1]], False), ([[0.0, -1], [2, 1]], False)],
)
def test_whole_values_that_are_not_negative_are_counts(tmp_path, values, additive):
    write_nwb(tmp_path / "x.nwb", series("firing_rates", values, starting_time=2.0, rate=10.0))
    activity = opened(tmp_path / "x.nwb")
    assert activity.additive == additive
    assert (activity.start_time, activity.rate, activity.stop_time) == (2.0, 10.0, 2.2)
    assert_array_equal(activity.values, values)


def test_conversion_and_offset_are_applied(tmp_path):
    scaled = series("binned", [[1, 2], [3, 4]], rate=10.0, conversion=0.5, offset=1.0)
    write_nwb(tmp_path / "x.nwb", scaled)
    activity = opened(tmp_path / "x.nwb")
    assert_array_equal(activity.values, [[1.5, 2], [2.5, 3]])
    assert not activity.additive


def series(name, values, **clock):
    clock = {key: np.asarray(value, dtype=float)[()] for key, value in clock.items()}
    return {"name": name, "data": np.asarray(values), "unit": "a.u.", **clock}


def test_the_likeliest_series_comes_first_and_what_is_no_activity_is_left_alone(tmp_path):
    table = np.ones((4, 3))
    names = ("neural", "tx1", "spikePow", "voc", "hand_position", "binned_spikes")
    write_nwb(
        tmp_path / "x.nwb",
        *(series(name, table, rate=10.0) for name in names),
        series("spike_counts", table[0], rate=10.0),
    )
    with open_nwb(tmp_path / "x.nwb") as file:
        found = find_activity(file)
        assert own_activity(file) is None and read_spectrogram(file, tmp_path) is None
    expected = ["tx1", "binned_spikes", "spikePow", "neural"]
    assert found == [f"acquisition/{name}" for name in expected]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (series("tx", [1.0, 0], rate=10.0), r"\(2,\), and activity is a table of numbers, \(time"),
        (series("tx", np.ones((2, 2, 2)), rate=10.0), r"shape \(2, 2, 2\), and activity is a"),
        (series("tx", [[1.0, 2], [np.nan, 2]], rate=10.0), "nan at sample 1 of unit 0"),
        (series("tx", [[0, 1.0], [1, np.inf]], rate=3e4), "inf at sample 1 of unit 1"),
        (series("tx", np.ones((4, 1)), timestamps=[0.0, 1, 1, 2]), "sample 2 comes at 1 s, 0 s af"),
        (series("tx", np.ones((4, 1)), timestamps=[0.0, 1, 1.4, 3]), "sample 2 comes at 1.4 s"),
        (series("tx", np.ones((3, 1)), timestamps=[0, np.nan, 2]), "no regular times: sample"),
        (series("tx", np.ones((4, 1)), timestamps=[0.0, 1, 2, 99]), "no regular grid of 1000 ms"),
        (series("tx", np.ones((1, 1)), timestamps=[0.0]), "neither a rate nor a timestamp for ea"),
    ],
)
def test_what_is_no_activity_is_refused_in_a_sentence(tmp_path, given, sentence):
    path = tmp_path / "x.nwb"
    write_nwb(path, given)
    with pytest.raises(DataError, match=sentence) as caught:
        opened(path, "acquisition/tx")
    assert str(path) in str(caught.value) and "acquisition/tx" in str(caught.value)


def test_a_series_that_is_not_there_or_was_never_filled_is_named(tmp_path):
    path = tmp_path / "x.nwb"
    write_nwb(path, series("tx", np.ones((4, 2)), rate=10.0))
    with pytest.raises(DataError, match=r"no series 'acquisition/tz'; did you mean .*it has: acqu"):
        opened(path, "acquisition/tz")
    with h5py.File(path, "r+") as file:
        del file["acquisition/tx/data"]
        shape = (1 << 40, 85)
        file["acquisition/tx"].create_dataset("data", shape, "f8", chunks=(1000, 85))
    with pytest.raises(DataError, match="it was never filled"):
        opened(path)


# Written and read again


def song(**changes):
    syllables = pd.DataFrame(
        {"start_time": [0.5, 1.0], "stop_time": [0.7, 1.2], "label": ["a", "b"], "session": "s1"}
    )
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.1], "stop_time": [4.1]})
    table = pd.DataFrame(
        {"depth": [30.0, 10, 20], "location": ["HVC", "RA", "HVC"], "quality": "good"},
        index=pd.Index([7, 3, 5], name="unit"),
    )
    values = np.random.default_rng(0).random((40, 3)).astype(np.float32)
    units = {"values": values, "rate": 10.0, "start_time": 0.1, "table": table, "additive": False}
    return Recording("bird", Binned(**(units | changes)), syllables, sessions)


@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("events", [None, (np.array([0.2, 0.3]), np.array([]), np.array([2.0]))])
@pytest.mark.parametrize("index", [[7, 3, 5], ["c", "b", "a"]])
def test_binned_activity_comes_back_as_it_was(tmp_path, additive, events, index):
    recording = song(additive=additive, events=events)
    recording.units.table.index = pd.Index(index, name="unit")
    write_recording(recording, tmp_path / "bird.nwb")
    with open_nwb(tmp_path / "bird.nwb") as file:
        assert own_activity(file) == "processing/misc/activity"
    back = Recording.open(tmp_path / "bird.nwb").units
    assert_same(back, recording.units)
    write_recording(recording, tmp_path / "again" / "bird.nwb")
    both = [(tmp_path / place / "bird.nwb").read_bytes() for place in (".", "again")]
    assert both[0] == both[1]


def assert_same(back, units):
    assert_array_equal(back.values, units.values)
    assert (back.rate, back.start_time, back.additive) == (
        units.rate,
        units.start_time,
        units.additive,
    )
    pd.testing.assert_frame_equal(back.table, units.table, check_index_type=False)
    assert (back.events is None) == (units.events is None)
    for one, other in zip(back.events or (), units.events or (), strict=True):
        assert_array_equal(one, other)
    assert (back.observed is None) == (units.observed is None)


def test_levels_that_happen_to_be_whole_stay_levels(tmp_path):
    recording = song(values=np.ones((40, 3), dtype=np.float32))
    write_recording(recording, tmp_path / "bird.nwb")
    assert not Recording.open(tmp_path / "bird.nwb").units.additive


def test_a_surrogate_of_binned_activity_is_put_together_with_its_parent(tmp_path):
    recording = song(events=(np.array([0.25, 0.35]), np.array([]), np.array([2.05])))
    write_recording(recording, tmp_path / "bird.nwb")
    shifted = surrogate(recording, "shifted", 1)
    path = tmp_path / "bird~shifted.nwb"
    about = {"kind": "shifted", "replicate": 1, "changed": "units"}
    write_surrogate(shifted, path, parent="bird.nwb", **about)
    back = Recording.open(path)
    assert (back.parent, back.surrogate) == ("bird", "shifted")
    assert_same(back.units, shifted.units)
    assert back.syllables["label"].tolist() == ["a", "b"]


def test_counts_of_a_real_recording(shared_data, tmp_path):
    """171 units of monkey motor cortex in bins of 50 ms (Stevenson et al. 2011)."""
    data = loadmat(shared_data / "m1_stevenson" / "m1_stevenson_2011.mat")
    counts, time = data["spikes"].T, data["time"].ravel()
    write_nwb(tmp_path / "m1.nwb", series("spike_counts", counts, timestamps=time))
    activity = opened(tmp_path / "m1.nwb")
    assert activity.additive and activity.values.shape == (15_536, 171)
    assert activity.rate == pytest.approx(20, rel=1e-6)
    assert activity.observed is None
    assert_array_equal(activity.values, counts)


# Spectrograms


def given_spectrogram(path):
    with open_nwb(path) as file:
        return read_spectrogram(file, Path(path))


@pytest.mark.parametrize("frequencies", [None, np.array([500.0, 1500, 2500])])
def test_a_given_spectrogram_is_stored_read_in_parts_and_linked(tmp_path, frequencies):
    frames = np.random.default_rng(0).random((400, 3)).astype(np.float32)
    path = tmp_path / "bird.nwb"
    write_recording(song(), path, spectrogram=(100.0, frames, frequencies))
    found = given_spectrogram(path)
    assert (found.rate, found.start_time, found.n_frames, found.stop_time) == (100, 0, 400, 4)
    assert_array_equal(found.read(0.5, 1.25), frames[50:125])
    if frequencies is None:
        assert found.frequencies is None
    else:
        assert_array_equal(found.frequencies, frequencies)
    for start, stop in ((-1, 1), (3, 4.1), (1, 1)):
        with pytest.raises(DataError, match="lasts from 0 to 4 s and has no interval from"):
            found.read(start, stop)
    recording = Recording(**(vars(song()) | {"spectrogram": found}))
    (tmp_path / "sub").mkdir()
    write_recording(recording, tmp_path / "sub" / "linked.nwb")
    again = given_spectrogram(tmp_path / "sub" / "linked.nwb")
    assert_array_equal(again.read(0.5, 1.25), frames[50:125])
    with pytest.raises(DataError, match="would be linked to; write another file"):
        write_recording(recording, path)


def test_the_spectrogram_of_a_decomposition_series_is_that_of_its_first_channel(tmp_path):
    path = tmp_path / "x.nwb"
    frames = np.random.default_rng(0).random((5, 2, 3))
    write_nwb(path, series("Spectrogram", frames, rate=10.0, conversion=2.0))
    with h5py.File(path, "r+") as file:
        file["acquisition/Spectrogram"].attrs["neurodata_type"] = "DecompositionSeries"
        bands = file["acquisition/Spectrogram"].create_group("bands")
        bands["band_limits"] = [[0, 100.0], [100, 200], [200, 300]]
    found = given_spectrogram(path)
    assert isinstance(found, Spectrogram)
    assert found.frequencies.tolist() == [50, 150, 250]
    assert_allclose(found.read(0.1, 0.4), 2 * frames[1:4, 0], rtol=1e-6)
    recording = Recording(**(vars(song()) | {"spectrogram": found}))
    write_recording(recording, tmp_path / "linked.nwb")
    again = given_spectrogram(tmp_path / "linked.nwb")
    assert_allclose(again.read(0.1, 0.4), 2 * frames[1:4, 0], rtol=1e-6)
    assert again.frequencies.tolist() == [50, 150, 250]
