"""Paired tests by image and by subject."""

from __future__ import annotations

import pandas as pd

from paraspine import statistics, text

__all__ = ["comparison_sentence"]


def paired_both_ways(frame, condition, pair, method="t", **options) -> pd.DataFrame:
    """Paired tests of ``value`` by image, with intervals over subjects, and by subject beside them.

    Returns
    -------
    pandas.DataFrame
        `statistics.paired_test` by image, and ``subjects``, ``p_subject``, ``p_holm_subject`` and
        ``effect_subject`` of the test whose images are averaged within subjects first.
    """
    given = frame, "value", condition, pair, method
    image = statistics.paired_test(*given, clusters="subject", **options)
    options.pop("resamples", None)
    subject = statistics.paired_test(*given, average="subject", **options)
    names = {"n": "subjects"} | {n: f"{n}_subject" for n in ("p", "p_holm", "effect")}
    return image.assign(**{to: subject[name] for name, to in names.items()})


def comparison_sentence(table: pd.DataFrame, what: str = "Dice") -> str:
    """In how many cells one architecture is better than another, after adjustment."""
    if table.empty:
        return "Only one architecture was run, so there is nothing to compare."
    words = []
    for (a, b), part in table.groupby(["a", "b"], sort=False):
        sure = part[part["p_holm"] < 0.05]
        better = int((sure["difference"] > 0).sum())
        worse = int((sure["difference"] < 0).sum())
        words.append(
            f"Of {text.count(len(part), 'comparison')} of {a} with {b}, {what} is higher for {a} "
            f"in {better} and for {b} in {worse} at an adjusted p below 0.05; in "
            f"{len(part) - better - worse} the data can't tell"
        )
    if dropped := int(table["dropped"].sum() if "dropped" in table else 0):
        words.append(
            f"{text.count(dropped, 'pair is', 'pairs are')} left out in all, where {what} is "
            "undefined for one of the two: a structure that neither the network nor the vote has "
            "on an image. The means here can therefore differ from those of a network by itself"
        )
    return ". ".join(words) + "."
