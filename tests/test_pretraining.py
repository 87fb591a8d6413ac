"""Pretraining: what it may see, what it learns, what is handed on, and its files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from test_lag import TRIALS, make_bird
from test_sequence_network import KINDS

from neuro2voc.binning import Window, nanoseconds, window_bins
from neuro2voc.errors import DataError
from neuro2voc.network_training import NetworkSettings
from neuro2voc.networks.sequence import SequenceNetwork
from neuro2voc.pretraining import (
    BODY,
    WHOLE,
    begin_with,
    corpus_maker,
    pieces,
    pretrain,
    pretrain_in_folds,
    read_pretrained,
    surprise_of_shares,
    token_shares,
    training_stretches,
    whole_stretches,
    write_pretrained,
)
from neuro2voc.recording import Recording, Units
from neuro2voc.sequence_fit import Reading
from neuro2voc.splits import make_split
from neuro2voc.tokens import tick_window
from neuro2voc.training import Schedule
from neuro2voc.trials import make_trials, used_trials
from neuro2voc.vocabulary import fit_vocabulary

TOKENS = {"window": "onset", "tick": 0.001, "aggregate": 0.005}
WINDOWS = {"onset": {"align": "onset", "start": -0.1, "stop": 0.1, "bin": 0.02}}
CORPUS_OF = corpus_maker("events", TOKENS, WINDOWS)
READING = Reading(vocabulary=0, clock=0.05, context=64)
SCHEDULE = Schedule(12, 12, 16, 0.02, 0.0, 0.1, 1.0, "cpu")
SHORT = replace(SCHEDULE, epochs=1)
every_kind = pytest.mark.parametrize("kind", KINDS)


def settings(kind="gpt2", schedule=SHORT, **changes):
    sizes = {"width": 8, "dropout": 0.0, "thin": 0.0, **KINDS[kind], **changes}
    return NetworkSettings(kind, sizes, schedule, "blocked", 2, 5, members=1)


def follower(seconds=60.0, units=4, name="bird", seed=0):
    """A bird whose odd units fire 4 ms behind the even ones before them, and at no other time."""
    rng = np.random.default_rng(seed)
    trains = []
    for _ in range(units // 2):
        first = np.sort(rng.choice(int(seconds * 1000) - 10, int(8 * seconds), replace=False))
        trains += [first / 1000, first / 1000 + 0.004]
    song = pd.DataFrame({"start_time": [1.0], "stop_time": [1.1], "label": ["a"], "session": "s"})
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [seconds]})
    table = pd.DataFrame(index=pd.Index(range(units), name="unit"))
    return Recording(name, Units(tuple(trains), table), song, sessions, simulated=True)


def learnt(bird, kind="gpt2", **changes):
    return pretrain(bird, whole_stretches(bird), CORPUS_OF, settings(kind, **changes), READING)[0]


def scheme_of(bird, corpus_of=CORPUS_OF):
    return corpus_of(bird, pieces(whole_stretches(bird).iloc[:0], window())).scheme


def window(**changes):
    return Window("onset", **{**WINDOWS["onset"], **changes})


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("align", ["onset", "offset"])
@pytest.mark.parametrize(("start", "stop"), [(-0.1, 0.1), (-0.05, 0.0171), (0.3, 0.7)])
def test_pieces_fill_stretches_and_never_reach_out(align, start, stop):
    rng = np.random.default_rng(3)
    start_of = np.sort(rng.uniform(0, 1e5, 100))
    edges = np.stack([start_of, start_of + rng.uniform(0, 3, 100)], axis=1)
    edges = edges[np.r_[edges[1:, 0] > edges[:-1, 1], True]]
    stretches = pd.DataFrame(edges, columns=["start", "stop"])
    cut = window(align=align, start=start, stop=stop)
    made = pieces(stretches, cut)
    assert_array_equal(made["trial"], np.arange(len(made)))
    ticks = tick_window(cut, 0.0001)
    low, high = window_bins(ticks, made["onset"].to_numpy(), made["offset"].to_numpy())
    begin, end = low[:, 0], high[:, -1]
    home = np.searchsorted(nanoseconds(edges[:, 0]), begin, side="right") - 1
    assert (begin >= nanoseconds(edges[home, 0])).all()
    assert (end <= nanoseconds(edges[home, 1])).all()
    # Every half of a length of every stretch that is long enough.
    length = stop - start
    wanted = np.floor((edges[:, 1] - edges[:, 0] - length) / (length / 2) + 1e-6) + 1
    found = np.bincount(home, minlength=len(edges))
    assert np.abs(found - np.maximum(wanted, 0)).max() <= 1 and found.sum() > len(edges)


def test_a_stretch_as_long_as_a_piece_is_one():
    made = pieces(pd.DataFrame({"start": [0.1, 5.0], "stop": [0.3, 5.19]}), window())
    assert made["onset"].tolist() == [0.2]


@pytest.mark.parametrize("split_name", ["blocked", "session"])
def test_nothing_held_out_nor_in_its_guards_changes_a_byte(split_name):
    bird = make_bird(0, 0.0, bouts=9, syllables=8)
    half = bird.syllables["start_time"].iat[36] - 0.6
    stop = bird.sessions["stop_time"].iat[0]
    bounds = {"start_time": [0.0, half], "stop_time": [half, stop]}
    sessions = pd.DataFrame({"session": ["s", "t"], **bounds})
    later = np.where(bird.syllables["start_time"] > half, "t", "s")
    bird = replace(bird, sessions=sessions, syllables=bird.syllables.assign(session=later))
    trials = used_trials(make_trials(bird, **TRIALS))
    split = make_split(split_name, trials, sessions, 3, 0.5, 0)
    for fold in np.unique(split.loc[split["guard"] == 0, "fold"]):
        training = trials[[not held for held in in_intervals(split, fold, trials["onset"])]]
        weights, moved = (
            own_weights(one, split, training) for one in (bird, moved_outside(bird, split, fold))
        )
        assert same(weights, moved)
        # And what may be seen is seen.
        inside = moved_inside(bird, training_stretches(bird, split, training))
        assert not same(weights, own_weights(inside, split, training))


def in_intervals(split, fold, times):
    parts = split[split["fold"] == fold]
    return [any((parts["start"] <= t) & (t < parts["stop"])) for t in times]


def own_weights(bird, split, training):
    beginning, known = pretrain_in_folds(bird, split, CORPUS_OF, settings(), READING)
    vocabulary = fit_vocabulary([], scheme_of(bird), tuple(map(str, range(8))), 0)
    weights = dict(beginning(training, vocabulary))
    assert len(known) == 1 and same(weights, dict(beginning(training, vocabulary)))
    assert len(known) == 1
    return weights


def moved_outside(bird, split, fold):
    """Other spikes in the held-out fold and in every guard."""
    away = split[(split["fold"] == fold) | (split["guard"] == 1)]
    return other_spikes(bird, away[["start", "stop"]].to_numpy())


def moved_inside(bird, stretches):
    return other_spikes(bird, stretches.to_numpy()[:1])


def other_spikes(bird, stretches):
    rng = np.random.default_rng(9)
    trains = []
    for times in bird.units.spike_times:
        for start, stop in stretches:
            times = times[(times < start) | (times >= stop)]
            times = np.r_[times, start, rng.uniform(start, stop, 40)]
        trains.append(np.unique(times))
    return replace(bird, units=replace(bird.units, spike_times=tuple(trains)))


@every_kind
def test_what_always_follows_is_learnt_and_frequencies_know_nothing_of_it(kind):
    bird = follower()
    pretrained, trained = pretrain(
        bird, whole_stretches(bird), CORPUS_OF, settings(kind, SCHEDULE), READING
    )
    about = pretrained.about
    assert about["surprise"] == pytest.approx(trained.history["validation"].min(), abs=1e-6)
    assert about["surprise"] < 0.8 * about["frequencies"]
    assert about["bird"] == "bird" and about["seconds"] == 60


def test_surprise_of_frequencies_is_that_of_a_loop():
    seen = torch.tensor([[1, 2, 2, 3, 0], [1, 2, 4, 0, 0]])
    held = torch.tensor([[1, 4, 2, 0], [1, 5, 0, 0], [1, 0, 0, 0]])
    shares = token_shares(seen, 6)
    assert shares.tolist() == pytest.approx([1 / 11, 1 / 11, 4 / 11, 2 / 11, 2 / 11, 1 / 11])
    each = [-np.mean(np.log([2 / 11, 4 / 11])), -np.log(1 / 11), 0.0]
    assert surprise_of_shares(shares, held) == pytest.approx(np.mean(each), rel=1e-6)


@every_kind
def test_the_same_units_keep_their_embeddings_and_others_are_drawn_anew(kind):
    pretrained = learnt(follower(), kind)
    for bird, units, parts in (
        ("bird", 4, WHOLE),
        ("bird@good~shifted", 4, WHOLE),
        ("bird", 6, BODY),
        # Units of two birds are called alike and are not the same.
        ("other", 4, BODY),
    ):
        scheme = scheme_of(follower(units=units))
        vocabulary = fit_vocabulary([], scheme, tuple(map(str, range(units))), 0)
        begin = begin_with(pretrained, bird, settings(kind), READING, scheme)
        weights = begin(pd.DataFrame(), vocabulary)
        assert weights.keys() == {k for k in pretrained.weights if k.startswith(parts)}
        sizes = settings(kind).sizes
        network = SequenceNetwork(
            kind=kind, vocabulary=vocabulary.size, times=4, classes=3, **sizes
        )
        assert not network.load_state_dict(weights, strict=False).unexpected_keys


def test_weights_of_another_network_or_reading_end_in_a_sentence():
    bird = follower()
    pretrained = learnt(bird)
    short = {"onset": {**WINDOWS["onset"], "stop": 0.0}}
    corpora = [CORPUS_OF, corpus_maker("events", TOKENS, short)]
    corpora.append(corpus_maker("spatial", TOKENS, WINDOWS))
    events, half, spatial = (scheme_of(bird, one) for one in corpora)
    for changed, reading, scheme, fragment in (
        (settings("mamba2"), READING, events, "kind gpt2 and not mamba2"),
        (settings(width=16), READING, events, "'width': 8"),
        (settings(), replace(READING, clock=0.04), events, "clock 0.05 and not 0.04"),
        (settings(), READING, half, "times 4 and not 2"),
        (settings(), READING, spatial, "scheme events and not spatial"),
    ):
        with pytest.raises(DataError) as caught:
            begin_with(pretrained, "bird", changed, reading, scheme)
        assert fragment in str(caught.value) and "learnt from bird" in str(caught.value)
    begin_with(pretrained, "bird", settings(dropout=0.5, thin=0.5), READING, events)


@pytest.mark.parametrize("vocabulary", [0, 30])
@every_kind
def test_files_give_back_what_was_written(tmp_path, kind, vocabulary):
    bird, reading = follower(20.0), replace(READING, vocabulary=vocabulary)
    before = pretrain(bird, whole_stretches(bird), CORPUS_OF, settings(kind), reading)[0]
    path = tmp_path / "gpt2.safetensors"
    write_pretrained(before, path)
    bytes_of = [path.read_bytes(), path.with_suffix(".json").read_bytes()]
    after = read_pretrained(path)
    assert same(before.weights, after.weights) and before.about == after.about
    assert [t.tolist() for t in before.vocabulary.tokens] == [
        t.tolist() for t in after.vocabulary.tokens
    ]
    write_pretrained(after, path)
    assert bytes_of == [path.read_bytes(), path.with_suffix(".json").read_bytes()]


def test_damaged_missing_and_mixed_files_end_in_a_sentence(tmp_path):
    path, wide = tmp_path / "gpt2.safetensors", tmp_path / "wide.safetensors"
    bird = follower(20.0)
    write_pretrained(learnt(bird, width=16), wide)
    sidecar = path.with_suffix(".json")

    def refused(fragment):
        with pytest.raises(DataError) as caught:
            read_pretrained(path)
        assert fragment in str(caught.value) and "anew" in str(caught.value)

    refused("does not exist")
    write_pretrained(learnt(bird), path)
    weights, about = path.read_bytes(), sidecar.read_text()
    path.write_bytes(weights[: len(weights) // 2])
    refused("hold no pretrained weights")
    path.write_bytes(wide.read_bytes())
    refused("not those of the network that the JSON tells of")
    path.write_bytes(weights)
    for text in ("", "[]", "{}", about[:-20], about.replace('"bird"', '"brd"')):
        sidecar.write_text(text)
        refused("hold no pretrained weights")
    sidecar.unlink()
    refused("does not exist")


def test_what_is_too_short_ends_in_a_sentence():
    bird = follower(20.0)
    for stretches in ([], [(0.0, 0.19), (3.0, 3.1)], [(0.0, 0.3)]):
        short = pd.DataFrame(stretches, columns=["start", "stop"])
        with pytest.raises(DataError, match=r"bird: only \d pieces of 0.2 s lie within the"):
            pretrain(bird, short, CORPUS_OF, settings(), READING)


def test_of_pieces_beyond_the_context_the_beginning_is_read():
    bird = follower(20.0)
    reading = replace(READING, context=3)
    few, _ = pretrain(bird, whole_stretches(bird), CORPUS_OF, settings(), reading)
    assert np.isfinite(few.about["surprise"])


def test_a_silent_recording_is_learnt_without_a_number_that_is_none():
    bird = follower(20.0)
    empty = replace(bird.units, spike_times=tuple(np.zeros(0) for _ in range(4)))
    silent = learnt(replace(bird, units=empty))
    assert silent.about["surprise"] == silent.about["frequencies"] == 0
    assert all(torch.isfinite(value).all() for value in silent.weights.values())
