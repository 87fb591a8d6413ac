"""Tables and columns of NWB files, straight from HDF5.

Schemas of all ages, extensions that are not installed and damaged files are met here: whatever
cannot be read ends as a `DataError` that names file and place.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from neuro2voc.errors import DataError

# Bytes that a dataset may claim without having them on disk, and by how much compression may have
# shrunk the others. Spike times and intervals shrink to a third or so.
UNPROVEN, SHRUNK = 1 << 26, 50
NO_LABELS = ("DynamicTableRegion", "VectorIndex", "ElementIdentifiers")
LISTED = 12  # names in a sentence, at most


@contextmanager
def open_nwb(path: Path) -> Iterator[h5py.File]:
    """Yield an open NWB file; whatever goes wrong while it is read becomes a sentence.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        If there is no such file, it is no NWB file, or what is read of it is damaged.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; correct the path or make the file.")
    try:
        file = h5py.File(path, "r")
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as HDF5, the container of NWB ({_reason(error)}): it is "
            "another kind of file, cut short or damaged; copy or make it again."
        ) from error
    try:
        with file:
            if not ("nwb_version" in file.attrs or "nwb_version" in file):
                raise DataError(
                    f"{path} is an HDF5 file but no NWB file (it has no nwb_version); "
                    "convert it to NWB 2 first."
                )
            yield file
    except DataError as error:
        raise DataError(_line(str(error))) from error
    except Exception as error:
        # Damaged bytes can make HDF5 and h5py raise nearly anything, anywhere.
        raise DataError(
            f"{path} cannot be read further ({_reason(error)}): a part of it is missing, damaged "
            "or not as NWB asks for; see what `pynwb-validate` says of it, and mend it or make it "
            "again."
        ) from error


def _line(words: str) -> str:
    """Return words on one line, without characters that cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _reason(error: Exception) -> str:
    """Return the inner words of HDF5's or Python's complaint."""
    if isinstance(error, SystemError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # h5py's own locks hide what went wrong under them
    words = str(error) or type(error).__name__
    return _line((re.findall(r"\((.+)\)", words, re.DOTALL) or [words])[0])[:200]


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence, at most a dozen of them."""
    names = list(names)
    more = [f"and {len(names) - LISTED} more"] if len(names) > LISTED else []
    return ", ".join([*names[:LISTED], *more])


def groups_of(file: h5py.File) -> dict[str, h5py.Group]:
    """Return all groups of a file by their place, those behind links too.

    Links that lead nowhere or in circles lead to no group. Groups behind links are not searched for
    further groups.

    Parameters
    ----------
    file : h5py.File
        An open file.

    Returns
    -------
    dict of str to h5py.Group
        In the order of places; without cached specifications and unprintable names.

    Raises
    ------
    DataError
        If a link leads to something that is no file on disk, whose opening might never end.
    """
    links = []
    file.visititems_links(lambda place, link: links.append((place, link)))
    found = {}
    for place, link in sorted(links, key=lambda pair: pair[0]):
        if place.startswith("specifications") or not place.isprintable():
            continue
        if isinstance(link, h5py.ExternalLink):
            _check_target(file, place, link.filename)
        try:
            item = file[place]
        except (KeyError, OSError, RuntimeError):
            continue
        if isinstance(item, h5py.Group):
            found[place] = item
    return found


def _check_target(file: h5py.File, place: str, target: str) -> None:
    """Raise a `DataError` if an external link leads to a pipe, a device or a folder."""
    beside = os.path.join(os.path.dirname(os.path.realpath(file.filename)), target)
    for path in (target, beside):
        if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(
                f"In {file.filename} '{place}' is a link to {target}, which is no file; "
                "remove the link."
            )


def kind_of(item: h5py.Group | h5py.Dataset) -> str:
    """Return an object's neurodata_type; '' for none."""
    return text(item.attrs.get("neurodata_type", ""))


def text(value: object) -> str:
    """Return a label as text: 3.0 is '3', what is missing is ''."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return str(value)


def place_of(table: h5py.Group, name: str) -> str:
    """Return a dataset's place in its file, for sentences."""
    return f"{table.name.strip('/')}/{name}".lstrip("/")


def dataset_of(table: h5py.Group, name: str) -> h5py.Dataset:
    """Return a dataset that can be read: it is one, and lies in its file.

    Parameters
    ----------
    table : h5py.Group
        The group, mostly a table.
    name : str
        The dataset's name, mostly that of a column.

    Raises
    ------
    DataError
        If there is no such dataset, its values are elsewhere, or it claims far more values than the
        file holds.
    """
    path, place = table.file.filename, place_of(table, name)
    item = table.get(name)
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        what = "lacks" if item is None else "has a group or nothing instead of"
        raise DataError(
            f"{path} {what} the dataset {place} that NWB asks for; see what `pynwb-validate` "
            "says of the file and mend it."
        )
    if item.is_virtual or item.external:
        raise DataError(
            f"In {path} the values of {place} lie in other files; copy them into this one."
        )
    # Values of variable length take their bytes elsewhere in the file; these are their references.
    width = item.id.get_type().get_size()
    claimed = item.size * width
    chunk = int(np.prod(item.chunks, dtype=object)) * width if item.chunks else 0
    stored = min(item.id.get_storage_size(), os.path.getsize(item.file.filename))
    if max(claimed, chunk) > UNPROVEN + (SHRUNK if item.chunks else 1) * stored:
        raise DataError(
            f"In {path} the dataset {place} claims {claimed:.3g} bytes, but the file holds "
            f"{stored:.3g} of them; it is damaged or was never filled, make it again."
        )
    return item


