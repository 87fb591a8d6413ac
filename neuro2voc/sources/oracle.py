"""The Bayes classifier of the simulator: what one could decode who knew all that is fixed.

For one trial the oracle sees what a decoder sees, the counts of one feature, and computes their
probability under each label with the simulator's own hazards. What varies from rendition to
rendition is marginalised: neighbouring syllables, durations, gaps, pitch and loudness by averaging
over songs drawn from the same simulator ("contexts"), a pair's hidden state by summing over it.
Refractory periods are exact: counts come from a Markov chain over ticks. A unit's slow gain is
taken as known. Labels are equally probable beforehand, which is what balanced accuracy rewards.
Windows of trials lie within 0.5 s of song, where no unit rests, so rates at rest play no part.

No decoder can beat it beyond the error of the contexts' average.
"""

import logging
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from neuro2voc.binning import Tensor, Window
from neuro2voc.configuration import SYLLABLE, window_of
from neuro2voc.decoding import sum_up
from neuro2voc.errors import DataError
from neuro2voc.sources import population as neurons
from neuro2voc.sources.simulate import Truth
from neuro2voc.sources.song import TICK, draw_song, log_duration_probability
from neuro2voc.splits import NONE

log = logging.getLogger(__name__)

CONTEXTS = 256  # per label; with 64 the oracle of many-bin windows is overconfident
RATE_CONTEXTS = 8  # per trial and label, when the duration is known
BURN_IN = 10  # ticks before the window, after which a refractory unit has forgotten its start
IMPROBABLE = 1e-6  # durations that much less probable than the best label's are not evaluated
CHUNK = 2048  # contexts evaluated at a time; arrays then stay in the cache
ROWS = 256  # distinct rows of counts evaluated at a time
NS_PER_TICK = 1_000_000


@dataclass(frozen=True)
class Contexts:
    """Syllables with their surroundings, times in ticks from the middle syllable's onset.

    Attributes
    ----------
    events : dict of ndarray (contexts, syllables)
        label (-1: none), start, stop, pitch, loudness.
    states : ndarray (units, contexts, syllables)
        Hidden pair state of each unit; 0 in the middle syllable, where it is summed over.
    middle : int
        Which syllable is the middle one.
    """

    events: dict[str, np.ndarray]
    states: np.ndarray
    middle: int

    @property
    def label(self) -> np.ndarray:
        """Label (contexts,) of the middle syllable."""
        return self.events["label"][:, self.middle]

    @property
    def duration(self) -> np.ndarray:
        """Duration (contexts,) of the middle syllable in ticks."""
        return self.events["stop"][:, self.middle]

    def take(self, rows: np.ndarray) -> "Contexts":
        """Return some of the contexts, each as often as it is named."""
        return Contexts(
            {name: values[rows] for name, values in self.events.items()},
            self.states[:, rows],
            self.middle,
        )

    def with_duration(self, duration: np.ndarray) -> "Contexts":
        """The same contexts with middle syllables of other durations (contexts,), in ticks."""
        longer = (duration - self.duration)[:, None]
        after = np.arange(self.events["start"].shape[1]) > self.middle
        events = dict(self.events)
        events["start"] = events["start"] + longer * after
        events["stop"] = events["stop"] + longer * (np.arange(len(after)) >= self.middle)
        return Contexts(events, self.states, self.middle)


def consult(
    truth: Truth,
    trials: pd.DataFrame,
    tensors: dict[str, Tensor],
    features: list[str],
    resamples: int,
    seed: int,
) -> tuple[pd.DataFrame, dict]:
    """Classify each feature as decoders do, and sum up likewise.

    Parameters
    ----------
    truth : Truth
    trials : DataFrame
        The used trials.
    tensors : dict of Tensor
        By window.
    features : list of str
    resamples, seed : int
        Of the bootstrap over bouts.

    Returns
    -------
    predictions : DataFrame
        feature, trial, fold (-1: nothing was trained), truth, prediction, p_<label>…
    metrics : dict
        Per feature what `neuro2voc.evaluation.summary` returns.
    """
    labels = sorted(trials["label"].unique())
    frames, metrics = [], {}
    for feature in features:
        tensor = tensors[window_of(feature)]
        posterior = oracle_posterior(truth, trials, tensor, feature, labels)
        frame = pd.DataFrame(posterior, columns=[f"p_{label}" for label in labels])
        frame.insert(0, "feature", feature)
        frame.insert(1, "trial", trials["trial"].to_numpy())
        frame.insert(2, "fold", NONE)
        frame.insert(3, "truth", trials["label"].to_numpy())
        frame.insert(4, "prediction", np.array(labels)[posterior.argmax(axis=1)])
        metrics[feature] = sum_up(frame, trials, resamples, seed)
        log.info("%s: balanced accuracy %.3f", feature, metrics[feature]["balanced_accuracy"])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True), metrics


