"""The figure of a network's training says whether to believe it."""

import numpy as np
import pandas as pd
import pytest

from neuro2voc.figures.losses import draw_losses, lowest
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate

TRAINING = {"epochs": 10, "patience": 3}


@pytest.fixture(scope="module")
def bird():
    return simulate("bird", Settings(units=4, pairs=0, sessions=1, bouts=4, audio_rate=0), 1)[0]


def losses(turn=5):
    """Validation losses that fall up to an epoch and rise again, of two folds."""
    rows = [
        ("onset", fold, inner, epoch, 0.01, 2.0 / epoch, 1 + 0.1 * abs(epoch - turn))
        for fold in range(2)
        for inner in range(3)
        for epoch in range(1, min(turn + TRAINING["patience"], TRAINING["epochs"]) + 1)
    ]
    names = ["feature", "fold", "inner", "epoch", "rate", "training", "validation"]
    return pd.DataFrame(rows, columns=names)


def metrics(low):
    cell = {"balanced_accuracy": 0.5, "low": low, "high": 0.6, "chance": 0.25}
    return {"bird": "bird", "split": "blocked", "decoder": "lstm", "features": {"onset": cell}}


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)


def test_the_lowest_loss_of_each_training_is_marked(bird):
    table = losses()
    assert (lowest(table)["epoch"] == 5).all() and len(lowest(table)) == 6
    figure = draw_losses(table, metrics(0.4), bird, TRAINING)
    assert len(figure.axes) == 2
    for ax in figure.axes:
        dots = next(line for line in ax.lines if line.get_marker() == "o")
        np.testing.assert_array_equal(dots.get_xdata(), [5, 5, 5])
        chance = next(line for line in ax.lines if line.get_color() == "#000000")
        assert chance.get_ydata()[0] == pytest.approx(np.log(4))


def test_the_headline_is_judged_by_the_fold_that_no_network_saw(bird):
    assert "Yes (onset)" in words(draw_losses(losses(), metrics(0.4), bird, TRAINING))
    assert "Not that one could tell" in words(draw_losses(losses(), metrics(0.2), bird, TRAINING))


def test_it_says_simulated_and_when_epochs_ran_out(bird):
    early = words(draw_losses(losses(), metrics(0.4), bird, TRAINING))
    late = words(draw_losses(losses(turn=10), metrics(0.4), bird, TRAINING))
    assert "simulated" in early and "`training.epochs`" not in early
    assert "6 of 6 trainings were best in the last epoch allowed" in late
