"""Sound is stored or linked, read piece by piece, and found in files of others."""

import os

import h5py
import numpy as np
import pytest
from test_recording import bird, lab_file

from neuro2voc.errors import DataError
from neuro2voc.files import sha256_of
from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Recording


def test_sound_is_read_piece_by_piece(tmp_path):
    sound = np.sin(np.arange(4000) / 5)
    write_recording(bird(), tmp_path / "b.nwb", audio=(1000.0, sound))
    audio = Recording.open(tmp_path / "b.nwb").audio
    assert (audio.rate, audio.start_time, audio.n_samples, audio.stop_time) == (1000, 0, 4000, 4)
    part = audio.read(1.0, 1.5)
    assert part.dtype == np.float32 and part.shape == (500,)
    np.testing.assert_allclose(part, sound[1000:1500], atol=1 / 32767)
    assert len(audio.read(0, 4)) == 4000
    for start, stop in ((-0.1, 1), (3, 4.1), (2, 2)):
        with pytest.raises(DataError, match="lasts from 0 to 4 s and has no interval from"):
            audio.read(start, stop)


def test_int16_sound_is_stored_as_it_is(tmp_path):
    samples = np.array([0, 1, -32768, 32767], dtype=np.int16)
    write_recording(bird(), tmp_path / "b.nwb", audio=(4.0, samples))
    with h5py.File(tmp_path / "b.nwb") as file:
        assert file["acquisition/audio/data"][()].tolist() == samples.tolist()
    read = Recording.open(tmp_path / "b.nwb").audio.read(0, 1)
    assert read.tolist() == [0, 1 / 32768, -1, 32767 / 32768]


def test_silence_is_no_division_by_zero(tmp_path):
    write_recording(bird(), tmp_path / "b.nwb", audio=(4.0, np.zeros(8)))
    assert not Recording.open(tmp_path / "b.nwb").audio.read(0, 2).any()


def test_sound_is_linked_and_followed_even_after_a_move(tmp_path):
    lab, results = tmp_path / "lab", tmp_path / "elsewhere" / "results"
    sound = np.sin(np.arange(4000) / 5)
    write_recording(bird(), lab / "raw.nwb", audio=(1000.0, sound))
    results.mkdir(parents=True)
    (tmp_path / "results").symlink_to(results)  # a linked results/ is common on clusters
    recording = Recording.open(lab / "raw.nwb")
    write_recording(recording, tmp_path / "results" / "b.nwb")
    write_recording(Recording.open(results / "b.nwb"), results / "deep" / "again.nwb")
    with h5py.File(results / "deep" / "again.nwb") as file:
        link = file["acquisition/audio"].get("data", getlink=True)
        assert link.filename == os.path.join("..", "..", "..", "lab", "raw.nwb")
    (tmp_path / "moved").mkdir()
    for folder in ("lab", "elsewhere"):
        (tmp_path / folder).rename(tmp_path / "moved" / folder)
    for name in ("b.nwb", "deep/again.nwb"):
        audio = Recording.open(tmp_path / "moved" / "elsewhere" / "results" / name).audio
        np.testing.assert_allclose(audio.read(1, 2), sound[1000:2000], atol=1 / 32767)
    (tmp_path / "moved" / "lab" / "raw.nwb").unlink()
    with pytest.raises(DataError, match="lies in another file that is not where the link says"):
        Recording.open(tmp_path / "moved" / "elsewhere" / "results" / "b.nwb")


def test_sound_is_not_linked_to_itself(tmp_path):
    write_recording(bird(), tmp_path / "b.nwb", audio=(4.0, np.zeros(8)))
    before = sha256_of(tmp_path / "b.nwb")
    with pytest.raises(DataError, match="holds the sound that it would be linked to"):
        write_recording(Recording.open(tmp_path / "b.nwb"), tmp_path / "b.nwb")
    assert sha256_of(tmp_path / "b.nwb") == before


def test_a_laboratorys_sound_is_found_by_name(tmp_path):
    from pynwb import TimeSeries

    two_channels = np.array([[1, 5], [2, 5], [3, 5], [4, 5]], dtype=np.int16)

    def setup(nwb):
        series = {"unit": "V", "rate": 2.0}
        nwb.add_acquisition(TimeSeries(name="accelerometer", data=[0.0], **series))
        nwb.add_acquisition(TimeSeries(name="a song", data=[0.0], unit="V", timestamps=[0.0]))
        nwb.add_acquisition(
            TimeSeries(
                name="Microphone",
                data=two_channels,
                starting_time=10.0,
                conversion=0.5,
                offset=1.0,
                **series,
            )
        )

    recording = Recording.open(lab_file(tmp_path / "lab.nwb", setup=setup))
    assert recording.audio.series == "acquisition/Microphone"
    assert recording.audio.read(10.5, 11.5).tolist() == [2.0, 2.5]  # column 0, in volts
    # Sound may last longer than the session, which is where units could fire.
    assert recording.sessions["stop_time"][0] < 12.0
    write_recording(recording, tmp_path / "b.nwb")
    linked = Recording.open(tmp_path / "b.nwb").audio
    assert linked.read(10.5, 11.5).tolist() == [2.0, 2.5]
