import hashlib
import io
import logging
import urllib.error
from http.client import IncompleteRead

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from neuro2voc.errors import DataError
from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Recording
from neuro2voc.sources import public
from neuro2voc.sources.converters import convert, convert_leblois2019, convert_mackevicius2019
from neuro2voc.sources.public import fetch

CONTENT = b"0.1\n0.2\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
URL = "https://example.org/spikes.txt"


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    monkeypatch.delenv("NEURO2VOC_MIRROR", raising=False)


@pytest.fixture
def network(monkeypatch):
    """Answer every request with `network.answer`, or raise it."""

    class Network:
        answer = CONTENT
        asked = []

        def open(self, url):
            self.asked = [*self.asked, url]
            if isinstance(self.answer, Exception):
                raise self.answer
            return io.BytesIO(self.answer)

    network = Network()
    monkeypatch.setattr(public, "_open", network.open)
    return network


def test_a_download_is_verified_and_announced(tmp_path, network, caplog):
    with caplog.at_level(logging.INFO):
        fetch(URL, DIGEST.upper(), len(CONTENT), tmp_path / "new" / "s.txt")
    assert (tmp_path / "new" / "s.txt").read_bytes() == CONTENT
    assert [r.message for r in caplog.records] == [f"downloading {URL} (8 bytes)"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"0.1\n0.3\n", rf"{URL} is not the file.*expected 8 bytes.*{DIGEST}.*found 8 bytes"),
        (b"0.1\n", "found 4 bytes"),
        (CONTENT * 9, "found more than 8 bytes"),
        (urllib.error.URLError("no route"), rf"{URL} could not be downloaded.*no route.*{DIGEST}"),
        (IncompleteRead(b"0.1"), "could not be downloaded"),
        (TimeoutError("timed out"), "could not be downloaded"),
    ],
)
def test_a_bad_download_leaves_nothing(tmp_path, network, answer, sentence):
    network.answer = answer
    with pytest.raises(DataError, match=sentence) as caught:
        fetch(URL, DIGEST, len(CONTENT), tmp_path / "s.txt")
    assert "NEURO2VOC_MIRROR" in str(caught.value) and "mirror:" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_download_stops_beyond_its_size(tmp_path, network, monkeypatch):
    class Endless(io.BytesIO):
        taken = 0

        def read(self, n):
            Endless.taken += n
            return b"x" * n

    monkeypatch.setattr(public, "_open", lambda url: Endless())
    with pytest.raises(DataError, match="more than 5 bytes"):
        fetch(URL, DIGEST, 5, tmp_path / "s.txt")
    assert Endless.taken == 6


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_mirror_is_asked_first_whatever_the_names(tmp_path, network, monkeypatch, by_environment):
    mirror = tmp_path / "mirror"
    (mirror / "deep").mkdir(parents=True)
    (mirror / "a_decoy_of_the_same_size").write_bytes(CONTENT[::-1])
    (mirror / "deep" / "other name").write_bytes(CONTENT)
    if by_environment:
        monkeypatch.setenv("NEURO2VOC_MIRROR", str(mirror))
    fetch(URL, DIGEST, 8, tmp_path / "s.txt", None if by_environment else mirror)
    assert (tmp_path / "s.txt").read_bytes() == CONTENT
    assert network.asked == []


def test_what_the_mirror_lacks_is_downloaded(tmp_path, network):
    (tmp_path / "mirror").mkdir()
    fetch(URL, DIGEST, 8, tmp_path / "s.txt", tmp_path / "mirror")
    assert network.asked == [URL]


def test_refusals(tmp_path, network):
    with pytest.raises(DataError, match="no https address"):
        fetch("http://example.org/x", DIGEST, 8, tmp_path / "x")
    with pytest.raises(DataError, match="no https address"):
        public._HttpsOnly().redirect_request(None, None, 302, "", {}, "http://example.org/x")
    with pytest.raises(DataError, match="leads out of its folder"):
        fetch(URL, DIGEST, 8, tmp_path / ".." / "x")
    with pytest.raises(DataError, match="is no folder; correct `mirror:`"):
        fetch(URL, DIGEST, 8, tmp_path / "x", tmp_path / "nowhere")
    assert network.asked == []


@pytest.fixture
def leblois(tmp_path):
    """Return a function that writes both files and converts them."""

    def made(spikes="0.5\r\n0.25\r\n0.5\r\n", labels="3200,6400,a\n6000,9600,n\n"):
        (tmp_path / "s.txt").write_text(spikes, newline="")
        (tmp_path / "l.csv").write_text(labels, newline="")
        recording, sound = convert("leblois2019", [tmp_path / "s.txt", tmp_path / "l.csv"])
        assert sound == {}
        return recording

    return made


def test_leblois2019_converts(leblois, tmp_path):
    recording = leblois()
    assert [list(t) for t in recording.units.spike_times] == [[0.25, 0.5]]
    assert recording.units.table.index.tolist() == ["ch151"]
    assert recording.syllables["start_time"].tolist() == [0.1, 0.1875]
    assert recording.syllables["stop_time"].tolist() == [0.2, 0.3]  # the overlap is kept
    assert recording.syllables["label"].tolist() == ["a", "n"]
    assert recording.audio is None
    write_recording(recording, tmp_path / "l.nwb")
    back = Recording.open(tmp_path / "l.nwb")
    assert back.units.table.index.tolist() == ["ch151"]
    assert back.units.resolution == 1 / 32000
    assert back.syllables.equals(recording.syllables)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"spikes": "0.1\n\nx\n"}, r"Line 3 of .*s\.txt has 'x' where a number belongs"),
        ({"spikes": "0.1\nnan\n"}, r"Line 2 of .*s\.txt has 'nan'"),
        ({"spikes": "\n"}, r"s\.txt is empty"),
        ({"labels": ""}, r"l\.csv is empty"),
        ({"labels": "1,2,a\n1,2\n"}, r"Line 2 of .*l\.csv is '1,2', not onset,offset,label"),
        ({"labels": "1,2,\n"}, "Line 1 .* not onset,offset,label"),
        ({"labels": "1,b,a\n"}, r"Line 1 of .*l\.csv has 'b' where a number"),
        ({"labels": "5,2,a\n"}, "Line 1 of .*ends at sample 2, before it has begun at 5"),
    ],
)
def test_malformed_lines_are_named(leblois, files, sentence):
    with pytest.raises(DataError, match=sentence):
        leblois(**files)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt cannot be read as text"):
        convert_leblois2019(tmp_path / "none.txt", tmp_path / "none.csv")


