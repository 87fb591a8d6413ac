"""Excerpts to listen to, and the page in a real browser."""

import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from threading import Timer

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile
from singing import make_bird

from neuro2voc.collapse import say_collapsed
from neuro2voc.errors import DataError
from neuro2voc.frames import make_frames
from neuro2voc.listening import (
    INVERTED,
    ORIGINAL,
    common_gain,
    example_rows,
    excerpts,
    write_joined,
    write_wav,
)
from neuro2voc.listening_page import WORDS, listening_page
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import folds_of, make_split
from neuro2voc.trials import COLUMNS

SETTINGS = SpectrogramSettings()
NO_TRIALS = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


@pytest.fixture(scope="module")
def song():
    recording, trials = make_bird(1)
    frames = make_frames(recording, trials, SETTINGS)
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 1)
    half = np.where(frames.folds(split)[:, None] == 1, np.nan, frames.level - 6)
    generated = {"6 dB <softer>": frames.level - 6, "no fold 1": half}
    made = excerpts(recording, frames, generated, trials, split, 1)
    return recording, trials, frames, split, made


def test_bouts_are_chosen_by_a_rule(song):
    _, trials, frames, split, _ = song
    rows = example_rows(frames, trials, split)
    assert len(rows) == 3
    fold = folds_of(split, trials["onset"].to_numpy(), trials["offset"].to_numpy())
    for held, part in enumerate(rows):
        counts = trials[fold == held].groupby("bout")["used"].sum()
        own = counts[frames.piece[part.start]]
        assert own == np.sort(counts)[(len(counts) - 1) // 2]
        assert (frames.folds(split)[part] == held).all()


def test_without_labels_the_middle_of_each_fold_is_taken(song):
    recording, _, frames, _, _ = song
    frames = replace(frames, piece=np.zeros(len(frames.piece), dtype=int))
    split = make_split("blocked", NO_TRIALS, recording.sessions, 3, 0.5, 1)
    rows = example_rows(frames, NO_TRIALS, split)
    assert len(rows) == 3
    assert all(0 < part.stop - part.start <= 750 for part in rows)
    assert [np.unique(frames.folds(split)[part]).tolist() for part in rows] == [[0], [1], [2]]


def test_the_original_is_the_microphones_sound_and_inversion_costs_little(song):
    recording, _, frames, _, made = song
    for excerpt in made:
        heard = recording.audio.read(excerpt.start, excerpt.start + excerpt.duration)
        np.testing.assert_allclose(excerpt.sound[ORIGINAL], heard, atol=1e-6)
        assert excerpt.numbers[ORIGINAL] == {"correlation": 1.0, "cepstral_distortion": 0.0}
        assert 0.95 < excerpt.numbers[INVERTED]["correlation"] < 1
        softer = excerpt.sound["6 dB <softer>"]
        ratio = np.sqrt(np.square(softer).mean() / np.square(excerpt.sound[INVERTED]).mean())
        assert ratio == pytest.approx(10 ** (-6 / 20), rel=0.1)
        assert {len(sound) for sound in excerpt.sound.values()} == {len(heard)}
        assert excerpt.syllables[0][0] == pytest.approx(0.05, abs=0.001)


def test_what_was_not_generated_is_silent(song):
    held = next(excerpt for excerpt in song[-1] if excerpt.fold == 1)
    assert not held.sound["no fold 1"].any()
    assert np.isnan(held.numbers["no fold 1"]["correlation"])


def test_wavs_hold_all_excerpts_and_share_one_gain(song, tmp_path):
    made = song[-1]
    peaks = []
    for source in made[0].sound:
        path = tmp_path / "song.wav"
        write_joined(made, source, path, SETTINGS.rate)
        rate, samples = wavfile.read(path)
        assert (rate, samples.dtype) == (20_000, np.int16)
        whole = [part for e in made for part in (e.sound[source], np.zeros(10_000))][:-1]
        np.testing.assert_allclose(
            samples / 32767, common_gain(made) * np.concatenate(whole), atol=2e-5
        )
        peaks.append(np.abs(samples).max())
    assert max(peaks) == round(0.9 * 32767)
    write_wav(tmp_path / "loud.wav", np.array([0.0, 2.0, -2.0]), 8000)
    assert wavfile.read(tmp_path / "loud.wav")[1].tolist() == [0, 32767, -32767]


def test_the_page_is_whole_in_itself_and_the_same_again(song):
    recording, trials, frames, split, made = song
    collapsed = say_collapsed("vae", "blocked", [1])
    page = listening_page("bird: <song>", made, SETTINGS, "simulated", warnings=[collapsed])
    softer = {"6 dB <softer>": frames.level - 6}
    short = [
        listening_page("bird", excerpts(recording, frames, softer, trials, split, 1), SETTINGS)
        for _ in (1, 2)
    ]
    assert short[0] == short[1]
    assert "simulated" in page
    assert "simulated" not in short[0]
    assert "has collapsed in fold 1 of &#x27;blocked&#x27;" in page
    assert "collapsed" not in short[0]
    assert "<song>" not in page
    assert "<softer>" not in page
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|https?:""", page)
    sounds = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    assert len(sounds) == page.count("<img") == 12
    rate, samples = wavfile.read(BytesIO(b64decode(sounds[0])))
    assert rate == 20_000
    assert len(samples) == len(made[0].sound[ORIGINAL])
    assert "correlation unknown" in page


def test_the_page_says_that_activity_after_a_frame_is_seen_too():
    assert all("before and after" in WORDS[name] for name in ("ridge", "kernel"))


def test_a_recording_without_sound_has_nothing_to_listen_to(song):
    recording, trials, frames, split, _ = song
    with pytest.raises(DataError, match="nothing to listen to"):
        excerpts(replace(recording, audio=None), frames, {}, trials, split, 1)


# Run in the page: everything decodes, a click on a button plays one source after another, a cursor
# moves, a click on a picture seeks, keys do what they say.
CHECK = """
<script>
(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const until = async (what) => {
    for (let left = 200; left > 0 && !what(); left--) await wait(25);
    return what();
  };
  const say = (name, value) => console.log("seen " + name + "=" + value + ".");
  const sounds = Array.from(document.querySelectorAll("audio"));
  await until(() => sounds.every((s) => s.readyState >= 2 || s.error));
  say("decoded", sounds.filter((s) => s.duration > 0 && !s.error).length);
  const button = document.querySelector("button.turn");
  const cursor = document.querySelector(".cursor");
  button.click();
  say("moved", await until(() => sounds[0].currentTime > 0.1 && !sounds[0].paused));
  say("cursor", await until(() => parseFloat(cursor.style.left.slice(5)) > 1));
  say("button", button.textContent);
  sounds[0].currentTime = sounds[0].duration - 0.05;
  say("next", await until(() => sounds[0].paused && sounds[1].currentTime > 0.1));
  button.click();
  const stopped = () => sounds.every((s) => s.paused) && button.textContent === "play in turn";
  say("stopped", await until(stopped));
  const picture = document.querySelectorAll(".picture")[2];
  const box = picture.getBoundingClientRect();
  picture.dispatchEvent(new MouseEvent("click", { clientX: box.left + box.width / 2 }));
  const sound = sounds[2], half = sound.duration / 2;
  const seeked = () => !sound.paused && sound.currentTime > half;
  say("seek", await until(seeked) && sound.currentTime < half + 1);
  const press = (key) => picture.dispatchEvent(new KeyboardEvent("keydown", { key: key }));
  press(" ");
  const place = sound.currentTime;
  press("ArrowRight");
  const there = (now) => sound.paused && Math.abs(now - place - 0.1) < 0.02;
  say("keys", await until(() => there(sound.currentTime)));
  say("slider", await until(() => there(picture.getAttribute("aria-valuenow"))));
  say("done", 1);
})();
</script>
"""


def test_a_browser_plays_it(song, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    page = listening_page("bird", song[-1], SETTINGS, "simulated")
    (tmp_path / "listen.html").write_text(page.replace("</body>", CHECK + "</body>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio"]
    command += ["--autoplay-policy=no-user-gesture-required", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"file://{tmp_path / 'listen.html'}"]
    seen = {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        watchdog = Timer(60, process.kill)
        watchdog.start()
        for line in process.stderr:
            seen |= re.findall(r"seen (\w+)=(.*?)\.\"", line)
            if "done" in seen:
                break
        watchdog.cancel()
        process.terminate()
    expected = dict.fromkeys(
        ("moved", "cursor", "next", "stopped", "seek", "keys", "slider"), "true"
    )
    assert seen == {**expected, "decoded": "12", "button": "stop", "done": "1"}
