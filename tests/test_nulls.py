"""What surrogates score, as columns beside what birds score."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from neuro2voc.evaluation import p_value, smallest_effect
from neuro2voc.nulls import cell_beside_null, null_columns, table_beside_null

SCORES = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6).map(
    np.array
)


@given(SCORES, st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_each_row_has_the_null_of_its_own_column(null, scores):
    table = pd.DataFrame({"balanced_accuracy": scores, "chance": 0.1}, index=[4, 7, 9])
    beside = table_beside_null(table, null)
    for row, (_, found) in enumerate(beside.iterrows()):
        cell = cell_beside_null(table.iloc[row], null[:, row])
        assert cell.pop("smallest_effect") == pytest.approx(
            smallest_effect(null[:, row], 0.1), nan_ok=True
        )
        for name, value in cell.items():
            assert found[name] == pytest.approx(value)
        assert found["null_low"] == null[:, row].min()
        assert found["p"] == p_value(scores[row], null[:, row])
    assert list(beside.index) == [4, 7, 9]


def test_scores_that_a_surrogate_lacks_are_left_out():
    null = [[0.5, 0.2, np.nan], [0.1, np.nan, np.nan]]
    found = null_columns(null, "shifted")
    assert_allclose(found["shifted_mean"], [0.3, 0.2, np.nan])
    assert_allclose(found["shifted_low"], [0.1, 0.2, np.nan])
    assert_allclose(found["shifted_high"], [0.5, 0.2, np.nan])
    assert found["shifted_replicates"] == 2


def test_without_surrogates_nothing_stands_beside_a_decoding():
    assert cell_beside_null({"balanced_accuracy": 0.4, "chance": 0.2}, None) == {}
    assert cell_beside_null({"balanced_accuracy": 0.4, "chance": 0.2}, []) == {}
