import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuro2voc.errors import DataError
from neuro2voc.files import sha256_of
from neuro2voc.nwb_reading import about_of
from neuro2voc.nwb_writing import write_recording, write_surrogate
from neuro2voc.recording import Recording, Units

ROOT = Path(__file__).resolve().parents[1]


def bird(simulated=True, **units):
    """A bird of three units, four syllables and two sessions."""
    table = pd.DataFrame(
        {
            "depth": [10.0, np.nan, 250.5],
            "location": ["HVC", "RA", ""],
            "quality": ["good", "mua", "good"],
            "firing_rate": [1.5, 2.0, 0.0],
            "channel": [3, 1, 2],
            "checked": [True, False, True],
        },
        index=pd.Index([4, 7, 9], name="unit"),
    )
    spikes = (np.array([0.5, 1.25, 7.0]), np.array([1.0, 9.5]), np.zeros(0))
    return Recording(
        name="bird1",
        units=Units(**({"spike_times": spikes, "table": table} | units)),
        syllables=pd.DataFrame(
            {
                "start_time": [1.0, 1.5, 6.0, 6.5],
                "stop_time": [1.25, 1.75, 6.25, 6.75],
                "label": ["a", "b", "a", "é"],
                "session": ["day 1", "day 1", "day 2", "day 2"],
            }
        ),
        sessions=pd.DataFrame(
            {"session": ["day 1", "day 2"], "start_time": [0.0, 5.0], "stop_time": [4.0, 10.0]}
        ),
        simulated=simulated,
    )


def lab_file(path, *, units=None, tables=None, setup=None):
    """A file as some laboratory might make it, through pynwb's ordinary methods.

    `units` lists rows, `tables` maps the name of an interval table to its rows, `setup` changes
    the NWBFile before it is written.
    """
    from pynwb import NWBHDF5IO, NWBFile

    nwb = NWBFile("a day", "lab-1", datetime(2021, 5, 4, tzinfo=UTC))
    rows = [{"spike_times": [0.5, 1.0]}] if units is None else units
    for column in {k for row in rows for k in row} - {
        "spike_times",
        "obs_intervals",
        "electrodes",
        "id",
    }:
        nwb.add_unit_column(column, column)
    if setup:
        setup(nwb)
    for row in rows:
        nwb.add_unit(**row)
    for name, intervals in ({"syllables": [(1, 2, "a")]} if tables is None else tables).items():
        from pynwb.epoch import TimeIntervals

        table = TimeIntervals(name=name, description="intervals")
        table.add_column("label", "label")
        for start, stop, label, *_ in intervals:
            table.add_row(start_time=float(start), stop_time=float(stop), label=label)
        nwb.add_time_intervals(table)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def assert_same(one, two):
    for a, b in zip(one.units.spike_times, two.units.spike_times, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype == np.float64
    pd.testing.assert_frame_equal(one.units.table, two.units.table, check_column_type=False)
    pd.testing.assert_frame_equal(one.syllables, two.syllables)
    pd.testing.assert_frame_equal(one.sessions, two.sessions)


def complaints(path):
    """What nwbinspector finds at least worth fixing."""
    from nwbinspector import inspect_nwbfile

    return [
        f"{m.check_function_name}: {m.message}"
        for m in inspect_nwbfile(nwbfile_path=str(path))
        if m.importance.name not in ("BEST_PRACTICE_SUGGESTION",)
    ]


# What is written is read


@pytest.mark.parametrize("simulated", [True, False])
def test_round_trip(tmp_path, simulated):
    observed = (np.array([[0.0, 4.0], [5.0, 10.0]]), np.array([[0.0, 10.0]]), np.zeros((0, 2)))
    recording = bird(simulated, observed=observed, resolution=1 / 32000)
    write_recording(recording, tmp_path / "bird1.nwb")
    back = Recording.open(tmp_path / "bird1.nwb")
    assert_same(back, recording)
    for a, b in zip(back.units.observed, observed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (back.name, back.simulated, back.audio) == ("bird1", simulated, None)
    assert (back.parent, back.surrogate, back.replicate) == (None, None, None)
    assert len(back.units) == 3 and back.units.resolution == 1 / 32000


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.sets(st.floats(0, 1e5)), min_size=1, max_size=5).filter(any),
    st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))),
)
def test_any_spikes_and_labels_round_trip(tmp_path_factory, trains, labels):
    labels = [*labels, "a"]
    start = np.arange(len(labels), dtype=float)
    recording = replace(
        bird(),
        units=Units(
            tuple(np.array(sorted(t), dtype=float) for t in trains),
            pd.DataFrame(index=pd.Index([f"u{i}" for i in range(len(trains))], name="unit")),
        ),
        syllables=pd.DataFrame(
            {"start_time": start, "stop_time": start + 0.5, "label": labels, "session": "day 1"}
        ),
    )
    path = tmp_path_factory.getbasetemp() / "any.nwb"
    write_recording(recording, path)
    assert_same(Recording.open(path), recording)


