"""Held-out song: the original above what neurons generate above what a surrogate's generate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro2voc.figures import style
from neuro2voc.frames import Frames
from neuro2voc.listening import example_rows
from neuro2voc.recording import Recording
from neuro2voc.sound_summary import judged_table, summary_table
from neuro2voc.sound_tables import measure_table

MOST = 3  # excerpts shown
LONGEST = 3.0  # s shown of each
HEIGHT, LABELS = 13, 3.5  # mm of a spectrogram, and of the labels above
ORIGINAL, NULL, BASELINE = "original", "null", "baseline"
SURROGATE = "surrogate"  # the null in tables, where pandas would read "null" as missing
INTERVALS = ["low", "high", "gain", "gain_low", "gain_high"]
TICK = 0.5  # s
RANGE = 50  # dB below the loudest that are drawn
NOT_MADE = "#9a9a9a"
BASELINES = {
    "syllable": "the mean rendition of the syllable that neurons decode",
    "ridge": "a linear regression",
}


def voice_table(
    frames: Frames,
    made: np.ndarray,
    null: np.ndarray | None,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    baseline: np.ndarray | None,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Return the numbers of the figure.

    Parameters
    ----------
    frames : Frames
    made, null, baseline : ndarray (frames, bands)
        Generated song, and that of a surrogate and of the baseline where there are any.
    trials, split : DataFrame
    resamples, seed : int
        Of the bootstrap over bouts; those of `neuro2voc.sound_report.measured_splits` give the same
        intervals.

    Returns
    -------
    DataFrame
        song ('generated', 'surrogate' or 'baseline'); part: 'all bouts' (means, with the interval
        of the correlation over bouts, low to high, and its gain over the baseline in the same
        bouts, gain_low to gain_high) or 'excerpt 1' and so on; start, stop (s), fold of excerpts;
        correlation, cepstral_distortion (dB); n_bouts.
    """
    songs = {"generated": made, SURROGATE: null, BASELINE: baseline}
    songs = {name: song for name, song in songs.items() if song is not None}
    each = measure_table(frames, songs, trials, split)
    summary = summary_table(each, None, resamples, seed)
    judged = judged_table(summary, each, None, None, BASELINE, resamples, seed)
    rows = []
    for name in songs:
        own = judged[judged["method"] == name].set_index("measure")
        overall = own.loc["correlation", [*INTERVALS, "n_bouts"]].to_dict()
        for measure in ("correlation", "cepstral_distortion"):
            overall[measure] = own.loc[measure, "value"]
        rows.append({"song": name, "part": "all bouts", **overall})
    fold = frames.folds(split)
    for number, shown in enumerate(shown_rows(frames, trials, split), start=1):
        about = {
            "part": f"excerpt {number}",
            "start": frames.start[shown.start],
            "stop": frames.start[shown.stop - 1] + frames.hop,
            "fold": np.bincount(fold[shown][fold[shown] >= 0]).argmax(),
        }
        for name, song in songs.items():
            rows.append({"song": name, **about, **_numbers(frames, song, shown)})
    columns = ["song", "part", "start", "stop", "fold", "correlation", *INTERVALS]
    return pd.DataFrame(rows)[[*columns, "cepstral_distortion", "n_bouts"]]


def shown_rows(frames: Frames, trials: pd.DataFrame, split: pd.DataFrame) -> list[slice]:
    """Return the frames of the excerpts, each of another fold, spread over the recording."""
    rows = example_rows(frames, trials, split)
    some = np.unique(np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(int))
    most = round(LONGEST / frames.hop)
    return [slice(r.start, min(r.stop, r.start + most)) for r in (rows[i] for i in some)]


def _numbers(frames: Frames, song: np.ndarray, shown: slice) -> dict[str, float]:
    from neuro2voc.sound_measures import cepstral_distortion, correlation

    real, made = frames.level[shown], song[shown]
    kept = np.isfinite(made).all(axis=1)
    if not kept.any():
        return {"correlation": np.nan, "cepstral_distortion": np.nan}
    distortion = np.nan
    if frames.settings is not None:
        distortion = cepstral_distortion(real[kept], made[kept], frames.frequencies)
    return {"correlation": correlation(real[kept], made[kept]), "cepstral_distortion": distortion}


@style.in_style()
def draw_voice(
    recording: Recording,
    frames: Frames,
    made: np.ndarray,
    null: np.ndarray | None,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    table: pd.DataFrame,
    shown: str,
    scheme: str,
    surrogate: str,
    warnings: Sequence[str] = (),
    baseline: str = "",
) -> Figure:
    """Draw held-out bouts.

    Parameters
    ----------
    recording : Recording
    frames : Frames
    made, null : ndarray (frames, bands)
        Generated song, and that of a surrogate where there is one.
    trials, split : DataFrame
    table : DataFrame
        See `voice_table`.
    shown : str
        The method.
    scheme : str
        The split's name.
    surrogate : str
        Its kind.
    warnings : sequence of str
        What has to be said first, such as that an autoencoder has collapsed.
    baseline : str
        What has to be beaten, where the table has it.
    """
    songs = {ORIGINAL: frames.level, shown: made, **({NULL: null} if null is not None else {})}
    excerpts = shown_rows(frames, trials, split)
    labelled = not trials.empty
    heights = ([LABELS] if labelled else []) + [HEIGHT] * len(songs)
    figure = style.new_figure(
        style.PAGE,
        len(excerpts) * (sum(heights) + 7) + 6,
        f"{recording.name}: held-out song, generated from neurons",
        [
            _headline(table, frames, scheme, surrogate, null is not None, labelled),
            *([_gain(table, baseline)] if baseline else []),
            *warnings,
        ],
        [_notes(frames, shown, surrogate, null is not None, labelled)],
        kind=style.kind_of(recording),
    )
    longest = max(rows.stop - rows.start for rows in excerpts) * frames.hop
    parts = np.atleast_1d(figure.subfigures(len(excerpts), 1, hspace=0))
    for number, (part, rows) in enumerate(zip(parts, excerpts, strict=True), start=1):
        axes = part.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        own = table[table["part"] == f"excerpt {number}"].set_index("song")
        if labelled:
            _draw_labels(axes[0], frames, trials, rows)
        for ax, (name, song) in zip(axes[labelled:], songs.items(), strict=True):
            numbers = own.loc[SURROGATE if name == NULL else "generated"]
            _draw_song(ax, frames, song[rows], name, None if name == ORIGINAL else numbers)
        duration = (rows.stop - rows.start) * frames.hop
        for ax in axes[labelled:]:
            ax.spines["bottom"].set_bounds(0, duration)
        axes[-1].set(
            xlim=(0, longest),
            xticks=np.arange(0, duration + frames.hop / 2, TICK),
            xlabel=f"time (s) from {frames.start[rows.start]:.2f} s of the recording",
        )
        for ax in axes[:-1]:
            ax.tick_params(axis="x", bottom=False, labelbottom=False)
    return figure


