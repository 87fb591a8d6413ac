"""Splits as data: folds are intervals of time from which everything inherits its fold."""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from neuro2voc.configuration import SPLITS
from neuro2voc.errors import DataError, nearest
from neuro2voc.files import read_csv
from neuro2voc.trials import used_trials

COLUMNS = {"start": float, "stop": float, "fold": int, "guard": int}
NONE = -1  # the fold of what lies in a guard or outside every interval


def make_split(
    split: str,
    trials: pd.DataFrame,
    sessions: pd.DataFrame,
    folds: int,
    guard: float,
    seed: int,
    name: str = "recording",
) -> pd.DataFrame:
    """Make a split.

    Parameters
    ----------
    split : {'blocked', 'session', 'random'}
    trials : DataFrame
        See `neuro2voc.trials.make_trials`. Without labels it is empty; 'blocked' then parts the
        time of the sessions, 'session' takes each one whole.
    sessions : DataFrame
        session, start_time, stop_time (s).
    folds : int
        For 'session', the number of sessions takes its place.
    guard : float
        Time (s) around a boundary between blocks that belongs to no fold.
    seed : int
        For 'random'.
    name : str
        The bird's, for messages.

    Returns
    -------
    DataFrame
        start, stop (s), fold, guard (0 or 1), sorted by start; intervals do not overlap.

    Raises
    ------
    DataError
        Fewer bouts than folds, only one session, or a guard that leaves a fold without trials.
    """
    if trials.empty and split != "random":
        rows = _of_time(split, sessions, folds, guard, name)
        return _as_split(rows)
    used = used_trials(trials, name)
    if split == "random":
        rows = _random(used, folds, seed)
    elif split == "session":
        rows = _sessions(used, sessions, name)
    elif split == "blocked":
        rows = _blocked(used, sessions, folds, guard, name)
    else:
        raise DataError(f"there is no split '{split}'{nearest(split, SPLITS)}")
    frame = _as_split(rows)
    held = folds_of(frame, used["onset"].to_numpy(), used["offset"].to_numpy())
    if empty := sorted(set(frame["fold"]) - set(held) - {NONE}):
        raise DataError(
            f"{name}: a guard of {guard:g} s leaves no trial in fold {empty[0]} of the split "
            f"'{split}'; lower `guard` or `folds`."
        )
    return frame


