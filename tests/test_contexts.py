"""Accuracy against context length: windows, what they are judged by, and what is drawn."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.testing import assert_allclose, assert_array_equal
from test_configuration import ROOT, message
from test_figures import check_legible, points, words
from test_lag import TRIALS, make_bird

from neuro2voc.configuration import derive_seed
from neuro2voc.contexts import (
    COLUMNS,
    COUNTS,
    ORACLE,
    context_points,
    context_table,
    context_window,
    told_from,
    with_verdicts,
)
from neuro2voc.curves import Protocol
from neuro2voc.figures.contexts import draw_contexts
from neuro2voc.network_training import NetworkSettings
from neuro2voc.sequence_fit import decode_by_sequences, reading_settings
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.tokens import make_corpus
from neuro2voc.training import Schedule
from neuro2voc.trials import make_trials, used_trials

LENGTHS = [0.16, 0.015, 0.06]
TOKENS = {"tick": 0.001, "aggregate": 0.005}
READING = {"schemes": ["events"], "vocabulary": 0, "clock": 0.02, "context": 500}
SCHEDULE = Schedule(8, 8, 16, 0.02, 0.0, 0.1, 1.0, "cpu")
SIZES = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "thin": 0.0, "checkpoint": ""}
GPT2 = NetworkSettings("gpt2", {**SIZES, "context": 500}, SCHEDULE, "blocked", 2, 5, members=1)


def parts_of(bird, null):
    trials = make_trials(bird, **TRIALS)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    return trials, split, Protocol("lda", "blocked", 2, 50, 1, tuple(range(null)), TRIALS)


@cache
def made(follows=0, null=19, networks=(GPT2,)):
    """A bird whose units are active from onset to offset, or know nothing."""
    bird = make_bird(follows, 0.0, bouts=16, syllables=8)
    trials, split, protocol = parts_of(bird, null)
    return (
        bird,
        protocol,
        context_table(bird, trials, split, LENGTHS, networks, TOKENS, READING, protocol),
    )


def of(table, decoder):
    return table[table["decoder"] == decoder].set_index("length")


def test_windows_lie_around_the_onset_in_at_most_ten_bins_of_whole_milliseconds():
    found = {1000 * length: context_window(length) for length in (0.015, 0.06, 0.125, 0.5)}
    edges = {length: window.edges / 1e6 for length, window in found.items()}
    assert_allclose(edges[15], [-8, -5, -2, 1, 4, 7])
    assert_allclose(edges[60], np.arange(-30, 31, 6))
    assert_allclose(edges[125], [-63, -38, -13, 12, 37, 62])
    assert_allclose(edges[500], np.arange(-250, 251, 50))


def test_counts_are_those_of_a_loop():
    bird = make_bird(0, 0.0, bouts=4)
    used = used_trials(make_trials(bird, **TRIALS)).iloc[:9]
    counts = context_points(bird, used, [0.06])[0.06].reshape(9, len(bird.units), 10)
    for unit, train in enumerate(bird.units.spike_times):
        edges = used["onset"].to_numpy()[:, None] + np.linspace(-0.03, 0.03, 11)
        loop = [np.histogram(train, row)[0] for row in edges]
        assert_array_equal(counts[:, unit], loop)


def test_networks_are_trained_and_decoded_as_under_any_window():
    bird, protocol, table = made()
    trials, split, _ = parts_of(bird, 19)
    used, window = used_trials(trials), context_window(0.06)
    corpus = make_corpus(bird, used, window, "events", 0.001)
    settings = replace(GPT2, seed=derive_seed(GPT2.seed, "gpt2, 60 ms"))
    other = decode_by_sequences(
        {"x": corpus}, used, split, settings, reading_settings(READING), protocol.resamples
    )[1]["x"]
    row = of(table, "gpt2").loc[0.06]
    assert row["balanced_accuracy"] == other["balanced_accuracy"]
    assert row["tokens"] == corpus.lengths.mean()


def test_each_decoder_has_its_own_control():
    _, _, table = made()
    assert list(table.columns) == COLUMNS
    counts, network = of(table, COUNTS), of(table, "gpt2")
    assert counts.index.tolist() == network.index.tolist() == sorted(LENGTHS)
    assert (counts["null_replicates"] == 19).all() and (network["null_replicates"] == 1).all()
    assert (network["null_low"] == network["null_high"]).all() and network["p"].isna().all()
    # Shifted spikes tell nothing: a quarter is chance, and 128 trials scatter by about 0.04.
    assert (network["null_mean"] < 0.4).all() and (counts["null_mean"] < 0.4).all()


def test_units_that_are_active_behind_the_onset_are_told_in_windows_that_reach_there():
    _, _, table = made()
    assert of(table, COUNTS).loc[0.16, "balanced_accuracy"] > 0.9
    assert of(table, "gpt2").loc[0.16, "balanced_accuracy"] > 0.6
    assert told_from(table, COUNTS) <= 0.06 and told_from(table, "gpt2") <= 0.16


def test_where_units_know_nothing_nothing_stands():
    _, _, table = made(None)
    assert set(table["verdict"]) == {"not told"}
    assert told_from(table, COUNTS) == np.inf


def test_without_surrogates_nothing_is_judged():
    bird, protocol, table = made(0, 0)
    assert set(table["verdict"]) == {"unjudged"} and table["null_mean"].isna().all()
    shown = draw_contexts(table, bird, protocol)
    assert "nothing here is judged" in words(shown) and "surrogate:" not in words(shown)


def test_the_oracle_sees_the_same_counts_in_windows_that_are_not_too_long():
    settings = Settings(syllable_types=3, units=8, sessions=2, bouts=6)
    bird, truth, _ = simulate("bird", settings, 3)
    trials, split, protocol = parts_of(bird, 0)
    table = context_table(
        bird, trials, split, [0.02, 0.1, 0.3], (), TOKENS, READING, protocol, truth
    )
    oracle, counts = of(table, ORACLE), of(table, COUNTS)
    assert oracle.index.tolist() == [0.02, 0.1] and set(oracle["verdict"]) == {""}
    assert (oracle["n_trials"] == counts["n_trials"].iat[0]).all()
    assert (oracle["bins"] == 10).all() and oracle["tokens"].isna().all()
    # It may lose by chance, but not by more than the widest interval.
    width = (counts["high"] - counts["low"]).loc[[0.02, 0.1]]
    assert (
        oracle["balanced_accuracy"] > counts["balanced_accuracy"].loc[[0.02, 0.1]] - width
    ).all()
    assert "oracle is not computed for more than 200 ms" in words(
        draw_contexts(table, bird, protocol)
    ).replace("\n", " ")


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "stands"),
        ({"low": 0.65}, "order"),
        ({"low": 0.35}, "not told"),
        ({"null_high": 0.2, "low": 0.24}, "not told"),  # chance
        ({"p": 0.1}, "not told"),
        ({"p": np.nan}, "stands"),  # one surrogate, with which p says nothing
        ({"low": np.nan}, "not told"),
        ({"null_high": np.nan}, "unjudged"),
        ({"decoder": ORACLE}, ""),
    ],
)
def test_a_decoder_stands_above_surrogates_chance_and_song_order(change, verdict):
    row = {"decoder": "gpt2", "low": 0.8, "null_high": 0.4, "p": 0.05}
    row |= {"chance": 0.25, "previous": 0.7}
    assert with_verdicts(pd.DataFrame([{**row, **change}]))["verdict"].tolist() == [verdict]


@pytest.mark.parametrize(
    ("verdicts", "length"),
    [
        (["not told", "order", "stands"], 0.2),
        (["stands", "not told", "stands"], 0.3),
        (["stands", "stands", "stands"], 0.1),
        (["stands", "stands", "not told"], np.inf),
    ],
)
def test_decoders_tell_from_the_shortest_window_that_all_longer_ones_agree_with(verdicts, length):
    table = pd.DataFrame({"decoder": "gpt2", "length": [0.1, 0.2, 0.3], "verdict": verdicts})
    assert told_from(table.iloc[::-1], "gpt2") == length


def test_the_figure_shows_each_score_and_each_control():
    bird, protocol, table = made()
    figure = draw_contexts(table, bird, protocol)
    check_legible(figure)
    (ax,) = figure.axes
    network, counts = of(table, "gpt2"), of(table, COUNTS)
    scores = [*network["balanced_accuracy"], *network["null_mean"]]
    assert_allclose(np.sort(points(ax)[:, 1]), np.sort(scores))
    assert_allclose(points(ax, "s")[:, 1], counts["balanced_accuracy"])
    assert_allclose(points(ax, "s")[:, 0], 1e3 * counts.index, rtol=0.05)
    text = words(figure).replace("\n", " ")
    for part in ("simulated", "gpt2 on tokens", "chance (0.25)", "range", "More than song order"):
        assert part in text
    assert f"the previous syllable alone ({table['previous'].iat[0]:.2f})" in text


def test_networks_of_equal_scores_do_not_hide_each_other_and_the_headline_has_two_lines():
    bird, protocol, table = made()
    beside = table[table["decoder"] == "gpt2"].assign(decoder="mamba2", verdict="not told")
    figure = draw_contexts(pd.concat([table, beside]), bird, protocol)
    check_legible(figure)
    (ax,) = figure.axes
    places = [ax.transData.transform(points(ax, marker))[:, 0] for marker in "o^"]
    apart = (np.sort(places[1]) - np.sort(places[0])) / figure.dpi * 72
    assert (apart > 4).all()  # points, of markers of 3.5
    text = words(figure)
    assert "mamba2 not at 160 ms" in text
    assert "45 ms, at which the published Mamba failed" in text
    assert sum(t.get_text().startswith("More than") for t in figure.texts) == 2


@pytest.mark.parametrize(
    ("lengths", "fragments"),
    [
        ([0.06, 0.6], ("contexts.lengths reaches over 0.6 s", "only 0.5 s apart")),
        ([0.0015], ("contexts.lengths holds 0.0015 s", "no whole number of milliseconds")),
        ([0.004, 0.06], ("shorter than the tick of tokens", "at least 0.005 s")),
        ([], ("contexts.lengths", "a list of s")),
    ],
)
def test_lengths_that_cannot_be_decoded_are_refused(lengths, fragments):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["contexts"]["lengths"] = lengths
    if 0.004 in lengths:
        config["tokens"]["tick"] = 0.005
    text = message(config)
    assert all(part in text for part in fragments), text
