"""Whether two runs made the same: every file of their results, byte by byte.

Outside the promise are how long jobs took (``benchmarks/``), what a report or an answer about a
picture says of the day, and in records the machine that a job ran on.
"""

import argparse
import csv
import filecmp
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import h5py
import numpy as np

from neuro2voc.errors import DataError
from neuro2voc.origin import ENDING, RESULTS

OUTSIDE = frozenset({"benchmarks", "report.html", "whence.txt", f"whence{ENDING}"})
HISTORY = "provenance.json"
BLOCK = 2**20  # bytes


@dataclass(frozen=True)
class Difference:
    """A file that is not the same.

    Attributes
    ----------
    file : str
        Its path in the results.
    words : str
        What differs first.
    """

    file: str
    words: str


def differences(first: str | Path, second: str | Path) -> tuple[int, list[Difference]]:
    """Compare the results of two runs.

    Parameters
    ----------
    first, second : path
        Folders of results, or the working directories that hold them as ``results``.

    Returns
    -------
    tuple of int and list of Difference
        The number of files that lie in either, and those that are not the same, by name.

    Raises
    ------
    DataError
        If one of the folders does not exist or holds nothing.
    """
    first, second = _results(first), _results(second)
    files = [_files(folder) for folder in (first, second)]
    found = []
    for name in sorted(files[0] | files[1]):
        if name not in files[1]:
            found.append(Difference(name, f"only in {first}"))
        elif name not in files[0]:
            found.append(Difference(name, f"only in {second}"))
        elif words := _difference(first / name, second / name):
            found.append(Difference(name, words))
    return len(files[0] | files[1]), found


def _results(folder: str | Path) -> Path:
    folder, inner = Path(folder), Path(folder) / RESULTS
    return inner if inner.is_dir() or (folder / ".snakemake").is_dir() else folder


def _files(folder: Path) -> set[str]:
    names = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    inside = {name.as_posix() for name in names if name.parts[0] not in OUTSIDE}
    if not inside:
        raise DataError(f"{folder} holds no results; name the folders of two runs.")
    return inside


def _difference(first: Path, second: Path) -> str:
    """Return what differs first between two files; '' if nothing that is promised does."""
    if filecmp.cmp(first, second, shallow=False):
        return ""
    if first.name == HISTORY or first.name.endswith(ENDING):
        return _first_difference(_json, first, second)
    kinds = {".json": _json, ".csv": _csv, ".h5": _hdf5, ".nwb": _hdf5, ".npz": _npz}
    words = _first_difference(kinds.get(first.suffix), first, second)
    return words or _bytes(first, second)


def _first_difference(compare: Callable | None, first: Path, second: Path) -> str:
    """Return what a look into files of one kind finds; '' if they cannot be read as that kind."""
    try:
        return compare(first, second) if compare else ""
    except (OSError, ValueError, csv.Error) as error:
        return f"cannot be read ({error})"


def _bytes(first: Path, second: Path) -> str:
    sizes = [path.stat().st_size for path in (first, second)]
    size = f"{sizes[0]} and {sizes[1]} bytes long, " if sizes[0] != sizes[1] else ""
    with first.open("rb") as one, second.open("rb") as other:
        for block in range(0, max(sizes), BLOCK):
            pair = [np.frombuffer(file.read(BLOCK), dtype=np.uint8) for file in (one, other)]
            shared = min(map(len, pair))
            apart = np.flatnonzero(pair[0][:shared] != pair[1][:shared])
            if len(apart) or len(pair[0]) != len(pair[1]):
                return f"{size}from byte {block + (apart[0] if len(apart) else shared)} on"
    return size


def _json(first: Path, second: Path) -> str:
    return _key(_record(first), _record(second))


def _record(path: Path) -> object:
    """Return what a JSON file says, without what a record says of the machine."""
    content = json.loads(path.read_bytes())
    if path.name == HISTORY or path.name.endswith(ENDING):
        if not isinstance(content, dict):
            raise ValueError("it is no record")
        content.pop("machine", None)
        # The history holds that part, and so does its digest.
        content.get("outputs", {}).pop(f"{RESULTS}/{HISTORY}", None)
    return content