def oracle_posterior(
    truth: Truth, trials: pd.DataFrame, tensor: Tensor, feature: str, labels: list[str]
) -> np.ndarray:
    """Probability of each label given one feature of each trial.

    Parameters
    ----------
    truth : Truth
        Of the simulated bird that the trials come from.
    trials : DataFrame
        The trials to classify; ``trial`` numbers rows of the truth's song.
    tensor : Tensor
        The feature's window, with the same trials in the same order; of the units, which are
        numbered as in the truth, it may hold some only.
    feature : str
        'count', 'rate' or the window's name.
    labels : list of str
        The classes.

    Returns
    -------
    ndarray (trials, labels)
        Rows sum to 1.

    Raises
    ------
    DataError
        The window's bins overlap or leave gaps, or a unit is none of the truth's.
    """
    units = _rows_of(tensor.unit, len(truth.population))
    rng = np.random.default_rng(truth.seed)
    names = list(truth.repertoire.labels)
    contexts = draw_contexts(truth, [names.index(label) for label in labels], tensor.window, rng)
    epoch = truth.song["epoch"].to_numpy()[trials["trial"].to_numpy()]
    counts = tensor.counts.astype(np.int64)
    if feature == "rate":
        ticks = np.rint(tensor.duration / TICK).astype(int)
        evidence = _known_duration(truth, contexts, units, counts[:, :, 0], ticks, epoch)
    else:
        evidence = _unknown_duration(truth, contexts, units, counts, epoch, tensor.window)
    return np.exp(evidence - logsumexp(evidence, axis=1, keepdims=True))


def _rows_of(units: np.ndarray, n: int) -> np.ndarray:
    """Return which of the truth's `n` units these are, by their numbers as text."""
    known = {str(row): row for row in range(n)}
    unknown = [str(unit) for unit in units if unit not in known]
    if unknown:
        raise DataError(
            f"Unit {unknown[0]!r} is none of the simulated bird's, which are numbered from 0 to "
            f"{n - 1}; make the tensor and the truth anew, from one simulation."
        )
    return np.array([known[unit] for unit in units], dtype=int)


