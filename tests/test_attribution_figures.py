"""The composite figure of SHAP values: its words follow the tables, and it can be read."""

import hashlib
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from neuro2voc.attribution_tables import explanation_tables
from neuro2voc.curves import Protocol
from neuro2voc.figures.attribution import BLUES, GREYS, REDS, draw_attribution
from neuro2voc.figures.attribution_words import findings, headline, notes
from neuro2voc.files import save_figure
from neuro2voc.hubs import AttributionNull, explain_bird, independent_null, shifted_null
from neuro2voc.inclusion import inclusion_table
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials
from tests.test_figures import check_legible, make_recording, points, words

PROTOCOL = Protocol("lda", "blocked", 2, 20, 1, (), {}, "premotor")
# Players and syllables beyond the null, and hubs, in `make_tables`.
MARKED, HUBS, PAIR = [(0, "a"), (0, "c"), (2, "b")], (1, 2), (1, 3)


def make_tables(units=5, labels="abc", shifted=19, joint=39, marked=MARKED, hubs=HUBS, pair=PAIR):
    """Tables as `explanation_tables` makes them, with the given findings and no others."""
    rng = np.random.default_rng(units)
    table = pd.DataFrame(
        {
            "unit": [f"u{i}" for i in range(units)],
            "depth": 100.0 * np.arange(units, 0, -1),
            "location": np.where(np.arange(units) < units / 2, "HVC", "Area X"),
            "start": np.nan,
            "stop": np.nan,
        }
    )
    for name, found in (("importance", [player for player, _ in marked]), ("evidence", hubs)):
        beyond = np.isin(np.arange(units), found)
        scores = 0.1 + 0.02 * rng.random(units) + 0.3 * beyond
        table[name], table[f"{name}_p"] = scores, np.where(beyond, 0.05, 0.6)
        for end, value in (("mean", 0.11), ("low", 0.09), ("high", 0.14)):
            table[f"{name}_null_{end}"] = value
    table["evidence_low"], table["evidence_high"] = (
        table["evidence"] - 0.02,
        table["evidence"] + 0.02,
    )
    for name, rho, null in (("rate", 0.1, 0.85), ("duration", -0.4, 0.0), ("violations", 0.2, 0.3)):
        table[f"rho_{name}"], table[f"rho_{name}_null_mean"] = rho, null
    table = table.assign(
        balanced_accuracy=0.7, duration=0.4, previous=0.6, chance=1 / len(labels), kept=0.142,
        shifted=shifted, joint_replicates=joint, n_trials=90, n_bouts=9,
    )  # fmt: skip
    cells = pd.DataFrame(
        [
            {"player": player, "unit": f"u{player}", "syllable": label}
            for player in range(units)
            for label in labels
        ]
    )
    beyond = [cell in marked for cell in zip(cells["player"], cells["syllable"], strict=True)]
    cells = cells.assign(
        absolute=0.1 * rng.random(len(cells)) + np.array(beyond),
        present=0.5,
        absent=-0.5,
        p=np.where(beyond, 0.05, 1.0),
    )
    first, second = np.array([*combinations(range(units), 2)], dtype=int).reshape(-1, 2).T
    pairs = pd.DataFrame({"first": first, "second": second})
    pairs = pairs.assign(unit_first=table["unit"].to_numpy()[first])
    pairs = pairs.assign(unit_second=table["unit"].to_numpy()[second])
    here = (pairs["first"] == pair[0]) & (pairs["second"] == pair[1]) if pair else first < 0
    pairs["evidence_p"] = np.where(here, 0.025, 1.0)
    pairs = pairs.sort_values("evidence_p", kind="stable", ignore_index=True)
    return {"table": table, "cells": cells, "pairs": pairs}


def nothing_found(**changes):
    return make_tables(marked=[], hubs=(), pair=None, **changes)


def without_null(tables):
    """The same where no surrogate was made."""
    table, cells, pairs = (each.copy() for each in tables.values())
    table.loc[:, table.columns.str.contains("null_m|null_l|null_h|_p$")] = np.nan
    table[["shifted", "joint_replicates"]] = 0
    return {
        "table": table.assign(kept=np.nan),
        "cells": cells.assign(p=np.nan),
        "pairs": pairs.assign(evidence_p=np.nan),
    }


