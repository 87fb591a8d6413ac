"""What pretraining gains: the same trials for every beginning, what is compared, what is drawn."""

import re
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
from test_pretraining import CORPUS_OF, READING, SHORT, settings

from neuro2voc import pretraining_curve
from neuro2voc.curves import Protocol
from neuro2voc.decoding import cross_decode, outer_folds
from neuro2voc.figures.pretraining import draw_pretraining
from neuro2voc.pretraining import pretrain, whole_stretches
from neuro2voc.pretraining_curve import COLUMNS, Learning, pretraining_table
from neuro2voc.sequence_fit import sequence_fit
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials, used_trials

LEARNING = Learning(settings(schedule=replace(SHORT, epochs=6)), READING, 2, CORPUS_OF)


@cache
def made(sources=True, null=1):
    bird = make_bird(0, 0.0, bouts=12, syllables=8)
    other = replace(make_bird(0, 0.0, bouts=6, seed=4), name="other")
    before = pretrain(other, whole_stretches(other), *LEARNING.before)[0] if sources else None
    trials = make_trials(bird, **TRIALS)
    split = make_split("blocked", trials, bird.sessions, 3, 0.5, 0)
    protocol = Protocol("lda", "blocked", 2, 50, 1, tuple(range(null)), TRIALS)
    about = (trials, split, [1.0, 0.5], LEARNING, before, protocol)
    return bird, protocol, pretraining_table(bird, *about), split


def test_a_row_for_each_part_and_beginning_all_of_the_same_trials():
    _, _, table, _ = made()
    assert table.columns.tolist() == COLUMNS
    assert table["beginning"].tolist() == ["none", "own", "other"] * 2
    assert table["part"].tolist() == [0.5] * 3 + [1.0] * 3
    assert table["learnt_from"].tolist() == ["", "bird", "other"] * 2
    assert (table.groupby("part")["n_training"].nunique() == 1).all()
    assert table["n_training"].tolist() == [32.0] * 3 + [64.0] * 3
    none = table[table["beginning"] == "none"].set_index("part")["balanced_accuracy"]
    for row in table.itertuples():
        gain = row.balanced_accuracy - none[row.part]
        assert row.beginning == "none" or row.gain == pytest.approx(gain)
        assert np.isnan(row.control) == (row.part < 1)
    own = table[table["beginning"] == "own"]
    assert own["seconds"].nunique() == 1 and own["surprise"].nunique() == 1


def test_draws_are_those_of_the_fold_whatever_the_beginning_and_pretraining_knows_all(monkeypatch):
    bird = make_bird(0, 0.0, bouts=12, syllables=8)
    used = used_trials(make_trials(bird, **TRIALS))
    split = make_split("blocked", used, bird.sessions, 3, 0.5, 0)
    fold, seen, asked = outer_folds(used, split), {}, []

    def spying(changed, reading, begin):
        def fit(corpus, trials):
            seen[key].append((changed.seed, trials["trial"].tolist()))
            assert_array_equal(corpus.trial, trials["trial"])
            if begin:
                begin(trials, None)
            return sequence_fit(changed, reading)[0](corpus, trials)

        return fit, [], []

    monkeypatch.setattr(pretraining_curve, "sequence_fit", spying)

    def beginning(trials, vocabulary):
        asked.append(len(trials))
        return {}

    corpus = CORPUS_OF(bird, used)
    for key in ((0.5, None), (0.5, beginning), (1.0, beginning)):
        seen[key] = []
        fit = pretraining_curve._fit_part(*key, LEARNING, 1, [])
        cross_decode(corpus, used, fold, fit)
    few, same, all_of = seen.values()
    assert few == same and asked == [len(trials) for _, trials in all_of] * 2
    for (seed, trials), (other_seed, every) in zip(few, all_of, strict=True):
        assert seed == other_seed and set(trials) < set(every)
    assert len({seed for seed, _ in few}) == 3


def test_without_sources_or_surrogates_their_rows_and_controls_are_missing():
    bird, protocol, table, _ = made(sources=False, null=0)
    assert table["beginning"].tolist() == ["none", "own"] * 2
    assert table["control"].isna().all()
    with_all = made()[2]
    kept = with_all[with_all["beginning"] != "other"].drop(columns="control")
    pd.testing.assert_frame_equal(
        kept.reset_index(drop=True), table.drop(columns="control"), check_dtype=False
    )
    text = words(draw_pretraining(table, bird, "gpt2", protocol))
    assert "another" not in text and "hollow" not in text


def test_the_figure_shows_each_score_each_gain_and_each_control():
    bird, protocol, table, _ = made()
    figure = draw_pretraining(table, bird, "gpt2", protocol)
    check_legible(figure)
    scores, gains = figure.axes
    for name, marker in (("none", "s"), ("own", "o"), ("other", "^")):
        rows = table[table["beginning"] == name]
        drawn = points(scores, marker)
        wanted = [*rows["balanced_accuracy"], *rows["control"]]
        assert_allclose(drawn[:, 1], wanted)
        assert_allclose(drawn[:2, 0], rows["n_training"], rtol=0.04)
        if name != "none":
            assert_allclose(points(gains, marker)[:, 1], rows["gain"])
    text = words(figure).replace("\n", " ")
    for part in ("simulated", "another bird (other)", "hollow", "one network per fold", "nats"):
        assert part in text


@pytest.mark.parametrize(
    ("spans", "verdict"),
    [
        ([(-0.1, 0.1), (-0.2, 0.01)], "no gain seen"),
        ([(0.01, 0.1), (0.02, 0.1)], "a gain;"),
        ([(0.01, 0.1), (-0.02, 0.1)], "a gain with some numbers of trials"),
        ([(-0.1, -0.01), (-0.02, -0.01)], "a loss;"),
        ([(-0.1, -0.01), (-0.02, 0.01)], "a loss with some numbers of trials, no gain seen"),
        ([(-0.1, -0.01), (0.02, 0.03)], "gains and losses"),
        ([(np.nan, np.nan), (np.nan, np.nan)], "no gain seen"),
    ],
)
def test_the_headline_says_a_gain_only_where_its_interval_lies_above_nothing(spans, verdict):
    bird, protocol, table, _ = made()
    table = table.copy()
    own = table["beginning"] == "own"
    table.loc[own, ["gain_low", "gain_high"]] = np.array(spans)
    text = words(draw_pretraining(table, bird, "gpt2", protocol)).replace("\n", " ")
    assert re.search(rf"Learning the recording itself first: {re.escape(verdict)}", text)


def test_a_surrogate_is_called_a_control():
    bird, protocol, table, _ = made(sources=False, null=0)
    control = replace(bird, surrogate="shifted")
    figure = draw_pretraining(table, control, "gpt2", protocol)
    check_legible(figure)
    assert "A control (shifted)" in words(figure) and "gain seen" not in words(figure)


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"sources": ["brid1"]}, ("pretraining.sources holds 'brid1'", "not described")),
        ({"parts": [0]}, ("pretraining.parts", "above 0 and up to 1")),
        ({"decoder": "lstm"}, ("pretraining.decoder", "gpt2")),
        ({"epochs": 0}, ("pretraining.epochs", "from 1")),
    ],
)
def test_settings_that_cannot_be_are_refused(change, fragments):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["pretraining"] |= change
    text = message(config)
    assert all(part in text for part in fragments), text
