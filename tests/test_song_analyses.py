"""Sessions, learning curves, clusters, neighbours: on birds whose truth is planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuro2voc.clusters import cluster_table, find_clusters
from neuro2voc.curves import Protocol
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import fixed_fit
from neuro2voc.errors import DataError
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.features import features_maker, make_features
from neuro2voc.figures.clusters import draw_clusters
from neuro2voc.figures.learning_curves import draw_learning_curves
from neuro2voc.figures.predecessors import draw_predecessors
from neuro2voc.figures.sessions import draw_sessions
from neuro2voc.figures.syllables import draw_syllables, syllable_table, transitions
from neuro2voc.figures.words import shortened
from neuro2voc.learning import drawn_bouts, learning_table, still_rising
from neuro2voc.predecessors import OTHER, USUAL, predecessor_table
from neuro2voc.recording import Recording, Units
from neuro2voc.session_transfer import (
    HALVES,
    common_trials,
    loss_across,
    parts_of,
    session_table,
    transfer,
)
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials, used_trials
from tests.test_figures import check_legible, words
from tests.test_predecessors import codes, folds_of_bouts, make_song

SETTINGS = {"bout_gap": 0.5, "labels": [], "folds": 5}
WINDOWS = {"onset": {"align": "onset", "start": 0.0, "stop": 0.1, "bin": 0.05}}
FIT = fixed_fit(make_decoder("lda", 0)[0])


def make_protocol(null=19, decoder="lda"):
    return Protocol(decoder, "blocked", 3, 200, 5, tuple(range(null)), SETTINGS, "onset")


def make_bird(knows="label", sessions=2, bouts=10, units=6, labels="abc"):
    """Bouts of make_song; units burst in trials whose `knows` is theirs, else fire at random."""
    rng = np.random.default_rng(3)
    song = make_song(bouts * sessions, labels)
    place = song.groupby("bout").cumcount().to_numpy()
    onset = 2 + 5 * song["bout"].to_numpy() + 0.2 * place
    session = np.array([f"s{1 + bout // bouts}" for bout in song["bout"]])
    long = {label: 0.1 for label in labels}
    syllables = pd.DataFrame(
        {
            "start_time": onset,
            "stop_time": onset + [long[label] for label in song["label"]],
            "label": song["label"],
            "session": session,
        }
    )
    stop = 5 * bouts * np.arange(1, sessions + 1.0)
    bounds = pd.DataFrame(
        {
            "session": [f"s{i + 1}" for i in range(sessions)],
            "start_time": stop - 5 * bouts,
            "stop_time": stop,
        }
    )
    trains = []
    for unit in range(units):
        noise = rng.uniform(0, stop[-1], size=int(2 * stop[-1]))
        own = labels[unit % len(labels)]
        sung = onset[(song[knows] == own).to_numpy()] if knows else onset[:0]
        bursts = (sung[:, None] + rng.uniform(0, 0.1, size=(len(sung), 3))).ravel()
        trains.append(np.unique(np.r_[noise, bursts]))
    table = pd.DataFrame(index=pd.Index(range(units), name="unit"))
    recording = Recording("bird", Units(tuple(trains), table), syllables, bounds, simulated=True)
    trials = make_trials(recording, **SETTINGS)
    return recording, trials, make_split("blocked", trials, bounds, 5, 0.5, 0)


@pytest.fixture(scope="module")
def tuned():
    return make_bird("label")


@pytest.fixture(scope="module")
def untuned():
    return make_bird(None)


# The control of neighbours


def rows_of(table, feature="onset"):
    return table[table["feature"] == feature].set_index("training")


def test_a_bird_that_knows_its_syllables_stands_in_other_company(tuned):
    recording, trials, split = tuned
    table = predecessor_table(
        recording, trials, split, ["count", "onset"], WINDOWS, make_protocol()
    )
    rows = rows_of(table)
    assert rows.loc[OTHER, "verdict"] == "stands"
    assert rows.loc[OTHER, "balanced_accuracy"] > 0.8
    assert rows_of(table, "previous").loc[OTHER, "balanced_accuracy"] == 0
    assert table["n_trials"].nunique() == 1, "the same trials in all rows"
    recalls = table.filter(like="recall_").loc[rows_of(table).reset_index().index]
    assert list(recalls) == ["recall_a", "recall_b", "recall_c"]
    mean = table.filter(like="recall_").mean(axis=1)
    assert mean.tolist() == pytest.approx(table["balanced_accuracy"].tolist())
    figure = draw_predecessors(table, recording, make_protocol())
    check_legible(figure)
    assert "not only the song's order" in words(figure) and "simulated" in words(figure)


def test_a_bird_that_knows_the_predecessor_does_not_stand():
    recording, trials, split = make_bird("previous")
    table = predecessor_table(recording, trials, split, ["onset"], WINDOWS, make_protocol())
    rows = rows_of(table)
    assert rows.loc[USUAL, "balanced_accuracy"] > rows.loc[USUAL, "chance"] + 0.1
    assert rows.loc[OTHER, "balanced_accuracy"] < rows.loc[OTHER, "chance"]
    assert rows.loc[OTHER, "verdict"] == "not told"
    assert "tell no more than shifted spikes do" in words(
        draw_predecessors(table, recording, make_protocol())
    )


def test_of_a_song_without_variation_nothing_is_said(tuned):
    recording, trials, split = tuned
    one = trials.assign(previous="x")
    table = predecessor_table(recording, one, split, ["onset"], WINDOWS, make_protocol())
    assert table.empty
    figure = draw_predecessors(table, recording, make_protocol())
    assert "nothing can be said" in " ".join(words(figure).split())


def test_a_surrogate_is_a_control(tuned):
    recording, trials, split = tuned
    control = replace(recording, surrogate="shifted")
    table = predecessor_table(control, trials, split, ["onset"], WINDOWS, make_protocol(0))
    assert rows_of(table).loc[OTHER, "verdict"] == "unjudged"
    assert "A control" in words(draw_predecessors(table, control, make_protocol(0)))


# Sessions


def test_sessions_are_parts_and_one_session_has_halves(tuned):
    used = used_trials(tuned[1])
    assert set(parts_of(used)) == {"s1", "s2"}
    halves = parts_of(used.assign(session="s1"))
    assert list(dict.fromkeys(halves)) == list(HALVES)
    bouts = used["bout"].to_numpy()
    assert not set(bouts[halves == HALVES[0]]) & set(bouts[halves == HALVES[1]])


def test_classes_that_a_session_hardly_has_are_left_out():
    trials = pd.DataFrame({"label": list("aabbcaabcc")})
    kept = common_trials(trials, np.repeat(["s1", "s2"], 5), 2)
    assert trials["label"][kept].tolist() == list("aaaa")


def test_a_code_that_changes_between_sessions_is_seen():
    trials = make_song()
    part = np.where(trials["bout"] < 20, "s1", "s2").astype(object)
    same = codes(trials["label"])
    moved = np.where((part == "s1")[:, None], same, np.roll(same, 3, axis=1))
    for X, lost in ((same, False), (moved, True)):
        cells = transfer(X, trials, part, FIT)
        loss = loss_across(cells, trials, 200, 0)
        assert (loss.low > 0.2) if lost else (abs(loss.mean) < 0.05)
        for (_, test), frame in cells.items():
            assert frame["trial"].tolist() == trials["trial"][part == test].tolist()


def test_loss_is_within_minus_across():
    trials = make_song(bouts=8)
    part = np.where(trials["bout"] < 4, "s1", "s2").astype(object)
    cells = transfer(codes(trials["label"], noise=1.5), trials, part, FIT)
    score = {
        pair: balanced_accuracy(confusion(frame["truth"], frame["prediction"], list("abc")))
        for pair, frame in cells.items()
    }
    expected = score["s1", "s1"] - score["s2", "s1"] + score["s2", "s2"] - score["s1", "s2"]
    loss = loss_across(cells, trials, 100, 0)
    assert loss.mean == pytest.approx(expected / 2)
    assert loss.low <= loss.mean <= loss.high


def test_no_model_learns_from_the_block_it_is_tested_on():
    trials = make_song(bouts=10)
    part = np.where(trials["bout"] < 5, "s1", "s2").astype(object)
    trained = []

    class Always:
        def __init__(self, own):
            self.own = set(own["bout"])

        def predict(self, X):
            assert not self.own & set(X[:, 0].astype(int))
            return np.array(["a"] * len(X), dtype=object)

    def fit(X, own):
        trained.append(own["bout"].nunique())
        return Always(own)

    transfer(trials[["bout"]].to_numpy(), trials, part, fit)
    assert trained == [4] * 10, "five blocks of each session, of which four are learnt"


def test_the_matrix_of_sessions(tuned):
    recording, trials, _ = tuned
    features_of = features_maker(["onset"], WINDOWS)
    table = session_table(recording, trials, features_of, make_protocol())
    assert list(zip(table["train"], table["test"], strict=True)) == [
        ("s1", "s1"),
        ("s1", "s2"),
        ("s2", "s1"),
        ("s2", "s2"),
    ]
    assert (table["p"] == 0.05).all() and (table["balanced_accuracy"] > 0.8).all()
    assert table["null_mean"].between(0.2, 0.45).all()
    figure = draw_sessions(table, recording, make_protocol())
    check_legible(figure)
    assert "all pairs stand" in words(figure) and "above the null's mean" in words(figure)


def test_sessions_of_an_untuned_bird_do_not_stand(untuned):
    recording, trials, _ = untuned
    features_of = features_maker(["onset"], WINDOWS)
    table = session_table(recording, trials, features_of, make_protocol())
    assert "0 of 2 pairs stand" in words(draw_sessions(table, recording, make_protocol()))


def test_one_session_says_that_it_has_halves():
    recording, trials, _ = make_bird("label", sessions=1)
    features_of = features_maker(["onset"], WINDOWS)
    table = session_table(recording, trials, features_of, make_protocol(0))
    figure = draw_sessions(table, recording, make_protocol(0))
    assert "halves of its bouts take the place" in words(figure)
    check_legible(figure)
    first = trials[trials["bout"] == 0]
    empty = session_table(recording, first, features_of, make_protocol(0))
    assert empty.empty
    assert "nothing can be said" in words(draw_sessions(empty, recording, make_protocol(0)))


def test_blocks_of_one_class_are_refused():
    trials = make_song(bouts=4)
    trials["label"] = np.where(trials["bout"] % 2 == 0, "a", "b")
    part = np.where(trials["bout"] < 2, "s1", "s2").astype(object)
    with pytest.raises(DataError, match="fewer than two classes"):
        transfer(np.ones((len(trials), 1)), trials, part, FIT)


def test_many_sessions_are_a_matrix_alone():
    pairs = [(f"day {i}", f"day {j}") for i in range(9) for j in range(9)]
    table = pd.DataFrame(pairs, columns=["train", "test"])
    table = table.assign(balanced_accuracy=0.5, low=0.4, high=0.6, chance=0.25, n_trials=50)
    table = table.assign(n_bouts=9, n_training=50, loss=0.1, loss_low=-0.1, loss_high=0.2)
    figure = draw_sessions(table, make_bird(sessions=1)[0], make_protocol())
    check_legible(figure)
    assert "table beside the figure" in words(figure)


# Learning curves


def test_whole_bouts_are_drawn_and_never_one_class_alone():
    trials = make_song(bouts=20)
    for seed in range(20):
        drawn = drawn_bouts(trials, 0.3, np.random.default_rng(seed))
        bouts = trials["bout"][drawn].unique()
        assert len(bouts) == 6
        assert drawn.sum() == 12 * 6
    trials["label"] = np.where(trials["bout"] == 19, "b", "a")
    drawn = drawn_bouts(trials, 0.05, np.random.default_rng(0))
    assert trials["label"][drawn].nunique() == 2


def test_a_tuned_bird_learns_and_an_untuned_one_learns_by_heart_only(tuned, untuned):
    learnt = {}
    for name, (recording, trials, split) in {"tuned": tuned, "untuned": untuned}.items():
        protocol = make_protocol()
        features_of = features_maker(["onset"], WINDOWS)
        table = learning_table(recording, trials, split, features_of, ["lda"], [0.2], 2, protocol)
        assert table.groupby(["decoder", "part"]).size().tolist() == [2, 1]
        last = table.iloc[-1]
        before = table.loc[table["part"] == 0.2, "balanced_accuracy"].mean()
        assert last["rise"] == pytest.approx(last["balanced_accuracy"] - before)
        assert last["rise_low"] <= last["rise"] <= last["rise_high"]
        learnt[name] = table[table["part"] == 1].iloc[0]
        figure = draw_learning_curves(table, recording, protocol)
        check_legible(figure)
        said = "stands above its null" if name == "tuned" else "not told from its null"
        assert said in words(figure)
    assert learnt["tuned"]["balanced_accuracy"] > 0.8
    assert learnt["untuned"]["low"] < 1 / 3 < learnt["untuned"]["high"]
    assert learnt["untuned"]["train"] > learnt["untuned"]["balanced_accuracy"] + 0.05


@pytest.mark.parametrize(("low", "rising"), [(0.01, True), (-0.01, False), (np.nan, None)])
def test_rising_means_an_interval_above_zero(low, rising):
    table = pd.DataFrame({"part": [0.7, 1.0], "rise_low": [np.nan, low]}).assign(decoder="lda")
    assert still_rising(table, "lda") is rising
    assert still_rising(table.drop(columns="rise_low"), "lda") is None


# Clusters


@pytest.mark.parametrize("feature", ["onset", "tfidf"])
def test_clusters_of_a_tuned_bird_are_its_syllables(tuned, feature):
    recording, trials, _ = tuned
    features_of = features_maker([feature], WINDOWS)
    clusters = find_clusters(recording, trials, feature, features_of, make_protocol())
    assert clusters.rand > 0.3 > clusters.permuted.max() > 0
    assert clusters.p_shifted == 0.05 and clusters.p_permuted == 0.001
    figure = draw_clusters(clusters, recording, feature)
    check_legible(figure)
    assert "more than permuted labels and shifted birds do" in words(figure)
    table = cluster_table(clusters)
    assert sorted(table["cluster"].unique()) == [1, 2, 3] and len(table) == 240


def test_clusters_of_an_untuned_bird_are_an_accident(untuned):
    recording, trials, _ = untuned
    features_of = features_maker(["onset"], WINDOWS)
    clusters = find_clusters(recording, trials, "onset", features_of, make_protocol())
    assert abs(clusters.rand) < 0.03 and clusters.p_permuted > 0.01
    assert abs(clusters.permuted.mean()) < 0.005


def test_one_unit_has_one_component():
    recording, trials, _ = make_bird("label", units=1, sessions=1)
    features_of = features_maker(["count"], WINDOWS)
    clusters = find_clusters(recording, trials, "count", features_of, make_protocol(0))
    assert clusters.explained == (pytest.approx(1.0), 0.0)
    figure = draw_clusters(clusters, recording, "count")
    check_legible(figure)
    assert "there are no surrogates to judge it by" in words(figure)


# Syllables


def test_what_follows_what_is_counted():
    trials = make_song(bouts=7)
    counts = transitions(trials)
    assert counts.loc["start"].sum() == 7 and counts["end"].sum() == 7
    pairs = trials[trials["previous"] != "start"].groupby(["previous", "label"]).size()
    for (before, after), number in pairs.items():
        assert counts.loc[before, after] == number
    few = transitions(trials, most=2)
    assert list(few.index) == ["start", *few.index[1:3], "others"]
    assert few.to_numpy().sum() == counts.to_numpy().sum() == len(trials) + 7


def test_syllables_without_labels_and_with_long_ones_are_drawn(tuned):
    recording, trials, _ = tuned
    assert "no labels" in words(draw_syllables(trials.iloc[:0], recording))
    names = {name: f"{'syllable ' * 8}{name}" for name in "abc"}
    long = trials.assign(
        label=trials["label"].map(names), previous=trials["previous"].replace(names)
    )
    figure = draw_syllables(long, recording)
    check_legible(figure)
    assert all(len(text.get_text()) <= 24 for text in figure.axes[0].get_yticklabels())
    table = syllable_table(trials)
    assert table["next"].iloc[:-1].tolist()[:11] == trials["label"].tolist()[1:12]


def test_cut_labels_keep_both_ends():
    assert shortened("a" * 12) == "a" * 12
    assert shortened("introductory note 7") == "intro…note 7"
    assert len(shortened("x" * 75, 24)) == 24


def test_features_are_those_of_their_windows(tuned):
    recording, trials, _ = tuned
    features = make_features(recording, trials.iloc[:4], ["count", "rate", "onset"], WINDOWS)
    assert features["count"].shape == (4, 6) and features["onset"].shape == (4, 12)
    assert features["rate"] == pytest.approx(features["count"] / 0.1)
    both = features["onset"].reshape(4, 6, 2).sum(axis=2)
    assert both == pytest.approx(features["count"])


def test_the_same_seeds_give_the_same_tables():
    recording, trials, split = make_bird("label", sessions=1)
    features_of = features_maker(["onset"], WINDOWS)
    draw = [
        learning_table(recording, trials, split, features_of, ["lda"], [0.3], 2, make_protocol(0))
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*draw)
    assert folds_of_bouts(make_song()).max() == 4
