"""One or two sentences after each result, decided by the numbers and their intervals."""

from __future__ import annotations

import pandas as pd

from paraspine import statistics, text
from paraspine.measures.display import estimate
from paraspine.measures.tables import RATERS, conditions, difference_between, wide

__all__ = [
    "agreement_sentence",
    "blank_sentence",
    "brier_sentence",
    "calibration_sentence",
    "correlation_sentence",
    "detection_sentence",
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
    "training_sentence",
]

SCORE_NAMES = {
    "entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
}
ONE_RATER = (
    "**Left out: one rater only.** Disagreement needs at least two raters of the same image; with "
    "one it is unknown, not zero."
)


def agreement_sentence(table: pd.DataFrame, data) -> str:
    """Which structure the raters agree on most and least."""
    known = table[table["mean"].notna()]
    if known.empty:
        return ONE_RATER
    best, worst = known.loc[known["mean"].idxmax()], known.loc[known["mean"].idxmin()]
    words = f"The raters agree on {best['class']} with a Dice of {text.interval(estimate(best), 3)}"
    if len(known) > 1:
        words += (
            f", most of all structures, and least on {worst['class']} with "
            f"{text.interval(estimate(worst), 3)}"
        )
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
    top, low = known.loc[known["mean"].idxmax()], known.loc[known["mean"].idxmin()]
    if len(known) == 1:
        return f"{name} is {text.interval(estimate(top), 4)} nats at {group} {top[group]}."
    apart = low["high"] < top["low"]
    return (
        f"{name} is highest at {group} {top[group]} ({text.interval(estimate(top), 4)} nats) and "
        f"lowest at {low[group]} ({text.interval(estimate(low), 4)}); their intervals "
        f"{'do not overlap' if apart else 'overlap'}."
    )


def style_sentence(table: pd.DataFrame) -> str:
    """Which raters outline systematically more or less than the others."""
    known = table[table["mean"].notna()]
    if known.empty:
        return ONE_RATER
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
        return ONE_RATER
    found = {row["measure"]: estimate(row) for _, row in table.iterrows()}
    return (
        f"Of the voxels that any rater marked, {text.interval(found['tie_rate'])} % have a tied "
        f"vote, and STAPLE decides {text.interval(found['staple_differs'])} % otherwise than the "
        f"majority. ({data.source})"
    )


def blank_sentence(table: pd.DataFrame, data) -> str:
    """What counting blanks as empty outlines would do."""
    if table.empty:
        return "Every rater rated every image, so the question does not arise in this cohort."
    found = {(r["measure"], r["blank"]): estimate(r) for _, r in table.iterrows()}
    blanks = int((~data.rated).sum())
    words = []
    for measure, name, digits in (("gt_entropy", "GT entropy", 4), ("pairwise_dice", "Dice", 3)):
        before, after = found[measure, "not rated"], found[measure, "rated and empty"]
        words.append(
            f"the mean {name} from {text.interval(before, digits)} to "
            f"{text.interval(after, digits)}"
        )
    return (
        f"{text.count(blanks, 'blank')} among {text.count(data.rated.size, 'rating')}. Counting "
        f"them as rated and empty changes {text.listing(words)}."
    )


def training_sentence(history: pd.DataFrame, epochs: int) -> str:
    """When training was best and when it stopped."""
    best = history.loc[history["validation_dice"].idxmax()]
    ran = len(history)
    stopped = f"stopped early after {ran}" if ran < epochs else f"ran through all {ran}"
    return (
        f"The training {stopped} of {text.count(epochs, 'epoch')}; the best mean validation Dice, "
        f"{text.number(best['validation_dice'], 3)}, came in epoch {int(best['epoch'])}."
    )


def prediction_sentence(table: pd.DataFrame, data) -> str:
    """Best and worst structure of one network."""
    dice = table[(table["measure"] == "dice") & table["mean"].notna()]
    if dice.empty:
        return "No structure is marked in these images, so Dice is undefined."
    best, worst = dice.loc[dice["mean"].idxmax()], dice.loc[dice["mean"].idxmin()]
    words = f"Dice is highest for {best['class']}, {text.interval(estimate(best), 3)}"
    if len(dice) > 1:
        words += f", and lowest for {worst['class']}, {text.interval(estimate(worst), 3)}"
    wrong = table[table["measure"] == "error_rate"].iloc[0]
    share = estimate(wrong)
    return (
        f"{words}; {text.percent(share.value, 2)} of the voxels are misclassified. ({data.source})"
    )


def overlap_sentence(table: pd.DataFrame) -> str:
    """Say whether the networks are as close to the vote as the raters are to each other."""
    raters = table[table["who"] == RATERS].set_index("class")
    words = []
    for who, part in table[table["who"] != RATERS].groupby("who", sort=False):
        mean = part["mean"].mean()
        words.append(f"{who}: {text.number(mean, 3)}")
    sentence = f"Mean Dice over structures: {'; '.join(words)}."
    if raters.empty:
        return f"{sentence} {ONE_RATER}"
    reached = sorted(
        {
            row["class"]
            for _, row in table[table["who"] != RATERS].iterrows()
            if row["class"] in raters.index and row["low"] > raters.loc[row["class"], "high"]
        }
    )
    missed = sorted(
        {
            row["class"]
            for _, row in table[table["who"] != RATERS].iterrows()
            if row["class"] in raters.index and row["high"] < raters.loc[row["class"], "low"]
        }
    )
    sentence += f" The raters among themselves: {text.number(raters['mean'].mean(), 3)}."
    if missed:
        sentence += f" Some network stays below the raters' interval for {text.listing(missed)}."
    if reached:
        sentence += f" Some network lies above the raters' interval for {text.listing(reached)}."
    return sentence + (
        " The comparison flatters networks: they are measured against the vote of all raters, a "
        "rater against one other."
    )


