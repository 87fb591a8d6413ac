"""What is wrong with a recording's file is said in a sentence."""

import h5py
import numpy as np
import pytest
from test_recording import bird, lab_file

from neuro2voc.errors import DataError
from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Recording


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"none\.nwb does not exist; correct the path"):
        Recording.open(tmp_path / "none.nwb")
    (tmp_path / "text.nwb").write_text("song")
    with pytest.raises(DataError, match=r"text\.nwb cannot be read as HDF5"):
        Recording.open(tmp_path / "text.nwb")
    (tmp_path / "empty.nwb").touch()
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        Recording.open(tmp_path / "empty.nwb")
    h5py.File(tmp_path / "other.nwb", "w").close()
    with pytest.raises(DataError, match="is an HDF5 file but no NWB file"):
        Recording.open(tmp_path / "other.nwb")


def test_a_file_cut_anywhere_is_refused(tmp_path):
    write_recording(bird(), tmp_path / "b.nwb", audio=(1000.0, np.ones(500)))
    whole = (tmp_path / "b.nwb").read_bytes()
    for part in np.linspace(0, len(whole) - 1, 25).astype(int):
        (tmp_path / "cut.nwb").write_bytes(whole[:part])
        with pytest.raises(DataError, match="cut short or damaged"):
            Recording.open(tmp_path / "cut.nwb")


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        ([], "has no units with spike times; add a units table"),
        ([{"quality": "good"}], "has no units with spike times"),
        ([{"spike_times": []}, {"spike_times": []}], "No unit of .* has a spike"),
        ([{"spike_times": [0.5]}, {"spike_times": [np.nan]}], "Unit 1 of .*are no numbers"),
    ],
)
def test_missing_spikes(tmp_path, units, sentence):
    with pytest.raises(DataError, match=sentence):
        Recording.open(lab_file(tmp_path / "lab.nwb", units=units))


def test_an_index_that_does_not_fit(tmp_path):
    path = lab_file(tmp_path / "lab.nwb")
    with h5py.File(path, "a") as file:
        file["units/spike_times_index"][0] = 9
    with pytest.raises(DataError, match="index of units/spike_times does not fit its 2 values"):
        Recording.open(path)


def test_a_lacking_column_is_named(tmp_path):
    path = lab_file(tmp_path / "lab.nwb")
    with h5py.File(path, "a") as file:
        del file["intervals/syllables/stop_time"]
    with pytest.raises(DataError, match=r"lacks the dataset intervals/syllables/stop_time .*valid"):
        Recording.open(path)


def test_labels_that_are_not_there(tmp_path):
    path = lab_file(tmp_path / "a.nwb", tables={"songs": [(1, 2, "a")], "calls": [(1, 2, "b")]})
    with pytest.raises(DataError, match=r"no interval table 'song'; did you mean 'songs'\? .*call"):
        Recording.open(path, "song")
    with pytest.raises(DataError, match=r"no column 'labels'; did you mean 'label'\? .*: label\)"):
        Recording.open(path, "songs", "labels")
    path = lab_file(tmp_path / "b.nwb", tables={})
    with pytest.raises(DataError, match="has no labels; add a TimeIntervals table 'songs'"):
        Recording.open(path, "songs")


def test_an_empty_table(tmp_path, caplog):
    write_recording(bird(), tmp_path / "b.nwb")
    with h5py.File(tmp_path / "b.nwb", "a") as file:
        table = file["intervals/syllables"]
        for column in ("id", "start_time", "stop_time", "label", "session"):
            kind = table[column].dtype
            del table[column]
            table.create_dataset(column, (0,), kind)
    with pytest.raises(DataError, match="table 'syllables' of .* is empty; add"):
        Recording.open(tmp_path / "b.nwb", "syllables")
    assert Recording.open(tmp_path / "b.nwb").syllables.empty
    assert "has no labels (the table 'syllables' is empty)" in caplog.text


@pytest.mark.parametrize(("start", "stop"), [(3, 2), (np.nan, 2), (1, np.nan)])
def test_intervals_that_are_none(tmp_path, start, stop):
    path = lab_file(tmp_path / "lab.nwb", tables={"syllables": [(0, 1, "a"), (start, stop, "b")]})
    with pytest.raises(DataError, match="row 1 of the table 'syllables' lasts from.*1 such rows"):
        Recording.open(path)


def test_an_unknown_session(tmp_path):
    recording = bird()
    names = ["day 1", "day 9", "day 2", "day 2"]
    recording = recording.with_syllables(recording.syllables.assign(session=names))
    write_recording(recording, tmp_path / "b.nwb")
    with pytest.raises(DataError, match="1 syllables, the first at 1.5 s, lie in no session"):
        Recording.open(tmp_path / "b.nwb")
