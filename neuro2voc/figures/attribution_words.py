"""What the composite figure of SHAP values says in words, and what it is allowed to say."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro2voc.configuration import WHOLE_SYLLABLE_FEATURES
from neuro2voc.curves import Protocol
from neuro2voc.figures.players import copies_of, noun_of, number_of
from neuro2voc.nulls import FEWEST
from neuro2voc.recording import Recording

LEVEL = 0.05
NAMED = 6  # pairs written out in the notes
LINKED = 10  # pairs linked in the figure
FOLLOWS_RATE = 0.3  # rank correlation in shifted birds from which on the notes draw a conclusion


def findings(tables: Mapping[str, pd.DataFrame]) -> dict:
    """Return what can be believed.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        table, cells and pairs; see `neuro2voc.attribution_tables`.

    Returns
    -------
    dict
        noun ('unit' or 'bin'), of (all players in words), together (whether there are pairs),
        judged and judged_jointly (whether surrogates, or copies, are enough for a p of 0.05),
        important, speaking and hubs (sets of players),
        cells (rows of the table beyond the null, for the syllable when it is sung), misleading
        (beyond it, but against the syllable), pairs (rows of the table beyond the null).
    """
    table, cells, pairs = (tables[name] for name in ("table", "cells", "pairs"))
    marked = cells[cells["p"] <= LEVEL]
    right = marked["present"] > marked["absent"]
    return {
        "noun": noun_of(table),
        "of": number_of(table),
        "together": len(pairs) > 0,
        "judged": table["shifted"].iat[0] >= FEWEST,
        "judged_jointly": len(pairs) > 0 and table["joint_replicates"].iat[0] >= FEWEST,
        "important": set(np.flatnonzero(table["importance_p"] <= LEVEL)),
        "speaking": set(marked.loc[right, "player"]),
        "hubs": set(np.flatnonzero(table["evidence_p"] <= LEVEL)),
        "cells": marked[right],
        "misleading": marked[~right],
        "pairs": pairs[pairs["evidence_p"] <= LEVEL],
    }


def parent(recording: Recording) -> str:
    """Return whose surrogates a bird is seen beside."""
    return recording.name.partition("~")[0]


def titles(found: dict, cells: int) -> tuple[str, str, str]:
    """Return the second lines of the panels' titles: how many of how many stand out."""
    alone, jointly = ["not judged"] * 2, "not judged"
    if found["judged"]:
        marked = len(found["cells"]) + len(found["misleading"])
        alone = [_of(len(found["important"]), found["of"]), _of(marked, f"{cells} cells")]
    if found["judged_jointly"]:
        jointly = f"{_of(len(found['hubs']), found['of'])}, {_pairs(found)}"
    return *alone, jointly


def _of(count: int, all_of_them: str) -> str:
    return f"{count or 'none'} of {all_of_them}"


def _pairs(found: dict) -> str:
    count = len(found["pairs"])
    return f"{count or 'no'} pair{'s' * (count > 1)}"


def headline(tables: Mapping[str, pd.DataFrame], found: dict, recording: Recording) -> str:
    """Say the result, beside what it has to be seen beside."""
    first = tables["table"].iloc[0]
    words = []
    if recording.surrogate:
        words.append(_control(tables["table"], recording))
    if found["judged"]:
        words.append(_alone(found, len(tables["cells"])))
    else:
        words.append(f"None of {found['of']} is judged.")
    if found["judged_jointly"]:
        words.append(_jointly(found))
    elif found["judged"] and found["together"]:
        words.append("What several say together is not judged.")
    accuracy = f"{first['balanced_accuracy']:.2f}, chance is {first['chance']:.2f}"
    words.append(f"The models' balanced accuracy is {accuracy};")
    words.append(
        f"without neurons, the previous syllable gives {first['previous']:.2f} and duration "
        f"{first['duration']:.2f}."
    )
    return " ".join(words)


def _control(table: pd.DataFrame, recording: Recording) -> str:
    """Say what a surrogate lacks, and whose surrogates it is seen beside."""
    lost = "tuning"
    if recording.surrogate == "independent":
        if table["unit"].nunique() == 1:
            return "A control whose only unit had its trials permuted within syllable."
        lost = "joint patterns"
    return f"A control without {lost}, beside shifted surrogates of {parent(recording)}."


def _alone(found: dict, cells: int) -> str:
    """Say how many speak for a syllable."""
    speaking, misleading = len(found["speaking"]), len(found["misleading"])
    words = f"{_of(speaking, found['of'])} speak{'s' * (speaking < 2)} for a syllable".capitalize()
    counts = _of(len(found["cells"]), f"{cells} cells")
    if misleading:
        counts += f"; {misleading} mislead{'s' * (misleading == 1)}"
    return f"{words} ({counts})."


