"""How units vary together, and what that has to do with their interactions."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.pairs import (
    BELOW,
    LEVEL,
    axes_at,
    bar_below,
    draw_matrix,
    in_order,
    names_of,
    no_pairs,
    region_handles,
    ring,
    significant,
)
from neuro2voc.figures.players import are_bins, noun_of
from neuro2voc.recording import Recording

TITLE = "how units vary together"
SIDE = 80  # mm of the matrix
LEFT, RIGHT = 16, 113  # mm, where the matrix and the other axes begin
TITLES = 8  # mm above the axes


@style.in_style()
def draw_unit_correlations(
    correlations: pd.DataFrame, table: pd.DataFrame, recording: Recording, protocol: Protocol
) -> Figure:
    """Draw signal and noise correlations of all pairs, and noise correlation against evidence.

    Parameters
    ----------
    correlations : DataFrame
        See `neuro2voc.unit_correlations.unit_correlations`.
    table : DataFrame
        See `neuro2voc.attribution_tables.unit_table`.
    recording : Recording
        The bird.
    protocol : Protocol
        Its feature is what was counted.
    """
    title = "how bins of time vary together" if are_bins(table) else TITLE
    if correlations.empty:
        return no_pairs(recording, title, table, protocol)
    handles = _handles(correlations) + region_handles(table)
    figure = style.new_figure(
        style.PAGE,
        TITLES + SIDE + BELOW,
        f"{recording.name}: {title}",
        _headline(correlations, table),
        _notes(correlations, table, protocol),
        keys=-(-len(handles) // 3),
        kind=style.kind_of(recording),
    )
    left = axes_at(figure, LEFT, BELOW, SIDE, SIDE)
    right = axes_at(figure, RIGHT, BELOW, style.PAGE - RIGHT - 2, SIDE)
    order = in_order(table)
    signal, noise = (_square(correlations, name, len(table)) for name in ("signal", "noise"))
    image = draw_matrix(left, order, signal, noise, "RdBu_r", Normalize(-1, 1), SIDE)
    left.set_title(
        "lower left: signal correlation (of the means per syllable)\n"
        "upper right: noise correlation (of what is left in single trials)",
        loc="left",
    )
    ring(left, order, correlations[correlations["noise_p"] <= LEVEL], above=True)
    bar_below(left, image, "correlation", SIDE)
    _draw_evidence(right, correlations)
    style.legend_below(figure, handles, 3)
    figure.set_layout_engine("none")  # all is in its place
    return figure


def _square(correlations: pd.DataFrame, name: str, players: int) -> np.ndarray:
    square = np.full((players, players), np.nan)
    first, second = correlations["first"], correlations["second"]
    square[first, second] = square[second, first] = correlations[name]
    return square


def _draw_evidence(ax: Axes, correlations: pd.DataFrame) -> None:
    found = significant(correlations)
    low, high = correlations["noise_null_low"].median(), correlations["noise_null_high"].median()
    ax.axhspan(low, high, color=style.PALE, lw=0)
    ax.axhline(0, color=style.BLACK, lw=0.6)
    ax.plot(correlations["evidence"], correlations["noise"], "o", ms=2, mew=0, color=style.GREY)
    for row in found.itertuples():
        ends = [row.noise_least, row.noise_greatest]
        ax.plot([row.evidence] * 2, ends, "_-", ms=5, color=style.VERMILION, lw=0.9)
    ax.plot(found["evidence"], found["noise"], "o", ms=3.5, mew=0, color=style.VERMILION)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("evidence for the syllable sung (nats)")
    ax.set_ylabel("noise correlation")
    ax.set_title("Do pairs that interact fluctuate together?", loc="left")


def _handles(correlations: pd.DataFrame) -> list:
    number = correlations["shuffles"].iat[0]
    handles = [
        Line2D(
            *([], []),
            **{"marker": "o", "ms": 5, "mfc": "none", "mec": style.BLACK, "ls": "none"},
            label="noise beyond the null (p ≤ 0.05 for all)",
        ),
        Patch(color=style.PALE, label=f"a pair's null: {number} shuffles (95 %, median pair)"),
    ]
    if len(significant(correlations)):
        label = "interact beyond the null; line: range of syllables"
        handles.append(Line2D([], [], marker="o", ms=3.5, color=style.VERMILION, label=label))
    return handles


def _headline(correlations: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    first = correlations.iloc[0]
    number, beyond = len(correlations), int((correlations["noise_p"] <= LEVEL).sum())
    lines = [
        f"{beyond or 'None'} of {number} pairs fluctuate{'s' if beyond <= 1 else ''} together "
        "beyond what any pair does where trials are shuffled within syllable; the greatest |noise "
        f"correlation| is {correlations['noise'].abs().max():.2f}."
    ]
    if number == 1:
        low, high, noise = first[["noise_null_low", "noise_null_high", "noise"]]
        lines = [
            f"The only pair has a noise correlation of {noise:.2f}; where trials are shuffled "
            f"within syllable, {low:.2f} to {high:.2f} (95 %).".replace("-0.", "−0.")
        ]
    if not np.isnan(first["rho"]):
        low, high, rho = first[["rho_null_low", "rho_null_high", "rho"]]
        how = "go together" if rho > high else "go no more together than shuffled"
        how = "exclude each other" if rho < low else how
        lines.append(
            f"Over pairs, |noise correlation| and interaction evidence {how}: rank correlation "
            f"{rho:.2f} (shuffled: {low:.2f} to {high:.2f}).".replace("-0.", "−0.")
        )
    found = significant(correlations)
    if len(found):
        best = found.iloc[0]
        names = names_of(table) if are_bins(table) else list(table["unit"])
        lines.append(
            f"The most evident pair, {names[best['first']]} with {names[best['second']]}, is "
            f"correlated by {best['noise_least']:.2f} to {best['noise_greatest']:.2f} in single "
            f"syllables and by {best['noise']:.2f} over all.".replace("-0.", "−0.")
        )
    return lines


def _notes(correlations: pd.DataFrame, table: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = correlations.iloc[0]
    notes = [
        f"Activity in {protocol.feature}, {first['n_trials']:.0f} trials. Noise: each syllable's "
        "mean taken off, pooled over syllables. Shuffling also destroys what "
        f"{noun_of(table)}s share because they drift together."
    ]
    if np.isnan(first["signal_chance"]):
        notes.append("With two syllables there is no signal correlation.")
    else:
        above = (correlations["signal"].abs() > first["signal_chance"]).mean()
        notes.append(
            f"With so few syllables, one in twenty unrelated pairs has a |signal correlation| "
            f"above {first['signal_chance']:.2f} by chance; here {100 * above:.0f} % have."
        )
    return notes