def in_bins(tables):
    """The same of a bird with one unit: players are bins of 20 ms."""
    table = tables["table"]
    start = -0.04 + 0.02 * np.arange(len(table))
    table = table.assign(
        unit="ch1", depth=np.nan, location="unknown", start=start, stop=start + 0.02
    )
    return tables | {"table": table}


def said(tables, recording=None, protocol=PROTOCOL):
    """The headline and the notes."""
    found = findings(tables)
    recording = recording or make_recording()
    return headline(tables, found, recording), " ".join(notes(tables, found, protocol))


def surrogate(kind):
    recording = make_recording(parent="bird", surrogate=kind, replicate=1)
    return replace(recording, name=f"bird~{kind}")


def panels(figure):
    """Axes by the first line of their titles."""
    return {ax.get_title(loc="left").partition(":")[0]: ax for ax in figure.axes}


def check_apart(figure):
    """No two texts of a figure that was drawn lie on each other, wherever they stand."""
    hidden = [
        tick.label1
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text not in hidden]
    extents = [(t.get_text(), t.get_window_extent()) for t in shown if t.get_text().strip()]
    for (one, a), (other, b) in combinations(extents, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide <= 1 or high <= 2, f"{one!r} lies on {other!r}"


def drawn(tables, recording=None, protocol=PROTOCOL):
    figure = draw_attribution(tables, recording or make_recording(), protocol)
    check_legible(figure)
    check_apart(figure)
    return figure


# Words


def test_the_headline_counts_units_cells_hubs_and_pairs():
    assert said(make_tables())[0] == (
        "2 of 5 units speak for a syllable (3 of 15 cells). 2 units are hubs: with others they say "
        "more than one by one (1 pair stands out); 1 of them has a syllable of its own. The "
        "models' balanced accuracy is 0.70, chance is 0.33; without neurons, the previous syllable "
        "gives 0.60 and duration 0.40."
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"marked": []}, "None of 5 units speaks for a syllable (none of 15 cells)."),
        ({"marked": MARKED[:1]}, "1 of 5 units speaks for a syllable (1 of 15 cells)."),
        ({"hubs": (), "pair": None}, "No unit says more together with others than one by one."),
        ({"hubs": ()}, "1 pair stands out as saying more together, but no unit is a hub."),
        ({"hubs": (1,)}, "1 unit is a hub: with others it says more than one by one (1 pair"),
        ({"hubs": (1,)}, "it has no syllable of its own."),
        ({"hubs": (2,)}, "it has a syllable of its own."),
        ({"hubs": (1, 3), "pair": None}, "(no pair stands out); none of them has a syllable"),
        ({"hubs": (0, 2)}, "2 of them have syllables of their own."),
    ],
)
def test_the_headline_says_what_was_found_and_what_was_not(changes, expected):
    assert expected in said(make_tables(**changes))[0]


def test_a_unit_that_misleads_speaks_for_nothing():
    tables = make_tables()
    wrong = (tables["cells"]["player"] == 2) & (tables["cells"]["p"] <= 0.05)
    tables["cells"].loc[wrong, "present"] = -0.9
    found = said(tables)[0]
    assert "1 of 5 units speaks for a syllable (2 of 15 cells; 1 misleads)." in found
    assert "none of them has a syllable of its own" in found
    colors = [mesh.cmap for mesh in map_of(drawn(tables)).collections if isinstance(mesh, QuadMesh)]
    assert colors == [REDS, GREYS, BLUES]


def test_the_notes_tell_what_the_numbers_rest_on():
    _, found = said(make_tables())
    for expected in (
        "premotor, split 'blocked': 90 held-out trials in 9 bouts",
        "corrected for all units, cells or pairs",
        "A SHAP value is what a unit adds to a syllable's margin (the logarithm of its probability",
        "Independent copies: each unit's trials permuted within syllable, session, fold and",
        "they keep 14 % of joint patterns in place, which hides weak pairs",
        "mean rate 0.10 (0.85), duration correlation −0.40 (0.00), refractory violations 0.20 (",
        "hence a null for each unit",
        "Pairs of units, the most evident first: u1 with u3.",
    ):
        assert expected in found
    assert "whether or not neurons do" not in found


