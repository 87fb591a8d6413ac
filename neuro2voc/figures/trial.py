"""One trial in full: sound, spikes and the moving window's counts that decoders see."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro2voc.binning import PER_SECOND, Window, make_tensor
from neuro2voc.errors import DataError
from neuro2voc.figures import style
from neuro2voc.figures.spectrogram import PARAMETERS, draw_spectrogram, no_sound, sound_between
from neuro2voc.recording import Recording, Units
from neuro2voc.trials import used_trials

AROUND = 0.05  # s shown at least, before and after
ROW, LABEL = 1.1, 2.7  # mm: a unit, and a unit with its label
LABELLED, SHORTEST = 40, 14  # mm: panels with all labels, panels
UNOBSERVED = "#dddddd"


def example_trial(trials: pd.DataFrame) -> pd.Series:
    """Choose a trial that nobody picked: of the commonest label that of median duration.

    Raises
    ------
    DataError
        No syllable is decoded.
    """
    used = used_trials(trials)
    if used.empty:
        raise DataError("No syllable is decoded, so no trial can be drawn; name more labels.")
    number = used["label"].value_counts()
    label = min(number.index[number == number.max()])
    mine = used[used["label"] == label]
    mine = mine.assign(duration=mine["offset"] - mine["onset"])
    return mine.sort_values(["duration", "trial"], kind="stable").iloc[(len(mine) - 1) // 2]


def trial_table(recording: Recording, trials: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Return what is drawn of the example trial, besides its sound.

    Returns
    -------
    DataFrame
        kind ('shown', 'syllable', 'spike' or 'count'), start, stop (s from the trial's alignment;
        a spike has no stop), label of syllables, unit, row (from the tip up; units of unknown
        depth last) and depth (µm from the tip), and value of counts; a unit that was not observed
        throughout has none.
    """
    trial = example_trial(trials)
    zero = trial[window.align]
    left = min(trial["onset"] - zero, window.start) - AROUND
    right = max(trial["offset"] - zero, window.stop) + AROUND
    parts = [pd.DataFrame({"kind": ["shown"], "start": left, "stop": right})]
    near = trials[(trials["offset"] > zero + left) & (trials["onset"] < zero + right)]
    times = {"start": near["onset"] - zero, "stop": near["offset"] - zero}
    parts.append(pd.DataFrame({"kind": "syllable", **times, "label": near["label"]}))
    table = recording.units.table
    depth = np.asarray(table["depth"] if "depth" in table else np.full(len(table), np.nan), float)
    tensor = make_tensor(recording, trials.loc[[trial.name]], window)
    trains = _trains(recording)
    for row, unit in enumerate(np.argsort(depth, kind="stable")):
        about = {"unit": str(table.index[unit]), "row": row, "depth": depth[unit]}
        train = trains[unit] - zero
        inside = train[(train >= left) & (train < right)]
        parts.append(pd.DataFrame({"kind": "spike", "start": inside, **about}))
        counts = tensor.counts[0, unit].astype(float)
        counts[~np.repeat(tensor.observed[0, unit], len(counts))] = np.nan
        bins = {"start": window.bin_starts / PER_SECOND, "stop": window.bin_stops / PER_SECOND}
        parts.append(pd.DataFrame({"kind": "count", **bins, **about, "value": counts}))
    columns = ["kind", "start", "stop", "label", "unit", "row", "depth", "value"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def _trains(recording: Recording) -> tuple[np.ndarray, ...]:
    """Return each unit's spike times, or the events found in its activity, if any were."""
    units = recording.units
    if isinstance(units, Units):
        return units.spike_times
    return units.events or (np.empty(0),) * len(units)


@style.in_style()
def draw_trial(recording: Recording, trials: pd.DataFrame, window: Window) -> Figure:
    """Draw the example trial.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        See `neuro2voc.trials.make_trials`.
    window : Window
        The moving window.
    """
    trial = example_trial(trials)
    table = trial_table(recording, trials, window)
    zero = trial[window.align]
    left, right = table.loc[0, ["start", "stop"]]
    names = _names(table)
    height = max(SHORTEST, ROW * len(names), min(LABEL * len(names), LABELLED))
    sound = sound_between(recording, zero + left, zero + right)
    heights = [24 if sound else 6, 5, height, height]
    figure = style.new_figure(
        style.PAGE,
        sum(heights) + 20,
        f"{recording.name}: one trial",
        [_headline(recording, table, trial)],
        _notes(recording, window, bool(sound)),
        kind=style.kind_of(recording),
    )
    axes = figure.subplots(4, 1, sharex=True, height_ratios=heights)
    axes[-1].set(xlim=(1e3 * left, 1e3 * right), xlabel=f"time from {window.align} (ms)")
    if sound is None:
        no_sound(axes[0])
    else:
        image = draw_spectrogram(axes[0], sound, zero, 1e3)
        _bar(axes[0], image, "value" if sound.given else "dB")
    _draw_labels(axes[1], table, trials)
    _draw_raster(axes[2], table)
    _draw_counts(axes[3], table, window)
    for ax in axes[2:]:
        _label_rows(ax, names, height)
        for edge in (trial["onset"], trial["offset"]):
            ax.axvline(1e3 * (edge - zero), color=style.VERMILION, lw=0.7)
    for ax in axes[:-1]:
        ax.tick_params(axis="x", bottom=False, labelbottom=False)
    return figure


def _bar(ax: Axes, image: object, words: str) -> None:
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.01, 0, 0.012, 1)))
    bar.set_label(words)
    bar.outline.set_visible(False)


