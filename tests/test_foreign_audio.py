"""Sound of others: where it lies, and on which clock."""

import h5py
import numpy as np
import pytest

from neuro2voc.errors import DataError
from neuro2voc.recording import Recording

SOUND = np.arange(80, dtype=np.int16)


def with_series(path, *series):
    """A file with series given as (place, data, attributes); 'kind' is their neurodata_type."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units/spike_times"] = np.arange(1.0, 9.0)
        file["units/spike_times_index"] = np.array([8], dtype=np.uint8)
        for place, data, about in series:
            group = file.create_group(place)
            group.attrs["neurodata_type"] = about.get("kind", "TimeSeries")
            group["data"] = data
            group["data"].attrs.update(
                {k: about[k] for k in ("conversion", "offset") if k in about}
            )
            if "timestamps" in about:
                group["timestamps"] = about["timestamps"]
            elif "rate" in about:
                group["starting_time"] = about.get("start", 0.0)
                group["starting_time"].attrs["rate"] = about["rate"]
    return path


@pytest.mark.parametrize("data", [SOUND, SOUND[:, None], np.stack([SOUND, -SOUND], axis=1)])
@pytest.mark.parametrize("folder", ["acquisition", "stimulus/presentation", "processing/song"])
def test_acoustic_waveforms_anywhere_without_their_extension(tmp_path, data, folder):
    about = {"kind": "AcousticWaveformSeries", "rate": 10.0, "start": 1.0}
    about |= {"conversion": 0.5, "offset": 2.0}
    path = with_series(tmp_path / "a.nwb", (f"{folder}/nidq", data, about))
    audio = Recording.open(path).audio
    assert (audio.series, audio.rate, audio.start_time) == (f"{folder}/nidq", 10.0, 1.0)
    assert audio.read(1.0, 1.3).tolist() == [2.0, 2.5, 3.0]


def test_the_likeliest_series_is_taken(tmp_path, caplog):
    places = [
        ("stimulus/presentation/recording", {"kind": "AcousticWaveformSeries"}),
        ("acquisition/song", {}),
        ("acquisition/microphone", {}),
        ("acquisition/vocalizations", {}),
        ("acquisition/running", {}),
    ]
    series = [(place, SOUND, {"rate": 10.0, **about}) for place, about in places]
    order = [
        places[0][0],
        "acquisition/vocalizations",
        "acquisition/microphone",
        "acquisition/song",
    ]
    for place in order:
        path = with_series(tmp_path / "a.nwb", *series)
        assert Recording.open(path).audio.series == place
        series = [s for s in series if s[0] != place]
    assert Recording.open(with_series(tmp_path / "a.nwb", *series)).audio is None
    assert Recording.open(tmp_path / "a.nwb", audio="running").audio.series == "acquisition/running"
    assert "several" not in caplog.text
    two = [(f"acquisition/mic{i}", SOUND, {"rate": 10.0}) for i in (1, 0)]
    path = with_series(tmp_path / "b.nwb", *two)
    assert Recording.open(path).audio.series == "acquisition/mic0"
    assert "several series of sound (acquisition/mic0, acquisition/mic1)" in caplog.text
    assert Recording.open(path, audio="acquisition/mic1").audio.series == "acquisition/mic1"
    with pytest.raises(DataError, match=r"no series 'mic2'; did you mean .*name one of its series"):
        Recording.open(path, audio="mic2")


def test_a_mask_is_no_sound(tmp_path):
    mask = ("acquisition/eval_mask_audio", np.ones(80, dtype=bool), {"rate": 10.0})
    sound = ("acquisition/vocalizations", SOUND, {"timestamps": 1 + np.arange(80) / 25_000})
    audio = Recording.open(with_series(tmp_path / "a.nwb", mask, sound)).audio
    assert audio.series == "acquisition/vocalizations"
    assert (audio.rate, audio.start_time, audio.n_samples) == (25_000.0, 1.0, 80)


def test_timestamps_give_the_rate_if_they_are_regular(tmp_path, caplog):
    times = 1 + np.arange(80) / 10
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, 80)
    jitter[[0, -1]] = 0
    path = with_series(
        tmp_path / "a.nwb", ("acquisition/mic", SOUND, {"timestamps": times + jitter})
    )
    assert Recording.open(path).audio.rate == 10.0
    for name, bad in (
        ("gap", np.r_[times[:40], times[40:] + 5]),
        ("nan", np.where(np.arange(80) == 9, np.nan, times)),
        ("back", times[::-1]),
        ("one", times[:1]),
    ):
        path = with_series(
            tmp_path / f"{name}.nwb", ("acquisition/mic", SOUND, {"timestamps": bad})
        )
        assert Recording.open(path).audio is None
        assert f"The series 'acquisition/mic' of {path} has timestamps" in caplog.text
        with pytest.raises(
            DataError, match="'acquisition/mic' of .* has timestamps .* be read as s"
        ):
            Recording.open(path, audio="mic")


@pytest.mark.parametrize(
    ("data", "about", "sentence"),
    [
        (SOUND, {}, "has neither a rate nor timestamps"),
        (SOUND, {"rate": 0.0}, "begins at 0 s with 0 samples a second"),
        (SOUND, {"rate": np.nan}, "begins at 0 s with nan samples a second"),
        (SOUND[None], {"rate": 1.0}, r"has the shape \(1, 80\), not \(samples, channels\)"),
        (SOUND.reshape(2, 4, 10), {"rate": 1.0}, r"has the shape \(2, 4, 10\)"),
        (np.array([b"a"]), {"rate": 1.0}, "holds no numbers"),
    ],
)
def test_what_is_no_sound(tmp_path, caplog, data, about, sentence):
    path = with_series(tmp_path / "a.nwb", ("acquisition/mic", data, about))
    assert Recording.open(path).audio is None
    with pytest.raises(DataError, match=sentence):
        Recording.open(path, audio="acquisition/mic")


def test_how_far_beyond_the_sound_an_interval_reaches(tmp_path):
    path = with_series(tmp_path / "a.nwb", ("acquisition/mic", SOUND, {"rate": 10.0}))
    with pytest.raises(DataError, match="no interval from 7 to 10.5 s, 2.5 s beyond it; ask for a"):
        Recording.open(path).audio.read(7.0, 10.5)
