"""When a bird sings what: introductory notes, motifs, bouts, sessions.

A song is a table with one row per syllable. Its clock ticks in milliseconds: onsets and offsets are
whole ticks, so that windows around them hold whole ticks too and the oracle can be exact.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import log_ndtr

from neuro2voc.errors import DataError
from neuro2voc.files import read_csv
from neuro2voc.sources import thesis
from neuro2voc.sources.settings import Settings

TICK = 1e-3  # s
INTRODUCTORY = "i"
LETTERS = "abcdefghjklm"  # without i, which is the introductory note
EPOCHS_PER_SESSION = 2  # a unit's gain drifts between these
QUARTILE = 0.6745  # of a normal distribution, in standard deviations
PAUSE = 1000  # ticks, the shortest between bouts

COLUMNS = ["session", "epoch", "bout", "label", "start", "stop", "pitch", "loudness"]


@dataclass(frozen=True)
class Repertoire:
    """What a bird can sing.

    Durations are two halves of normal distributions that meet at the median, rounded to whole ticks
    and clipped.

    Attributes
    ----------
    labels : tuple of str
        The introductory note first, then the motif's syllables in order.
    durations : ndarray (labels,)
        Medians in s.
    spread : ndarray (labels, 2)
        Standard deviations in s below and above the median.
    limits : tuple of int
        Shortest and longest duration in ticks.
    """

    labels: tuple[str, ...]
    durations: np.ndarray
    spread: np.ndarray
    limits: tuple[int, int]


def draw_repertoire(settings: Settings, rng: np.random.Generator) -> Repertoire:
    """Return a preset's repertoire, or draw one.

    One that is drawn has durations that spread evenly between the shortest and the longest.
    """
    if settings.preset:
        median, low, high = TICK * np.array(thesis.DURATIONS).T
        spread = np.stack([median - low, high - median], axis=1) / QUARTILE
        return Repertoire(thesis.LABELS, median, spread, (thesis.SHORTEST, thesis.LONGEST))
    even = np.linspace(settings.shortest, settings.longest, settings.syllable_types)
    durations = np.concatenate([[0.8 * settings.shortest], rng.permutation(even)])
    return Repertoire(
        labels=(INTRODUCTORY, *LETTERS[: settings.syllable_types]),
        durations=durations,
        spread=np.repeat(settings.duration_cv * durations[:, None], 2, axis=1),
        limits=(20, 10_000),
    )


def draw_durations(
    repertoire: Repertoire, label: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw the durations (n,) of syllables with these labels (n,), in ticks."""
    z = rng.standard_normal(len(label))
    duration = repertoire.durations[label] + z * repertoire.spread[label, (z > 0).astype(int)]
    return np.clip(np.rint(duration / TICK).astype(int), *repertoire.limits)


def log_duration_probability(repertoire: Repertoire, ticks: np.ndarray) -> np.ndarray:
    """Log probability (..., labels) of durations (...) in ticks, as `draw_durations` draws them."""

    def z(edge: np.ndarray) -> np.ndarray:
        away = edge[..., None] * TICK - repertoire.durations
        spread = np.where(away > 0, repertoire.spread[:, 1], repertoire.spread[:, 0])
        return away / np.maximum(spread, 1e-9)

    low, high = repertoire.limits
    begin = z(np.where(ticks > low, ticks - 0.5, -np.inf))
    end = z(np.where(ticks < high, ticks + 0.5, np.inf))
    # Above the median both are mirrored: differences of small numbers keep their digits.
    begin, end = np.where(begin > 0, -end, begin), np.where(begin > 0, -begin, end)
    return log_ndtr(end) + np.log1p(-np.exp(log_ndtr(begin) - log_ndtr(end)))


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


