"""Artefacts: sound in electrodes, bursts of all units, clipped sound, sound on another clock."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from neuro2voc.artefacts import (
    CLEAN,
    FOUND,
    IMPOSSIBLE,
    LEVEL,
    UNKNOWN,
    Artefacts,
    Bursts,
    Check,
    burst_rate,
)
from neuro2voc.crosstalk import FEWEST_SPIKES, Crosstalk
from neuro2voc.figures import style
from neuro2voc.recording import Recording
from neuro2voc.sound_clock import LIMIT, apart

COLUMNS = ["check", "of", "value", "unit", "null_low", "null_high", "p", "verdict", "words"]
COLORS = {CLEAN: style.BLACK, FOUND: style.VERMILION, UNKNOWN: style.GREY, IMPOSSIBLE: style.GREY}
PANEL, EMPTY = 50, 14  # mm, rows of panels with and without anything to draw
BAND = {"color": style.PALE, "alpha": 0.5, "lw": 0}  # where clean recordings lie


def artefact_table(artefacts: Artefacts) -> pd.DataFrame:
    """Return a row per check, then rows for what it is made of: units, rates, parts of sessions."""
    rows = [vars(check) | {"of": "all"} for check in artefacts.checks]
    if artefacts.crosstalk is not None:
        rows += _crosstalk_rows(artefacts.crosstalk)
    if artefacts.bursts is not None:
        for name, in_song in (("in song", True), ("outside song", False)):
            rate = burst_rate(artefacts.bursts, in_song)
            rows.append({"check": "bursts", "of": name, "value": rate, "unit": "per minute"})
    if artefacts.levels is not None and len(artefacts.levels):
        share = artefacts.levels["clipped_syllables"].sum() / artefacts.levels["syllables"].sum()
        row = {"check": "clipping", "of": "syllables", "value": share}
        rows.append(row | {"unit": "share of syllables"})
    if artefacts.lags is not None:
        for part in artefacts.lags.itertuples():
            name = f"{part.session}, {part.start_time:.0f} to {part.stop_time:.0f} s"
            row = {"check": "clock", "of": name, "value": 1e3 * part.lag, "unit": "ms"}
            rows.append(row | {"null_low": -1e3 * LIMIT, "null_high": 1e3 * LIMIT})
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _crosstalk_rows(crosstalk: Crosstalk) -> list[dict]:
    """Return two rows per unit; each of the two tests is made at half the level."""
    rows = []
    for unit in crosstalk.units.itertuples():
        who = "all units" if unit.unit == "all" else f"unit {unit.unit}"
        coherence_high = unit.coherence / unit.ratio * crosstalk.coherence_limit
        average_high = unit.average / unit.average_ratio * crosstalk.average_limit
        for name, value, of, high, p in (
            ("coherence", unit.coherence, "squared coherence", coherence_high, unit.coherence_p),
            ("spike-triggered sound", unit.average, "RMS of song", average_high, unit.average_p),
        ):
            verdict = UNKNOWN if np.isnan(p) else FOUND if p <= LEVEL / 2 else CLEAN
            row = {"check": name, "of": who, "value": value, "unit": of, "null_low": 0.0}
            rows.append(row | {"null_high": high, "p": p, "verdict": verdict})
    return rows


@style.in_style()
def draw_artefacts(artefacts: Artefacts, recording: Recording) -> Figure:
    """Draw each check with its verdict in words; red is what was found.

    Parameters
    ----------
    artefacts : Artefacts
        See `neuro2voc.artefacts.check_artefacts`.
    recording : Recording
        The bird.
    """
    drawn = [check.verdict in (CLEAN, FOUND) for check in artefacts.checks]
    heights = [PANEL if any(row) else EMPTY for row in (drawn[:2], drawn[2:])]
    figure = style.new_figure(
        style.PAGE,
        sum(heights),
        f"{recording.name}: artefacts",
        [_headline(artefacts.checks)],
        _notes(artefacts, drawn),
        kind=style.kind_of(recording),
    )
    if any(check.verdict == FOUND for check in artefacts.checks):
        figure.texts[1].set_color(style.VERMILION)
    axes = figure.subplots(2, 2, height_ratios=heights).ravel()
    drawings = (
        (_draw_crosstalk, artefacts.crosstalk),
        (_draw_bursts, artefacts.bursts),
        (_draw_levels, artefacts.levels),
        (_draw_lags, artefacts.lags),
    )
    for ax, check, is_drawn, (draw, content) in zip(
        axes, artefacts.checks, drawn, drawings, strict=True
    ):
        title = "\n".join(style.wrapped([check.words], 0.5 * style.PAGE - 14, style.TEXT))
        ax.set_title(title, loc="left", color=COLORS[check.verdict])
        if is_drawn:
            draw(ax, content)
        else:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            ax.set_facecolor("#f4f4f4")
    return figure


def _headline(checks: tuple[Check, ...]) -> str:
    kinds = ((FOUND, "FOUND"), (CLEAN, "nothing found"), (UNKNOWN, "cannot tell"))
    parts = []
    for verdict, words in (*kinds, (IMPOSSIBLE, "not checked")):
        names = [check.check for check in checks if check.verdict == verdict]
        parts += [f"{words}: {', '.join(names)}"] if names else []
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def _notes(artefacts: Artefacts, drawn: list[bool]) -> list[str]:
    crosstalk, bursts, clipping, clock = drawn
    notes = []
    if crosstalk:
        units, seconds = artefacts.crosstalk.units, artefacts.crosstalk.seconds
        few = int(units["p"].isna().sum())
        notes.append(
            f"Crosstalk, in {seconds:.0f} s of song, 0.3 to 8 kHz: a dot per unit, the diamond all "
            "of them together; outside the grey field p is at most 0.05 over all units and "
            "frequencies, against pieces of song turned upside down at random."
            + (f" {few} of fewer than {FEWEST_SPIKES} spikes are not shown." if few else "")
        )
    if bursts:
        notes.append(
            "Common bursts: the line is the most that units would give if each moved its spikes by "
            "up to 20 ms on its own; red is so full that p is at most 0.05 over the recording."
        )
    if clipping:
        notes.append("Clipped sound: three samples in a row at the edge of a session's range.")
    if clock:
        notes.append(
            "Clock: the lag at which labels stand out most from the sound's log envelope, with "
            "95 % intervals over pieces of song; grey is what is accepted."
        )
    return notes


def _draw_crosstalk(ax: Axes, crosstalk: Crosstalk) -> None:
    units = crosstalk.units.dropna()
    left, bottom = 0.7 * units["ratio"].min(), 0.7 * units["average_ratio"].min()
    right, top = crosstalk.coherence_limit, crosstalk.average_limit
    ax.fill_between([left, right], bottom, top, **BAND)
    for unit in units.itertuples():
        color = style.VERMILION if unit.p <= LEVEL else style.BLACK
        shape = {"marker": "o", "ms": 3.5, "mew": 0}
        if unit.unit == "all":
            shape = {"marker": "D", "ms": 5, "mew": 0.9, "mfc": "none"}
        ax.plot(unit.ratio, unit.average_ratio, color=color, lw=0, **shape)
    ax.set(xscale="log", yscale="log", xlabel="largest coherence with sound (times chance)")
    ax.set_ylabel("spike-triggered sound\n(times chance)")
    ax.set_xlim(left, 1.3 * max(right, units["ratio"].max()))
    ax.set_ylim(bottom, 1.3 * max(top, units["average_ratio"].max()))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def _draw_bursts(ax: Axes, bursts: Bursts) -> None:
    table = bursts.together[bursts.together["units"] > 0]
    last = int(table.loc[table["seen"] > 0, "units"].max())
    table = table[table["units"] <= last + 1]
    width = 0.8 if last < 60 else 1.0
    ax.bar(table["units"], table["seen"], width, color=style.GREY, lw=0)
    ax.bar(table["units"], table["improbable"], width, color=style.VERMILION, lw=0)
    ax.plot(table["units"], table["expected"], color=style.BLACK)
    ax.set(yscale="log", xlabel="units firing within 1 ms", ylabel="windows of 1 ms")
    ax.set(ylim=(0.5, 2 * table["seen"].max()), xlim=(0.3, last + 1.7))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_levels(ax: Axes, levels: pd.DataFrame) -> None:
    for clipped, rows in levels.groupby("clipped"):
        color = style.VERMILION if clipped else style.BLACK
        ax.plot(rows["start_time"] / 60, rows["level"], "o", ms=3, mew=0, color=color)
    ax.set(xlabel="time (min)", ylabel="loudest sample of bout\n(dB re loudest of session)")
    ax.set_ylim(min(-3, 1.1 * levels["level"].min()), 0.8)


def _draw_lags(ax: Axes, lags: pd.DataFrame) -> None:
    limit = 1e3 * LIMIT
    ax.axhspan(-limit, limit, **BAND)
    for part, far in zip(lags.itertuples(), apart(lags), strict=True):
        color = style.VERMILION if far else style.BLACK
        middle = 0.5 * (part.start_time + part.stop_time) / 60
        ax.plot([middle, middle], [1e3 * part.low, 1e3 * part.high], color=color)
        ax.plot(middle, 1e3 * part.lag, "o", ms=3.5, mew=0, color=color)
    reach = 1.15e3 * np.nanmax(np.abs(lags[["low", "high"]].to_numpy()))
    ax.set(xlabel="time (min)", ylabel="lag of the sound (ms)")
    ax.set_ylim(-max(reach, 1.6 * limit), max(reach, 1.6 * limit))
