"""One or two sentences after each result, decided by the numbers and their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.measures.display import estimate
from paraspine.measures.headlines import (
    figure_2_title,
    headline,
    headline_calibration,
    headline_dice,
    headline_raters,
)
from paraspine.measures.limits import FEWEST, MANY
from paraspine.measures.rater_sentences import (
    ONE_RATER,
    agreement_sentence,
    blank_sentence,
    ends,
    fusion_sentence,
    group_sentence,
    style_sentence,
)
from paraspine.measures.tables import RATERS, conditions, wide

__all__ = [
    "agreement_sentence",
    "blank_sentence",
    "calibration_sentence",
    "correlation_sentence",
    "detection_sentence",
    "figure_2_title",
    "fusion_sentence",
    "group_sentence",
    "headline",
    "headline_calibration",
    "headline_dice",
    "headline_raters",
    "overlap_sentence",
    "prediction_sentence",
    "scatter_sentence",
    "style_sentence",
    "subjects_sentence",
    "training_sentence",
]

SCORE_NAMES = {
    "entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
}
#: Networks that a sentence lists one by one; of more it says the extremes, the table has them all.
LISTED = 4
NOBODY = "Nobody rated these images, so there is nothing to compare the predictions with."


def training_sentence(history: pd.DataFrame, epochs: int) -> str:
    """When training was best and when it stopped."""
    ran = len(history)
    planned = text.count(epochs, "epoch")
    words = "ran to its end" if ran >= epochs else f"stopped early, after {ran}"
    words = f"The training {words} of {planned}"
    known = history[history["validation_dice"].notna()]
    if known.empty:
        return f"{words}; no validation image marks a structure, so there is no validation Dice."
    best = known.loc[known["validation_dice"].idxmax()]
    return (
        f"{words}; the best mean validation Dice, "
        f"{text.number(best['validation_dice'], 3)}, came in epoch {int(best['epoch'])}."
    )


def prediction_sentence(table: pd.DataFrame, data) -> str:
    """Best and worst structure of one network."""
    dice = table[(table["measure"] == "dice") & table["mean"].notna()]
    if not data.rated.any():
        return NOBODY
    if dice.empty:
        return "No structure is marked in these images, so Dice is undefined."
    best, worst = ends(dice)
    words = f"{best['class']}, {text.interval(estimate(best), 3)}"
    if len(dice) == 1:
        words = f"Dice is defined for {words}"
    elif best["mean"] > worst["mean"]:
        words = (
            f"Dice is highest for {words}, and lowest for {worst['class']}, "
            f"{text.interval(estimate(worst), 3)}"
        )
    else:
        words = f"Dice is the same for every structure as for {words}"
    wrong = table[table["measure"] == "error_rate"].iloc[0]
    share = estimate(wrong)
    return (
        f"{words}; {text.percent(share.value, 2)} of the voxels are misclassified. ({data.source})"
    )


def overlap_sentence(table: pd.DataFrame) -> str:
    """Say whether the networks are as close to the vote as the raters are to each other."""
    networks = table[table["who"] != RATERS]
    raters = table[table["who"] == RATERS].set_index("class")
    if networks.empty:
        return NOBODY
    sentence = f"Mean Dice over structures: {_means_words(networks)}."
    if raters.empty:
        return f"{sentence} {ONE_RATER}"
    sentence += f" The raters among themselves: {text.number(raters['mean'].mean(), 3)}."
    beside = networks.join(raters[["low", "high"]].add_suffix("_raters"), on="class")
    below = beside.loc[beside["high"] < beside["low_raters"], "class"].unique()
    above = beside.loc[beside["low"] > beside["high_raters"], "class"].unique()
    for place, classes in (("below", below), ("above", above)):
        if len(classes):
            listed = text.listing(classes)
            sentence += f" Some network's interval lies wholly {place} the raters' for {listed}."
    sentence += _undefined_words(table)
    if beside[["low", "high", "low_raters", "high_raters"]].isna().any(axis=1).all():
        sentence += " There are no intervals to tell them apart by."
    elif not len(below) and not len(above):
        sentence += " No network's interval lies wholly below or above the raters'."
    return sentence + (
        " The comparison flatters networks: they are measured against the vote of all raters, a "
        "rater against one other."
    )


def _means_words(networks: pd.DataFrame) -> str:
    """Each network's mean over structures; of many only the lowest and the highest."""
    means = networks.groupby("who", sort=False)["mean"].mean()
    # A mean over fewer structures, where one is undefined, doesn't compare with the others.
    whole = networks.groupby("who", sort=False)["mean"].agg(lambda own: own.notna().all())
    known = means[whole]
    if len(means) <= LISTED or known.nunique() < 2:
        return "; ".join(f"{who}: {text.number(mean, 3)}" for who, mean in means.items())
    words = f"of {text.count(len(known), 'network')}, {_span(known, 3)}"
    if rest := len(means) - len(known):
        words += f"; {text.count(rest, 'network')} more left out, undefined for a structure"
    return words


