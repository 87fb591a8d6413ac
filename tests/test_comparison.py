"""What the comparison says of the song's order."""

import pandas as pd
import pytest

from neuro2voc.comparison import beside_company
from neuro2voc.figures.comparison import verdict

CELL = {
    "split": "blocked",
    "decoder": "lda",
    "feature": "onset",
    "balanced_accuracy": 0.7,
    "low": 0.65,
    "p": 0.05,
    "null_high": 0.2,
    "duration": 0.3,
    "previous": 0.9,
    "chance": 0.25,
}


def company(**changes):
    row = {"feature": "onset", "training": "other company", "balanced_accuracy": 0.6}
    row |= {"chance": 0.25, "n_trials": 80, "verdict": "stands"} | changes
    return pd.DataFrame([row, row | {"training": "usual", "verdict": ""}])


def judged(changes=None, split="blocked", **cell):
    table = pd.DataFrame([CELL | cell])
    return beside_company(table, company(**(changes or {})), split).iloc[0]


def test_order_is_ruled_out_where_all_syllables_hold_in_other_company():
    assert verdict(pd.Series(CELL)) == "order"
    assert verdict(judged()) == "stands"


@pytest.mark.parametrize(
    ("changes", "split"),
    [
        ({"chance": 0.5}, "blocked"),  # two of four syllables took part
        ({"verdict": "duration"}, "blocked"),
        ({}, "random"),  # trials were held out in another way
    ],
)
def test_order_is_not_ruled_out_by_less(changes, split):
    assert verdict(judged(changes, split)) == "order"


def test_the_control_stands_beside_decoders_only():
    row = judged()
    assert row["other_company"] == 0.6
    assert row["other_company_trials"] == 80
    assert pd.isna(judged(decoder="previous")["other_company"])
    empty = beside_company(pd.DataFrame([CELL]), pd.DataFrame(columns=["feature"]), "blocked")
    assert "other_company" not in empty
