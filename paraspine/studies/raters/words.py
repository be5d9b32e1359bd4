"""Sentences about the raters, decided by the numbers and their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence import influence
from paraspine.evidence.limits import side
from paraspine.evidence.show import estimate
from paraspine.evidence.words import ONE_RATER, ends, without
from paraspine.frames import rows
from paraspine.studies.raters.tables import IMAGE, WHOLE, group_difference

#: Usual grades of an ICC by the least value that its interval holds.
GRADES = ((0.9, "excellent"), (0.75, "good"), (0.5, "moderate"), (-np.inf, "poor"))


def agreement_sentence(frame: pd.DataFrame, table: pd.DataFrame, fused: pd.DataFrame) -> str:
    """How well two raters agree, on which structure best, and how much they dispute."""
    known = table[table["mean"].notna()]
    if known.empty:
        return _left_out(frame, "Dice")
    dice = rows(frame, "pairwise_dice")
    mean = statistics.mean_interval(dice["value"].to_numpy(), dice["subject"].to_numpy())
    words = f"Two raters agree on a structure with a Dice of **{text.number(mean.value, 3)}**"
    words += f" ({_ci(mean, 3)})"
    if len(known) > 1:
        best, worst = ends(known)
        gap = group_difference(dice, "class", best["class"], worst["class"])
        low, high = (text.number(row["mean"], 3) for row in (worst, best))
        words += (
            f", better on {best['class']} ({high}) than on {worst['class']} ({low})"
            if side(gap) > 0
            else f", about equally on all {len(known)} structures ({low} to {high})"
        )
    share = fused.set_index("measure")
    if "disputed" in share.index:
        words += (
            f". Of the voxels that any of them marked, {_share(share.loc['disputed'], 1)} are "
            "disputed"
        )
    return f"{words}."


def left_out_sentence(frame: pd.DataFrame) -> str:
    """Which values of Dice are undefined, and why; empty where none is."""
    raters = rows(frame, "raters").set_index(IMAGE)["value"]
    dice = rows(frame, "pairwise_dice").set_index(IMAGE)["value"]
    missing = dice[dice.isna()]
    alone = raters.reindex(missing.index).to_numpy() < 2
    words = []
    if alone.any():
        images = text.count(missing[alone].index.nunique(), "image")
        words.append(f"{text.count(int(alone.sum()), 'value')} of {images} without two raters")
    if (~alone).any():
        words.append(f"{text.count(int((~alone).sum()), 'structure')} that nobody marked")
    return f"Left out: {text.listing(words)}." if words else ""


def area_sentence(reliability: pd.DataFrame, bias: pd.DataFrame) -> str:
    """How reliable the area of a structure in one image is, and how far two raters' are apart."""
    if reliability.empty or bias["lower"].isna().all():
        return "Areas are compared where every rater rated two images or more; here that is not so."
    lowest = reliability.loc[reliability["icc"].idxmin()]
    found = estimate(lowest, "icc")
    words = f"ICC(2,1) is lowest for {lowest['class']}, {found:.2f}"
    words += without(lowest, 2)
    if np.isfinite(found.low):
        grade = next(word for least, word in GRADES if reliability["icc_low"].min() >= least)
        words = f"The area of a muscle in one image is measured with {grade} reliability: {words}"
    wide = bias.loc[(bias["upper"] - bias["lower"]).idxmax()]
    part = 100 * max(abs(wide["lower"]), abs(wide["upper"])) / wide["area"]
    return (
        f"{words}. In 95 of 100 outlines the areas of {wide['pair']}, the pair that differs most, "
        f"lie {text.number(wide['lower'], 0)} to {text.number(wide['upper'], 0)} mm² apart, up to "
        f"{text.number(part, 0)} % of their mean."
    )


def group_sentence(frame: pd.DataFrame, table: pd.DataFrame, name: str, group: str) -> str:
    """Where a measure is highest and lowest among groups, and whether they differ."""
    known = table[table["mean"].notna()]
    if known.empty:
        return ONE_RATER
    top, low = ends(known)
    value = f"{estimate(top):.4f} nats"
    if len(known) == 1:
        return f"{name} is {value} for {group} {top[group]}."
    if top["mean"] == low["mean"]:
        return f"{name} is the same for every {group}, {value}."
    words = (
        f"{name} is highest for {group} {top[group]}, {value}, and lowest for {low[group]}, "
        f"{estimate(low):.4f} nats"
    )
    if group == "subject":
        return f"{words}."
    gap = group_difference(frame, group, top[group], low[group])
    sure = "" if side(gap) > 0 else "; whether the two differ can't be told"
    return f"{words}. The difference is {estimate(gap):.4f} nats{without(gap, 4)}{sure}."


def style_sentence(table: pd.DataFrame) -> str:
    """Which raters outline systematically more or less than the mean of all."""
    if table.empty:
        return ONE_RATER
    known = table[table["mean"].notna()]
    if known.empty:
        return "No structure was outlined by two raters in the same image, so styles are unknown."
    if known["low"].isna().all():
        return "All images are of one subject, so whether a rater has a style is open."
    words = []
    for rater, part in known.groupby("rater", sort=False):
        told = []
        for way, phrase in ((1, "more"), (-1, "less")):
            own = part[[side(row) == way for row in part.to_dict("records")]]
            if len(own):
                share = _span(own["mean"].abs())
                told.append(f"{phrase} {text.listing(own['class'])} ({share} %)")
        if told:
            words.append(f"{rater} outlines {text.listing(told)}")
    if not words:
        return "No rater outlines more or less than the others by more than the intervals allow."
    open_ = int(sum(side(row) == 0 for row in known.to_dict("records")))
    rest = f" The other {text.count(open_, 'difference')} can't be told from 0." if open_ else ""
    return f"Compared with the mean of all raters, {'; '.join(words)}.{rest}"


