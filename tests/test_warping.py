"""Time warping: paths, references in training folds, and whether renditions become more alike."""

import re
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from singing import SMALL, make_bird
from test_figures import check_legible, points, words
from test_workflow import snakemake

from neuro2voc.curves import Protocol
from neuro2voc.errors import DataError
from neuro2voc.figures.warping import draw_warping
from neuro2voc.frames import Frames, make_frames
from neuro2voc.interpolation import sampled
from neuro2voc.recording import Recording, Units
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.surrogates import surrogate
from neuro2voc.templates import (
    ACTIVITY,
    ALL,
    SOUND,
    correlation_with,
    likeness,
    summed_up,
    template_table,
    warp_plan,
)
from neuro2voc.warped_example import make_example
from neuro2voc.warping import (
    WARPS,
    Renditions,
    dtw_path,
    dtw_places,
    fit_reference,
    leading_activity,
    linear_places,
    make_renditions,
    reference_length,
    standardised,
    unwarped_places,
)

HOP = 0.004
WARPING = {"lead": 0.035, "smoothing": 0.01, "by": SOUND}
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 2}


def cheapest(distance):
    """The cost of the cheapest path, by trying all of them."""

    @lru_cache(None)
    def cost(i, j):
        if i == j == 0:
            return distance[0, 0]
        steps = [(1, 1, 2), (1, 2, 3), (2, 1, 3)]
        before = [
            cost(i - a, j - b) + weight * distance[i, j]
            for a, b, weight in steps
            if i >= a and j >= b
        ]
        return min(before, default=np.inf)

    return cost(*np.array(distance.shape) - 1)


