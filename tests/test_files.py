import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from neuro2voc.errors import DataError
from neuro2voc.files import (
    hdf5_writer,
    read_csv,
    replacing,
    save_figure,
    sha256_of,
    write_csv,
    write_json,
)

ROOT = Path(__file__).resolve().parents[1]

WRITE_ALL = """
import sys
from pathlib import Path
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from neuro2voc.files import hdf5_writer, save_figure, write_csv, write_json
folder = Path(sys.argv[1])
write_csv(pd.DataFrame({"a": [0.1, 1 / 3], "b": ["x", "y"]}), folder / "t.csv")
write_json({k: 1 / 3 for k in {"one", "two", "three"}}, folder / "t.json")
with hdf5_writer(folder / "t.h5") as file:
    file.create_group("g").attrs["unit"] = "s"
    file.create_dataset("g/x", data=np.arange(9), compression="gzip")
figure, axis = plt.subplots()
axis.plot([1, 2], label="µV")
axis.set_title("simulated")
axis.legend()
save_figure(figure, folder / "t.png")
assert not plt.get_fignums()
"""


def test_another_process_writes_the_same_bytes(tmp_path):
    digests = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-c", WRITE_ALL, folder], check=True, cwd=ROOT, env=environment
        )
        digests.append({p.name: sha256_of(p) for p in sorted(folder.iterdir())})
        time.sleep(1.1)  # dates in files count seconds
    assert list(digests[0]) == ["t.csv", "t.h5", "t.json", "t.pdf", "t.png"]
    assert digests[0] == digests[1]


def test_csv_has_twelve_digits_and_plain_line_ends(tmp_path):
    write_csv(pd.DataFrame({"t": [1 / 3, 2.0], "n": [1, 2]}), tmp_path / "deep" / "t.csv")
    assert (tmp_path / "deep" / "t.csv").read_bytes() == b"t,n\n0.333333333333,1\n2,2\n"


def test_json_is_sorted_and_plain(tmp_path):
    write_json(
        {"b": np.float32(0.1), "a": [np.int64(3), np.nan, np.inf, None, True], "c": np.arange(2)},
        tmp_path / "t.json",
    )
    text = (tmp_path / "t.json").read_text()
    assert text.endswith("\n") and text.index('"a"') < text.index('"b"')
    assert json.loads(text) == {"a": [3, None, None, None, True], "b": 0.100000001, "c": [0, 1]}


@given(st.recursive(st.integers() | st.text() | st.booleans() | st.none(), st.lists, max_leaves=9))
def test_json_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "round.json"
    write_json({"value": value}, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {"value": value}


def test_a_failed_writer_leaves_what_was_there(tmp_path):
    path = tmp_path / "t.h5"
    path.write_text("before")
    with pytest.raises(RuntimeError), hdf5_writer(path) as file:
        file["x"] = 1
        raise RuntimeError
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    with pytest.raises(TypeError):
        write_json({"x": object()}, path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["t.h5"]


def test_hdf5_writer_writes(tmp_path):
    with hdf5_writer(tmp_path / "t.h5") as file:
        file["x"] = [1, 2]
    with h5py.File(tmp_path / "t.h5") as file:
        assert list(file["x"]) == [1, 2]


@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.sampled_from(["NA", "nan", "", "a", "1", "é,\n"])),
        min_size=1,
    )
)
def test_csv_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    frame = pd.DataFrame(rows, columns=["t", "label"])
    write_csv(frame, path)
    back = read_csv(path, {"t": float, "label": str})
    assert list(back["label"]) == list(frame["label"])
    np.testing.assert_allclose(back["t"], frame["t"], rtol=1e-8)


def test_read_csv_says_what_is_wrong(tmp_path):
    path = tmp_path / "t.csv"
    with pytest.raises(DataError, match=r"t\.csv does not exist; make it"):
        read_csv(path, ["a"])
    path.write_text("")
    with pytest.raises(DataError, match=r"t\.csv cannot be read as a CSV table \(No columns"):
        read_csv(path, ["a"])
    path.write_text('a,b\n1,2\n1,2,3,4\n"')
    with pytest.raises(DataError, match="cannot be read as a CSV table"):
        read_csv(path, ["a"])
    path.write_text("onset,label\nx,a\n")
    with pytest.raises(DataError, match="cannot be read as a CSV table"):
        read_csv(path, {"onset": float})
    with pytest.raises(DataError, match="no column 'onsett'; did you mean 'onset'.*onset, label"):
        read_csv(path, ["onsett"])


def test_empty_cells_are_missing_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("t,label\n,NA\n1,\n")
    frame = read_csv(tmp_path / "t.csv", {"t": float, "label": str})
    assert np.isnan(frame["t"][0]) and list(frame["label"]) == ["NA", ""]


def test_what_a_layout_differs_in_from_run_to_run_is_not_saved(tmp_path, monkeypatch):
    solve = ConstrainedLayoutEngine.execute
    seen = []

    def saved(name, jitter):
        def execute(engine, figure):
            solve(engine, figure)
            for ax in figure.axes:
                box = ax.get_position(original=True).bounds
                ax._set_position([side * (1 + jitter) for side in box])
                seen.append(ax.get_position(original=True).bounds)

        monkeypatch.setattr(ConstrainedLayoutEngine, "execute", execute)
        figure = Figure(layout="constrained")
        for ax in figure.subplots(2, 2).flat:
            ax.plot([0, 1e4], label="line")
            ax.set(xlabel="time", ylabel="rate")
        save_figure(figure, tmp_path / f"{name}.png")
        return (tmp_path / f"{name}.png").read_bytes(), (tmp_path / f"{name}.pdf").read_bytes()

    assert saved("a", 0) == saved("b", 1e-11)
    assert len(set(seen)) == len(seen) == 8  # four axes, each in another place the second time


def test_save_figure_makes_both_files_and_no_more(tmp_path):
    save_figure(Figure(), tmp_path / "f.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.pdf", "f.png"]


def test_sha256_of(tmp_path):
    (tmp_path / "x").write_bytes(b"song")
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"song").hexdigest()
