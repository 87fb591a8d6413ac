"""Neurons from the voice, drawn: original above generated above null."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro2voc.figures import style
from neuro2voc.frames import Frames
from neuro2voc.neural_vae import depth_order
from neuro2voc.recording import Recording
from neuro2voc.voice_to_neurons import CONSTANT, JOINT, LATENTS, PSTH, RIDGE, TRUE
from neuro2voc.voice_to_neurons_report import ReverseReport, smoothed

HEIGHT = 130  # mm
SHOWN = 1.6  # s of a bout
NAMES = {
    CONSTANT: "constant",
    PSTH: "mean of label",
    RIDGE: "ridge",
    LATENTS: "vocal latents",
    JOINT: "joint VAE",
    TRUE: "true rates",
}
COLORS = {
    PSTH: style.GREEN,
    RIDGE: style.BLACK,
    LATENTS: style.ORANGE,
    JOINT: style.BLUE,
    TRUE: style.PURPLE,
}


@style.in_style()
def draw_voice_to_neurons(
    report: ReverseReport, recording: Recording, frames: Frames, split: str
) -> Figure:
    """Draw what neurons do, as it is generated from the voice.

    Parameters
    ----------
    report : ReverseReport
    recording : Recording
    frames : Frames
    split : str
        Its name.
    """
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: neurons from the voice",
        [headline(report)],
        [_note(report, split)],
        kind=style.kind_of(recording),
    )
    grid = figure.add_gridspec(2, 1, height_ratios=[1.9, 1])
    images = [("original", report.problem.count), ("joint VAE", report.made[JOINT])]
    if report.null is not None:
        images.append(("shifted", report.null))
    upper = grid[0].subgridspec(1 + len(images), 1)
    _draw_example(figure, upper, report, recording, frames, images)
    lower = grid[1].subgridspec(1, 3)
    methods = report.methods.set_index("method")
    _draw_methods(figure.add_subplot(lower[0]), methods)
    _draw_correlations(figure.add_subplot(lower[1]), report.units)
    _draw_units(figure.add_subplot(lower[2]), report.units)
    return figure


def headline(report: ReverseReport) -> str:
    """Return the numbers that have to be seen first."""
    table = report.methods.set_index("method")
    words = [
        f"{NAMES[name]} {table.loc[name, 'explained']:.3f}"
        for name in (JOINT, RIDGE, PSTH)
        if name in table.index
    ]
    text = f"Held-out deviance explained: {', '.join(words)}"
    if report.null is not None:
        text += f"; shifted control {table.loc[JOINT, 'null_mean']:.3f}"
    if TRUE in table.index:
        text += f"; true rates, which none can pass, {table.loc[TRUE, 'explained']:.3f}"
    return text + "."


def example_bout(report: ReverseReport) -> int:
    """Return the held-out bout of median length; nobody picks it."""
    held = report.problem.fold >= 0
    names, counts = np.unique(report.problem.bout[held], return_counts=True)
    return int(names[np.lexsort((names, counts))[(len(names) - 1) // 2]])


def _draw_example(
    figure: Figure,
    grid: object,
    report: ReverseReport,
    recording: Recording,
    frames: Frames,
    images: list,
) -> None:
    problem, bout = report.problem, example_bout(report)
    rows = np.flatnonzero((problem.bout == bout) & (problem.fold >= 0))
    rows = rows[: int(SHOWN / problem.windows.bin)]
    first, last = problem.row[rows[0]], problem.row[rows[-1]] + problem.windows.width
    extent = (0.0, (last - first) * frames.hop)
    ax = figure.add_subplot(grid[0])
    known = frames.frequencies is not None
    top = frames.frequencies[-1] / 1000 if known else frames.level.shape[1]
    ax.imshow(
        frames.level[first:last].T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        interpolation="nearest",
        extent=(*extent, 0, top),
    )
    ax.set(ylabel="kHz" if known else "band", xticklabels=[])
    ax.set_title(f"bout {bout}, held out: voice, and rates of units by depth", loc="left")
    order = depth_order(recording)
    rates = smoothed(problem.count, problem.bout, problem.windows.bin)
    mean, scale = rates.mean(0), np.maximum(rates.std(0), 1e-9)
    axes = []
    for i, (name, values) in enumerate(images, start=1):
        ax = figure.add_subplot(grid[i])
        axes.append(ax)
        shown = (smoothed(values, problem.bout, problem.windows.bin)[rows] - mean) / scale
        image = ax.imshow(
            shown[:, order].T,
            aspect="auto",
            cmap="RdBu_r",
            vmin=-2.5,
            vmax=2.5,
            interpolation="nearest",
            extent=(*extent, len(order), 0),
        )
        ax.set_ylabel(name)
        ax.set_yticks([])
        if i < len(images):
            ax.set_xticklabels([])
    ax.set_xlabel("time (s)")
    bar = figure.colorbar(image, ax=figure.axes, aspect=30, fraction=0.02, pad=0.01)
    bar.set_label("rate (SD from its mean)")
    bar.outline.set_visible(False)


def _draw_methods(ax: Axes, table: pd.DataFrame) -> None:
    names = [name for name in (PSTH, RIDGE, LATENTS, JOINT) if name in table.index]
    for x, name in enumerate(names):
        row, color = table.loc[name], COLORS[name]
        ax.plot([x, x], [row["low"], row["high"]], color=color, lw=1)
        ax.plot(x, row["explained"], "o", color=color, ms=4)
        if np.isfinite(row.get("null_mean", np.nan)):
            ends = [row["null_low"], row["null_high"]]
            ax.plot([x + 0.25] * 2, ends, color=color, lw=3, alpha=0.3)
            ax.plot(x + 0.25, row["null_mean"], "o", color=color, mfc="white", ms=3.5)
    ax.axhline(0, color=style.BLACK, lw=0.7)
    if TRUE in table.index:
        limit = table.loc[TRUE, "explained"]
        ax.axhline(limit, color=style.PURPLE, ls=":", lw=1.2)
        ax.annotate(
            "true rates",
            (0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(2, -8),
            textcoords="offset points",
            color=style.PURPLE,
            size=style.SMALL,
        )
    ax.set_xticks(range(len(names)), [NAMES[name].replace(" ", "\n") for name in names])
    ax.set_xlim(-0.5, len(names) - 0.3)
    ax.set_ylabel("deviance explained")
    ax.set_title("all units; hollow: shifted", loc="left")


def _draw_correlations(ax: Axes, units: pd.DataFrame) -> None:
    drawn = (PSTH, RIDGE, LATENTS, JOINT, TRUE)
    names = [name for name in drawn if (units["method"] == name).any()]
    for x, name in enumerate(names):
        values = np.sort(units.loc[units["method"] == name, "correlation"].dropna().to_numpy())
        spread = 0.3 * (np.arange(len(values)) % 5 - 2) / 2
        ax.plot(x + spread, values, ".", color=COLORS[name], ms=3, alpha=0.6)
        if len(values):
            ax.plot([x - 0.35, x + 0.35], [np.median(values)] * 2, color=COLORS[name], lw=1.6)
    ax.axhline(0, color=style.BLACK, lw=0.7)
    ax.set_xticks(range(len(names)), [NAMES[name].replace(" ", "\n") for name in names])
    ax.set_ylabel("correlation of rates")
    ax.set_title("each unit (bar: median)", loc="left")


def _draw_units(ax: Axes, units: pd.DataFrame) -> None:
    table = units.pivot_table(index="unit", columns="method", values="explained")
    known = TRUE in table
    x = table[TRUE] if known else table[RIDGE]
    ax.plot(x, table[JOINT], "o", color=COLORS[JOINT], ms=3)
    ends = [min(0, x.min(), table[JOINT].min()), max(x.max(), table[JOINT].max()) * 1.05]
    ax.plot(ends, ends, color=style.GREY, lw=0.7, ls=(0, (3, 2)))
    ax.axhline(0, color=style.BLACK, lw=0.7)
    ax.set_xlabel(f"deviance explained by {'true rates' if known else 'ridge'}")
    ax.set_ylabel("by joint VAE")
    ax.set_title("each unit", loc="left")


def _note(report: ReverseReport, split: str) -> str:
    first = report.methods.iloc[0]
    windows, hop = report.problem.windows, report.problem.frames.hop
    words = (
        f"{first['n_bins']:.0f} bins of {1e3 * windows.bin:g} ms in {first['n_bouts']:.0f} bouts, "
        f"each held out under the split '{split}', predicted from {1e3 * windows.hops * hop:g} ms "
        "of sound around. 0: each unit's mean rate. Bars: 95 % intervals over bouts. The mean of "
        "the label is told the syllable and its onset. Rates are smoothed by a Gaussian of 20 ms."
    )
    table = report.methods.set_index("method")
    if RIDGE in table.index and np.isfinite(table.loc[RIDGE].get("p", np.nan)):
        row = table.loc[RIDGE]
        words += (
            f" Ridge on {row['null_replicates']:.0f} shifted birds: p = {row['p']:.2f}; the joint "
            "VAE was trained on one of them."
        )
    return words
