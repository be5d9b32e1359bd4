"""Sentences on how far the phantom is like patients."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.show import estimate
from paraspine.evidence.words import ONE_RATER, without

NOT_COMPARED = "Image texture, noise and raters are not compared with patients'."


def shape_sentence(table: pd.DataFrame) -> str:
    """Whether the phantom's shapes are those of the patients to whom they were fitted."""
    outside = list(table.loc[~table["inside"], "shape"])
    inside, number = len(table) - len(outside), len(table)
    if not outside:
        words = f"**In shape, yes: it was made from them.** All {number} median shapes lie"
    elif inside:
        words = f"**In part.** {inside} of {number} median shapes lie"
    else:
        words = f"**Not even in shape.** None of {number} median shapes lies"
    words += " within the interquartile range of the 411 patients to whose masks they were fitted"
    words += f", {number - inside} outside" if inside and outside else ""
    return f"{words}. {NOT_COMPARED}"


def volume_sentence(table: pd.DataFrame) -> str:
    """The largest difference of a mean volume from that of people."""
    widest = table["apart"].abs().max()
    muscle = table.loc[table["apart"].abs().idxmax()]
    if widest <= 1:  # rounded up, so that "within" is true
        return (
            f"Mean volumes are within {text.number(math.ceil(10 * widest) / 10, 1)} standard "
            "deviations of those of 76 people, near which they were set."
        )
    side = "above" if muscle["apart"] > 0 else "below"
    return (
        f"The mean volume of {muscle['muscle']} is {text.number(widest, 1)} standard deviations "
        f"{side} that of 76 people."
    )


def fat_sentence(people: pd.DataFrame) -> str:
    """Grades of fatty infiltration, and whether fat rises with age."""
    grades = people["goutallier"].value_counts()
    counts = [f"{int(grades.get(c, 0))} grade {'I' * c}" for c in (1, 2, 3)]
    words = (
        "Fatty infiltration of multifidus and erector spinae (simplified Goutallier): "
        f"{text.count(len(people), 'subject')}, {text.listing(counts)}."
    )
    found, (low, high), sides = _by_age(people)
    turns = {"up": "It rises with age", "down": "It falls with age"}
    if len(sides) > 1:
        turn = "Whether it changes with age, one subject decides"
    else:
        turn = turns.get(sides.pop(), "The subjects can't tell whether it changes with age")
    ends = without({"without_low": low, "without_high": high}, 2)
    return f"{words} {turn}: Spearman's *ρ* = {found:.2f}{ends}."


def _by_age(people: pd.DataFrame):
    """Spearman's rho of fat and age, its range over leaving one subject out, and all verdicts."""

    def rho(keep):
        return statistics.spearman(people.loc[keep, "age"], people.loc[keep, "fat"])

    every = people.index
    left = [rho(every != k) for k in every] if len(people) > 3 else []
    found = rho(every == every)
    said = {"above": "up", "below": "down", "unclear": "open"}
    sides = {text.verdict(found, **said)}
    if sides != {"open"}:  # what the interval leaves open no subject decides
        sides |= {text.verdict(own, **said) for own in left}
    values = [own.value for own in left if not np.isnan(own.value)]
    return found, (min(values, default=math.nan), max(values, default=math.nan)), sides


def level_sentence(table: pd.DataFrame) -> str:
    """Where two raters agree least and most; `table` holds mean Dice by level and class."""
    known = table[table["mean"].notna()]
    if known.empty:
        return ONE_RATER
    low, high = (known.loc[end()].to_dict() for end in (known["mean"].idxmin, known["mean"].idxmax))
    return (
        f"Two raters agree least on {low['class']} at {low['level']}, Dice {estimate(low):.2f}, "
        f"and most on {high['class']} at {high['level']}, {estimate(high):.2f cell}."
    )


def summary(shapes: pd.DataFrame, volumes: pd.DataFrame) -> str:
    """What was found, at the foot of the chapter."""
    near = int((volumes["apart"].abs() <= 1).sum())
    return (
        f"- Fitted to patients: {int(shapes['inside'].sum())} of {len(shapes)} median shapes lie "
        f"within their interquartile range, {near} of {len(volumes)} mean volumes within one "
        "standard deviation.\n"
        f"- {NOT_COMPARED} What other chapters find of these holds for the phantom alone."
    )
