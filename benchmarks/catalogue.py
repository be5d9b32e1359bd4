"""All cases, in the order of the table."""

from __future__ import annotations

import re
from importlib import import_module

from benchmarks.material import Benchmark

__all__ = ["THEMES", "choose", "collect"]

THEMES = ("sampling", "training", "augmentation", "metrics", "fusion", "graph")


def collect() -> list[Benchmark]:
    """Return every case of every theme."""
    modules = (import_module(f"benchmarks.{theme}") for theme in THEMES)
    return [benchmark for module in modules for benchmark in module.BENCHMARKS]


def choose(pattern: str | None) -> list[Benchmark]:
    """Return the cases whose name a regular expression finds something in.

    Raises
    ------
    ValueError
        If it is none, or finds nothing.
    """
    found = collect()
    if not pattern:
        return found
    try:
        wanted = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"--only: not a regular expression: {pattern!r} ({error}).") from error
    chosen = [benchmark for benchmark in found if wanted.search(benchmark.name)]
    if not chosen:
        names = ", ".join(benchmark.name for benchmark in found)
        raise ValueError(f"--only: {pattern!r} finds none of {names}.")
    return chosen
