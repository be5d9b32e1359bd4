"""Choose slices to show, and the order of their levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine.anatomy import LEVELS
from paraspine.arrays import SettingsError

__all__ = ["orders", "spread", "studied"]


def orders(table: pd.DataFrame) -> dict[str, list[str]]:
    """The order in which a figure shall show levels: cranial to caudal, others as they come."""
    if "level" not in table:
        return {}
    found = list(dict.fromkeys(table["level"].dropna()))
    return {"level": sorted(found, key=lambda n: LEVELS.index(n) if n in LEVELS else len(LEVELS))}


def spread(data, count: int) -> np.ndarray:
    """Indices of images to show: different subjects and levels, every rater's where possible.

    Parameters
    ----------
    data : slices.Slices
        The images to choose from.
    count : int
        How many, at most.

    Returns
    -------
    numpy.ndarray of int
        In the order of the table; the same for the same cohort.
    """
    table = data.table.reset_index(drop=True)
    marked = (data.labels > 0).any(axis=(1, 2, 3))
    worth = marked * len(data.raters) + data.rated.sum(axis=1)
    subject = pd.factorize(table["subject"])[0]
    level = pd.factorize(table["level"])[0] if "level" in table else np.zeros_like(subject)
    chosen: list[int] = []
    while len(chosen) < min(count, len(table)):
        left = np.setdiff1d(np.arange(len(table)), chosen)
        shown = [(codes[left, None] == codes[chosen]).sum(axis=1) for codes in (subject, level)]
        first = left[np.lexsort((-worth[left], shown[1], shown[0], worth[left] == 0))[0]]
        alike = [codes[left] == codes[first] for codes in (subject, level, worth)]
        alike = left[np.logical_and.reduce(alike)]
        chosen.append(int(alike[len(alike) // 2]))
    return np.array(sorted(chosen), dtype=int)


def studied(data, subjects: int = 0, levels: Sequence[str] = ()) -> np.ndarray:
    """Which slices are looked at: all those of the first subjects, at some levels.

    Parameters
    ----------
    data : slices.Slices
        To choose from.
    subjects : int
        How many, in the order of the cohort; 0: all.
    levels : sequence of str
        Which levels; none: all.

    Returns
    -------
    numpy.ndarray of bool, (N,)

    Raises
    ------
    SettingsError
        If nothing is left.
    """
    names = list(dict.fromkeys(data.table["subject"]))
    chosen = data.table["subject"].isin(names[: subjects or None])
    if len(levels):
        chosen &= data.table["level"].isin(list(levels))
    if not chosen.any():
        raise SettingsError(
            f"levels: no slice of {', '.join(map(str, levels))} among {len(names)} subjects."
        )
    return chosen.to_numpy()
