"""The history of a run, read back from the records of its jobs."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuro2voc.errors import DataError
from neuro2voc.files import sha256_of, write_json
from neuro2voc.origin import recorded, sidecar_of
from neuro2voc.run_record import read_record, read_records, run_record, warnings_of

BIRD, TRUTH = "results/recordings/b.nwb", "results/truth/b.h5"
TRIALS, FIGURE = "results/trials/b.csv", "results/units/b.png"


def run(outputs, rule, inputs=(), version="2.4.6", **params):
    """A job that writes its rule's name into its outputs."""
    params["code"] = f"0123456789abcdef numpy=={version}"
    work = SimpleNamespace(rule=rule, input=inputs, output=outputs, params=params)
    with recorded(work):
        for path in outputs:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(rule)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.nwb").write_text("raw")
    run([BIRD, TRUTH], "simulate", ["mine.nwb"], seed=3)
    run([TRIALS], "trials", [BIRD], settings={"folds": 3})
    run([FIGURE, "results/units/b.csv"], "units", [BIRD, TRIALS])
    run(["results/other.png"], "other")
    return tmp_path


def test_the_walk_back_finds_all_that_a_figure_was_made_from(results):
    record = run_record([FIGURE], read_records())
    assert record["targets"] == [FIGURE]
    assert {path: file["job"] for path, file in record["files"].items()} == {
        BIRD: BIRD,
        TRUTH: BIRD,
        TRIALS: TRIALS,
        FIGURE: FIGURE,
        "results/units/b.csv": FIGURE,
    }
    assert all(file["sha256"] == sha256_of(path) for path, file in record["files"].items())
    assert set(record["jobs"]) == {BIRD, TRIALS, FIGURE}
    job = record["jobs"][BIRD]
    assert (job["rule"], job["seed"], job["outputs"]) == ("simulate", 3, [BIRD, TRUTH])
    assert record["jobs"][TRIALS]["parameters"] == {"settings": {"folds": 3}}
    assert record["inputs"] == {"mine.nwb": sha256_of("mine.nwb")}
    assert record["libraries"] == {"numpy": "2.4.6"} and job["libraries"] == ["numpy"]
    assert record["differing"] == record["unrecorded"] == [] and record["outdated"] == {}
    assert warnings_of(record) == []
    machine = read_record(sidecar_of(FIGURE))["machine"]
    assert record["machine"] == [machine | {"jobs": sorted([BIRD, TRIALS, FIGURE])}]


def test_the_record_of_a_run_comes_out_the_same(results):
    for name in ("one.json", "two.json"):
        write_json(run_record([FIGURE, "results/other.png"], read_records()), name)
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_a_file_edited_by_hand_is_named(results):
    Path(TRIALS).write_text("better")
    record = run_record([FIGURE], read_records())
    assert record["differing"] == [TRIALS] and record["outdated"] == {FIGURE: [TRIALS]}
    sentences = warnings_of(record)
    assert sentences[0].startswith(f"{TRIALS} is not what its job wrote: it was changed since;")
    assert sentences[1].startswith(f"{FIGURE} was made from another {TRIALS} than there is now")


def test_a_job_that_ran_again_without_those_that_follow_is_named(results):
    run([TRIALS], "trials, otherwise", [BIRD])
    record = run_record([FIGURE], read_records())
    assert record["differing"] == [] and record["outdated"] == {FIGURE: [TRIALS]}


def test_a_file_that_is_gone_or_was_never_recorded_is_named(results):
    Path(TRUTH).unlink()
    sidecar_of(TRIALS).unlink()
    record = run_record([FIGURE], read_records())
    assert record["differing"] == [TRUTH] and record["unrecorded"] == [TRIALS]
    assert record["files"][TRUTH]["sha256"] is None
    assert [sentence.split(";")[0] for sentence in warnings_of(record)] == [
        f"{TRUTH} is gone since its job wrote it",
        f"{TRIALS} has no record",
    ]


def test_several_versions_of_a_library_are_told_apart(results):
    run([TRIALS], "trials", [BIRD], version="2.5.0", settings={"folds": 3})
    record = run_record([FIGURE], read_records())
    assert record["libraries"] == {"numpy": ["2.4.6", "2.5.0"]}
    assert record["jobs"][TRIALS]["libraries"] == ["numpy==2.5.0"]
    assert warnings_of(record) == ["jobs used several versions of numpy: 2.4.6, 2.5.0."]


def test_machines_and_commits_are_told_apart(results):
    record = read_record(sidecar_of(TRIALS))
    record["machine"]["commit"] = "f" * 40
    write_json(record, sidecar_of(TRIALS))
    machines = run_record([FIGURE], read_records())["machine"]
    assert sorted(machine["jobs"] for machine in machines) == [sorted([BIRD, FIGURE]), [TRIALS]]
    alike = [{k: v for k, v in m.items() if k not in ("jobs", "commit")} for m in machines]
    assert alike[0] == alike[1]


def test_of_two_records_of_a_file_that_counts_whose_bytes_it_has(results):
    old = json.loads(sidecar_of(BIRD).read_text())
    old |= {"target": "results/recordings/old.nwb", "outputs": {BIRD: "0" * 64}}
    for name in ("a.origin.json", "z.origin.json"):  # read before and after the right one
        write_json(old, Path("results") / name)
    assert run_record([FIGURE], read_records())["files"][BIRD]["job"] == BIRD


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "cannot be read as JSON"), ("[]", "is not the record"), ('{"rule": 1}', "is not the")],
)
def test_a_broken_record_ends_in_a_sentence(results, text, sentence):
    sidecar_of(FIGURE).write_text(text)
    with pytest.raises(DataError, match=f"units/b.origin.json {sentence}.*--force"):
        read_records()
