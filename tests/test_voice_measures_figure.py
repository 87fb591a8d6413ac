"""The figure of generated sound's measures says what its numbers say."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.text import Text
from singing import make_bird

from neuro2voc.figures.voice_measures import draw_voice_measures, verdict, verdicts
from neuro2voc.files import save_figure
from neuro2voc.sound_summary import IDENTITY
from neuro2voc.sound_tables import MEASURES

METHODS = {"ridge": 0.5, "syllable": 0.6, "vae": 0.8, "blind": 0.2}
REFERENCES = {"silence": np.nan, "mean": 0.3, "template": 0.85, "limit": 0.95}


def make_table(splits=("random", "blocked"), unit="bout", measures=(*MEASURES, IDENTITY)):
    """Scores between 0 and 1; errors are one less the score, times 10."""
    rows = []
    for split in splits:
        for method, score in {**METHODS, **REFERENCES}.items():
            for measure in measures:
                more = MEASURES.get(measure, ("", True))[1]
                judged = method in METHODS

                def told(score, more=more):
                    return score if more else 10 * (1 - score)

                ends = sorted(told(score + step) for step in (-0.02, 0.02))
                null = sorted(told(0.2 + step) for step in (-0.05, 0.05))
                gain = score - METHODS["syllable"] if judged and method != "syllable" else np.nan
                rows.append(
                    {
                        "split": split,
                        "method": method,
                        "unit": unit,
                        "label": "",
                        "measure": measure,
                        "value": told(score),
                        "low": ends[0],
                        "high": ends[1],
                        "n": 30,
                        "n_bouts": 30,
                        "gain": gain,
                        "gain_low": gain - 0.05,
                        "gain_high": gain + 0.05,
                        "null_low": null[0] if judged else np.nan,
                        "null_mean": told(0.2) if judged else np.nan,
                        "null_high": null[1] if judged else np.nan,
                        "null_replicates": 19 if judged else 0,
                        "p": (0.05 if score > 0.25 else 0.6) if judged else np.nan,
                    }
                )
    return pd.DataFrame(rows)


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_verdicts_follow_null_and_baseline_whichever_way_is_better():
    table = make_table()
    expected = {"ridge": "null", "syllable": "baseline", "vae": "stands", "blind": "not told"}
    for _, row in table[table["method"].isin(METHODS)].iterrows():
        assert verdict(row, "syllable") == expected[row["method"]]
    row = table.iloc[0].copy()
    assert verdict(row.replace({0.05: 0.06}), "syllable") == "not told"
    row["gain"] = np.nan
    assert verdict(row, "") == "stands"
    # Two surrogates cannot show p = 0.05, however good a method is.
    few = {"null_replicates": 2, "p": 1 / 3}
    best = table[(table["method"] == "vae") & (table["measure"] == "correlation")].iloc[0]
    assert verdict(pd.Series({**best, **few}), "syllable") == "few"
    assert verdict(pd.Series({**best, **few, "gain_low": -0.1}), "syllable") == "unjudged"
    assert verdict(pd.Series({**best, **few, "null_high": 0.79}), "syllable") == "not told"
    row["p"] = np.nan
    assert verdict(row, "") == "unjudged"


def test_the_figure_says_what_beats_what(tmp_path):
    recording, _ = make_bird(1)
    figure = draw_voice_measures(make_table(), recording, "syllable", "shifted")
    said = " ".join(words(figure))
    assert "simulated" in said
    assert "blocked, correlation: vae better than null and “syllable”" in said
    assert "better than null only: ridge" in said
    assert "19 shifted surrogates" in said
    assert "limit" in said
    assert "collapsed" not in said
    for ax in figure.axes:
        low, high = ax.get_ylim()
        measure = ax.get_ylabel().split("\n(")[0].replace("\n", " ")
        if measure in ("squared error", "cepstral distortion"):
            assert low > high
    small = make_table(("blocked",), measures=("correlation", "cepstral_distortion"))
    for name in ("a", "b"):
        figure = draw_voice_measures(small, recording, "syllable", "shifted")
        save_figure(figure, tmp_path / f"{name}.png")
    for suffix in ("png", "pdf"):
        pages = [(tmp_path / f"{name}.{suffix}").read_bytes() for name in ("a", "b")]
        assert pages[0] == pages[1]


def test_a_given_spectrogram_has_no_decibels_and_no_bouts():
    recording, _ = make_bird(1)
    measures = ("correlation", "squared_error", "similarity")
    table = make_table(("blocked",), "piece", measures)
    figure = draw_voice_measures(table, replace(recording, simulated=False), "ridge", "shifted")
    said = " ".join(words(figure))
    assert "dB" not in said
    assert "itch" not in said
    assert "simulated" not in said
    assert "stretches of time held out" in said
    assert "pieces of about 2 s" in said


def test_few_surrogates_are_said_to_show_nothing():
    recording, _ = make_bird(1)
    table = make_table(("blocked",)).assign(p=0.25)
    table.loc[table["null_replicates"] > 0, "null_replicates"] = 3
    said = " ".join(words(draw_voice_measures(table, recording, "syllable", "shifted")))
    assert "3 surrogates show no p below 0.25" in said
    assert "blocked, correlation: vae (few surrogates) better than null and" in said


def praised(table, measure, method):
    table = table.assign(verdict=verdicts(table, "syllable"))
    mine = (table["measure"] == measure) & (table["method"] == method)
    return set(table.loc[mine, "verdict"])


def with_values(table, method, measure, **values):
    table = table.copy()
    mine = (table["method"] == method) & (table["measure"] == measure)
    for name, value in values.items():
        table.loc[mine, name] = value
    return table


def test_what_silence_does_as_well_is_not_praised():
    recording, _ = make_bird(1)
    table = make_table()
    for measure, value in (("b1_error", 1.0), ("similarity", 0.9)):
        assert praised(table, measure, "vae") == {"stands"}
        quiet = with_values(table, "silence", measure, value=value)
        assert praised(quiet, measure, "vae") == {"unjudged"}
        assert praised(quiet, measure, "blind") == {"not told"}
        said = " ".join(words(draw_voice_measures(quiet, recording, "syllable", "shifted")))
        assert ("FALCON B1 puts none of them before silence" in said) == (measure == "b1_error")
    noisy = with_values(table, "silence", "b1_error", value=8.0)
    assert praised(noisy, "b1_error", "vae") == {"stands"}


def test_the_pitch_of_few_voiced_frames_is_not_praised_and_their_share_is_written():
    recording, _ = make_bird(1)
    table = make_table()
    assert praised(table, "pitch_error", "vae") == {"stands"}
    few = with_values(table, "vae", "pitch_share", value=0.23, gain=-0.4, gain_high=-0.3)
    assert praised(few, "pitch_error", "vae") == {"unjudged"}
    assert praised(few, "correlation", "vae") == {"stands"}
    said = words(draw_voice_measures(few, recording, "syllable", "shifted"))
    assert said.count("23") == 2 and said.count("% voiced") == 1


def test_what_was_not_made_under_a_split_has_no_place_there_and_that_is_said():
    recording, _ = make_bird(1)
    table = make_table()
    table = table[(table["split"] == "blocked") | (table["method"] != "vae")]
    warning = "The autoencoder of vae has collapsed."
    figure = draw_voice_measures(table, recording, "syllable", "shifted", [warning])
    names = [[label.get_text() for label in ax.get_xticklabels()] for ax in figure.axes[-2:]]
    assert names[0] == ["ridge", "syllable", "blind", "mean", "template", "limit"]
    assert names[1] == ["ridge", "syllable", "vae", "blind", "mean", "template", "limit"]
    said = words(figure)
    assert warning in said and any("vae was made under blocked only" in line for line in said)
