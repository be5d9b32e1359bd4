"""Words that several studies share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paraspine import text

__all__ = ["NOBODY", "ONE_RATER", "SCORE_NAMES", "ends", "family_words", "without"]

SCORE_NAMES = {
    "entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
}


NOBODY = "Nobody rated these images, so there is nothing to compare the predictions with."


ONE_RATER = (
    "**Left out: one rater only.** Disagreement needs at least two raters of the same image; with "
    "one it is unknown, not zero."
)


def ends(known: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Rows with the highest and the lowest mean."""
    return known.loc[known["mean"].idxmax()], known.loc[known["mean"].idxmin()]


def family_words(table: pd.DataFrame) -> str:
    """What an adjusted p decides over the rows of a table, or that with so few subjects none can.

    Parameters
    ----------
    table : pandas.DataFrame
        The results of one question, whose ``p`` come from resampling ``clusters`` subjects and
        whose ``p_holm`` are adjusted over them.
    """
    number, subjects = len(table), int(table["clusters"].min())
    least = number * 2.0 ** (1 - subjects)
    if least >= 0.05:
        return (
            f"With {text.count(subjects, 'subject')} no *p* adjusted over "
            f"{text.count(number, 'test')} can fall below {min(least, 1.0):.2f}: *p* decides "
            "nothing here."
        )
    sure = int((table["p_holm"] < 0.05).sum())
    tests = text.count(number, "test")
    return f"*p*, adjusted by Holm over {tests}, is below 0.05 for {sure} of them."


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
