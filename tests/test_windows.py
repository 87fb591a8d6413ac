"""Growing and moving windows: planted times are found, and nothing where nothing was planted."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import mutual_info_score
from test_figures import check_legible, points, words
from test_lag import TRIALS, make_bird

from neuro2voc.curves import Protocol
from neuro2voc.errors import DataError
from neuro2voc.figures.growing_windows import draw_growing_windows, milliseconds
from neuro2voc.figures.moving_windows import draw_moving_windows
from neuro2voc.growing import (
    first_standing,
    growing_points,
    growing_table,
    growing_windows,
    with_verdict,
)
from neuro2voc.moving import (
    beyond_null,
    forest_importance,
    moving_window,
    single_feature_bits,
    unit_table,
    window_table,
)
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials, used_trials

GROWING = {"starts": [0.02, -0.08], "stop": 0.1, "step": 0.03}
MOVING = {"moving": {"align": "onset", "start": -0.08, "stop": 0.08, "bin": 0.04, "step": 0.02}}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr("neuro2voc.moving.TREES", 20)


@cache
def make(follows=0, null=19):
    """A bird whose units are active from onset to offset, or know nothing."""
    bird = make_bird(follows, 0.0, bouts=16, syllables=8)
    trials = make_trials(bird, **TRIALS)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    return bird, trials, split, Protocol("lda", "blocked", 3, 100, 1, tuple(range(null)), TRIALS)


@cache
def grown(follows=0, null=19):
    bird, trials, split, protocol = make(follows, null)
    return growing_table(bird, trials, split, GROWING, protocol)


@cache
def moved(follows=0, null=19):
    bird, trials, split, protocol = make(follows, null)
    window = moving_window(MOVING)
    windows = window_table(bird, trials, split, window, protocol)
    return windows, unit_table(bird, trials, split, window, protocol)


def test_windows_grow_from_their_start_and_none_is_empty():
    found = growing_windows(GROWING)
    assert [window.start for window in found] == [-0.08, 0.02]
    ends = {w.start: (w.bin_stops / 1e9).tolist() for w in found}
    assert_allclose(ends[-0.08], [-0.05, -0.02, 0.01, 0.04, 0.07, 0.1], atol=1e-12)
    assert_allclose(ends[0.02], [0.05, 0.08], atol=1e-12)  # 0.11 would be beyond the stop
    with pytest.raises(DataError, match="would be empty"):
        growing_windows({**GROWING, "starts": [0.09]})


def test_growing_counts_are_those_of_a_loop():
    bird, trials, *_ = make()
    used = used_trials(trials).iloc[:7]
    for (start, end), X in growing_points(bird, used, GROWING).items():
        for row, onset in enumerate(used["onset"]):
            edges = np.rint((np.array([start, end]) + onset) * 1e9)
            ticks = [np.rint(train * 1e9) for train in bird.units.spike_times]
            counts = [((t >= edges[0]) & (t < edges[1])).sum() for t in ticks]
            assert_array_equal(X[row], counts)


def test_what_begins_at_the_onset_is_not_known_before():
    table = grown().set_index(["start", "end"])
    ms = [(round(1e3 * start), round(1e3 * end)) for start, end in table.index]
    table.index = pd.MultiIndex.from_tuples(ms)
    assert table.loc[[(-80, 40), (-80, 70), (20, 80)], "verdict"].eq("stands").all()
    # Before the onset lies only what follows the syllable before, whose label is a poorer guide.
    assert table.loc[[(-80, -50), (-80, -20)], "verdict"].isin(["order", "not told"]).all()
    assert table["bits"].loc[(-80, 100)] > table["bits"].loc[(-80, 10)]
    assert first_standing(grown()[grown()["start"] == -0.08]) in (
        pytest.approx(0.01),
        pytest.approx(0.04),
    )


def test_untuned_units_are_at_chance_in_every_window():
    for table in (grown(None), moved(None)[0]):
        assert abs(table["balanced_accuracy"].mean() - 0.25) < 0.04
        assert not (table["verdict"] == "stands").any()
    units = moved(None)[1]
    assert (units["bits_p"] <= 0.05).sum() <= 1
    assert (units["importance_p"] <= 0.05).sum() <= 1


def test_verdicts_are_given_in_order():
    row = {"low": 0.6, "null_high": 0.4, "p": 0.05, "balanced_accuracy": 0.7}
    table = pd.DataFrame([row, {**row, "low": 0.45}, {**row, "low": 0.3}, {**row, "p": 0.1}])
    assert with_verdict(table, 0.5)["verdict"].tolist() == [
        "stands",
        "order",
        "not told",
        "not told",
    ]
    without = table[["low", "balanced_accuracy"]]
    assert set(with_verdict(without, 0.5)["verdict"]) == {"unjudged"}


def test_one_window_that_stands_alone_is_an_accident():
    verdict = ["stands", "not told", "stands", "stands"]
    table = pd.DataFrame({"end": [1.0, 2, 3, 4], "verdict": verdict})
    assert first_standing(table) == 3
    assert np.isnan(first_standing(table.iloc[:3]))


def test_one_feature_is_decoded_as_a_discriminant_of_one_feature_would():
    rng = np.random.default_rng(0)
    code, fold = rng.integers(0, 3, 120), np.arange(120) % 4
    X = rng.normal(code[:, None] * np.array([1.0, 0.3, 0.0]), 1)
    X[:20, 1] = np.nan
    ours = single_feature_bits(X, code, fold)
    for feature in range(3):
        seen = ~np.isnan(X[:, feature])
        said = np.full(120, -1)
        for now in range(4):
            train, test = seen & (fold != now), seen & (fold == now)
            model = LinearDiscriminantAnalysis(priors=np.full(3, 1 / 3))
            said[test] = model.fit(X[train][:, [feature]], code[train]).predict(
                X[test][:, [feature]]
            )
        bits = mutual_info_score(code[seen], said[seen]) / np.log(2)
        assert ours[feature] == pytest.approx(bits)
    assert np.isnan(single_feature_bits(np.full((120, 1), np.nan), code, fold)[0])


def test_the_units_that_were_planted_are_found_where_they_were():
    windows, units = moved()
    hits = units[units["bits_p"] <= 0.05]
    assert hits["unit"].nunique() == 8
    # Active from onset to offset: windows that overlap that time, and the end of the one before.
    during = units[(units["start"] >= 0) & (units["stop"] <= 0.09)]
    assert (during["bits_p"] <= 0.05).mean() > 0.75
    assert units.loc[units["importance_gain"].idxmax(), "start"] >= -0.02
    assert (windows.loc[windows["start"] >= 0, "verdict"] == "stands").all()


def test_the_family_of_all_units_is_controlled():
    """Of 200 birds with 50 features of noise about one in twenty shows one beyond its null."""
    rng = np.random.default_rng(1)
    shown = [
        (beyond_null(rng.normal(size=50), rng.normal(size=(19, 50)))[1] <= 0.05).any()
        for _ in range(200)
    ]
    assert sum(shown) <= 21  # the 99.9 % bound of 200 draws at 5 %
    gain, p = beyond_null(np.array([5.0, 0.0]), np.tile([1.0, 0.0], (19, 1)))
    assert_array_equal(gain, [4, 0])
    assert p[0] == 0.05


def test_a_forest_leans_on_what_tells_and_is_the_same_twice():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 100)
    X = rng.poisson(2, (100, 5)).astype(float)
    X[:, 3] += 4 * code
    X[::9, 0] = np.nan
    importance = forest_importance(X, code, 7)
    assert importance.argmax() == 3
    assert_array_equal(importance, forest_importance(X, code, 7))


def test_without_a_moving_window_a_sentence_says_what_to_add():
    with pytest.raises(DataError, match="no window called 'moving'.*step: 0.01"):
        moving_window({"onset": {"align": "onset", "start": -0.1, "stop": 0.1, "bin": 0.02}})


@pytest.mark.parametrize("null", [19, 0])
def test_growing_windows_are_drawn_where_they_end(null):
    bird = make(0, null)[0]
    table = grown(0, null)
    figure = draw_growing_windows(table, bird, "blocked")
    check_legible(figure)
    above, below = figure.axes[:2], figure.axes[2:]
    drawn = np.concatenate([points(ax, "o" if null else "D") for ax in above])
    assert_allclose(np.sort(drawn[:, 0]), np.sort(1e3 * table["end"]))
    bits = np.concatenate([points(ax, ".") for ax in below])
    assert_allclose(np.sort(bits[:, 1]), np.sort(table["bits"]))
    shown = words(figure)
    if not null:
        assert "nothing here is judged" in shown
        return
    # What may be the song's order comes second, whenever it comes.
    assert shown.index("More than the previous syllable") < shown.index("may be the song's order")


def test_surrogates_have_bits_of_their_own():
    table = grown()
    assert (table["bits_null_low"] <= table["bits_null_mean"]).all()
    assert (table["bits_null_mean"] <= table["bits_null_high"]).all()
    # Corrected for limited sampling, nothing known is about nothing in bits.
    assert table["bits_null_mean"].max() < 0.1 < table.loc[table["end"].idxmax(), "bits"]
    untuned = grown(None)
    assert (untuned["bits"] <= untuned["bits_null_high"]).mean() > 0.8


def test_the_headline_of_moving_windows_keeps_to_what_stands():
    bird = make()[0]
    windows, units = moved()
    best = windows["balanced_accuracy"].idxmax()
    accident = windows.assign(verdict=windows["verdict"].where(windows.index != best, "not told"))
    start = milliseconds(windows.loc[best, "start"])
    assert f"most from {start}" in words(draw_moving_windows(windows, units, bird, "b", "onset"))
    shown = words(draw_moving_windows(accident, units, bird, "b", "onset"))
    assert f"most from {start}" not in shown
    assert f"{windows.loc[best, 'balanced_accuracy']:.2f}" not in shown.split("previous")[0]
    nothing = words(draw_moving_windows(windows.assign(verdict="not told"), units, bird, "b", "on"))
    assert "no more than surrogates in any window" in nothing


@pytest.mark.parametrize("depth", [np.nan, 300.0])
def test_one_unit_is_not_taken_for_a_depth(depth):
    bird = make()[0]
    windows, units = moved()
    one = units[units["unit"] == units["unit"].iat[0]].assign(depth=depth)
    figure = draw_moving_windows(windows, one, bird, "blocked", "onset")
    check_legible(figure)
    assert ("depth" in figure.axes[2].get_ylabel()) == np.isfinite(depth)


@pytest.mark.parametrize("null", [19, 0])
@pytest.mark.parametrize("depths", [True, False])
def test_every_unit_has_a_row_of_its_own(null, depths):
    bird = make(0, null)[0]
    windows, units = moved(0, null)
    if depths:
        # Two units at one depth, as on real probes.
        depth = np.repeat([40.0, 40, 20, 60, 80, 100, 3000, 0], 7)
        units = units.assign(depth=depth)
    figure = draw_moving_windows(windows, units, bird, "blocked", "onset")
    check_legible(figure)
    image = figure.axes[2].images[0]
    assert image.get_array().shape == (8, 7)
    names = [label.get_text() for label in figure.axes[2].get_yticklabels()]
    assert names == ("0 20 40 40 60 80 100 3000" if depths else "0 1 2 3 4 5 6 7").split()
    assert_allclose(image.get_extent()[:2], (-70, 70))  # middles from -60 to 60 ms, steps of 20
    value = units["bits_gain"].where(units["bits_p"] <= 0.05) if null else units["bits"]
    lowest = units["depth"].fillna(0).to_numpy().argmin() // 7
    expected = value.to_numpy().reshape(8, 7)[lowest]
    assert_allclose(image.get_array().filled(np.nan)[0], expected)


def test_times_are_written_with_their_sign():
    assert [milliseconds(t) for t in (-0.0125, 0, 0.1)] == ["−12.5 ms", "0 ms", "+100 ms"]
