"""Song from activity without networks, each held to a brute-force version of itself."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from singing import make_bird
from sklearn.linear_model import Ridge

from neuro2voc.frames import inner_blocks, make_frames
from neuro2voc.generated import reach, song_activity
from neuro2voc.generators import (
    ALPHAS,
    MEAN,
    averaged,
    generate,
    generate_all,
    standardised_activity,
)
from neuro2voc.interpolation import stretched
from neuro2voc.sound_identity import GAP, sung_trials, syllable_of_frames
from neuro2voc.sound_measures import correlation
from neuro2voc.sources.settings import Settings
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.surrogates import surrogate

SOUND = SpectrogramSettings(window=0.008)
AROUND = {"before": 0.08, "after": 0.04, "bin": 0.02}
REACH = reach(AROUND)
SONG = Settings(units=16, pairs=0, bouts=9, sessions=1, syllable_types=3, tuning=2.0)


@cache
def bird(split="blocked"):
    recording, trials = make_bird(1, SONG)
    frames = make_frames(recording, trials, SOUND)
    folds = make_split(split, trials, recording.sessions, 3, 0.5, 0)
    return recording, trials, frames, folds, song_activity(recording, frames, AROUND)


@cache
def made(name, split="blocked"):
    _, trials, frames, folds, activity = bird(split)
    return generate(name, frames, activity, trials, folds, 1, REACH)


def test_standardising_knows_the_training_part_only():
    rng = np.random.default_rng(0)
    activity = rng.normal(2, 3, (40, 2, 2))
    kept = np.arange(40) < 30
    activity[5, 0, 0] = np.nan
    activity[kept, 1, 1] = 4.0
    X = standardised_activity(activity, kept)
    np.testing.assert_allclose(X[kept].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X[kept][:, 1].std(), 1, rtol=1e-5)
    assert X[5, 0] == 0 and not X[:, 3].any()  # missing; never varied in training
    other = activity.copy()
    other[~kept] *= 100
    np.testing.assert_array_equal(standardised_activity(other, kept)[kept], X[kept])


def test_ridge_is_that_of_the_training_folds_with_a_penalty_chosen_inside_them():
    _, _, frames, folds, activity = bird()
    song, chosen = made("ridge")
    fold = frames.folds(folds)
    for held in range(3):
        kept = (fold >= 0) & (fold != held)
        X = standardised_activity(activity, kept)
        errors = []
        for alpha in ALPHAS:
            error = 0.0
            for training, stop in inner_blocks(frames, kept, 3, REACH):
                fitted = Ridge(alpha=alpha).fit(X[training], frames.level[training])
                error += ((fitted.predict(X[stop]) - frames.level[stop]) ** 2).sum()
            errors.append(error)
        assert chosen[held] == ALPHAS[int(np.argmin(errors))]
        expected = Ridge(alpha=chosen[held]).fit(X[kept], frames.level[kept]).predict(X)
        expected = np.maximum(expected, frames.lowest)
        np.testing.assert_allclose(song[fold == held], expected[fold == held], atol=1e-3)


def test_a_given_penalty_is_taken_as_it_is():
    _, trials, frames, folds, activity = bird()
    given = {0: 1e2, 1: 1e5, 2: 1e3}
    assert generate("ridge", frames, activity, trials, folds, 1, REACH, given)[1] == given


def test_the_nearest_song_is_one_that_was_sung_in_training():
    recording, trials, frames, folds, _ = bird()
    # Activity that tells each frame from all others: the spectrum itself, without noise.
    fold = frames.folds(folds)
    copy = frames.level.copy()
    held = np.flatnonzero(fold == 0)
    source = np.flatnonzero(fold == 1)[: len(held)]
    copy[held[: len(source)]] = frames.level[source]
    song, chosen = generate("nearest", frames, copy[:, None, :], trials, folds, 1, REACH)
    assert not chosen
    real = frames.level[source][20:-20]
    assert correlation(real, song[held[: len(source)]][20:-20]) > 0.9


@pytest.mark.parametrize("name", ["ridge", "kernel", "nearest", "syllable"])
@pytest.mark.parametrize("split", ["blocked", "random"])
def test_song_is_made_in_every_fold_and_nowhere_else(name, split):
    _, _, frames, folds, _ = bird(split)
    song = made(name, split)[0]
    inside = frames.folds(folds) >= 0
    assert np.isfinite(song[inside]).all() and np.isnan(song[~inside]).all()
    assert song[inside].min() >= frames.lowest


@pytest.mark.parametrize("name", ["ridge", "kernel", "nearest", "syllable"])
def test_tuned_neurons_make_song_and_shifted_ones_do_not(name):
    recording, trials, frames, folds, _ = bird()
    inside = frames.folds(folds) >= 0
    own = correlation(frames.level[inside], made(name)[0][inside])
    scores = []
    for seed in (3, 4):
        activity = song_activity(surrogate(recording, "shifted", seed), frames, AROUND)
        song = generate(name, frames, activity, trials, folds, 1, REACH)[0]
        scores.append(correlation(frames.level[inside], song[inside]))
    assert own > max(scores) + 0.08


def test_every_frame_is_a_syllable_a_gap_or_set_aside():
    _, trials, frames, _, _ = bird()
    aside = trials.assign(used=trials["used"] * (trials["label"] != "a"))
    label, trial = syllable_of_frames(frames, aside)
    for row in aside.itertuples():
        inside = frames.within(row.onset, row.offset)
        assert set(label[inside]) == {row.label if row.used else ""}
        assert set(trial[inside]) == {row.trial if row.used else -1}
    between = frames.within(trials["offset"].iloc[0], trials["onset"].iloc[1])
    assert set(label[between]) <= {GAP} and set(trial[label == GAP]) == {-1}


def test_frames_of_a_syllable_within_another_are_neithers():
    _, trials, frames, _, _ = bird()
    outer = trials.iloc[2]
    third = (outer["offset"] - outer["onset"]) / 3
    inner = {"onset": outer["onset"] + third, "offset": outer["offset"] - third, "used": 0}
    nested = pd.concat([trials, outer.to_frame().T.assign(**inner)], ignore_index=True)
    label, trial = syllable_of_frames(frames, nested)
    whole = frames.within(outer["onset"], outer["offset"])
    inside = frames.within(inner["onset"], inner["offset"])
    assert set(label[inside]) == {""} and set(trial[inside]) == {-1}
    assert set(trial[whole.start : inside.start]) == {outer["trial"]}


def test_of_syllables_shorter_than_what_is_copied_whole_ones_are_copied(caplog):
    caplog.set_level("INFO")
    recording, trials, frames, _, activity = bird()
    short = trials.assign(offset=np.minimum(trials["offset"], trials["onset"] + 0.03))
    folds = make_split("random", short, recording.sessions, 3, 0.5, 0)
    song, _ = generate("nearest", frames, activity, short, folds, 1, REACH)
    inside = frames.folds(folds) >= 0
    assert np.isfinite(song[inside]).all() and np.isnan(song[~inside]).all()
    assert "copies 7 frames, not 10" in caplog.text


def one_hot(frames, trials):
    """Activity that says which syllable is sung, nearly without noise."""
    label, _ = syllable_of_frames(frames, trials)
    told = label[:, None] == np.unique(label)
    return told[:, None, :] + np.random.default_rng(0).normal(
        0, 0.01, (len(label), 1, told.shape[1])
    )


def mean_syllables(sung, frames, held):
    renditions = {label: [] for label in sung["label"]}
    for row in sung[sung["fold"] != held].itertuples():
        renditions[row.label].append(stretched(frames.level[row.first : row.stop], MEAN))
    return {label: np.mean(parts, axis=0) for label, parts in renditions.items()}


def test_held_out_syllables_of_one_bout_are_each_sung_alone():
    _, trials, frames, folds, _ = bird("random")
    song, _ = generate("syllable", frames, one_hot(frames, trials), trials, folds, 1, REACH)
    sung = sung_trials(frames, trials, folds)
    following = 0
    for held in range(3):
        mean, own = mean_syllables(sung, frames, held), sung[sung["fold"] == held]
        for row in own.itertuples():
            expected = stretched(mean[row.label], row.stop - row.first)
            np.testing.assert_allclose(song[row.first : row.stop], expected, atol=1e-3)
        same = (own["label"] == own["label"].shift()) & (own["bout"] == own["bout"].shift())
        following += same.sum()
    assert following  # one label in two held-out trials of a bout, none of its fold between them


@pytest.mark.parametrize("width", [1, 4, 5])
@pytest.mark.parametrize("length", [1, 3, 5, 30])
def test_averages_are_as_long_as_what_is_averaged(width, length):
    values = np.random.default_rng(0).normal(size=(length, 2))
    before = width // 2
    padded = np.pad(values, [(before, width), (0, 0)])
    expected = [padded[row : row + width].mean(axis=0) for row in range(length)]
    np.testing.assert_allclose(averaged(values, width), expected, atol=1e-12)


def test_of_one_syllable_nothing_else_can_be_said():
    _, trials, frames, _, activity = bird()
    alone = trials.assign(used=trials["used"] * (trials["label"] == "a"))
    folds = make_split("random", alone, bird()[0].sessions, 3, 0.5, 0)
    song, _ = generate("syllable", frames, activity, alone, folds, 1, REACH)
    sung = sung_trials(frames, alone, folds)
    assert set(sung["label"]) == {"a"}
    for row in sung.itertuples():
        expected = stretched(mean_syllables(sung, frames, row.fold)["a"], row.stop - row.first)
        np.testing.assert_allclose(song[row.first : row.stop], expected, atol=1e-3)


def test_without_labels_there_is_no_syllable_to_take_activity_for(caplog):
    _, trials, frames, folds, activity = bird()
    names = ["ridge", "syllable"]
    song, chosen = generate_all(names, frames, activity, trials.iloc[:0], folds, 1, REACH)
    assert list(song) == ["ridge"] and set(chosen) == {"ridge"}
    assert "'syllable' is left out" in caplog.text
