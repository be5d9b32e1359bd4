"""Sentences about networks with two tasks, decided by the numbers and their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.limits import side
from paraspine.evidence.show import estimate
from paraspine.evidence.words import without
from paraspine.statistics import Estimate
from paraspine.studies.multitask.maps import MEASURES, RATERS, VARIANCE
from paraspine.studies.multitask.tables import QUANTITIES, SAME

PRECISION, CORRELATION = MEASURES.values()


def _sides(table: pd.DataFrame) -> list[int]:
    return [side(row) for row in table.to_dict("records")]


def _best(ranking: pd.DataFrame, network: str) -> tuple[Estimate, Mapping]:
    """Average precision of a network's predicted variance, and its best other map."""
    own = ranking[(ranking["measure"] == PRECISION) & (ranking["network"] == network)]
    variance = own[own["method"] == VARIANCE].to_dict("records")[0]
    others = own[own["method"] != VARIANCE]
    return estimate(variance), others.loc[others["mean"].fillna(-1).idxmax()].to_dict()


def answer_sentence(ranking: pd.DataFrame, difference: pd.DataFrame, sharing: pd.DataFrame) -> str:
    """Whether the predicted variance finds disputed voxels better than entropies, in one pass."""
    own = difference[difference["measure"] == PRECISION]
    if own.empty:
        return "**Not compared**: no single-task network of the same architecture was run."
    sides = _sides(own)
    better, worse, total = sides.count(1), sides.count(-1), len(sides)
    if better == total:
        said = "**Yes.** One pass that also predicts the raters' variance finds the voxels that "
        said += "they dispute better than every entropy does"
    elif worse == total:
        said = "**No.** The variance predicted in one pass finds the voxels that raters dispute "
        said += "worse than every entropy does"
    else:
        said = "**Not for sure.** The variance predicted in one pass finds the voxels that raters "
        said += f"dispute better in {better} and worse in {worse} of {total} comparisons with an "
        said += "entropy; the rest is open"
    told = []
    for network in dict.fromkeys(own["network"]):
        mine, other = _best(ranking, network)
        best = text.number(other["mean"], 2)
        told.append(f"{mine:.2f} against {best} by {other['label']} ({network})")
    words = f"{said}: average precision {text.listing(told)}."
    dice = sharing[sharing["class"] == "all"].to_dict("records")
    if dice:
        both = [f"{text.number(r['together'], 3)} ({r['network']})" for r in dice]
        words += f" The same pass outlines the muscles with a Dice of {text.listing(both)}."
    return words


def steps_sentence(wanted, data) -> str:
    """How large the raters' variance is, and on how many slices it is known."""
    known = ~np.isnan(wanted[:, 0, 0, 0])
    maps = wanted[known]
    away = float((maps > 1e-3).any(axis=1).mean())
    return (
        f"{text.count(int(known.sum()), 'slice')} of {len(data)} have two raters or more and so a "
        f"variance map. The largest value is {text.number(float(maps.max()), 3)} of at most 0.25; "
        f"{text.percent(away)} of the pixels have more than 0.001."
    )


def published_sentence(cells: pd.DataFrame) -> str:
    """Where the published cells stand to this run's intervals, for each part of the table."""
    known = cells[cells["place"] != ""]
    if known.empty:
        return "This run has none of the published cells with an interval to compare."
    words = []
    for part, own in known.groupby("condition", sort=False):
        counts = [(int((own["place"] == p).sum()), p) for p in ("above", "inside", "below")]
        each = [f"{'all ' if n == len(own) else ''}{n} {place}" for n, place in counts if n]
        words.append(f"{text.listing(each)} for the {part}")
    return f"Where the published values lie to this run's intervals: {'; '.join(words)}."


