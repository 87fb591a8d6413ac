from pathlib import Path

import pytest
from whole_workflow import snakemake


def pytest_collection_modifyitems(items):
    """Keep tests that share what is slow to make in one process, where there are several."""
    for item in items:
        shared = "tiny" if "tiny" in item.fixturenames else item.path.stem
        item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real recordings beside the repository."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with all of the tiny workflow. Its own tests compare files: work in a copy."""
    folder = tmp_path_factory.mktemp("tiny")
    run = snakemake(folder, "--cores", "2")
    assert run.returncode == 0, run.stderr
    return folder
