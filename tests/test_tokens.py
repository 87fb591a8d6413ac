"""Spikes survive being written as symbols, as far as a scheme promises."""

import hashlib

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.binning import Window
from neuro2voc.errors import DataError
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.token_schemes import (
    BOUNDARY,
    GAPS,
    LONGEST_GAP,
    SCHEMES,
    Scheme,
    decode,
    encode,
    make_scheme,
)
from neuro2voc.tokens import (
    make_corpus,
    read_corpus,
    window_spikes,
    write_corpora,
)

ONSET = Window("onset", "onset", -0.01, 0.01, 0.005)
MS = 0.001


def bird(trains):
    table = pd.DataFrame(index=pd.Index([f"u{i}" for i in range(len(trains))], name="unit"))
    trains = tuple(np.sort(np.asarray(train, dtype=float)) for train in trains)
    sessions = pd.DataFrame({"session": ["s0"], "start_time": [0.0], "stop_time": [100.0]})
    syllables = pd.DataFrame(columns=["start_time", "stop_time", "label", "session"])
    return Recording("bird", Units(trains, table), syllables, sessions)


def trial_table(onset):
    onset = np.asarray(onset, dtype=float)
    return pd.DataFrame({"trial": 10 + np.arange(len(onset)), "onset": onset, "offset": onset + 1})


@pytest.fixture(scope="module")
def sung():
    rng = np.random.default_rng(1)
    trains = [np.r_[rng.uniform(0, 100, 4000 * unit), 50.0, 50.0] for unit in range(5)]
    return bird(trains), trial_table(rng.uniform(1, 99, 30))


def spikes_of(units, ticks):
    pairs = st.tuples(st.integers(0, units - 1), st.integers(0, ticks - 1))
    return st.lists(pairs, max_size=40)


@st.composite
def trials(draw):
    units, ticks = draw(st.integers(1, 300)), draw(st.integers(1, 40))
    width = draw(st.integers(1, ticks + 2))
    return units, ticks, width, draw(spikes_of(units, ticks))


def kept(name, width, spikes):
    """What a scheme promises to give back, in the order of time."""
    by_time = sorted((tick, unit) for unit, tick in spikes)
    if name == "events":
        return by_time
    by_time = sorted({(tick // width * width, unit) for tick, unit in by_time})
    if name == "spatial_rm0":
        number = {tick: i for i, tick in enumerate(sorted({tick for tick, _ in by_time}))}
        by_time = [(number[tick], unit) for tick, unit in by_time]
    return by_time


@settings(max_examples=200, deadline=None)
@given(trials())
def test_every_scheme_gives_back_what_it_promises(trial):
    units, ticks, width, spikes = trial
    unit, tick = np.array(spikes, dtype=int).reshape(-1, 2).T
    for name in SCHEMES:
        scheme = Scheme(name, units, ticks, MS, width if name == "aggregated" else 1)
        symbols = encode(scheme, unit, tick)
        assert symbols.dtype.kind == "u" and (symbols < scheme.alphabet).all()
        found = decode(scheme, symbols)
        pairs = list(zip(found[1].tolist(), found[0].tolist(), strict=True))
        assert pairs == kept(name, scheme.width, spikes)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50 * LONGEST_GAP)), max_size=20))
def test_events_span_any_silence(spikes):
    unit, tick = np.array(spikes, dtype=int).reshape(-1, 2).T
    scheme = Scheme("events", 3, 50 * LONGEST_GAP + 1, MS)
    found = decode(scheme, encode(scheme, unit, tick))
    assert sorted(zip(tick, unit, strict=True)) == list(zip(found[1], found[0], strict=True))


