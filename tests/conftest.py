"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images beside the checkout; the test skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real images not found at {folder}: they are not part of the project")
    return folder


def pytest_collection_modifyitems(items):
    """Begin with the road, which takes longest, so that no process waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_road.py")
