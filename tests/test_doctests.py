"""Examples in docstrings do what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    ["text", "graph.assignments", "statistics.estimate", "statistics.options", "statistics.sums"],
)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"paraspine.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
