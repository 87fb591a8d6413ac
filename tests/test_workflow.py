"""Whole tiny workflows: they plan, run, repeat themselves and fail in sentences."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.epoch import TimeIntervals
from whole_workflow import ROOT, TINY, snakemake

from neuro2voc.binning import make_tensor, make_window
from neuro2voc.comparison import read_null
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import commonest, cross_decode, fixed_fit, outer_folds
from neuro2voc.evaluation import balanced_accuracy, confusion
from neuro2voc.features import feature_matrix
from neuro2voc.identity import differences
from neuro2voc.origin import sidecar_of
from neuro2voc.recording import Recording
from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with all of the tiny workflow. Some tests compare all its files: add none."""
    folder = tmp_path_factory.mktemp("tiny")
    run = snakemake(folder, "--cores", "2")
    assert run.returncode == 0, run.stderr
    return folder


def test_any_number_of_cores_gives_the_same_bytes(tiny, tmp_path):
    run = snakemake(tmp_path, "--cores", "1")
    assert run.returncode == 0, run.stderr
    files, found = differences(tmp_path, tiny)
    assert files > 40
    assert found == []


def test_a_second_run_has_nothing_to_do(tiny):
    run = snakemake(tiny, "--cores", "2")
    assert run.returncode == 0
    assert "Nothing to be done" in run.stderr


def test_the_history_of_the_run_is_whole(tiny):
    """Every job left its record, and no file is without one."""
    records = sorted((tiny / "results").rglob("*.origin.json"))
    targets = [json.loads(path.read_text())["target"] for path in records]
    assert [sidecar_of(tiny / target) for target in targets] == records
    history = json.loads((tiny / "results/provenance.json").read_text())
    assert {*history["jobs"], "results/provenance.json"} == set(targets)
    assert history["differing"] == history["unrecorded"] == [] and history["outdated"] == {}
    made = {str(p.relative_to(tiny)) for p in (tiny / "results").rglob("*") if p.is_file()}
    left = {p for p in made - set(history["files"]) if "/benchmarks/" not in p}
    crate = {"results/provenance.json", "results/ro-crate-metadata.json"}
    assert {p for p in left if not p.endswith(".origin.json")} == crate
    actions = json.loads((tiny / "results/ro-crate-metadata.json").read_text())["@graph"]
    assert sum(each["@type"] == "CreateAction" for each in actions) == len(history["jobs"])


def test_a_picture_leads_back_to_its_command(tiny, tmp_path):
    picture = tmp_path / "from a paper.png"
    picture.write_bytes((tiny / "results/shap_beeswarms/tiny.png").read_bytes())

    def ask(*figure):
        config = ("--config", f"figure={figure[0]}") if figure else ()
        return snakemake(tiny, "--cores", "1", *config, "--", "results/whence.txt")

    assert ask(picture).returncode == 0
    answer = (tiny / "results/whence.txt").read_text()
    assert "is results/shap_beeswarms/tiny.png, with digest" in answer
    assert "\n  rule: shap_syllables\n" in answer
    assert "Its bytes are those of results/shap_beeswarms/tiny.png." in answer
    assert "\n  snakemake --cores 1 -- results/shap_beeswarms/tiny.png\n" in answer
    # Another picture at the same place, and older than the answer.
    picture.write_bytes((tiny / "results/units/tiny.pdf").read_bytes())
    os.utime(picture, (0, 0))
    assert ask(picture).returncode == 0
    assert "is results/units/tiny.pdf, with" in (tiny / "results/whence.txt").read_text()
    for figure, sentence in [
        ((), "name one: --config figure=/path/to/picture.png"),
        ((tmp_path / "no.png",), "no.png, given as `figure`, does not exist"),
        ((TINY,), "tiny.yaml is neither PNG nor PDF"),
    ]:
        run = ask(*figure)
        assert run.returncode == 1
        assert sentence in "\n".join(run.stderr.strip().splitlines()[-6:])
        assert "Traceback" not in run.stdout + run.stderr
    # Nothing is made first because a picture is asked about where it lies.
    arguments = ["--config", "figure=results/sessions/tiny.png", "bootstrap=60"]
    run = snakemake(tiny, "-n", "--quiet", "rules", *arguments, "--", "results/whence.txt")
    planned = re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, re.MULTILINE)
    assert dict(planned) == {"whence": "1", "total": "1"}


