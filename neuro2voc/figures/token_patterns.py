"""Population patterns: how often each goes with each label, and how many units fire in it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import StrMethodFormatter

from neuro2voc.figures import style
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording
from neuro2voc.token_statistics import NOBODY, PUBLISHED_PATTERNS, composition, label_table

HEIGHT = 46  # mm, of a row
MOST = 14  # labels drawn, those with most trials
COLUMNS = 40  # patterns drawn, the commonest
COMMON = 100  # occurrences that make a pattern common
LONGEST = 10  # characters of a pattern's name
FOLD = 4  # as many times as often, or as rarely, is the end of the scale
SHARED, ONCE, ALONE = style.SKY, style.PALE, style.BLUE


@style.in_style()
def draw_token_patterns(pairs: pd.DataFrame, recording: Recording, tick: float) -> Figure:
    """Draw patterns against labels and against the number of units that fire.

    Parameters
    ----------
    pairs : DataFrame
        See `neuro2voc.token_statistics.pattern_table`.
    recording : Recording
        The bird.
    tick : float
        s.
    """
    labels = label_table(pairs)
    sizes = composition(pairs)
    shown = labels.sort_values("trials", ascending=False, kind="stable").index[:MOST].sort_values()
    handles = _handles()
    figure = style.new_figure(
        style.PAGE,
        2 * HEIGHT,
        f"{recording.name}: which units fire together in {1000 * tick:g} ms, and when",
        _headline(pairs, sizes),
        _notes(pairs, recording, len(labels) - len(shown)),
        keys=1,
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(2, 2, width_ratios=[5, 3])
    _draw_map(axes[0, 0], pairs, shown)
    _draw_trials(axes[0, 1], labels.loc[shown])
    _draw_sizes(axes[1, 0], sizes)
    _draw_distinct(axes[1, 1], labels.loc[shown])
    style.legend_below(figure, handles, len(handles))
    return figure


def _draw_map(ax: Axes, pairs: pd.DataFrame, shown: pd.Index) -> None:
    """Draw how much oftener each common pattern occurs with a label than with all."""
    ratio = preference(pairs, COLUMNS).loc[shown]
    # A pattern that never goes with a label lies at the end of the scale.
    folds = np.log2(np.maximum(ratio, 2.0**-20))
    reach = np.log2(FOLD)
    image = ax.imshow(folds, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
    names = [shortened(name, LONGEST) for name in ratio.columns]
    ax.set_xticks(range(len(names)), names, rotation=90)
    ax.set_yticks(range(len(shown)), [shortened(name) for name in shown])
    ax.tick_params(length=0)
    ax.set(
        xlabel="units that fire: the commonest patterns",
        ylabel="syllable",
        title="how often a pattern goes with a syllable, for its ticks",
    )
    bar = ax.figure.colorbar(image, ax=ax, aspect=15, ticks=[-reach, 0, reach])
    bar.ax.set_yticklabels([f"1/{FOLD}", "as all", f"{FOLD} ×"])


def preference(pairs: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return how much oftener a pattern occurs in a label's ticks than in all ticks.

    Parameters
    ----------
    pairs : DataFrame
        See `neuro2voc.token_statistics.pattern_table`.
    most : int
        Patterns, the commonest.

    Returns
    -------
    DataFrame (labels, patterns)
        Ratios; 1 is no preference.
    """
    common = pairs["pattern"].drop_duplicates().iloc[:most]
    rows = pairs[pairs["pattern"].isin(common)]
    ticks = rows.pivot_table(index="label", columns="pattern", values="ticks", fill_value=0)
    whole = pairs.groupby("label")["ticks"].sum()
    ticks = ticks.reindex(index=whole.index, columns=common, fill_value=0)
    return ticks.div(whole, axis=0) / (ticks.sum() / whole.sum())


def _draw_trials(ax: Axes, labels: pd.DataFrame) -> None:
    ax.bar(range(len(labels)), labels["trials"], 0.7, color=style.GREY, lw=0)
    for x, trials in enumerate(labels["trials"]):
        _above(ax, x, trials, f"{trials}")
    _name_labels(ax, labels.index)
    ax.set(ylabel="trials", title="syllables", ylim=(0, 1.15 * labels["trials"].max()))


def _draw_distinct(ax: Axes, labels: pd.DataFrame) -> None:
    """Draw the distinct patterns of each label, and how many only it has."""
    x, bottom = range(len(labels)), np.zeros(len(labels))
    for name, color in (("shared", SHARED), ("once", ONCE), ("alone", ALONE)):
        ax.bar(x, labels[name], 0.7, bottom=bottom, color=color, lw=0)
        bottom += labels[name].to_numpy()
    for place, number in enumerate(labels["distinct"]):
        _above(ax, place, number, f"{labels['alone'].iat[place]}")
    _name_labels(ax, labels.index)
    ax.set(ylabel="distinct patterns", title="distinct patterns of a syllable")
    ax.set_ylim(0, 1.15 * labels["distinct"].max())


