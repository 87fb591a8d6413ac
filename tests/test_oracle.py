"""The oracle is the simulator's Bayes classifier: exact where it can be, calibrated everywhere."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import binom, chisquare, norm

from neuro2voc.binning import Window, make_tensor
from neuro2voc.configuration import SYLLABLE
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds
from neuro2voc.errors import DataError
from neuro2voc.features import feature_matrix
from neuro2voc.sources import oracle
from neuro2voc.sources.oracle import count_chain, oracle_posterior
from neuro2voc.sources.population import drop_refractory
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials, used_trials

SMALL = Settings(syllable_types=3, units=8, sessions=2, bouts=6)
WHOLE = Window(SYLLABLE, SYLLABLE)
ONSET = Window("onset", "onset", -0.1, 0.1, 0.02)
SHORT = Window("short", "onset", 0.0, 0.04, 0.02)
WINDOWS = {"count": WHOLE, "rate": WHOLE, "onset": ONSET, "short": SHORT}
Z99 = norm.ppf(0.99)  # of a one-sided test at 1 %


class Bird:
    """A simulated bird with its used trials, and what the oracle says of them."""

    def __init__(self, settings, seed, labels=None):
        self.recording, self.truth, _ = simulate("bird", settings, seed)
        self.every = make_trials(self.recording, 0.5, labels or [], 5)
        self.trials = used_trials(self.every)
        self.labels = sorted(self.trials["label"].unique())
        self.label = self.trials["label"].to_numpy()
        # Labels are equally probable to the oracle: so are they to its judge.
        n = self.trials["label"].map(self.trials["label"].value_counts()).to_numpy()
        self.weight = 1 / (n * len(self.labels))

    def tensor(self, feature):
        return make_tensor(self.recording, self.trials, WINDOWS[feature])

    def posterior(self, feature, truth=None, tensor=None):
        tensor = self.tensor(feature) if tensor is None else tensor
        return oracle_posterior(truth or self.truth, self.trials, tensor, feature, self.labels)

    def correct(self, posterior):
        return np.array(self.labels)[posterior.argmax(axis=1)] == self.label


@pytest.fixture(scope="module")
def birds():
    return [Bird(SMALL, seed) for seed in range(6)]


@pytest.fixture(scope="module")
def posteriors(birds):
    return {name: [bird.posterior(name) for bird in birds] for name in WINDOWS}


def lead_of(birds, better, worse):
    """How much higher one balanced accuracy is than another on the same trials, in its errors.

    Trials are paired, so that only those on which the two differ count.
    """
    lead = [b.weight * (x.astype(float) - y) for b, x, y in zip(birds, better, worse, strict=True)]
    lead = np.concatenate(lead)
    return lead.sum() / max(np.sqrt((lead**2).sum()), 1e-12)


# Counts under a refractory period


@pytest.mark.parametrize("refractory", [0, 1, 2])
@pytest.mark.parametrize("ticks", [1, 2, 6])
def test_count_chain_agrees_with_every_possible_train(ticks, refractory):
    rng = np.random.default_rng(ticks)
    hazard = rng.uniform(0.05, 0.9, (3, ticks))
    states = refractory + 1
    expected = np.zeros((3, states, ticks + 1, states))
    for begin in range(states):
        for train in itertools.product([0, 1], repeat=ticks):
            probability, silent = np.ones(3), begin
            for tick, spike in enumerate(train):
                if silent:
                    probability = probability * (not spike)
                    silent -= 1
                else:
                    chance = hazard[:, tick]
                    probability = probability * (chance if spike else 1 - chance)
                    silent = refractory if spike else 0
            expected[:, begin, sum(train), silent] += probability
    start = np.broadcast_to(np.eye(states), (3, states, states))
    chain = count_chain(hazard, start, ticks)
    np.testing.assert_allclose(chain, expected, atol=1e-14)
    np.testing.assert_allclose(chain.sum(axis=(2, 3)), 1)
    # Counts above those asked for are left out; the others stay as they are.
    np.testing.assert_allclose(count_chain(hazard, start, 1), expected[:, :, :2], atol=1e-14)


@pytest.mark.parametrize("refractory", [0, 2])
def test_count_chain_agrees_with_the_simulators_own_trains(refractory):
    rng = np.random.default_rng(1)
    hazard = np.clip(0.1 + 0.1 * np.sin(np.arange(60) / 5), 0, 1)
    trains = rng.random((4000, 60)) < hazard
    counts = [len(drop_refractory(np.flatnonzero(train), refractory)) for train in trains]
    start = np.eye(refractory + 1)[None, :1]
    expected = count_chain(hazard[None], start, 60)[0, 0].sum(axis=1) * len(counts)
    seen = np.bincount(counts, minlength=61)
    common = expected > 10
    seen = np.r_[seen[common], seen[~common].sum()]
    assert chisquare(seen, np.r_[expected[common], expected[~common].sum()]).pvalue > 0.01


# Posteriors


def test_posteriors_are_probabilities_and_the_same_each_time(birds, posteriors):
    for name, per_bird in posteriors.items():
        for bird, posterior in zip(birds, per_bird, strict=True):
            assert posterior.shape == (len(bird.trials), 4)
            assert (posterior >= 0).all()
            np.testing.assert_allclose(posterior.sum(axis=1), 1)
        np.testing.assert_array_equal(birds[0].posterior(name), per_bird[0])


def calibration(birds, posteriors):
    """Accuracy minus mean confidence, in standard errors; trials weighted as the prior says."""
    gap, variance = 0.0, 0.0
    for bird, posterior in zip(birds, posteriors, strict=True):
        confidence = posterior.max(axis=1)
        gap += (bird.weight * (bird.correct(posterior) - confidence)).sum()
        variance += (bird.weight**2 * confidence * (1 - confidence)).sum()
    return gap / np.sqrt(variance)


@pytest.mark.parametrize("feature", ["count", "rate", "short"])
def test_the_oracle_is_as_often_right_as_it_says(birds, posteriors, feature):
    """A Bayes classifier's mean posterior of what it predicts is its accuracy."""
    assert abs(calibration(birds, posteriors[feature])) < norm.ppf(0.995)
    hits = [b.weight @ b.correct(p) for b, p in zip(birds, posteriors[feature], strict=True)]
    assert np.mean(hits) > 0.35


