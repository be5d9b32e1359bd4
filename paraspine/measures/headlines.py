"""Main results in one phrase each, as the first page of a book shows them."""

from __future__ import annotations

import pandas as pd

from paraspine import statistics, text
from paraspine.measures.tables import RATERS

__all__ = ["headline", "headline_calibration", "headline_dice", "headline_raters"]


def headline(table: pd.DataFrame) -> str:
    """Correlation of predictive entropy with GT entropy for the last condition."""
    if table.empty:
        return "undefined (one rater)"
    chosen = table[(table["kind"] == "pearson") & (table["score"] == "entropy")]
    chosen = chosen[chosen["r"].notna()]
    if chosen.empty:
        return "undefined (too few images, or no difference among them)"
    row = chosen.iloc[-1]
    found = statistics.Estimate(row["r"], row["low"], row["high"])
    return f"r = {text.interval(found)} ({row['who']})"


def headline_dice(table: pd.DataFrame) -> str:
    """Mean Dice over structures for each network."""
    networks = table[table["who"] != RATERS]
    means = networks.groupby("who", sort=False)["mean"].mean()
    words = [f"{text.number(value, 3)} ({who})" for who, value in means.items()]
    return "; ".join(words) or "undefined (nobody rated the test images)"


def headline_raters(table: pd.DataFrame) -> str:
    """Mean pairwise Dice of the raters over structures."""
    raters = table[table["who"] == RATERS]
    return text.number(raters["mean"].mean(), 3) if len(raters) else "undefined (one rater)"


def headline_calibration(table: pd.DataFrame) -> str:
    """Lowest and highest ECE."""
    known = table[table["mean"].notna()]
    if known.empty:
        return "undefined (nobody rated the test images)"
    ends = [known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]]
    words = [f"{text.number(row['mean'], 4)} ({row['who']})" for row in ends[: len(known)]]
    return " to ".join(words)
