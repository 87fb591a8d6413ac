"""Measures of generated sound summed up, with intervals, a baseline and a null beside them."""

import numpy as np
import pandas as pd

from neuro2voc.evaluation import (
    balanced_accuracy,
    bout_weights,
    confusion,
    gain_over_bouts,
    interval_over_bouts,
    p_value,
)
from neuro2voc.sound_tables import EVERY, MEASURES

IDENTITY = "identity"  # balanced accuracy of the syllables heard, a measure of all bouts together


def mean_over_bouts(table: pd.DataFrame) -> pd.DataFrame:
    """Return method and measures: the mean of each over bouts (or pieces) in which it is defined.

    Parameters
    ----------
    table : DataFrame
        See `measure_table`.
    """
    bouts = table[table["unit"] != "syllable"]
    return bouts.groupby("method", sort=False)[list(MEASURES)].mean().reset_index()


def summary_table(
    table: pd.DataFrame, heard: pd.DataFrame | None, resamples: int, seed: int
) -> pd.DataFrame:
    """Sum up measures: means over bouts and over the syllables of each type, with intervals.

    Parameters
    ----------
    table : DataFrame
        See `measure_table`.
    heard : DataFrame or None
        See `neuro2voc.sound_identity.heard_identities`; None without labels.
    resamples, seed : int
        Of the bootstrap over whole bouts. The same bouts are drawn for every method and measure.

    Returns
    -------
    DataFrame
        method; unit ('bout', 'piece' or 'syllable'); label ('' for all); measure; value; its 95 %
        interval low to high (percentiles; NaN with one bout); n (bouts or syllables in which the
        measure is defined); n_bouts. The measure `identity` is the balanced accuracy of the
        syllables heard, of all (label '') or the share of one type that is heard as such.
    """
    rows = []
    for (method, unit, label), part in table.groupby(["method", "unit", "label"], sort=False):
        weights = _weights(part["bout"], resamples, seed)
        for measure in MEASURES:
            about = {"method": method, "unit": unit, "label": label, "measure": measure}
            rows.append(about | _mean(part[measure], part["bout"], weights))
    if heard is not None:
        for method, part in heard.groupby("method", sort=False):
            about = {"method": method, "unit": "syllable", "measure": IDENTITY}
            rows.append(about | {"label": EVERY} | _heard(part, resamples, seed))
            for label, own in part.groupby("truth"):
                right = (own["truth"] == own["prediction"]).astype(float)
                weights = _weights(own["bout"], resamples, seed)
                rows.append(about | {"label": label} | _mean(right, own["bout"], weights))
    columns = ["method", "unit", "label", "measure", "value", "low", "high", "n", "n_bouts"]
    return pd.DataFrame(rows)[columns]


