"""Verdicts on claims, decided by confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.limits import FEWEST
from paraspine.evidence.printed import trained_words
from paraspine.evidence.show import Table, number, words
from paraspine.evidence.show import table as show_table
from paraspine.statistics import Estimate

__all__ = ["VERDICTS", "claims_display", "claims_summary", "judge", "verdicts_display"]

VERDICTS = ("supported", "contradicted", "can't tell", "not run")


def judge(
    found: Estimate,
    kind: str,
    bounds: tuple[float, float] = (0.0, 0.0),
    subjects: int = FEWEST,
    without: Sequence[Estimate] = (),
) -> tuple[str, str]:
    """Verdict on one comparison, and why it can't be told.

    Parameters
    ----------
    found : Estimate
        Value and 95 % interval.
    kind, bounds
        As `Claim` has them. ``above`` and ``below`` are supported where the interval lies on that
        side of 0 and contradicted where it lies on the other. ``near zero`` and ``about`` are
        supported where the whole interval lies within the bounds: that an interval includes 0 does
        not show that there is no difference. The first is contradicted where the interval excludes
        0, the second where it lies outside the bounds.
    subjects : int
        How many were resampled; of fewer than `FEWEST` nothing is told.
    without : sequence of Estimate, optional
        The same with each subject left out. Where one of them has another verdict, a single subject
        decides and nothing is told.

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
        wide = low < bounds[0] and high > bounds[1]
        reason = "the interval is wider than the bounds" if wide else "it crosses a bound"
    if not good and not bad:
        return "can't tell", reason
    verdict = "supported" if good else "contradicted"
    if any(judge(rest, kind, bounds)[0] != verdict for rest in without):
        return "can't tell", "one subject decides"
    return verdict, ""


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


def claims_display(
    table: pd.DataFrame, *, caption: str, source: str, folded: bool = False
) -> Table:
    """Claims place by place: what the paper prints, this run's value, and the verdict.

    Parameters
    ----------
    table : pandas.DataFrame
        As `claims_table` gives it, or some of its rows.
    caption, source, folded
        As `show.table`.
    """
    lines = []
    for row in table.to_dict("records"):
        factor, digits, unit = SHOWN.get(row["quantity"], SHARE)
        unit = POINTS if unit == " %" and row.get("difference") else unit
        value = Estimate(*(factor * row[n] for n in ("value", "low", "high")))
        alone = Estimate(0.0, *(factor * row.get(n, np.nan) for n in ("least", "most")))
        ends = "" if np.isnan(alone.low) else f"{alone.low:.{digits}f} to {alone.high:.{digits}f}"
        lines.append(
            {
                "claim": f"{row['claim']} ({row['said']})",
                "statistic": row["statistic"] + _bounds(row, factor, digits, unit),
                "where": row["where"],
                "paper": _number(factor * row["printed"], digits, unit),
                "this run": "–"
                if np.isnan(value.value)
                else f"{value:.{digits}f brackets}{unit}"
                + trained_words(row["trainings"])
                + (f", {row['ensemble']}" if row["ensemble"] else ""),
                "without one subject": ends,
                "verdict": row["verdict"] + (f": {row['why']}" if row["why"] else ""),
            }
        )
    shown = ("paper", "this run", "without one subject", "verdict")
    return show_table(
        pd.DataFrame(lines),
        ["claim", "statistic", "where"],
        {name: words(name) for name in shown},
        caption=caption,
        source=source,
        folded=folded,
    )


def verdicts_display(
    summary: pd.DataFrame, *, caption: str, source: str, folded: bool = False
) -> Table:
    """`claims_summary` for reading: one line a claim with its verdict."""
    cells = {"read from": words("read from"), "verdict": words("verdict")}
    cells |= {v: number(v) for v in VERDICTS if summary[v].any()}
    return show_table(summary, "claim", cells, caption=caption, source=source, folded=folded)


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
#: Unit of a difference of two percentages.
POINTS = " percentage points"


def _bounds(row: dict, factor: float, digits: int, unit: str) -> str:
    """What counts as near or about, in words; empty for the other kinds."""
    low, high = factor * row["bound_low"], factor * row["bound_high"]
    if row["kind"] == "near zero":
        return f"; similar or none: within ±{text.number(high, digits)}, the widest in the paper"
    if row["kind"] == "about" and low == 0:
        return f"; very little: up to {text.number(high, digits)}{unit}, chosen here"
    if row["kind"] == "about":
        return (
            f"; about: {text.number(low, digits)} to {text.number(high, digits)}{unit}, as the "
            "paper's rows"
        )
    return ""


def _number(value: float, digits: int, unit: str) -> str:
    return "not printed" if np.isnan(value) else text.number(value, digits) + unit
