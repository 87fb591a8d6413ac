"""Integrated gradients of networks: exact where they are known, and planted units come first."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from test_figures import check_legible, words
from test_neurons import make_bird
from torch import nn

import neuro2voc.network_attribution as module
from neuro2voc.binning import Window, make_tensor
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.figures.network_attribution import draw_network_attribution
from neuro2voc.files import save_figure
from neuro2voc.grid import Cell
from neuro2voc.network_attribution import (
    NetworkAttribution,
    attribute,
    attribution_tables,
    planted_units,
    relative_margins,
    rotated,
)
from neuro2voc.network_decoder import NetworkDecoder, Standardised
from neuro2voc.network_fit import decode_by_networks
from neuro2voc.network_training import NetworkSettings
from neuro2voc.networks.lstm import LSTM
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.training import Schedule
from neuro2voc.trials import make_trials, used_trials

UNITS, BINS, CLASSES = 3, 4, 3
ABOUT = {"decoder": "lstm", "split": "blocked", "feature": "onset"}
SCHEDULE = Schedule(
    epochs=15, patience=5, batch=16, rate=0.02, decay=0.01, warmup=0.1, clip=1.0, device="cpu"
)
SETTINGS = NetworkSettings(
    "lstm", {"hidden": 16, "layers": 1, "dropout": 0.2}, SCHEDULE, "blocked", 2, 3
)


class Linear(nn.Module):
    """Margins that are sums of weights times activity."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=torch.float32))

    def forward(self, x):
        return torch.einsum("nbu,kbu->nk", x, self.weight)


def linear(seed):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(CLASSES, BINS, UNITS))
    mean, scale = rng.normal(size=UNITS), rng.uniform(0.5, 2, UNITS)
    return weight, mean, scale, Standardised(Linear(weight), Cell(0, BINS, 1), mean, scale).eval()


def relative(values):
    """Values (trials, classes, ...), each less the mean of the others."""
    others = values.sum(axis=1, keepdims=True) - values
    return values - others / (values.shape[1] - 1)


def test_attributions_of_linear_networks_are_weights_times_distance():
    rng = np.random.default_rng(0)
    x = rng.poisson(2, (5, BINS, UNITS)).astype(np.float32)
    x[1, :, 2] = np.nan
    made = [linear(seed) for seed in (1, 2)]
    decoder = NetworkDecoder(np.array(list("abc")), tuple(one[3] for one in made), BINS)
    values, error = relative_margins(decoder, torch.as_tensor(x))
    each = [weight * np.nan_to_num((x - mean) / scale)[:, None] for weight, mean, scale, _ in made]
    expected = relative(np.mean(each, axis=0)).swapaxes(2, 3)
    assert_allclose(values, expected, atol=1e-5)
    assert np.all(values[1, :, 2] == 0)
    assert error < 1e-5


def test_attributions_add_up_to_the_margins():
    torch.manual_seed(0)
    network = LSTM(units=UNITS, classes=CLASSES, hidden=8, layers=1, dropout=0.5)
    mean = np.array([1.0, 2.0, 0.5])
    decoder = NetworkDecoder(
        np.array(list("abc")),
        (Standardised(network, Cell(1, BINS, 2), mean, np.ones(3)).eval(),),
        BINS,
    )
    x = torch.poisson(torch.full((6, BINS, UNITS), 2.0))
    values, error = relative_margins(decoder, x)
    # Two bins of which are summed; the first is not seen.
    baseline = torch.as_tensor(mean / 2, dtype=torch.float32).expand(1, BINS, UNITS)
    with torch.inference_mode():
        risen = decoder.networks[0](x) - decoder.networks[0](baseline)
    assert_allclose(values.sum(axis=(2, 3)), relative(risen.numpy()), atol=1e-4)
    assert error < 1e-4 and np.all(values[..., 0] == 0)


def explained(bird, trials, split, window, settings=SETTINGS):
    used = used_trials(trials)
    tensor = make_tensor(bird, used, window)
    made = decode_by_networks([tensor], ["onset"], used, split, settings, 10)
    return tensor, attribute(made[2]["onset"], tensor, used, split), made


@cache
def made(tuned=("a", "b"), untuned=3):
    window = Window("onset", "onset", -0.06, 0.06, 0.02)
    bird, trials, split = make_bird(tuned, untuned)
    tensor, found, _ = explained(bird, trials, split, window)
    return bird, tensor, found


