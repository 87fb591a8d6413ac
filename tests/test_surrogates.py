"""Each surrogate destroys one thing and leaves the rest as it was."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2, kstest, norm

from neuro2voc.binning import Window, make_tensor
from neuro2voc.configuration import SYLLABLE
from neuro2voc.errors import DataError
from neuro2voc.recording import Binned, Recording, Units
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import folds_of, make_split
from neuro2voc.surrogates import CHANGED, surrogate
from neuro2voc.trials import make_trials

WHOLE = Window(SYLLABLE, SYLLABLE)
BOUNDS = np.array([[0.0, 300.0], [300.0, 360.0]])
LEAST = np.array([10.0, 6.0])  # s: 10 s, or a tenth of the session


def bird(trains, observed=None, syllables=None):
    sessions = pd.DataFrame(BOUNDS, columns=["start_time", "stop_time"])
    sessions.insert(0, "session", ["s0", "s1"])
    table = pd.DataFrame(index=pd.RangeIndex(len(trains), name="unit"))
    return Recording("bird", Units(tuple(trains), table, observed), syllables, sessions)


def regular(rate, begin=0.003):
    """A unit that fires like a clock."""
    return np.arange(begin, 360, 1 / rate)


def per_session(times):
    return [times[(times >= start) & (times < stop)] for start, stop in BOUNDS]


@pytest.fixture(scope="module")
def song():
    """A simulated bird with a stereotyped song, its trials and folds: few, large groups."""
    chosen = Settings(
        syllable_types=3, units=12, sessions=1, bouts=60, stereotypy=1, pairs=2, drift=0, mua=0
    )
    recording, truth, _ = simulate("bird", chosen, 3)
    trials = make_trials(recording, 0.5, [], 2)
    return recording, truth, trials, make_split("blocked", trials, recording.sessions, 2, 0.5, 0)


# Shuffled


def test_shuffled_permutes_labels_within_sessions_and_changes_nothing_else():
    rng = np.random.default_rng(0)
    start = np.arange(0.5, 360, 0.5)
    syllables = pd.DataFrame({"start_time": start, "stop_time": start + 0.1})
    syllables["session"] = np.where(start < 300, "s0", "s1")
    syllables["label"] = np.where(start < 300, rng.choice(list("ab"), 719), "c")
    recording = bird([regular(5)], syllables=syllables)
    shuffled = surrogate(recording, "shuffled", 1)
    assert shuffled.units is recording.units
    new = shuffled.syllables
    pd.testing.assert_frame_equal(new.drop(columns="label"), syllables.drop(columns="label"))
    old, moved = (
        f.groupby("session")["label"].apply(lambda s: sorted(s)) for f in (syllables, new)
    )
    assert old.tolist() == moved.tolist()
    # A permutation leaves a label where another of its kind was, no oftener than by chance.
    first = (syllables["session"] == "s0").to_numpy()
    share = syllables["label"][first].value_counts(normalize=True)
    kept = (new["label"] == syllables["label"])[first].mean()
    assert abs(kept - (share**2).sum()) < 4 / np.sqrt(4 * first.sum())
    assert (surrogate(recording, "shuffled", 2).syllables["label"] != new["label"]).any()


def test_shuffled_leaves_alone_what_is_not_decoded():
    syllables = pd.DataFrame(
        {
            "start_time": np.arange(40.0),
            "stop_time": np.arange(40.0) + 0.5,
            "label": list("abxx" * 10),
            "session": "s0",
        }
    )
    recording = bird([regular(5)], syllables=syllables)
    trials = make_trials(recording, 0.6, ["a", "b"], 2)
    new = surrogate(recording, "shuffled", 1, trials).syllables["label"]
    assert ((new == "x") == (syllables["label"] == "x")).all()
    assert (new != syllables["label"]).any()


# Shifted


def lags_of(recording, shifted):
    """Lag of each session, read from the marker: a last unit that fires once per session."""
    return (shifted.units.spike_times[-1] - recording.units.spike_times[-1]) % np.diff(BOUNDS).T[0]


@pytest.fixture(scope="module")
def marked():
    rng = np.random.default_rng(5)
    return bird(
        [np.sort(rng.uniform(0, 360, 900)), regular(7), np.array([]), np.array([40.0, 310.0])]
    )


@settings(derandomize=True, max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**60))
def test_shifted_turns_each_session_by_one_lag_that_all_units_share(marked, seed):
    shifted = surrogate(marked, "shifted", seed)
    lags = lags_of(marked, shifted)
    assert (lags >= LEAST - 1e-9).all()
    assert (lags <= np.diff(BOUNDS).T[0] - LEAST + 1e-9).all()
    for old, new in zip(marked.units.spike_times, shifted.units.spike_times, strict=True):
        for a, b, lag, (start, stop) in zip(
            per_session(old), per_session(new), lags, BOUNDS, strict=True
        ):
            expected = np.sort(start + (a - start + lag) % (stop - start))
            np.testing.assert_allclose(b, expected, atol=1e-9)
    assert shifted.syllables is marked.syllables


def test_shifted_keeps_intervals_between_spikes_except_where_the_circle_closes(marked):
    shifted = surrogate(marked, "shifted", 1)
    for old, new in zip(marked.units.spike_times[:2], shifted.units.spike_times[:2], strict=True):
        for a, b in zip(per_session(old), per_session(new), strict=True):
            a, b = np.sort(np.diff(a)), np.sort(np.diff(b))
            # One interval is opened at the session's edge, and one closed.
            common = sum(np.isclose(b, x, atol=1e-9).any() for x in a)
            assert common >= len(a) - 1


def test_lags_are_uniform_differ_between_replicates_and_follow_their_seed(marked):
    lags = np.array([lags_of(marked, surrogate(marked, "shifted", seed)) for seed in range(200)])
    for lag, least, length in zip(lags.T, LEAST, np.diff(BOUNDS).T[0], strict=True):
        assert len(np.unique(lag)) == 200
        assert kstest((lag - least) / (length - 2 * least), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(lags.T)[0, 1]) < norm.ppf(0.995) / np.sqrt(200)
    again = lags_of(marked, surrogate(marked, "shifted", 7))
    np.testing.assert_array_equal(again, lags[7])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**60), stop=st.floats(40, 290))
def test_units_observed_for_different_times_are_all_shifted_far_enough(seed, stop):
    """On each unit's own clock; units observed alike still move alike."""
    trains = [np.linspace(5, stop - 1, 50), np.linspace(5, stop - 1, 50), np.linspace(1, 299, 99)]
    recording = bird(trains)
    part, whole = np.array([[0.0, stop]]), np.array([[0.0, 300.0]])
    units = replace(recording.units, observed=(part, part, whole))
    moved = surrogate(recording.with_units(units), "shifted", seed).units.spike_times
    np.testing.assert_array_equal(moved[0], moved[1])
    for old, new, length in zip(trains, moved, (stop, stop, 300.0), strict=True):
        assert len(new) == len(old) and new.min() >= 0 and new.max() < length
        lags = [lag for lag in (new - old[0]) % length if _same(old, new, lag, length)]
        assert lags and min(lags[0], length - lags[0]) >= min(10, length / 10) - 1e-6


