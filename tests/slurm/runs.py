"""Runs of the tiny workflow, on this machine and through Slurm, and what they leave behind."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from neuro2voc import identity

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny.yaml"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--configfile", str(TINY)]
# The tests' cluster has no accounting, and its jobs are short.
THROUGH_SLURM = [
    "--profile=slurm",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=5",
    "--latency-wait=10",
]
LIMIT = 1500


def locally(folder, *arguments):
    """Run the workflow in this folder without Slurm; its exit status and its words."""
    with started(folder, os.environ, *arguments) as process:
        status = process.wait(LIMIT)
    return status, words_of(folder)


def through_slurm(cluster, folder, *arguments):
    """Run a head to its end; its exit status and its words."""
    with head(cluster, folder, *arguments) as process:
        status = process.wait(LIMIT)
    return status, words_of(folder)


def head(cluster, folder, *arguments):
    """Start a head of the workflow on the cluster, like `started`."""
    return started(folder, cluster.environment, *THROUGH_SLURM, *arguments)


@contextmanager
def started(folder, environment, *arguments):
    """Start Snakemake; its words go to `words_of(folder)`. Killed with its jobs if left running."""
    folder.mkdir(parents=True, exist_ok=True)
    with words_file(folder).open("w") as words:
        process = subprocess.Popen(
            [*SNAKEMAKE, "--directory", str(folder), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def words_file(folder):
    """Return where the head's words stand."""
    return folder / "head.txt"


def words_of(folder):
    """What the last head in this folder has said so far."""
    return words_file(folder).read_text()


def copy_of(folder, target, without):
    """Copy finished results with Snakemake's records of them, but for some that are to be made."""
    shutil.copytree(folder / "results", target / "results")
    shutil.copytree(folder / ".snakemake" / "metadata", target / ".snakemake" / "metadata")
    for pattern in without:
        found = list((target / "results").glob(pattern))
        assert found, pattern
        for path in found:
            path.unlink()


def differences(folder, undisturbed):
    """What one of two folders lacks or has otherwise, by file."""
    return {one.file: one.words for one in identity.differences(folder, undisturbed)[1]}
