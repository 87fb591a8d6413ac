"""Decoding into the latents of an audio codec, with a tiny one of random weights."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import load_file, save_file
from singing import Sound, make_bird
from sklearn.linear_model import Ridge
from transformers import EncodecConfig, EncodecModel, GPT2Config, GPT2Model

from neuro2voc.audio_codec import (
    LOUD,
    PENALTIES,
    cross_regress,
    gain,
    generate_by_audio_codec,
    heard_through,
    latents_of_sound,
    levels_of_latents,
    read_audio_codec,
    song_latents,
    sound_of_latents,
)
from neuro2voc.errors import DataError
from neuro2voc.frame_activity import activity_around, lagged
from neuro2voc.frames import make_frames
from neuro2voc.sources.settings import Settings
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import NONE, make_split

LAGS = {"before": 0.06, "after": 0.02, "bin": 0.02}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A codec of 24 kHz with frames of 10 ms."""
    torch.manual_seed(0)
    config = EncodecConfig(
        **{"hidden_size": 6, "num_filters": 2, "upsampling_ratios": [8, 6, 5], "codebook_size": 8},
        **{"num_lstm_layers": 1, "target_bandwidths": [1.5]},
    )
    path = tmp_path_factory.mktemp("encodec")
    EncodecModel(config).save_pretrained(path)
    return path


@cache
def bird():
    recording, trials = make_bird(
        3, Settings(units=10, pairs=0, bouts=6, sessions=1, syllable_types=3)
    )
    frames = make_frames(recording, trials, SpectrogramSettings())
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 0)
    return recording, frames, split


def test_latents_are_what_the_encoder_gives_frame_by_frame(folder):
    codec = read_audio_codec(folder)
    assert (codec.rate, codec.hop, codec.frame) == (24_000, 240, 0.01)
    sound = np.random.default_rng(0).normal(size=2400 + 7).astype(np.float32)
    short, whole = latents_of_sound(codec, [sound[:240], sound])
    assert short.shape == (1, 6) and whole.shape == (11, 6)
    with torch.inference_mode():
        padded = np.pad(sound, (0, 233))
        expected = codec.model.encoder(torch.as_tensor(padded)[None, None])[0].T
    assert_array_equal(whole, expected)
    assert_array_equal(latents_of_sound(codec, [sound])[0], whole)
    again = sound_of_latents(codec, whole)
    assert again.shape == (2640,) and np.isfinite(again).all() and again.std() > 0


def test_frames_of_the_codec_cover_the_song_at_its_own_rate(folder):
    recording, frames, split = bird()
    codec = read_audio_codec(folder)
    own, latents = song_latents(recording, frames, codec)
    assert len(own.start) == len(latents) and own.hop == 0.01
    assert set(own.piece) == set(frames.piece)
    for mine, theirs in zip(own.pieces, frames.pieces, strict=True):
        assert own.start[mine.start] == frames.start[theirs.start]
        longer = (mine.stop - mine.start) * 0.01 - (theirs.stop - theirs.start) * 0.004
        assert -1e-9 <= longer < 0.01
    assert set(own.folds(split)) == {0, 1, 2}
    # A sine that is 0 dB loud comes to the codec at one amplitude, whatever the sound's unit.
    louder = replace(frames, reference=100 * frames.reference)
    assert gain(louder) == pytest.approx(gain(frames) / 10)
    assert gain(frames) * np.sqrt(2 * frames.reference) == pytest.approx(LOUD)


def test_generated_frames_are_levels_of_all_folds_and_the_same_again(folder):
    recording, frames, split = bird()
    level = generate_by_audio_codec(recording, frames, split, folder, **LAGS)
    assert level.shape == frames.level.shape and level.dtype == np.float32
    assert_array_equal(np.isnan(level).all(axis=1), frames.folds(split) == NONE)
    assert np.nanmin(level) >= -60
    assert_array_equal(level, generate_by_audio_codec(recording, frames, split, folder, **LAGS))


def test_a_guard_inside_of_a_bout_is_not_predicted_and_the_rest_is(folder):
    recording, frames, split = bird()
    piece = frames.pieces[1]
    begin = frames.start[piece.start] + 0.1
    rows = [(0.0, begin, 0, 0), (begin, begin + 0.1, NONE, 1), (begin + 0.1, 1e4, 1, 0)]
    cut = split.iloc[:3].copy()
    cut[["start", "stop", "fold", "guard"]] = rows
    cut = cut.astype(split.dtypes.to_dict())
    level = generate_by_audio_codec(recording, frames, cut, folder, **LAGS)
    missing = np.isnan(level).any(axis=1)
    guard = frames.folds(cut) == NONE
    # Frames of the codec are longer: one that reaches into the guard is not predicted, either.
    assert missing[guard].all() and 24 <= missing.sum() <= 24 + 8


