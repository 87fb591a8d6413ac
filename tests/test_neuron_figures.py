"""Figures of single units and groups of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuro2voc.curves import Protocol
from neuro2voc.densities import densities
from neuro2voc.figures import style
from neuro2voc.figures.densities import draw_densities
from neuro2voc.figures.importances import draw_importances
from neuro2voc.figures.neuron_number import draw_neuron_number
from neuro2voc.figures.rates import draw_rates
from neuro2voc.figures.regions import draw_regions
from neuro2voc.figures.single_units import draw_single_units
from neuro2voc.figures.units import draw_units, unit_table
from neuro2voc.importances import importances
from neuro2voc.inclusion import inclusion_table
from neuro2voc.neuron_number import neuron_number
from neuro2voc.rates import syllable_rates, unit_rates
from neuro2voc.recording import Binned, Units
from neuro2voc.regions import compare_regions
from neuro2voc.single_units import single_units
from neuro2voc.splits import make_split
from neuro2voc.trials import make_trials
from tests.test_figures import check_legible, make_recording, points, units_of, words

TRIALS = {"bout_gap": 0.5, "labels": ["a", "b"], "folds": 3}
WINDOWS = {"onset": {"align": "onset", "start": -0.04, "stop": 0.04, "bin": 0.04}}
PROTOCOL = Protocol("lda", "blocked", 2, 20, 1, (1, 2), TRIALS, "onset")
PROTOCOL_OF_CONTROL = replace(PROTOCOL, null_seeds=())


# Units


def test_units_are_drawn_at_their_depth_and_rate():
    recording = make_recording()
    table = unit_table(recording, inclusion_table(recording, {}))
    figure = draw_units(table, recording)
    check_legible(figure)
    drawn = np.concatenate([points(figure.axes[0]), points(figure.axes[0], "s")])
    assert sorted(map(tuple, drawn)) == sorted(zip(table["rate"], table["depth"], strict=True))
    assert table["rate"].tolist() == pytest.approx([5, 5, 5], abs=0.05)
    shown = words(figure)
    for expected in ("simulated", "HVC", "Area X", "good (2)", "mua (1)", "(Hz)", "µm"):
        assert expected in shown


def test_rates_are_of_observed_time():
    recording = make_recording()
    observed = (np.array([[0.0, 10.0]]), np.array([[0.0, 5.0], [20.0, 25.0]]), np.empty((0, 2)))
    recording = recording.with_units(replace(recording.units, observed=observed))
    table, figure = units_of(recording)
    assert table["observed"].tolist() == [10, 10, 0]
    assert table["spikes"].tolist()[:2] == [50, 49]
    assert np.isnan(table["rate"][2])
    assert "1 never observed, not drawn" in words(figure)


def test_units_left_out_are_grey_and_counted():
    table, figure = units_of(make_recording(), quality=["good"])
    check_legible(figure)
    grey = [line for line in figure.axes[0].lines if line.get_markeredgecolor() == style.PALE]
    assert sum(len(line.get_xdata()) for line in grey) == 1
    shown = words(figure)
    assert "2 of 3 units count" in shown and "grey: left out (1)" in shown
    assert "1 quality not among good" in shown


def test_amplitudes_have_a_panel_where_they_are_known():
    recording = make_recording()
    table = recording.units.table.assign(amp=[50.0, 80.0, np.nan])
    recording = recording.with_units(replace(recording.units, table=table))
    table, figure = units_of(recording)
    check_legible(figure)
    right = figure.axes[1]
    drawn = np.concatenate([points(right), points(right, "s")])
    assert sorted(drawn[np.isfinite(drawn[:, 0])].tolist()) == [[50, 900], [80, 600]]
    assert "µV" in words(figure)


def test_levels_are_drawn_in_the_place_of_rates():
    recording = make_recording()
    values = np.tile(np.float32([1, 2, 3]), (400, 1))
    units = Binned(values, 10.0, 0.0, recording.units.table, additive=False)
    _, figure = units_of(recording.with_units(units))
    check_legible(figure)
    drawn = np.concatenate([points(figure.axes[0]), points(figure.axes[0], "s")])
    assert sorted(drawn[:, 0]) == [1, 2, 3]
    assert "mean level" in words(figure) and "Hz" not in words(figure)


@pytest.mark.parametrize("units", [1, 3])
def test_units_without_depth_stand_in_their_order(units):
    recording = make_recording(units, simulated=False)
    bare = pd.DataFrame(index=pd.Index([f"ch{i}" for i in range(units)], name="unit"))
    _, figure = units_of(recording.with_units(Units(recording.units.spike_times, bare)))
    check_legible(figure)
    shown = words(figure)
    assert "No depths are known" in shown and f"quality unknown ({units})" in shown
    assert "simulated" not in shown
    assert points(figure.axes[0])[:, 1].tolist() == list(range(1, units + 1))


def test_silent_unit_and_unknown_depth_are_said():
    recording = make_recording()
    table = recording.units.table.assign(depth=[900.0, np.nan, 300.0])
    trains = (recording.units.spike_times[0], recording.units.spike_times[1], np.empty(0))
    _, figure = units_of(recording.with_units(Units(trains, table)))
    assert "1 without a spike" in words(figure)
    assert "1 of unknown depth" in words(figure)


# Single units and groups of them


def bare(recording):
    """The same bird without depths and regions."""
    table = recording.units.table[[]]
    return recording.with_units(replace(recording.units, table=table))


def all_figures(recording, protocol):
    trials = make_trials(recording, **TRIALS)
    split = make_split("blocked", trials, recording.sessions, 3, 0.5, 1)
    given = recording, trials, split, WINDOWS, protocol
    alone = single_units(*given)
    return {
        "single_units": draw_single_units(alone, recording, protocol),
        "neuron_number": draw_neuron_number(neuron_number(*given, [1, 2], 2), recording, protocol),
        "regions": draw_regions(compare_regions(*given, 2), alone, recording, protocol),
        "importances": draw_importances(importances(*given), recording, protocol),
        "densities": draw_densities(
            densities(recording, trials, protocol), trials, recording, protocol
        ),
        "rates": draw_rates(
            unit_rates(recording, trials, 1), syllable_rates(recording, trials), recording
        ),
    }


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("units", [1, 3])
def test_figures_are_legible_and_say_what_they_are(units, known):
    recording = make_recording(units)
    for name, figure in all_figures(recording if known else bare(recording), PROTOCOL).items():
        check_legible(figure)
        shown = words(figure)
        assert "simulated" in shown, name
        assert "bird" in shown, name
        assert name == "rates" or "2 shifted surrogates" in shown, name
        if name in ("single_units", "importances", "rates"):
            assert ("µm" in shown) == known, name


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.1, 0.3), "HVC exceeds Area X by 0.20 (95 % interval 0.10 to 0.30)"),
        ((-0.1, 0.5), "HVC and Area X are not told apart: difference 0.20 (95 % interval −0.10 to"),
        ((-0.3, -0.1), "Area X exceeds HVC by 0.20 (95 % interval 0.10 to 0.30)"),
        ((np.nan, np.nan), "there is no interval on the difference of HVC and Area X"),
    ],
)
def test_the_difference_of_regions_stands_in_the_headline(interval, said):
    recording = make_recording()
    low, high = interval
    row = {"balanced_accuracy": 0.6, "low": 0.5, "high": 0.7, "chance": 0.5, "n_trials": 60}
    row |= {"n_bouts": 9, "duration": 0.6, "previous": 0.4, "units": 2, "draw": 0}
    rows = [
        row | {"region": region, "choice": choice}
        for region in ("Area X", "HVC")
        for choice in ("all", "equal")
    ]
    table = pd.DataFrame(rows).assign(fewest="Area X")
    mean = -0.2 if high < 0 else 0.2
    table.loc[3, ["difference", "difference_low", "difference_high"]] = [mean, low, high]
    alone = pd.DataFrame({"location": ["HVC"], "balanced_accuracy": [0.5]})
    figure = draw_regions(table, alone, recording, PROTOCOL_OF_CONTROL)
    check_legible(figure)
    assert said in " ".join(words(figure).split())


def test_a_surrogate_is_a_control():
    recording = make_recording(parent="bird", surrogate="shifted", replicate=1)
    for name, figure in all_figures(recording, PROTOCOL_OF_CONTROL).items():
        check_legible(figure)
        assert name == "rates" or "control" in words(figure), name
        assert "shifted surrogates" not in words(figure), name


def test_units_at_one_depth_have_rows_of_their_own():
    recording = make_recording()
    table = recording.units.table.assign(depth=[300.0, 300.0, np.nan])
    recording = recording.with_units(replace(recording.units, table=table))
    figure = all_figures(recording, PROTOCOL)["single_units"]
    (ax,) = figure.axes
    assert sorted(points(ax)[:, 1]) == [0, 1, 2]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["?", "300", "300"]
