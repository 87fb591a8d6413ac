"""Frames of song."""

from dataclasses import replace
from itertools import groupby

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from singing import Sound, make_bird

from neuro2voc.errors import DataError
from neuro2voc.frames import (
    Frames,
    inner_blocks,
    make_frames,
    overlap_add,
    read_frames,
    windows_of,
    write_frames,
)
from neuro2voc.recording import Recording, Units
from neuro2voc.runs import runs
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.trials import COLUMNS, bout_spans

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


def test_folds_come_from_the_clock(bird):
    recording, trials = bird
    frames = make_frames(recording, trials, SETTINGS)
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 0)
    fold = frames.folds(split)
    assert set(fold) == {0, 1, 2}
    of_piece = [set(fold[piece]) for piece in frames.pieces]
    assert all(len(folds) == 1 for folds in of_piece)


def test_without_labels_all_sound_is_kept_and_blocks_are_equally_long():
    units = Units((), pd.DataFrame(index=pd.RangeIndex(0, name="unit")))
    sound = Sound(20_000, np.random.default_rng(0).normal(size=400_000).astype(np.float32))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [20.0]})
    recording = Recording("plain", units, NONE, sessions, audio=sound)
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


def with_first_bout(recording, trials, change):
    """The bird with its first bout's sound changed."""
    begin, end = bout_spans(trials).iloc[0] + [-0.1, 0.1]
    samples = recording.audio.samples.copy()
    bout = slice(max(0, round(begin * 20_000)), round(end * 20_000))
    samples[bout] = change(samples[bout])
    return changed(recording, samples)


def test_one_clipped_bout_is_refused(bird):
    loud = with_first_bout(*bird, lambda bout: np.clip(50 * bout, -1, 1))
    begin = bout_spans(bird[1])["onset"].iloc[0]
    with pytest.raises(DataError, match=f"is clipped between {begin - 0.056:.2f} and"):
        make_frames(loud, bird[1], SETTINGS)


@pytest.mark.parametrize(
    "change",
    [
        lambda bout: np.random.default_rng(0).integers(-1, 2, len(bout)) / 32768,
        lambda bout: np.full(len(bout), 5 / 32768),
        np.zeros_like,
    ],
    ids=["noise", "constant", "nothing"],
)
def test_a_silent_bout_of_a_bird_that_sings_elsewhere_is_not_clipped(bird, change, caplog):
    frames = make_frames(with_first_bout(*bird, change), bird[1], SETTINGS)
    first, *others = frames.pieces
    assert frames.level[first].max() < -50
    assert all(frames.level[piece].max() > -20 for piece in others)
    assert not caplog.records


def test_slight_clipping_is_mentioned_with_its_share(bird, caplog):
    recording, trials = bird
    bouts = [recording.audio.read(max(0, a - 0.05), b + 0.05) for a, b in bout_spans(trials).values]
    limit = max(np.quantile(np.abs(bout), 0.99) for bout in bouts)
    make_frames(recording, trials, SETTINGS)
    assert not caplog.records
    clipped = changed(recording, np.clip(recording.audio.samples, -limit, limit))
    make_frames(clipped, trials, SETTINGS)
    (record,) = caplog.records
    assert "slightly clipped" in record.message and "1.0 % of its samples" in record.message


def test_a_clipped_second_does_not_vanish_in_a_minute():
    samples = np.random.default_rng(0).normal(0, 0.01, 1_200_000).astype(np.float32)
    samples[420_000:440_000] = np.clip(1000 * samples[420_000:440_000], -1, 1)
    units = Units((), pd.DataFrame(index=pd.RangeIndex(0, name="unit")))
    sessions = pd.DataFrame({"session": ["a"], "start_time": [0.0], "stop_time": [60.0]})
    recording = Recording("plain", units, NONE, sessions, audio=Sound(20_000, samples))
    with pytest.raises(DataError, match=r"is clipped between 20\.00 and 25\.00 s: 18%"):
        make_frames(recording, NONE, SETTINGS)


def plain_frames(counts, bands=2, hop=0.004, gap=1.0):
    """Frames of pieces of these lengths, one after another."""
    begins = np.cumsum([0, *(np.array(counts[:-1]) * hop + gap)])
    start = np.concatenate([b + hop * np.arange(n) for b, n in zip(begins, counts, strict=True)])
    level = np.random.default_rng(0).normal(size=(sum(counts), bands)).astype(np.float32)
    piece = np.repeat(np.arange(len(counts)), counts)
    return Frames(level, start, piece, hop, np.arange(bands) * 62.5, SETTINGS)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=20))
def test_runs_part_rows_where_any_column_changes(rows):
    found = runs(*np.array(rows).T)
    expected = [len(list(group)) for _, group in groupby(rows)]
    assert [part.stop - part.start for part in found] == expected
    assert all(len(set(rows[part])) == 1 for part in found)


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_windows_are_all_stretches_that_are_kept_whole(counts, length, random):
    frames = plain_frames(counts)
    kept = np.array([random.random() < 0.8 for _ in frames.piece])
    expected = [
        row
        for row in range(len(kept) - length + 1)
        if kept[row : row + length].all() and len(set(frames.piece[row : row + length])) == 1
    ]
    assert windows_of(frames, kept, length).tolist() == expected


@given(st.lists(st.integers(8, 40), min_size=1, max_size=9), st.integers(2, 4))
@example([8, 17, 11, 8], 3)  # no middle of a piece lies in the second third
def test_inner_blocks_hold_each_frame_once_and_keep_apart(counts, folds):
    frames = plain_frames(counts)
    kept = np.ones(len(frames.piece), dtype=bool)
    kept[:3] = False
    parts = inner_blocks(frames, kept, folds, 0.01)
    assert (sum(held.astype(int) for _, held in parts) == kept).all()
    for training, held in parts:
        assert held.any() and not (training & held).any() and not (training & ~kept).any()
        for a, b in ((training, held), (held, training)):
            for row in np.flatnonzero(a):
                near = np.abs(frames.start - frames.start[row]) < 0.0119
                assert not (b & near).any()
    pieces = [set(frames.piece[held]) for _, held in parts]
    if len(set(frames.piece[kept])) >= folds:  # whole pieces
        assert sum(map(len, pieces)) == len(set(frames.piece[kept]))


def test_stretches_of_a_spectrogram_add_up_to_it():
    frames = plain_frames([20, 9])
    rows = windows_of(frames, np.ones(29, dtype=bool), 5)
    wanted = np.arange(29) % 7 != 3
    made = overlap_add(frames, rows, frames.level[rows[:, None] + np.arange(5)], wanted)
    np.testing.assert_allclose(made[wanted], frames.level[wanted], rtol=1e-5, atol=1e-6)
    assert np.isnan(made[~wanted]).all()
