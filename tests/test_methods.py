"""The methods paragraph says what was done, and nothing that was not."""

import platform
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

import neuro2voc
from neuro2voc import configuration
from neuro2voc.inclusion import inclusion_table
from neuro2voc.methods import methods_paragraph
from neuro2voc.recording import Binned
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.trials import make_trials

CONFIG = {
    "splits": ["blocked", "random"],
    "folds": 5,
    "inner_folds": 3,
    "guard": 0.5,
    "bout_gap": 0.5,
    "windows": {
        "onset": {"align": "onset", "start": -0.1, "stop": 0.1, "bin": 0.02},
        "moving": {"align": "offset", "start": -0.15, "stop": 0.05, "bin": 0.02, "step": 0.01},
    },
    "features": ["rate", "onset"],
    "decoders": ["logistic", "lda"],
    "null_band": {"surrogate": "shifted"},
    "replicates": 19,
    "bootstrap": 1000,
    "networks": {"decoders": ["lstm"], "features": ["onset"], "splits": ["blocked"]}
    | {"replicates": 19},
    "training": {"batch": 32, "rate": 0.01, "decay": 0.01, "patience": 6, "epochs": 40},
    "grid": {"before": [], "after": [], "smoothing": []},
    "tokens": {"window": "onset", "tick": 0.001},
    "sequences": {"schemes": ["events"]},
    "lstm": {},
    "gpt2": {"training": {"rate": 0.006}},
}


@pytest.fixture(scope="module")
def bird():
    settings = Settings(syllable_types=3, units=6, pairs=0, sessions=2, bouts=5, audio_rate=0)
    recording = simulate("bird", settings, 1)[0]
    return recording, make_trials(recording, 0.5, ["a", "b"], 3)


def compared(**changes):
    """Two cells of a comparison under each of two splits."""
    row = {"split": "blocked", "decoder": "lda", "feature": "onset", "balanced_accuracy": 0.7}
    row |= {"low": 0.65, "high": 0.75, "null_mean": 0.5, "p": 0.05, "duration": 0.61}
    row |= {"previous": 0.55, "smallest_effect": 0.04, "chance": 0.5, "n_trials": 80, "n_bouts": 10}
    rows = [row, row | {"feature": "rate", "balanced_accuracy": 0.9, "smallest_effect": 0.06}]
    rows += [r | {"split": "random", "balanced_accuracy": 0.99} for r in rows]
    return pd.DataFrame(rows).assign(**changes)


def write(bird, comparison, rules=None, **changes):
    recording, trials = bird
    table = inclusion_table(recording, rules or {})
    return methods_paragraph(recording, table, trials, comparison, CONFIG | changes)


def test_numbers_are_those_of_the_bird(bird):
    recording, trials = bird
    used = trials[trials["used"] == 1]
    text = write(bird, compared())
    spikes = sum(map(len, recording.units.spike_times))
    a, b = (int((used["label"] == name).sum()) for name in "ab")
    assert text.startswith("Simulated data (no animal): 6 units (")
    assert f"{spikes:,} spikes) were recorded in 2 sessions" in text
    assert f"Decoded were {len(used)} renditions of 2 syllables (a {a}, b {b})" in text
    aside = len(trials) - len(used)
    assert f"Of {len(trials)} labelled sounds {aside} were set aside (" in text
    assert f"scikit-learn {version('scikit-learn')}" in text


def test_results_stand_beside_what_they_have_to_be_seen_beside(bird):
    text = write(bird, compared())
    assert "onset, lda: 0.700 (0.650 to 0.750; null 0.500, p = 0.05; least rise 0.040)" in text
    rate = "rate, lda: 0.900 (0.650 to 0.750; null 0.500, p = 0.05; least rise 0.060; duration "
    assert f"{rate}alone 0.610)" in text
    # In the order of the configuration, not of the table.
    assert text.index("rate, lda") < text.index("onset, lda")
    assert "80 trials of 10 bouts gave (chance 0.500, previous syllable alone 0.550)" in text
    assert "above the null's mean" in text and "takes more wherever these lie higher" in text
    # What leaks is not what is quoted.
    assert "0.990" not in text
    assert "lets trials of one bout lie on both sides" in text


