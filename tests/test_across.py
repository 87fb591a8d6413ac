"""Birds beside each other: what they share is found, what they do not share is not."""

from math import factorial

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from neuro2voc.across import BirdTrials, across_birds, with_common_labels, wrong_orders
from neuro2voc.errors import DataError
from neuro2voc.figures.birds import birds_table, draw_across, draw_many_birds
from neuro2voc.splits import NONE

FOLDS, BOUTS = 4, 24


def make_places(n, seed, dimensions=4):
    return 3 * np.random.default_rng(seed).standard_normal((n, dimensions))


def make_bird(name, places, seed, labels="abcdefg", units=12, each=24, noise=1.0):
    """A bird whose units see where its syllables lie, each through weights of its own."""
    rng = np.random.default_rng(seed)
    syllable = np.tile(np.arange(len(places)), each)
    latent = places[syllable] + 0.3 * rng.standard_normal((len(syllable), places.shape[1]))
    weights = rng.standard_normal((places.shape[1], units))
    bout = np.arange(len(syllable)) * BOUTS // len(syllable)
    return BirdTrials(
        name=name,
        X=latent @ weights + noise * rng.standard_normal((len(syllable), units)),
        label=np.array(list(labels))[syllable],
        fold=bout * FOLDS // BOUTS,
        bout=bout,
    )


def scores(table, how):
    return table[table["how"] == how].set_index("tested")


def test_what_birds_share_is_found():
    places = make_places(6, 1)
    birds = [make_bird("one", places, 2), make_bird("two", places, 3, units=30)]
    table = across_birds(birds, 50, 19, 0)
    assert (scores(table, "within")["balanced_accuracy"] > 0.9).all()
    for how, bar in (("calibrated", 0.8), ("transferred", 0.75)):
        rows = scores(table, how)
        assert (rows["balanced_accuracy"] > bar).all()
        assert (rows["balanced_accuracy"] > rows["null_high"]).all()
        assert rows["p"].tolist() == [0.05, 0.05]
        assert rows["null_replicates"].tolist() == [19, 19]
    assert scores(table, "transferred")["chance"].tolist() == [0.5, 0.5]


def test_what_birds_do_not_share_is_not():
    """Each bird alone is decoded well; how one's syllables lie says nothing of the other's."""
    tables = []
    for seed in (1, 2, 3):
        places = [make_places(6, 10 * seed + k) for k in range(2)]
        birds = [make_bird(name, places[k], 100 * seed + k) for k, name in enumerate("xy")]
        tables.append(across_birds(birds, 20, 19, 0))
    assert all((scores(t, "within")["balanced_accuracy"] > 0.9).all() for t in tables)
    rows = pd.concat([scores(t, "transferred") for t in tables])
    assert rows["balanced_accuracy"].mean() == pytest.approx(0.5, abs=0.15)
    # Six tests at 5 %: three passing by accident have a probability of 0.002.
    assert (rows["p"] <= 0.05).sum() <= 2


def test_a_label_map_is_worth_as_much_as_the_right_names():
    places = make_places(6, 1)
    one = make_bird("one", places, 2)
    table = across_birds([one, make_bird("two", places, 3)], 20, 19, 0)
    renamed = make_bird("two", places, 3, labels="badcfe")
    wrong = across_birds([one, renamed], 20, 19, 0)
    right, mistaken = (scores(t, "transferred")["balanced_accuracy"] for t in (table, wrong))
    assert (right > mistaken + 0.15).all()


def test_calibration_alone_shows_nothing_in_common():
    """A map that has seen all syllables places them, whatever they are called."""
    birds = [make_bird("one", make_places(6, 1), 2), make_bird("two", make_places(6, 9), 3)]
    rows = scores(across_birds(birds, 20, 19, 0), "calibrated")
    assert (rows["balanced_accuracy"] > 2 * rows["chance"]).all()
    assert (rows["null_mean"] > 2 * rows["chance"]).all()


def test_missing_units_and_trials_without_a_fold_are_borne():
    places = make_places(6, 1)
    birds = [make_bird(name, places, seed) for seed, name in enumerate("xy")]
    birds[0].X[:30, 3] = np.nan
    birds[1].X[:, 5] = np.nan
    birds[1].fold[:10] = NONE
    table = across_birds(birds, 20, 9, 0)
    assert scores(table, "within")["n_trials"].tolist() == [144, 134]
    rows = scores(table, "transferred")
    assert (rows["balanced_accuracy"] > rows["null_high"]).all()


def test_test_trials_of_the_tested_bird_do_not_move_their_map():
    """Labels of a fold change nothing in what is predicted for it but the truth."""
    places = make_places(6, 1)
    one, two = (make_bird(name, places, seed) for seed, name in enumerate("xy"))
    # Fold 0 of bird y is relabelled at random: were the map fitted to it, it would fit these.
    rng = np.random.default_rng(0)
    two.label[two.fold == 0] = rng.permutation(two.label[two.fold == 0])
    only = two.only(two.fold == 0)
    table = across_birds([one, two], 20, 9, 0)
    n = len(only.label) / len(two.label)
    # Three folds as before (at most 1), one at chance.
    expected = (1 - n) + n / 6
    assert scores(table, "calibrated").loc["y", "balanced_accuracy"] <= expected + 0.05


