"""Autoencoders of song that have collapsed: read from their tables, and said in one way."""

from collections.abc import Sequence
from pathlib import Path

from neuro2voc.files import read_csv

LATENTS = {"fold": int, "spread": float}


def read_collapsed(path: str | Path) -> list[int]:
    """Return the folds whose autoencoder has collapsed.

    Parameters
    ----------
    path : path
        ``results/generated/{bird}/{split}/{vae}_latents.csv``.
    """
    from neuro2voc.vae import collapsed_folds

    return collapsed_folds(read_csv(path, LATENTS))


def say_collapsed(name: str, split: str, folds: Sequence[int]) -> list[str]:
    """Return a sentence about a network's autoencoders that have collapsed, none without any."""
    if not folds:
        return []
    *first, last = map(str, folds)
    listed = f"folds {', '.join(first)} and {last}" if first else f"fold {last}"
    return [
        f"The autoencoder of {name} has collapsed in {listed} of '{split}': there it sings the "
        "same, whatever neurons do."
    ]
