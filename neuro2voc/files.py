"""Files that come out byte for byte the same whenever the same things are written."""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from neuro2voc.errors import DataError, nearest

TABLE_FLOAT = "%.12g"  # a nanosecond within a quarter of an hour, a microsecond within days
JSON_FLOAT = "%.9g"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path` that takes its place when the block ends well.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made if needed.

    Yields
    ------
    Path
        A name in the same folder with the same suffix. It is removed when the block raises, and
        whatever was at `path` before stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name: what a killed job left behind is overwritten by the next one.
    temporary = path.with_name(f".partial-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    r"""Write a table as CSV: no index, twelve significant digits, ``\n`` line ends, UTF-8."""
    with replacing(path) as temporary:
        frame.to_csv(
            temporary,
            index=False,
            float_format=TABLE_FLOAT,
            lineterminator="\n",
            encoding="utf-8",
            compression=None,
        )


def write_json(obj: object, path: str | Path) -> None:
    """Write JSON with sorted keys, floats of nine significant digits and null for NaN or infinity.

    Parameters
    ----------
    obj : object
        Mappings, sequences, strings, numbers; numpy scalars and arrays are welcome.
    path : str or Path
        The file to write.
    """
    text = json.dumps(plain(obj), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def plain(obj: object) -> object:
    """Return `obj` as `write_json` writes it: dict, list, str, int, float, bool, None."""
    if isinstance(obj, Mapping):
        return {str(key): plain(value) for key, value in obj.items()}
    if isinstance(obj, np.ndarray | np.generic):
        return plain(obj.tolist())
    if isinstance(obj, list | tuple):
        return [plain(value) for value in obj]
    if isinstance(obj, float):
        return float(JSON_FLOAT % obj) if math.isfinite(obj) else None
    return obj


def write_text(text: str, path: str | Path) -> None:
    r"""Write text as UTF-8 with ``\n`` line ends."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def hdf5_writer(path: str | Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file open for writing that appears at `path` when the block ends well.

    HDF5 stores no times for groups, and h5py none for datasets unless asked
    (``track_times=False`` is its default), so the same calls write the same bytes.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        yield file


def save_figure(figure: object, path: str | Path) -> None:
    """Save a matplotlib figure as PNG (200 dpi) and as PDF beside it, without dates; close it.

    Within a job both say what made them (`neuro2voc.origin`).

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : str or Path
        The PNG's path; the PDF has the same name with ``.pdf``.
    """
    import matplotlib.pyplot as plt

    from neuro2voc.origin import text_for_pdf, text_for_png

    path = Path(path)
    for_png = {"Software": None, **text_for_png(path)}
    undated = {"Creator": None, "Producer": None, "CreationDate": None}
    for_pdf = {**undated, **text_for_pdf(path.with_suffix(".pdf"))}
    _settle(figure)
    with replacing(path) as png, replacing(path.with_suffix(".pdf")) as pdf:
        figure.savefig(png, format="png", dpi=200, metadata=for_png)
        figure.savefig(pdf, format="pdf", metadata=for_pdf)
    plt.close(figure)


def _settle(figure: object) -> None:
    """Lay a figure out once and round the places of its axes.

    The solver of matplotlib's constrained layout differs in the last of sixteen digits from process
    to process, and now and then PDF, which writes ten, shows it.
    """
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        place = [round(side, 6) for side in ax.get_position(original=True).bounds]
        ax.set_position(place)


def read_csv(path: str | Path, columns: Iterable[str] | Mapping[str, type]) -> pd.DataFrame:
    """Read a CSV file that must have certain columns.

    Parameters
    ----------
    path : str or Path
        The file.
    columns : iterable of str, or mapping from str to type
        Columns that must be there; a mapping also says their types. Only an empty cell is a missing
        number; in a column of type ``str`` it is the empty string, so that a syllable may be
        called ``NA``.

    Returns
    -------
    pandas.DataFrame
        All columns of the file, in the file's order.

    Raises
    ------
    DataError
        If the file is missing, is no readable CSV, or lacks a column.
    """
    types = dict(columns) if isinstance(columns, Mapping) else {}
    columns = list(columns)
    try:
        frame = pd.read_csv(
            path,
            dtype=types,
            keep_default_na=False,
            na_values=[""],
            encoding="utf-8",
        )
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; make it, or correct the path.") from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(
            f"{path} cannot be read as a CSV table ({reason}); correct it or make it again."
        ) from error
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"{path} has no column '{column}'{nearest(column, frame.columns)} "
                f"(its columns: {', '.join(map(str, frame.columns))}); add it or make it again."
            )
    for column, kind in types.items():
        if kind is str:
            frame[column] = frame[column].fillna("")
    return frame


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 digest of a file's bytes as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
