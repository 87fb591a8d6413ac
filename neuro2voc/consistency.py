"""How well embeddings agree between networks of other seeds, and between birds.

Measured as CEBRA's authors do: how well one embedding follows linearly from another, as R², fitted
and scored on the same held-out bins. It is never below 0, and embeddings of noise agree, too, since
networks that see the same activity may do the same with it. So each number stands beside that of a
shifted surrogate.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neuro2voc.embedding_files import Points

PLACES = 10  # within a syllable, at which embeddings of birds are compared
COLUMNS = ["between", "other", "method", "field", "r2", "shifted", "syllables", "n_bins"]


def consistency_table(
    birds: Mapping[str, Points], labels: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """Compare a bird's embeddings with those of other seeds and of other birds.

    Parameters
    ----------
    birds : mapping of Points
        The bird, then others, by name.
    labels : mapping
        What a bird's syllables are called in common, where that is not their own name.

    Returns
    -------
    DataFrame
        A row per cell and comparison: between ('seeds' or 'birds'), other (bird, or ''), method,
        field, r2, shifted (r2 of the bird's shifted surrogate, missing where there is none),
        syllables (in common), n_bins (of the bird). Birds with fewer than two syllables in common
        are left out.
    """
    name, *others = birds
    own = birds[name]
    rows = []
    for cell, again in own.sets["again"].items():
        seen = np.isfinite(again[:, 0])
        r2 = agreement([own.sets["points"][cell][seen], again[seen]])
        row = {"between": "seeds", "other": "", "r2": r2, "n_bins": int(seen.sum())}
        row["syllables"] = len(np.unique(own.label[seen]))
        if cell in own.sets["shifted_again"]:
            moved = own.sets["shifted_again"][cell]
            seen = np.isfinite(moved[:, 0])
            row["shifted"] = agreement([own.sets["shifted"][cell][seen], moved[seen]])
        rows.append(row | dict(zip(("method", "field"), cell, strict=True)))
    for other in others:
        rows += _between(name, own, other, birds[other], labels)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def agreement(points: list[np.ndarray]) -> float:
    """Return the mean R² with which one of two embeddings (bins, dimensions) gives the other."""
    from cebra.integrations.sklearn.metrics import consistency_score

    return float(np.mean(consistency_score(points, between="runs")[0]))


def _between(
    name: str, own: Points, other: str, theirs: Points, labels: Mapping[str, Mapping[str, str]]
) -> list[dict]:
    mine = _in_common(own, labels.get(name.partition("~")[0], {}))
    yours = _in_common(theirs, labels.get(other, {}))
    common = sorted((set(mine) & set(yours)) - {""})
    rows = []
    for cell, points in own.sets["points"].items():
        if cell not in theirs.sets["points"] or len(common) < 2:
            continue
        yonder = _placed(theirs.sets["points"][cell], theirs, yours, common)
        r2, bins = _aligned(_placed(points, own, mine, common), yonder, len(common))
        row = {"between": "birds", "other": other, "r2": r2, "n_bins": bins}
        if cell in own.sets["shifted"]:
            moved = _placed(own.sets["shifted"][cell], own, mine, common)
            row["shifted"] = _aligned(moved, yonder, len(common))[0]
        row |= dict(zip(("method", "field"), cell, strict=True)) | {"syllables": len(common)}
        rows.append(row)
    return rows


def _in_common(points: Points, names: Mapping[str, str]) -> np.ndarray:
    return np.array([names.get(label, label) for label in points.label])


def _placed(
    values: np.ndarray, points: Points, label: np.ndarray, common: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return points of one fold, and the number of each one's syllable plus its place in it.

    Networks of other folds turn space in other ways.
    """
    held = np.isfinite(values[:, 0])
    seen = held & np.isin(label, common) & (points.fold == points.fold[held].min())
    place = np.floor(PLACES * points.position[seen]).clip(0, PLACES - 1)
    known = np.isfinite(values[seen]).all(
        axis=0
    )  # of two syllables, a projection has one dimension
    return values[seen][:, known], np.searchsorted(common, label[seen]) * PLACES + place


def _aligned(
    mine: tuple[np.ndarray, np.ndarray], yours: tuple[np.ndarray, np.ndarray], syllables: int
) -> tuple[float, int]:
    """Return R² between means at the places that both have, and the number of the first's bins."""
    means = [pd.DataFrame(points).groupby(place).mean() for points, place in (mine, yours)]
    shared = means[0].index.intersection(means[1].index)
    if len(shared) <= syllables:
        return np.nan, len(mine[0])
    return agreement([mean.loc[shared].to_numpy() for mean in means]), len(mine[0])
