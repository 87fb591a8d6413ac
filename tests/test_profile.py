"""slurm/profile.yaml names what exists, plans as it is, and asks Slurm for what the rules need."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "tiny.yaml"
PROFILE = ROOT / "slurm" / "profile.yaml"

# Programs of Slurm that take note of jobs and refuse them all.
STAND_INS = {
    "sbatch": 'for word; do echo "$word"; done > "$CALLS/$$"\nexit 1\n',
    "sacct": "exit 1\n",
    "squeue": "exit 0\n",
    "scontrol": "echo 'MinJobAge = 300 sec'\n",
    "sinfo": "echo 'PARTITION usual* gpu'\n",
    "sacctmgr": "echo myaccount\n",
    "scancel": "exit 0\n",
}


def snakemake(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--directory", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def settings():
    return yaml.safe_load(PROFILE.read_text())


def rule_texts():
    """The text of every rule, by its name."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    parts = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_an_unedited_profile_plans(tmp_path):
    run = snakemake(tmp_path, "--profile", "slurm", "-n", "--quiet", "rules", "all")
    assert run.returncode == 0, run.stderr
    assert re.search(r"^train +\d+$", run.stdout + run.stderr, re.MULTILINE)


def test_the_profile_names_real_rules_and_groups():
    """Snakemake ignores names that do not exist."""
    profile, rules = settings(), set(rule_texts())
    named = [*profile["set-resources"], *profile["groups"]]
    assert [name for name in named if name not in rules] == []
    assert set(profile["group-components"]) == set(profile["groups"].values())


def test_every_rule_that_needs_a_gpu_has_its_partition_and_time():
    needy = {name for name, text in rule_texts().items() if re.search(r"\bgpu=1\b", text)}
    placed = {
        name
        for name, resources in settings()["set-resources"].items()
        if {"slurm_partition", "runtime"} <= set(resources)
    }
    assert needy == placed and "train" in needy


def test_rules_name_no_site():
    for name, text in rule_texts().items():
        assert not re.search(r"slurm_|partition=|account=|constraint=|\bqos=", text), name


def test_no_group_waits_for_itself(tmp_path):
    """No path leads out of a group and back into it."""
    targets = ["all", *(f"results/comparison/tiny~{kind}.png" for kind in ("shifted", "poisson"))]
    run = snakemake(tmp_path, "--configfile", str(TINY), "--rulegraph", "--", *targets)
    assert run.returncode == 0, run.stderr
    names = dict(re.findall(r'(\d+)\[label = "(\w+)', run.stdout))
    after = {name: set() for name in names.values()}
    for first, then in re.findall(r"(\d+) -> (\d+)", run.stdout):
        after[names[first]].add(names[then])
    assert sum(map(len, after.values())) > 50
    groups = settings()["groups"]
    for group in set(groups.values()):
        members = {rule for rule, its in groups.items() if its == group}
        open_rules = set().union(*(after.get(rule, set()) for rule in members)) - members
        reached = set()
        while open_rules:
            reached |= open_rules
            open_rules = set().union(*(after[rule] for rule in open_rules)) - reached
        assert reached & members == set(), group


def submitted(folder, *arguments, profile="slurm"):
    """What sbatch is asked for, as words of each call; all are refused, and tried once more."""
    programs, calls = folder / "bin", folder / "calls"
    programs.mkdir()
    calls.mkdir()
    for name, text in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}")
        (programs / name).chmod(0o755)
    # What jobs are made from, empty: none of them runs.
    made = ["recordings/tiny.nwb", "truth/tiny.h5", "inclusion/tiny.csv", "trials/tiny.csv"]
    made += [f"splits/tiny/{split}.csv" for split in ("blocked", "session", "random")]
    windows = ("syllable", *yaml.safe_load((ROOT / "config.yaml").read_text())["windows"])
    made += [f"tensors/tiny/{window}.h5" for window in windows]
    for name in made:
        path = folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    run = snakemake(
        folder,
        "--profile",
        str(profile),
        "--configfile",
        str(TINY),
        "--retries=1",
        "--latency-wait=1",
        "--slurm-init-seconds-before-status-checks=1",
        *arguments,
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        CALLS=str(calls),
    )
    assert run.returncode == 1 and "Traceback" not in run.stderr, run.stderr
    files = sorted(calls.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_text().splitlines() for path in files]


