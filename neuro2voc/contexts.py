"""Accuracy against context length: networks on tokens, and counts of the same windows."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from neuro2voc.binning import Window, make_tensor
from neuro2voc.configuration import derive_seed
from neuro2voc.curves import Points, Protocol, shifted_birds
from neuro2voc.decoding import outer_folds, sum_up
from neuro2voc.features import feature_matrix
from neuro2voc.growing import LEVEL, decode_windows, previous_baseline
from neuro2voc.network_training import NetworkSettings
from neuro2voc.nulls import table_beside_null
from neuro2voc.recording import Recording
from neuro2voc.sequence_fit import decode_by_sequences, reading_settings
from neuro2voc.sources.oracle import consult
from neuro2voc.sources.simulate import Truth
from neuro2voc.splits import NONE
from neuro2voc.tokens import make_corpus
from neuro2voc.trials import used_trials

log = logging.getLogger(__name__)

COUNTS, ORACLE = "discriminant", "oracle"
BINS = 10  # at most; the oracle's time grows with them
# s; beyond it the oracle's contexts are too few for all the neighbours that a window sees, and it
# falls below what it scores on the middle of the same window.
LONGEST = 0.2
COLUMNS = [
    "length",
    "decoder",
    "bins",
    "tokens",
    "balanced_accuracy",
    "low",
    "high",
    "accuracy",
    "bits",
    "chance",
    "previous",
    "null_mean",
    "null_low",
    "null_high",
    "null_replicates",
    "p",
    "verdict",
    "n_trials",
    "n_bouts",
]


def context_window(length: float) -> Window:
    """Return the window of this length (s) around the onset.

    Its edges and bins are whole milliseconds, as the simulator's song and so the oracle's are: of
    an odd number of them the window has one more before the onset than behind. It has the most
    bins, at most ten, that part it evenly.
    """
    whole = round(1000 * length)
    before = whole - whole // 2
    bins = max(n for n in range(1, BINS + 1) if whole % n == 0)
    name = f"{whole} ms"
    return Window(name, "onset", -before / 1000, (whole - before) / 1000, whole / bins / 1000)


def context_points(recording: Recording, trials: pd.DataFrame, lengths: Sequence[float]) -> Points:
    """Count spikes in windows of every length.

    Returns
    -------
    dict of ndarray (trials, units times bins)
        By length (s); NaN where a unit was not observed.
    """
    windows = {length: context_window(length) for length in lengths}
    return {
        length: feature_matrix(window.name, make_tensor(recording, trials, window))
        for length, window in windows.items()
    }


def context_table(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    lengths: Sequence[float],
    networks: Sequence[NetworkSettings],
    tokens: Mapping,
    sequences: Mapping,
    protocol: Protocol,
    truth: Truth | None = None,
) -> pd.DataFrame:
    """Decode windows of every length by networks on their tokens, and by counts.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; only used ones are decoded.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    lengths : sequence of float
        s; see `context_window`.
    networks : sequence of NetworkSettings
        Each is trained anew for every length, and on one shifted surrogate: one network per fold,
        since lengths are compared, not decoders.
    tokens, sequences : mapping
        The configuration's; of the schemes of `sequences`, the first is decoded.
    protocol : Protocol
        Of the discriminant and its surrogates; the first of these is that of the networks.
    truth : Truth, optional
        Of a simulated bird.

    Returns
    -------
    DataFrame
        A row per decoder and length, columns `COLUMNS`. decoder: a network's kind, 'discriminant'
        (linear, of counts) or 'oracle' (of the same counts). tokens: mean number per trial. The
        null of a network is one surrogate, with which p says nothing and is missing. See
        `with_verdicts`.
    """
    lengths = sorted(lengths)
    counts = decode_windows(
        recording,
        trials,
        split,
        lambda bird, used: context_points(bird, used, lengths),
        protocol,
    )
    bins = [len(context_window(length).bin_starts) for length in lengths]
    parts = [counts.rename(columns={"point": "length"}).assign(decoder=COUNTS, bins=bins)]
    if networks:
        parts.append(
            _network_rows(recording, trials, split, lengths, networks, tokens, sequences, protocol)
        )
    if truth is not None:
        parts.append(_oracle_rows(recording, trials, split, lengths, protocol, truth))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    previous = previous_baseline(trials, split, protocol)["balanced_accuracy"]
    return with_verdicts(table.assign(previous=previous)).reindex(columns=COLUMNS)


def _network_rows(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    lengths: Sequence[float],
    networks: Sequence[NetworkSettings],
    tokens: Mapping,
    sequences: Mapping,
    protocol: Protocol,
) -> pd.DataFrame:
    """Train and decode every network at every length, and on one surrogate."""
    scheme, reading = sequences["schemes"][0], reading_settings(sequences)

    def decoded(bird: Recording, used: pd.DataFrame, suffix: str) -> list[dict]:
        rows = []
        for length in lengths:
            window = context_window(length)
            corpus = make_corpus(bird, used, window, scheme, tokens["tick"], tokens["aggregate"])
            for settings in networks:
                name = f"{settings.kind}, {window.name}{suffix}"
                own = replace(settings, seed=derive_seed(settings.seed, name), members=1)
                metrics = decode_by_sequences(
                    {name: corpus}, used, split, own, reading, protocol.resamples
                )[1][name]
                about = {"length": length, "decoder": settings.kind}
                rows.append({**about, "tokens": corpus.lengths.mean(), **metrics})
        return rows

    table = pd.DataFrame(decoded(recording, used_trials(trials), ""))
    one = replace(protocol, null_seeds=protocol.null_seeds[:1])
    for bird, used in shifted_birds(recording, trials, one):
        null = pd.DataFrame(decoded(bird, used, ", shifted"))["balanced_accuracy"].to_numpy()
        table = table_beside_null(table, null[None]).assign(p=np.nan)
    return table


def _oracle_rows(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    lengths: Sequence[float],
    protocol: Protocol,
    truth: Truth,
) -> pd.DataFrame:
    """Consult the oracle on the counts that the discriminant sees, on trials that have a fold."""
    used = used_trials(trials)
    held = used[outer_folds(used, split) != NONE]
    rows = []
    for length in lengths:
        if length > LONGEST:
            continue
        window = context_window(length)
        tensor = make_tensor(recording, held, window)
        name = f"{ORACLE}, {window.name}"
        frame, _ = consult(truth, held, {name: tensor}, [name], 1, protocol.seed)
        rows.append(
            {
                "length": length,
                "decoder": ORACLE,
                "bins": len(window.bin_starts),
                **sum_up(frame, held, protocol.resamples, protocol.seed),
            }
        )
    return pd.DataFrame(rows)


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Say of every decoder and length whether it stands.

    Parameters
    ----------
    table : DataFrame
        decoder, balanced_accuracy, low, chance, previous; with surrogates null_high and p.

    Returns
    -------
    DataFrame
        With `verdict`: 'stands' (its interval above chance, its surrogates and the previous
        syllable, and p, where it is known, at most 0.05), 'order' (not above the previous
        syllable), 'not told', 'unjudged' without surrogates, '' for the oracle.
    """
    none = pd.Series(np.nan, table.index)
    high, p = table.get("null_high", none), table.get("p", none)
    above = (table["low"] > high) & (table["low"] > table["chance"]) & ~(p > LEVEL)
    known = np.where(table["low"] > table["previous"], "stands", "order")
    verdict = np.where(above, known, np.where(high.isna(), "unjudged", "not told"))
    return table.assign(verdict=np.where(table["decoder"] == ORACLE, "", verdict))


def told_from(
    table: pd.DataFrame, decoder: str, verdicts: Sequence[str] = ("stands", "order")
) -> float:
    """Return the length (s) from which on a decoder has such a verdict at every longer one too.

    Infinity where it has none at the longest.
    """
    rows = table[table["decoder"] == decoder].sort_values("length")
    good = rows["verdict"].isin(verdicts).to_numpy()[::-1]
    number = int(np.logical_and.accumulate(good).sum())
    return float(rows["length"].iat[-number]) if number else float("inf")
