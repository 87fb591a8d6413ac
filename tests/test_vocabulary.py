"""Vocabularies are exact for anything, the same every time, and refuse what is not theirs."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.errors import DataError
from neuro2voc.token_schemes import BOUNDARY, SCHEMES, Scheme, encode
from neuro2voc.vocabulary import (
    BEGIN,
    FIRST,
    PAD,
    fit_vocabulary,
    read_vocabulary,
    vocabulary_to_json,
    write_vocabulary,
)

UNITS = tuple(f"u{i}" for i in range(6))
SIZE = 60


def scheme_of(name):
    return Scheme(name, len(UNITS), 20, 0.001, 4 if name == "aggregated" else 1)


def trials_of(scheme, number=60, seed=1):
    rng = np.random.default_rng(seed)
    chance = np.array([0.4, 0.3, 0.1, 0.1, 0.05, 0.05])
    return [
        encode(scheme, rng.choice(6, n, p=chance), rng.integers(0, scheme.ticks, n))
        for n in rng.integers(0, 30, number)
    ]


def digest(vocabulary):
    return hashlib.sha256(json.dumps(vocabulary_to_json(vocabulary)).encode()).hexdigest()


@pytest.fixture(scope="module")
def vocabularies():
    return {
        name: fit_vocabulary(trials_of(scheme_of(name)), scheme_of(name), UNITS, SIZE)
        for name in SCHEMES
    }


@pytest.mark.parametrize("name", SCHEMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_symbols_come_back_seen_before_or_not(vocabularies, name, data):
    vocabulary = vocabularies[name]
    alphabet = vocabulary.scheme.alphabet
    symbols = np.array(data.draw(st.lists(st.integers(0, alphabet - 1), max_size=80)), dtype=int)
    symbols = symbols.astype(vocabulary.scheme.dtype)
    tokens = vocabulary.encode(symbols)
    assert tokens.dtype == np.int32
    assert not len(tokens) or (FIRST <= tokens.min() and tokens.max() < vocabulary.size)
    again = vocabulary.decode(tokens)
    assert again.dtype == symbols.dtype and again.tolist() == symbols.tolist()


@pytest.mark.parametrize("name", SCHEMES)
def test_common_pairs_are_one_token(vocabularies, name):
    trials, vocabulary = trials_of(scheme_of(name)), vocabularies[name]
    tokens = vocabulary.encode_all(trials)
    assert vocabulary.scheme.alphabet + FIRST < vocabulary.size <= SIZE
    assert sum(map(len, tokens)) < 0.7 * sum(map(len, trials))
    # The same one by one.
    assert [vocabulary.encode(t).tolist() for t in trials] == [t.tolist() for t in tokens]


@pytest.mark.parametrize("name", SCHEMES)
def test_a_symbol_is_the_same_token_in_every_vocabulary(vocabularies, name):
    scheme = scheme_of(name)
    plain = fit_vocabulary(trials_of(scheme), scheme, UNITS, 0)
    assert plain.size == scheme.alphabet + FIRST
    for vocabulary in (vocabularies[name], plain):
        assert (vocabulary.pad, vocabulary.begin) == (PAD, BEGIN) == (0, 1)
        for symbol in range(scheme.alphabet):
            assert vocabulary.tokens[FIRST + symbol].tolist() == [symbol]
            assert vocabulary.encode(np.array([symbol])).tolist() == [FIRST + symbol]
    trial = trials_of(scheme)[3]
    assert (plain.decode(plain.encode(trial)) == trial).all()


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "events"])
def test_no_token_reaches_across_a_boundary(vocabularies, name):
    tokens = vocabularies[name].tokens
    assert any(len(token) > 3 for token in tokens)
    assert all(BOUNDARY not in token[1:] for token in tokens)


def test_padding_and_beginning_stand_for_nothing(vocabularies):
    vocabulary = vocabularies["events"]
    trial = trials_of(vocabulary.scheme)[1]
    tokens = np.r_[BEGIN, vocabulary.encode(trial), PAD, PAD]
    assert (vocabulary.decode(tokens) == trial).all()
    with pytest.raises(DataError, match="vocabulary has those from 0 to 59"):
        vocabulary.decode(np.array([60]))


def test_what_occurs_once_is_no_rule():
    scheme = scheme_of("events")
    vocabulary = fit_vocabulary([np.array([0, 1, 2, 3])], scheme, UNITS, SIZE)
    assert vocabulary.size == scheme.alphabet + FIRST
    empty = fit_vocabulary([], scheme, UNITS, SIZE)
    assert empty.decode(empty.encode(np.array([5, 0]))).tolist() == [5, 0]
    assert empty.encode(np.zeros(0, dtype=int)).tolist() == []


IN_A_PROCESS = """
from tests.test_vocabulary import *
for scheme in map(scheme_of, SCHEMES):
    print(digest(fit_vocabulary(trials_of(scheme), scheme, UNITS, SIZE)))
