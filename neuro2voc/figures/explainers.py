"""SHAP values beside two other explainers, and where they disagree."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.explainers import ABLATIONS, LEVEL, MEASURES, REFITS
from neuro2voc.figures import style
from neuro2voc.figures.depth import (
    height_of_rows,
    in_rows,
    label_rows,
    mark_regions,
    region_colors,
)
from neuro2voc.figures.players import are_bins, noun_of, number_of
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording

LOSS = "loss of balanced accuracy"
TITLES = {
    "importance": (
        "SHAP values: how far the {player}\nmoves the models' margins",
        "mean |SHAP value| (nats)",
    ),
    "permutation": ("permuted: the same models, the\n{player}'s held-out trials mixed", LOSS),
    "ablation": ("left out: models fitted anew,\nwhere others can stand in", LOSS),
}
DOTS = (0, (1, 2))
NAMED = 6  # players by name in one sentence
CLOSEST = 1.9  # mm between two names


@style.in_style()
def draw_explainers(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw three measures of every player side by side.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.explainers.explainers`.
    recording : Recording
        The bird.
    protocol : Protocol
        That of the SHAP values.
    """
    in_bins = are_bins(table)
    rows = in_rows(table.assign(name=_names(table)))
    height = max(height_of_rows(len(rows)), 12)
    handles = _handles(rows)
    figure = style.new_figure(
        style.PAGE,
        height + 20,
        f"{recording.name}: three explainers of what is decoded from {protocol.feature}",
        [_headline(rows), *_disagreements(rows)],
        _notes(rows, protocol),
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(1, 3, sharey=True)
    axes[1].sharex(axes[2])
    for ax, name in zip(axes, MEASURES, strict=True):
        _draw_measure(ax, rows, name)
        title, label = TITLES[name]
        ax.set_title(title.format(player=noun_of(rows)), loc="left")
        ax.set_xlabel(label if rows[f"{name}_p"].notna().any() else f"{label} (not judged)")
        ax.axvline(0, color=style.BLACK, lw=0.7, zorder=1)
    axes[0].set_xlim(left=0)
    if in_bins:
        _label_bins(axes[0], rows, protocol)
    else:
        label_rows(axes[0], rows, height)
        mark_regions(axes[2], rows)
        if rows["depth"].notna().any():
            _name_disagreements(axes[0], rows, height)
    for ax in axes[1:]:
        ax.set_ylabel("")
    style.legend_below(figure, handles, 2)
    return figure


def _names(table: pd.DataFrame) -> pd.Series:
    """Return how players are called: units by their names, bins of time by their ends (ms)."""
    if table["start"].isna().all():
        return table["unit"].map(shortened)
    ends = [(table[end] * 1000).round().astype(int).astype(str) for end in ("start", "stop")]
    return (ends[0] + " to " + ends[1]).str.replace("-", "−")


def _label_bins(ax: Axes, rows: pd.DataFrame, protocol: Protocol) -> None:
    ax.set_yticks(rows["row"], rows["name"])
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.tick_params(axis="y", length=1.5)
    ax.set_ylabel(f"bins of {protocol.feature} (ms)")


def _disagrees(rows: pd.DataFrame) -> pd.Series:
    """Say of which players some explainers see what others do not, or none sees what is joint."""
    agreed = rows["found_by"].isin(["", ", ".join(_judges(rows))])
    return ~agreed | _joint(rows)


def _joint(rows: pd.DataFrame) -> pd.Series:
    return (rows["found_by"] == "") & (rows["evidence_p"] <= LEVEL)


def _judges(rows: pd.DataFrame) -> list[str]:
    """Return the words of the explainers that have a null."""
    return [word for name, word in MEASURES.items() if rows[f"{name}_p"].notna().any()]


def _draw_measure(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    colors = region_colors(rows)
    if name == "ablation":
        least = rows["ablation_least"].iat[0]
        ax.axvspan(-least, least, color=style.PALE, alpha=0.6, lw=0, zorder=0)
    for y in rows.loc[_disagrees(rows), "row"]:
        ax.axhline(y, color=style.BLACK, lw=0.6, ls=DOTS, zorder=0.5)
    for _, row in rows.iterrows():
        color, y = colors[row["location"]], row["row"]
        if name != "ablation":
            low, high, mean = (row[f"{name}_null_{end}"] for end in ("low", "high", "mean"))
            ax.plot([low, high], [y, y], color=style.PALE, lw=2.2, zorder=1)
            ax.plot(mean, y, "|", ms=3, color=style.GREY, zorder=2)
        if name != "importance":
            ax.plot([row[f"{name}_low"], row[f"{name}_high"]], [y, y], color=color, lw=0.7)
        face = color if MEASURES[name] in row["found_by"] else "white"
        ax.plot(row[name], y, "o", ms=3.2, mfc=face, mec=color, mew=0.8, zorder=3)


def _name_disagreements(ax: Axes, rows: pd.DataFrame, height: float) -> None:
    """Write the names of units that explainers do not agree on beside their rows, at the right."""
    below = -np.inf
    for row in rows[_disagrees(rows)].itertuples():
        if (row.row - below) * height / len(rows) > CLOSEST:
            style.name_beside(ax, row.row, row.name, style.BLACK)
            below = row.row


def _handles(rows: pd.DataFrame) -> list:
    point = {"marker": "o", "ms": 3.2, "mec": style.BLACK, "ls": "none"}
    handles = []
    if rows["importance_null_mean"].notna().any():
        handles.append(Patch(color=style.PALE, label="null: range of shifted surrogates, and mean"))
    handles += [
        Patch(color=style.PALE, alpha=0.6, label="left out: what other seeds of the models do"),
        Line2D(
            [],
            [],
            mfc=style.BLACK,
            **point,
            label="beyond that (p ≤ 0.05 for all), any interval above 0",
        ),
        Line2D([], [], mfc="white", **point, label="not beyond it, or not judged"),
        Line2D([], [], color=style.BLACK, lw=0.7, label="95 % interval over bouts"),
    ]
    if _disagrees(rows).any():
        label = "explainers disagree, or none sees what pairs say: named"
        handles.append(Line2D([], [], color=style.BLACK, lw=0.8, ls=DOTS, label=label))
    return handles


def _headline(rows: pd.DataFrame) -> str:
    judges = _judges(rows)
    every = (rows["found_by"] == ", ".join(judges)).sum()
    whole = number_of(rows)
    words = f"{every or 'None'} of {whole} stand{'s' if every <= 1 else ''} out by "
    words += "all three explainers" if len(judges) == 3 else " and ".join(judges)
    ranks = [rows[f"rho_importance_{name}"].iat[0] for name in ("permutation", "ablation")]
    if not np.isnan(ranks).any():
        words += f"; rank correlation of SHAP values with permutation {ranks[0]:.2f}, with "
        words += f"ablation {ranks[1]:.2f}".replace("-", "−")
    score, chance = (rows[name].iat[0] for name in ("balanced_accuracy", "chance"))
    return f"{words}. The models' balanced accuracy is {score:.2f}, chance is {chance:.2f}."


def _disagreements(rows: pd.DataFrame) -> list[str]:
    """Say whom only some explainers see, and what the numbers say of why."""
    seen = rows[_disagrees(rows)].iloc[::-1]
    return [_why(found, group, rows) for found, group in seen.groupby("found_by", sort=False)]


def _why(found: str, group: pd.DataFrame, rows: pd.DataFrame) -> str:
    shap, permutation, ablation = MEASURES.values()
    who, least = _listed(list(group["name"]), NAMED), rows["ablation_least"].iat[0]
    permuted, left = (_span(group[name]) for name in ("permutation", "ablation"))
    loss = f"loss permuted {permuted}, left out {left}"
    if not found:
        return (
            f"None sees {who}, whose interactions stand out: what only a pair tells changes few "
            f"decisions among all others ({loss})."
        )
    if found == shap and permutation in _judges(rows):
        changed = _span(100 * group["permutation_changed"], 0)
        return (
            f"Only SHAP values see {who}: margins move, but permuting changes {changed} % of "
            f"decisions for a net loss of {permuted} (left out {left})."
        )
    if shap in found and ablation not in found:
        spared = (group["ablation_high"] < group["permutation"]).all()
        why = "others stand in" if spared else "others may stand in, or the loss is small"
        return (
            f"Ablation does not see {who}: {why}, with a loss of {permuted} permuted, {left} left "
            f"out, where less than {least:.3f} or an interval down to 0 does not count."
        )
    if shap in found:
        everyone = f"models of all {noun_of(rows)}s"
        return f"Permutation does not see {who}: {everyone} rely on others more ({loss})."
    joint = list(group.loc[group["evidence_p"] <= LEVEL, "name"])
    words = f"; the interactions of {_listed(joint, NAMED)} stand out" if joint else ""
    return (
        f"SHAP values do not see {who}, {found.replace(', ', ' and ')} would: decisions change, "
        f"though margins move no more than by chance ({loss}){words}."
    )


def _span(values: pd.Series, digits: int = 3) -> str:
    """Return the range of some numbers in words, without a negative zero."""
    ends = [f"{round(end, digits) + 0.0:.{digits}f}" for end in (values.min(), values.max())]
    return " to ".join(dict.fromkeys(ends)).replace("-", "−")


def _listed(names: list[str], most: int = 99) -> str:
    """Return names as they are listed in a sentence."""
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _notes(rows: pd.DataFrame, protocol: Protocol) -> list[str]:
    first = rows.iloc[0]
    notes = [
        f"Boosted trees on {protocol.feature}, split '{protocol.split}': {first['n_trials']} "
        f"trials in {first['n_bouts']} bouts, all held out. Left out: {ABLATIONS} models without "
        f"the {noun_of(rows)} against {REFITS} with it, which differ in their seeds ("
        f"{first['refits']:.3f}, SD {first['refits_sd']:.3f})."
    ]
    if not first["shifted"]:
        notes.append(
            "Without shifted birds of its own, a surrogate's permutation is not judged; its SHAP "
            "values are seen beside those of its parent's."
        )
    return notes