def _draw_songs(
    truth: Truth, labels: list[int], rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Song after song on one clock until each label is sung often enough; and the pairs' states.

    A given song serves as it is.
    """
    if truth.settings.annotations:
        return truth.song, truth.states
    songs, sung, bouts, end = [], 0, 0, 0
    while not songs or np.min(sung) < CONTEXTS:
        song, bounds = draw_song(truth.settings, truth.repertoire, rng)
        sung = sung + np.bincount(song["label"], minlength=len(truth.repertoire.labels))[labels]
        songs.append(song.assign(**{name: song[name] + end for name in ("start", "stop")}))
        songs[-1]["bout"] += bouts
        bouts, end = bouts + song["bout"].iat[-1] + 1, end + bounds[-1, 1]
    song = pd.concat(songs, ignore_index=True)
    return song, neurons.draw_pair_states(truth.population, song["label"].to_numpy(), rng)


def _reach(population: neurons.Population) -> tuple[int, int]:
    """How many ticks before a syllable's onset and after its offset it can move a rate."""
    lead, burst = population.table["lead"], 5 * population.table["width"]
    reach = np.array([(lead + burst).max(), (burst - lead).max()]) / TICK
    return tuple(np.ceil(np.maximum(reach, 0)).astype(int) + 1)


def draw_contexts(
    truth: Truth, labels: list[int], window: Window, rng: np.random.Generator
) -> Contexts:
    """Draw the same number of contexts for each label, in the order of `labels`."""
    song, states = _draw_songs(truth, labels, rng)
    label, start, stop = (song[name].to_numpy() for name in ("label", "start", "stop"))
    having = [np.flatnonzero(label == name) for name in labels]
    chosen = np.concatenate(
        [rng.choice(rows, CONTEXTS, replace=len(rows) < CONTEXTS) for rows in having]
    )
    # As many neighbours on each side as can reach into the window.
    before, after = _reach(truth.population)
    first = (stop if window.align == "offset" else start)[chosen] - BURN_IN
    last = (start if window.align == "onset" else stop)[chosen]
    if window.align != SYLLABLE:
        first, last = first + window.edges[0] // NS_PER_TICK, last + window.edges[-1] // NS_PER_TICK
    earlier = chosen - np.searchsorted(stop, first - after)
    later = np.searchsorted(start, last + before) - 1 - chosen
    neighbours = int(max(earlier.max(), later.max(), 0))
    rows = chosen[:, None] + np.arange(-neighbours, neighbours + 1)
    inside = (rows >= 0) & (rows < len(song))
    rows = np.clip(rows, 0, len(song) - 1)
    inside &= song["bout"].to_numpy()[rows] == song["bout"].to_numpy()[chosen][:, None]
    events = {name: song[name].to_numpy()[rows] for name in neurons.EVENT}
    onset = events["start"][:, [neighbours]]
    events["start"] = events["start"] - onset
    events["stop"] = events["stop"] - onset
    events["label"] = np.where(inside, events["label"], -1)
    spread = neurons.unit_states(truth.population, states)[:, rows]
    spread[:, :, neighbours] = 0
    return Contexts(events, spread, neighbours)


def _evoked(truth: Truth, unit: int, contexts: Contexts, ticks: np.ndarray) -> np.ndarray:
    """Evoked rate of one unit (contexts, T), the middle syllable's pair state being 0."""
    people = truth.population
    row = people.table.iloc[unit]
    always = row[["pitch_slope", "loudness_slope", "pair_level"]].any()
    heeds = always | (people.burst[unit] != 0) | (people.level[unit] != 0)
    before, after = _reach(people)
    ticks = np.broadcast_to(ticks, (len(contexts.label), ticks.shape[-1]))
    total = np.zeros(ticks.shape)
    for index in range(contexts.events["label"].shape[1]):
        event = {name: values[:, index] for name, values in contexts.events.items()}
        rows = np.flatnonzero(
            (event["label"] >= 0)
            & heeds[event["label"]]
            & (event["stop"] + after > ticks[:, 0])
            & (event["start"] - before <= ticks[:, -1])
        )
        total[rows] += neurons.evoked_rate(
            people,
            unit,
            ticks[rows],
            {name: values[rows] for name, values in event.items()},
            truth.settings,
            contexts.states[unit, rows, index],
        )
    return total


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of a matrix and which of them each row is."""
    bytes_of = np.ascontiguousarray(rows).view(f"V{rows.shape[1] * rows.itemsize}")[:, 0]
    _, first, back = np.unique(bytes_of, return_index=True, return_inverse=True)
    return rows[first], back


def _high_state(truth: Truth, unit: int, contexts: Contexts, ticks: np.ndarray) -> np.ndarray:
    """What the high pair state in the middle syllable adds to a unit's rate (contexts, T)."""
    row = truth.population.table.iloc[unit]
    lead, time = row["lead"] / TICK, ticks + 0.5
    return row["pair_level"] * ((time >= -lead) & (time < contexts.duration[:, None] - lead))


def count_chain(hazard: np.ndarray, start: np.ndarray, most: int) -> np.ndarray:
    """Probability of spike counts of a unit with a hard refractory period.

    Parameters
    ----------
    hazard : ndarray (n, T)
        Probability of a spike per tick when the unit may fire.
    start : ndarray (n, k, states)
        k distributions over the state before the first tick: how many ticks of silence are left,
        from none to the whole refractory period.
    most : int
        Largest count asked for.

    Returns
    -------
    ndarray (n, k, most + 1, states)
        Probability of each count together with the state after the last tick.
    """
    # One array (k, most + 1, n) per state: the longest axis last, where arithmetic is fastest.
    states = list(np.zeros((start.shape[-1], start.shape[1], most + 1, len(start))))
    for state, begin in zip(states, start.T, strict=True):
        state[:, 0] = begin
    for chance in np.ascontiguousarray(hazard.T):
        spike = states[0] * chance
        silent = states[0] - spike
        counted = np.zeros_like(spike)
        counted[:, 1:] = spike[:, :-1]
        states = [*states[1:], counted]
        states[0] = states[0] + silent
    return np.stack(states).transpose(3, 1, 2, 0)


def _start(hazard: np.ndarray, refractory: int) -> np.ndarray:
    """Distribution (n, 1, states) of the state after a burn-in with these hazards."""
    ready = np.zeros((len(hazard), 1, refractory + 1))
    ready[..., 0] = 1
    return count_chain(hazard, ready, hazard.shape[1]).sum(axis=2)


def _log(probability: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probability, 1e-300))


