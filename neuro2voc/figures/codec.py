"""The neural codec, drawn: examples, what its codes keep, and which of them are in use."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuro2voc.codec import CodecSettings
from neuro2voc.codec_table import APART, CODEC, COUNTS, FACTORS, CodecResult
from neuro2voc.figures import style
from neuro2voc.figures.depth import in_rows
from neuro2voc.recording import Recording

EXAMPLES, BELOW = 58, 46  # mm, rows of panels
COLLAPSED = 2.0  # perplexity below which a codebook says next to nothing


@style.in_style()
def draw_codec(
    result: CodecResult, recording: Recording, settings: CodecSettings, split: str
) -> Figure:
    """Draw what a codec makes of held-out activity.

    Parameters
    ----------
    result : CodecResult
    recording : Recording
    settings : CodecSettings
    split : str
        The split's name, for the words.
    """
    sung = result.table["balanced_accuracy"].notna().any()
    handles = _handles(result, sung, settings)
    figure = style.new_figure(
        style.PAGE,
        EXAMPLES + BELOW,
        f"{recording.name}: activity through a codec",
        headline(result, recording),
        [_note(result, recording, settings, split)],
        keys=-(-len(handles) // 2),
        kind=style.kind_of(recording),
    )
    upper, lower = figure.subfigures(2, 1, height_ratios=[EXAMPLES, BELOW])
    _draw_examples(upper, result, recording)
    axes = lower.subplots(1, 4 if sung else 3)
    _draw_rates(axes[0], result.table)
    _draw_others(axes[1], result.table)
    _draw_books(axes[2], result.books)
    if sung:
        _draw_syllables(axes[3], result.table)
    style.legend_below(figure, handles, 2)
    return figure


def _draw_examples(part: Figure, result: CodecResult, recording: Recording) -> None:
    """Draw counts above rates of held-out windows, units by depth from the tip up."""
    additive = getattr(recording.units, "additive", True)
    rows = in_rows(result.units).index.to_numpy()
    axes = part.subplots(2, len(result.examples), sharex="col", sharey=True, squeeze=False)
    scale = 1 / result.bin if additive else 1.0
    top = scale * max(np.nanquantile(one.counts, 0.995) for one in result.examples)
    for column, (example, how) in enumerate(
        zip(result.examples, ("badly explained", "middling", "well explained"), strict=True)
    ):
        end = 1e3 * example.counts.shape[1] * result.bin
        for row, values in enumerate((example.counts, example.rates)):
            ax = axes[row, column]
            image = ax.imshow(
                scale * values[rows],
                extent=(0, end, -0.5, len(rows) - 0.5),
                origin="lower",
                aspect="auto",
                interpolation="nearest",
                cmap="Greys",
                vmin=0,
                vmax=top,
            )
            ax.spines[["top", "right"]].set_visible(True)
            ax.set_yticks([])
        words = f"{how}: {100 * example.explained:.0f} % of the deviance"
        axes[0, column].set_title(words, loc="left")
        axes[1, column].set_xlabel(f"time (ms from {example.start:.2f} s)")
    deep = result.units["depth"].notna().any()
    units = f"{len(rows)} unit{'s' * (len(rows) > 1)}{', tip below' if deep else ''}"
    axes[0, 0].set_ylabel(f"recorded\n{units}")
    axes[1, 0].set_ylabel(f"decoded\n{units}")
    bar = part.colorbar(image, ax=axes, aspect=30, pad=0.01, fraction=0.03, extend="max")
    bar.set_label("rate (Hz)" if additive else "activity")
    bar.outline.set_linewidth(0.6)


def _draw_rates(ax: Axes, table: pd.DataFrame) -> None:
    """Draw what is explained against bits, beside factors that are not quantised."""
    for coding, color, face, marker in (
        (APART, style.VERMILION, "white", "s"),
        (CODEC, style.BLACK, style.BLACK, "o"),
    ):
        rows = table[table["coding"] == coding].sort_values("bits")
        ax.fill_between(rows["bits"], rows["low"], rows["high"], color=color, alpha=0.2, lw=0)
        look = {"marker": marker, "ms": 3.5, "mfc": face, "mew": 0.7}
        ax.plot(rows["bits"], rows["explained"], color=color, lw=0.7, **look)
    factors = table.loc[table["coding"] == FACTORS, "explained"].iat[0]
    ax.axhline(factors, color=style.BLUE, ls="--", lw=1)
    ax.axhline(0, color=style.GREY, lw=0.6)
    rows = table[table["coding"] == CODEC].sort_values("bits")
    ax.set_xscale("log", base=2)
    ax.set_xticks(rows["bits"], [f"{bits:.0f}" for bits in rows["bits"]])
    ax.set(xlim=(rows["bits"].min() / 1.3, rows["bits"].max() * 1.3))
    ax.set(xlabel="codes (bit/s)", ylabel="share of deviance explained")
    low = min(0, table[["low", "explained"]].min().min())
    ax.set_ylim(1.1 * low, 1.15 * max(0.02, table[["high", "explained"]].max().max()))
    ax.set_title("all units seen", loc="left")


def _draw_others(ax: Axes, table: pd.DataFrame) -> None:
    """Draw how well units are foretold from codes that they had no part in."""
    rows = table[table["others"].notna()].set_index("coding")
    ax.set_title("from other units only", loc="left")
    if rows.empty:
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "there is one unit only", transform=ax.transAxes, ha="center")
        return
    looks = {
        CODEC: ("codec", style.BLACK, style.BLACK, "o"),
        APART: ("units\napart", style.VERMILION, "white", "s"),
        FACTORS: ("factors", style.BLUE, style.BLUE, "D"),
    }
    shown = [name for name in looks if name in rows.index]
    for place, name in enumerate(shown):
        _, color, face, marker = looks[name]
        row = 100 * rows.loc[name, ["others", "others_low", "others_high"]].astype(float)
        ax.plot([place, place], row[["others_low", "others_high"]], color=color, lw=1.2)
        ax.plot(place, row["others"], marker, ms=4.5, color=color, mfc=face, mew=0.8)
    ax.axhline(0, color=style.GREY, lw=0.6, zorder=0)
    ax.set_xticks(range(len(shown)), [looks[name][0] for name in shown])
    ax.set(xlim=(-0.6, len(shown) - 0.4), ylabel="deviance explained (%)")
    low, high = 100 * rows["others_low"].min(), 100 * rows["others_high"].max()
    room = max(0.1, 0.15 * (high - low))
    ax.set_ylim(np.nanmin([low, 0]) - room, np.nanmax([high, 0]) + room)


def _draw_books(ax: Axes, books: pd.DataFrame) -> None:
    """Draw how many codes of each codebook are in use."""
    total = books["codes"].iat[0]
    ax.bar(books["codebook"], books["perplexity"], color=style.GREY, width=0.7)
    for row in books[books["dead"] >= 0.5].itertuples():
        look = {"ha": "center", "va": "bottom", "size": style.SMALL, "color": style.VERMILION}
        ax.text(row.codebook, row.perplexity, f"{row.dead:.0f}†", **look)
    ax.axhline(total, color=style.BLACK, lw=0.7, ls=":")
    ax.set_xticks(books["codebook"] if len(books) <= 8 else books["codebook"].iloc[::4])
    ax.set(ylim=(0, 1.18 * total), xlabel="codebook", ylabel=f"codes in use (of {total})")
    ax.set_title("use of codebooks", loc="left")


def _draw_syllables(ax: Axes, table: pd.DataFrame) -> None:
    """Draw how well syllables are decoded from rates, beside the counts themselves."""
    rows = table[(table["coding"] == CODEC) & table["balanced_accuracy"].notna()]
    rows = rows.sort_values("codebooks")
    counts = table[table["coding"] == COUNTS].iloc[0]
    null = table[["null_low", "null_high"]].dropna()
    if len(null):
        ax.axhspan(null["null_low"].min(), null["null_high"].max(), color=style.PALE, lw=0)
    ax.axhline(counts["chance"], color=style.BLACK, lw=0.7)
    ends = counts["accuracy_low"], counts["accuracy_high"]
    ax.axhspan(*ends, color=style.GREEN, alpha=0.25, lw=0)
    ax.axhline(counts["balanced_accuracy"], color=style.GREEN, lw=1.2)
    low, high = rows["accuracy_low"], rows["accuracy_high"]
    ax.vlines(rows["bits"], low, high, color=style.BLACK, lw=1)
    ax.plot(rows["bits"], rows["balanced_accuracy"], "o-", ms=3.5, color=style.BLACK, lw=0.7)
    ax.set_xscale("log", base=2)
    ax.set_xticks(rows["bits"], [f"{bits:.0f}" for bits in rows["bits"]])
    ax.set(xlim=(rows["bits"].min() / 1.3, rows["bits"].max() * 1.3), ylim=(0, 1.02))
    ax.set(xlabel="codes (bit/s)", ylabel="balanced accuracy")
    ax.set_title("syllables decoded", loc="left")


def _handles(result: CodecResult, sung: bool, settings: CodecSettings) -> list:
    """Return the legend: only what occurs."""
    table, bins = result.table, round(result.frame / result.bin)
    factors = min(settings.sizes["dims"], bins * len(result.units))
    over = "bouts" if sung else "blocks of time"
    mark = {"marker": "o", "ms": 3.5, "color": style.BLACK}
    apart = {"marker": "s", "ms": 3.5, "mfc": "white", "color": style.VERMILION}
    handles = [
        Line2D([], [], **mark, label=f"codec; bands and bars: 95 % intervals over {over}"),
        Line2D([], [], **apart, label="codec of units moved apart: they share nothing"),
        Line2D(
            [],
            [],
            color=style.BLUE,
            ls="--",
            label=f"{factors} factors per frame (NMF), not quantised",
        ),
    ]
    if sung:
        counts = table[table["coding"] == COUNTS].iloc[0]
        words = f"discriminant on the counts themselves ({counts['balanced_accuracy']:.2f})"
        handles.append(Line2D([], [], color=style.GREEN, lw=1.2, label=words))
        handles.append(Patch(color=style.PALE, label="the same with labels permuted: range"))
        chance = f"chance ({counts['chance']:.2f})"
        handles.append(Line2D([], [], color=style.BLACK, lw=0.7, label=chance))
    return handles


def headline(result: CodecResult, recording: Recording) -> list[str]:
    """Say what is to be seen, and whether the codes have collapsed."""
    table = result.table
    of = table[table["coding"] == CODEC].iloc[-1]
    apart = table[table["coding"] == APART].iloc[-1]
    lines = []
    if recording.surrogate:
        lines.append(_control(recording.surrogate))
    # Intervals hold bouts' chance but not training's, which folds show.
    more = of["low"] > apart["high"] and of["folds_above"] == of["n_folds"]
    rest = "the rest is shared" if more else "hardly more than copied noise"
    share = _percent(of, "explained", "low", "high")
    beside = f", and {100 * apart['explained']:.1f} % where units share nothing: {rest}"
    if len(result.units) == 1:
        beside = ": of a single unit all is copied"
    lines.append(f"{of['bits']:.0f} bit/s explain {share} of held-out deviance{beside}.")
    if pd.notna(of["others"]):
        told = of["others_low"] > max(0, apart["others_high"])
        lines.append(
            "Of units that the encoder did not see, they explain "
            f"{_percent(of, 'others', 'others_low', 'others_high', digits=2)}"
            + ("." if told else ": nothing certain.")
        )
    if pd.notna(of["balanced_accuracy"]):
        counts = table[table["coding"] == COUNTS].iloc[0]
        known = of["accuracy_low"] > np.nanmax([of["null_high"], of["chance"]])
        lines.append(
            f"Syllables decoded from rates: {of['balanced_accuracy']:.2f}, from the counts: "
            f"{counts['balanced_accuracy']:.2f}"
            + ("." if known else "; not told from permuted labels.")
        )
    return [*lines, *_collapse(result.books)]


def _control(surrogate: str) -> str:
    """Say what a surrogate should show."""
    if surrogate == "poisson":
        return "A control: units are independent and steady, so codes explain copied noise."
    if surrogate == "independent":
        return "A control: tuning to syllables is kept, what units share besides is gone."
    return f"A control ({surrogate}): nothing is tied to the song, so syllables are at chance."


def _collapse(books: pd.DataFrame) -> list[str]:
    """Say which codebooks say nothing."""
    gone = books.loc[books["perplexity"] < COLLAPSED, "codebook"]
    if gone.empty:
        return []
    names = "codebook" + "s" * (len(gone) > 1) + " " + ", ".join(map(str, gone))
    return [f"Collapsed: {names}, with hardly more than one code in use."]


def _percent(row: pd.Series, *names: str, digits: int = 1) -> str:
    """Write a share with its interval."""
    whole, low, high = (f"{100 * row[name]:.{digits}f}".replace("-", "−") for name in names)
    return f"{whole} %" if np.isnan(row[names[1]]) else f"{whole} % ({low} to {high})"


def _note(result: CodecResult, recording: Recording, settings: CodecSettings, split: str) -> str:
    first = result.table.iloc[0]
    additive = getattr(recording.units, "additive", True)
    labelled = result.table["balanced_accuracy"].notna().any()
    words = (
        f"{first['n_frames']:.0f} frames of {1e3 * result.frame:.3g} ms in {first['n_blocks']:.0f} "
        f"{'bouts' if labelled else 'blocks of time'}, each coded by a codec trained without its "
        f"fold; split '{split}'. 0 is each unit's mean rate in training."
    )
    words += (
        " Codes see the activity that they are judged by, and with enough bits copy any noise. "
        "Examples are the windows at percentile 10, 50 and 90."
    )
    if not additive:
        words += " Levels are no counts: the deviance is that of a quasi-likelihood."
    if not labelled:
        words += " Without labels no syllable is decoded."
    if settings.sizes["causal"]:
        words += " No code knows of later activity."
    if (result.books["dead"] >= 0.5).any():
        words += " †: codes that no frame took."
    return words
