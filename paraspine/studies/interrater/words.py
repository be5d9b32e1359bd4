"""One or two sentences after each result, decided by the numbers and their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.conditions import RATERS, conditions, wide
from paraspine.evidence.limits import FEWEST, MANY
from paraspine.evidence.show import estimate
from paraspine.evidence.words import LISTED, NOBODY, ONE_RATER, SCORE_NAMES, _span, _told

__all__ = [
    "overlap_sentence",
    "detection_sentence",
    "correlation_sentence",
    "subjects_sentence",
    "scatter_sentence",
    "headline",
    "figure_2_title",
    "headline_dice",
    "headline_raters",
    "partition_sentence",
]


def overlap_sentence(table: pd.DataFrame) -> str:
    """Say whether the networks are as close to the vote as the raters are to each other."""
    networks = table[table["condition"] != RATERS]
    raters = table[table["condition"] == RATERS].set_index("class")
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
    means = networks.groupby("condition", sort=False)["mean"].mean()
    # A mean over fewer structures, where one is undefined, doesn't compare with the others.
    whole = networks.groupby("condition", sort=False)["mean"].agg(lambda own: own.notna().all())
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
    networks = table[table["condition"] != RATERS]
    for who, part in networks[networks["undefined"] > 0].groupby("condition", sort=False):
        each = [f"{row['undefined']:.0f} of {row['class']}" for _, row in part.iterrows()]
        words.append(f"{who} {text.listing(each)}")
    sentence = ""
    if words:
        sentence = (
            " Undefined and left out, because neither the network nor the vote has the structure "
            f"on the image: {'; '.join(words)}."
        )
    alone = sorted({int(n) for n in table.loc[table["condition"] == RATERS, "undefined"]})
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
        f"Highest for the {SCORE_NAMES[best['score']]} of {best['condition']}: "
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
        lines.append((row["condition"], phrase, found))
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


def scatter_sentence(frame: pd.DataFrame, *, resamples: int = 2000) -> str:
    """Say whether the networks are more or less uncertain than the raters disagree."""
    images = wide(frame)
    if "gt_entropy" not in images:
        return NOBODY
    if images["gt_entropy"].isna().all():
        return ONE_RATER
    lines = []
    for who in conditions(frame):
        part = images[images["condition"] == who]
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


def _of_one_way(names: pd.Series, preferred: str) -> pd.Series:
    """Which conditions to name in a headline: those sampled in one way, or all without it."""
    chosen = names.str.endswith(preferred)
    return chosen if chosen.any() else names.notna()


def headline(table: pd.DataFrame) -> str:
    """Correlation of predictive entropy, from dropout where it ran, with GT entropy."""
    if table.empty:
        return "undefined (one rater)"
    chosen = table[(table["kind"] == "pearson") & (table["score"] == "entropy")]
    chosen = chosen[chosen["r"].notna()]
    if chosen.empty:
        return "undefined (too few images, or no difference among them)"
    words = [
        f"r = {text.interval(statistics.Estimate(row['r'], row['low'], row['high']))} "
        f"({row['condition']})"
        for _, row in chosen[_of_one_way(chosen["condition"], "dropout")].iterrows()
    ]
    return "; ".join(words)


def figure_2_title(method: str) -> str:
    """Which panel of roshanzamir2023's Figure 2 a way of sampling fills, as the figure's title."""
    panel = {
        "single": "Figure 2(a): entropy of the prediction (one pass)",
        "tta": "Beside Figure 2(b): aleatoric uncertainty (tta)",
    }.get(method, f"Figure 2(b): epistemic uncertainty ({method})")
    return f"{panel} against disagreement of the raters"


def headline_dice(table: pd.DataFrame) -> str:
    """Mean Dice over structures for each network, from one pass where it ran."""
    networks = table[table["condition"] != RATERS]
    networks = networks[_of_one_way(networks["condition"], "single")]
    means = networks.groupby("condition", sort=False)["mean"].mean()
    words = [f"{text.number(value, 3)} ({who})" for who, value in means.items()]
    return "; ".join(words) or "undefined (nobody rated the test images)"


def headline_raters(table: pd.DataFrame) -> str:
    """Mean pairwise Dice of the raters over structures."""
    raters = table[table["condition"] == RATERS]
    return text.number(raters["mean"].mean(), 3) if len(raters) else "undefined (one rater)"


def partition_sentence(table: pd.DataFrame) -> str:
    """Whether the epistemic uncertainty explains more of the disagreement than the aleatoric."""
    if table.empty:
        return (
            "Left out: dividing the variance needs GT entropy, and dropout or an ensemble beside "
            "test-time augmentation."
        )
    words = []
    chosen = table[table["score"] == "entropy"]
    for who, part in chosen.groupby("epistemic", sort=False):
        found = part.set_index("part")
        if not np.isfinite(found.loc["joint", "mean"]):
            continue
        words.append(
            f"{who}: epistemic {text.number(found.loc['epistemic', 'mean'], 1)} %, aleatoric "
            f"{text.number(found.loc['aleatoric', 'mean'], 1)} %, both "
            f"{text.interval(estimate(found.loc['joint']), 1)} %"
        )
    if not words:
        return "GT entropy or uncertainty is the same for all images: there is nothing to divide."
    return "Variance of GT entropy explained. " + "; ".join(words) + "."
