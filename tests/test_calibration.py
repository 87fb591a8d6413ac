"""What a verdict is worth: how often there is one where nothing is, over hundreds of birds.

Every test prints rows of the table in docs/validation.md; `make test-long` shows them.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest
from singing import SMALL, make_bird

from neuro2voc.artefacts import FOUND, check_artefacts
from neuro2voc.curves import Protocol, curve
from neuro2voc.decoding import outer_folds
from neuro2voc.discriminant import Discriminant, discriminate
from neuro2voc.evaluation import interval_over_bouts, p_value
from neuro2voc.features import features_maker, make_features
from neuro2voc.lag import lag_table
from neuro2voc.predecessors import predecessor_table
from neuro2voc.single_units import single_units
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.surrogates import surrogate
from neuro2voc.trials import make_trials, used_trials

pytestmark = pytest.mark.long

FOLDS = 3
TRIALS = {"bout_gap": 0.5, "labels": [], "folds": FOLDS}
WINDOWS = {"onset": {"align": "onset", "start": -0.1, "stop": 0.1, "bin": 0.02}}
LAG = {"reach": 0.15, "width": 0.03, "step": 0.03}
UNTUNED = Settings(
    syllable_types=3, units=6, pairs=1, sessions=2, bouts=8, tuning=0.0, audio_rate=0
)
SEEDS = range(1, 20)  # of the surrogates
LEVEL = 0.05


@cache
def untuned(seed):
    """A bird that knows nothing, with its trials, split and protocol."""
    recording, _, _ = simulate("bird", UNTUNED, seed)
    trials = make_trials(recording, **TRIALS)
    split = make_split("blocked", trials, recording.sessions, FOLDS, 0.5, seed)
    seeds = tuple(1000 * seed + number for number in SEEDS)
    return (
        recording,
        trials,
        split,
        Protocol("lda", "blocked", 3, 1000, seed, seeds, TRIALS, "onset"),
    )


def report(what, n, expected, measured, bound):
    print(f"| {what} | {n} | {expected} | {measured} | {bound} |")


def accept(what, alarms, level=LEVEL):
    """Report false alarms; refuse more than a test of this level has in 99 % of all cases."""
    n, most = len(alarms), int(binom.ppf(0.99, len(alarms), level))
    report(what, n, f"at most {level:.0%}", f"{np.mean(alarms):.1%} ({sum(alarms)})", most)
    assert sum(alarms) <= most


def accept_uniform(what, p):
    """Refuse p-values that are not uniform, each spread over the step it stands for."""
    spread = p - np.random.default_rng(0).random(len(p)) / (1 + len(SEEDS))
    fit = kstest(spread, "uniform")
    far = f"{fit.statistic:.3f} (p {fit.pvalue:.2f})"
    report(f"{what}: distance of p from uniform", len(p), "p above 0.01", far, "")
    assert fit.pvalue > 0.01


def balanced(bird, trials, split, names):
    """The balanced accuracy of the linear discriminant that curves use, by feature."""
    used = used_trials(trials)
    fold, label = outer_folds(used, split), used["label"].to_numpy()
    held = fold >= 0
    scores = {}
    for name, X in make_features(bird, used, names, WINDOWS).items():
        hit = pd.Series(discriminate(X, label, fold)[held] == label[held])
        scores[name] = hit.groupby(label[held]).mean().mean()
    return scores


def p_against(kind, seed, names):
    """The p of a bird that knows nothing against its surrogates, by feature."""
    bird, trials, split, protocol = untuned(seed)
    null = []
    for each in protocol.null_seeds:
        other = surrogate(bird, kind, each, trials)
        null.append(balanced(other, make_trials(other, **TRIALS), split, names))
    own = balanced(bird, trials, split, names)
    return {name: p_value(own[name], [scores[name] for scores in null]) for name in names}


@pytest.mark.parametrize(
    ("kind", "names"),
    [("shifted", ["onset", "count"]), ("poisson", ["onset"]), ("shuffled", ["onset"])],
)
def test_nulls(kind, names):
    p = pd.DataFrame([p_against(kind, seed, names) for seed in range(200)])
    for name in names:
        accept(f"`~{kind}`, {name}: p ≤ 0.05", p[name] <= LEVEL)
        accept_uniform(f"`~{kind}`, {name}", p[name])


def test_poisson_null_of_counts():
    """Units with refractory periods scatter less than Poisson units and tell durations better."""
    p = pd.Series([p_against("poisson", seed, ["count"])["count"] for seed in range(200)])
    accept("`~poisson`, count: p ≤ 0.05", p <= LEVEL, 2 * LEVEL)


def test_curves_have_the_p_of_what_was_calibrated():
    points_of = features_maker(["onset", "count"], WINDOWS)
    for seed in range(5):
        table = curve(*untuned(seed)[:3], points_of, untuned(seed)[3]).set_index("point")
        assert table["p"].to_dict() == pytest.approx(p_against("shifted", seed, list(table.index)))


def test_single_units_family_wise():
    best, units = [], []
    for seed in range(200):
        bird, trials, split, protocol = untuned(seed)
        table = single_units(bird, trials, split, WINDOWS, protocol)
        best.append(table["p_best"].min())
        units += table["p"].tolist()
    best, units = np.array(best), np.array(units)
    accept("single units: any of 6 with p_best ≤ 0.05", best <= LEVEL)
    share = f"{(units <= LEVEL).mean():.1%} ({(units <= LEVEL).sum()})"
    report("single units: each with p ≤ 0.05", len(units), "5%", share, "")
    accept_uniform("single units, the best's p_best", best)


def test_lag_verdicts():
    found = []
    for seed in range(200):
        bird, trials, split, protocol = untuned(seed)
        found.append(lag_table(bird, trials, split, LAG, protocol)[1])
    judged = [verdict for verdict in found if verdict["verdict"] != "unjudged"]
    assert len(judged) > 180
    for side in ("before", "after"):
        accept(f"lag: {side}_p ≤ 0.05", np.array([v[f"{side}_p"] for v in judged]) <= LEVEL)
    for verdict in ("premotor", "auditory"):
        accept(f"lag: verdict '{verdict}'", [v["verdict"] == verdict for v in judged])


def test_predecessor_verdicts():
    stands, p = [], []
    for seed in range(40):
        bird, trials, split, protocol = untuned(seed)
        table = predecessor_table(bird, trials, split, ["onset"], WINDOWS, protocol)
        row = table[(table["feature"] == "onset") & (table["training"] == "other company")]
        stands += (row["verdict"] == "stands").tolist()
        p += row["p"].tolist()
    assert len(p) > 30
    accept("other company, onset: p ≤ 0.05", np.array(p) <= LEVEL)
    accept("other company, onset: verdict 'stands'", stands)


def test_artefact_verdicts():
    settings = replace(SMALL, units=10)
    checks = [check_artefacts(*make_bird(seed, settings), seed=seed).checks for seed in range(100)]
    for place, name in enumerate(("crosstalk", "bursts", "clipping", "clock")):
        assert {each[place].check for each in checks} == {name}
        accept(f"artefacts: {name} FOUND", [each[place].verdict == FOUND for each in checks])


# Intervals


LONG = 2500  # bouts
FIRST = 50  # of them, for a decoder that is fitted once


@cache
def long_bird(seed):
    """A tuned bird's labels (trials,), bouts (trials,) and counts (trials, columns)."""
    settings = replace(UNTUNED, tuning=0.5, drift=0.0, sessions=1, bouts=LONG)
    recording, _, _ = simulate("bird", settings, seed)
    used = used_trials(make_trials(recording, **TRIALS))
    X = make_features(recording, used, ["onset"], WINDOWS)["onset"]
    bout = np.unique(used["bout"], return_inverse=True)[1]
    return used["label"].to_numpy(dtype=str), bout, X


