"""Labels of others: any table, any column, and a sentence where there are none."""

import h5py
import numpy as np
import pytest
from test_recording import bird, lab_file

from neuro2voc.errors import DataError
from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Recording

NO_TABLES = {"units": [{"spike_times": np.arange(1.0, 60.0)}], "tables": {}}


def put(path, column, values, **attributes):
    """Put a column into the table 'syllables' as HDF5 has it."""
    with h5py.File(path, "a") as file:
        table = file["intervals/syllables"]
        if column in table:
            attributes = dict(table[column].attrs) | attributes
            del table[column]
        table.create_dataset(column, data=values)
        table[column].attrs.update({"neurodata_type": "VectorData"} | attributes)
        table.attrs["colnames"] = [*(c for c in table.attrs["colnames"] if c != column), column]
    return path


def three(path):
    """A file with three intervals."""
    tables = {"syllables": [(1, 2, "a"), (3, 4, "b"), (5, 6, "c")]}
    return lab_file(path, units=NO_TABLES["units"], tables=tables)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (np.array([1, 2, 300], dtype=np.uint16), ["1", "2", "300"]),
        (np.array([1, 2, 3], dtype=">i8"), ["1", "2", "3"]),
        (np.array([1.0, 2.5, np.nan], dtype=np.float32), ["1", "2.5", ""]),
        (np.array([True, False, True]), ["True", "False", "True"]),
        (np.array([b"a", b"bc", b""], dtype="S2"), ["a", "bc", ""]),
        (np.array(["é", "b", "c"], dtype=h5py.string_dtype()), ["é", "b", "c"]),
        (np.array([b"\xff", b"b", b"c"], dtype=h5py.string_dtype("ascii")), ["\ufffd", "b", "c"]),
        (
            np.array([0, 1, 0], dtype=h5py.enum_dtype({"call": 0, "song": 1})),
            ["call", "song", "call"],
        ),
    ],
)
def test_any_column_becomes_text(tmp_path, values, texts):
    path = put(three(tmp_path / "lab.nwb"), "label", values)
    assert Recording.open(path).syllables["label"].tolist() == texts


def test_enum_data_has_the_names_of_its_elements(tmp_path):
    path = put(three(tmp_path / "lab.nwb"), "label", np.array([1, 0, 1], dtype=np.uint8))
    put(path, "label_elements", ["a", "b"])
    with h5py.File(path, "a") as file:
        table = file["intervals/syllables"]
        table["label"].attrs["elements"] = table["label_elements"].ref
    assert Recording.open(path).syllables["label"].tolist() == ["b", "a", "b"]
    with h5py.File(path, "a") as file:
        file["intervals/syllables/label"][0] = 7
    with pytest.raises(DataError, match="syllables/label has the category 7, which has no name"):
        Recording.open(path)


def test_an_events_table_lasts_from_timestamp_for_duration(tmp_path):
    from pynwb.event import EventsTable

    def setup(nwb):
        for name, lasting in (("song", True), ("pulses", False)):
            events = EventsTable(name=name, description="d")
            events.add_column("note", "note")
            for at, note in ((3.0, "b"), (1.0, "a")):
                events.add_event(timestamp=at, note=note, **({"duration": 0.5} if lasting else {}))
            if lasting:
                nwb.add_events_table(events)
            else:
                nwb.create_processing_module("behavior", "d").add(events)

    path = lab_file(tmp_path / "lab.nwb", setup=setup, **NO_TABLES)
    for name in ("song", "events/song", "/events/song"):
        syllables = Recording.open(path, name, "note").syllables
        assert syllables["label"].tolist() == ["a", "b"]
        assert syllables["stop_time"].tolist() == [1.5, 3.5]
    sentence = (
        r"table 'processing/behavior/pulses' of .*\(EventsTable\) has times without durations"
    )
    with pytest.raises(DataError, match=sentence):
        Recording.open(path, "pulses", "note")
    with pytest.raises(DataError, match=r"pulses \(without durations\)"):
        Recording.open(path, "none", "note")
    with h5py.File(path, "a") as file:
        file["events/song/duration"][0] = np.nan
    with pytest.raises(DataError, match="1 of the 2 events of the table 'events/song' have no dur"):
        Recording.open(path, "song", "note")


