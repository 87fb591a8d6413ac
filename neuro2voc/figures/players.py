"""Players of an explanation in words: units, or in a bird of one unit its bins of time."""

import pandas as pd

from neuro2voc.figures.depth import count_of


def are_bins(table: pd.DataFrame) -> bool:
    """Say whether players are bins of time."""
    return bool(table["start"].notna().any())


def number_of(table: pd.DataFrame) -> str:
    """Return the number of players in words."""
    if not are_bins(table):
        return count_of(len(table))
    return "1 bin of time" if len(table) == 1 else f"{len(table)} bins of time"


def noun_of(table: pd.DataFrame) -> str:
    """Return what one player is called."""
    return "bin" if are_bins(table) else "unit"


def copies_of(table: pd.DataFrame) -> str:
    """Say what independent copies are, the null for pairs."""
    return (
        f"Independent copies: each {noun_of(table)}'s trials permuted within syllable, session, "
        f"fold and preceding syllable; they keep {100 * table['kept'].iat[0]:.0f} % of joint "
        f"patterns in place, which hides weak pairs; what {noun_of(table)}s share by drifting "
        "together counts as joint."
    )
