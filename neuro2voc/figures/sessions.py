"""Training on one session and testing on another, as a matrix."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.curves import Protocol
from neuro2voc.figures import style
from neuro2voc.figures.words import shortened
from neuro2voc.recording import Recording
from neuro2voc.session_transfer import HALVES

CELL = 13  # mm
MOST = 5  # sessions whose intervals and nulls are drawn
LEVEL = 0.05


@style.in_style()
def draw_sessions(table: pd.DataFrame, recording: Recording, protocol: Protocol) -> Figure:
    """Draw the balanced accuracy of every pair of training and test session.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.session_transfer.session_table`.
    recording : Recording
        The bird.
    protocol : Protocol
    """
    title = f"{recording.name}: from session to session"
    kind = style.kind_of(recording)
    if table.empty:
        words = (
            "There are too few bouts, or fewer than two syllables that every session has often "
            "enough; nothing can be said."
        )
        return style.new_figure(style.COLUMN, 2, title, [words], kind=kind)
    names = list(dict.fromkeys(table["test"]))
    halves = names == list(HALVES)
    if halves:
        title = f"{recording.name}: from half to half"
    handles = _handles(table) if len(names) <= MOST else []
    figure = style.new_figure(
        style.PAGE,
        CELL * min(len(names), 9) + 16,
        title,
        [*_headline(table, halves, recording)],
        _notes(table, names, protocol),
        keys=-(-len(handles) // 2),
        kind=kind,
    )
    if not handles:
        _draw_matrix(figure.subplots(), table, names)
        return figure
    left, right = figure.subplots(1, 2, width_ratios=[2, 3])
    _draw_matrix(left, table, names)
    _draw_rows(right, table, names)
    style.legend_below(figure, handles, 2)
    return figure


def _draw_matrix(ax: Axes, table: pd.DataFrame, names: list[str]) -> None:
    scores = table.set_index(["train", "test"])["balanced_accuracy"]
    values = np.array([[scores[train, test] for test in names] for train in names])
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1)
    for (y, x), value in np.ndenumerate(values):
        color = "white" if value > 0.6 else style.BLACK
        weight = "bold" if x == y else "normal"
        ax.text(x, y, f"{value:.2f}", ha="center", va="center", color=color, weight=weight)
    labels = [shortened(name) for name in names]
    ax.set_yticks(range(len(names)), labels)
    ax.set_xticks(range(len(names)), labels, rotation=90 if max(map(len, labels)) > 6 else 0)
    ax.set(xlabel="test", ylabel="train", title="balanced accuracy; bold: within")
    ax.tick_params(length=0)


def _draw_rows(ax: Axes, table: pd.DataFrame, names: list[str]) -> None:
    """Draw every cell with its interval and null, by test session."""
    y, ticks = 0, []
    for test in names:
        rows = table[table["test"] == test]
        rows = rows.sort_values("train", key=lambda column: column != test, kind="stable")
        for _, row in rows.iterrows():
            within = row["train"] == test
            color = style.BLACK if within else style.BLUE
            if "null_low" in row:
                span = row["null_high"] - row["null_low"]
                ax.barh(y, span, left=row["null_low"], height=0.7, color=style.PALE, lw=0)
            ax.plot([row["low"], row["high"]], [y, y], color=color)
            fill = color if stands(row) else "white"
            ax.plot(row["balanced_accuracy"], y, **_mark(within), mfc=fill, mec=color)
            n = f"{row['n_trials']} trials, {row['n_bouts']} bouts"
            ax.annotate(
                n if within else "",
                (1, y),
                xycoords=ax.get_yaxis_transform(),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                size=style.SMALL,
                color=style.GREY,
            )
            ticks.append((y, f"{shortened(row['train'])} → {shortened(test)}"))
            y += 1
        y += 0.5
    chance = table["chance"].iat[0]
    ax.axvline(chance, color=style.BLACK, lw=0.7, zorder=0)
    ax.text(
        chance,
        1.01,
        f"chance {chance:.2f}",
        transform=ax.get_xaxis_transform(),
        ha="center",
        size=style.SMALL,
    )
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set(xlim=(0, 1.02), xlabel="balanced accuracy", xticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"])
    ax.set_ylim(y - 0.7, -0.8)
    ax.tick_params(axis="y", length=0)


def stands(row: pd.Series) -> bool:
    """Tell whether a cell lies above its null: p at most 0.05, interval clear of its range."""
    return bool(row.get("p", np.nan) <= LEVEL and not row["low"] <= row["null_high"])


def _mark(within: bool) -> dict:
    return {"marker": "s" if within else "o", "ms": 4.6, "mew": 0.8, "ls": "none"}


def _handles(table: pd.DataFrame) -> list:
    handles = [
        Line2D([], [], **_mark(True), color=style.BLACK, label="within: other bouts held out"),
        Line2D([], [], **_mark(False), color=style.BLUE, label="across"),
    ]
    if "p" in table:
        hollow = _mark(False) | {"mfc": "white", "mec": style.BLACK}
        handles.append(Line2D([], [], **hollow, label="hollow: not told from its null"))
        n = int(table["null_replicates"].max())
        label = f"null: range of {n} shifted surrogates"
        handles.append(Patch(color=style.PALE, label=label))
    return handles


def _headline(table: pd.DataFrame, halves: bool, recording: Recording) -> list[str]:
    lines = []
    if halves:
        lines.append("There is one session, so the halves of its bouts take the place of sessions.")
    what = "halves" if halves else "sessions"
    if recording.surrogate:
        return [*lines, "A control: it has no null band, and nothing here is judged."]
    if "p" not in table:
        return [*lines, "There is no null band, so nothing here is judged."]
    across = table[table["train"] != table["test"]]
    good = sum(stands(row) for _, row in across.iterrows())
    share = "all" if good == len(across) else f"{good} of {len(across)}"
    lines.append(f"Across {what}, {share} pairs stand above their null. {_lost(table, what)}")
    return lines


def _lost(table: pd.DataFrame, what: str) -> str:
    # No negative zero.
    loss, low, high = table[["loss", "loss_low", "loss_high"]].iloc[0].round(2) + 0.0
    interval = f"(95 % interval {low:.2f} to {high:.2f})"
    if low > 0:
        return f"From within to across {what} {loss:.2f} of balanced accuracy is lost {interval}."
    if high < 0:
        return f"Across {what} it is even {-loss:.2f} better than within {interval}."
    return f"No loss from within to across {what} can be seen: {loss:.2f} {interval}."


def _notes(table: pd.DataFrame, names: list[str], protocol: Protocol) -> list[str]:
    size = table.groupby("train", sort=False)["n_training"].first()
    notes = [
        f"{protocol.decoder} on {protocol.feature}. Models learn from all blocks of a session's "
        "bouts but one, which is tested within, as the same block of the others is across. Lines "
        "are 95 % intervals over the bouts tested, not over those trained on. Trials: "
        + ", ".join(f"{n} of {name}" for name, n in size.items())
        + ". Classes that one of them has too rarely are left out."
    ]
    if len(names) > MOST:
        notes.append("Intervals and nulls are in the table beside the figure.")
    if "smallest_effect" in table:
        across = table.loc[table["train"] != table["test"], "smallest_effect"].max()
        if np.isfinite(across):
            notes.append(
                "Smallest rise above the null's mean that these bouts could show across: "
                f"{across:.2f} (5 %, power 80 %)."
            )
    return notes
