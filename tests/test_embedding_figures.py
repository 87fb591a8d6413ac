"""What is drawn of embeddings, and the page that turns them."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from embedding_birds import make_bird
from test_embedding_scores import embedded
from test_figures import check_legible, points, words

from neuro2voc.consistency import consistency_table
from neuro2voc.embedding_files import read_embedded, write_embedded
from neuro2voc.figures.embedding import draw_embedding, first_fold, projected
from neuro2voc.figures.embedding_consistency import draw_consistency
from neuro2voc.figures.embedding_losses import draw_embedding_losses
from neuro2voc.figures.embedding_view import draw_view, write_view


@pytest.fixture(scope="module")
def bird(tmp_path_factory):
    path = tmp_path_factory.mktemp("embedded") / "bird.h5"
    write_embedded(embedded(), 0.03, path)
    return make_bird()[0], read_embedded(path), embedded()


def test_the_figure_shows_every_score_leak_and_null(bird):
    recording, places, result = bird
    figure = draw_embedding(places, result.scores, recording)
    check_legible(figure)
    ax = figure.axes[-1]
    first = result.scores[result.scores["decoder"] == "svm"]
    assert sorted(points(ax, "o")[:, 0]) == sorted(first["balanced_accuracy"])
    assert sorted(points(ax, "x")[:, 0]) == sorted(first["leak"])
    text = words(figure).replace("\n", " ")
    for part in (
        "simulated",
        "CEBRA behaviour, 100 ms",
        "linear (LDA, 3-D), 100 ms",
        "chance 0.33",
    ):
        assert part in text
    assert "2 shifted surrogates, trained anew: too few for a p value" in text
    assert "holds out single bins; " in text
    row = first.set_index("method").loc["behaviour"]  # of time, no projection sees the same bins
    gain = f"{row['gain']:+.2f}".replace("-", "−")
    assert f"CEBRA's gain over a linear projection of the same bins: {gain}; it tells" in text


def test_cebra_tells_more_only_where_the_interval_of_its_gain_lies_above_0(bird):
    recording, places, result = bird
    cebra = result.scores["method"] == "behaviour"
    higher = result.scores.assign(
        balanced_accuracy=np.where(cebra, 0.99, 0.5), gain=np.where(cebra, 0.49, np.nan)
    )
    for low, more in ((-0.01, 0), (0.0, 0), (0.01, 1)):
        scores = higher.assign(gain_low=np.where(cebra, low, np.nan))
        text = words(draw_embedding(places, scores, recording)).replace("\n", " ")
        said = f"CEBRA tells more than a linear projection of the same bins in {more} of 1 spaces"
        assert said in text


def test_panels_show_the_bins_of_the_first_fold_and_the_surrogate_last(bird):
    recording, places, result = bird
    figure = draw_embedding(places, result.scores, recording)
    *panels, _ = figure.axes
    assert len(panels) == 4  # behaviour, time, lda, and behaviour of the surrogate
    assert "shifted surrogate" in panels[-1].get_title()
    sung = (places.fold == 0) & (places.label != "")
    for panel in panels[:-1]:
        assert len(panel.collections[0].get_offsets()) == sung.sum()


def test_points_are_seen_from_where_they_spread_most_whatever_their_labels():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(400, 3)) * [0.1, 3.0, 1.0]
    flat = projected(cloud)
    assert flat[:, 0].std() == pytest.approx(3, rel=0.2) and flat[:, 1].std() > 0.8
    turned = projected(cloud @ np.linalg.qr(rng.normal(size=(3, 3)))[0])
    np.testing.assert_allclose(np.abs(turned), np.abs(flat), atol=1e-9)


def test_collapse_is_said_in_words(bird):
    recording, places, result = bird
    cebra = result.scores["method"] == "behaviour"
    scores = result.scores.assign(collapsed=np.where(cebra, 2, 0), untold=np.where(cebra, 1, 0))
    text = words(draw_embedding(places, scores, recording)).replace("\n", " ")
    assert "Networks that put all bins in one place: behaviour with 10 bins (2 of 3)." in text
    assert "never got below a loss of chance: behaviour with 10 bins (1 of 3)." in text
    assert "of 6 networks 2 collapsed and 1 stayed at chance." in text
    assert "CEBRA learnt for" in text
    plain = result.scores.assign(collapsed=0, untold=0)
    assert "Networks that" not in words(draw_embedding(places, plain, recording))


def test_a_surrogate_is_called_a_control_and_has_no_grey(bird):
    recording, places, result = bird
    moved = replace(recording, surrogate="shifted", parent="bird", replicate=1)
    null = ["null_mean", "null_low", "null_high", "p"]
    scores = result.scores.assign(**dict.fromkeys(null, np.nan), null_replicates=0)
    alone = replace(places, sets={**places.sets, "shifted": {}, "shifted_again": {}})
    figure = draw_embedding(alone, scores, moved)
    check_legible(figure)
    text = words(figure).replace("\n", " ")
    assert "A control (shifted)" in text and "Grey: range" not in text


def test_losses_stand_beside_chance_and_what_never_fell_is_said(bird):
    recording, _, result = bird
    figure = draw_embedding_losses(result.curves, recording)
    check_legible(figure)
    assert "networks" in words(figure)
    drawn = [ax for ax in figure.axes if ax.lines]
    assert len(drawn) == 2 and all(len(ax.lines) == 3 + 1 + 1 for ax in drawn)
    flat = result.curves.assign(loss=result.curves["chance"])
    text = words(draw_embedding_losses(flat, recording)).replace("\n", " ")
    assert "6 of 6 networks did not get below chance" in text
    fell = result.curves.assign(loss=result.curves["chance"] - 1)
    assert "All 6 networks ended below chance" in words(draw_embedding_losses(fell, recording))


def test_no_network_no_loss(bird):
    recording, _, result = bird
    figure = draw_embedding_losses(result.curves.iloc[:0], recording)
    assert "No network was trained." in words(figure)


def test_consistency_stands_beside_the_surrogates(bird):
    recording, places, _ = bird
    table = consistency_table({"bird": places, "other": places}, {})
    figure = draw_consistency(table, recording)
    check_legible(figure)
    assert [ax.get_title() for ax in figure.axes] == [
        "networks of two seeds",
        "this bird and other",
    ]
    drawn = points(figure.axes[0])
    seeds = table[table["between"] == "seeds"]
    assert sorted(drawn[:, 0]) == sorted([*seeds["r2"], *seeds["shifted"]])
    none = draw_consistency(table.iloc[:0], recording)
    assert "nothing to compare" in words(none)


def test_the_page_is_whole_the_same_each_time_and_escapes_labels(bird, tmp_path):
    recording, places, result = bird
    odd = replace(places, label=np.where(places.label == "a", "<b>&", places.label))
    for name in "ab":
        write_view(odd, result.scores, recording, tmp_path / f"{name}.html")
    page = (tmp_path / "a.html").read_text()
    assert page == (tmp_path / "b.html").read_text()
    assert 'id="embedding"' in page and "simulated" in page
    assert not re.search(r'<(script|link)[^>]+(src|href)="?http', page)
    names = {trace.name for trace in draw_view(odd, result.scores, recording).data}
    assert names == {"&lt;b&gt;&amp;", "b", "c"}


def test_the_page_shows_one_space_at_a_time_with_its_score(bird):
    recording, places, result = bird
    figure = draw_view(places, result.scores, recording)
    buttons = figure.layout.updatemenus[0].buttons
    names = [button.label for button in buttons]
    assert names[0] == "CEBRA time, 10 ms"
    assert names[-1].startswith("shifted surrogate")
    for button in buttons:
        visible = button.args[0]["visible"]
        assert len(visible) == len(figure.data) and sum(visible) == 3
    score = result.scores.query("method == 'time' and decoder == 'svm'")["balanced_accuracy"].iat[0]
    assert f"{score:.2f}" in figure.layout.title.text
    shown = sum(len(trace.x) for trace in figure.data if trace.visible)
    assert shown == first_fold(places.sets["points"]["time", 1], places).sum()


def test_the_loss_table_holds_one_row_per_stretch(bird):
    curves = bird[2].curves
    assert isinstance(curves, pd.DataFrame)
    assert (curves.groupby(["bird", "method", "field", "fold"])["iteration"].max() == 30).all()
