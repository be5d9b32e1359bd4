"""Examples in docstrings do what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["paraspine.text", "paraspine.graph.profiles"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
