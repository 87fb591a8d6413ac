import json
import shutil

import h5py
import numpy as np
import pytest

from neuro2voc.errors import DataError
from neuro2voc.identity import Difference, differences, main

MACHINE = {"commit": "0a1b", "platform": "a laptop"}
RECORD = {"target": "results/a.csv", "seed": 3, "outputs": {"results/a.csv": "12"}}
HISTORY = {
    "target": "results/provenance.json",
    "outputs": {"results/provenance.json": "34", "results/ro-crate-metadata.json": "56"},
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_hdf5(path, counts=(1, 2), note="as it is", rates=(np.nan, 1.0), extra=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["units/counts"] = np.array(counts)
        file["units/names"] = ["one", "two"]
        file["units/rates"] = np.array(rates)
        file["units/reference"] = file["units/counts"].ref
        file["units"].attrs["note"] = note
        if extra:
            file["units/extra"] = 1


@pytest.fixture
def runs(tmp_path):
    """Two working directories of runs that made the same on different machines and days."""
    for name in ("first", "second"):
        results = tmp_path / name / "results"
        write(results / "a.csv", "unit,rate\n0,1.5\n1,2.5\n")
        write(results / "deep/b.json", {"folds": [1, 2], "of": {"bird1": 0.5}})
        write(results / "c.png", bytes(range(200)))
        write_hdf5(results / "d.h5")
        np.savez(results / "e.npz", x=np.arange(3))
        write(results / "a.origin.json", RECORD | {"machine": MACHINE | {"platform": name}})
        write(results / "provenance.json", {"jobs": {}, "machine": [{"platform": name}]})
        outputs = HISTORY["outputs"] | {"results/provenance.json": name}
        write(
            results / "provenance.origin.json",
            HISTORY | {"outputs": outputs, "machine": {"platform": name}},
        )
        for outside in ("benchmarks/a.tsv", "report.html", "whence.txt", "whence.origin.json"):
            write(results / outside, name)
        for beside in ("logs/a.log", ".snakemake/metadata/x"):
            write(tmp_path / name / beside, name)
    return tmp_path / "first", tmp_path / "second"


def words(runs):
    _, found = differences(*runs)
    assert len(found) == 1
    return found[0].file, found[0].words


def test_what_is_not_promised_may_differ(runs):
    assert differences(*runs) == (8, [])
    assert differences(*(run / "results" for run in runs)) == (8, [])


def test_a_bird_may_be_called_like_what_is_outside(runs):
    write(runs[0] / "results/splits/benchmarks/blocked.csv", "1\n")
    write(runs[1] / "results/splits/benchmarks/blocked.csv", "2\n")
    assert words(runs)[0] == "splits/benchmarks/blocked.csv"


def test_files_that_only_one_run_made_are_named(runs):
    (runs[0] / "results/c.png").unlink()
    (runs[1] / "results/e.npz").unlink()
    assert differences(*runs) == (
        8,
        [
            Difference("c.png", f"only in {runs[1] / 'results'}"),
            Difference("e.npz", f"only in {runs[0] / 'results'}"),
        ],
    )


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("a.csv", "unit,rate\n0,1.5\n1,2.6\n", 'line 3, rate: "2.5" and "2.6"'),
        ("a.csv", "unit,rate\n0,1.5\n", "line 3: only in one of them"),
        ("a.csv", "unit,rate\r\n0,1.5\n1,2.5\n", "22 and 23 bytes long, from byte 9 on"),
        ("deep/b.json", {"folds": [1, 3], "of": {"bird1": 0.5}}, "folds/1: 2 and 3"),
        ("deep/b.json", {"folds": [1, 2], "of": {}}, "of/bird1: 0.5 and nothing"),
        ("deep/b.json", {"folds": [1, 2, 3], "of": {"bird1": 0.5}}, "folds/2: nothing and 3"),
        ("deep/b.json", {"folds": [True, 2], "of": {"bird1": 0.5}}, "folds/0: 1 and true"),
        ("deep/b.json", '{"folds":[1, 2], "of": {"bird1": 0.5}}', "from byte 9 on"),
        ("deep/b.json", "{", "cannot be read"),
        ("c.png", bytes(range(150)), "200 and 150 bytes long, from byte 150 on"),
        ("c.png", bytes([*range(7), 0, *range(8, 200)]), "from byte 7 on"),
        ("a.origin.json", RECORD | {"machine": MACHINE, "seed": 4}, "seed: 3 and 4"),
        ("provenance.json", {"jobs": {"x": 1}, "machine": []}, "jobs/x: nothing and 1"),
        (
            "provenance.origin.json",
            HISTORY | {"outputs": {"results/ro-crate-metadata.json": "57"}, "machine": {}},
            'outputs/results/ro-crate-metadata.json: "56" and "57"',
        ),
        ("d.h5", b"no HDF5", "cannot be read"),
    ],
)
def test_what_differs_is_said(runs, file, content, expected):
    write(runs[1] / "results" / file, content)
    name, said = words(runs)
    assert name == file
    assert expected in said


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"counts": (1, 3)}, "units/counts: 1 of 2 values"),
        ({"counts": (1, 2, 3)}, "units/counts: int64 (2,) and int64 (3,)"),
        ({"rates": (0.0, 1.0)}, "units/rates: 1 of 2 values"),
        ({"note": "as it was"}, "units@note: 1 of 1 values"),
        ({"extra": True}, "units/extra: only in one of them"),
    ],
)
def test_datasets_that_differ_are_named(runs, change, expected):
    write_hdf5(runs[1] / "results/d.h5", **change)
    assert words(runs) == ("d.h5", expected)


def test_arrays_that_differ_are_named(runs):
    np.savez(runs[1] / "results/e.npz", x=np.arange(1, 4))
    assert words(runs) == ("e.npz", "x: 3 of 3 values")


def test_large_files_are_compared_to_the_end(runs):
    for run, last in zip(runs, b"ab", strict=True):
        write(run / "results/large.bin", bytes(2**20 + 5) + bytes([last]))
    assert words(runs) == ("large.bin", f"from byte {2**20 + 5} on")


def test_the_command_says_it_and_ends_with_a_status(runs, capsys):
    assert main([str(run) for run in runs]) == 0
    assert capsys.readouterr().out == "identical: 8 files\n"
    write(runs[1] / "results/c.png", b"")
    assert main([str(run) for run in runs]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "c.png: 200 and 0 bytes long, from byte 0 on",
        "different: 1 of 8 files",
    ]


def test_nothing_is_not_identical_to_nothing(runs, capsys):
    shutil.rmtree(runs[1] / "results")
    with pytest.raises(DataError, match="results holds no results"):
        differences(*runs)
    assert main([str(runs[1]), str(runs[1])]) == 1
    assert "holds no results" in capsys.readouterr().err
