"""Embeddings in files, and what the configuration says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from neuro2voc.embedding import make_recipe
from neuro2voc.embedding_scores import Cell, Embedded, Plan
from neuro2voc.errors import DataError
from neuro2voc.files import hdf5_writer

SETS = ("points", "again", "shifted", "shifted_again")
SCORES = {"method": str, "field": int, "decoder": str, "balanced_accuracy": float, "leak": float}
CURVES = {"bird": str, "method": str, "field": int, "fold": int, "iteration": int, "loss": float}


@dataclass(frozen=True, eq=False)
class Points:
    """Where the bins of a bird's bouts lie.

    Attributes
    ----------
    label, bout, fold, time, position
        As those of `neuro2voc.bout_bins.BoutBins`.
    width, lead : float
        Of the bins, and by which activity leads the song; s.
    sets : dict of dict of ndarray (bins, dimensions)
        'points', 'again', 'shifted' and 'shifted_again' of `Embedded`, each by cell.
    """

    label: np.ndarray
    bout: np.ndarray
    fold: np.ndarray
    time: np.ndarray
    position: np.ndarray
    width: float
    lead: float
    sets: dict[str, dict[Cell, np.ndarray]]


def make_plan(
    settings: Mapping, device: str, null_seeds: Sequence[int], resamples: int, seed: int
) -> Plan:
    """Return what `embedding` in the configuration plans.

    Raises
    ------
    DataError
        It names no space, or see `neuro2voc.embedding.make_recipe`.
    """
    if not any(settings["spaces"].values()):
        raise DataError(
            "`embedding: spaces` names no receptive field of any space; name one, for example "
            "{behaviour: [10], lda: [10]}."
        )
    names = ("lead", "spaces", "decoders", "folds", "null_folds")
    return Plan(
        width=settings["bin"],
        recipe=make_recipe(settings, device),
        null_seeds=tuple(null_seeds),
        resamples=resamples,
        seed=seed,
        **{name: settings[name] for name in names},
    )


def write_embedded(embedded: Embedded, lead: float, path: str) -> None:
    """Write where bins lie to HDF5; what was not held out is NaN.

    Parameters
    ----------
    embedded : Embedded
    lead : float
        s; see `neuro2voc.bout_bins.bout_bins`.
    path : path
    """
    bins = embedded.bins
    with hdf5_writer(path) as file:
        file.attrs["width"], file.attrs["lead"] = bins.width, lead
        file["label"] = np.char.encode(bins.label.astype(str), "utf-8")
        for name in ("bout", "fold", "time", "position"):
            file[name] = getattr(bins, name)
        for name in SETS:
            for (method, field), points in getattr(embedded, name).items():
                file[f"{name}/{method}/{field}"] = points


def read_embedded(path: str) -> Points:
    """Read what `write_embedded` wrote."""
    with h5py.File(path) as file:
        sets = {
            name: {
                (method, int(field)): values[()]
                for method, fields in file.get(name, {}).items()
                for field, values in fields.items()
            }
            for name in SETS
        }
        return Points(
            label=np.char.decode(file["label"][()], "utf-8"),
            **{name: file[name][()] for name in ("bout", "fold", "time", "position")},
            width=float(file.attrs["width"]),
            lead=float(file.attrs["lead"]),
            sets=sets,
        )