def test_tables_in_processing_and_behind_links_are_found(tmp_path):
    from pynwb.epoch import TimeIntervals

    def setup(nwb):
        table = TimeIntervals(name="Syllables", description="d")
        table.add_column("note", "label")
        table.add_row(start_time=1.0, stop_time=2.0, note="1a")
        nwb.create_processing_module("behavior", "d").add(table)

    path = lab_file(tmp_path / "lab.nwb", setup=setup, **NO_TABLES)
    for place in ("Syllables", "processing/behavior/Syllables"):
        assert Recording.open(path, place, "note").syllables["label"].tolist() == ["1a"]
    with h5py.File(path, "a") as file:
        file.require_group("intervals")["motifs"] = h5py.SoftLink("/processing/behavior/Syllables")
    assert Recording.open(path, "motifs", "note").syllables["label"].tolist() == ["1a"]
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.4.0"
        for place in ("units", "intervals/far"):
            source = "/units" if place == "units" else "/processing/behavior/Syllables"
            file[place] = h5py.ExternalLink("lab.nwb", source)
    linked = Recording.open(tmp_path / "other.nwb", "far", "note")
    assert linked.syllables["label"].tolist() == ["1a"] and len(linked.units) == 1


def test_a_hierarchical_table_without_its_extension(tmp_path):
    path = three(tmp_path / "lab.nwb")
    with h5py.File(path, "a") as file:
        table = file["intervals/syllables"]
        table.attrs["neurodata_type"] = "HierarchicalBehavioralTable"
        table.attrs["namespace"] = "ndx-hierarchical-behavioral-data"
    put(path, "next_tier", np.arange(3), neurodata_type="DynamicTableRegion")
    put(path, "next_tier_index", np.arange(1, 4), neurodata_type="VectorIndex")
    assert Recording.open(path).syllables["label"].tolist() == ["a", "b", "c"]
    with pytest.raises(DataError, match=r"no column 'next_tier'.* one label per row: label\)"):
        Recording.open(path, "syllables", "next_tier")


@pytest.mark.parametrize("kind", ["LabeledEvents", "AnnotatedEventsTable"])
def test_events_of_an_extension_are_named(tmp_path, kind):
    path = lab_file(tmp_path / "lab.nwb", **NO_TABLES)
    with h5py.File(path, "a") as file:
        events = file.create_group("acquisition/calls")
        events.attrs["neurodata_type"] = kind
        events["timestamps" if kind == "LabeledEvents" else "event_times"] = np.arange(3.0)
        events["label"] = np.arange(3)
    with pytest.raises(DataError, match=r"acquisition/calls \(without durations\)"):
        Recording.open(path, "syllables")


def test_labels_are_not_guessed(tmp_path):
    tables = {"songs": [(1, 2, "a")], "stimuli": [(1, 2, "s")]}
    path = lab_file(tmp_path / "lab.nwb", units=NO_TABLES["units"], tables=tables)
    sentence = (
        r"has no interval table 'syllables'.*songs, stimuli\); name one of them under `intervals:` "
        r"and a column under `label_column:`, perhaps songs: label; stimuli: label\.$"
    )
    with pytest.raises(DataError, match=sentence):
        Recording.open(path)


def test_without_labels_units_can_still_be_looked_at(tmp_path, caplog):
    path = lab_file(tmp_path / "lab.nwb", **NO_TABLES)
    recording = Recording.open(path)
    assert recording.syllables.columns.tolist() == ["start_time", "stop_time", "label", "session"]
    assert recording.syllables.empty and len(recording.units) == 1
    assert recording.sessions["start_time"].tolist() == [1.0]
    assert f"{path} has no labels; figures of units need none" in caplog.text
    with pytest.raises(DataError, match="has no labels; add"):
        Recording.open(path, label_column="name")


