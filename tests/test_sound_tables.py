"""Measures as tables, syllables heard, and references, on a small simulated bird."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from singing import SMALL, Sound

from neuro2voc import sound_measures as measures
from neuro2voc.errors import DataError
from neuro2voc.frames import make_frames
from neuro2voc.interpolation import stretched
from neuro2voc.references import limit, mean_frame, references, rendition, silence, template
from neuro2voc.sound_identity import REAL, heard_identities, listeners, sung_trials
from neuro2voc.sound_summary import IDENTITY, judged_table, mean_over_bouts, summary_table
from neuro2voc.sound_tables import MEASURES, measure_table
from neuro2voc.sources.simulate import simulate
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.trials import COLUMNS, make_trials

NO_TRIALS = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
BIRD = replace(SMALL, bouts=8)


@pytest.fixture(scope="module")
def bird():
    recording, truth, (rate, samples) = simulate("bird", BIRD, 2)
    recording = replace(recording, audio=Sound(rate, (samples / 32768).astype(np.float32)))
    trials = make_trials(recording, 0.5, [], 2)
    frames = make_frames(recording, trials, SpectrogramSettings())
    splits = {
        name: make_split(name, trials, recording.sessions, 4, 0.5, 1)
        for name in ("blocked", "random")
    }
    return recording, truth, trials, frames, splits


@pytest.fixture(scope="module")
def made(bird):
    _, truth, trials, frames, splits = bird
    found = references(frames, trials, splits["blocked"], 1)
    found["limit"] = limit(frames, truth, 1)
    found["noise"] = np.random.default_rng(3).uniform(-60, 0, frames.level.shape)
    found["itself"] = frames.level
    return found


@pytest.fixture(scope="module")
def summed(bird, made):
    _, _, trials, frames, splits = bird
    table = measure_table(frames, made, trials, splits["blocked"])
    heard = heard_identities(
        frames, made, trials, splits["blocked"], listeners(frames, trials, splits["blocked"])
    )
    return table, heard, summary_table(table, heard, 500, 1)


def test_a_row_of_the_table_is_the_measures_of_its_frames(bird, made, summed):
    _, _, trials, frames, splits = bird
    table = summed[0]
    assert len(table) == len(made) * (trials["bout"].nunique() + len(trials))
    for unit, number in (("bout", 3), ("syllable", 17)):
        row = table[table["method"].eq("template") & table["unit"].eq(unit)]
        row = row[row["number"] == number].iloc[0]
        if unit == "bout":
            rows = next(part for part in frames.pieces if frames.piece[part.start] == number)
        else:
            rows = frames.within(*trials.loc[number, ["onset", "offset"]])
            assert row["label"] == trials.loc[number, "label"]
            assert row["bout"] == trials.loc[number, "bout"]
        real, other = frames.level[rows], made["template"][rows]
        assert row["duration"] == pytest.approx(len(real) * frames.hop)
        assert row["fold"] == frames.folds(splits["blocked"])[rows][0]
        assert row["correlation"] == measures.correlation(real, other)
        assert row["similarity"] == measures.similarity(real, other, 60)
        assert row["cepstral_distortion"] == pytest.approx(
            measures.cepstral_distortion(real, other, frames.frequencies)
        )
        assert row["amplitude_error"] == pytest.approx(measures.amplitude_error(real, other))
        powers = (10 ** (level.astype(float) / 10) for level in (real, other))
        assert row["b1_error"] == measures.b1_error(*powers)


def value(summary, method, measure, unit="bout", label=""):
    rows = summary[(summary["method"] == method) & (summary["measure"] == measure)]
    return rows[(rows["unit"] == unit) & (rows["label"] == label)]["value"].item()


def test_references_stand_in_the_order_of_what_they_are_told(summed):
    summary = summed[2]
    for measure, (_, more) in MEASURES.items():
        if measure in ("correlation", "squared_error", "similarity", "cepstral_distortion"):
            order = ["itself", "limit", "template", "mean", "noise"]
            found = [value(summary, method, measure) for method in order]
            assert found == sorted(found, reverse=more)
    assert value(summary, "limit", "pitch_error") < 0.05
    assert value(summary, "rendition", "pitch_error") > 0.1
    assert value(summary, "noise", "pitch_share") < 0.05
    # FALCON's measure cannot tell silence from another rendition, nor half from twice the loudness.
    assert value(summary, "silence", "b1_error") < 0.003
    assert np.isnan(value(summary, "silence", "correlation"))


def test_identity_is_heard_in_song_and_not_in_noise(summed):
    _, heard, summary = summed
    assert set(heard["method"]) >= {REAL, "itself", "noise"}
    assert value(summary, REAL, IDENTITY, "syllable") > 0.95
    assert value(summary, "itself", IDENTITY, "syllable") == value(
        summary, REAL, IDENTITY, "syllable"
    )
    assert value(summary, "template", IDENTITY, "syllable") > 0.95
    chance = 1 / heard["truth"].nunique()
    for blind in ("noise", "silence", "mean"):
        rows = summary[(summary["method"] == blind) & (summary["measure"] == IDENTITY)]
        row = rows[rows["label"] == ""].iloc[0]
        assert row["low"] <= chance + 0.1
        assert row["value"] < chance + 0.15


def test_the_classifier_knows_real_sound_of_other_folds_only(bird):
    """Real sound of the test fold is changed beyond recognition: its generated sound is not."""
    _, _, trials, frames, splits = bird
    fold = frames.folds(splits["blocked"])
    spoilt = frames.level.copy()
    spoilt[fold == 2] = np.random.default_rng(4).uniform(-60, 0, spoilt[fold == 2].shape)
    other = replace(frames, level=spoilt)
    about = {"kept": frames.level}, trials, splits["blocked"]
    a, b = (heard_identities(f, *about, listeners(f, *about[1:])) for f in (frames, other))
    rows = (a["method"] == "kept") & (a["fold"] == 2)
    pd.testing.assert_frame_equal(a[rows], b[rows])


def test_references_learn_from_other_folds_only(bird):
    _, _, trials, frames, splits = bird
    fold = frames.folds(splits["blocked"])
    spoilt = frames.level.copy()
    spoilt[fold == 1] = np.random.default_rng(5).uniform(-60, 0, spoilt[fold == 1].shape)
    other = replace(frames, level=spoilt)
    for make in (mean_frame, template, lambda *a: rendition(*a, 1)):
        arguments = (splits["blocked"],) if make is mean_frame else (trials, splits["blocked"])
        a, b = make(frames, *arguments), make(other, *arguments)
        np.testing.assert_array_equal(a[fold == 1], b[fold == 1])
        assert not np.array_equal(a[fold == 0], b[fold == 0])


def test_the_template_is_the_mean_of_warped_renditions(bird):
    _, _, trials, frames, splits = bird
    sung = sung_trials(frames, trials, splits["blocked"])
    made = template(frames, trials, splits["blocked"])
    row = sung.iloc[20]
    others = sung[(sung["label"] == row["label"]) & (sung["fold"] != row["fold"])]
    length = row["stop"] - row["first"]
    warped = []
    for first, stop in zip(others["first"], others["stop"], strict=True):
        x = np.linspace(0, stop - first - 1, length)
        bands = frames.level[first:stop].T
        warped.append([np.interp(x, np.arange(stop - first), band) for band in bands])
    expected = np.mean(warped, axis=0).T
    np.testing.assert_allclose(made[row["first"] : row["stop"]], expected, atol=1e-4)


def test_under_a_random_split_only_syllables_are_measured(bird):
    _, truth, trials, frames, splits = bird
    split = splits["random"]
    fold = frames.folds(split)
    made = references(frames, trials, split, 1)
    for values in made.values():
        assert (np.isfinite(values).all(axis=1) == (fold >= 0)).all()
    made["limit"] = limit(frames, truth, 1)
    table = measure_table(frames, made, trials, split)
    bouts = table[(table["method"] == "limit") & (table["unit"] == "bout")]
    assert bouts["duration"].sum() == pytest.approx((fold >= 0).sum() * frames.hop)
    heard = heard_identities(frames, made, trials, split, listeners(frames, trials, split))
    assert (heard["method"].value_counts() == len(trials)).all()


def test_bouts_alone_are_measured_alike(summed, bird):
    _, _, trials, frames, splits = bird
    table, made = summed[0], references(frames, trials, splits["blocked"], 1)
    alone = measure_table(frames, made, trials, splits["blocked"], syllables=False)
    both = table[(table["unit"] == "bout") & table["method"].isin(made)]
    pd.testing.assert_frame_equal(alone, both.reset_index(drop=True))


def test_intervals_resample_whole_bouts(summed):
    table, _, summary = summed
    bouts = table[(table["method"] == "template") & (table["unit"] == "bout")]
    row = summary.query("method == 'template' and unit == 'bout' and measure == 'correlation'")
    x = bouts["correlation"].to_numpy()
    assert row["value"].item() == pytest.approx(x.mean())
    assert row["n"].item() == len(x) == row["n_bouts"].item()
    half = 1.96 * x.std(ddof=1) / np.sqrt(len(x))
    width = (row["high"] - row["low"]).item()
    assert 0.6 * 2 * half < width < 1.2 * 2 * half
    means = mean_over_bouts(table).set_index("method")
    assert means.loc["template", "correlation"] == pytest.approx(x.mean())
    # Syllables of one bout go together: n counts renditions, n_bouts bouts.
    one = summary.query("method == 'template' and label == 'b' and measure == 'correlation'")
    syllables = table.query("method == 'template' and label == 'b'")
    assert one["n"].item() == len(syllables)
    assert one["n_bouts"].item() == syllables["bout"].nunique()
    assert one["value"].item() == pytest.approx(syllables["correlation"].mean())


def test_gains_are_paired_and_nulls_are_counted(bird, made, summed):
    table, heard, summary = summed
    measured = ["mean", "template"]
    null = pd.concat(
        [
            pd.DataFrame(
                {
                    "method": measured,
                    "replicate": number,
                    "correlation": [0.1 * number, 0.1 * number],
                    "squared_error": [100.0 - number, 100.0 - number],
                    "identity": [0.25, 0.25],
                }
            )
            for number in range(1, 5)
        ]
    )
    judged = judged_table(summary, table, heard, null, "rendition", 500, 1).set_index(
        ["method", "measure"]
    )
    bouts = table[table["unit"] == "bout"].set_index(["method", "number"])
    for measure, sign in (("correlation", 1), ("squared_error", -1)):
        gain = sign * (bouts.loc["template", measure] - bouts.loc["rendition", measure])
        row = judged.loc["template", measure]
        assert row["gain"] == pytest.approx(gain.mean())
        assert row["gain_low"] < row["gain"] < row["gain_high"]
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
        assert row["gain_high"] - row["gain_low"] == pytest.approx(2 * half, rel=0.4)
    row = judged.loc["template", "correlation"]
    assert (row["null_low"], row["null_high"], row["p"]) == pytest.approx((0.1, 0.4, 0.2))
    # Of errors the smaller is the better: p counts replicates at most as large.
    assert judged.loc["mean", "squared_error"]["p"] == 1
    assert judged.loc["template", "squared_error"]["p"] == pytest.approx(0.2)
    assert judged.loc["template", "identity"]["p"] == pytest.approx(0.2)
    assert np.isnan(judged.loc["limit", "correlation"]["p"])
    assert np.isnan(judged.loc["rendition", "correlation"]["gain"])
    assert set(judged["label"]) == {""}
    row = judged.loc["mean", "identity"]
    lost = row["value"] - judged.loc["rendition", "identity"]["value"]
    assert row["gain"] == pytest.approx(lost)
    assert row["gain_low"] <= row["gain"] <= row["gain_high"] < 0


def test_a_recording_without_labels_is_measured_in_pieces(bird):
    recording, _, _, frames, _ = bird
    split = make_split("blocked", NO_TRIALS, recording.sessions, 4, 0.5, 1)
    given = replace(frames, settings=None, frequencies=None, piece=np.zeros(len(frames.piece), int))
    made = references(given, NO_TRIALS, split, 1)
    assert set(made) == {"silence", "mean", "shifted song"}
    table = measure_table(given, made, NO_TRIALS, split)
    assert set(table["unit"]) == {"piece"}
    assert table["duration"].between(0.2, 3.1).all()
    fold = given.folds(split)
    one = table[table["method"] == "mean"]
    assert one["duration"].sum() == pytest.approx((fold >= 0).sum() * given.hop)
    assert set(one["fold"]) == {0, 1, 2, 3}
    for unknown in ("cepstral_distortion", "amplitude_error", "pitch_error", "b1_error"):
        assert table[unknown].isna().all()
    summary = summary_table(table, None, 100, 1)
    assert (summary["label"] == "").all()
    assert 0 < value(summary, "shifted song", "correlation", "piece") < 1


def test_the_limit_is_what_the_simulator_leaves_open(bird):
    """A song sung again differs twice as much as the mean of many, less their own scatter."""
    _, truth, trials, frames, splits = bird
    again = [limit(frames, truth, seed) for seed in (1, 2)]
    assert not np.array_equal(*again)
    np.testing.assert_array_equal(again[0], limit(frames, truth, 1))
    noise = measures.squared_error(frames.level, again[0])
    # Each is the mean of 8 songs: (1 + 1/8) of the variance against the song, 2/8 between the two.
    assert measures.squared_error(*again) / noise == pytest.approx(0.25 / 1.125, rel=0.1)


def test_what_cannot_be_done_is_said(bird):
    _, truth, trials, frames, splits = bird
    split = splits["blocked"]
    with pytest.raises(DataError, match="cannot sing"):
        limit(frames, replace(truth, voices=()), 1)
    with pytest.raises(DataError, match="given"):
        limit(replace(frames, settings=None), truth, 1)
    with pytest.raises(DataError, match="shape"):
        measure_table(frames, {"x": frames.level[1:]}, trials, split)
    with pytest.raises(DataError, match="nothing to measure"):
        measure_table(frames, {"x": np.full_like(frames.level, np.nan)}, trials, split)
    with pytest.raises(DataError, match="too few"):
        listeners(frames, trials[trials["label"] == "a"], split)
    with pytest.raises(DataError, match="two folds"):
        mean_frame(frames, split.assign(fold=0, guard=0))
    flat = silence(frames, split)
    assert (flat[np.isfinite(flat)] == -60).all()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_stretching_keeps_the_ends(frames):
    level = np.arange(frames * 2.0).reshape(frames, 2)
    long = stretched(level, 16)
    np.testing.assert_array_equal(long[[0, -1]], level[[0, -1]])
    np.testing.assert_allclose(np.diff(long, axis=0), (level[-1, 0] - level[0, 0]) / 15)