@pytest.mark.parametrize("feature", ["count", "rate"])
def test_a_whole_syllable_carries_its_duration(feature):
    _, found = said(make_tables(), protocol=replace(PROTOCOL, feature=feature))
    assert f"'{feature}' carries the syllable's duration whether or not neurons do" in found


@pytest.mark.parametrize(
    ("kind", "lost"), [("independent", "joint patterns"), ("poisson", "tuning")]
)
def test_a_control_says_so_and_whose_surrogates_judge_it(kind, lost):
    tables = nothing_found()
    recording = surrogate(kind)
    first, _ = said(tables, recording)
    assert first.startswith(f"A control without {lost}, beside shifted surrogates of bird. None of")
    shown = words(drawn(tables, recording))
    assert f"surrogate: {kind}" in shown
    assert "19 shifted surrogates of bird, for joint evidence 39 independent copies" in shown


def test_a_control_of_one_unit_may_still_have_joint_patterns_of_its_bins():
    first, _ = said(in_bins(make_tables()), surrogate("independent"))
    assert first.startswith("A control whose only unit had its trials permuted within syllable. 2")


def test_without_a_null_nothing_is_judged():
    tables = without_null(make_tables())
    first, found = said(tables)
    assert first.startswith("None of 5 units is judged. The models'")
    assert "A p of 0.05 takes 19 surrogates" in found and "Joint evidence has no null" in found
    figure = drawn(tables)
    shown = words(figure)
    assert shown.count("not judged") == 5  # three titles, the key, the legend
    assert "beyond the null" not in shown and "its own null" not in shown
    assert not frames(figure)


def test_too_few_surrogates_judge_nothing():
    first, found = said(nothing_found(shifted=18, joint=18))
    assert "None of 5 units is judged." in first and "hub" not in first
    assert "beside fewer nothing is judged" in found
    first, found = said(nothing_found(shifted=19, joint=10))
    assert "None of 5 units speaks" in first and "together is not judged" in first


def test_bins_of_one_unit_are_times_and_are_judged_jointly_too():
    tables = in_bins(make_tables())
    first, found = said(tables)
    assert first.startswith(
        "2 of 5 bins of time speak for a syllable (3 of 15 cells). 2 bins are hubs: with others"
    )
    assert "Independent copies: each bin's trials permuted" in found and "no null" not in found
    figure = drawn(tables)
    left = panels(figure)["over all syllables"]
    assert left.get_ylabel() == "bins of time (ms)"
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names == ["−40 to −20", "−20 to 0", "0 to 20", "20 to 40", "40 to 60"]
    assert left.get_yticks().tolist() == [4, 3, 2, 1, 0]  # time runs downwards


# What is drawn


def map_of(figure):
    return panels(figure)["for which syllable"]


def frames(figure):
    """Rows and columns of the cells that are marked."""
    patches = [patch for patch in map_of(figure).patches if isinstance(patch, Rectangle)]
    return {
        (round(patch.get_y() + 0.5), round(patch.get_x() + 0.5))
        for patch in patches
        if not patch.get_fill()
    }


def test_every_player_has_one_row_in_the_order_of_depth():
    tables = make_tables(units=6)
    tables["table"]["depth"] = [300.0, 100.0, 600.0, np.nan, 500.0, 300.0]
    figure = drawn(tables)
    row_of = dict(enumerate([1, 0, 4, 5, 3, 2]))
    for title, name in (("over all syllables", "importance"), ("together with others", "evidence")):
        table = tables["table"]
        expected = {(table[name][player], row) for player, row in row_of.items()}
        assert set(map(tuple, points(panels(figure)[title]))) == expected
    assert frames(figure) == {(row_of[player], "abc".index(label)) for player, label in MARKED}
    values = {}
    for mesh in map_of(figure).collections:
        if isinstance(mesh, QuadMesh):
            array = mesh.get_array()
            for row, column in zip(*np.nonzero(~np.ma.getmaskarray(array)), strict=True):
                values[row, column] = (array[row, column], mesh.cmap)
    assert len(values) == 18
    for cell in tables["cells"].itertuples():
        value, colors = values[row_of[cell.player], "abc".index(cell.syllable)]
        assert value == cell.absolute
        assert colors == (BLUES if cell.p <= 0.05 else GREYS)


