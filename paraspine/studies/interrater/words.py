"""Sentences on uncertainty and disagreement, decided by intervals and by single subjects."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.conditions import RATERS
from paraspine.evidence.limits import FEWEST, MANY
from paraspine.evidence.show import estimate
from paraspine.evidence.words import NOBODY, ONE_RATER, SCORE_NAMES, family_words

#: Conditions are called so where they are counted.
WAY, WAYS = "way of training and sampling", "ways of training and sampling"
#: Correlation from which one calls it close.
CLOSE = 0.7


def ways(number: int) -> str:
    """A number of conditions in words."""
    return text.count(number, WAY, WAYS)


def subjects_sentence(data) -> str:
    """What so many test subjects allow to tell.

    An interval from resampling k subjects holds the truth with a chance of at most about
    ``1 - 2 ** (1 - k)``: in ``2 ** (1 - k)`` of all cases they all lie on one side of it.
    """
    number = len(set(data.table.loc[data.rated.any(axis=1), "subject"]))
    words = text.count(number, "rated test subject")
    if number < 2:
        return f"{words}: there is nothing to resample, so no result has an interval."
    if number < FEWEST:
        most = text.percent(1 - 2.0 ** (1 - number), 0)
        return (
            f"**{words}**: an interval holds the truth in {most} of cases at most, so nothing is "
            "decided here."
        )
    if number < MANY:
        return f"{words}: intervals are somewhat too narrow; read borderline results as open."
    return f"{words}, which every interval resamples."


def pearson(table: pd.DataFrame, score: str = "entropy") -> pd.DataFrame:
    """Rows of Pearson's r over images of one score, where it is defined."""
    if table.empty:
        return table
    return table[(table["kind"] == "pearson") & (table["score"] == score) & table["r"].notna()]


def side_of(row: dict) -> str:
    """Verdict on a correlation: ``up``, ``down``, ``one subject`` or ``open``."""
    found = estimate(row)
    if np.isnan(found.low) or row["clusters"] < FEWEST:
        return "open"
    side = text.verdict(found, above="up", below="down", unclear="open")
    return "one subject" if row["decided_by"] and side != "open" else side


#: First words of the answer by how many of the conditions show a rise, a fall.
NO, OPEN = "No, the other way round", "Can't tell"


def answer(table: pd.DataFrame) -> str:
    """Yes, no or can't tell: whether uncertainty rises with disagreement."""
    chosen = pearson(table)
    sides = [side_of(row) for row in chosen.to_dict("records")]
    up, down = sides.count("up"), sides.count("down")
    if up and down:
        return "It depends on the network"
    if not up:
        return NO if down else OPEN
    how = "closely" if (chosen["r"] >= CLOSE).all() else "loosely"
    return f"Yes, {how}" if up == len(sides) else f"Yes, {how}, in {up} of {len(sides)} ways"


def correlation_sentence(table: pd.DataFrame, data) -> str:
    """How strongly uncertainty follows disagreement, and what one subject changes of it."""
    chosen = pearson(table)
    if chosen.empty:
        several = int((data.rated.sum(axis=1) > 1).sum())
        if not several:
            return ONE_RATER
        if several < 3:
            return f"{text.count(several, 'image')} with two raters: too few for a correlation."
        return "GT entropy or uncertainty is the same for all images: there is no correlation."
    lines = chosen.to_dict("records")
    sides = [side_of(row) for row in lines]
    up, down = sides.count("up"), sides.count("down")
    trend = {
        (True, False): "Where the raters disagree more, the networks are more uncertain",
        (False, True): "Where the raters disagree more, the networks are less uncertain",
        (True, True): f"Uncertainty rises with disagreement for {up} and falls for {down}",
        (False, False): "The data can't tell whether uncertainty follows the raters' disagreement",
    }[up > 0, down > 0]
    words = f"**{answer(table)}.** {trend}: {_ends(chosen, 'r')}."
    return f"{words} {influence_sentence(chosen, sides)}".strip()


def _ends(table: pd.DataFrame, letter: str, digits: int = 2, value: str = "r") -> str:
    """Lowest and highest value of a table with intervals, in words."""
    low, high = table.loc[table[value].idxmin()], table.loc[table[value].idxmax()]
    first = f"*{letter}* = {estimate(low.to_dict(), value):.{digits}f}"
    if len(table) == 1:
        return first
    last = f"{estimate(high.to_dict(), value):.{digits}f cell}"
    return f"{first} to {last} for {ways(len(table))}"


