"""Whether planted pairs are found: recall and precision over planted synergy and trials.

Birds like a given one are simulated with pairs of units that say something only jointly, once where
their syllables cannot be told apart without them and once where every other unit tells them apart
already. The oracle, with the pairs and without them, says how much there was to find.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from neuro2voc.attribution import Explanation
from neuro2voc.binning import make_tensor, make_window
from neuro2voc.configuration import derive_seed, window_of
from neuro2voc.curves import Protocol
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.hubs import Surrogates, against_null, explain_bird, independent_null
from neuro2voc.recording import Recording
from neuro2voc.sources.oracle import oracle_posterior
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import Truth, simulate
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials, used_trials

log = logging.getLogger(__name__)

NEEDED, REDUNDANT = "needed", "redundant"
STRONG = 8  # times the tuning: other units then tell all syllables apart
LEVEL = 0.05
GUARD = 0.5  # s, as wide as the silence that parts bouts


def planted(settings: Settings, kind: str, pairs: int, synergy: float, bouts: int) -> Settings:
    """Return the settings of a bird with planted pairs.

    Syllables follow one another at random and last equally long, so that neither order nor duration
    tells them apart. Of 'needed' pairs, half of the kinds of syllables are alike to all other
    units; of 'redundant' ones, none is, and all tuning is strong.
    """
    length = (settings.shortest + settings.longest) / 2
    needed = kind == NEEDED
    return replace(
        settings,
        preset="",
        audio="",
        annotations="",
        audio_rate=0.0,
        stereotypy=0.0,
        shortest=length,
        longest=length,
        pairs=pairs,
        synergy=synergy,
        bouts=bouts,
        alike=max(2, settings.syllable_types // 2) if needed else 0,
        tuning=settings.tuning if needed else STRONG * settings.tuning,
    )


def recovery(
    settings: Settings, grid: Mapping, windows: Mapping, protocol: Protocol
) -> pd.DataFrame:
    """Simulate birds with planted pairs and look for them.

    Parameters
    ----------
    settings : Settings
        The bird to be like.
    grid : mapping
        synergy (list of 0 to 1), bouts (list, per session), pairs (number planted in each bird),
        repeats (birds per cell) and replicates (independent copies of each).
    windows : mapping
        The configuration's.
    protocol : Protocol
        Its split is made anew for each bird, with as many folds as its trials have.

    Returns
    -------
    DataFrame
        A row per bird: kind ('needed', 'redundant'), synergy, bouts, repeat, trials,
        balanced_accuracy, chance; oracle and oracle_without (balanced accuracies of the oracle with
        and without the pairs' units, on the syllables that need them, or on all) and gain, their
        difference; planted (pairs), found (pairs with p at most 0.05), right (of them, planted
        ones), and units_planted, units_found, units_right of units by their joint evidence, and
        hubs_found, hubs_right by the hub score.
    """
    cells = [
        (kind, synergy, bouts, repeat)
        for kind, synergies in ((NEEDED, grid["synergy"]), (REDUNDANT, [max(grid["synergy"])]))
        for synergy in synergies
        for bouts in grid["bouts"]
        for repeat in range(1, grid["repeats"] + 1)
    ]
    rows = []
    for number, (kind, synergy, bouts, repeat) in enumerate(cells, start=1):
        bird = planted(settings, kind, grid["pairs"], synergy, bouts)
        seed = derive_seed(protocol.seed, kind, f"{synergy:g}", bouts, repeat)
        row = {"kind": kind, "synergy": synergy, "bouts": bouts, "repeat": repeat}
        rows.append(row | look_for_pairs(bird, seed, grid["replicates"], windows, protocol))
        log.info("bird %d of %d: %s", number, len(cells), rows[-1])
    return pd.DataFrame(rows)


def look_for_pairs(
    settings: Settings, seed: int, replicates: int, windows: Mapping, protocol: Protocol
) -> dict[str, float]:
    """Simulate one bird, look for its pairs, and say what was there to be found.

    See `recovery` for what is returned, from `trials` on.
    """
    recording, truth, _ = simulate("bird", settings, seed)
    trials = make_trials(recording, **protocol.trials)
    folds = protocol.trials["folds"]
    split = make_split(protocol.split, trials, recording.sessions, folds, GUARD, seed)
    protocol = replace(protocol, seed=seed)
    explanation = explain_bird(recording, trials, split, windows, protocol)
    seeds = tuple(derive_seed(seed, number) for number in range(replicates))
    null, _ = independent_null(recording, trials, split, windows, protocol, seeds)
    used = used_trials(trials)
    oracle = oracle_gain(recording, truth, used, protocol.feature, windows)
    return {
        "trials": len(used),
        "balanced_accuracy": explanation.balanced_accuracy,
        "chance": 1 / len(explanation.labels),
        **oracle,
        **compare(explanation, null, truth.population.table["pair"].to_numpy()),
    }


def compare(explanation: Explanation, null: Surrogates, pair: np.ndarray) -> dict[str, int]:
    """Count the pairs and units that stand out from independent copies, and the planted among them.

    Parameters
    ----------
    explanation, null
        Of the bird and of its independent copies.
    pair : ndarray (units,)
        Number of each unit's pair, -1 for none.
    """
    first, second = np.tril_indices(len(pair), -1)
    there = (pair[first] == pair[second]) & (pair[first] >= 0)
    scores = (
        ("", there, explanation.evidence[first, second], null.evidence[:, first, second]),
        ("units_", pair >= 0, explanation.joint_evidence, null.evidence.sum(axis=2)),
        ("hubs_", pair >= 0, explanation.hub, null.absolute.sum(axis=2)),
    )
    counts = {}
    for name, right, score, copies in scores:
        p = against_null(score, copies)[1]
        counts[f"{name}planted"] = int(right.sum())
        counts[f"{name}found"] = int((p <= LEVEL).sum())
        counts[f"{name}right"] = int((right & (p <= LEVEL)).sum())
    return counts


def oracle_gain(
    recording: Recording, truth: Truth, used: pd.DataFrame, feature: str, windows: Mapping
) -> dict[str, float]:
    """Return the oracle's balanced accuracy with and without paired units, and the difference.

    It is that on the syllables that are alike to other units, where there are any.
    """
    labels, names = sorted(used["label"].unique()), truth.repertoire.labels
    alike = names[len(names) - truth.settings.alike :] if truth.settings.alike else names
    judged = used["label"].isin(alike).to_numpy()
    label = used["label"].to_numpy(dtype=object)
    tensor = make_tensor(recording, used, make_window(window_of(feature), windows))
    scores = []
    for kept in (np.full(len(truth.population), True), truth.population.table["pair"] < 0):
        some = replace(
            tensor,
            counts=tensor.counts[:, kept],
            observed=tensor.observed[:, kept],
            unit=tensor.unit[kept],
        )
        guess = oracle_posterior(truth, used, some, feature, labels).argmax(axis=1)
        guess = np.array(labels, dtype=object)[guess]
        scores.append(balanced_accuracy(confusion(label[judged], guess[judged], labels)))
    return {"oracle": scores[0], "oracle_without": scores[1], "gain": scores[0] - scores[1]}
