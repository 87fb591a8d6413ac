"""What goes wrong on clusters: afterwards results are complete, and those of an undisturbed run."""

import os
import re
import signal
import subprocess

import pytest
from runs import LIMIT, TINY, copy_of, differences, head, locally, through_slurm, words_of
from slurm_cluster import wait_until

pytestmark = pytest.mark.slurm

# One job, some seconds long, for which everything else is there.
TARGET = "results/importances/tiny/count.png"
MADE = ["importances/tiny/count.*"]
LOG = "logs/importances/tiny/count.log"


@pytest.fixture
def prepared(undisturbed, tmp_path):
    """A folder with all results but one figure's."""
    copy_of(undisturbed, tmp_path, MADE)
    return tmp_path


def wait_until_at_work(cluster, folder, since):
    """The job of TARGET, once its script is running."""
    job = cluster.wait_for("importances", "RUNNING", since)
    wait_until((folder / LOG).exists, f"there is {LOG}")
    return job["JobId"]


def states(cluster, rule, since):
    return [job["JobState"] for job in cluster.jobs_of(rule, since)]


def test_a_cancelled_job_is_tried_again(cluster, prepared, undisturbed):
    since = cluster.last_job()
    with head(cluster, prepared, "--", TARGET) as process:
        cluster.run("scancel", wait_until_at_work(cluster, prepared, since))
        assert process.wait(LIMIT) == 0, words_of(prepared)
    assert states(cluster, "importances", since) == ["CANCELLED", "COMPLETED"]
    assert differences(prepared, undisturbed) == {}


def test_a_job_over_its_memory_is_killed_and_given_more(cluster, prepared, undisturbed):
    since = cluster.last_job()
    # A first attempt that cannot hold what the script imports.
    little = "--set-resources=importances:mem_mb=200 if attempt == 1 else 2000 * attempt"
    status, words = through_slurm(cluster, prepared, little, "--", TARGET)
    assert status == 0, words
    first, second = cluster.jobs_of("importances", since)
    # With cgroups it would be OUT_OF_MEMORY; polled, the daemon alone says why.
    assert first["JobState"] in ("FAILED", "OUT_OF_MEMORY") and first["MinMemoryNode"] == "200M"
    said = (cluster.folder / "slurmd.log").read_text()
    assert re.search(rf"(?i)(Step|Job)Id={first['JobId']}\b.*exceeded memory limit", said)
    assert second["JobState"] == "COMPLETED" and second["MinMemoryNode"] == "4000M"
    assert differences(prepared, undisturbed) == {}


def test_jobs_wait_for_a_drained_node(cluster, prepared, undisturbed):
    since = cluster.last_job()
    with head(cluster, prepared, "--forcerun", "inclusion", "--", TARGET) as process:
        first = cluster.wait_for("recordings", "RUNNING", since)
        cluster.run("scontrol", "update", "NodeName=node", "State=DRAIN", "Reason=test")
        try:
            # The running one goes on, the next one waits.
            wait_until(
                lambda: states(cluster, "recordings", since) == ["COMPLETED"],
                f"job {first['JobId']} ends",
            )
            cluster.wait_for("importances", "PENDING", since)
            assert process.poll() is None
        finally:
            cluster.run("scontrol", "update", "NodeName=node", "State=RESUME")
        assert process.wait(LIMIT) == 0, words_of(prepared)
    assert states(cluster, "importances", since) == ["COMPLETED"]
    assert differences(prepared, undisturbed) == {}


def test_a_preempted_job_is_queued_again_by_slurm(cluster, prepared, undisturbed):
    since = cluster.last_job()
    with head(cluster, prepared, "--", TARGET) as process:
        job = wait_until_at_work(cluster, prepared, since)
        cluster.run("scontrol", "requeue", job)
        cluster.wait_for("importances", "PENDING", since)
        # Slurm would wait two minutes.
        cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now")
        assert process.wait(LIMIT) == 0, words_of(prepared)
    (found,) = cluster.jobs_of("importances", since)
    assert found["JobState"] == "COMPLETED" and found["Restarts"] == "1"
    assert differences(prepared, undisturbed) == {}


