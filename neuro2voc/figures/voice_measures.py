"""Generated sound in numbers: every method beside what it has to be seen beside."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from neuro2voc.figures import style
from neuro2voc.recording import Recording
from neuro2voc.sound_identity import REAL
from neuro2voc.sound_summary import IDENTITY
from neuro2voc.sound_tables import MEASURES

HEIGHT, ENDS = 13.5, 30  # mm of a panel, and of titles and names together
LEVEL = 0.05
BEHIND = "#f2f2f2"  # what needs no neuron
SILENCE, LIMIT = "silence", "limit"
# From those that know least to those that know most; autoencoders come before the limit.
REFERENCES = (SILENCE, "mean", "shifted song", "rendition", "template", LIMIT, REAL)
FAR = ("silence", "mean", "shifted song")  # may lie beyond a panel, which is for what competes
ORDER = (IDENTITY, *MEASURES)
WORDS = {
    IDENTITY: "syllable\nheard",
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


def verdicts(table: pd.DataFrame, baseline: str) -> list[str]:
    """Judge every row (see `verdict`), but praise nothing that a measure praises for nothing.

    What silence does as well is 'unjudged', and so is the pitch of song in which fewer frames are
    voiced than in the baseline's, since it is compared where both sounds are voiced.
    """
    rows = table.set_index(["split", "method", "measure"])
    values, gains = rows["value"].to_dict(), rows["gain_high"].to_dict()

    def hollow(row: pd.Series) -> bool:
        silence = values.get((row["split"], SILENCE, row["measure"]), np.nan)
        more = better_is_more(row["measure"])
        reached = row["low"] <= silence if more else row["high"] >= silence
        less = gains.get((row["split"], row["method"], "pitch_share"), np.nan) < 0
        return reached or (row["measure"] == "pitch_error" and less)

    judged = [(verdict(row, baseline), row) for _, row in table.iterrows()]
    return ["unjudged" if name != "not told" and hollow(row) else name for name, row in judged]


def better_is_more(measure: str) -> bool:
    """Tell whether a larger value of a measure is the better one."""
    return MEASURES.get(measure, ("", True))[1]


def is_reference(method: str) -> bool:
    """Whether a method needs no neuron; autoencoders of the true sound end in their own word."""
    return method in REFERENCES or method.endswith((" autoencoder", "through codec"))


@style.in_style()
def draw_voice_measures(
    table: pd.DataFrame,
    recording: Recording,
    baseline: str = "syllable",
    surrogate: str = "",
    warnings: Sequence[str] = (),
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
    warnings : sequence of str
        What has to be known before any of it is believed.
    """
    splits = [name for name in SPLITS if (table["split"] == name).any()]
    splits += [name for name in table["split"].unique() if name not in splits]
    table = table[table["value"].notna()]
    measures = [name for name in ORDER if (table["measure"] == name).any()]
    methods = [name for name in table["method"].unique() if not is_reference(name)]
    table = table.assign(verdict=verdicts(table, baseline))
    own = table[table["method"].isin(methods)]
    baseline = baseline if baseline in methods else ""
    handles = _handles(own, baseline, surrogate, (table["method"] == LIMIT).any())
    columns = 2 if len(splits) > 1 else 1
    figure = style.new_figure(
        style.PAGE if len(splits) > 1 else style.COLUMN + 25,
        len(measures) * HEIGHT + ENDS,
        f"{recording.name}: generated song in numbers",
        [*_headline(own, splits, methods, baseline), *_beside_silence(table), *warnings],
        _notes(own, table, splits, methods, baseline),
        keys=-(-len(handles) // columns),
        kind=style.kind_of(recording),
    )
    places = {split: _places(table[table["split"] == split]) for split in splits}
    axes = figure.subplots(
        len(measures),
        len(splits),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=[len(names) for names in places.values()],
    )
    for row, measure in enumerate(measures):
        rows = table[table["measure"] == measure]
        _scale(axes[row, 0], rows, measure)
        for ax, split in zip(axes[row], splits, strict=True):
            part = rows[rows["split"] == split].set_index("method")
            _draw_panel(ax, part, places[split], baseline)
            if measure == "pitch_error":
                _write_shares(ax, table[table["split"] == split], places[split])
            if measure == "b1_error" and SILENCE in part.index:
                _draw_silence(ax, part.loc[SILENCE, "value"])
            if row == 0:
                _title(ax, split, part)
        if measure == "pitch_error":
            axes[row, 0].text(-0.9, 1.02, "% voiced", ha="right", **_above(axes[row, 0]))
        axes[row, 0].set_ylabel(_label(measure, "cepstral_distortion" in measures))
    for ax, names in zip(axes[-1], places.values(), strict=True):
        _name(ax, names)
    for ax in axes[:-1].ravel():
        ax.tick_params(axis="x", length=0, labelbottom=False)
    figure.align_ylabels(axes[:, 0])
    style.legend_below(figure, handles, columns)
    return figure


def _places(part: pd.DataFrame) -> list[str]:
    """Return what is drawn beside each other: what hears neurons, then what needs none."""
    names = [name for name in part["method"].unique() if name != REAL]
    known = {name: place for place, name in enumerate(REFERENCES)}
    references = [name for name in names if is_reference(name)]
    references.sort(key=lambda name: known.get(name, known[LIMIT] - 0.5))
    return [*(name for name in names if name not in references), *references]


def _name(ax: Axes, names: list[str]) -> None:
    ax.set_xticks(range(len(names)), names, rotation=50, ha="right", rotation_mode="anchor")
    for label in ax.get_xticklabels():
        if is_reference(label.get_text()):
            label.set_color(_grey(label.get_text()))


def _label(measure: str, decibels: bool) -> str:
    # A spectrogram that was given is in a unit of its own.
    unit = MEASURES.get(measure, ("", True))[0] if decibels else ""
    unit = "log scale" if measure == "b1_error" else unit
    return f"{WORDS[measure]}" + (f"\n({unit})" if unit else "")


def _title(ax: Axes, split: str, part: pd.DataFrame) -> None:
    pieces = (part["unit"] == "piece").any()
    held = SPLITS.get(split, "") if not pieces else "stretches of time held out"
    count = int(part["n_bouts"].max())
    ax.set_title(f"{split}: {held}\n{count} {_units(part)}", loc="left")


def _units(table: pd.DataFrame) -> str:
    return "pieces of about 2 s" if (table["unit"] == "piece").any() else "bouts"


def _scale(ax: Axes, rows: pd.DataFrame, measure: str) -> None:
    """Set the axis of a row of panels, the better end up."""
    near = rows[~rows["method"].isin(FAR) | (measure == "b1_error")]
    columns = ["value", "low", "high"]
    # Pitch that is wrong may be wrong by anything.
    columns += ["null_low", "null_high"] if measure != "pitch_error" else []
    values = near[columns].to_numpy().ravel()
    values = values[np.isfinite(values)]
    if measure == "b1_error":
        # Of nothing wrong there is no logarithm.
        values = values[values > 0]
        limits = values.min() / 1.5, values.max() * 1.5
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(numticks=4))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter("{x:g}")
    else:
        margin = 0.08 * np.ptp(values) or 0.05
        limits = values.min() - margin, values.max() + margin
        ax.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))  # panels are low
    ax.set_ylim(limits if better_is_more(measure) else limits[::-1])


