import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from docutils.core import publish_doctree
from matplotlib.text import Text
from pandas.testing import assert_frame_equal

from neuro2voc.comparison import COLUMNS
from neuro2voc.errors import DataError
from neuro2voc.evaluation import summary
from neuro2voc.figures import style
from neuro2voc.figures.bout import bout_table, draw_bout, example_bout
from neuro2voc.figures.comparison import draw_comparison, verdict
from neuro2voc.figures.confusion import confusion_table, draw_confusion
from neuro2voc.figures.syllables import draw_syllables, syllable_table
from neuro2voc.figures.units import draw_units, unit_table
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.inclusion import inclusion_table
from neuro2voc.recording import Recording, Units
from neuro2voc.trials import make_trials

ROOT = Path(__file__).resolve().parents[1]


class Sound:
    """Sound as `Audio` gives it, without a file."""

    rate, start_time, stop_time = 20_000.0, 0.0, 40.0

    def read(self, start, stop):
        time = np.arange(round(start * self.rate), round(stop * self.rate)) / self.rate
        return np.sin(2 * np.pi * 3000 * time).astype(np.float32)


def make_recording(units=3, audio=None, simulated=True, **changes):
    """Ten bouts of a b c a, the letter x once; units of 5 Hz, 300 µm apart."""
    onset = np.concatenate([1 + 4 * bout + 0.2 * np.arange(4) for bout in range(9)])
    label = list("abca" * 9)
    label[5] = "x"
    syllables = pd.DataFrame(
        {
            "start_time": onset,
            "stop_time": onset + [{"a": 0.05, "b": 0.1, "c": 0.15, "x": 0.04}[k] for k in label],
            "label": label,
            "session": "s1",
        }
    )
    sessions = pd.DataFrame({"session": ["s1"], "start_time": [0.0], "stop_time": [40.0]})
    table = pd.DataFrame(
        {
            "depth": 300.0 * np.arange(units, 0, -1),
            "location": ["HVC", "HVC", "Area X"][:units],
            "quality": ["good", "mua", "good"][:units],
        },
        index=pd.Index(range(units), name="unit"),
    )
    trains = tuple(np.arange(0.1 * (i + 1), 40, 0.2) for i in range(units))
    return Recording(
        "bird", Units(trains, table), syllables, sessions, audio, simulated=simulated, **changes
    )


def make_table(splits=("random", "blocked"), features=("onset", "rate"), null=19, oracle=True):
    rows = []
    for split in splits:
        cell = {"split": split, "chance": 0.25, "n_trials": 100, "n_bouts": 12, "bits": 1.0}
        beside = {"duration": 0.6, "previous": 0.5, "majority": 0.25}
        for feature in features:
            for decoder, score in (("logistic", 0.7), ("svm", 0.5)):
                row = {**cell, **beside, "decoder": decoder, "feature": feature, "p": np.nan}
                row |= {"balanced_accuracy": score, "low": score - 0.05, "high": score + 0.05}
                if null:
                    row |= {"null_mean": 0.25, "null_low": 0.2, "null_high": 0.3, "p": 0.05}
                    row["null_replicates"] = null
                rows.append(row)
            if oracle:
                rows.append(
                    {**cell, "decoder": "oracle", "feature": feature}
                    | {"balanced_accuracy": 0.9, "low": 0.85, "high": 0.95}
                )
        for decoder, score in beside.items():
            rows.append(
                {**cell, "decoder": decoder, "feature": "none"}
                | {"balanced_accuracy": score, "low": score - 0.05, "high": score + 0.05}
            )
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def texts(figure):
    """All texts of a figure, drawn, with legends and tick labels."""
    figure.draw_without_rendering()
    found = [t for t in figure.findobj(Text) if t.get_visible()]
    return [t for t in found if t.get_text().strip()]


def words(figure):
    return "\n".join(text.get_text() for text in texts(figure))


def check_legible(figure):
    """Every text is at least 6 pt, lies within the figure and over no other line of words."""
    shown, box = texts(figure), figure.bbox
    # Ticks beyond an axis' limits have labels that are never drawn.
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    ticks = [tick.label1 for axis in axes for tick in axis.majorTicks + axis.minorTicks]
    assert min(text.get_fontsize() for text in shown) >= 6
    for text in shown:
        extent = text.get_window_extent()
        inside = extent.x0 >= -1 and extent.x1 <= box.x1 + 1
        inside &= extent.y0 >= -1 and extent.y1 <= box.y1 + 1
        assert inside or text in ticks, text.get_text()
    extents = [text.get_window_extent() for text in figure.texts]
    for i, one in enumerate(extents):
        for other in extents[i + 1 :]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert wide <= 0 or high <= 2, "two texts overlap"


