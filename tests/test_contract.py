"""What each surrogate destroys, and what must then be seen: the statistics contract, tiny.

Twenty-four small simulated birds, one surrogate of each kind per bird, a logistic decoder with
fixed settings under blocked folds.

The test of one bird against chance takes the bout as its unit: trials of a bout overlap in time and
share spikes, those of different bouts do not. Each bout contributes the sum of its trials' excess
over chance, weighted so that classes count equally; the sums of all bouts over their standard error
are compared with Student's t at 5 %, one-sided. If there is nothing to find, the number of birds in
which it is found all the same is binomial: it may not exceed the 99 % bound. The mean over birds
has to agree with what is expected within its own standard error, at 1 %.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, t
from sklearn.naive_bayes import GaussianNB

from neuro2voc.binning import Window, make_tensor
from neuro2voc.comparison import baseline_fitting
from neuro2voc.configuration import SYLLABLE
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import cross_decode, fixed_fit, outer_folds
from neuro2voc.features import feature_matrix
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import make_split
from neuro2voc.surrogates import CHANGED, surrogate
from neuro2voc.trials import make_trials, used_trials

BIRDS = 24
SETTINGS = Settings(syllable_types=3, units=8, sessions=2, bouts=8)
CHANCE = 1 / 4
WINDOWS = {
    "count": Window(SYLLABLE, SYLLABLE),
    "rate": Window(SYLLABLE, SYLLABLE),
    "onset": Window("onset", "onset", -0.1, 0.1, 0.02),
}
REAL = "real"
# Each decoder with the cells it is needed for.
MODELS = {
    "logistic": (make_decoder("logistic", 0)[0].set_params(model__C=0.1), None),
    "bayes": (GaussianNB(), [(REAL, "count"), ("independent", "count")]),
    "xgboost": (make_decoder("xgboost", 0)[0], [("poisson", "rate"), ("shifted", "rate")]),
}


def judge(frame, trials):
    """Balanced accuracy, and t of its excess over chance with bouts as units."""
    counts = frame["truth"].value_counts()
    weight = 1 / (len(counts) * frame["truth"].map(counts))
    excess = weight * ((frame["truth"] == frame["prediction"]) - 1 / len(counts))
    bout = trials.set_index("trial")["bout"].loc[frame["trial"]].to_numpy()
    sums = excess.groupby(bout).sum()
    error = np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1))
    return sums.sum() + 1 / len(counts), sums.sum() / error, len(sums)


@pytest.fixture(scope="module")
def scores():
    """A row per bird, kind, feature and decoder: balanced accuracy and whether it beats chance."""
    rows = []
    for seed in range(BIRDS):
        bird, _, _ = simulate("bird", SETTINGS, seed)
        trials = make_trials(bird, 0.5, [], 5)
        split = make_split("blocked", trials, bird.sessions, 5, 0.5, 0)
        for kind in (REAL, *CHANGED):
            moved = bird if kind == REAL else surrogate(bird, kind, 1000 + seed, trials, split)
            used = used_trials(make_trials(moved, 0.5, [], 5))
            fold = outer_folds(used, split)
            features = {
                name: feature_matrix(name, make_tensor(moved, used, window))
                for name, window in WINDOWS.items()
            }
            cells = [
                (feature, name, X, model)
                for feature, X in features.items()
                for name, (model, only) in MODELS.items()
                if only is None or (kind, feature) in only
            ]
            only_duration, baseline = baseline_fitting("duration", used)
            cells.append(("duration", "baseline", only_duration["duration"], baseline))
            for feature, name, X, model in cells:
                frame = cross_decode(X, used, fold, fixed_fit(model))
                rows.append((seed, kind, feature, name, *judge(frame, used)))
    table = pd.DataFrame(
        rows, columns=["bird", "kind", "feature", "decoder", "score", "t", "bouts"]
    )
    table["found"] = table["t"] > t.ppf(0.95, table["bouts"] - 1)
    return table.set_index(["kind", "feature", "decoder", "bird"]).sort_index()


def bound(values):
    """Largest mean of these that may be due to chance, at 1 % two-sided."""
    return t.ppf(0.995, len(values) - 1) * values.std() / np.sqrt(len(values))


def test_in_the_real_birds_there_is_something_to_destroy(scores):
    """The test has the power to find in every bird what is there."""
    for feature in WINDOWS:
        assert scores.loc[REAL, feature, "logistic"]["found"].all()


DESTROYED = [
    ("shuffled", "count"),
    ("shuffled", "rate"),
    ("shuffled", "onset"),
    ("shifted", "onset"),
    ("poisson", "onset"),
]


@pytest.mark.parametrize(("kind", "feature"), DESTROYED)
def test_what_a_surrogate_destroys_is_at_chance(scores, kind, feature):
    """Bounded, both at 99 %: birds in which something is found, and their mean accuracy.

    The first bound is one for all cells together; tests/test_calibration.py has 200 birds of each.
    """
    cell = scores.loc[kind, feature, "logistic"]
    assert len(cell) == BIRDS
    assert cell["found"].sum() <= binom.ppf(1 - 0.01 / len(DESTROYED), BIRDS, 0.05)
    excess = cell["score"] - CHANCE
    assert abs(excess.mean()) <= bound(excess)


def test_shuffled_labels_have_no_durations_either(scores):
    cell = scores.loc["shuffled", "duration", "baseline"]
    assert cell["found"].sum() <= binom.ppf(0.99, BIRDS, 0.05)
    assert scores.loc["shifted", "duration", "baseline"]["found"].all()


@pytest.mark.parametrize("kind", ["shifted", "poisson"])
@pytest.mark.parametrize(("feature", "decoder"), [("count", "logistic"), ("rate", "xgboost")])
def test_of_whole_syllables_the_duration_is_left_and_nothing_else(scores, kind, feature, decoder):
    """Above chance, because counts grow with durations and rates are whole numbers over them.

    Bounded: the mean over birds lies above chance beyond its error, and not above the decoder that
    knows the duration and nothing else.
    """
    score = scores.loc[kind, feature, decoder]["score"]
    assert score.mean() - CHANCE > bound(score)
    beyond = score - scores.loc[kind, "duration", "baseline"]["score"]
    assert beyond.mean() <= bound(beyond)


@pytest.mark.parametrize("kind", ["shifted", "poisson"])
def test_beyond_the_duration_counts_say_nothing(kind):
    """Where all durations are alike, whole syllables are at chance too, and only the real is not.

    Bounded: the mean over birds (99 %).
    """
    alike = Settings(
        syllable_types=3,
        units=8,
        sessions=2,
        bouts=8,
        shortest=0.1,
        longest=0.1,
        duration_cv=0.0,
    )
    excess = {"real": [], kind: []}
    for seed in range(12):
        bird, _, _ = simulate("bird", alike, seed)
        # Introductory notes are shorter.
        trials = make_trials(bird, 0.5, ["a", "b", "c"], 5)
        used = used_trials(trials)
        fold = outer_folds(used, make_split("blocked", trials, bird.sessions, 5, 0.5, 0))
        for name, moved in ((REAL, bird), (kind, surrogate(bird, kind, seed))):
            tensor = make_tensor(moved, used, WINDOWS["count"])
            frame = cross_decode(
                feature_matrix("count", tensor), used, fold, fixed_fit(MODELS["logistic"][0])
            )
            excess[name].append(judge(frame, used)[0] - 1 / 3)
    real, moved = (pd.Series(values) for values in excess.values())
    assert abs(moved.mean()) <= bound(moved)
    assert real.mean() > bound(real)


@pytest.mark.parametrize(
    ("feature", "decoder"), [("count", "logistic"), ("count", "bayes"), ("onset", "logistic")]
)
def test_independent_units_keep_their_tuning(scores, feature, decoder):
    """Each unit's counts are the same within each class, so decoders of single units lose nothing.

    Bounded: the mean difference to the real birds, pair by pair (99 %). That the joint pattern goes
    is tested beside the other surrogates, where it is planted in full.
    """
    real, moved = (scores.loc[kind, feature, decoder]["score"] for kind in (REAL, "independent"))
    difference = moved - real
    assert abs(difference.mean()) <= bound(difference)
    assert scores.loc["independent", feature, decoder]["found"].all()
