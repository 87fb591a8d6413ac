"""Networks as decoders: fits within folds, planted truth, chance, and files that read back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binom

from neuro2voc.binning import Tensor, Window
from neuro2voc.decoding import cross_decode
from neuro2voc.errors import DataError
from neuro2voc.grid import Cell
from neuro2voc.network_decoder import (
    NETWORKS,
    Standardised,
    in_time,
    read_networks,
    write_networks,
)
from neuro2voc.network_fit import decode_by_networks, network_fit, network_fits
from neuro2voc.network_training import NetworkSettings, class_weights, weighted_cross_entropy
from neuro2voc.networks.cnn_lstm import CNNLSTM
from neuro2voc.networks.eegnet import BatchNorm, EEGNet
from neuro2voc.networks.lstm import LSTM
from neuro2voc.training import Schedule

SIZES = {"hidden": 16, "layers": 1, "dropout": 0.2}
SCHEDULE = Schedule(
    epochs=30, patience=6, batch=16, rate=0.02, decay=0.0, warmup=0.1, clip=1.0, device="cpu"
)
BINS, UNITS = 4, 3


def settings(**changes):
    kept = {"kind": "lstm", "sizes": SIZES, "schedule": SCHEDULE, "split": "blocked"}
    return NetworkSettings(**{**kept, "inner_folds": 2, "seed": 5} | changes)


def song(n, seed):
    """Trials of three syllables in bouts of six."""
    rng = np.random.default_rng(seed)
    label = rng.choice(list("abc"), n)
    onset = np.arange(n, dtype=float)
    return pd.DataFrame(
        {"trial": np.arange(n), "session": "1", "bout": np.arange(n) // 6}
        | {"onset": onset, "offset": onset + 0.1, "label": label}
    )


def activity(label, seed, told=True):
    """Counts (trials, units, bins) in which only the order of two units tells syllables apart."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.3, (len(label), UNITS, BINS)).astype(float)
    order = {"a": (0, 2), "b": (2, 0), "c": (1, 1)}
    for row, name in enumerate(label if told else rng.permutation(label)):
        first, second = order[name]
        counts[row, 0, first] += 4
        counts[row, 1, second] += 4
    return counts


def decoded(told, n=240, seed=0):
    trials = song(n, seed)
    X = activity(trials["label"], seed, told).reshape(n, -1)
    fold = trials["bout"].to_numpy() * 3 // trials["bout"].nunique()
    return cross_decode(X, trials, fold, network_fit(settings(), BINS)[0])


def test_features_become_activity_in_time():
    X = np.arange(2 * UNITS * BINS).reshape(2, UNITS * BINS)
    x = in_time(X, BINS)
    assert x.shape == (2, BINS, UNITS)
    assert x[1, 2, 0] == X.reshape(2, UNITS, BINS)[1, 0, 2]


def test_it_learns_the_order_of_two_units():
    frame = decoded(True)
    assert (frame["truth"] == frame["prediction"]).mean() > 0.9
    np.testing.assert_allclose(frame.filter(like="p_").sum(axis=1), 1, atol=1e-6)


def test_neurons_that_know_nothing_are_at_chance():
    right = (decoded(False)["truth"] == decoded(False)["prediction"]).sum()
    low, high = binom.interval(0.99, 240, 1 / 3)
    assert low <= right <= high


def test_the_same_fit_twice_is_the_same_to_the_last_bit():
    pd.testing.assert_frame_equal(decoded(True), decoded(True), check_exact=True)


def test_held_out_trials_have_no_part_in_the_fit():
    trials = song(120, 1)
    X = activity(trials["label"], 1).reshape(120, -1)
    fold = (np.arange(120) >= 60).astype(int)
    spoilt = X.copy()
    spoilt[fold == 1] = 1e6
    fits = [network_fit(settings(), BINS)[0](x[fold == 0], trials[fold == 0]) for x in (X, spoilt)]
    weights = [fit.networks[0].state_dict() for fit in fits]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_units_that_were_not_observed_are_seen_as_average():
    trials = song(60, 2)
    X = activity(trials["label"], 2)
    X[:20, 2] = np.nan
    decoder = network_fit(settings(), BINS)[0](X.reshape(60, -1), trials)
    mean = decoder.networks[0].mean.numpy()
    filled = X.copy()
    filled[:20, 2] = mean[2]
    ours = decoder.networks[0](in_time(X.reshape(60, -1), BINS))
    theirs = decoder.networks[0](in_time(filled.reshape(60, -1), BINS))
    torch.testing.assert_close(ours, theirs)