@pytest.mark.parametrize(("n", "hows"), [(2, 1), (4, 1), (5, 2)])
def test_fewer_than_five_syllables_are_only_calibrated(n, hows):
    places = make_places(n, 1)
    table = across_birds([make_bird(name, places, i) for i, name in enumerate("xy")], 20, 19, 0)
    assert table.loc[table["how"] != "within", "how"].nunique() == hows
    # There are n! - 1 wrong correspondences, and none counts twice.
    assert table["null_replicates"].max() == min(19, factorial(n) - 1)
    assert table["p"].min() >= 1 / (1 + table["null_replicates"].max())
    figure = draw_across(table, "onset", simulated=True)
    assert len(figure.axes) == hows


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_wrong_correspondences_are_wrong_and_all_different(n):
    orders = wrong_orders(n, 40, np.random.default_rng(0))
    assert len({tuple(order) for order in orders}) == len(orders) == min(40, factorial(n) - 1)
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert tuple(range(n)) not in {tuple(order) for order in orders}


def test_birds_that_cannot_be_compared_are_refused_in_a_sentence():
    places = make_places(3, 1)
    one = make_bird("one", places, 2)
    with pytest.raises(DataError, match="names fewer than two birds"):
        with_common_labels([one])
    other = make_bird("two", places, 3, labels="axy")
    with pytest.raises(DataError, match="one, two share fewer than two syllables .* labels"):
        with_common_labels([one, other])
    rare = make_bird("three", places, 3)
    rare.fold[np.flatnonzero(rare.label == "a")[4:]] = NONE  # four are left
    kept = with_common_labels([one, rare])
    assert [sorted(set(bird.label)) for bird in kept] == [["b", "c"], ["b", "c"]]


# One dot per bird


def comparison(above, feature="onset", null=True, low_above=True):
    """A comparison table of one cell and a baseline, standing or not."""
    score = 0.2 + above
    row = {
        "split": "blocked",
        "decoder": "svm",
        "feature": feature,
        "balanced_accuracy": score,
        "low": score - 0.02,
        "high": score + 0.02,
        "null_mean": 0.2 if null else np.nan,
        "null_high": 0.25 if null else np.nan,
        "p": 0.05 if null else np.nan,
        "duration": 0.5,
        "previous": 0.3 if low_above else 0.99,
        "n_trials": 100,
        "n_bouts": 10,
    }
    baseline = row | {"decoder": "majority", "feature": "none", "null_mean": np.nan, "p": np.nan}
    return pd.DataFrame([row, baseline])


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_many_birds_are_measured_from_their_own_nulls():
    tables = {"x": comparison(0.3), "y": comparison(0.4, low_above=False)}
    table = birds_table(tables, "blocked")
    assert table["bird"].tolist() == ["x", "y"]
    assert table["above"].tolist() == pytest.approx([0.3, 0.4])
    assert table["verdict"].tolist() == ["stands", "order"]
    said = words(draw_many_birds(table, "blocked", {"x": "", "y": ""}))
    assert "1 of 2" in said
    assert any("In 0 of 1 decodings every bird stands" in text for text in said)


def test_the_mean_over_birds_is_of_real_birds_where_there_are_any():
    names = ["r1", "r2", "r3", "s1", "s2"]
    above = [0.1, 0.2, 0.3, 0.7, 0.7]
    tables = {name: comparison(a) for name, a in zip(names, above, strict=True)}
    kinds = {name: "simulated" if name[0] == "s" else "" for name in names}
    figure = draw_many_birds(birds_table(tables, "blocked"), "blocked", kinds)
    means = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert [float(line.get_xdata()[0]) for line in means] == pytest.approx([0.2])
    said = words(figure)
    assert {"2 of them simulated", "mean over real birds, 95 %", "s1 (simulated)"} <= set(said)
    # Student's t with two degrees of freedom: 4.303 standard errors either way.
    span = next(
        line
        for line in figure.axes[0].lines
        if len(line.get_xdata()) == 2 and line.get_color() == "k"
    )
    half = 4.303 * 0.1 / np.sqrt(3)
    assert list(span.get_xdata()) == pytest.approx([0.2 - half, 0.2 + half], abs=1e-4)


def test_two_birds_have_no_mean_and_nine_have_looks_of_their_own():
    two = birds_table({name: comparison(0.3) for name in "xy"}, "blocked")
    figure = draw_many_birds(two, "blocked", dict.fromkeys("xy", "simulated"))
    assert not any("mean over" in text for text in words(figure))
    assert "simulated" in words(figure)
    nine = birds_table({name: comparison(0.3) for name in "abcdefghi"}, "blocked")
    figure = draw_many_birds(nine, "blocked", dict.fromkeys("abcdefghi", ""))
    dots = [line for line in figure.axes[0].lines if line.get_ls() == "None" and line.get_ms() < 4]
    assert len({(line.get_color(), line.get_marker()) for line in dots}) == 9
    assert "simulated" not in " ".join(words(figure))


def test_birds_without_a_null_have_nothing_to_put_beside_each_other():
    with pytest.raises(DataError, match="No bird of x has a null under the split 'blocked'"):
        birds_table({"x": comparison(0.3, null=False)}, "blocked")
