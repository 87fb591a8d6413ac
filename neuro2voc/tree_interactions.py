"""Exact SHAP interaction values of boosted trees in closed form, for trees of at most three levels.

Tree SHAP (Lundberg et al. 2020, Nat. Mach. Intell. 2:56, "path-dependent") asks what a tree would
say if only some features were known: where a split's feature is unknown, both branches count by the
share of training weight ("cover") that went there. A leaf with value v whose path splits on the
features D then adds a game of products,

    v * prod_{j in S} z_j * prod_{j in D - S} r_j,

to the worth of a set S of known features: z_j is 1 where the row goes the leaf's way at every split
on j and 0 otherwise, r_j is the product of the covers' shares at those splits. With at most three
features on a path the Shapley interaction of i and j is v (z_i - r_i)(z_j - r_j), times
(z_k + r_k) / 2 where there is a third one; the SHAP interaction value of (i, j), and of (j, i), is
half of it.

A tree of three levels has seven splits, so a row meets one of 128 patterns of answers. What each of
them adds to each pair is tabulated once per tree, and a row costs seven comparisons and at most ten
sums per tree. A row in which a feature is missing goes the way the tree has for it, so that missing
values are exact too.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xgboost
from numba import types

from neuro2voc.errors import DataError
from neuro2voc.kernels import compiled

log = logging.getLogger(__name__)

LEVELS = 3
SPLITS = 2**LEVELS - 1  # of a tree, numbered as in a heap: below split n are 2n + 1 and 2n + 2
PATTERNS = 2**SPLITS
# Pairs of splits of which one lies above the other: only these meet on a path.
SLOTS = ((0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (1, 3), (1, 4), (2, 5), (2, 6))
BUFFER = 24e6  # bytes of interactions held at a time
ROWS = 256  # rows looked at together, at most; their answers and sums then stay in the cache


@dataclass(frozen=True)
class Trees:
    """The trees of one class, filled up to three levels.

    Attributes
    ----------
    feature : ndarray (trees, 7)
        int32; -1 where there is no split.
    threshold : ndarray (trees, 7)
        float32; values below it go left.
    missing_left : ndarray (trees, 7)
        Whether rows in which the feature is missing go left.
    share : ndarray (trees, 14)
        The cover of each split's left and right branch over its own: of split n at 2n and 2n + 1.
    leaf : ndarray (trees, 8)
        Values, from left to right. A leaf that ends earlier stands at the leftmost place under it.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    share: np.ndarray
    leaf: np.ndarray


def read_trees(booster: xgboost.Booster) -> list[Trees] | None:
    """Return a booster's trees by class; None where one has more than three levels.

    Raises
    ------
    DataError
        The booster is not of plain trees with one value per leaf, or splits on categories.
    """
    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    trees = model.get("model", {}).get("trees")
    if trees is None or any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise DataError(
            "Interactions are worked out for plain trees with one value per leaf; fit XGBoost with "
            "booster='gbtree' and multi_strategy='one_output_per_tree'."
        )
    filled = [_fill_up(tree) for tree in trees]
    if any(tree is None for tree in filled):
        return None
    of_class = [[] for _ in range(max(model["model"]["tree_info"]) + 1)]
    for number, tree in zip(model["model"]["tree_info"], filled, strict=True):
        of_class[number].append(tree)
    return [Trees(*map(np.array, zip(*chosen, strict=True))) for chosen in of_class]


def _fill_up(tree: dict) -> tuple[np.ndarray, ...] | None:
    """Return feature, threshold, missing_left, share and leaf of one tree; None if too deep."""
    if any(tree["split_type"]):
        raise DataError(
            "Interactions are not worked out for splits on categories; give categories as columns "
            "of 0 and 1."
        )
    feature = np.full(SPLITS, -1, dtype=np.int32)
    threshold = np.zeros(SPLITS, dtype=np.float32)
    missing_left = np.zeros(SPLITS, dtype=np.bool_)
    share = np.ones(2 * SPLITS)
    leaf = np.zeros(SPLITS + 1)
    cover = tree["sum_hessian"]
    places = [(0, 0)]  # number of the node in the tree, its place in the heap
    while places:
        node, place = places.pop()
        left, right = tree["left_children"][node], tree["right_children"][node]
        if left < 0:
            while place < SPLITS:
                place = 2 * place + 1
            leaf[place - SPLITS] = tree["split_conditions"][node]
            continue
        if place >= SPLITS:
            return None
        feature[place] = tree["split_indices"][node]
        threshold[place] = tree["split_conditions"][node]
        missing_left[place] = tree["default_left"][node]
        share[2 * place : 2 * place + 2] = np.array([cover[left], cover[right]]) / cover[node]
        places += [(left, 2 * place + 1), (right, 2 * place + 2)]
    return feature, threshold, missing_left, share, leaf


