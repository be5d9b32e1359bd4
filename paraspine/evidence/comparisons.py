"""Paired tests by image and by subject."""

from __future__ import annotations

import pandas as pd

from paraspine import statistics

__all__ = ["paired_both_ways"]


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