def _same(old, new, lag, length):
    return np.allclose(np.sort((old + lag) % length), new, atol=1e-6)


# Activity in bins


def binned(rate=7.3, start=-0.4, observed=None, bins=2640, units=3):
    """Levels that name their bin, from before the sessions to after; an event in each fifth bin."""
    values = np.arange(bins, dtype=np.float32)[:, None] + 10_000 * np.arange(units)
    middle = start + (np.arange(bins) + 0.5) / rate
    table = pd.DataFrame(index=pd.RangeIndex(units, name="unit"))
    events = tuple(middle[unit::5] for unit in range(units))
    values = values.astype(np.float32)
    return Binned(values, rate, start, table, False, events=events, observed=observed)


def bins_inside(units, intervals):
    begin = units.start_time + np.arange(len(units.values)) / units.rate
    inside = [(begin >= a - 1e-4) & (begin + 1 / units.rate <= b + 1e-4) for a, b in intervals]
    return np.flatnonzero(np.any(inside, axis=0))


@settings(derandomize=True, max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**60))
def test_bins_turn_with_their_events_by_one_whole_lag_in_each_session(seed):
    recording = bird([regular(5)]).with_units(binned())
    old, new = recording.units, surrogate(recording, "shifted", seed).units
    moved = np.zeros(len(old.values), dtype=bool)
    for bounds, least in zip(BOUNDS, LEAST, strict=True):
        bins = bins_inside(old, [bounds])
        moved[bins] = True
        lag = np.flatnonzero(new.values[bins, 0] == old.values[bins[0], 0])[0]
        assert least - 1e-9 <= lag / old.rate <= len(bins) / old.rate - least + 1e-9
        assert_array_equal(new.values[bins], np.roll(old.values[bins], lag, axis=0))
    assert_array_equal(new.values[~moved], old.values[~moved])
    for unit in range(3):
        # Each event still lies in the middle of the bin that it was found in.
        bins = (new.events[unit] - new.start_time) * new.rate - 0.5
        assert_allclose(bins, np.rint(bins), atol=1e-6)
        marked = old.values[np.arange(unit, len(old.values), 5), unit]
        marked = marked[moved[(marked - 10_000 * unit).astype(int)]]
        assert_array_equal(np.sort(new.values[np.rint(bins).astype(int), unit]), marked)