def test_many_spikes_lie_flat_and_come_back(tmp_path):
    rng = np.random.default_rng(0)
    spikes = tuple(np.unique(rng.integers(0, 10**8, 90_000)) / 30_000 for _ in range(3))
    recording = bird(spike_times=spikes)
    write_recording(recording, tmp_path / "b.nwb")
    assert_same(Recording.open(tmp_path / "b.nwb"), recording)
    with h5py.File(tmp_path / "b.nwb") as file:
        assert file["units/spike_times"].chunks is None  # read at once, not unpacked


def test_with_units_and_with_syllables():
    recording = bird()
    units = Units(recording.units.spike_times[:1], recording.units.table[:1])
    assert len(recording.with_units(units).units) == 1
    assert len(recording.with_syllables(recording.syllables[:2]).syllables) == 2
    assert len(recording.units) == 3 and len(recording.syllables) == 4


def test_pynwb_reads_what_is_written(tmp_path):
    from pynwb import NWBHDF5IO, validate

    write_recording(bird(), tmp_path / "b.nwb", audio=(1000.0, np.ones(500)))
    with NWBHDF5IO(str(tmp_path / "b.nwb"), "r") as io:
        nwb = io.read()
        assert not validate(io=io)
        assert list(nwb.units["spike_times"][1]) == [1.0, 9.5]
        assert nwb.subject.species == "Taeniopygia guttata"
        assert list(nwb.intervals["syllables"]["label"][:]) == ["a", "b", "a", "é"]
        assert nwb.acquisition["audio"].rate == 1000.0
        assert nwb.keywords[:].tolist() == ["songbird", "simulated"]


# The same bytes, and what others say of them

WRITE = """
import sys
from datetime import UTC, datetime
import numpy as np
sys.path[:0] = ["tests"]
from test_recording import bird
from neuro2voc.nwb_writing import write_recording, write_surrogate
from neuro2voc.recording import Recording
folder = sys.argv[1]
sound = np.sin(np.arange(32000) / 9).astype(np.float32)
observed = tuple(np.array([[0.0, 10.0]]) for _ in range(3))
write_recording(bird(observed=observed), f"{folder}/b.nwb", audio=(8000.0, sound))
b = Recording.open(f"{folder}/b.nwb")
write_recording(b, f"{folder}/deep/linked.nwb", start_time=datetime(2021, 5, 4, tzinfo=UTC),
    description="A day.", keywords=("HVC",), subject={"species": "Lonchura striata"})
for changed in ("units", "syllables"):
    write_surrogate(b, f"{folder}/b~{changed}.nwb", parent="b.nwb", kind=changed, replicate=1,
        changed=changed)
"""


def test_bytes_are_the_same_in_another_process_and_inspection_is_clean(tmp_path):
    digests = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-c", WRITE, str(folder)], check=True, cwd=ROOT, env=environment
        )
        digests.append({p.name: sha256_of(p) for p in sorted(folder.rglob("*.nwb"))})
    assert len(digests[0]) == 4
    assert digests[0] == digests[1]
    for path in sorted(folder.rglob("*.nwb")):
        assert complaints(path) == [], path


def test_inspection_is_clean_where_nothing_is_known_of_the_bird(tmp_path):
    write_recording(bird(simulated=False), tmp_path / "b.nwb")
    assert complaints(tmp_path / "b.nwb") == []


