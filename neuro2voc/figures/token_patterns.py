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

ROW, LEAST, WORDS = 2.8, 24, 22  # mm: of a syllable, of the map, around it
BELOW = 34  # mm
MOST = 14  # labels drawn, those with most trials
COLUMNS = 40  # patterns drawn, the commonest
COMMON = 100  # occurrences that make a pattern common
LONGEST = 10  # characters of a pattern's name
FOLD = 4  # as many times as often, or as rarely, is the end of the scale
DIFFERENT, ONCE = style.SKY, style.PALE
PUBLISHED = {"marker": "D", "ms": 3.5, "mfc": "white", "mew": 0.8, "color": style.BLACK, "ls": ""}


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
    above = max(LEAST, ROW * len(shown)) + WORDS
    handles = _handles()
    figure = style.new_figure(
        style.PAGE,
        above + BELOW,
        f"{recording.name}: which units fire together in {1000 * tick:g} ms, and when",
        _headline(pairs, sizes),
        _notes(pairs, recording, len(labels) - len(shown)),
        keys=1,
        kind=style.kind_of(recording),
    )
    grid = figure.add_gridspec(2, 2, width_ratios=[5, 1], height_ratios=[above, BELOW])
    shades = figure.add_subplot(grid[0, 0])
    _draw_map(shades, pairs, shown)
    _draw_trials(figure.add_subplot(grid[0, 1], sharey=shades), labels.loc[shown])
    _draw_sizes(figure.add_subplot(grid[1, :]), sizes)
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
        xlabel=f"the {len(names)} commonest patterns: units that fire",
        ylabel="syllable",
        title="patterns that prefer a syllable (red) or avoid it (blue)",
    )
    bar = ax.figure.colorbar(image, ax=ax, aspect=15, pad=0.01, ticks=[-reach, 0, reach])
    bar.ax.set_yticklabels([f"1/{FOLD} ×", "1 ×", f"{FOLD} ×"])
    bar.set_label("against all syllables")


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
    """Draw the trials of each row of the map, and write beside them its distinct patterns."""
    ax.barh(range(len(labels)), labels["trials"], 0.7, color=style.GREY, lw=0)
    for y, row in enumerate(labels.itertuples()):
        ax.annotate(
            f"{row.trials:,} · {row.distinct:,}",
            (row.trials, y),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
        )
    ax.set(title="trials · patterns", xlim=(0, 2.2 * labels["trials"].max()))
    ax.tick_params(length=0, labelleft=False, labelbottom=False)
    ax.spines["bottom"].set_visible(False)


def _draw_sizes(ax: Axes, sizes: pd.DataFrame) -> None:
    """Draw the number of patterns by how many units fire in them, beside those published."""
    # Side by side: of bars upon one another, a scale in powers shows the upper one too small.
    ax.bar(sizes.index - 0.2, sizes["patterns"], 0.4, color=DIFFERENT, lw=0)
    ax.bar(sizes.index + 0.2, sizes["once"], 0.4, color=ONCE, lw=0)
    share = 100 * sizes["ticks"] / sizes["ticks"].sum()
    for units, patterns in sizes["patterns"].items():
        if patterns:
            few = f"{share[units]:.0f} %" if share[units] >= 1 else "<1 %"
            height = max(patterns, 2 * PUBLISHED_PATTERNS.get(units, 0))
            _above(ax, units, height, few)
    ax.plot(list(PUBLISHED_PATTERNS), list(PUBLISHED_PATTERNS.values()), **PUBLISHED)
    highest = max(sizes["patterns"].max(), *PUBLISHED_PATTERNS.values())
    ax.set(yscale="log", ylim=(0.6, 4 * highest), ylabel="patterns")
    ax.set(
        xlabel="units that fire together",
        title="different patterns, and % of all ticks that they fill",
    )
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xticks(range(max(sizes.index.max(), *PUBLISHED_PATTERNS) + 1))


def _above(ax: Axes, x: float, y: float, text: str) -> None:
    ax.annotate(
        text, (x, y), xytext=(0, 2), textcoords="offset points", ha="center", size=style.SMALL
    )


def _handles() -> list:
    return [
        Patch(color=DIFFERENT, label="different patterns"),
        Patch(color=ONCE, label="of them, those that occur once"),
        Line2D([], [], label="published (75 units, 50 µs)", **PUBLISHED),
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
        "fire in a tick. Above: the part of a syllable's ticks that a pattern fills, against its "
        "part of all ticks; to the right, trials of the syllable and its different patterns, of "
        "which more trials have more.",
    ]
    if left_out:
        notes.append(f"{left_out} rarer syllables are only in the table beside the figure.")
    return notes
