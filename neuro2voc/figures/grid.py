"""The grid that networks on bins choose from, beside what the nested choice gives."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from neuro2voc.evaluation import p_value
from neuro2voc.figures import style
from neuro2voc.recording import Recording

LEVEL = 0.05
MAP = colormaps["viridis"].with_extremes(bad=style.PALE)
SPAN = 0.1  # least range of the colours, so that they do not blow up what is nothing
LABELS, SCALE, WORDS = 14, 30, 17  # mm: left of the maps, for the result beside them, around rows
NUMBERED = (7, 6.6)  # mm, of the smallest cell that holds two lines of numbers
NARROW = 2.9  # mm, of the height of others
STRIP, NESTED, BEST, END = 0.5, 1.8, 3.15, 3.7  # where they stand beside the maps
CELL = ["before", "after", "smoothing"]
NULL = ["null_mean", "null_low", "null_high", "null_replicates", "p"]


def cell_table(
    grids: pd.DataFrame, metrics: Iterable[Mapping], null: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Put the cells of each network's grid beside what its nested choice decodes.

    Parameters
    ----------
    grids : DataFrame
        decoder, and the columns of `neuro2voc.network_fit.grid_table`.
    metrics : iterable of mapping
        Contents of each network's metrics.json, under one split.
    null : DataFrame, optional
        See `neuro2voc.comparison.read_null`; a surrogate has none.

    Returns
    -------
    DataFrame
        A row per network and cell: split, decoder, feature; before, after, smoothing (s); inner,
        the mean score of the first inner folds, NaN where there was one cell; chosen_by, the number
        of outer folds that chose it, of `folds`; and of the network balanced_accuracy, low, high,
        chance, n_trials, n_bouts, and where it lies in its null.
    """
    cells = grids.groupby(["decoder", "feature", *CELL], sort=False, as_index=False).agg(
        inner=("balanced_accuracy", "mean"), chosen_by=("chosen", "sum"), folds=("fold", "nunique")
    )
    cells["chosen_by"] = cells["chosen_by"].astype(int)
    names = ["balanced_accuracy", "low", "high", "chance", "n_trials", "n_bouts"]
    results = []
    for content in metrics:
        keys = {"split": content["split"], "decoder": content["decoder"]}
        for feature, cell in content["features"].items():
            found = {name: np.nan if cell[name] is None else cell[name] for name in names}
            beside = _beside_null(cell["balanced_accuracy"], null, content["decoder"], feature)
            results.append({**keys, "feature": feature, **found, **beside})
    table = cells.merge(pd.DataFrame(results), on=["decoder", "feature"], how="left")
    return table[["split", *table.columns.drop("split")]]


@style.in_style()
def draw_grid(table: pd.DataFrame, recording: Recording, surrogate: str = "") -> Figure:
    """Draw each network's grid as heat maps, and its nested score on the same scale beside them.

    Parameters
    ----------
    table : DataFrame
        See `cell_table`.
    recording : Recording
        The bird.
    surrogate : str
        Kind of the surrogates that make up the null range.
    """
    networks = [rows for _, rows in table.groupby(["decoder", "feature"], sort=False)]
    blocks = max(rows["after"].nunique() for rows in networks)
    columns = blocks * max(rows["smoothing"].nunique() for rows in networks)
    befores = max(rows["before"].nunique() for rows in networks)
    page = style.COLUMN if columns <= 4 else style.PAGE
    width = (page - LABELS - SCALE) / columns
    numbered = width >= NUMBERED[0] and befores <= 6
    height = max(22, befores * (NUMBERED[1] if numbered else NARROW)) + WORDS
    handles = _handles(table, surrogate)
    figure = style.new_figure(
        page,
        height * len(networks),
        f"{recording.name}: windows that networks chose",
        _headline(table, networks, recording),
        _notes(table, numbered),
        keys=len(handles) if page == style.COLUMN else 1,
        kind=style.kind_of(recording),
    )
    ratios = [*[(page - LABELS - SCALE) / blocks] * blocks, SCALE - 10]
    axes = figure.subplots(len(networks), blocks + 1, width_ratios=ratios, squeeze=False)
    norm = _norm(table["inner"])
    for row, rows in zip(axes, networks, strict=True):
        afters = sorted(rows["after"].unique())
        for ax in row[len(afters) : -1]:
            ax.set_axis_off()
        for ax, after in zip(row, afters, strict=False):
            _draw_map(ax, rows[rows["after"] == after], norm, width, numbered)
            first = ax is row[0]
            name = ", ".join(rows[["decoder", "feature"]].iloc[0]) if first else " "
            ax.set_title(f"{name}\nto {1000 * after:g} ms after", loc="left")
            ax.set_ylabel("from … ms before" if first else "")
            ax.tick_params(labelleft=first)
        _draw_result(row[-1], rows, norm)
    style.legend_below(figure, handles, 1 if page == style.COLUMN else len(handles))
    return figure


