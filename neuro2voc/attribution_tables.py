"""What explanations say, as tables: of players, of players and syllables, of pairs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from neuro2voc.attribution import Explanation, weighed_mean
from neuro2voc.binning import make_window
from neuro2voc.curves import Protocol
from neuro2voc.hubs import AttributionNull, against_null, interval_of_sums
from neuro2voc.inclusion import describe_units
from neuro2voc.recording import Recording
from neuro2voc.subsets import baseline_scores

NS = 1e9  # in a second


def explanation_tables(
    recording: Recording,
    explanation: Explanation,
    null: AttributionNull,
    trials: pd.DataFrame,
    inclusion: pd.DataFrame,
    windows: Mapping,
    protocol: Protocol,
) -> dict[str, pd.DataFrame]:
    """Return the tables of players (`table`), of players and syllables (`cells`), and `pairs`.

    See `unit_table`, `cell_table` and `pair_table`.
    """
    players = describe_players(recording, protocol.feature, windows)
    return {
        "table": unit_table(explanation, null, players, trials, inclusion, protocol),
        "cells": cell_table(explanation, null, players),
        "pairs": pair_table(explanation, null, players),
    }


def describe_players(recording: Recording, feature: str, windows: Mapping) -> pd.DataFrame:
    """Say what each player of an explanation is: unit, depth, location, quality, start, stop.

    Players are units; in a bird of one unit they are its bins of time, with start and stop (s),
    which are missing otherwise.
    """
    table = describe_units(recording).assign(start=np.nan, stop=np.nan)
    if len(table) > 1 or feature not in windows:
        return table
    window = make_window(feature, windows)
    begin = window.bin_starts / NS
    table = table.loc[np.zeros(len(begin), dtype=int)].reset_index(drop=True)
    return table.assign(start=begin, stop=begin + window.bin)


def unit_table(
    explanation: Explanation,
    null: AttributionNull,
    players: pd.DataFrame,
    trials: pd.DataFrame,
    inclusion: pd.DataFrame,
    protocol: Protocol,
) -> pd.DataFrame:
    """Put all that is known of each player side by side.

    Parameters
    ----------
    explanation : Explanation
    null : AttributionNull
        Empty parts leave their columns empty.
    players : DataFrame
        See `describe_players`.
    trials : DataFrame
        All trials; their durations are taken.
    inclusion : DataFrame
        See `neuro2voc.inclusion.inclusion_table`; of it rate (Hz) and violations are taken.
    protocol : Protocol
        Its resamples and seed are those of the bootstrap over bouts.

    Returns
    -------
    DataFrame
        A row per player: those of `describe_players`; importance (mean |SHAP value|, nats) with
        importance_null_mean, _null_low, _null_high over shifted surrogates, _t and _p (see
        `against_null`); hub (sum of mean |interactions|) and evidence (sum of what its joint
        patterns add to the margin of the truth), the same over the null for pairs and with _low and
        _high over bouts; rate (Hz),
        violations, duration_correlation (Spearman, of its activity with the syllable's duration);
        and, the same in every row, rho_rate, rho_duration and rho_violations (Spearman, of
        importance with each; rho_duration with the correlation's size), with _null_mean over
        shifted surrogates, duration and previous (balanced accuracies without neurons),
        balanced_accuracy, chance, kept (share of the joint pattern that
        independent copies leave), shifted and joint_replicates (numbers of surrogates and of
        copies), n_trials, n_bouts.
    """
    weight = explanation.trials.groupby("bout")["weight"].sum().to_numpy()
    importance = explanation.importance
    importances = null.shifted.cells.mean(axis=1)
    table = players.assign(importance=importance, **_range("importance", importances, len(players)))
    table["importance_t"], table["importance_p"] = against_null(importance, importances)
    for name, observed, nulls, of_bout in (
        ("hub", explanation.hub, null.independent.absolute.sum(axis=2), explanation.hub_of_bout),
        (
            "evidence",
            explanation.joint_evidence,
            null.independent.evidence.sum(axis=2),
            explanation.evidence_of_bout,
        ),
    ):
        low, high = interval_of_sums(of_bout, weight, protocol.resamples, protocol.seed)
        t, p = against_null(observed, nulls)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = observed, low, high
        table = table.assign(**_range(name, nulls, len(players)))
        table[f"{name}_t"], table[f"{name}_p"] = t, p
    table = table.merge(inclusion[["unit", "rate", "violations"]], on="unit", how="left")
    table["duration_correlation"] = _with_duration(explanation, trials)
    for name, values in (
        ("rate", table["rate"]),
        ("duration", table["duration_correlation"].abs()),
        ("violations", table["violations"]),
    ):
        table[f"rho_{name}"] = _rho(importance, values)
        rhos = [_rho(each, values) for each in importances]
        table[f"rho_{name}_null_mean"] = np.mean(rhos) if rhos else np.nan
    return table.assign(
        **baseline_scores(_decoded(explanation, trials), explanation.trials["fold"].to_numpy()),
        balanced_accuracy=explanation.balanced_accuracy,
        chance=1 / len(explanation.labels),
        kept=null.kept,
        shifted=len(null.shifted.replicate),
        joint_replicates=len(null.independent.replicate),
        n_trials=len(explanation.trials),
        n_bouts=len(weight),
    )


def _range(name: str, null: np.ndarray, players: int) -> dict[str, np.ndarray]:
    """Return the mean, least and greatest of surrogates (R, players); NaN without any."""
    null = null if len(null) else np.full((1, players), np.nan)
    return {
        f"{name}_null_mean": null.mean(axis=0),
        f"{name}_null_low": null.min(axis=0),
        f"{name}_null_high": null.max(axis=0),
    }


def _decoded(explanation: Explanation, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the trial table that were explained."""
    return trials[trials["trial"].isin(explanation.trials["trial"])].reset_index(drop=True)


def _with_duration(explanation: Explanation, trials: pd.DataFrame) -> list[float]:
    chosen = _decoded(explanation, trials)
    duration = (chosen["offset"] - chosen["onset"]).to_numpy()
    activity = [
        explanation.features[:, explanation.unit == player].sum(axis=1)  # NaN: not observed
        for player in range(explanation.unit.max() + 1)
    ]
    return [_rho(values, duration) for values in activity]


def _rho(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where either does not vary."""
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    known = ~np.isnan(first) & ~np.isnan(second)
    if len(np.unique(first[known])) < 2 or len(np.unique(second[known])) < 2:
        return float("nan")
    return float(spearmanr(first[known], second[known]).statistic)


def cell_table(
    explanation: Explanation, null: AttributionNull, players: pd.DataFrame
) -> pd.DataFrame:
    """Put beside each player what it says of each syllable.

    Returns
    -------
    DataFrame
        A row per player and syllable, players first: player (row of `players`), unit, syllable,
        absolute (mean |SHAP value| for the syllable's margin, nats), present (mean SHAP value in
        trials of the syllable: above 0 where the player speaks for it), absent (in all others, each
        syllable weighing alike), null_mean, null_low, null_high over shifted surrogates, and t and
        p against all cells (see `against_null`).
    """
    labels, weight = explanation.labels, explanation.trials["weight"].to_numpy()
    truth = explanation.trials["truth"].to_numpy()
    sung = truth[:, None] == np.array(labels, dtype=object)
    values = explanation.of_units
    present, absent = (
        weighed_mean(np.where(chosen[:, None], values, np.nan), weight) for chosen in (sung, ~sung)
    )
    cells = explanation.cells.T
    nulls = null.shifted.cells.swapaxes(-1, -2).reshape(len(null.shifted.cells), cells.size)
    t, p = against_null(cells.ravel(), nulls)
    player, syllable = np.indices(cells.shape).reshape(2, -1)
    beside = _range("", nulls, cells.size)
    return pd.DataFrame(
        {
            "player": player,
            "unit": players["unit"].to_numpy()[player],
            "syllable": np.array(labels, dtype=object)[syllable],
            "absolute": cells.ravel(),
            "present": present.ravel(),
            "absent": absent.ravel(),
            **{name.lstrip("_"): values for name, values in beside.items()},
            "t": t,
            "p": p,
        }
    )


def pair_table(
    explanation: Explanation, null: AttributionNull, players: pd.DataFrame
) -> pd.DataFrame:
    """Put all that is known of each pair side by side, the most evident pair first.

    Returns
    -------
    DataFrame
        A row per pair: first and second (rows of `players`), unit_first, unit_second, depth_first,
        depth_second; absolute (mean |interaction| over trials and syllables), signed (mean
        interaction for the syllable where that is largest), syllable (that one),
        absolute_null_mean, absolute_t and absolute_p; evidence, evidence_null_mean, evidence_t and
        evidence_p (see `against_null`).
    """
    first, second = np.tril_indices(len(players), -1)
    signed = explanation.signed[:, first, second]
    most = np.abs(signed).argmax(axis=0)
    table = pd.DataFrame({"first": second, "second": first})
    for end in ("first", "second"):
        for name in ("unit", "depth"):
            table[f"{name}_{end}"] = players[name].to_numpy()[table[end]]
    absolute = explanation.absolute.mean(axis=0)[first, second]
    evidence = explanation.evidence[first, second]
    table = table.assign(
        absolute=absolute,
        signed=signed[most, np.arange(len(first))],
        syllable=np.array(explanation.labels, dtype=object)[most],
    )
    nulls = [
        each[:, first, second] if len(each) else np.zeros((0, len(first)))
        for each in (null.independent.absolute, null.independent.evidence)
    ]
    for name, observed, each in zip(
        ("absolute", "evidence"), (absolute, evidence), nulls, strict=True
    ):
        t, p = against_null(observed, each)
        table[name] = observed
        table[f"{name}_null_mean"] = each.mean(axis=0) if len(each) else np.nan
        table[f"{name}_t"], table[f"{name}_p"] = t, p
    order = np.argsort(-table["evidence_t"].fillna(table["evidence"]), kind="stable")
    return table.iloc[order].reset_index(drop=True)
