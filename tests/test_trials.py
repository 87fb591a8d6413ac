"""One row per syllable, bouts by silence, and nothing left out without a note."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro2voc.errors import DataError
from neuro2voc.files import write_csv
from neuro2voc.recording import Recording, Units
from neuro2voc.splits import make_split
from neuro2voc.trials import (
    COLUMNS,
    EMPTY,
    INSIDE,
    START,
    make_trials,
    read_trials,
    used_trials,
)


def bird(start, stop, label, session=None):
    """A recording with these syllables, sorted, and one silent unit."""
    session = ["s1"] * len(start) if session is None else session
    syllables = pd.DataFrame(
        {"start_time": start, "stop_time": stop, "label": list(label), "session": session}
    )
    spans = syllables.groupby("session", sort=False).agg(
        start_time=("start_time", "min"), stop_time=("stop_time", "max")
    )
    table = pd.DataFrame(index=pd.RangeIndex(1, name="unit"))
    return Recording("bird", Units((np.array([0.0]),), table), syllables, spans.reset_index())


def evenly(label, session=None, step=0.2, duration=0.1):
    start = np.arange(len(label)) * step
    return bird(start, start + duration, label, session)


def test_a_row_per_syllable_with_the_columns_of_the_contract():
    trials = make_trials(evenly("abab"), 0.5, [], 2)
    assert list(trials.columns) == list(COLUMNS)
    assert trials["trial"].tolist() == [0, 1, 2, 3]
    assert trials["label"].tolist() == list("abab")
    assert trials["used"].tolist() == [1, 1, 1, 1]
    assert (trials["note"] == "").all()
    assert trials["previous"].tolist() == [START, "a", "b", "a"]


def test_a_silence_longer_than_the_bout_gap_begins_a_bout():
    # Silences of 0.25 (not longer than the gap), 0.5 and 0.125 s; all exact in binary.
    start = np.array([0.0, 0.5, 1.25, 1.625])
    trials = make_trials(bird(start, start + 0.25, "abab"), 0.25, [], 2)
    assert trials["bout"].tolist() == [0, 0, 1, 1]
    assert trials["previous"].tolist() == [START, "a", START, "a"]


def test_a_new_session_begins_a_bout_without_any_silence():
    trials = make_trials(evenly("ababab", ["s1", "s1", "s2", "s2", "s1", "s1"]), 0.5, [], 3)
    assert trials["bout"].tolist() == [0, 0, 1, 1, 2, 2]
    assert trials["previous"].tolist() == [START, "a", START, "a", START, "a"]


def test_a_syllable_that_runs_into_the_next_one_ends_there_and_only_there():
    recording = bird([0.0, 1.0, 2.0, 3.0], [0.5, 2.25, 2.5, 3.5], "abab")
    trials = make_trials(recording, 10.0, [], 2)
    assert trials["onset"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert trials["offset"].tolist() == [0.5, 2.0, 2.5, 3.5]
    assert trials["used"].all()


def test_a_syllable_inside_another_is_set_aside_and_counts_for_nothing():
    # The third lies inside the second; without it the second and the fourth are neighbours.
    recording = bird([0.0, 1.0, 1.25, 3.25, 4.0], [0.5, 3.0, 1.5, 3.5, 4.5], "abxba")
    trials = make_trials(recording, 0.5, [], 2)
    assert trials["used"].tolist() == [1, 1, 0, 1, 1]
    assert trials.loc[2, "note"] == INSIDE
    assert trials["offset"].tolist() == [0.5, 3.0, 1.5, 3.5, 4.5]
    assert trials["previous"].tolist() == [START, "a", "b", "b", "b"]
    assert trials["bout"].tolist() == [0, 0, 0, 0, 0]


def test_of_syllables_with_one_onset_the_longer_is_decoded():
    recording = bird([0.0, 1.0, 1.0, 2.0, 3.0], [0.9, 1.3, 1.9, 2.9, 3.9], "acbba")
    trials = make_trials(recording, 9, [], 2)
    assert trials["label"].tolist() == list("abcba")
    assert trials["used"].tolist() == [1, 1, 0, 1, 1]
    assert trials.loc[2, "note"] == INSIDE


def test_a_syllable_that_swallows_the_song_is_named(caplog):
    start = np.arange(24.0)
    stop = start + np.where(start == 2, 48, 0.5)
    recording = bird(start, stop, "ab" * 12)
    with pytest.raises(DataError) as caught:
        make_trials(recording, 0.5, [], 5)
    named = "the syllable 'a' from 2 to 50 s (row 2 in order of onset) has 21 others inside it"
    assert named in str(caught.value) and "none are left" in str(caught.value)
    assert named in caplog.text
    # Few inside one syllable are a matter of notation.
    caplog.clear()
    make_trials(bird(start, start + np.where(start == 12, 10.5, 0.5), "ab" * 12), 0.5, [], 5)
    assert not caplog.text


def test_labels_that_are_all_empty_are_called_empty():
    with pytest.raises(DataError, match=r"labels of all 4 syllables are empty; name the column"):
        make_trials(evenly(["", "", "", ""]), 0.5, ["a"], 2)


def test_labels_that_are_not_decoded_keep_their_rows_and_their_place_in_the_bout():
    trials = make_trials(evenly("axbaxb"), 0.5, ["a", "b"], 2)
    assert trials["used"].tolist() == [1, 0, 1, 1, 0, 1]
    assert set(trials.loc[trials["used"] == 0, "note"]) == {"label not among those to decode"}
    assert trials["previous"].tolist() == [START, "a", "x", "b", "a", "x"]
    assert used_trials(trials)["trial"].tolist() == [0, 2, 3, 5]


def test_classes_with_fewer_trials_than_folds_are_set_aside_and_say_so():
    trials = make_trials(evenly("aaabbbcc"), 0.5, [], 3)
    assert trials["used"].tolist() == [1] * 6 + [0, 0]
    assert trials["note"].tolist()[6:] == ["class has 2 trials for 3 folds"] * 2
    # A trial that cannot be used does not help its class over the bar.
    start = np.array([0.0, 1.0, 1.25, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    stop = start + np.where(start == 1.25, 0.125, 0.5)
    trials = make_trials(bird(start, stop, "baaabbccc"), 9, [], 3)
    assert trials["note"].tolist()[2] == INSIDE
    assert trials["note"].tolist()[1:4:2] == ["class has 2 trials for 3 folds"] * 2
    assert used_trials(trials)["label"].tolist() == list("bbbccc")


def test_a_label_that_never_occurs_is_named_with_those_that_do():
    with pytest.raises(DataError, match=r"bird: labels to decode include z, .*has: a, b\.$"):
        make_trials(evenly("abab"), 0.5, ["a", "z"], 2)


@pytest.mark.parametrize(
    ("label", "labels", "folds", "left"),
    [
        ("aaaa", [], 2, "only a is left"),
        ("aabb", ["b"], 2, "only b is left"),
        ("ab", [], 2, "none are left"),
    ],
)
def test_one_class_is_not_enough(label, labels, folds, left):
    with pytest.raises(DataError, match=r"decoding needs two; lower `folds`") as caught:
        make_trials(evenly(label), 0.5, labels, folds)
    assert left in str(caught.value)


def test_what_has_no_label_or_lasts_no_time_keeps_its_row_and_says_so():
    start = np.arange(6) * 0.2
    recording = bird(start, start + [0.1, 0.1, 0.1, 0.0, 0.1, 0.1], ["a", "b", "", "b", "a", "b"])
    trials = make_trials(recording, 0.5, [], 2)
    assert trials["used"].tolist() == [1, 1, 0, 0, 1, 1]
    assert trials["note"].tolist()[2:4] == ["has no label", EMPTY]
    # What lasts no time is nobody's predecessor.
    assert trials["previous"].tolist() == [START, "a", "b", "", "", "a"]


# In units of 1/8 s, exact in binary: from onset to onset, and how long each syllable lasts.
songs = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 12), st.sampled_from("ab"), st.booleans()),
    min_size=1,
    max_size=25,
)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(songs, st.integers(0, 6))
def test_trials_agree_with_a_walk_through_the_song(rows, gap):
    rows = [(8, 1, label, False) for label in "aabbab"] + rows
    step, duration, label, change = zip(*rows, strict=True)
    onset = np.cumsum(step) / 8
    # A session begins after all that went before has ended.
    onset = onset + np.cumsum(change) * 2.0
    session = np.cumsum(change).astype(str)
    recording = bird(onset, onset + np.array(duration) / 8, label, session)
    trials = make_trials(recording, gap / 8, [], 2)

    # Outermost syllables in time order, of equal ones the first.
    songs = sorted(
        zip(onset, onset + np.array(duration) / 8, label, session, strict=True),
        key=lambda row: (row[0], -row[1]),
    )
    outer = [
        row for i, row in enumerate(songs) if all(row[1] > earlier[1] for earlier in songs[:i])
    ]
    used = trials[trials["note"] != INSIDE]
    assert used["label"].tolist() == [row[2] for row in outer]
    bout, last = -1, None
    for i, (begin, end, name, where) in enumerate(outer):
        end = min(end, outer[i + 1][0]) if i + 1 < len(outer) else end
        first = last is None or where != last[1] or begin - last[0] > gap / 8
        bout += first
        previous = START if first else outer[i - 1][2]
        row = used.iloc[i]
        assert (row["onset"], row["offset"], row["previous"]) == (begin, end, previous)
        assert row["bout"] == used["bout"].iloc[0] + bout
        last = (end, where)
        assert name == row["label"]
    assert ((trials["note"] == "") == (trials["used"] == 1)).all()


def test_a_recording_without_labels_has_an_empty_table_and_nothing_to_decode(tmp_path, caplog):
    trials = make_trials(bird([], [], ""), 0.5, ["a"], 5)
    assert "bird has no labels" in caplog.text
    assert trials.empty and list(trials.columns) == list(COLUMNS)
    write_csv(trials, tmp_path / "bird.csv")
    again = read_trials(tmp_path / "bird.csv")
    pd.testing.assert_frame_equal(again, trials, check_dtype=False)
    for attempt in (
        lambda: used_trials(trials, "bird"),
        lambda: make_split("random", again, pd.DataFrame(), 5, 0.5, 0, "bird"),
    ):
        with pytest.raises(DataError, match=r"has no labels, so there is nothing to decode; name"):
            attempt()
