"""The neural codec: residual codes, no way around them, trained in the folds, kept in files."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from numpy.testing import assert_allclose, assert_array_equal
from test_configuration import ROOT, message

from neuro2voc.codec import (
    SIZES,
    code,
    codec_loss,
    codec_settings,
    constant_rate,
    decode,
    encode,
    read_codecs,
    stopping_part,
    train_codec,
    training_windows,
    write_codecs,
)
from neuro2voc.errors import DataError
from neuro2voc.networks.codec import Codec, ResidualQuantiser
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.splits import NONE, make_split
from neuro2voc.stretches import activity_in, bin_width, stretches
from neuro2voc.trials import COLUMNS, make_trials

GIVEN = {
    **{"bin": 0.01, "frame": 0.02, "window": 0.2, "codebooks": 3, "codes": 8, "dims": 4},
    **{"width": 8, "kernel": 3, "causal": False, "dropout": 0.3},
}
TRAINING = {
    **{"epochs": 3, "patience": 3, "batch": 16, "rate": 0.02, "decay": 0.0, "warmup": 0.1},
    **{"clip": 1.0, "members": 3, "at_once": 0, "device": "cpu"},
}
SETTINGS = codec_settings(GIVEN, TRAINING, inner_folds=2, seed=5)
NO_TRIALS = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


def make_network(seed=0, units=5, **changes):
    torch.manual_seed(seed)
    sizes = {**SETTINGS.sizes, **changes}
    mean, scale = torch.linspace(0.1, 0.5, units), torch.linspace(0.2, 1, units)
    network = Codec(mean=mean, scale=scale, frame=2, **sizes)
    # Codebooks that differ from one another, as training leaves them.
    network.quantiser.entries.normal_()
    return network.eval()


def make_bird(units=6, bouts=9, rate=20.0, seed=0, shared=0.0):
    """Bouts of four syllables; units fire steadily, or with `shared` in waves of 200 ms."""
    rng = np.random.default_rng(seed)
    onset = np.concatenate([1 + 3 * bout + 0.2 * np.arange(6) for bout in range(bouts)])
    end = 3.0 * bouts + 1
    time = np.arange(0, end, 0.001)
    wave = 1 + shared * np.sign(np.sin(2 * np.pi * time / 0.2 + rng.uniform(0, 6)))
    trains = tuple(time[rng.random(len(time)) < 0.001 * rate * wave] + 1e-4 for _ in range(units))
    syllables = pd.DataFrame(
        {"start_time": onset, "stop_time": onset + 0.1, "label": list("abcdab") * bouts}
    ).assign(session="s")
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [end]})
    depth = pd.DataFrame(
        {"depth": 100.0 * np.arange(units)}, index=pd.RangeIndex(units, name="unit")
    )
    return Recording("bird", Units(trains, depth), syllables, sessions, simulated=True)


@cache
def parted(shared=0.0):
    bird = make_bird(shared=shared)
    trials = make_trials(bird, 0.5, [], 3)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    return bird, trials, split, stretches(bird, trials, split, 0.01, 2, 0.1)


# The quantiser


def test_each_codebook_quantises_what_the_former_ones_left():
    torch.manual_seed(1)
    quantiser = ResidualQuantiser(3, 6, 4).eval()
    quantiser.entries.normal_()
    vectors = torch.randn(50, 4)
    quantised, codes, _ = quantiser(vectors, torch.full((50,), 3))
    for vector, taken, found in zip(vectors, codes, quantised, strict=True):
        rest = vector.clone()
        for book in range(3):
            distances = [float(((rest - entry) ** 2).sum()) for entry in quantiser.entries[book]]
            assert int(taken[book]) == int(np.argmin(distances))
            rest = rest - quantiser.entries[book][taken[book]]
        assert_allclose(found, vector - rest, atol=1e-6)
    # The original's: every codebook quantises the same vector, and the codes add up to three of it.
    same = torch.stack([torch.cdist(vectors, book).argmin(dim=1) for book in quantiser.entries], 1)
    assert (codes != same).any(dim=0)[1:].all()


def test_fewer_codebooks_are_a_coarser_code_of_the_same_vectors():
    torch.manual_seed(1)
    quantiser = ResidualQuantiser(3, 6, 4).eval()
    quantiser.entries.normal_()
    vectors = torch.randn(50, 4)
    whole, codes, _ = quantiser(vectors, torch.full((50,), 3))
    for books in (1, 2, 3):
        coarser, again, _ = quantiser(vectors, torch.full((50,), books))
        assert_array_equal(again, codes)
        assert_allclose(coarser, quantiser.look_up(codes[:, :books]), atol=1e-6)
    assert_allclose(whole, quantiser.look_up(codes), atol=1e-6)


def test_gradients_pass_the_quantiser_as_if_it_were_not_there():
    quantiser = ResidualQuantiser(2, 4, 3).eval()
    quantiser.entries.normal_()
    vectors = torch.randn(10, 3, requires_grad=True)
    quantised, _, commitment = quantiser(vectors, torch.full((10,), 2))
    weight = torch.randn(10, 3)
    (gradient,) = torch.autograd.grad((quantised * weight).sum(), vectors, retain_graph=True)
    assert_allclose(gradient, weight)
    (pull,) = torch.autograd.grad(commitment, vectors)
    assert (pull != 0).any()


def test_codebooks_follow_what_is_coded_and_dead_codes_come_back():
    torch.manual_seed(0)
    quantiser = ResidualQuantiser(1, 4, 2).train()
    centres = torch.tensor([[5.0, 5], [5, -5], [-5, 5], [-5, -5]])
    for _ in range(200):
        vectors = centres[torch.randint(4, (64,))] + 0.1 * torch.randn(64, 2)
        quantiser(vectors, torch.full((64,), 1))
    found = quantiser.entries[0]
    assert (torch.cdist(centres, found).min(dim=1).values < 0.3).all()
    # A code that nothing takes is put where something is.
    quantiser.entries[0, 2] = torch.tensor([1e6, 1e6])
    for _ in range(100):
        vectors = centres[torch.randint(4, (64,))] + 0.1 * torch.randn(64, 2)
        quantiser(vectors, torch.full((64,), 1))
    assert quantiser.entries.abs().max() < 10


def test_judging_changes_no_codebook():
    network = make_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network(torch.poisson(torch.full((3, 5, 20), 0.3)))
    for key, value in network.state_dict().items():
        assert_array_equal(value, before[key])


# The network


def test_rates_come_from_codes_alone():
    network = make_network()
    x = torch.poisson(torch.full((1, 5, 20), 0.5))
    log_rates, codes, _ = network(x)
    vectors = network.quantiser.look_up(codes)
    assert_allclose(network.log_rates(vectors).detach(), log_rates.detach(), atol=1e-5)
    # With one entry per codebook nothing can be said, not even how active a window was.
    mute = make_network(codes=1)
    loud, quiet = mute(torch.full((1, 5, 20), 3.0))[0], mute(torch.zeros(1, 5, 20))[0]
    assert_allclose(loud.detach(), quiet.detach(), atol=1e-6)


def test_units_and_time_are_not_mixed_up():
    """A window is units by bins: what happens in a bin moves codes of its own frame and near it."""
    network = make_network(kernel=1)
    x = torch.zeros(1, 5, 20)
    quiet = network.encoded(x)[0]
    x[0, 3, 7] = 4
    moved = (network.encoded(x)[0] != quiet).any(dim=1)
    assert_array_equal(moved.nonzero()[:, 0], [3])  # bins 6 and 7
    # Every unit is read through its own weights.
    other = torch.zeros(1, 5, 20)
    other[0, 1, 7] = 4
    assert not torch.equal(network.encoded(x), network.encoded(other))


@pytest.mark.parametrize("causal", [True, False])
def test_only_a_causal_codec_knows_nothing_of_later_activity(causal):
    network = make_network(causal=causal)
    x = torch.poisson(torch.full((1, 5, 40), 0.5), generator=torch.Generator().manual_seed(2))
    later = x.clone()
    later[..., 20:] += 3
    one, two = network.encoded(x)[0], network.encoded(later)[0]
    assert torch.allclose(one[:10], two[:10], atol=1e-6) == causal
    first = network.log_rates(torch.randn(1, 20, 4, generator=torch.Generator().manual_seed(3)))
    vectors = torch.randn(1, 20, 4, generator=torch.Generator().manual_seed(3))
    vectors[:, 10:] += 5
    second = network.log_rates(vectors)
    assert torch.allclose(first[..., :20], second[..., :20], atol=1e-6) == causal


def test_what_was_not_observed_is_neither_coded_nor_judged():
    network = make_network()
    x = torch.poisson(torch.full((2, 5, 20), 0.5))
    x[:, 2] = torch.nan
    at_mean = x.clone()
    at_mean[:, 2] = network.mean[2]
    assert_allclose(network.encoded(x).detach(), network.encoded(at_mean).detach(), atol=1e-6)
    log_rates, _, commitment = network(x)
    seen = [0, 1, 3, 4]
    likelihood = (log_rates.exp() - x * log_rates)[:, seen].mean()
    expected = (likelihood + 0.25 * commitment).detach()
    assert_allclose(codec_loss(network, x).detach(), expected, rtol=1e-5)


def test_hidden_units_do_not_reach_the_codes():
    network = make_network()
    x = torch.poisson(torch.full((1, 5, 20), 0.5))
    seen = torch.tensor([[1.0, 1, 0, 1, 1]])
    louder = x.clone()
    louder[:, 2] += 7
    assert_array_equal(network(x, seen=seen)[1], network(louder, seen=seen)[1])
    assert_allclose(network(x, seen=seen)[0].detach(), network(louder, seen=seen)[0].detach())


# Time, folds, training


def test_every_spike_of_a_bout_stands_in_its_bin_and_fold():
    bird, trials, split, parts = parted()
    assert len(parts) == trials["bout"].nunique()
    for part in parts:
        for unit, times in enumerate(bird.units.spike_times):
            edges = part.start + 0.01 * np.arange(part.values.shape[1] + 1)
            assert_array_equal(part.values[unit], np.histogram(times, edges)[0])
    assert {f for part in parts for f in part.fold} == {0, 1, 2}
    assert all(len(set(part.fold)) == 1 for part in parts)


def test_activity_that_was_binned_before_keeps_its_bins_and_what_it_adds_up_to():
    values = np.random.default_rng(0).poisson(2, (200, 3)).astype(np.float32)
    table = pd.DataFrame(index=pd.RangeIndex(3, name="unit"))
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [2.0]})
    for rate, width in ((100.0, 0.02), (20.0, 0.05)):
        units = Binned(values, rate, 0.0, table, True)
        bird = Recording("bins", units, NO_TRIALS, sessions)
        assert bin_width(bird, 0.02) == pytest.approx(width)
        found = activity_in(bird, 0.0, 40, width)
        per = round(width * rate)
        assert_allclose(found.T, values[: 40 * per].reshape(40, per, 3).sum(axis=1), rtol=1e-5)


def test_what_lies_outside_of_observed_time_is_missing():
    bird = make_bird()
    seen = np.array([[0.0, 2.0], [5.0, 6.0]])
    units = replace(bird.units, observed=(seen,) * len(bird.units))
    found = activity_in(replace(bird, units=units), 1.5, 100, 0.01)
    assert_array_equal(np.isnan(found[0]), np.arange(100) >= 50)


def test_training_sees_nothing_of_the_held_out_fold_nor_of_guards():
    _, _, _, parts = parted()
    marked = [replace(p, values=np.where(np.repeat(p.fold == 1, 2), 99.0, p.values)) for p in parts]
    marked[0].fold[3] = NONE
    marked[0].values[:, 6:8] = 99
    windows, block = training_windows(marked, 1, SETTINGS, 0.01)
    marked[0].fold[3] = 0
    assert windows.max() < 99 and windows.shape[1:] == (6, 20)
    stop = stopping_part(block, 2, 0)
    assert stop.any() and not set(block[stop]) & set(block[~stop])


def test_too_little_to_train_on_ends_in_a_sentence():
    _, _, _, parts = parted()
    with pytest.raises(DataError, match=r"fewer than two bouts.*lower `codec: window`"):
        training_windows(parts, 0, replace(SETTINGS, window=50.0), 0.01)


def test_frames_outside_of_all_folds_end_in_a_sentence():
    bird, trials, split, _ = parted()
    with pytest.raises(DataError, match="no frame of 20 ms lies within a fold"):
        stretches(bird, trials, split.assign(guard=1, fold=NONE), 0.01, 2, 0.1)


def test_training_again_gives_the_same_weights_and_another_seed_others():
    bird, _, _, parts = parted()
    one, losses = train_codec(parts, 0, bird, SETTINGS)
    two, _ = train_codec(parts, 0, bird, SETTINGS)
    other, _ = train_codec(parts, 0, bird, replace(SETTINGS, seed=6))
    assert len(losses) == 3
    same = two.network.state_dict()
    for key, value in one.network.state_dict().items():
        assert_array_equal(value, same[key])
    assert not torch.equal(one.network.patches.weight, other.network.patches.weight)


def test_training_that_was_killed_goes_on_with_its_codebooks(tmp_path):
    bird, _, _, parts = parted()
    whole, _ = train_codec(parts, 0, bird, SETTINGS)
    kept = replace(SETTINGS, checkpoints=tmp_path, code="1")
    calls = 0

    def dies(network, x):
        nonlocal calls
        calls += 1
        if calls > 12:
            raise KeyboardInterrupt
        return codec_loss(network, x)

    import neuro2voc.codec as module
    import neuro2voc.training as training

    every, own = training.CHECKPOINT_EVERY, module.codec_loss
    training.CHECKPOINT_EVERY, module.codec_loss = 0.0, dies
    try:
        with pytest.raises(KeyboardInterrupt):
            train_codec(parts, 0, bird, kept)
    finally:
        training.CHECKPOINT_EVERY, module.codec_loss = every, own
    assert list(tmp_path.glob("*.safetensors"))
    resumed, _ = train_codec(parts, 0, bird, kept)
    same = whole.network.state_dict()
    for key, value in resumed.network.state_dict().items():
        assert_array_equal(value, same[key])


def test_constant_rates_are_never_nothing():
    values = np.array([[0.0, 0, 0, 0], [1, 3, np.nan, np.nan], [np.nan] * 4])
    assert_allclose(constant_rate(values), [0.125, 2.25, 0.5])


# Another day, files


def test_a_codec_codes_another_day_of_the_same_units_and_decodes_from_codes(tmp_path):
    bird, _, _, parts = parted()
    codecs = {fold: train_codec(parts, fold, bird, SETTINGS)[0] for fold in (0, 2)}
    about = {"bird": "bird", "split": "blocked", "sizes": SETTINGS.sizes, "device": "cpu"}
    for name in "ab":
        write_codecs(tmp_path / f"{name}.safetensors", codecs, about)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again, told = read_codecs(tmp_path / "a.safetensors")
    assert told["folds"] == list(again) == [0, 2] and set(told["sizes"]) == set(SIZES)
    day = make_bird(bouts=4, seed=9)
    for fold, other in again.items():
        one = codecs[fold]
        (coded,) = encode(other, day)
        assert coded.codes.shape == (650, 3) and coded.start == 0
        assert_array_equal(coded.codes, encode(one, day)[0].codes)
        rates = decode(other, coded.codes)
        values = activity_in(day, 0.0, 1300, 0.01)
        with torch.inference_mode():
            expected = one.network(torch.as_tensor(values)[None])[0][0].exp().numpy()
        assert_allclose(rates, expected, rtol=1e-4)
        assert_array_equal(coded.codes, code(one.network, values))


def test_a_codec_refuses_other_units():
    bird, _, _, parts = parted()
    codec, _ = train_codec(parts, 0, bird, SETTINGS)
    with pytest.raises(DataError, match=r"holds 5 units, and not the 6 .*unit 5 is missing"):
        encode(codec, make_bird(units=5))


def test_damaged_files_end_in_a_sentence(tmp_path):
    bird, _, _, parts = parted()
    codec, _ = train_codec(parts, 0, bird, SETTINGS)
    path = tmp_path / "codec.safetensors"
    with pytest.raises(DataError, match="does not exist; make it anew"):
        read_codecs(path)
    write_codecs(path, {0: codec}, {"sizes": {**SETTINGS.sizes, "width": 16}})
    with pytest.raises(DataError, match="hold no codecs that can be read"):
        read_codecs(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="hold no codecs that can be read"):
        read_codecs(path)


@pytest.mark.parametrize(
    ("key", "value", "fragments"),
    [
        ("kernel", 0, ("codec.kernel", "from 1 to 1000")),
        ("codebooks", 0, ("codec.codebooks", "from 1 to 64")),
        ("codes", 1, ("codec.codes", "from 2 to 65536")),
        ("causal", "sometimes", ("codec.causal", "true or false")),
        ("frames", 0.02, ("codec.frames", "did you mean 'frame'")),
    ],
)
def test_settings_that_make_no_codec_are_refused(key, value, fragments):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["codec"][key] = value
    text = message(config)
    assert all(part in text for part in fragments), text