def pair_number(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number unordered pairs: (0, 0), (1, 0), (1, 1), (2, 0) ... are 0, 1, 2, 3 ..."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    return high * (high + 1) // 2 + low


def pair_of_number(pair: np.ndarray) -> np.ndarray:
    """Return the players (2, pairs) of pairs numbered by `pair_number`, the lower first."""
    high = ((np.sqrt(8 * pair.astype(float) + 1) - 1) / 2).astype(np.int64)
    return np.stack([pair - high * (high + 1) // 2, high])


def pair_of_slots(trees: Trees, unit: np.ndarray) -> np.ndarray:
    """Number the pair of units in each slot (trees, 10); -1 where no two features meet.

    Parameters
    ----------
    trees : Trees
    unit : ndarray (columns,)
        The unit of each column. Pairs of columns of one unit have the number of the unit itself.
    """
    upper, lower = (trees.feature[:, list(splits)] for splits in zip(*SLOTS, strict=True))
    pair = pair_number(unit[upper], unit[lower])
    return np.where((upper >= 0) & (lower >= 0) & (upper != lower), pair, -1)


@compiled(
    types.void(
        types.Array(types.int32, 1, "C", readonly=True),
        types.Array(types.float64, 1, "C", readonly=True),
        types.Array(types.float64, 1, "C", readonly=True),
        types.Array(types.float64, 2, "C"),
    )
)
def tabulate(feature: np.ndarray, share: np.ndarray, leaf: np.ndarray, table: np.ndarray) -> None:
    """Tabulate what each pattern of answers adds to each slot of one tree.

    Parameters
    ----------
    feature, share, leaf : ndarray
        See `Trees`.
    table : ndarray (10, 128)
        Filled. Bit n of a pattern is set where split n sends the row left.
    """
    table[:] = 0.0
    z = np.empty(LEVELS)
    r = np.empty(LEVELS)
    player = np.empty(LEVELS, dtype=np.int64)  # the first split on each feature of the path
    split = np.empty(LEVELS, dtype=np.int64)
    side = np.empty(LEVELS, dtype=np.int64)  # 0: left
    for end in range(leaf.shape[0]):
        if leaf[end] == 0.0:
            continue
        node = 0
        for level in range(LEVELS):
            split[level] = node
            side[level] = (end >> (LEVELS - 1 - level)) & 1
            node = 2 * node + 1 + side[level]
        for pattern in range(table.shape[1]):
            players = 0
            for level in range(LEVELS):
                node = split[level]
                if feature[node] < 0:
                    continue
                agrees = 1.0 if ((pattern >> node) & 1) == 1 - side[level] else 0.0
                known = -1
                for i in range(players):
                    if feature[player[i]] == feature[node]:
                        known = i
                if known < 0:
                    known = players
                    player[known] = node
                    z[known] = 1.0
                    r[known] = 1.0
                    players += 1
                z[known] *= agrees
                r[known] *= share[2 * node + side[level]]
            for i in range(players):
                for j in range(i + 1, players):
                    value = 0.5 * leaf[end] * (z[i] - r[i]) * (z[j] - r[j])
                    if players == 3:
                        third = 3 - i - j
                        value *= 0.5 * (z[third] + r[third])
                    # Where this pair of splits stands in SLOTS.
                    slot = player[j] - 1 if player[i] == 0 else player[j] + 3
                    table[slot, pattern] += value


@compiled(
    types.void(
        types.Array(types.float32, 2, "C", readonly=True),
        types.Array(types.int32, 2, "C", readonly=True),
        types.Array(types.float32, 2, "C", readonly=True),
        types.Array(types.boolean, 2, "C", readonly=True),
        types.Array(types.float64, 2, "C", readonly=True),
        types.Array(types.float64, 2, "C", readonly=True),
        types.Array(types.int64, 2, "C", readonly=True),
        types.Array(types.float64, 2, "C"),
    )
)
def add_trees(
    X: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    missing_left: np.ndarray,
    share: np.ndarray,
    leaf: np.ndarray,
    pair: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add the interactions of all trees of a class.

    Parameters
    ----------
    X : ndarray
        float32 (columns, rows), NaN where missing.
    feature, threshold, missing_left, share, leaf : ndarray
        See `Trees`.
    pair : ndarray
        int64 (trees, 10), which row of `values` a slot is added to; -1: none.
    values : ndarray
        float64 (pairs, rows), added to.
    """
    rows = X.shape[1]
    table = np.empty((len(SLOTS), PATTERNS))
    pattern = np.empty(rows, dtype=np.uint8)
    for tree in range(feature.shape[0]):
        tabulate(feature[tree], share[tree], leaf[tree], table)
        pattern[:] = 0
        for split in range(SPLITS):
            column = feature[tree, split]
            if column < 0:
                continue
            limit = threshold[tree, split]
            bit = np.uint8(1 << split)
            if missing_left[tree, split]:
                for row in range(rows):
                    if not X[column, row] >= limit:
                        pattern[row] |= bit
            else:
                for row in range(rows):
                    if X[column, row] < limit:
                        pattern[row] |= bit
        for slot in range(len(SLOTS)):
            if pair[tree, slot] < 0:
                continue
            total, added = values[pair[tree, slot]], table[slot]
            for row in range(rows):
                total[row] += added[pattern[row]]


def pair_interactions(
    booster: xgboost.Booster, X: np.ndarray, unit: np.ndarray
) -> Iterator[tuple[int, slice, np.ndarray, np.ndarray]]:
    """Yield the interaction values of every class, some rows at a time.

    Missing values are exact. Trees of more than three levels are left to XGBoost, with a notice: it
    takes hundreds of times as long.

    Parameters
    ----------
    booster : Booster
        Of trees, fitted to as many columns.
    X : ndarray (rows, columns)
        NaN where missing.
    unit : ndarray (columns,)
        Numbers, from 0, of what the values are summed over: ``arange(columns)`` for the values of
        single columns.

    Yields
    ------
    margin : int
        The class, 0 where the model has one margin only.
    rows : slice
    pair : ndarray (pairs,)
        Numbers (see `pair_number`) of the pairs that meet in any tree, rising.
    values : ndarray (pairs, rows)
        Of (i, j); (j, i) has the same. Pairs not named have 0. The number of a unit with itself has
        the sum over its pairs of columns, each once; main effects are in none.

    Raises
    ------
    DataError
        See `read_trees`.
    """
    unit = np.asarray(unit)
    trees = read_trees(booster)
    if trees is None:
        log.warning(
            "Trees have more than %d levels; interactions come from XGBoost, which takes hundreds "
            "of times as long as the closed form for shallow ones.",
            LEVELS,
        )
        yield from _slowly(booster, X, unit)
        return
    for margin, of_class in enumerate(trees):
        for rows, pair, values in _closed_form(of_class, X, unit):
            yield margin, rows, pair, values


def _blocks(rows: int, bytes_per_row: int) -> Iterator[slice]:
    at_once = int(np.clip(BUFFER / max(1, bytes_per_row), 1, ROWS))
    for start in range(0, rows, at_once):
        yield slice(start, min(start + at_once, rows))


def _closed_form(
    trees: Trees, X: np.ndarray, unit: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    slots = pair_of_slots(trees, unit)
    pair, row = np.unique(slots[slots >= 0], return_inverse=True)
    target = np.full(slots.shape, -1, dtype=np.int64)
    target[slots >= 0] = row
    for rows in _blocks(len(X), 8 * len(pair)):
        values = np.zeros((len(pair), rows.stop - rows.start))
        columns = np.ascontiguousarray(X[rows].T, dtype=np.float32)
        add_trees(columns, *vars(trees).values(), target, values)
        yield rows, pair, values


def _slowly(
    booster: xgboost.Booster, X: np.ndarray, unit: np.ndarray
) -> Iterator[tuple[int, slice, np.ndarray, np.ndarray]]:
    first, second = np.tril_indices(X.shape[1], -1)
    number = pair_number(unit[first], unit[second])
    order = np.argsort(number, kind="stable")
    first, second = first[order], second[order]
    pair, start = np.unique(number[order], return_index=True)
    margins = booster.predict(xgboost.DMatrix(X[:1], nthread=1), output_margin=True).size
    for rows in _blocks(len(X), 4 * margins * (X.shape[1] + 1) ** 2):
        found = booster.predict(xgboost.DMatrix(X[rows], nthread=1), pred_interactions=True)
        found = found.reshape(-1, margins, *found.shape[-2:])
        for margin in range(margins):
            of_columns = found[:, margin, first, second].T.astype(np.float64)
            yield margin, rows, pair, np.add.reduceat(of_columns, start)