def _key(first: object, second: object, path: str = "") -> str:
    """Return the first place at which two values of JSON differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = [*first, *(key for key in second if key not in first)]
        pairs = {key: (first.get(key, ...), second.get(key, ...)) for key in keys}
    elif isinstance(first, list) and isinstance(second, list):
        pairs = dict(enumerate(zip_longest(first, second, fillvalue=...)))
    else:
        # 1 and true are equal to Python.
        same = first == second and type(first) is type(second)
        return "" if same else f"{path or 'all'}: {_short(first)} and {_short(second)}"
    below = (_key(*pair, f"{path}/{key}" if path else str(key)) for key, pair in pairs.items())
    return next(filter(None, below), "")


def _short(value: object) -> str:
    text = "nothing" if value is ... else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _csv(first: Path, second: Path) -> str:
    with first.open(newline="") as one, second.open(newline="") as other:
        header = None
        rows = zip_longest(csv.reader(one), csv.reader(other), fillvalue=())
        for line, (row, beside) in enumerate(rows, start=1):
            header = header or row
            if row == beside:
                continue
            if not row or not beside:
                return f"line {line}: only in one of them"
            for number, (cell, other_cell) in enumerate(zip_longest(row, beside)):
                if cell != other_cell:
                    name = header[number] if number < len(header) else f"column {number + 1}"
                    return f"line {line}, {name}: {_short(cell)} and {_short(other_cell)}"
    return ""


def _npz(first: Path, second: Path) -> str:
    with np.load(first, allow_pickle=False) as one, np.load(second, allow_pickle=False) as other:
        return _named(dict(one), dict(other))


def _hdf5(first: Path, second: Path) -> str:
    with h5py.File(first) as one, h5py.File(second) as other:
        return _named(_hdf5_content(one), _hdf5_content(other))


def _hdf5_content(file: h5py.File) -> dict[str, np.ndarray]:
    """Return what lies in a file by name, attributes behind an @; references are left out."""
    content = {}

    def add(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset) and _is_plain(node.dtype):
            content[name] = node[()]
        else:
            content[name] = None
        for key in node.attrs:
            if _is_plain(node.attrs.get_id(key).dtype):
                content[f"{name}@{key}"] = node.attrs[key]

    add("", file)
    file.visititems(add)
    return content


def _is_plain(dtype: np.dtype) -> bool:
    return dtype.kind != "O" or h5py.check_string_dtype(dtype) is not None


def _named(first: dict, second: dict) -> str:
    for name in [*first, *(name for name in second if name not in first)]:
        if name not in first or name not in second:
            return f"{name}: only in one of them"
        one, other = np.asarray(first[name]), np.asarray(second[name])
        texts = one.dtype.kind == other.dtype.kind == "U"
        if one.shape != other.shape or (one.dtype != other.dtype and not texts):
            return f"{name}: {one.dtype} {one.shape} and {other.dtype} {other.shape}"
        # What is not a number is unlike itself.
        apart = (one != other) & ((one == one) | (other == other))
        if np.any(apart):
            return f"{name}: {np.count_nonzero(apart)} of {one.size} values"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Say whether two runs made the same; return 1 where they did not."""
    parser = argparse.ArgumentParser(
        prog="python -m neuro2voc.identity", description="Compare the results of two runs."
    )
    parser.add_argument("first", help="working directory of a run, or its results")
    parser.add_argument("second", help="the same of another run")
    given = parser.parse_args(arguments)
    try:
        files, found = differences(given.first, given.second)
    except DataError as error:
        print(f"neuro2voc: {error}", file=sys.stderr)
        return 1
    for difference in found:
        print(f"{difference.file}: {difference.words}")
    print(f"different: {len(found)} of {files} files" if found else f"identical: {files} files")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
