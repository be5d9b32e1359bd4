"""Sentences on calibration."""

from __future__ import annotations

import pandas as pd

from paraspine import text
from paraspine.evidence.show import estimate
from paraspine.evidence.words import NOBODY

__all__ = ["calibration_sentence", "headline_calibration"]


def calibration_sentence(table: pd.DataFrame) -> str:
    """Lowest ECE, and whether each condition is over- or underconfident on the whole."""
    if table.empty:
        return NOBODY
    known = table[table["mean"].notna()]
    if known.empty:
        return "No voxel counts here, because no rater marked a structure: there is no ECE."
    best = known.loc[known["mean"].idxmin()]
    # In italics: a name has commas of its own.
    over = [f"*{r['condition']}*" for _, r in table.iterrows() if r["over"] > r["under"]]
    under = [f"*{r['condition']}*" for _, r in table.iterrows() if r["over"] < r["under"]]
    first = "Lowest ECE" if len(known) > 1 else "ECE"
    words = [f"{first}: *{best['condition']}*, {text.interval(estimate(best), 4)}"]
    if over:
        words.append(f"more over- than underconfident: {text.listing(over)}")
    if under:
        words.append(f"more under- than overconfident: {text.listing(under)}")
    return "; ".join(words) + "."


def headline_calibration(table: pd.DataFrame) -> str:
    """Lowest and highest ECE."""
    known = table[table["mean"].notna()]
    if known.empty:
        return "undefined (nobody rated the test images)"
    ends = [known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]]
    words = [f"{text.number(row['mean'], 4)} ({row['condition']})" for row in ends[: len(known)]]
    return " to ".join(words)
