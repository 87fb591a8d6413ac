"""How surrogates are decoded by networks: each trained anew, as on the bird itself."""

from collections.abc import Callable, Mapping

from neuro2voc.configuration import SEQUENCES
from neuro2voc.features import features_maker
from neuro2voc.network_fit import network_fits
from neuro2voc.network_training import network_settings
from neuro2voc.sequence_fit import (
    corpora_maker,
    reading_settings,
    sequence_fits,
    sequence_settings,
)


def network_null(
    kind: str, split: str, job: object, metrics: Mapping
) -> tuple[dict[tuple[str, str], Callable], Callable]:
    """Return the fits and the features that `neuro2voc.comparison.null_band` wants.

    Parameters
    ----------
    kind : str
        Of the network.
    split : str
    job : object
        See `neuro2voc.network_training.network_settings`; with windows, tokens and reading.
    metrics : mapping
        Contents of the network's metrics.json, which says what it saw and chose.
    """
    names = list(metrics["features"])
    if kind in SEQUENCES:
        fits = sequence_fits(
            sequence_settings(kind, split, job), reading_settings(job.reading), names
        )
        return fits, corpora_maker(names, job.tokens, job.windows)
    fits = network_fits(network_settings(kind, split, job), names, job.windows, metrics)
    return fits, features_maker(names, job.windows)
