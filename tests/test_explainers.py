"""SHAP values beside permutation and ablation, on birds whose truth is planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuro2voc import explainers as module
from neuro2voc.attribution import MODEL, explain
from neuro2voc.attribution_tables import describe_players, unit_table
from neuro2voc.curves import Protocol
from neuro2voc.decoding import outer_folds
from neuro2voc.differences import difference_over_bouts
from neuro2voc.errors import DataError
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.explainers import chance_of_refits, explainers, of_players, permute, shares
from neuro2voc.figures.explainers import draw_explainers
from neuro2voc.hubs import AttributionNull, independent_null, shifted_null
from neuro2voc.inclusion import inclusion_table
from neuro2voc.recording import Recording, Units
from neuro2voc.splits import make_split
from neuro2voc.subsets import unit_features
from neuro2voc.trials import make_trials, used_trials
from tests.test_figures import check_legible, points, words

WINDOWS = {
    "onset": {"align": "onset", "start": -0.04, "stop": 0.04, "bin": 0.04},
    "one": {"align": "onset", "start": -0.04, "stop": 0.0, "bin": 0.04},
}
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": 4}
JUDGED = Protocol("lda", "blocked", 3, 100, 1, tuple(range(19)), TRIALS, "onset")
PROTOCOL = replace(JUDGED, null_seeds=())
BOUTS, LENGTH = 20, 4.0  # s


@pytest.fixture(autouse=True)
def small_models(monkeypatch):
    monkeypatch.setitem(MODEL, "rounds", 15)


def make_bird(tuned=("a", "b", "b"), untuned=1, seed=0, depth=True):
    """Bouts of a, b, c in random order, 0.1 s long; each tuned unit bursts before its syllable."""
    rng = np.random.default_rng(seed)
    label = np.concatenate([rng.permutation(list("abcabc")) for _ in range(BOUTS)])
    onset = np.concatenate([LENGTH * bout + 1 + 0.2 * np.arange(6) for bout in range(BOUTS)])
    end = LENGTH * BOUTS
    syllables = pd.DataFrame(
        {"start_time": onset, "stop_time": onset + 0.1, "label": label, "session": "s1"}
    )
    bursts = [
        (onset[label == name, None] - rng.uniform(0.005, 0.035, (1, 4))).ravel() for name in tuned
    ]
    trains = [np.sort(np.r_[times, rng.uniform(0, end, 40)]) for times in bursts]
    trains += [np.sort(rng.uniform(0, end, 800)) for _ in range(untuned)]
    n = len(trains)
    table = pd.DataFrame(index=[f"u{i}" for i in range(n)])
    if depth:
        table["depth"] = 100.0 * np.arange(n, 0, -1)
        table["location"] = (["HVC"] * 2 + ["Area X"] * n)[:n]
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.0], "stop_time": [end]})
    recording = Recording("bird", Units(tuple(trains), table), syllables, sessions)
    trials = make_trials(recording, **TRIALS)
    return recording, trials, make_split("blocked", trials, sessions, 4, 0.5, 1)


def shap_of(recording, trials, split, protocol, **changes):
    """The table of players, as results/shap/{bird}.csv holds it."""
    given = (recording, trials, split, WINDOWS, protocol)
    used = used_trials(trials)
    X = unit_features(recording, used, protocol.feature, WINDOWS)
    explanation = explain(X, used, outer_folds(used, split), protocol.seed)
    null = AttributionNull(shifted_null(*given), *independent_null(*given, ()))
    players = describe_players(recording, protocol.feature, WINDOWS)
    known = (players, trials, inclusion_table(recording, {}), protocol)
    return unit_table(explanation, null, *known).assign(**changes)


def explained(bird, protocol):
    return explainers(*bird, WINDOWS, protocol, shap_of(*bird, protocol))


BIRD = make_bird()


@pytest.fixture(scope="module")
def judged():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODEL, "rounds", 15)
        return explained(BIRD, JUDGED)


# What is found


def test_what_only_one_unit_says_is_seen_by_all_three(judged):
    assert judged["found_by"][0] == "SHAP values, permutation, ablation"
    assert judged["ablation"][0] > 0.2 and judged["ablation_low"][0] > 0.1
    assert judged["permutation_low"][0] > judged["permutation_null_high"][0]


def test_units_that_say_the_same_can_be_spared(judged):
    twins = judged[1:3]
    assert (twins["importance_p"] <= 0.05).all()
    assert twins["permutation"].max() > 0.2 and twins["permutation"].min() > 0
    assert (twins["ablation_p"] > 0.05).all()
    assert (twins["ablation"].abs() < 0.05).all()


def test_what_a_unit_does_not_know_is_seen_by_none(judged):
    assert judged["found_by"][3] == ""
    assert abs(judged["permutation"][3]) < 0.05 and abs(judged["ablation"][3]) < 0.05


def test_a_surrogate_has_no_null_for_permutation():
    table = explained(BIRD, PROTOCOL)
    assert table["permutation_p"].isna().all() and table["permutation"].notna().all()
    assert table["shifted"].eq(0).all()
    assert table["found_by"].tolist() == ["ablation", "", "", ""]


def test_bins_of_a_single_unit_are_players():
    bird = make_bird(tuned=("a",), untuned=0)
    table = explained(bird, PROTOCOL)
    assert table["start"].tolist() == [-0.04, 0.0]
    assert table["ablation"][0] > 0.1 and abs(table["ablation"][1]) < 0.05
    alone = explained(bird, replace(PROTOCOL, feature="one"))
    assert len(alone) == 1
    # Without its only feature a model can but guess.
    assert alone["refits"][0] - alone["ablation"][0] == pytest.approx(1 / 3)


# How it is computed


def test_permutation_agrees_with_a_direct_loop(judged):
    recording, trials, split = BIRD
    used = used_trials(trials)
    fold = outer_folds(used, split)
    X = of_players(unit_features(recording, used, "onset", WINDOWS))
    assert X.shape[1:] == (4, 2)
    frame, _ = permute(X, used, fold, JUDGED.seed)
    explanation = explain(X, used, fold, JUDGED.seed)
    assert frame["prediction"].tolist() == explanation.trials["prediction"].tolist()
    truth = frame["truth"].to_numpy()
    rng = np.random.default_rng(JUDGED.seed)
    guesses = np.full((4, module.REPEATS, len(used)), None, dtype=object)
    for now in range(4):
        train, test = (fold != now) & (fold >= 0), np.flatnonzero(fold == now)
        model = module.Boosted(**MODEL, seed=JUDGED.seed)
        model.fit(X[train].reshape(train.sum(), -1), used["label"].to_numpy(dtype=object)[train])
        for player in range(4):
            for repeat in range(module.REPEATS):
                Y = X.copy()
                Y[test, player] = X[rng.permutation(test), player]
                guesses[player, repeat, test] = model.predict(Y[test].reshape(len(test), -1))
    guesses = guesses[:, :, fold >= 0]
    for player in range(4):
        each = [
            balanced_accuracy(confusion(truth, guess, list("abc"))) for guess in guesses[player]
        ]
        fall = explanation.balanced_accuracy - np.mean(each)
        assert judged["permutation"][player] == pytest.approx(fall)
        changed = (guesses[player] != frame["prediction"].to_numpy())[None]
        assert judged["permutation_changed"][player] == pytest.approx(shares(frame, changed)[0])
        frames = [frame.assign(prediction=guess) for guess in guesses[player]]
        found = difference_over_bouts([frame], frames, used, JUDGED.resamples, JUDGED.seed)
        assert judged["permutation_low"][player] == pytest.approx(found.low)


def test_shares_of_right_predictions_are_balanced_accuracies():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"truth": rng.choice(list("aaab"), 60)})
    guesses = rng.choice(list("ab"), (2, 3, 60))
    found = shares(frame, guesses == frame["truth"].to_numpy())
    direct = [
        np.mean([balanced_accuracy(confusion(frame["truth"], one, ["a", "b"])) for one in each])
        for each in guesses
    ]
    np.testing.assert_allclose(found, direct)


def test_refits_that_differ_in_nothing_but_chance_are_rarely_told_apart():
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(400):
        refits = rng.normal(0.7, 0.01, module.REFITS)
        without = rng.normal(0.7, 0.01, (30, module.ABLATIONS)).mean(axis=1)
        least, p = chance_of_refits(refits.mean() - without, refits)
        np.testing.assert_array_equal(p <= 0.05, refits.mean() - without >= least)
        found += (p <= 0.05).any()
    assert 4 <= found <= 36  # 20 expected at most


def test_shap_values_of_other_models_are_refused():
    with pytest.raises(DataError, match="make it again"):
        explainers(*BIRD, WINDOWS, PROTOCOL, shap_of(*BIRD, PROTOCOL, balanced_accuracy=0.5))


# The figure


def test_who_is_not_seen_by_all_is_named(judged):
    figure = draw_explainers(judged, BIRD[0], JUDGED)
    check_legible(figure)
    shown = words(figure).replace("\n", " ")
    assert "1 of 4 units stands out by all three explainers" in shown
    assert "u2: others stand in" in shown
    assert f"The models' balanced accuracy is {judged['balanced_accuracy'][0]:.2f}" in shown
    for ax, name in zip(figure.axes, module.MEASURES, strict=True):
        np.testing.assert_allclose(sorted(points(ax)[:, 0]), sorted(judged[name]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ablation_p": 0.01, "found_by": "SHAP values, permutation, ablation"}, "4 of 4 units"),
        ({"found_by": "SHAP values"}, "Only SHAP values see u0, u1, u2 and u3"),
        ({"found_by": "ablation"}, "SHAP values do not see u0, u1, u2 and u3, ablation would"),
        ({"found_by": "SHAP values, ablation"}, "Permutation does not see u0"),
        ({"found_by": "", "evidence_p": 0.01}, "None sees u0, u1, u2 and u3"),
        ({"found_by": "", "depth": np.nan, "location": "unknown"}, "None of 4 units stands out"),
    ],
)
def test_every_disagreement_has_its_sentence(judged, changes, expected):
    figure = draw_explainers(judged.assign(**changes), BIRD[0], JUDGED)
    check_legible(figure)
    assert expected in words(figure).replace("\n", " ")


def test_bins_are_named_by_their_times():
    bird = make_bird(tuned=("a",), untuned=0, depth=False)
    figure = draw_explainers(explained(bird, PROTOCOL), bird[0], PROTOCOL)
    check_legible(figure)
    shown = words(figure).replace("\n", " ")
    assert "−40 to 0" in shown and "2 bins of time" in shown and "without the bin" in shown