def mean_recall(truth, prediction):
    return np.mean([(prediction == truth)[truth == label].mean() for label in np.unique(truth)])


def cross_validated(label, bout, X, chunk):
    """Predict a stretch of song over five blocks; and how well its models do elsewhere."""
    fold = 5 * (bout[chunk] - bout[chunk].min()) // (np.ptp(bout[chunk]) + 1)
    elsewhere = ~chunk & (np.arange(len(X)) % 3 == 0)
    prediction, accuracy = np.empty(chunk.sum(), dtype=object), []
    for now in range(5):
        train, test = fold != now, fold == now
        model = Discriminant().fit(X[chunk][train], label[chunk][train])
        prediction[test] = model.predict(X[chunk][test])
        accuracy.append(mean_recall(label[elsewhere], model.predict(X[elsewhere])))
    return prediction, np.mean(accuracy)


def interval(truth, prediction, bouts):
    return interval_over_bouts(truth, prediction, bouts, np.unique(truth), 1000, 0)


@pytest.mark.parametrize("bouts", [10, 20, 50])
def test_intervals_over_bouts_cover(bouts):
    """Not the 5 % aimed at: levels are what was measured, rounded up; see docs/validation.md."""
    crossed_level = 0.2 if bouts < 20 else 0.15
    levels = {
        "a decoder fitted elsewhere": 0.12 if bouts < 20 else 0.1,
        "these models": crossed_level,
    }
    levels["models of such songs"] = crossed_level
    missed = {name: [] for name in levels}
    for seed in range(4):
        label, bout, X = long_bird(seed)
        once = Discriminant().fit(X[bout < FIRST], label[bout < FIRST]).predict(X)
        starts = range(FIRST, FIRST + 49 * bouts, bouts)
        chunks = [(bout >= first) & (bout < first + bouts) for first in starts]
        crossed = [cross_validated(label, bout, X, chunk) for chunk in chunks]
        usual = mean_recall(
            np.concatenate([label[chunk] for chunk in chunks]),
            np.concatenate([prediction for prediction, _ in crossed]),
        )
        elsewhere = mean_recall(label[bout >= FIRST], once[bout >= FIRST])
        for chunk, (prediction, own) in zip(chunks, crossed, strict=True):
            given = interval(label[chunk], once[chunk], bout[chunk])
            mine = interval(label[chunk], prediction, bout[chunk])
            missed["a decoder fitted elsewhere"].append(not given[0] <= elsewhere <= given[1])
            missed["these models"].append(not mine[0] <= own <= mine[1])
            missed["models of such songs"].append(not mine[0] <= usual <= mine[1])
    for name, level in levels.items():
        accept(f"95 % interval of {bouts} bouts misses the accuracy of {name}", missed[name], level)