def claims_sentence(table: pd.DataFrame) -> str:
    """The verdict on each claim, over all structures."""
    if table.empty:
        return "Both multi-task networks are needed to judge the paper's claims."
    words = []
    for row in table[table["class"] == "all"].to_dict("records"):
        digits = QUANTITIES[row["measure"]].digits + 1
        verdict = f"**{row['verdict']}**" + (f" ({row['why']})" if row["why"] else "")
        found = estimate(row)
        words.append(f"“{row['claim']}”: {verdict}; {row['statistic']}: {found:.{digits}f}")
    return "\n".join(f"- {line}." for line in words)


def trainings_sentence(claims: pd.DataFrame, seeds: pd.DataFrame) -> str:
    """How far the difference of Dice lies from what the seed alone changes."""
    words = "There is one training of each multi-task network, so a verdict is on these two"
    own = claims[(claims["measure"] == "dice") & (claims["class"] == "all")]
    spread = 100 * seeds.groupby("network")["mean"].agg(np.ptp).max()
    if own.empty or not spread > 0:
        return f"{words}."
    could = "more than that difference, so another seed could turn it"
    if spread < abs(own["mean"].item()):
        could = "less than that difference"
    return (
        f"{words}. Single-task trainings that differ in their seed alone lie up to "
        f"{text.number(spread, 1)} points of Dice apart, {could}."
    )


def worth_sentence(
    difference: pd.DataFrame, table: pd.DataFrame, against: str, prevalence: float
) -> str:
    """In how many comparisons the predicted variance ranks voxels better than an entropy."""
    if table.empty or not np.isfinite(prevalence):
        return f"Left out: the disagreement of {against} is not known here."
    if difference.empty:
        return "There is no single-task network to compare the predicted variance with."
    chance = f"A random map has an average precision of {text.number(prevalence, 3)}."
    for way, phrase in ((1, "better"), (-1, "worse")):
        if set(_sides(difference)) == {way}:
            measures = text.listing(f"by {m}" for m in difference["measure"].unique())
            return (
                f"Against {against} the predicted variance is {phrase} than every entropy of its "
                f"own architecture, {measures}. {chance}"
            )
    words = []
    for measure, own in difference.groupby("measure", sort=False):
        sides = _sides(own)
        better, worse = sides.count(1), sides.count(-1)
        told = [f"{n} {phrase}" for n, phrase in ((better, "better"), (worse, "worse")) if n]
        if rest := len(sides) - better - worse:
            told.append(f"{rest} that the data can't tell")
        words.append(f"{text.listing(told)} by {measure}")
    total = len(difference) // difference["measure"].nunique()
    return (
        f"Against {against}, of {text.count(total, 'comparison')} of the predicted variance with "
        f"an entropy of its own architecture: {'; '.join(words)}. {chance}"
    )


def few_raters_sentence(difference: pd.DataFrame, table: pd.DataFrame, raters: int) -> str:
    """Whether a predicted variance is nearer to that of many raters than its teachers' own."""
    if table.empty:
        return (
            "Left out: how raters in general would differ is known for the phantom alone, whose "
            "raters are simulated."
        )
    own = table[table["measure"] == CORRELATION]
    few = estimate(own[own["method"] == RATERS].to_dict("records")[0])
    words = []
    for row in difference[difference["measure"] == CORRELATION].to_dict("records"):
        turn = {1: "nearer to it", -1: "further from it", 0: "not told apart"}[side(row)]
        words.append(
            f"The {row['network']}'s predicted variance is {turn}, difference of r "
            f"{estimate(row):.3f}{without(row, 3)}"
        )
    return (
        f"With the variance of many raters, the map of the {text.count(raters, 'rater')} whom the "
        f"networks learned from has r = {few:.3f}. {'. '.join(words)}."
    )


