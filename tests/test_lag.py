"""Which sign leads: birds whose units lead, follow, remember or know nothing."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from test_figures import check_legible, words

from neuro2voc.curves import Protocol
from neuro2voc.errors import DataError
from neuro2voc.figures.lag import draw_lag
from neuro2voc.files import write_json
from neuro2voc.lag import CONTEXT, lag_table, lag_window, which_leads
from neuro2voc.recording import Recording, Units
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials

LABELS = np.array(list("abcd"))
SETTINGS = {"reach": 0.12, "width": 0.03, "step": 0.03}
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 3}


def make_bird(follows, shift, bouts=20, syllables=10, seed=3, stereotypy=0.5):
    """A bird with two units per label, active as long as the label's syllable, moved by `shift` s.

    `follows` 0: each syllable's own label; 1: the label of the syllable before it; None: no label.
    """
    rng = np.random.default_rng(seed)
    onset, label, time = [], [], 1.0
    for _ in range(bouts):
        now = 0 if stereotypy == 1 else rng.integers(4)
        for _ in range(syllables):
            onset.append(time)
            label.append(now)
            now = (now + 1) % 4 if rng.random() < stereotypy else rng.integers(4)
            time += rng.uniform(0.14, 0.17)
        time += 1.0
    onset, label = np.array(onset), np.array(label)
    said = label if follows == 0 else np.r_[rng.integers(4), label[:-1]]
    trains = []
    for unit in range(8):
        active = onset[said == unit % 4] if follows is not None else onset[:0]
        evoked = (active[:, None] + shift + rng.uniform(0, 0.09, (len(active), 5))).ravel()
        noise = rng.uniform(0, time, rng.poisson(3 * time))
        trains.append(np.unique(np.r_[evoked, noise]))
    row = {"start_time": onset, "stop_time": onset + 0.09, "label": LABELS[label]}
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [time + 1]})
    table = pd.DataFrame(index=pd.Index(range(8), name="unit"))
    song = pd.DataFrame(row).assign(session="s")
    return Recording("bird", Units(tuple(trains), table), song, sessions, simulated=True)


@cache
def judged(follows, shift, stereotypy=0.5, null=19):
    bird = make_bird(follows, shift, stereotypy=stereotypy)
    trials = make_trials(bird, **TRIALS)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    protocol = Protocol("lda", "blocked", 3, 200, 1, tuple(range(null)), TRIALS)
    return bird, *lag_table(bird, trials, split, SETTINGS, protocol)


def test_units_that_precede_their_syllable_are_premotor():
    _, table, verdict = judged(0, -0.04)
    assert verdict["verdict"] == "premotor"
    assert verdict["difference_low"] > 0.05
    assert -0.06 <= verdict["peak"] <= 0.04
    # Long before the onset, nothing is known of the syllable but what the song's order tells.
    early = table[(table["align"] == "onset") & (table["start"] == -0.12)].set_index("control")
    assert early.loc["none", "p"] == 0.05
    assert early.loc["transition", "balanced_accuracy"] <= early.loc["transition", "null_high"]


def test_units_that_follow_their_syllable_are_auditory():
    _, _, verdict = judged(0, 0.04)
    assert verdict["verdict"] == "auditory"
    assert verdict["difference_high"] < -0.05
    assert verdict["peak"] > 0.02


def test_units_that_remember_the_syllable_before_are_not_premotor():
    """They fire exactly when premotor units would, and all trials together cannot tell them."""
    _, table, verdict = judged(1, -0.04)
    assert verdict["verdict"] != "premotor"
    assert verdict["before"] < 0
    late = table[(table["align"] == "onset") & (table["stop"] == 0)].set_index("control")
    assert late.loc["none", "balanced_accuracy"] > late.loc["none", "null_high"] + 0.1
    assert late.loc["transition", "balanced_accuracy"] < late.loc["transition", "null_mean"]


def test_a_bird_that_knows_nothing_is_at_chance():
    _, table, verdict = judged(None, 0.0)
    assert verdict["verdict"] == "neither"
    plain = table[table["control"] == "none"]
    assert abs(plain["balanced_accuracy"].mean() - 0.25) < 0.03
    assert (plain["chance"] == 0.25).all()


def test_every_window_is_where_it_is_said_to_be():
    _, table, _ = judged(None, 0.0)
    for align in CONTEXT:
        window = lag_window(align, SETTINGS)
        assert window.align == align
        rows = table[(table["align"] == align) & (table["control"] == "none")]
        np.testing.assert_allclose(rows["start"], np.arange(-0.12, 0.1, 0.03), atol=1e-12)
        np.testing.assert_allclose(rows["stop"] - rows["start"], 0.03, atol=1e-12)
    with pytest.raises(DataError, match="no window of 0.2 s lies within 0.1 s"):
        lag_window("onset", {"reach": 0.1, "width": 0.2, "step": 0.01})


def test_a_song_of_one_order_cannot_be_judged():
    bird, table, verdict = judged(0, -0.04, stereotypy=1.0, null=2)
    assert verdict == {"verdict": "unjudged"}
    left_out = table[table["control"] == "transition"]
    assert (left_out["n_trials"] == 0).all()
    assert left_out[["balanced_accuracy", "low", "p"]].isna().all(axis=None)
    assert "Cannot be judged" in words(draw_lag(table, verdict, bird, "blocked"))


def test_before_and_after_weigh_what_they_should():
    """By hand: before is 0.3 above its null, after 0.1, with no spread between bouts."""
    before, after = np.array([0.6, 0.6, 0.4, 0.4]), np.array([0.4, 0.4, 0.4, 0.4])
    scores = {("onset", "transition"): before, ("offset", "transition"): after}
    null = [{curve: np.full(4, 0.3 + d) for curve in scores} for d in np.linspace(-0.01, 0.01, 19)]
    resampled = {curve: np.tile(score, (10, 1)) for curve, score in scores.items()}
    settings = {"reach": 0.06, "width": 0.03, "step": 0.03}
    verdict = which_leads(scores, resampled, null, settings)
    assert verdict["before"] == pytest.approx(0.3)
    assert verdict["after"] == pytest.approx(0.1)
    assert verdict["difference_low"] == pytest.approx(0.2)
    assert verdict["before_p"] == 0.05
    assert verdict["peak"] == pytest.approx(-0.045)
    assert verdict["verdict"] == "premotor"


@pytest.mark.parametrize("case", [(0, -0.04), (0, 0.04), (None, 0.0)])
def test_the_figure_says_the_verdict(case, tmp_path):
    bird, table, verdict = judged(*case)
    figure = draw_lag(table, verdict, bird, "blocked")
    check_legible(figure)
    said = {"premotor": "Activity leads", "auditory": "Activity follows", "neither": "Neither sign"}
    assert said[verdict["verdict"]] in words(figure)
    assert "simulated" in words(figure)
    write_json(verdict, tmp_path / "verdict.json")
    assert json.loads((tmp_path / "verdict.json").read_text())["verdict"] == verdict["verdict"]
