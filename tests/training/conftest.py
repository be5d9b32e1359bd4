import importlib.util
from pathlib import Path

import pytest

from paraspine import runs

SCRIPT = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="session")
def tiny():
    """The module with the tiny network and its problem."""
    spec = importlib.util.spec_from_file_location("tiny_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def new_run(tmp_path):
    """Make an open run folder of a given name."""
    return lambda name="run": runs.start(tmp_path / name, {})