def test_with_more_contexts_the_oracle_is_calibrated_in_many_bins_too(birds, monkeypatch):
    """In ten bins of eight units few contexts fit a trial, and a mean over few overfits to them."""
    monkeypatch.setattr(oracle, "CONTEXTS", 256)
    some = birds[:4]
    assert abs(calibration(some, [bird.posterior("onset") for bird in some])) < norm.ppf(0.995)


def test_without_tuning_the_oracle_knows_nothing_of_a_fixed_window():
    bird = Bird(replace(SMALL, tuning=0.0), 1)
    for name in ("onset", "short"):
        np.testing.assert_allclose(bird.posterior(name), 0.25, atol=1e-9)
    # Whole syllables have durations, which counts give away and rates still more.
    hits = {name: bird.weight @ bird.correct(bird.posterior(name)) for name in ("count", "rate")}
    chance = binom.ppf(0.99, len(bird.trials), 0.25) / len(bird.trials)
    assert chance < hits["count"] < hits["rate"]


def test_without_tuning_the_posterior_has_a_closed_form():
    """Given a rate: the normal mass of the duration's tick, as the counts say nothing beyond it.

    Given a count: that of a renewal process in its steady state, over the durations of the label.
    """
    alike = replace(SMALL, tuning=0.0, drift=0.0, mua=0.0, shortest=0.09, longest=0.11)
    bird = Bird(alike, 4, ["a", "b", "c"])
    mean = bird.truth.repertoire.durations[[1, 2, 3]] * 1000
    ticks = np.rint((bird.trials["offset"] - bird.trials["onset"]).to_numpy() * 1000)
    mass = np.diff(
        norm.cdf([ticks[:, None] - 0.5, ticks[:, None] + 0.5], mean, 0.06 * mean), axis=0
    )
    expected = mass[0] / mass[0].sum(axis=1, keepdims=True)
    # The oracle drops odds below one in a million.
    np.testing.assert_allclose(bird.posterior("rate"), expected, rtol=1e-5, atol=3e-6)

    rng = np.random.default_rng(bird.truth.seed)
    contexts = oracle.draw_contexts(bird.truth, [1, 2, 3], WHOLE, rng)
    counts = bird.tensor("count").counts[:, :, 0].astype(int)
    likelihood = np.ones((len(counts), len(contexts.label)))
    for unit, base in enumerate(bird.truth.population.table["base"]):
        chance = -np.expm1(-base / 1000)
        start = np.array([1, chance, chance]) / (1 + 2 * chance)
        of_duration = {
            duration: count_chain(np.full((1, duration), chance), start[None, None], counts.max())
            for duration in set(contexts.duration)
        }
        each = np.array([of_duration[d][0, 0].sum(axis=-1) for d in contexts.duration])
        likelihood *= each[:, counts[:, unit]].T
    evidence = likelihood.reshape(len(counts), 3, -1).mean(axis=2)
    expected = evidence / evidence.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(bird.posterior("count"), expected, rtol=1e-5)


