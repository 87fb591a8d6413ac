from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real recordings beside the repository."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder
