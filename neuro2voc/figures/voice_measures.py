"""Generated sound in numbers: every method beside what it has to be seen beside."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neuro2voc.figures import style
from neuro2voc.recording import Recording
from neuro2voc.sound_identity import REAL
from neuro2voc.sound_summary import IDENTITY
from neuro2voc.sound_tables import MEASURES

HEIGHT = 17.0  # mm of a panel
NAME = 2.5 / HEIGHT  # of a panel, from one name of a reference to the next
LEVEL = 0.05
REFERENCES = ("silence", "mean", "shifted song", "template", "rendition", "limit", REAL)
FAR = ("silence", "mean", "shifted song")  # may lie beyond a panel, which is for what competes
ORDER = (IDENTITY, *MEASURES)
WORDS = {
    IDENTITY: "syllable heard\n(bal. accuracy)",
    "correlation": "correlation",
    "squared_error": "squared\nerror",
    "similarity": "structural\nsimilarity",
    "cepstral_distortion": "cepstral\ndistortion",
    "amplitude_error": "amplitude\nerror",
    "pitch_error": "pitch error",
    "pitch_share": "voiced\nin both",
    "b1_error": "FALCON B1",
}
SPLITS = {
    "random": "single trials held out; leaks",
    "blocked": "whole bouts held out",
    "session": "whole sessions held out",
}
VERDICTS = {
    "stands": {"mfc": style.BLUE, "mec": style.BLUE},
    "baseline": {"mfc": style.ORANGE, "mec": style.ORANGE},
    "null": {"mfc": style.ORANGE, "mec": style.BLACK, "mfcalt": "white", "fillstyle": "left"},
    "few": {"mfc": style.SKY, "mec": style.BLUE},
    "not told": {"mfc": "white", "mec": style.BLACK},
    "unjudged": {"mfc": style.GREY, "mec": style.GREY, "marker": "D"},
}


def verdict(row: pd.Series, baseline: str) -> str:
    """Say what a method shows in one measure.

    Returns
    -------
    str
        'stands': better than its null (p at most 0.05 and the interval clear of all replicates) and
        than the baseline (the interval of the gain in the same bouts lies above 0), where there is
        one. 'baseline': the baseline itself, better than its null. 'null': better than its null
        only. 'not told': not even that. 'few': better than the baseline and than all its
        surrogates, which are too few to show p = 0.05. 'unjudged': there is no null, or one of few
        surrogates, and it is no better than the baseline.
    """
    if np.isnan(row["p"]):
        return "unjudged"
    more = better_is_more(row["measure"])
    reached = row["low"] <= row["null_high"] if more else row["high"] >= row["null_low"]
    few = 1 / (1 + row["null_replicates"]) > LEVEL
    if reached or (row["p"] > LEVEL and not few):
        return "not told"
    if row["method"] == baseline:
        return "unjudged" if few else "baseline"
    better = np.isnan(row["gain"]) or row["gain_low"] > 0
    if few:
        return "few" if better else "unjudged"
    return "stands" if better else "null"


def better_is_more(measure: str) -> bool:
    """Tell whether a larger value of a measure is the better one."""
    return MEASURES.get(measure, ("", True))[1]


def is_reference(method: str) -> bool:
    """Whether a method needs no neuron; autoencoders of the true sound end in their own word."""
    return method in REFERENCES or method.endswith((" autoencoder", "through codec"))


@style.in_style()
def draw_voice_measures(
    table: pd.DataFrame, recording: Recording, baseline: str = "syllable", surrogate: str = ""
) -> Figure:
    """Draw every measure of every method: a row per measure, a column per split.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.sound_summary.judged_table`; of several splits, with the column `split`.
    recording : Recording
        The bird.
    baseline : str
        The method that others have to beat.
    surrogate : str
        Kind of the surrogates that make up the null.
    """
    splits = [name for name in SPLITS if (table["split"] == name).any()]
    splits += [name for name in table["split"].unique() if name not in splits]
    table = table[table["value"].notna()]
    measures = [name for name in ORDER if (table["measure"] == name).any()]
    methods = [name for name in table["method"].unique() if not is_reference(name)]
    table = table.assign(verdict=[verdict(row, baseline) for _, row in table.iterrows()])
    own = table[table["method"].isin(methods)]
    baseline = baseline if baseline in methods else ""
    handles = _handles(own, baseline, surrogate, (table["method"] == "limit").any())
    columns = 2 if len(splits) > 1 else 1
    figure = style.new_figure(
        style.PAGE if len(splits) > 1 else style.COLUMN + 25,
        len(measures) * HEIGHT + 18,
        f"{recording.name}: generated song in numbers",
        _headline(own, splits, methods, baseline),
        _notes(own, table),
        keys=-(-len(handles) // columns),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(len(measures), len(splits), sharex=True, sharey="row", squeeze=False)
    for row, measure in enumerate(measures):
        limits = _limits(table[table["measure"] == measure], measure)
        for column, split in enumerate(splits):
            ax = axes[row, column]
            part = table[(table["measure"] == measure) & (table["split"] == split)]
            _draw_panel(ax, part.set_index("method"), methods, baseline, limits)
            if row == 0:
                _title(ax, split, part)
        axes[row, 0].set_ylabel(_label(measure, "cepstral_distortion" in measures))
    for ax in axes[-1]:
        ax.set_xticks(range(len(methods)), methods, rotation=40, ha="right", rotation_mode="anchor")
    for ax in axes[:-1].ravel():
        ax.tick_params(axis="x", length=0, labelbottom=False)
    figure.align_ylabels(axes[:, 0])
    style.legend_below(figure, handles, columns)
    return figure


def _label(measure: str, decibels: bool) -> str:
    # A spectrogram that was given is in a unit of its own.
    unit = MEASURES.get(measure, ("", True))[0] if decibels else ""
    return f"{WORDS[measure]}" + (f"\n({unit})" if unit else "")


def _title(ax: Axes, split: str, part: pd.DataFrame) -> None:
    pieces = (part["unit"] == "piece").any()
    held = SPLITS.get(split, "") if not pieces else "stretches of time held out"
    count = int(part["n_bouts"].max())
    ax.set_title(f"{split}: {held}\n{count} {_units(part)}", loc="left")


def _units(table: pd.DataFrame) -> str:
    return "pieces of about 2 s" if (table["unit"] == "piece").any() else "bouts"


def _limits(rows: pd.DataFrame, measure: str) -> tuple[float, float]:
    """Return the worst and the best value that a row of panels shows."""
    near = rows[~rows["method"].isin(FAR)]
    columns = ["value", "low", "high"]
    # Pitch that is wrong may be wrong by anything.
    columns += ["null_low", "null_high"] if measure != "pitch_error" else []
    values = near[columns].to_numpy().ravel()
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    margin = 0.08 * (high - low) or 0.05
    low, high = low - margin, high + margin
    return (low, high) if better_is_more(measure) else (high, low)


def _draw_panel(
    ax: Axes, part: pd.DataFrame, methods: list[str], baseline: str, limits: tuple[float, float]
) -> None:
    ax.set(ylim=limits, xlim=(-0.6, len(methods) - 0.4))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))  # panels are low
    names = [name for name in part.index if is_reference(name)]
    _draw_references(ax, part.loc[names, "value"], limits)
    if baseline and baseline in part.index:
        ax.axhline(part.loc[baseline, "value"], color=style.ORANGE, ls=":", lw=1.2, zorder=1)
    for x, method in enumerate(methods):
        if method not in part.index:
            continue
        row = part.loc[method]
        if np.isfinite(row["null_low"]):
            low, high, mean = row[["null_low", "null_high", "null_mean"]]
            ax.bar(x, high - low, 0.6, bottom=low, color=style.PALE, lw=0, zorder=2)
            ax.plot([x - 0.3, x + 0.3], [mean, mean], color=style.GREY, lw=1, zorder=2)
        ax.plot([x, x], [row["low"], row["high"]], color=style.BLACK, zorder=4)
        ax.plot(x, row["value"], **_point(row["verdict"]), zorder=5)


def _draw_references(ax: Axes, values: pd.Series, limits: tuple[float, float]) -> None:
    """Draw lines with names and values to the right, pushed apart where they would overlap."""
    worst, best = limits
    place = ((values - worst) / (best - worst)).sort_values()
    beside = _apart(place.clip(0, 1).to_numpy())
    for (name, at), shown in zip(place.items(), beside, strict=True):
        inside = 0 <= at <= 1
        color = style.GREEN if name == "limit" else style.GREY
        if inside:
            dashes = "-" if name == "limit" else (0, (4, 2))
            ax.axhline(values[name], color=color, ls=dashes, lw=0.8, zorder=1)
            leader = {"color": color, "lw": 0.5, "transform": ax.transAxes, "clip_on": False}
            ax.plot([1, 1.04], [at, shown], **leader)[0].set_in_layout(False)
        arrow = "" if inside else " ↓" if at < 0 else " ↑"
        ax.annotate(
            f"{name} {_short(values[name])}{arrow}",
            (1.05, shown),
            xycoords="axes fraction",
            va="center",
            size=style.SMALL,
            color=color,
        )


def _short(value: float) -> str:
    return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"


def _apart(places: np.ndarray) -> np.ndarray:
    """Return sorted places moved as little as it takes to be a line of type apart."""
    if not len(places):
        return places
    steps = NAME * np.arange(len(places))
    low = np.maximum.accumulate(places - steps) + steps
    excess = max(0.0, low[-1] - 1)
    # What was pushed beyond the top goes down again, and pushes others down.
    high = np.minimum.accumulate((np.minimum(low, 1 if excess else low) - steps)[::-1])[::-1]
    return high + steps


def _point(name: str) -> dict:
    return {"marker": "o", "ms": 4.6, "mew": 0.8, "ls": "none", **VERDICTS[name]}


def _handles(own: pd.DataFrame, baseline: str, surrogate: str, limit: bool) -> list:
    """Return the legend: only what occurs."""
    beside = f" and than “{baseline}”" if baseline else ""
    words = {
        "stands": f"better than its null{beside}",
        "baseline": f"“{baseline}”, the baseline, better than its null",
        "null": f"better than its null, not than “{baseline}”",
        "few": f"better than its few surrogates (no p of 0.05 from these){beside}",
        "not told": "not told from its null",
        "unjudged": "not judged: no null, or few surrogates",
    }
    handles = [
        Line2D([], [], **_point(name), label=word)
        for name, word in words.items()
        if (own["verdict"] == name).any()
    ]
    counts = own.groupby("method", sort=False)["null_replicates"].max().astype(int)
    counts = counts[counts > 0]
    if len(counts):
        number = ", ".join(f"{n} ({m})" for m, n in counts.items())
        number = str(counts.iloc[0]) if counts.nunique() == 1 else number
        what = f"null: range and mean of {number} {surrogate} surrogates"
        handles.append(Patch(color=style.PALE, label=" ".join(what.split())))
    if baseline:
        dotted = {"color": style.ORANGE, "ls": ":", "lw": 1.2}
        handles.append(Line2D([], [], **dotted, label=f"level of “{baseline}”"))
    label = "what needs no neuron"
    label += " (limit: the simulator, told all but noise)" if limit else ""
    handles.append(Line2D([], [], color=style.GREY, ls=(0, (4, 2)), lw=0.8, label=label))
    return handles


def _headline(own: pd.DataFrame, splits: list[str], methods: list[str], baseline: str) -> list[str]:
    """Say in a sentence or two what the most trustworthy split shows."""
    split = "blocked" if "blocked" in splits else splits[-1]
    lines = ["Up is better in every panel."]
    for measure in ("correlation", "cepstral_distortion"):
        rows = own[(own["split"] == split) & (own["measure"] == measure)]
        if rows.empty or (rows["verdict"] == "unjudged").all():
            continue
        stand = [m for m in methods if m != baseline and _is(rows, m, "stands")]
        few = [m for m in methods if _is(rows, m, "few")]
        above = [m for m in methods if _is(rows, m, "null")]
        what = f"{split}, {measure.replace('_', ' ')}: "
        beside = f" and “{baseline}”" if baseline else ""
        what += f"{_listed(stand)} better than null{beside}"
        what += f"; so too {_listed(few)}, of few surrogates" if few else ""
        what += f"; better than null only: {_listed(above)}" if above else ""
        lines.append(f"{what}.")
    return lines


def _is(rows: pd.DataFrame, method: str, name: str) -> bool:
    return bool(((rows["method"] == method) & (rows["verdict"] == name)).any())


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"


def _notes(own: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    notes = [f"Lines through points are 95 % intervals over {_units(table)}."]
    notes[0] += " An arrow: beyond the panel."
    if (table["measure"] == IDENTITY).any():
        notes[0] += f" “{REAL}”: what the classifier makes of the real sound."
    if (table["measure"] == "pitch_error").any():
        notes.append(
            "Pitch is compared where both sounds are voiced; the share says how often that is."
        )
    replicates = own["null_replicates"].max()
    if 0 < replicates < 1 / LEVEL - 1:
        smallest = 1 / (1 + replicates)
        notes.append(
            f"{replicates:.0f} surrogates show no p below {smallest:.2f}, so nothing can stand."
        )
    return notes