def test_sessions_are_folds_of_their_own(bird):
    text = write(bird, compared(), splits=["session"])
    assert "held out in turn as whole recording sessions. All fitted" in text
    text = write(bird, compared(), splits=["blocked", "session"], guard=0.5)
    assert "bouts, 5 folds, without 0.5 s around the boundaries; or whole recording ses" in text


def test_what_it_was_made_with_is_named(bird):
    text = write(bird, compared())
    assert f"neuro2voc {neuro2voc.__version__} on Python {platform.python_version()}, with" in text
    for name in ("numba", "pandas", "numpy"):
        assert f"{name} {version(name)}" in text


def test_windows_are_written_out(bird):
    text = write(bird, compared(), features=["onset", "moving"])
    assert "bins of 20 ms from -100 to 100 ms around the syllable's onset" in text
    assert "bins of 20 ms every 10 ms from -150 to 50 ms around the syllable's offset" in text
    assert "carry the syllable's duration" not in text
    assert "carry the syllable's duration" in write(bird, compared())


def test_what_was_dropped_is_said(bird):
    rates = inclusion_table(bird[0], {})["rate"]
    text = write(bird, compared(), {"minimum_rate": float(np.median(rates))})
    assert "3 were dropped (3 for " in text
    assert "3 units (" in text


def test_a_control_claims_no_null(bird):
    recording, trials = bird
    shifted = (replace(recording, surrogate="shifted", parent="bird"), trials)
    alone = compared(null_mean=np.nan, p=np.nan, smallest_effect=np.nan)
    text = write(shifted, alone)
    assert "surrogates (" not in text
    assert "p is the share" not in text
    assert "This bird is a control: a 'shifted' surrogate" in text


def test_activity_that_was_never_spikes_is_not_called_units(bird):
    recording, trials = bird
    stop = recording.sessions["stop_time"].max()
    values = np.ones((int(stop * 30) + 30, 2), dtype=np.float32)
    table = recording.units.table.iloc[:2].reset_index(drop=True)
    binned = Binned(values, 30.0, 0.0, table, additive=False)
    levels = replace(recording, units=binned)
    text = write((levels, trials), compared())
    assert "2 channels of binned activity (" in text
    assert "spikes)" not in text
    assert "()" not in text


def test_every_setting_of_the_configuration_has_words(bird):
    kinds = ("shifted", "shuffled", "poisson", "independent")
    for kind in kinds:
        assert "surrogates (" in write(bird, compared(), null_band={"surrogate": kind})
    for split in ("blocked", "random", "session"):
        assert write(bird, compared(), splits=[split])
    text = write(bird, compared(), decoders=list(configuration.DECODERS))
    assert text.count("; ") >= len(configuration.DECODERS) - 1


def test_networks_are_told_by_what_they_see_and_how_they_learnt(bird):
    text = write(bird, compared())
    assert "A recurrent network (LSTM) decoded spike counts in bins of 20 ms" in text
    assert "(lstm: steps of 32 trials, highest rate 0.01, weight decay 0.01" in text
    assert "tokens" not in text
    both = {**CONFIG["networks"], "decoders": ["lstm", "gpt2"]}
    grid = {"before": [0.05, 0.1], "after": [0.1], "smoothing": [0.02, 0.04]}
    text = write(bird, compared(), networks=both, grid=grid)
    assert "among 4 combinations by the first inner fold" in text
    assert "A transformer (GPT-2) decoded the spikes from -100 to 100 ms around the" in text
    assert "who fires and the gaps between, in time order; ticks of 1 ms" in text
    assert "gpt2: steps of 32 trials, highest rate 0.006" in text
    alone = {**both, "decoders": ["gpt2"]}
    assert "LSTM" not in write(bird, compared(), networks=alone)
    assert "AdamW" not in write(bird, compared(), networks={**both, "decoders": []})