def brier_sentence(frame: pd.DataFrame, *, resamples: int = 2000) -> str:
    """Which training target keeps the raters' disagreement better, model by model."""
    names = frame.drop_duplicates("who")
    words = []
    for (model, seed, method), part in names.groupby(["model", "seed", "method"], sort=False):
        fusions = dict(zip(part["fusion"], part["who"], strict=True))
        if {"random", "majority"} <= set(fusions):
            found = difference_between(
                frame, "brier", fusions["random"], fusions["majority"], resamples=resamples
            )
            scaled = statistics.Estimate(1e3 * found.value, 1e3 * found.low, 1e3 * found.high)
            phrase = text.verdict(
                found, below="lower", above="higher", unclear="not told apart from that"
            )
            than = "" if phrase.startswith("not") else " than"
            words.append(
                f"For {model} ({method}{f', seed {seed}' if names['seed'].nunique() > 1 else ''}), "
                f"the Brier score after training on random raters is {phrase}{than} after training "
                f"on the majority: difference {text.interval(scaled)} × 10⁻³"
            )
    if not words:
        return "Only one training target was run, so there is nothing to compare."
    return ". ".join(words) + "."


def detection_sentence(table: pd.DataFrame) -> str:
    """Which uncertainty finds errors best, and how far above chance."""
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
        return (
            ONE_RATER
            if (data.rated.sum(axis=1) < 2).all()
            else ("GT entropy or uncertainty is the same for all images: there is no correlation.")
        )
    words = []
    for _, row in chosen.iterrows():
        found = statistics.Estimate(row["r"], row["low"], row["high"])
        phrase = text.verdict(
            found,
            above="rises with the raters' disagreement",
            below="falls with the raters' disagreement",
            unclear="has no correlation with disagreement that the data can tell from none",
        )
        words.append(f"for {row['who']} predictive entropy {phrase}, r = {text.interval(found)}")
    sentence = "; ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}. ({data.source})"


def scatter_sentence(frame: pd.DataFrame, *, resamples: int = 2000) -> str:
    """Say whether the networks are more or less uncertain than the raters disagree."""
    images = wide(frame)
    if images["gt_entropy"].isna().all():
        return ONE_RATER
    words = []
    for who in conditions(frame):
        part = images[images["who"] == who]
        gap = statistics.difference_interval(
            part["entropy"].to_numpy(), part["gt_entropy"].to_numpy(),
            part["subject"].to_numpy(), resamples,
        )  # fmt: skip
        phrase = text.verdict(
            gap, above="more uncertain than", below="less uncertain than", unclear="as uncertain as"
        )
        words.append(f"{who} is {phrase} the raters disagree ({text.interval(gap, 4)} nats)")
    return "On average over images, " + "; ".join(words) + "."


def calibration_sentence(table: pd.DataFrame) -> str:
    """Lowest ECE, and whether each condition is over- or underconfident on the whole."""
    best = table.loc[table["mean"].idxmin()]
    over = [r["who"] for _, r in table.iterrows() if r["over"] > r["under"]]
    under = [r["who"] for _, r in table.iterrows() if r["over"] < r["under"]]
    words = [f"Lowest ECE: {best['who']}, {text.interval(estimate(best), 4)}"]
    if over:
        words.append(f"more over- than underconfident: {text.listing(over)}")
    if under:
        words.append(f"more under- than overconfident: {text.listing(under)}")
    return "; ".join(words) + "."


def headline(table: pd.DataFrame) -> str:
    """Correlation of predictive entropy with GT entropy for the last condition, in one phrase."""
    chosen = table[(table["kind"] == "pearson") & (table["score"] == "entropy")]
    chosen = chosen[chosen["r"].notna()]
    if chosen.empty:
        return "undefined (one rater)"
    row = chosen.iloc[-1]
    found = statistics.Estimate(row["r"], row["low"], row["high"])
    return f"r = {text.interval(found)} ({row['who']})"


def headline_dice(table: pd.DataFrame) -> str:
    """Mean Dice over structures for each network, in one phrase."""
    networks = table[table["who"] != RATERS]
    means = networks.groupby("who", sort=False)["mean"].mean()
    return "; ".join(f"{text.number(value, 3)} ({who})" for who, value in means.items())


def headline_raters(table: pd.DataFrame) -> str:
    """Mean pairwise Dice of the raters over structures, in one phrase."""
    raters = table[table["who"] == RATERS]
    return text.number(raters["mean"].mean(), 3) if len(raters) else "undefined (one rater)"


def headline_calibration(table: pd.DataFrame) -> str:
    """Lowest and highest ECE, in one phrase."""
    best, worst = table.loc[table["mean"].idxmin()], table.loc[table["mean"].idxmax()]
    return (
        f"{text.number(best['mean'], 4)} ({best['who']}) to "
        f"{text.number(worst['mean'], 4)} ({worst['who']})"
    )