def test_results_handed_over_are_accepted_in_a_fresh_clone(tiny, tmp_path):
    """As docs/cluster.md says; the scripts of a fresh clone are younger than the results."""
    clone = tmp_path / "clone"
    for part in ("neuro2voc", "rules", "workflow", "envs", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, clone / part, copy_function=shutil.copyfile, ignore=ignored)
    for file in ("Snakefile", "config.yaml"):
        shutil.copyfile(ROOT / file, clone / file)
    archive = ["tar", "-C", str(tiny), "-cf", str(tmp_path / "results.tar"), "results"]
    subprocess.run([*archive, ".snakemake/metadata"], check=True)
    subprocess.run(["tar", "-C", str(clone), "-xf", str(tmp_path / "results.tar")], check=True)
    ours = ["--snakefile", str(clone / "Snakefile")]
    assert snakemake(clone, *ours, "--touch", "--cores", "1", "--", "all").returncode == 0
    plan = snakemake(clone, *ours, "-n", "--", "all")
    assert "Nothing to be done" in plan.stdout + plan.stderr
    # What is younger than the results is still seen.
    changed = snakemake(clone, *ours, "-n", "--config", "bootstrap=60", "--", "all")
    assert "Nothing to be done" not in changed.stdout + changed.stderr


def test_every_decoder_writes_the_same_two_files(tiny):
    names = ["logistic", "xgboost", "majority", "duration", "previous"]
    folders = [tiny / "results/decoding/tiny" / s / d for s in ("blocked", "random") for d in names]
    folders.append(tiny / "results/decoding/tiny/blocked/lstm")
    for folder in [*folders, tiny / "results/oracle/tiny"]:
        predictions = pd.read_csv(folder / "predictions.csv", dtype={"truth": str})
        metrics = json.loads((folder / "metrics.json").read_text())
        probabilities = predictions.filter(like="p_")
        assert [f"p_{label}" for label in sorted(set(predictions["truth"]))] == list(probabilities)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        for feature, cell in metrics["features"].items():
            rows = predictions[predictions["feature"] == feature]
            recall = (rows["truth"] == rows["prediction"]).groupby(rows["truth"]).mean()
            assert cell["balanced_accuracy"] == pytest.approx(recall.mean(), abs=1e-8)
            assert cell["n_trials"] == len(rows) == rows["trial"].nunique()


@pytest.mark.parametrize("kind", ["shuffled", "shifted", "poisson", "independent"])
def test_a_control_is_just_another_bird(tiny, kind):
    target = f"results/comparison/tiny~{kind}.png"
    run = snakemake(tiny, "--cores", "2", "--", target)
    assert run.returncode == 0, run.stderr
    assert (tiny / target).stat().st_size > 10_000
    table = pd.read_csv(tiny / f"results/comparison/tiny~{kind}.csv")
    decoders = {"logistic", "xgboost", "lstm", "gpt2", "hybrid"}
    decoders |= {"majority", "duration", "previous"}
    assert set(table["decoder"]) == decoders
    parent, control = (tiny / f"results/recordings/tiny{x}.nwb" for x in ("", f"~{kind}"))
    assert control.stat().st_size < parent.stat().st_size


def test_the_null_band_holds_what_surrogate_birds_score(tiny):
    """The loop inside one job and the surrogate bird's own file are one code and one seed."""
    target = "results/recordings/tiny~shifted2.nwb"
    assert snakemake(tiny, "--cores", "2", "--", target).returncode == 0
    trials = used_trials(read_trials(tiny / "results/trials/tiny.csv"))
    split = read_split(tiny / "results/splits/tiny/blocked.csv")
    metrics = json.loads((tiny / "results/decoding/tiny/blocked/logistic/metrics.json").read_text())
    window = make_window(
        "onset", {"onset": {"align": "onset", "start": -0.1, "stop": 0.1, "bin": 0.05}}
    )
    X = feature_matrix("onset", make_tensor(Recording.open(tiny / target), trials, window))
    fit = fixed_fit(
        make_decoder("logistic", 0)[0], commonest(metrics["features"]["onset"]["chosen"])
    )
    frame = cross_decode(X, trials, outer_folds(trials, split), fit)
    labels = sorted(trials["label"].unique())
    score = balanced_accuracy(confusion(frame["truth"], frame["prediction"], labels))
    null = read_null(tiny / "results/null/tiny/blocked.csv").set_index(
        ["decoder", "feature", "replicate"]
    )
    assert null.loc[("logistic", "onset", 2), "balanced_accuracy"] == pytest.approx(score, abs=1e-9)


