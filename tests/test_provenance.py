import importlib.metadata
from pathlib import Path

import pytest

from neuro2voc import provenance
from neuro2voc.errors import DataError
from neuro2voc.provenance import code_version

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


def test_every_module_of_our_own_is_read_once():
    """Every job of the workflow asks for the versions of all scripts."""
    scripts = sorted((ROOT / "neuro2voc").rglob("*.py"))
    provenance._parsed_file.cache_clear()
    for script in scripts:
        code_version(script)
    # As a script, and as a module that others import.
    assert provenance._parsed_file.cache_info().misses <= 2 * len(scripts)