def test_bins_turn_within_the_time_in_which_their_unit_was_observed():
    spans = (np.array([[0.0, 100.0], [150, 320]]), np.array([[0.0, 360.0]]), np.zeros((0, 2)))
    recording = bird([regular(5)]).with_units(binned(observed=spans))
    old, new = recording.units, surrogate(recording, "shifted", 3).units
    for unit, intervals in enumerate(spans):
        inside = np.zeros(len(old.values), dtype=bool)
        for start, stop in BOUNDS:
            bins = bins_inside(old, np.clip(intervals, start, stop))
            inside[bins] = True
            assert_array_equal(np.sort(new.values[bins, unit]), old.values[bins, unit])
        assert_array_equal(new.values[~inside, unit], old.values[~inside, unit])
        assert (new.values[inside, unit] != old.values[inside, unit]).all()


@pytest.mark.parametrize("kind", ["poisson", "independent"])
def test_surrogates_of_spikes_are_refused_for_activity_in_bins(kind, song):
    recording, _, trials, split = song
    recording = recording.with_units(binned(rate=30.0))
    words = f"The surrogate '{kind}' needs spike times, but the activity of bird is given in bins"
    with pytest.raises(DataError, match=words):
        surrogate(recording, kind, 1, trials, split)


def test_without_labels_there_is_nothing_to_shuffle():
    empty = pd.DataFrame(columns=["start_time", "stop_time", "label", "session"])
    recording = bird([regular(5)], syllables=empty)
    trials = make_trials(recording, 0.5, [], 2)
    with pytest.raises(DataError, match="bird has no labels"):
        surrogate(recording, "shuffled", 1, trials)
    assert len(surrogate(recording, "shifted", 1, trials).units) == 1


# Poisson


def test_poisson_keeps_mean_rates_and_forgets_everything_else():
    """A clock becomes a Poisson train; two units that fired together no longer do."""
    rates = np.r_[np.repeat(np.geomspace(2, 60, 20), 2)]
    recording = bird([regular(rate) for rate in rates])
    new = surrogate(recording, "poisson", 4).units.spike_times
    z = []
    for old, train in zip(recording.units.spike_times, new, strict=True):
        assert (np.diff(train) > 0).all()
        for a, b, (start, stop) in zip(per_session(old), per_session(train), BOUNDS, strict=True):
            z.append((len(b) - len(a)) / np.sqrt(len(a)))
            assert b.min() >= start
            assert b.max() < stop
    # Counts scatter like Poisson counts around the parent's: neither more nor less.
    assert chi2.ppf(0.005, len(z)) < np.sum(np.square(z)) < chi2.ppf(0.995, len(z))
    assert abs(np.sum(z)) < norm.ppf(0.995) * np.sqrt(len(z))
    for old, train in zip(recording.units.spike_times[::8], new[::8], strict=True):
        gaps = np.diff(train[train < 300])
        assert kstest(gaps, "expon", (0, 300 / np.sum(old < 300))).pvalue > 0.01
    edges = np.arange(0, 360, 0.5)
    counts = np.array([np.histogram(train, edges)[0] for train in new])
    correlations = np.array([np.corrcoef(counts[i : i + 2])[0, 1] for i in range(0, 40, 2)])
    assert abs(correlations.mean()) < norm.ppf(0.995) / np.sqrt(20 * len(edges))