@pytest.mark.parametrize("left", ["cancelled", "finished"])
def test_a_killed_head_is_started_again(cluster, prepared, undisturbed, left):
    """As docs/cluster.md says: end what it left in the queue, unlock, give the same command."""
    since = cluster.last_job()
    with head(cluster, prepared, "--forcerun", "inclusion", "--", TARGET) as process:
        orphan = cluster.wait_for("recordings", "RUNNING", since)
        wait_until((prepared / "logs/inclusion/tiny.log").exists, "a script is at work")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if left == "cancelled":
        cluster.run("scancel", "--name", orphan["JobName"])
    cluster.wait_until_empty()
    status, words = through_slurm(cluster, prepared, "--", TARGET)
    assert status == 1 and "cannot be locked" in words and "Traceback" not in words
    status, words = through_slurm(cluster, prepared, "--unlock")
    assert status == 0, words
    status, words = through_slurm(cluster, prepared, "--", TARGET)
    assert status == 0, words
    ended = "COMPLETED" if left == "finished" else "CANCELLED"
    assert states(cluster, "recordings", since)[0] == ended
    assert states(cluster, "importances", since) == ["COMPLETED"]
    assert differences(prepared, undisturbed) == {}


def test_a_second_head_is_refused_and_the_first_unharmed(cluster, prepared, undisturbed):
    since = cluster.last_job()
    with head(cluster, prepared, "--", TARGET) as process:
        job = wait_until_at_work(cluster, prepared, since)
        cluster.run("scontrol", "suspend", job)
        second = prepared / "second"
        # Its words go elsewhere, its results would not.
        with head(cluster, second, "--directory", str(prepared), "--", TARGET) as other:
            assert other.wait(LIMIT) == 1
        assert "cannot be locked" in words_of(second) and "Traceback" not in words_of(second)
        cluster.run("scontrol", "resume", job)
        assert process.wait(LIMIT) == 0, words_of(prepared)
    assert states(cluster, "importances", since) == ["COMPLETED"]
    assert differences(prepared, undisturbed) == {}


@pytest.fixture
def small_disk(undisturbed, tmp_path):
    """Results on a file system too small for one recording."""
    if os.geteuid():
        pytest.skip("only root can mount a small file system")
    results = tmp_path / "results"
    results.mkdir()
    size = (undisturbed / "results/recordings/tiny.nwb").stat().st_size // 2
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", results], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", results], check=True)


def test_a_full_disk_leaves_nothing_half_written(cluster, small_disk, undisturbed):
    target = "results/units/tiny.png"
    status, words = through_slurm(cluster, small_disk, "--retries=0", "--", target)
    assert status == 1 and "no space left on the disk of results/" in words, words
    assert [path for path in (small_disk / "results").rglob("*") if path.is_file()] == []
    subprocess.run(
        ["mount", "-o", "remount,size=1g", small_disk / "results"], check=True, timeout=60
    )
    status, words = through_slurm(cluster, small_disk, "--", target)
    assert status == 0, words
    made = [f"{stage}/tiny" for stage in ("recordings", "truth", "inclusion", "units")]
    differing = differences(small_disk, undisturbed)
    assert [name for name in differing if name.startswith(tuple(made))] == []


def test_training_killed_midway_goes_on_to_the_same_weights(cluster, undisturbed, tmp_path):
    target = "results/decoding/tiny/blocked/lstm/metrics.json"
    made = [
        "decoding/tiny/blocked/lstm/*",
        "models/tiny/blocked/lstm*",
        "losses/tiny/blocked/lstm*",
        "grid/tiny/blocked/lstm*",
    ]
    # Long enough to be killed between the trainings of two folds.
    overlay = tmp_path / "longer.yaml"
    overlay.write_text("training: {epochs: 200, patience: 200}\n")
    longer = ["--configfile", str(TINY), str(overlay), "--", target]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    copy_of(undisturbed, whole, made)
    copy_of(undisturbed, killed, made)
    status, words = locally(whole, "--cores", "1", *longer)
    assert status == 0, words
    since = cluster.last_job()
    kept = killed / "checkpoints/train/tiny/blocked/lstm"
    with head(cluster, killed, *longer) as process:
        job = cluster.wait_for("train", "RUNNING", since)
        wait_until(lambda: list(kept.glob("*.safetensors")), f"a checkpoint in {kept}")
        cluster.run("scancel", "--signal=KILL", job["JobId"])
        assert process.wait(LIMIT) == 0, words_of(killed)
    assert states(cluster, "train", since) == ["CANCELLED", "COMPLETED"]
    assert "resumed after epoch 200" in (killed / "logs/train/tiny/blocked/lstm.log").read_text()
    assert (killed / "results/models/tiny/blocked/lstm.safetensors").exists()
    assert differences(killed, whole) == {}
