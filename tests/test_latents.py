"""Latents of both modalities: neighbours, mixing and matching, and what is drawn."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from test_figures import check_legible, words
from test_neural_vae import ABOUT, singer
from test_voice_to_neurons import trained

from neuro2voc.errors import DataError
from neuro2voc.figures.latents import draw_latents
from neuro2voc.latents import (
    PairedLatents,
    make_latents,
    matched,
    mixing,
    neighbour_table,
    pictured,
    space_table,
)


def planted(shared, spread=0.3, seed=0):
    """Three syllables in twelve bouts; activity and voice lie together where they are shared."""
    rng = np.random.default_rng(seed)
    label = np.tile(np.repeat(list("abc"), 20), 12)
    bout = np.repeat(np.arange(12), 60)
    centre = 2 * np.eye(3)[np.searchsorted(list("abc"), label)]
    private = rng.standard_normal((len(label), 3))
    vocal = centre + 0.3 * private
    neural = vocal + spread * rng.standard_normal(vocal.shape) if shared else private + 9
    neural, vocal = neural.astype(np.float32), vocal.astype(np.float32)
    folds = {0: None, 1: None, 2: None}
    return PairedLatents(
        dict.fromkeys(folds, neural), dict.fromkeys(folds, vocal), label, bout, bout // 4
    )


def test_activity_that_shares_the_space_is_told_by_the_voices_there():
    table = neighbour_table(planted(True), 100, 0).set_index(["trained", "tested"])
    assert (table["balanced_accuracy"] > 0.9).all() and (table["n_bouts"] == 12).all()
    apart = neighbour_table(planted(False), 100, 0).set_index(["trained", "tested"])
    assert apart.loc[("vocal", "vocal"), "balanced_accuracy"] > 0.9
    assert apart.loc[("neural", "neural"), "balanced_accuracy"] < 0.45
    assert apart.loc[("vocal", "neural"), "balanced_accuracy"] < 0.45


def test_modalities_mix_or_lie_apart():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 400, 3))
    assert mixing(first, second) == pytest.approx(0.5, abs=0.03)
    assert mixing(first, second + 50) == 0


def test_matching_is_that_of_a_loop_and_half_by_chance():
    rng = np.random.default_rng(0)
    neural, vocal = rng.standard_normal((2, 30, 4))
    shares = []
    for i in range(30):
        distance = [((neural[i] - vocal[j]) ** 2).sum() for j in range(30)]
        shares.append(np.mean([distance[j] > distance[i] for j in range(30) if j != i]))
    assert matched(neural, vocal) == pytest.approx(np.mean(shares))
    assert matched(neural, neural) == 1
    assert matched(neural, np.ones_like(vocal)) == 0.5
    assert 0.35 < matched(neural, vocal) < 0.65


def test_each_fold_is_judged_in_its_own_space():
    table = space_table(planted(True))
    assert table["fold"].tolist() == [0, 1, 2] and (table["n_windows"] == 240).all()
    assert (table["matched"] > 0.8).all() and (table["mixing"] > 0.3).all()


@cache
def made():
    recording, trials, frames, split = singer()
    return make_latents(trained(), ABOUT, recording, frames, trials, split)


def test_latents_are_of_whole_windows_within_syllables():
    latents = made()
    recording, trials, frames, _ = singer()
    assert set(latents.label) == set(trials["label"]) and set(latents.fold) == {0, 1}
    assert latents.neural[0].shape == latents.vocal[1].shape == (len(latents.label), 4)
    assert np.isfinite(latents.neural[0]).all() and not np.allclose(
        latents.neural[0], latents.vocal[0]
    )


def test_too_few_windows_are_refused():
    recording, trials, frames, split = singer()
    few = trials[trials["trial"] < 1].assign(offset=lambda t: t["onset"] + 0.02)
    with pytest.raises(DataError, match="too few to look for 15 neighbours|No window lies"):
        make_latents(trained(), ABOUT, recording, frames, few, split)


def test_the_picture_is_the_same_every_time_and_the_figure_says_what_it_shows():
    latents, recording = planted(True), singer()[0]
    picture = pictured(latents, 5)
    assert_array_equal(picture, pictured(latents, 5))
    assert picture["modality"].value_counts().tolist() == [240, 240]
    tables = {"neighbours": neighbour_table(latents, 50, 0), "space": space_table(latents)}
    beside = {f"null_{name}": table for name, table in tables.items()}
    figure = draw_latents(picture, {**tables, **beside}, recording, "blocked")
    check_legible(figure)
    text = words(figure).replace("\n", " ")
    for part in ("simulated", "by modality", "chance", "shifted control", "UMAP"):
        assert part in text
    alone = words(draw_latents(picture, tables, recording, "blocked"))
    assert "shifted control" not in alone
