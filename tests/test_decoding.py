"""Every trial is predicted once, by a model that knows nothing of its fold."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from neuro2voc.binning import Window, make_tensor
from neuro2voc.comparison import (
    BASELINES,
    COLUMNS,
    NULL,
    ORACLE,
    baseline_fitting,
    comparison_table,
    fixed_fits,
    null_band,
    read_null,
)
from neuro2voc.configuration import DECODERS, SYLLABLE
from neuro2voc.decoders import Boosted, make_decoder
from neuro2voc.decoding import (
    PREDICTIONS,
    commonest,
    cross_decode,
    decode,
    fixed_fit,
    outer_folds,
    read_predictions,
    tuned_fit,
    write_decoding,
)
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix, features_maker
from neuro2voc.files import write_csv
from neuro2voc.inclusion import inclusion_table
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import NONE, make_split
from neuro2voc.surrogates import surrogate
from neuro2voc.trials import make_trials, used_trials

LABELS = list("abc")


def make_song(bouts=30, per_bout=6, seed=0, labels=LABELS):
    """Trials of evenly spaced bouts, every class in each, and their one session."""
    rng = np.random.default_rng(seed)
    n = bouts * per_bout
    onset = (np.arange(bouts)[:, None] * 5.0 + 1 + np.arange(per_bout) * 0.2).ravel()
    label = np.concatenate([rng.permutation(np.resize(labels, per_bout)) for _ in range(bouts)])
    trials = pd.DataFrame(
        {
            "trial": np.arange(n) + 3,  # numbers, not places
            "session": "s",
            "bout": np.repeat(np.arange(bouts), per_bout),
            "onset": onset,
            "offset": onset + 0.1,
            "label": label,
            "previous": "start",
            "used": 1,
        }
    )
    bounds = {"session": ["s"], "start_time": [0.0], "stop_time": [bouts * 5.0]}
    return trials, pd.DataFrame(bounds)


def informative(trials, noise, seed=1):
    """Three columns that say the label with Gaussian noise."""
    rng = np.random.default_rng(seed)
    code = trials["label"].map({label: i for i, label in enumerate("abcd")}).to_numpy()
    return np.eye(4)[code][:, :3] + noise * rng.standard_normal((len(trials), 3))


@pytest.fixture(scope="module")
def song():
    trials, sessions = make_song()
    split = make_split("blocked", trials, sessions, 5, 0.5, 0)
    return trials, split, outer_folds(trials, split)


def accuracy(frame):
    return (frame["truth"] == frame["prediction"]).mean()


# Leaks


@pytest.mark.parametrize("name", ["logistic", "xgboost"])
def test_what_belongs_to_a_bout_is_worth_nothing_blocked_and_much_at_random(name):
    """Each bout has a mood and a favourite syllable of its own, and neither says more than that.

    Which bout a trial belongs to predicts its label from other trials of the bout, never from
    other bouts.
    """
    trials, sessions = make_song(bouts=40)
    rng = np.random.default_rng(2)
    favourite = rng.choice(LABELS, 40)[trials["bout"]]
    own = rng.choice(LABELS, len(trials))
    trials["label"] = np.where(rng.random(len(trials)) < 0.8, favourite, own)
    X = np.eye(40)[trials["bout"]]
    model = make_decoder(name, 0)[0]
    score = {}
    for kind in ("blocked", "random"):
        fold = outer_folds(trials, make_split(kind, trials, sessions, 5, 0.5, 0))
        frame = cross_decode(X, trials, fold, fixed_fit(model))
        score[kind] = accuracy(frame)
    # Trials of a bout share their label: the bouts are the trials of this binomial test.
    assert score["blocked"] <= binom.ppf(0.995, 40, 1 / 3) / 40
    assert score["random"] > 0.7


@pytest.mark.parametrize("name", DECODERS)
def test_neither_labels_nor_features_of_a_fold_change_the_model_that_predicts_it(name, song):
    """The model that predicts fold 2, its tuned settings included, is blind to all of fold 2."""
    trials, _, fold = song
    X = informative(trials, 0.8)
    rng = np.random.default_rng(3)
    mine = np.flatnonzero(fold == 2)
    relabelled = trials.copy()
    relabelled.iloc[mine, trials.columns.get_loc("label")] = rng.permutation(trials["label"][mine])
    changed = X.copy()
    changed[mine] = 1e3 * rng.standard_normal((len(mine), 3))

    def predicted(X, trials):
        """What the model for fold 2 says of the original features."""
        model, grid = make_decoder(name, 0)
        models, (fit, chosen) = [], tuned_fit(model, grid, "blocked", 3, 0)

        def watched(X, trials):
            models.append(fit(X, trials))
            return models[-1]

        frame = cross_decode(X, trials, fold, watched)
        return models[2].predict(informative(song[0], 0.8)), chosen[2], frame

    said, settings, frame = predicted(X, trials)
    for other in (predicted(X, relabelled), predicted(changed, trials)):
        np.testing.assert_array_equal(other[0], said)
        assert other[1] == settings
    # The probe works: other folds' models do see fold 2.
    others = frame["fold"] != 2
    p = frame.loc[others, ["p_a", "p_b", "p_c"]].to_numpy()
    assert (p != predicted(X, relabelled)[2].loc[others, ["p_a", "p_b", "p_c"]].to_numpy()).any()


def test_a_fit_is_given_the_other_folds_whole_and_nothing_of_a_guard(song):
    trials, _, fold = song
    fold = np.where(np.arange(len(fold)) % 17 == 0, NONE, fold)
    seen = []

    def fit(X, given):
        assert len(X) == len(given)
        seen.append(set(given["trial"]))
        return LogisticRegression().fit(X, given["label"])

    frame = cross_decode(informative(trials, 1), trials, fold, fit)
    for now, given in enumerate(seen):
        assert given == set(trials["trial"][(fold != now) & (fold != NONE)])
    assert set(frame["trial"]) == set(trials["trial"][fold != NONE])


def test_fitted_steps_are_fitted_to_the_training_part_only(song):
    trials, _, fold = song
    X = informative(trials, 1)
    X[fold == 0] += 50
    X[::7, 0] = np.nan
    models = []

    def fit(X, given):
        models.append(make_decoder("logistic", 0)[0].fit(X, given["label"]))
        return models[-1]

    cross_decode(X, trials, fold, fit)
    for now, model in enumerate(models):
        np.testing.assert_allclose(model["impute"].statistics_, np.nanmean(X[fold != now], axis=0))
        filled = np.where(np.isnan(X), model["impute"].statistics_, X)[fold != now]
        np.testing.assert_allclose(model["scale"].mean_, filled.mean(axis=0))


# Predictions


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("labels", [["a", "b"], LABELS])
def test_predictions_keep_their_contract(name, labels):
    trials, sessions = make_song(labels=labels)
    split = make_split("blocked", trials, sessions, 5, 0.5, 0)
    model, grid = make_decoder(name, 0)
    features = {"good": informative(trials, 0.7), "bad": np.ones((len(trials), 2))}
    frame, metrics = decode(
        features, trials, split, lambda _: tuned_fit(model, grid, "blocked", 3, 0), 50, 0
    )
    p = [f"p_{label}" for label in labels]
    assert list(frame.columns) == [*PREDICTIONS, *p]
    fold = outer_folds(trials, split)
    for feature, part in frame.groupby("feature"):
        # Every trial once, in time order, in its own fold.
        assert part["trial"].tolist() == trials["trial"].tolist()
        assert part["fold"].tolist() == fold.tolist()
        assert part["truth"].tolist() == trials["label"].tolist()
        np.testing.assert_allclose(part[p].sum(axis=1), 1, atol=1e-6)
        highest = part[p].max(axis=1).to_numpy()
        taken = part[p].to_numpy()[np.arange(len(part)), part["prediction"].map(labels.index)]
        np.testing.assert_array_equal(taken, highest)
        assert len(metrics[feature]["chosen"]) == 5
        for chosen in metrics[feature]["chosen"]:
            assert all(chosen[key] in grid[key] for key in grid)
    chance = 1 / len(labels)
    assert metrics["good"]["balanced_accuracy"] > chance + 0.2
    assert metrics["bad"]["balanced_accuracy"] == pytest.approx(chance, abs=1e-9)
    assert metrics["good"]["chance"] == pytest.approx(chance)


@pytest.mark.parametrize("name", DECODERS)
def test_a_class_missing_from_a_training_fold_is_never_predicted_there(name):
    trials, sessions = make_song(bouts=20)
    trials.loc[trials["bout"] < 4, "label"] = np.resize(["a", "b", "c", "d"], 24)
    split = make_split("blocked", trials, sessions, 5, 0.5, 0)
    fold = outer_folds(trials, split)
    assert set(fold[trials["label"] == "d"]) == {0}
    frame = cross_decode(
        informative(trials, 0.3), trials, fold, fixed_fit(make_decoder(name, 0)[0])
    )
    p = [f"p_{label}" for label in "abcd"]
    np.testing.assert_allclose(frame[p].sum(axis=1), 1, atol=1e-6)
    assert (frame.loc[frame["fold"] == 0, "p_d"] == 0).all()
    assert (frame.loc[frame["fold"] == 0, "prediction"] != "d").all()
    assert (frame.loc[(frame["fold"] > 0) & (frame["truth"] != "d"), "p_d"] > 0).any()
    known = frame["truth"] != "d"
    assert accuracy(frame[known]) > 0.6


def test_one_class_left_to_train_on_ends_in_a_sentence():
    trials, sessions = make_song(bouts=4, labels=["a"])
    trials.loc[trials["bout"] == 0, "label"] = "b"
    split = make_split("blocked", trials, sessions, 2, 0.5, 0)
    trials.loc[trials["bout"] == 1, "label"] = "b"
    with pytest.raises(DataError, match="Without fold 0 fewer than two classes are left"):
        cross_decode(
            np.ones((len(trials), 1)),
            trials,
            outer_folds(trials, split),
            fixed_fit(make_decoder("logistic", 0)[0]),
        )
    fit, _ = tuned_fit(*make_decoder("logistic", 0), "blocked", 2, 0)
    with pytest.raises(DataError, match="No inner fold holds two classes"):
        fit(np.ones((len(trials), 1)), trials)


# Tuning


def test_settings_are_chosen_inside_each_training_part():
    """A grid of one good and one useless setting: every fold chooses the good one."""
    trials, sessions = make_song()
    fold = outer_folds(trials, make_split("blocked", trials, sessions, 5, 0.5, 0))
    grid = {"model__C": [1e-9, 1.0], "model__gamma": [1e3, 0.1]}
    fit, chosen = tuned_fit(make_decoder("svm", 0)[0], grid, "blocked", 3, 0)
    cross_decode(informative(trials, 0.4), trials, fold, fit)
    assert [c["model__gamma"] for c in chosen] == [0.1] * 5


def test_the_commonest_settings_are_those_of_most_folds_and_the_first_of_equals():
    one, two, three = {"C": 1}, {"C": 2}, {"C": 3}
    assert commonest([one, two, two, three]) == two
    assert commonest([three, one, one, three]) == three
    assert commonest([two]) == two


def test_fixed_settings_are_those_given():
    trials, _ = make_song(bouts=5)
    model = make_decoder("logistic", 0)[0]
    fitted = fixed_fit(model, {"model__C": 0.25})(informative(trials, 1), trials)
    assert fitted["model"].C == 0.25
    assert model["model"].C == 1.0


# Decoders


def test_an_unknown_decoder_is_told_from_those_there_are():
    with pytest.raises(DataError, match=r"^there is no decoder 'logistc'; did you mean 'logistic'"):
        make_decoder("logistc", 0)
    with pytest.raises(DataError, match=r"'zzz' \(there are: logistic, .*\)\.$"):
        make_decoder("zzz", 0)


def test_boosted_trees_take_labels_of_any_kind_and_missing_values():
    trials, _ = make_song(labels=["z", "å", "10"])
    code = trials["label"].map({"z": 0.0, "å": 1.0, "10": 2.0}).to_numpy()
    X = np.c_[code, np.where(code == 1, np.nan, 0.0)]
    # One class too few in training, as in a fold of its own.
    rows = code != 1
    for model, there in ((Boosted(), np.ones(len(X), bool)), (Boosted(max_depth=1), rows)):
        model.fit(X[there], trials["label"][there].to_numpy())
        assert model.classes_.tolist() == sorted(set(trials["label"][there]))
        assert (model.predict(X[there]) == trials["label"][there]).all()
    X = informative(trials.assign(label=np.resize(LABELS, len(trials))), 1)
    first, again, other = (
        Boosted(seed=seed).fit(X, trials["label"]).predict_proba(X) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_classes_weigh_equally_in_every_decoder():
    """Nine of ten trials are of one class; a decoder that knows nothing must not lean to it."""
    trials, _ = make_song(bouts=50, labels=["a"] * 9 + ["b"], per_bout=10)
    rng = np.random.default_rng(4)
    code = (trials["label"] == "b").to_numpy()
    X = code[:, None] + rng.standard_normal((len(trials), 1))
    for name in DECODERS:
        model = make_decoder(name, 0)[0].fit(X, trials["label"].to_numpy())
        said = model.predict(np.linspace(-2, 3, 11)[:, None])
        # Two unit Gaussians at 0 and 1 meet at 0.5 when classes are equally probable.
        assert said[0] == "a"
        assert said[-1] == "b"
        assert 3 <= (said == "a").sum() <= 8


def test_both_files_are_written(tmp_path, song):
    trials, split, _ = song
    model = make_decoder("logistic", 0)[0]
    frame, metrics = decode(
        {"x": informative(trials, 1)}, trials, split, lambda _: (fixed_fit(model), []), 50, 0
    )
    paths = (tmp_path / "p.csv", tmp_path / "m.json")
    write_decoding(paths, frame, metrics, decoder="logistic", split="blocked")
    pd.testing.assert_frame_equal(read_predictions(paths[0]), frame, check_dtype=False, rtol=1e-8)
    content = json.loads(paths[1].read_text())
    assert content["decoder"] == "logistic"
    assert content["features"]["x"]["balanced_accuracy"] == pytest.approx(
        metrics["x"]["balanced_accuracy"]
    )


# Comparison


@pytest.fixture(scope="module")
def compared(song):
    """Two decoders' and the baselines' metrics, a null band and an oracle on one song."""
    trials, split, _ = song
    trials = trials.assign(previous=trials["label"].shift(fill_value="start"))
    contents, frames = [], {}
    for name, noise in (("logistic", 1.0), ("svm", 0.5)):
        model = make_decoder(name, 0)[0]
        frame, metrics = decode(
            {"x": informative(trials, noise)},
            trials,
            split,
            lambda _, m=model: (fixed_fit(m), []),
            50,
            0,
        )
        contents.append({"decoder": name, "split": "blocked", "features": metrics})
        frames[name] = frame
    for name in BASELINES:
        features, model = baseline_fitting(name, trials)
        metrics = decode(features, trials, split, lambda _, m=model: (fixed_fit(m), []), 50, 0)[1]
        contents.append({"decoder": name, "split": "blocked", "features": metrics})
    oracle = frames["svm"].assign(prediction=frames["svm"]["truth"])
    rows = [("logistic", "x", i + 1, 0.30 + 0.01 * i) for i in range(9)]
    rows += [("svm", "x", i + 1, 0.99) for i in range(9)]
    null = pd.DataFrame(rows, columns=list(NULL))
    table = comparison_table(contents, {"blocked": null}, oracle, trials, {"blocked": split}, 50, 0)
    return contents, table, oracle, trials, split


def test_every_number_stands_beside_what_it_has_to_be_seen_beside(compared):
    contents, table, _, _, _ = compared
    assert list(table.columns) == COLUMNS
    assert table["decoder"].tolist() == ["logistic", "svm", *BASELINES, ORACLE]
    cell = {c["decoder"]: next(iter(c["features"].values())) for c in contents}
    rows = table.set_index("decoder")
    for name in ("logistic", "svm"):
        row = rows.loc[name]
        assert row["balanced_accuracy"] == cell[name]["balanced_accuracy"]
        for baseline in BASELINES:
            assert row[baseline] == cell[baseline]["balanced_accuracy"]
        assert row["oracle"] == 1.0
        assert row["fraction_of_oracle"] == pytest.approx(row["balanced_accuracy"])
    assert rows.loc["majority", "balanced_accuracy"] <= 1 / 3 + 1e-9
    # What is itself a comparison has none.
    assert rows.loc[[*BASELINES, ORACLE], ["oracle", "p", "null_mean"]].isna().all(axis=None)


def test_p_values_count_replicates_at_least_as_good(compared):
    rows = compared[1].set_index("decoder")
    assert rows.loc["logistic", "balanced_accuracy"] > 0.39
    assert rows.loc["logistic", "p"] == pytest.approx(0.1)
    assert rows.loc["svm", "p"] == 1.0
    assert rows.loc["logistic", "null_mean"] == pytest.approx(0.34)
    assert rows.loc["logistic", ["null_low", "null_high"]].tolist() == pytest.approx([0.30, 0.38])


def test_the_oracle_is_judged_on_the_trials_that_were_decoded(compared):
    contents, _, oracle, trials, split = compared
    narrow = split[split["fold"].isin([0, 1])]
    wrong = ~oracle["trial"].isin(trials["trial"][outer_folds(trials, narrow) != NONE])
    said = oracle.assign(prediction=np.where(wrong, "a", oracle["truth"]))
    table = comparison_table(contents, {}, said, trials, {"blocked": narrow}, 50, 0)
    row = table.set_index("decoder").loc[ORACLE]
    assert row["balanced_accuracy"] == 1.0
    assert row["n_trials"] == (~wrong).sum()
    assert table["p"].isna().all()


def test_without_an_oracle_its_columns_are_missing(compared):
    contents, _, _, trials, split = compared
    table = comparison_table(contents, {}, None, trials, {"blocked": split}, 50, 0)
    assert ORACLE not in set(table["decoder"])
    assert table[["oracle", "fraction_of_oracle"]].isna().all(axis=None)


def recall(frame):
    return (frame["truth"] == frame["prediction"]).groupby(frame["truth"]).mean().mean()


def test_the_null_band_is_the_same_decoder_on_surrogates(tmp_path):
    """One number of the band, recomputed by hand; the real bird is above it."""
    chosen = Settings(syllable_types=3, units=8, sessions=2, bouts=6)
    recording, _, _ = simulate("bird", chosen, 1)
    kept = {"bout_gap": 0.5, "labels": [], "folds": 4}
    trials = make_trials(recording, **kept)
    split = make_split("blocked", trials, recording.sessions, 4, 0.5, 0)
    best = [{"model__C": 0.01}, {"model__C": 0.1}, {"model__C": 0.1}]
    content = {
        "decoder": "logistic",
        "split": "blocked",
        "features": {"count": {"chosen": best}, "w": {"chosen": best[:1]}},
    }
    windows = {"w": {"align": "onset", "start": 0.0, "stop": 0.04, "bin": 0.02}}
    inclusion = inclusion_table(recording, {})
    birds, how = (recording, inclusion, trials, split, split), ("shifted", [5, 6])
    arguments = (
        *birds,
        *how,
        fixed_fits([content], 0),
        features_maker(["count", "w"], windows),
        kept,
    )
    null = null_band(*arguments)
    assert null["replicate"].tolist() == [1, 1, 2, 2]
    assert null["feature"].tolist() == ["count", "w"] * 2
    pd.testing.assert_frame_equal(null, null_band(*arguments))
    write_csv(null, tmp_path / "null.csv")
    pd.testing.assert_frame_equal(read_null(tmp_path / "null.csv"), null, rtol=1e-8)

    used = used_trials(trials)

    def by_hand(bird):
        X = feature_matrix("count", make_tensor(bird, used, Window(SYLLABLE, SYLLABLE)))
        fit = fixed_fit(make_decoder("logistic", 0)[0], {"model__C": 0.1})
        return recall(cross_decode(X, used, outer_folds(used, split), fit))

    assert null["balanced_accuracy"][2] == pytest.approx(
        by_hand(surrogate(recording, "shifted", 6))
    )
    assert by_hand(recording) > null["balanced_accuracy"].max()
