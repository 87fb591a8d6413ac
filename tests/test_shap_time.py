"""SHAP values by time and depth: planted units are found when they speak, and nothing elsewhere."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from test_figures import check_legible, words
from test_neurons import TRIALS, make_bird

from neuro2voc.attribution import MODEL, explain
from neuro2voc.curves import Protocol
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.figures.shap_time import draw_shap_time
from neuro2voc.moving import moving_counts
from neuro2voc.shap_time import (
    EVERY,
    explained_window,
    mean_contributions,
    shap_time,
    silence_before,
)
from neuro2voc.trials import used_trials

# Units burst 5 to 35 ms before their syllables.
WINDOWS = {"moving": {"align": "onset", "start": -0.1, "stop": 0.06, "bin": 0.02, "step": 0.02}}
PROTOCOL = Protocol("lda", "blocked", 3, 50, 1, tuple(range(19)), TRIALS)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setitem(MODEL, "rounds", 20)


@cache
def made(tuned=("a", "b"), untuned=3, null=19, depth=True):
    bird, trials, split = make_bird(tuned, untuned, depth=depth)
    protocol = replace(PROTOCOL, null_seeds=PROTOCOL.null_seeds[:null])
    return bird, *shap_time(bird, trials, split, WINDOWS, protocol)


def counts():
    bird, trials, split = make_bird()
    used = used_trials(trials)
    X = moving_counts(bird, used, explained_window(WINDOWS))
    return X, used, outer_folds(used, split)


def test_planted_units_speak_before_their_syllables_and_the_others_never():
    _, cells, times = made()
    hits = cells[cells["evidence_p"] <= 0.05]
    assert set(hits["unit"]) == {"u0", "u1"}
    assert ((hits["start"] < 0) & (hits["stop"] > -0.04)).all()
    for unit, syllable in (("u0", "a"), ("u1", "b")):
        mine = hits[(hits["unit"] == unit) & (hits["syllable"] != EVERY)]
        assert mine.loc[mine["evidence"].idxmax(), "syllable"] == syllable
    when = times[(times["syllable"] == EVERY) & (times["evidence_p"] <= 0.05)]
    assert_allclose(when["start"], [-0.04, -0.02])
    assert times["balanced_accuracy"].iat[0] > 0.8 > times["previous"].iat[0]


def test_untuned_units_have_size_but_no_evidence():
    _, cells, times = made(tuned=(), untuned=4)
    assert not (cells["evidence_p"] <= 0.05).any()
    every = times[times["syllable"] == EVERY]
    assert every["importance"].sum() > 5 * abs(every["evidence"].sum())
    assert every["importance_null_mean"].sum() > 0.8 * every["importance"].sum()


def test_means_are_those_of_the_explanation_trial_by_trial():
    X, used, fold = counts()
    X[5:9, 1], fold[:7] = np.nan, -1
    (evidence, importance), accuracy = mean_contributions(X.reshape(len(X), -1), used, fold, 3)
    whole = explain(X, used, fold, 3)
    assert accuracy == pytest.approx(whole.balanced_accuracy)
    truth, weight = whole.trials["truth"].to_numpy(), whole.trials["weight"].to_numpy()
    for number, label in enumerate(whole.labels):
        ours = np.einsum("n,nc->c", weight, np.abs(whole.values[:, :, number]))
        assert_allclose(importance[number], ours, atol=1e-9)
        own = whole.values[truth == label]
        assert_allclose(evidence[number], (own[:, :, number] - own.mean(axis=2)).mean(0), atol=1e-9)
    # A unit moves a margin by no more than its windows move it one by one.
    assert (importance.reshape(3, *X.shape[1:]).sum(axis=2) >= whole.cells - 1e-9).all()


def test_evidence_adds_up_to_how_far_the_truth_rises_above_the_others():
    X, used, fold = counts()
    (evidence, _), _ = mean_contributions(X.reshape(len(X), -1), used, fold, 3)
    whole = explain(X, used, fold, 3)
    margin = whole.values.sum(axis=1)  # without the mean margin, which no column gives
    truth = np.searchsorted(whole.labels, whole.trials["truth"].to_numpy(dtype=str))
    above = margin[np.arange(len(truth)), truth] - margin.mean(axis=1)
    assert evidence.sum(axis=1).mean() == pytest.approx(whole.trials["weight"] @ above)


def test_tables_add_up_over_units_and_syllables():
    _, cells, times = made()
    whole = cells.groupby(["syllable", "start"])[["evidence", "importance"]].sum()
    given = times.set_index(["syllable", "start"])[["evidence", "importance"]]
    assert_allclose(whole, given.loc[whole.index])
    for name in ("evidence", "importance"):
        by = cells.pivot_table(name, ["unit", "start"], "syllable")
        assert_allclose(by[EVERY], by[["a", "b", "c"]].mean(axis=1))
        assert (times[f"{name}_null_low"] <= times[f"{name}_null_mean"]).all()
        assert (times[f"{name}_null_mean"] <= times[f"{name}_null_high"]).all()
    assert len(cells) == 4 * 5 * 8
    assert set(cells.loc[cells["unit"] == "u2", "location"]) == {"Area X"}


def test_two_syllables_and_one_that_a_fold_never_saw():
    X, used, fold = counts()
    flat, label = X.reshape(len(X), -1), used["label"].to_numpy()
    two = label != "c"
    evidence, importance = mean_contributions(flat[two], used[two], fold[two], 3)[0]
    assert evidence.shape == importance.shape == (2, flat.shape[1])
    assert_allclose(importance[0], importance[1])  # what speaks for one speaks against the other
    alone = np.where(label == "c", 0, np.where(fold == 0, 1, fold))
    (evidence, importance), _ = mean_contributions(flat, used, alone, 3)
    assert np.isfinite(evidence).all()
    assert not evidence[2].any()  # held out as a whole, no model has a margin for it
    with pytest.raises(DataError, match="Without fold 0 fewer than two classes"):
        mean_contributions(flat[two], used[two], (label[two] == "b").astype(int), 3)


def test_evidence_where_training_lacks_a_syllable_is_that_of_the_margins_there_are():
    X, used, fold = counts()
    chosen = np.flatnonzero((used["label"] == "c") & (fold == 0))
    used.loc[used.index[chosen], "label"] = "d"
    (evidence, _), _ = mean_contributions(X.reshape(len(X), -1), used, fold, 3)
    whole = explain(X, used, fold, 3)
    assert whole.labels == list("abcd")
    truth, lacking = whole.trials["truth"].to_numpy(), np.isnan(whole.values).any(axis=(1, 2))
    assert (lacking == (whole.trials["fold"] == 0)).all()
    for number, label in enumerate("abc"):
        own = whole.values[truth == label]
        mean = np.nanmean(own, axis=2)
        assert_allclose(evidence[number], (own[:, :, number] - mean).mean(axis=0), atol=1e-9)
    assert not evidence[3].any()


def test_bins_overlap_by_no_more_than_half():
    def step(value):
        window = explained_window({"moving": {**WINDOWS["moving"], "step": value}})
        return window.bin_starts[1] - window.bin_starts[0]

    assert [step(value) for value in (0, 0.0025, 0.01, 0.015)] == [2e7, 1e7, 1e7, 1.5e7]


def test_silence_is_what_parts_syllables_of_a_bout():
    trials = make_bird()[1]
    assert silence_before(trials) == pytest.approx(0.1)
    assert np.isnan(silence_before(trials.groupby("bout").head(1)))
    inside = trials.iloc[[0]].assign(used=0, note="lies inside another syllable", offset=1.05)
    both = pd.concat([trials.iloc[:1], inside, trials.iloc[1:]])
    assert silence_before(both) == pytest.approx(0.1)


@pytest.mark.parametrize("null", [19, 5, 0])
@pytest.mark.parametrize("depth", [True, False])
def test_figures_colour_what_is_believed_and_nothing_else(null, depth):
    bird, cells, times = made(null=null, depth=depth)
    figure = draw_shap_time(cells, times, bird, PROTOCOL)
    check_legible(figure)
    maps = [ax for ax in figure.axes if ax.images]
    assert len(maps) == 4
    shown = words(figure)
    if not null:
        assert "nothing here is judged" in shown
        assert all(len(ax.images) == 1 for ax in maps)
        return
    for ax, syllable in zip(maps, (EVERY, "a", "b", "c"), strict=True):
        part = cells[cells["syllable"] == syllable]
        colours = np.ma.filled(ax.images[1].get_array(), np.nan)
        grid = part["evidence"].where(part["evidence_p"] <= 0.05).to_numpy().reshape(5, -1)
        assert_allclose(colours, grid[::-1])  # from the tip up, or the first at the head
    if null == 5:
        assert "can show no p of 0.05" in shown
        assert "No unit speaks" in shown
    else:
        assert "2 of 5 units speak for the syllable that is sung" in shown
        assert "in surrogates, which know nothing" in shown
        assert ("µm)" in shown) == depth


def test_one_unit_is_told_by_its_windows_and_a_control_is_not_judged():
    bird, cells, times = made(("a",), 0)
    figure = draw_shap_time(cells, times, bird, PROTOCOL)
    check_legible(figure)
    assert "The unit speaks for the syllable that is sung in" in words(figure)
    order = draw_shap_time(cells, times.assign(previous=1.0), bird, PROTOCOL)
    assert "all of it may be the song's order" in words(order)
    bird, cells, times = made(null=0)
    control = replace(bird, surrogate="poisson")
    shown = words(draw_shap_time(cells, times.assign(previous=1.0), control, PROTOCOL))
    assert "A control (poisson), not judged." in shown
    assert "the song's order tells" not in shown and "all of it may be" not in shown


def test_many_syllables_with_long_names_stay_legible():
    bird, cells, times = made()
    names = [f"syllable_of_the_song_{number:02d}" for number in range(12)]

    def more(table):
        single = table[table["syllable"] == "a"]
        copies = [single.assign(syllable=name) for name in names]
        return pd.concat([table[table["syllable"] == EVERY], *copies])

    figure = draw_shap_time(more(cells), more(times), bird, PROTOCOL)
    check_legible(figure)
    assert "2 more syllables" in words(figure)