def test_the_real_files(shared_data, tmp_path, network):
    fetch(
        URL,
        "41985df644324198139798a0d12df1e735721fee1af3fcc1a871aa8109d2d2d8",
        260572,
        tmp_path / "ch151.txt",
        shared_data,
    )
    labels = shared_data / "leblois_unit_syllables" / "labels_32kHz_samples.csv"
    recording, _ = convert_leblois2019(tmp_path / "ch151.txt", labels)
    assert sum(map(len, recording.units.spike_times)) == 10022
    counts = recording.syllables["label"].value_counts().to_dict()
    assert counts == {"n": 869, "i": 105, "a": 36, "b": 36, "c": 36, "d": 26}
    onset, offset = recording.syllables["start_time"], recording.syllables["stop_time"]
    assert np.sum(onset.to_numpy()[1:] < offset.to_numpy()[:-1]) == 1
    assert network.asked == []


def write_mackevicius(folder, events="1 0.2\n1 0.5\n2 0.1\n", **changes):
    """Write both files for three neurons, the last of them silent, and six frames at 10 Hz."""
    neural = np.zeros((3, 6))
    neural[0, 0], neural[1, [1, 4]] = 0.5, 0.25
    song = np.arange(24.0).reshape(2, 12)
    data = {"NEURAL": neural, "SONG": song, "VIDEOfs": np.uint8(10), "SONGfs": np.uint8(20)}
    data = {name: value for name, value in (data | changes).items() if value is not None}
    savemat(folder / "m.mat", data)
    (folder / "e.txt").write_text(events)
    return neural, song


def test_mackevicius2019_gives_each_neuron_the_events_of_its_own_frames(tmp_path):
    neural, song = write_mackevicius(tmp_path)
    recording, sound = convert("mackevicius2019", [tmp_path / "m.mat", tmp_path / "e.txt"])
    assert_array_equal(recording.units.values, neural.T)
    assert not recording.units.additive and recording.syllables.empty
    for events, expected in zip(recording.units.events, ([0.05], [0.15, 0.45], []), strict=True):
        assert_allclose(events, expected)
    rate, frames, frequencies = sound["spectrogram"]
    assert (rate, frequencies) == (20, None)
    assert_array_equal(frames, song.T)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"events": "1 0.2\n2\n"}, "Line 2 of .*e.txt is '2', not neuron and time"),
        ({"events": "1 x\n"}, "Line 1 of .*e.txt has 'x' where a number belongs"),
        ({"events": "4 0.3\n"}, "Neuron 4 of .*e.txt has events in other frames .*m.mat"),
        ({"NEURAL": None}, "m.mat has no table of numbers 'NEURAL'"),
        ({"SONG": "la"}, "m.mat has no table of numbers 'SONG'"),
        ({"SONG": np.full((2, 2), np.nan)}, "m.mat has no table of numbers 'SONG'"),
    ],
)
def test_malformed_files_of_mackevicius2019_are_named(tmp_path, changes, sentence):
    write_mackevicius(tmp_path, **changes)
    with pytest.raises(DataError, match=sentence):
        convert_mackevicius2019(tmp_path / "m.mat", tmp_path / "e.txt")


def test_what_is_no_matlab_file_is_named(tmp_path):
    (tmp_path / "m.mat").write_bytes(b"<html>" * 99)
    with pytest.raises(DataError, match=r"m\.mat cannot be read as a MATLAB file"):
        convert_mackevicius2019(tmp_path / "m.mat", tmp_path / "e.txt")
    with pytest.raises(DataError, match="'mackevicius'; did you mean 'mackevicius2019'"):
        convert("mackevicius", [])


def test_the_real_files_of_mackevicius2019(shared_data, tmp_path):
    folder = shared_data / "mackevicius_hvc_ca"
    paths = [folder / "MackeviciusData.mat", folder / "ppseq_songbird_spikes.txt"]
    recording, sound = convert_mackevicius2019(*paths)
    assert recording.units.values.shape == (666, 75)
    # Every event is matched, and lies in a bin that is not 0; so is every such bin.
    assert sum(map(len, recording.units.events)) == 3336 == (recording.units.values > 0).sum()
    for events, values in zip(recording.units.events, recording.units.values.T, strict=True):
        assert_array_equal((events * 30).astype(int), np.flatnonzero(values))
    write_recording(recording, tmp_path / "m.nwb", **sound)
    back = Recording.open(tmp_path / "m.nwb")
    assert (back.spectrogram.rate, back.spectrogram.n_frames) == (200, 4440)
    assert back.spectrogram.stop_time == pytest.approx(back.units.stop_time)
    assert back.syllables.empty and len(back.sessions) == 1
    assert_array_equal(back.units.values, recording.units.values)
