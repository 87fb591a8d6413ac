"""How often networks stand above their nulls where nothing is to be found."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_calibration import FOLDS, SEEDS, TRIALS, WINDOWS, accept, untuned

from neuro2voc.binning import make_tensor, make_window
from neuro2voc.comparison import null_band
from neuro2voc.configuration import SEQUENCES
from neuro2voc.evaluation import p_value
from neuro2voc.inclusion import inclusion_table
from neuro2voc.network_fit import decode_by_networks
from neuro2voc.network_null import network_null
from neuro2voc.network_training import network_settings
from neuro2voc.sequence_fit import (
    corpora_maker,
    decode_by_sequences,
    reading_settings,
    sequence_settings,
)
from neuro2voc.trials import used_trials

pytestmark = pytest.mark.long

BIRDS = 100
TRAINING = {"epochs": 8, "patience": 2, "batch": 32, "rate": 0.01, "decay": 0.01, "warmup": 0.1}
TRAINING |= {"clip": 1.0, "device": "cpu"}
STATE_SPACE = {"state": 8, "head": 16, "expand": 2, "conv": 4, "chunk": 64}
ON_TOKENS = {"width": 16, "dropout": 0.5, "thin": 0.5}
# Sizes and members of small ones.
NETWORKS = {
    "lstm": ({"hidden": 16, "layers": 1, "dropout": 0.5}, 0),
    "eegnet": ({"filters": 4, "depth": 2, "kernel": 3, "steps": 5, "dropout": 0.35}, 0),
    "gpt2": ({**ON_TOKENS, "layers": 1, "heads": 2, "checkpoint": ""}, 1),
    "mamba2": ({**ON_TOKENS, **STATE_SPACE, "layers": 1}, 1),
    "hybrid": ({**ON_TOKENS, **STATE_SPACE, "pattern": "ma", "heads": 2}, 1),
}
TOKENS = {"window": "onset", "tick": 0.002, "aggregate": 0.01}
READING = {"schemes": ["events"], "vocabulary": 0, "clock": 0.04, "context": 1024}


def network_p(kind, seed):
    """The p-value of a small network on a bird that knows nothing."""
    sizes, members = NETWORKS[kind]
    job = SimpleNamespace(
        sizes=sizes,
        training={**TRAINING, "members": members},
        inner_folds=FOLDS - 1,
        seed=seed,
        checkpoints=None,
        code="",
        windows=WINDOWS,
        tokens=TOKENS,
        reading=READING,
    )
    bird, trials, split, _ = untuned(seed)
    used = used_trials(trials)
    if kind in SEQUENCES:
        corpora = corpora_maker(["events"], TOKENS, WINDOWS)(bird, used)
        how = sequence_settings(kind, "blocked", job), reading_settings(READING)
        metrics = decode_by_sequences(corpora, used, split, *how, 10)[1]
    else:
        tensor = make_tensor(bird, used, make_window("onset", WINDOWS))
        how = network_settings(kind, "blocked", job)
        metrics = decode_by_networks([tensor], ["onset"], used, split, how, 10)[1]
    null = null_band(
        *(bird, inclusion_table(bird, {}), trials, split, None),
        *("shifted", [1000 * seed + number for number in SEEDS]),
        *network_null(kind, "blocked", job, {"features": metrics}),
        TRIALS,
    )
    (score,) = (cell["balanced_accuracy"] for cell in metrics.values())
    return p_value(score, null["balanced_accuracy"].to_numpy())


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_seldom_stands_where_nothing_is(kind):
    torch.set_num_threads(1)
    p = np.array([network_p(kind, seed) for seed in range(BIRDS)])
    accept(f"{kind}, window around the onset: p at most 0.05", p <= 0.05)