@pytest.mark.parametrize("feature", ["count", "rate", "onset"])
def test_no_decoder_beats_the_oracle_beyond_its_error(birds, posteriors, feature):
    best = [b.correct(p) for b, p in zip(birds, posteriors[feature], strict=True)]
    for name, settings in (("logistic", {"model__C": 0.1}), ("svm", {"model__C": 3.0})):
        decoded = []
        for bird in birds:
            split = make_split("blocked", bird.every, bird.recording.sessions, 4, 0.5, 0)
            fold = outer_folds(bird.trials, split)
            assert (fold >= 0).all()
            X = feature_matrix(feature, bird.tensor(feature))
            frame = cross_decode(
                X, bird.trials, fold, fixed_fit(make_decoder(name, 0)[0], settings)
            )
            decoded.append((frame["prediction"] == frame["truth"]).to_numpy())
        assert lead_of(birds, decoded, best) < Z99
        # The decoders do learn something, so that the bar is one.
        assert lead_of(birds, decoded, [np.full(len(d), 0.25) for d in decoded]) > Z99


# Information


def test_more_information_never_hurts(birds, posteriors):
    """A duration beside the counts, a longer window, more units."""
    hits = {
        name: [b.correct(p) for b, p in zip(birds, per_bird, strict=True)]
        for name, per_bird in posteriors.items()
    }
    assert lead_of(birds, hits["count"], hits["rate"]) < Z99
    assert lead_of(birds, hits["short"], hits["onset"]) < Z99
    few = []
    for bird in birds:
        alone = np.flatnonzero(bird.truth.population.table["pair"] < 0)[:3]
        seen = only_units(bird.tensor("count"), alone)
        few.append(bird.correct(bird.posterior("count", tensor=seen)))
    assert lead_of(birds, few, hits["count"]) < Z99
    # Here it even helps.
    for better, worse in (("rate", "count"), ("onset", "short")):
        assert lead_of(birds, hits[better], hits[worse]) > Z99


def only_units(tensor, columns):
    """A tensor of some of its units."""
    return replace(
        tensor,
        counts=tensor.counts[:, columns],
        observed=tensor.observed[:, columns],
        unit=tensor.unit[columns],
    )


def test_of_some_units_the_oracle_uses_those_whatever_their_order(birds):
    bird = birds[0]
    tensor, some = bird.tensor("count"), np.array([5, 0, 2])
    chosen = bird.posterior("count", tensor=only_units(tensor, some))
    again = bird.posterior("count", tensor=only_units(tensor, some[::-1]))
    np.testing.assert_allclose(chosen, again, rtol=1e-9)
    other = bird.posterior("count", tensor=only_units(tensor, some + 1))
    assert np.abs(chosen - other).max() > 0.1


