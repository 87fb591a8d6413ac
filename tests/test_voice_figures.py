"""The figure of generated song, and its numbers."""

from functools import cache

import numpy as np
import pytest
from singing import make_bird

from neuro2voc.figures import style
from neuro2voc.figures.voice import draw_voice, shown_rows, voice_table
from neuro2voc.frames import make_frames
from neuro2voc.sound_measures import correlation
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split


@cache
def song():
    recording, trials = make_bird(3)
    frames = make_frames(recording, trials, SpectrogramSettings(window=0.008))
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 0)
    rng = np.random.default_rng(0)
    made = frames.level + rng.normal(0, 8, frames.level.shape).astype(np.float32)
    null = np.roll(made, 200, axis=0)
    for values in (made, null):
        values[frames.folds(split) < 0] = np.nan
    return recording, frames, made, null, trials, split


def words(figure):
    found = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]
    return "\n".join(found)


def test_numbers_of_excerpts_are_those_of_their_frames():
    _, frames, made, null, trials, split = song()
    table = voice_table(frames, made, null, trials, split)
    rows = shown_rows(frames, trials, split)
    assert len({*frames.folds(split)[[r.start + 20 for r in rows]]}) == len(rows) == 3
    for number, shown in enumerate(rows, start=1):
        own = table[(table["part"] == f"excerpt {number}") & (table["song"] == "generated")]
        kept = np.isfinite(made[shown]).all(axis=1)
        expected = correlation(frames.level[shown][kept], made[shown][kept])
        assert own["correlation"].item() == pytest.approx(expected)
    overall = table[table["part"] == "all bouts"].set_index("song")
    row = overall.loc["generated"]
    assert row["low"] <= row["correlation"] <= row["high"]
    assert row["correlation"] > overall.loc["null", "correlation"] + 0.2
    assert row["n_bouts"] == len(frames.pieces)


@pytest.mark.parametrize("has_null", [True, False])
def test_the_figure_says_what_it_shows(has_null):
    recording, frames, made, null, trials, split = song()
    figure = draw_voice(
        recording,
        frames,
        made,
        null if has_null else None,
        trials,
        split,
        "vae",
        "blocked",
        "shifted",
    )
    text = words(figure)
    assert style.kind_of(recording) == "simulated" and "simulated" in text
    assert "correlation with the original" in text and "split 'blocked'" in text
    assert ("of shifted neurons" in text) == has_null
    pictures = [ax for part in figure.subfigs for ax in part.axes if ax.images]
    assert len(pictures) == 3 * (3 if has_null else 2)


def test_the_gain_over_the_baseline_stands_in_the_headline_with_its_interval():
    recording, frames, made, null, trials, split = song()
    rng = np.random.default_rng(1)
    worse = made + rng.normal(0, 8, made.shape).astype(np.float32)
    names = "vae", "blocked", "shifted"
    for own, beside, ending in (
        (made, worse, ")."),
        (worse, made, "; worse."),
        (made, made, "it."),
    ):
        row = voice_table(frames, own, null, trials, split, beside).iloc[0]
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        figure = draw_voice(
            recording, frames, own, null, trials, split, *names, baseline=("ridge", beside)
        )
        lines = [line for line in words(figure).splitlines() if "gain in correlation" in line]
        assert len(lines) == 1 and lines[0].endswith(ending)
        assert f"{row['gain']:.3f}".replace("-", "−") in lines[0]
    assert "gain" not in words(draw_voice(recording, frames, made, null, trials, split, *names))


def test_axes_end_with_their_bouts():
    recording, frames, made, null, trials, split = song()
    figure = draw_voice(recording, frames, made, null, trials, split, "vae", "blocked", "shifted")
    rows = shown_rows(frames, trials, split)
    for part, shown in zip(figure.subfigs, rows, strict=True):
        duration = (shown.stop - shown.start) * frames.hop
        for ax in part.axes[1:]:
            assert ax.spines["bottom"].get_bounds() == (0, duration)
            assert ax.get_xticks().max() <= duration + frames.hop


def test_a_collapse_is_said_with_its_folds():
    recording, frames, made, null, trials, split = song()
    figure = draw_voice(
        recording, frames, made, null, trials, split, "vae", "blocked", "shifted", ["vae fails."]
    )
    assert "vae fails." in words(figure)


def test_without_labels_the_figure_has_no_row_of_them():
    recording, frames, made, null, trials, split = song()
    figure = draw_voice(
        recording, frames, made, null, trials.iloc[:0], split, "ridge", "blocked", "shifted"
    )
    assert all(ax.images for part in figure.subfigs for ax in part.axes)
    assert "middle of its longest stretch" in words(figure)
