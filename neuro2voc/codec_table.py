"""The tables of a codec: what it keeps at each number of codebooks, beside its controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.binning import PER_SECOND, Window
from neuro2voc.codec import CodecSettings, FittedCodec, decode, frame_bins
from neuro2voc.codec_measures import Judged, judge, moved_apart
from neuro2voc.codec_syllables import syllable_rows
from neuro2voc.configuration import derive_seed
from neuro2voc.deviance import explained, unit_deviance
from neuro2voc.inclusion import describe_units
from neuro2voc.recording import Recording
from neuro2voc.splits import NONE
from neuro2voc.stretches import Stretch, bin_width, stretches
from neuro2voc.training import choose_device
from neuro2voc.trials import used_trials

CODEC, APART, FACTORS, COUNTS = "codec", "apart", "factors", "counts"
COLUMNS = [
    "coding",
    "codebooks",
    "bits",
    "bits_used",
    "bits_gained",
    "explained",
    "low",
    "high",
    "others",
    "others_low",
    "others_high",
    "balanced_accuracy",
    "accuracy_low",
    "accuracy_high",
    "chance",
    "null_low",
    "null_high",
    "n_trials",
    "n_frames",
    "n_blocks",
    "folds_above",
    "n_folds",
]
MARGIN = 0.05  # s beyond the window that syllables are decoded from
SHOWN = 0.4  # s of an example
QUANTILES = (0.1, 0.5, 0.9)  # of how well windows like it are explained


@dataclass(frozen=True)
class CodedExample:
    """Held-out activity and what the codec makes of it.

    Attributes
    ----------
    counts, rates : ndarray (units, bins)
        Per bin.
    start : float
        s.
    explained : float
        Share of this window's deviance.
    """

    counts: np.ndarray
    rates: np.ndarray
    start: float
    explained: float


@dataclass(frozen=True)
class CodecResult:
    """What the codec's figure is made of.

    Attributes
    ----------
    table : DataFrame
        `COLUMNS`, a row per coding and number of codebooks. coding: 'codec'; 'apart' (the same,
        trained and judged on units moved apart); 'factors' (as many numbers per frame, not
        quantised); 'counts' (of which syllables are decoded). bits: bit/s if all codes were equally
        frequent; bits_used: what their frequencies need; bits_gained: by how much counts are more
        probable than by mean rates, bit/s. explained: share of deviance, from all units; others:
        of each unit from the others. folds_above: in how many of n_folds the codec explains more
        than of units moved apart.
    units : DataFrame
        unit, depth (µm), rate (Hz, or mean level), explained, others, factors.
    books : DataFrame
        codebook, perplexity, dead (means over folds), codes.
    losses : DataFrame
        fold, epoch, rate, training, validation.
    examples : list of CodedExample
    codecs : dict of FittedCodec
        By the fold that each never saw.
    bin, frame : float
        s.
    """

    table: pd.DataFrame
    units: pd.DataFrame
    books: pd.DataFrame
    losses: pd.DataFrame
    examples: list[CodedExample]
    codecs: dict[int, FittedCodec]
    bin: float
    frame: float


def codec_result(
    recording: Recording,
    trials: pd.DataFrame,
    split: pd.DataFrame,
    settings: CodecSettings,
    window: Window,
    resamples: int,
    permutations: int,
) -> CodecResult:
    """Train codecs in the folds, judge them, and do the same with units moved apart.

    Parameters
    ----------
    recording : Recording
    trials : DataFrame
        All trials; empty without labels, when no syllable is decoded.
    split : DataFrame
        See `neuro2voc.splits.make_split`.
    settings : CodecSettings
    window : Window
        That syllables are decoded from.
    resamples : int
        Of the bootstrap over bouts.
    permutations : int
        Of labels, for the null of syllables.
    """
    ends = window.bin_starts[0], window.bin_stops[-1]
    around = max(abs(end) for end in ends) / PER_SECOND + MARGIN
    bin = bin_width(recording, settings.bin)
    frame = frame_bins(settings, bin)
    parts = stretches(recording, trials, split, bin, frame, around)
    own = judge(parts, recording, settings)
    moved = moved_apart(parts, frame, derive_seed(settings.seed, APART))
    # From the same weights on, in the same order: what differs is what units share, not luck.
    apart = judge(moved, recording, settings, beside=False)
    rows = [
        *_codec_rows(CODEC, own, parts, settings, bin, resamples),
        *_codec_rows(APART, apart, moved, settings, bin, resamples),
        {
            "coding": FACTORS,
            **_shares("", own.factors.summary(resamples, settings.seed)),
            **_shares("others", own.factors_others.summary(resamples, settings.seed)),
        },
    ]
    table = pd.DataFrame(rows)
    for row, books in enumerate(own.own):
        above = own.own[books].by_fold() > apart.own[books].by_fold()
        table.loc[row, ["folds_above", "n_folds"]] = above.sum(), len(above)
    if not trials.empty:
        known = syllable_rows(
            parts,
            own.codecs,
            own.codes,
            list(own.own),
            used_trials(trials),
            split,
            window,
            resamples,
            settings.seed,
            permutations,
        )
        kept = pd.DataFrame(known)
        kept.insert(0, "coding", np.where(kept["codebooks"] == 0, COUNTS, CODEC))
        table = table.merge(kept, how="outer", on=["coding", "codebooks"])
        order = {name: place for place, name in enumerate((CODEC, APART, FACTORS, COUNTS))}
        table = table.sort_values("coding", key=lambda coding: coding.map(order), kind="stable")
    return CodecResult(
        table.reset_index(drop=True).reindex(columns=COLUMNS),
        _unit_table(recording, parts, own, settings, bin),
        pd.DataFrame(
            {
                "codebook": np.arange(1, settings.sizes["books"] + 1),
                "perplexity": own.perplexity.mean(axis=0),
                "dead": own.dead.mean(axis=0),
                "codes": settings.sizes["codes"],
            }
        ),
        own.losses,
        examples(parts, own, frame, bin),
        own.codecs,
        bin,
        bin * frame,
    )


def _codec_rows(
    coding: str,
    judged: Judged,
    parts: Sequence[Stretch],
    settings: CodecSettings,
    bin: float,
    resamples: int,
) -> list[dict]:
    """Return a row per number of codebooks."""
    frame = bin * frame_bins(settings, bin)
    frames = int(sum((part.fold != NONE).sum() for part in parts))
    entropy = np.log2(judged.perplexity).mean(axis=0)
    others = _shares("others", judged.others.summary(resamples, settings.seed))
    rows = []
    for books, found in judged.own.items():
        gained = (np.sum(found.constant) - np.sum(found.model)) / 2 / np.log(2)
        rows.append(
            {
                "coding": coding,
                "codebooks": books,
                "bits": books * np.log2(settings.sizes["codes"]) / frame,
                "bits_used": entropy[:books].sum() / frame,
                "bits_gained": gained / (frames * frame),
                **_shares("", found.summary(resamples, settings.seed)),
                "n_frames": frames,
                "n_blocks": len(set(found.blocks)),
            }
        )
    rows[-1] |= others  # judged with all codebooks
    return rows


def _shares(name: str, summary: tuple[float, float, float]) -> dict[str, float]:
    names = (name, f"{name}_low", f"{name}_high") if name else ("explained", "low", "high")
    return dict(zip(names, summary, strict=True))


def _unit_table(
    recording: Recording,
    parts: Sequence[Stretch],
    judged: Judged,
    settings: CodecSettings,
    bin: float,
) -> pd.DataFrame:
    known = describe_units(recording)[["unit", "depth"]]
    frame = frame_bins(settings, bin)
    held = np.concatenate(
        [part.values[:, np.repeat(part.fold != NONE, frame)] for part in parts], axis=1
    )
    seen = (~np.isnan(held)).sum(axis=1)
    level = np.where(seen > 0, np.nansum(held, axis=1) / np.maximum(seen, 1), np.nan)
    additive = getattr(recording.units, "additive", True)
    return known.assign(
        rate=level / bin if additive else level,
        explained=judged.own[settings.sizes["books"]].units(),
        others=judged.others.units(),
        factors=judged.factors.units(),
    )


def examples(
    parts: Sequence[Stretch], judged: Judged, frame: int, bin: float
) -> list[CodedExample]:
    """Return windows of held-out activity that are explained badly, middling and well."""
    length = max(1, round(SHOWN / (frame * bin)))
    books = max(judged.own)
    found = []
    for fold, codec in judged.codecs.items():
        constant = codec.network.mean.numpy()
        for part, codes in zip(parts, judged.codes[fold], strict=True):
            rates = decode(codec, codes[:, :books])
            for first in range(0, len(part.fold) - length + 1, length):
                if (part.fold[first : first + length] != fold).any():
                    continue
                bins = slice(first * frame, (first + length) * frame)
                begin = part.start + first * frame * bin
                found.append(_example(part.values[:, bins], rates[:, bins], begin, constant))
    found.sort(key=lambda one: one.explained)
    return [found[round(q * (len(found) - 1))] for q in QUANTILES] if found else []


def _example(
    counts: np.ndarray, rates: np.ndarray, start: float, constant: np.ndarray
) -> CodedExample:
    mean = np.broadcast_to(constant[:, None], counts.shape)
    share = explained(unit_deviance(counts, rates).sum(), unit_deviance(counts, mean).sum())
    return CodedExample(counts, rates, start, share)


def model_about(settings: CodecSettings, bird: str, split: str) -> dict:
    """Return what the JSON beside the codecs says of them."""
    device = choose_device(settings.schedule.device).type
    return {"bird": bird, "split": split, "sizes": settings.sizes, "device": device}
