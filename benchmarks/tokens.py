"""Spikes as tokens at the thesis' scale: ours beside plain Python, and two ways to merge pairs.

Plain Python writes a string per tick from tensors, as the thesis did; ours writes from spikes.
Making neither is in the times. Symbols have to agree one by one.
"""

import sys

from benchmarks import scale  # first: it gives everybody one thread

# isort: split
import numpy as np

from neuro2voc.binning import Window
from neuro2voc.token_schemes import BITS, EVENTS, Scheme, Spikes, encode_trials
from neuro2voc.tokens import make_corpus, window_spikes
from neuro2voc.trials import make_trials, used_trials
from neuro2voc.vocabulary import as_text, fit_vocabulary

WINDOW = Window("onset", "onset", -0.1, 0.1, 0.02)
TICK, AGGREGATE = 0.001, 0.005
VOCABULARY = 1000
REPEATS = 3


def tensors(spikes: Spikes, scheme: Scheme) -> np.ndarray:
    """Return counts (trials, units, ticks) as the thesis had them, of a tick's groups."""
    trials = len(spikes.starts) - 1
    counts = np.zeros((trials, scheme.units, scheme.groups), dtype=np.int32)
    trial = np.repeat(np.arange(trials), np.diff(spikes.starts))
    np.add.at(counts, (trial, spikes.unit, spikes.tick // scheme.width), 1)
    return counts


def plain_bits(name: str, counts: np.ndarray) -> list[str]:
    """Write bits as strings, trial by trial and tick by tick."""
    texts = []
    for trial in counts:
        rows = trial if name == "temporal" else trial.T
        text = ""
        for row in rows.tolist():
            if name == "spatial_rm0" and not any(row):
                continue
            text += "|" + "".join("1" if count else "0" for count in row)
        texts.append(text)
    return texts


def plain_events(counts: np.ndarray) -> list[list[int]]:
    """Write events in lists, trial by trial and tick by tick."""
    units, texts = counts.shape[1], []
    for trial in counts:
        text, now = [], 0
        for tick, row in enumerate(trial.T.tolist()):
            fired = [unit for unit, count in enumerate(row) for _ in range(count)]
            if not fired:
                continue
            gap = f"{tick - now:b}"
            text += [units + len(gap) - 1 - i for i, bit in enumerate(gap) if bit == "1"]
            text += fired
            now = tick
        texts.append(text)
    return texts


def same(scheme: Scheme, spikes: Spikes, plain: list) -> bool:
    symbols, starts = encode_trials(scheme, spikes)
    trials = (symbols[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True))
    if scheme.name == EVENTS:
        return all(ours.tolist() == theirs for ours, theirs in zip(trials, plain, strict=True))
    return all(as_text(scheme, ours) == theirs for ours, theirs in zip(trials, plain, strict=True))


def main() -> int:
    recording = scale.recording()
    trials = used_trials(make_trials(recording, 0.5, [], 5))
    spikes = window_spikes(recording, trials, WINDOW, TICK)
    found = scale.seconds(
        {"spikes": lambda: window_spikes(recording, trials, WINDOW, TICK)}, REPEATS
    )
    print(
        f"{len(trials):,} trials, {len(recording.units)} units, {len(spikes.unit):,} spikes in "
        f"windows, found in {1000 * found['spikes']:.0f} ms; one thread\n"
    )
    rows, agree = [], True
    for name in (*BITS, EVENTS):
        corpus = make_corpus(recording, trials, WINDOW, name, TICK, AGGREGATE)
        row, right = compare(corpus, spikes)
        rows.append(row)
        agree &= right
    columns = ("scheme", "tokens/s of song", "encoding (ms)", "plain Python (ms)", "ratio")
    columns += ("BPE (ms)", "one by one (ms)", "ratio", "agreement")
    scale.print_table(rows, columns)
    return int(not agree)


def compare(corpus, spikes: Spikes) -> tuple[tuple, bool]:
    scheme = corpus.scheme
    counts = tensors(spikes, scheme)
    write = plain_events if scheme.name == EVENTS else (lambda x: plain_bits(scheme.name, x))
    vocabulary = fit_vocabulary(corpus, scheme, corpus.unit, VOCABULARY)
    tokens = vocabulary.encode_all(corpus)  # also fills the tokenizer's cache for both
    texts = [as_text(scheme, trial) for trial in corpus]
    times = scale.seconds(
        {
            "ours": lambda: encode_trials(scheme, spikes),
            "plain": lambda: write(counts),
            "batch": lambda: vocabulary.encode_all(corpus),
            "single": lambda: [vocabulary.tokenizer.encode(text).ids for text in texts],
        },
        REPEATS,
        warm_up=False,
    )
    right = same(scheme, spikes, write(counts)) and all(
        ours.tolist() == vocabulary.tokenizer.encode(text).ids
        for ours, text in zip(tokens, texts, strict=True)
    )
    per_second = np.mean([len(one) for one in tokens]) / (scheme.ticks * scheme.tick)
    ms = {name: 1000 * value for name, value in times.items()}
    row = (scheme.name, f"{per_second:,.0f}", f"{ms['ours']:.0f}", f"{ms['plain']:.0f}")
    row += (f"{ms['plain'] / ms['ours']:.0f}", f"{ms['batch']:.0f}", f"{ms['single']:.0f}")
    row += (f"{ms['single'] / ms['batch']:.2f}", "exact" if right else "DISAGREES")
    return row, right


if __name__ == "__main__":
    sys.exit(main())
