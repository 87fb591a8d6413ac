"""The demo's bird at full size: what it was set to show."""

from pathlib import Path

import yaml

from neuro2voc.binning import make_tensor, make_window
from neuro2voc.configuration import derive_seed
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import decode, tuned_fit
from neuro2voc.features import feature_matrix
from neuro2voc.sources.oracle import consult
from neuro2voc.sources.settings import bird_settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials, used_trials

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())


def test_a_decoder_reaches_nine_tenths_of_what_can_be_reached():
    """Under whole bouts held out, from the window around the onset, tuned on inner folds."""
    seed = derive_seed(CONFIG["seed"], "simulate", "bird1~None~1")
    settings = bird_settings(CONFIG["simulated"]["bird1"], "bird1")
    bird, truth, _ = simulate("bird1", settings, seed)
    trials = make_trials(bird, CONFIG["bout_gap"], [], CONFIG["folds"])
    used = used_trials(trials)
    split = make_split("blocked", trials, bird.sessions, CONFIG["folds"], CONFIG["guard"], 0)
    tensor = make_tensor(bird, used, make_window("onset", CONFIG["windows"]))
    model, grid = make_decoder("logistic", 0)
    _, decoded = decode(
        {"onset": feature_matrix("onset", tensor)},
        used,
        split,
        lambda _: tuned_fit(model, grid, "blocked", CONFIG["inner_folds"], 0),
        100,
        0,
    )
    _, best = consult(truth, used, {"onset": tensor}, ["onset"], 100, 0)
    reached = decoded["onset"]["balanced_accuracy"] / best["onset"]["balanced_accuracy"]
    assert 0.9 <= reached <= 1