def _headline(
    table: pd.DataFrame, frames: Frames, scheme: str, surrogate: str, has_null: bool, labelled: bool
) -> str:
    own = table[table["part"] == "all bouts"].set_index("song")
    row = own.loc["generated"]
    units = "bouts" if labelled else "pieces of about 2 s"
    words = (
        f"{row['n_bouts']:.0f} {units} (split '{scheme}'): correlation with the original "
        f"{row['correlation']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
    )
    decibels = frames.settings is not None
    if decibels:
        words += f", cepstral distortion {row['cepstral_distortion']:.1f} dB"
    if has_null:
        beside = own.loc[SURROGATE]
        words += f"; of {surrogate} neurons {beside['correlation']:.2f}"
        words += f" and {beside['cepstral_distortion']:.1f} dB" if decibels else ""
    return words + "."


def _gain(table: pd.DataFrame, baseline: str) -> str:
    row = table[table["part"] == "all bouts"].set_index("song").loc["generated"]
    words = (
        f"Its gain in correlation over “{baseline}”, {BASELINES[baseline]}: {row['gain']:.3f} "
        f"({row['gain_low']:.3f} to {row['gain_high']:.3f})"
    ).replace("-", "−")
    if row["gain_low"] > 0:
        return f"{words}."
    return f"{words}; {'worse' if row['gain_high'] < 0 else 'not told from it'}."


def _notes(frames: Frames, shown: str, surrogate: str, has_null: bool, labelled: bool) -> str:
    chosen = (
        "Of each fold the first bout with its median number of syllables"
        if labelled
        else "Of each fold the middle of its longest stretch"
    )
    words = [f"{chosen}; not chosen for their looks, at most {LONGEST:g} s each."]
    words.append(f"{shown}: learnt from other folds; it is told nothing of these but activity.")
    if has_null:
        words.append(f"null: the same, learnt and generated from {surrogate} neurons.")
    if frames.settings is not None:
        words.append(f"Frames of {1e3 * frames.hop:g} ms; {RANGE} dB shown, black the quietest.")
    else:
        words.append("The spectrogram is as it was given; all on one scale.")
    return " ".join(words)


def _draw_song(
    ax: Axes, frames: Frames, song: np.ndarray, name: str, numbers: pd.Series | None
) -> None:
    low, high = (-RANGE, 0) if frames.settings else (frames.level.min(), frames.level.max())
    known = frames.frequencies is not None and not (frames.settings and frames.settings.mel)
    top = frames.frequencies[-1] / 1000 if known else song.shape[1]
    bottom = frames.frequencies[0] / 1000 if known else 0
    ax.imshow(
        song.T,
        origin="lower",
        aspect="auto",
        cmap=colormaps["magma"].with_extremes(bad=NOT_MADE),
        vmin=low,
        vmax=high,
        interpolation="nearest",
        extent=(0, len(song) * frames.hop, bottom, top),
    )
    ax.set_ylabel("kHz" if known else "band")
    if known:
        ax.set_yticks([0, 4, 8] if top > 6 else [0, 2, 4])
    words = name
    if numbers is not None:
        words += f"\nr {numbers['correlation']:.2f}"
        if np.isfinite(numbers["cepstral_distortion"]):
            words += f"\n{numbers['cepstral_distortion']:.1f} dB"
    color = {ORIGINAL: style.BLACK, NULL: style.GREY}.get(name, style.BLUE)
    ax.text(
        1.005,
        0.5,
        words,
        transform=ax.transAxes,
        va="center",
        color=color,
        weight="bold",
        linespacing=1.3,
    )


def _draw_labels(ax: Axes, frames: Frames, trials: pd.DataFrame, rows: slice) -> None:
    start = frames.start[rows.start]
    stop = frames.start[rows.stop - 1] + frames.hop
    colors = style.colors_of(trials.loc[trials["used"] == 1, "label"], style.SYLLABLES)
    inside = trials[(trials["offset"] > start) & (trials["onset"] < stop)]
    for row in inside.itertuples():
        left, right = max(row.onset, start) - start, min(row.offset, stop) - start
        color = colors.get(row.label, style.PALE) if row.used else style.PALE
        ax.axvspan(left, right, color=color, lw=0)
        ax.text(
            (left + right) / 2,
            0.5,
            row.label,
            ha="center",
            va="center",
            color=style.ink_on(color),
            size=style.SMALL,
            clip_on=True,
        )
    ax.set(ylim=(0, 1), yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)