def test_embeddings_of_birds_are_compared_where_all_are_embedded_anyway(tmp_path):
    for birds, compared in (("tiny, dull", True), ("tiny", False)):
        arguments = ["--config", f"birds=[{birds}]", "figures=[embedding]"]
        run = snakemake(tmp_path, "-n", "--quiet", "rules", *arguments)
        assert run.returncode == 0, run.stderr
        jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, re.MULTILINE))
        assert jobs["embed"] == jobs["embedding"] == str(1 + compared)
        assert jobs.get("embedding_consistency") == ("2" if compared else None)


def test_code_and_settings_are_tracked(tiny):
    run = snakemake(tiny, "-n", "--config", "bootstrap=60", "--quiet", "rules")
    assert "Params have changed" in run.stdout + run.stderr or "params" in run.stdout + run.stderr
    assert "simulate" not in re.findall(r"^(\w+) +\d+$", run.stdout + run.stderr, re.MULTILINE)


def test_the_demo_plans_at_most_sixty_jobs_per_bird(tmp_path):
    """Fifty, and two for each network, which may go to GPUs of their own."""
    run = snakemake(tmp_path, "-n", "--quiet", "rules", overlay=None)
    assert run.returncode == 0, run.stderr
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout + run.stderr, re.MULTILINE))
    # Those of no bird alone: what birds have in common, and birds simulated for the asking.
    rules = ("all", "many_birds", "across_birds", "shap_truth", "provenance")
    apart = sum(int(jobs[rule]) for rule in rules)
    assert apart == 5 and int(jobs["total"]) - apart <= 2 * 60


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("results/comparison/birdX.png", "no bird called 'birdX' in config.yaml; it lists: bird1"),
        ("results/recordings/birdX.nwb", "no bird called 'birdX' in config.yaml; it lists: bird1"),
        ("results/comparison/bird1~shiftd.png", "did you mean 'shifted'?"),
        ("results/comparison/bird1~shifted~poisson.png", "a surrogate of a surrogate"),
        ("results/splits/bird1~shifted/blocked.csv", "ask for bird1."),
        ("results/decoding/bird1/bloked/svm/metrics.json", "did you mean 'blocked'?"),
        ("results/decoding/bird1/blocked/svn/metrics.json", "/svm/metrics.json'?"),
        ("results/confusion/bird1/blocked/svm/onst.png", "no feature called 'onst'; did you mean"),
        ("results/confusion/leblois2019/session/svm/rate.png", "There are: blocked, random."),
        ("results/oracle/leblois2019/metrics.json", "only of those is the truth known"),
        ("results/comparsion/bird1.png", "did you mean 'results/comparison/bird1.png'?"),
        ("results/grid/bird1/random.png", "no split with networks called 'random'."),
        (
            "results/losses/bird1/blocked/lstm.png",
            "did you mean 'results/losses/bird1/blocked.png'?",
        ),
        (
            "results/network_attribution/bird1/blocked/gpt2.png",
            # svm's would be nearer, but there is none.
            "did you mean 'results/network_attribution/bird1/blocked/eegnet.png'?",
        ),
        ("results/units/bird1@god.pngg", "did you mean 'results/units/bird1.png'?"),
        ("results/confusion/bird1/blocked/gpt2/onset.png", "There are: events."),
        (
            "results/decoding/bird2/blocked/gpt2/metrics.json",
            "There are: logistic, svm, xgboost.",
        ),
        ("results/comparison/bird1/x.png", "did you mean 'results/comparison/bird1.png'?"),
        ("results/units/bird1@good.pngg", "did you mean 'results/units/bird1@good.png'?"),
        ("nonsense", "no rule makes nonsense. README.md lists the figures."),
    ],
)
def test_unknown_names_in_targets_end_in_a_sentence(tmp_path, target, sentence):
    run = snakemake(tmp_path, "--cores", "1", "--", target, overlay=None)
    assert run.returncode == 1
    assert sentence in run.stderr.strip().splitlines()[-1]
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fold: 3", "did you mean 'folds'?"),
        ("birds: [bird3]", "did you mean 'bird2'?"),
        ("simulated: {bird1: {tunning: 0}}", "did you mean 'tuning'?"),
        ("simulated: {bird1: {tuning: -1}}", "tuning is -1, but must be a number between 0 and 10"),
        ("decoders: [svn]", "did you mean 'svm'?"),
        ("features: [onse]", "did you mean 'onset'?"),
    ],
)
def test_mistakes_in_the_configuration_end_in_a_sentence(tmp_path, text, sentence):
    (tmp_path / "mine.yaml").write_text(text)
    run = snakemake(tmp_path, "-n", overlay=tmp_path / "mine.yaml")
    assert run.returncode == 1
    assert sentence in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("overlay", "target", "sentence"),
    [
        ("recordings: {mine: {file: mine.txt}}", "recordings/mine.nwb", "cannot be read as HDF5"),
        ("recordings: {mine: {file: no.nwb}}", "recordings/mine.nwb", "no.nwb, the file of mine"),
        ("folds: 13", "splits/tiny/blocked.csv", "bouts hold trials, fewer than 13 folds"),
        ("labels: [a, z]", "trials/tiny.csv", "labels to decode include z, which never occur"),
        ("folds: 1000", "trials/tiny.csv", "decoding needs two"),
    ],
)
def test_a_job_that_fails_says_why_and_leaves_nothing(tmp_path, overlay, target, sentence):
    text = TINY.read_text()
    key = overlay.split(":")[0]
    kept = re.sub(rf"^{key}:.*\n", "", text, flags=re.MULTILINE)
    (tmp_path / "mine.yaml").write_text(f"{kept}{overlay}\n")
    (tmp_path / "mine.txt").write_text("no recording")
    run = snakemake(
        tmp_path, "--cores", "1", "--", f"results/{target}", overlay=tmp_path / "mine.yaml"
    )
    assert run.returncode == 1
    assert sentence in run.stderr
    # Whatever Snakemake says of the failed job, the sentence stands once more near the end.
    assert sentence in "\n".join(run.stderr.strip().splitlines()[-6:])
    assert "Traceback" not in run.stdout + run.stderr
    path = tmp_path / "results" / target
    assert not path.exists()
    assert not [p for p in path.parent.glob(".*")]


