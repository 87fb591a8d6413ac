"""Neural autoencoders, drawn: originals above reconstructions, and how far to believe them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuro2voc.figures import style
from neuro2voc.latent_decoding import DECODERS
from neuro2voc.neural_vae import depth_order
from neuro2voc.neural_vae_report import RAW, NeuralVAEReport
from neuro2voc.reconstruction import ACTIVE, PCA_NAME, TRUE
from neuro2voc.recording import Recording

HEIGHT = 118  # mm
NAMES = {"1d": "1-D VAE", "2d": "2-D VAE", PCA_NAME: "PCA", RAW: "all counts", TRUE: "true rates"}
COLORS = {"1d": style.BLUE, "2d": style.VERMILION, PCA_NAME: style.GREEN, RAW: style.BLACK}
SHOWN = 1.6  # s of a bout
MARKS = {"logistic": "o", "neighbours": "s"}


@style.in_style()
def draw_neural_vae(report: NeuralVAEReport, recording: Recording, split: str) -> Figure:
    """Draw what comes out of a few latents of activity.

    Parameters
    ----------
    report : NeuralVAEReport
    recording : Recording
    split : str
        Its name.
    """
    figure = style.new_figure(
        style.PAGE,
        HEIGHT,
        f"{recording.name}: activity through a few latents",
        headline(report),
        [_note(report, split), *([_leak(report)] if len(report.decoding) else [])],
        keys=2,
        kind=style.kind_of(recording),
    )
    kinds = [kind for kind in ("1d", "2d") if kind in report.made]
    grid = figure.add_gridspec(2, 1, height_ratios=[1.35, 1])
    upper = grid[0].subgridspec(1 + len(kinds), 1)
    lower = grid[1].subgridspec(1, 3, width_ratios=[1.25, 0.75, 1.25])
    _draw_example(figure, upper, report, recording, kinds)
    _draw_explained(figure.add_subplot(lower[0]), report)
    _draw_latents(figure.add_subplot(lower[1]), report, kinds)
    _draw_decoding(figure.add_subplot(lower[2]), report)
    handles = [
        Line2D([], [], marker="o", ls="", color=style.GREY, label="left: windows as they are"),
        Line2D([], [], marker="D", ls="", color=style.GREY, label="left: each unit by the others"),
        Line2D([], [], marker="o", ls="", mfc="white", color=style.GREY, label=_control(report)),
        Line2D([], [], marker="o", ls="", color=style.BLACK, label="right: logistic regression"),
        Line2D([], [], marker="s", ls="", color=style.BLACK, label="right: nearest neighbours"),
        Line2D([], [], marker="o", ls="", mfc="white", color=style.BLACK, label=LEAK),
    ]
    style.legend_below(figure, handles, 3)
    return figure


LEAK = "right: random windows, the leak"


def headline(report: NeuralVAEReport) -> list[str]:
    """Return what has to be said first: what is explained, and what has collapsed."""
    table = report.table[report.table["bird"] == "real"].set_index("model")
    kinds = [kind for kind in ("1d", "2d") if kind in table.index]
    first = f"Held-out deviance explained: {_listed(table['shown'], [*kinds, PCA_NAME])}"
    if report.control:
        null = report.table[report.table["bird"] == report.control].set_index("model")["shown"]
        first += f"; of {CONTROLS[report.control]}: {_numbers(null, [*kinds, PCA_NAME])}"
    second = f"Of each unit by the others (0: its mean rate): {_listed(table['hidden'], kinds)}."
    return [f"{first}.", f"{second} {_collapse(table, kinds)}"]


def _listed(values: pd.Series, names: list[str]) -> str:
    return ", ".join(f"{NAMES[name]} {_number(values[name])}" for name in names)


def _numbers(values: pd.Series, names: list[str]) -> str:
    return ", ".join(_number(values[name]) for name in names)


def _number(value: float) -> str:
    # Adding 0 takes the sign from what rounds to it.
    return f"{round(value, 3) + 0:.3f}".replace("-", "−")


def _leak(report: NeuralVAEReport) -> str:
    kind = "2d" if "2d" in report.made else "1d"
    table = report.decoding[report.decoding["features"] == kind]
    score = table.set_index(["decoder", "protocol"])["balanced_accuracy"]["neighbours"]
    return (
        f"The leak: syllables from {NAMES[kind]} latents, by nearest neighbours, "
        f"{score['blocked']:.2f} in held-out bouts and {score['random windows']:.2f} where random "
        "windows are held out, as in the thesis."
    )


def _collapse(table: pd.DataFrame, kinds: list[str]) -> str:
    parts = []
    for kind in kinds:
        active, latents = int(table.loc[kind, "active"]), int(table.loc[kind, "latents"])
        if active < latents:
            gone = f"{latents - active} of {latents}" if active else f"all {latents}"
            parts.append(f"{NAMES[kind]} {gone}")
    return f"Collapsed latents: {', '.join(parts)}." if parts else "No latent has collapsed."


CONTROLS = {"poisson": "independent Poisson units", "shifted": "shifted activity"}


def _control(report: NeuralVAEReport) -> str:
    return f"left: {CONTROLS.get(report.control, 'surrogate')}"


def example_bout(report: NeuralVAEReport) -> int:
    """Return the held-out bout of median length; nobody picks it."""
    names, counts = np.unique(report.bout, return_counts=True)
    return int(names[np.lexsort((names, counts))[(len(names) - 1) // 2]])


def _draw_example(
    figure: Figure, grid: object, report: NeuralVAEReport, recording: Recording, kinds: list[str]
) -> None:
    bout = example_bout(report)
    rows = report.bout == bout
    order = depth_order(recording)
    constant = report.made["data"]["constant"][rows]
    count = report.made["data"]["count"][rows]
    bins = min(int(SHOWN / report.bin), count.shape[0] * count.shape[1])
    # One standard deviation of a Poisson count around its mean.
    unit = np.sqrt(constant.reshape(-1, constant.shape[-1])[0])
    panels = [("original", count)] + [
        (NAMES[kind], report.made[kind]["rates"][rows]) for kind in kinds
    ]
    for i, (name, values) in enumerate(panels):
        ax = figure.add_subplot(grid[i])
        flat = ((values - constant) / unit).reshape(-1, values.shape[-1])[:bins, order]
        image = ax.imshow(
            flat.T,
            aspect="auto",
            cmap="RdBu_r",
            vmin=-3,
            vmax=3,
            interpolation="nearest",
            extent=(0, len(flat) * report.bin, len(order), 0),
        )
        ax.set_ylabel(name)
        ax.set_yticks([])
        if i == 0:
            ax.set_title(
                f"bout {bout}, held out; units by depth, above and below their means", loc="left"
            )
        if i < len(panels) - 1:
            ax.set_xticklabels([])
    ax.set_xlabel("time in the bout (s)")
    bar = figure.colorbar(image, ax=[a for a in figure.axes], aspect=25, fraction=0.02, pad=0.01)
    bar.set_label("(count - mean) / √mean")
    bar.outline.set_visible(False)


def _draw_explained(ax: Axes, report: NeuralVAEReport) -> None:
    real = report.table[report.table["bird"] == "real"].set_index("model")
    null = report.table[report.table["bird"] == report.control].set_index("model")
    names = [name for name in (PCA_NAME, "1d", "2d") if name in real.index]
    for x, name in enumerate(names):
        _point(ax, x - 0.18, real.loc[name], "shown", COLORS[name], "o")
        if name in null.index:
            _point(ax, x, null.loc[name], "shown", COLORS[name], "o", hollow=True)
        if "hidden" in real and np.isfinite(real.loc[name, "hidden"]):
            _point(ax, x + 0.18, real.loc[name], "hidden", COLORS[name], "D")
    ax.axhline(0, color=style.BLACK, lw=0.7)
    if TRUE in real.index:
        limit = real.loc[TRUE, "shown"]
        ax.axhline(limit, color=style.PURPLE, ls=":", lw=1.2)
        ax.annotate(
            "true rates",
            (0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(2, 2),
            textcoords="offset points",
            color=style.PURPLE,
            size=style.SMALL,
        )
    ax.set_xticks(range(len(names)), [NAMES[name] for name in names])
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylabel("deviance explained")
    ax.set_title("reconstruction, beside a constant rate (0)", loc="left")


def _point(
    ax: Axes, x: float, row: pd.Series, name: str, color: str, marker: str, hollow: bool = False
) -> None:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    ax.plot([x, x], [low, high], color=color, lw=1)
    ax.plot(x, row[name], marker, color=color, mfc="white" if hollow else color, ms=3.8)


def _draw_latents(ax: Axes, report: NeuralVAEReport, kinds: list[str]) -> None:
    for kind in kinds:
        each = report.made[kind]["divergence"].mean(0)
        ax.plot(np.arange(1, len(each) + 1), np.maximum(each, 1e-4), ".-", color=COLORS[kind], ms=4)
    ax.axhline(ACTIVE, color=style.BLACK, lw=0.7, ls=(0, (3, 2)))
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.set_ylim(bottom=ACTIVE / 3)
    ax.set_xlabel("latent, sorted")
    ax.set_ylabel("divergence (nats)")
    ax.set_title("what latents hold", loc="left")
    ax.annotate(
        "collapsed below",
        (1, ACTIVE),
        xycoords=("axes fraction", "data"),
        xytext=(-2, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        size=style.SMALL,
    )


def _draw_decoding(ax: Axes, report: NeuralVAEReport) -> None:
    table = report.decoding
    if table.empty:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no labels, no syllables", ha="center", transform=ax.transAxes)
        return
    names = [name for name in (RAW, PCA_NAME, "1d", "2d") if (table["features"] == name).any()]
    for x, name in enumerate(names):
        for shift, decoder in zip((-0.14, 0.14), DECODERS, strict=True):
            mine = table[(table["features"] == name) & (table["decoder"] == decoder)]
            held = mine[mine["protocol"] == "blocked"].iloc[0]
            leak = mine[mine["protocol"] != "blocked"].iloc[0]
            place = x + shift
            ax.plot([place, place], [held["low"], held["high"]], color=COLORS[name], lw=1)
            ax.plot(place, held["balanced_accuracy"], MARKS[decoder], color=COLORS[name], ms=3.8)
            ax.plot(
                place,
                leak["balanced_accuracy"],
                MARKS[decoder],
                color=COLORS[name],
                mfc="white",
                ms=3.8,
            )
    chance = table["chance"].iat[0]
    ax.axhline(chance, color=style.BLACK, lw=0.7)
    ax.annotate(
        f"chance ({chance:.2f})",
        (1, chance),
        xycoords=("axes fraction", "data"),
        xytext=(-2, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        size=style.SMALL,
    )
    ax.set_xticks(range(len(names)), [NAMES[name] for name in names])
    ax.set_ylim(0, 1)
    ax.set_ylabel("balanced accuracy")
    ax.set_title("syllables from one window", loc="left")


def _note(report: NeuralVAEReport, split: str) -> str:
    first = report.table.iloc[0]
    bins = report.made["data"]["count"].shape[1]
    words = (
        f"{first['n_windows']:.0f} adjoining windows of {bins} bins of {1e3 * report.bin:g} ms in "
        f"{first['n_bouts']:.0f} bouts, each held out under the split '{split}'; bars are 95 % "
        "intervals over bouts. Windows that are shown are reconstructed with their noise, which no "
        "rate knows: that is why they may pass the true rates."
    )
    return words
