"""Planted pairs: the birds that they are planted in, what is found, and its picture."""

import numpy as np
import pandas as pd
import pytest

from neuro2voc.curves import Protocol
from neuro2voc.figures.recovery import cells, draw_recovery
from neuro2voc.files import save_figure
from neuro2voc.hubs import Surrogates
from neuro2voc.recovery import NEEDED, REDUNDANT, compare, planted, recovery
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.subsets import unit_features
from neuro2voc.trials import make_trials, used_trials

BIRD = Settings(syllable_types=4, units=24, sessions=2)
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 3}
WINDOWS = {"premotor": {"align": "onset", "start": -0.05, "stop": 0.05, "bin": 0.1}}
PROTOCOL = Protocol("lda", "blocked", 2, 10, 1, (), TRIALS, "premotor")


def counts_of(settings, seed=3):
    bird, truth, _ = simulate("bird", settings, seed)
    used = used_trials(make_trials(bird, **TRIALS))
    return unit_features(bird, used, "premotor", WINDOWS)[..., 0], used, truth


def test_needed_pairs_alone_tell_alike_syllables_apart():
    X, used, truth = counts_of(planted(BIRD, NEEDED, 1, 1.0, 150))
    pair = truth.population.table["pair"].to_numpy()
    names = truth.repertoire.labels[-2:]
    one, other = (X[(used["label"] == name).to_numpy()] for name in names)
    gap = np.abs(one.mean(axis=0) - other.mean(axis=0))
    error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
    assert (gap < 4 * error).all()
    first, second = np.flatnonzero(pair == 0)
    agree = [np.corrcoef(part[:, first], part[:, second])[0, 1] for part in (one, other)]
    assert max(agree) > 0.2 and min(agree) < -0.2


def test_neither_order_nor_duration_tells_planted_syllables_apart():
    _, used, truth = counts_of(planted(BIRD, NEEDED, 1, 1.0, 150))
    duration = used["offset"] - used["onset"]
    means = duration[used["label"] != "i"].groupby(used["label"]).mean()
    assert np.ptp(means) < 0.002
    chosen = used[(used["previous"] != "i") & (used["previous"] != "") & (used["label"] != "i")]
    table = pd.crosstab(chosen["previous"], chosen["label"], normalize="index")
    assert table.max().max() < 0.35


def test_planted_pairs_are_found_where_they_are_needed_and_only_there():
    grid = {"synergy": [1.0], "bouts": [12], "pairs": 2, "repeats": 1, "replicates": 19}
    table = recovery(BIRD, grid, WINDOWS, PROTOCOL).set_index("kind")
    needed, redundant = table.loc[NEEDED], table.loc[REDUNDANT]
    assert needed["planted"] == redundant["planted"] == 2
    assert needed["right"] == 2 and needed["found"] <= 3  # each bird may have a false one in 5 %
    assert needed["gain"] > 0.1 > 0.02 > abs(redundant["gain"])
    assert redundant["right"] == 0 and redundant["balanced_accuracy"] > 0.9


class Scores:
    """What `compare` reads of an explanation."""

    def __init__(self, evidence):
        self.evidence, self.joint_evidence = evidence, evidence.sum(axis=1)
        self.hub = np.abs(evidence).sum(axis=1)


def test_finds_are_counted():
    rng = np.random.default_rng(1)
    raised = np.zeros((6, 6))
    for i, j in [(0, 2), (1, 5)]:
        raised[[i, j], [j, i]] = 5
    squares = rng.normal(size=(19, 6, 6)) * 0.01
    squares = (squares + squares.swapaxes(1, 2)) * (1 - np.eye(6))
    null = Surrogates(np.arange(19), squares, np.abs(squares), squares)
    found = compare(Scores(raised), null, np.array([0, -1, 0, 1, 1, -1]))
    assert (found["planted"], found["found"], found["right"]) == (2, 2, 1)
    assert (found["units_planted"], found["units_found"], found["units_right"]) == (4, 4, 2)
    assert (found["hubs_found"], found["hubs_right"]) == (4, 2)


def table_of(kind, synergy, bouts, found, right, gain):
    row = {"kind": kind, "synergy": synergy, "bouts": bouts, "repeat": 1, "trials": 20 * bouts}
    row |= {"planted": 5, "found": found, "right": right, "gain": gain}
    row |= {"units_found": 2 * found, "units_right": 2 * right}
    return row | {"oracle": 0.4 + gain, "oracle_without": 0.4}


TABLE = pd.DataFrame(
    [
        table_of(NEEDED, 0.5, 4, 0, 0, 0.05),
        table_of(NEEDED, 0.5, 8, 2, 1, 0.2),
        table_of(NEEDED, 1.0, 4, 4, 4, 0.4),
        table_of(NEEDED, 1.0, 8, 5, 5, 0.5),
        table_of(REDUNDANT, 1.0, 4, 0, 0, 0.0),
        table_of(REDUNDANT, 1.0, 8, 1, 0, 0.0),
    ]
)


def test_cells_have_recall_and_precision():
    rows = cells(pd.concat([TABLE, TABLE])).set_index(["kind", "synergy", "bouts"])
    assert rows.loc[(NEEDED, 0.5, 8), ["recall", "precision"]].tolist() == [0.2, 0.5]
    assert rows.loc[(NEEDED, 0.5, 4), "recall"] == 0
    assert np.isnan(rows.loc[(NEEDED, 0.5, 4), "precision"])
    assert (rows["birds"] == 2).all() and rows.loc[(NEEDED, 1.0, 4), "planted"] == 10


def test_the_picture_says_what_the_table_holds(tmp_path):
    figure = draw_recovery(TABLE, "bird1", "premotor")
    words = " ".join(text.get_text() for text in figure.texts)
    assert "in 2 of 3 cells (fewest trials: 80, synergy 1)" in words
    assert "none of 10 is found" in words and "simulated" in words
    assert "Never planted: 2 of 12 found pairs, 4 of 24 hubs." in words
    save_figure(figure, tmp_path / "a.png")
    save_figure(draw_recovery(TABLE, "bird1", "premotor"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("kind", [NEEDED, REDUNDANT])
def test_birds_with_a_preset_are_taken_without_it(kind):
    settings = planted(Settings(preset="thesis"), kind, 3, 0.5, 4)
    assert settings.preset == "" and settings.pairs == 3 and settings.bouts == 4