def _draw_labels(ax: Axes, table: pd.DataFrame, trials: pd.DataFrame) -> None:
    colors = style.colors_of(used_trials(trials)["label"], style.SYLLABLES)
    left, right = 1e3 * table.loc[0, ["start", "stop"]]
    for _, row in table[table["kind"] == "syllable"].iterrows():
        start, stop = max(1e3 * row["start"], left), min(1e3 * row["stop"], right)
        color = colors.get(row["label"], style.PALE)
        ax.barh(0, stop - start, left=start, height=0.9, color=color, lw=0)
        ink = {"color": style.ink_on(color), "weight": "bold", "clip_on": True}
        ax.text((start + stop) / 2, 0, row["label"], ha="center", va="center", **ink)
    ax.set(ylim=(-0.5, 0.5), yticks=[])
    ax.set_ylabel("label", rotation=0, ha="right", va="center")
    ax.spines[:].set_visible(False)


def _draw_raster(ax: Axes, table: pd.DataFrame) -> None:
    spikes = table[table["kind"] == "spike"]
    ax.vlines(1e3 * spikes["start"], spikes["row"] - 0.42, spikes["row"] + 0.42, color="k", lw=0.7)


def _draw_counts(ax: Axes, table: pd.DataFrame, window: Window) -> None:
    counts = table[table["kind"] == "count"]
    grid = counts["value"].to_numpy().reshape(-1, len(window.bin_starts))
    middle = 500 * (window.bin_starts + window.bin_stops) / PER_SECOND
    half = 500 * (window.step or window.bin)
    image = ax.imshow(
        grid,
        origin="lower",
        aspect="auto",
        cmap=colormaps["Blues"].with_extremes(bad=UNOBSERVED),
        vmin=0,
        vmax=max(1, np.nanmax(grid, initial=0)),
        interpolation="nearest",
        extent=(middle[0] - half, middle[-1] + half, -0.5, len(grid) - 0.5),
    )
    _bar(ax, image, f"spikes in {1e3 * window.bin:g} ms")


def _names(table: pd.DataFrame) -> list[str]:
    """Name the units from the tip up, by depth where it is known."""
    single = table[table["kind"] == "count"].drop_duplicates("row").sort_values("row")
    return [
        unit if np.isnan(depth) else f"{depth:.0f}"
        for unit, depth in zip(single["unit"], single["depth"], strict=True)
    ]


def _label_rows(ax: Axes, names: list[str], height: float) -> None:
    every = int(np.ceil(len(names) * LABEL / height - 1e-9))
    rows = range(0, len(names), every)
    ax.set_yticks(rows, [names[row] for row in rows])
    ax.set_ylim(-0.5, len(names) - 0.5)
    ax.tick_params(axis="y", length=1.5)
    known = all(name.isdigit() for name in names)
    ax.set_ylabel("unit (µm from tip)" if known else "unit")


def _headline(recording: Recording, table: pd.DataFrame, trial: pd.Series) -> str:
    spikes, units = (table["kind"] == "spike").sum(), len(recording.units)
    duration = 1e3 * (trial["offset"] - trial["onset"])
    return (
        f"Trial {trial['trial']}, syllable {trial['label']} after {trial['previous']}, "
        f"{duration:.0f} ms long: {spikes} spikes of {units} unit{'s' if units > 1 else ''} in "
        "what is shown."
    )


def _notes(recording: Recording, window: Window, sounds: bool) -> list[str]:
    notes = [
        "Of the commonest label the rendition of median duration; not chosen for its looks. Red: "
        "onset and offset.",
        f"Below: spikes in windows of {1e3 * window.bin:g} ms every "
        f"{1e3 * (window.step or window.bin):g} ms, each drawn at its middle; grey: not observed.",
    ]
    if not isinstance(recording.units, Units):
        notes.append("There are no spikes: events above, values of the activity below.")
    if sounds and recording.audio is not None:
        notes.append(f"Spectrogram: {PARAMETERS}")
    return notes