"""


def test_the_same_trials_make_the_same_vocabulary_in_every_process(vocabularies):
    here = [digest(vocabularies[name]) for name in SCHEMES]
    root = Path(__file__).parents[1]
    for _ in range(2):
        run = [sys.executable, "-c", IN_A_PROCESS]
        there = subprocess.run(run, cwd=root, capture_output=True, text=True, check=True).stdout
        assert there.split() == here


def test_the_order_of_trials_does_not_matter(vocabularies):
    for name, vocabulary in vocabularies.items():
        turned = fit_vocabulary(trials_of(scheme_of(name))[::-1], scheme_of(name), UNITS, SIZE)
        assert digest(turned) == digest(vocabulary)


def test_a_vocabulary_comes_back_from_its_file(vocabularies, tmp_path):
    for name, vocabulary in vocabularies.items():
        plain = fit_vocabulary([], vocabulary.scheme, UNITS, 0)
        for one in (vocabulary, plain):
            write_vocabulary(one, tmp_path / "one.json")
            again = read_vocabulary(tmp_path / "one.json")
            assert (again.scheme, again.unit, again.size) == (one.scheme, UNITS, one.size)
            trials = trials_of(scheme_of(name), seed=2)
            for mine, theirs in zip(again.encode_all(trials), one.encode_all(trials), strict=True):
                assert mine.tolist() == theirs.tolist()
            first = (tmp_path / "one.json").read_bytes()
            write_vocabulary(again, tmp_path / "two.json")
            assert (tmp_path / "two.json").read_bytes() == first


def test_a_file_that_is_no_vocabulary_is_a_sentence(vocabularies, tmp_path):
    path = tmp_path / "v.json"
    with pytest.raises(DataError, match="v.json does not exist; make it"):
        read_vocabulary(path)
    good = vocabulary_to_json(vocabularies["events"])
    damaged = ["{", "[]", "{}", json.dumps({**good, "tokenizer": {}})]
    damaged += [json.dumps({**good, "unit": ["u0"]}), json.dumps({**good, "scheme": {"name": "x"}})]
    other = vocabulary_to_json(vocabularies["spatial"])["tokenizer"]
    damaged.append(json.dumps({**good, "tokenizer": other}))
    for text in damaged:
        path.write_text(text)
        with pytest.raises(DataError, match="v.json is no vocabulary .*delete it and make it anew"):
            read_vocabulary(path)


def test_another_birds_vocabulary_is_refused(vocabularies):
    vocabulary = vocabularies["events"]
    # A stretch of any length is written in the same symbols.
    vocabulary.require(replace(vocabulary.scheme, ticks=10**6), UNITS, "v.json")
    with pytest.raises(DataError, match="v.json is a vocabulary of another bird .*x is not among"):
        vocabulary.require(vocabulary.scheme, (*UNITS[:-1], "x"), "v.json")
    with pytest.raises(DataError, match="it has 6 units and the tokens 5;"):
        vocabulary.require(vocabulary.scheme, UNITS[:-1], "v.json")
    with pytest.raises(DataError, match="scheme 'events' .* and the tokens are 'spatial'"):
        vocabulary.require(scheme_of("spatial"), UNITS, "v.json")
    with pytest.raises(DataError, match="ticks of 0.001 s.*ticks of 0.002 s"):
        vocabulary.require(replace(vocabulary.scheme, tick=0.002), UNITS, "v.json")
