"""Damaged NWB files by the thousand: python tests/damage.py FOLDER FIRST LAST opens those of seeds.

One JSON line per file on standard output, the seed alone before it is opened: if HDF5 brings the
process down or hangs (SIGALRM then ends it), the last line says which file it was.
"""

import json
import logging
import resource
import signal
import sys
import time
from pathlib import Path

import h5py
import numpy as np

from neuro2voc.errors import DataError
from neuro2voc.recording import Recording

HANG = 10  # s
ROOM = 3 << 30  # bytes of address space for a process; the libraries alone map more than one


def flip_bits(data: bytearray, rng: np.random.Generator) -> None:
    for place in rng.integers(0, len(data), rng.integers(1, 20)):
        data[place] ^= 1 << int(rng.integers(8))


def overwrite(data: bytearray, rng: np.random.Generator) -> None:
    start, length = int(rng.integers(len(data))), int(rng.integers(1, 200))
    data[start : start + length] = rng.bytes(len(data[start : start + length]))


def hit_structure(data: bytearray, rng: np.random.Generator) -> None:
    """Flip bits near HDF5's own signatures, where lengths, types and addresses stand."""
    marks = [i for m in (b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR") for i in _all(data, m)]
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.choice(marks)) + int(rng.integers(4, 300)) if marks else 0
        if place < len(data):
            data[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)]))


def cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def drop_middle(data: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(data)))
    del data[start : start + int(rng.integers(1, 5000))]


def _all(data: bytearray, mark: bytes) -> list[int]:
    places, at = [], data.find(mark)
    while at >= 0:
        places.append(at)
        at = data.find(mark, at + 1)
    return places


def places_in(file: h5py.File, kind: type) -> list[str]:
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, kind) else None)
    return [name for name in found if not name.startswith("specifications")]


def pick(file: h5py.File, rng: np.random.Generator, kind: type = object) -> str:
    """Choose a place, more often one that is read."""
    places = places_in(file, kind)
    read = [p for p in places if p.startswith(("units", "intervals", "acquisition", "scratch"))]
    return str(rng.choice(read if read and rng.random() < 0.7 else places))


def remove(file: h5py.File, rng: np.random.Generator) -> None:
    del file[pick(file, rng)]


def rename(file: h5py.File, rng: np.random.Generator) -> None:
    place = pick(file, rng)
    names = ["start_time", "label", "data", "x\n", "\ud800".encode("utf-8", "surrogatepass"), "é"]
    name = names[rng.integers(len(names))]
    name = name if isinstance(name, bytes) else name.encode()
    if name not in file[place].parent:
        file[place].parent.move(place.split("/")[-1], name)


def replace_values(file: h5py.File, rng: np.random.Generator) -> None:
    """Put something else where a dataset was, with the same attributes."""
    place = pick(file, rng, h5py.Dataset)
    old = file[place]
    attributes = dict(old.attrs.items())
    n = min(int(np.prod(old.shape or (), dtype=object)), 10_000)
    texts = np.array(["a", "é", "x\ny"], dtype=object)[rng.integers(0, 3, n)]
    choices = [
        lambda: rng.normal(size=n),
        lambda: rng.normal(size=n + int(rng.integers(1, 4))),
        lambda: np.full(n, np.nan),
        lambda: -np.arange(n, dtype=float),
        lambda: rng.permutation(n).astype(float),
        lambda: np.full(n, np.inf),
        lambda: np.arange(n, dtype=np.int64) * 30_000,
        lambda: np.full(n, 2**64 - 1, dtype=np.uint64),
        lambda: rng.integers(0, 255, n).astype(np.uint8),
        lambda: rng.integers(-5, 5, (2, n)),
        lambda: np.zeros(0),
        lambda: np.float64(rng.normal()),
        lambda: "text",
        lambda: np.bytes_(b"\xff\xfe"),
        lambda: h5py.Empty("f"),
        lambda: np.ones(n, dtype=bool),
        lambda: np.zeros(n, dtype=[("x", "f8"), ("y", "i4")]),
        lambda: np.ones(n, dtype=complex),
    ]
    which = int(rng.integers(len(choices) + 3))
    del file[place]
    if which < len(choices):
        new = file.create_dataset(place, data=choices[which]())
    elif which == len(choices):
        new = file.create_dataset(place, data=texts, dtype=h5py.string_dtype())
    elif which == len(choices) + 1:
        new = file.create_dataset(place, (n,), dtype=h5py.ref_dtype)  # references to nothing
    else:
        shape = [(10**15,), (10**9, 10**6), (2**40,)][rng.integers(3)]
        chunks = (2**20,) if len(shape) == 1 else (2**10, 2**10)
        new = file.create_dataset(place, shape, dtype="f8", chunks=chunks)
    for key, value in attributes.items():
        if rng.random() < 0.9:
            new.attrs[key] = value


