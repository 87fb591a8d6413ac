"""All measures of a bird's generated song, split by split, beside references and null."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from neuro2voc.files import read_csv
from neuro2voc.frames import Frames
from neuro2voc.generated import read_generated
from neuro2voc.references import limit, references
from neuro2voc.sound_identity import heard_identities, listeners
from neuro2voc.sound_summary import judged_table, summary_table
from neuro2voc.sound_tables import EVERY, measure_table
from neuro2voc.sources.simulate import Truth
from neuro2voc.splits import read_split

log = logging.getLogger(__name__)

BASELINES = ("syllable", "ridge")  # what others have to beat: the first that was generated
NULL = {"method": str, "replicate": int}


def measured_splits(
    frames: Frames,
    trials: pd.DataFrame,
    truth: Truth | None,
    splits: Mapping[str, str | Path],
    songs: Iterable[str | Path],
    nulls: Iterable[str | Path],
    resamples: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str]:
    """Measure everything that was generated under every split.

    Parameters
    ----------
    frames : Frames
    trials : DataFrame
    truth : Truth, optional
        Of a simulated bird; with its voices there is a limit.
    splits : mapping of path
        By name.
    songs, nulls : iterable of path
        ``…/{split}/{name}.h5`` and ``…/{split}.csv``.
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    judged : DataFrame
        See `neuro2voc.sound_summary.judged_table`, with `split`.
    each : DataFrame
        See `neuro2voc.sound_tables.measure_table`, with `split`: bouts and syllables one by one.
    types : DataFrame
        See `neuro2voc.sound_summary.summary_table`, with `split`: means over syllables by type.
    baseline : str
        The method that others have to beat, '' without any; it needs no network, so that it is the
        same under every split.
    """
    songs, nulls = list(map(Path, songs)), {Path(path).stem: path for path in nulls}
    sung = {"limit": limit(frames, truth, seed)} if truth is not None and truth.voices else {}
    judged, each, types = [], [], []
    for name, path in splits.items():
        split = read_split(path)
        made = read_generated(song for song in songs if song.parent.name == name)
        everything = {**made, **references(frames, trials, split, seed), **sung}
        table = measure_table(frames, everything, trials, split)
        heard = None
        if not trials.empty:
            by = listeners(frames, trials, split)
            heard = heard_identities(frames, everything, trials, split, by)
        summary = summary_table(table, heard, resamples, seed)
        null = read_csv(nulls[name], NULL) if name in nulls else None
        baseline = first_baseline(made)
        rows = judged_table(summary, table, heard, null, baseline, resamples, seed)
        judged.append(rows.assign(split=name))
        each.append(table.assign(split=name))
        types.append(summary[summary["label"] != EVERY].assign(split=name))
        log.info("%s: %d methods measured", name, len(everything))
    tables = (pd.concat(parts, ignore_index=True) for parts in (judged, each, types))
    return *tables, baseline


def first_baseline(methods: Iterable[str]) -> str:
    """Return the method that others have to beat, '' without any."""
    names = set(methods)
    return next((one for one in BASELINES if one in names), "")
