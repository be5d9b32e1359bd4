"""Sentences on calibration."""

from __future__ import annotations

import pandas as pd

from paraspine import text
from paraspine.evidence.limits import FEWEST
from paraspine.evidence.show import estimate
from paraspine.evidence.words import NOBODY

CONFIDENT = {
    "over": "over-confident",
    "under": "under-confident",
    "": "neither over- nor under-confident",
}


def side_of(row: dict) -> str:
    """``over`` or ``under`` where the interval of the balance says so whoever is left out."""
    if row["decided_by"]:
        return ""
    return text.verdict(estimate(row, "balance"), above="over", below="under", unclear="")


def calibration_sentence(table: pd.DataFrame, subjects: int) -> str:
    """Whether probabilities can be believed: the calibration errors, and on which side they lie."""
    if table.empty:
        return NOBODY
    known = table[table["mean"].notna()]
    if known.empty:
        return "No voxel counts here, because no rater marked a structure: there is no ECE."
    best, worst = known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]
    first = f"{estimate(best.to_dict()):.3f}"
    words = f"The expected calibration error is {first}"
    if len(known) > 1:
        words += f" ({best['condition']}) to {estimate(worst.to_dict()):.3f cell}"
    if subjects < FEWEST:
        return f"{words}. {text.count(subjects, 'subject')}: on which side it lies is open."
    sides = [side_of(row) for row in known.to_dict("records")]
    number = {side: sides.count(side) for side in CONFIDENT if side in sides}
    if len(number) == 1:
        (side,) = number
        return f"{words}. {'All are' if len(known) > 1 else 'It is'} {CONFIDENT[side]}."
    counts = [f"{count} are {CONFIDENT[side]}" for side, count in number.items()]
    return f"{words}. Of {len(known)} ways of training and sampling {text.listing(counts)}."


def region_sentence(near: pd.DataFrame, everywhere: pd.DataFrame) -> str:
    """How the error near the structures compares with that over all voxels."""
    both = near.set_index("condition")["mean"] / everywhere.set_index("condition")["mean"]
    both = both.dropna()
    if both.empty:
        return ""
    low, high = (f"{end:.0f}" for end in (both.min(), both.max()))
    span = low if low == high else f"{low} to {high}"
    return (
        f"Over all voxels, most of them background that nobody doubts, the error is {span} times "
        "smaller and says little."
    )


def headline_calibration(table: pd.DataFrame) -> str:
    """Lowest and highest ECE."""
    known = table[table["mean"].notna()]
    if known.empty:
        return "undefined (nobody rated the test images)"
    ends = [known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]]
    words = [f"{text.number(row['mean'], 4)} ({row['condition']})" for row in ends[: len(known)]]
    return " to ".join(words)