def test_planted_units_speak_before_their_syllables_and_the_others_never():
    bird, tensor, found = made()
    cells, units = attribution_tables(found, bird, tensor, 1)
    hits = cells[cells["p"] <= 0.05]
    assert set(hits["unit"]) == {"u0", "u1"}
    assert set(units.loc[units["p"] <= 0.05, "unit"]) == {"u0", "u1"}
    assert set(units.nlargest(2, "absolute")["unit"]) == {"u0", "u1"}
    most = cells.loc[cells.groupby("unit")["attribution"].idxmax()].set_index("unit")
    assert most.loc[["u0", "u1"], "syllable"].tolist() == ["a", "b"]
    assert_allclose(most.loc[["u0", "u1"], "stop"], [0.0, 0.0], atol=0.021)


def test_untuned_units_have_size_but_do_not_stand_out():
    bird, tensor, found = made((), 4)
    cells, units = attribution_tables(found, bird, tensor, 1)
    assert not (cells["p"] <= 0.05).any() and not (units["p"] <= 0.05).any()
    assert units["absolute"].sum() > 3 * abs(units["attribution"].sum())


def test_planted_units_of_a_simulated_bird_come_first():
    settings = Settings(syllable_types=3, units=12, pairs=0, sessions=1, bouts=20, audio_rate=0)
    bird, truth, _ = simulate("tiny", settings, 4)
    trials = make_trials(bird, 0.3, [], 3)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    window = Window("onset", "onset", -0.1, 0.1, 0.05)
    tensor, found, _ = explained(bird, trials, split, window)
    planted = planted_units(truth)
    units = attribution_tables(found, bird, tensor, 1, planted)[1]
    here = units["planted"] != ""
    assert here.sum() == len(planted) > 3
    ranks = units["attribution"].rank()
    pairs = here.sum() * (~here).sum()
    above = ranks[here].sum() - here.sum() * (here.sum() + 1) / 2
    assert above / pairs > 0.9  # chance that a planted unit is above another
    assert not (units.loc[~here, "p"] <= 0.05).any()
    silent = replace(truth, settings=replace(settings, tuning=0))
    assert planted_units(silent) == {}


def test_tables_are_means_over_the_syllables_own_trials():
    bird, tensor, found = made()
    cells, units = attribution_tables(found, bird, tensor, 1)
    own = (found.trials["label"] == "b").to_numpy()
    part = found.values[own, 1].astype(float)
    mine = cells[cells["syllable"] == "b"]
    assert_allclose(mine["attribution"], part.mean(axis=0).ravel())
    assert_allclose(mine["absolute"], np.abs(part).mean(axis=0).ravel())
    assert (mine["n_trials"] == own.sum()).all()
    sums = cells.groupby(["unit", "syllable"])[["attribution", "absolute", "null_mean"]].sum()
    expected = sums.groupby("unit").mean().loc[units["unit"]]
    assert_allclose(units[expected.columns], expected)
    again = attribution_tables(found, bird, tensor, 1)
    pd.testing.assert_frame_equal(again[0], cells, check_exact=True)


def test_labels_move_round_each_session_of_each_fold():
    trials = pd.DataFrame({"session": list("aaabbbbb"), "fold": [0, 0, 1, 1, 1, 1, 0, 0]})
    orders = rotated(trials, 3)
    assert orders.shape == (module.ROTATIONS, 8)
    for name in trials:
        values = trials[name].to_numpy()
        assert (values[orders] == values).all()
    ring = orders[:, 3:6]
    assert set(map(tuple, ring)) == {(3, 4, 5), (4, 5, 3), (5, 3, 4)}
    assert (orders[:, 2] == 2).all()


