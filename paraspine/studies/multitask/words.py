"""Words for networks with two tasks, decided by the numbers and their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.comparisons import comparison_sentence
from paraspine.evidence.limits import FEWEST
from paraspine.evidence.show import estimate
from paraspine.studies.multitask.maps import VARIANCE

__all__ = [
    "network_sentence_of",
    "worth_sentence",
    "few_raters_sentence",
    "sharing_sentence",
    "cost_sentence",
    "steps_sentence",
    "multitask_tests_sentence",
    "multitask_summary",
    "headline_sharing",
    "headline_worth",
]


def network_sentence_of(name: str, counts: Mapping[str, int]) -> str:
    """A network's name and parameters, of each task where there are several.

    Parameters
    ----------
    name : str
        Of the architecture.
    counts : mapping of str to int
        As `models.parameter_counts` gives them: what is shared, and what each task has for itself.
    """
    total = text.count(sum(counts.values()), "parameter")
    tasks = [task for task in counts if task != "shared"]
    if len(tasks) < 2:
        return f"`{name}` with {total}."
    own = text.listing(f"{counts[task]:,} for the {task} alone" for task in tasks)
    return f"`{name}` with {total}: {counts['shared']:,} shared, {own}."


def turn_of(row: Mapping, **phrases: str) -> str:
    """`text.verdict` of a table's row, which tells nothing of fewer than six subjects."""
    if row["clusters"] < FEWEST:
        return f"{phrases['unclear']} with {text.count(int(row['clusters']), 'subject')}"
    return text.verdict(estimate(row), **phrases)


def worth_sentence(
    difference: pd.DataFrame, table: pd.DataFrame, against: str, prevalence: float
) -> str:
    """Whether the predicted variance ranks voxels better than each entropy does.

    Parameters
    ----------
    difference, table : pandas.DataFrame
        `ranking_difference` and `ranking_table`.
    against : str
        Whose disagreement is ranked, for example ``"the raters"``.
    prevalence : float
        Mean share of disputed voxels.
    """
    if table.empty or not np.isfinite(prevalence):
        return f"Left out: the disagreement of {against} is not known here."
    words = []
    for measure in dict.fromkeys(table["measure"]):
        own = table[table["measure"] == measure].set_index("condition")
        for network, part in _by_network(difference[difference["measure"] == measure]):
            mine = estimate(own.loc[f"{network}, {VARIANCE}"])
            sides: dict[str, list[str]] = {}
            for row in part.to_dict("records"):
                turn = turn_of(
                    row, above="worse than", below="better than", unclear="not told apart"
                )
                turn += " from" if turn.startswith("not") else ""
                sides.setdefault(turn, []).append(row["condition"].split(", ", 1)[1])
            told = "; ".join(f"{turn} {text.listing(names)}" for turn, names in sides.items())
            words.append(
                f"by {measure}, {text.interval(mine, 3)}, the {network}'s predicted variance is "
                f"{told}"
            )
    if not words:
        return "There is no single-task network to compare the predicted variance with."
    return (
        f"Against {against}: {'. '.join(w[0].upper() + w[1:] for w in words)}. A random map has an "
        f"average precision of {text.number(prevalence, 3)}."
    )


def _by_network(difference: pd.DataFrame):
    """Rows of each architecture."""
    networks = difference["condition"].str.split(", ", n=1).str[0]
    return difference.groupby(networks, sort=False)


def few_raters_sentence(table: pd.DataFrame, data) -> str:
    """Whether a network's predicted variance is nearer to that of many raters than its teachers'.

    Parameters
    ----------
    table : pandas.DataFrame
        `ranking_table` of `crowd_frame`.
    data : slices.Slices
        The images with the cohort's raters.
    """
    raters = f"variance of the cohort's {text.count(len(data.raters), 'rater')}"
    if table.empty:
        return (
            "Left out: how raters in general would differ is known for the phantom alone, whose "
            "raters are simulated."
        )
    own = table[table["measure"] == "Pearson's r"].set_index("condition")
    few = estimate(own.loc[raters])
    words = [
        f"the {who.split(', ')[0]}'s predicted variance {text.interval(estimate(row), 3)}"
        for who, row in own.iterrows()
        if who.endswith(VARIANCE)
    ]
    return (
        f"Pearson's r with the variance of many raters: the map of the "
        f"{text.count(len(data.raters), 'rater')} whom the networks learned from has "
        f"{text.interval(few, 3)}, {text.listing(words)}."
    )


def sharing_sentence(table: pd.DataFrame) -> str:
    """Whether a second task costs the segmentation accuracy.

    Parameters
    ----------
    table : pandas.DataFrame
        `sharing_table`.
    """
    words = []
    for row in table[table["class"] == "all"].to_dict("records"):
        turn = turn_of(
            row,
            above="the second task gains accuracy",
            below="the second task costs accuracy",
            unclear="the data can't tell a cost or a gain",
        )
        words.append(
            f"{row['network']}, {text.number(row['together'], 3)} with both tasks and "
            f"{text.number(row['alone'], 3)} alone, a difference of "
            f"{text.interval(estimate(row), 4)}: {turn}"
        )
    if not words:
        return "There is no single-task network to compare with."
    return (
        f"Mean Dice over structures: {'; '.join(words)}. The interval resamples subjects, not "
        "trainings: there is one of each."
    )


