"""An estimate with its interval, and the checks that all of the room shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..arrays import SettingsError, ShapeError, check_whole

__all__ = ["NAN", "Estimate", "as_columns", "check_columns", "check_options", "check_vectors"]

NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value : float
        The estimate itself, from all the data.
    low, high : float
        Ends of the confidence interval, 95 % unless asked otherwise.
    p : float
        Two-sided p-value; what it tests is said where it is computed.

    NaN wherever a number is undefined.
    """

    value: float
    low: float = NAN
    high: float = NAN
    p: float = NAN


def check_options(resamples: int, confidence: float) -> None:
    """Raise `SettingsError` unless the number of resamples and the confidence make sense."""
    check_whole("resamples", resamples)
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence: expected a number between 0 and 1, got {confidence!r}.")


def check_vectors(groups=None, **vectors) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return vectors as float64 and groups as numbers, without the entries where any is NaN.

    Parameters
    ----------
    groups : array-like, (n,), optional
        Which entries belong together; without it each entry is a group of its own.
    **vectors : array-like of float, (n,)
        The data by name.

    Returns
    -------
    vectors : dict of numpy.ndarray, (m,)
    groups : numpy.ndarray of int, (m,)
        Numbers 0 to G - 1, in the order of first appearance among the entries kept.

    Raises
    ------
    ShapeError
        If lengths differ or something is not one-dimensional.
    SettingsError
        If a value is infinite or a group is missing.
    """
    arrays = {}
    for name, values in vectors.items():
        try:
            arrays[name] = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{name}: expected numbers, got {values!r:.80}.") from error
    labels = None if groups is None else np.asarray(groups)
    shapes = {n: a.shape for n, a in arrays.items()}
    if labels is not None:
        shapes["groups"] = labels.shape
    if len(set(shapes.values())) > 1 or any(len(s) != 1 for s in shapes.values()):
        raise ShapeError(f"expected one-dimensional arrays of the same length, got {shapes}.")
    for name, array in arrays.items():
        if np.isinf(array).any():
            raise SettingsError(
                f"{name}: holds {int(np.isinf(array).sum())} infinite values, for which this "
                "statistic is undefined; replace them by NaN to leave them out, and say so."
            )
    keep = ~np.any([np.isnan(a) for a in arrays.values()], axis=0)
    arrays = {n: a[keep] for n, a in arrays.items()}
    if labels is None:
        return arrays, np.arange(int(keep.sum()))
    if pd.isna(labels[keep]).any():
        raise SettingsError("groups: expected a group for every entry, got missing values.")
    return arrays, pd.factorize(labels[keep])[0]


def as_columns(columns: str | Sequence[str]) -> list[str]:
    """One column name or several, as a list."""
    return [columns] if isinstance(columns, str) else list(columns)


def check_columns(frame, **columns: str | Sequence[str]) -> None:
    """Raise `SettingsError` unless `frame` is a DataFrame with these columns, none used twice."""
    if not isinstance(frame, pd.DataFrame):
        raise SettingsError(f"frame: expected a pandas DataFrame, got {type(frame).__name__}.")
    wanted = {role: as_columns(names) for role, names in columns.items()}
    for role, names in wanted.items():
        if missing := [n for n in names if n not in frame.columns]:
            raise SettingsError(
                f"{role}: no column {', '.join(map(repr, missing))} in the frame, which has "
                f"{', '.join(map(repr, frame.columns))}."
            )
    names = [n for group in wanted.values() for n in group]
    if twice := sorted({n for n in names if names.count(n) > 1}, key=str):
        raise SettingsError(f"columns {twice} are used in two roles; each column has one.")
