"""The comparison of decoders, drawn so that what is real is seen first."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.comparison import ORACLE
from neuro2voc.configuration import BASELINES, SCHEMES, WHOLE_SYLLABLE_FEATURES
from neuro2voc.figures import style
from neuro2voc.recording import Recording

ROW = 3.5  # mm
SPLITS = {
    "random": "single trials held out; leaks",
    "blocked": "whole bouts held out",
    "session": "whole sessions held out",
}
WITHOUT_NEURONS = {
    "duration": ("duration alone", style.ORANGE, "-"),
    "previous": ("previous syllable", style.PURPLE, ":"),
    "majority": ("majority", style.GREY, "--"),
}
# How a point is drawn, and what that means.
VERDICTS = {
    "stands": (
        {"mfc": style.BLUE, "mec": style.BLUE},
        "stands above its null, duration (where it carries that) and song order",
    ),
    "order": (
        {"mfc": style.PURPLE, "mec": style.BLACK, "mfcalt": "white", "fillstyle": "left"},
        "above its null, but not above the previous syllable alone",
    ),
    "duration": (
        {"mfc": style.ORANGE, "mec": style.BLACK, "mfcalt": "white", "fillstyle": "left"},
        "above its null, but not above duration alone",
    ),
    "not told": ({"mfc": "white", "mec": style.BLACK}, "not told from its null"),
    "unjudged": ({"mfc": style.GREY, "mec": style.GREY, "marker": "D"}, "not judged: no null band"),
}
LEVEL = 0.05
TINT = "#fdf0d5"  # behind features that carry duration
# What a surrogate is expected to show; it has no null band.
EXPECTED = {
    "shuffled": "labels are permuted, so all scores should lie at chance.",
    "shifted": "spikes are shifted against the song; what is above chance here is duration.",
    "poisson": "untuned Poisson units; what is above chance here is duration.",
    "independent": "tuning is kept, joint patterns are gone; scores should stay high.",
}


def verdict(row: pd.Series) -> str:
    """Say what a row of the comparison shows.

    Returns
    -------
    str
        'stands': p is at most 0.05, and the interval over bouts lies above every surrogate and
        above the baselines. 'duration': it lies above the surrogates, but the feature carries
        duration, and the interval reaches down to what duration alone decodes. 'order': the same
        with the previous syllable, so that neurons need not tell more than the song's order;
        unless the feature tells all syllables after predecessors that were not trained on.
        'not told': not above the surrogates. 'unjudged': there is no null band.
    """
    if np.isnan(row["p"]):
        return "unjudged"
    if not (row["p"] <= LEVEL and row["low"] > row["null_high"]):
        return "not told"
    if carries_duration(row["feature"]) and row["low"] <= row["duration"]:
        return "duration"
    if row["low"] <= row["previous"] and not _holds_in_other_company(row):
        return "order"
    return "stands"


def _holds_in_other_company(row: pd.Series) -> bool:
    """Whether all decoded syllables were told after predecessors that were not trained on."""
    return (
        row.get("other_company_verdict") == "stands"
        and row["other_company_chance"] <= row["chance"] + 1e-9
    )


def carries_duration(feature: str) -> bool:
    """Tell whether a feature differs between syllables of different length anyway."""
    return feature in WHOLE_SYLLABLE_FEATURES


@style.in_style()
def draw_comparison(table: pd.DataFrame, recording: Recording, surrogate: str = "") -> Figure:
    """Draw every decoder beside chance, baselines, null band and oracle.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.comparison.comparison_table`.
    recording : Recording
        The bird.
    surrogate : str
        Kind of the surrogates that make up the null band.
    """
    replicates = sorted({int(n) for n in table["null_replicates"].dropna() if n})
    table = table.assign(
        verdict=[
            "" if row["decoder"] in (*BASELINES, ORACLE) else verdict(row)
            for _, row in table.iterrows()
        ]
    )
    splits = [s for s in SPLITS if (table["split"] == s).any()]
    splits += [s for s in table["split"].unique() if s not in splits]
    rows = _rows(table)
    width = style.PAGE if len(splits) > 1 else style.COLUMN
    handles = _handles(table, surrogate, replicates)
    columns = 2 if len(splits) > 1 else 1
    figure = style.new_figure(
        width,
        (len(rows) + 1) * ROW + 17,
        f"{recording.name}: syllables decoded from neurons",
        _headline(table, splits, recording),
        _notes(table, replicates),
        keys=-(-len(handles) // columns),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for ax, split in zip(axes, splits, strict=True):
        _draw_split(ax, table[table["split"] == split], rows, _random_scores(table, split))
    _label_rows(axes[0], rows)
    style.legend_below(figure, handles, columns)
    return figure


def _rows(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Return the height of each line of the figure, by (decoder, feature); headings lack one."""
    cells = table[table["verdict"] != ""]
    keys = []
    # Features that carry duration first, otherwise in the table's order.
    for feature in sorted(cells["feature"].unique(), key=lambda name: not carries_duration(name)):
        decoders = cells.loc[cells["feature"] == feature, "decoder"].unique()
        keys += [("", feature), *((decoder, feature) for decoder in decoders)]
    known = [name for name in WITHOUT_NEURONS if (table["decoder"] == name).any()]
    keys += [("", "")] if known else []
    return {key: y for y, key in enumerate([*keys, *((name, "") for name in known)])}


def _spans(rows: dict[tuple[str, str], int]) -> dict[str, tuple[float, float]]:
    """Return the upper and lower end of each feature's lines; '' is the group without neurons."""
    starts = [(feature, y) for (decoder, feature), y in rows.items() if not decoder]
    ends = [*starts, ("end", len(rows))]
    return {name: (y - 0.5, below - 0.5) for (name, y), (_, below) in pairwise(ends)}


def _random_scores(table: pd.DataFrame, split: str) -> pd.Series | None:
    """Return the scores of the random split by decoder and feature, to be seen in other splits."""
    scores = table[(table["split"] == "random") & (table["verdict"] != "")]
    if split == "random" or scores.empty:
        return None
    return scores.set_index(["decoder", "feature"])["balanced_accuracy"]


def _draw_split(
    ax: Axes, table: pd.DataFrame, rows: dict[tuple[str, str], int], random: pd.Series | None
) -> None:
    split, cells = table["split"].iat[0], table[table["verdict"] != ""]
    spans = _spans(rows)
    ax.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5), xticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel("balanced accuracy")
    ax.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    first = cells.iloc[0]
    ax.set_title(
        f"{split}: {SPLITS.get(split, '')}\n"
        f"{first['n_trials']:.0f} trials, {first['n_bouts']:.0f} bouts",
        loc="left",
        pad=12,
    )
    _draw_reference(ax, table, rows, spans)
    _number(ax, 0, -1, "bits", color=style.GREY)
    if random is not None:
        _number(ax, 1, -1, "leak", color=style.VERMILION)
    _note_gaps(ax, cells, rows)
    for _, row in cells.iterrows():
        y = rows[row["decoder"], row["feature"]]
        _draw_cell(ax, y, row)
        _number(ax, 0, y, f"{row['bits']:.2f}", color=style.BLACK)
        if random is not None and (row["decoder"], row["feature"]) in random:
            score = random[row["decoder"], row["feature"]]
            ax.plot([score, score], [y - 0.42, y + 0.42], color=style.VERMILION, lw=1, zorder=3)
            leak = round(score - row["balanced_accuracy"], 2) + 0.0  # no negative zero
            _number(ax, 1, y, f"{leak:+.2f}", color=style.VERMILION)


def _note_gaps(ax: Axes, cells: pd.DataFrame, rows: dict[tuple[str, str], int]) -> None:
    """Say which decoders were only decoded under another split."""
    here = set(zip(cells["decoder"], cells["feature"], strict=True))
    for (decoder, feature), y in rows.items():
        if decoder and feature and (decoder, feature) not in here:
            ground = TINT if carries_duration(feature) else "white"
            _word(ax, 0.45, y, "not decoded", ground, ha="center", color=style.GREY)


def _number(ax: Axes, column: int, y: float, text: str, color: str) -> None:
    """Write a number to the right of the axes."""
    # Points, so that columns are as wide on a wide figure as on a narrow one.
    ax.annotate(
        text,
        (1, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(17 + 23 * column, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        size=style.SMALL,
        color=color,
    )


def _draw_reference(
    ax: Axes,
    table: pd.DataFrame,
    rows: dict[tuple[str, str], int],
    spans: dict[str, tuple[float, float]],
) -> None:
    """Draw what points are judged against: chance, baselines, oracle."""
    chance = table["chance"].iat[0]
    ax.axvline(chance, color=style.BLACK, lw=0.7, zorder=1)
    ax.annotate(
        f"chance {chance:.2f}",
        (chance, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-2, 2),
        textcoords="offset points",
        size=style.SMALL,
    )
    for name, (top, bottom) in spans.items():
        if carries_duration(name):
            ax.axhspan(top, bottom, color=TINT, lw=0, zorder=0)
            _word(ax, 0.02, top + 0.55, "carries duration", TINT, ha="left")
        if top > 0:
            ax.axhline(top, color=style.PALE, lw=0.5, zorder=0)
    for _, row in table[table["decoder"].isin(BASELINES)].iterrows():
        y, score = rows[row["decoder"], ""], row["balanced_accuracy"]
        _, color, dashes = WITHOUT_NEURONS[row["decoder"]]
        ax.plot([score, score], [-0.5, y], color=color, ls=dashes, lw=0.8, zorder=1)
        ax.plot([row["low"], row["high"]], [y, y], color=color, zorder=2)
        ax.plot(score, y, marker="|", ms=7, mew=1.5, color=color, zorder=3)
        if row["decoder"] == "duration":
            for name in filter(carries_duration, spans):
                ax.plot([score, score], spans[name], color=color, lw=1.8, zorder=1)
    for feature, score in _oracles(table).items():
        if feature in spans:
            top, bottom = spans[feature]
            ax.plot([score, score], [top + 1, bottom], color=style.GREEN, lw=2, zorder=2)
            ground = TINT if carries_duration(feature) else "white"
            _word(ax, score + 0.01, top + 0.55, "oracle", ground, ha="right", color=style.GREEN)


def _oracles(table: pd.DataFrame) -> dict[str, float]:
    """Return the oracle's score by feature; token schemes have that of their window."""
    cells = table[(table["verdict"] != "") & table["oracle"].notna()]
    own = table[table["decoder"] == ORACLE].set_index("feature")["balanced_accuracy"]
    return {**cells.groupby("feature")["oracle"].first(), **own}


def _word(ax: Axes, x: float, y: float, text: str, ground: str, **kwargs: object) -> None:
    """Write a word over lines."""
    box = {"boxstyle": "square,pad=0.1", "fc": ground, "ec": "none"}
    ax.text(x, y, text, va="center", size=style.SMALL, bbox=box, zorder=3, **kwargs)


def _draw_cell(ax: Axes, y: int, row: pd.Series) -> None:
    """Draw one decoder of one feature: its null, its interval, its score."""
    if row["verdict"] != "unjudged":
        span = row["null_high"] - row["null_low"]
        ax.barh(y, span, left=row["null_low"], height=0.64, color=style.PALE, lw=0, zorder=2)
        mean = row["null_mean"]
        ax.plot([mean, mean], [y - 0.32, y + 0.32], color=style.GREY, lw=1, zorder=2)
    ax.plot([row["low"], row["high"]], [y, y], color=style.BLACK, lw=0.9, zorder=4)
    marker, _ = VERDICTS[row["verdict"]]
    ax.plot(row["balanced_accuracy"], y, **_point(marker), zorder=5)


def _point(marker: dict) -> dict:
    return {"marker": "o", "ms": 4.6, "mew": 0.8, "ls": "none", **marker}


def _label_rows(ax: Axes, rows: dict[tuple[str, str], int]) -> None:
    words = []
    for decoder, feature in rows:
        if decoder:
            words.append(decoder if feature else WITHOUT_NEURONS[decoder][0])
        else:
            tokens = "tokens: " if feature in SCHEMES else ""
            words.append(f"{tokens}{feature}" or "without neurons")
    ax.set_yticks(list(rows.values()), words)
    for (decoder, _), label in zip(rows, ax.get_yticklabels(), strict=True):
        if not decoder:
            label.set_weight("bold")


def _handles(table: pd.DataFrame, surrogate: str, replicates: list[int]) -> list:
    """Return the legend: only what occurs."""
    shown = [name for name in VERDICTS if (table["verdict"] == name).any()]
    handles = [Line2D([], [], **_point(VERDICTS[v][0]), label=VERDICTS[v][1]) for v in shown]
    if shown != ["unjudged"]:
        number = " or ".join(map(str, replicates))
        what = f"null: range and mean of {number} {surrogate} surrogates"
        handles.append(Patch(color=style.PALE, label=" ".join(what.split())))
    if (table["decoder"] == ORACLE).any():
        label = "oracle: no decoder can do better"
        handles.append(Line2D([], [], color=style.GREEN, lw=2, label=label))
    if (table["split"] == "random").any() and table["split"].nunique() > 1:
        label = "the random split's score; leak: how much higher it is"
        upright = {"marker": "|", "ms": 7, "mew": 1, "ls": "none"}
        handles.append(Line2D([], [], color=style.VERMILION, **upright, label=label))
    return handles


def _headline(table: pd.DataFrame, splits: list[str], recording: Recording) -> list[str]:
    """Say in a sentence or two what the most trustworthy split shows."""
    split = "blocked" if "blocked" in splits else splits[-1]
    cells = table[(table["split"] == split) & (table["verdict"] != "")]
    count = cells["verdict"].value_counts()
    if count.get("unjudged", 0) == len(cells):
        if recording.surrogate is None:
            return ["There is no null band, so nothing here is judged."]
        return [f"A control: {EXPECTED.get(recording.surrogate, 'it has no null band.')}"]
    above, standing = len(cells) - count.get("not told", 0), count.get("stands", 0)
    beside = [f"{standing or 'none'} stand{'s' if standing <= 1 else ''} against every control"]
    for name, words in (
        ("duration", "may be duration alone"),
        ("order", "may be the song's order alone"),
    ):
        if number := count.get(name, 0):
            beside.append(f"{number} {words}")
    sentence = f"{split}: {above} of {len(cells)} decodings lie above their null"
    return [f"{sentence}; {', '.join(beside)}." if above else f"{sentence}."]


def _notes(table: pd.DataFrame, replicates: list[int]) -> list[str]:
    lines = "Lines through points are 95 % intervals over bouts."
    if not table["verdict"].isin(["stands", "duration", "order", "not told"]).any():
        return [lines]
    notes = [
        f"{lines} Above its null: higher than surrogates with p ≤ {LEVEL}, and the interval clear "
        "of their range."
    ]
    if table.loc[table["feature"].isin(SCHEMES), "oracle"].notna().any():
        notes.append(
            "The oracle of tokens knows the counts of their window in bins; exact times may say a "
            "little more."
        )
    if few := [number for number in replicates if number < 1 / LEVEL - 1]:
        smallest = 1 / (1 + few[-1])
        what = "nothing can stand" if few == replicates else "what has no more cannot stand"
        notes.append(f"{few[-1]} surrogates can show no p below {smallest:.2f}, so {what}.")
    return notes
