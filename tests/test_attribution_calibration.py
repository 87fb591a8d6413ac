"""How often SHAP values, pairs and hubs are found where there are none, over hundreds of birds.

Every test prints rows of the table in docs/validation.md; `make test-long` shows them.
"""

from dataclasses import replace

import numpy as np
import pytest
from test_calibration import LEVEL, accept

from neuro2voc.curves import Protocol
from neuro2voc.hubs import against_null, attribution_null, explain_bird
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials

pytestmark = pytest.mark.long

FOLDS = 3
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": FOLDS}
WINDOWS = {"premotor": {"align": "onset", "start": -0.05, "stop": 0.05, "bin": 0.1}}
ADDITIVE = Settings(syllable_types=3, units=12, pairs=0, sessions=2, bouts=8, audio_rate=0)
REPLICATES = 19


def judged(settings, seed, kind):
    """A bird's explanation and the null of one kind of surrogates."""
    bird, _, _ = simulate("bird", settings, seed)
    trials = make_trials(bird, **TRIALS)
    split = make_split("blocked", trials, bird.sessions, FOLDS, 0.5, seed)
    seeds = tuple(1000 * seed + number for number in range(REPLICATES))
    shifted, independent = (seeds, ()) if kind == "shifted" else ((), seeds)
    protocol = Protocol("lda", "blocked", 3, 100, seed, shifted, TRIALS, "premotor")
    given = (bird, trials, split, WINDOWS, protocol)
    return explain_bird(*given), getattr(attribution_null(*given, split, independent), kind)


def least_p(observed, null):
    return against_null(np.ravel(observed), null.reshape(len(null), -1))[1].min()


def test_additive_birds_have_no_hubs():
    """Their units are tuned; nothing they say depends on what another says."""
    hubs, evidence, pairs = [], [], []
    first, second = np.tril_indices(ADDITIVE.units, -1)
    for seed in range(200):
        found, null = judged(ADDITIVE, seed, "independent")
        hubs.append(least_p(found.hub, null.absolute.sum(axis=2)))
        evidence.append(least_p(found.joint_evidence, null.evidence.sum(axis=2)))
        pairs.append(least_p(found.evidence[first, second], null.evidence[:, first, second]))
    accept("hubs: any of 12 additive units by its hub score", np.array(hubs) <= LEVEL)
    accept("hubs: any of 12 additive units by its evidence", np.array(evidence) <= LEVEL)
    accept("pairs: any of 66 additive pairs by its evidence", np.array(pairs) <= LEVEL)


def test_units_that_know_nothing_speak_for_no_syllable():
    importance, cells = [], []
    for seed in range(200):
        found, null = judged(replace(ADDITIVE, tuning=0.0), seed, "shifted")
        importance.append(least_p(found.importance, null.cells.mean(axis=1)))
        cells.append(least_p(found.cells, null.cells))
    accept("SHAP: any of 12 untuned units", np.array(importance) <= LEVEL)
    accept("SHAP: any of 48 cells of untuned units", np.array(cells) <= LEVEL)
