"""Whether a run supports what the paper claims, contradicts it or can't tell: by interval."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.contrast import Evidence, contrast, estimate_of
from paraspine.evidence.judge import claims_summary, judge
from paraspine.evidence.limits import MANY
from paraspine.studies.published.claims import CLAIMS, Claim, Comparison
from paraspine.studies.published.printed import missing_words

__all__ = ["claims_table", "claims_sentence", "headline_claims"]


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
