"""The figure of the grid shows its cells, and takes none of them for the result."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuro2voc.figures import style
from neuro2voc.figures.grid import CELL, cell_table, draw_grid
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate

FOLDS = 3
BEFORE, AFTER, SMOOTHING = (0.06, 0.1), (0.05, 0.1), (0.02, 0.04)
THESIS = np.arange(11) * 0.0125, (0.0375, 0.05, 0.0625), np.geomspace(5e-5, 0.02, 15)


@pytest.fixture(scope="module")
def bird():
    return simulate("bird", Settings(units=4, pairs=0, sessions=1, bouts=4, audio_rate=0), 1)[0]


def grids(before=BEFORE, after=AFTER, smoothing=SMOOTHING, decoders=("lstm",)):
    """Random scores, of which each fold chooses its highest."""
    rng, parts = np.random.default_rng(0), []
    cells = pd.MultiIndex.from_product([before, after, smoothing], names=CELL)
    for decoder in decoders:
        for fold in range(FOLDS):
            score = rng.uniform(0.3, 0.7, len(cells)) if len(cells) > 1 else [np.nan]
            part = cells.to_frame(index=False).assign(decoder=decoder, feature="onset", fold=fold)
            chosen = np.arange(len(cells)) == np.argmax(score)
            parts.append(part.assign(balanced_accuracy=score, chosen=chosen))
    return pd.concat(parts)


def metrics(decoder="lstm", low=0.4):
    cell = {"balanced_accuracy": 0.5, "low": low, "high": 0.6, "chance": 0.25}
    cell |= {"n_trials": 80, "n_bouts": 9}
    return {"bird": "bird", "split": "blocked", "decoder": decoder, "features": {"onset": cell}}


def null(n=19, decoder="lstm", highest=0.3):
    scores = np.linspace(0.2, highest, n)
    rows = {"decoder": decoder, "feature": "onset", "replicate": np.arange(1, n + 1)}
    return pd.DataFrame({**rows, "balanced_accuracy": scores})


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)


def maps(figure):
    """The axes of heat maps, less those of results."""
    return [ax for ax in figure.axes if ax.get_xlabel() == "smoothing (ms)"]


def test_the_table_holds_each_cell_its_mean_and_how_many_folds_chose_it():
    scores = grids()
    table = cell_table(scores, [metrics()], null())
    assert len(table) == 8 and table["chosen_by"].sum() == FOLDS
    for row in table.itertuples():
        mine = scores[(scores[CELL] == [row.before, row.after, row.smoothing]).all(axis=1)]
        assert row.inner == pytest.approx(mine["balanced_accuracy"].mean())
        assert (row.chosen_by, row.folds) == (mine["chosen"].sum(), FOLDS)
    one = table.iloc[0]
    assert (one["balanced_accuracy"], one["split"], one["n_bouts"]) == (0.5, "blocked", 9)
    assert (one["null_low"], one["null_high"], one["p"]) == (0.2, 0.3, 0.05)


def test_cells_are_drawn_where_they_belong(bird):
    table = cell_table(grids(), [metrics()], null())
    drawn = maps(draw_grid(table, bird, "shifted"))
    assert len(drawn) == len(AFTER)
    for ax, after in zip(drawn, AFTER, strict=True):
        assert f"to {1000 * after:g} ms after" in ax.get_title(loc="left")
        assert [t.get_text() for t in ax.get_xticklabels()] == ["20", "40"]
        written = {text.get_position(): text.get_text() for text in ax.texts}
        frames = {(round(p.get_x() + 0.46), round(p.get_y() + 0.46)) for p in ax.patches}
        assert ax.images[0].origin == "lower"
        for row in table[table["after"] == after].itertuples():
            i, j = BEFORE.index(row.before), SMOOTHING.index(row.smoothing)
            assert ax.images[0].get_array()[i, j] == row.inner
            chosen = f"\n{row.chosen_by} ×" if row.chosen_by else ""
            assert written[j, i] == f"{row.inner:.2f}{chosen}"
            assert ((j, i) in frames) == (row.chosen_by > 0)
    assert [t.get_text() for t in drawn[0].get_yticklabels()] == ["60", "100"]


def test_the_result_is_the_nested_score_and_not_the_best_cell(bird):
    table = cell_table(grids(), [metrics()], null())
    figure = draw_grid(table, bird, "shifted")
    said, result = " ".join(words(figure).split()), figure.axes[-1]
    assert "Nested choice decodes: lstm 0.50 (0.40 to 0.60), above its null (p = 0.05)." in said
    best = table["inner"].max()
    assert f"{best:.2f} (lstm, of 8), is no result" in said
    assert "simulated" in said and "80 trials of 9 bouts, chance 0.25" in said
    points = {line.get_marker(): line.get_ydata()[0] for line in result.lines}
    assert (points["_"], points["D"]) == (0.5, best)
    assert any(list(line.get_ydata()) == [0.4, 0.6] for line in result.lines)
    assert any(list(line.get_ydata()) == [0.25, 0.25] for line in result.lines)
    ticks = [text.get_text().replace("\n", " ") for text in result.get_xticklabels()]
    assert ticks == ["colour scale", "nested choice", "best cell"]
    bar = result.patches[0]
    assert (bar.get_y(), bar.get_height()) == (pytest.approx(0.2), pytest.approx(0.1))


def test_what_does_not_clear_its_null_is_not_told_from_it(bird):
    table = cell_table(grids(), [metrics()], null(highest=0.45))
    assert "not told from its null (p = 0.05)" in words(draw_grid(table, bird, "shifted"))
    few = " ".join(words(draw_grid(cell_table(grids(), [metrics()], null(2)), bird)).split())
    assert "not told from its null (p = 0.33)" in few and "no p below 0.33" in few


def test_colours_span_what_can_be_seen_of_scores_that_hardly_differ(bird):
    scores = grids()
    scores["balanced_accuracy"] = 0.5 + 0.001 * scores["balanced_accuracy"]
    image = maps(draw_grid(cell_table(scores, [metrics()], null()), bird))[0].images[0]
    assert image.norm.vmax - image.norm.vmin == pytest.approx(0.1)


def test_a_grid_of_one_cell_says_that_there_was_nothing_to_choose(bird):
    one = grids([0.1], [0.1], [0.02])
    figure = draw_grid(cell_table(one, [metrics()], null()), bird)
    assert "There was nothing to choose" in words(figure)
    assert "no result" not in words(figure)
    assert [t.get_text() for t in maps(figure)[0].texts] == [f"{FOLDS} ×"]
    assert not figure.axes[-1].images  # no colours, no scale of them


def test_a_surrogate_has_no_null_and_is_not_judged(bird):
    table = cell_table(grids(), [metrics(low=None)])
    figure = draw_grid(table, replace(bird, surrogate="shifted"))
    said = words(figure)
    assert "lstm 0.50, not judged" in said and "A control; it has no null band." in said
    assert "surrogate: shifted" in said and not figure.axes[-1].patches


def test_the_thesis_grid_has_no_numbers_but_those_of_the_folds(bird):
    decoders = ("lstm", "eegnet")
    table = cell_table(
        grids(*THESIS, decoders=decoders),
        [metrics(name) for name in decoders],
        pd.concat([null(decoder=name) for name in decoders]),
    )
    figure = draw_grid(table, bird, "shifted")
    drawn = maps(figure)
    assert len(drawn) == 6 and drawn[0].images[0].get_array().shape == (11, 15)
    written = [text.get_text() for ax in drawn for text in ax.texts if text.get_text()]
    assert written and set(written) <= set("123")
    assert sum(map(int, written)) == FOLDS * len(decoders)
    assert figure.get_figwidth() * 25.4 == pytest.approx(style.PAGE)
    assert figure.get_figheight() * 25.4 < 240