def influence_sentence(chosen: pd.DataFrame, sides: list[str]) -> str:
    """The subject that matters most, r without it, and how often one subject decides."""
    known = chosen[chosen["without_low"].notna()]
    if known.empty:
        return ""
    counts = known["moved_by"].value_counts()
    name, count = counts.index[0], counts.iloc[0]
    span = _range(known.loc[known["moved_by"] == name, "moved_to"], 2)
    whose = "" if count == len(known) else f" for {count} of them"
    words = f"Without {name}, the subject that matters most{whose}, *r* is {span}"
    if decided := sides.count("one subject"):
        words += f"; in {decided} of {len(chosen)} one subject decides, which shows nothing"
    return f"{words}."


def family_sentence(table: pd.DataFrame) -> str:
    """What p, adjusted over the question's family, can and does decide."""
    chosen = pearson(table)
    return family_words(chosen) if len(chosen) else ""


def gap_sentence(gap: pd.DataFrame) -> str:
    """How many times as uncertain as the raters disagree the networks are."""
    known = gap[gap["value"].notna()]
    if known.empty:
        return ONE_RATER
    found = [estimate(row, "value") for row in known.to_dict("records")]
    sides = [text.verdict(e, reference=1.0, above="more", below="less", unclear="") for e in found]
    low, high = min(found, key=lambda e: e.value), max(found, key=lambda e: e.value)
    span = f"{low:.1f}" if len(found) == 1 else f"{low:.1f} to {high:.1f cell}"
    if len(set(sides)) == 1:
        words = {"more": "more uncertain than", "less": "less uncertain than"}
        whole = words.get(sides[0], "about as uncertain as")
        return f"On average networks are {whole} the raters disagree: {span} times."
    counts = [f"{sides.count(s)} are {s} uncertain" for s in ("more", "less") if s in sides]
    return (
        f"Of {ways(len(found))} {' and '.join(counts)} than the raters disagree and "
        f"{sides.count('')} can't be told: {span} times."
    )


def partition_sentence(table: pd.DataFrame) -> str:
    """What each kind of uncertainty explains, and what the second adds to the first."""
    chosen = _shares(table)
    if table.empty:
        return (
            "Left out: dividing the variance needs GT entropy, and dropout or an ensemble beside "
            "test-time augmentation."
        )
    if chosen.empty:
        return "GT entropy or uncertainty is the same for all images: there is nothing to divide."
    alone = _range(chosen.loc[chosen["part"].isin(["epistemic", "aleatoric"]), "mean"])
    added = _added(chosen)
    shown = chosen[chosen["part"].isin(["epistemic", "aleatoric", "joint"])]
    low, high = shown["low"].min(), shown["high"].max()
    same = one_signal(table) == "no, largely one signal"
    told = "so they are largely one signal" if same else "so they differ"
    return (
        f"Each kind of uncertainty alone explains {alone} % of the variance of disagreement; the "
        f"other one adds at most {added.max():.0f} percentage points, {told}. Intervals reach "
        f"from {low:.0f} to {high:.0f} %."
    )


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    """Shares that predictive entropy explains, where they are defined."""
    return table[(table["score"] == "entropy") & table["mean"].notna()]


def _added(chosen: pd.DataFrame) -> pd.Series:
    """Percentage points that the second kind adds to the better one, by condition."""
    share = chosen.pivot(index="epistemic", columns="part", values="mean")
    return share["joint"] - share[["epistemic", "aleatoric"]].max(axis=1)


def one_signal(table: pd.DataFrame) -> str:
    """Whether the second kind adds less than half of what the better one explains, for all."""
    chosen = _shares(table)
    if chosen.empty:
        return ""
    share = chosen.pivot(index="epistemic", columns="part", values="mean")
    better = share[["epistemic", "aleatoric"]].max(axis=1)
    return "no, largely one signal" if (_added(chosen) < better / 2).all() else "in part"


def _range(values: pd.Series, digits: int = 0) -> str:
    """Lowest and highest of some numbers, once where they are written alike."""
    return " to ".join(dict.fromkeys(text.number(v, digits) for v in (values.min(), values.max())))


