"""Independent copies of a bird: what they keep and what they destroy."""

import numpy as np
import pandas as pd
import pytest

from neuro2voc.hubs import exchangeable, independent_copy


def test_trials_change_places_within_syllable_session_fold_and_preceding_syllable():
    rng = np.random.default_rng(0)
    n = 400
    used = pd.DataFrame(
        {
            "label": rng.choice(list("ab"), n),
            "session": rng.choice(["s1", "s2"], n),
            "previous": rng.choice(["", "a", "b", "c"], n, p=[0.5, 0.3, 0.19, 0.01]),
        }
    )
    fold = rng.integers(-1, 2, n)
    group = exchangeable(used, fold)
    parts = used.assign(fold=fold, group=group)
    assert (parts.groupby("group")[["label", "session", "fold"]].nunique() == 1).all().all()
    size = parts.groupby(["label", "session", "fold", "previous"])["group"].transform("size")
    common, rare = parts[size >= 5], parts[size < 5]
    assert len(common) and len(rare)
    assert (common.groupby("group")["previous"].nunique() == 1).all()
    assert not set(common["group"]) & set(rare["group"])
    assert (rare.groupby(["label", "session", "fold"])["group"].nunique() == 1).all()


@pytest.mark.parametrize("shape", [(3, 1), (3, 4), (1, 5)])
def test_copies_keep_each_player_and_part_players_from_each_other(shape):
    rng = np.random.default_rng(1)
    n = 60
    X = np.arange(n, dtype=float)[:, None, None] + np.zeros((n, *shape))
    X[rng.random((n, shape[0])) < 0.2] = np.nan
    group = np.repeat([0, 1, 2], 20)
    copy = independent_copy(X, group, rng)
    assert copy.shape == X.shape
    np.testing.assert_array_equal(np.isnan(copy), np.isnan(X))
    players = copy if shape[0] > 1 else copy.swapaxes(1, 2)
    known = np.nan_to_num(players, nan=-1.0)
    assert (known == known[:, :, :1]).all()  # a player's columns stay together
    for part in np.unique(group):
        rows = group == part
        np.testing.assert_array_equal(np.sort(copy[rows], axis=0), np.sort(X[rows], axis=0))
    one, other = known[:, 0, 0], known[:, 1, 0]
    both = (one >= 0) & (other >= 0)
    assert (one[both] == other[both]).mean() < 0.3
    np.testing.assert_array_equal(X, np.where(np.isnan(X), X, np.arange(n)[:, None, None]))


def test_what_stays_together_is_one_in_the_size_of_a_group():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(6), [1, 2, 5, 10, 20, 40])
    X = np.zeros((len(group), 2, 1)) + np.arange(len(group))[:, None, None]
    same = []
    for _ in range(400):
        copy = independent_copy(X, group, rng)
        same.append((copy[:, 0] == copy[:, 1]).mean())
    assert np.mean(same) == pytest.approx(6 / len(group), abs=0.01)
