"""SHAP values and interactions are what their definition says, and what others compute."""

import json
import logging
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import shap
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc import tree_interactions
from neuro2voc.attribution import contributions, margin_of_class
from neuro2voc.decoders import Boosted
from neuro2voc.errors import DataError
from neuro2voc.tree_interactions import (
    pair_interactions,
    pair_number,
    pair_of_number,
    read_trees,
)

EXAMPLES = settings(derandomize=True, max_examples=100, deadline=None)
CLOSE = 1e-5  # XGBoost adds in single precision


def fit(X, y, weight=None, **chosen):
    chosen = {"n_estimators": 6, "max_depth": 3, "max_bin": 16, "n_jobs": 1, **chosen}
    return xgboost.XGBClassifier(**chosen).fit(X, y, sample_weight=weight).get_booster()


def trials(seed, rows=120, columns=4, classes=3, missing=0.0):
    """Return counts of which pairs matter, and classes."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(2.0, (rows, columns)).astype(float)
    y = (X[:, 0] * X[:, -1] + X.sum(axis=1) + rng.integers(0, 3, rows)).astype(int) % classes
    X[rng.random(X.shape) < missing] = np.nan
    return X, np.where(np.arange(rows) < classes, np.arange(rows), y)


def square(found, rows, columns):
    """Return interactions (margins, rows, columns, columns), 0 on the diagonal."""
    margins = {}
    for margin, block, pair, values in found:
        first, second = pair_of_number(pair)
        at = margins.setdefault(margin, np.zeros((rows, columns, columns)))[block]
        at[:, first, second] += values.T
        at[:, second, first] = at[:, first, second]
    return np.stack([margins[margin] for margin in range(len(margins))])


def closed_form(booster, X, unit=None):
    assert read_trees(booster) is not None
    unit = np.arange(X.shape[1]) if unit is None else unit
    return square(pair_interactions(booster, X, unit), len(X), unit.max() + 1)


def off_diagonal(values):
    return values * (1 - np.eye(values.shape[-1]))


def by_xgboost(booster, X):
    """Return XGBoost's interactions (margins, rows, columns, columns), with main effects."""
    found = booster.predict(xgboost.DMatrix(X), pred_interactions=True)
    found = found.reshape(len(X), -1, *found.shape[-2:])
    return found.swapaxes(0, 1)[..., :-1, :-1].astype(float)


def by_shap(booster, X):
    """Return values (margins, rows, columns) and interactions by the shap package's own code."""
    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    explainer.model.model_type = "other"  # or it would ask XGBoost
    values = explainer.shap_values(X, check_additivity=False).reshape(*X.shape, -1)
    pairs = explainer.shap_interaction_values(X).reshape(*X.shape, X.shape[1], -1)
    return values.transpose(2, 0, 1), pairs.transpose(3, 0, 1, 2)


def agrees(booster, X):
    """Check our interactions against XGBoost's and the shap package's; return ours."""
    ours = closed_form(booster, X)
    values, pairs = by_shap(booster, X)
    theirs = by_xgboost(booster, X)
    np.testing.assert_allclose(ours, off_diagonal(theirs), atol=CLOSE)
    np.testing.assert_allclose(ours, off_diagonal(pairs), atol=CLOSE)
    np.testing.assert_allclose(values, theirs.sum(axis=-1), atol=CLOSE)
    return ours


# From the definition ------------------------------------------------------------------------------


def worth(node, row, known):
    """Return what a tree (XGBoost's dump) says if only the features in `known` are known."""
    if "leaf" in node:
        return node["leaf"]
    below = {child["nodeid"]: child for child in node["children"]}
    feature = int(node["split"][1:])
    if feature in known:
        value = np.float32(row[feature])
        goes_left = value < np.float32(node["split_condition"])
        way = "missing" if np.isnan(value) else "yes" if goes_left else "no"
        return worth(below[node[way]], row, known)
    cover = sum(child["cover"] for child in below.values())
    return sum(child["cover"] * worth(child, row, known) for child in below.values()) / cover