@pytest.mark.parametrize("kind", ["shifted", "poisson"])
def test_moved_spikes_stay_where_the_unit_was_observed(kind):
    observed = (
        np.array([[10.0, 50.0], [200.0, 330.0]]),
        np.array([[0.0, 360.0]]),
        np.zeros((0, 2)),
    )
    trains = [regular(20), regular(20), np.array([])]
    first = trains[0]
    inside = ((first >= 10) & (first < 50)) | ((first >= 200) & (first < 330))
    trains[0] = first[inside]
    recording = bird(trains, observed)
    moved = surrogate(recording, kind, 2).units
    assert moved.observed is observed
    for train, intervals in zip(moved.spike_times, observed, strict=True):
        within = (train[:, None] >= intervals[:, 0]) & (train[:, None] < intervals[:, 1])
        assert within.any(axis=1).all()
    counts = [len(part) for part in per_session(moved.spike_times[0])]
    expected = [len(part) for part in per_session(trains[0])]
    if kind == "shifted":
        assert counts == expected
    else:
        assert (np.abs(np.subtract(counts, expected)) < 4 * np.sqrt(expected)).all()
    # The density of spikes is that of the observed time, in its first part and its second.
    part = np.mean(moved.spike_times[0] < 50) * len(trains[0])
    assert abs(part - 40 * 20) < 4 * np.sqrt(40 * 20)


# Independent


def groups_of(trials, split):
    fold = folds_of(split, trials["onset"].to_numpy(), trials["offset"].to_numpy())
    return trials.groupby(["label", "session", fold]).indices


def test_independent_keeps_every_units_counts_within_class_session_and_fold(song):
    recording, _, trials, split = song
    moved = surrogate(recording, "independent", 1, trials, split)
    old, new = (make_tensor(r, trials, WHOLE).counts[:, :, 0] for r in (recording, moved))
    for rows in groups_of(trials, split).values():
        np.testing.assert_array_equal(np.sort(old[rows], axis=0), np.sort(new[rows], axis=0))
    assert (old != new).any(axis=0).all()
    for train in moved.units.spike_times:
        assert (np.diff(train) > 0).all()
    pd.testing.assert_frame_equal(moved.syllables, recording.syllables)


def test_independent_leaves_spikes_between_bouts_where_they_are(song):
    recording, _, trials, split = song
    moved = surrogate(recording, "independent", 1, trials, split)
    bouts = trials.groupby("bout").agg(onset=("onset", "min"), offset=("offset", "max"))

    def between(times):
        row = np.searchsorted(bouts["onset"] - 0.2, times, side="right") - 1
        return times[(row < 0) | (times >= bouts["offset"].to_numpy()[row] + 0.2)]

    for a, b in zip(recording.units.spike_times, moved.units.spike_times, strict=True):
        np.testing.assert_array_equal(between(a), between(b))


def test_independent_keeps_what_a_unit_does_around_its_syllable(song):
    """Mean counts per class in 20 ms bins of the syllable and the gap before it stay."""
    recording, _, trials, split = song
    window = Window("w", "onset", -0.02, 0.06, 0.02)
    old = make_tensor(recording, trials, window).counts.astype(float)
    deviations = []
    for seed in range(5):
        moved = surrogate(recording, "independent", seed, trials, split)
        new = make_tensor(moved, trials, window).counts
        for label in "iabc":
            rows = (trials["label"] == label).to_numpy()
            spread = np.sqrt(old[rows].var(axis=0) + 1 / rows.sum())
            change = new[rows].mean(axis=0) - old[rows].mean(axis=0)
            deviations.append(change / spread * np.sqrt(rows.sum()))
    # Gaps and syllables are stretched, so that single spikes change bins, but no mean rate changes.
    change = np.mean(np.reshape(deviations, (5, -1)), axis=0)
    assert np.abs(change).max() < norm.ppf(1 - 0.005 / change.size)
    assert np.std(deviations) < 1


def agreement(recording, truth, trials):
    """Mean of sign x correlation of pair members' residual counts within class."""
    counts = make_tensor(recording, trials, WHOLE).counts[:, :, 0].astype(float)
    label = trials["label"].map({n: i for i, n in enumerate(truth.repertoire.labels)}).to_numpy()
    residual = counts - pd.DataFrame(counts).groupby(label).transform("mean").to_numpy()
    pair = truth.population.table["pair"].to_numpy()
    values = []
    for index, sign in enumerate(truth.population.sign):
        one, other = residual[:, np.flatnonzero(pair == index)].T
        values.append((one * other * sign[label]).mean() / (one.std() * other.std()))
    return np.array(values)