def of_rule(calls, rule):
    """Words that sbatch was called with for the jobs of one rule or group, one string per call."""
    return [
        " ".join(words) for words in calls if words[words.index("--comment") + 1].startswith(rule)
    ]


def asked(call, flag):
    """The value of an option of sbatch, None where it is not given."""
    found = re.search(rf"(?:^| ){re.escape(flag)}[ =](\S+)", call)
    return found and found[1]


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    return submitted(
        tmp_path_factory.mktemp("submitted"),
        "--",
        "results/decoding/tiny/blocked/lstm/metrics.json",
        "results/decoding/tiny/blocked/logistic/metrics.json",
        "results/decoding/tiny/random/logistic/metrics.json",
        "results/importances/tiny/count.png",
    )


def test_every_job_asks_for_memory_time_and_a_cpu(calls):
    first, second = of_rule(calls, "rule_importances")
    assert asked(first, "--mem") == "4000" and asked(first, "-t") == "60"
    assert asked(first, "--cpus-per-task") == "1" and asked(first, "--ntasks") == "1"
    assert asked(first, "-p") == "usual" and asked(first, "-A") is None
    assert "--requeue" in first and "--gpus" not in first and "--gres" not in first
    assert asked(first, "--job-name").startswith("neuro2voc_")
    assert "slurm_logs/rule_importances/" in asked(first, "--output")
    # Tried again with more.
    assert asked(second, "--mem") == "8000" and asked(second, "-t") == "120"


def test_a_gpu_rule_asks_for_one_gpu_in_its_partition(calls):
    first, second = of_rule(calls, "rule_train")
    assert asked(first, "-p") == "gpu" and asked(first, "--gpus") == "1"
    assert asked(first, "-t") == "120" and asked(second, "-t") == "240"
    assert int(asked(second, "--mem")) == 2 * int(asked(first, "--mem")) > 0


def test_small_jobs_are_submitted_together(calls):
    first, second = of_rule(calls, "rule_decoding")
    # Two decoders side by side.
    assert asked(first, "--mem") == "8000" and asked(first, "--cpus-per-task") == "2"
    assert asked(second, "--mem") == "16000"


def test_what_is_to_be_filled_in_reaches_slurm(tmp_path):
    """The lines of the profile that are comments, made real."""
    text = PROFILE.read_text()
    names = ["slurm_account", "slurm_partition", "slurm-status-command", "slurm-efficiency-report"]
    text, changed = re.subn(rf"# ({'|'.join(names)}): ", r"\1: ", text)
    assert changed == len(names)
    gres = "".join(re.findall(r"^  #  ( (?:gpu|gres): .*\n)", text, re.MULTILINE))
    assert gres.count("\n") == 2
    text = text.replace("  train:\n", "  train:\n" + gres.replace(" g", "    g"))
    profile = tmp_path / "mine"
    profile.mkdir()
    (profile / "profile.yaml").write_text(text)
    targets = [
        "results/decoding/tiny/blocked/lstm/metrics.json",
        "results/importances/tiny/count.png",
    ]
    calls = submitted(tmp_path, "--retries=0", "--", *targets, profile=profile)
    (other,), (train,) = of_rule(calls, "rule_importances"), of_rule(calls, "rule_train")
    assert asked(other, "-p") == "cpu" and asked(other, "-A") == "myaccount"
    assert asked(train, "-p") == "gpu" and asked(train, "-A") == "myaccount"
    assert asked(train, "--gres") == "gpu:1" and "--gpus" not in train
