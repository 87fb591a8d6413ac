"""Explanations in files: results/shap/{bird}.h5."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neuro2voc.attribution import Explanation
from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer
from neuro2voc.hubs import AttributionNull, Surrogates

TEXT = h5py.string_dtype("utf-8")
TRIALS = ("trial", "bout", "fold", "truth", "prediction", "weight")
BIG = ("values", "expected", "features")  # in float32: the models' own precision
SUMS = ("absolute", "signed", "evidence", "hub_of_bout", "evidence_of_bout")
NULL = ("replicate", "cells", "absolute", "evidence")


def write_explanation(
    explanation: Explanation,
    null: AttributionNull,
    players: pd.DataFrame,
    path: str | Path,
    **attributes: str,
) -> None:
    """Write an explanation and its null.

    Parameters
    ----------
    explanation : Explanation
    null : AttributionNull
    players : DataFrame
        See `neuro2voc.attribution_tables.describe_players`.
    path : path
    **attributes : str
        What else a reader should know, for example the feature.
    """
    with hdf5_writer(path) as file:
        file.attrs.update({name: attributes[name] for name in sorted(attributes)})
        file.attrs["units"] = "values, expected, absolute, signed, evidence: nats"
        file["values_axes"] = np.array(["trial", "column", "label"], dtype=TEXT)
        file["labels"] = np.array(explanation.labels, dtype=TEXT)
        file["column_player"] = explanation.unit
        for name in ("unit", "depth", "start", "stop"):
            column = players[name].to_numpy()
            file[f"players/{name}"] = column.astype(TEXT) if name == "unit" else column
        for name in TRIALS:
            column = explanation.trials[name].to_numpy()
            file[f"trials/{name}"] = column.astype(TEXT) if column.dtype == object else column
        for name in BIG:
            file[name] = getattr(explanation, name).astype(np.float32)
        for name in SUMS:
            file[name] = getattr(explanation, name)
        for kind in ("shifted", "independent"):
            for name in NULL:
                file[f"null/{kind}/{name}"] = getattr(getattr(null, kind), name)
        file["null"].attrs["kept"] = null.kept


def read_explanation(path: str | Path) -> tuple[Explanation, AttributionNull]:
    """Read what `write_explanation` wrote.

    Raises
    ------
    DataError
        The file is no such file.
    """
    try:
        with h5py.File(path) as file:
            return _explanation(file), _null(file["null"])
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path} is no file of SHAP values ({reason}); delete it and make it anew."
        ) from error


def _text(dataset: h5py.Dataset) -> np.ndarray:
    return dataset.asstr()[()].astype(object)


def _explanation(file: Mapping) -> Explanation:
    trials = {
        name: _text(file["trials"][name])
        if h5py.check_string_dtype(file["trials"][name].dtype)
        else file["trials"][name][()]
        for name in TRIALS
    }
    return Explanation(
        trials=pd.DataFrame(trials),
        labels=list(_text(file["labels"])),
        unit=file["column_player"][()],
        **{name: file[name][()].astype(np.float64) for name in (*BIG, *SUMS)},
    )


def _null(group: h5py.Group) -> AttributionNull:
    shifted, independent = (
        Surrogates(*(group[kind][name][()] for name in NULL)) for kind in ("shifted", "independent")
    )
    return AttributionNull(shifted, independent, float(group.attrs["kept"]))
