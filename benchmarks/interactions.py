"""Exact SHAP interactions of boosted trees in closed form, beside XGBoost and the shap package.

Ours are the summaries that figures are made of: each pair's mean |interaction| and mean interaction
in each class's margin. XGBoost and the shap package give arrays (trials, classes, units, units) and
nothing less; they get blocks of trials, whose arrays fit into memory, and only their own calls are
timed. The shap package hands models of XGBoost to XGBoost, so it is made to use its own C code.

Times are of the processor. XGBoost gets two threads, and half of their time is taken for what it
needs on two free cores; ours and the shap package have one thread.

The run fails where any interaction of any trial and class disagrees, or where summaries take too
much memory, never for being slow.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks import scale  # sets the number of threads, so it comes first

# isort: split
import numpy as np
import shap
import xgboost

from neuro2voc.decoders import Boosted
from neuro2voc.sources import thesis
from neuro2voc.tree_interactions import pair_interactions, pair_of_number, read_trees

ROUNDS, DEPTH = 200, 3
CLASSES = len(thesis.LABELS)
TRIALS = sum(thesis.TRIALS_PER_LABEL)
LARGE = (5_000, 300)  # trials, units
WINDOW = 0.1  # s
TUNING = 0.15  # standard deviation of the logarithm of a unit's rate over syllables
REPEATS = 5
BLOCK = 256  # trials
BAR = 100  # times as fast as XGBoost
TOLERANCE = 1e-5
MEMORY = 150  # MB


def counts(trials: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Poisson counts (trials, units) of tuned units and equally common syllables."""
    rng = np.random.default_rng(1)
    label = np.arange(trials) % CLASSES
    gain = np.exp(TUNING * rng.normal(size=(CLASSES, units)))
    rate = np.resize(thesis.RATES_IN_SONG, units) * gain[label]
    return rng.poisson(rate * WINDOW).astype(np.float32), label


def summaries(booster: xgboost.Booster, X: np.ndarray) -> np.ndarray:
    """Return mean |interaction| and mean interaction (2, classes, pairs)."""
    units = X.shape[1]
    sums = np.zeros((2, CLASSES, units * (units + 1) // 2))
    for margin, _, pair, values in pair_interactions(booster, X, np.arange(units)):
        sums[0, margin, pair] += np.abs(values).sum(axis=1)
        sums[1, margin, pair] += values.sum(axis=1)
    return sums / len(X)


def every_value(booster: xgboost.Booster, X: np.ndarray) -> np.ndarray:
    """Return our interactions (trials, classes, units, units), 0 on the diagonal."""
    units = X.shape[1]
    values = np.zeros((len(X), CLASSES, units, units))
    for margin, rows, pair, found in pair_interactions(booster, X, np.arange(units)):
        first, second = pair_of_number(pair)
        values[rows, margin, first, second] = found.T
        values[rows, margin, second, first] = found.T
    return values


def by_xgboost(booster: xgboost.Booster, X: np.ndarray) -> np.ndarray:
    """Return XGBoost's interactions (trials, classes, units, units)."""
    return booster.predict(xgboost.DMatrix(X), pred_interactions=True)[..., :-1, :-1]


def by_shap(explainer: shap.TreeExplainer, X: np.ndarray) -> np.ndarray:
    """Return the shap package's interactions (trials, classes, units, units)."""
    return explainer.shap_interaction_values(X).transpose(0, 3, 1, 2)


def beside(name: str, theirs, booster: xgboost.Booster, X: np.ndarray) -> tuple[float, float]:
    """Return a peer's time (s) for all trials, and its largest difference from our values.

    The means over trials are compared as well.
    """
    took, worst = 0.0, 0.0
    wall = time.perf_counter()
    sums = np.zeros((2, CLASSES, X.shape[1], X.shape[1]))
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        begin = time.process_time()
        found = theirs(block)
        took += time.process_time() - begin
        found = found * (1 - np.eye(X.shape[1]))
        worst = max(worst, np.abs(found - every_value(booster, block)).max())
        sums += np.abs(found).sum(axis=0), found.sum(axis=0)
        print(f"{name}: {start + len(block):,} of {len(X):,} trials", file=sys.stderr)
    print(f"{name}: {time.perf_counter() - wall:.0f} s on the wall, with the comparison")
    first, second = np.tril_indices(X.shape[1])
    means = sums[:, :, first, second] / len(X)
    return took, max(worst, np.abs(means - summaries(booster, X)).max())


def resident(name: str) -> float:
    """Return this process' resident memory now (VmRSS) or at most (VmHWM), in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1e3
    raise ValueError(name)


def memory(model: Path, data: Path) -> float:
    """Return what summaries take above the model, the data and the libraries, in MB."""
    booster, X = xgboost.Booster(model_file=model), np.load(data)
    base = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets how much it was at most
    summaries(booster, X)
    return resident("VmHWM") - base


def ours(booster: xgboost.Booster, X: np.ndarray) -> tuple[float, float]:
    """Return seconds, and MB in a process of its own."""
    took = scale.seconds({"ours": lambda: summaries(booster, X)}, REPEATS)["ours"]
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder) / "model.ubj", Path(folder) / "X.npy"
        booster.save_model(model)
        np.save(data, X)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return took, pool.submit(memory, model, data).result()


def fitted(trials: int, units: int) -> tuple[xgboost.Booster, np.ndarray]:
    """Return a model and what it was fitted to."""
    X, label = counts(trials, units)
    model = Boosted(max_depth=DEPTH, rounds=ROUNDS).fit(X, label)
    booster = model.booster_.get_booster()
    splits = np.concatenate([(tree.feature >= 0).sum(axis=1) for tree in read_trees(booster)])
    print(
        f"{trials:,} trials, {units} units, {CLASSES} classes, {len(splits):,} trees with "
        f"{splits.mean():.1f} splits"
    )
    return booster, X


def main() -> int:
    """Print the table; return 1 where values disagree or memory is too much."""
    booster, X = fitted(TRIALS, thesis.UNITS)
    large = ours(*fitted(*LARGE))
    took, size = ours(booster, X)
    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    explainer.model.model_type = "other"
    peers = {"shap": beside("shap", lambda X: by_shap(explainer, X), booster, X)}
    few = X[:BLOCK]
    one = scale.seconds({"": lambda: by_xgboost(booster, few)}, 1, warm_up=False)[""]
    booster.set_param({"nthread": 2})
    both, worst = beside("XGBoost", lambda X: by_xgboost(booster, X), booster, X)
    peers["XGBoost, two threads"] = both / 2, worst
    failed = max(size, large[1]) > MEMORY or any(
        not worst <= TOLERANCE for _, worst in peers.values()
    )
    rows = [
        (
            f"interactions (trials, units: {X.shape})",
            f"{took:.2f}",
            f"{name} {seconds:.1f}",
            f"{seconds / took:.0f}",
            BAR if "two threads" in name else "",
            f"{worst:.1e}",
        )
        for name, (seconds, worst) in peers.items()
    ]
    one *= len(X) / BLOCK
    name = f"XGBoost, one thread, from {BLOCK} trials {one:.1f}"
    rows.append((*rows[0][:2], name, f"{one / took:.0f}", "", ""))
    rows.append((f"interactions {LARGE}", f"{large[0]:.2f}", "", "", "", ""))
    scale.print_table(rows, ("what", "ours (s)", "peer (s)", "ratio", "bar", "agreement"))
    print(f"\nMemory of summaries: {size:.0f} MB; {large[1]:.0f} MB for {LARGE} (bar {MEMORY} MB).")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
