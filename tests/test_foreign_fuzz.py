"""Whatever is done to a file, it opens or is refused in a sentence, soon and in little memory."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from test_recording import bird, lab_file

from neuro2voc.nwb_writing import write_recording

ROOT = Path(__file__).resolve().parents[1]
# Bytes beyond twice the file, for whatever its size: what `UNPROVEN` lets pass, and some buffers.
CONSTANT = 128 << 20
# Lengths inside HDF5's own structures are believed by its C library before anybody can look at
# them: one file in a thousand may make it ask for more. `damage.ROOM` bounds that too.
BELIEVED = 1e-3


def rich_file(path):
    """A laboratory's file with most of what is read."""
    from pynwb import TimeSeries
    from pynwb.event import EventsTable

    def setup(nwb):
        probe = nwb.create_device(name="probe")
        group = nwb.create_electrode_group("g", "shank", "brain", probe)
        nwb.add_electrode_column("rel_y", "from the tip")
        for depth in (20.0, 40.0):
            nwb.add_electrode(group=group, location="RA", rel_y=depth)
        times = np.arange(400) / 100
        nwb.add_acquisition(TimeSeries(name="mic", data=np.ones(400), unit="V", timestamps=times))
        nwb.add_invalid_time_interval(start_time=2.5, stop_time=2.6)
        events = EventsTable(name="calls", description="calls")
        events.add_column("kind", "kind")
        events.add_event(timestamp=0.5, duration=0.1, kind="stack")
        nwb.create_processing_module("behavior", "calls").add(events)

    units = [
        {
            "spike_times": np.sort(np.random.default_rng(u).uniform(0, 4, 200)),
            "obs_intervals": [[0.0, 4.0]],
            "electrodes": [0, 1],
            "quality": "good",
        }
        for u in range(3)
    ]
    return lab_file(path, units=units, setup=setup)


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    write_recording(bird(), folder / "own.nwb", audio=(100.0, np.ones(1000)))
    rich_file(folder / "rich.nwb")
    lab = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "nwb_phy_A8604"
    for path in lab.glob("*.nwb"):
        shutil.copyfile(path, folder / "phy.nwb")
    return folder


def open_all(folder, first, last):
    """Open damaged files in processes of their own; one that ends early goes on behind the file."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    lines, died = [], []
    while first < last:
        command = [sys.executable, str(ROOT / "tests" / "damage.py"), folder, first, last]
        process = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, env=environment, cwd=ROOT
        )
        new = [json.loads(line) for line in process.stdout.splitlines()]
        assert new, process.stderr
        lines += [line for line in new if "what" in line]
        if process.returncode:
            died.append((new[-1], process.returncode, process.stderr[-300:]))
        first = new[-1]["seed"] + 1
    return lines, died


def check(lines, died, folder):
    size = max(path.stat().st_size for path in folder.glob("*.nwb"))
    wrong = [line for line in lines if line["what"] == "wrong"]
    assert not wrong, wrong[:5]
    assert not died, died[:5]
    large = [line for line in lines if line["grown"] > 2 * size + CONSTANT]
    assert len(large) <= BELIEVED * len(lines), large[:5]
    return Counter(line["what"] for line in lines)


def test_damaged_files_open_or_are_refused_in_a_sentence(sources):
    counts = check(*open_all(sources, 0, 150), sources)
    assert sum(counts.values()) == 150
    assert min(counts["opens"], counts["refused"]) > 20  # some damage is where nobody looks


@pytest.mark.long
def test_ten_thousand_damaged_files(sources):
    lines, died = [], []
    for first in range(1000, 11_000, 500):
        new = open_all(sources, first, first + 500)
        lines += new[0]
        died += new[1]
    counts = check(lines, died, sources)
    print(dict(counts), f"slowest {max(line['seconds'] for line in lines):.2f} s")
    assert sum(counts.values()) == 10_000