def _draw_sizes(ax: Axes, sizes: pd.DataFrame) -> None:
    """Draw the number of patterns by how many units fire in them, beside those published."""
    # Side by side: of bars upon one another, a scale in powers shows the upper one too small.
    ax.bar(sizes.index - 0.2, sizes["patterns"], 0.4, color=SHARED, lw=0)
    ax.bar(sizes.index + 0.2, sizes["once"], 0.4, color=ONCE, lw=0)
    share = 100 * sizes["ticks"] / sizes["ticks"].sum()
    for units, patterns in sizes["patterns"].items():
        if patterns:
            few = f"{share[units]:.0f} %" if share[units] >= 1 else "<1 %"
            height = max(patterns, 1.2 * PUBLISHED_PATTERNS.get(units, 0))
            _above(ax, units, height, few)
    published = {"marker": "D", "ms": 3.5, "mfc": "white", "color": style.BLACK, "ls": ""}
    ax.plot(list(PUBLISHED_PATTERNS), list(PUBLISHED_PATTERNS.values()), mew=0.8, **published)
    highest = max(sizes["patterns"].max(), *PUBLISHED_PATTERNS.values())
    ax.set(yscale="log", ylim=(0.6, 4 * highest), xlabel="units that fire", ylabel="patterns")
    ax.set(title="different patterns, and % of all ticks that they fill")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xticks(range(max(sizes.index.max(), *PUBLISHED_PATTERNS) + 1))


def _above(ax: Axes, x: float, y: float, text: str) -> None:
    ax.annotate(
        text, (x, y), xytext=(0, 2), textcoords="offset points", ha="center", size=style.SMALL
    )


def _name_labels(ax: Axes, labels: pd.Index) -> None:
    names = [shortened(name) for name in labels]
    turned = max(map(len, names)) > 3
    ax.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
    ax.tick_params(axis="x", length=0)


def _handles() -> list:
    published = {"marker": "D", "ms": 3.5, "mfc": "white", "color": style.BLACK, "ls": ""}
    return [
        Patch(color=SHARED, label="patterns"),
        Patch(color=ONCE, label="that occur once"),
        Patch(color=ALONE, label="several times, with one syllable only"),
        Line2D([], [], mew=0.8, label="published (75 units, 50 µs)", **published),
    ]


def _headline(pairs: pd.DataFrame, sizes: pd.DataFrame) -> list[str]:
    patterns, once = sizes["patterns"].sum(), sizes["once"].sum()
    ticks = sizes["ticks"].sum()
    return [
        f"{patterns:,} different patterns in {ticks:,} ticks, {100 * once / patterns:.0f} % of "
        f"them once; in {100 * sizes['ticks'].get(0, 0) / ticks:.0f} % of ticks nobody fires.",
        _best(pairs),
    ]


def _best(pairs: pd.DataFrame) -> str:
    """Say which common pattern is most one syllable's own."""
    common = pairs[(pairs["occurs"] >= COMMON) & (pairs["pattern"] != NOBODY)]
    if common.empty:
        return f"No pattern occurs {COMMON} times."
    share = common["ticks"] / common["occurs"]
    row = common.loc[share.idxmax()]
    ticks = pairs.groupby("label")["ticks"].sum()
    return (
        f"Of those that occur at least {COMMON} times, '{shortened(row['pattern'], 24)}' goes most "
        f"with one syllable: {100 * share.max():.0f} % of its {row['occurs']:,} ticks with "
        f"'{shortened(row['label'])}', which has {100 * ticks[row['label']] / ticks.sum():.0f} % "
        "of all ticks."
    )


def _notes(pairs: pd.DataFrame, recording: Recording, left_out: int) -> list[str]:
    units, trials = len(recording.units), pairs.drop_duplicates("label")["trials"].sum()
    notes = [
        f"{units} unit{'s' * (units > 1)}, {trials:,} trials. A pattern is the set of units that "
        "fire in a tick. Red, top left: the pattern fills a larger part of this syllable's ticks "
        "than of all ticks. Bottom right: the number above a bar is of patterns that occur several "
        "times and only with it. It says little: rare patterns do so by chance, windows that "
        "overlap share theirs, and a syllable with more trials has more.",
    ]
    if left_out:
        notes.append(f"{left_out} rarer syllables are only in the table beside the figure.")
    return notes
