"""Verdicts on claims, decided by confidence intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.limits import FEWEST
from paraspine.evidence.printed import trained_words

__all__ = ["VERDICTS", "claims_summary", "judge", "pretty_claims"]

VERDICTS = ("supported", "contradicted", "can't tell", "not run")


def judge(
    found: statistics.Estimate,
    kind: str,
    bounds: tuple[float, float] = (0.0, 0.0),
    subjects: int = FEWEST,
) -> tuple[str, str]:
    """Verdict on one comparison, and why it can't be told.

    Parameters
    ----------
    found : statistics.Estimate
        Value and 95 % interval.
    kind, bounds
        As `Claim` has them. ``above`` and ``below`` are supported where the interval lies on that
        side of 0 and contradicted where it lies on the other. ``near zero`` and ``about`` are
        supported where the whole interval lies within the bounds: that an interval includes 0 does
        not show that there is no difference. The first is contradicted where the interval excludes
        0, the second where it lies outside the bounds.
    subjects : int
        How many were resampled; of fewer than `FEWEST` nothing is told.

    Returns
    -------
    tuple of str
        One of `VERDICTS` but the last, and a reason, empty unless it can't be told.
    """
    low, high = found.low, found.high
    if np.isnan(found.value):
        return "can't tell", "undefined in this run"
    if np.isnan(low) or np.isnan(high):
        return "can't tell", "no interval: it needs several subjects"
    if subjects < FEWEST:
        return "can't tell", f"fewer than {FEWEST} subjects"
    if kind in ("above", "below"):
        good, bad = low > 0, high < 0
        good, bad = (good, bad) if kind == "above" else (bad, good)
        reason = "the interval includes 0"
    else:
        good = bounds[0] <= low and high <= bounds[1]
        bad = (low > 0 or high < 0) if kind == "near zero" else low > bounds[1] or high < bounds[0]
        reason = "the interval lies partly within the bounds"
    if good:
        return "supported", ""
    return ("contradicted", "") if bad else ("can't tell", reason)


def claims_summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per claim: the verdict over all places where it was checked, and how many of each.

    Parameters
    ----------
    table : pandas.DataFrame
        As `claims_table` gives it.

    Returns
    -------
    pandas.DataFrame
        ``claim``, ``read from`` (table or figure), ``said in``, ``verdict`` (one of `VERDICTS`,
        ``"supported in part"``, ``"contradicted in part"`` or ``"mixed"``) and a count for each of
        `VERDICTS`.
    """
    lines = []
    for claim, part in table.groupby("claim", sort=False):
        counts = {v: int((part["verdict"] == v).sum()) for v in VERDICTS}
        lines.append(
            {
                "claim": claim,
                "read from": part["table"].iloc[0],
                "said in": part["said"].iloc[0],
                "verdict": _overall(counts),
            }
            | counts
        )
    return pd.DataFrame(lines)


def _overall(counts: dict[str, int]) -> str:
    given = tuple(v for v in VERDICTS[:3] if counts[v])
    if len(given) < 2:
        return given[0] if given else "not run"
    return PARTLY.get(given, "mixed")


def pretty_claims(table: pd.DataFrame, of: str, source: str) -> pd.DataFrame:
    """The claims that are read from one table or figure, for reading.

    Parameters
    ----------
    table : pandas.DataFrame
        As `claims_table` gives it.
    of : str
        ``"Table 1"`` to ``"Table 5"``, ``"Figure 2"`` or ``"Discussion"``.
    source : str
        Where this run's data comes from.
    """
    lines = []
    for row in table[table["table"] == of].itertuples():
        factor, digits, unit = SHOWN.get(row.quantity, SHARE)
        value = statistics.Estimate(factor * row.value, factor * row.low, factor * row.high)
        undefined = np.isnan(row.value)
        lines.append(
            {
                "claim": f"{row.claim} ({row.said})",
                "statistic": row.statistic + _bounds(row, factor, digits, unit),
                "where": row.where,
                "in the paper": _number(factor * row.printed, digits, unit),
                f"this run ({source})": ""
                if undefined
                else text.interval(value, digits)
                + unit
                + trained_words(row.trainings)
                + (f", {row.ensemble}" if row.ensemble else ""),
                "verdict": row.verdict,
                "why": row.why,
            }
        )
    return pd.DataFrame(lines).set_index(["claim", "statistic", "where"])


#: Verdicts over the places where a claim was checked, besides those of a single one.
PARTLY = {
    ("supported", "can't tell"): "supported in part",
    ("contradicted", "can't tell"): "contradicted in part",
}


#: How a quantity is shown: factor, digits, unit.
SHOWN = {
    "brier": (1e3, 3, " × 10⁻³"),
    "dice": (1e2, 2, " %"),
    "precision": (1.0, 4, ""),
    "correlation": (1.0, 3, ""),
    "entropy": (1.0, 4, " nats"),
    "entropy_sd": (1.0, 4, " nats"),
}


SHARE = (1e2, 1, " %")


def _bounds(row, factor: float, digits: int, unit: str) -> str:
    """What counts as near or about, in words; empty for the other kinds."""
    low, high = factor * row.bound_low, factor * row.bound_high
    if row.kind == "near zero":
        return f"; similar or none: within ±{text.number(high, digits)}, the widest in the paper"
    if row.kind == "about" and low == 0:
        return f"; very little: up to {text.number(high, digits)}{unit}, chosen here"
    if row.kind == "about":
        return (
            f"; about: {text.number(low, digits)} to {text.number(high, digits)}{unit}, as the "
            "paper's rows"
        )
    return ""


def _number(value: float, digits: int, unit: str) -> str:
    return "not printed" if np.isnan(value) else text.number(value, digits) + unit