def _draw_panel(ax: Axes, part: pd.DataFrame, places: list[str], baseline: str) -> None:
    first = sum(not is_reference(name) for name in places)
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.axvspan(first - 0.5, len(places) - 0.4, color=BEHIND, lw=0, zorder=0)
    if baseline and baseline in part.index:
        ax.axhline(part.loc[baseline, "value"], color=style.ORANGE, ls=":", lw=1.2, zorder=1)
    for x, name in enumerate(places):
        if name not in part.index:
            continue
        row = part.loc[name]
        if is_reference(name):
            _draw_reference(ax, x, row, _grey(name))
            continue
        if np.isfinite(row["null_low"]):
            low, high, mean = row[["null_low", "null_high", "null_mean"]]
            ax.bar(x, high - low, 0.6, bottom=low, color=style.PALE, lw=0, zorder=2)
            ax.plot([x - 0.3, x + 0.3], [mean, mean], color=style.GREY, lw=1, zorder=2)
        ax.plot([x, x], [row["low"], row["high"]], color=style.BLACK, zorder=4)
        ax.plot(x, row["value"], **_point(row["verdict"]), zorder=5)


def _draw_reference(ax: Axes, x: int, row: pd.Series, color: str) -> None:
    worst, best = ax.get_ylim()
    if min(worst, best) <= row["value"] <= max(worst, best):
        ax.plot([x, x], [row["low"], row["high"]], color=color, lw=0.8, zorder=3)
        ax.plot([x - 0.35, x + 0.35], [row["value"]] * 2, color=color, lw=1.6, zorder=3)
    else:
        # Of what is far, only that it is worse.
        ax.plot(x, 0.1, "v", ms=3.5, color=color, transform=ax.get_xaxis_transform())


