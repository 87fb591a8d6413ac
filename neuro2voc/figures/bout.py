"""One bout: sound, syllables and spikes on one clock."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.signal import spectrogram

from neuro2voc.errors import DataError
from neuro2voc.figures import style
from neuro2voc.figures.units import UNKNOWN, unit_table
from neuro2voc.recording import Audio, Recording

LONGEST, AROUND = 3.0, 0.1  # s shown, and before and after the bout
WINDOW, STEP = 0.0128, 0.002  # s, of the spectrogram
HIGHEST, RANGE = 8000, 60  # Hz, dB below the loudest


def example_bout(trials: pd.DataFrame) -> tuple[int, float, float]:
    """Choose a bout that nobody picked: the first with the median number of used trials.

    Returns
    -------
    bout : int
    start, stop : float
        s, from the bout's first syllable to its last, but no longer than can be shown.
    """
    counts = trials.groupby("bout")["used"].sum()
    counts = counts[counts > 0]
    if counts.empty:
        raise DataError("No bout has a syllable to decode, so none can be drawn; name more labels.")
    middle = np.sort(counts.to_numpy())[(len(counts) - 1) // 2]
    bout = counts.index[counts == middle][0]
    rows = trials[trials["bout"] == bout]
    # What is to be decoded has to be seen: sounds before it may last longer than the picture.
    first = rows.loc[rows["used"] == 1, "onset"].min()
    start = rows["onset"].min() if first - rows["onset"].min() < LONGEST / 3 else first
    stop = min(rows["offset"].max(), start + LONGEST - 2 * AROUND)
    return int(bout), float(start - AROUND), float(stop + AROUND)


def bout_table(recording: Recording, trials: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn of the example bout, besides its sound.

    Returns
    -------
    DataFrame
        kind ('shown', 'syllable', 'unobserved' or 'spike'), start, stop (s on the recording's
        clock; a spike has no stop), label and used of syllables, unit and row (from the tip) of
        the others.
    """
    bout, start, stop = example_bout(trials)
    parts = [pd.DataFrame({"kind": ["shown"], "start": start, "stop": stop, "label": str(bout)})]
    inside = trials[(trials["offset"] > start) & (trials["onset"] < stop)]
    parts.append(
        pd.DataFrame(
            {
                "kind": "syllable",
                "start": inside["onset"],
                "stop": inside["offset"],
                "label": inside["label"],
                "used": inside["used"],
            }
        )
    )
    units = recording.units
    for row, unit in enumerate(_order(recording)):
        train = units.spike_times[unit]
        train = train[np.searchsorted(train, start) : np.searchsorted(train, stop)]
        about = {"unit": str(units.table.index[unit]), "row": row}
        gaps = _unobserved(units.observed[unit], start, stop) if units.observed else []
        parts += [
            pd.DataFrame({"kind": ["unobserved"], "start": a, "stop": b, **about}) for a, b in gaps
        ]
        parts.append(pd.DataFrame({"kind": "spike", "start": train, **about}))
    columns = ["kind", "start", "stop", "label", "used", "unit", "row"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def _order(recording: Recording) -> np.ndarray:
    """Return the units from the tip upwards; units of unknown depth last."""
    return unit_table(recording)["depth"].argsort(kind="stable").to_numpy()


def _unobserved(observed: np.ndarray, start: float, stop: float) -> list[tuple[float, float]]:
    """Return the parts of [start, stop) outside the intervals in which a unit was observed."""
    edges = np.clip(np.r_[start, np.ravel(observed), stop], start, stop).reshape(-1, 2)
    return [(a, b) for a, b in edges if b > a]


@style.in_style()
def draw_bout(recording: Recording, trials: pd.DataFrame) -> Figure:
    """Draw an example bout: spectrogram, labels, spikes of units ordered by depth.

    Parameters
    ----------
    recording : Recording
        The bird. Without sound, a sentence takes the spectrogram's place.
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.
    """
    table = bout_table(recording, trials)
    bout, start, stop = table.loc[0, ["label", "start", "stop"]]
    rows = len(recording.units)
    heights = [26 if recording.audio else 6, 6, float(np.clip(1.6 * rows, 12, 90))]
    figure = style.new_figure(
        style.PAGE,
        sum(heights) + 14,
        f"{recording.name}: one bout",
        [_headline(recording, table, bout)],
        ["The first bout with the median number of syllables; not chosen for its looks."],
        kind=style.kind_of(recording),
    )
    sound, labels, raster = figure.subplots(3, 1, sharex=True, height_ratios=heights)
    raster.set(xlim=(0, stop - start), xlabel=f"time (s) from {start:.2f} s of the recording")
    if _sounds(recording.audio, start, stop):
        _draw_sound(sound, recording.audio, start, stop)
    else:
        sound.set_axis_off()
        what = "holds no sound of this bout" if recording.audio else "holds no sound"
        sentence = f"This recording {what}, so there is no spectrogram."
        sound.text(0.5, 0.5, sentence, ha="center", va="center", transform=sound.transAxes)
    _draw_labels(labels, table, trials, start, stop)
    _draw_raster(raster, table, recording, start)
    for ax in (sound, labels):
        ax.tick_params(axis="x", bottom=False, labelbottom=False)
    return figure


def _sounds(audio: Audio | None, start: float, stop: float) -> bool:
    """Tell whether there is sound, long enough for a spectrogram, in [start, stop)."""
    if audio is None:
        return False
    return min(stop, audio.stop_time) - max(start, audio.start_time) > 2 * WINDOW


def _draw_sound(ax: Axes, audio: Audio, start: float, stop: float) -> None:
    """Draw the spectrogram of what there is of [start, stop)."""
    first, last = max(start, audio.start_time), min(stop, audio.stop_time)
    samples = audio.read(first, last)
    length = int(round(WINDOW * audio.rate))
    overlap = length - int(round(STEP * audio.rate))
    frequency, time, power = spectrogram(
        samples, audio.rate, "hann", length, overlap, nfft=2 * length, mode="psd"
    )
    shown = frequency <= HIGHEST
    power = power[shown] / max(power[shown].max(), np.finfo(float).tiny)
    level = 10 * np.log10(np.maximum(power, 10 ** (-RANGE / 10)))
    time, step = time + first - start, STEP / 2
    image = ax.imshow(
        level,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE,
        vmax=0,
        interpolation="nearest",
        extent=(time[0] - step, time[-1] + step, 0, frequency[shown][-1] / 1000),
    )
    ax.set(ylabel="frequency\n(kHz)", yticks=[0, 4, 8], ylim=(0, HIGHEST / 1000))
    beside = ax.inset_axes((1.01, 0, 0.012, 1))
    bar = ax.figure.colorbar(image, cax=beside, ticks=[-RANGE, -RANGE / 2, 0])
    bar.set_label("dB")
    bar.outline.set_visible(False)


def _draw_labels(
    ax: Axes, table: pd.DataFrame, trials: pd.DataFrame, start: float, stop: float
) -> None:
    used = trials.loc[trials["used"] == 1, "label"]
    colors = style.colors_of(used, style.SYLLABLES)
    for _, row in table[table["kind"] == "syllable"].iterrows():
        color = colors[row["label"]] if row["used"] == 1 else style.PALE
        left, right = row["start"] - start, row["stop"] - start
        ax.barh(0, right - left, left=left, height=0.9, color=color, lw=0)
        middle = (max(left, 0) + min(right, stop - start)) / 2
        ink = {"color": style.ink_on(color), "weight": "bold", "clip_on": True}
        ax.text(middle, 0, row["label"], ha="center", va="center", **ink)
    ax.set(ylim=(-0.5, 0.5), yticks=[])
    ax.set_ylabel("label", rotation=0, ha="right", va="center")
    ax.spines[:].set_visible(False)


def _draw_raster(ax: Axes, table: pd.DataFrame, recording: Recording, start: float) -> None:
    units = unit_table(recording).iloc[_order(recording)].reset_index(drop=True)
    known = units.loc[units["location"] != UNKNOWN, "location"]
    colors = {**style.colors_of(known, style.REGIONS), UNKNOWN: style.BLACK}
    for row, location in enumerate(units["location"]):
        mine = table[table["row"] == row]
        spikes = mine.loc[mine["kind"] == "spike", "start"] - start
        ax.vlines(spikes, row - 0.42, row + 0.42, color=colors[location], lw=0.6)
        gaps = mine[mine["kind"] == "unobserved"]
        ax.barh(
            [row] * len(gaps),
            gaps["stop"] - gaps["start"],
            left=gaps["start"] - start,
            height=1,
            color=style.PALE,
            lw=0,
        )
    deep = units["depth"].notna().any()
    ax.set_ylim(-0.6, len(units) - 0.4)
    ax.set_ylabel("units, from the tip up" if deep else "units")
    ax.set_yticks([0, len(units) - 1] if len(units) > 1 else [0], _ends(units))
    ax.tick_params(axis="y", length=0)
    for name in known.unique():
        middle = float(np.median(np.flatnonzero(units["location"] == name)))
        style.name_beside(ax, middle, name, colors[name])


def _ends(units: pd.DataFrame) -> list[str]:
    """Name the lowest and the highest unit by depth or else by name."""
    ends = units.iloc[[0, -1]] if len(units) > 1 else units
    return [
        row["unit"] if np.isnan(row["depth"]) else f"{row['depth']:.0f} µm"
        for _, row in ends.iterrows()
    ]


def _headline(recording: Recording, table: pd.DataFrame, bout: str) -> str:
    sung = table[table["kind"] == "syllable"]
    spikes = (table["kind"] == "spike").sum()
    units = "1 unit" if len(recording.units) == 1 else f"{len(recording.units)} units"
    return (
        f"Bout {bout}: {(sung['used'] == 1).sum()} syllables to decode (coloured), "
        f"{(sung['used'] == 0).sum()} other sounds (grey), {spikes} spikes of {units}."
    )
