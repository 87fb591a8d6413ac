"""Scores of embeddings: planted syllables, noise, leaks, surrogates and files."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from embedding_birds import make_bins, make_bird

from neuro2voc import embedding_scores
from neuro2voc.bout_bins import bout_bins
from neuro2voc.consistency import agreement, consistency_table
from neuro2voc.embedding import Recipe
from neuro2voc.embedding_files import make_plan, read_embedded, write_embedded
from neuro2voc.embedding_scores import COLUMNS, Plan, embed_bird, held_out, leak, run_folds
from neuro2voc.errors import DataError
from neuro2voc.evaluation import summary
from neuro2voc.splits import NONE
from neuro2voc.surrogates import surrogate

RECIPE = Recipe(5, 0.1, 8, 30, 128, 0.01, 1.0, True, "cpu", 300)
SPACES = {"behaviour": [10], "time": [1], "lda": [10], "counts": [1]}
PLAN = Plan(0.01, 0.03, SPACES, ("svm", "knn"), RECIPE, 0, 1, (1, 2), 50, 1)


@cache
def embedded(known=True):
    recording, trials, split = make_bird(known=known)
    return embed_bird(recording, trials, split, PLAN)


def score(result, method, decoder="svm"):
    rows = result.scores[result.scores["decoder"] == decoder].set_index("method")
    return rows.loc[method]


def test_planted_syllables_stand_far_above_the_surrogates():
    result = embedded()
    assert list(result.scores.columns) == COLUMNS
    for method in ("behaviour", "lda"):
        row = score(result, method)
        assert row["low"] > 0.6 and row["null_high"] < 0.5 and row["null_replicates"] == 2
        assert np.isnan(row["p"])  # of two surrogates, with one fold each
    assert score(result, "lda")["chance"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("folds", "null_folds", "replicates", "judged"),
    [(0, 0, 19, True), (0, 3, 19, True), (2, 2, 19, True), (0, 1, 19, False), (0, 0, 18, False)],
)
def test_p_needs_enough_surrogates_held_out_in_all_folds(folds, null_folds, replicates, judged):
    recording, trials, split = make_bird(bouts=6, syllables=6)
    plan = replace(PLAN, spaces={"lda": [1]}, decoders=("knn",), folds=folds, null_folds=null_folds)
    plan = replace(plan, null_seeds=range(replicates))
    row = embed_bird(recording, trials, split, plan).scores.iloc[0]
    assert row["null_replicates"] == replicates
    assert np.isfinite(row["p"]) == judged


def test_gains_of_cebra_are_over_the_linear_projection_of_the_same_bins():
    scores = embedded().scores
    of = scores.set_index(["method", "decoder"])
    gains = scores[scores["gain"].notna()]
    # Of time, no projection has the same receptive field.
    assert set(zip(gains["method"], gains["decoder"], strict=True)) == {
        ("behaviour", "svm"),
        ("behaviour", "knn"),
    }
    for row in gains.itertuples():
        linear = of.loc[("lda", row.decoder), "balanced_accuracy"]
        assert row.gain == pytest.approx(row.balanced_accuracy - linear)
        assert row.gain_low <= row.gain <= row.gain_high


def test_where_units_know_nothing_every_space_is_at_chance():
    for method in SPACES:
        row = score(embedded(known=False), method)
        assert row["balanced_accuracy"] == pytest.approx(1 / 3, abs=0.07)


def test_every_sung_bin_is_held_out_once_and_placed_by_a_network_that_saw_none_of_its_fold():
    result = embedded()
    bins = result.bins
    for cell, points in result.points.items():
        seen = np.isfinite(points[:, 0])
        assert (seen == (bins.sung & (bins.fold != NONE))).all(), cell
    assert (result.scores["n_bins"] == bins.sung.sum()).all()
    first = bins.fold == 0
    for kept in (result.again, result.shifted_again):
        assert set(kept) == {("behaviour", 10), ("time", 1)}
        for points in kept.values():
            assert (np.isfinite(points[:, 0]) == (first & bins.sung)).all()


def test_what_is_held_out_has_no_say_in_how_it_is_embedded():
    recording, trials, split = make_bird()
    bins = bout_bins(recording, trials, split, 0.01, 0.03)
    plan = replace(PLAN, recipe=replace(RECIPE, iterations=5))
    mine = run_folds(bins, [0], [("behaviour", 10), ("lda", 10)], ("svm",), plan, "")
    # Other syllables and another activity in half of the held-out bouts leave the others' places.
    held = np.unique(bins.bout[bins.fold == 0])
    changed = np.isin(bins.bout, held[: len(held) // 2])
    label = bins.label.copy()
    label[changed & bins.sung] = np.roll(label[changed & bins.sung], 7)
    activity = bins.activity + 9 * changed[:, None].astype(np.float32)
    other = replace(bins, label=label, activity=activity)
    theirs = run_folds(other, [0], [("behaviour", 10), ("lda", 10)], ("svm",), plan, "")
    kept = bins.sung & (bins.fold == 0) & ~changed
    for cell in mine.points:
        np.testing.assert_array_equal(mine.points[cell][kept], theirs.points[cell][kept])
    assert mine.curves.equals(theirs.curves)


def test_scores_are_those_of_a_loop_over_folds():
    from neuro2voc.decoders import make_decoder
    from neuro2voc.embedding import padded, scaling

    recording, trials, split = make_bird()
    bins = bout_bins(recording, trials, split, 0.01, 0.03)
    recipe = replace(RECIPE, most=10**6)
    run = run_folds(bins, [0, 1, 2], [("counts", 3)], ("svm",), replace(PLAN, recipe=recipe), "")
    frames = []
    for fold in range(3):
        train, test = held_out(bins, fold)
        scaled, parts = scaling(train), []
        for part in (train, test):
            rows = np.flatnonzero(part.sung)
            parts.append(padded(part, 3).windows(scaled(part), rows).reshape(len(rows), -1))
        model = make_decoder("svm", 1)[0].fit(parts[0], train.label[train.sung])
        told = {"truth": test.label[test.sung], "prediction": model.predict(parts[1])}
        frames.append(pd.DataFrame({"bout": test.bout[test.sung], **told}))
    frame = pd.concat(frames, ignore_index=True)
    assert (run.predictions["prediction"] == frame["prediction"]).all()
    sums = [summary(table, table["bout"], 20, 0) for table in (run.predictions, frame)]
    assert sums[0] == sums[1]


def test_bins_held_out_at_random_leak_where_neighbours_share_their_windows():
    """Activity that says nothing of the syllable, but drifts slowly, is learnt by heart."""
    rng = np.random.default_rng(0)
    bins = make_bins([120] * 9, units=4, seed=1)
    walk = np.cumsum(rng.normal(size=(len(bins), 4)), axis=0).astype(np.float32)
    slow = replace(bins, activity=walk)
    plan = replace(PLAN, decoders=("knn",), recipe=replace(RECIPE, most=2000))
    run = run_folds(slow, [0, 1, 2], [("counts", 10)], ("knn",), plan, "")
    honest = summary(run.predictions, run.predictions["bout"], 1, 0)["balanced_accuracy"]
    assert honest < 0.42
    assert leak(slow, "counts", 10, plan) > honest + 0.1


@pytest.mark.parametrize("most", [50, 10**6])
def test_the_leak_is_taught_by_no_more_bins_than_the_honest_decoder(most, monkeypatch):
    bins = make_bins([60] * 6)
    plan = replace(PLAN, decoders=("knn",), recipe=replace(RECIPE, most=most))
    learnt = []

    def fitted(name, seed, points, label):
        learnt.append(len(label))
        return original(name, seed, points, label)

    original = embedding_scores._fitted
    monkeypatch.setattr(embedding_scores, "_fitted", fitted)
    run_folds(bins, [0, 1, 2], [("counts", 1)], ("knn",), plan, "")
    leak(bins, "counts", 1, plan)
    *honest, leaking = learnt
    assert leaking == min(honest)


def test_the_same_seed_gives_the_same_files(tmp_path):
    recording, trials, split = make_bird(bouts=6, syllables=6)
    plan = replace(PLAN, recipe=replace(RECIPE, iterations=3), null_seeds=(1,))
    for name in "ab":
        result = embed_bird(recording, trials, split, plan)
        write_embedded(result, plan.lead, tmp_path / f"{name}.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    again = read_embedded(tmp_path / "a.h5")
    assert (again.label == result.bins.label).all() and again.lead == 0.03
    np.testing.assert_array_equal(again.position, result.bins.position)
    for name in ("points", "again", "shifted", "shifted_again"):
        mine = getattr(result, name)
        assert set(again.sets[name]) == set(mine)
        for cell, points in mine.items():
            np.testing.assert_array_equal(again.sets[name][cell], points)


def test_a_surrogate_has_no_surrogates_of_its_own():
    recording, trials, split = make_bird(bouts=6, syllables=6)
    moved = surrogate(recording, "shifted", 3, trials)
    plan = replace(PLAN, null_seeds=(), recipe=replace(RECIPE, iterations=2), folds=1)
    result = embed_bird(moved, trials, split, plan)
    assert result.scores["null_mean"].isna().all() and not result.shifted
    assert set(result.curves["bird"]) == {"real"}
    assert set(result.bins.fold[np.isfinite(result.points["lda", 10][:, 0])]) == {0}


def test_collapsed_and_untaught_networks_are_counted():
    recording, trials, split = make_bird(bouts=6, syllables=6, known=False)
    # At so high a temperature nothing is ever told apart.
    recipe = replace(RECIPE, iterations=2, temperature=100.0)
    plan = replace(PLAN, spaces={"behaviour": [1]}, recipe=recipe, null_seeds=())
    row = embed_bird(recording, trials, split, plan).scores.iloc[0]
    assert (row["networks"], row["untold"]) == (3, 3)
    assert row["loss"] == pytest.approx(row["loss_chance"], rel=0.005)


def test_a_fold_without_syllables_to_learn_from_is_a_sentence():
    bins = make_bins([60] * 6)
    with pytest.raises(DataError, match="Of fold 0, bouts with fewer than two syllables"):
        held_out(replace(bins, fold=np.zeros_like(bins.fold)), 0)


def test_the_plan_is_that_of_the_configuration():
    import yaml
    from test_configuration import ROOT

    settings = yaml.safe_load((ROOT / "config.yaml").read_text())["embedding"]
    plan = make_plan(settings, "cpu", [5], 100, 1)
    assert plan.recipe.apart == 10 and plan.width == 0.01 and plan.null_seeds == (5,)
    fields = [("time", 10), ("behaviour", 1), ("behaviour", 10), ("behaviour", 20), ("hybrid", 10)]
    assert plan.networks == fields
    with pytest.raises(DataError, match="`embedding: spaces` names no receptive field"):
        make_plan({**settings, "spaces": {"time": []}}, "cpu", [], 100, 1)


def test_agreement_is_one_for_turned_points_and_low_for_others():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3))
    turned = points @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert agreement([points, turned]) == pytest.approx(1)
    assert agreement([points, rng.normal(size=(500, 3))]) < 0.05


def test_birds_are_compared_at_common_syllables_under_common_names(tmp_path):
    write_embedded(embedded(), 0.03, tmp_path / "a.h5")
    bird = read_embedded(tmp_path / "a.h5")
    renamed = replace(bird, label=np.where(bird.label == "a", "x", bird.label))
    table = consistency_table({"one": bird, "two": bird}, {})
    seeds, birds = (table[table["between"] == kind] for kind in ("seeds", "birds"))
    assert set(zip(seeds["method"], seeds["field"], strict=True)) == {
        ("behaviour", 10),
        ("time", 1),
    }
    assert (birds["r2"] > 0.999).all() and (birds["syllables"] == 3).all()
    behaviour = seeds.set_index("method").loc["behaviour"]
    assert behaviour["r2"] > behaviour["shifted"]
    other = consistency_table({"one": bird, "two": renamed}, {})
    assert (other.loc[other["between"] == "birds", "syllables"] == 2).all()
    named = consistency_table({"one": bird, "two": renamed}, {"two": {"x": "a"}})
    assert named["r2"].equals(table["r2"])
    alone = consistency_table({"one": bird}, {})
    assert set(alone["between"]) == {"seeds"}
