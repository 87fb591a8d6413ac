"""Accuracy against the number of neurons, drawn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter, NullLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.single_units import BASELINES
from neuro2voc.neuron_number import BEST, NULL_ORDERS
from neuro2voc.recording import Recording

BAND = "#b9d3e6"  # of random orders


@style.in_style()
def draw_neuron_number(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw balanced accuracy against the number of neurons.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.neuron_number.neuron_number`.
    recording : Recording
        The bird.
    protocol : Protocol
        How they were decoded.
    """
    curve = table[table["choice"] != BEST]
    best, whole = table[table["choice"] == BEST].iloc[0], curve.iloc[-1]
    judged = "null_high" in table
    handles = _handles(curve, judged, protocol)
    figure = style.new_figure(
        style.COLUMN,
        62,
        f"{recording.name}: how many neurons it takes",
        [_headline(curve, best, judged)],
        [
            f"{protocol.decoder} on {protocol.feature}, split '{protocol.split}': "
            f"{whole['n_trials']:.0f} trials in {whole['n_bouts']:.0f} bouts. At all neurons: "
            "95 % interval over bouts. " + _orders_of_null(curve, judged)
        ],
        keys=len(handles),
        kind=style.kind_of(recording),
    )
    ax = figure.subplots()
    x = curve["units"]
    if judged:
        # A single number of neurons still needs a band that can be seen.
        wide = {"color": style.PALE, "lw": 3 if len(curve) == 1 else 0}
        ax.fill_between(x, curve["null_low"], curve["null_high"], **wide)
        ax.plot(x, curve["null_mean"], color=style.GREY, lw=0.7)
    ax.axhline(whole["chance"], color=style.BLACK, lw=0.7)
    for name, (_, color, dashes) in BASELINES.items():
        ax.axhline(whole[name], color=color, ls=dashes, lw=0.9)
    ax.fill_between(x, curve["lowest"], curve["highest"], color=BAND, lw=0, alpha=0.7)
    ax.plot(x, curve["balanced_accuracy"], "o-", ms=3.5, color=style.BLUE)
    if not np.isnan(whole["low"]):
        ax.plot([whole["units"]] * 2, [whole["low"], whole["high"]], color=style.BLUE, lw=1.6)
    if len(curve) > 1:
        ax.plot(1, best["balanced_accuracy"], "D", ms=4, color=style.VERMILION, zorder=4)
    ax.set_xscale("log")
    ax.set_xticks(x, x)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(0.85, 1.18 * x.max())
    ax.set(xlabel="number of neurons", ylabel="balanced accuracy", ylim=(0, 1.02))
    style.legend_below(figure, handles, 1)
    return figure


def _orders_of_null(curve: pd.DataFrame, judged: bool) -> str:
    """Say what a surrogate's score is, where there are orders to average over."""
    orders = int(curve["repeats"].max())
    if not judged or orders == 1:
        return ""
    return f"As the curve is, each surrogate is a mean, over {min(orders, NULL_ORDERS)} orders."


def _handles(curve: pd.DataFrame, judged: bool, protocol: Protocol) -> list:
    blue, orders = {"marker": "o", "ms": 3.5, "color": style.BLUE}, int(curve["repeats"].max())
    if orders > 1:
        red = {"marker": "D", "ms": 4, "ls": "none", "color": style.VERMILION}
        handles = [
            Line2D([], [], **blue, label="mean over random choices of neurons"),
            Patch(color=BAND, label=f"range of {orders} random orders, each one nested"),
            Line2D([], [], **red, label="best single neuron, chosen on training trials"),
        ]
    else:
        handles = [Line2D([], [], **blue, label="all neurons")]
    if judged:
        label = f"null: range and mean of {len(protocol.null_seeds)} shifted surrogates"
        handles.append(Patch(color=style.PALE, label=label))
    handles.append(Line2D([], [], color=style.BLACK, lw=0.7, label="chance"))
    for words, color, dashes in BASELINES.values():
        handles.append(Line2D([], [], color=color, ls=dashes, label=f"{words}, without neurons"))
    return handles


def _headline(curve: pd.DataFrame, best: pd.Series, judged: bool) -> str:
    whole = curve.iloc[-1]
    words = f"All {whole['units']} neurons" if whole["units"] > 1 else "One neuron"
    words += f": {whole['balanced_accuracy']:.2f}, chance {whole['chance']:.2f}"
    if whole["units"] > 1:
        words += f", the best single one {best['balanced_accuracy']:.2f}"
    if not judged:
        return f"A control, not judged. {words}."
    if not ((curve["p"] <= 0.05) & (curve["balanced_accuracy"] > curve["null_high"])).any():
        return f"No number of neurons lies above its null. {words}."
    enough = curve[curve["balanced_accuracy"] > whole[list(BASELINES)].max()]
    if enough.empty:
        return f"{words}. No number says more than duration or song order do."
    number = enough["units"].iat[0]
    return f"{words}. From {number} on more than duration or song order say."
