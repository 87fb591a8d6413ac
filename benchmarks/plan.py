"""Planning for a hundred birds, beside bare workflows of as many jobs.

Timed is the processor time of whole commands, the contenders in turn, the median of several: the
plan (`snakemake -n`, nothing made yet), "nothing to be done" (everything made), and the plan of one
job, which is what every job on a cluster begins with. Results are empty files, accepted as they are
by `snakemake --touch`.

The toy has one Snakefile and nothing that Snakemake can do without: in chains of seven, each job
has one input, one output and one line of shell. The twin has our jobs with our inputs, outputs and
logs, written as plain patterns, so that what lies between toy and twin is the price of files, and
what lies between twin and ours that of functions, parameters, scripts and resources.

The run fails where a workflow has another number of jobs or finds something to do, never for being
slow.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks import scale

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
BAR = 2  # times as long as the toy
BIRDS = [f"b{number:03d}" for number in range(1, 101)]
CHAIN = 7  # jobs from the recording of a bird to the figures of all birds
# Snakemake waits 0.1 s before it touches the outputs of a job.
TOUCH = (
    "from snakemake.executors.touch import Executor; Executor.SLEEPING_TIME = 0; "
    "from snakemake.cli import main; main()"
)


def snakemake(folder: Path, *arguments: str, python: Iterable[str] = ("-m", "snakemake")) -> str:
    """Run Snakemake in `folder`, which holds the arguments that name its workflow."""
    workflow = json.loads((folder / "workflow.json").read_text())
    command = [sys.executable, *python, *workflow, "--directory", str(folder), *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)}\n{run.stderr[-2000:]}")
    return run.stdout + run.stderr


def prepared(folder: Path, *workflow: str) -> Path:
    """Make a working directory for the workflow that these arguments name."""
    folder.mkdir()
    (folder / "workflow.json").write_text(json.dumps(workflow))
    return folder


def number_of_jobs(folder: Path) -> int:
    """Return how many jobs are planned, without that of the target rule itself."""
    return int(re.findall(r"^total +(\d+)$", snakemake(folder, "-n", "-q", "rules"), re.M)[-1]) - 1


def make_everything(folder: Path) -> None:
    """Make all results as empty files that Snakemake knows how it made."""
    for line in snakemake(folder, "--summary").splitlines():
        path, tab, _ = line.partition("\t")
        if tab and path.startswith("results/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()
    everything = ("--touch", "--forceall", "--cores", "100", "--quiet", "all")
    snakemake(folder, *everything, "--max-jobs-per-timespan", "100000/1s", python=("-c", TOUCH))


def toy(jobs: int) -> str:
    """Return a Snakefile of chains of jobs for each bird."""
    per_bird, rest = divmod(jobs, len(BIRDS))
    rules = [
        f"rule all:\n    input:\n"
        f"        expand('results/r{{rule}}/{{bird}}', rule=range({per_bird}), bird={BIRDS}),\n"
        f"        expand('results/rest/{{bird}}', bird={BIRDS[:rest]}),\n",
        "rule rest:\n    output: 'results/rest/{bird}'\n    shell: 'touch {output}'\n",
    ]
    for rule in range(per_bird):
        before = f"    input: 'results/r{rule - 1}/{{bird}}'\n" if rule % CHAIN else ""
        rules.append(
            f"rule r{rule}:\n{before}    output: 'results/r{rule}/{{bird}}'\n"
            f"    shell: 'touch {{output}}'\n"
        )
    return "\n".join(rules)


def twin(ours: Path) -> str:
    """Return a Snakefile with the jobs that made everything in `ours`, as plain patterns."""
    jobs: dict[str, tuple[list[str], list[str]]] = {}
    records = ours / ".snakemake/metadata"
    for file in filter(Path.is_file, sorted(records.rglob("*"))):
        record = json.loads(file.read_text())
        (log,) = record["log"]
        outputs = jobs.setdefault(log, (record["input"], []))[1]
        outputs.append(b64decode("".join(file.relative_to(records).parts)).decode())
    needed = {name for inputs, _ in jobs.values() for name in inputs}
    targets = [outputs[0] for _, outputs in jobs.values() if needed.isdisjoint(outputs)]
    first, others = BIRDS[0], re.compile("|".join(BIRDS[1:]))
    rules = [f"rule all:\n    input: {targets}\n"]
    for number, (log, (inputs, outputs)) in enumerate(jobs.items()):
        # One bird's jobs stand for those of all others.
        if others.search(log):
            continue
        names = [str(inputs), str(outputs), repr(log)]
        if first in log:
            names = [name.replace(first, "{bird}") for name in names]
        rules.append(
            "rule r{}:\n    input: {}\n    output: {}\n    log: {}\n"
            "    shell: 'touch {{output}}'\n".format(number, *names)
        )
    return "\n".join(rules)


def seconds(folder: Path, *arguments: str) -> float:
    """Return the processor time (s) of a command and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    snakemake(folder, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(commands: dict[str, tuple]) -> dict[str, float]:
    """Return each contender's median time (s) for a folder and arguments; they take turns."""
    times = {name: [] for name in commands}
    for _ in range(REPEATS):
        for name, command in commands.items():
            times[name].append(seconds(*command))
    return {name: float(np.median(values)) for name, values in times.items()}


def contenders(scratch: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return working directories in which nothing is made, and others in which everything is."""
    settings = {"splits": ["blocked", "session", "random"]}
    birds = {"birds": BIRDS, "simulated": dict.fromkeys(BIRDS, settings)}
    (scratch / "birds.json").write_text(json.dumps(birds))
    ours = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", str(scratch / "birds.json"))
    nothing = {"ours": prepared(scratch / "ours_planned", *ours)}
    made = {"ours": prepared(scratch / "ours", *ours)}
    make_everything(made["ours"])
    files = {"toy": toy(number_of_jobs(nothing["ours"])), "twin": twin(made["ours"])}
    for name, text in files.items():
        file = scratch / f"{name}.smk"
        file.write_text(text)
        nothing[name] = prepared(scratch / f"{name}_planned", "--snakefile", str(file))
        made[name] = prepared(scratch / name, "--snakefile", str(file))
        make_everything(made[name])
    return nothing, made


def main() -> int:
    """Print the table; return 1 where workflows are not what they should be."""
    with tempfile.TemporaryDirectory() as scratch:
        nothing, made = contenders(Path(scratch))
        jobs = {name: number_of_jobs(folder) for name, folder in nothing.items()}
        idle = ["Nothing to be done" in snakemake(f, "--cores", "1") for f in made.values()]
        print(f"{jobs['ours']:,} jobs of {len(BIRDS)} birds\n")
        one = {"ours": "results/recordings/b001.nwb", "toy": "results/r0/b001"}
        cases = {
            "plan": {n: (f, "-n", "--quiet", "rules") for n, f in nothing.items()},
            "nothing to be done": {n: (f, "--cores", "1") for n, f in made.items()},
            "plan of one job": {n: (nothing[n], "-n", "--", file) for n, file in one.items()},
        }
        rows = []
        for what, commands in cases.items():
            took = medians(commands)
            rows += [
                (
                    what,
                    f"{took['ours']:.2f}",
                    f"{peer} {took[peer]:.2f}",
                    f"{took['ours'] / took[peer]:.2f}",
                    BAR if peer == "toy" else "",
                )
                for peer in list(took)[1:]
            ]
    scale.print_table(rows, ("what", "ours (s)", "peer (s)", "ratio", "bar"))
    return int(len(set(jobs.values())) > 1 or not all(idle))


if __name__ == "__main__":
    sys.exit(main())