def detection_sentence(table: pd.DataFrame) -> str:
    """Which uncertainty finds errors best and worst, and what chance would reach."""
    if table.empty:
        return NOBODY
    known = table[table["mean"].notna() & (table["score"] == "entropy")]
    if known.empty:
        return "No voxel is misclassified, so there is no error to find."
    best, worst = known.loc[known["mean"].idxmax()], known.loc[known["mean"].idxmin()]
    words = f"Best is {best['condition']}: {estimate(best.to_dict()):.2f}"
    if len(known) > 1:
        words += f"; worst {worst['condition']}: {estimate(worst.to_dict()):.2f cell}"
    return f"{words}. A random score would reach {text.number(best['prevalence'], 2)}."


#: Measures of `detection.changes` in words.
MEASURES = {
    "AP": "average precision",
    "correlation": "*r* with disagreement",
    "R²": "variance explained",
}


def parts_sentence(changes: pd.DataFrame) -> str:
    """Whether a part of predictive entropy does better or worse than the whole."""
    sentences = []
    for score, part in changes.groupby("score", sort=False):
        told = []
        for name, words in MEASURES.items():
            lines = part[part[name].notna()].to_dict("records")
            sides = [text.verdict(estimate(row, name), above="higher", below="lower", unclear="")
                     for row in lines]  # fmt: skip
            counts = [f"{sides.count(s)} {s}" for s in ("higher", "lower") if s in sides]
            if lines:
                told.append(f"{words} {text.listing(counts) or 'unchanged'} (of {len(lines)})")
        if told:
            sentences.append(f"With {SCORE_NAMES[score]} instead: {', '.join(told)}.")
    return " ".join(sentences) or (
        "Left out: parts of the entropy need several samples of a network."
    )


#: What is compared, and what each side is called in a sentence.
NAMED = {"architectures": "", "targets": "training on the "}


def difference_sentence(table: pd.DataFrame, what: str, *, better: str) -> str:
    """Which architecture and which training target is better, by intervals and by subject.

    `better` is ``"low"`` or ``"high"``; `table` has labels (`layout.labelled`).
    """
    if table.empty:
        return "Only one architecture and one training target was run: nothing to compare."
    sentences = []
    for (question, a, b), part in table.groupby(["compared", "a", "b"], sort=False):
        lines = part.to_dict("records")
        sides = [text.verdict(estimate(r, "difference"), above="high", below="low", unclear="")
                 for r in lines]  # fmt: skip
        alone = sum(bool(r["decided_by"]) for r, s in zip(lines, sides, strict=True) if s)
        sure = [s if not r["decided_by"] else "" for r, s in zip(lines, sides, strict=True)]
        first, second = sure.count(better), sum(bool(s) and s != better for s in sure)
        left = int((part["p_holm_subject"] < 0.05).sum())
        names = [f"{NAMED[question]}{name}" for name in (a, b)]
        if second > first:
            first, second, names = second, first, names[::-1]
        words = (
            f"{what} is better with {names[0]} than with {names[1]} in {first or 'none'} of "
            f"{text.count(len(part), 'comparison')} and worse in {second or 'none'}"
        )
        words += f"; in {alone} more one subject decides" if alone else ""
        differ = "1 differs" if left == 1 else f"{left or 'none'} differ"
        sentences.append(f"{words}. Tested by subject and adjusted, {differ}.")
    return " ".join(sentences)


def overlap_sentence(table: pd.DataFrame) -> str:
    """Mean Dice of networks and raters over structures, and for which structures they differ."""
    networks = table[table["condition"] != RATERS]
    raters = table[table["condition"] == RATERS].set_index("class")
    if networks.empty:
        return NOBODY
    means = networks.groupby("condition", sort=False)["mean"].mean()
    words = f"Networks reach a mean Dice of {_range(means, 2)} against the vote"
    if raters.empty:
        return f"{words}. {ONE_RATER}"
    words += f", the raters {text.number(raters['mean'].mean())} against each other"
    beside = networks.join(raters[["low", "high"]].add_suffix("_raters"), on="class")
    below = int((beside["high"] < beside["low_raters"]).sum())
    above = int((beside["low"] > beside["high_raters"]).sum())
    return (
        f"{words}. Of {len(beside)} intervals {below or 'none'} lie below the raters' and "
        f"{above or 'none'} above, "
        "although a vote of all raters is easier to match than one of them."
    )
