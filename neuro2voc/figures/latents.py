"""Latents of activity and voice, drawn in a plane, with numbers that do not depend on the plane."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style
from neuro2voc.latents import NEURAL, VOCAL
from neuro2voc.recording import Recording

HEIGHT = 62  # mm
# No colours of syllables.
COLORS = {NEURAL: style.BLACK, VOCAL: "#999933"}


@style.in_style()
def draw_latents(
    picture: pd.DataFrame, tables: Mapping[str, pd.DataFrame], recording: Recording, split: str
) -> Figure:
    """Draw latents by modality, and each modality by syllable.

    Parameters
    ----------
    picture : DataFrame
        See `neuro2voc.latents.pictured`.
    tables : mapping of DataFrame
        neighbours and space (see `neuro2voc.latents`), and null_neighbours and null_space of a
        shifted surrogate where there is one.
    recording : Recording
    split : str
        Its name.
    """
    labels = sorted(set(picture["label"]))
    colors = style.colors_of(labels, style.SYLLABLES)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: one latent space of activity and voice",
        headline(tables),
        [_note(picture, tables, split)],
        keys=-(-(len(labels) + 2) // 8),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    for kind in (VOCAL, NEURAL):
        rows = picture[picture["modality"] == kind]
        axes[0].plot(rows["x"], rows["y"], ".", color=COLORS[kind], ms=2, alpha=0.5)
    axes[0].set_title("by modality", loc="left")
    for ax, kind in zip(axes[1:], (NEURAL, VOCAL), strict=True):
        rows = picture[picture["modality"] == kind]
        ax.scatter(rows["x"], rows["y"], s=2, c=[colors[label] for label in rows["label"]])
        ax.set_title(f"{kind}, by syllable", loc="left")
    for ax in axes:
        _bare(ax)
    handles = [
        Line2D([], [], marker=".", ls="", ms=6, color=COLORS[kind], label=kind)
        for kind in (NEURAL, VOCAL)
    ]
    handles += [
        Line2D([], [], marker=".", ls="", ms=6, color=colors[label], label=label)
        for label in labels
    ]
    style.legend_below(figure, handles, min(8, len(handles)))
    return figure


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[], xlabel="UMAP 1", ylabel="UMAP 2")


def headline(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the numbers that the picture has to be believed by."""
    table = tables["neighbours"]
    score = {(row.trained, row.tested): row for row in table.itertuples()}
    neural, vocal, across = (
        score[key] for key in ((NEURAL, NEURAL), (VOCAL, VOCAL), (VOCAL, NEURAL))
    )
    null = ""
    if "null_neighbours" in tables:
        other = tables["null_neighbours"].set_index(["trained", "tested"])["balanced_accuracy"]
        null = f"; shifted control {other[NEURAL, NEURAL]:.2f} and {other[VOCAL, NEURAL]:.2f}"
    matched = _mean(tables["space"], "matched")
    beside = ""
    if "null_space" in tables:
        beside = f"; shifted control {_mean(tables['null_space'], 'matched'):.2f}"
    return [
        f"Held-out syllables by nearest neighbours: activity {_with_interval(neural)}, voice "
        f"{_with_interval(vocal)}, activity among training voices {_with_interval(across)} (chance "
        f"{neural.chance:.2f}{null}).",
        f"A window's own sound is nearer to its activity than {100 * matched:.0f} % of other "
        f"windows' (chance 50 %{beside}); share of neighbours from the other modality "
        f"{_mean(tables['space'], 'mixing'):.2f} (0.5: mixed, 0: apart).",
    ]


def _with_interval(row: object) -> str:
    return f"{row.balanced_accuracy:.2f} ({row.low:.2f} to {row.high:.2f})"


def _mean(table: pd.DataFrame, column: str) -> float:
    return float((table[column] * table["n_windows"]).sum() / table["n_windows"].sum())


def _note(picture: pd.DataFrame, tables: Mapping[str, pd.DataFrame], split: str) -> str:
    row = tables["neighbours"].iloc[0]
    return (
        f"Points: {len(picture) // 2} windows of the first fold of the split '{split}', each once "
        "by its activity alone and once by its voice alone, in the space of a joint VAE that saw "
        f"neither. Numbers: all folds, {row['n_trials']:.0f} windows in {row['n_bouts']:.0f} "
        "bouts, 95 % intervals over bouts. Distances between islands of UMAP mean nothing."
    )
