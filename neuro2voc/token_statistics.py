"""How many tokens a second of song takes, and what population patterns there are."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2voc.binning import Window
from neuro2voc.decoding import outer_folds
from neuro2voc.errors import DataError
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.token_schemes import FIRES
from neuro2voc.tokens import Corpus, make_corpus, read_corpus
from neuro2voc.vocabulary import fit_vocabulary

# The thesis' spatial scheme: boundary, pattern, boundary per sample at 20 kHz (2-NLP/4, /5).
PUBLISHED_RATE = 60_000  # tokens per second
PUBLISHED_VOCABULARY = 7_107
# Its patterns of 75 units in samples of 50 µs, by the number of units that fire.
PUBLISHED_PATTERNS = {0: 1, 1: 75, 2: 2521, 3: 1437, 4: 51, 5: 2}
LOW, HIGH = 5, 95  # percentiles of trials
NOBODY = "nobody"


def scheme_table(
    paths: Iterable[str | Path], trials: pd.DataFrame, split: pd.DataFrame, size: int
) -> pd.DataFrame:
    """Count symbols and tokens per second under each scheme.

    Vocabularies are fitted on the training part of the first fold and tokens counted on its
    held-out trials, as a decoder meets them.

    Parameters
    ----------
    paths : iterable of path
        Corpus files of one bird.
    trials : DataFrame
        Those of the corpora, in the same order.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    size : int
        Most tokens of a vocabulary; 0: no more than the symbols.

    Returns
    -------
    DataFrame
        scheme, tick (ms, of what is put together), seconds (of a trial's window), alphabet
        (symbols), vocabulary (tokens), training and held_out (trials), bytes (of the corpus file of
        all trials), and of `symbols` and `tokens` per second: the mean over held-out trials
        (`symbols_per_second`), percentiles 5 and 95 (`symbols_low`, `symbols_high`) and the longest
        trial's number (`symbols_most`).

    Raises
    ------
    DataError
        If the corpora are not of these trials.
    """
    fold = outer_folds(trials, split)
    first = fold[fold != NONE].min()
    training, held_out = (fold != NONE) & (fold != first), fold == first
    rows = []
    for path in paths:
        corpus = read_corpus(path)
        if not np.array_equal(corpus.trial, trials["trial"].to_numpy()):
            raise DataError(f"{path} holds other trials than the table of trials; make it anew.")
        rows.append(_describe(corpus, corpus[training], corpus[held_out], size))
    return pd.DataFrame(rows)


def _describe(corpus: Corpus, training: Corpus, held_out: Corpus, size: int) -> dict:
    scheme = corpus.scheme
    vocabulary = fit_vocabulary(training, scheme, corpus.unit, size)
    seconds = scheme.ticks * scheme.tick
    tokens = np.array([len(trial) for trial in vocabulary.encode_all(held_out)])
    return {
        "scheme": scheme.name,
        "tick": 1000 * scheme.tick * scheme.width,
        "seconds": seconds,
        "alphabet": scheme.alphabet,
        "vocabulary": vocabulary.size,
        "training": len(training),
        "held_out": len(held_out),
        "bytes": Path(corpus.symbols).stat().st_size,
        **_lengths("symbols", held_out.lengths, seconds),
        **_lengths("tokens", tokens, seconds),
    }


def _lengths(name: str, lengths: np.ndarray, seconds: float) -> dict:
    low, high = np.percentile(lengths, [LOW, HIGH]) / seconds
    return {
        f"{name}_per_second": lengths.mean() / seconds,
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_most": int(lengths.max()),
    }


@dataclass(frozen=True, eq=False)
class Patterns:
    """Which population patterns occur when: the sets of units that fire within a tick.

    Attributes
    ----------
    bits : ndarray (patterns, units) of bool
        The units that fire in each of the different patterns.
    pattern : ndarray (trials, ticks)
        Row of `bits` of every tick.
    unit : tuple of str
        The units' names.
    """

    bits: np.ndarray
    pattern: np.ndarray
    unit: tuple[str, ...]


def find_patterns(
    recording: Recording, trials: pd.DataFrame, window: Window, tick: float
) -> Patterns:
    """Find the patterns of every trial's window in ticks of `tick` s."""
    corpus = make_corpus(recording, trials, window, "spatial", tick)
    bits = np.reshape(corpus.symbols, (-1, corpus.scheme.units + 1))[:, 1:] == FIRES
    packed = np.packbits(bits, axis=1)
    # Rows as single items: numpy sorts those an order of magnitude faster.
    rows = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").reshape(-1)
    _, place, pattern = np.unique(rows, return_index=True, return_inverse=True)
    return Patterns(bits[place], pattern.reshape(len(trials), -1), corpus.unit)


def pattern_table(patterns: Patterns, label: np.ndarray) -> pd.DataFrame:
    """Count how often each population pattern goes with each label.

    Parameters
    ----------
    patterns : Patterns
    label : ndarray (trials,)

    Returns
    -------
    DataFrame
        A row per pattern and label that occur together: pattern (units' names, joined by ' + '; the
        empty one is 'nobody'), units (that fire), label, ticks (number), labels (that the pattern
        occurs with), occurs (ticks of the pattern with any label), trials (of the label). The
        commonest pattern comes first, equal ones by their number of units and their names.
    """
    label = pd.Series(label)
    of_tick = np.repeat(label.to_numpy(), patterns.pattern.shape[1])
    pairs = pd.DataFrame({"pattern": patterns.pattern.reshape(-1), "label": of_tick})
    pairs = pairs.value_counts(sort=False).rename("ticks").reset_index()
    of_pattern = pairs.groupby("pattern")
    pairs["labels"] = of_pattern["label"].transform("size")
    pairs["occurs"] = of_pattern["ticks"].transform("sum")
    pairs["trials"] = pairs["label"].map(label.value_counts())
    pairs["units"] = patterns.bits.sum(axis=1)[pairs["pattern"]]
    pairs["pattern"] = _names(patterns)[pairs["pattern"]]
    pairs = pairs.sort_values(
        ["occurs", "units", "pattern", "label"], ascending=[False, True, True, True]
    )
    names = ["pattern", "units", "label", "ticks", "labels", "occurs", "trials"]
    return pairs[names].reset_index(drop=True)


def _names(patterns: Patterns) -> np.ndarray:
    """Return what each pattern is called (patterns,)."""
    names = np.array(patterns.unit, dtype=object)
    return np.array([" + ".join(names[row]) or NOBODY for row in patterns.bits], dtype=object)


def composition(pairs: pd.DataFrame) -> pd.DataFrame:
    """Count patterns by the number of units that fire.

    Parameters
    ----------
    pairs : DataFrame
        See `pattern_table`.

    Returns
    -------
    DataFrame
        Indexed by units (0 to the most): patterns (different ones), once (of them, those that occur
        once), ticks (in which they occur).
    """
    patterns = pairs.drop_duplicates("pattern")
    groups = patterns.groupby("units")
    table = pd.DataFrame(
        {
            "patterns": groups.size(),
            "once": groups["occurs"].agg(lambda occurs: (occurs == 1).sum()),
            "ticks": groups["occurs"].sum(),
        }
    )
    return table.reindex(range(patterns["units"].max() + 1), fill_value=0)


def label_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Count trials and distinct patterns of each label.

    Parameters
    ----------
    pairs : DataFrame
        See `pattern_table`.

    Returns
    -------
    DataFrame
        Indexed by label, sorted: trials, distinct (patterns that occur with it).
    """
    rows = pairs.groupby("label")
    return pd.DataFrame({"trials": rows["trials"].first(), "distinct": rows.size()})
