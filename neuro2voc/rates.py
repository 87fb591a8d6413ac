"""Mean rates per syllable, in song and in silence, and which units are tuned."""

import logging

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, rankdata

from neuro2voc.binning import Window, make_tensor
from neuro2voc.configuration import SYLLABLE
from neuro2voc.inclusion import describe_units, observed_intervals
from neuro2voc.recording import Binned, Recording
from neuro2voc.trials import sung, used_trials

log = logging.getLogger(__name__)

# As long for every syllable, so that duration alone makes no unit tuned; in bins, since a unit may
# burst once in every syllable and only the moment tell them apart; and no wider than syllables lie
# apart, since spikes that count for two neighbours would make chance look like tuning.
TUNING = Window("tuning", "onset", -0.05, 0.05, 0.02)
PERMUTATIONS = 999  # p from 0.001 on, fine enough for a false discovery rate over 75 units
FALSE_DISCOVERIES = 0.05
FAR = 0.5  # s from any syllable, beyond which there is silence


def activity_name(recording: Recording) -> str:
    """Return what is measured of each unit, with its unit: a rate in Hz or a level as recorded."""
    levels = isinstance(recording.units, Binned) and not recording.units.additive
    return "level (as recorded)" if levels else "rate (Hz)"


def syllable_rates(recording: Recording, trials: pd.DataFrame) -> pd.DataFrame:
    """Measure what every unit does in every syllable.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; used ones count.

    Returns
    -------
    DataFrame
        A row per unit and label: unit, label, trials (in which the unit was observed), count (mean
        number of spikes), rate (Hz, mean over trials) and z (of the rate among the unit's labels).
        Levels have no count, and their mean in the place of a rate.
    """
    used = used_trials(trials)
    tensor = make_tensor(recording, used, Window(SYLLABLE, SYLLABLE))
    values = np.where(tensor.observed, tensor.counts[:, :, 0].astype(float), np.nan)
    labels = sorted(used["label"].unique())
    of_label = [values[used["label"].to_numpy() == label] for label in labels]
    lengths = [tensor.duration[used["label"].to_numpy() == label] for label in labels]
    seen = np.stack([np.isfinite(part).sum(axis=0) for part in of_label], axis=1)
    count = np.stack([_mean(part) for part in of_label], axis=1)
    rate = count
    if "Hz" in activity_name(recording):
        pairs = zip(of_label, lengths, strict=True)
        rate = np.stack([_mean(part / length[:, None]) for part, length in pairs], axis=1)
    else:
        count = np.full(count.shape, np.nan)
    spread = rate.std(axis=1, keepdims=True)
    z = (rate - rate.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, np.nan)
    return pd.DataFrame(
        {
            "unit": np.repeat(tensor.unit, len(labels)),
            "label": np.tile(labels, len(tensor.unit)),
            "trials": seen.ravel(),
            "count": count.ravel(),
            "rate": rate.ravel(),
            "z": z.ravel(),
        }
    )


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over trials of those observed, NaN where there are none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=known.any(0))


def unit_rates(recording: Recording, trials: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Measure every unit in song and in silence, and test whether it is tuned.

    Returns
    -------
    DataFrame
        A row per unit: unit, depth (µm from the tip), location, quality, song (Hz within
        syllables), silence (Hz farther than 0.5 s from any syllable), p and q (see `tuning`).
    """
    song = sung(trials)[["onset", "offset"]].to_numpy()
    near = _joined(song + [-FAR, FAR])
    rows = []
    for unit in range(len(recording.units)):
        pieces = np.concatenate(observed_intervals(recording, unit))
        whole, around = _over(recording, unit, pieces, pieces), _over(recording, unit, near, pieces)
        silence = whole - around
        rows.append((_ratio(_over(recording, unit, _joined(song), pieces)), _ratio(silence)))
    table = describe_units(recording).join(pd.DataFrame(rows, columns=["song", "silence"]))
    used = used_trials(trials)
    p = tuning(recording, used, seed)
    table = table.assign(p=p, q=false_discovery_control(p))
    log.info("%d of %d units tuned", np.sum(table["q"] <= FALSE_DISCOVERIES), len(table))
    return table


def _joined(spans: np.ndarray) -> np.ndarray:
    """Join intervals (k, 2), sorted by their start, that overlap."""
    stop = np.maximum.accumulate(spans[:, 1])
    first = np.r_[True, spans[1:, 0] > stop[:-1]]
    return np.stack([spans[first, 0], stop[np.r_[first[1:], True]]], axis=1)


def _over(recording: Recording, unit: int, spans: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Return activity and observed time (s) within spans (k, 2), as far as observed in pieces."""
    units = recording.units
    clock = np.r_[0, np.cumsum(pieces[:, 1] - pieces[:, 0])]
    time = np.interp(spans, pieces.ravel(), np.stack([clock[:-1], clock[1:]], axis=1).ravel())
    if not isinstance(units, Binned):
        inside = np.interp(spans, pieces.ravel(), pieces.ravel())  # not beyond observed time
        total = np.searchsorted(units.spike_times[unit], inside)
    else:
        bins = np.append(0.0, np.cumsum(units.values[:, unit], dtype=np.float64))
        total = np.interp((spans - units.start_time) * units.rate, np.arange(len(bins)), bins)
        total = total if units.additive else total / units.rate
    return np.array([np.diff(total).sum(), np.diff(time).sum()])


def _ratio(activity_and_time: np.ndarray) -> float:
    activity, time = activity_and_time
    return activity / time if time > 0 else np.nan


def tuning(recording: Recording, used: pd.DataFrame, seed: int) -> np.ndarray:
    """Test whether units fire differently in different syllables.

    The statistic is that of Kruskal & Wallis (1952, J. Am. Stat. Assoc. 47:583), up to a factor,
    summed over bins of 20 ms from 50 ms before to 50 ms after the onset; its null are labels
    permuted within bouts, so that slow drift, of rates and of what is sung, makes no unit tuned. A
    bout of one trial says nothing.

    Returns
    -------
    ndarray (units,)
        p, at least 0.001.
    """
    tensor = make_tensor(recording, used, TUNING)
    trials, units, bins = tensor.counts.shape
    values = np.where(tensor.observed[:, :, None], tensor.counts, np.nan).reshape(trials, -1)
    rank = rankdata(values, axis=0, nan_policy="omit")
    # A trial in which the unit was not observed speaks for no label.
    rank = np.where(np.isnan(rank), 0.0, rank - _mean(rank))
    spread = rank.std(axis=0)
    rank /= np.where(spread > 0, spread, 1)
    classes, code = np.unique(used["label"].to_numpy(dtype=str), return_inverse=True)
    number = np.bincount(code)[:, None]
    bout = used["bout"].to_numpy()
    place = np.argsort(bout, kind="stable")

    def statistic(order: np.ndarray) -> np.ndarray:
        member = np.zeros((len(classes), trials))
        member[code[order], np.arange(trials)] = 1
        return ((member @ rank) ** 2 / number).sum(axis=0).reshape(units, bins).sum(axis=1)

    rng = np.random.default_rng(seed)
    order = np.arange(trials)
    observed = statistic(order) * (1 - 1e-9)  # rounding makes no difference
    exceeded = np.ones(units)
    for _ in range(PERMUTATIONS):
        order[place] = np.lexsort((rng.random(trials), bout))
        exceeded += statistic(order) >= observed
    return exceeded / (1 + PERMUTATIONS)
