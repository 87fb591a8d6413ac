"""The Bayes classifier of the simulator: what one could decode who knew all that is fixed.

For one trial the oracle sees what a decoder sees, the counts of one feature, and computes their
probability under each label with the simulator's own hazards. What varies from rendition to
rendition is marginalised: neighbouring syllables, durations, gaps, pitch and loudness by averaging
over songs drawn from the same simulator ("contexts"), a pair's hidden state by summing over it.
Refractory periods are exact: counts come from a Markov chain over ticks. A unit's slow gain is
taken as known. Labels are equally probable beforehand, which is what balanced accuracy rewards.

No decoder can beat it beyond the error of the contexts' average.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from neuro2voc.binning import Tensor, Window
from neuro2voc.configuration import SYLLABLE, window_of
from neuro2voc.decoding import sum_up
from neuro2voc.sources import population as neurons
from neuro2voc.sources.simulate import Truth
from neuro2voc.sources.song import TICK, draw_song
from neuro2voc.splits import NONE

log = logging.getLogger(__name__)

CONTEXTS = 256  # per label; with 64 the oracle of many-bin windows is overconfident
RATE_CONTEXTS = 8  # per trial and label, when the duration is known
BURN_IN = 10  # ticks before the window, after which a refractory unit has forgotten its start
IMPROBABLE = 1e-6  # durations that much less probable than the best label's are not evaluated
CHUNK = 2048  # contexts evaluated at a time; arrays then stay in the cache
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
        The feature's window, with the same trials in the same order.
    feature : str
        'count', 'rate' or the window's name.
    labels : list of str
        The classes.

    Returns
    -------
    ndarray (trials, labels)
        Rows sum to 1.
    """
    rng = np.random.default_rng(truth.seed)
    names = list(truth.repertoire.labels)
    contexts = draw_contexts(truth, [names.index(label) for label in labels], tensor.window, rng)
    epoch = truth.song["epoch"].to_numpy()[trials["trial"].to_numpy()]
    counts = tensor.counts.astype(np.int64)
    if feature == "rate":
        ticks = np.rint(tensor.duration / TICK).astype(int)
        evidence = _known_duration(truth, contexts, counts[:, :, 0], ticks, epoch)
    else:
        evidence = _unknown_duration(truth, contexts, counts, epoch, tensor.window)
    return np.exp(evidence - logsumexp(evidence, axis=1, keepdims=True))


def draw_contexts(
    truth: Truth, labels: list[int], window: Window, rng: np.random.Generator
) -> Contexts:
    """Draw the same number of contexts for each label, in the order of `labels`.

    A synthesised song is drawn anew until it holds enough; a given song serves as it is.
    """
    song, states = truth.song, truth.states
    if not truth.settings.annotations:
        sessions = 1
        while True:
            song, _ = draw_song(truth.settings, truth.repertoire, rng, sessions)
            counts = song["label"].value_counts().reindex(labels, fill_value=0)
            if counts.min() >= CONTEXTS:
                break
            sessions *= 2
        states = neurons.draw_pair_states(truth.population, song["label"].to_numpy(), rng)
    label = song["label"].to_numpy()
    having = [np.flatnonzero(label == name) for name in labels]
    chosen = np.concatenate(
        [rng.choice(rows, CONTEXTS, replace=len(rows) < CONTEXTS) for rows in having]
    )
    # As many neighbours on each side as can reach into the window.
    reach = max(abs(window.start), abs(window.stop)) / TICK + 200
    shortest = (song["stop"] - song["start"]).min() + 5
    neighbours = int(np.ceil(reach / shortest))
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
    row = truth.population.table.iloc[unit]
    before, after = (np.array([1, -1]) * row["lead"] + 5 * row["width"]) / TICK
    total = np.zeros((len(contexts.label), 1))
    for index in range(contexts.events["label"].shape[1]):
        event = {name: values[:, index] for name, values in contexts.events.items()}
        present = event["label"] >= 0
        near = (event["stop"] + after > ticks.min()) & (event["start"] - before < ticks.max())
        if not (present & near).any():
            continue
        total = total + neurons.evoked_rate(
            truth.population, unit, ticks, event, truth.settings, contexts.states[unit, :, index]
        )
    return total


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
    refractory = start.shape[-1] - 1
    chain = np.zeros((*start.shape[:2], most + 1, refractory + 1))
    chain[:, :, 0] = start
    for chance in hazard.T[:, :, None, None]:
        free = chain[..., 0]
        moved = np.zeros_like(chain)
        moved[..., :-1] = chain[..., 1:]
        moved[..., 0] += free * (1 - chance)
        moved[:, :, 1:, refractory] += free[:, :, :-1] * chance
        chain = moved
    return chain


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
    joint = [
        _log(agree if first == second else differ) + members[0][first] + members[1][second]
        for first in (0, 1)
        for second in (0, 1)
    ]
    return logsumexp(joint, axis=0)


def _total(truth: Truth, label: np.ndarray, single) -> np.ndarray:
    """Add the log likelihoods of all units; ``single(unit, state)`` gives one unit's."""
    pair = truth.population.table["pair"].to_numpy()
    total = sum(single(unit, 0) for unit in np.flatnonzero(pair < 0))
    for index in range(len(truth.population.sign)):
        units = np.flatnonzero(pair == index)
        members = [{state: single(unit, state) for state in (0, 1)} for unit in units]
        total = total + _pair_evidence(truth, label, index, members)
    return total


