"""Trials: one per syllable, grouped into bouts."""

import logging

import numpy as np
import pandas as pd

from neuro2voc.errors import DataError
from neuro2voc.files import read_csv
from neuro2voc.recording import Recording

log = logging.getLogger(__name__)

COLUMNS = {
    "trial": int,
    "session": str,
    "bout": int,
    "onset": float,
    "offset": float,
    "label": str,
    "previous": str,
    "used": int,
    "note": str,
}
INSIDE = "lies inside another syllable"
EMPTY = "lasts no time"
MANY = 10  # syllables inside one are more than a slip of the hand
START = "start"  # stands for the predecessor of a bout's first syllable


def make_trials(
    recording: Recording, bout_gap: float, labels: list[str], folds: int
) -> pd.DataFrame:
    """Make the trial table of a recording.

    A syllable that lies inside another, or lasts no time, is set aside and counts for nothing; of
    the others, one that runs into the next ends where the next begins. A silence longer than
    `bout_gap`, or a new session, begins a new bout. Nothing is left out silently: every syllable
    keeps its row, and one that is not decoded says why in `note`. A recording without labels has an
    empty table.

    Parameters
    ----------
    recording : Recording
    bout_gap : float
        s.
    labels : list of str
        Labels to decode; empty for all.
    folds : int
        Classes with fewer trials than folds are set aside.

    Returns
    -------
    DataFrame
        trial (row number), session, bout, onset, offset (s), label, previous (label of the syllable
        before it in the same bout, or 'start'), used (0 or 1), note.

    Raises
    ------
    DataError
        All labels are empty, one asked for does not occur, or fewer than two classes are left.
    """
    syllables = in_order(recording.syllables)
    if syllables.empty:
        log.warning("%s has no labels, so there is nothing to decode", recording.name)
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    onset, stop = syllables["start_time"].to_numpy(), syllables["stop_time"].to_numpy()
    label = syllables["label"].astype(str)
    session = syllables["session"].astype(str)
    aside = pd.Series("", index=syllables.index)
    aside[stop <= np.r_[-np.inf, np.maximum.accumulate(stop)[:-1]]] = INSIDE
    aside[stop <= onset] = EMPTY
    outer = np.flatnonzero(aside == "")
    if not len(outer):
        raise DataError(f"{recording.name}: no syllable lasts any time; correct their stop times.")
    inside = contents(aside)
    for row, count in inside[inside > MANY].items():
        log.warning("%s: %s", recording.name, _swallows(syllables.loc[row], count))
    offset = stop.copy()
    offset[outer] = np.minimum(stop[outer], np.r_[onset[outer[1:]], np.inf])
    known = sorted(set(label) - {""})
    if not known:
        raise DataError(
            f"{recording.name}: the labels of all {len(label)} syllables are empty; name the "
            "column that holds them under `label_column:`."
        )
    if missing := [name for name in labels if name not in known]:
        raise DataError(
            f"{recording.name}: labels to decode include {', '.join(missing)}, which never occur; "
            f"the recording has: {', '.join(known)}."
        )
    new_bout = np.zeros(len(onset), dtype=bool)
    new_bout[outer[0]] = True
    new_bout[outer[1:]] = onset[outer[1:]] - offset[outer[:-1]] > bout_gap
    new_bout |= session != session.shift()
    trials = pd.DataFrame(
        {
            "trial": np.arange(len(onset)),
            "session": session,
            "bout": np.cumsum(new_bout) - 1,
            "onset": onset,
            "offset": offset,
            "label": label,
            "previous": label.where(aside == "").ffill().shift().mask(new_bout, START),
        }
    )
    note = pd.Series("", index=trials.index)
    if labels:
        note[~label.isin(labels)] = "label not among those to decode"
    note[label == ""] = "has no label"
    note = note.where(aside == "", aside)
    counts = label[note == ""].value_counts()
    for name, count in counts[counts < folds].items():
        note[(note == "") & (label == name)] = f"class has {count} trials for {folds} folds"
    trials["used"] = (note == "").astype(int)
    trials["note"] = note
    classes = sorted(label[note == ""].unique())
    if len(classes) < 2:
        left = f"only {classes[0]} is" if classes else "none are"
        most = inside.max() if len(inside) else 0
        lost = f"; {_swallows(syllables.loc[inside.idxmax()], most)}" if most >= folds else ""
        raise DataError(
            f"{recording.name}: of the classes with at least {folds} trials {left} left, and "
            f"decoding needs two; lower `folds` or name more `labels` (the recording has: "
            f"{', '.join(known)}){lost}."
        )
    return trials


def contents(aside: pd.Series) -> pd.Series:
    """Count the syllables that lie inside each other one.

    Parameters
    ----------
    aside : Series
        Why each syllable, in order, is set aside; '' where it is not.

    Returns
    -------
    Series
        Numbers of those inside by the row of the one around them; rows with none are left out.
    """
    around = aside.index.to_series().where(aside == "").ffill()
    return around[aside == INSIDE].astype(int).value_counts()


def _swallows(syllable: pd.Series, count: int) -> str:
    return (
        f"the syllable '{syllable['label']}' from {syllable['start_time']:g} to "
        f"{syllable['stop_time']:g} s (row {syllable.name} in order of onset) has {count} others "
        "inside it, which are set aside; correct its times, or remove it"
    )


def in_order(syllables: pd.DataFrame) -> pd.DataFrame:
    """Return syllables in the order in which trials are numbered: by onset, the longer first."""
    return syllables.sort_values(
        ["start_time", "stop_time"], ascending=[True, False], kind="stable", ignore_index=True
    )


def sung(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that stand for a sound of their own, decoded or not."""
    return trials[~trials["note"].isin([INSIDE, EMPTY])]


def read_trials(path: str) -> pd.DataFrame:
    """Read a trial table."""
    return read_csv(path, COLUMNS)


def used_trials(trials: pd.DataFrame, name: str = "this recording") -> pd.DataFrame:
    """Return the rows that are decoded.

    Parameters
    ----------
    trials : DataFrame
        See `make_trials`.
    name : str
        The bird's, for the message.

    Raises
    ------
    DataError
        If the recording has no labels.
    """
    if trials.empty:
        raise DataError(
            f"{name} has no labels, so there is nothing to decode; name a table of labelled "
            "intervals and its column under `intervals:` and `label_column:`, or ask for a figure "
            "that needs none (bout, units)."
        )
    return trials[trials["used"] == 1]


def bout_spans(trials: pd.DataFrame, name: str = "this recording") -> pd.DataFrame:
    """Return the time of each bout with syllables that are decoded.

    Parameters
    ----------
    trials, name
        See `used_trials`.

    Returns
    -------
    DataFrame
        Indexed by bout: onset of its first syllable and offset of its last, decoded or not (s).
    """
    bouts = set(used_trials(trials, name)["bout"])
    song = trials[trials["bout"].isin(bouts)].groupby("bout")
    return song.agg(onset=("onset", "min"), offset=("offset", "max"))
