"""Reading and writing spike times at the thesis' scale, beside np.load and pynwb.

Reading is from memory that the system keeps of the files (they were just written); np.load of one
flat array is as fast as reading can be. pynwb's unit API is asked for every unit's spike times one
after the other; it also writes a file from units added one by one, which is done once, because it
takes most of a minute. The run fails where spike times disagree, never for being slow.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import scale  # sets the number of threads, so it comes first

# isort: split
import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile

from neuro2voc.nwb_writing import write_recording
from neuro2voc.recording import Recording
from neuro2voc.spike_trains import check_trains

REPEATS = 7
READING = 2  # times np.load


def read_column(path: Path) -> list[np.ndarray]:
    """Read the column of spike times, check it, and part it into units."""
    with h5py.File(path) as file:
        flat = file["units/spike_times"][()]
        stops = file["units/spike_times_index"][()].astype(np.int64)
    if check_trains(flat, stops).any():
        raise ValueError("spike times are not as they were written")
    return np.split(flat, stops[:-1])


def read_pynwb(path: Path) -> list[np.ndarray]:
    """Read all units through pynwb's unit API."""
    with NWBHDF5IO(path, "r") as io:
        units = io.read().units
        return [units.get_unit_spike_times(unit) for unit in range(len(units))]


def write_pynwb(recording: Recording, path: Path) -> None:
    """Add units one by one."""
    nwb = NWBFile("session", "identifier", datetime(2000, 1, 1, tzinfo=UTC))
    for train in recording.units.spike_times:
        nwb.add_unit(spike_times=train)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)


def main() -> int:
    """Print the table; return 1 where spike times disagree."""
    recording = scale.recording()
    trains = recording.units.spike_times
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, flat = (Path(folder) / n for n in ("ours.nwb", "theirs.nwb", "flat.npy"))
        once = {
            "ours": lambda: write_recording(recording, ours),
            "pynwb": lambda: write_pynwb(recording, theirs),
        }
        writing = scale.seconds(once, 1, warm_up=False)
        np.save(flat, np.concatenate(trains))
        readers = {
            "column": lambda: read_column(ours),
            "recording": lambda: Recording.open(ours),
            "np.load": lambda: np.load(flat),
            "pynwb": lambda: read_pynwb(ours),
        }
        same = all(
            np.array_equal(np.concatenate(found), np.load(flat))
            for found in (
                read_column(ours),
                Recording.open(ours).units.spike_times,
                read_pynwb(ours),
                read_pynwb(theirs),
            )
        )
        reading = scale.seconds(readers, REPEATS)
    agreement = "exact" if same else "DISAGREES"
    rows = [
        (what, f"{1e3 * a:.0f}", f"{peer} {1e3 * b:.0f}", f"{b / a:.2f}", bar, agreement)
        for what, peer, a, b, bar in (
            (
                "all spike times, checked",
                "np.load",
                reading["column"],
                reading["np.load"],
                f"{1 / READING:g}",
            ),
            ("all spike times, checked", "pynwb", reading["column"], reading["pynwb"], ""),
            ("Recording.open", "np.load", reading["recording"], reading["np.load"], ""),
            ("Recording.open", "pynwb", reading["recording"], reading["pynwb"], ""),
            ("writing a recording", "pynwb", writing["ours"], writing["pynwb"], ""),
        )
    ]
    scale.print_table(rows, ("what", "ours (ms)", "peer (ms)", "ratio", "bar", "agreement"))
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
