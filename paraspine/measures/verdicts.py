"""Whether a run supports what the paper claims, contradicts it or can't tell: by interval."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.measures.claims import CLAIMS, Claim, Comparison
from paraspine.measures.limits import FEWEST, MANY
from paraspine.measures.paired import Evidence, contrast, estimate_of
from paraspine.measures.printed import missing_words, trained_words

__all__ = [
    "VERDICTS",
    "claims_sentence",
    "claims_summary",
    "claims_table",
    "headline_claims",
    "judge",
    "pretty_claims",
]

VERDICTS = ("supported", "contradicted", "can't tell", "not run")
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


def claims_table(found: Evidence, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """Every place where a claim of roshanzamir2023 can be checked, and the verdict on it.

    Parameters
    ----------
    found : Evidence
        What was measured.
    claims : iterable of Claim
        Which claims.

    Returns
    -------
    pandas.DataFrame
        ``table``, ``claim``, ``said`` (where in the paper), ``statistic``, ``quantity``, ``kind``,
        ``bound_low``, ``bound_high``, ``where``; ``printed`` (the same statistic of the published
        table, NaN where it has none), ``value``, ``low``, ``high`` (95 %, of subjects and, where
        there are several, trainings, see `paired.contrast`) in units of 1; ``subjects`` (how many
        were measured); ``trainings`` (of each network, the fewest; 0 where it is of ensembles
        alone, or was not run); ``verdict`` (one of `VERDICTS`) and ``why`` there is none;
        ``ensemble``: kind and size of this run's ensembles in it, else empty.
    """
    lines = []
    for claim in claims:
        for place in claim.comparisons or (Comparison("", ()),):
            missing = claim.needs or missing_words(found, place.cells())
            value, trainings = statistics.Estimate(np.nan), 0
            verdict, why = "not run", missing
            if not missing:
                factors, terms = zip(*place.terms, strict=True)
                drawn, trainings = contrast(found, claim.quantity, terms, factors)
                value = estimate_of(drawn)
                verdict, why = judge(value, claim.kind, claim.bounds, found.subjects())
            lines.append(
                {
                    "table": claim.table,
                    "claim": claim.words,
                    "said": claim.said,
                    "statistic": claim.statistic,
                    "quantity": claim.quantity,
                    "kind": claim.kind,
                    "bound_low": claim.bounds[0],
                    "bound_high": claim.bounds[1],
                    "where": place.where,
                    "printed": place.printed,
                    "value": value.value,
                    "low": value.low,
                    "high": value.high,
                    "subjects": found.subjects(),
                    "trainings": trainings,
                    "verdict": verdict,
                    "why": why,
                    "ensemble": "" if missing else found.ensembles(place.cells()),
                }
            )
    return pd.DataFrame(lines)


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


def claims_sentence(table: pd.DataFrame, source: str) -> str:
    """Which claims this run supports and contradicts, in words.

    Parameters
    ----------
    table : pandas.DataFrame
        As `claims_table` gives it.
    source : str
        Where this run's data comes from.
    """
    summary = claims_summary(table)
    words = [f"{headline_claims(table)} (data: {source})."]
    for verdicts, phrase in (
        (("supported", "supported in part"), "Supported, at least in part"),
        (("contradicted", "contradicted in part"), "Contradicted, at least in part"),
        (("mixed",), "Supported in one place and contradicted in another"),
    ):
        chosen = summary.loc[summary["verdict"].isin(verdicts), "claim"]
        if len(chosen):
            words.append(f"{phrase}: {'; '.join(_lower(c) for c in chosen)}.")
    checked = int((table["verdict"] != "not run").sum())
    if checked:
        subjects = int(table["subjects"].iloc[0])
        words.append(
            f"Behind this stand {text.count(checked, 'comparison')} on "
            f"{text.count(subjects, 'test subject')}, with 95 % intervals that are not adjusted "
            "for their number: where nothing differs, about one in twenty excludes 0"
            + (", and more of them with so few subjects." if subjects < MANY else ".")
        )
        words.append(_trainings_sentence(table[table["verdict"] != "not run"]))
    return " ".join(words)


def _trainings_sentence(checked: pd.DataFrame) -> str:
    """What the intervals hold of the trainings' chance, and what they don't."""
    words = []
    known = checked.loc[checked["trainings"] > 0, "trainings"]
    if (known > 1).any():
        counts = known[known > 1].agg(["min", "max"]).unique().tolist()
        told = f"{text.listing(counts, 'to')} trainings"
        words.append(f"The intervals hold what another training would change, from {told} of each.")
    if (known == 1).any():
        each = "Each network" if (known == 1).all() else "Some networks"
        verb = "was" if (known == 1).all() else "were"
        words.append(
            f"{each} {verb} trained once, and what another training would change is in no interval "
            "of theirs: a verdict is on these trainings. With several `seeds` it would be on the "
            "networks."
        )
    if ((checked["ensemble"] != "") | (checked["trainings"] == 0)).any():
        words.append("An ensemble is taken as it is; what another would change is in no interval.")
    return " ".join(words)


def headline_claims(table: pd.DataFrame) -> str:
    """How many claims got which verdict, in one phrase."""
    summary = claims_summary(table)
    counts = summary["verdict"].value_counts()
    order = ("supported", "supported in part", "contradicted", "contradicted in part", "mixed")
    told = [f"{counts[v]} {v}" for v in (*order, "can't tell", "not run") if v in counts]
    return f"Of the paper's {text.count(len(summary), 'claim')}: {text.listing(told)}"


def _lower(words: str) -> str:
    """Begin with a small letter, unless the first word is a name."""
    first = words.split()[0]
    return words if sum(c.isupper() for c in first) > 1 else words[0].lower() + words[1:]
