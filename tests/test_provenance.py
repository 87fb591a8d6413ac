import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from neuro2voc import provenance
from neuro2voc.errors import DataError
from neuro2voc.provenance import code_version, code_versions

ROOT = Path(__file__).parents[1]

FILES = {
    "script.py": """
        # A comment
        from house.trials import fold_of
        fold_of(snakemake.input)
    """,
    "house/__init__.py": '''
        """A package."""
        __version__ = "1"
    ''',
    "house/trials.py": '''
        """Trials."""
        import os
        def fold_of(x):
            """Return the fold."""
            from .depth import chart
            return chart.draw(x)
    ''',
    "house/depth/__init__.py": "LEVEL = 1",
    "house/depth/chart.py": """
        from ..colours import *
        import house.ink as ink
        def draw(x):
            return x
    """,
    "house/colours.py": "RED = 1",
    "house/ink.py": """
        try:
            import yaml
        except ImportError:
            yaml = None
    """,
    "house/unrelated.py": "import h5py",
}


@pytest.fixture
def house(tmp_path):
    for name in FILES:
        write(tmp_path, name, FILES[name])
    return tmp_path


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = text.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    path.write_text("\n".join(line[indent:] for line in lines) + "\n")


def version(folder):
    return code_version(folder / "script.py", package=folder / "house")


def edit(folder, name, old, new):
    assert old in FILES[name]
    write(folder, name, FILES[name].replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "# A comment", "# Another comment of another length"),
        ("script.py", "fold_of(snakemake.input)", "fold_of( snakemake.input )  # now"),
        ("house/trials.py", '"""Trials."""', '"""Trials, folds and bouts."""'),
        ("house/trials.py", '"""Return the fold."""', '"""Return the number of the fold."""'),
        ("house/__init__.py", '"1"', '"1.1"'),
        ("house/unrelated.py", "import h5py", "import h5py, numpy"),
    ],
)
def test_what_means_the_same_has_the_same_version(house, name, old, new):
    before = version(house)
    edit(house, name, old, new)
    assert version(house) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "snakemake.input", "snakemake.output"),
        ("house/__init__.py", "__version__", "version"),
        ("house/trials.py", "return chart.draw(x)", "return chart.draw(x + 1)"),
        ("house/depth/__init__.py", "1", "22"),
        ("house/depth/chart.py", "return x", "return -x"),
        ("house/colours.py", "1", "22"),
        ("house/ink.py", "yaml = None", "yaml = 0"),
    ],
)
def test_code_anywhere_in_the_closure_counts(house, name, old, new):
    before = version(house)
    edit(house, name, old, new)
    assert version(house) != before


def test_libraries_of_the_closure_are_named_with_their_versions(house):
    digest, *libraries = version(house).split()
    assert len(digest) == 16
    assert libraries == [f"PyYAML=={importlib.metadata.version('PyYAML')}"]


def test_a_library_that_is_not_installed_is_named(house):
    edit(house, "house/colours.py", "RED = 1", "import no_such_library.part")
    assert "no_such_library==absent" in version(house).split()


def test_modules_that_import_each_other_end(house):
    edit(house, "house/colours.py", "RED = 1", "from house import trials")
    assert version(house)


def test_the_version_does_not_depend_on_the_place(house, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere")
    for name in FILES:
        write(other, name, FILES[name])
    assert version(other) == version(house)


def test_a_file_that_is_no_python_is_named(house):
    edit(house, "house/colours.py", "RED = 1", "RED = (")
    with pytest.raises(DataError, match=r"colours\.py, line 1: not valid Python"):
        version(house)
    with pytest.raises(DataError, match=r"nothing\.py cannot be read"):
        code_version(house / "nothing.py")


def parsed_files(monkeypatch):
    """The files that are parsed from now on."""
    files, parse = [], provenance._parsed
    monkeypatch.setattr(
        provenance, "_parsed", lambda *given: files.append(given[1]) or parse(*given)
    )
    return files


def test_every_module_of_our_own_is_parsed_once(monkeypatch):
    """Every job of the workflow asks for the versions of all scripts."""
    files = parsed_files(monkeypatch)
    versions = code_versions(sorted((ROOT / "workflow/scripts").glob("*.py")))
    assert len(files) == len(set(files)) > len(versions)


def test_versions_are_the_same_with_and_without_a_memory(tmp_path, monkeypatch):
    scripts = sorted((ROOT / "workflow/scripts").glob("*.py"))
    memory = tmp_path / "made" / "code.json"
    first = code_versions(scripts, memory=memory)
    files = parsed_files(monkeypatch)
    assert code_versions(scripts, memory=memory) == first
    assert files == []
    assert first == {script.stem: code_version(script) for script in scripts}
    assert [path.name for path in memory.parent.iterdir()] == ["code.json"]


def test_a_memory_knows_files_by_content(house):
    memory = house / "code.json"
    scripts = [house / "script.py"]

    def remembered():
        return code_versions(scripts, house / "house", memory)["script"]

    before, text = remembered(), (house / "house/colours.py").read_text()
    status = (house / "house/colours.py").stat()
    edit(house, "house/colours.py", "1", "2")
    # An edit that leaves size and time as they were.
    os.utime(house / "house/colours.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert remembered() == version(house) != before
    write(house, "house/colours.py", text)
    assert remembered() == before
    # The same words in another module import from another place.
    (house / "house/depth/chart.py").replace(house / "house/chart.py")
    edit(house, "house/trials.py", "from .depth import chart", "from . import chart")
    assert remembered() == version(house) != before


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', "[" * 100_000, "\udcff", "null"])
def test_a_damaged_memory_is_made_anew(house, text):
    memory = house / "code.json"
    memory.write_text(text, errors="surrogateescape")
    found = code_versions([house / "script.py"], house / "house", memory)
    assert found == {"script": version(house)}
    assert len(json.loads(memory.read_text())) == 7


def test_entries_that_are_no_entries_are_passed_over(house):
    memory = house / "code.json"
    code_versions([house / "script.py"], house / "house", memory)
    entries = json.loads(memory.read_text())
    for entry in (None, [], ["x"], ["x", "y"], ["x", [1]], [1, []], {"x": []}):
        memory.write_text(json.dumps(dict.fromkeys(entries, entry)))
        assert code_versions([house / "script.py"], house / "house", memory) == {
            "script": version(house)
        }


def test_a_memory_that_cannot_be_written_is_done_without(house):
    (house / "a_file").write_text("no folder")
    found = code_versions([house / "script.py"], house / "house", house / "a_file" / "code.json")
    assert found == {"script": version(house)}
    # A folder in its place: written beside, not to be replaced, and nothing is left.
    (house / "memory" / "code.json").mkdir(parents=True)
    found = code_versions([house / "script.py"], house / "house", house / "memory" / "code.json")
    assert found == {"script": version(house)}
    assert [path.name for path in (house / "memory").iterdir()] == ["code.json"]


def test_processes_that_write_a_memory_at_once_leave_a_whole_one(house):
    memory = house / "code.json"
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from neuro2voc.provenance import code_versions
from pathlib import Path
house, memory = Path({str(house)!r}), Path({str(memory)!r})
for _ in range(50):
    memory.unlink(missing_ok=True)
    print(*code_versions([house / "script.py"], house / "house", memory).values())
"""
    runs = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    words = [run.communicate()[0].splitlines() for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert {word for lines in words for word in lines} == {version(house)}
    assert {path.name for path in house.glob("code.json*")} <= {"code.json"}
