"""How well windows of activity come out of a few latents again, on bouts never trained on.

A reconstruction has seen the counts that it is to reproduce, their noise included; so it is also
asked for units that it was not shown, and seen beside independent Poisson units, of which all that
is reproduced is noise.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from neuro2voc.deviance import explained, explained_interval, poisson_deviance, sums_by
from neuro2voc.frame_activity import lagged
from neuro2voc.frames import Frames
from neuro2voc.networks.neural_vae import NeuralVAE
from neuro2voc.neural_vae import (
    NeuralSettings,
    decoded,
    encoded,
    unit_statistics,
)
from neuro2voc.neural_windows import Windows, make_windows, tiles, training_rows
from neuro2voc.recording import Recording
from neuro2voc.sources.expected import expected_around
from neuro2voc.sources.simulate import Truth

ACTIVE = 0.01  # nats; a latent that says less than that of an average window has collapsed
GROUPS = 5  # of units that are hidden in turn
PCA_LEAST = 0.1  # of a unit's mean rate, below which a linear reconstruction is not taken
PCA_NAME, TRUE = "pca", "true rates"


def held_out_rows(fold: np.ndarray, outer: int, frames: Frames, windows: Windows) -> np.ndarray:
    """Return the windows of a fold that adjoin."""
    rows = tiles(frames, windows)
    return rows[fold[rows] == outer]


def from_hidden(network: NeuralVAE, count: np.ndarray) -> np.ndarray:
    """Return expected counts of units in turn, each by the others alone (windows, bins, units)."""
    group = np.arange(count.shape[2]) % GROUPS
    rates = np.empty(count.shape, dtype=np.float32)
    for one in np.unique(group):
        shown = count.copy()
        shown[:, :, group == one] = np.nan
        rates[:, :, group == one] = decoded(network, encoded(network, shown)[0])[:, :, group == one]
    return rates


class WindowPCA:
    """Principal components of windows, standardised by unit; what is not observed is the mean."""

    def __init__(self, windows: Windows, rows: np.ndarray, components: int):
        self.about = unit_statistics(windows, rows)
        seen = self._standardised(windows.count[rows])
        self.pca = PCA(min(components, *seen.shape), svd_solver="full").fit(seen)

    def _standardised(self, count: np.ndarray) -> np.ndarray:
        seen = np.nan_to_num((count - self.about["mean"]) / self.about["scale"])
        return seen.reshape(len(count), -1)

    def encode(self, count: np.ndarray) -> np.ndarray:
        """Return scores (windows, components)."""
        return self.pca.transform(self._standardised(count))

    def reconstruct(self, count: np.ndarray) -> np.ndarray:
        """Return expected counts, at least a tenth of each unit's mean."""
        made = self.pca.inverse_transform(self.encode(count)).reshape(count.shape)
        rate = made * self.about["scale"] + self.about["mean"]
        return np.maximum(rate, PCA_LEAST * self.about["mean"])


def reconstructions(
    recording: Recording,
    frames: Frames,
    split: pd.DataFrame,
    models: Mapping[str, NeuralVAE],
    settings: NeuralSettings,
    truth: Truth | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """Reconstruct every held-out window that adjoins the one before.

    Returns
    -------
    dict of dict of ndarray
        rows (windows,); count, constant and, by the names of kinds and methods, rates (windows,
        bins, units): ``rates`` as shown, ``hidden`` by other units alone, ``divergence`` (latents,)
        mean over windows.
    """
    windows = make_windows(recording, frames, settings.windows)
    fold = frames.folds(split)
    found: dict[str, list] = {}

    def note(kind: str, name: str, values: np.ndarray) -> None:
        found.setdefault((kind, name), []).append(values)

    expected = None
    if truth is not None:
        about = settings.windows
        around = expected_around(truth, frames, about.before, max(about.after, frames.hop))
        expected = make_windows_of(around, frames, windows)
    for outer, (kept, _) in settings.folds(frames, split, training_rows(frames, settings.windows)):
        rows = held_out_rows(fold, outer, frames, windows)
        count = windows.count[rows]
        constant = unit_statistics(windows, kept)["mean"]
        note("data", "rows", rows)
        note("data", "count", count)
        note("data", "constant", np.broadcast_to(constant, count.shape))
        for name, network in models.items():
            kind, _, of = name.partition("/")
            if int(of) == outer:
                latents, divergences = encoded(network, count)
                note(kind, "rates", decoded(network, latents))
                note(kind, "hidden", from_hidden(network, count))
                note(kind, "divergence", np.sort(divergences.mean(0))[::-1][None])
        pca = WindowPCA(windows, kept, settings.sizes["latent"])
        note(PCA_NAME, "rates", pca.reconstruct(count))
        if expected is not None:
            note(TRUE, "rates", np.maximum(expected[rows], 1e-9))
    joined: dict[str, dict[str, np.ndarray]] = {}
    for (kind, name), parts in found.items():
        joined.setdefault(kind, {})[name] = np.concatenate(parts)
    return joined


def make_windows_of(around: Sequence[np.ndarray], frames: Frames, like: Windows) -> np.ndarray:
    """Return windows like others, of activity that was already put into hops."""
    about = like.settings
    means = lagged(around, frames, about.before, max(about.after, frames.hop), about.bin)
    return like.width * means[:, : like.count.shape[1]]


def reconstruction_table(
    made: Mapping[str, Mapping[str, np.ndarray]],
    frames: Frames,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Sum up what was reconstructed.

    Returns
    -------
    DataFrame
        A row per model: model; shares of the deviance from a constant rate that are explained, of
        windows as they are (shown, shown_low, shown_high) and of units by the others alone (hidden,
        hidden_low, hidden_high); latents, active (latents whose divergence is at least 0.01 nats),
        nats (sum of divergences), n_windows, n_bouts.
    """
    count, bout = made["data"]["count"], frames.piece[made["data"]["rows"]]
    reference = _by_bout(count, made["data"]["constant"], bout)
    rows = []
    for model, values in made.items():
        if model == "data":
            continue
        row: dict = {"model": model}
        for name, key in (("shown", "rates"), ("hidden", "hidden")):
            if key in values:
                own = _by_bout(count, values[key], bout)
                low, high = explained_interval(own, reference, resamples, seed)
                row |= {name: explained(own.sum(), reference.sum())}
                row |= {f"{name}_low": low, f"{name}_high": high}
        if "divergence" in values:
            each = values["divergence"].mean(0)
            row |= {"latents": len(each), "active": int((each >= ACTIVE).sum()), "nats": each.sum()}
        rows.append({**row, "n_windows": len(count), "n_bouts": len(reference)})
    return pd.DataFrame(rows)


def _by_bout(count: np.ndarray, rate: np.ndarray, bout: np.ndarray) -> np.ndarray:
    return sums_by(poisson_deviance(count, rate).sum(axis=(1, 2)), bout)