def _write_shares(ax: Axes, table: pd.DataFrame, places: list[str]) -> None:
    """Write above the error of pitch in how many frames it could be measured."""
    rows = table.set_index(["measure", "method"])["value"]
    for x, name in enumerate(places):
        if ("pitch_error", name) in rows.index:
            ax.text(x, 1.02, f"{100 * rows['pitch_share', name]:.0f}", ha="center", **_above(ax))


def _above(ax: Axes) -> dict:
    return {"transform": ax.get_xaxis_transform(), "va": "bottom", "size": 6}


def _draw_silence(ax: Axes, value: float) -> None:
    red = {"color": style.VERMILION, "zorder": 1}
    ax.axhline(value, lw=1, **red)
    ax.text(0.01, 0.04, "red: silence", size=6, transform=ax.transAxes, **red)


def _grey(name: str) -> str:
    return style.GREEN if name == LIMIT else style.GREY


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
        "unjudged": "not judged: no null, few surrogates, or as said below",
    }
    handles = [
        Line2D([], [], **_point(name), label=word)
        for name, word in words.items()
        if (own["verdict"] == name).any()
    ]
    counts = own.groupby("method", sort=False)["null_replicates"].max().astype(int)
    counts = counts[counts > 0]
    if len(counts):
        what = f"null: range and mean of {counts.iloc[0]} {surrogate} surrogates"
        if counts.nunique() > 1:
            number = ", ".join(f"{n} ({m})" for m, n in counts.items())
            what = f"null: {surrogate} surrogates, {number}"
        handles.append(Patch(color=style.PALE, label=" ".join(what.split())))
    if baseline:
        dotted = {"color": style.ORANGE, "ls": ":", "lw": 1.2}
        handles.append(Line2D([], [], **dotted, label=f"level of “{baseline}”"))
    label = "on grey: what needs no neuron"
    label += " (limit: the simulator, told all but noise)" if limit else ""
    handles.append(Line2D([], [], color=style.GREY, lw=1.6, label=label))
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
        stand += [f"{m} (few surrogates)" for m in few]
        what += f"{_listed(stand)} better than null{beside}"
        what += f"; better than null only: {_listed(above)}" if above else ""
        lines.append(f"{what}.")
    return lines


def _beside_silence(table: pd.DataFrame) -> list[str]:
    """Say it where FALCON's B1 measure puts no song before silence."""
    rows = table[table["measure"] == "b1_error"].set_index("split")
    silence = rows.loc[rows["method"] == SILENCE, "value"]
    rows = rows[~rows["method"].map(is_reference)]
    if silence.empty or (rows["high"] < silence.reindex(rows.index)).any():
        return []
    return ["FALCON B1 puts none of them before silence: it says nothing here."]


def _is(rows: pd.DataFrame, method: str, name: str) -> bool:
    return bool(((rows["method"] == method) & (rows["verdict"] == name)).any())


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"


def _notes(
    own: pd.DataFrame, table: pd.DataFrame, splits: list[str], methods: list[str], baseline: str
) -> list[str]:
    words = [f"Lines through points are 95 % intervals over {_units(table)}."]
    if table["method"].isin(FAR).any():
        words.append("A triangle: below its panel.")
    words += [
        f"{method} was made under {_listed(made)} only."
        for method in methods
        if len(made := own.loc[own["method"] == method, "split"].unique()) < len(splits)
    ]
    heard = table[(table["measure"] == IDENTITY) & (table["method"] == REAL)]
    if len(heard):
        words.append(
            "Syllables heard: balanced accuracy of a classifier, which hears "
            f"{heard['value'].min():.2f} of the real ones."
        )
    if (table["method"] == SILENCE).any():
        words.append("What is no better than silence is not judged.")
    notes = [" ".join(words)]
    if (table["measure"] == "pitch_error").any():
        less = f"; of song with fewer of these than “{baseline}” it is not judged"
        notes.append(
            "Pitch is compared where both sounds are voiced, in the share of the original's voiced "
            f"frames that is written above the panel{less if baseline else ''}."
        )
    replicates = own["null_replicates"].max()
    if 0 < replicates < 1 / LEVEL - 1:
        smallest = 1 / (1 + replicates)
        notes.append(
            f"{replicates:.0f} surrogates show no p below {smallest:.2f}, so nothing can stand."
        )
    return notes
