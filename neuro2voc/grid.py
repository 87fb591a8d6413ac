"""Which part of a window a network sees, and how smooth: a grid, chosen from in nested folds."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from neuro2voc.binning import Window, nanoseconds
from neuro2voc.errors import DataError


class Cell(NamedTuple):
    """One choice, in bins of the window.

    Attributes
    ----------
    first, last : int
        The bins from `first` up to, without, `last`.
    width : int
        So many neighbours are summed, as far as they lie within: a box that moves bin by bin.
    """

    first: int
    last: int
    width: int


def whole(bins: int) -> list[Cell]:
    """Return the grid of one cell: all bins as they are."""
    return [Cell(0, bins, 1)]


def cells(grid: Mapping[str, Sequence[float]], window: Window) -> list[Cell]:
    """Return the grid's cells in the bins of a window.

    Parameters
    ----------
    grid : mapping
        before, after: lists of s from the alignment, where to begin and to end; smoothing: lists
        of s. All of them in whole bins. An empty list is the window's own.
    window : Window

    Raises
    ------
    DataError
        A value is no whole number of bins, reaches out of the window, or smoothing is longer than
        what is left.
    """
    bins = len(window.edges) - 1
    befores = [_bins(-t - window.start, window, "before") for t in grid["before"]] or [0]
    afters = [_bins(t - window.start, window, "after") for t in grid["after"]] or [bins]
    widths = [_bins(t, window, "smoothing") for t in grid["smoothing"]] or [1]
    made = [Cell(*cell) for cell in product(befores, afters, widths)]
    for cell in made:
        if not (0 <= cell.first < cell.last <= bins and 1 <= cell.width <= cell.last - cell.first):
            raise DataError(
                f"config.yaml, `grid`: {in_words(cell, window)} does not fit into the window "
                f"'{window.name}', which has {bins} bins of {window.bin:g} s from {window.start:g} "
                "s on; correct the grid or the window."
            )
    return made


def smoothed(x: torch.Tensor, cell: Cell) -> torch.Tensor:
    """Return the part of activity (trials, bins, units) that a cell shows, NaN where unobserved."""
    part = x[:, cell.first : cell.last]
    return part if cell.width == 1 else part.unfold(1, cell.width, 1).sum(dim=-1)


def in_seconds(cell: Cell, window: Window) -> dict[str, float]:
    """Return before, after and smoothing of a cell in s."""
    return {
        "before": round(-window.start - cell.first * window.bin, 9),
        "after": round(window.start + cell.last * window.bin, 9),
        "smoothing": round(cell.width * window.bin, 9),
    }


def in_words(cell: Cell, window: Window) -> str:
    """Return a cell as words."""
    return ", ".join(f"{name} {value:g}" for name, value in in_seconds(cell, window).items())


def _bins(seconds: float, window: Window, name: str) -> int:
    number, rest = np.divmod(nanoseconds(seconds), nanoseconds(window.bin))
    if rest:
        raise DataError(
            f"config.yaml, `grid.{name}`: the window '{window.name}' has bins of {window.bin:g} s, "
            "and the value must fall on their edges; correct one of the two."
        )
    return int(number)