def test_half_a_pair_is_known_by_summing_over_what_the_other_half_could_do():
    bird = Bird(replace(SMALL, units=2, pairs=1, mua=0, drift=0.0), 1)
    labels, window = list(range(4)), WINDOWS["short"]
    contexts = oracle.draw_contexts(bird.truth, labels, window, np.random.default_rng(0))

    def evidence(units, counts):
        epoch = np.zeros(len(counts), dtype=int)
        return oracle._unknown_duration(
            bird.truth, contexts, np.array(units), counts, epoch, window
        )

    # 20 ticks hold 7 spikes at most, each followed by two silent ticks.
    seen = np.array([[0, 0], [1, 0], [0, 2], [3, 1]])
    possible = np.array(list(itertools.product(range(8), repeat=2)))
    joint = np.array([[[mine, other] for other in possible] for mine in seen])
    each = evidence([0, 1], joint.reshape(-1, 2, 2)).reshape(len(seen), len(possible), -1)
    np.testing.assert_allclose(
        evidence([0], seen[:, None]), logsumexp(each, axis=1), rtol=0, atol=1e-9
    )


def test_what_the_oracle_cannot_judge_is_refused(birds):
    tensor = birds[0].tensor("onset")
    with pytest.raises(DataError, match="Unit '8' is none of the simulated bird's"):
        birds[0].posterior("onset", tensor=replace(tensor, unit=np.array(list("01234568"))))
    moving = replace(tensor, window=replace(ONSET, step=0.01))
    with pytest.raises(DataError, match="'onset' moves by 0.01 s in bins of 0.02 s"):
        birds[0].posterior("onset", tensor=moving)


@pytest.fixture(scope="module", params=[1.0, 0.0])
def pair_bird(request):
    """Nothing but one pair, seen in the middle of long syllables of like duration."""
    chosen = Settings(
        syllable_types=3,
        units=2,
        pairs=1,
        mua=0,
        drift=0,
        sessions=2,
        bouts=25,
        shortest=0.148,
        longest=0.152,
        duration_cv=0.02,
        synergy=request.param,
    )
    return Bird(chosen, 2, ["a", "b", "c"])


def test_a_pair_says_together_what_neither_member_says_alone(pair_bird, monkeypatch):
    """With synergy the oracle is above chance; without, and for each unit alone, it is not.

    That each unit alone says nothing is seen by an oracle to whom the pair's members are
    independent: its likelihood is the product of theirs.
    """
    bird, n = pair_bird, len(pair_bird.trials)
    monkeypatch.setitem(WINDOWS, "middle", Window("middle", "onset", 0.0, 0.06, 0.06))
    chance = binom.ppf([0.005, 0.995], n, 1 / 3) / n
    joint = bird.weight @ bird.correct(bird.posterior("middle"))
    people = replace(bird.truth.population, synergy=0.0)
    alone = bird.posterior("middle", replace(bird.truth, population=people))
    assert np.abs(alone - 1 / 3).max() < 0.05
    assert chance[0] < bird.weight @ bird.correct(alone) < chance[1]
    if bird.truth.population.synergy:
        # Two of the three share a sign: no more than 2 / 3 is possible.
        assert chance[1] < joint < 2 / 3
    else:
        assert chance[0] < joint < chance[1]


def test_a_trial_is_judged_with_its_own_epochs_gain():
    """Drift beyond measure: an oracle that knows the gains does better than one that does not."""
    bird = Bird(replace(SMALL, drift=1.5, bouts=15), 3)
    known = bird.correct(bird.posterior("count"))
    level = np.ones_like(bird.truth.gains)
    unknown = bird.correct(bird.posterior("count", replace(bird.truth, gains=level)))
    assert lead_of([bird], [known], [unknown]) > Z99