def _undefined_words(table: pd.DataFrame) -> str:
    """How many values of a table of means are undefined, whose, and why."""
    words = []
    networks = table[table["who"] != RATERS]
    for who, part in networks[networks["undefined"] > 0].groupby("who", sort=False):
        each = [f"{row['undefined']:.0f} of {row['class']}" for _, row in part.iterrows()]
        words.append(f"{who} {text.listing(each)}")
    sentence = ""
    if words:
        sentence = (
            " Undefined and left out, because neither the network nor the vote has the structure "
            f"on the image: {'; '.join(words)}."
        )
    alone = sorted({int(n) for n in table.loc[table["who"] == RATERS, "undefined"]})
    if alone and alone[-1]:
        number = text.count(alone[-1], "image")
        if alone[0] != alone[-1]:
            number = f"{alone[0]} to {number}"
        sentence += f" The raters' own is undefined on {number}, as where one rated alone."
    return sentence


def detection_sentence(table: pd.DataFrame) -> str:
    """Which uncertainty finds errors best, and how far above chance."""
    if table.empty:
        return NOBODY
    known = table[table["mean"].notna()]
    if known.empty:
        return "No voxel is misclassified, so there is no error to find."
    best = known.loc[known["mean"].idxmax()]
    return (
        f"Highest for the {SCORE_NAMES[best['score']]} of {best['who']}: "
        f"{text.interval(estimate(best), 3)}, where a random score would reach "
        f"{text.number(best['prevalence'], 4)}."
    )


def correlation_sentence(table: pd.DataFrame, data) -> str:
    """How strongly uncertainty follows disagreement, and whether the interval excludes none."""
    chosen = table[(table["kind"] == "pearson") & (table["score"] == "entropy")]
    chosen = chosen[chosen["r"].notna()]
    if chosen.empty:
        several = int((data.rated.sum(axis=1) > 1).sum())
        if not several:
            return ONE_RATER
        if several < 3:
            return f"{text.count(several, 'image')} with two raters: too few for a correlation."
        return "GT entropy or uncertainty is the same for all images: there is no correlation."
    lines = []
    for _, row in chosen.iterrows():
        found = statistics.Estimate(row["r"], row["low"], row["high"])
        phrase = text.verdict(
            found,
            above="rises with the raters' disagreement",
            below="falls with the raters' disagreement",
            unclear="has no correlation with disagreement that the data can tell from none",
        )
        if np.isnan(found.low):
            phrase = "has a correlation with disagreement that chance may have made"
        elif row.get("clusters", FEWEST) < FEWEST:
            subjects = text.count(int(row["clusters"]), "subject")
            phrase = f"has a correlation with disagreement that {subjects} can't tell from chance"
        lines.append((row["who"], phrase, found))
    sentence = _told(
        lines,
        alone="for {who} predictive entropy {phrase}, r = {value}",
        together="predictive entropy {phrase} for {who}, r {value}",
    )
    sentence = f"{sentence[0].upper()}{sentence[1:]}. ({data.source})"
    return f"{sentence} {_adjusted_words(table, chosen)}".strip()


