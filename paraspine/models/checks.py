"""Checks on the options of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paraspine.arrays import SettingsError, check_whole

__all__ = ["ACTIVATIONS", "check_choice", "check_count", "check_counts", "check_rate"]

#: What can make logits into probabilities.
ACTIVATIONS = ("softmax", "normalised_relu", "normalised_relu_by_class")


def check_count(name: str, value, at_least: int = 1) -> int:
    """Return a whole number of at least `at_least`, else raise `SettingsError`."""
    return check_whole(name, value, at_least)


def check_counts(name: str, values, at_least: int = 1) -> list[int]:
    """Return a list of at least `at_least` positive whole numbers, else raise `SettingsError`."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) < at_least:
        raise SettingsError(
            f"{name}: expected a list of at least {at_least} whole numbers, got {values!r}."
        )
    return [check_count(f"{name}[{place}]", value) for place, value in enumerate(values)]


def check_rate(name: str, value) -> float:
    """Return a dropout rate in [0, 1), else raise `SettingsError`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value < 1:
        raise SettingsError(f"{name}: expected a rate of at least 0 and below 1, got {value!r}.")
    return float(value)


def check_choice(name: str, value, choices: Sequence[str]) -> str:
    """Return a value that is among the choices, else raise `SettingsError`."""
    if value not in choices:
        raise SettingsError(f"{name}: expected one of {', '.join(choices)}, got {value!r}.")
    return value
