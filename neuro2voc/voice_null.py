"""Song generated from surrogates: what is left of every measure when neurons know nothing of it."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.frames import Frames
from neuro2voc.generated import reach, song_activity
from neuro2voc.generators import generate
from neuro2voc.inclusion import with_included
from neuro2voc.recording import Recording
from neuro2voc.sound_decoder import SoundDecoder, read_sound_decoders
from neuro2voc.sound_identity import heard_identities, listeners
from neuro2voc.sound_summary import IDENTITY, mean_over_bouts
from neuro2voc.sound_tables import MEASURES, measure_table
from neuro2voc.surrogates import surrogate
from neuro2voc.vae import VaeSettings, vae_settings
from neuro2voc.vae_song import generate_surrogate

log = logging.getLogger(__name__)

# makes song of activity by one method, for the surrogate of this number
Make = Callable[[np.ndarray, int], np.ndarray]


def makers(
    frames: Frames,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    around: Mapping[str, float],
    chosen: Mapping[str, Mapping[int, float]],
    vaes: Mapping[str, tuple[list[SoundDecoder], VaeSettings, Mapping[str, float]]],
    seed: int,
) -> dict[str, tuple[Mapping[str, float], Make]]:
    """Return how each method makes song of a surrogate: what it sees, and a function.

    Parameters
    ----------
    frames, trials, split
        The bird's own.
    around : mapping
        before, after, bin in s, of what needs no network.
    chosen : mapping of mapping
        By generator and fold, the penalty chosen for the bird itself.
    vaes : mapping of (list of SoundDecoder, VaeSettings, mapping)
        By name, what the bird's folds learnt, settings, and what it sees.
    seed : int
    """

    def plain(name: str) -> Make:
        def make(activity: np.ndarray, replicate: int) -> np.ndarray:
            about = (frames, activity, trials, split, seed, reach(around))
            return generate(name, *about, chosen[name])[0]

        return make

    def network(decoders: list[SoundDecoder], settings: VaeSettings) -> Make:
        def make(activity: np.ndarray, replicate: int) -> np.ndarray:
            return generate_surrogate(frames, activity, split, decoders, settings, replicate)

        return make

    found = {name: (around, plain(name)) for name in chosen}
    for name, (decoders, settings, own) in vaes.items():
        found[name] = (own, network(decoders, settings))
    return found


def voice_null(
    recording: Recording,
    inclusion: pd.DataFrame,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    frames: Frames,
    kept: pd.DataFrame | None,
    kind: str,
    seeds: Sequence[int],
    replicates: Mapping[str, int],
    making: Mapping[str, tuple[Mapping[str, float], Make]],
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Measure what every method makes of surrogates.

    Parameters
    ----------
    recording, inclusion, trials
        Of the bird, with all its units; which of them count.
    split : DataFrame
    frames : Frames
    kept : DataFrame, optional
        The folds that 'independent' keeps trials within.
    kind : str
        Of the surrogates.
    seeds : sequence of int
        One surrogate each.
    replicates : mapping
        By method, how many of them.
    making : mapping
        See `makers`.

    Returns
    -------
    null : DataFrame
        method, replicate (from 1), measures as `mean_over_bouts` has them, and `identity` where
        there are labels.
    first : dict of ndarray
        By method, the song made of the first surrogate.
    """
    if not making:
        log.warning("no method that was generated has surrogates under `voice: surrogates`")
        return pd.DataFrame(columns=["method", "replicate", *MEASURES]), {}
    rows, first = [], {}
    by = {} if trials.empty else listeners(frames, trials, split)
    for replicate, number in enumerate(seeds, start=1):
        bird = with_included(surrogate(recording, kind, number, trials, kept), inclusion)
        made, seen = {}, {}
        for name, (around, make) in making.items():
            if replicate > replicates[name]:
                continue
            key = tuple(sorted(around.items()))
            if key not in seen:
                seen[key] = song_activity(bird, frames, around)
            made[name] = make(seen[key], replicate)
        if not made:
            break
        means = mean_over_bouts(measure_table(frames, made, trials, split, syllables=False))
        if by:
            heard = heard_identities(frames, made, trials, split, by)
            means[IDENTITY] = means["method"].map(_accuracies(heard))
        rows.append(means.assign(replicate=replicate))
        first = first or made
        log.info("replicate %d of %d", replicate, max(replicates[name] for name in making))
    return pd.concat(rows, ignore_index=True), first


def _accuracies(heard: pd.DataFrame) -> dict[str, float]:
    labels = sorted(set(heard["truth"]) | set(heard["prediction"]))
    return {
        name: balanced_accuracy(confusion(own["truth"], own["prediction"], labels))
        for name, own in heard.groupby("method")
    }


def read_chosen(path: str | Path, replicates: Mapping[str, int]) -> dict[str, dict[int, float]]:
    """Return the penalties that `neuro2voc.generators` chose, of the methods that have a null."""
    chosen = json.loads(Path(path).read_text(encoding="utf-8"))
    return {
        name: {int(fold): value for fold, value in own.items()}
        for name, own in chosen.items()
        if replicates.get(name)
    }


def read_vaes(paths: Iterable[str | Path], job: object) -> dict[str, tuple]:
    """Return what folds learnt, settings, and what each sees, by name, of those that have a null.

    Parameters
    ----------
    paths : iterable of path
        Written by `neuro2voc.sound_decoder.write_sound_decoders`, each named like its VAE.
    job : object
        With vaes, training, surrogates, seed, checkpoints and code.
    """
    found = {}
    for path in map(Path, paths):
        if job.surrogates.get(path.stem):
            decoders, about = read_sound_decoders(path)
            around = about["activity"]
            settings = vae_settings(job.vaes[path.stem], job.training, around, job)
            found[path.stem] = decoders, settings, around
    return found
