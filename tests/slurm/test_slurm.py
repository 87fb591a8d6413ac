"""The workflow through a real Slurm: jobs go where they should, results are as without it."""

import re

import pytest
from runs import ROOT, differences, locally, through_slurm

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def jobs(cluster, undisturbed, tmp_path_factory):
    """`snakemake --profile slurm all`: the folder, and what Slurm knows of the jobs."""
    folder = tmp_path_factory.mktemp("through")
    since = cluster.last_job()
    status, words = through_slurm(cluster, folder, "--", "all")
    assert status == 0, words[-3000:]
    return folder, [job for job in cluster.jobs() if int(job["JobId"]) > since]


def test_results_are_those_of_a_run_without_slurm(jobs, undisturbed):
    folder, _ = jobs
    assert len(list((folder / "results").rglob("*.png"))) > 30
    assert differences(folder, undisturbed) == {}
    assert "Nothing to be done" in locally(folder, "--cores", "1")[1]


def test_what_went_through_slurm_ended_well(jobs, cluster):
    _, found = jobs
    assert {job["JobState"] for job in found} == {"COMPLETED"}
    recorded = dict(
        re.search(r"^JobId=(\d+) .*?JobState=(\w+)", line).groups()
        for line in (cluster.folder / "jobs.txt").read_text().splitlines()
    )
    assert {recorded[job["JobId"]] for job in found} == {"COMPLETED"}


def test_gpu_rules_went_to_the_gpu_partition_with_one_gpu(jobs):
    _, found = jobs
    by_gpu = {True: set(), False: set()}
    for job in found:
        rule = re.match(r"rule_(.*?)(_wildcards_|$)", job["Comment"])[1]
        by_gpu[job.get("TresPerJob") == "gres:gpu:1"].add((rule, job["Partition"]))
    rules = ("train", "train_sequences", "null_networks", "contexts", "pretrain", "pretraining")
    rules += ("train_voice", "null_voice", "embed")
    assert by_gpu[True] == {(name, "gpu") for name in rules}
    assert {partition for _, partition in by_gpu[False]} == {"cpu"}


@pytest.mark.parametrize(
    ("rule", "memory", "time"),
    [
        ("train", 4000, "02:00:00"),
        ("null_networks", 4000, "04:00:00"),
        ("importances", 4000, "01:00:00"),
    ],
)
def test_slurm_gave_the_memory_and_time_that_were_asked_for(jobs, rule, memory, time):
    _, found = jobs
    of_rule = [job for job in found if job["Comment"].startswith(f"rule_{rule}_wildcards")]
    assert {(job["MinMemoryNode"], job["TimeLimit"]) for job in of_rule} == {(f"{memory}M", time)}
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    assert re.search(rf"^rule {rule}:.*?mem_mb=\D*{memory}\b", text, re.MULTILINE | re.DOTALL)


def test_far_fewer_submissions_than_jobs(jobs):
    folder, found = jobs
    logs = list((folder / "logs").rglob("*.log"))
    print(f"\n{len(logs)} jobs in {len(found)} submissions")
    assert len(found) < 0.7 * len(logs)
