"""When a bird sings what: introductory notes, motifs, bouts, sessions.

A song is a table with one row per syllable. Its clock ticks in milliseconds: onsets and offsets are
whole ticks, so that windows around them hold whole ticks too and the oracle can be exact.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.files import read_csv
from neuro2voc.sources.settings import Settings

TICK = 1e-3  # s
INTRODUCTORY = "i"
LETTERS = "abcdefghjklm"  # without i, which is the introductory note
EPOCHS_PER_SESSION = 2  # a unit's gain drifts between these

COLUMNS = ["session", "epoch", "bout", "label", "start", "stop", "pitch", "loudness"]


@dataclass(frozen=True)
class Repertoire:
    """What a bird can sing.

    Attributes
    ----------
    labels : tuple of str
        The introductory note first, then the motif's syllables in order.
    durations : ndarray (labels,)
        Mean durations in s.
    """

    labels: tuple[str, ...]
    durations: np.ndarray


def draw_repertoire(settings: Settings, rng: np.random.Generator) -> Repertoire:
    """Draw a repertoire whose durations spread evenly between the shortest and the longest."""
    spread = np.linspace(settings.shortest, settings.longest, settings.syllable_types)
    durations = np.concatenate([[0.8 * settings.shortest], rng.permutation(spread)])
    return Repertoire(
        labels=(INTRODUCTORY, *LETTERS[: settings.syllable_types]), durations=durations
    )


def _draw_bout(settings: Settings, rng: np.random.Generator) -> list[int]:
    """Label indices of one bout: 1–4 introductory notes, then one to four motifs."""
    types = settings.syllable_types
    sequence = [0] * int(rng.integers(1, 5))
    syllable = 1
    for _ in range(types * int(rng.integers(1, 5))):
        sequence.append(syllable)
        if rng.random() < settings.stereotypy:
            syllable = syllable % types + 1
        else:
            syllable = int(rng.integers(1, types + 1))
    return sequence


def draw_song(
    settings: Settings,
    repertoire: Repertoire,
    rng: np.random.Generator,
    sessions: int | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw a song.

    Parameters
    ----------
    settings, repertoire
        The bird.
    sessions : int, optional
        Instead of the settings' number.

    Returns
    -------
    song : DataFrame
        One row per syllable: session, epoch, bout, label (an index into the repertoire), start and
        stop (ticks of 1 ms), pitch (octaves) and loudness (dB) relative to the type's mean.
    bounds : ndarray (sessions, 2)
        First and last tick of each session; one session follows the other on one clock.
    """
    rows, bounds, now, bout = [], [], 0, 0
    for session in range(settings.sessions if sessions is None else sessions):
        first = now
        for index in range(settings.bouts):
            epoch = session * EPOCHS_PER_SESSION + index * EPOCHS_PER_SESSION // settings.bouts
            # Pauses between bouts: at least 1 s, 2.5 s on average.
            now += 1000 + int(rng.exponential(1500))
            for label in _draw_bout(settings, rng):
                mean = repertoire.durations[label]
                duration = mean * (1 + settings.duration_cv * rng.standard_normal())
                ticks = max(20, round(duration / TICK))
                pitch = settings.pitch_sd * rng.standard_normal()
                loudness = settings.loudness_sd * rng.standard_normal()
                rows.append((session, epoch, bout, label, now, now + ticks, pitch, loudness))
                # Gaps between syllables: 5 ms at least, 30 ms on average, 90 ms after an
                # introductory note.
                gap = rng.gamma(6, 14 if label == 0 else 4)
                now += ticks + 5 + round(gap)
            bout += 1
        now += 1000
        bounds.append((first, now))
    return pd.DataFrame(rows, columns=COLUMNS), np.array(bounds)


def read_song(path: str, bout_gap: float = 0.5) -> tuple[pd.DataFrame, Repertoire]:
    """Read an annotated song: a .csv file with the columns onset_s, offset_s, label.

    Onsets and offsets are rounded to the simulator's ticks; the song is one session.

    Raises
    ------
    DataError
        A column is missing, a syllable does not end after it begins, or syllables overlap.
    """
    table = read_csv(path, ["onset_s", "offset_s", "label"]).sort_values("onset_s")
    labels = tuple(sorted(table["label"].astype(str).unique()))
    start = np.rint(table["onset_s"].to_numpy(float) / TICK).astype(int)
    stop = np.rint(table["offset_s"].to_numpy(float) / TICK).astype(int)
    if not len(table):
        raise DataError(f"{path}: there is no syllable in it; annotate some.")
    if start[0] < 0 or (stop <= start).any() or (start[1:] < stop[:-1]).any():
        raise DataError(
            f"{path}: syllables overlap, end before they begin or begin before 0 s; correct "
            "onset_s and offset_s."
        )
    bout = np.cumsum(np.r_[0, (start[1:] - stop[:-1]) * TICK > bout_gap])
    song = pd.DataFrame(
        {
            "session": 0,
            "epoch": bout * EPOCHS_PER_SESSION // (bout[-1] + 1),
            "bout": bout,
            "label": [labels.index(str(label)) for label in table["label"]],
            "start": start,
            "stop": stop,
            "pitch": 0.0,
            "loudness": 0.0,
        }
    )
    means = (song["stop"] - song["start"]).groupby(song["label"]).mean().to_numpy() * TICK
    return song, Repertoire(labels=labels, durations=means)
