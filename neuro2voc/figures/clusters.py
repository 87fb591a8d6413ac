"""Clusters of trials on two principal components, beside what accident and duration give."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro2voc.clusters import Clusters
from neuro2voc.configuration import WHOLE_SYLLABLE_FEATURES
from neuro2voc.figures import style
from neuro2voc.figures.syllables import GOLDEN
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording

HEIGHT = 52  # mm
LEVEL = 0.05
MOST = 11  # classes with a name beside their dots
MARKS = "os^Dv<>Phpd*"  # with seven colours, more classes than can be told apart anyway


@style.in_style()
def draw_clusters(clusters: Clusters, recording: Recording, feature: str) -> Figure:
    """Draw trials by label and by cluster, and the index of their agreement beside its nulls.

    Parameters
    ----------
    clusters : Clusters
    recording : Recording
        The bird.
    feature : str
        What was clustered.
    """
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: clusters of {feature}",
        _headline(clusters, recording, feature),
        _notes(clusters, feature),
        kind=style.kind_of(recording),
    )
    left, middle, right = figure.subplots(1, 3, width_ratios=[4, 4, 2.4])
    table = clusters.table
    _draw_dots(left, clusters, table["label"].to_numpy(), "coloured by syllable")
    _draw_dots(middle, clusters, table["cluster"].to_numpy(), "coloured by cluster")
    middle.sharey(left)
    middle.sharex(left)
    _draw_index(right, clusters)
    return figure


def _draw_dots(ax: Axes, clusters: Clusters, group: np.ndarray, title: str) -> None:
    table = clusters.table
    names = sorted(set(group))
    colors = style.colors_of(names, style.SYLLABLES)
    first, second = clusters.explained
    place = table[["pc1", "pc2"]].to_numpy()
    if not second:  # one column: dots are spread so that they can be told apart
        place[:, 1] = np.arange(len(place)) * GOLDEN % 1
    for i, name in enumerate(names):
        mark = MARKS[i // len(style.SYLLABLES) % len(MARKS)]
        mine = group == name
        ax.plot(*place[mine].T, mark, ms=2.4, mew=0, color=colors[name], alpha=0.7)
    for name in names if len(names) <= MOST else ():
        x, y = np.median(place[group == name], axis=0)
        box = {"boxstyle": "square,pad=0.15", "fc": "white", "ec": colors[name], "lw": 0.8}
        words = {"ha": "center", "va": "center", "weight": "bold", "bbox": box}
        ax.text(x, y, shortened(str(name)), **words)
    ax.set(title=title, xlabel=f"component 1 ({100 * first:.0f} % of the variance)")
    ax.set_ylabel(f"component 2 ({100 * second:.0f} %)" if second else "(spread to be seen)")
    ax.set(xticks=[], yticks=[])


def _draw_index(ax: Axes, clusters: Clusters) -> None:
    """Draw the adjusted Rand index, and its nulls as ranges and means."""
    nulls = {"labels\npermuted": clusters.permuted, "shifted\nbirds": clusters.shifted}
    nulls = {name: values for name, values in nulls.items() if len(values)}
    ax.axhline(0, color=style.BLACK, lw=0.7)
    for x, values in enumerate(nulls.values(), start=1):
        height = values.max() - values.min()
        ax.bar(x, height, bottom=values.min(), width=0.6, color=style.PALE, lw=0)
        ax.plot([x - 0.3, x + 0.3], [values.mean()] * 2, color=style.GREY)
    ax.plot([-0.5, len(nulls) + 0.5], [clusters.rand] * 2, color=style.BLUE, lw=0.7, ls=":")
    ax.plot(0, clusters.rand, "o", ms=5, color=style.BLUE)
    ax.annotate(
        f"{clusters.rand:.2f}",
        (0, clusters.rand),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        color=style.BLUE,
    )
    ax.set_xticks(range(len(nulls) + 1), ["this\nbird", *nulls])
    values = np.r_[clusters.rand, clusters.permuted, clusters.shifted]
    top = max(values.max() * 1.25, 0.1)
    ax.set(xlim=(-0.6, len(nulls) + 0.6), ylim=(min(values.min() - 0.05 * top, -0.05 * top), top))
    ax.set_title("adjusted Rand index")
    ax.tick_params(axis="x", length=0)


def _headline(clusters: Clusters, recording: Recording, feature: str) -> list[str]:
    if recording.surrogate:
        return ["A control: without duration, clusters have nothing to do with syllables here."]
    agree = f"Clusters agree with syllables by an adjusted Rand index of {clusters.rand:.2f}"
    if not clusters.p_permuted <= LEVEL:
        return [f"{agree}, no more than permuted labels do (p = {clusters.p_permuted:.2g})."]
    if np.isnan(clusters.p_shifted):
        return [f"{agree}, more than permuted labels do; there are no surrogates to judge it by."]
    if clusters.p_shifted > LEVEL:
        why = "duration" if feature in WHOLE_SYLLABLE_FEATURES else "slow changes along the song"
        return [
            f"{agree}, more than permuted labels do, but no more than shifted birds do "
            f"(p = {clusters.p_shifted:.2g}): it may be {why} alone."
        ]
    strength = (
        "weakly"
        if clusters.rand < 0.2
        else "in part"
        if clusters.rand < 0.7
        else "largely by themselves"
    )
    return [
        f"{agree}, more than permuted labels and shifted birds do (p = {clusters.p_shifted:.2g}): "
        f"syllables fall apart {strength}."
    ]


def _notes(clusters: Clusters, feature: str) -> list[str]:
    table = clusters.table
    number = table["label"].nunique()
    carries_duration = feature in WHOLE_SYLLABLE_FEATURES
    nulls = f"{len(clusters.permuted)} permutations of labels within session"
    if len(clusters.shifted):
        nulls += f", {len(clusters.shifted)} shifted surrogates"
    return [
        f"{len(table)} trials, k-means with {number} clusters on standardised "
        "features; a description without labels, so nothing is held out. Silhouette "
        f"{clusters.silhouette:.2f} of clusters, {clusters.label_silhouette:.2f} of syllables. "
        f"Grey: range and mean of {nulls}. A decoder can tell syllables that no clustering finds."
        + (" This feature carries the syllable's duration." if carries_duration else "")
    ]
