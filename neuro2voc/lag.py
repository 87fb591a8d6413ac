"""Which sign leads: activity that precedes a syllable, as motor activity does, or follows it.

Short windows from well before the onset to well after the offset are decoded one by one. Since
neighbours in a stereotyped song are predictable from each other, activity that follows the syllable
before, or precedes the one after, seems to know this one. So every lag is decoded again with
transitions left out: around the onset no trial is predicted by a decoder that ever saw its syllable
after the same predecessor, around the offset none that ever saw it before the same successor.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.binning import PER_SECOND, Window
from neuro2voc.curves import Protocol, shifted_birds
from neuro2voc.decoding import outer_folds
from neuro2voc.discriminant import cross_predict
from neuro2voc.errors import DataError
from neuro2voc.evaluation import balanced_accuracy, p_value
from neuro2voc.moving import moving_counts
from neuro2voc.nulls import null_columns
from neuro2voc.predecessors import successor, takes_part
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

# Whose label must not help, by what windows are aligned to.
CONTEXT = {"onset": "previous", "offset": "next"}
LEVEL = 0.05

# What is decoded: aligned to the onset or offset, without or with the control.
Curve = tuple[str, str]


def lag_window(align: str, settings: Mapping) -> Window:
    """Return the windows around onsets or offsets, as the bins of one window.

    Parameters
    ----------
    align : {'onset', 'offset'}
    settings : mapping
        The configuration's `lag`: reach, width and step in s.

    Raises
    ------
    DataError
        The reach is shorter than a window, so that none lies before the onset.
    """
    if settings["width"] > settings["reach"]:
        raise DataError(
            f"In config.yaml or an overlay, lag: no window of {settings['width']:g} s lies within "
            f"{settings['reach']:g} s before the onset; lower `width` or raise `reach`."
        )
    reach = settings["reach"]
    return Window("lag", align, -reach, reach, settings["width"], settings["step"])


@dataclass(frozen=True)
class Decoded:
    """Every lag decoded once.

    Attributes
    ----------
    cells : dict of ndarray (lags, bouts, classes, classes)
        Confusion counts of every bout, truth before prediction, by (align, control).
    trials : dict of int
        Number of trials predicted, by (align, control).
    """

    cells: dict[Curve, np.ndarray]
    trials: dict[Curve, int]

    def accuracy(self) -> dict[Curve, np.ndarray]:
        """Balanced accuracies (lags,); NaN where nothing could be predicted."""
        return {curve: balanced_accuracy(cells.sum(axis=1)) for curve, cells in self.cells.items()}


def decode_lags(
    recording: Recording, trials: pd.DataFrame, split: pd.DataFrame, settings: Mapping
) -> Decoded:
    """Decode every lag, without and with transitions left out, by a linear discriminant.

    Parameters
    ----------
    trials : DataFrame
        All trials.
    """
    used = used_trials(trials.assign(next=successor(trials)))
    fold = outer_folds(used, split)
    code = np.unique(used["label"].to_numpy(dtype=str), return_inverse=True)[1]
    bout = np.unique(used["bout"].to_numpy(), return_inverse=True)[1]
    cells, number = {}, {}
    for align, context in CONTEXT.items():
        counts = moving_counts(recording, used, lag_window(align, settings))
        transition = used.groupby(["label", context]).ngroup().to_numpy()
        part = fold != NONE
        part[part] = takes_part(used[part], context)
        plans = {"none": (fold, None), "transition": (np.where(part, fold, NONE), transition)}
        for control, (held, left_out) in plans.items():
            predicted = [
                cross_predict(counts[:, :, lag], code, held, left_out)
                for lag in range(counts.shape[2])
            ]
            cells[align, control] = np.stack([_per_bout(code, each, bout) for each in predicted])
            number[align, control] = int((predicted[0] >= 0).sum())
    return Decoded(cells, number)


def _per_bout(code: np.ndarray, prediction: np.ndarray, bout: np.ndarray) -> np.ndarray:
    """Count predictions (bouts, classes, classes), truth before prediction."""
    given, classes, bouts = prediction >= 0, code.max() + 1, bout.max() + 1
    cell = (bout[given] * classes + code[given]) * classes + prediction[given]
    counts = np.bincount(cell, minlength=bouts * classes**2)
    return counts.reshape(bouts, classes, classes)


def lag_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    settings: Mapping,
    protocol: Protocol,
) -> tuple[pd.DataFrame, dict]:
    """Decode syllables at every lag and say which sign leads.

    Returns
    -------
    table : DataFrame
        A row per align ('onset' or 'offset'), control ('none' or 'transition') and window: start,
        stop (s from there), balanced_accuracy with its interval low to high over bouts, chance,
        n_trials, n_bouts, and with surrogates null_mean, null_low, null_high, p. Accuracies are
        missing where no syllable has two neighbours with at least 5 trials each.
    verdict : dict
        See `which_leads`.
    """
    decoded = decode_lags(recording, trials, split, settings)
    scores = decoded.accuracy()
    for (align, control), score in scores.items():
        log.info("around the %s, left out %s: at most %.3f", align, control, np.max(score))
    # Shifting spikes changes no syllable, so that surrogates have the same trials.
    null = [
        decode_lags(bird, trials, split, settings).accuracy()
        for bird, _ in shifted_birds(recording, trials, protocol)
    ]
    resampled = _resampled(decoded, protocol)
    parts = []
    for curve, score in scores.items():
        window = lag_window(curve[0], settings)
        cells = decoded.cells[curve]
        held = cells.sum(axis=(0, 2, 3)) > 0
        classes = (cells[0].sum(axis=(0, 2)) > 0).sum()
        low, high = np.quantile(resampled[curve], [LEVEL / 2, 1 - LEVEL / 2], axis=0)
        part = {
            "align": curve[0],
            "control": curve[1],
            "start": window.bin_starts / PER_SECOND,
            "stop": window.bin_stops / PER_SECOND,
            "balanced_accuracy": score,
            "low": low if held.sum() > 1 else np.nan,
            "high": high if held.sum() > 1 else np.nan,
            "chance": 1 / classes if classes else np.nan,
            "n_trials": decoded.trials[curve],
            "n_bouts": int(held.sum()),
        }
        if null:
            values = np.array([replicate[curve] for replicate in null])
            part |= null_columns(values)
            p = [p_value(s, n) for s, n in zip(score, values.T, strict=True)]
            part["p"] = np.where(np.isfinite(score), p, np.nan)
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True)
    return table, which_leads(scores, resampled, null, settings)


def _resampled(decoded: Decoded, protocol: Protocol) -> dict[Curve, np.ndarray]:
    """Return accuracies (resamples, lags) of resampled bouts, the same bouts for every curve."""
    bouts = next(iter(decoded.cells.values())).shape[1]
    rng = np.random.default_rng(protocol.seed)
    weights = rng.multinomial(bouts, np.full(bouts, 1 / bouts), size=protocol.resamples)
    return {
        curve: balanced_accuracy(np.tensordot(weights, cells, axes=(1, 1)))
        for curve, cells in decoded.cells.items()
    }


def which_leads(
    scores: dict[Curve, np.ndarray],
    resampled: dict[Curve, np.ndarray],
    null: list[dict[Curve, np.ndarray]],
    settings: Mapping,
) -> dict:
    """Judge whether activity leads or follows, from lags with transitions left out.

    Parameters
    ----------
    scores : dict of ndarray (lags,)
        By (align, control).
    resampled : dict of ndarray (resamples, lags)
    null : list of dict of ndarray (lags,)
        One per surrogate.
    settings : mapping
        The configuration's `lag`.

    Returns
    -------
    dict
        verdict: 'premotor', 'auditory', 'neither', or 'unjudged' where there are no surrogates or
        no transitions to leave out. before, after: mean accuracy above the null of the windows that
        end by the onset, or begin at the offset or later; before_p, after_p. difference: before
        minus after, with its interval difference_low to difference_high over bouts. peak: middle (s
        from the onset) of the window around the onset with the highest accuracy above the null,
        peak_low to peak_high. The verdict is 'premotor' if the interval lies above 0 and `before`
        above every surrogate with p at most 0.05, and 'auditory' the other way round.
    """
    onset, offset = ("onset", "transition"), ("offset", "transition")
    if len(null) < 2 or not all(np.isfinite(scores[c]).all() for c in (onset, offset)):
        return {"verdict": "unjudged"}
    around, behind = (lag_window(align, settings) for align in CONTEXT)
    before, after = around.bin_stops <= 0, behind.bin_starts >= 0
    level = {c: np.mean([replicate[c] for replicate in null], axis=0) for c in (onset, offset)}

    def rise(accuracy: dict, curve: Curve, lags: np.ndarray) -> np.ndarray:
        return (accuracy[curve] - level[curve])[..., lags].mean(axis=-1)

    found = {"before": float(rise(scores, onset, before))}
    found["after"] = float(rise(scores, offset, after))
    chances = {
        "before": [float(rise(replicate, onset, before)) for replicate in null],
        "after": [float(rise(replicate, offset, after)) for replicate in null],
    }
    stands = {}
    for side, values in chances.items():
        found[f"{side}_p"] = p_value(found[side], values)
        stands[side] = found[f"{side}_p"] <= LEVEL and found[side] > max(values)
    tails = [LEVEL / 2, 1 - LEVEL / 2]
    spread = rise(resampled, onset, before) - rise(resampled, offset, after)
    low, high = np.quantile(spread, tails)
    found |= {"difference": found["before"] - found["after"]}
    found |= {"difference_low": float(low), "difference_high": float(high)}
    middle = (around.bin_starts + around.bin_stops) / 2 / PER_SECOND
    found["peak"] = float(middle[np.argmax(scores[onset] - level[onset])])
    peaks = middle[np.argmax(resampled[onset] - level[onset], axis=1)]
    low_peak, high_peak = np.quantile(peaks, tails, method="inverted_cdf")
    found |= {"peak_low": float(low_peak), "peak_high": float(high_peak), "verdict": "neither"}
    if low > 0 and stands["before"]:
        found["verdict"] = "premotor"
    if high < 0 and stands["after"]:
        found["verdict"] = "auditory"
    return found
