"""What is counted of tokens and patterns is what a loop counts."""

from collections import Counter

import numpy as np
import pytest

from neuro2voc.binning import Window, make_tensor
from neuro2voc.errors import DataError
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.token_schemes import SCHEMES
from neuro2voc.token_statistics import (
    NOBODY,
    PUBLISHED_PATTERNS,
    composition,
    find_patterns,
    label_table,
    pattern_table,
    scheme_table,
)
from neuro2voc.tokens import make_corpus, write_corpora
from neuro2voc.trials import make_trials, used_trials
from neuro2voc.vocabulary import fit_vocabulary

TICK = 0.002
WINDOW = Window("onset", "onset", -0.1, 0.1, TICK)
SIZE = 200


@pytest.fixture(scope="module")
def bird():
    settings = Settings(units=6, pairs=0, sessions=2, bouts=6, syllable_types=3, audio_rate=0)
    recording = simulate("bird", settings, 1)[0]
    trials = make_trials(recording, 0.5, [], 3)
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 1)
    return recording, used_trials(trials), split


@pytest.fixture(scope="module")
def pairs(bird):
    recording, trials, _ = bird
    patterns = find_patterns(recording, trials, WINDOW, TICK)
    return pattern_table(patterns, trials["label"].to_numpy())


def test_patterns_and_labels_are_those_of_a_loop(bird, pairs):
    recording, trials, _ = bird
    counts = make_tensor(recording, trials, WINDOW).counts
    names = np.array(recording.units.table.index.astype(str))
    found = Counter()
    for trial, label in zip(counts, trials["label"], strict=True):
        for tick in trial.T:
            found[" + ".join(names[tick > 0]) or NOBODY, label] += 1
    rows = zip(pairs["pattern"], pairs["label"], pairs["ticks"], strict=True)
    assert {(pattern, label): ticks for pattern, label, ticks in rows} == found
    alone = Counter(pattern for pattern, _ in found)
    assert (pairs["labels"] == pairs["pattern"].map(alone)).all()
    assert (pairs["trials"] == pairs["label"].map(Counter(trials["label"]))).all()
    occurs = Counter(pattern for (pattern, _), n in found.items() for _ in range(n))
    assert (pairs["occurs"] == pairs["pattern"].map(occurs)).all()
    assert (np.diff(pairs["occurs"]) <= 0).all()


def test_patterns_are_counted_by_units_and_by_labels(pairs):
    sizes, labels = composition(pairs), label_table(pairs)
    assert sizes["ticks"].sum() == pairs["ticks"].sum()
    assert sizes["patterns"].sum() == pairs["pattern"].nunique()
    assert sizes.loc[0, "patterns"] == 1 and sizes.loc[1, "patterns"] == 6
    assert (sizes["once"] <= sizes["patterns"]).all()
    assert labels["distinct"].sum() == len(pairs)
    assert (labels["trials"] == pairs.groupby("label")["trials"].max()).all()
    assert sum(PUBLISHED_PATTERNS.values()) == 4087


def test_schemes_are_counted_on_trials_that_the_vocabulary_never_saw(bird, tmp_path):
    recording, trials, split = bird
    paths = {name: str(tmp_path / f"{name}.h5") for name in SCHEMES}
    write_corpora(recording, trials, WINDOW, TICK, 0.01, paths)
    table = scheme_table(paths.values(), trials, split, SIZE).set_index("scheme")
    assert list(table.index) == list(SCHEMES)
    first = split[split["fold"] == 0].iloc[0]
    held = ((trials["onset"] >= first["start"]) & (trials["offset"] <= first["stop"])).to_numpy()
    assert (table["held_out"] == held.sum()).all() and 0 < held.sum() < len(trials)
    assert (table["training"] <= (~held).sum()).all()
    corpus = make_corpus(recording, trials, WINDOW, "events", TICK)
    vocabulary = fit_vocabulary(corpus[~held], corpus.scheme, corpus.unit, SIZE)
    tokens = [len(vocabulary.encode(trial)) for trial in corpus[held]]
    row = table.loc["events"]
    assert row["tokens_per_second"] == pytest.approx(np.mean(tokens) / 0.2)
    assert row["tokens_most"] == max(tokens)
    assert row["symbols_per_second"] == pytest.approx(corpus[held].lengths.mean() / 0.2)
    assert row["vocabulary"] == vocabulary.size
    assert table.loc["spatial", "symbols_per_second"] == 7 * 100 / 0.2
    assert table.loc["aggregated", ["symbols_per_second", "tick"]].tolist() == [7 * 20 / 0.2, 10]
    assert (table["tokens_per_second"] < table["symbols_per_second"]).all()


def test_without_a_vocabulary_symbols_are_tokens(bird, tmp_path):
    recording, trials, split = bird
    paths = {"events": str(tmp_path / "events.h5")}
    write_corpora(recording, trials, WINDOW, TICK, 0.01, paths)
    row = scheme_table(paths.values(), trials, split, 0).iloc[0]
    assert row["tokens_per_second"] == row["symbols_per_second"]
    with pytest.raises(DataError, match="events.h5 holds other trials than the table"):
        scheme_table(paths.values(), trials.iloc[1:], split, 0)
