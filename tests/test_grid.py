"""The grid of windows: cells in bins, boxes that move, and sentences for what does not fit."""

from itertools import product

import numpy as np
import pytest
import torch

from neuro2voc.binning import Window
from neuro2voc.errors import DataError
from neuro2voc.grid import Cell, cells, in_seconds, in_words, smoothed, whole

WINDOW = Window("onset", "onset", -0.1, 0.1, 0.02)  # ten bins


def grid(before=(), after=(), smoothing=()):
    return {"before": list(before), "after": list(after), "smoothing": list(smoothing)}


def test_cells_hold_the_bins_between_before_and_after():
    """Found by the bins' own times, in ms, every combination in the order of the lists."""
    befores, afters, widths = (0.1, 0.04, 0), (0.04, 0.1), (0.02, 0.04)
    starts = range(-100, 100, 20)
    wanted = []
    for before, after, width in product(befores, afters, widths):
        held = [
            i
            for i, start in enumerate(starts)
            if start >= -1000 * before and start + 20 <= 1000 * after
        ]
        wanted.append(Cell(held[0], held[-1] + 1, round(width / 0.02)))
    assert cells(grid(befores, afters, widths), WINDOW) == wanted
    assert len(set(wanted)) == 12


def test_empty_lists_are_the_window_as_it_is():
    assert cells(grid(), WINDOW) == whole(10) == [Cell(0, 10, 1)]
    assert cells(grid(before=[0.02]), WINDOW) == [Cell(4, 10, 1)]


def test_the_window_need_not_hold_the_alignment():
    late = Window("late", "onset", 0.05, 0.15, 0.01)
    assert cells(grid(before=[-0.07], after=[0.1]), late) == [Cell(2, 5, 1)]
    assert in_seconds(Cell(2, 5, 1), late) == {"before": -0.07, "after": 0.1, "smoothing": 0.01}


def test_seconds_of_a_cell_make_the_cell_again():
    """Also of bins of 0.05 ms, of which the thesis' windows have thousands."""
    fine = Window("fine", "onset", -0.125, 0.0625, 5e-5)
    for window, made in (
        (WINDOW, [Cell(0, 10, 1), Cell(3, 4, 1), Cell(2, 9, 7)]),
        (fine, [Cell(0, 3750, 400), Cell(250, 3250, 1), Cell(2499, 3499, 30)]),
    ):
        for cell in made:
            again = {name: [value] for name, value in in_seconds(cell, window).items()}
            assert cells(again, window) == [cell]
    assert in_words(Cell(2, 10, 2), WINDOW) == "before 0.06, after 0.1, smoothing 0.04"


def test_the_thesis_grid_is_whole_bins():
    widths = [5e-5, 1e-4, 1.5e-4, 5e-4, 1e-3, 1.5e-3, 2.5e-3, 0.005, 0.0075, 0.01, 0.0125, 0.02]
    befores = [0.0125 * i for i in range(11)]
    made = cells(
        grid(befores, [0.0375, 0.05, 0.0625], widths),
        Window("fine", "onset", -0.125, 0.0625, 5e-5),
    )
    assert len(set(made)) == 11 * 3 * 12
    assert (made[0], made[-1]) == (Cell(2500, 3250, 1), Cell(0, 3750, 400))


@pytest.mark.parametrize("cell", [Cell(0, 7, 1), Cell(2, 6, 1), Cell(0, 7, 3), Cell(3, 7, 4)])
def test_smoothing_sums_every_box_that_lies_within(cell):
    x = np.random.default_rng(0).poisson(2, (4, 7, 3)).astype(np.float32)
    boxes = range(cell.first, cell.last - cell.width + 1)
    wanted = np.zeros((4, len(boxes), 3))
    for trial, (i, begin), unit in product(range(4), enumerate(boxes), range(3)):
        for j in range(begin, begin + cell.width):
            wanted[trial, i, unit] += x[trial, j, unit]
    np.testing.assert_array_equal(smoothed(torch.from_numpy(x), cell), wanted)


def test_what_was_not_observed_stays_unobserved():
    """A unit that was lost for a trial is NaN in each of its boxes and in no other's."""
    x = torch.ones(3, 6, 2)
    x[1, :, 0] = torch.nan
    found = smoothed(x, Cell(1, 6, 2))
    assert found.shape == (3, 4, 2)
    assert torch.isnan(found[1, :, 0]).all() and torch.isnan(found).sum() == 4
    assert (found[~torch.isnan(found)] == 2).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (grid(before=[0.12]), "before 0.12, after 0.1, smoothing 0.02 does not fit"),
        (grid(after=[0.12]), "before 0.1, after 0.12, smoothing 0.02 does not fit"),
        (grid(before=[0], after=[0]), "before 0, after 0, smoothing 0.02 does not fit"),
        (grid(before=[-0.06], after=[0.02]), "before -0.06, after 0.02"),
        (grid(smoothing=[0]), "smoothing 0 does not fit"),
        (grid(smoothing=[0.22]), "smoothing 0.22 does not fit"),
        (grid(before=[0], after=[0.02, 0.1], smoothing=[0.04]), "before 0, after 0.02"),
    ],
)
def test_what_does_not_fit_into_the_window_is_said(wrong, said):
    with pytest.raises(DataError, match="10 bins of 0.02 s from -0.1 s on") as error:
        cells(wrong, WINDOW)
    assert said in str(error.value) and "correct the grid or the window" in str(error.value)


@pytest.mark.parametrize("name", ["before", "after", "smoothing"])
def test_what_does_not_fall_on_edges_of_bins_is_said(name):
    with pytest.raises(DataError, match=f"`grid.{name}`: the window 'onset' has bins of 0.02 s"):
        cells(grid(**{name: [0.05]}), WINDOW)
