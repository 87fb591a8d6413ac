"""Token schemes side by side: tokens per second of song, vocabularies, files."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from neuro2voc.figures import style
from neuro2voc.recording import Recording
from neuro2voc.token_schemes import EVENTS
from neuro2voc.token_statistics import PUBLISHED_RATE, PUBLISHED_VOCABULARY

ROW = 8.5  # mm
SYMBOLS = {"marker": "o", "ms": 4.5, "mfc": "white", "color": style.VERMILION}
TOKENS = {"marker": "o", "ms": 4.5, "color": style.BLUE}


@style.in_style()
def draw_token_schemes(table: pd.DataFrame, recording: Recording, split: str) -> Figure:
    """Draw what each scheme costs.

    Parameters
    ----------
    table : DataFrame
        See `neuro2voc.token_statistics.scheme_table`.
    recording : Recording
        The bird.
    split : str
        Whose first fold is held out.
    """
    handles = _handles()
    figure = style.new_figure(
        style.PAGE,
        ROW * len(table) + 14,
        f"{recording.name}: what a second of song is in tokens",
        [_headline(table)],
        _notes(table, recording, split),
        keys=1,
        kind=style.kind_of(recording),
    )
    rates, files = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    _draw_rates(rates, table)
    _draw_sizes(files, table["bytes"] / 1000)
    names = zip(table["scheme"], table["vocabulary"], strict=True)
    rates.set_yticks(range(len(table)), [f"{name}\nvocabulary {size:,}" for name, size in names])
    rates.set_ylim(len(table) - 0.4, -0.6)
    style.legend_below(figure, handles, len(handles))
    return figure


def _draw_rates(ax: Axes, table: pd.DataFrame) -> None:
    ax.axvline(PUBLISHED_RATE, color=style.BLACK, lw=0.7, ls="--")
    for y, row in enumerate(table.itertuples()):
        many, few = row.symbols_per_second, row.tokens_per_second
        ax.plot([few, many], [y, y], color=style.PALE, lw=0.9, zorder=1)
        # One number above and one below: where little is merged the marks lie close together.
        for value, low, high, mark, above in (
            (many, row.symbols_low, row.symbols_high, SYMBOLS, 4),
            (few, row.tokens_low, row.tokens_high, TOKENS, -10),
        ):
            ax.plot([low, high], [y, y], color=mark["color"], lw=1.4, zorder=2)
            ax.plot(value, y, ls="", mew=0.9, zorder=3, **mark)
            ax.annotate(
                f"{value:,.0f}",
                (value, y),
                xytext=(0, above),
                textcoords="offset points",
                ha="center",
                size=style.SMALL,
                color=mark["color"],
            )
    lowest = min(table["tokens_low"].min(), table["symbols_low"].min())
    highest = max(table["symbols_high"].max(), PUBLISHED_RATE)
    ax.set(xscale="log", xlabel="per second of song", xlim=(max(lowest, 1) / 1.8, 1.8 * highest))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _draw_sizes(ax: Axes, kilobytes: pd.Series) -> None:
    ax.barh(range(len(kilobytes)), kilobytes, height=0.5, color=style.PALE, lw=0)
    for y, size in enumerate(kilobytes):
        ax.annotate(
            f"{size:,.0f}",
            (size, y),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
        )
    ax.set(xlabel="file of all trials (kB)", xlim=(0, 1.25 * kilobytes.max()))
    ax.tick_params(axis="y", length=0)


def _handles() -> list:
    return [
        Line2D([], [], ls="", mew=0.9, label="symbols", **SYMBOLS),
        Line2D([], [], ls="", mew=0.9, label="tokens, pairs merged (BPE)", **TOKENS),
        Line2D([], [], color=style.GREY, lw=1.4, label="5 to 95 % of trials"),
        Line2D(
            [],
            [],
            color=style.BLACK,
            lw=0.7,
            ls="--",
            label=f"published: {PUBLISHED_RATE:,} (75 units, spatial at 20 kHz)",
        ),
    ]


def _headline(table: pd.DataFrame) -> str:
    best = table.loc[table["tokens_per_second"].idxmin()]
    exact = table[table["scheme"] == EVENTS]
    loses = best["scheme"] != EVENTS and len(exact)
    beside = (
        f" 'events', which loses no spike, takes {exact['tokens_per_second'].iat[0]:,.0f}."
        if loses
        else ""
    )
    return (
        f"'{best['scheme']}' takes fewest: {best['tokens_per_second']:,.0f} tokens for a second of "
        f"song.{beside}"
    )


def _notes(table: pd.DataFrame, recording: Recording, split: str) -> list[str]:
    row, units = table.iloc[0], len(recording.units)
    coarse = table[table["scheme"] == "aggregated"]
    tick = table["tick"].min()
    together = (
        f" 'aggregated' puts {coarse['tick'].iat[0]:g} ms together and loses the order within."
        if len(coarse)
        else ""
    )
    return [
        f"{units} unit{'s' * (units > 1)}; windows of {1000 * row['seconds']:.0f} ms around each "
        f"syllable, in ticks of {tick:g} ms. Vocabularies are fitted on the {row['training']} "
        f"training trials of the first fold of the split '{split}' and everything is counted on "
        f"its {row['held_out']} held-out trials; files hold all trials.",
        "Bits keep at most one spike of a unit in a tick; 'spatial_rm0' loses the empty ticks."
        f"{together} Published: 3 tokens for each sample of 50 µs, vocabulary "
        f"{PUBLISHED_VOCABULARY:,}, fitted on training and test data together.",
    ]
