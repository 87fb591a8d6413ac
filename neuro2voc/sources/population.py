"""Neurons along a probe and how their rates follow a song.

Every unit is a hazard per tick of 1 ms: gain x (baseline + what the song evokes), silenced for a
refractory period after each spike. Far from song the baseline may be another. The same functions
make the simulated spikes and the oracle's likelihoods, so that what is true of one is true of the
other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuro2voc.sources import thesis
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.song import TICK

KINDS = ("premotor", "graded", "pair", "pitch", "loudness", "tonic")
# Shares of the units that are not in pairs.
SHARES = {"premotor": 0.4, "graded": 0.2, "pitch": 0.05, "loudness": 0.05, "tonic": 0.3}
MEDIAN_BASE = {  # Hz, of single units
    "premotor": 3,
    "graded": 12,
    "pair": 4,
    "pitch": 25,
    "loudness": 25,
    "tonic": 20,
}
REGION_BORDER = 2000.0  # µm from the tip: HVC above, Area X below
REFRACTORY = 2  # ticks after a spike of a single unit in which it cannot fire
EVENT = ("label", "start", "stop", "pitch", "loudness")  # what a syllable evokes with
FLOOR = 0.1  # Hz, below which no rate falls
NEAR = 500  # ticks from a syllable, farther than which units rest


@dataclass(frozen=True)
class Population:
    """Units and their tuning; all rates in Hz, all arrays indexed by unit first.

    Attributes
    ----------
    table : DataFrame
        One row per unit: kind, depth (µm from the tip), location, quality, base (Hz), resting
        (factor on the base farther than 0.5 s from any syllable), lead (s, how far activity
        precedes sound), width (s, SD of a burst), refractory (ticks), pitch_slope and
        loudness_slope (Hz per SD of the rendition), pair (-1: none), pair_level (Hz in the high
        state).
    burst : ndarray (units, labels)
        Peak rate of the burst for each label; 0 where there is none.
    phase : ndarray (units, labels)
        Where in the syllable the burst's sound falls, as a fraction of its duration.
    level : ndarray (units, labels)
        Sustained change of rate through each label.
    sign : ndarray (pairs, labels)
        +1: the pair's two states agree, -1: they differ, 0: they are independent.
    synergy : float
        Two states agree (or differ) with probability (1 + synergy) / 2.
    """

    table: pd.DataFrame
    burst: np.ndarray
    phase: np.ndarray
    level: np.ndarray
    sign: np.ndarray
    synergy: float

    def __len__(self) -> int:
        return len(self.table)


def _kinds(units: int, pairs: int) -> np.ndarray:
    single = units - 2 * pairs
    counts = {kind: round(share * single) for kind, share in SHARES.items()}
    counts["tonic"] = single - sum(n for kind, n in counts.items() if kind != "tonic")
    counts["pair"] = 2 * pairs
    return np.repeat(list(counts), list(counts.values()))


def _draw_in_hvc(kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which units lie in HVC: most tuned ones, few others."""
    tuned = np.isin(kinds, ["premotor", "graded", "pair"])
    return rng.random(len(kinds)) < np.where(tuned, 0.8, 0.2)