def _pair_evidence(truth: Truth, label: np.ndarray, pair: int, members: list[dict]) -> np.ndarray:
    """Sum over a pair's four joint states; members hold log likelihoods by state."""
    sign = truth.population.sign[pair, label]
    agree = (1 + truth.population.synergy * sign) / 4
    differ = (1 - truth.population.synergy * sign) / 4
    joint = (
        _log(agree if first == second else differ) + members[0][first] + members[1][second]
        for first in (0, 1)
        for second in (0, 1)
    )
    return reduce(np.logaddexp, joint)  # one after another: these are the largest arrays


def _total(truth: Truth, label: np.ndarray, units: np.ndarray, single) -> np.ndarray:
    """Add the log likelihoods of units; ``single(column, state)`` gives that of one of them."""
    pair = truth.population.table["pair"].to_numpy()[units]
    total = sum(single(column, 0) for column in np.flatnonzero(pair < 0))
    for index in np.unique(pair[pair >= 0]):
        columns = np.flatnonzero(pair == index)
        members = [{state: single(column, state) for state in (0, 1)} for column in columns]
        if len(members) == 2:
            total = total + _pair_evidence(truth, label, index, members)
        else:  # alone, it is as often high as low, whatever the syllable
            total = total + np.logaddexp(members[0][0], members[0][1]) - np.log(2)
    return total


def _unknown_duration(
    truth: Truth,
    contexts: Contexts,
    units: np.ndarray,
    counts: np.ndarray,
    epoch: np.ndarray,
    window: Window,
) -> np.ndarray:
    """Log evidence (trials, labels), every context equally probable under its label."""
    people, settings = truth.population, truth.settings
    if window.align == SYLLABLE:
        edges = np.array([0, contexts.duration.max()])
        stop = contexts.duration[:, None]
        shift = 0
    else:
        edges = window.edges // NS_PER_TICK
        stop = np.full((1, 1), edges[-1])
        shift = contexts.duration[:, None] * (window.align == "offset")
    local = np.arange(edges[0] - BURN_IN, edges[-1])
    ticks = local + shift

    def single(column: int, state: int) -> np.ndarray:
        unit = units[column]
        evoked = _evoked(truth, unit, contexts, ticks)
        if state:
            evoked = evoked + _high_state(truth, unit, contexts, ticks)
        refractory = int(people.table["refractory"].iat[unit])
        likelihood = np.empty((len(counts), len(contexts.label)))
        for now in np.unique(epoch):
            gain = truth.gains[unit, now]
            chance = neurons.hazard(people.table["base"].iat[unit], evoked, gain, settings.tuning)
            # Many contexts are alike to a unit that heeds few syllables, and many counts are.
            chance, context = _distinct(np.where(local < stop, chance, 0.0))
            rows = np.flatnonzero(epoch == now)
            seen, trial = np.unique(counts[rows, column], axis=0, return_inverse=True)
            evidence = _log(_binned_counts(chance, edges - local[0], seen, refractory))
            likelihood[rows] = evidence[context][:, trial.reshape(-1)].T
        return likelihood

    total = _total(truth, contexts.label, units, single)
    per_label = total.reshape(len(counts), -1, CONTEXTS)
    return logsumexp(per_label, axis=2)