def test_object_ids_belong_to_the_file_and_the_place(tmp_path):
    ids = []
    for name in ("one", "two"):
        write_recording(bird(), tmp_path / f"{name}.nwb")
        with h5py.File(tmp_path / f"{name}.nwb") as file:
            file.visititems(lambda _, o: ids.append(o.attrs.get("object_id")))
    ids = [i for i in ids if i]
    assert len(ids) > 20 and len(set(ids)) == len(ids)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "b.nwb"
    path.write_text("before")
    broken = bird()
    broken.syllables["stop_time"] = [object()] * 4
    with pytest.raises(Exception, match="."):
        write_recording(broken, path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["b.nwb"]


# What laboratories' files hold


def test_spikes_are_sorted_and_duplicates_dropped_with_a_notice(tmp_path, caplog):
    path = lab_file(
        tmp_path / "lab.nwb",
        units=[{"spike_times": [2.0, 1.0, 2.0, 2.0]}, {"spike_times": [2.0, 1.0]}],
    )
    recording = Recording.open(path)
    assert [list(t) for t in recording.units.spike_times] == [[1.0, 2.0], [1.0, 2.0]]
    assert f"{path}: sorted the spike times of 2 units" in caplog.text
    assert f"{path}: dropped 2 spikes that were there twice" in caplog.text


@pytest.mark.parametrize(
    ("columns", "quality"),
    [
        ({"quality": "good", "KSLabel": "mua"}, "good"),
        ({"KSLabel": "mua", "group": "good"}, "mua"),
        ({"label": "noise", "group": "good"}, "noise"),
        ({"label": 3, "group": "good"}, "good"),
        ({"group": 3}, None),
    ],
)
def test_quality_comes_from_the_first_column_that_tells(tmp_path, columns, quality):
    path = lab_file(tmp_path / "lab.nwb", units=[{"spike_times": [0.5], **columns}])
    table = Recording.open(path).units.table
    assert set(columns) <= set(table)
    assert (table["quality"][0] if "quality" in table else None) == quality


def test_place_comes_from_the_electrodes_where_a_unit_has_one(tmp_path):
    def setup(nwb):
        probe = nwb.create_device(name="probe")
        group = nwb.create_electrode_group("g", "shank", "brain", probe)
        nwb.add_electrode_column("rel_y", "from the tip")
        for depth, location in ((20.0, "RA"), (40.0, "HVC")):
            nwb.add_electrode(group=group, location=location, rel_y=depth)

    units = [{"spike_times": [0.5], "electrodes": e} for e in ([1], [0, 1], [0])]
    table = Recording.open(lab_file(tmp_path / "lab.nwb", units=units, setup=setup)).units.table
    assert table["depth"].tolist() == [40.0, 30.0, 20.0]
    assert table["location"].tolist() == ["HVC", "", "RA"]


def test_labels_become_text(tmp_path):
    for labels, texts in (([1, 2], ["1", "2"]), ([1.0, 2.5], ["1", "2.5"]), (["x", ""], ["x", ""])):
        tables = {"songs": [(3, 4, labels[0]), (5, 6, labels[1])]}
        path = lab_file(tmp_path / "lab.nwb", tables=tables)
        assert Recording.open(path, "songs").syllables["label"].tolist() == texts


def test_bytes_become_text(tmp_path):
    path = lab_file(tmp_path / "lab.nwb")
    with h5py.File(path, "a") as file:
        table = file["intervals/syllables"]
        attributes = dict(table["label"].attrs)
        del table["label"]
        table["label"] = np.array([b"a"], dtype="S3")
        table["label"].attrs.update(attributes)
    assert Recording.open(path).syllables["label"].tolist() == ["a"]


def test_trials_can_be_named(tmp_path):
    def setup(nwb):
        nwb.add_trial_column("vowel", "spoken")
        nwb.add_trial(start_time=3.0, stop_time=4.0, vowel="u")
        nwb.add_trial(start_time=1.0, stop_time=2.0, vowel="i")

    path = lab_file(tmp_path / "lab.nwb", tables={}, setup=setup)
    assert Recording.open(path, "trials", "vowel").syllables["label"].tolist() == ["i", "u"]


def test_without_a_table_of_sessions_there_is_one(tmp_path):
    units = [{"spike_times": [0.5, 7.0]}]
    recording = Recording.open(lab_file(tmp_path / "lab.nwb", units=units))
    assert recording.sessions["session"].tolist() == ["session1"]
    assert recording.syllables["session"].tolist() == ["session1"]
    start, stop = recording.sessions.loc[0, ["start_time", "stop_time"]]
    assert start == 0.5 and 7.0 < stop < 7.0001  # the last spike lies within


def test_a_clock_that_begins_late_makes_no_empty_time(tmp_path):
    units = [{"spike_times": [5000.5, 5007.0]}]
    tables = {"syllables": [(5001, 5002, "a"), (5003, 5008, "b")]}
    recording = Recording.open(lab_file(tmp_path / "lab.nwb", units=units, tables=tables))
    start, stop = recording.sessions.loc[0, ["start_time", "stop_time"]]
    assert start == 5000.5 and 5008 < stop < 5008.0001


def test_a_session_much_longer_than_its_spikes_is_worth_a_warning(tmp_path, caplog):
    units = [{"spike_times": [10.0, 20.0]}]
    tables = {"syllables": [(11, 12, "a"), (13, 14, "b")], "sessions": [(0, 100, "-")]}
    Recording.open(lab_file(tmp_path / "lab.nwb", units=units, tables=tables))
    assert "spikes cover only 10 of the 100 s of session session1" in caplog.text


def test_spikes_outside_observed_time_are_dropped_with_a_notice(tmp_path, caplog):
    units = [{"spike_times": [0.5, 2.0, 7.0], "obs_intervals": [[0.0, 1.0], [6.0, 8.0]]}]
    recording = Recording.open(lab_file(tmp_path / "lab.nwb", units=units))
    assert recording.units.spike_times[0].tolist() == [0.5, 7.0]
    assert "dropped 1 spikes in times that were not observed" in caplog.text


def test_a_spike_before_time_0_is_refused(tmp_path):
    path = lab_file(tmp_path / "lab.nwb", units=[{"spike_times": [-1.0, 2.0]}])
    with pytest.raises(DataError, match="has a spike at -1 s, before time 0; move the clock"):
        Recording.open(path)


def test_syllables_find_their_session_by_time(tmp_path):
    tables = {
        "syllables": [(1, 2, "a"), (6, 7, "b")],
        "sessions": [(0, 5, "-"), (5, 9, "-")],
    }
    recording = Recording.open(lab_file(tmp_path / "lab.nwb", tables=tables))
    assert recording.sessions["session"].tolist() == ["session1", "session2"]
    assert recording.syllables["session"].tolist() == ["session1", "session2"]
    tables["syllables"] += [(9.5, 9.6, "c")]
    with pytest.raises(DataError, match="1 syllables, the first at 9.5 s, lie in no session"):
        Recording.open(lab_file(tmp_path / "lab.nwb", tables=tables))


def without_sessions(path, names, starts):
    recording = bird()
    syllables = recording.syllables.assign(session=names, start_time=starts)
    syllables["stop_time"] = syllables["start_time"] + 0.5
    write_recording(recording.with_syllables(syllables), path)
    with h5py.File(path, "a") as file:
        del file["intervals/sessions"]
    return path


def test_sessions_that_only_syllables_name_are_parted_between_them(tmp_path):
    path = without_sessions(tmp_path / "b.nwb", ["x", "x", "y", "y"], [1.0, 2.0, 6.5, 8.0])
    sessions = Recording.open(path).sessions
    assert sessions["session"].tolist() == ["x", "y"]
    assert sessions["start_time"].tolist() == [0.5, 4.5]
    assert sessions["stop_time"].tolist() == [4.5, np.nextafter(9.5, np.inf)]
    path = without_sessions(tmp_path / "c.nwb", ["x", "y", "x", "y"], [1.0, 2.0, 6.5, 8.0])
    with pytest.raises(DataError, match="overlap in time; add an interval table 'sessions'"):
        Recording.open(path)


def test_about_of_carries_the_origin_over(tmp_path):
    from pynwb.file import Subject

    def setup(nwb):
        nwb.subject = Subject(subject_id="or60", species="Lonchura striata", sex="M", age="P1Y")

    about = about_of(lab_file(tmp_path / "lab.nwb", setup=setup))
    assert about["start_time"] == datetime(2021, 5, 4, tzinfo=UTC)
    assert about["description"] == "a day"
    write_recording(bird(False), tmp_path / "b.nwb", **about)
    assert about_of(tmp_path / "b.nwb") == about | {
        "subject": about["subject"] | {"description": "A bird."}
    }


# Surrogates


@pytest.fixture
def parent(tmp_path):
    recording = bird()
    write_recording(recording, tmp_path / "bird1.nwb", audio=(1000.0, np.ones(10_000)))
    return Recording.open(tmp_path / "bird1.nwb")


def surrogate(recording, path, **changes):
    settings = {"parent": "bird1.nwb", "kind": "shifted", "replicate": 3, "changed": "units"}
    write_surrogate(recording, path, **(settings | changes))
    return path


def test_a_surrogate_holds_only_what_changed(tmp_path, parent):
    shifted = tuple(np.sort((t + 3) % 10) for t in parent.units.spike_times)
    units = replace(parent.units, spike_times=shifted)
    path = surrogate(parent.with_units(units), tmp_path / "bird1~shifted3.nwb")
    with h5py.File(path) as file:
        assert "syllables" not in file.get("intervals", {}) and not len(file["acquisition"])
    back = Recording.open(path)
    assert_same(back, parent.with_units(units))
    assert (back.name, back.parent) == ("bird1~shifted3", "bird1")
    assert (back.surrogate, back.replicate, back.simulated) == ("shifted", 3, True)
    assert len(back.audio.read(0, 1)) == 1000


def test_a_surrogate_of_labels(tmp_path, parent):
    labels = parent.syllables.assign(label=["b", "a", "é", "a"])
    path = surrogate(
        parent.with_syllables(labels), tmp_path / "bird1~shuffled.nwb", changed="syllables"
    )
    with h5py.File(path) as file:
        assert "units" not in file
    assert_same(Recording.open(path), parent.with_syllables(labels))


def test_surrogates_stay_with_their_parents(tmp_path, parent):
    path = tmp_path / "bird1~shifted.nwb"
    for name in ("../bird1.nwb", "a\\b.nwb", ".."):
        with pytest.raises(DataError, match="no plain file name"):
            surrogate(parent, path, parent=name)
    with pytest.raises(DataError, match="cannot be a surrogate of it"):
        surrogate(parent, path, parent="bird1~poisson.nwb")
    with pytest.raises(ValueError, match="'units' or 'syllables'"):
        surrogate(parent, path, changed="audio")
    surrogate(parent, path)
    (tmp_path / "bird1.nwb").rename(tmp_path / "kept.nwb")
    with pytest.raises(DataError, match=r"surrogate of bird1\.nwb, which is not in the same fold"):
        Recording.open(path)
    path.rename(tmp_path / "bird1.nwb")
    with h5py.File(tmp_path / "bird1.nwb", "a") as file:
        file["scratch/surrogate_of"][()] = "kept.nwb"
    (tmp_path / "bird2~shifted.nwb").write_bytes((tmp_path / "bird1.nwb").read_bytes())
    with h5py.File(tmp_path / "bird2~shifted.nwb", "a") as file:
        file["scratch/surrogate_of"][()] = "bird1.nwb"
    with pytest.raises(DataError, match="itself a surrogate"):
        Recording.open(tmp_path / "bird2~shifted.nwb")
    with h5py.File(tmp_path / "bird2~shifted.nwb", "a") as file:
        file["scratch/surrogate_of"][()] = "../bird1.nwb"
    with pytest.raises(DataError, match="no plain file name"):
        Recording.open(tmp_path / "bird2~shifted.nwb")


# Real files


def test_human_units_open(shared_data, tmp_path):
    (path,) = (shared_data / "nwb_human_mtl_units").glob("*.nwb")
    recording = Recording.open(path, intervals="encoding_table", label_column="stimCategory")
    assert len(recording.units) == 35
    assert sum(map(len, recording.units.spike_times)) == 214_278
    assert recording.syllables["label"].value_counts().to_dict() == {"0": 30, "1": 30, "2": 30}
    assert "hippocampus_right" in set(recording.units.table["location"])
    assert recording.audio is None
    about = about_of(path)
    assert about["subject"]["species"]
    write_recording(recording, tmp_path / "b.nwb", **about)
    assert_same(Recording.open(tmp_path / "b.nwb"), recording)


def test_a_file_without_labels_says_so(shared_data, caplog):
    (path,) = (shared_data / "nwb_phy_A8604").glob("*.nwb")
    sentence = r"has no labels \(no column of epochs holds one per row\)"
    with pytest.raises(DataError, match=sentence):
        Recording.open(path, "syllables")
    recording = Recording.open(path)  # its units can be looked at
    assert re.search(sentence, caplog.text)
    assert sum(map(len, recording.units.spike_times)) == 21_354 and not len(recording.syllables)