def by_hand(name, units, ticks, width, spikes):
    """Symbols of a trial, written one after another in the plainest way."""
    fired = {(unit, tick // width) for unit, tick in spikes}
    groups = range(-(-ticks // width))
    if name == "temporal":
        rows = [[(unit, group) in fired for group in groups] for unit in range(units)]
    else:
        rows = [[(unit, group) in fired for unit in range(units)] for group in groups]
    if name == "spatial_rm0":
        rows = [row for row in rows if any(row)]
    if name != "events":
        return [int(bit) for row in rows for bit in (BOUNDARY, *row)]
    symbols, now = [], 0
    for tick, unit in sorted((tick, unit) for unit, tick in spikes):
        gap = f"{tick - now:b}"
        symbols += [units + len(gap) - 1 - i for i, bit in enumerate(gap) if bit == "1"]
        symbols.append(unit)
        now = tick
    return symbols


@settings(max_examples=100, deadline=None)
@given(trials())
def test_symbols_are_those_written_by_hand(trial):
    units, ticks, width, spikes = trial
    unit, tick = np.array(spikes, dtype=int).reshape(-1, 2).T
    for name in SCHEMES:
        scheme = Scheme(name, units, ticks, MS, width if name == "aggregated" else 1)
        by = by_hand(name, units, ticks, scheme.width, spikes)
        assert encode(scheme, unit, tick).tolist() == by


def test_an_example_of_each_scheme():
    unit, tick = [1, 0, 0, 1], [0, 0, 4, 4]
    text = {
        name: encode(Scheme(name, 2, 5, MS, 2 if name == "aggregated" else 1), unit, tick).tolist()
        for name in SCHEMES
    }
    assert text["spatial"] == [2, 1, 1, 2, 0, 0, 2, 0, 0, 2, 0, 0, 2, 1, 1]
    assert text["temporal"] == [2, 1, 0, 0, 0, 1, 2, 1, 0, 0, 0, 1]
    assert text["spatial_rm0"] == [2, 1, 1, 2, 1, 1]
    assert text["aggregated"] == [2, 1, 1, 2, 0, 0, 2, 1, 1]
    assert text["events"] == [0, 1, 4, 0, 1]  # 4: two units, then gaps of 1, 2, 4 ticks


def test_a_trial_without_spikes_has_no_events():
    for name in ("events", "spatial_rm0"):
        scheme = Scheme(name, 3, 5, MS)
        symbols = encode(scheme, [], [])
        assert len(symbols) == 0
        assert [len(found) for found in decode(scheme, symbols)] == [0, 0]
    assert len(encode(Scheme("spatial", 3, 5, MS), [], [])) == 20


def test_the_alphabet_of_events_is_the_same_for_any_window():
    assert Scheme("events", 75, 200, MS).alphabet == Scheme("events", 75, 10**7, MS).alphabet == 87
    assert Scheme("events", 300, 200, MS).dtype == np.uint16
    assert Scheme("events", 256 - GAPS, 200, MS).dtype == np.uint8


@pytest.mark.parametrize("name", SCHEMES)
def test_what_is_no_trial_of_the_scheme_is_refused(name):
    scheme = Scheme(name, 3, 5, MS)
    wrong = [[9000], [BOUNDARY, 0], [0, 0, 0, 0] * 5]
    if name == "events":
        wrong = [[3 + GAPS], [3 + 3, 0]]
    for symbols in wrong:
        with pytest.raises(DataError, match=f"no symbols of the scheme '{name}' with 3 units"):
            decode(scheme, np.array(symbols))
    with pytest.raises(DataError, match="a spike has the tick 5, and the scheme"):
        encode(scheme, [0], [5])
    with pytest.raises(DataError, match="a spike has the unit 3, and the scheme"):
        encode(scheme, [3], [0])


def test_a_scheme_says_what_is_wrong_with_it():
    with pytest.raises(DataError, match="no token scheme 'event'; did you mean 'events'"):
        make_scheme("event", 3, 5, MS, MS)
    with pytest.raises(DataError, match="0.001 s together to 0.0025 s, which is no multiple"):
        make_scheme("aggregated", 3, 5, MS, 0.0025)
    assert make_scheme("aggregated", 3, 5, MS, 0.002).groups == 3


def test_spikes_fall_to_the_tick_that_begins_where_they_lie():
    onset = 0.1 + 0.2
    edges = onset + np.array([-0.010000001, -0.01, -0.009, 0.0, 0.009, 0.009999999, 0.01])
    spikes = window_spikes(bird([edges, [onset]]), trial_table([onset, 50.0]), ONSET, MS)
    assert spikes.starts.tolist() == [0, 6, 6]
    assert spikes.tick.tolist() == [0, 1, 10, 10, 19, 19]
    assert spikes.unit.tolist() == [0, 0, 0, 1, 0, 0]


def test_windows_hold_the_spikes_found_one_by_one(sung):
    recording, trials = sung
    # Trials in any order, overlapping.
    trials = pd.concat([trials, trials.assign(onset=trials["onset"] + 0.004)]).iloc[::-1]
    spikes = window_spikes(recording, trials, ONSET, MS)
    for i, onset in enumerate(trials["onset"]):
        mine = slice(spikes.starts[i], spikes.starts[i + 1])
        begin = round(onset * 1e9) - 10_000_000
        found = sorted(
            (int(since // 1_000_000), unit)
            for unit, train in enumerate(recording.units.spike_times)
            for since in np.rint(train * 1e9).astype(int) - begin
            if 0 <= since < 20_000_000
        )
        assert list(zip(spikes.tick[mine], spikes.unit[mine], strict=True)) == found


def test_activity_that_is_not_spikes_is_refused(sung):
    recording, trials = sung
    table = pd.DataFrame(index=pd.Index(["u0"], name="unit"))
    binned = recording.with_units(Binned(np.zeros((100, 1), np.float32), 30.0, 0.0, table, True))
    with pytest.raises(DataError, match="spikes as tokens needs spike times, but .* bins of 33.3"):
        make_corpus(binned, trials, ONSET, "events", MS)


def test_windows_that_have_no_ticks_are_refused(sung):
    recording, trials = sung
    with pytest.raises(DataError, match="syllables differ in theirs"):
        window_spikes(recording, trials, Window("syllable", "syllable"), MS)
    with pytest.raises(DataError, match="'onset' of 0.02 s cannot be parted in ticks of 0.05 s"):
        window_spikes(recording, trials, ONSET, 0.05)


def paths_in(folder):
    return {name: str(folder / f"{name}.h5") for name in SCHEMES}


def test_a_corpus_comes_back_from_its_file(sung, tmp_path, monkeypatch):
    recording, trials = sung
    monkeypatch.setattr("neuro2voc.tokens.BLOCK", 300)  # several blocks of trials
    paths = paths_in(tmp_path)
    written = write_corpora(recording, trials, ONSET, MS, 0.005, paths)
    assert list(written) == list(SCHEMES)
    for name, path in paths.items():
        made = make_corpus(recording, trials, ONSET, name, MS, 0.005)
        read = read_corpus(path)
        assert (read.scheme, read.unit, read.window) == (made.scheme, made.unit, made.window)
        assert read.trial.tolist() == trials["trial"].tolist()
        assert written[name] == read.lengths.sum() == len(made.symbols)
        assert [row.tolist() for row in read] == [row.tolist() for row in made]
        assert next(iter(read)).dtype == made.symbols.dtype


def test_some_trials_of_a_corpus_are_a_corpus(sung):
    corpus = make_corpus(*sung, ONSET, "events", MS)
    rows = corpus.rows()
    odd = np.arange(len(corpus)) % 2 == 1
    some = corpus[odd]
    assert len(some) == odd.sum() and some.trial.tolist() == corpus.trial[odd].tolist()
    assert [row.tolist() for row in some] == [row.tolist() for row in rows[1::2]]
    assert [row.tolist() for row in some[np.array([3, 0])]] == [rows[7].tolist(), rows[1].tolist()]
    assert len(corpus[:0]) == 0 and corpus[:0].rows() == []


def test_corpora_are_the_same_bytes_again(sung, tmp_path):
    digests = []
    for turn in ("one", "two"):
        paths = paths_in(tmp_path / turn)
        write_corpora(*sung, ONSET, MS, 0.005, paths)
        digests.append([hashlib.sha256(open(p, "rb").read()).digest() for p in paths.values()])
    assert digests[0] == digests[1]


def test_a_recording_without_trials_or_spikes_has_an_empty_corpus(tmp_path):
    for recording, trials in (
        (bird([[], []]), trial_table([5.0])),
        (bird([[1.0]]), trial_table([])),
    ):
        paths = paths_in(tmp_path)
        write_corpora(recording, trials, ONSET, MS, 0.005, paths)
        assert read_corpus(paths["events"]).lengths.sum() == 0
        assert len(read_corpus(paths["spatial"])) == len(trials)


def test_a_damaged_corpus_is_a_sentence(sung, tmp_path):
    with pytest.raises(DataError, match="nothing.h5 is no file of tokens .*; delete it"):
        read_corpus(tmp_path / "nothing.h5")
    paths = paths_in(tmp_path)
    write_corpora(*sung, ONSET, MS, 0.005, paths)
    with h5py.File(paths["events"], "a") as file:
        file["symbols"].resize((5,))
    with pytest.raises(DataError, match="its parts do not fit together"):
        read_corpus(paths["events"])
    with h5py.File(paths["spatial"], "a") as file:
        del file["unit"]
    with pytest.raises(DataError, match="spatial.h5 is no file of tokens"):
        read_corpus(paths["spatial"])