def brute_force(trees, row):
    """Return SHAP values and SHAP interaction values of one row, from all coalitions."""
    columns = range(len(row))
    coalitions = [frozenset(c) for n in range(len(row) + 1) for c in combinations(columns, n)]
    v = {known: sum(worth(tree, row, known) for tree in trees) for known in coalitions}
    values, pairs = np.zeros(len(row)), np.zeros((len(row), len(row)))
    for i in columns:
        for S in (c for c in coalitions if i not in c):
            weight = factorial(len(S)) * factorial(len(row) - len(S) - 1) / factorial(len(row))
            values[i] += weight * (v[S | {i}] - v[S])
    for i, j in combinations(columns, 2):
        for S in (c for c in coalitions if not c & {i, j}):
            weight = factorial(len(S)) * factorial(len(row) - len(S) - 2) / factorial(len(row) - 1)
            both = v[S | {i, j}] - v[S | {i}] - v[S | {j}] + v[S]
            pairs[i, j] += weight * both / 2
    return values, pairs + pairs.T


def paths(booster):
    """Return the features (paths, 3) along all paths of three splits."""
    lowest = [[0, 1, 3], [0, 1, 4], [0, 2, 5], [0, 2, 6]]
    found = np.concatenate([tree.feature[:, lowest].reshape(-1, 3) for tree in read_trees(booster)])
    return found[found.min(axis=1) >= 0]


@pytest.mark.parametrize(("classes", "columns", "missing"), [(2, 6, 0.0), (3, 6, 0.2), (3, 4, 0.0)])
def test_values_and_interactions_are_sums_over_all_coalitions(classes, columns, missing):
    X, y = trials(classes, columns=columns, classes=classes, missing=missing)
    model = Boosted(rounds=5).fit(X, y)
    booster = model.booster_.get_booster()
    dump = [json.loads(t) for t in booster.get_dump(dump_format="json", with_stats=True)]
    X = X[:8]
    ours, values = closed_form(booster, X), contributions(model, X)
    for k, (margin, factor) in enumerate(margin_of_class(model)):
        for row in range(len(X)):
            single, pairs = brute_force(dump[margin :: len(ours)], X[row])
            np.testing.assert_allclose(ours[margin, row], pairs, atol=1e-6)
            np.testing.assert_allclose(values[row, k, :-1], factor * single, atol=1e-6)
    assert np.abs(ours).max() > 0.01
    assert columns < 6 or max(len(set(path)) for path in paths(booster)) == 3


# Against others -----------------------------------------------------------------------------------


@EXAMPLES
@given(
    st.integers(0, 2**31),
    st.sampled_from([2, 3, 5]),
    st.integers(1, 3),
    st.integers(1, 7),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([1.0, 0.37, -2.5]),
    st.booleans(),
    st.sampled_from([{}, {"gamma": 4.0}, {"min_child_weight": 0.0}, {"colsample_bynode": 0.5}]),
)
def test_interactions_agree_with_xgboost_and_shap(
    seed, classes, depth, columns, missing, scale, weighed, chosen
):
    """Counts, fractions and negative numbers; columns that are constant or missing altogether."""
    X, y = trials(seed, columns=columns, classes=classes, missing=missing)
    rng = np.random.default_rng(seed)
    X = scale * X + (rng.normal(0, 0.1, X.shape) if scale != 1 else 0)
    if columns > 3:
        X[:, 1], X[:, 2] = 3.0, np.nan
    weight = rng.gamma(1, 1, len(y)) if weighed else None
    booster = fit(X, y, weight, max_depth=depth, **chosen)
    explained = X[:40].copy()
    for tree in read_trees(booster):  # the thresholds themselves, which go right
        for feature, threshold in zip(tree.feature.flat, tree.threshold.flat, strict=True):
            if feature >= 0:
                explained[rng.integers(len(explained)), feature] = threshold
    ours = agrees(booster, explained)
    assert len(ours) == (1 if classes == 2 else classes)
    if depth == 1:
        assert not ours.any()


