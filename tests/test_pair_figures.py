"""Correlations of units, and figures of pairs and hubs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch
from matplotlib.text import Text
from scipy.stats import pearsonr, spearmanr

from neuro2voc.attribution import Explanation
from neuro2voc.attribution_tables import pair_table, unit_table
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.hubs import draw_hubs
from neuro2voc.figures.pairs import in_order, names_of
from neuro2voc.figures.shap_interactions import _across, draw_shap_interactions, spread
from neuro2voc.figures.unit_correlations import draw_unit_correlations
from neuro2voc.hubs import AttributionNull, Surrogates
from neuro2voc.unit_correlations import (
    activity_of,
    correlation,
    p_of_any,
    rank_correlation,
    shuffled_within,
    signal_and_noise,
    signal_chance,
    unit_correlations,
)
from tests.test_figures import check_legible, make_recording, points, words

PROTOCOL = Protocol("lda", "blocked", 2, 20, 1, (), {}, "premotor")
TRIALS, BOUTS = 240, 12
PLANTED = (1, 4)


def make_explanation(units=6, labels=3, planted=True, seed=0):
    """A bird whose planted pair interacts, and fluctuates alike in some syllables, else not."""
    rng = np.random.default_rng(seed)
    truth = np.array(list("abcdefg"))[np.arange(TRIALS) % labels].astype(object)
    bout = np.arange(TRIALS) * BOUTS // TRIALS
    tuning = rng.gamma(1, 1, units) + 0.1
    features = (
        rng.normal(size=(TRIALS, units))
        + rng.normal(size=(labels, units))[np.arange(TRIALS) % labels]
    )
    absolute, evidence = interactions(tuning, labels, rng)
    if planted:
        first, second = PLANTED
        shared = 2 * rng.normal(size=TRIALS)
        features[:, first] += shared
        features[:, second] += shared * np.select([truth == "a", truth == "b"], [1, -1], 0)
        evidence[[first, second], [second, first]] = 0.05
        absolute[:, [first, second], [second, first]] = 0.06
    share = rng.dirichlet(np.full(BOUTS, 20), units).T
    trials = pd.DataFrame(
        {
            "trial": np.arange(TRIALS),
            "bout": bout,
            "fold": bout % 3,
            "truth": truth,
            "prediction": truth,
            "weight": 1 / TRIALS,
        }
    )
    return Explanation(
        trials=trials,
        labels=sorted(set(truth)),
        values=rng.normal(size=(TRIALS, units, labels)),
        expected=np.zeros((TRIALS, labels)),
        features=features,
        unit=np.arange(units),
        absolute=absolute,
        signed=absolute,
        evidence=evidence,
        hub_of_bout=share * absolute.mean(axis=0).sum(axis=1),
        evidence_of_bout=share * evidence.sum(axis=1),
    )


def interactions(tuning, labels, rng):
    units, size = len(tuning), np.outer(tuning, tuning)
    absolute = np.tril(size * rng.gamma(4, 0.001, (labels, units, units)), -1)
    evidence = np.tril(size * rng.normal(0, 0.001, (units, units)), -1)
    return absolute + absolute.swapaxes(1, 2), evidence + evidence.T


def make_null(explanation, replicates=39):
    units, labels = explanation.features.shape[1], len(explanation.labels)
    rng = np.random.default_rng(9)
    tuning = np.random.default_rng(0).gamma(1, 1, units) + 0.1
    each = [interactions(tuning, labels, rng) for _ in range(replicates)]

    def stacked(arrays):
        return np.stack(arrays) if arrays else np.zeros((0, 0, 0))

    found = Surrogates(
        np.arange(1, replicates + 1),
        stacked([rng.gamma(1, 1, (labels, units)) for _ in each]),
        stacked([absolute.mean(axis=0) for absolute, _ in each]),
        stacked([evidence for _, evidence in each]),
    )
    cells = stacked([rng.gamma(1, 1, (labels, units)) for _ in range(19)])
    return AttributionNull(replace(found, cells=cells), found, 0.14)


def make_players(units, known=True, bins=False):
    depth = np.repeat(np.arange(3800.0, 0, -100), 2)[:units]  # two at each depth
    table = pd.DataFrame({"unit": [str(10 + i) for i in range(units)], "depth": depth})
    table["location"] = np.where(np.arange(units) < units / 2, "HVC", "Area X")
    table = table.assign(quality="good", start=np.nan, stop=np.nan)
    if not known:
        names = [f"imec0_cluster_{i}" for i in range(units)]
        table = table.assign(unit=names, depth=np.nan, location="unknown")
    if bins:
        start = -0.1 + 0.02 * np.arange(units)
        table = table.assign(unit="ch151", depth=np.nan, location="unknown")
        table = table.assign(start=start, stop=start + 0.02)
    return table


def make_tables(explanation, null, players):
    inclusion = pd.DataFrame({"unit": players["unit"].unique(), "rate": 5.0, "violations": 0.0})
    onset = 0.2 * np.arange(TRIALS)
    trials = explanation.trials[["trial", "bout"]].assign(
        label=explanation.trials["truth"], previous="a", onset=onset, offset=onset + 0.1
    )
    table = unit_table(explanation, null, players, trials, inclusion, PROTOCOL)
    return table, pair_table(explanation, null, players)


def all_figures(explanation, null, players, recording=None):
    recording = recording or make_recording()
    table, pairs = make_tables(explanation, null, players)
    correlations = unit_correlations(explanation, pairs, 1)
    given = recording, PROTOCOL
    return {
        "interactions": draw_shap_interactions(explanation, null.independent, table, pairs, *given),
        "hubs": draw_hubs(table, *given),
        "correlations": draw_unit_correlations(correlations, table, *given),
    }


def sentence(figure):
    return " ".join(words(figure).split())


# Correlations


def with_gaps(seed=3):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(60, 7)) + rng.normal(size=(60, 1))
    values[:20, 0] = values[rng.random(60) < 0.3, 3] = np.nan
    values[:, 5] = 4.0
    values[2:, 6] = np.nan
    return values


def test_correlations_are_those_of_pandas_over_what_is_known_of_both():
    values = with_gaps()
    expected = pd.DataFrame(values).corr(min_periods=3).to_numpy()
    found = correlation(values + 1000)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.isnan(found[5]).all() and np.isnan(found[6]).all()


def test_signal_and_noise_are_those_of_pandas():
    values, truth = with_gaps(), np.array(list("aab") * 20)
    means, noise = signal_and_noise(values, truth)
    frame = pd.DataFrame(values)
    np.testing.assert_allclose(means, frame.groupby(truth).mean())
    expected = frame - frame.groupby(truth).transform("mean")
    np.testing.assert_allclose(noise, expected)


def test_shuffling_keeps_what_each_unit_does_in_each_syllable():
    values, truth = with_gaps(), np.array(list("aab") * 20)
    shuffled = shuffled_within(values, truth, np.random.default_rng(0))
    assert (np.isnan(shuffled) == np.isnan(values)).all()
    for label in "ab":
        chosen = truth == label
        np.testing.assert_array_equal(
            np.sort(shuffled[chosen], axis=0), np.sort(values[chosen], axis=0)
        )
    assert abs(correlation(values)[1, 2]) > 0.3 > abs(correlation(shuffled)[1, 2])


def test_columns_of_one_unit_are_summed():
    explanation = make_explanation(4, planted=False)
    features = explanation.features.copy()
    features[0, 1] = np.nan
    summed = activity_of(replace(explanation, features=features, unit=np.array([0, 0, 1, 1])))
    np.testing.assert_allclose(summed, features[:, ::2] + features[:, 1::2])


def test_rank_correlations_are_those_of_scipy():
    rng = np.random.default_rng(0)
    rows, values = rng.integers(0, 5, (3, 30)).astype(float), rng.integers(0, 9, 30).astype(float)
    rows[0, 4] = values[7] = np.nan
    known = np.isfinite(values) & np.isfinite(rows[0])
    expected = [spearmanr(row[known], values[known]).statistic for row in rows]
    np.testing.assert_allclose(rank_correlation(rows, values), expected)
    assert np.isnan(rank_correlation(np.ones((1, 9)), np.arange(9.0))).all()


@pytest.mark.parametrize("syllables", [3, 7, 20])
def test_chance_of_signal_correlations_is_that_of_pearsons_test(syllables):
    rng = np.random.default_rng(0)
    first, second, _ = np.linalg.qr(np.c_[np.ones(syllables), rng.normal(size=(syllables, 2))])[
        0
    ].T[[1, 2, 0]]
    r = signal_chance(syllables)
    assert pearsonr(first, r * first + np.sqrt(1 - r**2) * second).pvalue == pytest.approx(0.05)


def test_p_counts_shuffles_in_which_any_pair_comes_as_far():
    null = np.array([[0.1, -0.5], [0.2, 0.1], [0.0, np.nan]])
    p = p_of_any(np.array([0.5, -0.15, np.nan]), null)
    np.testing.assert_allclose(p[:2], [(1 + 1) / 4, (1 + 2) / 4])
    assert np.isnan(p[2])


def test_shared_noise_is_found_and_noise_that_changes_sign_only_in_single_syllables():
    explanation = make_explanation()
    features = explanation.features.copy()
    features[:, [0, 5]] += np.random.default_rng(5).normal(size=(TRIALS, 1))
    explanation = replace(explanation, features=features)
    _, pairs = make_tables(explanation, make_null(explanation), make_players(6))
    found = unit_correlations(explanation, pairs, 1)
    pd.testing.assert_frame_equal(found, unit_correlations(explanation, pairs, 1))
    ends = list(zip(found["first"], found["second"], strict=True))
    assert [end for end, p in zip(ends, found["noise_p"], strict=True) if p <= 0.05] == [(0, 5)]
    planted = found.iloc[ends.index(PLANTED)]
    assert abs(planted["noise"]) < 0.15
    assert planted["noise_least"] < -0.5 and planted["noise_greatest"] > 0.5
    assert (found["noise_null_low"] < 0).all() and (found["noise_null_high"] > 0).all()


# Figures


def halves(ax, order):
    """What a matrix shows, in the table's order, in its lower and upper half."""
    grid = np.ma.filled(ax.images[0].get_array(), np.nan)
    lower, upper = np.full((2, *grid.shape), np.nan)
    for row in range(len(grid)):
        for column in range(len(grid)):
            half = lower if row > column else upper
            half[order.index[row], order.index[column]] = grid[row, column]
    return np.fmax(lower, lower.T), np.fmax(upper, upper.T)


