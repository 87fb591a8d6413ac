"""Neural autoencoders: windows, likelihood, collapse, reconstruction, files."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from singing import make_bird
from test_figures import check_legible, words

from neuro2voc.deviance import explained, explained_interval, poisson_deviance, sums_by
from neuro2voc.errors import DataError
from neuro2voc.figures.neural_vae import draw_neural_vae, headline
from neuro2voc.figures.style import PAGE, TEXT, wrapped
from neuro2voc.frames import Frames, make_frames
from neuro2voc.latent_decoding import decode_blocked, decode_leaking
from neuro2voc.network_files import check_units
from neuro2voc.networks.neural_vae import NeuralVAE1D, NeuralVAE2D, poisson_loss
from neuro2voc.neural_vae import (
    NeuralSettings,
    build_vae,
    decoded,
    depth_order,
    encoded,
    fit_neural_vae,
    latents_of_session,
    read_neural_vaes,
    train_neural_vaes,
    unit_statistics,
    write_neural_vaes,
)
from neuro2voc.neural_vae_report import report_neural_vaes
from neuro2voc.neural_windows import (
    Windows,
    WindowSettings,
    make_windows,
    tiles,
    training_rows,
)
from neuro2voc.reconstruction import ACTIVE, from_hidden
from neuro2voc.recording import Binned, Units
from neuro2voc.spectrograms import SpectrogramSettings
from neuro2voc.splits import make_split
from neuro2voc.training import Schedule

ABOUT = WindowSettings(window=0.08, bin=0.016, lead=0.03, step=0.016)
SIZES = {"latent": 4, "hidden": 32, "filters": 8, "hide": 0.0}
SCHEDULE = Schedule(12, 12, 64, 0.01, 0.01, 0.1, 5.0, "cpu")
SETTINGS = NeuralSettings(SIZES, 0.1, ABOUT, SCHEDULE, 3, 1)
SHORT = replace(SETTINGS, schedule=replace(SCHEDULE, epochs=2))


@cache
def singer():
    recording, trials = make_bird(3)
    frames = make_frames(recording, trials, SpectrogramSettings())
    split = make_split("blocked", trials, recording.sessions, 2, 0.5, 0)
    return recording, trials, frames, split


def of_windows(count):
    """Windows that nobody cut out of a recording, and rows to train on and to stop by."""
    about = Windows(count.astype(np.float32), 4, 0.016, ABOUT)
    edge = 3 * len(count) // 4
    return about, (np.arange(edge), np.arange(edge, len(count)))


def planted(windows, units=10, bins=5, factors=2, gain=1.2, seed=0):
    """Counts whose logarithms of rates two hidden numbers of each window move."""
    rng = np.random.default_rng(seed)
    weight = gain * rng.standard_normal((factors, bins, units))
    hidden = rng.standard_normal((windows, factors))
    rate = 0.8 * np.exp(np.einsum("wf,fbu->wbu", hidden, weight) - gain**2)
    return rng.poisson(rate), rate


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=8),
    st.lists(st.floats(1e-3, 50), min_size=8, max_size=8),
)
def test_deviance_is_twice_the_likelihood_that_lacks(count, rate):
    count, rate = np.array(count), np.array(rate[: len(count)])
    from scipy.stats import poisson

    saturated = poisson.logpmf(count, np.maximum(count, 1e-300))
    lacking = 2 * (np.where(count > 0, saturated, 0) - poisson.logpmf(count, rate))
    assert_allclose(poisson_deviance(count, rate), lacking, rtol=1e-6, atol=1e-6)
    assert_allclose(poisson_deviance(count, np.maximum(count, 1e-12)), 0, atol=1e-9)


def test_what_was_not_observed_deviates_by_nothing():
    count = np.array([[1.0, np.nan], [0.0, 2.0]])
    deviance = poisson_deviance(count, np.full((2, 2), 0.5))
    assert deviance[0, 1] == 0 and (np.delete(deviance.ravel(), 1) > 0).all()
    loss = poisson_loss(torch.full((1, 2, 2), 0.5), torch.tensor(count)[None])
    assert float(loss) == pytest.approx(1.5 - 3 * np.log(0.5))


def test_intervals_hold_the_share_and_need_two_bouts():
    rng = np.random.default_rng(0)
    reference = rng.uniform(50, 150, 30)
    deviance = reference * rng.normal(0.8, 0.05, 30)
    share = explained(deviance.sum(), reference.sum())
    low, high = explained_interval(deviance, reference, 500, 1)
    assert low < share < high < low + 0.1
    assert np.isnan(explained_interval(deviance[:1], reference[:1], 500, 1)).all()
    assert np.isnan(explained(np.array(1.0), np.array(0.0)))
    assert_array_equal(sums_by(np.array([1.0, 2.0, 4.0]), np.array([7, 3, 7])), [2, 5])


def test_windows_lie_before_their_frames_and_tiles_adjoin():
    recording, _, frames, _ = singer()
    windows = make_windows(recording, frames, ABOUT)
    assert windows.count.shape[1:] == (5, len(recording.units)) and windows.width == 4
    rng = np.random.default_rng(1)
    for row in rng.choice(len(frames.start), 20):
        edges = frames.start[row] - 0.072 + 0.016 * np.arange(6)  # 70 ms, up to a whole hop
        for unit in (0, 5):
            own = np.histogram(recording.units.spike_times[unit], edges)[0]
            assert_allclose(windows.count[row, :, unit], own, atol=1e-5)
    adjoining = frames.start[tiles(frames, windows)]
    inside = np.diff(frames.piece[tiles(frames, windows)]) == 0
    assert_allclose(np.diff(adjoining)[inside], 0.08, atol=1e-9)


def test_no_window_to_stop_by_reaches_into_one_to_train_on():
    recording, _, frames, split = singer()
    fold = frames.folds(split)
    kept, held = SETTINGS.parts(frames, fold, 0, training_rows(frames, ABOUT))
    assert (fold[kept] == 1).all() and (fold[held] == 1).all()
    gap = np.abs(frames.start[kept][:, None] - frames.start[held]).min()
    assert gap >= ABOUT.window


def test_windows_that_cannot_be_are_refused():
    recording, _, frames, _ = singer()
    with pytest.raises(DataError, match="holds no bin"):
        make_windows(recording, frames, replace(ABOUT, bin=0.1))
    values = np.full((5000, 2), -1.0, dtype=np.float32)
    units = Binned(values, 100.0, 0.0, pd.DataFrame(index=range(2)), additive=False)
    with pytest.raises(DataError, match="below 0"):
        make_windows(replace(recording, units=units), frames, ABOUT)
    with pytest.raises(DataError, match="one of each is needed"):
        SETTINGS.parts(frames, frames.folds(singer()[3]), 0, np.array([3]))


@pytest.mark.parametrize("kind", ["1d", "2d"])
def test_planted_structure_is_reconstructed_and_told_from_other_units(kind):
    count, rate = planted(1200)
    windows, parts = of_windows(count)
    settings = replace(SETTINGS, schedule=replace(SCHEDULE, epochs=16))
    network = fit_neural_vae(windows, parts, kind, np.arange(10), settings, 0).network
    held = parts[1]
    constant = np.broadcast_to(unit_statistics(windows, parts[0])["mean"], count[held].shape)

    def share(made):
        own, other = (poisson_deviance(count[held], values).sum() for values in (made, constant))
        return explained(own, other)

    means, divergences = encoded(network, windows.count[held])
    limit = share(rate[held])
    assert limit > 0.3
    assert share(decoded(network, means)) > 0.6 * limit
    assert share(from_hidden(network, windows.count[held])) > 0.4 * limit
    assert (divergences.mean(0) > ACTIVE).sum() >= 2


def test_latents_of_noise_collapse_where_the_likelihood_is_bounded():
    rng = np.random.default_rng(0)
    windows, parts = of_windows(rng.poisson(0.5, (800, 5, 10)))
    settings = replace(SETTINGS, beta=1.0)
    network = fit_neural_vae(windows, parts, "1d", np.arange(10), settings, 0).network
    _, divergences = encoded(network, windows.count[parts[1]])
    assert (divergences.mean(0) < ACTIVE).all()


def test_an_image_takes_units_in_their_order_along_the_probe():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    order = rng.permutation(7)
    ones = {name: np.ones(7) for name in ("mean", "scale", "dispersion")}
    sizes = {"bins": 5, "units": 7, **SIZES, **ones}
    first = NeuralVAE2D(order=order, **sizes).eval()
    second = NeuralVAE2D(order=np.arange(7), **sizes).eval()
    weights = {k: v for k, v in first.state_dict().items() if k != "order"}
    weights["offset"] = weights["offset"][order]
    second.load_state_dict({**weights, "order": torch.arange(7)})
    count = torch.as_tensor(rng.poisson(1.0, (3, 5, 7)).astype(np.float32))
    assert_allclose(
        first(count)[0].detach()[:, :, order], second(count[:, :, order])[0].detach(), rtol=1e-5
    )


def test_units_that_are_not_observed_are_taken_for_their_mean():
    torch.manual_seed(0)
    ones = {name: np.ones(3) for name in ("mean", "scale", "dispersion")}
    network = NeuralVAE1D(bins=4, units=3, **SIZES, **ones).eval()
    count = torch.ones(2, 4, 3)
    missing = count.clone()
    missing[:, :, 1] = torch.nan
    assert torch.equal(network(count)[1], network(missing)[1])
    assert torch.isfinite(network(missing)[0]).all()


def test_levels_are_counted_in_the_unit_in_which_they_scatter_like_counts():
    rng = np.random.default_rng(0)
    count = 10.0 * rng.poisson(2.0, (500, 4, 1))
    windows = Windows(count.astype(np.float32), 1, 0.004, ABOUT, additive=False)
    assert unit_statistics(windows, np.arange(500))["dispersion"] == pytest.approx(10, rel=0.1)
    assert unit_statistics(replace(windows, additive=True), np.arange(500))["dispersion"] == 1


def test_autoencoders_come_back_from_files_the_same_bytes_and_serve_another_day(tmp_path):
    recording, _, frames, split = singer()
    models, losses = train_neural_vaes(recording, frames, split, ["1d", "2d"], SHORT)
    assert list(models) == ["1d/0", "2d/0", "1d/1", "2d/1"]
    assert set(losses["epoch"]) == {1, 2}
    names = {"bird": "bird", "split": "blocked"}
    for name in "ab":
        write_neural_vaes(tmp_path / f"{name}.safetensors", models, recording, SHORT, names)
    for end in ("safetensors", "json"):
        first, second = (tmp_path / f"{name}.{end}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()
    read, about = read_neural_vaes(tmp_path / "a.safetensors")
    count = make_windows(recording, frames, ABOUT).count[:50]
    for name, network in models.items():
        assert_array_equal(encoded(read[name], count)[0], encoded(network, count)[0])
    assert about["bird"] == "bird" and len(about["units"]) == 12

    other, trials = make_bird(4)
    day = make_frames(other, trials, SpectrogramSettings())
    latents = latents_of_session(tmp_path / "a.safetensors", "2d/0", other, day)
    assert latents.shape == (len(day.start), 4) and np.isfinite(latents).all()
    few = replace(recording.units, table=recording.units.table.iloc[:11])
    with pytest.raises(DataError, match=r"11 units, and not the 12 .*\(unit 11 is missing\)"):
        check_units(about["units"], replace(recording, units=few))
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text().replace("2d/1", "2d/2"))
    with pytest.raises(DataError, match="hold no networks that can be read"):
        read_neural_vaes(tmp_path / "a.safetensors")
    with pytest.raises(DataError, match="does not exist"):
        read_neural_vaes(tmp_path / "none.safetensors")


def test_training_is_the_same_every_time():
    recording, _, frames, split = singer()
    weights = [
        train_neural_vaes(recording, frames, split, ["2d"], SHORT)[0]["2d/0"].state_dict()
        for _ in range(2)
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_neighbouring_windows_give_the_syllable_away_and_other_bouts_do_not():
    """Latents that drift and know nothing: what random windows score is the leak."""
    rng = np.random.default_rng(0)
    bout, trial = np.repeat(np.arange(20), 90), np.repeat(np.arange(60), 30)
    label = rng.choice(list("abc"), 60)[trial]
    latents = 3 * rng.standard_normal((60, 4))[trial] + 0.1 * rng.standard_normal((1800, 4))
    fold = bout // 5
    held = decode_blocked(lambda _: latents, label, bout, fold, "neighbours", 100, 0)
    leak = decode_leaking(latents, label, bout, "neighbours", 4, 0)
    assert held["balanced_accuracy"] < 0.5 < 0.9 < leak["balanced_accuracy"]
    assert held["chance"] == pytest.approx(1 / 3)


def test_depths_order_units_where_all_are_known():
    recording = singer()[0]
    depth = recording.units.table["depth"].to_numpy()
    assert (np.diff(depth[depth_order(recording)]) <= 0).all()
    table = recording.units.table.drop(columns="depth")
    bare = replace(recording, units=Units(recording.units.spike_times, table))
    assert_array_equal(depth_order(bare), np.arange(12))


@cache
def reported(control=True):
    recording, trials, frames, split = singer()
    models, _ = train_neural_vaes(recording, frames, split, ["1d", "2d"], SHORT)
    seeds = {"poisson": 1, "shifted": 2} if control else {}
    return report_neural_vaes(recording, frames, trials, split, models, SHORT, seeds, None, 50)


def test_the_figure_says_what_is_explained_beside_what_and_what_has_collapsed():
    recording, report = singer()[0], reported()
    table = report.table.set_index(["bird", "model"])
    assert set(table.index) == {(b, m) for b in ("real", "poisson") for m in ("1d", "2d", "pca")}
    assert (table["shown"] < 1).all() and table.loc[("real", "1d"), "latents"] == 4
    figure = draw_neural_vae(report, recording, "blocked")
    check_legible(figure)
    long = report.table.assign(shown=-0.123, hidden=-0.123, active=11, latents=16)
    for each in (report, replace(report, table=long)):
        assert len(wrapped(headline(each), PAGE, TEXT)) == 2
    text = words(figure).replace("\n", " ")
    for part in ("simulated", "1-D VAE", "ollapsed", "The leak", "Poisson units", "chance"):
        assert part in text


def test_all_collapsed_is_said_in_words():
    report = reported(control=False)
    assert report.control == "" and set(report.table["bird"]) == {"real"}
    gone = replace(report, table=report.table.assign(active=0))
    text = words(draw_neural_vae(gone, singer()[0], "blocked")).replace("\n", " ")
    assert "Collapsed latents: 1-D VAE all 4, 2-D VAE all 4." in text


def test_networks_are_built_from_what_files_say():
    network = build_vae("1d", {"bins": 5, "order": [0, 1, 2], "sizes": SIZES})
    assert isinstance(network, NeuralVAE1D) and network.units == 3
    assert isinstance(singer()[2], Frames)


def test_levels_without_labels_have_a_control_and_nothing_to_decode():
    recording, _, frames, split = singer()
    rng = np.random.default_rng(0)
    last = int(recording.sessions["stop_time"].max() * 60) + 1
    values = rng.gamma(1.0, 2.0, (last, 4)).astype(np.float32)
    units = Binned(values, 60.0, 0.0, pd.DataFrame(index=range(4)), additive=False)
    bird = replace(recording, units=units)
    models, _ = train_neural_vaes(bird, frames, split, ["1d"], SHORT)
    seeds, none = {"poisson": 1, "shifted": 2}, pd.DataFrame()
    report = report_neural_vaes(bird, frames, none, split, models, SHORT, seeds, None, 50)
    assert report.control == "shifted" and report.decoding.empty
    figure = draw_neural_vae(report, bird, "blocked")
    check_legible(figure)
    assert "no labels" in words(figure) and "shifted activity" in words(figure)
