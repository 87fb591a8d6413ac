"""Networks on tokens as decoders: planted truth, chance, nothing held out, files, sentences."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binom
from test_gpt2 import theirs
from test_sequence_network import KINDS

from neuro2voc import network_training, sequence_decoder, training
from neuro2voc.binning import Window
from neuro2voc.decoding import cross_decode
from neuro2voc.errors import DataError
from neuro2voc.grid import Cell
from neuro2voc.network_null import network_null
from neuro2voc.network_training import NetworkSettings
from neuro2voc.recording import Recording, Units
from neuro2voc.sequence_decoder import read_sequences, write_sequences
from neuro2voc.sequence_fit import (
    Reading,
    decode_by_sequences,
    reading_settings,
    sequence_fit,
    sequence_settings,
)
from neuro2voc.token_schemes import Scheme, encode
from neuro2voc.tokens import Corpus, make_corpus
from neuro2voc.training import Schedule
from neuro2voc.vocabulary import vocabulary_to_json

UNITS = ("x", "y", "z")
EVENTS = Scheme("events", len(UNITS), 20, 0.001)
WINDOW = Window("onset", "onset", 0.0, 0.02, 0.001)
READING = Reading(vocabulary=0, clock=0.005, context=64)
MERGED = replace(READING, vocabulary=25)
SCHEDULE = Schedule(
    epochs=10, patience=4, batch=16, rate=0.02, decay=0.0, warmup=0.1, clip=1.0, device="cpu"
)
SHORT = replace(SCHEDULE, epochs=2)
every_kind = pytest.mark.parametrize("kind", KINDS)


def settings(kind="mamba2", **changes):
    sizes = {"width": 8, "dropout": 0.0, "thin": 0.0, **KINDS[kind]}
    kept = {"schedule": SCHEDULE, "split": "blocked", "inner_folds": 2, "seed": 5, "members": 1}
    return NetworkSettings(kind, **{"sizes": sizes, **kept, **changes})


def song(n, seed=0):
    """Trials of three syllables in bouts of six."""
    onset = np.arange(n, dtype=float)
    label = np.random.default_rng(seed).choice(list("abc"), n)
    return pd.DataFrame(
        {"trial": 10 + np.arange(n), "session": "1", "bout": np.arange(n) // 6}
        | {"onset": onset, "offset": onset + 0.1, "label": label}
    )


def corpus_of(spikes, trials, scheme=EVENTS, unit=UNITS):
    symbols = [encode(scheme, units, ticks) for units, ticks in spikes]
    stops = np.cumsum([len(one) for one in symbols])
    none = np.zeros(0, scheme.dtype)
    places = trials["trial"].to_numpy(), np.append(0, stops[:-1]), stops
    return Corpus(scheme, WINDOW, unit, *places, np.concatenate([none, *symbols]))


def spikes_of(trials, seed=0):
    """One spike of each unit in every trial; the syllable says whose comes first, not when."""
    rng = np.random.default_rng(seed)
    for label in trials["label"]:
        first = "abc".index(label)
        others = rng.permutation([unit for unit in range(3) if unit != first])
        yield np.array([first, *others]), np.sort(rng.choice(20, 3, replace=False))


def sung(trials, seed=0, **corpus):
    return corpus_of(spikes_of(trials, seed), trials, **corpus)


def decoded(kind, trials, corpus):
    """Decode with a clock of one step, so that nothing but order can tell."""
    fold = trials["bout"].to_numpy() * 2 // trials["bout"].nunique()
    reading = replace(READING, clock=0.02)
    return cross_decode(corpus, trials, fold, sequence_fit(settings(kind), reading)[0])


def fitted(corpus, trials, reading=READING, **changes):
    return sequence_fit(settings(**changes), reading)[0](corpus, trials)


def weights(decoder):
    return [value for network in decoder.networks for value in network.state_dict().values()]


def same(first, second):
    pairs = zip(weights(first), weights(second), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@every_kind
def test_they_learn_which_unit_fires_first(kind):
    trials = song(180)
    corpus = sung(trials)
    counts = {tuple(np.sort(row[row < len(UNITS)])) for row in corpus}
    assert counts == {(0, 1, 2)}  # which says nothing
    frame = decoded(kind, trials, corpus)
    assert (frame["truth"] == frame["prediction"]).mean() > 0.9
    np.testing.assert_allclose(frame.filter(like="p_").sum(axis=1), 1, atol=1e-6)


@every_kind
def test_labels_that_have_nothing_to_do_with_spikes_are_at_chance(kind):
    trials = song(180)
    corpus = sung(trials)
    # Drawn anew: of shuffled ones, what is commoner in training is rarer in what is held out.
    frame = decoded(kind, song(180, seed=1), corpus)
    low, high = binom.interval(0.999, 180, 1 / 3)
    assert low <= (frame["truth"] == frame["prediction"]).sum() <= high


def by_fold(corpora, trials, reading=MERGED, **changes):
    made, half = settings(schedule=SHORT, **changes), len(trials) / 2
    times = {"start": [0.0, half], "stop": [half, 2 * half]}
    split = pd.DataFrame({**times, "fold": [0, 1], "guard": 0})
    return decode_by_sequences(corpora, trials, split, made, reading, 20)


def test_what_is_held_out_changes_neither_weights_nor_vocabulary():
    trials = song(120)
    spikes = list(spikes_of(trials))
    # Ever the same spikes: pairs that are common nowhere else.
    spoilt = spikes[:60] + [(np.array([2, 2, 2]), np.array([5, 5, 5]))] * 60
    corpora = [corpus_of(one, trials) for one in (spikes, spoilt)]
    whole, other = (by_fold({"events": one}, trials)[2]["events"] for one in corpora)
    assert same(whole[1], other[1])
    vocabularies = [
        [vocabulary_to_json(decoder.vocabulary) for decoder in folds] for folds in (whole, other)
    ]
    assert vocabularies[0][1] == vocabularies[1][1]
    # Where they are trained on, they do.
    assert vocabularies[0][0] != vocabularies[1][0]
    assert whole[0].vocabulary.size > EVENTS.alphabet + 2


def test_what_was_chosen_is_noted():
    trials = song(120)
    predictions, metrics, decoders, losses = by_fold({"events": sung(trials)}, trials, members=0)
    assert len(predictions) == 120 and metrics["events"]["n_trials"] == 120
    for fold, (chosen, decoder) in enumerate(
        zip(metrics["events"]["chosen"], decoders["events"], strict=True)
    ):
        assert chosen["vocabulary"] == decoder.vocabulary.size
        of = losses[losses["fold"] == fold]
        lowest = of.loc[of.groupby("inner")["validation"].idxmin(), "epoch"]
        assert chosen["epochs"] == lowest.tolist() and len(decoder.networks) == 2


@every_kind
def test_networks_read_back_predict_the_same(tmp_path, monkeypatch, kind):
    trials = song(72)
    schemes = {"events": EVENTS, "spatial_rm0": replace(EVENTS, name="spatial_rm0")}
    corpora = {name: sung(trials, scheme=scheme) for name, scheme in schemes.items()}
    predictions, _, decoders, _ = by_fold(corpora, trials, kind=kind, members=0)
    about = {"decoder": kind, "sizes": settings(kind).sizes, "bird": "b"}
    files = [tmp_path / name / f"{kind}.safetensors" for name in "ab"]
    repeated = by_fold(corpora, trials, kind=kind, members=0)[2]
    for file, made in zip(files, (decoders, repeated), strict=True):
        file.parent.mkdir()
        write_sequences(file, made, about)
    for suffix in (".safetensors", ".json"):
        one, other = (file.with_suffix(suffix).read_bytes() for file in files)
        assert one == other
    again, said = read_sequences(files[0])
    assert said["bird"] == "b" and list(again) == list(schemes)
    monkeypatch.setattr(sequence_decoder, "TOGETHER", 7)
    for (name, fold), frame in predictions.groupby(["feature", "fold"]):
        rows = np.searchsorted(trials["trial"], frame["trial"])
        probability = again[name][fold].predict_proba(corpora[name][rows])
        np.testing.assert_allclose(probability, frame.filter(like="p_"), atol=1e-6)
        each = [replace(again[name][fold], networks=(n,)) for n in again[name][fold].networks]
        alone = [one.predict_proba(corpora[name][rows]) for one in each]
        np.testing.assert_allclose(probability, np.mean(alone, axis=0), atol=1e-12)
        found = again[name][fold].predict(corpora[name][rows])
        assert found.tolist() == frame["prediction"].tolist()
    assert again["events"][0].predict_proba(corpora["events"][:0]).shape == (0, 3)


class Killed(Exception):
    pass


def breaking(monkeypatch, error, call=1):
    """Let the n-th step or validation of trainings end in an error."""
    loss, calls = network_training.weighted_cross_entropy, []

    def until(*batch):
        calls.append(1)
        if len(calls) == call:
            raise error
        return loss(*batch)

    monkeypatch.setattr(network_training, "weighted_cross_entropy", until)


@pytest.mark.parametrize("kind", ["gpt2", "hybrid"])
@pytest.mark.parametrize("call", [2, 9, 31])
def test_trainings_that_were_killed_end_in_the_same_weights(tmp_path, monkeypatch, kind, call):
    trials = song(120)
    corpus = sung(trials)
    sizes = {**settings(kind).sizes, "dropout": 0.2, "thin": 0.3}
    own = {"kind": kind, "sizes": sizes, "members": 2}
    own["schedule"] = replace(SCHEDULE, epochs=3, batch=20)
    undisturbed = fitted(corpus, trials, **own)
    own |= {"checkpoints": tmp_path / "job", "code": "v"}
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 0)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        breaking(patched, Killed(), call)
        fitted(corpus, trials, **own)
    assert same(fitted(corpus, trials, **own), undisturbed)
    assert not same(fitted(corpus, trials, **{**own, "seed": 6}), undisturbed)


@every_kind
def test_silent_trials_can_be_decoded(kind):
    trials = song(60)
    silent = corpus_of([([], [])] * 60, trials)
    decoder = fitted(silent, trials, kind=kind, schedule=SHORT, reading=MERGED)
    probability = decoder.predict_proba(silent)
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability, np.tile(probability[:1], (60, 1)), atol=1e-6)


def test_trials_of_a_label_that_was_never_learnt_do_not_stop_a_training():
    trials = song(120)
    early = trials.index < 60
    trials = trials.assign(label=trials["label"].mask((trials["label"] == "c") & ~early, "a"))
    spikes = list(spikes_of(trials))
    # The first network learns from the later half, which has no c, and is stopped by the others.
    spoilt = [
        ([2] * 9, range(9)) if label == "c" else own
        for label, own in zip(trials["label"], spikes, strict=True)
    ]
    histories = []
    for one in (spikes, spoilt):
        fit, _, made = sequence_fit(settings(schedule=SHORT, members=0), READING)
        fit(corpus_of(one, trials), trials)
        decoder, losses = made[0]
        assert decoder.classes_.tolist() == list("abc")
        assert np.isfinite(losses[["training", "validation"]]).all(axis=None)
        histories.append([frame for _, frame in losses.groupby("inner")])
    pd.testing.assert_frame_equal(histories[0][0], histories[1][0])
    assert not histories[0][1].equals(histories[1][1])


def test_one_class_alone_cannot_be_trained():
    trials = song(30).assign(label="a")
    with pytest.raises(DataError, match="No inner fold holds two classes.*lower `inner_folds`"):
        fitted(sung(trials), trials)


def test_a_gpu_asked_for_and_absent_names_the_setting(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    trials = song(30)
    with pytest.raises(DataError, match="`training.device` is cuda.*auto or cpu"):
        fitted(sung(trials), trials, schedule=replace(SCHEDULE, device="cuda"))


@pytest.mark.parametrize("at_once", [0, 4])
def test_memory_that_runs_out_names_the_setting(monkeypatch, at_once):
    trials = song(30)
    breaking(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"))
    now = at_once or 16
    said = f"too small for mamba2, fold 0, .*`at_once: {now}`; set .* below {now} in"
    with pytest.raises(DataError, match=said):
        fitted(sung(trials), trials, schedule=replace(SCHEDULE, at_once=at_once))


def test_sequences_that_are_too_long_name_scheme_and_length():
    trials = song(60)
    spatial = sung(trials, scheme=replace(EVENTS, name="spatial"))
    said = "trial 10 has 81 tokens in the scheme 'spatial' .*64 are read at most .*`sequences.cont"
    with pytest.raises(DataError, match=said):
        fitted(spatial, trials)
    busy = corpus_of([(np.arange(64) % 3, np.full(64, 3))], trials[:1])
    decoder = fitted(sung(trials), trials, schedule=SHORT)
    with pytest.raises(DataError, match="trial 10 has 65 tokens in the scheme 'events'"):
        decoder.predict(busy)


def job(**changes):
    """What a rule tells its job."""
    content = {
        "sizes": settings("gpt2").sizes,
        "training": {**SHORT.__dict__, "members": 1},
        "reading": {"schemes": ["events"], "vocabulary": 25, "clock": 0.01, "context": 32},
        "windows": {"w": {"align": "onset", "start": 0.0, "stop": 0.08, "bin": 0.02}},
        "tokens": {"window": "w", "tick": 0.002, "aggregate": 0.01},
        **{"inner_folds": 2, "seed": 5, "checkpoints": None, "code": ""},
    }
    return SimpleNamespace(**{**content, **changes})


def test_a_checkpoint_has_its_own_sizes_and_bounds_what_is_read(tmp_path):
    theirs(n_positions=9, n_embd=12).save_pretrained(tmp_path / "hub")
    sizes = {**settings("gpt2").sizes, "checkpoint": str(tmp_path / "hub")}
    made = sequence_settings("gpt2", "blocked", job(sizes=sizes))
    assert {key: made.sizes[key] for key in ("width", "context")} == {"width": 12, "context": 9}
    trials = song(60)
    decoder = sequence_fit(made, READING)[0](sung(trials), trials)
    # Read back without it.
    write_sequences(
        tmp_path / "m.safetensors", {"events": [decoder]}, {"decoder": "gpt2", "sizes": made.sizes}
    )
    (tmp_path / "hub" / "model.safetensors").unlink()
    again = read_sequences(tmp_path / "m.safetensors")[0]["events"][0]
    assert again.context == 9 and same(again, decoder)
    np.testing.assert_array_equal(again.predict(sung(trials)), decoder.predict(sung(trials)))
    busy = corpus_of([(np.arange(9) % 3, np.full(9, 3))] * 60, trials)
    with pytest.raises(DataError, match="10 tokens .*9 are read at most .*`gpt2.checkpoint`"):
        sequence_fit(replace(made, sizes=sizes | {"context": 9}), READING)[0](busy, trials)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"unit": ("x", "y", "w")}, "another bird or of other units: .* w is not among its own"),
        ({"unit": ("y", "x", "z")}, "another bird or of other units: .* 3 units.* order"),
        ({"scheme": replace(EVENTS, name="spatial")}, "scheme 'events' .* the tokens are 'spatial"),
        ({"scheme": replace(EVENTS, tick=0.002)}, "ticks of 0.001 s.*ticks of 0.002 s"),
    ],
)
def test_tokens_of_another_bird_or_scheme_are_refused(other, said):
    trials = song(60)
    decoder = fitted(sung(trials), trials, schedule=SHORT)
    with pytest.raises(DataError, match=said):
        decoder.predict(sung(trials, **other))


def sidecar(change):
    def damage(path):
        content = json.loads(path.with_suffix(".json").read_text())
        change(content)
        path.with_suffix(".json").write_text(json.dumps(content))

    return damage


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


BROKEN = {
    "no weights": Path.unlink,
    "no JSON": lambda path: path.with_suffix(".json").unlink(),
    "cut weights": cut,
    "cut JSON": lambda path: path.with_suffix(".json").write_text('{"sizes": {'),
    "a list": lambda path: path.with_suffix(".json").write_text("[]"),
    "no sizes": sidecar(lambda content: content.pop("sizes")),
    "another kind": sidecar(lambda content: content.update(decoder="gpt2")),
    "another width": sidecar(lambda content: content["sizes"].update(width=16)),
    "more folds": sidecar(lambda content: content["features"]["events"].append({})),
    "fewer folds": sidecar(lambda content: content["features"].update(events=[])),
    "fewer networks": sidecar(lambda content: content["features"]["events"][0].update(networks=0)),
    "more networks": sidecar(lambda content: content["features"]["events"][0].update(networks=2)),
    "more classes": sidecar(
        lambda content: content["features"]["events"][0]["classes"].append("d")
    ),
    "another bird's vocabulary": sidecar(
        lambda content: content["features"]["events"][0]["vocabulary"]["unit"].append("w")
    ),
    "another vocabulary": sidecar(
        lambda content: content["features"]["events"][0]["vocabulary"].update(tokenizer=None)
    ),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    trials = song(60)
    decoder = fitted(sung(trials), trials, schedule=SHORT, reading=MERGED)
    path = tmp_path_factory.mktemp("model") / "mamba2.safetensors"
    about = {"decoder": "mamba2", "sizes": settings().sizes}
    write_sequences(path, {"events": [decoder]}, about)
    return path


@pytest.mark.parametrize("name", BROKEN)
def test_networks_that_cannot_be_read_end_in_a_sentence(tmp_path, model, name):
    path = tmp_path / model.name
    for suffix in (".safetensors", ".json"):
        path.with_suffix(suffix).write_bytes(model.with_suffix(suffix).read_bytes())
    assert len(read_sequences(path)[0]["events"]) == 1
    BROKEN[name](path)
    with pytest.raises(DataError, match=r"mamba2\.(safetensors|json).*anew"):
        read_sequences(path)


def test_surrogates_are_decoded_as_the_bird_was_each_with_its_own_seed():
    metrics = {"features": {"events": {"chosen": [{"epochs": [1], "vocabulary": 20}]}}}
    said = job()
    fits, corpora = network_null("gpt2", "blocked", said, metrics)
    assert set(fits) == {("gpt2", "events")}
    trials = song(60)
    first, again, second = (fits["gpt2", "events"](n)(sung(trials), trials) for n in (1, 1, 2))
    assert same(first, again) and not same(first, second)
    reading = reading_settings(said.reading)
    assert (first.clock, first.context) == (reading.clock, reading.context) == (0.01, 32)
    assert EVENTS.alphabet + 2 < first.vocabulary.size <= reading.vocabulary

    spikes = np.sort(np.random.default_rng(0).uniform(0, 60, (2, 4000)))
    table = pd.DataFrame(index=pd.Index(["u", "v"], name="unit"))
    sessions = pd.DataFrame({"session": ["1"], "start_time": [0.0], "stop_time": [60.0]})
    bird = Recording("bird", Units(tuple(spikes), table), pd.DataFrame(), sessions)
    made = corpora(bird, trials)
    window = Window("w", "onset", 0.0, 0.08, 0.02)
    expected = make_corpus(bird, trials, window, "events", 0.002)
    assert list(made) == ["events"] and made["events"].scheme == expected.scheme
    np.testing.assert_array_equal(made["events"].symbols, expected.symbols)


def test_surrogates_on_bins_see_the_cell_that_most_folds_chose():
    chosen = [{"epochs": [1], "cell": cell} for cell in ([0, 4, 1], [1, 3, 2], [1, 3, 2])]
    said = job(sizes={"hidden": 4, "layers": 1, "dropout": 0.0})
    fits, _ = network_null("lstm", "blocked", said, {"features": {"w": {"chosen": chosen}}})
    trials = song(60)
    X = np.random.default_rng(0).poisson(1.0, (60, 12)).astype(float)
    first, again, second = (fits["lstm", "w"](n)(X, trials) for n in (1, 1, 2))
    assert {network.cell for network in (*first.networks, *second.networks)} == {Cell(1, 3, 2)}
    assert same(first, again) and not same(first, second)
