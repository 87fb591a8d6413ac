"""Figures of tokens and patterns show what the tables hold and say what must be known."""

import numpy as np
import pandas as pd
import pytest

from neuro2voc.figures.token_patterns import draw_token_patterns, preference
from neuro2voc.figures.token_schemes import draw_token_schemes
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.token_statistics import PUBLISHED_PATTERNS


@pytest.fixture(scope="module")
def bird():
    return simulate("bird", Settings(units=4, pairs=0, sessions=1, bouts=4, audio_rate=0), 1)[0]


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)


def schemes(tokens=(1000.0, 400.0), names=("spatial", "events")):
    rows = [
        (name, 1.0, 0.2, 3, 900, 80, 20, 5000, 4e4, 3.9e4, 4.1e4, 8200, n, n - 9, n + 9, 300)
        for name, n in zip(names, tokens, strict=True)
    ]
    columns = "scheme tick seconds alphabet vocabulary training held_out bytes".split()
    for name in ("symbols", "tokens"):
        columns += [f"{name}_{what}" for what in ("per_second", "low", "high", "most")]
    return pd.DataFrame(rows, columns=columns)


def pairs():
    """Three patterns: one shared, one of b only, one that occurs once."""
    rows = [
        ("nobody", 0, "a", 60, 2, 90, 4),
        ("nobody", 0, "b", 30, 2, 90, 2),
        ("0", 1, "b", 9, 1, 9, 2),
        ("0 + 1", 2, "a", 1, 1, 1, 4),
    ]
    return pd.DataFrame(
        rows, columns=["pattern", "units", "label", "ticks", "labels", "occurs", "trials"]
    )


def test_schemes_show_symbols_and_tokens_beside_what_was_published(bird):
    figure = draw_token_schemes(schemes(), bird, "blocked")
    rates = figure.axes[0]
    marks = {tuple(line.get_xydata()[0]) for line in rates.lines if line.get_marker() == "o"}
    assert marks == {(4e4, 0), (1000, 0), (4e4, 1), (400, 1)}
    assert any(set(line.get_xdata()) == {60_000} for line in rates.lines)
    assert [t.get_text() for t in rates.get_yticklabels()] == [
        "spatial\nvocabulary 900",
        "events\nvocabulary 900",
    ]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [5, 5]


def test_the_headline_names_the_shortest_scheme_and_the_one_that_loses_nothing(bird):
    said = words(draw_token_schemes(schemes(), bird, "blocked"))
    assert "'events' takes fewest: 400 tokens for a second of song." in said
    assert "which loses no spike" not in said
    assert "simulated" in said and "its 20 held-out trials" in said and "'blocked'" in said
    said = words(draw_token_schemes(schemes((300.0, 400.0)), bird, "blocked"))
    assert "'spatial' takes fewest" in said
    assert "'events', which loses no spike, takes 400." in " ".join(said.split())
    silent = schemes((0.0,), ("events",)).assign(symbols_per_second=0.0, symbols_low=0.0)
    assert "takes fewest: 0 tokens for a second" in words(draw_token_schemes(silent, bird, "x"))


def test_a_patterns_preference_is_its_share_of_a_labels_ticks_over_that_of_all():
    ratio = preference(pairs(), 2)
    assert list(ratio.columns) == ["nobody", "0"]
    assert ratio.loc["b", "0"] == pytest.approx((9 / 39) / (9 / 100))
    assert ratio.loc["a", "0"] == 0
    assert ratio.loc["a", "nobody"] == pytest.approx((60 / 61) / 0.9)


def test_patterns_are_drawn_with_labels_and_with_the_number_of_units(bird):
    figure = draw_token_patterns(pairs(), bird, 0.001)
    shades, trials, sizes = (ax for ax in figure.axes if ax.get_label() != "<colorbar>")
    drawn = shades.images[0].get_array()
    assert drawn[1, 1] == pytest.approx(np.log2((9 / 39) / 0.09)) and drawn[0, 1] < -2
    assert [bar.get_width() for bar in trials.patches] == [4, 2]
    assert [text.get_text() for text in trials.texts] == ["4 · 2", "2 · 2"]
    assert trials.get_ylim() == shades.get_ylim()
    assert [bar.get_height() for bar in sizes.patches] == [1, 1, 1, 0, 0, 1]
    marks = next(line for line in sizes.lines if line.get_marker() == "D")
    assert list(marks.get_ydata()) == list(PUBLISHED_PATTERNS.values())


def test_the_pattern_that_is_most_one_syllables_own_is_named_if_it_is_common(bird):
    said = words(draw_token_patterns(pairs(), bird, 0.001))
    assert "3 different patterns in 100 ticks, 33 % of them once" in said
    assert "in 90 % of ticks nobody fires" in said
    assert "simulated" in said and "No pattern occurs 100 times." in said
    common = pairs()
    common[["ticks", "occurs"]] *= 20
    said = " ".join(words(draw_token_patterns(common, bird, 0.001)).split())
    assert (
        "'0' goes most with one syllable: 100 % of its 180 ticks with 'b', which has 39 %" in said
    )


def test_of_many_syllables_those_with_most_trials_are_drawn(bird):
    rows = [("nobody", 0, f"syllable{i:02d}", 5, 20, 100, i + 1) for i in range(20)]
    table = pd.DataFrame(rows, columns=list(pairs().columns))
    figure = draw_token_patterns(table, bird, 0.001)
    trials = next(ax for ax in figure.axes if ax.get_title() == "trials · patterns")
    assert [bar.get_width() for bar in trials.patches] == list(range(7, 21))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in trials.texts]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))
    assert "6 rarer syllables are only in the table" in words(figure)
