"""How often SHAP values, pairs and hubs are found where there are none, over hundreds of birds.

Every test prints rows of the table in docs/validation.md; `make test-long` shows them.
"""

from dataclasses import replace

import numpy as np
import pytest
from test_calibration import LEVEL, accept

from neuro2voc.curves import Protocol
from neuro2voc.hubs import against_null, explain_bird, independent_null, shifted_null
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


def made(settings, seed, shifted=()):
    """A bird with what it is explained from."""
    bird, _, _ = simulate("bird", settings, seed)
    trials = make_trials(bird, **TRIALS)
    split = make_split("blocked", trials, bird.sessions, FOLDS, 0.5, seed)
    protocol = Protocol("lda", "blocked", 3, 100, seed, shifted, TRIALS, "premotor")
    return bird, trials, split, WINDOWS, protocol


def seeds_of(seed):
    return tuple(1000 * seed + number for number in range(REPLICATES))


def least_p(observed, null):
    return against_null(np.ravel(observed), null.reshape(len(null), -1))[1].min()


# The second: strongly tuned and in random order, so that what a window holds of the syllable before
# is shared by all units; fewer birds, since all of these would show a fault.
@pytest.mark.parametrize(
    ("what", "settings", "birds"),
    [
        ("additive", ADDITIVE, 200),
        ("strongly tuned additive", replace(ADDITIVE, tuning=8.0, stereotypy=0.0), 100),
    ],
)
def test_additive_birds_have_no_hubs(what, settings, birds):
    """Their units are tuned; nothing they say depends on what another says."""
    hubs, evidence, pairs = [], [], []
    first, second = np.tril_indices(settings.units, -1)
    for seed in range(birds):
        given = made(settings, seed)
        found, (null, _) = explain_bird(*given), independent_null(*given, seeds_of(seed))
        hubs.append(least_p(found.hub, null.absolute.sum(axis=2)))
        evidence.append(least_p(found.joint_evidence, null.evidence.sum(axis=2)))
        pairs.append(least_p(found.evidence[first, second], null.evidence[:, first, second]))
    accept(f"hubs: any of 12 {what} units by its hub score", np.array(hubs) <= LEVEL)
    accept(f"hubs: any of 12 {what} units by its evidence", np.array(evidence) <= LEVEL)
    accept(f"pairs: any of 66 {what} pairs by its evidence", np.array(pairs) <= LEVEL)


def test_units_that_know_nothing_speak_for_no_syllable():
    importance, cells = [], []
    for seed in range(200):
        given = made(replace(ADDITIVE, tuning=0.0), seed, seeds_of(seed))
        found, null = explain_bird(*given), shifted_null(*given)
        importance.append(least_p(found.importance, null.cells.mean(axis=1)))
        cells.append(least_p(found.cells, null.cells))
    accept("SHAP: any of 12 untuned units", np.array(importance) <= LEVEL)
    accept("SHAP: any of 48 cells of untuned units", np.array(cells) <= LEVEL)
