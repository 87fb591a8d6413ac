"""Generated song through the workflow: public data at its bar, controls, and what is refused."""

import pandas as pd
import pytest
from whole_workflow import snakemake

TARGETS = "results/voice/mackevicius2019.png", "results/voice_measures/mackevicius2019.png"


def test_calcium_makes_song_as_well_as_a_tuned_ridge_and_beyond_shifted_calcium(
    tmp_path, shared_data
):
    """Real neurons, time held out in blocks with a guard; the bars were set beforehand."""
    (tmp_path / "mine.yaml").write_text(
        "voice: {generators: [ridge], surrogates: {ridge: 5, vae: 1}}\nbootstrap: 100\n"
    )
    run = snakemake(
        tmp_path,
        *("--cores", "2", "--", *TARGETS),
        overlay=tmp_path / "mine.yaml",
        NEURO2VOC_MIRROR=str(shared_data),
    )
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results/voice_measures/mackevicius2019.csv")
    table = table[table["measure"] == "correlation"].set_index("method")
    assert set(table["unit"]) == {"piece"} and set(table["split"]) == {"blocked"}
    assert table.loc["vae", "value"] >= table.loc["ridge", "value"]
    for method in ("vae", "ridge"):
        assert table.loc[method, "low"] > 0.14  # the greatest of the shifted nulls seen before
        assert table.loc[method, "low"] > table.loc[method, "null_high"]
        assert table.loc[method, "value"] > table.loc["mean", "value"]


@pytest.mark.parametrize(
    ("config", "target", "sentence"),
    [
        ({}, "results/frames/bird1~shifted.h5", "ask for bird1."),
        ({}, "results/null_voice/bird1/random.csv", "no split with a null of song called 'random'"),
        ({}, "results/voice/leblois2019.png", "leblois2019 has no sound"),
        (
            "voice: {shown: wae}",
            "results/voice/bird1.png",
            "voice.shown is 'wae', which is not generated; did you mean 'vae'?",
        ),
        ("voice: {vaes: [wae]}", "results/voice/bird1.png", "'wae'"),
        ("figures: [voise]", "all", "figures holds 'voise'"),
        ("voice: {activity: {after: 0.9}}", "all", "would share"),
    ],
)
def test_what_cannot_be_made_ends_in_a_sentence(tmp_path, config, target, sentence):
    (tmp_path / "mine.yaml").write_text(f"{config}\n")
    run = snakemake(tmp_path, "-n", "--", target, overlay=tmp_path / "mine.yaml")
    assert run.returncode != 0
    assert sentence in run.stderr, run.stderr[-600:]
    assert "Traceback" not in run.stderr
