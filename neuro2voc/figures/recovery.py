"""Whether planted pairs are found, drawn over how much there was to find."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neuro2voc.figures import style
from neuro2voc.recovery import NEEDED, REDUNDANT

BAR = 0.8  # least recall and precision asked for ...
WORTH = 0.1  # ... where the pairs raise the oracle's balanced accuracy by as much
HEIGHT = 52  # mm
NEEDED_COLORS = ("#9ecae1", style.SKY, style.BLUE, "#08306b")  # paler: less synergy


@style.in_style()
def draw_recovery(table: pd.DataFrame, name: str, feature: str) -> Figure:
    """Draw recall and precision over trials, and what the pairs add for the oracle.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.recovery.recovery`.
    name : str
        Of the bird that the simulated ones are like.
    feature : str
        What was explained.
    """
    rows = cells(table)
    handles = _handles(rows)
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"Birds like {name}: are pairs that only say something together found?",
        _headline(rows),
        _notes(table, feature),
        keys=-(-len(handles) // 2),
        kind="simulated",
    )
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.1])
    for ax, measure, words in (
        (axes[0], "recall", "planted pairs that are found"),
        (axes[1], "precision", "found pairs that were planted"),
    ):
        _draw_measure(ax, rows, measure)
        ax.set_title(words, loc="left")
    _draw_oracle(axes[2], rows)
    style.legend_below(figure, handles, 2)
    return figure


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Sum the birds of each cell up.

    Returns
    -------
    DataFrame
        kind, synergy, bouts, trials (mean), birds, planted, found, right, units_found, units_right
        (sums), recall, precision
        (missing where nothing is found), gain, oracle, oracle_without (means): needed pairs first,
        by synergy and bouts.
    """
    groups = table.groupby(["kind", "synergy", "bouts"], as_index=False)
    rows = groups.agg(
        trials=("trials", "mean"),
        birds=("repeat", "size"),
        **{name: (name, "sum") for name in ("planted", "found", "right")},
        **{name: (name, "sum") for name in ("units_found", "units_right")},
        **{name: (name, "mean") for name in ("gain", "oracle", "oracle_without")},
    )
    rows["recall"] = rows["right"] / rows["planted"]
    rows["precision"] = rows["right"] / rows["found"].where(rows["found"] > 0)
    return rows.sort_values(["kind", "synergy", "bouts"], ignore_index=True)


def _color(rows: pd.DataFrame, kind: str, synergy: float) -> str:
    if kind == REDUNDANT:
        return style.VERMILION
    known = sorted(rows.loc[rows["kind"] == NEEDED, "synergy"].unique())
    # The strongest is always the darkest but one, however many there are.
    return NEEDED_COLORS[max(0, 2 - (len(known) - 1 - known.index(synergy)))]


def _curves(rows: pd.DataFrame) -> list[tuple[str, float, pd.DataFrame]]:
    return [(*key, part) for key, part in rows.groupby(["kind", "synergy"])]


def _draw_measure(ax: Axes, rows: pd.DataFrame, measure: str) -> None:
    for kind, synergy, part in _curves(rows):
        color = _color(rows, kind, synergy)
        dashes = "-" if kind == NEEDED else (0, (4, 2))
        ax.plot(part["trials"], part[measure], ls=dashes, color=color, zorder=2)
        enough = (part["gain"] >= WORTH).to_numpy()
        for face, chosen in ((color, enough), ("white", ~enough)):
            some = part[chosen]
            point = {"mfc": face, "mec": color, "ms": 4.5, "ls": "none", "zorder": 3}
            ax.plot(some["trials"], some[measure], "o", **point)
    ax.axhline(BAR, color=style.BLACK, lw=0.7, ls=":", zorder=1)
    ax.set(
        xlim=(0, 1.05 * rows["trials"].max()),
        ylim=(-0.04, 1.04),
        xlabel="decoded trials",
        ylabel=measure,
    )
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _draw_oracle(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw what the best classifier gains from the pairs: that is why some are not found."""
    curves = _curves(rows)
    for y, (kind, synergy, part) in enumerate(curves):
        color = _color(rows, kind, synergy)
        without, whole = part["oracle_without"].mean(), part["oracle"].mean()
        ax.plot([without, whole], [y, y], color=color, lw=2.5, zorder=2)
        ax.plot(without, y, "o", mfc="white", mec=color, ms=5, zorder=3)
        ax.plot(whole, y, "o", mfc=color, mec=color, ms=5, zorder=4)
        middle = min((without + whole) / 2, 0.86)
        ax.text(middle, y - 0.16, f"gain {whole - without:.2f}", ha="center", va="bottom")
    ax.set_yticks(range(len(curves)), [_name(kind, synergy) for kind, synergy, _ in curves])
    ax.set(xlim=(0, 1.02), ylim=(len(curves) - 0.5, -0.7), xlabel="oracle's balanced accuracy")
    ax.tick_params(axis="y", length=0)
    ax.set_title("why: the oracle, without and with them", loc="left")


def _name(kind: str, synergy: float) -> str:
    return f"needed,\nsynergy {synergy:g}" if kind == NEEDED else f"redundant,\nsynergy {synergy:g}"


def _handles(rows: pd.DataFrame) -> list:
    handles = []
    for kind, synergy, _ in _curves(rows):
        words = (
            f"needed: no other unit tells these syllables apart, synergy {synergy:g}"
            if kind == NEEDED
            else "redundant: other units tell all syllables apart"
        )
        color, dashes = _color(rows, kind, synergy), "-" if kind == NEEDED else (0, (4, 2))
        handles.append(Line2D([], [], color=color, ls=dashes, label=words))
    point = {"marker": "o", "ms": 4.5, "mec": style.BLACK, "ls": "none"}
    return [
        *handles,
        Line2D([], [], mfc=style.BLACK, **point, label=f"the pairs raise the oracle by {WORTH:g}"),
        Line2D([], [], mfc="white", **point, label="they do not (right: the oracle without them)"),
        Line2D([], [], color=style.BLACK, lw=0.7, ls=":", label=f"what is asked for, {BAR:g}"),
    ]


def _headline(rows: pd.DataFrame) -> list[str]:
    worth = rows[(rows["kind"] == NEEDED) & (rows["gain"] >= WORTH)]
    met = (worth["recall"] >= BAR) & (worth["precision"] >= BAR)
    lines = [
        f"Where the pairs raise the oracle by {WORTH:g} or more, recall and precision reach "
        f"{BAR:g} in {met.sum()} of {len(worth)} cells"
    ]
    if met.any():
        least = worth[met].sort_values("trials").iloc[0]
        lines[0] += f" (fewest trials: {least['trials']:.0f}, synergy {least['synergy']:g})"
    lines[0] += "."
    redundant = rows[rows["kind"] == REDUNDANT]
    found, planted = redundant["right"].sum(), redundant["planted"].sum()
    words = f"Of pairs that nobody needs (gain {redundant['gain'].mean():.2f}), {found or 'none'} "
    words += f"of {planted} {'is' if found <= 1 else 'are'} found"
    why = ": a model that does without them has no interaction to show"
    false = (rows["found"] - rows["right"]).sum()
    hubs = (rows["units_found"] - rows["units_right"]).sum()
    return [
        *lines,
        f"{words}{why if found < planted / 2 else ''}. Never planted: {false or 'none'} of "
        f"{rows['found'].sum()} found pairs, {hubs or 'none'} of {rows['units_found'].sum()} hubs.",
    ]


def _notes(table: pd.DataFrame, feature: str) -> list[str]:
    birds = table.groupby(["kind", "synergy", "bouts"]).size().max()
    pairs = int(table["planted"].max())
    return [
        f"Every point: {birds} simulated bird{'s' if birds > 1 else ''} with {pairs} planted "
        f"pairs, explained from {feature}; syllables in random order and of equal length. Found: "
        "p ≤ 0.05 for joint evidence, corrected for all pairs, against independent copies. No "
        "point under precision: nothing was found."
    ]