def test_the_planted_pair_stands_out_everywhere():
    explanation, players = make_explanation(), make_players(6)
    null = make_null(explanation)
    figures = all_figures(explanation, null, players)
    for figure in figures.values():
        check_legible(figure)
        assert "simulated" in words(figure)
    names = names_of(players, "")
    said = sentence(figures["interactions"])
    assert "1 of 15 pairs says more together than in 39 independent copies" in said
    assert f"{names[1]} with {names[4]}, +0.050 nats" in said
    left, middle, sketch = figures["interactions"].axes[:3]
    order = in_order(players)
    assert (np.diff(order["depth"]) <= 0).all()
    place = {player: i for i, player in enumerate(order.index)}
    column, row = sorted(place[player] for player in PLANTED)
    for ax in (left, middle):
        assert points(ax).tolist() == [[column, row]]
    off = ~np.eye(6, dtype=bool)
    for ax, seen, beside in (
        (left, explanation.absolute.mean(axis=0), null.independent.absolute[0]),
        (middle, explanation.evidence, null.independent.evidence[0]),
    ):
        lower, upper = halves(ax, order)
        np.testing.assert_allclose(lower[off], seen[off])
        np.testing.assert_allclose(upper[off], beside[off])
    arcs = [patch for patch in sketch.patches if isinstance(patch, PathPatch)]
    assert len(arcs) == 10
    (clear,) = [arc for arc in arcs if to_hex(arc.get_edgecolor()) == style.VERMILION]
    assert clear.get_linewidth() == max(arc.get_linewidth() for arc in arcs)
    assert sorted(clear.get_path().vertices[[0, -1], 1]) == sorted(players["depth"][list(PLANTED)])
    assert "most evident pair, 11 with 14" in sentence(figures["correlations"])


