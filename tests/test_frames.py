"""Frames of song and the activity at the same time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from singing import Sound, make_bird

from neuro2voc.errors import DataError
from neuro2voc.frames import (
    activity_around,
    lagged,
    make_frames,
    read_frames,
    write_frames,
)
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.trials import COLUMNS

SETTINGS = SpectrogramSettings()
NONE = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


@pytest.fixture(scope="module")
def bird():
    return make_bird(3)


def test_every_bout_with_decoded_syllables_is_covered_and_frames_adjoin(bird):
    recording, trials = bird
    frames = make_frames(recording, trials, SETTINGS)
    assert set(frames.piece) == set(trials.loc[trials["used"] == 1, "bout"])
    for piece in frames.pieces:
        np.testing.assert_allclose(np.diff(frames.start[piece]), 0.004, atol=1e-9)
    for row in trials.itertuples():
        inside = frames.within(row.onset, row.offset)
        assert (inside.stop - inside.start) * 0.004 == pytest.approx(
            row.offset - row.onset, abs=0.0041
        )
    assert frames.level.min() == -60 and frames.lowest == -60


def test_syllables_are_louder_than_what_lies_between(bird):
    recording, trials = bird
    frames = make_frames(recording, trials, SETTINGS)
    inside = np.zeros(len(frames.level), dtype=bool)
    for row in trials.itertuples():
        inside[frames.within(row.onset, row.offset)] = True
    loud = frames.level.max(axis=1)
    assert np.median(loud[inside]) > np.median(loud[~inside]) + 20


def test_frames_come_back_as_they_were_written(bird, tmp_path):
    frames = make_frames(*bird, SETTINGS)
    for name in "ab":
        write_frames(frames, tmp_path / f"{name}.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    again = read_frames(tmp_path / "a.h5")
    for name in ("level", "start", "piece", "frequencies"):
        np.testing.assert_array_equal(getattr(again, name), getattr(frames, name))
    assert (again.hop, again.settings, again.reference) == (0.004, SETTINGS, frames.reference)


def test_activity_shares_its_edges_with_frames_and_loses_no_spike(bird):
    recording, trials = bird
    frames = make_frames(recording, trials, SETTINGS)
    around = activity_around(recording, frames, 0.1, 0.05)
    for piece, values in zip(frames.pieces, around, strict=True):
        first = frames.start[piece.start] - 0.1
        last = frames.start[piece.stop - 1] + 0.052
        for unit, times in enumerate(recording.units.spike_times):
            assert values[:, unit].sum() == ((times >= first - 1e-9) & (times < last - 1e-9)).sum()


def test_a_burst_before_the_sound_stands_in_the_bin_before_it():
    # One spike 30 ms before each of two frames.
    sound = Sound(20_000, np.random.default_rng(0).normal(size=40_000).astype(np.float32))
    table = pd.DataFrame(index=pd.RangeIndex(1, name="unit"))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [2.0]})
    syllables = pd.DataFrame(columns=["start_time", "stop_time", "label", "session"])
    recording = Recording(
        "one", Units((np.array([0.9721]),), table), syllables, sessions, audio=sound
    )
    frames = make_frames(recording, NONE, SETTINGS)
    x = lagged(activity_around(recording, frames, 0.04, 0.0), frames, 0.04, 0.0, 0.02)
    assert x.shape == (500, 2, 1)
    hit = np.flatnonzero(x[:, 0, 0])
    np.testing.assert_allclose(frames.start[hit].min() - 0.9721, 0.02, atol=0.0041)
    np.testing.assert_allclose(frames.start[hit].max() - 0.9721, 0.04, atol=0.0041)
    assert x[hit, 0, 0] == pytest.approx(0.2)  # one spike in five hops


def levels_of(values, rate=50.0, additive=False, observed=None):
    table = pd.DataFrame(index=pd.RangeIndex(values.shape[1], name="unit"))
    return Binned(values.astype(np.float32), rate, 0.0, table, additive, observed=observed)


def test_activity_in_bins_is_that_of_the_bin_and_counts_are_shared(bird):
    sound = Sound(20_000, np.random.default_rng(0).normal(size=40_000).astype(np.float32))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [2.0]})
    values = np.arange(100.0)[:, None]
    for additive in (False, True):
        recording = Recording(
            "bins", levels_of(values, additive=additive), NONE, sessions, audio=sound
        )
        frames = make_frames(recording, NONE, SETTINGS)
        (found,) = activity_around(recording, frames, 0.02, 0)
        assert np.isnan(found[:5]).all()  # before the recording
        bins = np.repeat(np.arange(100), 5)
        np.testing.assert_allclose(found[5:, 0], bins / (5 if additive else 1), rtol=1e-6)
        assert lagged([found], frames, 0.02, 0, 0.02)[5, 0, 0] == pytest.approx(found[5:10].mean())


def test_what_was_not_observed_is_missing_not_silent(bird):
    recording, trials = bird
    units = recording.units
    whole = np.array([[0.0, 1e9]])
    gap = np.array([[0.0, trials["onset"].iloc[3]], [trials["onset"].iloc[5], 1e9]])
    seen = replace(units, observed=(gap, *[whole] * (len(units) - 1)))
    frames = make_frames(recording, trials, SETTINGS)
    around = activity_around(recording.with_units(seen), frames, 0.1, 0.1)
    missing = np.isnan(np.concatenate(around))
    expected = (trials["onset"].iloc[5] - trials["onset"].iloc[3]) / 0.004
    assert missing[:, 0].sum() == pytest.approx(expected, abs=2)
    assert not missing[:, 1:].any()


def test_folds_come_from_the_clock(bird):
    recording, trials = bird
    frames = make_frames(recording, trials, SETTINGS)
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 0)
    fold = frames.folds(split)
    assert set(fold) == {0, 1, 2}
    of_piece = [set(fold[piece]) for piece in frames.pieces]
    assert all(len(folds) == 1 for folds in of_piece)


def test_without_labels_all_sound_is_kept_and_blocks_are_equally_long():
    sound = Sound(20_000, np.random.default_rng(0).normal(size=400_000).astype(np.float32))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [20.0]})
    recording = Recording("plain", levels_of(np.ones((1000, 2))), NONE, sessions, audio=sound)
    frames = make_frames(recording, NONE, SETTINGS)
    assert len(frames.level) == 5000 and set(frames.piece) == {0}
    split = make_split("blocked", NONE, sessions, 4, 0.5, 0)
    fold = frames.folds(split)
    assert [round((fold == k).sum() * 0.004, 2) for k in range(4)] == [4.75, 4.5, 4.5, 4.75]
    with pytest.raises(DataError, match="too little for 4 blocks"):
        make_split("blocked", NONE, sessions, 4, 3, 0)
    with pytest.raises(DataError, match="has no labels"):
        make_split("random", NONE, sessions, 4, 0.5, 0)


def changed(recording, samples):
    return replace(recording, audio=Sound(20_000, samples))


def test_sound_that_cannot_be_used_ends_in_a_sentence(bird):
    recording, trials = bird
    samples = recording.audio.samples
    with pytest.raises(DataError, match="holds no sound and no spectrogram"):
        make_frames(replace(recording, audio=None), trials, SETTINGS)
    with pytest.raises(DataError, match="silent in all its bouts"):
        make_frames(changed(recording, np.zeros_like(samples)), trials, SETTINGS)
    nan = samples.copy()
    nan[round(trials["onset"].iloc[0] * 20_000) + 3] = np.nan
    with pytest.raises(DataError, match="samples that are no numbers"):
        make_frames(changed(recording, nan), trials, SETTINGS)
    with pytest.raises(DataError, match="is clipped between"):
        make_frames(changed(recording, np.clip(50 * samples, -1, 1)), trials, SETTINGS)
    with pytest.raises(DataError, match="has no sound from"):
        make_frames(changed(recording, samples[:20_000]), trials, SETTINGS)
