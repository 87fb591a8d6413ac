"""The picture of a bout where there are no labels, no spikes, or a spectrogram instead of sound."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_figures import Sound, check_legible, make_recording, words

from neuro2voc.figures.bout import bout_table, draw_bout, example_bout, liveliest
from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Binned, Recording
from neuro2voc.sources.converters import convert
from neuro2voc.trials import COLUMNS, make_trials


def unlabelled(**changes):
    recording = make_recording(**changes)
    recording = recording.with_syllables(recording.syllables[:0])
    return recording, make_trials(recording, 0.5, [], 5)


def in_bins(recording, additive=True, events=None, rate=20.0):
    """The same activity in bins, from 0 to 40 s."""
    edges = np.arange(0, 40 * rate + 1) / rate
    counts = np.stack([np.histogram(t, edges)[0] for t in recording.units.spike_times], axis=1)
    table = recording.units.table
    values = counts.astype(np.float32) * (1 if additive else [0.1, 10, 0.5][: counts.shape[1]])
    return recording.with_units(Binned(values, rate, 0.0, table, additive, events=events))


def with_burst(recording, start, stop):
    """Add 200 spikes to the first unit."""
    first, *others = recording.units.spike_times
    first = np.union1d(first, np.linspace(start, stop, 200))
    return recording.with_units(replace(recording.units, spike_times=(first, *others)))


@pytest.mark.parametrize("binned", [False, True])
def test_without_labels_the_first_moment_of_most_activity_is_shown(binned):
    recording, trials = unlabelled()
    recording = with_burst(recording, 21.1, 24.9)
    recording = in_bins(recording) if binned else recording
    assert liveliest(recording) == (21, 25)
    table = bout_table(recording, trials)
    assert table.loc[0, ["kind", "start", "stop"]].tolist() == ["shown", 21, 25]
    figure = draw_bout(recording, trials)
    check_legible(figure)
    assert "No labels." in words(figure) and "the 4 s with most activity" in words(figure)
    assert len(figure.axes) == 2


def test_a_session_shorter_than_the_moment_is_shown_whole():
    recording, _ = unlabelled()
    sessions = recording.sessions.assign(start_time=0.0, stop_time=2.5)
    assert liveliest(replace(recording, sessions=sessions)) == (0, 2.5)


def test_no_moment_reaches_over_the_end_of_its_session():
    recording, _ = unlabelled()
    sessions = recording.sessions.assign(stop_time=20.3)
    recording = with_burst(replace(recording, sessions=sessions), 18, 20.2)
    start, stop = liveliest(recording)
    assert start <= 18 and stop <= 20.3


def test_counts_are_drawn_as_shades_in_the_order_of_depth():
    recording = in_bins(make_recording())
    trials = make_trials(recording, 0.5, [], 5)
    figure, table = draw_bout(recording, trials), bout_table(recording, trials)
    check_legible(figure)
    _, start, stop = example_bout(trials)
    (image,) = figure.axes[-1].images
    bins = table[table["kind"] == "bin"]
    shown = bins.pivot(index="row", columns="start", values="value")
    assert_array_equal(image.get_array(), shown)
    assert start - 1e-6 <= bins["start"].min() < start + 0.05
    assert stop - 0.05 - 1e-6 <= bins["start"].max() < stop
    left, right, *_ = image.get_extent()
    assert_allclose([left, right], [bins["start"].min() - start, bins["stop"].max() - start])
    assert bins.loc[bins["row"] == 0, "unit"].unique().tolist() == ["2"]  # nearest to the tip
    assert f"white 0, darkest {bins['value'].max():.0f}" in words(figure)
    assert not figure.axes[-1].collections or not figure.axes[-1].collections[0].get_segments()


def test_levels_are_drawn_in_each_units_own_range_with_their_events():
    recording = make_recording()
    recording = in_bins(recording, additive=False, events=recording.units.spike_times)
    trials = make_trials(recording, 0.5, [], 5)
    figure, table = draw_bout(recording, trials), bout_table(recording, trials)
    check_legible(figure)
    values = table.loc[table["kind"] == "bin"].groupby("unit")["value"]
    assert_allclose(values.max(), 1)
    assert_allclose(values.min(), 0)
    drawn = sum(len(c.get_segments()) for c in figure.axes[-1].collections)
    assert drawn == (table["kind"] == "event").sum() > 0
    assert f"{drawn} events of 3 units" in words(figure)


def test_unobserved_time_is_told_from_silence_among_shades():
    recording = in_bins(make_recording())
    trials = make_trials(recording, 0.5, [], 5)
    _, start, stop = example_bout(trials)
    whole, part = np.array([[0.0, 40.0]]), np.array([[0.0, (start + stop) / 2]])
    units = replace(recording.units, observed=(whole, part, whole))
    figure = draw_bout(recording.with_units(units), trials)
    check_legible(figure)
    (bar,) = figure.axes[-1].patches
    assert_allclose([bar.get_x(), bar.get_width()], [(stop - start) / 2] * 2)
    assert "Blue: not observed." in words(figure)


@pytest.mark.parametrize("frequencies", [None, np.arange(50) * 100.0])
def test_a_given_spectrogram_takes_the_place_of_sound(tmp_path, frequencies):
    recording = make_recording()
    frames = np.zeros((4000, 50))
    frames[:, 30] = 0.9
    path = tmp_path / "bird.nwb"
    write_recording(recording, path, spectrogram=(100.0, frames, frequencies))
    recording = Recording.open(path)
    trials = make_trials(recording, 0.5, [], 5)
    figure = draw_bout(recording, trials)
    check_legible(figure)
    (image,) = figure.axes[0].images
    assert image.get_array().mean(axis=1).argmax() == 30
    bottom, top = image.get_extent()[2:]
    middle = bottom + (top - bottom) * 30.5 / 50
    assert middle == pytest.approx(31 if frequencies is None else 3.0)  # band or kHz
    assert "as it was given" in words(figure)
    # Sound comes first.
    heard = draw_bout(replace(recording, audio=Sound()), trials)
    assert "as it was given" not in words(heard)


def test_the_public_calcium_recording_is_drawn_as_it_is(shared_data, tmp_path):
    folder = shared_data / "mackevicius_hvc_ca"
    names = ("MackeviciusData.mat", "ppseq_songbird_spikes.txt")
    recording, sound = convert("mackevicius2019", [folder / name for name in names])
    write_recording(recording, tmp_path / "mackevicius2019.nwb", **sound)
    recording = Recording.open(tmp_path / "mackevicius2019.nwb")
    trials = make_trials(recording, 0.5, [], 5)
    assert list(trials.columns) == list(COLUMNS)
    figure, table = draw_bout(recording, trials), bout_table(recording, trials)
    check_legible(figure)
    assert "75 units" in words(figure)
    # Every event lies in a bin in which its unit was active.
    active = table[(table["kind"] == "bin") & (table["value"] > 0)]
    assert len(active) == (table["kind"] == "event").sum()