def test_hubs_are_filled_where_they_exceed_independent_copies():
    explanation, players = make_explanation(), make_players(6)
    table, _ = make_tables(explanation, make_null(explanation), players)
    figure = draw_hubs(table, make_recording(), PROTOCOL)
    order = table.iloc[::-1].sort_values("depth", kind="stable")
    for ax, name in zip(figure.axes, ("hub", "evidence"), strict=True):
        drawn = [line for line in ax.lines if line.get_marker() == "o"]
        filled = {line.get_xdata()[0] for line in drawn if line.get_mfc() != "white"}
        assert filled == set(table.loc[table[f"{name}_p"] <= 0.05, name])
        assert sorted(line.get_xdata()[0] for line in drawn) == sorted(order[name])
    hubs = table.loc[table["evidence_p"] <= 0.05]
    assert set(hubs.index) == set(PLANTED)
    assert "2 of 6 units have more joint evidence" in sentence(figure)
    assert "they keep 14 % of joint patterns" in sentence(figure)


def test_nothing_stands_out_of_its_null_in_a_control():
    explanation = make_explanation(planted=False)
    recording = make_recording(parent="bird", surrogate="poisson", replicate=1)
    figures = all_figures(explanation, make_null(explanation, 19), make_players(6), recording)
    for figure in figures.values():
        check_legible(figure)
        assert "surrogate: poisson" in words(figure)
    assert "None of 15 pairs says more together than in 19 independent" in sentence(
        figures["interactions"]
    )
    assert "an independent copy" in words(figures["interactions"])
    assert "No hub" in words(figures["hubs"])
    assert not len(points(figures["interactions"].axes[0]))


