"""One bout, or the liveliest moment of a recording without labels: sound, syllables, activity."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from scipy.signal import spectrogram

from neuro2voc.errors import DataError
from neuro2voc.figures import style
from neuro2voc.figures.units import UNKNOWN
from neuro2voc.recording import Audio, Binned, Recording, Spectrogram

LONGEST, AROUND = 3.0, 0.1  # s shown of a bout, and before and after it
MOMENT = 4  # s shown of a recording without labels
WINDOW, STEP = 0.0128, 0.002  # s, of the spectrogram
HIGHEST, RANGE = 8000, 60  # Hz, dB below the loudest
DARKEST = 0.75  # of black, for the most activity, so that events are seen on it
UNSEEN = "#cfe6f5"  # where a unit was not observed, among shades of grey


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


def liveliest(recording: Recording) -> tuple[float, float]:
    """Return the first of the moments (MOMENT s, in steps of 1 s) with most activity.

    Returns
    -------
    start, stop : float
        s, within one session.
    """
    found = []
    for first, last in recording.sessions[["start_time", "stop_time"]].to_numpy():
        edges = np.arange(first, max(last, first + MOMENT + 1), 1.0)
        active = np.convolve(_activity(recording, edges), np.ones(MOMENT), "valid")
        best = int(active.argmax())
        found.append((-active[best], first + best, min(first + best + MOMENT, last)))
    _, start, stop = min(found)
    return float(start), float(stop)


def _activity(recording: Recording, edges: np.ndarray) -> np.ndarray:
    """Return the activity of all units between edges (s): spikes, or shares of their ranges."""
    units = recording.units
    if isinstance(units, Binned):
        begin = units.start_time + np.arange(len(units.values)) / units.rate
        return np.histogram(begin, edges, weights=shaded(units, slice(None)).sum(axis=1))[0]
    return np.sum([np.diff(np.searchsorted(t, edges)) for t in units.spike_times], axis=0)


def shaded(units: Binned, bins: slice) -> np.ndarray:
    """Return what is drawn of activity (bins, units): counts, or levels in the unit's range.

    Levels of different units may have different scales: 0 is a unit's least level in the whole
    recording, 1 its greatest.
    """
    if units.additive:
        return units.values[bins]
    low, high = units.values.min(axis=0), units.values.max(axis=0)
    return (units.values[bins] - low) / np.where(high > low, high - low, 1)


def bout_table(recording: Recording, trials: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn of the example bout, besides its sound.

    Returns
    -------
    DataFrame
        kind ('shown', 'syllable', 'unobserved', 'bin', 'spike' or 'event'), start, stop (s on the
        recording's clock; a spike or event has no stop), label and used of syllables, value of bins
        (counts, or levels as `shaded` has them), unit and row (from the tip) of all but syllables.
        Without trials, what is shown is the moment with most activity.
    """
    if trials.empty:
        bout, (start, stop) = "", liveliest(recording)
    else:
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
    binned = isinstance(units, Binned)
    trains = (units.events or ()) if binned else units.spike_times
    for row, unit in enumerate(_places(recording).index):
        about = {"unit": str(units.table.index[unit]), "row": row}
        if units.observed:
            gaps = pd.DataFrame(_unobserved(units.observed[unit], start, stop))
            parts.append(gaps.assign(kind="unobserved", **about))
        if binned:
            parts.append(_bins(units, unit, start, stop).assign(**about))
        if trains:
            train = trains[unit]
            train = train[np.searchsorted(train, start) : np.searchsorted(train, stop)]
            kind = "event" if binned else "spike"
            parts.append(pd.DataFrame({"kind": kind, "start": train, **about}))
    columns = ["kind", "start", "stop", "label", "used", "unit", "row"]
    columns += ["value"] if binned else []
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True).reindex(columns=columns)


def _places(recording: Recording) -> pd.DataFrame:
    """Return each unit's name, depth (µm) and location, from the tip upwards, unknown depths last.

    The index is the unit's number in the recording.
    """
    table = recording.units.table
    depth = table["depth"].to_numpy(float) if "depth" in table else np.full(len(table), np.nan)
    location = np.full(len(table), UNKNOWN)
    if "location" in table:
        location = table["location"].fillna("").astype(str).replace("", UNKNOWN).to_numpy()
    names = table.index.astype(str)
    places = pd.DataFrame({"unit": names, "depth": depth, "location": location})
    return places.sort_values("depth", kind="stable")


def _unobserved(observed: np.ndarray, start: float, stop: float) -> dict[str, np.ndarray]:
    """Return the parts of [start, stop) outside the intervals in which a unit was observed."""
    edges = np.clip(np.r_[start, np.ravel(observed), stop], start, stop).reshape(-1, 2)
    edges = edges[edges[:, 1] - edges[:, 0] > 1e-6]  # less is rounding
    return {"start": edges[:, 0], "stop": edges[:, 1]}


