"""Which syllables one decoder takes for which."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from neuro2voc.evaluation import confusion
from neuro2voc.figures import style

MAX_NUMBERED = 12  # classes; with more, numbers in cells cannot be read


def confusion_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count pairs of labels: truth, prediction, trials, fraction of the trials of that truth."""
    labels = sorted({*predictions["truth"], *predictions["prediction"]})
    matrix = confusion(predictions["truth"], predictions["prediction"], labels)
    total = matrix.sum(axis=1, keepdims=True)
    fraction = np.divide(matrix, total, out=np.full(matrix.shape, np.nan), where=total > 0)
    return pd.DataFrame(
        {
            "truth": np.repeat(labels, len(labels)),
            "prediction": np.tile(labels, len(labels)),
            "trials": matrix.ravel(),
            "fraction": fraction.ravel(),
        }
    )


@style.in_style()
def draw_confusion(predictions: pd.DataFrame, about: Mapping) -> Figure:
    """Draw the confusion matrix of one decoder, one feature, one split.

    Parameters
    ----------
    predictions : DataFrame
        truth, prediction.
    about : mapping
        bird, split, decoder, feature; kind (see `neuro2voc.figures.style.kind_of`); and what
        `neuro2voc.evaluation.summary` says of these predictions.
    """
    table = confusion_table(predictions)
    labels = list(table["truth"].unique())
    fraction = table["fraction"].to_numpy().reshape(len(labels), len(labels))
    count = table["trials"].to_numpy().reshape(fraction.shape)
    figure = style.new_figure(
        style.COLUMN,
        78,
        f"{about['bird']}: confusions",
        [
            f"{about['decoder']} on {about['feature']}, split '{about['split']}'.",
            f"Balanced accuracy {about['balanced_accuracy']:.2f}{_interval(about)}, "
            f"chance {about['chance']:.2f}; {about['bits']:.2f} bits.",
        ],
        [
            f"{about['n_trials']} trials in {about['n_bouts']} bouts. {_key(len(labels))} "
            "In brackets: 95 % interval over bouts."
        ],
        kind=about["kind"],
    )
    ax = figure.subplots()
    image = ax.imshow(fraction, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    ax.set(xlabel="decoded as", ylabel="sung")
    ax.set_xticks(range(len(labels)), labels)
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if len(labels) <= MAX_NUMBERED:
        _write_numbers(ax, fraction, count)
    else:
        bar = figure.colorbar(image, ax=ax, format=PercentFormatter(1), shrink=0.6, aspect=15)
        bar.set_label("of the syllables sung")
    return figure


def _key(classes: int) -> str:
    if classes > MAX_NUMBERED:
        return "Each row adds up to 100 %."
    return "Upper number and shade: percent of a row; lower number: trials."


def _interval(about: Mapping) -> str:
    """Return the interval over bouts; with one bout there is none."""
    low, high = about.get("low"), about.get("high")
    return "" if low is None or np.isnan(low) else f" ({low:.2f} to {high:.2f})"


def _write_numbers(ax: Axes, fraction: np.ndarray, count: np.ndarray) -> None:
    size = style.SMALL if len(count) <= 8 else 6
    for (i, j), trials in np.ndenumerate(count):
        if trials:
            color = "white" if fraction[i, j] > 0.55 else style.BLACK
            text = f"{100 * fraction[i, j]:.0f}\n{trials}"
            ax.text(j, i, text, ha="center", va="center", size=size, color=color, linespacing=1)