def _draw_gaps(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Silence after each syllable: 5 ms, and 24 more on average, 84 after an introductory note."""
    return 5 + np.rint(rng.gamma(6, np.where(label == 0, 14, 4))).astype(int)


def _draw_thesis_bouts(rng: np.random.Generator) -> list[list[list[int]]]:
    """Sessions of bouts of label indices, like those of the thesis' bird.

    Within bouts every maximal increasing run occurs as often as published, and every session and
    label has as many syllables. How runs made bouts is not published. Here a bout has some single
    notes 2, then a run that begins with 2 and goes on, then runs that begin with 3. A run that
    begins later follows one that ends with 7, because the two would be one otherwise; an 8 begins a
    bout.
    """
    every = [run for run, count in thesis.RUNS.items() for _ in range(count)]
    runs = [[thesis.LABELS.index(name) for name in every[i]] for i in rng.permutation(len(every))]
    last = len(thesis.LABELS) - 2
    late = [run for run in runs if 1 < run[0] <= last]
    to_the_end = [run for run in runs if run[0] <= 1 and run[-1] == last]
    for run, follower in zip(to_the_end, late, strict=False):
        run.extend(follower)
    bouts = [run for run in runs if run[0] == 0 and run[-1] > 0]
    for run in runs:
        if run[0] == 1:
            bouts[rng.integers(len(bouts))].extend(run)

    # Each session takes bouts until about its share of the single notes fills it up.
    share = thesis.RUNS["2"] / sum(thesis.TRIALS_PER_SESSION)
    sessions, total = [], np.cumsum([len(bout) for bout in bouts])
    for wanted in thesis.TRIALS_PER_SESSION[:-1]:
        taken = np.searchsorted(total, wanted * (1 - share), side="right")
        sessions.append(bouts[:taken])
        bouts, total = bouts[taken:], total[taken:] - total[taken - 1]
    sessions.append(bouts)
    for index in rng.choice(len(bouts), thesis.RUNS["8"], replace=False):
        bouts[index].insert(0, last + 1)
    for session, wanted in zip(sessions, thesis.TRIALS_PER_SESSION, strict=True):
        notes = wanted - sum(map(len, session))
        for index in rng.integers(len(session), size=notes):
            session[index].insert(session[index][0] > last, 0)
    return sessions


def _draw_thesis_gaps(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Silence after each syllable: 0 to 4 ms within a run, 100 to 300 ms after one (chosen)."""
    goes_on = np.r_[label[1:] > label[:-1], False]
    return np.where(goes_on, rng.integers(0, 5, len(label)), rng.integers(100, 301, len(label)))


def draw_song(
    settings: Settings, repertoire: Repertoire, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw a song.

    Returns
    -------
    song : DataFrame
        One row per syllable: session, epoch, bout, label (an index into the repertoire), start and
        stop (ticks of 1 ms), pitch (octaves) and loudness (dB) relative to the type's mean.
    bounds : ndarray (sessions, 2)
        First and last tick of each session; one session follows the other on one clock.
    """
    if settings.preset:
        sessions, gaps, lengths = _draw_thesis_bouts(rng), _draw_thesis_gaps, thesis.SESSION_TICKS
    else:
        one = range(settings.bouts)
        sessions = [[_draw_bout(settings, rng) for _ in one] for _ in range(settings.sessions)]
        gaps, lengths = _draw_gaps, [None] * settings.sessions
    parts, bounds, now, bouts = [], [], 0, 0
    for session, (sung, length) in enumerate(zip(sessions, lengths, strict=True)):
        label = np.concatenate(sung)
        bout = np.repeat(np.arange(len(sung)), [len(bout) for bout in sung])
        ticks = draw_durations(repertoire, label, rng)
        silence = gaps(label, rng)
        ends = np.flatnonzero(np.diff(bout))
        silence[-1] = 0
        taken = ticks.sum() + silence.sum() - silence[ends].sum()
        before, *between, after = _draw_pauses(len(sung) + 1, length and length - taken, rng)
        silence[ends] = between
        start = now + before + np.cumsum(ticks + silence) - ticks - silence
        part = {
            "session": session,
            "epoch": session * EPOCHS_PER_SESSION + bout * EPOCHS_PER_SESSION // len(sung),
            "bout": bouts + bout,
            "label": label,
            "start": start,
            "stop": start + ticks,
            "pitch": settings.pitch_sd * rng.standard_normal(len(label)),
            "loudness": settings.loudness_sd * rng.standard_normal(len(label)),
        }
        parts.append(pd.DataFrame(part, columns=COLUMNS))
        bounds.append((now, int(start[-1] + ticks[-1] + after)))
        now, bouts = bounds[-1][1], bouts + len(sung)
    return pd.concat(parts, ignore_index=True), np.array(bounds)


def _draw_pauses(n: int, total: int | None, rng: np.random.Generator) -> np.ndarray:
    """Draw pauses (n,) around bouts: at least 1 s, 2.5 s on average or what fills the session."""
    rest = rng.exponential(1500, n)
    if total is not None:
        edges = np.rint(np.r_[0, np.cumsum(rest)] / rest.sum() * (total - n * PAUSE))
        rest = np.diff(edges)
    return PAUSE + rest.astype(int)


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
    durations = (song["stop"] - song["start"]).groupby(song["label"])
    deviation = (durations.std(ddof=0).to_numpy() + 0.5) * TICK
    return song, Repertoire(
        labels=labels,
        durations=durations.mean().to_numpy() * TICK,
        spread=np.stack([deviation, deviation], axis=1),
        limits=(1, int((stop - start).max())),
    )