def judged_table(
    summary: pd.DataFrame,
    table: pd.DataFrame,
    heard: pd.DataFrame | None,
    null: pd.DataFrame | None,
    baseline: str,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Put beside each mean over bouts what it has to be seen beside: a baseline and a null.

    Parameters
    ----------
    summary : DataFrame
        See `summary_table`.
    table : DataFrame
        See `measure_table`.
    heard : DataFrame or None
        As `summary_table` took it.
    null : DataFrame or None
        method, replicate, and a column per measure (means over bouts; see `mean_over_bouts`) of the
        same methods on surrogates.
    baseline : str
        The method that others have to beat; without it there are no gains.
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    DataFrame
        The summary's rows of all bouts and of identity over all labels, with gain (over the
        baseline in the same bouts, positive where better) and its interval gain_low to gain_high;
        null_low, null_mean, null_high, null_replicates, and p (one-sided: replicates at least as
        good).
    """
    rows = summary[(summary["label"] == EVERY) & ~_of_syllables(summary)].copy()
    bouts = table[table["unit"] != "syllable"]
    gains, nulls = [], []
    for method, measure in zip(rows["method"], rows["measure"], strict=True):
        more = MEASURES.get(measure, ("", True))[1]
        if method == baseline:
            gains.append({"gain": np.nan})
        elif measure == IDENTITY:
            gains.append(_heard_gain(heard, method, baseline, resamples, seed))
        else:
            gains.append(_gain(bouts, method, measure, baseline, more, resamples, seed))
        value = rows.loc[(rows["method"] == method) & (rows["measure"] == measure), "value"].item()
        nulls.append(_beside_null(null, method, measure, value, more))
    columns = ["gain", "gain_low", "gain_high"]
    for found in (pd.DataFrame(gains).reindex(columns=columns), pd.DataFrame(nulls)):
        rows[list(found)] = found.to_numpy()
    return rows.reset_index(drop=True)


def _of_syllables(summary: pd.DataFrame) -> pd.Series:
    return (summary["unit"] == "syllable") & (summary["measure"] != IDENTITY)


def _gain(
    bouts: pd.DataFrame,
    method: str,
    measure: str,
    baseline: str,
    more: bool,
    resamples: int,
    seed: int,
) -> dict[str, float]:
    both = [
        bouts[bouts["method"] == name].set_index("number")[measure] for name in (method, baseline)
    ]
    difference = (both[0] - both[1]).dropna() * (1 if more else -1)
    if difference.empty:
        return {"gain": np.nan}
    number = difference.index.to_series()
    found = _mean(difference, number, _weights(number, resamples, seed))
    return {"gain": found["value"], "gain_low": found["low"], "gain_high": found["high"]}


def _heard_gain(
    heard: pd.DataFrame, method: str, baseline: str, resamples: int, seed: int
) -> dict[str, float]:
    """Difference of balanced accuracies over the trials that both methods have."""
    right = heard.assign(right=(heard["truth"] == heard["prediction"]).astype(float))
    right = right[right["method"].isin([method, baseline])]
    both = right.pivot_table(index=["truth", "bout", "trial"], columns="method", values="right")
    both = both.dropna()
    if baseline not in both or both.empty:
        return {"gain": np.nan}
    difference = (both[method] - both[baseline]).reset_index(name="gain")
    columns = (difference[name] for name in ("truth", "gain", "bout"))
    return gain_over_bouts(*columns, resamples, seed)


def _beside_null(
    null: pd.DataFrame | None, method: str, measure: str, value: float, more: bool
) -> dict[str, float]:
    scores = np.zeros(0)
    if null is not None and measure in null:
        scores = null.loc[null["method"] == method, measure].to_numpy(float)
    if not len(scores) or np.isnan(value):
        names = ["null_low", "null_mean", "null_high", "p"]
        return dict.fromkeys(names, np.nan) | {"null_replicates": 0}
    sign = 1 if more else -1
    defined = scores[np.isfinite(scores)]
    # Surrogates in which a measure is undefined (no voiced frame) are not as good as this.
    return {
        "null_low": defined.min() if len(defined) else np.nan,
        "null_mean": defined.mean() if len(defined) else np.nan,
        "null_high": defined.max() if len(defined) else np.nan,
        "p": p_value(sign * value, sign * scores),
        "null_replicates": len(scores),
    }


def _weights(bouts: pd.Series, resamples: int, seed: int) -> np.ndarray:
    """Return how often each bout, in sorted order, is drawn in each resample."""
    return bout_weights(bouts.nunique(), resamples, seed)


def _mean(values: pd.Series, bouts: pd.Series, weights: np.ndarray) -> dict[str, float]:
    """Mean of what is defined, with its interval from drawn bouts."""
    names, bout = np.unique(bouts, return_inverse=True)
    values = values.to_numpy()
    defined = np.isfinite(values)
    total = np.bincount(bout, np.where(defined, values, 0), len(names))
    count = np.bincount(bout, defined, len(names))
    low = high = np.nan
    if (count > 0).sum() > 1:
        drawn = weights @ count
        means = np.divide(weights @ total, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
        low, high = np.nanquantile(means, [0.025, 0.975])
    mean = total.sum() / count.sum() if count.sum() else np.nan
    return {
        "value": mean,
        "low": low,
        "high": high,
        "n": int(defined.sum()),
        "n_bouts": int((count > 0).sum()),
    }


def _heard(part: pd.DataFrame, resamples: int, seed: int) -> dict[str, float]:
    truth, prediction = part["truth"].to_numpy(), part["prediction"].to_numpy()
    labels = pd.unique(np.concatenate([truth, prediction]))
    low, high = interval_over_bouts(truth, prediction, part["bout"], labels, resamples, seed)
    return {
        "value": balanced_accuracy(confusion(truth, prediction, labels)),
        "low": low,
        "high": high,
        "n": len(part),
        "n_bouts": part["bout"].nunique(),
    }
