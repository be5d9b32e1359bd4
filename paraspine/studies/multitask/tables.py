"""Table 3.1 of roshanzamir2022: of this run, its tests, and beside the published one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import published, statistics, text
from paraspine.evidence.conditions import summarise
from paraspine.evidence.printed import place_of, structure_named
from paraspine.frames import rows
from paraspine.published.tables import SCALES
from paraspine.studies.multitask.frames import SHOWN, TOGETHER

__all__ = ["TABLE", "pretty_multitask", "task_tests", "pretty_tests", "beside_multitask"]

#: The published table, and what its two parts are called.
TABLE = "thesis Table 3.1"


PARTS = {"dice": "segmentation", "variance_mse": "variance map"}


def pretty_multitask(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Table 3.1 of this run for reading: mean ± standard deviation over images.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    source : str
        Where the data comes from.
    """
    lines = []
    for measure, (words, scale, digits) in SHOWN.items():
        chosen = rows(frame, measure)
        table = statistics.mean_table(
            chosen.assign(value=scale * chosen["value"]), by=["condition", "class"], resamples=1
        )
        for row in table.to_dict("records"):
            cell = text.number(row["mean"], digits)
            if np.isfinite(row["sd"]):
                cell += f" ± {text.number(row['sd'], digits)}"
            lines.append((words, row["condition"], row["class"], cell))
    shown = pd.DataFrame(lines, columns=["measure", "network", "class", "cell"])
    keys = ["measure", "network"]
    order = list(dict.fromkeys(shown[keys].itertuples(index=False, name=None)))
    wide = shown.set_index([*keys, "class"])["cell"].unstack("class")
    columns = list(dict.fromkeys(shown["class"]))
    return wide.loc[order, columns].rename_axis(columns=source)


def task_tests(
    frame: pd.DataFrame, *, by_subject: bool = False, resamples: int = 2000
) -> pd.DataFrame:
    """Paired tests between the multi-task networks, per task and structure.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    by_subject : bool
        Average a subject's differences first; the paper pairs by image.
    resamples : int
        Bootstrap resamples of subjects, for the intervals.

    Returns
    -------
    pandas.DataFrame
        ``measure``, ``class``, ``a``, ``b``, ``n``, ``difference`` with its interval ``low`` and
        ``high`` over subjects (units of 1), ``p`` of the two-sided paired t test (as published)
        and ``p_holm``, ``p_wilcoxon`` and ``p_wilcoxon_holm``, ``effect`` (Cohen's d of the
        differences) with ``effect_low`` and ``effect_high``. Adjusted over all rows. Empty with
        one multi-task network.
    """
    chosen = frame[frame["tasks"] == TOGETHER]
    columns = ["measure", "class", "a", "b", "n", "difference", "low", "high", "p", "p_holm"]
    columns += ["p_wilcoxon", "p_wilcoxon_holm", "effect", "effect_low", "effect_high"]
    if chosen["condition"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    options = {"by": ["measure", "class"], "average": "subject" if by_subject else None}
    given = chosen, "value", "condition", ["subject", "image", "slice"]
    t = statistics.paired_test(*given, clusters="subject", resamples=resamples, **options)
    ranks = statistics.paired_test(*given, "wilcoxon", **options)
    table = t.assign(p_wilcoxon=ranks["p"], p_wilcoxon_holm=ranks["p_holm"])
    return table[columns]


def pretty_tests(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The tests for reading, differences in the units of Table 3.1.

    Parameters
    ----------
    table : pandas.DataFrame
        `task_tests`.
    source : str
        Where the data comes from.
    """
    lines = []
    for row in table.to_dict("records"):
        words, scale, digits = SHOWN[row["measure"]]
        value = statistics.Estimate(*(scale * row[k] for k in ("difference", "low", "high")))
        size = statistics.Estimate(*(row[k] for k in ("effect", "effect_low", "effect_high")))
        lines.append(
            {
                "measure": words,
                "class": row["class"],
                f"{row['a']} minus {row['b']} (95 % interval)": text.cell(value, digits),
                "n": row["n"],
                "t: p": text.p_value(row["p"]),
                "t: p (Holm)": text.p_value(row["p_holm"]),
                "Wilcoxon: p": text.p_value(row["p_wilcoxon"]),
                "Wilcoxon: p (Holm)": text.p_value(row["p_wilcoxon_holm"]),
                "effect (95 % interval)": text.cell(size),
            }
        )
    shown = pd.DataFrame(lines, columns=None if lines else ["measure", "class"])
    return shown.set_index(["measure", "class"]).rename_axis(columns=source)


def beside_multitask(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Every published cell of Table 3.1 beside this run's.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        As `published.beside_published`; ``table`` is ``"thesis Table 3.1, segmentation"`` or
        ``"…, variance map"``.
    """
    lines = []
    structures = list(dict.fromkeys(frame["class"]))
    known = {k: summarise(frame, k, ["condition", "class"], resamples=resamples) for k in PARTS}
    parts = {condition: measure for measure, condition in PARTS.items()}
    for row in published.table("roshanzamir2022", TABLE).itertuples():
        table = known[parts[row.condition]].set_index(["condition", "class"])
        own = structure_named(structures, row.target)
        cell, status = dict.fromkeys(("mean", "low", "high", "sd"), np.nan), ""
        if row.system not in set(frame["condition"]):
            status = "not run"
        elif own is None:
            status = f"this cohort has no {row.target}"
        else:
            cell = table.loc[(row.system, own)].to_dict()
            status = "" if np.isfinite(cell["mean"]) else "undefined in this run"
        scale = 1 / SCALES[row.unit]
        lines.append(
            {
                "table": f"{TABLE}, {row.condition}",
                "system": row.system,
                "condition": row.condition,
                "target": row.target,
                "metric": row.metric,
                "unit": row.unit,
                "published": row.value,
                "published_sd": row.sd,
                "note": row.note,
                "value": scale * cell["mean"],
                "low": scale * cell["low"],
                "high": scale * cell["high"],
                "sd": scale * cell["sd"],
                "status": status,
                "trainings": 1,
                "ensemble": "",  # single networks
            }
        )
    table = pd.DataFrame(lines)
    return table.assign(place=[place_of(row) for row in table.itertuples()])