def test_a_column_of_another_length(tmp_path):
    path = put(three(tmp_path / "lab.nwb"), "label", np.arange(2))
    with pytest.raises(DataError, match="intervals/syllables/label has 2 values for 3 rows"):
        Recording.open(path)


def test_syllables_outside_the_recording(tmp_path):
    tables = {"syllables": [(1, 2, "a"), (1000, 1001, "b"), (1002, 1002, "c")]}
    path = lab_file(tmp_path / "lab.nwb", units=NO_TABLES["units"], tables=tables)
    sentence = (
        "2 of 3 syllables, the first at 1000 s, lie outside .* lasts from 1 to 59 s; put both"
    )
    with pytest.raises(DataError, match=sentence):
        Recording.open(path)
    tables = {"syllables": [(1, 2, "a"), (61, 62, "b")]}  # neurons may be silent so long
    path = lab_file(tmp_path / "near.nwb", units=NO_TABLES["units"], tables=tables)
    assert Recording.open(path).sessions["stop_time"][0] == np.nextafter(62, np.inf)


def test_syllables_before_time_0_are_refused_as_spikes_are(tmp_path):
    tables = {"syllables": [(1, 2, "a"), (-3, -2, "b"), (-0.5, 0.5, "c")]}
    path = lab_file(tmp_path / "lab.nwb", units=NO_TABLES["units"], tables=tables)
    with pytest.raises(DataError, match=r"syllable at -3 s, before time 0 \(2 such rows\); move"):
        Recording.open(path)


def test_a_syllable_that_lasts_no_time_is_kept(tmp_path):
    tables = {"syllables": [(1, 1, "a"), (3, 4, "b")]}
    path = lab_file(tmp_path / "lab.nwb", units=NO_TABLES["units"], tables=tables)
    assert Recording.open(path).syllables["stop_time"].tolist() == [1.0, 4.0]


def test_damaged_structure_is_named(tmp_path):
    write_recording(bird(), tmp_path / "b.nwb")

    def changed(name, change):
        (tmp_path / f"{name}.nwb").write_bytes((tmp_path / "b.nwb").read_bytes())
        with h5py.File(tmp_path / f"{name}.nwb", "a") as file:
            change(file)
        return tmp_path / f"{name}.nwb"

    def huge(file):
        del file["units/spike_times"]
        file.create_dataset("units/spike_times", (10**15,), "f8", chunks=(2**20,))

    def outside(file):
        del file["units/spike_times"]
        elsewhere = [(str(tmp_path / "b.nwb"), 0, 40)]
        file.create_dataset("units/spike_times", (5,), "f8", external=elsewhere)

    def circle(file):
        del file["units"]
        file["units"] = h5py.SoftLink("/units")

    def group(file):
        del file["units/spike_times"]
        file.create_group("units/spike_times")

    def words(file):
        del file["units/spike_times"]
        file["units/spike_times"] = ["a"] * 5

    def pipe(file):
        file["acquisition/mic"] = h5py.ExternalLink("/dev/null", "/mic")

    for name, change, sentence in (
        ("huge", huge, r"units/spike_times claims 8e\+15 bytes, but the file holds 0 of them"),
        ("outside", outside, "the values of units/spike_times lie in other files"),
        ("circle", circle, "has no units with spike times|cannot be read further"),
        ("group", group, "has a group or nothing instead of the dataset units/spike_times"),
        ("words", words, r"units/spike_times has values of type object in the shape \(5,\)"),
        ("pipe", pipe, "'acquisition/mic' is a link to /dev/null, which is no file; remove"),
    ):
        with pytest.raises(DataError, match=sentence):
            Recording.open(changed(name, change))
