"""Which units count, and why the others do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro2voc.errors import DataError
from neuro2voc.files import write_csv
from neuro2voc.inclusion import (
    describe_units,
    inclusion_table,
    observed_intervals,
    read_inclusion,
    with_included,
)
from neuro2voc.recording import Binned, Recording, Units

SESSIONS = pd.DataFrame(
    {"session": ["s1", "s2"], "start_time": [0.0, 1000.0], "stop_time": [600.0, 1600.0]}
)
SYLLABLES = pd.DataFrame({"start_time": [1.0], "stop_time": [1.1], "label": ["a"], "session": "s1"})


def make_recording(*trains, observed=None, **columns):
    table = pd.DataFrame(columns, index=pd.Index([f"u{i}" for i in range(len(trains))]))
    trains = tuple(np.asarray(train, dtype=float) for train in trains)
    return Recording("bird", Units(trains, table, observed), SYLLABLES, SESSIONS)


def every(step, start=0.0, stop=600.0):
    """Spikes in both sessions."""
    times = np.arange(start, stop, step)
    return np.r_[times, times + 1000]


def reasons(recording, **rules):
    return inclusion_table(recording, rules)["reason"].tolist()


def test_without_rules_all_units_count():
    table = inclusion_table(make_recording(every(1.0), []), {})
    assert table["included"].tolist() == [1, 1]
    assert table["reason"].tolist() == ["", ""]


def test_units_are_measured_while_observed():
    spans = np.array([[0.0, 300.0], [1000.0, 1100.0]])
    recording = make_recording(every(0.5), observed=(spans,))
    row = inclusion_table(recording, {}).iloc[0]
    assert row["observed"] == 400
    assert row["spikes"] == 800
    assert row["rate"] == 2
    assert row["presence"] == 1
    assert row["stability"] == 1


def test_presence_counts_minutes_with_a_spike():
    # Of twenty minutes, the first and the third hold spikes.
    row = inclusion_table(make_recording([5.0, 6.0, 121.0]), {}).iloc[0]
    assert row["presence"] == 2 / 20
    assert row["stability"] == 0


def test_short_sessions_are_cut_in_ten():
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.0], "stop_time": [10.0]})
    recording = replace(make_recording([0.5, 3.5, 3.6]), sessions=sessions)
    assert inclusion_table(recording, {})["presence"][0] == 0.2


def test_violations_are_intervals_below_the_refractory_time():
    recording = make_recording([1.0, 1.001, 1.003, 2.0, 3.0], [5.0])
    table = inclusion_table(recording, {})
    assert table["violations"][0] == 0.25
    assert np.isnan(table["violations"][1])


def test_stability_is_the_lowest_over_the_highest_rate():
    trains = np.r_[np.arange(0, 600, 2.0), np.arange(1000, 1600, 1.0)]
    assert inclusion_table(make_recording(trains), {})["stability"][0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"minimum_rate": 0.5}, "rate below 0.5 Hz"),
        ({"presence": 0.9}, "spikes in less than 0.9 of its minutes"),
        ({"stability": 0.5}, "rate not stable across sessions (below 0.5)"),
        ({"violations": 0.01}, "more than 0.01 of intervals below 1.5 ms"),
        ({"quality": ["good"]}, "quality not among good"),
        ({"location": ["HVC"]}, "location not among HVC"),
        ({"drop_quality": ["noise"]}, "quality is noise or artefact"),
    ],
)
def test_each_rule_drops_the_unit_that_breaks_it(rules, reason):
    bad = np.r_[1.0, 1.0005, 2.0]
    recording = make_recording(
        every(1.0), bad, quality=["good", "noise"], location=["HVC", "Area X"]
    )
    assert reasons(recording, **rules) == ["", reason]


def test_rules_that_cannot_be_applied_drop_nobody_but_lists_do():
    recording = make_recording(every(1.0), [1.0], quality=["good", None])
    assert reasons(recording, violations=0.01) == ["", ""]
    assert reasons(recording, quality=["good"]) == ["", "quality not among good"]
    assert reasons(recording, drop_quality=["noise"]) == ["", ""]


def test_a_unit_never_observed_is_dropped():
    recording = make_recording(
        every(1.0), [], observed=(np.array([[0.0, 600.0]]), np.empty((0, 2)))
    )
    table = inclusion_table(recording, {"minimum_rate": 0.05})
    assert table["reason"].tolist() == ["", "never observed"]
    assert np.isnan(table["rate"][1])


def test_nobody_left_is_an_error_that_says_why():
    with pytest.raises(DataError, match="none of its 2 units is left.*rate below 9 Hz.*loosen"):
        inclusion_table(make_recording(every(1.0), every(2.0)), {"minimum_rate": 9})


def test_counts_in_bins_have_a_rate_and_levels_have_none():
    values = np.tile(np.array([[1, 3]], dtype=np.float32), (6000, 1))
    table = pd.DataFrame(index=["a", "b"])
    sessions = SESSIONS.iloc[:1]
    for additive in (True, False):
        units = Binned(values, 10.0, 0.0, table, additive)
        recording = Recording("bird", units, SYLLABLES, sessions)
        found = inclusion_table(recording, {"minimum_rate": 20, "presence": 0.9})
        if additive:
            assert found["rate"].tolist() == [10, 30]
            assert found["included"].tolist() == [0, 1]
        else:
            assert found["rate"].isna().all() and found["included"].all()
        kept = with_included(recording, found).units
        assert kept.values.shape == (6000, found["included"].sum())


def test_included_units_keep_their_spikes_rows_and_observed_times():
    spans = tuple(np.array([[0.0, 100.0 * (i + 1)]]) for i in range(3))
    recording = make_recording(
        every(1.0), [1.0], every(2.0), observed=spans, depth=[300.0, 200.0, 100.0]
    )
    table = inclusion_table(recording, {"minimum_rate": 0.05})
    kept = with_included(recording, table).units
    assert kept.table.index.tolist() == ["u0", "u2"]
    assert kept.table["depth"].tolist() == [300, 100]
    np.testing.assert_array_equal(kept.spike_times[1], every(2.0))
    assert [span[0, 1] for span in kept.observed] == [100, 300]


def test_a_table_of_other_units_is_refused():
    table = inclusion_table(make_recording(every(1.0)), {})
    with pytest.raises(DataError, match="names other units than bird has"):
        with_included(make_recording(every(1.0), every(2.0)), table)


def test_table_survives_its_file(tmp_path):
    table = inclusion_table(
        make_recording(every(1.0), [1.0], depth=[10.0, np.nan]), {"presence": 1}
    )
    write_csv(table, tmp_path / "inclusion.csv")
    pd.testing.assert_frame_equal(
        read_inclusion(tmp_path / "inclusion.csv"), table, check_dtype=False
    )


def test_what_is_not_known_is_said():
    described = describe_units(make_recording([1.0], [2.0], location=["HVC", ""]))
    assert described["location"].tolist() == ["HVC", "unknown"]
    assert described["quality"].tolist() == ["unknown", "unknown"]
    assert described["depth"].isna().all()


@given(st.lists(st.floats(0, 1600), max_size=30), st.lists(st.floats(0, 1600), max_size=8))
def test_no_more_is_observed_than_was_recorded(spikes, edges):
    edges = np.unique(edges)[: len(np.unique(edges)) // 2 * 2].reshape(-1, 2)
    recording = make_recording(sorted(set(spikes)), observed=(edges,))
    pieces = np.concatenate(observed_intervals(recording, 0))
    inside = [t for t in set(spikes) if any(start <= t < stop for start, stop in pieces)]
    if len(pieces):
        row = inclusion_table(recording, {}).iloc[0]
        assert row["spikes"] == len(inside)
        assert row["observed"] == pytest.approx((pieces[:, 1] - pieces[:, 0]).sum())
        assert 0 <= row["presence"] <= 1
    else:
        with pytest.raises(DataError, match="never observed"):
            inclusion_table(recording, {})
