"""The figure of generated song, and its numbers."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from singing import make_bird

from neuro2voc.figures import style
from neuro2voc.figures.voice import draw_voice, shown_rows, voice_table
from neuro2voc.files import write_csv
from neuro2voc.frames import make_frames
from neuro2voc.generated import read_generated, write_generated
from neuro2voc.sound_measures import correlation
from neuro2voc.sound_report import measured_splits
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


DRAWN = 200, 3  # resamples and seed


def table_of(made, null=None, baseline=None):
    _, frames, _, _, trials, split = song()
    return voice_table(frames, made, null, trials, split, baseline, *DRAWN)


def words(figure):
    found = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]
    return "\n".join(found)


def test_numbers_of_excerpts_are_those_of_their_frames():
    _, frames, made, null, trials, split = song()
    table = table_of(made, null)
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
    assert row["correlation"] > overall.loc["surrogate", "correlation"] + 0.2
    assert row["n_bouts"] == len(frames.pieces)


@pytest.mark.parametrize("has_null", [True, False])
def test_the_figure_says_what_it_shows(has_null):
    recording, frames, made, null, trials, split = song()
    null = null if has_null else None
    figure = draw_voice(
        recording,
        frames,
        made,
        null,
        trials,
        split,
        table_of(made, null),
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
        table = table_of(own, null, beside)
        row = table.iloc[0]
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        figure = draw_voice(
            recording, frames, own, null, trials, split, table, *names, baseline="ridge"
        )
        lines = [line for line in words(figure).splitlines() if "gain in correlation" in line]
        assert len(lines) == 1 and lines[0].endswith(ending)
        assert f"{row['gain']:.3f}".replace("-", "−") in lines[0]
    table = table_of(made, null)
    figure = draw_voice(recording, frames, made, null, trials, split, table, *names)
    assert "gain" not in words(figure)


def test_intervals_are_those_of_the_figure_of_numbers(tmp_path):
    _, frames, made, null, trials, split = song()
    worse = null + made
    paths = [tmp_path / "blocked" / f"{name}.h5" for name in ("vae", "plain")]
    paths[0].parent.mkdir()
    write_generated(paths[0], {"vae": made})
    write_generated(paths[1], {"ridge": worse})
    write_csv(split, tmp_path / "split.csv")
    scheme = {"blocked": tmp_path / "split.csv"}
    judged = measured_splits(frames, trials, None, scheme, paths, [], *DRAWN)[0]
    stored = read_generated(paths)
    row = table_of(stored["vae"], None, stored["ridge"]).iloc[0]
    other = judged[(judged["method"] == "vae") & (judged["measure"] == "correlation")].iloc[0]
    names = ["low", "high", "gain", "gain_low", "gain_high"]
    assert row[names].tolist() == other[names].tolist()


def test_pandas_reads_every_song_of_the_table(tmp_path):
    _, _, made, null, _, _ = song()
    write_csv(table_of(made, null, null), tmp_path / "table.csv")
    songs = pd.read_csv(tmp_path / "table.csv")["song"]
    assert set(songs) == {"generated", "surrogate", "baseline"}


def test_axes_end_with_their_bouts():
    recording, frames, made, null, trials, split = song()
    names = "vae", "blocked", "shifted"
    table = table_of(made, null)
    figure = draw_voice(recording, frames, made, null, trials, split, table, *names)
    rows = shown_rows(frames, trials, split)
    for part, shown in zip(figure.subfigs, rows, strict=True):
        duration = (shown.stop - shown.start) * frames.hop
        for ax in part.axes[1:]:
            assert ax.spines["bottom"].get_bounds() == (0, duration)
            assert ax.get_xticks().max() <= duration + frames.hop


def test_a_collapse_is_said_with_its_folds():
    recording, frames, made, null, trials, split = song()
    names = "vae", "blocked", "shifted"
    table = table_of(made, null)
    figure = draw_voice(recording, frames, made, null, trials, split, table, *names, ["vae fails."])
    assert "vae fails." in words(figure)


def test_without_labels_the_figure_has_no_row_of_them():
    recording, frames, made, null, trials, split = song()
    names = "ridge", "blocked", "shifted"
    song_alone = (frames, made, null, trials.iloc[:0], split)
    figure = draw_voice(recording, *song_alone, voice_table(*song_alone, None, *DRAWN), *names)
    assert all(ax.images for part in figure.subfigs for ax in part.axes)
    assert "middle of its longest stretch" in words(figure)