def _jointly(found: dict) -> str:
    """Say what is told only by several together."""
    hubs, pairs, noun = len(found["hubs"]), len(found["pairs"]), found["noun"]
    if not hubs and not pairs:
        return f"No {noun} says more together with others than one by one."
    stand = f"{_pairs(found)} stand{'s' * (pairs < 2)} out"
    if not hubs:
        return f"{stand.capitalize()} as saying more together, but no {noun} is a hub."
    are = "is a hub: with others it says" if hubs == 1 else "are hubs: with others they say"
    own = len(found["hubs"] & found["speaking"])
    words = f"{hubs} {noun}{'s' * (hubs > 1)} {are} more than one by one ({stand})"
    if not found["judged"]:
        return f"{words}."
    if hubs == 1:
        return f"{words}; it has {'a' if own else 'no'} syllable of its own."
    has = "has a syllable of its own" if own < 2 else "have syllables of their own"
    return f"{words}; {own or 'none'} of them {has}."


def notes(tables: Mapping[str, pd.DataFrame], found: dict, protocol: Protocol) -> list[str]:
    """Say what has to be known besides."""
    first = tables["table"].iloc[0]
    paragraphs = [
        _made_of(first, found, protocol),
        _judged_by(tables["table"], found),
        _confounds(first, found),
        _names_of_pairs(found),
    ]
    return [words for words in paragraphs if words]


def _made_of(first: pd.Series, found: dict, protocol: Protocol) -> str:
    words = (
        f"Boosted trees on {protocol.feature}, split '{protocol.split}': {first['n_trials']:.0f} "
        f"held-out trials in {first['n_bouts']:.0f} bouts. A SHAP value is what a {found['noun']} "
        "adds to a syllable's margin (the logarithm of its probability, but for a term that all "
        "syllables share)"
    )
    if found["together"]:
        words += (
            "; joint evidence is its half of what its interactions with all others add for the "
            "syllable that is sung, with 95 % intervals over bouts"
        )
    words += "."
    if found["noun"] == "bin":
        words += f" There is one unit; rows are its bins of time in the window {protocol.feature}."
    if protocol.feature in WHOLE_SYLLABLE_FEATURES:
        words += f" '{protocol.feature}' carries the syllable's duration whether or not neurons do."
    return words


def _judged_by(table: pd.DataFrame, found: dict) -> str:
    words, copies = [], table["joint_replicates"].iat[0]
    if found["judged"] or found["judged_jointly"]:
        words.append(
            f"p is corrected for all {found['noun']}s, cells or pairs: the share of birds, this "
            "one and its surrogates or copies, whose greatest studentised score is as great."
        )
    if not found["judged"] or (found["together"] and copies and not found["judged_jointly"]):
        words.append(f"A p of {LEVEL} takes {FEWEST} surrogates; beside fewer nothing is judged.")
    if not found["together"]:
        words.append(f"There are no pairs: a single {found['noun']} has no other to speak with.")
    elif copies:
        words.append(copies_of(table))
    else:
        words.append("Joint evidence has no null: no independent copies of this bird were made.")
    return " ".join(words)


def _confounds(first: pd.Series, found: dict) -> str:
    """Say what importance goes with, in this bird and in birds that know nothing."""
    known = []
    for name, words in (
        ("rate", "mean rate"),
        ("duration", "duration correlation"),
        ("violations", "refractory violations"),
    ):
        rho, null = first[f"rho_{name}"], first[f"rho_{name}_null_mean"]
        if pd.notna(rho):
            beside = f" ({_signed(null)})" if pd.notna(null) else ""
            known.append(f"{words} {_signed(rho)}{beside}")
    if not known:
        return ""
    words = f"Rank correlation of importance with {', '.join(known)}"
    if first["shifted"]:
        words += "; in brackets the same in shifted birds, which know nothing of the song"
    if first["rho_rate_null_mean"] > FOLLOWS_RATE:
        words += f": hence a null for each {found['noun']}"
    return f"{words}."


def _signed(value: float) -> str:
    # No negative zero.
    return f"{round(float(value), 2) + 0.0:.2f}".replace("-", "−")


def _names_of_pairs(found: dict) -> str:
    pairs = found["pairs"]
    if found["noun"] == "bin":
        return f"The {LINKED} most evident pairs are linked." if len(pairs) > LINKED else ""
    if pairs.empty:
        return ""
    named = [f"{pair.unit_first} with {pair.unit_second}" for pair in pairs[:NAMED].itertuples()]
    words = f"Pairs of units, the most evident first: {', '.join(named)}"
    if len(pairs) > NAMED:
        words += f" and {len(pairs) - NAMED} more"
    if len(pairs) > LINKED:
        words += f" (the first {LINKED} are linked)"
    return f"{words}."
