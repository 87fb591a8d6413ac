"""What a simulated bird's neurons are expected to do, given its song."""

import numpy as np

from neuro2voc.frame_activity import edges_around
from neuro2voc.frames import Frames
from neuro2voc.sources import population as neurons
from neuro2voc.sources.simulate import Truth
from neuro2voc.sources.song import TICK


def expected_counts(truth: Truth, edges: np.ndarray) -> np.ndarray:
    """Return the expected number of spikes in adjoining bins near a bout.

    The song and the units' gains are known; hidden states of pairs, of which the voice says
    nothing, are averaged over. Refractoriness is exact: of the few ticks that a spike silences at
    most one holds a spike, so that a tick's chance is its hazard times what those before it leave.

    Parameters
    ----------
    truth : Truth
    edges : ndarray (bins + 1,)
        s, all within 0.5 s of a bout's syllables.

    Returns
    -------
    ndarray (bins, units)
    """
    edges = edges / TICK
    low, high = int(np.floor(edges[0] + 1e-6)), int(np.ceil(edges[-1] - 1e-6))
    chance = np.mean([_chance(truth, low, high, state) for state in (0, 1)], axis=0)
    total = np.concatenate([np.zeros((1, len(truth.population))), np.cumsum(chance, axis=0)])
    # A bin that cuts a tick has its share of it.
    ticks = np.arange(low, high + 1)
    sums = np.stack([np.interp(edges, ticks, column) for column in total.T], axis=1)
    return np.diff(sums, axis=0)


def _chance(truth: Truth, low: int, high: int, state: int) -> np.ndarray:
    """Return each tick's chance of a spike (ticks, units), all pairs in one state."""
    people, table = truth.population, truth.population.table
    units = np.arange(len(people))
    reach = int((table["lead"] + 5 * table["width"]).max() / TICK) + 1
    longest = int(table["refractory"].max())
    # Before the first tick, enough of them that nothing is left of how they begin.
    first = low - 10 * (longest + 1)
    song = truth.song
    near = song[(song["start"] - reach < high) & (song["stop"] + reach > first)]
    evoked = np.zeros((len(units), high - first))
    for event in near.itertuples():
        start, stop = max(event.start - reach, first), min(event.stop + reach, high)
        evoked[:, start - first : stop - first] += neurons.evoked_rate(
            people,
            units,
            np.arange(start, stop),
            {name: np.array(getattr(event, name)) for name in neurons.EVENT},
            truth.settings,
            np.where(table["pair"] >= 0, state, 0),
        )
    middle = (low + high) / 2
    nearest = (song["start"] - middle).abs().idxmin()
    gain = truth.gains[:, [song.loc[nearest, "epoch"]]]
    hazard = neurons.hazard(
        table["base"].to_numpy()[:, None], evoked, gain, truth.settings.tuning
    ).T
    refractory = table["refractory"].to_numpy()
    chance = hazard.copy()
    for tick in range(1, len(chance)):
        for back in range(1, min(longest, tick) + 1):
            chance[tick] -= hazard[tick] * np.where(back <= refractory, chance[tick - back], 0)
    return chance[low - first :]


def expected_around(truth: Truth, frames: Frames, before: float, after: float) -> list[np.ndarray]:
    """Return what `neuro2voc.frame_activity.activity_around` does, counts as they are expected."""
    return [expected_counts(truth, edges) for edges in edges_around(frames, before, after)]
