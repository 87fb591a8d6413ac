"""The thesis' numbers again, and the trap in them: small birds that know, and birds that do not."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from neuro2voc import thesis_table as module
from neuro2voc.binning import make_tensor
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.figures.thesis import draw_thesis, stands
from neuro2voc.figures.traps import draw_trap
from neuro2voc.recording import Recording
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.surrogates import surrogate
from neuro2voc.thesis_table import RESULTS, WHOLE, thesis_table
from neuro2voc.traps import (
    PUBLISHED,
    THESIS_SEED,
    duration_trap,
    predict_as_thesis,
    thesis_accuracy,
    thesis_model,
)
from neuro2voc.trials import make_trials, used_trials

NAMED = {result.name: result for result in RESULTS}


def make_bird(seed, **changes):
    settings = {"units": 16, "pairs": 0, "sessions": 1, "bouts": 16, "syllable_types": 4}
    settings |= {"audio_rate": 0, "drift": 0, "shortest": 0.05, "longest": 0.2, **changes}
    recording = simulate("bird", Settings(**settings), seed)[0]
    trials = make_trials(recording, 0.5, [], 4)
    return recording, trials, make_split("blocked", trials, recording.sessions, 4, 0.5, 0)


@pytest.fixture(scope="module")
def ignorant():
    return make_bird(1, tuning=0)


@pytest.fixture(scope="module")
def tuned():
    return make_bird(2)


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


# The trap


@pytest.fixture(scope="module")
def trap(ignorant):
    return duration_trap(*ignorant, [1, 2], 50, 0)


def cell(table, protocol, feature, model="forest"):
    rows = table[(table["protocol"] == protocol) & (table["feature"] == feature)]
    return rows[rows["model"] == model].iloc[0]


def test_rates_of_neurons_that_know_nothing_give_the_duration_away(trap, ignorant):
    used = used_trials(ignorant[1])
    n = round(0.3 * len(used))
    majority = used["label"].value_counts(normalize=True).iloc[0]
    # Three standard errors of a share of the tested trials.
    margin = 3 * np.sqrt(majority * (1 - majority) / n)
    for model in ("forest", "xgboost"):
        assert cell(trap, "thesis", "rate", model)["score"] > majority + 0.3
        assert cell(trap, "thesis", "fixed", model)["score"] < majority + margin
    assert cell(trap, "thesis", "duration")["score"] > 0.85
    assert (trap.loc[trap["protocol"] == "thesis", "reference"] == majority).all()


def test_holding_bouts_out_does_not_open_the_trap_but_its_controls_do(trap):
    rate, fixed = (cell(trap, "contract", name) for name in ("rate", "fixed"))
    assert rate["score"] > rate["reference"] + 0.3
    assert rate["score"] == pytest.approx(rate["null_mean"], abs=0.12)
    assert rate["score"] < cell(trap, "contract", "duration", "duration")["score"]
    assert fixed["score"] == pytest.approx(fixed["reference"], abs=0.12)
    assert trap.loc[trap["protocol"] == "thesis", "null_mean"].isna().all()


def test_published_numbers_stand_beside_what_they_are_numbers_of(trap):
    rows = trap[trap["published"].notna()]
    assert dict(zip(rows["model"], rows["published"], strict=True)) == PUBLISHED
    assert set(rows["feature"]) == {"rate"}
    assert set(rows["protocol"]) == {"thesis"}


def test_the_traps_figure_says_its_numbers_and_that_it_is_simulated(trap):
    about = {"units": 20, "trials": 300, "bouts": 20, "classes": 5, "replicates": 2}
    said = words(draw_trap(trap, {**about, "kind": "simulated"})).replace("\n", " ")
    for model in ("forest", "xgboost"):
        assert f"{cell(trap, 'thesis', 'rate', model)['score']:.2f} (" in said
    for score in trap["score"]:
        assert f"{score:.2f}" in said
    assert "simulated" in said
    assert "2 shifted surrogates" in said


def test_the_thesis_accuracy_is_one_random_part_with_its_seed():
    rng = np.random.default_rng(0)
    X, label = rng.standard_normal((100, 3)), np.array(["3", "10"])[rng.integers(0, 2, 100)]
    X[:, 0] += 2 * (label == "3")
    train, test, y_train, y_test = train_test_split(X, label, test_size=0.3, random_state=42)
    assert THESIS_SEED == 42
    expected = (SVC(C=10).fit(train, y_train).predict(test) == y_test).mean()
    assert thesis_accuracy(thesis_model("svm"), X, label, 0.3) == expected


def test_a_syllable_that_was_never_trained_on_is_a_mistake_and_no_crash():
    """XGBoost wants the numbers 0 to K - 1 of what it is trained on, however rare syllables are."""
    X, label = np.repeat([[0.0], [1.0]], 20, axis=0), np.repeat(["a", "c"], 20)
    X, label = np.r_[X, [[5.0]]], np.append(label, "b")
    said = predict_as_thesis(thesis_model("xgboost"), X[:-1], label[:-1], X)
    assert said[:-1].tolist() == label[:-1].tolist()
    assert said[-1] in ("a", "c")
    shares = [thesis_accuracy(thesis_model("xgboost"), X, label, s) for s in (0.2, 0.3, 0.5)]
    # In each of these draws, b is in the part that is tested.
    assert 0.85 < min(shares) < max(shares) < 1
    with pytest.raises(DataError, match="All trials to train on are of syllable a"):
        predict_as_thesis(thesis_model("svm"), X[:20], label[:20], X)


# The table


@pytest.fixture
def few(monkeypatch):
    """Three of the thesis' decodings, quick ones."""
    names = ("rates, SVM", "TF-IDF, SVM", "−12.5 to +75 ms, SVM")
    monkeypatch.setattr(module, "RESULTS", tuple(NAMED[name] for name in names))


