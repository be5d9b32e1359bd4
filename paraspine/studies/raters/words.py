"""Sentences about the raters, decided by the numbers and their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.show import estimate
from paraspine.evidence.words import ONE_RATER, ends

__all__ = [
    "agreement_sentence",
    "group_sentence",
    "style_sentence",
    "fusion_sentence",
    "blank_sentence",
]

ONE_SUBJECT = "All images are of one subject, so there are no intervals."


def agreement_sentence(table: pd.DataFrame, data) -> str:
    """Which structure the raters agree on most and least."""
    known = table[table["mean"].notna()]
    if known.empty:
        return _left_out(data, "Dice")
    best, worst = ends(known)
    words = f"The raters agree on {best['class']} with a Dice of {text.interval(estimate(best), 3)}"
    if best["mean"] > worst["mean"]:
        words += (
            f", most of all structures, and least on {worst['class']} with "
            f"{text.interval(estimate(worst), 3)}"
        )
    elif len(known) > 1:
        words += ", and on every other structure alike"
    left = int(known["undefined"].sum())
    if left:
        words += (
            f". {text.count(left, 'value')} undefined (nobody to compare with, or a structure that "
            "no rater marked) and left out"
        )
    return f"{words}. ({data.source})"


def group_sentence(table: pd.DataFrame, name: str, group: str) -> str:
    """Where a measure is highest and lowest among groups."""
    known = table[table["mean"].notna()]
    if known.empty:
        return ONE_RATER
    top, low = ends(known)
    value = f"{text.interval(estimate(top), 4)} nats"
    if len(known) == 1:
        return f"{name} is {value} for {group} {top[group]}."
    if top["mean"] == low["mean"]:
        return f"{name} is the same for every {group}, {value}."
    if np.isnan([top["low"], low["high"]]).any():
        sure = "whether they differ by more than chance is open, for lack of intervals"
    else:
        apart = low["high"] < top["low"]
        sure = f"their intervals {'do not overlap' if apart else 'overlap'}"
    return (
        f"{name} is highest for {group} {top[group]}, {value}, and lowest for {low[group]}, "
        f"{text.interval(estimate(low), 4)} nats; {sure}."
    )


def style_sentence(table: pd.DataFrame) -> str:
    """Which raters outline systematically more or less than the others."""
    if table.empty:
        return ONE_RATER
    known = table[table["mean"].notna()]
    if known.empty:
        return "No structure is marked in an image that two raters rated: there is no style to see."
    if known["low"].isna().all():
        return f"{ONE_SUBJECT} Whether a rater outlines more or less than the others is open."
    words = []
    for rater, part in known.groupby("rater", sort=False):
        more = [r["class"] for _, r in part.iterrows() if r["low"] > 0]
        less = [r["class"] for _, r in part.iterrows() if r["high"] < 0]
        if more:
            words.append(f"{rater} outlines more {text.listing(more)}")
        if less:
            words.append(f"{rater} outlines less {text.listing(less)}")
    if not words:
        return "No rater outlines more or less than the others by more than the intervals allow."
    return "Compared with the others, and beyond the intervals, " + "; ".join(words) + "."


def fusion_sentence(table: pd.DataFrame, data) -> str:
    """How often votes tie and STAPLE decides otherwise than the majority."""
    if table.empty:
        return _left_out(data, "the share of tied votes")
    found = {row["measure"]: estimate(row) for _, row in table.iterrows()}
    return (
        "On average over images, of the voxels that any rater marked, "
        f"{text.interval(found['tie_rate'])} % have a tied vote, and STAPLE decides "
        f"{text.interval(found['staple_differs'])} % otherwise than the majority. ({data.source})"
    )


def blank_sentence(table: pd.DataFrame, data) -> str:
    """What counting blanks as empty outlines would do."""
    rated = data.rated[data.rated.any(axis=1)]
    if table.empty:
        which = "" if len(rated) == len(data) else " that anyone rated"
        return f"Every rater rated every image{which}, so the question does not arise here."
    found = {(r["measure"], r["blank"]): r for _, r in table.iterrows()}
    words = []
    for measure, name, digits in (("gt_entropy", "GT entropy", 4), ("pairwise_dice", "Dice", 3)):
        before, after = (found[measure, blank] for blank in ("not rated", "rated and empty"))
        words.append(
            f"the mean {name} from {text.interval(estimate(before), digits)} to "
            f"{text.interval(estimate(after), digits)}"
        )
    sentence = (
        f"{text.count(int((~rated).sum()), 'blank')} among {text.count(rated.size, 'rating')}. "
        f"Counting them as rated and empty changes {text.listing(words)}."
    )
    before, after = (found["gt_entropy", blank]["n"] for blank in ("not rated", "rated and empty"))
    if before < after:
        sentence += (
            f" An image of one rater has no GT entropy: {before} of the images have one, and "
            f"{text.count(after, 'image')} once blanks count as empty."
        )
    return sentence


def _left_out(data, what: str) -> str:
    """Why a measure of disagreement has no value in any image."""
    if (data.rated.sum(axis=1) < 2).all():
        return ONE_RATER
    return f"No structure is marked in an image that two raters rated, so {what} is undefined."
