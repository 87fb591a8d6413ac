"""How each syllable sounds: a spectrogram of a typical rendition of every label."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neuro2voc.figures import style
from neuro2voc.figures.spectrogram import (
    HIGHEST,
    PARAMETERS,
    draw_spectrogram,
    no_sound,
    sound_between,
)
from neuro2voc.recording import Recording
from neuro2voc.trials import used_trials

SHOWN, AROUND = 0.3, 0.05  # s around the middle of the syllable, and at least around its edges
COLUMNS, ROW = 4, 32  # panels, mm


def typical_renditions(trials: pd.DataFrame) -> pd.DataFrame:
    """Choose of each label the rendition of median duration; nobody picks it.

    Returns
    -------
    DataFrame
        label, trial, onset, offset (s), renditions (number of them), start and stop (s) of what is
        shown.
    """
    used = used_trials(trials)
    order = used.assign(duration=used["offset"] - used["onset"])
    order = order.sort_values(["duration", "trial"], kind="stable")
    rows = []
    for label, mine in order.groupby("label"):
        row = mine.iloc[(len(mine) - 1) // 2]
        rows.append({"label": label, **row[["trial", "onset", "offset"]], "renditions": len(mine)})
    table = pd.DataFrame(rows)
    half = max(SHOWN, (table["offset"] - table["onset"]).max() + 2 * AROUND) / 2
    middle = (table["onset"] + table["offset"]) / 2
    return table.assign(start=middle - half, stop=middle + half)


@style.in_style()
def draw_spectrograms(recording: Recording, trials: pd.DataFrame) -> Figure:
    """Draw a typical rendition of every label, or say that the recording holds no sound."""
    table = typical_renditions(trials)
    silent = recording.audio is None and recording.spectrogram is None
    columns = min(COLUMNS, len(table))
    rows = -(-len(table) // columns)
    figure = style.new_figure(
        style.PAGE,
        20 if silent else rows * ROW + 4,
        f"{recording.name}: how the syllables sound",
        [f"{len(table)} labels; of each the rendition of median duration."],
        [] if silent else [_note(recording)],
        kind=style.kind_of(recording),
    )
    if silent:
        no_sound(figure.subplots())
        return figure
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    images = []
    for i, ax in enumerate(axes.flat):
        if i >= len(table):
            ax.set_visible(False)
            continue
        images.append(_draw_label(ax, recording, table.iloc[i]))
        ax.set_xlabel("time from onset (ms)" if i + columns >= len(table) else "")
        if i % columns:
            ax.set_ylabel("")
    shown = [image for image in images if image is not None]
    if shown and recording.audio is not None:
        bar = figure.colorbar(shown[0], ax=axes, aspect=30, fraction=0.02, pad=0.01)
        bar.set_label("dB")
        bar.outline.set_visible(False)
    return figure


def _draw_label(ax: Axes, recording: Recording, row: pd.Series) -> object:
    duration = 1e3 * (row["offset"] - row["onset"])
    ax.set_title(f"{row['label']}: {duration:.0f} ms (of {row['renditions']} sung)", loc="left")
    sound = sound_between(recording, row["start"], row["stop"])
    if sound is None:
        no_sound(ax, "no sound here")
        return None
    image = draw_spectrogram(ax, sound, zero=row["onset"], scale=1e3)
    bottom, top = (0, HIGHEST / 1000) if sound.known else (sound.bottom, sound.top)
    box = Rectangle((0, bottom), duration, top - bottom, fill=False, ec=style.ORANGE, lw=1.4)
    ax.add_patch(box)
    ax.set_xlim(1e3 * (row["start"] - row["onset"]), 1e3 * (row["stop"] - row["onset"]))
    return image


def _note(recording: Recording) -> str:
    made = PARAMETERS if recording.audio is not None else "The recording's own spectrogram."
    return f"Orange: the syllable as it is annotated. {made}"