def test_syllables_count_alike_however_common():
    target = np.array([0] * 90 + [1] * 10)
    weight = class_weights(target, np.array([0, 1]))
    sums = np.bincount(target, weights=weight.numpy())
    assert sums[0] == pytest.approx(sums[1])
    margins = torch.randn(100, 3)
    per_class = [
        torch.nn.functional.cross_entropy(
            margins[target == k], torch.as_tensor(target[target == k])
        )
        for k in (0, 1)
    ]
    loss = weighted_cross_entropy(torch.nn.Identity(), margins, torch.as_tensor(target), weight)
    torch.testing.assert_close(loss, torch.stack(per_class).mean())


def test_knowing_nothing_costs_the_same_however_syllables_are_spread():
    target = np.array([0] * 7 + [1] * 2 + [2])
    weight = class_weights(target, np.array([0, 1, 2]))
    loss = weighted_cross_entropy(
        torch.nn.Identity(), torch.zeros(10, 3), torch.as_tensor(target), weight
    )
    assert float(loss) == pytest.approx(np.log(3))


def test_syllables_that_a_network_never_saw_do_not_decide_when_it_stops():
    weight = class_weights(np.array([0, 0, 1, 2]), np.array([0, 1]))
    np.testing.assert_allclose(weight, [1, 1, 2, 0])
    trials = song(240, 0)
    late = trials["label"].mask((trials["label"] == "c") & (trials.index >= 120), "a")
    trials = trials.assign(label=late)
    fit, chosen, _ = network_fit(settings(), BINS)
    fit(activity(trials["label"], 0).reshape(240, -1), trials)
    assert min(chosen[0]["epochs"]) > 5


def tensor_of(trials, counts):
    n = len(trials)
    return Tensor(
        counts=counts.astype(np.uint8),
        observed=np.ones((n, UNITS), bool),
        trial=trials["trial"].to_numpy(),
        unit=np.arange(UNITS),
        duration=np.full(n, 0.1),
        window=Window("onset", "onset", 0.0, 0.08, 0.02),
    )


def test_networks_read_back_predict_the_same(tmp_path):
    trials = song(90, 3)
    counts = activity(trials["label"], 3)
    edges = [0, 30, 60, 90]
    split = pd.DataFrame(
        {"start": edges[:-1], "stop": edges[1:], "fold": [0, 1, 2], "guard": 0}
    ).astype({"start": float, "stop": float})
    predictions, metrics, decoders, losses = decode_by_networks(
        [tensor_of(trials, counts)], ["onset"], trials, split, settings(), 20
    )
    assert len(decoders["onset"]) == 3 and losses["fold"].nunique() == 3
    chosen = [fold["epochs"] for fold in metrics["onset"]["chosen"]]
    lowest = losses.loc[losses.groupby(["fold", "inner"])["validation"].idxmin()]
    assert chosen == lowest.groupby("fold")["epoch"].apply(list).tolist()

    path = tmp_path / "lstm.safetensors"
    write_networks(path, decoders, {"decoder": "lstm", "sizes": SIZES})
    again, about = read_networks(path)
    X = counts.reshape(90, -1)
    for fold in range(3):
        rows = predictions[predictions["fold"] == fold]
        np.testing.assert_allclose(
            again["onset"][fold].predict_proba(X[rows["trial"]]), rows.filter(like="p_"), atol=1e-12
        )
    assert about["decoder"] == "lstm"


@pytest.mark.parametrize("broken", ["missing", "cut", "other"])
def test_networks_that_cannot_be_read_end_in_a_sentence(tmp_path, broken):
    path = tmp_path / "lstm.safetensors"
    trials = song(60, 4)
    decoder = network_fit(settings(), BINS)[0](activity(trials["label"], 4).reshape(60, -1), trials)
    write_networks(path, {"onset": [decoder]}, {"decoder": "lstm", "sizes": SIZES})
    if broken == "missing":
        path.unlink()
    elif broken == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        write_networks(
            tmp_path / "x.safetensors", {"onset": [decoder]}, {"decoder": "lstm", "sizes": {}}
        )
        (tmp_path / "x.json").replace(tmp_path / "lstm.json")
    with pytest.raises(DataError, match="lstm.safetensors.*anew"):
        read_networks(path)


def test_one_class_alone_cannot_be_trained():
    trials = song(30, 5).assign(label="a")
    with pytest.raises(DataError, match="No inner fold holds two classes"):
        network_fit(settings(), BINS)[0](np.zeros((30, UNITS * BINS)), trials)


