"""Words for results: estimates with intervals, verdicts, lists. Numbers come in, sentences go out.

Notebooks write each interpretation with these, so that no sentence can disagree with its run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .arrays import SettingsError

__all__ = ["count", "interval", "listing", "number", "p_value", "percent", "verdict"]


def number(value: float, digits: int = 2) -> str:
    """A number with fixed digits; ``'undefined'`` for NaN.

    >>> number(0.12345)
    '0.12'
    >>> number(float("nan"))
    'undefined'
    """
    if value is None or math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    shown = f"{value:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction as a percentage.

    >>> percent(0.345)
    '34.5 %'
    """
    return "undefined" if math.isnan(fraction) else f"{number(100 * fraction, digits)} %"


def interval(
    estimate, digits: int = 2, style: str = "sentence", *, confidence: float = 0.95
) -> str:
    """An estimate and its interval; ``'undefined'`` for NaN.

    Parameters
    ----------
    estimate : object with ``value``, ``low`` and ``high``
        For example a `paraspine.statistics.Estimate`.
    digits : int
        Digits after the point.
    style : {"sentence", "cell", "quiet", "brackets"}
        ``"0.50 (95 % CI 0.25 to 0.75)"``; ``"0.50 (0.25 to 0.75)"``, for a table whose heading says
        what stands in brackets; the same, with nothing instead of "(no interval)" where there is
        none; ``"0.50 [0.25, 0.75]"``, likewise.
    confidence : float
        Of the interval.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> interval(SimpleNamespace(value=0.5, low=0.25, high=0.75))
    '0.50 (95 % CI 0.25 to 0.75)'
    """
    if style not in ("sentence", "cell", "quiet", "brackets"):
        raise SettingsError(
            f"style: expected 'sentence', 'cell', 'quiet' or 'brackets', got {style!r}."
        )
    if math.isnan(estimate.value):
        return "undefined"
    value = number(estimate.value, digits)
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return value if style in ("quiet", "brackets") else f"{value} (no interval)"
    low, high = number(estimate.low, digits), number(estimate.high, digits)
    if style == "brackets":
        return f"{value} [{low}, {high}]"
    level = f"{100 * confidence:g} % CI " if style == "sentence" else ""
    return f"{value} ({level}{low} to {high})"


def cell(estimate, digits: int = 2) -> str:
    """As `interval` in the style of a table's cell."""
    return interval(estimate, digits, "cell")


def p_value(p: float) -> str:
    """A p-value for a table whose heading says that it is one.

    >>> p_value(0.0004)
    '< 0.001'
    >>> p_value(0.0312)
    '0.031'
    """
    if math.isnan(p):
        return "undefined"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(items: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> count(1, "rater"), count(3, "rater"), count(2, "study", "studies")
    ('1 rater', '3 raters', '2 studies')
    """
    return f"{items:,} {singular if items == 1 else plural or singular + 's'}"


def listing(items: Iterable[object], last: str = "and") -> str:
    """Items as an English list.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    words: Sequence[str] = [str(i) for i in items]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def verdict(
    estimate,
    *,
    reference: float = 0.0,
    above: str = "above",
    below: str = "below",
    unclear: str = "not told apart from",
) -> str:
    """One of three phrases, decided by whether the 95 % interval excludes `reference`.

    An interval that is undefined excludes nothing.
    """
    if estimate.low > reference:
        return above
    if estimate.high < reference:
        return below
    return unclear