def points(axes, marker="o"):
    """Marks in data coordinates."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return np.concatenate([line.get_xydata() for line in lines]) if lines else np.empty((0, 2))


# The comparison


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "stands"),
        ({"p": 0.1}, "not told"),
        ({"low": 0.3}, "not told"),
        ({"low": np.nan}, "not told"),
        ({"feature": "rate"}, "stands"),
        ({"feature": "rate", "low": 0.6}, "duration"),
        ({"feature": "count", "low": 0.55}, "duration"),
        ({"previous": 0.7}, "order"),
        ({"feature": "rate", "previous": 0.7}, "order"),
        ({"p": np.nan}, "unjudged"),
    ],
)
def test_a_point_stands_only_above_null_and_duration(change, expected):
    row = {"feature": "onset", "p": 0.05, "low": 0.65, "null_high": 0.3, "duration": 0.6}
    row["previous"] = 0.5
    assert verdict(pd.Series(row | change)) == expected


def test_comparison_draws_every_row_once_and_says_what_it_is():
    table, recording = make_table(), make_recording()
    figure = draw_comparison(table, recording, "shifted")
    check_legible(figure)
    shown = words(figure)
    for expected in (
        "simulated",
        "blocked: 4 of 4 decodings lie above their null; 2 stand against every control, "
        "1 may be duration alone, 1 may be the song's order alone.",
        "19 shifted surrogates",
        "100 trials, 12 bouts",
        "chance 0.25",
        "oracle",
        "carries duration",
        "previous syllable",
        "leak",
    ):
        assert expected in shown
    random, blocked = figure.axes
    for axes in (random, blocked):
        scores = table.loc[table["decoder"].isin(["logistic", "svm"]), "balanced_accuracy"]
        assert sorted(points(axes)[:, 0]) == sorted(scores[: len(scores) // 2])
    # The feature that carries duration comes first, whatever the table's order.
    labels = [label.get_text() for label in random.get_yticklabels()]
    assert labels == [
        "rate",
        "logistic",
        "svm",
        "onset",
        "logistic",
        "svm",
        "without neurons",
        "duration alone",
        "previous syllable",
        "majority",
    ]


def test_leak_is_random_minus_this_split():
    table = make_table()
    table.loc[(table["split"] == "random") & (table["decoder"] == "svm"), "balanced_accuracy"] = 0.6
    random, blocked = draw_comparison(table, make_recording(), "shifted").axes
    assert [t.get_text() for t in blocked.texts].count("+0.10") == 2
    assert "leak" not in [t.get_text() for t in random.texts]


def test_a_decoder_of_one_split_is_said_not_to_be_decoded_in_others():
    table = make_table()
    one = (table["split"] == "random") & (table["decoder"] == "svm") & (table["feature"] == "rate")
    figure = draw_comparison(table[~one], make_recording(), "shifted")
    check_legible(figure)
    random, blocked = figure.axes
    places = {t.get_text(): t.get_position()[1] for t in random.texts}
    assert random.get_yticklabels()[int(places["not decoded"])].get_text() == "svm"
    assert "not decoded" not in [t.get_text() for t in blocked.texts]


def test_song_order_is_named_where_it_explains_the_scores():
    table = make_table(features=("onset",))
    shown = words(draw_comparison(table, make_recording(), "shifted"))
    assert "1 stands against every control, 1 may be the song's order alone." in shown
    table["previous"] = 0.3
    shown = words(draw_comparison(table, make_recording(), "shifted"))
    assert "2 of 2 decodings lie above their null; 2 stand against every control." in shown


def test_surrogate_is_stamped_and_not_judged():
    bird = make_recording(parent="bird", surrogate="shifted", replicate=1)
    figure = draw_comparison(make_table(null=0, oracle=False), bird, "shifted")
    check_legible(figure)
    shown = words(figure)
    assert "simulated, surrogate: shifted" in shown
    assert "not judged" in shown and "stands" not in shown and "oracle" not in shown
    assert len(points(figure.axes[0], "D")) == 4


@pytest.mark.parametrize("split", ["blocked", "mine"])
def test_one_cell_is_a_narrow_figure(split):
    table = make_table((split,), ("onset",), null=5, oracle=False)
    table = table[~table["decoder"].isin(["svm", "previous"])]
    figure = draw_comparison(table, make_recording(), "shifted")
    check_legible(figure)
    assert figure.get_figwidth() == pytest.approx(85 / 25.4)
    assert "5 surrogates can show no p below 0.17" in words(figure)
    assert "leak" not in words(figure)


def test_networks_may_have_fewer_surrogates_and_the_figure_says_so():
    table = make_table(("blocked",), ("onset", "events"), null=99, oracle=False)
    table.loc[table["feature"] == "events", "null_replicates"] = 5
    said = words(draw_comparison(table, make_recording(), "shifted")).replace("\n", " ")
    assert "range and mean of 5 or 99 shifted surrogates" in said
    assert "5 surrogates can show no p below 0.17, so what has no more cannot stand." in said
    assert "oracle" not in said
    table = make_table(("blocked",), ("onset", "events"))
    table.loc[table["feature"] == "events", "oracle"] = 0.9
    assert "The oracle of tokens" in words(draw_comparison(table, make_recording(), "shifted"))


def units_of(recording, **rules):
    table = unit_table(recording, inclusion_table(recording, rules))
    return table, draw_units(table, recording)


# Syllables


def test_every_syllable_is_a_dot_and_what_is_set_aside_is_grey():
    recording = make_recording()
    trials = make_trials(recording, 0.5, [], 5)
    figure, table = draw_syllables(trials, recording), syllable_table(trials)
    check_legible(figure)
    shown = words(figure)
    assert "simulated" in shown and "1 set aside" in shown
    assert "because the class has 1 trials for 5 folds: 1 x" in shown
    right = figure.axes[1]
    assert sorted(points(right, ".")[:, 0]) == pytest.approx(sorted(table["duration_ms"]))
    dots = [line for line in right.lines if line.get_marker() == "."]
    grey = [line for line in dots if line.get_color() == style.PALE]
    assert sum(len(line.get_xdata()) for line in grey) == 1


def test_a_single_class_is_drawn():
    recording = make_recording()
    trials = make_trials(recording, 0.5, [], 5)
    trials = trials[trials["label"] == "a"].reset_index(drop=True)
    figure = draw_syllables(trials, recording)
    check_legible(figure)
    assert "1 class to decode" in words(figure)


# A bout


def test_example_bout_is_the_first_of_median_size():
    trials = make_trials(make_recording(), 0.5, [], 5)
    trials.loc[trials["bout"] == 0, "used"] = [1, 0, 0, 0]
    assert example_bout(trials)[0] == 2  # bout 1 holds the x
    trials["used"] = 0
    with pytest.raises(DataError, match="No bout has a syllable to decode"):
        example_bout(trials)


def test_no_more_than_three_seconds_are_shown():
    trials = make_trials(make_recording(), 5.0, [], 5)
    assert trials["bout"].nunique() == 1
    _, start, stop = example_bout(trials)
    assert stop - start == pytest.approx(3)


@pytest.mark.parametrize("audio", [Sound(), None])
def test_bout_shows_sound_labels_and_spikes(audio):
    recording = make_recording(audio=audio)
    trials = make_trials(recording, 0.5, [], 5)
    figure, table = draw_bout(recording, trials), bout_table(recording, trials)
    check_legible(figure)
    sound, labels, raster = figure.axes[:3]
    assert ("holds no sound" in words(figure)) == (audio is None)
    if audio:
        (image,) = sound.images
        level = image.get_array()
        top = image.get_extent()[3]
        loudest = top * (level.mean(axis=1).argmax() + 0.5) / len(level)
        assert loudest == pytest.approx(3, abs=0.1)  # kHz
        assert level.max() == 0 and level.min() == pytest.approx(-60)
    assert [t.get_text() for t in labels.texts] == ["a", "b", "c", "a"]
    drawn = sum(len(c.get_segments()) for c in raster.collections)
    assert drawn == (table["kind"] == "spike").sum() > 0
    # The unit nearest to the tip is the lowest row.
    assert table.loc[table["row"] == 0, "unit"].unique().tolist() == ["2"]


def test_unobserved_time_is_marked():
    recording = make_recording()
    trials = make_trials(recording, 0.5, [], 5)
    _, start, stop = example_bout(trials)
    middle = (start + stop) / 2
    whole = np.array([[0.0, 40.0]])
    observed = (whole, np.array([[0.0, middle]]), whole)
    recording = recording.with_units(replace(recording.units, observed=observed))
    table = bout_table(recording, trials)
    gaps = table[table["kind"] == "unobserved"]
    assert gaps[["start", "stop", "unit"]].values.tolist() == [[middle, stop, "1"]]
    check_legible(draw_bout(recording, trials))


# Confusions


def make_about(frame, **changes):
    names = {"bird": "bird", "split": "blocked", "decoder": "svm", "feature": "onset"}
    bouts = np.arange(len(frame)) // 3
    return names | {"kind": "simulated"} | summary(frame, bouts, 50, 1) | changes


def test_confusion_counts_and_percent():
    frame = pd.DataFrame({"truth": list("aaaabb"), "prediction": list("aaabbb")})
    figure, table = draw_confusion(frame, make_about(frame)), confusion_table(frame)
    check_legible(figure)
    assert table["trials"].tolist() == [3, 1, 0, 2]
    assert table["fraction"].tolist() == [0.75, 0.25, 0, 1]
    assert [t.get_text() for t in figure.axes[0].texts] == ["75\n3", "25\n1", "100\n2"]
    shown = words(figure)
    for expected in ("simulated", "svm on onset", "blocked", "0.88", "chance 0.50", "6 trials"):
        assert expected in shown


def test_one_bout_has_no_interval_and_many_classes_no_numbers():
    labels = [f"s{i:02d}" for i in range(20)]
    frame = pd.DataFrame({"truth": labels, "prediction": labels})
    figure = draw_confusion(frame, make_about(frame, low=np.nan, high=np.nan, bird="b" * 30))
    check_legible(figure)
    assert not figure.axes[0].texts
    assert "Balanced accuracy 1.00, chance 0.05" in words(figure)


# What all share


def test_stamp_gets_a_line_of_its_own_where_it_would_hide_the_title():
    figure = style.new_figure(
        85, 40, "a rather long title of a bird", kind="surrogate: independent"
    )
    check_legible(figure)


def test_lines_fit_the_width():
    lines = style.wrapped(["mmm iii " * 30], 85, style.TEXT)
    assert len(lines) > 1
    assert all(style.text_width(line, style.TEXT) <= 85 for line in lines)


def test_csv_beside_a_figure_holds_what_is_drawn(tmp_path):
    recording = make_recording()
    table, figure = units_of(recording)
    write_csv(table, tmp_path / "units.csv")
    again = read_csv(tmp_path / "units.csv", {"unit": str, "reason": str})
    assert_frame_equal(again, table, check_dtype=False)
    drawn = figure.axes[0]
    marks = np.concatenate([points(drawn), points(drawn, "s")])
    assert sorted(marks[:, 0]) == pytest.approx(sorted(again["rate"]))


def save_all(folder):
    recording = make_recording(audio=Sound())
    trials = make_trials(recording, 0.5, [], 5)
    frame = pd.DataFrame({"truth": list("aaaabb"), "prediction": list("aaabbb")})
    figures = {
        "comparison": draw_comparison(make_table(("blocked",)), recording, "shifted"),
        "units": units_of(recording)[1],
        "syllables": draw_syllables(trials, recording),
        "bout": draw_bout(recording, trials),
        "confusion": draw_confusion(frame, make_about(frame)),
    }
    for name, figure in figures.items():
        save_figure(figure, Path(folder) / f"{name}.png")


def test_another_process_with_another_matplotlibrc_draws_the_same_bytes(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 20\npdf.fonttype: 3\naxes.grid: True\n")
    environment = os.environ | {"PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(tmp_path)}
    code = "import sys; from tests.test_figures import save_all; save_all(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "other"], check=True, cwd=ROOT, env=environment
    )
    save_all(tmp_path / "here")

    def digests(folder):
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        }

    assert len(digests(tmp_path / "here")) == 10
    assert digests(tmp_path / "here") == digests(tmp_path / "other")


def test_every_figure_in_the_report_has_a_caption():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    captions = re.findall(r'caption="\.\./(workflow/report/\w+\.rst)"', rules)
    assert len(captions) >= 5 and rules.count("report(") == len(captions)
    for caption in captions:
        text = (ROOT / caption).read_text()
        assert "To disbelieve it:" in text
        # The report reads it as reStructuredText, where |this| is to be replaced by something.
        publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 5})


def test_figures_of_the_report_have_running_numbers_of_two_digits():
    """The report sorts labels as text, so that 10 would come before 2."""
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    numbers = re.findall(r'labels=\{"figure": "(\d\d) ', rules)
    assert sorted(map(int, numbers)) == [*range(1, rules.count("report(") + 1)]


def test_of_very_many_classes_not_all_are_drawn_and_the_figure_says_so():
    labels = [f"l{i:03d}" for i in range(100)] * 2
    onset = np.arange(200) * 0.2
    trials = pd.DataFrame({"onset": onset, "offset": onset + 0.1, "label": labels})
    trials = trials.assign(trial=range(200), bout=0, session="s1", previous="x", used=1, note="")
    figure = draw_syllables(trials, make_recording())
    assert figure.get_figheight() < 12
    assert "60 more classes are not drawn" in words(figure)
    assert syllable_table(trials)["label"].nunique() == 100