def test_independent_destroys_the_joint_pattern_of_pairs(song):
    """A planted synergy is there before and, within chance, gone after.

    Two units of a group of n trials still meet by chance in 1 of n of them, in all groups together
    in (number of groups / number of trials): here in few.
    """
    recording, truth, trials, split = song
    before = agreement(recording, truth, trials)
    assert (before > 0.3).all()
    after = np.array(
        [
            agreement(surrogate(recording, "independent", seed, trials, split), truth, trials)
            for seed in range(20)
        ]
    )
    # Of one replicate the correlation of n independent trials scatters by 1 / sqrt(n).
    assert (np.abs(after) < before.min() / 2).all()
    allowed = norm.ppf(0.995) / np.sqrt(len(trials) * after.size) + 0.1 * before.mean()
    assert abs(after.mean()) < allowed


def gapped(abutting, n=40):
    """n a–b bouts of two trials in one session; in some the second follows without a gap."""
    rng = np.random.default_rng(0)
    rows = []
    for bout in range(n):
        onset = 5.0 * bout + 1
        gap = 0.0 if abutting[bout] else 0.05
        rows += [(onset, onset + 0.1, "a"), (onset + 0.1 + gap, onset + 0.2 + gap, "b")]
    syllables = pd.DataFrame(rows, columns=["start_time", "stop_time", "label"])
    recording = bird([np.sort(rng.uniform(0, 300, 12_000)) for _ in range(3)])
    recording = recording.with_syllables(syllables.assign(session="s0"))
    trials = make_trials(recording, 0.5, [], 2)
    return recording, trials, make_split("blocked", trials, recording.sessions, 2, 0.5, 0)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_independent_keeps_counts_where_some_syllables_follow_without_a_gap(share):
    recording, trials, split = gapped(np.arange(40) % 10 < 10 * share)
    moved = surrogate(recording, "independent", 1, trials, split)
    old, new = (make_tensor(r, trials, WHOLE).counts[:, :, 0] for r in (recording, moved))
    for rows in groups_of(trials, split).values():
        np.testing.assert_array_equal(np.sort(old[rows], axis=0), np.sort(new[rows], axis=0))


def test_independent_moves_no_spike_to_where_its_unit_was_not_observed():
    recording, trials, split = gapped(np.zeros(40, bool))
    intervals = np.array([[0.0, 50.0], [60.0, 150.0]])
    whole, part = recording.units.spike_times[:2]
    row = np.searchsorted(intervals[:, 0], part, side="right") - 1
    part = part[part < intervals[row, 1]]
    observed = (np.array([[0.0, 300.0]]), intervals)
    units = Units((whole, part), recording.units.table[:2], observed)
    recording = replace(recording, units=units)
    moved = surrogate(recording, "independent", 1, trials, split)
    train = moved.units.spike_times[1]
    row = np.searchsorted(intervals[:, 0], train, side="right") - 1
    assert (train < intervals[row, 1]).all()
    tensors = [make_tensor(r, trials, WHOLE) for r in (recording, moved)]
    seen = tensors[0].observed[:, 1]
    assert 0 < seen.sum() < len(seen)
    old, new = (tensor.counts[:, 1, 0] for tensor in tensors)
    assert (old != new).any()
    for rows in groups_of(trials, split).values():
        rows = rows[seen[rows]]
        np.testing.assert_array_equal(np.sort(old[rows]), np.sort(new[rows]))


# All


@pytest.mark.parametrize("kind", CHANGED)
def test_a_surrogate_follows_its_seed(song, kind):
    recording, _, trials, split = song

    def made(seed):
        moved = surrogate(recording, kind, seed, trials, split)
        return np.concatenate(moved.units.spike_times), "".join(moved.syllables["label"])

    first, again, other = made(1), made(1), made(2)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    changed = 1 if CHANGED[kind] == "syllables" else 0
    assert not np.array_equal(first[changed], other[changed])
    np.testing.assert_array_equal(first[1 - changed], other[1 - changed])


def test_a_surrogate_of_a_surrogate_and_an_unknown_kind_are_refused(song):
    recording, _, trials, split = song
    with pytest.raises(DataError, match="no surrogate 'shiftd'; did you mean 'shifted'"):
        surrogate(recording, "shiftd", 1)
    child = replace(recording, name="bird~shifted", parent="bird", surrogate="shifted", replicate=1)
    with pytest.raises(DataError, match="bird~shifted is a surrogate; surrogates of surrogates"):
        surrogate(child, "poisson", 1)
    with pytest.raises(DataError, match="'independent' needs trials and folds"):
        surrogate(recording, "independent", 1)
