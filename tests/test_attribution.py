"""SHAP values and interactions of held-out trials, against sums over XGBoost's own."""

from dataclasses import fields, replace

import h5py
import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.special import softmax

from neuro2voc import attribution
from neuro2voc.attribution import Explanation, explain
from neuro2voc.attribution_files import read_explanation, write_explanation
from neuro2voc.decoders import Boosted
from neuro2voc.errors import DataError
from neuro2voc.hubs import AttributionNull, Surrogates

MODEL = {"max_depth": 3, "rounds": 12, "rate": 0.3, "rows": 0.5}
SEED = 2**40 + 3


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(attribution, "MODEL", MODEL)


def make_data(labels="abc", units=5, columns=1, bouts=12, seed=0):
    """Bouts of 8 trials, numbered with gaps; each unit is tuned a little."""
    rng = np.random.default_rng(seed)
    n = 8 * bouts
    label = np.resize(list(labels), n)[rng.permutation(n)]
    bout = np.repeat(3 + 2 * np.arange(bouts), 8)
    # Classes of different size.
    label[rng.uniform(size=n) < 0.2] = labels[0]
    rate = 1 + rng.uniform(0, 3, (len(labels), units, columns))
    X = rng.poisson(rate[np.searchsorted(list(labels), label)]).astype(float)
    used = pd.DataFrame({"trial": 5 + np.arange(n), "label": label, "bout": bout})
    return X, used, (np.arange(bouts) * 3 // bouts).repeat(8)


def guarded(seed=0):
    X, used, fold = make_data(seed=seed)
    fold[24:30] = -1
    return X, used, fold


def at_random():
    X, used, fold = make_data()
    return X, used, np.random.default_rng(1).permutation(fold)


def lacking(labels):
    """The last class is sung in fold 0 only."""
    X, used, fold = make_data(labels)
    last = (used["label"] == labels[-1]) & (fold > 0)
    return X, used.assign(label=used["label"].mask(last, labels[0])), fold


def with_gaps():
    X, used, fold = make_data(units=4, columns=2)
    X[np.random.default_rng(2).uniform(size=X.shape[:2]) < 0.2] = np.nan
    return X, used, fold


CASES = {
    "three classes": make_data,
    "two classes": lambda: make_data("ab"),
    "several columns": lambda: make_data(units=3, columns=3),
    "one unit": lambda: make_data(units=1, columns=5),
    "one column": lambda: make_data(units=1),
    "guards": guarded,
    "random": at_random,
    "a class lacks": lambda: lacking("abcd"),
    "two classes left": lambda: lacking("abc"),
    "not observed": with_gaps,
}


@pytest.fixture(params=CASES)
def data(request):
    return CASES[request.param]()


def models(explanation, seed=SEED):
    """Yield each fold's rows and the model fitted to the others."""
    trials, X = explanation.trials, explanation.features
    for now in np.unique(trials["fold"]):
        test = (trials["fold"] == now).to_numpy()
        truth = trials["truth"].to_numpy(dtype=object)
        yield np.flatnonzero(test), Boosted(**MODEL, seed=seed).fit(X[~test], truth[~test])


def interactions(explanation):
    """Interactions (trials, K, players, players) by XGBoost; NaN where a model lacks the class."""
    unit, labels = explanation.unit, explanation.labels
    player = np.eye(unit.max() + 1)[unit]
    shape = (len(explanation.trials), len(labels), player.shape[1], player.shape[1])
    every = np.full(shape, np.nan)
    for rows, model in models(explanation):
        matrix = xgboost.DMatrix(explanation.features[rows])
        found = model.booster_.get_booster().predict(matrix, pred_interactions=True)
        found = found[..., :-1, :-1].astype(float)
        if len(model.classes_) == 2:
            found = np.stack([-found / 2, found / 2], axis=1)
        found = np.einsum("nkij,ip,jq->nkpq", found, player, player)
        for place, label in enumerate(model.classes_):
            every[rows, labels.index(label)] = found[:, place]
    diagonal = np.arange(player.shape[1])
    every[:, :, diagonal, diagonal] = 0
    return every


def test_values_are_those_of_a_model_that_never_saw_the_trial(data):
    X, used, fold = data
    found = explain(X, used, fold, SEED)
    trials = found.trials
    assert list(trials["trial"]) == list(used["trial"][fold >= 0])
    assert list(trials["fold"]) == list(fold[fold >= 0])
    assert found.labels == sorted(set(used["label"][fold >= 0]))
    margin = found.values.sum(axis=1) + found.expected
    for rows, model in models(found):
        place = [found.labels.index(name) for name in model.classes_]
        probability = model.predict_proba(found.features[rows])
        np.testing.assert_allclose(softmax(margin[rows][:, place], axis=1), probability, atol=1e-5)
        likeliest = model.classes_[probability.argmax(axis=1)]
        assert (trials["prediction"].to_numpy()[rows] == likeliest).all()
        absent = np.setdiff1d(np.arange(len(found.labels)), place)
        assert np.isnan(found.values[rows][:, :, absent]).all()
        assert np.isnan(found.expected[rows][:, absent]).all()
        assert not np.isnan(found.values[rows][:, :, place]).any()


@pytest.mark.parametrize("case", ["three classes", "two classes"])
def test_values_are_those_of_the_shap_package(case):
    shap = pytest.importorskip("shap")
    found = explain(*CASES[case](), SEED)
    for rows, model in models(found):
        other = shap.TreeExplainer(model.booster_).shap_values(found.features[rows])
        if case == "two classes":
            other = np.stack([-other / 2, other / 2], axis=-1)
        np.testing.assert_allclose(found.values[rows], other, atol=1e-5)


def test_interactions_are_sums_over_xgboosts_own(data):
    X, used, fold = data
    found = explain(X, used, fold, SEED)
    every = interactions(found)
    known = ~np.isnan(found.expected)
    every = np.nan_to_num(every)
    trials, classes = found.trials, len(found.labels)
    weight = trials["weight"].to_numpy()
    size = np.abs(every)
    np.testing.assert_allclose(
        found.absolute, np.einsum("n,nkpq->kpq", weight, size), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(
        found.signed, np.einsum("n,nkpq->kpq", weight, every), rtol=0, atol=1e-5
    )
    evidence = np.zeros(every[:, 0].shape)
    for row, label in enumerate(trials["truth"]):
        place = found.labels.index(label)
        if known[row, place]:
            evidence[row] = every[row, place] - every[row][known[row]].mean(axis=0)
    np.testing.assert_allclose(
        found.evidence, np.einsum("n,npq->pq", weight, evidence), rtol=0, atol=1e-5
    )
    for number, bout in enumerate(np.unique(trials["bout"])):
        rows = (trials["bout"] == bout).to_numpy()
        hub = np.einsum("n,nkpq->p", weight[rows], size[rows]) / classes
        np.testing.assert_allclose(found.hub_of_bout[number], hub, rtol=0, atol=1e-5)
        of_bout = np.einsum("n,npq->p", weight[rows], evidence[rows])
        np.testing.assert_allclose(found.evidence_of_bout[number], of_bout, rtol=0, atol=1e-5)


def test_sums_over_bouts_are_the_totals(data):
    found = explain(*data, SEED)
    assert len(found.hub_of_bout) == found.trials["bout"].nunique()
    np.testing.assert_allclose(found.hub_of_bout.sum(axis=0), found.hub, atol=1e-12)
    np.testing.assert_allclose(found.evidence_of_bout.sum(axis=0), found.joint_evidence, atol=1e-12)
    np.testing.assert_allclose(found.hub, found.absolute.sum(axis=(0, 2)) / len(found.labels))
    for square in (found.absolute, found.signed, found.evidence):
        np.testing.assert_array_equal(square, square.swapaxes(-1, -2))
        assert (np.diagonal(square, axis1=-2, axis2=-1) == 0).all()


def test_syllables_weigh_alike_however_often_they_are_sung():
    found = explain(*guarded(), SEED)
    weight = found.trials.groupby("truth")["weight"]
    np.testing.assert_allclose(weight.sum(), 1 / 3)
    assert (weight.nunique() == 1).all() and weight.first().nunique() > 1
    truth = found.trials["truth"].to_numpy()
    size = np.abs(found.of_units)
    cells = np.mean([size[truth == name].mean(axis=0) for name in found.labels], axis=0).T
    np.testing.assert_allclose(found.cells, cells)
    np.testing.assert_allclose(found.importance, cells.mean(axis=0))
    hit = truth == found.trials["prediction"]
    assert found.balanced_accuracy == np.mean([hit[truth == name].mean() for name in found.labels])


def test_columns_of_a_unit_add_up_and_bins_of_a_single_unit_are_players():
    found = explain(*make_data(units=3, columns=4), SEED)
    np.testing.assert_array_equal(found.unit, np.repeat([0, 1, 2], 4))
    of_units = found.values.reshape(-1, 3, 4, 3).sum(axis=2)
    np.testing.assert_allclose(found.of_units, of_units)
    single = explain(*make_data(units=1, columns=4), SEED)
    np.testing.assert_array_equal(single.unit, np.arange(4))
    np.testing.assert_array_equal(single.of_units, single.values)
    assert single.absolute.shape == (3, 4, 4) and (single.absolute.sum(axis=0) > 0).any()


@pytest.mark.parametrize("case", ["three classes", "random"])
def test_a_trials_own_label_never_changes_its_values(case):
    X, used, fold = CASES[case]()
    label = used["label"].to_numpy().copy()
    rows = np.flatnonzero(fold == 1)
    label[rows] = np.roll(label[rows], 1)
    first, second = (
        explain(X, used.assign(label=names), fold, SEED) for names in (used["label"], label)
    )
    np.testing.assert_array_equal(first.values[rows], second.values[rows])
    np.testing.assert_array_equal(first.expected[rows], second.expected[rows])
    others = np.flatnonzero(fold != 1)
    assert not np.array_equal(first.values[others], second.values[others])


def test_what_lies_in_a_guard_has_no_influence():
    X, used, fold = guarded()
    first = explain(X, used, fold, SEED)
    rows = np.flatnonzero(fold < 0)
    X[rows] = 99
    used.loc[rows, "label"] = "z"
    second = explain(X, used, fold, SEED)
    assert second.labels == list("abc")
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.evidence, second.evidence)


def test_the_seed_is_all_that_is_random():
    data = make_data()
    first, again, other = (explain(*data, seed) for seed in (SEED, SEED, SEED + 1))
    for field in fields(Explanation):
        assert np.array_equal(getattr(first, field.name), getattr(again, field.name))
    assert not np.array_equal(first.values, other.values)


def test_a_fold_without_which_one_class_is_left_is_refused():
    X, used, fold = make_data("ab")
    used = used.assign(label=np.where(fold == 2, "b", "a"))
    with pytest.raises(DataError, match="Without fold 2 fewer than two classes are left"):
        explain(X, used, fold, SEED)


def planted(seed, n=360):
    """Two units of which only both together say b; two that say a and c alone; one that is mute."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.resize(list("abc"), n))
    state = rng.integers(0, 2, n)
    other = np.where(label == "b", 1 - state, state)
    tuned = [np.where(label == name, 4.0, 1.0) for name in "ac"]
    means = np.stack([1 + 5 * state, 1 + 5 * other, *tuned, np.full(n, 2.0)], axis=1)
    used = pd.DataFrame({"trial": np.arange(n), "label": label, "bout": np.arange(n) // 8})
    fold = used["bout"].to_numpy() * 4 // (used["bout"].max() + 1)
    return rng.poisson(means)[:, :, None].astype(float), used, fold


def test_evidence_tells_a_joint_pattern_from_tuning_that_adds_up(monkeypatch):
    monkeypatch.setattr(attribution, "MODEL", {**MODEL, "rounds": 40})
    found = explain(*planted(0), SEED)
    pairs = np.tril_indices(5, -1)
    evidence = dict(zip(zip(*pairs, strict=True), found.evidence[pairs], strict=True))
    joint = evidence.pop((1, 0))
    assert joint > 0.05
    assert max(np.abs(list(evidence.values()))) < joint / 4
    # The tuned units matter as much, but each for itself.
    assert found.importance[4] < found.importance[:4].min()


def test_shuffled_trials_of_one_unit_leave_no_evidence(monkeypatch):
    monkeypatch.setattr(attribution, "MODEL", {**MODEL, "rounds": 40})
    X, used, fold = planted(0)
    joint = explain(X, used, fold, SEED).evidence[0, 1]
    rng = np.random.default_rng(1)
    for label in "abc":
        for now in range(4):
            rows = np.flatnonzero((used["label"] == label) & (fold == now))
            X[rows, 0] = X[rng.permutation(rows), 0]
    assert abs(explain(X, used, fold, SEED).evidence[0, 1]) < joint / 4


# Files


def null_of(explanation, shifted=3, independent=2):
    rng = np.random.default_rng(0)
    units = len(explanation.hub)
    kinds = [
        Surrogates(
            np.arange(1, number + 1),
            rng.uniform(size=(number, len(explanation.labels), units)),
            *rng.uniform(size=(2, number, units, units)),
        )
        for number in (shifted, independent)
    ]
    return AttributionNull(*kinds, kept=0.15)


def players_of(explanation):
    units = len(explanation.hub)
    names = [f"ü{number}" for number in range(units)]
    table = pd.DataFrame({"unit": names, "depth": np.r_[np.nan, np.arange(units - 1)]})
    return table.assign(start=np.nan, stop=np.nan)


def test_a_file_holds_what_was_written(data, tmp_path):
    found = explain(*data, SEED)
    null, players = null_of(found), players_of(found)
    path = tmp_path / "bird.h5"
    write_explanation(found, null, players, path, feature="onset")
    again, null_again = read_explanation(path)
    pd.testing.assert_frame_equal(again.trials, found.trials, check_like=True)
    assert again.labels == found.labels
    for field in fields(Explanation)[2:]:
        old, new = (getattr(each, field.name) for each in (found, again))
        np.testing.assert_allclose(new, old, rtol=1e-6, atol=1e-7)
        assert new.dtype == old.dtype
    for kind in ("shifted", "independent"):
        for name, values in vars(getattr(null, kind)).items():
            np.testing.assert_array_equal(getattr(getattr(null_again, kind), name), values)
    assert null_again.kept == 0.15
    with h5py.File(path) as file:
        assert file.attrs["feature"] == "onset"
        assert list(file["players/unit"].asstr()) == list(players["unit"])
    write_explanation(again, null_again, players, tmp_path / "again.h5", feature="onset")
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_an_empty_null_is_kept_empty(tmp_path):
    found = explain(*make_data(), SEED)
    null = replace(null_of(found, independent=0), kept=float("nan"))
    write_explanation(found, null, players_of(found), tmp_path / "bird.h5")
    again = read_explanation(tmp_path / "bird.h5")[1]
    assert len(again.independent.replicate) == 0 and np.isnan(again.kept)


def spoil(path, name, value):
    with h5py.File(path, "a") as file:
        del file[name]
        if value is not None:
            file[name] = value


@pytest.mark.parametrize(
    ("spoiling", "words"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text("trial,bout\n1,2\n"), "file signature not found"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "truncated file"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        (lambda path: spoil(path, "null", None), "'null' doesn't exist"),
        (lambda path: spoil(path, "values", None), "'values' doesn't exist"),
        (lambda path: spoil(path, "trials/truth", None), "'truth' doesn't exist"),
        (lambda path: spoil(path, "null/shifted", np.zeros(3)), "."),
        (lambda path: spoil(path, "labels", np.zeros(3)), "."),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(tmp_path, spoiling, words):
    path = tmp_path / "bird.h5"
    found = explain(*make_data(units=2), SEED)
    write_explanation(found, null_of(found), players_of(found), path)
    spoiling(path)
    with pytest.raises(DataError, match=words) as caught:
        read_explanation(path)
    text = str(caught.value)
    assert text.startswith(f"{path} is no file of SHAP values") and "\n" not in text
    assert text.endswith("delete it and make it anew.")