def numbers(table: h5py.Group, name: str, ndim: int = 1) -> np.ndarray:
    """Return a dataset of numbers or truth values.

    Parameters
    ----------
    table : h5py.Group
        The group.
    name : str
        The dataset's name.
    ndim : int
        The number of its dimensions.

    Returns
    -------
    numpy.ndarray
        Of the file's type in this machine's byte order.

    Raises
    ------
    DataError
        As `dataset_of`; or if the dataset holds something else, or cannot be read.
    """
    dataset = dataset_of(table, name)
    if dataset.ndim != ndim or dataset.dtype.kind not in "biuf":
        raise DataError(
            f"In {table.file.filename} {place_of(table, name)} has values of type {dataset.dtype} "
            f"in the shape {dataset.shape}, where numbers in {ndim} dimension"
            f"{'s' * (ndim > 1)} belong; correct or remove it."
        )
    values = np.asarray(_all(dataset))
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _all(dataset: h5py.Dataset) -> np.ndarray:
    """Return all values of a dataset."""
    try:
        return dataset[()]
    except Exception as error:
        raise DataError(
            f"In {dataset.file.filename} {dataset.name.lstrip('/')} cannot be read "
            f"({_reason(error)}); the file is damaged, copy or make it again."
        ) from error


def strings(table: h5py.Group, name: str) -> list[str]:
    """Return a dataset's values as strings, categories by their names; [] where it is missing.

    Parameters
    ----------
    table : h5py.Group
        The group.
    name : str
        The dataset's name.

    Raises
    ------
    DataError
        As `dataset_of`; or if the dataset cannot be read or has a category without a name.
    """
    if name not in table:
        return []
    dataset = dataset_of(table, name)
    values = np.atleast_1d(_all(dataset)).ravel()
    names = _category_names(dataset)
    if names is None:
        return [text(v) for v in values]
    unknown = [v for v in values if int(v) not in names]
    if unknown:
        raise DataError(
            f"In {table.file.filename} {place_of(table, name)} has the category {unknown[0]}, "
            "which has no name; correct the column."
        )
    return [names[int(v)] for v in values]


def _category_names(dataset: h5py.Dataset) -> dict[int, str] | None:
    """Return the names of an enumeration, HDF5's or that of hdmf's EnumData; None for neither."""
    if dataset.dtype.kind == "b":
        return None
    if (members := h5py.check_enum_dtype(dataset.dtype)) is not None:
        return {int(value): text(name) for name, value in members.items()}
    elements = dataset.attrs.get("elements")
    if not isinstance(elements, h5py.Reference) or dataset.dtype.kind not in "iu":
        return None
    target = dataset.file[elements]
    return dict(enumerate(strings(target.parent, target.name.split("/")[-1])))


def column_names(table: h5py.Group) -> list[str]:
    """Return the names of a table's columns that hold one value per row, in the file's order."""
    order = [text(n) for n in np.atleast_1d(table.attrs.get("colnames", []))]
    return [n for n in dict.fromkeys([*order, *table]) if _is_column(table, n)]


def _is_column(table: h5py.Group, name: str) -> bool:
    """Tell whether a column holds one number, truth value, category or string per row."""
    column = table.get(name) if name.isprintable() and name else None
    if not isinstance(column, h5py.Dataset) or column.ndim != 1 or f"{name}_index" in table:
        return False
    if name.endswith("_index") and name.removesuffix("_index") in table:
        return False
    is_value = column.dtype.kind in "biuf" or h5py.check_string_dtype(column.dtype) is not None
    return is_value and kind_of(column) not in NO_LABELS


def column(table: h5py.Group, name: str, rows: int) -> np.ndarray | list[str]:
    """Return a column with one value per row: numbers as they are, anything else as strings.

    Parameters
    ----------
    table : h5py.Group
        The table.
    name : str
        The column's name.
    rows : int
        How many rows the table has.

    Raises
    ------
    DataError
        If the column is longer or shorter than the table, or cannot be read.
    """
    dataset = dataset_of(table, name)
    check_length(table, name, len(dataset), rows)
    plain = dataset.dtype.kind in "biuf" and _category_names(dataset) is None
    return numbers(table, name) if plain else strings(table, name)


def check_length(table: h5py.Group, name: str, length: int, rows: int) -> None:
    """Raise a `DataError` unless a column is as long as its table."""
    if length != rows:
        raise DataError(
            f"In {table.file.filename} the column {place_of(table, name)} has {length} values for "
            f"{rows} rows; correct it so that each row has one."
        )


def stops_of(table: h5py.Group, name: str, length: int) -> np.ndarray:
    """Return where each row of a ragged column ends among its values.

    Parameters
    ----------
    table : h5py.Group
        The table.
    name : str
        The column's name; ``{name}_index`` is its index, of any width, and may have one itself.
    length : int
        How many values the column has.

    Returns
    -------
    numpy.ndarray
        int64 (rows,), not decreasing.

    Raises
    ------
    DataError
        If the index does not fit the values.
    """
    stops = np.zeros(0, dtype=np.int64)
    for index in (f"{name}_index", f"{name}_index_index"):
        if index in table:
            level = numbers(table, index)
            # Widths from uint8 on occur; what is too large for int64 turns negative and is found.
            ends = level.astype(np.int64)
            bad = level.dtype.kind not in "iu" or np.any(np.diff(ends, prepend=0) < 0)
            if bad or (ends[-1] if len(ends) else 0) != length:
                raise DataError(
                    f"In {table.file.filename} the index of {place_of(table, name)} does not fit "
                    f"its {length} values; the file is damaged, make it again."
                )
            stops, length = np.append(0, stops)[ends] if len(stops) else ends, len(ends)
    return stops
