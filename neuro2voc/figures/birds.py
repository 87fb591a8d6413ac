"""Several birds beside each other: one dot per bird, and one bird's decoder on another."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import t

from neuro2voc.across import HOWS
from neuro2voc.figures import style
from neuro2voc.figures.comparison import verdict

ROW = 4.2  # mm
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
        the null's mean), p, verdict, n_trials, n_bouts.
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
    colors = style.colors_of(birds, style.SYLLABLES)
    handles = [Line2D([], [], ls="none", marker="o", color=colors[b], label=b) for b in birds]
    handles.append(Line2D([], [], ls="none", marker="o", mfc="white", mec="k", label="open: fails"))
    if len(birds) > 2:
        handles.append(Line2D([], [], color="k", lw=2, label="mean over birds, 95 %"))
    simulated = sum("simulated" in kind for kind in kinds.values())
    stamp = "simulated" if simulated == len(birds) else f"{simulated} of them simulated"
    figure = style.new_figure(
        style.COLUMN,
        ROW * len(cells) + 14,
        f"{len(birds)} birds: one dot per bird",
        [_many_headline(table, birds), f"Split {split}."],
        [
            "Distance from the mean of a bird's own null, so that birds with different numbers of "
            "syllables can be compared. Open dots do not stand against every control of their "
            "bird's comparison."
        ],
        keys=-(-len(handles) // 3),
        kind=stamp if simulated else "",
    )
    ax = figure.subplots()
    for y, (feature, decoder) in enumerate(cells):
        rows = table[(table["feature"] == feature) & (table["decoder"] == decoder)]
        offsets = np.linspace(-0.2, 0.2, len(birds)) if len(birds) > 1 else [0.0]
        for row in rows.itertuples():
            color = colors[row.bird]
            face = color if row.verdict == "stands" else "white"
            place = y + offsets[birds.index(row.bird)]
            ax.plot(row.above, place, "o", ms=3.5, mfc=face, mec=color)
        if len(rows) > 2:
            mean, sem = rows["above"].mean(), rows["above"].std(ddof=1) / np.sqrt(len(rows))
            half = t.ppf(0.975, len(rows) - 1) * sem
            ax.plot([mean - half, mean + half], [y, y], color="k", lw=2, solid_capstyle="butt")
    ax.axvline(0, color=style.GREY, lw=0.6)
    ax.set(ylim=(len(cells) - 0.5, -0.5), xlabel="balanced accuracy above the null's mean")
    ax.set_yticks(range(len(cells)), [f"{feature}, {decoder}" for feature, decoder in cells])
    ax.tick_params(axis="y", length=0)
    style.legend_below(figure, handles, 3)
    return figure


def _many_headline(table: pd.DataFrame, birds: list[str]) -> str:
    standing = table[table["verdict"] == "stands"].groupby(["feature", "decoder"])["bird"].nunique()
    best = int(standing.max()) if len(standing) else 0
    return f"At most {best} of {len(birds)} birds stand against every control in one cell."


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
        Line2D([], [], ls="none", marker="o", mfc="white", mec=style.BLACK, label="not told"),
        Patch(color=style.PALE, label="null: wrong correspondences"),
        Line2D([], [], color=style.GREEN, lw=2, label="its own decoder"),
        Line2D([], [], color=style.GREY, ls="--", label="chance"),
    ]
    figure = style.new_figure(
        style.PAGE if len(hows) > 1 else style.COLUMN,
        ROW * len(pairs) + 16,
        "One bird's decoder on another bird's neurons",
        [_across_headline(table, hows)],
        [
            "A linear map from the tested bird's neurons into the space of the trained bird's "
            "decoder is fitted on the tested bird's training bouts. Calibrated: with all "
            "syllables. Transferred: without the two syllables that are then told apart. Null: "
            f"the trained bird's syllables change names. Feature {feature}, lines are 95 % "
            "intervals over bouts of the tested bird."
        ],
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
        ax.set_title(f"{how}: {HOWS[how]}", loc="left")
        ax.set(xlim=(0, 1.02), ylim=(len(pairs) - 0.5, -0.5), xlabel="balanced accuracy")
        ax.tick_params(axis="y", length=0)
    names = [f"{row.trained} → {row.tested}" for row in pairs.itertuples()]
    axes[0].set_yticks(range(len(pairs)), names)
    style.legend_below(figure, handles, 3 if len(hows) > 1 else 2)
    return figure


def _across_headline(table: pd.DataFrame, hows: list[str]) -> str:
    last = table[table["how"] == hows[-1]]
    told = int((last["p"] <= LEVEL).sum())
    what = {
        "transferred": "a correspondence of syllables that lets one bird's decoder tell syllables "
        "of the other it was not mapped with",
        "calibrated": "a better fit of the right correspondence of syllables than of wrong ones",
    }
    return f"{told} of {len(last)} pairs show {what[hows[-1]]}."
