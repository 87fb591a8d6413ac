import importlib.metadata
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(name):
    text = (ROOT / name).read_text()
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def constraints():
    return {normal(line.split("==")[0]): line.split("==")[1] for line in lines("constraints.txt")}


def direct():
    """Return the direct dependencies, those to run and those to check."""
    run, check = (ROOT / "requirements.txt").read_text().split("# checks and tests\n")
    return tuple(
        {normal(line) for line in part.split("\n") if line and line[0] != "#"}
        for part in (run, check)
    )


def test_constraints_pin_every_direct_dependency():
    run, check = direct()
    assert run | check <= set(constraints())


def test_the_conda_environment_holds_the_pinned_runtime_dependencies():
    environment = yaml.safe_load((ROOT / "envs/neuro2voc.yaml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    pinned = dict(line.split("==") for line in environment["dependencies"][-1]["pip"])
    run, _ = direct()
    # Jobs do not submit jobs.
    run -= {"snakemake-executor-plugin-slurm"}
    assert {normal(name) for name in pinned} == run
    assert {normal(name): version for name, version in pinned.items()} == {
        name: constraints()[name] for name in run
    }


def test_every_environment_is_one_that_rules_name():
    named = re.findall(r"envs/[\w.]+", (ROOT / "rules/common.smk").read_text())
    assert set(named) == {f"envs/{path.name}" for path in (ROOT / "envs").iterdir()}


def test_the_container_is_built_by_the_commands_of_the_readme():
    text = (ROOT / "Containerfile").read_text()
    steps = re.findall(r"^RUN (make .+)$", text, re.MULTILINE)
    assert steps == ["make setup", "make test"]
    # The same Python as in the conda environment.
    environment = yaml.safe_load((ROOT / "envs/neuro2voc.yaml").read_text())
    (version,) = re.findall(r"^FROM .*python:([0-9.]+)-", text, re.MULTILINE)
    assert environment["dependencies"][0] == f"python ={version}"


def test_what_git_ignores_is_kept_out_of_the_container():
    ignored, left_out = (
        {line.strip("/").removeprefix("**/") for line in lines(name)}
        for name in (".gitignore", ".dockerignore")
    )
    assert ignored <= left_out


def test_every_direct_dependency_is_explained_once():
    text = (ROOT / "docs/dependencies.md").read_text()
    to_run, rest = text.split("## To check")
    to_check, later = rest.split("## Room for later stages")
    run, check = direct()
    row = re.compile(r"^\| ([a-z0-9-]+) \| (.+) \|$", re.MULTILINE)
    for part, names in ((to_run, run), (to_check, check)):
        found = [name for name, _ in row.findall(part) if name != "library"]
        assert sorted(found) == sorted(names)
    # What is installed now is no longer a library of a later stage.
    assert not {name for name, _ in row.findall(later)} & (run | check)


def test_the_version_is_stated_once_and_cited():
    import neuro2voc

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == neuro2voc.__version__


def test_what_is_installed_is_what_is_pinned():
    pinned = constraints()
    run, check = direct()
    # PyTorch's builds differ by what follows the plus sign.
    installed = {name: importlib.metadata.version(name).split("+")[0] for name in run | check}
    assert installed == {name: pinned[name] for name in installed}