def test_a_public_bird_is_decoded_beyond_what_shifted_spikes_allow(tmp_path, shared_data):
    """One songbird unit, four syllables: real, at the bars that were set for it beforehand."""
    (tmp_path / "mine.yaml").write_text(
        "decoders: [logistic]\nfeatures: [onset]\nnetworks: {replicates: 2}\n"
    )
    run = snakemake(
        tmp_path,
        "--cores",
        "2",
        "--",
        "results/comparison/leblois2019.png",
        overlay=tmp_path / "mine.yaml",
        NEURO2VOC_MIRROR=str(shared_data),
    )
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results/comparison/leblois2019.csv")
    cells = table[table["decoder"] == "logistic"].set_index("split")
    random = cells.loc["random"]
    assert random["balanced_accuracy"] >= 0.52
    assert random["balanced_accuracy"] > random["null_high"]
    assert random["null_mean"] == pytest.approx(0.25, abs=0.02)
    assert random["p"] == pytest.approx(1 / 100)
    assert {"blocked", "random"} == set(cells.index)
    assert cells["previous"].notna().all()


def test_an_ordinary_recording_runs_with_the_lines_of_the_readme(tmp_path):
    """One session, no sound, labels that are numbers, a path with a space."""
    settings = Settings(syllable_types=3, units=6, pairs=0, sessions=1, bouts=8)
    recording, _, _ = simulate("mybird", settings, 1)
    file = tmp_path / "my data" / "mybird.nwb"
    file.parent.mkdir()
    with NWBHDF5IO(str(file), "w") as io:
        nwb = NWBFile("one day", "mybird", datetime(2026, 5, 4, tzinfo=UTC))
        for times in recording.units.spike_times:
            nwb.add_unit(spike_times=times)
        table = TimeIntervals(name="syllables", description="what was sung")
        table.add_column("label", "a number")
        for row in recording.syllables.itertuples():
            table.add_row(
                start_time=row.start_time, stop_time=row.stop_time, label="iabc".index(row.label)
            )
        nwb.add_time_intervals(table)
        io.write(nwb)
    block = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "mine.yaml").write_text(block.replace("/path/to/mybird.nwb", str(file)))
    target = "results/comparison/mybird.png"
    run = snakemake(tmp_path, "--cores", "2", "--", target, overlay=tmp_path / "mine.yaml")
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(tmp_path / "results/comparison/mybird.csv")
    assert set(table["split"]) == {"blocked", "random"}
    assert (table["chance"] == 0.25).all()