def _adjusted_words(table: pd.DataFrame, chosen: pd.DataFrame) -> str:
    """What Holm's adjustment leaves of the intervals that exclude no correlation."""
    if not {"p", "p_holm"} <= set(table):
        return ""
    together = int(table.loc[table["kind"] == "pearson", "p"].notna().sum())
    sure = int((chosen["p_holm"] < 0.05).sum())
    return (
        "Each interval looks at its own coefficient alone; *p* is adjusted over the "
        f"{text.count(together, 'coefficient')} over images of this table, those of the parts of "
        f"the entropy included, and is below 0.05 for {sure} of these {len(chosen)}."
    )


def subjects_sentence(data) -> str:
    """Say what so many test subjects allow to tell.

    An interval from resampling k subjects holds the truth with a chance of at most about
    ``1 - 2 ** (1 - k)``: in ``2 ** (1 - k)`` of all cases they all lie on one side of it.
    """
    number = len(set(data.table.loc[data.rated.any(axis=1), "subject"]))
    words = f"The test images are of {text.count(number, 'rated subject')}"
    if number < 2:
        return f"{words}: there is nothing to resample, so no result has an interval."
    if number < FEWEST:
        most = text.percent(1 - 2.0 ** (1 - number), 0)
        return (
            f"**{words}.** Resampling so few promises {most} at most, not 95 %: read every "
            "interval here as too narrow, and what it seems to show as open."
        )
    if number < MANY:
        return f"{words}: intervals from resampling so few are noticeably too narrow."
    return f"{words}, which every interval here resamples."


def _told(lines, *, alone: str, together: str, digits: int = 2) -> str:
    """Lines ``(who, phrase, estimate)`` one by one, or of many networks each phrase once.

    `alone` and `together` are templates of ``who``, ``verb``, ``phrase`` and ``value``.
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


def scatter_sentence(frame: pd.DataFrame, *, resamples: int = 2000) -> str:
    """Say whether the networks are more or less uncertain than the raters disagree."""
    images = wide(frame)
    if "gt_entropy" not in images:
        return NOBODY
    if images["gt_entropy"].isna().all():
        return ONE_RATER
    lines = []
    for who in conditions(frame):
        part = images[images["who"] == who]
        gap = statistics.difference_interval(
            part["entropy"].to_numpy(), part["gt_entropy"].to_numpy(),
            part["subject"].to_numpy(), resamples,
        )  # fmt: skip
        phrase = text.verdict(
            gap,
            above="more uncertain than the raters disagree",
            below="less uncertain than the raters disagree",
            unclear="not told apart from the raters' disagreement",
        )
        lines.append((who, phrase, gap))
    words = "{who} {verb} {phrase} (difference {value} nats)"
    return f"On average over images, {_told(lines, alone=words, together=words, digits=4)}."


def calibration_sentence(table: pd.DataFrame) -> str:
    """Lowest ECE, and whether each condition is over- or underconfident on the whole."""
    if table.empty:
        return NOBODY
    known = table[table["mean"].notna()]
    if known.empty:
        return "No voxel counts here, because no rater marked a structure: there is no ECE."
    best = known.loc[known["mean"].idxmin()]
    # In italics: a name has commas of its own.
    over = [f"*{r['who']}*" for _, r in table.iterrows() if r["over"] > r["under"]]
    under = [f"*{r['who']}*" for _, r in table.iterrows() if r["over"] < r["under"]]
    first = "Lowest ECE" if len(known) > 1 else "ECE"
    words = [f"{first}: *{best['who']}*, {text.interval(estimate(best), 4)}"]
    if over:
        words.append(f"more over- than underconfident: {text.listing(over)}")
    if under:
        words.append(f"more under- than overconfident: {text.listing(under)}")
    return "; ".join(words) + "."