def test_every_surrogate_is_fitted_anew():
    windows = {"w": {"align": "onset", "start": 0.0, "stop": 0.08, "bin": 0.02}}
    metrics = {"features": {"w": {"chosen": [{"cell": [0, 4, 1]}, {"cell": [1, 4, 2]}] * 2}}}
    fits = network_fits(settings(), ["w"], windows, metrics)
    trials = song(60, 6)
    X = activity(trials["label"], 6).reshape(60, -1)
    first, again, second = (fits["lstm", "w"](n)(X, trials).predict_proba(X) for n in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_a_standardised_network_sees_what_its_unit_would():
    network = Standardised(
        torch.nn.Identity(), Cell(0, 1, 1), np.array([1.0, 0.0, 2.0]), np.array([2.0, 1.0, 1.0])
    )
    x = torch.tensor([[[3.0, torch.nan, 2.0]]])
    torch.testing.assert_close(network(x), torch.tensor([[[1.0, 0.0, 0.0]]]))


BINNED = {
    "lstm": (LSTM, SIZES),
    "eegnet": (EEGNet, {"filters": 4, "depth": 2, "kernel": 3, "steps": 3, "dropout": 0.2}),
    "cnn_lstm": (
        CNNLSTM,
        {"filters": 8, "kernel": 3, "steps": 2, "hidden": 8, "dropout": 0.2},
    ),
}


def build(name):
    torch.manual_seed(1)
    kind, sizes = BINNED[name]
    return kind(units=UNITS, classes=3, **sizes)


@pytest.fixture
def known(monkeypatch):
    for name, (kind, _) in BINNED.items():
        monkeypatch.setitem(NETWORKS, name, kind)


@pytest.mark.parametrize("name", BINNED)
@pytest.mark.parametrize("bins", [1, 2, 3, 5, 10, 41])
@pytest.mark.parametrize("trials", [1, 4])
def test_any_number_of_bins_and_trials_can_be_learnt_from(name, bins, trials):
    network = build(name)
    margins = network(torch.randn(trials, bins, UNITS))
    assert margins.shape == (trials, 3)
    margins.sum().backward()
    assert all(torch.isfinite(one.grad).all() for one in network.parameters())


@pytest.mark.parametrize("name", BINNED)
def test_trained_networks_see_each_trial_by_itself(name):
    network = build(name).train()
    x = torch.randn(16, BINS, UNITS)
    network(x)
    network.eval()
    together = network(x)
    alone = torch.cat([network(one[None]) for one in x])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", BINNED)
def test_all_networks_learn_the_order_of_two_units(known, name):
    trials = song(240, 0)
    X = activity(trials["label"], 0).reshape(240, -1)
    fold = trials["bout"].to_numpy() * 3 // trials["bout"].nunique()
    made = settings(kind=name, sizes=BINNED[name][1])
    first, again = (cross_decode(X, trials, fold, network_fit(made, BINS)[0]) for _ in range(2))
    assert (first["truth"] == first["prediction"]).mean() > 0.9
    pd.testing.assert_frame_equal(first, again, check_exact=True)


@pytest.mark.parametrize("name", BINNED)
def test_all_networks_read_back_predict_the_same(known, tmp_path, name):
    trials = song(61, 3)
    X = activity(trials["label"], 3).reshape(61, -1)
    # 31 trials in an inner fold, in batches of 15: the last batch of each epoch is one trial.
    schedule = replace(SCHEDULE, epochs=2, batch=15)
    made = settings(kind=name, sizes=BINNED[name][1], schedule=schedule)
    decoder = network_fit(made, BINS)[0](X, trials)
    path = tmp_path / "one.safetensors"
    write_networks(path, {"onset": [decoder]}, {"decoder": name, "sizes": BINNED[name][1]})
    again = read_networks(path)[0]["onset"][0]
    np.testing.assert_array_equal(again.predict_proba(X), decoder.predict_proba(X))


def test_batches_are_normalised_by_themselves_in_training_only():
    norm = BatchNorm(2)
    x = 3 * torch.randn(50, 2, 7) + 5
    seen = norm(x)
    np.testing.assert_allclose(seen.mean(dim=(0, 2)).detach(), 0, atol=1e-5)
    np.testing.assert_allclose(seen.var(dim=(0, 2), unbiased=False).detach(), 1, rtol=1e-3)
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    expected = (x[:1] - mean[:, None]) / torch.sqrt(variance[:, None] + norm.eps)
    torch.testing.assert_close(norm(x[:1]), expected)
    torch.testing.assert_close(norm.eval()(x[:1]), expected)
    torch.testing.assert_close(norm.running_mean, mean)


def test_a_network_over_time_can_tell_when_something_happened():
    x = torch.zeros(2, 10, UNITS)
    x[0, 1, 0] = x[1, 8, 0] = 1
    for name in BINNED:
        margins = build(name).eval()(x)
        assert not torch.allclose(margins[0], margins[1]), name
