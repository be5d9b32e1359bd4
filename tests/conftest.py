"""Fixtures shared by all tests."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from tests.hand_made import three, tools  # noqa: F401
from tests.projects import checkout, mini  # noqa: F401

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


@pytest.fixture(scope="session")
def browser():
    """The module `browser.py`, which opens every page of a book and reports faults."""
    spec = importlib.util.spec_from_file_location(
        "book_browser", ROOT / "tests" / "book" / "browser.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chromium(browser) -> str:
    """Path of Chromium; where there is none the test skips, and fails where ``CI`` is set."""
    path = browser.find_chromium()
    if path is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("no Chromium found (chromium, chromium-browser, google-chrome on PATH, or name "
                    "one in PARASPINE_CHROMIUM): pages are not opened")  # fmt: skip
    return path


def pytest_collection_modifyitems(items):
    """Begin with the road, which takes longest, so that no process waits for it at the end."""
    items.sort(key=lambda item: item.path.parent.name != "road")