def test_nothing_of_a_held_out_fold_is_learnt_from(folder):
    """What a fold sounds like moves predictions of all others, never its own."""
    recording, frames, split = bird()
    plain = generate_by_audio_codec(recording, frames, split, folder, **LAGS)
    samples = recording.audio.samples.copy()
    fold = frames.folds(split)
    rng = np.random.default_rng(1)
    for piece in frames.pieces:
        if fold[piece.start] == 1:
            first, last = (
                round(t * recording.audio.rate)
                for t in (frames.start[piece.start], frames.start[piece.stop - 1] + 0.004)
            )
            samples[first:last] = rng.normal(scale=0.1, size=last - first)
    other = replace(recording, audio=Sound(recording.audio.rate, samples))
    noisy = generate_by_audio_codec(other, frames, split, folder, **LAGS)
    assert_array_equal(noisy[fold == 1], plain[fold == 1])
    assert (noisy[fold == 0] != plain[fold == 0]).any()


def test_the_attainable_is_the_song_through_the_codec(folder):
    recording, frames, split = bird()
    heard = heard_through(recording, frames, folder)
    assert heard.shape == frames.level.shape and np.isfinite(heard).all()
    # A codec that gives back what it is given: frames come out as they went in, at their times.
    codec = read_audio_codec(folder)
    codec.model.encoder = codec.model.decoder = torch.nn.Identity()

    class Straight(torch.nn.Module):
        def forward(self, sound):
            return sound.reshape(1, -1, 240).transpose(1, 2)

    class Back(torch.nn.Module):
        def forward(self, latents):
            return latents.transpose(1, 2).reshape(1, 1, -1)

    codec.model.encoder, codec.model.decoder = Straight(), Back()
    own, latents = song_latents(recording, frames, codec)
    zeros = np.zeros(len(own.start), int), np.zeros(len(frames.start), int)
    level = levels_of_latents(codec, own, latents, zeros[0], frames, zeros[1])
    inside = np.ones(len(level), dtype=bool)
    for piece in frames.pieces:  # windows at the ends reach beyond
        inside[piece.start : piece.start + 3] = inside[piece.stop - 4 : piece.stop] = False
    loud = (frames.level > -40) & inside[:, None]
    assert np.abs(level - frames.level)[loud].mean() < 0.5


def test_a_linear_code_of_latents_is_found_by_the_regression(folder):
    recording, frames, split = bird()
    codec = read_audio_codec(folder)
    own, latents = song_latents(recording, frames, codec)
    x = lagged(activity_around(recording, own, 0.06, 0.02), own, 0.06, 0.02, 0.02)
    x = x.reshape(len(x), -1)
    y = x @ np.random.default_rng(0).normal(size=(x.shape[1], 4)) + 3
    fold = own.folds(split)
    predicted = cross_regress(x, y, fold, own.piece)
    assert np.corrcoef(predicted[fold != NONE].ravel(), y[fold != NONE].ravel())[0, 1] > 0.999
    assert np.isnan(predicted[fold == NONE]).all()


def test_the_regression_is_scikit_learns_with_missing_values_at_the_mean():
    rng = np.random.default_rng(0)
    x, piece = rng.normal(2, 3, (120, 5)), np.repeat(np.arange(12), 10)
    fold = np.repeat([0, 1, 2], 40)
    y = x @ rng.normal(size=(5, 2)) + rng.normal(size=(120, 2))
    found = cross_regress(x, y, fold, piece)
    for now in range(3):
        known, asked = fold != now, fold == now
        mean, spread = x[known].mean(axis=0), x[known].std(axis=0)
        by = [
            Ridge(penalty)
            .fit((x[known] - mean) / spread, y[known])
            .predict((x[asked] - mean) / spread)
            for penalty in PENALTIES
        ]
        assert min(np.abs(found[asked] - one).max() for one in by) < 1e-4
    x[5] = np.nan
    assert np.isfinite(cross_regress(x, y, fold, piece)).all()
    with pytest.raises(DataError, match="only one piece of song is left"):
        cross_regress(x, y, np.repeat([0, 1], 60), np.repeat([0, 1], 60))


# Folders that hold no codec


def test_a_missing_folder_and_missing_files_end_in_a_sentence(folder, tmp_path):
    with pytest.raises(DataError, match=r"`audio_codec`: .*nowhere does not exist; name a folder"):
        read_audio_codec(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"model\.safetensors does not exist"):
        read_audio_codec(tmp_path)


def test_another_kind_of_model_ends_in_a_sentence(tmp_path):
    GPT2Model(GPT2Config(n_layer=1, n_embd=4, n_head=1, vocab_size=8)).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="its model_type is 'gpt2', not 'encodec'"):
        read_audio_codec(tmp_path)


def test_damaged_or_missing_weights_end_in_a_sentence(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(key for key in weights if key.startswith("decoder")))
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=r"1 weights are missing, decoder"):
        read_audio_codec(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="holds no EnCodec model that can be read"):
        read_audio_codec(tmp_path)


def test_a_bird_without_sound_ends_in_a_sentence(folder):
    recording, frames, split = bird()
    for silent in (
        (replace(recording, audio=None), frames),
        (recording, replace(frames, settings=None)),
    ):
        with pytest.raises(DataError, match="an audio codec codes sound, not spectrograms"):
            generate_by_audio_codec(*silent, split, folder, **LAGS)