def _draw_map(ax: Axes, rows: pd.DataFrame, norm: Normalize, width: float, numbered: bool) -> None:
    """Draw the cells of one `after`, each `width` mm wide."""
    rows = rows.sort_values(["before", "smoothing"])
    befores, smoothings = rows["before"].unique(), rows["smoothing"].unique()
    inner, count = (
        rows[name].to_numpy().reshape(len(befores), len(smoothings))
        for name in ("inner", "chosen_by")
    )
    ax.imshow(inner, cmap=MAP, norm=norm, aspect="auto", origin="lower", interpolation="nearest")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("smoothing (ms)")
    _tick(ax.set_xticks, smoothings, width, rotation=0 if width >= 5.5 else 90)
    _tick(ax.set_yticks, befores, NARROW)
    for (i, j), chosen in np.ndenumerate(count):
        score = inner[i, j]
        words = [f"{score:.2f}"] if numbered and not np.isnan(score) else []
        if chosen:
            words.append(f"{chosen} ×" if numbered else f"{chosen}")
            mark = {"fill": False, "ec": style.VERMILION, "lw": 1.2}
            ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, **mark))
        ground = style.PALE if np.isnan(score) else to_hex(MAP(norm(score)))
        look = {"ha": "center", "va": "center", "color": style.ink_on(ground), "linespacing": 1}
        ax.text(j, i, "\n".join(words), size=style.SMALL, **look)


def _tick(set_ticks: object, seconds: Iterable[float], room: float, **kwargs: float) -> None:
    """Label cells in ms, as many as fit where each is `room` mm wide."""
    values = [f"{1000 * value:g}" for value in seconds]
    step = int(np.ceil(2.6 / room))
    set_ticks(range(0, len(values), step), values[::step], **kwargs)


def _draw_result(ax: Axes, rows: pd.DataFrame, norm: Normalize) -> None:
    """Draw what the nested choice decodes, and beside it the best cell, which is no result."""
    one = rows.iloc[0]
    ax.set(xlim=(0, END), ylim=(0, 1.02), ylabel="balanced accuracy")
    ax.axhline(one["chance"], color=style.BLACK, lw=0.7)
    if not np.isnan(one["null_low"]):
        span = one["null_high"] - one["null_low"]
        ax.bar(NESTED, span, bottom=one["null_low"], width=0.8, color=style.PALE, lw=0)
        ax.plot([NESTED - 0.4, NESTED + 0.4], [one["null_mean"]] * 2, color=style.GREY, lw=1)
    # Flat, since a narrow interval would vanish behind a round marker.
    ax.plot([NESTED, NESTED], [one["low"], one["high"]], color=style.BLACK, lw=1.6)
    ax.plot(NESTED, one["balanced_accuracy"], "_", ms=9, mew=0.8, color=style.BLACK)
    ticks = {NESTED: "outer\nfolds"}
    if rows["inner"].notna().any():
        colours = np.linspace(norm.vmin, norm.vmax, 64)[:, None]
        extent = (0, STRIP, norm.vmin, norm.vmax)
        ax.imshow(colours, cmap=MAP, norm=norm, extent=extent, aspect="auto", origin="lower")
        ax.set(xlim=(0, END), ylim=(0, 1.02))
        ax.plot(BEST, rows["inner"].max(), "D", ms=3.6, mfc="white", color=style.VERMILION)
        ticks = {STRIP / 2: "colour\nscale", NESTED: "nested\nchoice", BEST: "best\ncell"}
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.tick_params(axis="x", length=0)


def _norm(scores: pd.Series) -> Normalize:
    """Return the colours' range: that of all scores, but at least `SPAN`."""
    if scores.isna().all():
        return Normalize(0, 1)
    middle, half = (scores.max() + scores.min()) / 2, max(SPAN, scores.max() - scores.min()) / 2
    return Normalize(middle - half, middle + half)


