"""The duration trap, drawn so that it can be quoted."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.figures import style

MODELS = {"forest": "random forest", "xgboost": "XGBoost", "svm": "SVM (radial)"}
WITHOUT = {"duration": "duration alone", "previous": "previous syllable"}
FEATURES = {"rate": "rate = count / duration", "fixed": "count in a fixed 100 ms"}


@style.in_style()
def draw_trap(table: pd.DataFrame, about: dict) -> Figure:
    """Draw what a bird without tuning scores under two protocols.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.traps.duration_trap`.
    about : dict
        units, trials, bouts, classes, replicates (numbers) and kind (see
        `neuro2voc.figures.style.kind_of`).
    """
    thesis = table[table["protocol"] == "thesis"]
    contract = table[table["protocol"] == "contract"]
    handles = [
        Line2D([], [], ls="none", marker="o", color=style.VERMILION, label="this bird, no tuning"),
        Line2D([], [], ls="none", marker="D", mfc="white", mec=style.BLACK, label="published"),
        Line2D([], [], ls="--", color=style.GREY, label="commonest syllable, or chance"),
        Line2D([], [], color=style.ORANGE, label="duration alone, no neuron"),
        Patch(color=style.PALE, label=f"{about['replicates']} shifted surrogates, to their best"),
    ]
    figure = style.new_figure(
        style.PAGE,
        40,
        "The duration trap: rates of neurons that know nothing",
        [_headline(thesis)],
        [
            f"One simulated bird, tuning 0: {about['units']} units, {about['trials']} trials of "
            f"{about['classes']} syllables in {about['bouts']} bouts. Left and middle: accuracy on "
            "a random 30 % of the trials, settings of arXiv:2502.07800 (XGBoost: published is its "
            "cross-validation score). Right: balanced accuracy with whole bouts held out, lines "
            "are 95 % intervals over bouts."
        ],
        keys=2,
        kind=about["kind"],
    )
    left, middle, right = figure.subplots(1, 3)
    _draw_thesis(left, thesis, "rate", f"thesis' protocol:\n{FEATURES['rate']}")
    _draw_thesis(middle, thesis, "fixed", f"the same protocol:\n{FEATURES['fixed']}")
    _draw_contract(right, contract)
    style.legend_below(figure, handles, 3)
    return figure


def _headline(thesis: pd.DataFrame) -> str:
    rate = thesis[thesis["feature"] == "rate"].set_index("model")[["score", "published"]].round(2)
    fixed = thesis.loc[thesis["feature"] == "fixed", "score"]
    alone = thesis.loc[thesis["feature"] == "duration", "score"].iat[0]
    here, there = rate["score"].map("{:.2f}".format), rate["published"].map("{:.2f}".format)
    return (
        f"Neurons that fire alike in all syllables reach {here['forest']} (random forest; "
        f"published {there['forest']}) and {here['xgboost']} (XGBoost; {there['xgboost']}) from "
        f"rates; in a fixed window {fixed.min():.2f} to {fixed.max():.2f}; the duration alone, "
        f"without a neuron, gives {alone:.2f}."
    )


def _draw_thesis(ax: Axes, table: pd.DataFrame, feature: str, title: str) -> None:
    rows = table[table["feature"] == feature]
    ax.axvline(rows["reference"].iat[0], color=style.GREY, ls="--")
    if feature == "rate":
        ax.axvline(table.loc[table["feature"] == "duration", "score"].iat[0], color=style.ORANGE)
    for y, row in enumerate(rows.itertuples()):
        ax.plot(row.published, y, "D", ms=5, mfc="white", mec=style.BLACK)
        ax.plot(row.score, y, "o", ms=4.5, color=style.VERMILION)
        _write(ax, row.score, y, style.VERMILION)
    _finish(ax, [MODELS[model] for model in rows["model"]], "accuracy", title)


def _draw_contract(ax: Axes, table: pd.DataFrame) -> None:
    names = [FEATURES.get(row.feature, WITHOUT.get(row.feature)) for row in table.itertuples()]
    ax.axvline(table["reference"].iat[0], color=style.GREY, ls="--")
    ax.axvline(table.loc[table["feature"] == "duration", "score"].iat[0], color=style.ORANGE)
    for y, row in enumerate(table.itertuples()):
        if row.null_high == row.null_high:
            ax.fill_betweenx([y - 0.3, y + 0.3], 0, row.null_high, color=style.PALE, lw=0)
        color = style.VERMILION if row.feature in FEATURES else style.BLACK
        ax.plot([row.low, row.high], [y, y], color=color)
        ax.plot(row.score, y, "o", ms=4.5, color=color)
        _write(ax, row.score, y, color)
    _finish(ax, names, "balanced accuracy", "whole bouts held out:\nforest, and without neurons")


def _write(ax: Axes, number: float, y: float, color: str) -> None:
    """Write a number behind 1, where no mark can lie, in the colour of its own mark."""
    ax.text(1.05, y, f"{number:.2f}", va="center", color=color)


def _finish(ax: Axes, names: list[str], label: str, title: str) -> None:
    ax.set(xlim=(0, 1.22), ylim=(len(names) - 0.4, -0.6), xlabel=label, xticks=[0, 0.5, 1])
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title, loc="left")
