"""Autoencoders of song that have collapsed: which, and what is said of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from neuro2voc.files import read_csv

# Variance of a latent's mean over held-out sound, below which it says nothing of it (Burda et al.
# 2016, arXiv:1509.00519). Its divergence would not do: it may lie apart from the prior, and still.
ACTIVE = 0.01
LATENTS = {"fold": int, "spread": float}


def collapsed_folds(latents: pd.DataFrame) -> list[int]:
    """Return the folds whose autoencoder tells nothing of sound that was held out.

    Parameters
    ----------
    latents : DataFrame
        fold, spread; as `neuro2voc.vae_song.generate_by_vae` returns them.
    """
    most = latents.groupby("fold")["spread"].max()
    return [int(fold) for fold in most.index[most <= ACTIVE]]


def collapses(paths: Iterable[str | Path]) -> list[str]:
    """Return a sentence about each table of latents in which an autoencoder has collapsed.

    Parameters
    ----------
    paths : iterable of path
        ``results/generated/{bird}/{split}/{vae}_latents.csv``.
    """
    found = []
    for path in map(Path, paths):
        folds = collapsed_folds(read_csv(path, LATENTS))
        if folds:
            found.append(say_collapsed(path.stem.removesuffix("_latents"), path.parent.name, folds))
    return found


def say_collapsed(name: str, split: str, folds: Sequence[int]) -> str:
    """Return a sentence about a network whose autoencoders have collapsed in these folds."""
    *first, last = map(str, folds)
    listed = f"folds {', '.join(first)} and {last}" if first else f"fold {last}"
    return (
        f"The autoencoder of {name} has collapsed in {listed} of '{split}': there it sings the "
        "same, whatever neurons do."
    )