def test_points_are_filled_where_they_can_be_believed():
    figure = drawn(make_tables())
    for title, players in (("over all syllables", {0, 2}), ("together with others", set(HUBS))):
        circles = [line for line in panels(figure)[title].lines if line.get_marker() == "o"]
        filled = [line for line in circles if line.get_markerfacecolor() != "white"]
        assert {4 - int(line.get_ydata()[0]) for line in filled} == players


def test_pairs_are_linked_row_to_row():
    figure = drawn(make_tables())
    links = figure.axes[2]
    upright = [
        line for line in links.lines if len(set(line.get_xdata())) == 1 < len(line.get_xdata())
    ]
    assert [sorted(line.get_ydata()) for line in upright] == [sorted(4 - np.array(PAIR))]
    assert len(drawn(make_tables(pair=None)).axes) == len(figure.axes) - 1


def test_of_many_pairs_the_most_evident_are_linked_and_the_others_counted():
    tables = make_tables(units=8)
    tables["pairs"].loc[:12, "evidence_p"] = 0.05
    shown = " ".join(words(drawn(tables)).split())
    assert "13 pairs stand out" in shown
    assert "and 7 more (the first 10 are linked)" in shown


def test_one_unit_has_no_joint_evidence():
    tables = make_tables(units=1, marked=MARKED[:1], hubs=(), pair=None)
    first, found = said(tables)
    assert first.startswith("1 of 1 unit speaks for a syllable (1 of 3 cells). The models'")
    assert "There are no pairs" in found
    assert "together with others" not in panels(drawn(tables))


@pytest.mark.parametrize("units", [2, 3, 75])
@pytest.mark.parametrize("known", [True, False])
def test_few_and_many_units_are_legible(units, known):
    tables = make_tables(units, "abcdefi", pair=(0, 1), hubs=(0, 1))
    if not known:
        tables["table"] = tables["table"].assign(depth=np.nan, location="unknown")
    shown = words(drawn(tables))
    assert ("µm" in shown) == known and ("colours are regions" in shown) == known


@pytest.mark.parametrize("number", [2, 7, 40])
def test_few_and_many_syllables_with_long_names_are_legible(number):
    labels = [f"a rather long name {i}" for i in range(number)]
    rows = 9 if number > 7 else 13
    drawn(make_tables(rows, labels, marked=[(0, labels[0]), (8, labels[-1])]))


def test_the_tables_of_a_bird_are_drawn():
    recording = make_recording()
    trials = make_trials(recording, bout_gap=0.5, labels=["a", "b"], folds=3)
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 1)
    windows = {"premotor": {"align": "onset", "start": -0.04, "stop": 0.04, "bin": 0.08}}
    protocol = replace(
        PROTOCOL, null_seeds=(1, 2), trials={"bout_gap": 0.5, "labels": ["a", "b"], "folds": 3}
    )
    given = recording, trials, split, windows, protocol
    null = AttributionNull(shifted_null(*given), *independent_null(*given, (3,)))
    known = trials, inclusion_table(recording, {}), windows, protocol
    tables = explanation_tables(recording, explain_bird(*given), null, *known)
    shown = words(drawn(tables, recording, protocol))
    assert "None of 3 units is judged" in shown
    assert "2 shifted surrogates, for joint evidence 1 independent copy" in shown


def test_the_same_tables_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_figure(
            draw_attribution(make_tables(), make_recording(), PROTOCOL), tmp_path / f"{name}.png"
        )
    for suffix in ("png", "pdf"):
        one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
        assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