def _binned_counts(
    hazard: np.ndarray, edges: np.ndarray, counts: np.ndarray, refractory: int
) -> np.ndarray:
    """Probability of counts in successive bins of a unit with a refractory period.

    Parameters
    ----------
    hazard : ndarray (n, T)
        Per tick; the first ticks, before the first bin, are burn-in.
    edges : ndarray (bins + 1,)
        In ticks of the hazard.
    counts : ndarray (m, bins)
    refractory : int

    Returns
    -------
    ndarray (n, m)
    """
    # The first bin begins as the burn-in ends; each other one in every state, summed over below.
    burnt_in = _start(hazard[:, : edges[0]], refractory)
    every = np.broadcast_to(np.eye(refractory + 1), (len(hazard), *2 * [refractory + 1]))
    chains = [
        count_chain(hazard[:, a:b], every if index else burnt_in, int(counts[:, index].max()))
        for index, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True))
    ]
    total = np.empty((len(hazard), len(counts)))
    for first in range(0, len(counts), ROWS):
        part = counts[first : first + ROWS]
        forward = np.ones((len(hazard), len(part), 1))
        for chain, bin_counts in zip(chains, part.T, strict=True):
            # (x, m, s) times (x, s, m, e): one state s before the bin, another, e, after it.
            forward = np.einsum("xms,xsme->xme", forward, chain[:, :, bin_counts])
        total[:, first : first + ROWS] = forward.sum(axis=2)
    return total


def _known_duration(
    truth: Truth,
    contexts: Contexts,
    units: np.ndarray,
    counts: np.ndarray,
    ticks: np.ndarray,
    epoch: np.ndarray,
) -> np.ndarray:
    """Log evidence (trials, labels) of counts and duration together.

    The contexts' middle syllables take the trial's duration, whose probability under the label
    counts as well: a rate is count / duration, and the counts of many units give the duration away.
    """
    prior = log_duration_probability(truth.repertoire, ticks)[:, contexts.label[::CONTEXTS]]
    trial, label = np.nonzero(prior > prior.max(axis=1, keepdims=True) + np.log(IMPROBABLE))
    rows = (label[:, None] * CONTEXTS + np.arange(RATE_CONTEXTS)).ravel()
    which = np.repeat(trial, RATE_CONTEXTS)
    # Contexts of like durations go together, so that few ticks are computed in vain.
    order = np.argsort(ticks[which], kind="stable")
    total = np.empty(len(which))
    for part in np.split(order, np.arange(CHUNK, len(order), CHUNK)):
        chosen = contexts.take(rows[part]).with_duration(ticks[which[part]])
        total[part] = _known_counts(truth, chosen, units, counts[which[part]], epoch[which[part]])
    total = total.reshape(-1, RATE_CONTEXTS)
    evidence = np.full(prior.shape, -np.inf)
    evidence[trial, label] = prior[trial, label] + logsumexp(total, axis=1) - np.log(RATE_CONTEXTS)
    return evidence


def _known_counts(
    truth: Truth, contexts: Contexts, units: np.ndarray, counts: np.ndarray, epoch: np.ndarray
) -> np.ndarray:
    """Log likelihood (contexts,) of one row of counts (contexts, units) per context."""
    people = truth.population
    local = np.arange(-BURN_IN, contexts.duration.max())

    def single(column: int, state: int) -> np.ndarray:
        unit = units[column]
        evoked = _evoked(truth, unit, contexts, local)
        if state:
            evoked = evoked + _high_state(truth, unit, contexts, local)
        gain = truth.gains[unit, epoch][:, None]
        base = people.table["base"].iat[unit]
        chance = neurons.hazard(base, evoked, gain, truth.settings.tuning)
        chance, context = _distinct(np.where(local < contexts.duration[:, None], chance, 0.0))
        begin = _start(chance[:, :BURN_IN], int(people.table["refractory"].iat[unit]))
        chain = count_chain(chance[:, BURN_IN:], begin, int(counts[:, column].max()))
        return _log(chain[context, 0, counts[:, column]].sum(axis=-1))

    return _total(truth, contexts.label, units, single)
