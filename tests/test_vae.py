"""Song from activity through the latents of a vocal autoencoder."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from singing import make_bird
from torch.nn.functional import cosine_similarity

from neuro2voc.errors import DataError
from neuro2voc.frames import make_frames, windows_of
from neuro2voc.generated import check_apart, reach, read_generated, song_activity, write_generated
from neuro2voc.networks.neural_encoder import NeuralEncoder, NeuralToVoice, contrast_loss
from neuro2voc.networks.vocal_vae import VocalVAE, divergence
from neuro2voc.sound_decoder import (
    Memory,
    read_sound_decoders,
    song_of_day,
    write_sound_decoders,
)
from neuro2voc.sound_measures import correlation
from neuro2voc.sources.settings import Settings
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.standardisation import mean_and_scale
from neuro2voc.surrogates import surrogate
from neuro2voc.training import Schedule
from neuro2voc.vae import (
    VaeSettings,
    around_window,
    stopping_part,
    train_encoder,
    train_vocal,
    vae_settings,
)
from neuro2voc.vae_song import SHARPNESS, decoder_of, generate_by_vae, generate_surrogate

AROUND = {"before": 0.08, "after": 0.04, "bin": 0.02}
SCHEDULE = Schedule(epochs=14, patience=8, batch=64, rate=4e-3, decay=0, warmup=0.1, clip=1)
ENCODER = {
    "hidden": (32,),
    "channels": (),
    "dropout": 0.1,
    "contrast": 0.1,
    "reconstruction": 1,
    "regression": 0,
    "temperature": 0.07,
    "recall": True,
}
VAE = VaeSettings(
    window=0.02,
    step=3,
    latent=8,
    hidden=(32,),
    channels=(),
    beta=0.02,
    normalised=True,
    encoder=ENCODER,
    schedules={"vocal": SCHEDULE, "encoder": SCHEDULE},
    reach=reach(AROUND),
    seed=1,
)
SONG = Settings(units=16, pairs=0, bouts=14, sessions=1, syllable_types=3, stereotypy=0.5)
SOUND = SpectrogramSettings(window=0.008)


@cache
def bird(seed=1, tuning=2.0):
    recording, trials = make_bird(seed, replace(SONG, tuning=tuning))
    frames = make_frames(recording, trials, SOUND)
    split = make_split("blocked", trials, recording.sessions, 2, 0.5, 0)
    return recording, trials, frames, split


@cache
def learnt(seed=1, tuning=2.0, settings=VAE):
    recording, _, frames, split = bird(seed, tuning)
    return generate_by_vae(frames, song_activity(recording, frames, AROUND), split, settings)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("frames", "millions"), [(1, 2.78), (10, 5.03), (20, 7.29)])
def test_the_published_sizes_have_the_published_numbers_of_weights(frames, millions):
    vocal = VocalVAE(frames=frames, bands=128, latent=32, hidden=(1024, 256), channels=(16, 32, 64))
    encoder = NeuralEncoder(units=75, bins=frames, latent=32, hidden=(256,), channels=(32, 64))
    weights = sum(w.numel() for network in (vocal, encoder) for w in network.parameters())
    assert weights / 1e6 == pytest.approx(millions, abs=0.006)
    level = torch.randn(3, frames, 128)
    assert vocal.decode(vocal.encode(level)[0]).shape == level.shape


def test_the_divergence_is_that_of_gaussians():
    mean, spread = torch.tensor([[0.5, 0.0]]), torch.tensor([[0.3, 0.0]])
    one = torch.distributions.Normal(mean, (spread / 2).exp())
    expected = torch.distributions.kl_divergence(one, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, spread), expected)


def test_levels_are_standardised_inside_and_come_back_in_decibels():
    torch.manual_seed(0)
    network = VocalVAE(frames=3, bands=4, latent=2, hidden=(5,))
    z, level = torch.randn(6, 2), torch.randn(6, 3, 4)
    before, seen = network.decode(z), network.encode(level)[0]
    mean = torch.arange(4.0)
    network.set_range(mean, 10.0)
    torch.testing.assert_close(network.decode(z), 10 * before + mean)
    torch.testing.assert_close(network.encode(10 * level + mean)[0], seen)


def test_the_contrast_is_the_symmetric_cross_entropy_of_cosines():
    torch.manual_seed(0)
    a, b = torch.randn(5, 3), torch.randn(5, 3)
    total = 0.0
    for i in range(5):
        ours = torch.stack([cosine_similarity(a[i], b[j], dim=0) for j in range(5)]) / 0.07
        theirs = torch.stack([cosine_similarity(a[j], b[i], dim=0) for j in range(5)]) / 0.07
        total -= (ours.log_softmax(0)[i] + theirs.log_softmax(0)[i]) / 10
    torch.testing.assert_close(contrast_loss(a, b, 0.07), total)
    # Lengths do not count: this alone leaves the decoder's scale open.
    torch.testing.assert_close(contrast_loss(3 * a, 0.1 * b, 0.07), total)
    same = torch.eye(5)
    assert contrast_loss(same, same, 0.07) < 1e-3 < contrast_loss(same, same.roll(1, 0), 0.07)


def test_memory_is_the_mean_of_what_was_heard_weighed_by_its_likeness():
    torch.manual_seed(0)
    heard, reached = torch.randn(6, 3), torch.randn(4, 3)
    found = Memory(heard, 0.2)(reached)
    for row, z in zip(found, reached, strict=True):
        weight = np.exp([float(cosine_similarity(z, one, dim=0)) / 0.2 for one in heard])
        expected = (weight / weight.sum()) @ heard.numpy()
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-6)
    # The length of what is reached does not count; that of what was heard does.
    torch.testing.assert_close(Memory(heard, 0.2)(7 * reached), found)
    torch.testing.assert_close(Memory(2 * heard, 0.2)(reached), 2 * found)


def test_units_that_never_vary_or_were_not_observed_do_not_count():
    activity = np.random.default_rng(0).normal(3, 2, (50, 4, 3)).astype(np.float32)
    activity[..., 1] = 0.5
    activity[:20, :, 2] = np.nan
    mean, scale = mean_and_scale(activity)
    encoder = NeuralEncoder(units=3, bins=4, latent=2, hidden=(5,)).eval()
    encoder.set_range(torch.as_tensor(mean), torch.as_tensor(scale))
    filled = torch.as_tensor(np.where(np.isnan(activity), np.float32(mean), activity))
    torch.testing.assert_close(encoder(torch.as_tensor(activity)), encoder(filled))


def test_the_autoencoder_stays_as_it_is_while_the_encoder_learns():
    vocal = VocalVAE(frames=2, bands=8, latent=2, hidden=(4,), channels=(2,))
    network = NeuralToVoice(NeuralEncoder(units=2, bins=3, latent=2, hidden=(4,)), vocal)
    network.train()
    assert not vocal.training and network.encoder.training
    learning = {name for name, weights in network.named_parameters() if weights.requires_grad}
    assert learning and all(name.startswith("encoder.") for name in learning)


def test_song_of_tuned_neurons_is_like_the_original_and_of_shifted_ones_is_not():
    recording, trials, frames, split = bird()
    made, through, decoders, losses, latents = learnt()
    fold = frames.folds(split)
    assert np.isfinite(made[fold >= 0]).all() and np.isnan(made[fold < 0]).all()
    mean = np.empty_like(frames.level)
    for held in (0, 1):
        mean[fold == held] = frames.level[(fold >= 0) & (fold != held)].mean(axis=0)
    inside = fold >= 0
    flat = correlation(frames.level[inside], mean[inside])
    own = correlation(frames.level[inside], made[inside])
    shifted = surrogate(recording, "shifted", 5)
    activity = song_activity(shifted, frames, AROUND)
    null = generate_surrogate(frames, activity, split, decoders, VAE, 1)
    other = correlation(frames.level[inside], null[inside])
    assert own > flat + 0.1 and own > other + 0.1
    # The autoencoder gives back what it never heard better than neurons sing it.
    assert correlation(frames.level[inside], through[inside]) > own
    assert set(losses["stage"]) == {"vocal", "encoder"} and set(losses["fold"]) == {0, 1}
    assert len(latents) == 2 * VAE.latent and (latents["spread"] > 0.01).any()


def test_neurons_that_know_nothing_make_no_more_than_the_mean():
    _, _, frames, split = bird(2, 0.0)
    made = learnt(2, 0.0)[0]
    fold = frames.folds(split)
    for held in (0, 1):
        real = frames.level[fold == held]
        mean = frames.level[(fold >= 0) & (fold != held)].mean(axis=0)
        flat = np.broadcast_to(mean, real.shape)
        assert correlation(real, made[fold == held]) < correlation(real, flat) + 0.03


def test_the_same_seed_makes_the_same_song_and_another_does_not():
    _, _, frames, split = bird()
    kept = frames.folds(split) == 0
    short = replace(VAE, schedules={"vocal": replace(SCHEDULE, epochs=1)})
    a, b, c = (
        train_vocal(frames, kept, replace(short, seed=seed), 0)[0].network.state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


def test_what_was_learnt_comes_back_from_its_file_and_serves_another_day(tmp_path):
    recording, _, frames, split = bird()
    made, _, decoders, _, _ = learnt()
    units = [str(unit) for unit in recording.units.table.index]
    about = {"activity": AROUND, "bird": "bird", "units": units}
    for name in "ab":
        write_sound_decoders(tmp_path / f"{name}.safetensors", decoders, frames, VAE.sizes, about)
    for ending in (".safetensors", ".json"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    again, said = read_sound_decoders(tmp_path / "a.safetensors")
    assert said["activity"] == AROUND
    # Another day of the same neurons: here the same recording, held together differently.
    activity = song_activity(recording, frames, said["activity"])
    wanted = np.ones(len(frames.level), dtype=bool)
    for one, other in zip(decoders, again, strict=True):
        song = other.generate(frames, activity, wanted)
        assert np.isfinite(song).all()
        np.testing.assert_array_equal(song, one.generate(frames, activity, wanted))
    _, trials, other, _ = bird(2, 0.0)
    day = bird(2, 0.0)[0]
    song = song_of_day(again[0], said, day, other)
    assert song.shape == other.level.shape and np.isfinite(song).all()
    renamed = replace(day.units, table=day.units.table.set_index(day.units.table.index + 1))
    with pytest.raises(DataError, match="unit 0 is missing"):
        song_of_day(again[0], said, day.with_units(renamed), other)
    with pytest.raises(DataError, match="has 15 units in 6 bins, but what was trained sees 16"):
        again[0].generate(frames, activity[..., 1:], wanted)
    (tmp_path / "a.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="hold no networks that can be read"):
        read_sound_decoders(tmp_path / "a.safetensors")


def test_song_of_frames_that_are_made_otherwise_is_refused(tmp_path):
    recording, trials, frames, _ = bird()
    decoders = learnt()[2]
    units = [str(unit) for unit in recording.units.table.index]
    about = {"activity": AROUND, "bird": "bird", "units": units}
    given = replace(frames, settings=None)
    for name, those in (("sound", frames), ("given", given)):
        write_sound_decoders(tmp_path / f"{name}.safetensors", decoders, those, VAE.sizes, about)
    (of_sound, *_), sound = read_sound_decoders(tmp_path / "sound.safetensors")
    (of_given, *_), bare = read_sound_decoders(tmp_path / "given.safetensors")
    assert sound["spectrogram"] == vars(SOUND) and bare["spectrogram"] is None
    assert sound["hop"] == bare["hop"] == frames.hop
    assert len(song_of_day(of_given, bare, recording, given)) == len(frames.level)
    slower = make_frames(recording, trials, replace(SOUND, hop=0.005))
    longer = make_frames(recording, trials, replace(SOUND, window=0.016))
    for frames_of, decoder, said, sentence in (
        (slower, of_sound, sound, "trained on: hop 0.005 instead of 0.004. Make"),
        (replace(slower, settings=None), of_given, bare, "on: hop 0.005 instead of 0.004. Make"),
        (longer, of_sound, sound, "window 0.016 instead of 0.008, bands 128 instead of 64. Make"),
        (given, of_sound, sound, "rate none instead of 20000"),
        (frames, of_given, bare, "rate 20000 instead of none"),
        (given, of_given, {**bare, "hop": None}, "hop 0.004 instead of none"),
    ):
        with pytest.raises(DataError, match=sentence):
            song_of_day(decoder, said, recording, frames_of)
    near = replace(given, hop=given.hop * (1 + 1e-6))  # clocks differ
    assert np.isfinite(song_of_day(of_given, bare, recording, near)).all()


def test_a_window_longer_than_a_bout_ends_in_a_sentence():
    _, _, frames, split = bird()
    with pytest.raises(DataError, match="longer than the shortest bout"):
        train_vocal(frames, frames.folds(split) == 0, replace(VAE, window=9.0), 0)


def test_too_few_windows_end_in_a_sentence():
    _, _, frames, split = bird()
    with pytest.raises(DataError, match="windows of 0.02 s to learn from and 1 to stop by"):
        train_vocal(frames, frames.folds(split) == 0, replace(VAE, step=100_000), 0)


def test_windows_to_stop_by_lie_as_far_from_the_others_as_activity_is_seen():
    _, _, frames, split = bird()
    wide = reach({"before": 0.5, "after": 60.0, "bin": 0.02})
    with pytest.raises(DataError, match="holds 0 windows of 0.02 s to learn from"):
        alone = replace(frames, piece=np.zeros_like(frames.piece))
        train_vocal(alone, frames.folds(split) == 0, replace(VAE, reach=wide), 0)


def test_latents_that_say_nothing_are_counted_and_a_collapse_is_said(caplog):
    recording, _, frames, split = bird()
    few = {name: replace(SCHEDULE, epochs=3) for name in ("vocal", "encoder")}
    crushed = replace(VAE, beta=1e4, schedules=few)
    activity = song_activity(recording, frames, AROUND)
    latents = generate_by_vae(frames, activity, split, crushed)[-1]
    assert (latents["spread"] < 0.01).all()
    assert "0 of 8 latents" in caplog.text and "has collapsed; lower `beta`" in caplog.text
    _, spread = train_vocal(frames, frames.folds(split) == 0, VAE, 0)
    assert (spread > 0.01).any()


def test_settings_come_from_the_configuration():
    config = yaml.safe_load(open("config.yaml"))
    job = SimpleNamespace(seed=1, checkpoints=None, code="")
    for entry in config["vaes"].values():
        settings = vae_settings(entry, config["training"], AROUND, job)
        assert settings.reach == pytest.approx(0.12)
        assert settings.schedules["vocal"].epochs == entry["training"]["epochs"]
    own = config["vaes"]["thesis"]["encoder"]["training"]
    assert settings.schedules["encoder"].rate == own["rate"]


def test_generated_song_comes_back_from_its_file(tmp_path):
    level = np.random.default_rng(0).uniform(-60, 5, (20, 4)).astype(np.float32)
    level[3] = np.nan
    for name in "ab":
        write_generated(tmp_path / f"{name}.h5", {"ridge": level})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    again = read_generated([tmp_path / "a.h5"])["ridge"]
    np.testing.assert_allclose(again, level, atol=0.02)
    with pytest.raises(DataError, match="holds no generated song"):
        read_generated([tmp_path / "none.h5"])


def test_frames_are_made_from_the_same_activity_whatever_the_window():
    around, hop = {"before": 0.136, "after": 0.1, "bin": 0.012}, 0.004
    for window, before in ((0.004, 0.136), (0.04, 0.1), (0.08, 0.06)):
        seen = around_window({"window": window, "activity": {}}, around, hop)
        assert seen == {**around, "before": before}
        # The first window that holds a frame begins so much before it.
        assert before + (round(window / hop) - 1) * hop == pytest.approx(0.136)
    own = {"window": 0.08, "activity": {"before": 0.032}}
    assert around_window(own, around, hop) == {**around, "before": 0.032}


def test_a_last_batch_of_one_has_no_contrast_and_stops_nothing():
    recording, _, frames, split = bird()
    kept = frames.folds(split) == 0
    training, held = stopping_part(frames, kept, VAE)
    number = len(windows_of(frames, training, VAE.length(frames))[:: VAE.step])
    alone = {**ENCODER, "reconstruction": 0}
    once = replace(SCHEDULE, epochs=1, batch=number - 1)
    short = replace(VAE, encoder=alone, schedules={"vocal": once, "encoder": once})
    vocal = train_vocal(frames, kept, short, 0)[0].network
    activity = song_activity(recording, frames, AROUND)
    history = train_encoder(frames, activity, kept, vocal, short, 0).history
    assert np.isfinite(history["training"]).all()


def test_how_sharply_song_is_recalled_is_chosen_within_the_training_part():
    recording, _, frames, split = bird()
    fold, activity = frames.folds(split), song_activity(recording, frames, AROUND)
    kept, decoder = fold != 0, learnt()[2][0]
    kept &= fold >= 0
    spoilt = frames.level.copy()
    spoilt[fold == 0] = np.random.default_rng(0).uniform(-60, 0, spoilt[fold == 0].shape)
    networks = decoder.vocal, decoder.encoder
    again = decoder_of(replace(frames, level=spoilt), activity, kept, *networks, VAE)
    assert again.memory.temperature == decoder.memory.temperature
    torch.testing.assert_close(again.memory.latents, decoder.memory.latents)
    shares = decoder.memory.temperature / ENCODER["temperature"]
    assert min(abs(float(shares) - share) for share in SHARPNESS) < 1e-6
    # Neurons that know nothing are recalled no more sharply than those that do.
    blind = decoder_of(frames, np.zeros_like(activity), kept, *networks, VAE)
    assert blind.memory.temperature >= decoder.memory.temperature


def test_blocks_of_time_that_share_activity_are_refused():
    recording, _, frames, split = bird()
    check_apart(frames, split, reach(AROUND))
    one = replace(frames, piece=np.zeros_like(frames.piece))
    one = replace(one, start=frames.start[0] + frames.hop * np.arange(len(frames.start)))
    middle = float(np.median(one.start))
    rows = [(one.start[0], middle, 0, 0), (middle, one.start[-1] + 1, 1, 0)]
    halves = pd.DataFrame(rows, columns=["start", "stop", "fold", "guard"])
    with pytest.raises(DataError, match="raise `guard` to at least 0.12"):
        check_apart(one, halves, reach(AROUND))