def cost_sentence(cost: pd.DataFrame) -> str:
    """How long each map takes, beside the one pass of a multi-task network.

    Parameters
    ----------
    cost : pandas.DataFrame
        `cost_table`.
    """
    words = []
    for network, part in cost.groupby(cost["condition"].str.split(", ", n=1).str[0], sort=False):
        rest = part[~part["condition"].str.endswith(VARIANCE)]
        first = part[part["condition"].str.endswith(VARIANCE)]["milliseconds"].iloc[0]
        told = [
            f"{who.split(', ', 1)[1]} {text.number(times, 1)} times as long"
            for who, times in zip(rest["condition"], rest["times"], strict=True)
        ]
        words.append(f"{network}: {text.number(first, 1)} ms, {text.listing(told)}")
    return (
        f"Segmentation and variance together, an image: {'; '.join(words)}. Dropout computes what "
        "its samples share once. Times are those of this run's machine; the fastest of three calls."
    )


def steps_sentence(wanted, data) -> str:
    """How large the raters' variance is, and on how many slices it is known.

    Parameters
    ----------
    wanted : (N, C - 1, H, W)
        Variance maps; NaN where fewer than two rated.
    data : slices.Slices
        Their slices.
    """
    known = ~np.isnan(wanted[:, 0, 0, 0])
    maps = wanted[known]
    away = float((maps > 1e-3).any(axis=1).mean())
    return (
        f"{text.count(int(known.sum()), 'slice')} of {len(data)} have two raters or more and so a "
        f"variance map. The largest value is {text.number(float(maps.max()), 3)} of at most 0.25; "
        f"{text.percent(away)} of the pixels have more than 0.001."
    )


def multitask_tests_sentence(table: pd.DataFrame, by_subject: pd.DataFrame) -> str:
    """In how many tests the networks differ, by image and by subject.

    Parameters
    ----------
    table, by_subject : pandas.DataFrame
        `task_tests`.
    """
    if table.empty:
        return "Only one multi-task network was run, so there is nothing to test."
    words = []
    for unit, tests in (("By image", table), ("By subject", by_subject)):
        for measure, name in (("dice", "Dice"), ("variance_mse", "the variance map's MSE")):
            own = comparison_sentence(tests[tests["measure"] == measure], name)
            words.append(f"{unit}: {own}")
    return " ".join(words)


def multitask_summary(
    sharing: pd.DataFrame, difference: pd.DataFrame, cost: pd.DataFrame, leak: str
) -> str:
    """What this chapter found, in a few sentences.

    Parameters
    ----------
    sharing, difference, cost : pandas.DataFrame
        `sharing_table`, `ranking_difference` and `cost_table`.
    leak : str
        `leak_sentence`.
    """
    ap = difference[difference["measure"] == "average precision"]
    told = [
        turn_of(row, above="worse", below="better", unclear="") for row in ap.to_dict("records")
    ]
    better, worse = told.count("better"), told.count("worse")
    ten = cost[cost["condition"].str.endswith("dropout")]
    words = [sharing_sentence(sharing)]
    if len(ap):
        words.append(
            f"Of {text.count(len(ap), 'comparison')} of an entropy with the predicted variance of "
            f"the same architecture, by average precision against the raters' disagreement, the "
            f"predicted variance is better in {better} and worse in {worse}; in "
            f"{len(ap) - better - worse} the data can't tell."
        )
    if len(ten):
        low, high = ten["times"].min(), ten["times"].max()
        span = text.number(low, 1) + ("" if high - low < 0.05 else f" to {text.number(high, 1)}")
        words.append(
            f"Dropout's {text.count(int(ten['passes'].iloc[0]), 'pass', 'passes')} take {span} "
            "times as long as the one pass with both tasks."
        )
    return "\n\n".join(f"- {w}" for w in [*words, leak])


def headline_sharing(table: pd.DataFrame) -> str:
    """Change of Dice by a second task, in one phrase."""
    own = table[table["class"] == "all"].to_dict("records")
    if not own:
        return "not compared"
    return text.listing(f"{text.interval(estimate(r), 4)} ({r['network']})" for r in own)


def headline_worth(table: pd.DataFrame) -> str:
    """Average precision of the predicted variance and of one pass's entropy, in one phrase."""
    own = table[table["measure"] == "average precision"]
    words = [
        f"{text.interval(estimate(row), 3)} ({row['condition']})"
        for row in own.to_dict("records")
        if row["condition"].endswith((VARIANCE, "one pass"))
    ]
    return text.listing(words) or "not compared"
