"""Words that several studies share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paraspine import text

__all__ = ["ONE_RATER", "ends", "without"]

SCORE_NAMES = {
    "entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
}


#: Networks that a sentence lists one by one; of more it says the extremes, the table has them all.
LISTED = 4


NOBODY = "Nobody rated these images, so there is nothing to compare the predictions with."


def _told(lines, *, alone: str, together: str, digits: int = 2) -> str:
    """Lines ``(who, phrase, estimate)`` one by one, or of many networks each phrase once.

    `alone` and `together` are templates of ``condition``, ``verb``, ``phrase`` and ``value``.
    """
    if len(lines) <= LISTED:
        return "; ".join(
            alone.format(who=who, verb="is", phrase=phrase, value=text.interval(found, digits))
            for who, phrase, found in lines
        )
    total = text.count(len(lines), "network")
    words = []
    for phrase in dict.fromkeys(phrase for _, phrase, _ in lines):
        own = pd.Series({who: found.value for who, said, found in lines if said == phrase})
        verb = "is" if len(own) == 1 else "are"
        who = f"{len(own)} of {total}"
        value = _span(own, digits)
        words.append(together.format(who=who, verb=verb, phrase=phrase, value=value))
    return "; ".join(words)


def _span(values: pd.Series, digits: int) -> str:
    """Lowest and highest of values by name."""
    known = values.dropna().sort_values(kind="stable")
    words = [f"{text.number(known[who], digits)} ({who})" for who in known.index]
    return f"from {words[0]} to {words[-1]}" if len(words) > 1 else "".join(words) or "undefined"


ONE_RATER = (
    "**Left out: one rater only.** Disagreement needs at least two raters of the same image; with "
    "one it is unknown, not zero."
)


def ends(known: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Rows with the highest and the lowest mean."""
    return known.loc[known["mean"].idxmax()], known.loc[known["mean"].idxmin()]


def without(row: Mapping, digits: int, scale: float = 1.0) -> str:
    """The range over leaving one subject out, to go behind an estimate; empty where unknown.

    Parameters
    ----------
    row : mapping
        ``without_low`` and ``without_high`` of `influence.Influence.columns`.
    digits : int
        After the point.
    scale : float
        Factor of the numbers.
    """
    low, high = (scale * row.get(k, np.nan) for k in ("without_low", "without_high"))
    if np.isnan(low):
        return ""
    low, high = text.number(low, digits), text.number(high, digits)
    return f"; {low} to {high} without any one subject"
