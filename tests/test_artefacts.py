"""Planted crosstalk, common bursts and clipping are found, and nothing in clean birds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, poisson
from singing import SMALL, Sound, make_bird

from neuro2voc.artefacts import (
    CLEAN,
    FOUND,
    IMPOSSIBLE,
    LEVEL,
    UNKNOWN,
    check_artefacts,
    find_bursts,
    find_clipping,
)
from neuro2voc.crosstalk import find_crosstalk
from neuro2voc.errors import DataError
from neuro2voc.figures.artefacts import artefact_table, draw_artefacts
from neuro2voc.recording import Binned, Units


@pytest.fixture(scope="module")
def bird():
    return make_bird(1)


def with_spikes(recording, extra):
    """Add spike times to units: {unit: times}."""
    trains = list(recording.units.spike_times)
    for unit, times in extra.items():
        trains[unit] = np.unique(np.r_[trains[unit], times])
    return recording.with_units(replace(recording.units, spike_times=tuple(trains)))


def crossings(sound, threshold=0.1):
    """Times at which the waveform rises through a threshold: what an amplifier takes for spikes."""
    above = sound.samples > threshold
    return np.flatnonzero(above[1:] & ~above[:-1]) / sound.rate


def verdicts(artefacts):
    return {check.check: check.verdict for check in artefacts.checks}


def test_a_clean_bird_has_no_artefacts(bird):
    artefacts = check_artefacts(*bird, seed=1)
    assert set(verdicts(artefacts).values()) == {CLEAN}


def test_clean_birds_are_flagged_at_the_stated_level():
    settings = replace(SMALL, units=5, bouts=4)
    birds = [make_bird(seed, settings) for seed in range(100, 120)]
    leaks = [find_crosstalk(*each, seed=1).units["p"].min() <= LEVEL for each in birds]
    bursts = [find_bursts(*each).p <= LEVEL for each in birds]
    most = binom.ppf(0.99, len(birds), LEVEL)
    assert sum(leaks) <= most
    assert sum(bursts) <= most


def test_units_with_planted_crosstalk_are_the_ones_found(bird):
    recording, trials = bird
    rng = np.random.default_rng(1)
    times = crossings(recording.audio)
    leaky = with_spikes(
        recording, {u: rng.choice(times, 250) + rng.normal(0.0003, 3e-5, 250) for u in (2, 5)}
    )
    units = find_crosstalk(leaky, trials, seed=1).units.set_index("unit")
    assert set(units.index[units["p"] <= LEVEL]) - {"all"} == {"2", "5"}
    assert (units.loc[["2", "5"], "average"] > units.loc[["2", "5"], "average_high"]).all()


def test_spikes_that_follow_the_envelope_are_no_crosstalk(bird):
    recording, trials = bird
    rng = np.random.default_rng(1)
    times = crossings(recording.audio)
    # As many spikes where it is loud, but with 5 ms of jitter: several periods of the sound.
    extra = {u: rng.choice(times, 250) + rng.uniform(-0.005, 0.005, 250) for u in (2, 5)}
    assert find_crosstalk(with_spikes(recording, extra), trials, 1).units["p"].min() > LEVEL


def test_coherence_is_that_of_its_definition(bird):
    recording, trials = bird
    spike = crossings(recording.audio)
    perfect = with_spikes(recording, {0: spike})
    row = find_crosstalk(perfect, trials, seed=1).units.iloc[1]
    assert 0.01 < row["coherence"] <= 1
    assert row["average"] > 0.5


def test_a_unit_with_few_spikes_is_not_judged(bird):
    recording, trials = bird
    trains = (np.zeros(0), *recording.units.spike_times[1:])
    silent = recording.with_units(replace(recording.units, spike_times=trains))
    units = find_crosstalk(silent, trials, seed=1).units
    assert units.loc[1, "spikes"] == 0
    assert units["p"].isna().tolist() == (units["spikes"] < 50).tolist()


def test_silence_locks_nothing(bird):
    recording, trials = bird
    mute = replace(recording, audio=Sound(20_000.0, np.zeros_like(recording.audio.samples)))
    artefacts = check_artefacts(mute, trials, seed=1)
    assert verdicts(artefacts) == {
        "crosstalk": UNKNOWN,
        "bursts": CLEAN,
        "clipping": CLEAN,
        "clock": UNKNOWN,
    }


def test_planted_bursts_are_found_once_each_with_their_rates(bird):
    recording, trials = bird
    bouts = trials.groupby("bout").agg(start=("onset", "min"), stop=("offset", "max"))
    in_song = (bouts["start"] + bouts["stop"]).to_numpy() / 2
    outside = bouts["stop"].to_numpy()[:3] + 0.3
    rng = np.random.default_rng(1)
    when = np.r_[in_song, outside]
    shaken = with_spikes(recording, {u: when + rng.normal(0, 1e-4, 9) for u in range(12)})
    bursts = find_bursts(shaken, trials)
    assert len(bursts.events) == 9
    assert np.abs(bursts.events["time"].to_numpy() - np.sort(when)).max() < 0.002
    assert bursts.events["in_song"].sum() == 6
    assert bursts.events["units"].mean() > 9


def test_windows_add_up_to_the_recording_and_expectation_to_its_spikes(bird):
    recording, trials = bird
    bursts = find_bursts(recording, trials)
    table = bursts.together
    minutes = bursts.minutes_in_song + bursts.minutes_outside
    assert table["seen"].sum() == pytest.approx(120_000 * minutes, abs=1)
    spikes = 2 * sum(map(len, recording.units.spike_times))  # each lies in two windows
    assert (table["units"] * table["seen"]).sum() == pytest.approx(spikes, rel=0.02)
    assert (table["units"] * table["expected"]).sum() == pytest.approx(spikes, rel=0.02)


def test_events_are_as_improbable_as_a_poisson_number_of_the_same_mean():
    # Six units, one spike each within the same millisecond of a silent minute.
    sessions = pd.DataFrame({"session": ["s"], "start_time": [0.0], "stop_time": [60.0]})
    recording, trials = make_bird(1)
    units = Units(tuple(np.array([30.0002]) for _ in range(6)), pd.DataFrame(index=range(6)))
    lone = replace(recording, units=units, sessions=sessions)
    assert find_bursts(lone, trials).p == pytest.approx(120_001 * poisson.sf(5, 6 / 41))


def test_numbers_of_units_are_those_of_brute_force():
    rng = np.random.default_rng(1)
    sessions = pd.DataFrame({"session": ["s"], "start_time": [2.0], "stop_time": [2.3]})
    trains = tuple(np.sort(rng.uniform(2, 2.3, 60)) for _ in range(4))
    recording, trials = make_bird(1)
    units = Units(trains, pd.DataFrame(index=range(4)))
    table = find_bursts(replace(recording, units=units, sessions=sessions), trials).together
    middles = 2 + 0.0005 * np.arange(601)
    near = [[(np.abs(train - t) < 0.0005).any() for train in trains] for t in middles]
    assert table["seen"].tolist() == np.bincount(np.sum(near, axis=1), minlength=5).tolist()


def test_three_units_are_too_few_to_tell_bursts(bird):
    recording, trials = bird
    some = Units(recording.units.spike_times[:3], recording.units.table.iloc[:3])
    assert verdicts(check_artefacts(recording.with_units(some), trials, 1))["bursts"] == UNKNOWN


def test_clipped_bouts_and_syllables_are_counted(bird):
    recording, trials = bird
    samples, rate = recording.audio.samples.copy(), recording.audio.rate
    edge = np.abs(samples).max()
    onset = trials.loc[trials["bout"].isin([1, 4])].groupby("bout")["onset"].first()
    for start in onset:
        first = round((start + 0.02) * rate)
        samples[first : first + 3] = edge
    samples[first + 30 : first + 32] = edge  # two in a row are a peak
    levels = find_clipping(Sound(rate, samples), trials)
    assert levels.loc[levels["clipped"], "bout"].tolist() == [1, 4]
    assert levels["clipped_syllables"].sum() == 2
    assert levels["syllables"].sum() == len(trials)
    assert not find_clipping(recording.audio, trials)["clipped"].any()


def test_a_bird_without_sound_or_spikes_says_what_is_missing(bird):
    recording, trials = bird
    mute = check_artefacts(replace(recording, audio=None), trials, 1)
    assert verdicts(mute) == {
        "crosstalk": IMPOSSIBLE,
        "bursts": CLEAN,
        "clipping": IMPOSSIBLE,
        "clock": IMPOSSIBLE,
    }
    values = np.zeros((100, 2), dtype=np.float32)
    binned = Binned(values, 30.0, 0.0, pd.DataFrame(index=range(2)), additive=False)
    levels = recording.with_units(binned)
    checks = check_artefacts(levels, trials, 1).checks
    assert [check.verdict for check in checks] == [IMPOSSIBLE, IMPOSSIBLE, CLEAN, CLEAN]
    assert "needs spike times" in checks[0].words
    with pytest.raises(DataError, match="needs spike times"):
        find_bursts(levels, trials)
    figure = draw_artefacts(check_artefacts(replace(levels, audio=None), trials, 1), recording)
    assert "Not checked: crosstalk, bursts, clipping, clock." in figure.texts[1].get_text()


def test_figure_and_table_say_what_was_found(bird):
    recording, trials = bird
    rng = np.random.default_rng(1)
    leaky = with_spikes(recording, {3: rng.choice(crossings(recording.audio), 250)})
    artefacts = check_artefacts(leaky, trials, seed=1)
    figure = draw_artefacts(artefacts, leaky)
    assert figure.texts[1].get_text().startswith("FOUND: crosstalk; nothing found: bursts")
    title = figure.axes[0].get_title(loc="left").replace("\n", " ")
    assert title.startswith("FOUND: 1 of 12 units") and "unit 3 most" in title
    table = artefact_table(artefacts)
    assert table["check"].tolist()[:4] == ["crosstalk", "bursts", "clipping", "clock"]
    assert table["verdict"].tolist()[:4] == [FOUND, CLEAN, CLEAN, CLEAN]
    units = table[table["check"] == "spike-triggered sound"].set_index("of")
    assert units.loc["unit 3", "verdict"] == FOUND and len(units) == 13