def test_the_table_finds_what_neurons_know(few, tuned):
    table = thesis_table(*tuned, [1, 2, 3], 100, 0)
    assert (table["low"] > table["null_high"]).all()
    assert (table["null"] <= table["null_high"]).all()
    assert table["null_replicates"].tolist() == [3, 3, 3]
    assert table["published"].tolist() == [0.7736, 0.8017, 0.48]
    assert table["duration"].notna().tolist() == [True, True, False]
    assert (table["duration"].dropna() > 0.8).all()
    assert (table["low"] < table["honest"]).all()
    assert (table["honest"] < table["high"]).all()


def test_the_table_finds_nothing_in_a_bird_that_knows_nothing(few, ignorant):
    table = thesis_table(*ignorant, [1, 2, 3], 100, 0)
    assert not stands(table).any()
    fixed = table.iloc[2]
    assert fixed["low"] < fixed["null_high"]
    assert fixed["honest"] == pytest.approx(fixed["chance"], abs=0.12)
    # Rates are above chance there, and below what duration gives without neurons.
    assert (table["honest"] < table["duration"])[:2].all()


def test_the_same_protocol_is_the_thesis_own(few, tuned):
    """TF-IDF weighed over all trials, then scaled and decoded as published, by hand."""
    recording, trials, split = tuned
    used = used_trials(trials)
    counts = make_tensor(recording, used, WHOLE).counts.reshape(len(used), -1).astype(float)
    X = TfidfTransformer().fit_transform(counts).toarray()
    parts = train_test_split(X, used["label"].to_numpy(), test_size=0.2, random_state=42)
    model = make_pipeline(StandardScaler(), SVC(C=1, gamma=0.01)).fit(parts[0], parts[2])
    table = thesis_table(recording, trials, split, [], 20, 0).set_index("quantity")
    assert table.loc["TF-IDF, SVM", "same"] == model.score(parts[1], parts[3])


@pytest.mark.parametrize("name", ["TF-IDF, SVM", "rates, SVM"])
def test_nothing_of_a_fold_is_fitted_under_the_honest_protocol(name, tuned):
    """Another trial of the fold, and all its labels, change nothing in what is predicted there."""
    recording, trials, split = tuned
    used = used_trials(trials)
    fold, result = outer_folds(used, split), NAMED[name]
    X = module._features(recording, used, result.feature)
    before = module._held_out(result, X, used, fold)
    mine = np.flatnonzero(fold == 1)
    changed, relabelled = X.copy(), used.copy()
    changed[mine[0]] = 1000 * np.arange(X.shape[1])
    relabelled.iloc[mine, used.columns.get_loc("label")] = "z"
    for frame in (
        module._held_out(result, changed, used, fold),
        module._held_out(result, X, relabelled, fold),
    ):
        there = before["trial"].isin(used["trial"].iloc[mine[1:]])
        assert (frame["prediction"][there] == before["prediction"][there]).all()
    assert before["trial"].nunique() == len(before) == (fold >= 0).sum()


