"""One trial in full, and the spectrograms of all syllables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from test_figures import Sound, check_legible, make_recording, words

from neuro2voc.binning import Window
from neuro2voc.errors import DataError
from neuro2voc.figures.spectrogram import HIGHEST, RANGE, sound_between
from neuro2voc.figures.spectrograms import draw_spectrograms, typical_renditions
from neuro2voc.figures.trial import draw_trial, example_trial, trial_table
from neuro2voc.recording import Binned
from neuro2voc.trials import make_trials

WINDOW = Window("moving", "onset", -0.15, 0.05, 0.02, 0.01)


class Frames:
    """A spectrogram as `neuro2voc.recording.Spectrogram` gives it, without a file."""

    rate, start_time, stop_time = 500.0, 0.0, 40.0

    def __init__(self, frequencies=None):
        self.frequencies = frequencies

    def read(self, start, stop):
        frames = np.arange(round(start * self.rate), round(stop * self.rate))
        return np.tile(frames[:, None], (1, 20)).astype(np.float32)


def trials_of(recording, **changes):
    return make_trials(recording, **{"bout_gap": 0.5, "labels": [], "folds": 2, **changes})


def test_the_trial_is_the_median_one_of_the_commonest_label():
    trials = trials_of(make_recording())
    mine = trials[trials["label"] == "a"].copy()
    assert example_trial(trials)["label"] == "a"
    rng = np.random.default_rng(0)
    length = rng.permutation(len(mine)) / 100 + 0.01
    trials.loc[mine.index, "offset"] = mine["onset"] + length
    chosen = example_trial(trials)
    assert np.searchsorted(np.sort(length), chosen["offset"] - chosen["onset"] - 1e-9) == 8
    with pytest.raises(DataError, match="name more labels"):
        example_trial(trials.assign(used=0))


def test_the_table_holds_spikes_and_counts_of_what_is_shown():
    recording = make_recording()
    trials = trials_of(recording)
    table, trial = trial_table(recording, trials, WINDOW), example_trial(trials)
    left, right = table.loc[0, ["start", "stop"]]
    assert left == pytest.approx(-0.2)
    spikes, counts = table[table["kind"] == "spike"], table[table["kind"] == "count"]
    # Units stand from the tip up, which is the other way round in the file.
    assert counts.drop_duplicates("row")["depth"].tolist() == [300, 600, 900]
    for row, unit in enumerate([2, 1, 0]):
        train = recording.units.spike_times[unit] - trial["onset"]
        inside = train[(train >= left) & (train < right)]
        assert_allclose(spikes.loc[spikes["row"] == row, "start"], inside)
        mine = counts[counts["row"] == row]
        assert len(mine) == 19
        expected = [
            ((train > a - 1e-10) & (train < b - 1e-10)).sum()
            for a, b in zip(mine["start"], mine["stop"], strict=True)
        ]
        assert_allclose(mine["value"], expected)


@pytest.mark.parametrize("audio", [Sound(), None])
@pytest.mark.parametrize("units", [1, 3])
def test_the_trial_is_drawn_with_and_without_sound(audio, units):
    recording = make_recording(units, audio)
    figure = draw_trial(recording, trials_of(recording), WINDOW)
    check_legible(figure)
    assert ("holds no sound" in words(figure)) == (audio is None)
    assert "simulated" in words(figure)


def test_an_unobserved_unit_is_missing_and_not_silent():
    recording = make_recording()
    observed = (np.array([[0.0, 0.5]]), *[np.array([[0.0, 40.0]])] * 2)
    recording = recording.with_units(replace(recording.units, observed=observed))
    table = trial_table(recording, trials_of(recording), WINDOW)
    counts = table[table["kind"] == "count"].set_index("row")["value"]
    assert counts.loc[2].isna().all()
    assert counts.loc[[0, 1]].notna().all()


def test_activity_without_spikes_is_drawn_too():
    recording = make_recording()
    values = np.random.default_rng(0).random((1200, 3), dtype=np.float32)
    binned = Binned(values, 30.0, 0.0, recording.units.table, additive=False)
    figure = draw_trial(recording.with_units(binned), trials_of(recording), WINDOW)
    check_legible(figure)
    assert "There are no spikes" in words(figure)


def test_every_label_has_a_panel_of_its_median_rendition():
    recording = make_recording(audio=Sound())
    trials = trials_of(recording)
    table = typical_renditions(trials)
    assert table["label"].tolist() == ["a", "b", "c"]
    assert table["renditions"].tolist() == [18, 8, 9]
    assert_allclose(table["stop"] - table["start"], 0.3)
    assert_allclose(table["start"] + table["stop"], table["onset"] + table["offset"])
    figure = draw_spectrograms(recording, trials)
    check_legible(figure)
    boxes = [ax.patches[0].get_width() for ax in figure.axes if ax.patches]
    assert_allclose(boxes, [50, 100, 150])  # ms
    assert [len(ax.images) for ax in figure.axes[:3]] == [1, 1, 1]


def test_a_syllable_longer_than_the_picture_widens_all():
    recording = make_recording()
    trials = trials_of(recording)
    trials.loc[trials["label"] == "c", "offset"] += 0.35
    table = typical_renditions(trials)
    assert_allclose(table["stop"] - table["start"], 0.6)


def test_without_sound_a_figure_says_so():
    recording = make_recording()
    figure = draw_spectrograms(recording, trials_of(recording))
    check_legible(figure)
    assert "This recording holds no sound." in words(figure)


def test_a_tone_lies_at_its_frequency():
    sound = sound_between(make_recording(audio=Sound()), 1.0, 1.3)
    bands, _ = sound.level.shape
    loudest = sound.level.mean(axis=1).argmax() / (bands - 1) * sound.top
    assert loudest == pytest.approx(3.0, abs=0.05)
    assert sound.level.max() == 0
    assert sound.level.min() >= -RANGE - 1e-4
    assert 7.9 < sound.top <= HIGHEST / 1000
    assert 1.0 <= sound.start < sound.stop <= 1.3
    assert sound_between(make_recording(audio=Sound()), 40.0, 40.3) is None


@pytest.mark.parametrize("frequencies", [None, np.linspace(500, 10_000, 20)])
def test_a_given_spectrogram_is_shown_as_it_is(frequencies):
    recording = replace(make_recording(), spectrogram=Frames(frequencies))
    sound = sound_between(recording, 1.0, 1.3)
    assert sound.given
    assert sound.level.shape == (20 if frequencies is None else 16, 150)
    assert_allclose(sound.level[0], np.arange(500, 650))
    assert (sound.start, sound.stop) == (1.0, pytest.approx(1.3))
    for figure in (
        draw_spectrograms(recording, trials_of(recording)),
        draw_trial(recording, trials_of(recording), WINDOW),
    ):
        check_legible(figure)
        assert "holds no sound" not in words(figure)


def test_twelve_labels_fit_on_one_page():
    recording = make_recording(audio=Sound())
    onset = 1 + 0.4 * np.arange(96)
    label = [f"syllable {k}" for k in range(12)] * 8
    song = {"start_time": onset, "stop_time": onset + 0.1, "label": label, "session": "s1"}
    recording = recording.with_syllables(pd.DataFrame(song))
    figure = draw_spectrograms(recording, trials_of(recording, bout_gap=0.2))
    check_legible(figure)
    assert len([ax for ax in figure.axes if ax.images]) == 12