def test_song_with_an_order_and_units_with_another_seldom_stand_out(monkeypatch):
    monkeypatch.setattr(module, "ROTATIONS", 99)
    rng = np.random.default_rng(1)
    bird, tensor, _ = made()
    trials = pd.DataFrame({"session": "s", "bout": 0, "fold": np.arange(63) // 21})
    low = []
    for _ in range(200):
        # Syllables in a fixed order; activity that goes round with them, from anywhere.
        labels = np.concatenate([(np.arange(21) + start) % 3 for start in rng.integers(3, size=3)])
        beat = np.concatenate([(np.arange(21) + start) % 3 for start in rng.integers(3, size=3)])
        values = rng.normal(size=(63, 3, 5, 6)) + 2 * np.eye(3)[beat][:, :, None, None]
        names = np.array(list("abc"))
        found = NetworkAttribution(trials.assign(label=names[labels]), names, values, 0, 0)
        units = attribution_tables(found, bird, tensor, int(rng.integers(2**31)))[1]
        low.append(units["p"].min() <= 0.05)
    assert np.sum(low) <= 18


def test_networks_that_know_nothing_seldom_stand_out(monkeypatch):
    monkeypatch.setattr(module, "ROTATIONS", 99)
    rng = np.random.default_rng(0)
    trials = pd.DataFrame({"session": "s", "bout": np.arange(40) // 8, "fold": np.arange(40) // 20})
    bird, tensor, _ = made()
    low = []
    for _ in range(200):
        labels = rng.permutation(np.arange(40) % 3)
        values = rng.gamma(0.5, size=(40, 3, 5, 6)) * rng.normal(size=(1, 3, 5, 6))
        found = NetworkAttribution(
            trials.assign(label=np.array(list("abc"))[labels]), np.array(list("abc")), values, 0, 0
        )
        cells, units = attribution_tables(found, bird, tensor, int(rng.integers(2**31)))
        low.append((cells["p"].min() <= 0.05, units["p"].min() <= 0.05))
    # 99 % bound of 200 tests at 5 %.
    assert (np.sum(low, axis=0) <= 18).all()


def test_trials_of_syllables_that_networks_never_saw_are_left_out():
    bird, trials, split = make_bird()
    window = Window("onset", "onset", -0.06, 0.06, 0.02)
    used = used_trials(trials)
    fold = outer_folds(used, split)
    rare = used.index[(used["label"] == "c") & (fold == 1)]
    trials["label"] = trials["label"].mask(trials["label"] == "c", "a")
    trials.loc[rare, "label"] = "z"
    quick = replace(SETTINGS, schedule=replace(SCHEDULE, epochs=1))
    tensor, found, _ = explained(bird, trials, split, window, quick)
    assert found.left_out == len(rare) and "z" not in set(found.trials["label"])
    cells = attribution_tables(found, bird, tensor, 1)[0]
    assert set(cells["syllable"]) == {"a", "b"}


def test_networks_of_other_units_or_splits_end_in_a_sentence():
    bird, trials, split = make_bird()
    used = used_trials(trials)
    tensor = make_tensor(bird, used, Window("onset", "onset", -0.06, 0.06, 0.02))
    network = linear(1)[3]
    decoders = [NetworkDecoder(np.array(list("abc")), (network,), BINS)] * 4
    with pytest.raises(DataError, match="train them anew"):
        attribute(decoders, tensor, used, split)


def tables(units, syllables, bins, depth=True, hit=True):
    rng = np.random.default_rng(units)
    names = pd.DataFrame({"unit": [f"u{i}" for i in range(units)]})
    names["depth"] = 20.0 * np.arange(units) if depth else np.nan
    names["location"] = np.where(np.arange(units) < units / 2, "Area X", "HVC")
    cells = pd.DataFrame({"syllable": syllables, "n_trials": 12}).merge(names, how="cross")
    start = -0.1 + 0.2 / bins * np.arange(bins)
    times = pd.DataFrame({"start": start, "stop": start + 0.2 / bins})
    cells = cells.merge(times, how="cross")
    found = {"null_mean": 0.0, "null_sd": 0.1, "t": 0.0}
    cells = cells.assign(attribution=rng.normal(size=len(cells)), absolute=1.0, **found)
    cells["p"] = np.where(hit & (rng.random(len(cells)) < 0.1), 0.01, 0.8)
    table = names.assign(attribution=1.0, absolute=rng.uniform(1, 2, units), **found)
    table["p"] = np.where(hit & (np.arange(units) < 2), 0.01, 0.8)
    table["planted"] = ["premotor", "pair", *[""] * (units - 2)] if units > 1 else ""
    about = {"n_trials": 90, "n_bouts": 9, "left_out": 2, "rotations": 99, "error": 0.0123}
    return cells, table.assign(**about)


@pytest.mark.parametrize(
    ("units", "syllables", "bins", "depth"),
    [
        (1, ["a", "b"], 1, True),
        (8, list("abc"), 10, False),
        (75, [f"a long syllable {i}" for i in range(12)], 80, True),
    ],
)
def test_the_figure_can_be_read(tmp_path, units, syllables, bins, depth):
    bird = made()[0]
    figure = draw_network_attribution(*tables(units, syllables, bins, depth), bird, ABOUT)
    save_figure(figure, tmp_path / "one.png")
    check_legible(figure)
    said = words(figure)
    assert "90 trials in 9 bouts" in said and "0.012 nats" in said and "2 trials" in said
    assert ("2 more syllables" in said) == (len(syllables) == 12)
    assert ("planted ones" in said) == (units > 1)


def test_the_figure_says_what_was_found_and_of_what_bird():
    bird = replace(made()[0], simulated=True)
    none = words(draw_network_attribution(*tables(8, list("abc"), 4, hit=False), bird, ABOUT))
    assert "No unit speaks" in none and "simulated" in none
    some = words(draw_network_attribution(*tables(8, list("abc"), 4), bird, ABOUT))
    assert "2 of 8 units speak" in some and "99 times" in some