@pytest.mark.parametrize("bins", [True, False])
def test_without_a_null_nothing_is_judged(bins):
    explanation = make_explanation(5)
    players = make_players(5, known=False, bins=bins)
    figures = all_figures(explanation, make_null(explanation, 0), players)
    for name, figure in figures.items():
        check_legible(figure)
        assert name == "correlations" or "Not judged" in words(figure)
        assert "µm" not in words(figure)
        assert ("bins of time" in words(figure)) == bins
    lower, upper = halves(figures["interactions"].axes[1], in_order(players))
    np.testing.assert_array_equal(lower, upper)  # of the same bird
    if bins:
        assert "−80 to −60 ms" in words(figures["hubs"])


def test_bins_of_one_unit_are_judged_and_called_bins():
    explanation = make_explanation()
    players = make_players(6, bins=True)
    for figure in all_figures(explanation, make_null(explanation), players).values():
        check_legible(figure)
        said = sentence(figure)
        assert "−80 to −60 ms" in said and "units" not in said and "unit's" not in said
        assert "ot judged" not in said


@pytest.mark.parametrize(("units", "labels"), [(2, 2), (3, 2), (75, 7)])
def test_any_number_of_units_is_legible(units, labels):
    explanation = make_explanation(units, labels, planted=units > 4)
    figures = all_figures(explanation, make_null(explanation), make_players(units))
    for figure in figures.values():
        check_legible(figure)
    if labels == 2:
        assert "With two syllables there is no signal correlation" in words(figures["correlations"])
        assert units > 2 or "only pair" in words(figures["interactions"])
    sketch = figures["interactions"].axes[2]
    figures["interactions"].draw_without_rendering()
    boxes = sorted((Text.get_window_extent(name) for name in sketch.texts), key=lambda box: box.y0)
    # Type is lower than its box.
    assert all(above.y0 >= below.y1 - 4 for below, above in pairwise(boxes))


def test_one_unit_has_no_pairs():
    explanation = make_explanation(1, planted=False)
    for figure in all_figures(explanation, make_null(explanation), make_players(1)).values():
        check_legible(figure)
        assert "there are no pairs" in words(figure)
        assert not figure.axes


def test_names_keep_their_distance_and_their_order():
    wanted = np.array([0.0, 0.1, 0.15, 5.0, 9.9, 10.0])
    lines = spread(wanted, 1.0, (0.0, 10.0))
    assert (np.diff(lines) >= 1 - 1e-9).all()
    assert lines.min() >= 0 and lines.max() <= 10
    assert lines[3] == 5  # nobody is near
    np.testing.assert_allclose(spread(np.array([2.0, 4.0]), 1.0, (0, 10)), [2, 4])


def test_units_at_one_depth_stand_side_by_side():
    height = np.array([100.0, 100.0, 400.0, 110.0, 100.0])
    across = _across(height, 20.0)
    assert len(set(across[[0, 1, 3, 4]])) == 4
    assert across[2] in across[[0, 1, 3, 4]]
