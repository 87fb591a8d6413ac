"""CEBRA's networks trained here, beside the package's plain call, at two sizes.

The thesis' size is 43,000 bins of 75 units in batches of 512, the demo's 6,000 of 40. The package
is called as its manual does, without a progress bar: labels for `behaviour`; two columns, syllables
ten apart and position, with `hybrid=True, conditional="delta_normal"` for `hybrid`. One thread; the
contenders in turn, the median of several. Windows have to give the coordinates that passing over
everything gives, and nearest places have to be those that CEBRA finds by comparing with all bins;
tests compare losses and gradients with CEBRA's own solver.

The run fails where results disagree, never for being slow.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

# isort: split
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import cebra
import cebra.distributions
import cebra.models
import numpy as np
import torch

from neuro2voc.bout_bins import BoutBins
from neuro2voc.contrast import Partners
from neuro2voc.embedding import Recipe, embed, padded, train_cebra

SIZES = {"thesis": (43_000, 75, 32), "demo": (6_000, 40, 16)}
REPEATS = 3
SHORT, LONG = 2, 12  # iterations; their difference is free of what is done once
RECIPE = Recipe(10, 0.1, 32, LONG, 512, 3e-4, 1.0, True, "cpu", 1000)


def song(bins: int, units: int) -> BoutBins:
    """Return bouts of 200 bins in syllables of ten, of which nobody knows anything."""
    rng = np.random.default_rng(0)
    at = np.arange(bins)
    label = np.array(list("abcdef"))[rng.integers(6, size=bins // 10 + 1)[at // 10]]
    position = (at % 10 + rng.random(bins)) / 10
    activity = rng.poisson(0.2, (bins, units)).astype(np.float32)
    bout = at // 200
    return BoutBins(activity, 0.01 * at, label, position, bout, bout % 5, 0.01)


def package(bins: BoutBins, condition: str, field: int, recipe: Recipe) -> None:
    """Call CEBRA as its manual does."""
    code = np.unique(bins.label, return_inverse=True)[1]
    model = cebra.CEBRA(
        model_architecture=f"offset{field}-model",
        batch_size=recipe.batch,
        learning_rate=recipe.rate,
        max_iterations=recipe.iterations,
        num_hidden_units=recipe.units,
        time_offsets=recipe.apart,
        conditional="delta_normal" if condition == "hybrid" else None,
        delta=recipe.nearby,
        hybrid=condition == "hybrid",
        device="cpu",
        verbose=False,
    )
    labels = {
        "time": (),
        "behaviour": (code,),
        "hybrid": (np.c_[10.0 * code, bins.position].astype(np.float32),),
    }
    model.fit(bins.activity, *labels[condition])


def agree(bins: BoutBins, field: int) -> bool:
    """Return whether places and coordinates are those that the package finds."""
    rng = np.random.default_rng(1)
    partners = Partners(bins)
    reference = rng.integers(len(bins), size=200)
    code = partners.code[reference]
    place = bins.position[reference] + 0.1 * rng.standard_normal(200)
    mine = partners.nearest(code, place)
    index = torch.from_numpy(np.c_[10.0 * partners.code, bins.position])
    search = cebra.distributions.ContinuousIndex(index).search
    theirs = search(torch.from_numpy(np.c_[10.0 * code, place])).numpy()
    distance = [np.abs(bins.position[rows] - place) for rows in (mine, theirs)]
    same = (partners.code[mine] == partners.code[theirs]).all()
    around = padded(bins, field)
    values = torch.from_numpy(bins.activity[around.rows])
    first = torch.from_numpy(around.first)
    model = cebra.models.init(f"offset{field}-model", bins.activity.shape[1], 8, 3).eval()
    with torch.inference_mode():
        parts = [embed(model, values, rows, field) for rows in first.split(100)]
        whole = embed(model, values, first, field)
    return bool(
        same
        and np.allclose(*distance, atol=1e-6)
        and torch.allclose(torch.cat(parts), whole, atol=1e-5)
    )


def main() -> int:
    """Print iterations per second and their ratio; return 1 where results disagree."""
    torch.set_num_threads(1)
    print(
        f"{'size':8}{'condition':11}{'field':>6}{'package':>10}{'here':>8}{'ratio':>7}  per second"
    )
    right = True
    for size, (number, units, hidden) in SIZES.items():
        bins, recipe = song(number, units), replace(RECIPE, units=hidden)
        for condition in ("time", "behaviour", "hybrid"):
            for field in (1, 10, 20):
                right &= agree(bins, field)
                taken = ([], [])
                for _ in range(REPEATS):
                    for call, times in zip((package, train), taken, strict=True):
                        times.append(lasts(call, bins, condition, field, recipe))
                rates = [(LONG - SHORT) / np.median(times) for times in taken]
                print(
                    f"{size:8}{condition:11}{field:6}{rates[0]:10.1f}{rates[1]:8.1f}"
                    f"{rates[1] / rates[0]:7.1f}",
                    flush=True,
                )
    print("results agree" if right else "results DISAGREE")
    return 0 if right else 1


def lasts(call: Callable, bins: BoutBins, condition: str, field: int, recipe: Recipe) -> float:
    """Return how long (s) the iterations between SHORT and LONG take."""
    ends = []
    for iterations in (SHORT, LONG):
        start = time.perf_counter()
        call(bins, condition, field, replace(recipe, iterations=iterations))
        ends.append(time.perf_counter() - start)
    return ends[1] - ends[0]


def train(bins: BoutBins, condition: str, field: int, recipe: Recipe) -> None:
    """Train here."""
    train_cebra(bins, condition, field, recipe, 1)


if __name__ == "__main__":
    sys.exit(main())
