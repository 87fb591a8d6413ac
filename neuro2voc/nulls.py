"""What surrogates score, as columns of tables beside what birds score."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neuro2voc.evaluation import p_value, smallest_effect

FEWEST = 19  # surrogates that can show a p of 0.05


def null_columns(null: ArrayLike, name: str = "null") -> dict[str, np.ndarray | float]:
    """Return what the scores of surrogates come to, as columns of a table.

    Parameters
    ----------
    null : array_like (replicates, ...)
        NaN where a surrogate has no score.
    name : str
        What the columns' names begin with.

    Returns
    -------
    dict
        {name}_mean, {name}_low and {name}_high, each (...), and {name}_replicates.
    """
    null = np.asarray(null, dtype=float)
    with np.errstate(invalid="ignore"):  # where no surrogate has a score
        mean = np.nansum(null, axis=0) / np.isfinite(null).sum(axis=0)
    return {
        f"{name}_mean": mean,
        f"{name}_low": np.fmin.reduce(null, axis=0),
        f"{name}_high": np.fmax.reduce(null, axis=0),
        f"{name}_replicates": len(null),
    }


def cell_beside_null(cell: Mapping, null: Sequence[float] | None) -> dict[str, float]:
    """Return what stands beside one decoding; nothing without surrogates.

    Parameters
    ----------
    cell : mapping
        See `summary`.
    null : sequence (replicates,) or None
        Balanced accuracies of surrogates.

    Returns
    -------
    dict
        See `null_columns`; p; smallest_effect.
    """
    if null is None or not len(null):
        return {}
    return {
        **null_columns(null),
        "p": p_value(cell["balanced_accuracy"], null),
        "smallest_effect": smallest_effect(null, cell["chance"]),
    }


def table_beside_null(
    table: pd.DataFrame, null: ArrayLike, score: str = "balanced_accuracy"
) -> pd.DataFrame:
    """Put the null of each row beside it.

    Parameters
    ----------
    table : DataFrame
    null : array_like (replicates, rows)
        Scores of surrogates.
    score : str
        The column that is judged by them; more is better.

    Returns
    -------
    DataFrame
        The table with the columns of `null_columns`, and p.
    """
    null = np.asarray(null, dtype=float)
    p = [p_value(value, own) for value, own in zip(table[score], null.T, strict=True)]
    return table.assign(**null_columns(null), p=p)
