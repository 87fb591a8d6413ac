"""CEBRA's networks on whole bouts: what they see, what they learn, and that they learn it again."""

from dataclasses import replace

import cebra.data
import cebra.models
import cebra.solver
import numpy as np
import pytest
import torch
from cebra.data.datatypes import BatchIndex
from embedding_birds import make_bins
from sklearn.neighbors import KNeighborsClassifier

from neuro2voc.contrast import batches
from neuro2voc.embedding import (
    Recipe,
    embed,
    make_recipe,
    padded,
    scaling,
    spread,
    train_cebra,
)
from neuro2voc.errors import DataError
from neuro2voc.projections import METHODS, UMAP, fit_space, thinned

RECIPE = Recipe(2, 0.1, 8, 60, 128, 0.01, 1.0, True, "cpu", 200)
LENGTHS = [60, 47, 53, 60]


@pytest.mark.parametrize("field", [1, 2, 7, 10, 20])
def test_windows_are_those_of_a_loop_and_never_leave_their_bout(field):
    bins = make_bins(LENGTHS)
    values = np.arange(len(bins), dtype=float)[:, None]
    windows = padded(bins, field).windows(values, np.arange(len(bins)))[:, :, 0]
    for row in range(len(bins)):
        piece = next(p for p in bins.pieces if p.start <= row < p.stop)
        places = [min(max(row + i - field // 2, piece.start), piece.stop - 1) for i in range(field)]
        assert windows[row].tolist() == places
    assert (bins.bout[windows.astype(int)] == bins.bout[:, None]).all()


@pytest.mark.parametrize("field", [1, 10, 20])
def test_networks_see_exactly_the_bins_that_their_name_says(field):
    """The thesis' models called offset 20 saw 1 or 10 bins."""
    torch.manual_seed(0)
    model = cebra.models.init(f"offset{field}-model", 3, 8, 3)
    assert len(model.get_offset()) == field
    seen = torch.randn(1, 3, field, requires_grad=True)
    model(seen)[0, 0].backward()
    felt = seen.grad.abs().sum(dim=(0, 1))
    assert felt.shape == (field,) and (felt > 0).all()
    with pytest.raises(RuntimeError):
        cebra.models.init("offset20-model", 3, 8, 3)(torch.randn(1, 3, 19))


@pytest.mark.parametrize("field", [10, 20])
def test_passing_over_everything_gives_what_windows_give(field):
    bins = make_bins(LENGTHS)
    around = padded(bins, field)
    activity = torch.from_numpy(scaling(bins)(bins)[around.rows])
    model = cebra.models.init(f"offset{field}-model", 4, 8, 3)
    first = torch.from_numpy(around.first)
    whole = embed(model, activity, first, field)
    some = embed(model, activity, first[:5], field)
    assert len(first) * field > len(activity) >= 5 * field  # one way, and the other
    torch.testing.assert_close(whole[:5], some, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("field", [1, 10, 20])
def test_coordinates_are_those_of_cebra_that_pads_each_bout_by_itself(field):
    bins = make_bins(LENGTHS)
    around = padded(bins, field)
    activity = scaling(bins)(bins)
    model = cebra.models.init(f"offset{field}-model", 4, 8, 3).eval()
    mine = embed(
        model, torch.from_numpy(activity[around.rows]), torch.from_numpy(around.first), field
    )
    solver = cebra.solver.init("single-session", model=model, criterion=None, optimizer=None)
    solver.n_features = 4
    theirs = [solver.transform(torch.from_numpy(activity[piece])) for piece in bins.pieces]
    torch.testing.assert_close(mine, torch.cat(theirs).reshape(mine.shape), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("condition", ["time", "behaviour", "hybrid"])
def test_the_loss_and_its_gradient_are_those_of_cebras_own_solver(condition):
    bins, field = make_bins([80]), 10
    activity = torch.from_numpy(scaling(bins)(bins))
    torch.manual_seed(1)
    model = cebra.models.init(f"offset{field}-model", 4, 8, 3)
    twin = cebra.models.init(f"offset{field}-model", 4, 8, 3)
    twin.load_state_dict(model.state_dict())
    draw = batches(bins, condition, 2, 0.1)
    inner = np.arange(10, 60)  # CEBRA clips windows at the ends in another way
    rng = np.random.default_rng(0)
    while True:
        reference, positives, negative = draw(6, rng)
        if np.isin(np.concatenate([reference, negative, *positives]), inner).all():
            break
    criterion = cebra.models.FixedCosineInfoNCE(1.0)
    around = padded(bins, field)
    drawn = torch.from_numpy(around.first[np.concatenate([reference, negative, *positives])])
    parts = embed(model, activity[around.rows], drawn, field).split(6)
    loss = sum(criterion(parts[0], positive, parts[1])[0] for positive in parts[2:])
    loss.backward()
    data = cebra.data.TensorDataset(activity, discrete=torch.zeros(80, dtype=torch.long))
    data.configure_for(twin)
    rows = [torch.from_numpy(r) for r in (reference, np.concatenate(positives), negative)]
    kind = "single-session-hybrid" if condition == "hybrid" else "single-session"
    extra = {"ignore_deprecation_warning": True} if condition == "hybrid" else {}
    still = torch.optim.SGD(twin.parameters(), lr=0.0)
    solver = cebra.solver.init(kind, model=twin, criterion=criterion, optimizer=still, **extra)
    said = solver.step(data.load_batch(BatchIndex(*rows)))
    theirs = said["behavior_total"] + said["time_total"] if extra else said["total"]
    assert loss.item() == pytest.approx(theirs, abs=1e-5)
    for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-5, rtol=1e-3)


def told(space, train, test):
    rows, asked = np.flatnonzero(train.sung), np.flatnonzero(test.sung)
    near = KNeighborsClassifier(5).fit(space(train, rows), train.label[rows])
    return (near.predict(space(test, asked)) == test.label[asked]).mean()


@pytest.mark.parametrize("condition", ["behaviour", "hybrid"])
@pytest.mark.parametrize("field", [1, 10])
def test_planted_syllables_are_told_apart_in_bouts_that_were_not_seen(condition, field):
    bins = make_bins([120] * 9, known=3.0, units=6)
    train, test = bins.only(bins.fold > 0), bins.only(bins.fold == 0)
    trained = train_cebra(train, condition, field, RECIPE, 1)
    assert told(trained.space, train, test) > 0.7
    assert trained.reached < 0.98 * trained.chance
    assert spread(trained.space(test, np.flatnonzero(test.sung))) > 0.3


def test_noise_is_told_at_chance():
    bins = make_bins([240] * 9, units=6, seed=4)
    train, test = bins.only(bins.fold > 0), bins.only(bins.fold == 0)
    trained = train_cebra(train, "behaviour", 10, RECIPE, 1)
    assert told(trained.space, train, test) == pytest.approx(1 / 3, abs=0.08)


@pytest.mark.parametrize("condition", ["time", "hybrid"])
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(condition):
    bins = make_bins(LENGTHS, known=1.0)
    recipe = replace(RECIPE, iterations=5)
    rows = np.arange(len(bins))
    torch.manual_seed(7)
    first = train_cebra(bins, condition, 10, recipe, 1)
    np.random.seed(3)  # noqa: NPY002 (neither numpy's nor torch's own generator has a say)
    again = train_cebra(bins, condition, 10, recipe, 1)
    other = train_cebra(bins, condition, 10, recipe, 2)
    assert first.losses.tobytes() == again.losses.tobytes()
    assert first.space(bins, rows).tobytes() == again.space(bins, rows).tobytes()
    assert first.losses.tobytes() != other.losses.tobytes()
    after = torch.rand(1)
    torch.manual_seed(7)
    assert torch.rand(1) == after  # and the caller's numbers go on as if nothing had been


def test_chance_is_the_logarithm_of_the_batch_once_per_aim():
    bins = make_bins(LENGTHS)
    recipe = replace(RECIPE, iterations=1)
    chances = {c: train_cebra(bins, c, 1, recipe, 0).chance for c in ("time", "hybrid")}
    assert chances == pytest.approx({"time": np.log(128), "hybrid": 2 * np.log(128)})


# UMAP compiles for longer than all else here takes.
SLOW = [pytest.param(name, marks=pytest.mark.long if name == UMAP else ()) for name in METHODS]


@pytest.mark.parametrize("method", SLOW)
def test_every_space_is_fitted_to_what_it_is_given_and_takes_one_unit(method):
    bins = make_bins([60] * 6, units=1, known=1.0)
    train, test = bins.only(bins.fold > 0), bins.only(bins.fold == 0)
    space, trained = fit_space(method, train, 1, replace(RECIPE, iterations=3), 1)
    seen = space(test, np.arange(0, len(test), 3))
    assert len(seen) == len(np.arange(0, len(test), 3)) and np.isfinite(seen).all()
    assert 1 <= seen.shape[1] <= 3 and (trained is None) == (method not in METHODS[:3])


def test_scaling_takes_its_numbers_from_the_bins_it_is_given_and_puts_gaps_at_the_mean():
    bins = make_bins(LENGTHS)
    activity = bins.activity.copy()
    activity[:10, 0], activity[:, 1] = np.nan, 4.0
    scaled = scaling(replace(bins, activity=activity))
    mine = scaled(replace(bins, activity=activity))
    np.testing.assert_allclose(mine[10:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(mine[10:, 0].std(), 1, atol=1e-5)
    assert (mine[:10, 0] == 0).all() and (mine[:, 1] == 0).all()
    assert scaled(replace(bins, activity=activity + 5))[10:, 0].mean() > 1  # nothing is fitted anew


def test_thinned_rows_are_even_and_no_more_than_asked_for():
    assert thinned(10, 20).tolist() == list(range(10))
    rows = thinned(1000, 100)
    assert len(rows) == 100 and rows[0] == 0 and rows[-1] == 999
    assert set(np.diff(rows)) <= {10, 11}


def test_spread_is_zero_in_one_place_and_one_all_around():
    assert spread(np.tile([[0.0, 0.6, 0.8]], (5, 1))) == pytest.approx(0)
    assert spread(np.r_[np.eye(3), -np.eye(3)]) == pytest.approx(1)


def test_a_receptive_field_longer_than_a_bout_is_a_sentence():
    with pytest.raises(DataError, match=r"20 bins \(0.2 s\) is longer than bout 1 \(0.15 s\)"):
        padded(make_bins([60, 15]), 20)


def test_partners_less_than_a_bin_apart_are_a_sentence():
    names = ("nearby", "units", "iterations", "batch", "rate", "temperature", "centred", "most")
    settings = {"apart": 0.004, "bin": 0.01, **dict.fromkeys(names, 1)}
    with pytest.raises(DataError, match="`embedding: apart` is 0.004 s, less than a bin of 0.01 s"):
        make_recipe(settings, "cpu")


def test_untrained_networks_put_all_in_one_place_unless_centred():
    bins = make_bins([200] * 3, units=20)
    rows = np.arange(len(bins))
    spreads = {}
    for centred in (True, False):
        recipe = replace(RECIPE, centred=centred, iterations=1, rate=1e-9)
        spreads[centred] = spread(train_cebra(bins, "behaviour", 20, recipe, 1).space(bins, rows))
    assert spreads[True] > 0.9 and spreads[False] < 0.6


def test_without_centring_training_is_cebras_own():
    """Weights after some steps are those of CEBRA's model, loss and Adam in a plain loop."""
    bins = make_bins([150])
    recipe = replace(RECIPE, centred=False, iterations=3, batch=16)
    mine = train_cebra(bins, "behaviour", 10, recipe, 5).space(bins, np.arange(150))
    torch.manual_seed(5)
    model = cebra.models.init("offset10-model", 4, recipe.units, 3)
    adam = torch.optim.Adam(model.parameters(), lr=recipe.rate)
    solver = cebra.solver.init(
        "single-session",
        model=model,
        criterion=cebra.models.FixedCosineInfoNCE(1.0),
        optimizer=adam,
    )
    draw, rng = batches(bins, "behaviour", recipe.apart, recipe.nearby), np.random.default_rng(5)
    windows = torch.from_numpy(padded(bins, 10).windows(scaling(bins)(bins), np.arange(150)))
    for _ in range(3):
        reference, (positive,), negative = draw(16, rng)
        parts = [windows[rows].transpose(1, 2) for rows in (reference, positive, negative)]
        solver.step(cebra.data.Batch(*parts))
    theirs = model(windows.transpose(1, 2)).detach().numpy()
    np.testing.assert_allclose(mine, theirs, atol=1e-4)
