"""The record that every job leaves beside its first output, and in its figures."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from neuro2voc import origin
from neuro2voc.configuration import parse_bird
from neuro2voc.files import save_figure, sha256_of
from neuro2voc.jobs import job
from neuro2voc.origin import CURRENT, digest_of, origin_of, sidecar_of
from neuro2voc.run_record import FIELDS, read_record

ROOT = Path(__file__).resolve().parents[1]
CODE = "0123456789abcdef numpy==2.4.6 scikit-learn==1.9.1 yaml==absent"


def work(output="results/units/b.png", inputs=(), **params):
    return SimpleNamespace(
        rule="units",
        input=list(inputs),
        output=[output, str(Path(output).with_suffix(".pdf"))],
        params={"code": CODE, "seed": 5} | params,
        log=["job.log"],
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("results/trials/b.csv", "mine/b.nwb", "other/b.nwb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def run(given):
    with job(given):
        save_figure(Figure(), given.output[0])
    return read_record(sidecar_of(given.output[0]))


def test_a_record_says_what_the_outputs_follow_from(folder):
    record = run(work(inputs=["results/trials/b.csv", "mine/b.nwb"], folds=3))
    assert {key: record[key] for key in FIELDS} == {
        "target": "results/units/b.png",
        "rule": "units",
        "parameters": {"folds": 3},
        "seed": 5,
        "code": "0123456789abcdef",
        "libraries": {"numpy": "2.4.6", "scikit-learn": "1.9.1", "yaml": "absent"},
        "inputs": {
            "results/trials/b.csv": sha256_of("results/trials/b.csv"),
            "b.nwb": sha256_of("mine/b.nwb"),
        },
    }
    assert record["digest"] == digest_of({key: record[key] for key in FIELDS})
    paths = ["results/units/b.png", "results/units/b.pdf"]
    assert record["outputs"] == {path: sha256_of(path) for path in paths}
    assert set(record["machine"]) == {"commit", "modified", "python", "platform", "processor"}
    assert record["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 6},
        {"folds": 4},
        {"code": CODE.replace("0123", "3210")},
        {"code": CODE.replace("2.4.6", "2.4.7")},
        {"inputs": []},
        {"inputs": ["other/b.nwb"]},
        {"output": "results/units/c.png"},
    ],
)
def test_whatever_a_result_follows_from_is_in_the_digest(folder, changed):
    usual = {"inputs": ["mine/b.nwb"], "folds": 3}
    first = origin_of(work(**usual)).digest
    assert origin_of(work(**usual)).digest == first
    assert origin_of(work(**usual | changed)).digest != first


def test_the_folder_of_a_recording_is_not(folder):
    shutil.copytree("mine", "elsewhere/deep")
    paths = ["mine/b.nwb", "./mine/b.nwb", str(folder / "elsewhere/deep/b.nwb")]
    origins = {
        origin_of(work(inputs=[path], entry={"file": path, "files": [path]})).text()
        for path in paths
    }
    assert len(origins) == 1
    assert json.loads(origins.pop())["parameters"] == {
        "entry": {"file": "b.nwb", "files": ["b.nwb"]}
    }


def test_namesakes_from_several_folders_are_told_apart(folder):
    inputs = origin_of(work(inputs=["mine/b.nwb", "other/b.nwb", "mine/b.nwb"])).inputs
    assert inputs == {"b.nwb": sha256_of("mine/b.nwb"), "b.nwb (2)": sha256_of("other/b.nwb")}


def test_parameters_of_all_kinds_are_recorded_as_json_has_them(folder):
    name = parse_bird("b~shifted2")[2:]
    made = origin_of(
        work(name=name, bins=np.arange(2), p=np.float64(1 / 3), none=None, keys={1: (2.5, True)})
    )
    assert made.parameters["name"] == ["shifted", 2]
    assert made.parameters["bins"] == [0, 1]
    assert made.parameters["p"] == 0.333333333
    assert made.parameters["keys"] == {"1": [2.5, True]}
    assert made.parameters["none"] is None
    assert json.loads(made.text())["parameters"] == made.parameters


def test_a_job_that_fails_leaves_no_record_not_even_an_older_one(folder):
    run(work())
    assert sidecar_of("results/units/b.png").exists()
    with pytest.raises(SystemExit), job(work()):
        assert not sidecar_of("results/units/b.png").exists()
        raise ValueError
    assert not sidecar_of("results/units/b.png").exists()
    assert CURRENT.get() is None


def test_pictures_say_what_made_them(folder):
    record = run(work(inputs=["mine/b.nwb"]))
    text = Image.open("results/units/b.png").text
    assert set(text) == {"Title", "neuro2voc digest", "neuro2voc origin"}
    assert text["Title"] == "results/units/b.png"
    assert text["neuro2voc digest"] == record["digest"]
    assert json.loads(text["neuro2voc origin"]) == {key: record[key] for key in FIELDS}
    pdf = Path("results/units/b.pdf").read_bytes()
    assert b"/Title (results/units/b.pdf)" in pdf
    assert f"/Subject (neuro2voc {record['digest']})".encode() in pdf


def test_the_title_is_that_of_the_very_figure(folder):
    given = work()
    with job(given):
        save_figure(Figure(), given.output[0])
        save_figure(Figure(), "results/hubs/b.png")
    assert Image.open("results/hubs/b.png").text["Title"] == "results/hubs/b.png"
    first, second = (Image.open(p).text for p in (given.output[0], "results/hubs/b.png"))
    assert first["neuro2voc origin"] == second["neuro2voc origin"]


def test_pictures_of_no_job_say_nothing(folder):
    save_figure(Figure(), "a.png")
    assert Image.open("a.png").text == {}
    assert b"/Title" not in Path("a.pdf").read_bytes()


def test_pictures_come_out_the_same_wherever_recordings_lie(folder):
    shutil.copytree("mine", "elsewhere")
    digests = []
    for path in ("mine/b.nwb", "elsewhere/b.nwb"):
        record = run(work(inputs=[path], entry={"file": path}))
        digests.append(record["outputs"])
    assert digests[0] == digests[1]


def test_the_commit_is_that_of_the_code(tmp_path, monkeypatch):
    def git(*arguments):
        name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *name, *arguments], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(origin, "ROOT", tmp_path / "code")
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))  # as within a hook of another repository
    (tmp_path / "code").mkdir()
    assert origin._commit() == {"commit": None, "modified": None}
    monkeypatch.setattr(origin, "ROOT", tmp_path)
    monkeypatch.delenv("GIT_DIR")
    git("init")
    assert origin._commit() == {"commit": None, "modified": False}
    (tmp_path / "a.py").write_text("1")
    git("add", "a.py")
    git("commit", "-m", "one")
    made = origin._commit()
    assert re.fullmatch("[0-9a-f]{40}", made["commit"]) and made["modified"] is False
    assert origin.commit_date()[:2] == "20"
    (tmp_path / "untracked.py").write_text("1")
    assert origin._commit() == made
    (tmp_path / "a.py").write_text("2")
    assert origin._commit() == made | {"modified": True}
    monkeypatch.setenv("PATH", os.devnull)
    assert origin._commit() == {"commit": None, "modified": None} and origin.commit_date() is None


def first_outputs():
    """The first output of every rule, as the rules write it."""
    pattern = re.compile(r"\n    output:\s+(?:\w+=)?(?:\w+\(\s*)?\"([^\"]+)\"")
    found = {}
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            found[rule.partition(":")[0]] = pattern.search(rule)[1]
    return found


def test_no_two_jobs_keep_their_records_in_the_same_file():
    found = first_outputs()
    assert len(found) > 40
    owners = {}
    for path in found.values():
        owners.setdefault(sidecar_of(path), set()).add(path)
    # What several rules make, each for its own birds, is one file.
    assert {key: paths for key, paths in owners.items() if len(paths) > 1} == {}


def test_downloads_of_one_bird_differ_in_more_than_their_suffix():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for entry in config["public"].values():
        assert len({Path(name).stem for name in entry["files"]}) == len(entry["files"])
