"""Figures of what units say of single syllables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgba

from neuro2voc.attribution import Explanation
from neuro2voc.attribution_tables import cell_table
from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.depth import in_rows, region_colors
from neuro2voc.figures.shap_beeswarms import (
    MAP,
    MUTED,
    ROOM,
    SHOWN,
    draw_shap_beeswarms,
    foremost,
    swarm,
)
from neuro2voc.figures.shap_syllables import draw_shap_syllables
from neuro2voc.hubs import AttributionNull, Surrogates
from tests.test_figures import check_legible, make_recording, words

PROTOCOL = Protocol("lda", "blocked", 2, 20, 1, (), None, "premotor")
RECORDING = make_recording()


def make(units=8, labels="abc", trials=90, null=19, told=((0, "a"), (1, "c"))):
    """An explanation and its tables.

    A unit that is told of a syllable fires more in it and speaks for it by firing; the second one
    falls silent instead.
    """
    rng, K = np.random.default_rng(1), len(labels)
    truth = np.array([labels[i % K] for i in range(trials)], dtype=object)
    features = rng.poisson(3, (trials, units)).astype(float)
    values = rng.normal(0, 0.05, (trials, units, K))
    for number, (unit, label) in enumerate(told):
        sung, way = truth == label, -1 if number == 1 else 1
        features[:, unit] = np.where(sung == (way > 0), 6 + rng.integers(0, 3, trials), 0)
        values[:, unit, labels.index(label)] = way * (features[:, unit] - 3) / 3
    counts = pd.Series(truth).map(pd.Series(truth).value_counts()).to_numpy()
    frame = pd.DataFrame({"trial": np.arange(trials), "bout": np.arange(trials) // 10, "fold": 0})
    frame = frame.assign(truth=truth, prediction=truth, weight=1 / (counts * K))
    none, pairs = np.zeros((K, units, units)), np.zeros((units, units))
    explanation = Explanation(
        trials=frame,
        labels=list(labels),
        values=values,
        expected=np.zeros((trials, K)),
        features=features,
        unit=np.arange(units),
        absolute=none,
        signed=none,
        evidence=pairs,
        hub_of_bout=np.zeros((9, units)),
        evidence_of_bout=np.zeros((9, units)),
    )
    players = pd.DataFrame({"unit": [f"u{i}" for i in range(units)]}).assign(
        depth=[400.0 + 300 * ((3 * i) % units) for i in range(units)],
        location=["HVC" if i % 2 else "Area X" for i in range(units)],
        start=np.nan,
        stop=np.nan,
    )
    return explanation, *tables(explanation, players, null)


def tables(explanation, players, null=19):
    K, units = len(explanation.labels), len(players)
    draws = np.random.default_rng(2).uniform(0.02, 0.08, (null, K, units))
    surrogates = Surrogates(
        np.arange(1, null + 1), draws, np.zeros((null, 1, 1)), np.zeros((null, 1, 1))
    )
    cells = cell_table(explanation, AttributionNull(surrogates, surrogates, np.nan), players)
    numbers = {"n_trials": len(explanation.trials), "n_bouts": 9, "shifted": null}
    table = players.assign(balanced_accuracy=0.7, chance=1 / K, **numbers)
    return table, cells


def panels(figure):
    return [ax for ax in figure.axes if ax.get_visible() and ax.axison and ax.get_title()]


def values_of(ax):
    """The bars in front: their rows and lengths, and their faces."""
    bars = ax.containers[1]
    rows = [round(bar.get_y() + bar.get_height() / 2) for bar in bars]
    return rows, [bar.get_width() for bar in bars], [bar.get_facecolor() for bar in bars]


# Bars


def test_bars_are_the_tables_at_their_depths_and_filled_where_they_stand_out():
    _, table, cells = make()
    figure = draw_shap_syllables(table, cells, RECORDING, PROTOCOL)
    check_legible(figure)
    rows = in_rows(table)
    assert rows["depth"].is_monotonic_increasing
    colors = region_colors(table)
    for ax, label in zip(panels(figure), "abc", strict=True):
        cell = cells[cells["syllable"] == label].set_index("player").loc[rows.index]
        found, lengths, faces = values_of(ax)
        assert found == rows["row"].tolist()
        assert lengths == pytest.approx(cell["absolute"].tolist())
        for player, face in zip(rows.index, faces, strict=True):
            stands = cell["p"][player] <= 0.05
            expected = colors[table["location"][player]] if stands else "white"
            assert face == to_rgba(expected)
        spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.containers[0]]
        assert np.allclose(spans, cell[["null_low", "null_high"]])
    # One scale for all.
    assert len({ax.get_xlim() for ax in panels(figure)}) == 1


def test_those_that_stand_out_are_listed_and_counted():
    _, table, cells = make()
    standing = cells[cells["p"] <= 0.05]
    assert set(zip(standing["unit"], standing["syllable"], strict=True)) == {
        ("u0", "a"),
        ("u1", "c"),
    }
    figure = draw_shap_syllables(table, cells, RECORDING, PROTOCOL)
    shown = words(figure)
    for expected in ("a\n1 stands out", "b\nnone stands out", "c\n1 stands out", "simulated"):
        assert expected in shown
    best = standing.loc[standing["absolute"].idxmax()]
    assert "2 of 8 units stand out for 2 of 3 syllables (2 of 24 bars)" in shown.replace("\n", " ")
    assert f"{best['absolute']:.2f} nats" in shown.replace("\n", " ")
    feet = [ax for ax in figure.axes if not ax.axison]
    lists = [" ".join(text.get_text() for text in ax.texts) for ax in feet]
    depth = table["depth"].map("{:.0f}".format)
    length = standing["absolute"].map("{:.2f}".format).tolist()
    assert lists[0].split() == ["unit", "µm", "nats", "u0", depth[0], length[0]]
    assert lists[1].split() == ["none"]
    assert lists[2].split()[-3:] == ["u1", depth[1], length[1]]


def test_long_lists_are_cut_and_say_so():
    told = tuple((unit, "a") for unit in range(12))
    explanation, table, cells = make(units=16, told=told)
    assert (cells["p"] <= 0.05).sum() == 12
    figure = draw_shap_syllables(table, cells, RECORDING, PROTOCOL)
    check_legible(figure)
    assert "and 2 more" in words(figure)
    listed = [text.get_text() for text in next(ax for ax in figure.axes if not ax.axison).texts]
    strongest = cells[cells["syllable"] == "a"].sort_values("absolute", ascending=False)[:10]
    assert listed[3:-3:3] == strongest["unit"].tolist()
    beeswarms = draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    assert f"a: {SHOWN} of 12 that stand out" in words(beeswarms)


@pytest.mark.parametrize("told", [(), ((0, "a"), (1, "c"))])
def test_without_surrogates_nothing_is_judged(told):
    explanation, table, cells = make(told=told, null=0)
    assert cells["p"].isna().all()
    for figure in (
        draw_shap_syllables(table, cells, RECORDING, PROTOCOL),
        draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL),
    ):
        check_legible(figure)
        shown = words(figure)
        assert "Without surrogates nothing is judged" in shown
        assert "p ≤" not in shown and "stand out" not in shown


def test_a_bird_that_says_nothing_is_called_so():
    explanation, table, cells = make(told=())
    cells["p"] = 1.0
    for figure in (
        draw_shap_syllables(table, cells, RECORDING, PROTOCOL),
        draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL),
    ):
        check_legible(figure)
        assert "None of 8 units stands out for any syllable" in words(figure)


# Swarms


@pytest.mark.parametrize("number", [0, 1, 2, 30, 400])
def test_a_swarm_is_symmetric_within_its_room_and_always_the_same(number):
    values = np.random.default_rng(3).normal(0, 1, number)
    cell, dot, room = 0.1, 0.05, 0.4
    offsets = swarm(values, cell, dot, room)
    assert np.array_equal(offsets, swarm(values.copy(), cell, dot, room))
    assert (np.abs(offsets) <= (room - dot) / 2 + 1e-9).all()
    for place in np.unique(np.floor(values / cell)):
        inside = np.sort(offsets[np.floor(values / cell) == place])
        assert np.allclose(inside, -inside[::-1])
        if len(inside) > 1:
            expected = min(dot, (room - dot) / (len(inside) - 1))
            assert np.allclose(np.diff(inside), expected)


def test_dots_of_a_swarm_cover_each_other_less_than_scattered_ones():
    rng = np.random.default_rng(4)
    values, dot, room = rng.normal(0, 10, 150), 1.0, 8.0

    def covered(offsets):
        apart = np.hypot(np.subtract.outer(values, values), np.subtract.outer(offsets, offsets))
        return (apart[np.triu_indices(len(values), 1)] < dot / 2).sum()

    scattered = [covered(rng.uniform(-room / 2, room / 2, len(values))) for _ in range(20)]
    assert covered(swarm(values, dot, dot, room)) < min(scattered)


def test_early_trials_do_not_lie_below_late_ones():
    offsets = swarm(np.zeros(200), 1.0, 0.1, 1.0)
    assert abs(np.corrcoef(np.arange(200), offsets)[0, 1]) < 0.1


# Beeswarms


def test_dots_are_the_trials_in_their_half_and_colour():
    explanation, table, cells = make()
    figure = draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    check_legible(figure)
    for number, (ax, label) in enumerate(zip(panels(figure), "abc", strict=True)):
        cell = foremost(cells[cells["syllable"] == label], SHOWN)
        sung = (explanation.trials["truth"] == label).to_numpy()
        assert len(ax.collections) == 2 * SHOWN
        for row, player in enumerate(cell["player"]):
            for half, chosen in enumerate((sung, ~sung)):
                dots = ax.collections[2 * row + half]
                x, y = np.asarray(dots.get_offsets()).T
                assert np.allclose(x, explanation.values[chosen, player, number])
                above = y < row
                assert above.all() if half == 0 else not above.any()
                assert (np.abs(y - row) <= 0.23 + ROOM / 2).all()
                assert dots.get_rasterized()
                seen = explanation.features[:, player]
                expected = MAP((seen - seen.min()) / np.ptp(seen))[chosen]
                muted = cell["p"].iat[row] > 0.05
                expected = 1 - MUTED * (1 - expected) if muted else expected
                assert np.allclose(dots.get_facecolors(), expected)
            means = cell[["present", "absent"]].iloc[row].tolist()
            drawn = [line.get_xdata()[0] for line in ax.lines[4 * row : 4 * row + 4]]
            assert drawn == pytest.approx(np.repeat(means, 2))


def test_the_foremost_come_first_marked_with_place_and_range():
    explanation, table, cells = make()
    figure = draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    first = panels(figure)[0].get_yticklabels()
    seen = explanation.features[:, 0]
    assert first[0].get_text() == f"u0, {table['depth'][0]:.0f} µm\n0–{seen.max():.0f} spikes"
    assert first[0].get_weight() == "bold"
    assert to_hex(first[0].get_color()) == region_colors(table)["Area X"]
    assert all(text.get_weight() == "normal" for text in first[1:])
    assert {to_hex(text.get_color()) for text in first[1:]} == {style.GREY}


def test_the_headline_tells_firing_more_from_firing_less():
    explanation, table, cells = make(told=((0, "a"), (1, "c"), (2, "b")))
    figure = draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    shown = words(figure).replace("\n", " ")
    assert "In 3 of 3 cases of a unit that stands out" in shown
    assert "in 2 by firing more, in 1 by firing less" in shown
    cells["present"], cells["absent"] = cells["absent"], cells["present"]
    figure = draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    assert "In none of 3 cases" in words(figure)


def test_trials_without_a_value_are_not_drawn_and_those_unobserved_are_grey():
    explanation, table, cells = make()
    values, features = explanation.values.copy(), explanation.features.copy()
    values[:30, :, 0], features[60:, 0] = np.nan, np.nan
    explanation = replace(explanation, values=values, features=features)
    figure = draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    check_legible(figure)
    one = panels(figure)[0].collections[:2]
    assert sum(len(dots.get_offsets()) for dots in one) == 60
    grey = np.concatenate([dots.get_facecolors() for dots in one])
    assert np.isclose(grey, 0.6).sum(axis=1).tolist().count(3) == 30
    shown = words(figure)
    assert "lacks a syllable" in shown and "not observed" in shown
    # Nor need any of a syllable's own trials have one.
    values[explanation.trials["truth"] == "a", :, 0] = np.nan
    figure = draw_shap_beeswarms(
        replace(explanation, values=values), table, cells, RECORDING, PROTOCOL
    )
    assert not len(panels(figure)[0].collections[0].get_offsets())


# Other birds


@pytest.mark.parametrize(("units", "labels"), [(1, "ab"), (2, "ab"), (3, "abcd"), (75, "abcdefg")])
def test_few_and_many_units_and_syllables(units, labels):
    explanation, table, cells = make(units, labels, told=((0, "b"),))
    for figure in (
        draw_shap_syllables(table, cells, RECORDING, PROTOCOL),
        draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL),
    ):
        check_legible(figure)
        assert len(panels(figure)) == len(labels)
        assert ("speaks as much against the other" in words(figure)) == (len(labels) == 2)


def test_nothing_need_be_known_of_place_and_names_may_be_long():
    explanation, table, _ = make()
    players = table[["unit", "depth", "location", "start", "stop"]].assign(
        depth=np.nan, location="unknown", unit=[f"a name without end, {i}" for i in range(8)]
    )
    table, cells = tables(explanation, players)
    for figure in (
        draw_shap_syllables(table, cells, RECORDING, PROTOCOL),
        draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL),
    ):
        check_legible(figure)
        assert "µm" not in words(figure) and "region" not in words(figure)


def test_players_of_a_bird_of_one_unit_are_bins_of_time():
    explanation, table, _ = make(units=4)
    start = -0.04 + 0.02 * np.arange(4)
    players = table[["unit", "depth", "location", "start", "stop"]].assign(
        unit="ch1", depth=np.nan, location="unknown", start=start, stop=start + 0.02
    )
    table, cells = tables(explanation, players)
    figure = draw_shap_syllables(table, cells, RECORDING, PROTOCOL)
    check_legible(figure)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    # The first at the head.
    assert labels == ["20 to 40", "0 to 20", "−20 to 0", "−40 to −20"]
    most = cells.loc[cells["absolute"].idxmax(), "player"]
    shown = words(figure).replace("\n", " ")
    assert "which bins speak for each syllable" in shown
    assert "of 4 bins of time" in shown and f"the bin {labels[::-1][most]} ms for" in shown
    assert "−40 to −20 ms" in words(
        draw_shap_beeswarms(explanation, table, cells, RECORDING, PROTOCOL)
    )
