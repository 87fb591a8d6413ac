"""The index of the thesis' figures is whole, and every target in it can be asked for."""

import runpy
from collections import defaultdict
from pathlib import Path

import pytest
from test_workflow import snakemake

ROOT = Path(__file__).resolve().parents[1]
INDEX = runpy.run_path(str(ROOT / "docs/thesis_figures.py"))
ROWS = INDEX["rows"]()


def numbers(letter, *ranges):
    return [f"{letter}{n}" for first, last in ranges for n in range(first, last + 1)]


def test_the_page_is_what_the_table_says():
    assert (ROOT / "docs/thesis_figures.md").read_text(encoding="utf-8") == INDEX["page"]()


def test_every_figure_occurs_once_and_in_one_table_of_its_part():
    wanted = numbers("C", (1, 55)) + numbers("T", (1, 48))
    listed = [row["number"] for row in ROWS]
    assert len(set(listed)) == len(listed)
    assert set(wanted) <= set(listed)
    parts = [row["part"] for row in ROWS]
    changes = sum(a != b for a, b in zip(parts, parts[1:], strict=False))
    assert changes == len(set(parts)) - 1


def test_every_figure_says_what_was_wrong_and_what_is_done_instead():
    for row in ROWS:
        assert all(row[name].strip() for name in ("title", "there", "here")), row["number"]
        assert "|" not in "".join(row.values()), f"{row['number']} breaks its table"


def by_settings():
    targets = defaultdict(set)
    for row in ROWS:
        targets[row["with"]].add(row["target"])
    return [pytest.param(key, sorted(value), id=key or "plain") for key, value in targets.items()]


@pytest.mark.parametrize(("settings", "targets"), by_settings())
def test_every_target_plans(tmp_path, settings, targets):
    arguments = ["--config", settings] if settings else []
    # `all` shows that the settings suit the whole workflow, the targets that nobody misspelt them.
    run = snakemake(
        tmp_path,
        "-n",
        "--quiet",
        "rules",
        *arguments,
        "--",
        "all",
        *targets,
        overlay=ROOT / "config/thesis.yaml",
    )
    assert run.returncode == 0, run.stderr[-2000:]