def fusion_sentence(table: pd.DataFrame, frame: pd.DataFrame) -> str:
    """How often votes tie and STAPLE decides otherwise than the majority."""
    if table.empty:
        return _left_out(frame, "the share of tied votes")
    found = table.set_index("measure")
    return (
        f"Votes tie on {_share(found.loc['tie_rate'], 2)} of the marked voxels; STAPLE and the "
        f"majority vote differ on {_share(found.loc['staple_differs'], 2)}."
    )


def staple_sentence(frame: pd.DataFrame, data) -> str:
    """Whether STAPLE's estimations converged, and whether their labels can be used."""
    if frame.empty:
        return ONE_RATER
    images = text.count(len(frame), "image")
    stuck, wrong = int((~frame["converged"]).sum()), int(frame["inverted"].sum())
    every = f"all {images}" if len(frame) > 1 else "the one image"
    went = f"STAPLE did not converge in {stuck} of {images}"
    words = [went if stuck else f"STAPLE converged in {every}"]
    if torn := int((frame["undecided"] > 0).sum()):
        words.append(
            f"In {torn} of {images}, {text.count(int(frame['undecided'].sum()), 'voxel')} "
            "stayed undecided between classes and went to the lower class number"
        )
    words.append(
        f"In {wrong} of {images} raters are worse than chance: don't use those labels"
        if wrong
        else "No rater is found worse than chance"
    )
    if left := len(data) - len(frame):
        words.append(f"Left out: {text.count(left, 'image')} without two raters")
    return f"{'. '.join(words)}."


def extent_sentence(frame: pd.DataFrame) -> str:
    """How STAPLE's consensus changes if the raters' union alone takes part."""
    known = frame[frame["value"].notna()]
    if known.empty:
        return ONE_RATER
    narrow = list(dict.fromkeys(known["extent"]))[-1]
    area = known[(known["measure"] == "area") & known["extent"].isin([WHOLE, narrow])]
    if area["extent"].nunique() < 2:
        return "Only the whole image was taken, so there is nothing to compare."
    wide = area.pivot(index=["class", *IMAGE], columns="extent", values="value").dropna()
    gaps = []
    for name in dict.fromkeys(area["class"]):
        own = wide.loc[name]
        gap, subjects = (own[narrow] - own[WHOLE]).to_numpy(), own.index.get_level_values(0)
        found = statistics.mean_interval(gap, subjects.to_numpy())
        row = {"class": name, "mean": found.value, "low": found.low, "high": found.high}
        row["clusters"] = subjects.nunique()
        gaps.append(row | influence.mean(gap, subjects.to_numpy()).columns())
    table = pd.DataFrame(gaps)
    sides = np.array([side(row) for row in gaps])
    words = []
    for way, phrase in ((-1, "less"), (1, "more")):
        if (sides == way).any():
            own = table[sides == way]
            words.append(
                f"{_span(own['mean'].abs())} percentage points {phrase} of "
                f"{text.listing(own['class'])}"
            )
    if words:
        said = f"STAPLE outlines {text.listing(words)}"
        if (sides == 0).any():
            same = text.listing(table["class"][sides == 0])
            said += f"; no change can be told of {same}"
    else:
        said = "no change of STAPLE's outlines can be told"
    sentence = f"If the raters' union alone takes part, {said}"
    stuck = int((known[known["measure"] == "converged"]["value"] == 0).sum())
    if stuck:
        sentence += f". {text.count(stuck, 'estimation')} did not converge"
    return f"{sentence}."


def blank_sentence(table: pd.DataFrame, data) -> str:
    """What counting blanks as empty outlines would do."""
    rated = data.rated[data.rated.any(axis=1)]
    if table.empty:
        which = "" if len(rated) == len(data) else " that anyone rated"
        return f"Every rater rated every image{which}, so the question does not arise here."
    found = {(r["measure"], r["blank"]): r for r in table.to_dict("records")}
    words = []
    for measure, name, digits in (("gt_entropy", "GT entropy", 4), ("pairwise_dice", "Dice", 3)):
        before, after = (found[measure, blank] for blank in ("not rated", "rated and empty"))
        words.append(
            f"the mean {name} from {text.number(before['mean'], digits)} to "
            f"{text.number(after['mean'], digits)}"
        )
    sentence = (
        f"{text.count(int((~rated).sum()), 'blank')} among {text.count(rated.size, 'rating')}. "
        f"Counting them as rated and empty changes {text.listing(words)}."
    )
    before, after = (found["gt_entropy", blank]["n"] for blank in ("not rated", "rated and empty"))
    if before < after:
        sentence += f" GT entropy then exists for {text.count(after, 'image')} instead of {before}."
    return sentence


def summary(*found: str) -> str:
    """What was found, one point each; what is empty is left out."""
    return "\n".join(f"- {words}" for words in found if words)


def _ci(found: statistics.Estimate, digits: int) -> str:
    if np.isnan(found.low):
        return "no interval"
    return f"95 % CI {text.number(found.low, digits)} to {text.number(found.high, digits)}"


def _share(row, digits: int) -> str:
    found = estimate(row)
    return f"{text.number(found.value, digits)} % ({_ci(found, digits)})"


def _span(values) -> str:
    """Lowest to highest of some numbers with one digit."""
    low, high = (text.number(end, 1) for end in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _left_out(frame: pd.DataFrame, what: str) -> str:
    """Why a measure of disagreement has no value in any image."""
    if (rows(frame, "raters")["value"] < 2).all():
        return ONE_RATER
    return f"No structure was outlined by two raters in the same image, so {what} is undefined."