def _draw_units(kinds: np.ndarray, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Draw where units lie, on a 20 µm grid, and how they fire without song.

    Rates follow what is reported for singing finches: HVC and premotor units nearly silent between
    bursts, basal ganglia units tonic at tens of Hz.
    """
    n = len(kinds)
    base = np.array([MEDIAN_BASE[kind] for kind in kinds]) * rng.lognormal(0, 0.5, n)
    mua = rng.random(n) < share
    in_hvc = _draw_in_hvc(kinds, rng)
    return pd.DataFrame(
        {
            "depth": 20.0 * np.where(in_hvc, rng.integers(105, 190, n), rng.integers(10, 95, n)),
            "quality": np.where(mua, "mua", "good"),
            "base": np.where(mua, 2.5 * base, base),
            "resting": 1.0,
        }
    )


def _draw_thesis_units(kinds: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Draw units with the thesis' depths, qualities and rates.

    Not published and chosen here: premotor and paired units have the lowest rates and tonic ones
    the highest, and the five fastest units (above 50 Hz) are multi-unit activity.
    """
    n = len(kinds)
    low, high = thesis.SHALLOWEST // 20, thesis.DEEPEST // 20
    inner = rng.choice(np.arange(low + 1, high), thesis.DEPTHS - 2, replace=False)
    grid = np.r_[low, high, inner]
    depth = 20.0 * np.sort(np.r_[grid, rng.choice(grid, n - len(grid))])
    deeper = np.lexsort((rng.random(n), _draw_in_hvc(kinds, rng)))
    speed = {"premotor": 0, "pair": 0, "graded": 1, "pitch": 2, "loudness": 2, "tonic": 3}
    slowest_first = np.lexsort((rng.random(n), [speed[kind] for kind in kinds]))
    fast_in_song, fast_overall = np.array(thesis.RATES_IN_SONG), np.array(thesis.RATES_OVERALL)
    at_rest = (fast_overall - thesis.SONG_SHARE * fast_in_song) / (1 - thesis.SONG_SHARE)
    rank = np.empty(n, dtype=int)
    rank[slowest_first] = np.arange(n)[::-1]
    good = np.zeros(n, dtype=bool)
    good[rng.choice(np.flatnonzero(rank >= 5), thesis.GOOD, replace=False)] = True
    dead = np.where(good, REFRACTORY, 0)
    base, rest = (_base_of(rate[rank], dead) for rate in (fast_in_song, at_rest))
    table = pd.DataFrame({"depth": 0.0, "quality": np.where(good, "good", "mua"), "base": base})
    table.loc[deeper, "depth"] = depth
    return table.assign(resting=rest / base)


def _base_of(rate: np.ndarray, refractory: np.ndarray) -> np.ndarray:
    """Base rates in Hz at which units fire at these rates, given how long each spike silences."""
    chance = 1 / (1 / (rate * TICK) - refractory)
    return -np.log1p(-chance) / TICK


def draw_population(settings: Settings, labels: int, rng: np.random.Generator) -> Population:
    """Draw a population.

    Parameters
    ----------
    settings
        The bird.
    labels : int
        Number of labels in its repertoire, the introductory note included.
    """
    n = thesis.UNITS if settings.preset else settings.units
    scale = thesis.EVOKED if settings.preset else 1.0
    kinds = _kinds(n, settings.pairs)
    if settings.preset:
        table = _draw_thesis_units(kinds, rng)
    else:
        table = _draw_units(kinds, settings.mua, rng)

    def only(kind: str, values: np.ndarray | float) -> np.ndarray:
        mask = kinds == kind
        return np.where(mask.reshape((-1,) + (1,) * (np.ndim(values) - 1)), values, 0.0)

    # Each premotor unit bursts in one label, one in three in a second one too.
    burst = np.zeros((n, labels))
    for unit in np.flatnonzero(kinds == "premotor"):
        chosen = rng.choice(labels, size=1 + (rng.random() < 1 / 3), replace=False)
        burst[unit, chosen] = scale * 70 * rng.lognormal(0, 0.4, len(chosen))

    pair = np.full(n, -1)
    members = np.flatnonzero(kinds == "pair")
    pair[members] = np.arange(len(members)) // 2
    sign = np.zeros((settings.pairs, labels), dtype=int)
    for row in sign:
        row[1:] = rng.permutation(np.arange(labels - 1) % 2 * 2 - 1)

    table = table.assign(
        kind=kinds,
        location=np.where(table["depth"] > REGION_BORDER, "HVC", "Area X"),
        lead=rng.uniform(0.01, 0.06, n),
        width=rng.uniform(0.005, 0.012, n),
        refractory=np.where(table["quality"] == "mua", 0, REFRACTORY),
        pitch_slope=only("pitch", rng.choice([-1, 1], n) * scale * 12.0),
        loudness_slope=only("loudness", rng.choice([-1, 1], n) * scale * 12.0),
        pair=pair,
        pair_level=only("pair", scale * 40 * rng.lognormal(0, 0.2, n)),
    )
    level = only("graded", rng.normal(0, 1, (n, labels)) * scale * 8)
    phase = rng.uniform(0, 1, (n, labels))
    if settings.alike:
        alike = np.arange(labels - settings.alike, labels)
        for response in (burst, level, phase):
            response[:, alike] = response[:, alike[:1]]
        for row in sign:
            row[alike] = rng.permutation(np.arange(settings.alike) % 2 * 2 - 1)
    order = np.argsort(-table["depth"].to_numpy(), kind="stable")
    return Population(
        table=table.iloc[order].reset_index(drop=True),
        burst=burst[order],
        phase=phase[order],
        level=level[order],
        sign=sign,
        synergy=settings.synergy,
    )


def draw_pair_states(
    population: Population, label: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw hidden states, 0 or 1, of each pair's members (renditions, pairs, 2)."""
    sign = population.sign[:, label].T
    first = rng.random(sign.shape) < 0.5
    agree = rng.random(sign.shape) < (1 + population.synergy * sign) / 2
    return np.stack([first, first == agree], axis=-1).astype(np.int8)


def draw_gains(
    units: int, drift: float, length: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw each unit's gain per epoch (units, epochs): a random walk of the logarithm.

    A unit's mean gain over the recording is 1; `length` (epochs,) is that of the epochs.
    """
    steps = drift * rng.standard_normal((units, len(length)))
    gains = np.exp(np.cumsum(steps, axis=1))
    return gains / (gains @ length / length.sum())[:, None]


def unit_states(population: Population, states: np.ndarray) -> np.ndarray:
    """Spread pair states (..., pairs, 2) over the units (units, ...): 0 for units in no pair."""
    pair = population.table["pair"].to_numpy()
    spread = np.zeros((len(pair), *states.shape[:-2]), dtype=np.int8)
    for index in range(states.shape[-2]):
        for member, unit in enumerate(np.flatnonzero(pair == index)):
            spread[unit] = states[..., index, member]
    return spread


def evoked_rate(
    population: Population,
    unit: np.ndarray | int,
    ticks: np.ndarray,
    events: dict[str, np.ndarray],
    settings: Settings,
    state: np.ndarray | float,
) -> np.ndarray:
    """Rate that syllables add to units' baselines, in Hz, before tuning and gain.

    All leading axes broadcast: units x syllables, or one unit x contexts.

    Parameters
    ----------
    unit : int or ndarray (...)
        Row numbers of the units.
    ticks : ndarray (..., T)
        Where to evaluate, in ticks.
    events : dict of ndarray (...)
        label, start, stop (ticks), pitch (octaves), loudness (dB); a label of -1 is no syllable and
        evokes nothing.
    state : ndarray (...) or float
        Hidden pair state of the units in these renditions.

    Returns
    -------
    ndarray (..., T)
    """

    def column(name: str) -> np.ndarray:
        return population.table[name].to_numpy()[unit]

    label, start, stop = events["label"], events["start"], events["stop"]
    present = label >= 0
    lead = column("lead") / TICK
    middle = ticks + 0.5
    sustained = present * (
        population.level[unit, label]
        + column("pitch_slope") * events["pitch"] / max(settings.pitch_sd, 1e-9)
        + column("loudness_slope") * events["loudness"] / max(settings.loudness_sd, 1e-9)
        + column("pair_level") * state
    )
    begin, end = (start - lead)[..., None], (stop - lead)[..., None]
    rate = sustained[..., None] * ((middle >= begin) & (middle < end))
    peak = present * population.burst[unit, label]
    if peak.any():
        centre = start + population.phase[unit, label] * (stop - start) - lead
        z = (middle - centre[..., None]) * (TICK / column("width"))[..., None]
        rate = rate + peak[..., None] * np.exp(-0.5 * z**2)
    return rate


def hazard(base: float, evoked: np.ndarray, gain: np.ndarray | float, tuning: float) -> np.ndarray:
    """Probability of a spike per tick outside the refractory period."""
    rate = gain * np.maximum(base + tuning * evoked, FLOOR)
    return -np.expm1(-rate * TICK)


def drop_refractory(ticks: np.ndarray, refractory: int) -> np.ndarray:
    """Return the sorted candidate spikes that survive when each silences the next ticks.

    The same as walking through the sorted candidates one by one, a few passes over the array
    instead.
    """
    while refractory and len(ticks) > 1:
        late = np.diff(ticks) > refractory
        if late.all():
            break
        # A candidate too close to one that itself survives for certain falls; then look again.
        certain = np.r_[True, late]
        falls = np.r_[False, ~late & certain[:-1]]
        ticks = ticks[~falls]
    return ticks
