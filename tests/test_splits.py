"""Folds are intervals of time, made by a rule, and everything inherits its fold from the clock."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.errors import DataError
from neuro2voc.splits import (
    COLUMNS,
    NONE,
    contiguous_blocks,
    folds_of,
    inner_folds,
    make_split,
)

FOLDS, GUARD, GAP = 4, 0.5, 0.5


def make_song(sizes, seed, sessions=2, pause=(0.51, 3.0)):
    """A trial table with bouts of these sizes, and its sessions; some trials are not used."""
    rng = np.random.default_rng(seed)
    rows, bounds, now = [], [], 0.0
    for session, bouts in enumerate(np.array_split(np.arange(len(sizes)), sessions)):
        first = now
        for bout in bouts:
            now += rng.uniform(*pause)
            for _ in range(sizes[bout]):
                now += rng.uniform(0.005, 0.3)
                stop = now + rng.uniform(0.03, 0.25)
                rows.append((f"s{session}", bout, now, stop))
                now = stop
        now += rng.uniform(0, 1.0)
        bounds.append((f"s{session}", first, now))
    trials = pd.DataFrame(rows, columns=["session", "bout", "onset", "offset"])
    trials.insert(0, "trial", np.arange(len(trials)))
    trials["label"] = rng.choice(list("abc"), len(trials))
    trials["used"] = (rng.random(len(trials)) < 0.9).astype(int)
    trials.loc[trials.groupby("bout").head(1).index, "used"] = 1
    return trials, pd.DataFrame(bounds, columns=["session", "start_time", "stop_time"])


def fold_of(split, trials):
    return folds_of(split, trials["onset"].to_numpy(), trials["offset"].to_numpy())


def assert_sorted_and_disjoint(split):
    assert list(split.columns) == list(COLUMNS)
    assert (split["stop"] >= split["start"]).all()
    assert (split["start"].to_numpy()[1:] >= split["stop"].to_numpy()[:-1]).all()
    assert ((split["fold"] == NONE) == (split["guard"] == 1)).all()


sizes = st.lists(st.integers(1, 12), min_size=FOLDS, max_size=20)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(sizes, st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.5, 2.0, 30.0]))
def test_blocked_holds_out_whole_bouts_in_contiguous_blocks(sizes, seed, guard):
    trials, sessions = make_song(sizes, seed)
    try:
        split = make_split("blocked", trials, sessions, FOLDS, guard, seed)
    except DataError as error:  # said, not silently left out: the pauses hold guards up to 0.5 s
        assert guard > 0.5 and "leaves no trial in fold" in str(error)
        return
    assert_sorted_and_disjoint(split)
    assert sorted(split.loc[split["guard"] == 0, "fold"]) == list(range(FOLDS))
    used = trials[trials["used"] == 1]
    fold = fold_of(split, used)
    held = fold != NONE
    assert (np.diff(fold[held]) >= 0).all()
    assert (pd.Series(fold[held]).groupby(used["bout"].to_numpy()[held]).nunique() == 1).all()
    # What belongs to no fold lies at least partly in a guard.
    guards = split[split["guard"] == 1]
    for trial in used[~held].itertuples():
        assert ((guards["start"] < trial.offset) & (guards["stop"] > trial.onset)).any()
    if guard <= 0.5:  # the pauses hold it, those between sessions as well
        assert held.all()
        assert set(fold) == set(range(FOLDS))


@settings(derandomize=True, max_examples=100, deadline=None)
@given(sizes, st.integers(0, 10**6))
def test_windows_of_a_quarter_second_never_touch_a_trial_of_another_fold(sizes, seed):
    # Pauses between sessions are not asked to be long: there trials fall into the guard instead.
    trials, sessions = make_song(sizes, seed, sessions=3, pause=(0.0, 1.5))
    silence = trials["onset"].to_numpy()[1:] - trials["offset"].to_numpy()[:-1]
    session = trials["session"].to_numpy()
    trials["bout"] = np.cumsum(np.r_[True, (silence > GAP) | (session[1:] != session[:-1])]) - 1
    trials["used"] = 1
    if trials["bout"].nunique() < FOLDS:
        return
    try:
        split = make_split("blocked", trials, sessions, FOLDS, GUARD, seed)
    except DataError as error:  # a block of one short bout between sessions that touch
        assert "leaves no trial in fold" in str(error)
        return
    fold = fold_of(split, trials)
    onset, offset = trials["onset"].to_numpy(), trials["offset"].to_numpy()
    for i in np.flatnonzero(fold != NONE):
        near = (offset > onset[i] - GUARD / 2) & (onset < offset[i] + GUARD / 2)
        assert set(fold[near]) <= {fold[i], NONE}


def test_blocked_is_balanced():
    trials, sessions = make_song([7] * 40, 1)
    trials["used"] = 1
    counts = np.bincount(fold_of(make_split("blocked", trials, sessions, 5, 0.5, 1), trials))
    assert counts.tolist() == [56] * 5


def test_a_boundary_lies_in_the_middle_of_the_silence_and_its_guard_around_it():
    trials = pd.DataFrame(
        {
            "session": "s",
            "bout": [0, 1, 2],
            "onset": [1.0, 3.0, 6.0],
            "offset": [2.0, 4.0, 7.0],
            "label": list("aab"),
            "used": 1,
        }
    )
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [9.0]})
    split = make_split("blocked", trials, sessions, 3, 0.5, 0)
    assert split.to_numpy().tolist() == [
        [0.0, 2.25, 0, 0],
        [2.25, 2.75, NONE, 1],
        [2.75, 4.75, 1, 0],
        [4.75, 5.25, NONE, 1],
        [5.25, 9.0, 2, 0],
    ]


def test_session_holds_out_one_session_at_a_time():
    trials, sessions = make_song([5] * 9, 3, sessions=3)
    split = make_split("session", trials, sessions, 5, GUARD, 0)
    assert_sorted_and_disjoint(split)
    assert (fold_of(split, trials) == trials["session"].str[1:].astype(int)).all()
    # A session without a trial that is used is no fold.
    trials.loc[trials["session"] == "s1", "used"] = 0
    split = make_split("session", trials, sessions, 5, GUARD, 0)
    used = trials[trials["used"] == 1]
    assert (fold_of(split, used) == used["session"].map({"s0": 0, "s2": 1})).all()


def test_random_parts_used_trials_evenly_by_class_and_follows_its_seed():
    trials, sessions = make_song([9] * 12, 4)
    used = trials[trials["used"] == 1]
    split = make_split("random", trials, sessions, FOLDS, GUARD, 7)
    assert_sorted_and_disjoint(split)
    fold = fold_of(split, used)
    assert len(split) == len(used)
    assert (fold != NONE).all()
    table = pd.crosstab(used["label"].to_numpy(), fold)
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    pd.testing.assert_frame_equal(split, make_split("random", trials, sessions, FOLDS, GUARD, 7))
    other = fold_of(make_split("random", trials, sessions, FOLDS, GUARD, 8), used)
    assert (other != fold).any()
    assert (fold_of(split, trials)[trials["used"] == 0] == NONE).all()


def test_fewer_bouts_than_folds_or_one_session_end_in_a_sentence():
    trials, sessions = make_song([5, 5, 5], 5, sessions=1)
    with pytest.raises(DataError, match="finch: 3 bouts hold trials, fewer than 4 folds"):
        make_split("blocked", trials, sessions, 4, GUARD, 0, "finch")
    with pytest.raises(DataError, match="finch: .* only 1 holds trials; leave 'session' out"):
        make_split("session", trials, sessions, 4, GUARD, 0, "finch")


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.data())
def test_contiguous_blocks_are_whole_bouts_in_order_and_none_is_empty(counts, data):
    blocks = data.draw(st.integers(1, len(counts)))
    names = np.cumsum(data.draw(st.lists(st.integers(1, 3), min_size=len(counts), max_size=60)))
    bouts = np.repeat(names[: len(counts)], counts)
    block = contiguous_blocks(bouts, blocks)
    assert set(block) == set(range(blocks))
    assert (np.diff(block) >= 0).all()
    assert (pd.Series(block).groupby(bouts).nunique() == 1).all()


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=12, max_size=40), st.integers(2, 4))
def test_contiguous_blocks_are_no_further_from_balance_than_a_bout(counts, blocks):
    block = contiguous_blocks(np.repeat(np.arange(len(counts)), counts), blocks)
    ideal = sum(counts) / blocks
    # Both boundaries of a block lie within half a bout of their ideal places.
    assert np.abs(np.bincount(block) - ideal).max() <= max(counts)


# Intervals and stretches on a grid of quarter seconds, so that edges coincide.
edges = st.lists(st.integers(0, 40), min_size=2, max_size=14, unique=True).map(sorted)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(edges, st.data())
def test_folds_of_agrees_with_brute_force(edges, data):
    rows = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        kind = data.draw(st.sampled_from(["fold", "guard", "hole"]))
        if kind != "hole":
            guard = int(kind == "guard")
            rows.append((start / 4, stop / 4, NONE if guard else len(rows), guard))
    split = pd.DataFrame(rows, columns=list(COLUMNS))
    if not rows:
        return
    stretches = data.draw(
        st.lists(st.tuples(st.integers(-4, 44), st.integers(1, 12)), min_size=1, max_size=20)
    )
    onset = np.array([start / 4 for start, _ in stretches])
    offset = onset + np.array([length / 4 for _, length in stretches])
    expected = []
    for a, b in zip(onset, offset, strict=True):
        within = [r for r in rows if r[0] <= a and b <= r[1] and not r[3]]
        expected.append(within[0][2] if within else NONE)
    assert folds_of(split, onset, offset).tolist() == expected


def test_a_trial_across_a_boundary_belongs_to_none():
    split = pd.DataFrame([(0.0, 1.0, 0, 0), (1.0, 2.0, 1, 0)], columns=list(COLUMNS))
    onset = np.array([0.9, 0.9, 1.0, 1.9, -0.1])
    offset = np.array([1.0, 1.1, 1.1, 2.1, 0.1])
    assert folds_of(split, onset, offset).tolist() == [0, NONE, 1, NONE, NONE]


def assert_partition(parts, n):
    for train, test in parts:
        assert len(train) and len(test)
        assert sorted([*train, *test]) == list(range(n))
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(n))


@pytest.mark.parametrize("split", ["blocked", "session"])
def test_inner_folds_are_made_like_the_outer_ones(split):
    trials, _ = make_song([6] * 15, 6, sessions=3)
    for train, test in (parts := inner_folds(split, trials, 4, 0)):
        held = trials.iloc[test]
        assert set(held["bout"]).isdisjoint(trials.iloc[train]["bout"])
        if split == "session":
            assert set(held["session"]).isdisjoint(trials.iloc[train]["session"])
        assert (np.diff(test) == 1).all()
    assert len(parts) == (3 if split == "session" else 4)
    assert_partition(parts, len(trials))


def test_inner_folds_fall_back_from_sessions_to_bouts_to_trials():
    trials, _ = make_song([6] * 5, 7, sessions=1)
    parts = inner_folds("session", trials, 3, 0)
    assert len(parts) == 3
    assert_partition(parts, len(trials))
    for train, test in parts:
        assert set(trials["bout"].iloc[test]).isdisjoint(trials["bout"].iloc[train])
    # Fewer bouts than folds: as many folds as bouts.
    assert len(inner_folds("blocked", trials[trials["bout"] < 2], 3, 0)) == 2
    one = trials[trials["bout"] == 0].assign(label=list("aaabbb"))
    parts = inner_folds("session", one, 3, 0)
    assert_partition(parts, 6)
    for _, test in parts:
        assert sorted(one["label"].iloc[test]) == ["a", "b"]


def test_random_inner_folds_follow_their_seed_and_the_smallest_class():
    trials, _ = make_song([10] * 6, 8)
    trials["label"] = ["a", "b"] * 30
    first, again, other = (inner_folds("random", trials, 3, seed) for seed in (1, 1, 2))
    assert_partition(first, 60)
    assert all((a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(first, other, strict=True))
    rare = trials.assign(label=["b"] * 2 + ["a"] * 58)
    assert len(inner_folds("random", rare, 5, 0)) == 2