def _bins(units: Binned, unit: int, start: float, stop: float) -> pd.DataFrame:
    """Return the bins of one unit that begin in [start, stop)."""
    bins = _shown(units, start, stop)
    begin = units.start_time + np.arange(bins.start, bins.stop) / units.rate
    value = shaded(units, bins)[:, unit]
    return pd.DataFrame(
        {"kind": "bin", "start": begin, "stop": begin + 1 / units.rate, "value": value}
    )


def _shown(units: Binned, start: float, stop: float) -> slice:
    first, last = np.ceil((np.array([start, stop]) - units.start_time) * units.rate - 1e-6)
    return slice(*np.clip([first, last], 0, len(units.values)).astype(int))


@style.in_style()
def draw_bout(recording: Recording, trials: pd.DataFrame) -> Figure:
    """Draw an example bout: spectrogram, labels, activity of units ordered by depth.

    Parameters
    ----------
    recording : Recording
        The bird. Sound comes before a given spectrogram; without either, a sentence takes its
        place.
    trials : DataFrame
        See `neuro2voc.trials.make_trials`. If it is empty, the moment with most activity is drawn.
    """
    table = bout_table(recording, trials)
    bout, start, stop = table.loc[0, ["label", "start", "stop"]]
    labelled = not trials.empty
    heard = _heard(recording, start, stop)
    tall = float(np.clip(1.6 * len(recording.units), 12, 90))
    heights = [26 if heard else 6, *([6] if labelled else []), tall]
    figure = style.new_figure(
        style.PAGE,
        sum(heights) + 14,
        f"{recording.name}: {'one bout' if labelled else 'a moment of much activity'}",
        [_headline(recording, table, bout)],
        [_notes(recording, table, labelled, heard)],
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    sound, activity = axes[0], axes[-1]
    activity.set(xlim=(0, stop - start), xlabel=f"time (s) from {start:.2f} s of the recording")
    if isinstance(heard, Spectrogram):
        _draw_given(sound, heard, start, stop)
    elif heard is not None:
        _draw_sound(sound, heard, start, stop)
    else:
        sound.set_axis_off()
        any_sound = recording.audio or recording.spectrogram
        what = "holds no sound of this time" if any_sound else "holds no sound"
        sentence = f"This recording {what}, so there is no spectrogram."
        sound.text(0.5, 0.5, sentence, ha="center", va="center", transform=sound.transAxes)
    if labelled:
        _draw_labels(axes[1], table, trials, start, stop)
    _draw_units(activity, table, recording, start, stop)
    for ax in axes[:-1]:
        ax.tick_params(axis="x", bottom=False, labelbottom=False)
    return figure


def _heard(recording: Recording, start: float, stop: float) -> Audio | Spectrogram | None:
    """Return the sound, or else the spectrogram, that holds enough of [start, stop) to be seen."""
    for source in (recording.audio, recording.spectrogram):
        if source is None:
            continue
        if min(stop, source.stop_time) - max(start, source.start_time) > 2 * WINDOW:
            return source
    return None


def _notes(
    recording: Recording, table: pd.DataFrame, labelled: bool, heard: Audio | Spectrogram | None
) -> str:
    """Say how the time was chosen, and what the shades and marks of activity mean."""
    length = table.loc[0, "stop"] - table.loc[0, "start"]
    notes = [
        "The first bout with the median number of syllables; not chosen for its looks."
        if labelled
        else f"No labels: the {length:.2g} s with most activity; not chosen for its looks."
    ]
    if isinstance(heard, Spectrogram):
        notes.append("The spectrogram is as it was given.")
    units = recording.units
    if isinstance(units, Binned):
        width = f"bins of {1e3 / units.rate:.3g} ms"
        notes.append(
            f"Counts in {width}: white 0, darkest {table['value'].max():.3g}."
            if units.additive
            else f"Levels in {width}: white the least of each unit in the whole recording, darkest "
            "its greatest."
        )
        notes += ["Marks are events found in them."] if units.events else []
    if (table["kind"] == "unobserved").any():
        bars = "Blue" if isinstance(units, Binned) else "Grey"
        notes.append(f"{bars}: not observed.")
    return " ".join(notes)


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
    extent = (time[0] - step, time[-1] + step, 0, frequency[shown][-1] / 1000)
    image = _draw_image(ax, level, extent, (-RANGE, 0))
    ax.set(ylabel="frequency\n(kHz)", yticks=[0, 4, 8], ylim=(0, HIGHEST / 1000))
    _draw_bar(image, [-RANGE, -RANGE / 2, 0], "dB")


def _draw_given(ax: Axes, given: Spectrogram, start: float, stop: float) -> None:
    """Draw what there is of [start, stop) of a given spectrogram, in its own scale."""
    first, last = max(start, given.start_time), min(stop, given.stop_time)
    power = given.read(first, last).T
    bands = given.frequencies
    if bands is not None and np.allclose(np.diff(bands), np.diff(bands).mean()):
        half = np.diff(bands).mean() / 2 if len(bands) > 1 else 0.5
        bottom, top = (bands[0] - half) / 1000, (bands[-1] + half) / 1000
        ax.set_ylabel("frequency\n(kHz)")
    else:
        bottom, top = 0.5, len(power) + 0.5
        ax.set_ylabel("frequency\nband")
        ax.set_yticks([1, len(power)])
    limits = float(power.min()), float(power.max())
    image = _draw_image(ax, power, (first - start, last - start, bottom, top), limits)
    _draw_bar(image, limits, "level,\nas given")


def _draw_image(ax: Axes, values: np.ndarray, extent: tuple, limits: tuple) -> ScalarMappable:
    low, high = limits
    look = {"origin": "lower", "aspect": "auto", "cmap": "magma", "interpolation": "nearest"}
    return ax.imshow(values, vmin=low, vmax=high, extent=extent, **look)


def _draw_bar(image: ScalarMappable, ticks: list[float], label: str) -> None:
    """Draw an image's scale beside it."""
    beside = image.axes.inset_axes((1.01, 0, 0.012, 1))
    bar = image.axes.figure.colorbar(image, cax=beside, ticks=ticks)
    bar.ax.set_yticklabels([f"{tick:.2g}" for tick in ticks])
    bar.set_label(label)
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


def _draw_units(
    ax: Axes, table: pd.DataFrame, recording: Recording, start: float, stop: float
) -> None:
    """Draw each unit's activity in a row: bins as shades, spikes or events as marks."""
    places = _places(recording)
    known = places.loc[places["location"] != UNKNOWN, "location"]
    colors = {**style.colors_of(known, style.REGIONS), UNKNOWN: style.BLACK}
    binned = isinstance(recording.units, Binned)
    if binned:
        _draw_bins(ax, recording.units, places.index, start, stop)
        colors = dict.fromkeys(colors, style.BLACK)
    for row, location in enumerate(places["location"]):
        mine = table[table["row"] == row]
        moments = mine.loc[mine["kind"].isin(["spike", "event"]), "start"] - start
        ax.vlines(
            moments,
            row - 0.42,
            row + 0.42,
            color=style.VERMILION if binned else colors[location],
            lw=0.6,
        )
        gaps = mine[mine["kind"] == "unobserved"]
        ax.barh(
            [row] * len(gaps),
            gaps["stop"] - gaps["start"],
            left=gaps["start"] - start,
            height=1,
            color=UNSEEN if binned else style.PALE,
            lw=0,
        )
    deep = places["depth"].notna().any()
    ax.set_ylim(-0.6, len(places) - 0.4)
    ax.set_ylabel("units, from the tip up" if deep else "units")
    ax.set_yticks([0, len(places) - 1] if len(places) > 1 else [0], _ends(places))
    ax.tick_params(axis="y", length=0)
    for name in known.unique():
        middle = float(np.median(np.flatnonzero(places["location"] == name)))
        style.name_beside(ax, middle, name, colors[name])


def _draw_bins(ax: Axes, units: Binned, order: np.ndarray, start: float, stop: float) -> None:
    bins = _shown(units, start, stop)
    values = shaded(units, bins).T[order]
    first, last = units.start_time + np.array([bins.start, bins.stop]) / units.rate - start
    most = values.max(initial=0) if units.additive else 1
    ax.imshow(
        values,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=0,
        vmax=(most or 1) / DARKEST,
        interpolation="nearest",
        extent=(first, last, -0.5, len(values) - 0.5),
    )


def _ends(units: pd.DataFrame) -> list[str]:
    """Name the lowest and the highest unit by depth or else by name."""
    ends = units.iloc[[0, -1]] if len(units) > 1 else units
    return [
        row["unit"] if np.isnan(row["depth"]) else f"{row['depth']:.0f} µm"
        for _, row in ends.iterrows()
    ]


def _headline(recording: Recording, table: pd.DataFrame, bout: str) -> str:
    n = table["kind"].value_counts()
    units = "1 unit" if len(recording.units) == 1 else f"{len(recording.units)} units"
    marks = f"{n['event']} events" if "event" in n else "activity"
    if not isinstance(recording.units, Binned):
        marks = f"{n.get('spike', 0)} spikes"
    shown = f"{marks} of {units}"
    if not bout:
        return f"No labels. {shown[0].upper()}{shown[1:]}."
    sung = table[table["kind"] == "syllable"]
    return (
        f"Bout {bout}: {(sung['used'] == 1).sum()} syllables to decode (coloured), "
        f"{(sung['used'] == 0).sum()} other sounds (grey), {shown}."
    )