def test_a_bird_need_not_be_held_out_in_blocks(tmp_path):
    arguments = ["--config", "splits=[random]", "confusion={split: random}"]
    targets = ["results/comparison/tiny.png", "results/units/tiny~independent.png"]
    run = snakemake(tmp_path, "-n", *arguments, "--", *targets)
    assert run.returncode == 0, run.stderr


def test_song_of_surrogates_needs_no_network(tmp_path):
    (tmp_path / "mine.yaml").write_text("voice: {null_splits: [random]}\n")
    target = "results/null_voice/bird1/random.csv"
    run = snakemake(tmp_path, "-n", "--", target, overlay=tmp_path / "mine.yaml")
    assert run.returncode == 0, run.stderr
    assert "null_voice" in run.stdout and "train_voice" not in run.stdout


def test_the_commands_of_the_readme_plan(tmp_path):
    text = (ROOT / "README.md").read_text()
    lines = [
        line.strip()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.strip().startswith("snakemake ") and "--report" not in line
    ]
    assert len(lines) >= 3
    for line in lines:
        arguments = line.split("#")[0].split()[1:]
        if "--configfile" in arguments:
            continue
        run = snakemake(tmp_path, "-n", *arguments, overlay=None)
        assert run.returncode == 0, f"{line}\n{run.stderr}"


@pytest.fixture(scope="module")
def copied(tiny, tmp_path_factory):
    """A copy that may hold more than `all` makes."""
    return shutil.copytree(tiny, tmp_path_factory.mktemp("copied"), dirs_exist_ok=True)


def test_a_copy_of_the_results_is_taken_as_it_is(copied):
    run = snakemake(copied, "-n")
    assert "Nothing to be done" in run.stdout + run.stderr


def test_a_control_is_generated_like_any_bird(copied):
    run = snakemake(copied, "--cores", "2", "--", "results/voice/tiny~shifted2.png")
    assert run.returncode == 0, run.stderr
    table = pd.read_csv(copied / "results/voice/tiny~shifted2.csv")
    # Surrogates have no null of their own.
    assert set(table["song"]) == {"generated", "baseline"}


def test_latents_and_codes_are_made_when_asked_for(copied):
    names = ("codec", "neural_vae", "voice_to_neurons", "latents")
    targets = [f"results/{name}/tiny.png" for name in names]
    run = snakemake(copied, "--cores", "2", "--", *targets)
    assert run.returncode == 0, run.stderr
    assert all((copied / target).stat().st_size > 10_000 for target in targets)


def test_both_figures_of_generated_song_have_the_same_intervals(tiny):
    shown = pd.read_csv(tiny / "results/voice/tiny.csv")
    assert set(shown["song"]) >= {"generated", "baseline"} and shown["song"].notna().all()
    row = shown[(shown["song"] == "generated") & (shown["part"] == "all bouts")].iloc[0]
    judged = pd.read_csv(tiny / "results/voice_measures/tiny.csv")
    judged = judged[(judged["measure"] == "correlation") & (judged["value"] == row["correlation"])]
    names = ["low", "high", "gain", "gain_low", "gain_high"]
    assert any(row[names].tolist() == other for other in judged[names].to_numpy().tolist())


def test_the_page_and_its_sounds_are_there(tiny):
    folder = tiny / "results/voice/tiny"
    page = (folder / "listen.html").read_text(encoding="utf-8")
    assert "simulated" in page and "http://" not in page.replace("http://www.w3.org", "")
    assert (folder / "original.wav").stat().st_size == (folder / "generated.wav").stat().st_size
