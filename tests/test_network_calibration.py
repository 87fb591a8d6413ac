"""How often a network stands above its null where nothing is to be found."""

import numpy as np
import pytest
import torch
from test_calibration import FOLDS, SEEDS, TRIALS, WINDOWS, accept, untuned

from neuro2voc.binning import make_tensor, make_window
from neuro2voc.comparison import null_band
from neuro2voc.evaluation import p_value
from neuro2voc.features import features_maker
from neuro2voc.inclusion import inclusion_table
from neuro2voc.network_fit import NetworkSettings, decode_by_networks, network_fits
from neuro2voc.training import Schedule
from neuro2voc.trials import used_trials

pytestmark = pytest.mark.long

BIRDS = 100
SCHEDULE = Schedule(
    epochs=8, patience=2, batch=32, rate=0.01, decay=0.01, warmup=0.1, clip=1.0, device="cpu"
)


def network_p(seed):
    """The p-value of a small LSTM on a bird that knows nothing."""
    bird, trials, split, _ = untuned(seed)
    sizes = {"hidden": 16, "layers": 1, "dropout": 0.5}
    settings = NetworkSettings("lstm", sizes, SCHEDULE, "blocked", FOLDS - 1, seed)
    used = used_trials(trials)
    tensor = make_tensor(bird, used, make_window("onset", WINDOWS))
    metrics = decode_by_networks([tensor], ["onset"], used, split, settings, 10)[1]
    made = {"features": metrics}
    null = null_band(
        *(bird, inclusion_table(bird, {}), trials, split, None),
        *("shifted", [1000 * seed + number for number in SEEDS]),
        network_fits(settings, ["onset"], WINDOWS, made),
        *(features_maker(["onset"], WINDOWS), TRIALS),
    )
    return p_value(metrics["onset"]["balanced_accuracy"], null["balanced_accuracy"].to_numpy())


def test_a_network_seldom_stands_where_nothing_is():
    torch.set_num_threads(1)
    p = np.array([network_p(seed) for seed in range(BIRDS)])
    accept("lstm, window around the onset: p at most 0.05", p <= 0.05)
