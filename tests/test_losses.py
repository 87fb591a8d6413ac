"""The figure of networks' training says whether to believe it."""

import numpy as np
import pandas as pd
import pytest

from neuro2voc.figures.losses import draw_losses, lowest
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate

TRAINING = {name: {"epochs": 10, "patience": 3} for name in ("lstm", "gpt2")}


@pytest.fixture(scope="module")
def bird():
    return simulate("bird", Settings(units=4, pairs=0, sessions=1, bouts=4, audio_rate=0), 1)[0]


def losses(turn=5, level=1.0, decoder="lstm", feature="onset"):
    """Validation losses that fall to a level up to an epoch and rise again, of two folds."""
    rows = [
        (decoder, feature, fold, inner, epoch, 0.01, 2 / epoch, level + 0.1 * abs(epoch - turn))
        for fold in range(2)
        for inner in range(3)
        for epoch in range(1, min(turn + 3, 10) + 1)
    ]
    names = ["decoder", "feature", "fold", "inner", "epoch", "rate", "training", "validation"]
    return pd.DataFrame(rows, columns=names)


def metrics(low, decoder="lstm", feature="onset"):
    cell = {"balanced_accuracy": 0.5, "low": low, "high": 0.6, "chance": 0.25}
    cell |= {"n_trials": 80, "n_bouts": 9}
    return {"bird": "bird", "split": "blocked", "decoder": decoder, "features": {feature: cell}}


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)


def draw(bird, turn=5, level=1.0, low=0.4):
    return draw_losses(losses(turn, level), [metrics(low)], bird, TRAINING)


def test_the_lowest_loss_of_each_training_is_marked(bird):
    table = losses()
    assert (lowest(table)["epoch"] == 5).all() and len(lowest(table)) == 6
    figure = draw(bird)
    assert len(figure.axes) == 2
    for ax in figure.axes:
        dots = next(line for line in ax.lines if line.get_marker() == "o")
        np.testing.assert_array_equal(dots.get_xdata(), [5, 5, 5])
        chance = next(line for line in ax.lines if line.get_color() == "#000000")
        assert chance.get_ydata()[0] == pytest.approx(np.log(4))


def test_networks_have_a_row_each_with_scales_of_its_own(bird):
    """A loss four times as large neither shrinks the other row nor gets its name."""
    other = losses(turn=4, level=4.0, decoder="gpt2", feature="events")
    both = pd.concat([losses(), other])  # whose numbers repeat
    assert len(lowest(both)) == 12
    figure = draw_losses(both, [metrics(0.4, "gpt2", "events"), metrics(0.4)], bird, TRAINING)
    upper, lower = figure.axes[0], figure.axes[2]
    assert len(figure.axes) == 4
    assert upper.get_ylim()[1] < 3 < 4 < lower.get_ylim()[1]
    assert "lstm, onset: loss 1.00 on inner folds" in upper.texts[0].get_text()
    assert "gpt2, events: loss 4.00 on inner folds" in lower.texts[0].get_text()
    assert "decodes 0.50 (0.40 to 0.60)" in lower.texts[0].get_text()
    for ax, epoch in ((upper, 5), (lower, 4)):
        dots = next(line for line in ax.lines if line.get_marker() == "o")
        np.testing.assert_array_equal(dots.get_xdata(), [epoch] * 3)
    # Its losses never come below those of knowing nothing, so its score may be luck.
    assert "Yes: lstm." in words(figure) and "Not that one could tell: gpt2." in words(figure)


def test_the_headline_is_judged_by_the_fold_that_no_network_saw(bird):
    assert "Yes: lstm." in words(draw(bird))
    assert "Not that one could tell: lstm." in words(draw(bird, low=0.2))
    assert "Not that one could tell: lstm." in words(draw(bird, low=None))


def test_a_network_on_several_features_is_named_with_them(bird):
    both = pd.concat([losses(), losses(feature="offset")])
    content = metrics(0.4)
    content["features"] |= metrics(0.2, feature="offset")["features"]
    said = words(draw_losses(both, [content], bird, TRAINING))
    assert "Yes: lstm on onset." in said and "tell: lstm on offset." in said


def test_it_says_simulated_what_it_rests_on_and_when_epochs_ran_out(bird):
    early, late = words(draw(bird)), words(draw(bird, turn=10))
    assert "simulated" in early and "`training`" not in early
    assert "80 trials of 9 bouts, chance 0.25" in " ".join(early.split())
    assert "6 of 6 trainings were best in the last epoch allowed (lstm 6)" in late
