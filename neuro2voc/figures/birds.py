"""Several birds beside each other: one dot per bird, and one bird's decoder on another."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import t

from neuro2voc.across import HOWS
from neuro2voc.errors import DataError
from neuro2voc.figures import style
from neuro2voc.figures.comparison import verdict

ROW, PAIR = 6, 4.2  # mm
MOST = 190  # mm that pairs of birds may take together, so that the figure fits a page
LEVEL = 0.05


def birds_table(tables: dict[str, pd.DataFrame], split: str) -> pd.DataFrame:
    """Put the decodings of several birds together.

    Parameters
    ----------
    tables : dict of DataFrame
        By bird: see `neuro2voc.comparison.comparison_table`.
    split : str

    Returns
    -------
    DataFrame
        bird, decoder, feature, balanced_accuracy, null_mean, above (how much the accuracy is above
        the null's mean), p, verdict, n_trials, n_bouts. What has no null is left out.

    Raises
    ------
    DataError
        No bird has a null under this split.
    """
    rows = []
    for bird, table in tables.items():
        cells = table[(table["split"] == split) & table["null_mean"].notna()]
        for _, row in cells.iterrows():
            keys = ["decoder", "feature", "balanced_accuracy", "null_mean", "p"]
            above = row["balanced_accuracy"] - row["null_mean"]
            counts = {name: int(row[name]) for name in ("n_trials", "n_bouts")}
            rows.append(
                {"bird": bird, **row[keys], "above": above, "verdict": verdict(row), **counts}
            )
    if not rows:
        raise DataError(
            f"No bird of {', '.join(tables)} has a null under the split '{split}', so there is "
            "nothing to put beside each other; name birds that are no controls under `birds`, or "
            "another split under `curves`."
        )
    return pd.DataFrame(rows)


@style.in_style()
def draw_many_birds(table: pd.DataFrame, split: str, kinds: dict[str, str]) -> Figure:
    """Draw one dot per bird: how far each decoding lies above its null.

    Parameters
    ----------
    table : DataFrame
        See `birds_table`.
    split : str
    kinds : dict of str
        By bird: see `neuro2voc.figures.style.kind_of`.
    """
    birds = list(dict.fromkeys(table["bird"]))
    cells = list(dict.fromkeys(zip(table["feature"], table["decoder"], strict=True)))
    real = [bird for bird in birds if "simulated" not in kinds[bird]]
    # Simulated birds say nothing of birds, so that a mean over both would mean nothing.
    alike = real or birds
    looks = _looks(birds)
    handles = [
        Line2D([], [], ls="none", label=_named(bird, real, birds), **looks[bird]) for bird in birds
    ]
    handles.append(Line2D([], [], ls="none", marker="o", mfc="white", mec="k", label="open: fails"))
    if len(alike) > 2:
        of = "real birds" if len(alike) < len(birds) else "birds"
        handles.append(Line2D([], [], color="k", marker="|", label=f"mean over {of}, 95 %"))
    stamp = "" if not real else f"{len(birds) - len(real)} of them simulated"
    figure = style.new_figure(
        style.COLUMN,
        ROW * len(cells) + 14,
        f"One dot per bird: {_birds(len(birds))}",
        [_many_headline(table, cells, birds), f"Split {split}. Right: how many birds stand."],
        [
            "Distance from the mean of a bird's own null, so that birds with different numbers of "
            "syllables can be compared. Open: does not stand against every control of that bird's "
            "comparison. " + _trials_of(table)
        ],
        keys=-(-len(handles) // 2),
        kind="simulated" if not real else stamp if len(real) < len(birds) else "",
    )
    ax = figure.subplots()
    ax.axvline(0, color=style.GREY, lw=0.6)
    for y, (feature, decoder) in enumerate(cells):
        rows = table[(table["feature"] == feature) & (table["decoder"] == decoder)]
        ax.axhline(y + 0.5, color=style.PALE, lw=0.4)
        for row in rows.itertuples():
            place = y + 0.44 * ((birds.index(row.bird) + 0.5) / len(birds) - 0.6)
            face = {} if row.verdict == "stands" else {"mfc": "white"}
            ax.plot(row.above, place, ls="none", ms=3.5, **{**looks[row.bird], **face})
        _draw_mean(ax, y + 0.34, rows.loc[rows["bird"].isin(alike), "above"])
        count = f"{(rows['verdict'] == 'stands').sum()} of {len(rows)}"
        style.name_beside(ax, y, count, style.BLACK)
    ax.set(ylim=(len(cells) - 0.5, -0.5), xlabel="balanced accuracy above the null's mean")
    ax.set_yticks(range(len(cells)), [f"{feature}, {decoder}" for feature, decoder in cells])
    ax.tick_params(axis="y", length=0)
    style.legend_below(figure, handles, 2)
    return figure


def _looks(birds: list[str]) -> dict[str, dict]:
    """Give each bird a colour and a shape; shapes change where colours begin again."""
    colors, n = style.colors_of(birds, style.SYLLABLES), len(style.SYLLABLES)
    shapes = {bird: "os^Dv"[i // n % 5] for i, bird in enumerate(sorted(birds))}
    return {bird: {"color": colors[bird], "marker": shapes[bird]} for bird in birds}


def _named(bird: str, real: list[str], birds: list[str]) -> str:
    mixed = 0 < len(real) < len(birds)
    return f"{bird} (simulated)" if mixed and bird not in real else bird


def _birds(n: int) -> str:
    return "1 bird" if n == 1 else f"{n} birds"


def _draw_mean(ax: Axes, y: float, above: pd.Series) -> None:
    """Draw the mean over birds and its 95 % interval (Student's t), from three birds on."""
    if len(above) < 3:
        return
    mean, sem = above.mean(), above.std(ddof=1) / np.sqrt(len(above))
    half = t.ppf(0.975, len(above) - 1) * sem
    ax.plot([mean - half, mean + half], [y, y], color="k", lw=1.2, solid_capstyle="butt")
    ax.plot(mean, y, "|", color="k", ms=5)


def _many_headline(table: pd.DataFrame, cells: list, birds: list[str]) -> str:
    stands = table.assign(stands=table["verdict"] == "stands").groupby(["feature", "decoder"])
    every, some = stands["stands"].all().sum(), stands["stands"].any().sum()
    whole = "the bird stands" if len(birds) == 1 else "every bird stands"
    none = f" In {len(cells) - some} no bird does." if len(birds) > 1 and some < len(cells) else ""
    return f"In {every} of {len(cells)} decodings {whole} against all its controls.{none}"


def _trials_of(table: pd.DataFrame) -> str:
    of = table.groupby("bird", sort=False)[["n_trials", "n_bouts"]].first()
    return f"{_span(of['n_trials'])} trials in {_span(of['n_bouts'])} bouts a bird."


def _span(values: pd.Series) -> str:
    low, high = round(values.min()), round(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


@style.in_style()
def draw_across(table: pd.DataFrame, feature: str, simulated: bool) -> Figure:
    """Draw every bird decoded by every other bird's decoder.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.across.across_birds`.
    feature : str
    simulated : bool
        Whether any of the birds is simulated.
    """
    hows = [how for how in ("calibrated", "transferred") if (table["how"] == how).any()]
    pairs = table[table["how"] == "calibrated"]
    handles = [
        Line2D([], [], ls="none", marker="o", mfc=style.BLUE, mec=style.BLUE, label="p ≤ 0.05"),
        Line2D([], [], ls="none", marker="o", mfc="white", mec=style.BLACK, label="p > 0.05"),
        Patch(color=style.PALE, label="null: wrong correspondences"),
        Line2D([], [], color=style.GREEN, lw=2, label="its own decoder"),
        Line2D([], [], color=style.GREY, ls="--", label="chance"),
    ]
    figure = style.new_figure(
        style.PAGE if len(hows) > 1 else style.COLUMN,
        min(PAIR * len(pairs), MOST) + 19,
        "One bird's decoder on another bird's neurons",
        [_across_headline(table, hows)],
        [_across_note(table, hows, feature)],
        keys=-(-len(handles) // (3 if len(hows) > 1 else 2)),
        kind="simulated" if simulated else "",
    )
    axes = figure.subplots(1, len(hows), sharey=True, squeeze=False)[0]
    own = table[table["how"] == "within"].set_index("tested")["balanced_accuracy"]
    for ax, how in zip(axes, hows, strict=True):
        for y, row in enumerate(table[table["how"] == how].itertuples()):
            ax.fill_betweenx([y - 0.3, y + 0.3], row.null_low, row.null_high, color=style.PALE)
            ax.plot([row.low, row.high], [y, y], color=style.BLACK)
            told = row.p <= LEVEL
            face, edge = (style.BLUE, style.BLUE) if told else ("white", style.BLACK)
            ax.plot(row.balanced_accuracy, y, "o", ms=4, mfc=face, mec=edge)
            if how == "calibrated":
                ax.plot([own[row.tested]] * 2, [y - 0.35, y + 0.35], color=style.GREEN, lw=2)
            ax.plot([row.chance] * 2, [y - 0.5, y + 0.5], "--", color=style.GREY)
        ax.set_title(f"{how}:\n{HOWS[how]}", loc="left")
        ax.set(xlim=(0, 1.02), ylim=(len(pairs) - 0.5, -0.5), xlabel="balanced accuracy")
        ax.tick_params(axis="y", length=0)
    names = [f"{row.trained} → {row.tested}" for row in pairs.itertuples()]
    axes[0].set_yticks(range(len(pairs)), names)
    style.legend_below(figure, handles, 3 if len(hows) > 1 else 2)
    return figure


def _across_headline(table: pd.DataFrame, hows: list[str]) -> str:
    last = table[table["how"] == hows[-1]]
    told, n = int((last["p"] <= LEVEL).sum()), len(last)
    what = {
        "transferred": "tells syllables apart that the map to it has not seen",
        "calibrated": "fits the other's syllables better than under wrong names",
    }
    text = f"In {told} of {n} pairs one bird's decoder {what[hows[-1]]}; {LEVEL * n:.2g} would by"
    orders = int(last["null_replicates"].min())
    few = f" With {orders} wrong correspondences p cannot be below {1 / (1 + orders):.2f}."
    return f"{text} accident.{few if 1 / (1 + orders) > LEVEL else ''}"


def _across_note(table: pd.DataFrame, hows: list[str], feature: str) -> str:
    own = table[table["how"] == "within"]
    transferred = (
        "Transferred: without the two syllables that are then told apart."
        if "transferred" in hows
        else "With fewer than five common syllables no map can be fitted without two of them."
    )
    return (
        "A linear map from the tested bird's neurons into the space of the trained bird's decoder "
        "is fitted on the tested bird's training bouts. Calibrated: with all syllables. "
        f"{transferred} Null: the trained bird's syllables change names. Feature {feature}; "
        f"{_span(own['n_trials'])} trials of {_span(1 / own['chance'])} syllables in "
        f"{_span(own['n_bouts'])} bouts a bird; lines are 95 % intervals over bouts of the tested "
        "bird."
    )