def _unknown_duration(
    truth: Truth, contexts: Contexts, counts: np.ndarray, epoch: np.ndarray, window: Window
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
    epochs = np.unique(epoch)

    def single(unit: int, state: int) -> np.ndarray:
        evoked = _evoked(truth, unit, contexts, ticks)
        if state:
            evoked = evoked + _high_state(truth, unit, contexts, ticks)
        refractory = int(people.table["refractory"].iat[unit])
        likelihood = np.empty((len(counts), len(contexts.label)))
        for now in epochs:
            gain = truth.gains[unit, now]
            chance = neurons.hazard(people.table["base"].iat[unit], evoked, gain, settings.tuning)
            chance = np.where(local < stop, chance, 0.0)
            rows = np.flatnonzero(epoch == now)
            seen, back = np.unique(counts[rows, unit], axis=0, return_inverse=True)
            every = np.broadcast_to(np.eye(refractory + 1), (len(chance), *2 * [refractory + 1]))
            forward = _start(chance[:, :BURN_IN], refractory)
            for index, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
                part = chance[:, a - local[0] : b - local[0]]
                # The first bin starts from one distribution, the others from each state.
                first = forward if index == 0 else every
                chain = count_chain(part, first, int(seen[:, index].max()))[:, :, seen[:, index]]
                step = "xste->xte" if index == 0 else "xts,xste->xte"
                operands = (chain,) if index == 0 else (forward, chain)
                forward = np.einsum(step, *operands)
            likelihood[rows] = _log(forward.sum(axis=2)).T[back.reshape(-1)]
        return likelihood

    total = _total(truth, contexts.label, single)
    per_label = total.reshape(len(counts), -1, CONTEXTS)
    return logsumexp(per_label, axis=2)


def _known_duration(
    truth: Truth, contexts: Contexts, counts: np.ndarray, ticks: np.ndarray, epoch: np.ndarray
) -> np.ndarray:
    """Log evidence (trials, labels) of counts and duration together.

    The contexts' middle syllables take the trial's duration, whose probability under the label
    counts as well: a rate is count / duration, and the counts of many units give the duration away.
    """
    durations = contexts.duration.reshape(-1, CONTEXTS)
    prior = _duration_prior(truth, contexts.label[::CONTEXTS], durations, ticks)
    trial, label = np.nonzero(prior > prior.max(axis=1, keepdims=True) + np.log(IMPROBABLE))
    rows = (label[:, None] * CONTEXTS + np.arange(RATE_CONTEXTS)).ravel()
    which = np.repeat(trial, RATE_CONTEXTS)
    # Contexts of like durations go together, so that few ticks are computed in vain.
    order = np.argsort(ticks[which], kind="stable")
    total = np.empty(len(which))
    for part in np.split(order, np.arange(CHUNK, len(order), CHUNK)):
        chosen = contexts.take(rows[part]).with_duration(ticks[which[part]])
        total[part] = _known_counts(truth, chosen, counts[which[part]], epoch[which[part]])
    total = total.reshape(-1, RATE_CONTEXTS)
    evidence = np.full(prior.shape, -np.inf)
    evidence[trial, label] = prior[trial, label] + logsumexp(total, axis=1) - np.log(RATE_CONTEXTS)
    return evidence


def _known_counts(
    truth: Truth, contexts: Contexts, counts: np.ndarray, epoch: np.ndarray
) -> np.ndarray:
    """Log likelihood (contexts,) of one row of counts (contexts, units) per context."""
    people = truth.population
    local = np.arange(-BURN_IN, contexts.duration.max())

    def single(unit: int, state: int) -> np.ndarray:
        evoked = _evoked(truth, unit, contexts, local)
        if state:
            evoked = evoked + _high_state(truth, unit, contexts, local)
        gain = truth.gains[unit, epoch][:, None]
        base = people.table["base"].iat[unit]
        chance = neurons.hazard(base, evoked, gain, truth.settings.tuning)
        chance = np.where(local < contexts.duration[:, None], chance, 0.0)
        begin = _start(chance[:, :BURN_IN], int(people.table["refractory"].iat[unit]))
        chain = count_chain(chance[:, BURN_IN:], begin, int(counts[:, unit].max()))
        return _log(chain[np.arange(len(counts)), 0, counts[:, unit]].sum(axis=-1))

    return _total(truth, contexts.label, single)


def _duration_prior(
    truth: Truth, label: np.ndarray, durations: np.ndarray, ticks: np.ndarray
) -> np.ndarray:
    """Log density (trials, labels) of the trials' durations, normal as they are drawn."""
    if truth.settings.annotations:
        mean, deviation = durations.mean(axis=1), durations.std(axis=1) + 0.5
    else:
        mean = truth.repertoire.durations[label] / TICK
        deviation = truth.settings.duration_cv * mean + 1e-3
    return -0.5 * ((ticks[:, None] - mean) / deviation) ** 2 - np.log(deviation)
