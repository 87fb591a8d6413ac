"""Joint autoencoder, mapper and voice to neurons: products, generation, nulls and limits."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from singing import make_bird
from test_figures import check_legible, words
from test_neural_vae import ABOUT, SCHEDULE, SETTINGS, SHORT, singer

from neuro2voc.errors import DataError
from neuro2voc.figures.voice_to_neurons import draw_voice_to_neurons
from neuro2voc.frame_activity import activity_around
from neuro2voc.frames import make_frames
from neuro2voc.joint_vae import (
    JointSettings,
    generate_by_joint,
    joint_latents,
    read_joint_vaes,
    train_joint_vaes,
    voice_of_session,
    write_joint_vaes,
)
from neuro2voc.latent_mapper import fit_mapper, generate_by_mapper, read_vocal_vaes
from neuro2voc.networks.joint_vae import product
from neuro2voc.networks.neural_encoder import NeuralEncoder
from neuro2voc.networks.vocal_vae import VocalVAE
from neuro2voc.neural_vae import models_of_kind, train_neural_vaes
from neuro2voc.recording import Binned
from neuro2voc.sound_decoder import SoundDecoder, write_sound_decoders
from neuro2voc.sound_windows import levels_from, whole_rows
from neuro2voc.sources.expected import expected_around, expected_counts
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.surrogates import surrogate
from neuro2voc.trials import make_trials
from neuro2voc.voice_to_neurons import (
    JOINT,
    PSTH,
    RIDGE,
    TRUE,
    make_problem,
    mean_count,
    places_in_song,
    predict_from_latents,
    predict_psth,
    predictions,
)
from neuro2voc.voice_to_neurons_report import (
    rate_correlations,
    report_voice_to_neurons,
    score_table,
)

JOINT_SETTINGS = JointSettings(SHORT, (16,), 30.0)


@cache
def trained():
    recording, _, frames, split = singer()
    return train_joint_vaes(recording, frames, split, JOINT_SETTINGS)[0]


@cache
def voices():
    """Autoencoders of the voice as they are before training."""
    torch.manual_seed(0)
    return {
        fold: VocalVAE(frames=length, bands=128, latent=3, hidden=(8,)).eval()
        for fold, length in enumerate((10, 20))
    }


def test_the_product_of_experts_is_that_of_their_densities():
    rng = np.random.default_rng(0)
    means, spreads = rng.normal(0, 1, (2, 3)), rng.normal(0, 0.5, (2, 3))
    experts = [
        (torch.tensor(m)[None], torch.tensor(s)[None]) for m, s in zip(means, spreads, strict=True)
    ]
    mean, spread = product(experts)
    grid = np.linspace(-8, 8, 20_001)
    for i in range(3):
        density = np.exp(-0.5 * grid**2)
        for m, s in zip(means[:, i], spreads[:, i], strict=True):
            density *= np.exp(-0.5 * (grid - m) ** 2 / np.exp(s))
        density /= density.sum()
        centre = (density * grid).sum()
        assert mean[0, i] == pytest.approx(centre, abs=1e-6)
        assert spread[0, i].exp() == pytest.approx((density * (grid - centre) ** 2).sum(), abs=1e-6)


def test_either_modality_alone_reaches_the_latents():
    recording, _, frames, split = singer()
    network = trained()["0"]
    problem = make_problem(recording, frames, split, SHORT)
    rows = problem.row[:9]
    count = problem.windows.count[rows]
    level = levels_from(frames, rows - 10, 20)
    alone = joint_latents(network, count), joint_latents(network, None, level)
    both = joint_latents(network, count, level)
    assert all(one.shape == both.shape == (9, 4) for one in alone)
    assert not np.allclose(alone[0], both) and not np.allclose(alone[1], both)


def test_voice_is_generated_from_activity_alone_where_there_is_a_fold():
    recording, _, frames, split = singer()
    made = generate_by_joint(trained(), ABOUT, recording, frames, split)
    assert made.shape == frames.level.shape and made.dtype == np.float32
    assert np.array_equal(np.isfinite(made).all(axis=1), frames.folds(split) >= 0)
    held = frames.folds(split) == 0
    mute = {name: one for name, one in trained().items() if name == "1"}
    assert np.isnan(generate_by_joint(mute, ABOUT, recording, frames, split)[held]).all()


def test_joint_models_come_back_and_serve_another_session(tmp_path):
    recording, trials, frames, split = singer()
    path, names = tmp_path / "a.safetensors", {"bird": "bird", "split": "blocked"}
    write_joint_vaes(path, trained(), recording, JOINT_SETTINGS, names)
    write_joint_vaes(tmp_path / "b.safetensors", trained(), recording, JOINT_SETTINGS, names)
    assert path.read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    models, _ = read_joint_vaes(path)
    first, second = (
        generate_by_joint(one, ABOUT, recording, frames, split) for one in (models, trained())
    )
    np.testing.assert_array_equal(first, second)
    other, theirs = make_bird(5)
    day = make_frames(other, theirs, SpectrogramSettings())
    made = voice_of_session(path, 0, other, day)
    assert made.shape == day.level.shape and np.isfinite(made).all()
    few = replace(
        other,
        units=replace(
            other.units,
            spike_times=other.units.spike_times[:3],
            table=other.units.table.iloc[:3],
        ),
    )
    with pytest.raises(DataError, match="holds 3 units, and not the 12"):
        voice_of_session(path, 0, few, day)


def test_a_mapper_learns_how_latents_go_together():
    rng = np.random.default_rng(0)
    source = rng.standard_normal((900, 4)).astype(np.float32)
    target = (source @ rng.standard_normal((4, 3)) + 5).astype(np.float32)
    settings = replace(SETTINGS, schedule=replace(SCHEDULE, epochs=20))
    mapper = fit_mapper(source, target, (np.arange(700), np.arange(700, 800)), settings, 0)
    with torch.inference_mode():
        made = mapper(torch.as_tensor(source[800:])).numpy()
    assert 1 - ((made - target[800:]) ** 2).mean() / target.var(0).mean() > 0.95


def test_voice_is_generated_through_the_latents_of_both():
    recording, _, frames, split = singer()
    neural, _ = train_neural_vaes(recording, frames, split, ["1d"], SHORT)
    vocal = voices()
    by_fold = models_of_kind(neural, "1d")
    made = generate_by_mapper(by_fold, vocal, recording, frames, split, SHORT)
    assert made.shape == frames.level.shape
    assert np.array_equal(np.isfinite(made).all(axis=1), frames.folds(split) >= 0)


def test_autoencoders_of_the_voice_are_told_by_the_fold_that_they_never_saw(tmp_path):
    _, _, frames, split = singer()
    sizes = {"vocal": {"latent": 3, "hidden": (8,)}, "encoder": {"latent": 3, "hidden": (8,)}}
    decoders = [
        SoundDecoder(vocal, NeuralEncoder(units=2, bins=1, **sizes["encoder"]))
        for vocal in voices().values()
    ]
    path = tmp_path / "vae.safetensors"
    write_sound_decoders(path, decoders, frames, sizes, {})
    # As where the first fold has no sound.
    later = split.assign(fold=split["fold"] + (split["fold"] >= 0))
    read = read_vocal_vaes(path, frames, later)
    assert {fold: one.frames for fold, one in read.items()} == {1: 10, 2: 20}
    with pytest.raises(DataError, match="what 2 folds learnt, but 1 folds of this split"):
        read_vocal_vaes(path, frames, split[split["fold"] == 0])


def test_expected_counts_are_what_spikes_are_drawn_by():
    settings = Settings(units=10, pairs=2, bouts=6, sessions=2, syllable_types=3, audio_rate=0)
    recording, truth, _ = simulate("bird", settings, 1)
    trials = make_trials(recording, 0.5, [], 2)
    spans = trials.groupby("bout").agg(a=("onset", "min"), b=("offset", "max"))
    counts, expected = [], []
    for begin, end in spans.itertuples(index=False):
        bins = int((end - begin) / 0.0075)
        edges = begin + 0.0075 * np.arange(bins + 1)  # cuts ticks of 1 ms
        expected.append(expected_counts(truth, edges))
        counts.append(
            np.stack([np.histogram(t, edges)[0] for t in recording.units.spike_times], axis=1)
        )
    count, mean = np.concatenate(counts), np.concatenate(expected)
    single = (truth.population.table["pair"] < 0).to_numpy()
    z = (count.sum(0) - mean.sum(0)) / np.sqrt(mean.sum(0))
    assert (np.abs(z[single]) < 4).all()
    # Where more is expected more is seen: in each third of the bins by what is expected.
    for part in np.array_split(np.argsort(mean[:, single].ravel()), 3):
        seen, wanted = (values[:, single].ravel()[part].sum() for values in (count, mean))
        assert abs(seen - wanted) < 4 * np.sqrt(wanted)


def test_refractoriness_is_that_of_drawn_ticks():
    """Two ticks of silence behind each spike, against ticks drawn one by one."""
    settings = Settings(units=6, pairs=0, bouts=4, sessions=1, syllable_types=3, audio_rate=0)
    _, truth, _ = simulate("bird", settings, 2)
    table = truth.population.table.assign(base=250.0, refractory=2)
    truth = replace(truth, population=replace(truth.population, table=table))
    truth = replace(truth, settings=replace(settings, tuning=0.0))
    begin = truth.song["start"].iloc[0] / 1000
    mean = expected_counts(truth, begin + 0.01 * np.arange(21))
    gain = truth.gains[:, truth.song["epoch"].iloc[0]]
    chance = 1 - np.exp(-250 * gain * 0.001)
    # A renewal process: a wait of 1 / chance ticks behind two of silence.
    assert_allclose(mean, np.tile(10 / (1 / chance + 2), (20, 1)), rtol=0.01)


def test_expected_activity_lies_where_activity_does():
    recording, _, frames, _ = singer()
    truth = simulate("bird", Settings(units=12, pairs=0, bouts=6, sessions=1, syllable_types=4), 3)
    around = expected_around(truth[1], frames, 0.072, 0.012)
    seen = activity_around(recording, frames, 0.072, 0.012)
    assert [part.shape for part in around] == [part.shape for part in seen]
    total = sum(part.sum() for part in seen), sum(part.sum() for part in around)
    assert abs(total[0] - total[1]) < 5 * np.sqrt(total[1])


def test_bins_adjoin_and_lie_before_the_middle_of_their_sound():
    recording, _, frames, split = singer()
    problem = make_problem(recording, frames, split, SHORT)
    inside = np.diff(problem.bout) == 0
    assert_allclose(np.diff(frames.start[problem.row])[inside], 0.016, atol=1e-9)
    row = problem.row[40]
    edge = frames.start[row] - 0.072 + 0.032  # the third of five bins
    for unit in range(3):
        own = np.histogram(recording.units.spike_times[unit], [edge, edge + 0.016])[0]
        assert problem.count[40, unit] == own[0]
    assert set(problem.voice(20)) <= set(whole_rows(frames, 20))


def test_the_mean_over_renditions_is_that_of_a_loop():
    recording, trials, frames, split = singer()
    problem = make_problem(recording, frames, split, SHORT)
    kept, test = np.flatnonzero(problem.fold == 1), np.flatnonzero(problem.fold == 0)
    made = predict_psth(problem, trials, kept, test)
    label, since = places_in_song(problem, trials)
    constant = mean_count(problem, kept)
    for one in test[::97]:
        same = kept[(label[kept] == label[one]) & (since[kept] == since[one])]
        mean = (2 * constant + problem.count[same].sum(0)) / (2 + len(same))
        assert_allclose(made[np.searchsorted(test, one)], mean)
    begins = trials["onset"].min()
    assert set(label[frames.start[problem.row] < begins - 0.01]) <= {""}


def test_correlations_are_of_smoothed_rates_and_missing_for_constants():
    rng = np.random.default_rng(0)
    rate = rng.uniform(0, 2, (400, 3))
    bout = np.repeat([0, 1], 200)
    made = rate_correlations(rate, np.c_[rate[:, 0], -rate[:, 1], np.ones(400)], bout, 0.016)
    assert_allclose(made[:2], [1, -1])
    assert np.isnan(made[2])


@cache
def reported():
    recording, trials, frames, split = singer()
    truth = simulate("bird", Settings(units=12, pairs=0, bouts=6, sessions=1, syllable_types=4), 3)
    bird = surrogate(recording, "shifted", 5)
    null = train_joint_vaes(bird, frames, split, JOINT_SETTINGS)[0]
    about = (voices(), SHORT, [1, 2, 3], truth[1], 100)
    return report_voice_to_neurons(
        recording, frames, trials, split, trained(), (bird, null), *about
    )


def test_true_rates_explain_most_and_shifted_activity_is_not_explained():
    table = reported().methods.set_index("method")
    best = table["explained"].idxmax()
    assert best == TRUE and table.loc["constant", "explained"] == 0
    assert table.loc[PSTH, "explained"] > 0
    assert table.loc[RIDGE, "null_high"] < 0.02 and table.loc[RIDGE, "null_replicates"] == 3
    assert table.loc[JOINT, "null_replicates"] == 1 and np.isnan(table.loc[JOINT, "p"])
    assert (table["low"] <= table["explained"]).all()


def test_latents_that_hold_the_rates_predict_them():
    recording, _, frames, split = singer()
    problem = make_problem(recording, frames, split, SHORT)
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((len(problem.row), 2))
    count = rng.poisson(np.exp(hidden @ rng.standard_normal((2, 12)) - 0.5)).astype(float)
    planted = replace(problem, count=count)
    settings = replace(SETTINGS, schedule=replace(SCHEDULE, epochs=30))
    test = np.flatnonzero(problem.fold == 0)
    rates = predict_from_latents(planted, hidden, planted.parts(0, settings), test, settings, 0)
    made = {"constant": np.full(count.shape, np.nan), "latents": np.full(count.shape, np.nan)}
    made["constant"][test] = mean_count(planted, np.concatenate(planted.parts(0, settings)))
    made["latents"][test] = rates
    only = replace(planted, fold=np.where(problem.fold == 0, 0, -1))
    methods, units = score_table(only, made, 50, 0)
    assert methods.set_index("method").loc["latents", "explained"] > 0.3
    assert units[units["method"] == "latents"]["correlation"].median() > 0.5


def test_without_labels_there_is_no_mean_over_renditions():
    recording, _, frames, split = singer()
    problem = make_problem(recording, frames, split, SHORT)
    made = predictions(problem, pd.DataFrame(), trained(), {}, SHORT)
    assert set(made) == {"constant", RIDGE, JOINT}


def test_levels_in_bins_are_predicted_too():
    recording, trials, frames, split = singer()
    rng = np.random.default_rng(0)
    last = int(recording.sessions["stop_time"].max() * 50) + 1
    values = rng.gamma(1.0, 1.0, (last, 2)).astype(np.float32)
    units = Binned(values, 50.0, 0.0, pd.DataFrame(index=range(2)), additive=False)
    bird = replace(recording, units=units)
    problem = make_problem(bird, frames, split, SHORT)
    made = predictions(problem, trials, {}, {}, SHORT)
    assert np.isfinite(made[RIDGE][problem.fold >= 0]).all()


def test_the_figure_shows_original_generated_and_null():
    recording, _, frames, _ = singer()
    figure = draw_voice_to_neurons(reported(), recording, frames, "blocked")
    check_legible(figure)
    text = words(figure).replace("\n", " ")
    for part in ("simulated", "original", "joint VAE", "shifted", "true rates", "p = 0."):
        assert part in text
    bare = replace(reported(), null=None)
    assert "shifted control" not in words(draw_voice_to_neurons(bare, recording, frames, "blocked"))