def test_a_feature_may_split_a_path_twice_or_more():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (np.abs(X[:, :2]) < 0.7).all(axis=1).astype(int)
    booster = fit(X, y, n_estimators=20)
    first, second, third = paths(booster).T
    assert ((first == second) & (second != third)).any()
    assert ((first == third) & (second != third)).any()
    assert ((second == third) & (first != third)).any()
    assert ((first == second) & (second == third)).any()
    assert agrees(booster, X).any()


def test_one_column_has_no_pairs_at_any_depth():
    X, y = trials(0, columns=1)
    for depth in (3, 5):
        found = list(pair_interactions(fit(X, y, max_depth=depth), X, np.arange(1)))
        assert [margin for margin, *_ in found] == [0, 1, 2]
        assert all(values.shape == (0, len(X)) for *_, values in found)


def test_trees_of_a_single_leaf_have_no_interactions():
    X, y = trials(0)
    booster = fit(X, y, gamma=1e9)
    assert all((tree.feature < 0).all() for tree in read_trees(booster))
    assert not agrees(booster, X).any()


def test_missing_values_go_the_way_the_tree_has_for_them():
    """One column is missing where the other class is, one where this one is."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3))
    y = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
    X[(X[:, 0] > 0.5) & (rng.random(400) < 0.5), 0] = np.nan
    X[(X[:, 1] < -0.5) & (rng.random(400) < 0.5), 1] = np.nan
    booster = fit(X, y)
    (tree,) = read_trees(booster)
    assert set(tree.missing_left[tree.feature >= 0]) == {False, True}
    patterns = np.where(np.arange(8)[:, None] >> np.arange(3) & 1, np.nan, X[:1])
    for explained in (X, patterns, np.full((2, 3), np.nan)):
        assert agrees(booster, explained).any()


def test_classes_stay_apart_where_more_trees_are_grown_in_a_round():
    X, y = trials(5)
    booster = fit(X, y, num_parallel_tree=3, subsample=0.6)  # shap's own code takes no such trees
    theirs = off_diagonal(by_xgboost(booster, X))
    np.testing.assert_allclose(closed_form(booster, X), theirs, atol=CLOSE)
    assert theirs.any()


def by_unit(pairs, unit):
    """Sum over the columns of units; on the diagonal over each unit's own pairs, each once."""
    member = np.eye(unit.max() + 1)[unit]
    sums = member.T @ off_diagonal(pairs) @ member
    return sums * (1 - np.eye(len(sums[0, 0])) / 2)


@pytest.mark.parametrize("unit", [[0, 0, 1, 1, 2, 2], [2, 0, 1, 0, 2, 0], [0, 0, 0, 0, 0, 0]])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_units_of_several_columns_have_the_sums_over_their_columns(unit, depth):
    X, y = trials(7, columns=6)
    unit, booster = np.array(unit), fit(X, y, max_depth=depth)
    ours = square(pair_interactions(booster, X, unit), len(X), unit.max() + 1)
    np.testing.assert_allclose(ours, by_unit(by_xgboost(booster, X), unit), atol=CLOSE)
    assert ours.diagonal(axis1=2, axis2=3).any()