def spoil_some(file: h5py.File, rng: np.random.Generator) -> None:
    """Change single numbers."""
    data = file[pick(file, rng, h5py.Dataset)]
    if data.ndim and data.size and data.dtype.kind in "iuf":
        bad = [np.nan, np.inf, -np.inf, -1, 0, 255, 1e308] if data.dtype.kind == "f" else [0, 1, 7]
        values = data[()]
        values.flat[int(rng.integers(values.size))] = rng.choice(bad)
        data[...] = values


def change_attribute(file: h5py.File, rng: np.random.Generator) -> None:
    item = file[pick(file, rng)]
    if len(item.attrs):
        key = str(rng.choice(list(item.attrs)))
        values = [np.nan, -1, 0, "x", b"\xff", [], ["label", "label", "no"], 1e300, h5py.Empty("f")]
        if rng.random() < 0.3:
            del item.attrs[key]
        else:
            item.attrs[key] = values[rng.integers(len(values))]


def link(file: h5py.File, rng: np.random.Generator) -> None:
    """Put a link where something was: to itself, in a circle, to nothing, elsewhere, outside."""
    place, other = pick(file, rng), pick(file, rng)
    choices = [
        h5py.SoftLink(f"/{place}"),
        h5py.SoftLink("/nothing"),
        h5py.SoftLink(f"/{other}"),
        h5py.SoftLink("/"),
        h5py.ExternalLink("none.nwb", "/units"),
        h5py.ExternalLink("/dev/zero", "/units"),
        h5py.ExternalLink(Path(file.filename).name, f"/{other}"),
        h5py.ExternalLink("..", "/"),
    ]
    del file[place]
    file[place] = choices[rng.integers(len(choices))]


def swap(file: h5py.File, rng: np.random.Generator) -> None:
    one, two = pick(file, rng), pick(file, rng)
    if not (one.startswith(two) or two.startswith(one)):
        file.move(one, "kept")
        file.move(two, one)
        file.move("kept", two)


BYTES = (flip_bits, overwrite, hit_structure, hit_structure, cut, drop_middle)
CHANGES = (remove, rename, replace_values, replace_values, spoil_some, change_attribute, link, swap)


def damage(source: Path, target: Path, seed: int) -> str:
    """Write a damaged copy; return what was done to it."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.4:
        change = BYTES[rng.integers(len(BYTES))]
        data = bytearray(source.read_bytes())
        change(data, rng)
        target.write_bytes(data)
        return change.__name__
    target.write_bytes(source.read_bytes())
    done = []
    with h5py.File(target, "a", track_order=False) as file:
        for _ in range(int(rng.integers(1, 4))):
            change = CHANGES[rng.integers(len(CHANGES))]
            done.append(change.__name__)
            try:
                change(file, rng)
            except (KeyError, ValueError, OSError, TypeError, RuntimeError, MemoryError):
                done[-1] += " (failed)"  # on what an earlier change left
    return "+".join(done)


def outcome(path: Path) -> tuple[str, str]:
    """Open a file; return 'opens', 'refused' or 'wrong' with the words."""
    try:
        recording = Recording.open(path)
        if recording.audio is not None:
            start = recording.audio.start_time
            recording.audio.read(start, min(start + 1, recording.audio.stop_time))
        return "opens", ""
    except DataError as error:
        words = str(error)
        good = words.endswith(".") and words.isprintable() and str(path.parent) in words
        return ("refused" if good and len(words) < 2500 else "wrong"), words
    except BaseException as error:  # whatever else there is is what this looks for
        return "wrong", f"{type(error).__name__}: {error}"


def memory(of: str) -> int:
    """Return this process' memory in bytes: 'VmRSS' now, 'VmHWM' at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(of))


def main(folder: Path, first: int, last: int) -> None:
    logging.disable()
    sources = sorted(folder.glob("*.nwb"))
    for source in sources:
        assert outcome(source)[0] == "opens", (source, outcome(source))
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    work = folder / f"work{first}"
    work.mkdir(exist_ok=True)
    for seed in range(first, last):
        source = sources[seed % len(sources)]
        done = damage(source, work / source.name, seed)
        print(json.dumps({"seed": seed, "change": done}), flush=True)
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest
        before = memory("VmRSS")
        signal.alarm(HANG)
        began = time.perf_counter()
        what, words = outcome(work / source.name)
        signal.alarm(0)
        line = {"seed": seed, "change": done, "what": what, "words": words}
        line |= {"seconds": time.perf_counter() - began, "grown": memory("VmHWM") - before}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
