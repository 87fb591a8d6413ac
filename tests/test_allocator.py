"""Memory that is kept for the next array."""

import platform
import subprocess
import sys

import pytest

from neuro2voc import allocator

# Prints how many pages fault for an array of 64 MB, before, at once after and a while after.
ARRAYS = """
import resource
import torch
from neuro2voc.allocator import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = [faults() for _ in range(3)]
assert keep_memory()
after = [faults() for _ in range(30)]
print(min(before), max(after[-10:]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept with glibc only")
def test_arrays_are_made_where_others_were():
    run = subprocess.run([sys.executable, "-c", ARRAYS], capture_output=True, text=True, check=True)
    before, after = map(int, run.stdout.split())
    assert before > 10 * (after + 1)


@pytest.mark.parametrize("missing", ["gnu_get_libc_version", "mallopt"])
def test_other_libraries_are_left_alone(monkeypatch, missing):
    class Library:
        def __getattr__(self, name):
            if name == missing:
                raise AttributeError(name)
            return lambda *_: pytest.fail("called")

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: Library())
    assert allocator.keep_memory() is False


def test_no_library_at_all(monkeypatch):
    def fail(_):
        raise OSError

    monkeypatch.setattr(allocator.ctypes, "CDLL", fail)
    assert allocator.keep_memory() is False