@given(st.integers(2, 7), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_paths_are_the_cheapest_and_time_never_stands_still(length, seed):
    rng = np.random.default_rng(seed)
    reference, rendition = rng.normal(size=(2, length, 2))
    path = dtw_path(reference, rendition)
    steps = np.diff(path)
    assert path[0] == 0 and path[-1] == length - 1
    assert (steps >= 0.5 - 1e-9).all() and (steps <= 2 + 1e-9).all()
    # Knots are where both are whole frames; between two of them the slope is one of three.
    distance = cdist(reference, rendition)
    total, now = distance[0, 0], 0
    while now < length - 1:
        for ahead, weight in ((1, 2), (1, 3), (2, 3)):
            there = now + ahead
            if there < length and path[there] % 1 == 0:
                moved = path[there] - path[now]
                if (ahead, moved, weight) in ((1, 1, 2), (1, 2, 3), (2, 1, 3)):
                    total += weight * distance[there, round(path[there])]
                    now = there
                    break
        else:
            pytest.fail("no step of those allowed")
    assert total == pytest.approx(cheapest(distance), rel=1e-9)


@given(
    st.integers(2, 40), st.integers(2, 60), st.integers(0, 100), st.floats(-5, 5), st.floats(-5, 5)
)
@settings(max_examples=50, deadline=None)
def test_a_linear_warp_of_a_ramp_is_a_ramp_from_its_first_frame_to_its_last(
    count, length, first, start, slope
):
    rows = np.arange(first + count + 3)
    values = (start + slope * rows)[:, None]
    warped = sampled(values, linear_places(np.array([first]), np.array([count]), length))[0, :, 0]
    ends = start + slope * np.array([first, first + count - 1])
    assert_allclose(warped, np.linspace(*ends, length), atol=1e-9)


def test_warping_to_the_own_length_changes_nothing():
    values = np.random.default_rng(1).normal(size=(30, 3))
    warped = sampled(values, linear_places(np.array([4]), np.array([11]), 11))
    assert_array_equal(warped[0], values[4:15])


def test_unwarped_renditions_run_on_until_their_piece_ends():
    places = unwarped_places(np.array([2, 6]), np.array([8, 8]), 5)
    assert_array_equal(places, [[2, 3, 4, 5, 6], [6, 7, 8, 8, 8]])


@pytest.mark.parametrize(("counts", "length"), [([4, 5, 9], 5), ([4, 5], 5), ([1], 2)])
def test_a_reference_is_as_long_as_the_median_rendition(counts, length):
    assert reference_length(np.array(counts)) == length


# Planted warps: features at whole places of a syllable's own clock


def bent(amount, length):
    """How far a syllable's own clock, 0 to 1, has come in each of its frames."""
    time = np.linspace(0, 1, length)
    return time + amount * np.sin(2 * np.pi * time) / (2 * np.pi)


def planted(follows, number=24, seed=0):
    """Sound with twelve events on a bent clock; units fire on that clock, or on an even one."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(0.04, 0.96, 12)
    counts = rng.integers(36, 45, number)
    level, rate = [], []
    for count in counts:
        clock = bent(rng.uniform(-0.6, 0.6), count)
        even = np.linspace(0, 1, count)
        level.append(np.exp(-0.5 * ((clock[:, None] - centres) / 0.03) ** 2))
        rate.append(np.exp(-0.5 * (((clock if follows else even)[:, None] - centres) / 0.03) ** 2))
    first = np.r_[0, np.cumsum(counts)[:-1]]
    trials = pd.DataFrame({"label": "a", "bout": np.arange(number) // 2, "trial": range(number)})
    half = np.arange(number) % 2
    folds = [(np.flatnonzero(half != k), np.flatnonzero(half == k)) for k in (0, 1)]
    songs = Renditions(trials, first, counts, first + counts - 1, folds)
    noise = rng.normal(0, 0.05, (counts.sum(), 12))
    return np.concatenate(level) + noise, np.concatenate(rate) + noise[::-1], songs


def test_dtw_finds_a_bent_clock_and_the_linear_warp_does_not():
    even, length = np.linspace(0, 1, 60), 60
    centres = np.linspace(0.04, 0.96, 12)
    reference = np.exp(-0.5 * ((even[:, None] - centres) / 0.03) ** 2)
    clock = bent(0.5, length)
    rendition = np.exp(-0.5 * ((clock[:, None] - centres) / 0.03) ** 2)
    places = dtw_places(rendition, np.array([0]), np.array([length]), reference)[0]
    wanted = np.interp(even, clock, np.arange(length))
    assert np.abs(places - wanted).max() < 1.5
    assert np.abs(np.arange(length) - wanted).max() > 4


def test_activity_on_the_sounds_clock_gains_by_dtw_and_activity_on_another_loses():
    for follows in (True, False):
        level, rate, songs = planted(follows)
        plan = warp_plan(level, songs)
        sound, activity = (likeness(v, plan, 24).mean(axis=1) for v in (level, rate))
        assert sound[2] > sound[1] + 0.1
        gain = activity[2] - activity[1]
        assert gain > 0.1 if follows else gain < -0.1


def test_paths_found_on_activity_can_be_asked_for():
    level, rate, songs = planted(True, seed=4)
    plan = warp_plan(rate, songs)
    unwarped, linear, dtw = likeness(level, plan, 24).mean(axis=1)
    assert dtw > linear + 0.1 and dtw > unwarped


def test_what_is_held_out_changes_no_reference_and_no_template():
    level, rate, songs = planted(True)
    one = replace(songs, folds=songs.folds[:1])
    train, test = one.folds[0]
    before, rest = likeness(rate, warp_plan(level, one), 24), level.copy()
    spoilt = test[3]
    own = slice(songs.first[spoilt], songs.first[spoilt] + songs.count[spoilt])
    rest[own] += 10 * np.random.default_rng(0).normal(size=rest[own].shape)
    after = likeness(rate, warp_plan(rest, one), 24)
    others = np.setdiff1d(test, spoilt)
    assert_array_equal(after[:, others], before[:, others])
    assert after[2, spoilt] != before[2, spoilt]
    assert np.isnan(before[:, train]).all()


def test_a_reference_needs_two_renditions_and_a_label_without_is_left_out():
    level, _, songs = planted(True)
    with pytest.raises(DataError, match="there is 1 to learn it from"):
        fit_reference(level, songs.first[:1], songs.count[:1])
    with pytest.raises(DataError, match="there are none to learn it from"):
        fit_reference(level, songs.first[:0], songs.count[:0])
    # b is sung once in each half.
    rare = replace(songs, trials=songs.trials.assign(label=["b", "b", *"a" * 22]))
    found = likeness(level, warp_plan(level, rare), 24)
    assert np.isnan(found[:, :2]).all() and np.isfinite(found[:, 2:]).all()
    table = summed_up(found, rare.trials, 20, 1)
    assert set(table["label"]) == {"a", ALL} and set(table["n_trials"]) == {22}
    alone = replace(songs, trials=songs.trials.assign(label=list("abcdefghijkl" * 2)))
    with pytest.raises(DataError, match="no fold has a label two training renditions"):
        warp_plan(level, replace(alone, folds=[(np.arange(12), np.arange(12, 24))]))


def test_similarity_is_a_correlation():
    rng = np.random.default_rng(2)
    template, renditions = rng.normal(size=(5, 3)), rng.normal(size=(4, 5, 3))
    expected = [np.corrcoef(template.ravel(), each.ravel())[0, 1] for each in renditions]
    assert_allclose(correlation_with(template, renditions), expected)
    assert_array_equal(correlation_with(template, np.ones((1, 5, 3))), [0])


def test_means_are_over_labels_and_intervals_over_bouts():
    trials = pd.DataFrame({"label": list("aaab"), "bout": [0, 0, 1, 1]})
    similarity = np.array([[0.0, 0.3, 0.6, 0.9], [0.1, 0.4, 0.7, 1.0], [0, 0, 0, 0]])
    table = summed_up(similarity, trials, 500, 1).set_index(["label", "warp"])
    assert_allclose(table.loc["a", "similarity"], [0.3, 0.4, 0])
    assert_allclose(table.loc[ALL, "similarity"], [0.6, 0.7, 0])
    assert_allclose(table.loc[ALL, "gain"], [0, 0.1, -0.7])
    # Of the draws of two bouts some are twice the first, some twice the second.
    row = table.loc[("a", "linear")]
    assert_allclose([row["low"], row["high"]], [0.25, 0.7])
    assert_allclose(row[["gain_low", "gain_high"]].astype(float), [0.1, 0.1])
    alone = summed_up(similarity, trials.assign(bout=0), 500, 1)
    assert alone[["low", "high", "gain_low"]].isna().all(axis=None)


# Activity and birds


def frames_of(count, pieces=1):
    start = np.concatenate([10 * piece + HOP * np.arange(count) for piece in range(pieces)])
    level = np.random.default_rng(0).normal(size=(count * pieces, 2)).astype(np.float32)
    return Frames(level, start, np.repeat(np.arange(pieces), count), HOP, None, None)


def with_spikes(*trains, observed=None):
    table = pd.DataFrame(index=pd.Index(range(len(trains)), name="unit"))
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [30.0]})
    none = pd.DataFrame(columns=["start_time", "stop_time", "label", "session"])
    units = Units(tuple(np.array(t, float) for t in trains), table, observed)
    return Recording("bird", units, none, sessions)


def test_a_spike_stands_a_lead_later_among_the_frames():
    bird = with_spikes([0.102, 10.002])
    activity = leading_activity(bird, frames_of(50, 2), 0.036, 0)[:, 0]
    assert np.flatnonzero(activity).tolist() == [25 + 9, 50 + 9]
    smooth = leading_activity(bird, frames_of(50, 2), 0.036, 0.008)[:, 0]
    assert smooth.argmax() == 34 and smooth.sum() == pytest.approx(2, rel=0.01)
    assert smooth[59] == pytest.approx(smooth[34], rel=0.01)


def test_what_was_not_observed_is_missing_and_does_not_pull_its_neighbours():
    times = np.arange(0.0005, 0.4, 0.001)
    observed = (np.array([[0.0, 0.1]]), np.array([[0.0, 30.0]]))
    bird = with_spikes(times, times, observed=observed)
    activity = leading_activity(bird, frames_of(50), 0, 0.01)
    assert np.isnan(activity[25:, 0]).all() and np.isfinite(activity[:, 1]).all()
    assert_allclose(activity[5:25, 0], 4, rtol=1e-3)
    assert (standardised(activity, np.arange(50))[:, 0] == 0).all()


def test_a_syllable_of_one_frame_ends_in_a_sentence():
    row = {"trial": 7, "session": "s", "bout": 0, "label": "a", "used": 1, "previous": "start"}
    trials = pd.DataFrame([{**row, "onset": 0.05, "offset": 0.1}, {**row, "onset": 0.12}])
    trials["offset"] = trials["offset"].fillna(0.1245)
    split = pd.DataFrame({"start": [0.0], "stop": [1.0], "fold": [0], "guard": [0]})
    with pytest.raises(DataError, match=r"'a' from 0.120 to 0.124 s \(trial 7\) holds 1 frames of"):
        make_renditions(trials, split, frames_of(50), "bird")


@cache
def judged(tuning=1.0, null=3, seed=3):
    bird, trials = make_bird(seed, replace(SMALL, tuning=tuning, pairs=0))
    split = make_split("blocked", trials, bird.sessions, 2, 0.5, 0)
    frames = make_frames(bird, trials, SpectrogramSettings())
    protocol = Protocol("lda", "blocked", 2, 100, 1, tuple(range(null)), TRIALS)
    table = template_table(bird, trials, split, frames, WARPING, protocol)
    return bird, (trials, split, frames), table


def rows_of_mean(table, modality):
    rows = table[(table["label"] == ALL) & (table["modality"] == modality)]
    return rows.set_index("warp")


def test_a_bird_is_like_its_templates_and_its_surrogates_are_not():
    _, _, table = judged()
    activity, sound = rows_of_mean(table, ACTIVITY), rows_of_mean(table, SOUND)
    assert (activity["low"] > activity["null_high"]).all() and (activity["p"] == 0.25).all()
    assert activity["null_mean"].abs().max() < 0.06
    assert sound["null_mean"].isna().all()
    # The simulator stretches syllables evenly.
    assert sound.loc["linear", "gain_low"] > 0
    assert sound.loc["dtw", "similarity"] > sound.loc["linear", "similarity"]
    assert activity.loc["linear", "gain"] > activity.loc["dtw", "gain"]
    assert activity.loc["dtw", "gain"] == pytest.approx(
        activity.loc["dtw", "similarity"] - activity.loc["linear", "similarity"]
    )


def test_activity_that_knows_nothing_is_like_no_template():
    found = []
    for seed in range(4):
        _, _, table = judged(0.0, 0, seed)
        assert table["null_mean"].isna().all()
        found.append(rows_of_mean(table, ACTIVITY)["similarity"].to_numpy())
    # Of a hundred renditions a bird, correlated with a template of fifty others.
    assert np.abs(np.mean(found, axis=0)).max() < 0.03


def test_the_example_is_the_label_of_the_most_different_durations():
    bird, song, _ = judged()
    example = make_example(bird, *song, WARPING)
    trials = song[0][song[0]["used"] == 1]
    spread = (trials["offset"] - trials["onset"]).groupby(trials["label"]).std()
    assert example.label == spread.idxmax()
    number = (trials["label"] == example.label).sum()
    assert abs(len(example.duration) - number) <= 2  # guards
    assert example.sound.shape == example.activity.shape == (3, *example.sound.shape[1:])
    assert (np.diff(example.duration) >= 0).all()


def test_the_figure_shows_each_label_each_warp_and_each_null():
    bird, song, table = judged()
    figure = draw_warping(table, make_example(bird, *song, WARPING), bird, WARPING, "blocked")
    check_legible(figure)
    text = words(figure).replace("\n", " ")
    for part in ("simulated", "3 shifted surrogates", "bound to help", "35 ms before", "blocked"):
        assert part in text
    axes = [ax for sub in figure.subfigs for ax in sub.axes][-2:]
    for ax, modality in zip(axes, (SOUND, ACTIVITY), strict=True):
        rows = table[(table["modality"] == modality) & (table["warp"] == "linear")]
        assert_allclose(np.sort(points(ax)[:, 0]), np.sort(rows["similarity"]))
    linear = rows_of_mean(table, ACTIVITY).loc["linear"]
    assert f"({linear['gain']:+.3f}".replace("-", "−") in text


def test_of_very_many_labels_the_commonest_are_drawn_and_the_figure_says_so():
    bird, song, table = judged()
    one = table[table["label"] == "a"]
    many = [one.assign(label=f"l{i:02d}", n_trials=100 - i) for i in range(40)]
    table = pd.concat([*many, table[table["label"] == ALL]])
    figure = draw_warping(table, make_example(bird, *song, WARPING), bird, WARPING, "blocked")
    check_legible(figure)
    text = words(figure)
    assert "16 rarer labels are not drawn" in text.replace("\n", " ")
    assert "l23" in text and "l24" not in text and figure.get_figheight() < 12


def test_a_surrogate_says_what_it_is_and_has_no_band():
    bird, (trials, split, frames), _ = judged()
    moved = surrogate(bird, "shifted", 1)
    moved = replace(moved, surrogate="shifted", parent="bird")
    protocol = Protocol("lda", "blocked", 2, 20, 1, (), TRIALS)
    table = template_table(moved, trials, split, frames, WARPING, protocol)
    example = make_example(moved, trials, split, frames, WARPING)
    figure = draw_warping(table, example, moved, {**WARPING, "by": ACTIVITY}, "blocked")
    check_legible(figure)
    text = words(figure)
    assert "surrogate: shifted" in text and "activity should be like no template" in text
    assert "shifted surrogates" not in text and len(WARPS) == 3


def test_a_bird_without_sound_is_refused_by_name_and_not_asked_for_by_all(tmp_path):
    run = snakemake(tmp_path, "-n", "--", "results/warping/leblois2019.png", overlay=None)
    assert run.returncode == 1 and "leblois2019 has no sound" in run.stderr.splitlines()[-1]
    silent = tmp_path / "silent.yaml"
    silent.write_text("simulated: {bird2: {audio_rate: 0}}\n")
    run = snakemake(tmp_path, "-n", "--quiet", "rules", overlay=silent)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, re.MULTILINE))
    assert jobs["warping"] == jobs["canonical"] == "1" and jobs["spectrograms"] == "2"
