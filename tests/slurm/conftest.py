import signal
from pathlib import Path

import pytest
from runs import locally
from slurm_cluster import missing_packages, running_cluster


def no_slurm():
    """Return what is missing and how to get it, nothing where all is there."""
    missing = missing_packages()
    return missing and f"no Slurm here to test with; apt-get install {' '.join(missing)}"


def pytest_collection_finish(session):
    """Say it in one line where nothing else is to be tested."""
    here = Path(__file__).parent
    if session.items and all(item.path.is_relative_to(here) for item in session.items):
        if reason := no_slurm():
            pytest.exit(reason, returncode=0)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running Slurm; stopped in any case, also when pytest is told to end."""
    if reason := no_slurm():
        pytest.skip(reason)

    def end(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    with running_cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def undisturbed(cluster, tmp_path_factory):
    """The whole tiny workflow, run on this machine without Slurm and without faults."""
    folder = tmp_path_factory.mktemp("undisturbed")
    status, words = locally(folder, "--cores", "2")
    assert status == 0, words[-3000:]
    return folder