def sharing_sentence(table: pd.DataFrame, seeds: pd.DataFrame) -> str:
    """Change of Dice by a second task beside what the seed alone changes, in percentage points."""
    words = []
    for row in table[table["class"] == "all"].to_dict("records"):
        own = seeds.loc[seeds["network"] == row["network"], "mean"]
        change = 100 * row["mean"]
        found = Estimate(change, 100 * row["low"], 100 * row["high"])
        told = f"{row['network']} {_signed(change)} points (95 % CI {_ends(found)})"
        if len(own) > 1:
            spread = 100 * (own.max() - own.min())
            apart = "more" if abs(change) > spread else "less"
            told += (
                f", {apart} than the {text.number(spread, 1)} points between its "
                f"{text.count(len(own), 'single-task training')}"
            )
        words.append(told)
    if not words:
        return "There is no single-task network to compare with."
    return (
        "One training each can't show whether the second task costs accuracy. Mean Dice changes "
        f"by: {'; '.join(words)}. The interval resamples subjects, not trainings."
    )


def cost_sentence(cost: pd.DataFrame) -> str:
    """How long both tasks take in one pass, and how many times as long entropies take."""
    words = []
    for network, part in cost.groupby("network", sort=False):
        first = part[part["method"] == VARIANCE].to_dict("records")[0]
        rest = part[part["method"] != VARIANCE].to_dict("records")
        told = text.listing(f"the {r['label']} {text.number(r['times'], 1)} times" for r in rest)
        words.append(
            f"Both tasks of the {network} take {text.number(first['milliseconds'], 1)} ms an image"
            + (f"; {told} as long" if told else "")
        )
    return f"{'. '.join(words)}. Times are those of this run's machine."


def leakage_sentence(table: pd.DataFrame, tested: Sequence[int]) -> str:
    """How much better a split by slice makes networks look.

    Parameters
    ----------
    table : pandas.DataFrame
        `leakage_table`.
    tested : (int, int)
        `tested_with_known_subjects` of the split by slice.
    """
    if table.empty:
        return "Left out: it takes a network trained on each of the two splits."
    words = []
    for row in table[table["compared"] == SAME].to_dict("records"):
        quantity = QUANTITIES[row["measure"]]
        name = f"{row['network']}, {quantity.words}"
        if np.isnan(row["mean"]):
            words.append(f"{name}: no slice is in both test sets")
            continue
        good = side(row) * (1 if row["measure"] == "dice" else -1)
        turn = {
            1: "better, as data leakage would make it",
            -1: "worse, no sign of data leakage",
            0: "data leakage can't be told",
        }[good]
        found = Estimate(*(quantity.scale * row[k] for k in ("mean", "low", "high")))
        digits = quantity.digits + 1
        words.append(
            f"{name}: {_signed(found.value, digits)} (95 % CI {_ends(found, digits)}), {turn}"
        )
    total, torn = tested
    return (
        f"Of {text.count(total, 'test slice')} of the split by slice, {torn} are of a subject "
        "whose other slices were learned from. By slice minus by subject, where both test: "
        f"{'; '.join(words)}. Each split was trained once, so seeds play a part too."
    )


def summary(*found: str) -> str:
    """What was found, one point each; what is empty is left out."""
    return "\n".join(f"- {words}" for words in found if words)


def headline_sharing(table: pd.DataFrame) -> str:
    """Change of Dice by a second task, in one phrase."""
    own = table[table["class"] == "all"].to_dict("records")
    if not own:
        return "not compared"
    told = text.listing(f"{_signed(100 * r['mean'])} points ({r['network']})" for r in own)
    return f"{told}, no more than one training each can show"


def headline_worth(ranking: pd.DataFrame) -> str:
    """Average precision of the predicted variance and of one pass's entropy, in one phrase."""
    own = ranking[ranking["measure"] == PRECISION]
    own = own[own["method"].isin([VARIANCE, "single"])]
    words = [
        f"{estimate(row):.3f} ({row['network']}, {row['label']})" for row in own.to_dict("records")
    ]
    return text.listing(words) or "not compared"


def _signed(value: float, digits: int = 1) -> str:
    shown = text.number(value, digits)
    return shown if shown.startswith("-") or np.isnan(value) else f"+{shown}"


def _ends(found: Estimate, digits: int = 1) -> str:
    return f"{text.number(found.low, digits)} to {text.number(found.high, digits)}"
