"""Tokens as networks read them: which ones, when they stand, and when there are too many."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.errors import DataError
from neuro2voc.token_schemes import BOUNDARY, FIRES, SCHEMES, Scheme, decode, encode
from neuro2voc.token_times import check_lengths, clock_steps, padded, read_tokens, symbol_ticks
from neuro2voc.vocabulary import BEGIN, FIRST, Vocabulary, fit_vocabulary

# In µs, so that times can be worked out in whole numbers.
TICKS = (500, 1000, 3000, 5000)
CLOCKS = (500, 5000, 7000, 20000, 35000, 43000)


@st.composite
def schemes(draw):
    name = draw(st.sampled_from(SCHEMES))
    units, ticks = draw(st.integers(1, 4)), draw(st.integers(1, 9000 if name == "events" else 60))
    width = draw(st.integers(1, ticks)) if name == "aggregated" else 1
    return Scheme(name, units, ticks, draw(st.sampled_from(TICKS)) / 1e6, width)


@st.composite
def corpora(draw):
    scheme = draw(schemes())
    spike = st.tuples(st.integers(0, scheme.units - 1), st.integers(0, scheme.ticks - 1))
    trials = draw(st.lists(st.lists(spike, max_size=12), min_size=1, max_size=4))
    return scheme, [encode(scheme, [u for u, _ in one], [t for _, t in one]) for one in trials]


def vocabulary_of(scheme, trials, merges):
    units = [f"u{i}" for i in range(scheme.units)]
    return fit_vocabulary(trials, scheme, units, merges and FIRST + scheme.alphabet + merges)


def ticks_by_hand(scheme, symbols):
    """Read symbol after symbol, with a finger on the clock."""
    ticks, now, row = [], 0, -1
    for symbol in map(int, symbols):
        if scheme.name == "events":
            ticks.append(now)
            now += 2 ** (symbol - scheme.units) if symbol >= scheme.units else 0
        elif scheme.name == "temporal":
            now = 0 if symbol == BOUNDARY else now
            ticks.append(now)
            now += symbol != BOUNDARY
        else:
            row += symbol == BOUNDARY
            ticks.append(row * scheme.width)
    return ticks


@settings(max_examples=150, deadline=None)
@given(corpora(), st.sampled_from([0, 4, 30]), st.sampled_from(CLOCKS))
def test_times_are_those_of_a_reading_by_hand(corpus, merges, clock):
    scheme, trials = corpus
    vocabulary = vocabulary_of(scheme, trials, merges)
    ids, times = read_tokens(vocabulary, trials, clock / 1e6)
    tick = round(scheme.tick * 1e6)
    for symbols, one, when in zip(trials, ids, times, strict=True):
        ticks, place, expected = ticks_by_hand(scheme, symbols), 0, [(BEGIN, 0)]
        for token in vocabulary.encode(symbols).tolist():
            held = vocabulary.tokens[token]
            if scheme.name != "events" or min(held) < scheme.units:
                expected.append((token, ticks[place] * tick // clock))
            place += len(held)
        assert list(zip(one.tolist(), when.tolist(), strict=True)) == expected
        assert when.max() < clock_steps(scheme, clock / 1e6)


@settings(max_examples=100, deadline=None)
@given(corpora())
def test_spikes_stand_in_the_ticks_in_which_they_were_fired(corpus):
    scheme, trials = corpus
    for symbols in trials:
        fires = symbols < scheme.units if scheme.name == "events" else symbols == FIRES
        ticks = symbol_ticks(scheme, symbols)
        assert ticks.shape == symbols.shape
        assert sorted(ticks[fires]) == sorted(decode(scheme, symbols)[1])


@settings(max_examples=100, deadline=None)
@given(corpora(), st.sampled_from([0, 4, 30]))
def test_only_tokens_that_hold_nothing_but_gaps_are_not_read(corpus, merges):
    scheme, trials = corpus
    vocabulary = vocabulary_of(scheme, trials, merges)
    for symbols, read in zip(trials, read_tokens(vocabulary, trials, 0.01)[0], strict=True):
        again = vocabulary.decode(read)
        if scheme.name != "events":
            np.testing.assert_array_equal(again, symbols)
            continue
        np.testing.assert_array_equal(again[again < scheme.units], symbols[symbols < scheme.units])
        assert all((vocabulary.tokens[token] < scheme.units).any() for token in read[1:])


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("merges", [0, 9])
def test_a_trial_without_spikes_begins_all_the_same(name, merges):
    scheme = Scheme(name, 3, 20, 0.001, 4 if name == "aggregated" else 1)
    empty = encode(scheme, [], [])
    ids, times = read_tokens(vocabulary_of(scheme, [empty], merges), [empty, empty], 0.005)
    assert [one[0] for one in ids] == [BEGIN, BEGIN] and times[0][0] == 0
    assert (len(ids[0]) == 1) == (name in ("events", "spatial_rm0"))


@pytest.mark.parametrize(
    ("tick", "clock", "last"), [(0.005, 0.035, 7), (0.001, 0.043, 43), (0.005, 0.07, 14)]
)
def test_steps_of_the_clock_begin_where_they_say(tick, clock, last):
    # In floating point these clocks are not whole multiples of their ticks.
    scheme = Scheme("events", 2, last + 1, tick)
    read = Vocabulary(scheme, ("a", "b"))
    spikes = encode(scheme, [0, 1], [last - 1, last])
    assert read_tokens(read, [spikes], clock)[1][0].tolist() == [0, 0, 1]
    assert clock_steps(scheme, clock) == 2
    assert clock_steps(replace(scheme, ticks=last), clock) == 1


@given(st.lists(st.lists(st.integers(1, 99), max_size=6), max_size=6))
def test_rows_are_filled_up_on_the_right(rows):
    table = padded([np.array(row, dtype=int) for row in rows], np.int32)
    assert table.shape == (len(rows), max(map(len, rows), default=0))
    assert table.dtype == np.int32
    for row, place in zip(rows, table, strict=True):
        assert place.tolist() == row + [0] * (table.shape[1] - len(row))


def test_too_long_a_sequence_is_named_with_its_scheme_and_length():
    scheme = Scheme("temporal", 3, 20, 0.001)
    ids = [np.ones(4), np.ones(9), np.ones(8)]
    trial = np.array([10, 12, 15])
    check_lengths(ids, trial, scheme, 9, "gpt2")
    check_lengths([], trial[:0], scheme, 9, "gpt2")
    with pytest.raises(DataError, match=r"gpt2: trial 12 has 9 .*'temporal'.*8 .*`sequences.cont"):
        check_lengths(ids, trial, scheme, 8, "gpt2")