def test_the_boosted_forest_looks_at_its_trees():
    """Fitted intercepts would outweigh leaves scaled by 0.01, and one class would always win."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 50, 40])
    X = 2 * np.eye(3)[y] + rng.standard_normal((150, 3))
    said = module._boosted_forest().fit(X, y).predict(X)
    assert set(said) == {0, 1, 2}
    assert (said == y).mean() > 0.8


def test_settings_are_the_published_ones():
    forest = NAMED["TF-IDF, random forest"].model()
    assert isinstance(forest, RandomForestClassifier)
    assert (forest.n_estimators, forest.max_depth, forest.min_samples_split) == (200, 20, 5)
    moving = NAMED["moving window, linear SVM"]
    assert (moving.model().kernel, moving.model().C) == ("linear", 0.1)
    window = module.WINDOWS[moving.feature]
    assert len(window.bin_starts) == 73
    assert {result.share for result in RESULTS if result.feature == "tfidf"} == {0.2}


def test_what_was_not_observed_counts_as_nothing(tuned):
    recording, trials, _ = tuned
    used = used_trials(trials)
    end = used["onset"].iat[len(used) // 2]
    observed = [np.array([[0.0, end]])] + [np.array([[0.0, 1e6]])] * (len(recording.units) - 1)
    changes = {"observed": tuple(observed)}
    units = type(recording.units)(**{**vars(recording.units), **changes})
    X = module._features(recording.with_units(units), used, "rate")
    assert np.isfinite(X).all()
    assert (X[used["onset"] > end][:, 0] == 0).all()


def test_a_control_has_no_null_and_says_so(few, tuned):
    recording, trials, split = tuned
    shifted = surrogate(recording, "shifted", 1)
    table = thesis_table(shifted, trials, split, [], 20, 0)
    assert table[["null", "null_high"]].isna().all(axis=None)
    assert (table["null_replicates"] == 0).all()
    said = words(draw_thesis(table, "bird~shifted", "simulated, surrogate: shifted"))
    assert "A control: it has no null of its own." in said
    assert "shifted birds, to their best" not in said


def test_the_figure_counts_what_stands_against_every_control():
    row = {"published": 0.8, "same": 0.7, "honest": 0.7, "null": 0.2, "null_high": 0.3}
    row |= {"low": 0.6, "high": 0.8, "previous": 0.5, "duration": np.nan, "null_replicates": 5}
    row |= {"majority": 0.3, "chance": 0.2, "n_trials": 100, "n_bouts": 20}
    rows = [
        row | {"quantity": "stands"},
        row | {"quantity": "null", "null_high": 0.65},
        row | {"quantity": "duration", "duration": 0.65},
        row | {"quantity": "order", "low": 0.45, "null_replicates": 1},
    ]
    table = pd.DataFrame(rows)
    assert stands(table).tolist() == [True, False, False, False]
    said = words(draw_thesis(table, "bird", ""))
    said = said.replace("\n", " ")
    assert "3 of 4 numbers lie, with their interval, above the shifted birds of their row" in said
    assert "row (5 or 1, too few for a p)" in said
    assert said.count("5 shifted, no p") == 3 and said.count("1 shifted, no p") == 1
    assert "balanced accuracy (blue" in said
    assert "; 1 also above" in said
    assert "simulated" not in said


def test_a_bird_without_labels_is_told_so():
    recording = make_bird(1, bouts=4)[0]
    silent = Recording(**{**vars(recording), "syllables": recording.syllables[:0]})
    trials = make_trials(silent, 0.5, [], 4)
    with pytest.raises(DataError, match="bird has no labels"):
        thesis_table(silent, trials, pd.DataFrame(), [], 20, 0)