def _as_split(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return frame.sort_values(["start", "stop"], ignore_index=True)


def read_split(path: str) -> pd.DataFrame:
    """Read a split."""
    return read_csv(path, COLUMNS)


def _random(used: pd.DataFrame, folds: int, seed: int) -> list[tuple]:
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    rows = []
    for fold, (_, test) in enumerate(splitter.split(used, used["label"])):
        part = used.iloc[test]
        rows += [(a, b, fold, 0) for a, b in zip(part["onset"], part["offset"], strict=True)]
    return rows


def _of_time(
    split: str, sessions: pd.DataFrame, folds: int, guard: float, name: str
) -> list[tuple]:
    """Part the time of a recording without labels; blocks are equally long."""
    spans = sessions[["start_time", "stop_time"]].to_numpy(float)
    if split == "session":
        if len(spans) < 2:
            raise DataError(
                f"{name}: the split 'session' leaves one session out at a time, but there is only "
                "one; leave 'session' out of this bird's `splits`."
            )
        return [(start, stop, fold, 0) for fold, (start, stop) in enumerate(spans)]
    length = np.r_[0, np.cumsum(spans[:, 1] - spans[:, 0])]
    if length[-1] / folds <= 2 * guard:
        raise DataError(
            f"{name} lasts {length[-1]:.3g} s, too little for {folds} blocks with a guard of "
            f"{guard:g} s between them; lower `folds` or `guard`."
        )
    # Cuts on a clock that runs only during sessions, told on the recording's.
    cuts = length[-1] * np.arange(1, folds) / folds
    session = np.searchsorted(length, cuts, side="right") - 1
    cuts = spans[session, 0] + cuts - length[session]
    return _blocks_between([spans[0, 0], *cuts, spans[-1, 1]], guard)


def _sessions(used: pd.DataFrame, sessions: pd.DataFrame, name: str) -> list[tuple]:
    sung = sessions[sessions["session"].astype(str).isin(used["session"].astype(str))]
    if len(sung) < 2:
        raise DataError(
            f"{name}: the split 'session' leaves one session out at a time, but only "
            f"{len(sung)} holds trials; leave 'session' out of this bird's `splits`."
        )
    return [
        (start, stop, fold, 0)
        for fold, (start, stop) in enumerate(
            zip(sung["start_time"], sung["stop_time"], strict=True)
        )
    ]


def _blocked(
    used: pd.DataFrame, sessions: pd.DataFrame, folds: int, guard: float, name: str
) -> list[tuple]:
    bouts = used.groupby("bout").agg(onset=("onset", "min"), offset=("offset", "max"))
    if len(bouts) < folds:
        raise DataError(
            f"{name}: {len(bouts)} bouts hold trials, fewer than {folds} folds, so whole bouts "
            "cannot be held out; lower `folds`, or lower `bout_gap` if these bouts are several."
        )
    block = contiguous_blocks(used["bout"].to_numpy(), folds)
    first_bouts = [used["bout"].to_numpy()[block == fold].min() for fold in range(1, folds)]
    # A boundary lies in the middle of the silence before a block's first bout.
    positions = [bouts.index.get_loc(bout) for bout in first_bouts]
    cuts = [(bouts["offset"].iloc[i - 1] + bouts["onset"].iloc[i]) / 2 for i in positions]
    edges = [sessions["start_time"].min(), *cuts, sessions["stop_time"].max()]
    return _blocks_between(edges, guard)


def _blocks_between(edges: list[float], guard: float) -> list[tuple]:
    """Return blocks between edges (s), and the guards that part them."""
    folds = len(edges) - 1
    rows = []
    for fold, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        start = low + (guard / 2 if fold else 0)
        stop = high - (guard / 2 if fold < folds - 1 else 0)
        if stop < start:  # guards leave nothing of the block; where they meet, they do not overlap
            start = stop = min(max((start + stop) / 2, low), high)
        rows.append((start, stop, fold, 0))
    if guard > 0:
        rows += [(a[1], b[0], NONE, 1) for a, b in zip(rows[:-1], rows[1:], strict=True)]
    return rows


def contiguous_blocks(bouts: np.ndarray, blocks: int) -> np.ndarray:
    """Part trials into contiguous blocks of whole bouts with about equally many trials.

    Parameters
    ----------
    bouts : ndarray (trials,)
        Bout of each trial, in time order; at least `blocks` different ones.
    blocks : int

    Returns
    -------
    ndarray (trials,)
        0 to blocks - 1; every block holds at least one bout.
    """
    names, counts = np.unique(bouts, return_counts=True)
    reached = np.cumsum(counts)
    firsts = [0]
    for block in range(1, blocks):
        ideal = int(np.argmin(np.abs(reached - block * reached[-1] / blocks))) + 1
        # Leave at least one bout for this block and for each that follows.
        firsts.append(min(max(ideal, firsts[-1] + 1), len(names) - (blocks - block)))
    block_of_bout = np.searchsorted(firsts, np.arange(len(names)), side="right") - 1
    return block_of_bout[np.searchsorted(names, bouts)]


def folds_of(split: pd.DataFrame, onset: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the fold of each stretch of time: that of the interval which holds it whole, else -1.

    Parameters
    ----------
    split : DataFrame
        See `make_split`.
    onset, offset : ndarray (n,)
        s.
    """
    start, stop = _ticks(split["start"]), _ticks(split["stop"])
    row = np.searchsorted(start, _ticks(onset), side="right") - 1
    inside = (row >= 0) & (_ticks(offset) <= stop[np.maximum(row, 0)])
    fold = np.where(split["guard"] == 1, NONE, split["fold"])
    return np.where(inside, fold[np.maximum(row, 0)], NONE)


def _ticks(seconds: np.ndarray) -> np.ndarray:
    """Whole microseconds: a bout that ends where a guard begins is in no guard, by no rounding."""
    return np.rint(np.asarray(seconds) * 1e6).astype(np.int64)


def inner_folds(
    split: str, trials: pd.DataFrame, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Part training trials again, in the same way, for choices made inside the training folds.

    Where the same way is impossible (one session left, one bout), the next finer one is taken:
    session, then blocked, then random.

    Parameters
    ----------
    split : {'blocked', 'session', 'random'}
    trials : DataFrame
        Training trials in time order, with session, bout and label.
    folds : int
    seed : int

    Returns
    -------
    list of (train, test)
        Row positions; at most `folds` of them for 'blocked' and 'random', one per session for
        'session'.
    """
    bouts = trials["bout"].to_numpy()
    if split == "session" and trials["session"].nunique() > 1:
        group = pd.factorize(trials["session"])[0]
    elif split != "random" and len(np.unique(bouts)) > 1:
        group = contiguous_blocks(bouts, min(folds, len(np.unique(bouts))))
    else:
        group = np.zeros(len(trials), dtype=int)
        least = int(trials["label"].value_counts().min())
        parts = min(folds, max(2, least))
        splitter = StratifiedKFold(parts, shuffle=True, random_state=seed % 2**32)
        for fold, (_, test) in enumerate(splitter.split(trials, trials["label"])):
            group[test] = fold
    return [
        (np.flatnonzero(group != part), np.flatnonzero(group == part)) for part in np.unique(group)
    ]
