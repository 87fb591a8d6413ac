import numpy as np
import pandas as pd
import pytest

from neuro2voc.baselines import previous_syllable
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import cross_decode, fixed_fit, sum_up
from neuro2voc.predecessors import END, leave_transition_out, successor, takes_part

FIT = fixed_fit(make_decoder("lda", 0)[0])


def make_song(bouts=40, labels="abc", stereotypy=0.6, seed=0):
    """Bouts of twelve syllables; each follows its forerunner in the alphabet, or a random one."""
    rng = np.random.default_rng(seed)
    rows = []
    for bout in range(bouts):
        previous, now = "start", int(rng.integers(len(labels)))
        for _ in range(12):
            rows.append((bout, previous, labels[now]))
            previous = labels[now]
            now = (now + 1 if rng.random() < stereotypy else int(rng.integers(99))) % len(labels)
    trials = pd.DataFrame(rows, columns=["bout", "previous", "label"])
    return trials.assign(trial=np.arange(len(trials)), used=1, note="", session="s1")


def codes(names, seed=0, columns=8, noise=0.3):
    """Noisy population responses (trials, columns), one pattern per name."""
    rng = np.random.default_rng(seed)
    patterns = {name: rng.normal(size=columns) for name in sorted(set(names))}
    return np.stack([patterns[name] for name in names]) + noise * rng.normal(
        size=(len(names), columns)
    )


def folds_of_bouts(trials, folds=5):
    return np.array(trials["bout"] * folds // (trials["bout"].max() + 1))


def score(X, trials, fold, context="previous"):
    frame = leave_transition_out(X, trials, fold, FIT, context)
    return sum_up(frame, trials, 1, 0)["balanced_accuracy"]


def test_what_follows_is_the_next_syllable_of_the_bout():
    trials = pd.DataFrame(
        {
            "bout": [0, 0, 0, 1, 1],
            "label": list("abxcd"),
            "note": ["", "", "lies inside another syllable", "", "has no label"],
        }
    )
    assert successor(trials).tolist() == ["b", END, "", "d", END]


def test_transitions_sung_often_after_two_others_take_part():
    pairs = [("a", "b")] * 5 + [("c", "b")] * 5 + [("d", "b")] * 4  # b after a and c
    pairs += [("b", "c")] * 9 + [("a", "c")] * 4  # c after b only
    pairs += [("a", "d")] * 5 + [("b", "d")] * 6  # d after both
    trials = pd.DataFrame(pairs, columns=["previous", "label"])
    expected = [True] * 10 + [False] * 4 + [False] * 13 + [True] * 11
    assert takes_part(trials).tolist() == expected
    assert not takes_part(trials[trials["label"] != "d"]).any(), "one class alone says nothing"


def test_neurons_that_know_the_syllable_are_found():
    trials = make_song()
    assert score(codes(trials["label"]), trials, folds_of_bouts(trials)) > 0.9


def test_neurons_that_know_only_the_predecessor_are_found_out():
    trials, fold = make_song(stereotypy=0.9), folds_of_bouts(make_song())
    X = codes(trials["previous"])
    ordinary = sum_up(cross_decode(X, trials, fold, FIT), trials, 1, 0)["balanced_accuracy"]
    assert ordinary > 0.85
    assert score(X, trials, fold) < 0.2


def test_neurons_that_know_only_the_successor_are_found_out():
    trials = make_song(stereotypy=0.9)
    trials["next"] = successor(trials)
    X, fold = codes(trials["next"]), folds_of_bouts(trials)
    assert score(X, trials, fold, "next") < 0.2
    assert score(X, trials, fold, "previous") > 0.3, "only the neighbour asked for is controlled"


def test_neurons_that_know_nothing_are_at_chance():
    trials = make_song()
    X = np.random.default_rng(1).normal(size=(len(trials), 8))
    assert abs(score(X, trials, folds_of_bouts(trials)) - 1 / 3) < 0.1


def test_the_previous_syllable_alone_never_says_the_right_one():
    trials = make_song(labels="abcd", stereotypy=0.8)
    X, fold = trials[["previous"]].to_numpy(), folds_of_bouts(trials)
    frame = leave_transition_out(X, trials, fold, fixed_fit(previous_syllable()))
    assert len(frame) > 300
    assert (frame["prediction"] != frame["truth"]).all()


def test_no_model_sees_the_fold_or_the_transition_it_predicts():
    trials, seen = make_song(bouts=12), []
    fold = folds_of_bouts(trials)
    fold[:12] = -1

    def fit(X, part):
        seen.append(part)
        return FIT(X, part)

    frame = leave_transition_out(codes(trials["label"]), trials, fold, fit)
    fits = frame.groupby(["truth", "context", "fold"], sort=False).ngroups
    assert len(seen) == fits, "one model per fold and transition"
    by_trial = trials.set_index("trial")
    assert not frame["trial"].isin(range(12)).any()
    # Models come in the order of the first trial of their fold and transition.
    kept = trials[fold >= 0]
    kept = kept[takes_part(kept)].assign(fold=lambda rows: fold[rows["trial"]])
    groups = kept.drop_duplicates(["label", "previous", "fold"])
    for part, (_, group) in zip(seen, groups.iterrows(), strict=True):
        assert not (fold[part["trial"]] == group["fold"]).any()
        same = (part["label"] == group["label"]) & (part["previous"] == group["previous"])
        assert not same.any()
    assert (by_trial.loc[frame["trial"], "previous"].to_numpy() == frame["context"]).all()
    assert set(frame["prediction"]) <= set(kept["label"])


def test_a_song_without_variation_gives_no_prediction():
    trials = make_song(stereotypy=1.0)
    trials = trials[trials["previous"] != "start"]
    frame = leave_transition_out(codes(trials["label"]), trials, folds_of_bouts(trials), FIT)
    assert frame.empty
    assert list(frame) == ["trial", "fold", "context", "truth", "prediction"]


@pytest.mark.parametrize("which", ["syllable", "class"])
def test_a_trial_whose_training_lacks_what_it_needs_is_not_predicted(which):
    pairs = [("a", "b"), ("c", "b"), ("a", "d"), ("c", "d")]
    trials = pd.DataFrame([p for p in pairs for _ in range(6)], columns=["previous", "label"])
    trials["trial"] = np.arange(len(trials))
    fold = np.tile([0, 1], 12)
    if which == "syllable":  # b after c lies in fold 0 alone, so b after a cannot be asked there
        fold[6:12] = 0
    else:
        fold[:] = 0
    frame = leave_transition_out(codes(trials["label"]), trials, fold, FIT)
    missing = set(trials["trial"]) - set(frame["trial"])
    assert missing == (set(range(0, 6, 2)) if which == "syllable" else set(range(24)))