def _beside_null(
    score: float, null: pd.DataFrame | None, decoder: str, feature: str
) -> dict[str, float]:
    if null is None:
        return dict.fromkeys(NULL, np.nan)
    rows = (null["decoder"] == decoder) & (null["feature"] == feature)
    scores = null.loc[rows, "balanced_accuracy"].to_numpy()
    values = scores.mean(), scores.min(), scores.max(), len(scores), p_value(score, scores)
    return dict(zip(NULL, values, strict=True))


def _handles(table: pd.DataFrame, surrogate: str) -> list:
    black, grey = {"color": style.BLACK}, {"color": style.PALE}
    label = "on outer folds; upright: its 95 % interval"
    handles = [Line2D([], [], marker="+", ms=6, ls="", **black, label=label)]
    if table["null_replicates"].notna().any():
        n = int(table["null_replicates"].max())
        label = " ".join(f"null: range and mean of {n} {surrogate} surrogates".split())
        handles.append(Patch(**grey, label=label))
    handles.append(Line2D([], [], lw=0.7, **black, label="chance"))
    if table["inner"].notna().any():
        look = {"marker": "D", "ms": 3.6, "mfc": "white", "color": style.VERMILION, "ls": ""}
        handles.append(Line2D([], [], **look, label="on inner folds: no result"))
    return handles


def _headline(table: pd.DataFrame, networks: list, recording: Recording) -> list[str]:
    names = _names(networks)
    found = [f"{name} {_result(rows.iloc[0])}" for name, rows in zip(names, networks, strict=True)]
    single = table["inner"].isna().all()
    lead = "Outer folds are decoded" if single else "Nested choice decodes"
    lines = [f"{lead}: {'; '.join(found)}."]
    if recording.surrogate:
        lines.append("A control; it has no null band.")
    if single:
        return [*lines, "There was nothing to choose: the grid has one cell."]
    best = [
        f"{rows['inner'].max():.2f} ({name}, of {len(rows)})"
        for name, rows in zip(names, networks, strict=True)
        if rows["inner"].notna().any()
    ]
    return [
        *lines,
        f"The best cell's mean on inner folds, {', '.join(best)}, is no result: it was picked for "
        "being highest, and the same folds stopped its training.",
    ]


def _names(networks: list) -> list[str]:
    """Name networks, with their feature where there are several."""
    keys = [tuple(rows[["decoder", "feature"]].iloc[0]) for rows in networks]
    one = len({feature for _, feature in keys}) == 1
    return [decoder if one else f"{decoder} on {feature}" for decoder, feature in keys]


def _result(one: pd.Series) -> str:
    words = f"{one['balanced_accuracy']:.2f}"
    if not np.isnan(one["low"]):
        words += f" ({one['low']:.2f} to {one['high']:.2f})"
    if np.isnan(one["p"]):
        return f"{words}, not judged"
    above = one["p"] <= LEVEL and one["low"] > one["null_high"]
    return f"{words}, {'above' if above else 'not told from'} its null (p = {one['p']:.2f})"


def _notes(table: pd.DataFrame, numbered: bool) -> list[str]:
    one = table.iloc[0]
    notes = [
        f"Split {one['split']}: {one['n_trials']:.0f} trials of {one['n_bouts']:.0f} bouts, chance "
        f"{one['chance']:.2f}; intervals are over bouts."
    ]
    if table["inner"].notna().any():
        what = "The upper number in a cell" if numbered else "Colours"
        seen = "is" if numbered else "are"
        digits = "n × below it" if numbered else "framed, with a number"
        notes.append(
            f"Before and after are of the window's alignment. {what} {seen} the balanced accuracy "
            f"on the first inner fold, mean of {one['folds']} outer folds (the colour "
            f"scale shows where they lie); {digits}: how many of them chose the cell. Each chooses "
            "by its own inner fold, and is judged by trials that had no say."
        )
    replicates = table["null_replicates"].max()
    if replicates > 0:
        notes.append("Surrogates see the cell that most folds chose.")
        if replicates < 1 / LEVEL - 1:
            notes[-1] += (
                f" {replicates:.0f} of them can show no p below {1 / (1 + replicates):.2f}, so "
                "nothing can stand above its null."
            )
    return notes
