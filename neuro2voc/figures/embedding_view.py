"""Embeddings to turn in a browser: one file that needs no network."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuro2voc.bout_bins import SILENCE
from neuro2voc.embedding_files import Points
from neuro2voc.figures import style
from neuro2voc.figures.embedding import SHIFTED, first_fold, in_order, title_of
from neuro2voc.files import replacing
from neuro2voc.recording import Recording

HEIGHT = 700  # pixels
HOVER = "bout %{customdata[0]}, %{customdata[1]} s<extra>%{fullData.name}</extra>"
DIGITS = 4  # of coordinates, which lie between -1 and 1 or are few


def write_view(points: Points, scores: pd.DataFrame, recording: Recording, path: str) -> None:
    """Write a page on which held-out bins can be turned, space by space.

    Parameters
    ----------
    points : Points
    scores : DataFrame
        See `neuro2voc.embedding_scores.Embedded`.
    recording : Recording
        The bird.
    path : path
    """
    figure = draw_view(points, scores, recording)
    # A fixed id, since plotly draws one at random, and then no two pages would be alike.
    page = figure.to_html(include_plotlyjs=True, full_html=True, div_id="embedding")
    title = f"{recording.name}: embeddings of held-out bouts"
    page = page.replace("<head>", f"<head><title>{_safe(title)}</title>", 1)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def draw_view(points: Points, scores: pd.DataFrame, recording: Recording) -> go.Figure:
    """Return the scene: a trace per syllable and space, of which one space is seen at a time."""
    spaces = _spaces(points)
    labels = sorted(set(points.label) - {SILENCE})
    colors = style.colors_of(labels, style.SYLLABLES)
    figure = go.Figure()
    for number, (_, values) in enumerate(spaces):
        rows = first_fold(values, points)
        for label in labels:
            mine = rows & (points.label == label)
            x, y, z = np.round(np.nan_to_num(values[mine]), DIGITS).astype(float).T
            figure.add_scatter3d(
                x=x,
                y=y,
                z=z,
                mode="markers",
                name=_safe(label),
                marker={"size": 2.5, "color": colors[label]},
                customdata=np.c_[points.bout[mine], np.round(points.time[mine], 3)],
                hovertemplate=HOVER,
                visible=number == 0,
            )
    count = len(labels)
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [
                {"visible": [place // count == number for place in range(count * len(spaces))]},
                {"title.text": _title(name, scores, recording, points.width)},
            ],
        }
        for number, (name, _) in enumerate(spaces)
    ]
    axis = {
        "title": "",
        "showticklabels": False,
        "backgroundcolor": "white",
        "gridcolor": "#dddddd",
    }
    figure.update_layout(
        title={
            "text": _title(spaces[0][0], scores, recording, points.width)
            if spaces
            else recording.name
        },
        scene={"xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "data"},
        updatemenus=[{"buttons": buttons, "x": 0, "y": 1, "xanchor": "left", "yanchor": "top"}],
        legend={"itemsizing": "constant", "title": {"text": "syllable"}},
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 90, "b": 10},
    )
    return figure


def _spaces(points: Points) -> list[tuple[str, np.ndarray]]:
    own, moved = points.sets["points"], points.sets["shifted"]
    spaces = [(title_of(cell, points.width), own[cell]) for cell in in_order(list(own))]
    spaces += [
        (f"{SHIFTED}: {title_of(cell, points.width)}", moved[cell])
        for cell in in_order(list(moved))
    ]
    return [(name, values) for name, values in spaces if np.isfinite(values).any()]


def _title(name: str, scores: pd.DataFrame, recording: Recording, width: float) -> str:
    kind = style.kind_of(recording)
    words = f"{recording.name}{f' ({kind})' if kind else ''}: {name}"
    first = scores[scores["decoder"] == scores["decoder"].iat[0]]
    told: Mapping = {title_of((row.method, row.field), width): row for row in first.itertuples()}
    if name not in told:
        return f"{_safe(words)}<br><sub>Bouts of the first fold, held out.</sub>"
    row = told[name]
    return (
        f"{_safe(words)}<br><sub>Bouts of the first fold, held out. Decoded in all folds: "
        f"{row.balanced_accuracy:.2f} ({row.low:.2f} to {row.high:.2f}), "
        f"chance {row.chance:.2f}.</sub>"
    )


def _safe(text: str) -> str:
    """Return text that is no markup, since labels are anybody's."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
