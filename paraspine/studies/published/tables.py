"""The papers' tables beside this run's: every published cell, and what the interval says of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import published, statistics
from paraspine.evidence.contrast import Contrast, Evidence, contrast, estimate_of
from paraspine.evidence.printed import place_of, structure_named
from paraspine.published.tables import SCALES
from paraspine.studies.published.printed import PAPER, missing_words, printed_cell

__all__ = ["TABLES", "beside_tables", "beside_published"]

TABLES = ("Table 1", "Table 2", "Table 3", "Table 4", "Table 5")


#: What the paper calls each of its tables' quantities, as `contrast` names it.
QUANTITY = {
    "Table 1": "brier",
    "Table 2": "precision",
    "Table 3": "correlation",
    "Table 4": "dice",
}


#: Columns of Table 5 that one uncertainty fills without the other.
ALONE = ("epistemic", "aleatoric")


def beside_tables(found: Evidence) -> pd.DataFrame:
    """`beside_published` of all five tables, with the column ``table`` before the others."""
    return pd.concat([beside_published(found, name) for name in TABLES], ignore_index=True)


def beside_published(found: Evidence, name: str) -> pd.DataFrame:
    """Every cell of a table of roshanzamir2023 beside this run's.

    Parameters
    ----------
    found : Evidence
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


def _status(found: Evidence, name: str, target: str, cells) -> str:
    """Why this run has no such cell."""
    if name in ("Table 1", "Table 4") and structure_named(found.structures(), target) is None:
        return f"this cohort has no {target}"
    missing = missing_words(found, cells)
    return f"not run: {missing}" if missing else ""


def _measured(found: Evidence, name: str, target: str, cells) -> Contrast:
    if name == "Table 5":
        if len(cells) == 1:  # what one uncertainty explains without a partner
            return contrast(found, "epistemic", [(*cells, *cells)])
        return contrast(found, target, [cells])
    return contrast(found, QUANTITY[name], [cells], only=_structure(found, target))


def _structure(found: Evidence, target: str) -> str | None:
    return structure_named(found.structures(), target) if target != "all" else None


def _spread(found: Evidence, name: str, target: str, cells) -> float:
    """Standard deviation over images, the mean over trainings; of Table 4 alone, else NaN."""
    if name != "Table 4":
        return np.nan
    wide = found.wide("dice").xs(_structure(found, target), level="class")
    return float(np.mean([wide[run].std(ddof=1) for run in found.runs_of(cells[0])]))