def test_pairs_are_numbered_without_gaps_or_repeats():
    first, second = np.tril_indices(300)
    number = pair_number(first, second)
    assert np.array_equal(number, np.arange(300 * 301 // 2))
    assert np.array_equal(pair_number(second, first), number)
    assert np.array_equal(pair_of_number(number), [second, first])


# Sums, blocks and what is not in closed form ------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 4])
def test_interactions_and_main_effects_add_up_to_the_margin(classes):
    X, y = trials(3, columns=5, classes=classes, missing=0.1)
    model = Boosted(rounds=20).fit(X, y)
    booster = model.booster_.get_booster()
    pairs, values = closed_form(booster, X), contributions(model, X)
    margin = booster.predict(xgboost.DMatrix(X), output_margin=True).reshape(len(X), -1)
    main = by_xgboost(booster, X).diagonal(axis1=2, axis2=3)
    for k, (number, factor) in enumerate(margin_of_class(model)):
        shared = factor * pairs[number].sum(axis=2)
        np.testing.assert_allclose(values[:, k, :-1] - shared, factor * main[number], atol=CLOSE)
        total = factor * (main[number].sum(axis=1) + pairs[number].sum(axis=(1, 2)))
        total += values[:, k, -1]
        np.testing.assert_allclose(total, factor * margin[:, number], atol=CLOSE)
    odds = model.predict_proba(X)
    np.testing.assert_allclose(
        np.exp(values.sum(axis=2)) * odds[:, :1],
        np.exp(values[:, :1].sum(axis=2)) * odds,
        rtol=1e-4,
    )


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize(
    ("rows", "buffer", "blocks"), [(1, 1e9, 60), (7, 1e9, 9), (1000, 1e9, 1), (256, 1, 60)]
)
def test_blocks_of_rows_change_nothing(rows, buffer, blocks, depth, monkeypatch):
    X, y = trials(2, rows=60, columns=5)
    booster = fit(X, y, max_depth=depth)
    whole = square(pair_interactions(booster, X, np.arange(5)), 60, 5)
    monkeypatch.setattr(tree_interactions, "ROWS", rows)
    monkeypatch.setattr(tree_interactions, "BUFFER", buffer)
    found = list(pair_interactions(booster, X, np.arange(5)))
    assert len(found) == 3 * blocks
    assert np.array_equal(square(found, 60, 5), whole)
    assert whole.any()


@pytest.mark.parametrize("depth", [4, 5])
@pytest.mark.parametrize("classes", [2, 3])
def test_deeper_trees_are_left_to_xgboost_with_a_notice(depth, classes, caplog):
    X, y = trials(4, columns=5, classes=classes, missing=0.1)
    booster = fit(X, y, max_depth=depth)
    assert read_trees(booster) is None
    with caplog.at_level(logging.WARNING):
        ours = square(pair_interactions(booster, X, np.arange(5)), len(X), 5)
    assert "more than 3 levels; interactions come from XGBoost" in caplog.text
    np.testing.assert_allclose(ours, off_diagonal(by_shap(booster, X)[1]), atol=CLOSE)
    assert ours.any()


def test_shallow_trees_need_no_notice_and_both_ways_agree(caplog):
    X, y = trials(6, columns=6, missing=0.1)
    booster = fit(X, y)
    for unit in (np.arange(6), np.array([0, 0, 1, 2, 2, 2])):
        ours = closed_form(booster, X, unit)
        slowly = tree_interactions._slowly(booster, X, unit)
        np.testing.assert_allclose(ours, square(slowly, len(X), unit.max() + 1), atol=CLOSE)
    assert not caplog.text


def test_boosters_that_are_not_of_plain_trees_are_refused():
    X, y = trials(0)
    strange = (
        fit(X, y, booster="gblinear", max_depth=None, max_bin=None),
        fit(X, y, booster="dart"),
        fit(X, y, multi_strategy="multi_output_tree"),
    )
    for booster in strange:
        with pytest.raises(DataError, match="plain trees with one value per leaf"):
            next(pair_interactions(booster, X, np.arange(4)))


@pytest.mark.parametrize("depth", [3, 5])
def test_splits_on_categories_are_refused(depth):
    X, y = trials(0)
    given = xgboost.DMatrix(X, y == 0, feature_types=["c", "q", "q", "c"], enable_categorical=True)
    booster = xgboost.train({"max_depth": depth, "nthread": 1}, given, 4)
    with pytest.raises(DataError, match="splits on categories"):
        next(pair_interactions(booster, X, np.arange(4)))
