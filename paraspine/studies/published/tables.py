"""Published tables and claims of roshanzamir2023 beside this run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import published, statistics
from paraspine.evidence.contrast import Contrast, contrast, estimate_of
from paraspine.evidence.judge import claims_summary, judge
from paraspine.evidence.printed import place_of, structure_named
from paraspine.evidence.results import Results
from paraspine.published.tables import SCALES
from paraspine.studies.published.claims import CLAIMS, Claim, Comparison
from paraspine.studies.published.printed import PAPER, missing_words, printed_cell

TABLES = ("Table 1", "Table 2", "Table 3", "Table 4", "Table 5")


#: What the paper calls each of its tables' quantities, as `contrast` names it.
QUANTITY = {
    "Table 1": "brier",
    "Table 2": "precision",
    "Table 3": "correlation",
    "Table 4": "dice",
}


#: Quantities that are differences of shares.
DIFFERENCES = ("unique_aleatoric", "epistemic_over_aleatoric")
#: Columns of Table 5 that one uncertainty fills without the other.
ALONE = ("epistemic", "aleatoric")


def beside_tables(found: Results) -> pd.DataFrame:
    """`beside_published` of all five tables, with the column ``table`` before the others."""
    return pd.concat([beside_published(found, name) for name in TABLES], ignore_index=True)


def beside_published(found: Results, name: str) -> pd.DataFrame:
    """Every cell of a table of roshanzamir2023 beside this run's.

    Parameters
    ----------
    found : Results
        What was measured.
    name : str
        ``"Table 1"`` to ``"Table 5"``.

    Returns
    -------
    pandas.DataFrame
        ``table``, ``system``, ``condition``, ``target``, ``metric``, ``unit``, ``published``,
        ``published_sd``, ``note`` as printed; ``value``, ``low``, ``high`` (95 %, of
        subjects and, where there are several, trainings, see `paired.contrast`) and ``sd`` (over
        images; only where the paper prints one) of this run in the printed unit, NaN where there is
        none; ``trainings`` behind it; ``place`` of the published value: ``"inside"``, ``"above"``
        or ``"below"`` this run's interval, empty without one; ``status``: empty, or why this run
        has no such cell; ``ensemble``: its kind and size where this run's cell has one.
    """
    lines = []
    for row in published.table(PAPER, name).itertuples():
        cells = printed_cell(name, row.system, row.condition)
        if row.target in ALONE and missing_words(found, cells):
            cells = (cells[ALONE.index(row.target)],)  # the other one is not there to go with it
        status = _status(found, name, row.target, cells)
        value, sd, trainings = statistics.Estimate(np.nan), np.nan, 0
        if not status:
            drawn, trainings = _measured(found, name, row.target, cells)
            value, sd = estimate_of(drawn), _spread(found, name, row.target, cells)
            status = "" if np.isfinite(value.value) else "undefined in this run"
        scale = 1 / SCALES[row.unit]
        lines.append(
            {
                "table": name,
                "system": row.system,
                "condition": row.condition,
                "target": row.target,
                "metric": row.metric,
                "unit": row.unit,
                "published": row.value,
                "published_sd": row.sd,
                "note": row.note,
                "value": scale * value.value,
                "low": scale * value.low,
                "high": scale * value.high,
                "sd": scale * sd if np.isfinite(row.sd) else np.nan,
                "trainings": trainings,
                "status": status,
                "ensemble": "" if status else found.ensembles(cells),
            }
        )
    table = pd.DataFrame(lines)
    return table.assign(place=[place_of(r) for r in table.itertuples()])


def _status(found: Results, name: str, target: str, cells) -> str:
    """Why this run has no such cell."""
    if name in ("Table 1", "Table 4") and structure_named(found.structures(), target) is None:
        return f"this cohort has no {target}"
    missing = missing_words(found, cells)
    return f"not run: {missing}" if missing else ""


def _measured(found: Results, name: str, target: str, cells) -> Contrast:
    if name == "Table 5":
        if len(cells) == 1:  # what one uncertainty explains without a partner
            return contrast(found, "epistemic", [(*cells, *cells)])
        return contrast(found, target, [cells])
    return contrast(found, QUANTITY[name], [cells], only=_structure(found, target))


def _structure(found: Results, target: str) -> str | None:
    return structure_named(found.structures(), target) if target != "all" else None


def _spread(found: Results, name: str, target: str, cells) -> float:
    """Standard deviation over images, the mean over trainings; of Table 4 alone, else NaN."""
    if name != "Table 4":
        return np.nan
    wide = found.wide("dice").xs(_structure(found, target), level="class")
    return float(np.mean([wide[run].std(ddof=1) for run in found.runs_of(cells[0])]))


def claims_of_all(own: pd.DataFrame, beside: Iterable) -> pd.DataFrame:
    """Verdict on each claim of each paper: `claims_summary` with the paper in ``read from``.

    Takes `claims_table` and the runs of other chapters that judge claims of their own.
    """
    rows = pd.concat([own, *(run.read_frame("claims.parquet") for run in beside)])
    papers = rows["paper"].str.capitalize().str.replace(r"(\d+)$", r" \1", regex=True)
    return claims_summary(rows.assign(table=papers + ", " + rows["table"]))


def claims_table(found: Results, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """Every place where a claim of roshanzamir2023 can be checked, and the verdict on it.

    Parameters
    ----------
    found : Results
        What was measured.
    claims : iterable of Claim
        Which claims.

    Returns
    -------
    pandas.DataFrame
        ``paper``, ``table``, ``claim``, ``said`` (where in the paper), ``statistic``,
        ``quantity``, ``kind``, ``bound_low``, ``bound_high``, ``where``; ``printed`` (the same
        statistic of the published table, NaN where it has none), ``value``, ``low``, ``high``
        (95 %, of subjects and, where there are several, trainings, see `contrast`) in units of 1;
        ``least`` and ``most`` (where one subject is left out); ``difference`` (whether it is one);
        ``subjects`` (how many were measured); ``trainings`` (of each network, the fewest; 0 where
        it is of ensembles alone, or was not run); ``verdict`` (one of `VERDICTS`) and ``why`` there
        is none; ``ensemble``: kind and size of this run's ensembles in it, else empty.
    """
    lines, names = [], list(dict.fromkeys(found.frame["subject"]))
    others = [found.without(name) for name in names] if len(names) > 2 else []
    for claim in claims:
        for place in claim.comparisons or (Comparison("", ()),):
            missing = claim.needs or missing_words(found, place.cells())
            value, trainings = statistics.Estimate(np.nan), 0
            verdict, why, without = "not run", missing, []
            if not missing:
                factors, terms = zip(*place.terms, strict=True)
                drawn, trainings = contrast(found, claim.quantity, terms, factors)
                value = estimate_of(drawn)
                left = [contrast(rest, claim.quantity, terms, factors) for rest in others]
                without = [estimate_of(one.drawn) for one in left]
                verdict, why = judge(value, claim.kind, claim.bounds, found.subjects(), without)
            ends = [one.value for one in without if not np.isnan(one.value)]
            lines.append(
                {
                    "paper": PAPER,
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
                    "least": min(ends, default=np.nan),
                    "most": max(ends, default=np.nan),
                    "difference": len(place.terms) > 1 or claim.quantity in DIFFERENCES,
                    "subjects": found.subjects(),
                    "trainings": trainings,
                    "verdict": verdict,
                    "why": why,
                    "ensemble": "" if missing else found.ensembles(place.cells()),
                }
            )
    return pd.DataFrame(lines)
