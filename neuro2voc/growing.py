"""Growing windows: how much is known by when, from counts that begin at one time and end later."""

import logging
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from neuro2voc.baselines import previous_syllable
from neuro2voc.binning import PER_SECOND, Window, make_tensor
from neuro2voc.curves import Points, Protocol, shifted_birds
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds, sum_up
from neuro2voc.discriminant import discriminate
from neuro2voc.errors import DataError
from neuro2voc.evaluation import balanced_accuracy, confusion, information_bits
from neuro2voc.nulls import table_beside_null
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

LEVEL = 0.05


def growing_windows(settings: Mapping) -> list[Window]:
    """Return one window per start; its bins, added up, are the windows that grow from there.

    Parameters
    ----------
    settings : mapping
        The configuration's `growing`: starts, stop and step in s from the onset.

    Raises
    ------
    DataError
        A start leaves no room for a step.
    """
    windows = []
    for start in sorted(settings["starts"]):
        window = Window("growing", "onset", start, settings["stop"], settings["step"])
        if not len(window.bin_starts):
            raise DataError(
                f"In config.yaml or an overlay, growing: a window from {start:g} s has no room "
                f"for a step of {settings['step']:g} s before {settings['stop']:g} s and would be "
                "empty; leave this start out."
            )
        windows.append(window)
    return windows


def growing_points(
    recording: Recording, trials: pd.DataFrame, settings: Mapping
) -> dict[tuple[float, float], np.ndarray]:
    """Count spikes in every growing window.

    Returns
    -------
    dict of ndarray (trials, units)
        By (start, end) in s from the onset: one count per unit, NaN where it was not observed.
    """
    points = {}
    for window in growing_windows(settings):
        tensor = make_tensor(recording, trials, window)
        grown = tensor.counts.astype(float).cumsum(axis=2)
        grown[~tensor.observed] = np.nan
        for bin, end in enumerate(window.bin_stops / PER_SECOND):
            points[float(window.start), float(end)] = grown[:, :, bin]
    return points


def decode_windows(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    points_of: Callable[[Recording, pd.DataFrame], Points],
    protocol: Protocol,
) -> pd.DataFrame:
    """Decode many windows, and those of shifted surrogates, by a linear discriminant.

    As `neuro2voc.curves.curve` does with the decoder 'lda', which has nothing to tune, but without
    its minutes of overhead.

    Parameters
    ----------
    points_of : callable
        ``points_of(recording, used)`` returns features (trials, columns) by window.

    Returns
    -------
    DataFrame
        See `neuro2voc.curves.curve`; with surrogates also their bits: bits_null_mean, bits_null_low
        and bits_null_high.
    """
    used = used_trials(trials)
    rows = []
    for point, frame in _predictions(points_of(recording, used), used, split):
        rows.append({"point": point, **sum_up(frame, used, protocol.resamples, protocol.seed)})
        log.info("%s: balanced accuracy %.3f", point, rows[-1]["balanced_accuracy"])
    table = pd.DataFrame(rows)
    if not protocol.null_seeds:
        return table
    labels = used["label"].unique()
    null, bits = [], []
    for bird, mine in shifted_birds(recording, trials, protocol):
        matrices = [
            confusion(frame["truth"], frame["prediction"], labels)
            for _, frame in _predictions(points_of(bird, mine), mine, split)
        ]
        null.append([balanced_accuracy(matrix) for matrix in matrices])
        bits.append([information_bits(matrix) for matrix in matrices])
    for name, of in (("mean", np.mean), ("low", np.min), ("high", np.max)):
        table[f"bits_null_{name}"] = of(bits, axis=0)
    return table_beside_null(table, null)


def _predictions(
    points: Points, trials: pd.DataFrame, split: pd.DataFrame
) -> Iterator[tuple[object, pd.DataFrame]]:
    """Yield each point with its predictions: trial, truth, prediction."""
    fold, label = outer_folds(trials, split), trials["label"].to_numpy()
    held = fold != NONE
    about = {"trial": trials["trial"].to_numpy()[held], "truth": label[held]}
    for point, X in points.items():
        predicted = discriminate(X, label, fold)[held]
        yield point, pd.DataFrame({**about, "prediction": predicted})


def previous_baseline(trials: pd.DataFrame, split: pd.DataFrame, protocol: Protocol) -> dict:
    """Sum up what the preceding syllable alone decodes; see `neuro2voc.evaluation.summary`."""
    used = used_trials(trials)
    X = used[["previous"]].to_numpy(dtype=object)
    frame = cross_decode(X, used, outer_folds(used, split), fixed_fit(previous_syllable()))
    return sum_up(frame, used, protocol.resamples, protocol.seed)


def with_verdict(table: pd.DataFrame, previous: float) -> pd.DataFrame:
    """Say of every window whether it stands.

    Parameters
    ----------
    table : DataFrame
        See `decode_windows`.
    previous : float
        Balanced accuracy of the previous syllable alone.

    Returns
    -------
    DataFrame
        With `previous`, and `verdict`: 'stands' (p at most 0.05, and the interval over bouts above
        every surrogate and above the previous syllable), 'order' (above the surrogates only),
        'not told' (pandas would read 'null' as missing), or 'unjudged' without surrogates.
    """
    table = table.assign(previous=previous)
    if "p" not in table:
        return table.assign(verdict="unjudged")
    above = (table["p"] <= LEVEL) & (table["low"] > table["null_high"])
    known = np.where(table["low"] > previous, "stands", "order")
    return table.assign(verdict=np.where(above, known, "not told"))


def growing_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    settings: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Decode growing windows.

    Returns
    -------
    DataFrame
        A row per window: start, end (s from the onset), what `decode_windows` and `with_verdict`
        return, and previous_bits, the information of the previous syllable alone.
    """
    table = decode_windows(
        recording,
        trials,
        split,
        lambda bird, used: growing_points(bird, used, settings),
        protocol,
    )
    previous = previous_baseline(trials, split, protocol)
    table = with_verdict(table, previous["balanced_accuracy"])
    table = table.assign(previous_bits=previous["bits"])
    ends = np.array(table.pop("point").tolist())
    table.insert(0, "start", ends[:, 0])
    table.insert(1, "end", ends[:, 1])
    return table


def first_standing(table: pd.DataFrame, verdicts: tuple[str, ...] = ("stands",)) -> float:
    """Return the earliest end (s) of two in a row with such a verdict; NaN where there is none.

    Of many windows some exceed their null by accident, but rarely two neighbours.

    Parameters
    ----------
    table : DataFrame
        Rows of one start, by end.
    """
    good = table["verdict"].isin(verdicts).to_numpy()
    hits = np.flatnonzero(good[:-1] & good[1:])
    return float(table["end"].to_numpy()[hits[0]]) if len(hits) else float("nan")
