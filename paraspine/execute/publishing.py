"""From complete runs to the book, and several books side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from paraspine import measures, runs, statistics, text
from paraspine.arrays import RunError
from paraspine.execute.parameters import declared_parameters
from paraspine.execute.plan import make_plan
from paraspine.execute.session import staleness
from paraspine.execute.sources import project_root
from paraspine.measures.limits import FEWEST

__all__ = ["Summary", "build_book", "summary", "write_summary"]


def build_book(
    profile: str = "quick",
    manifest: str = "data_manifest.csv",
    *,
    root: Path | str | None = None,
    **changes,
) -> Path:
    """Build the book of a profile and a cohort from its runs.

    Parameters
    ----------
    profile, manifest, root, **changes
        As `make_plan`.

    Returns
    -------
    Path
        The first page, ``book/_build/<workspace>/html/index.html``.

    Raises
    ------
    RunError
        If a run is missing, failed, out of date or made with other parameters: every one is named.
    book.BuildError
        If Sphinx fails or warns.
    """
    from paraspine import book  # whose imports take a second, which no notebook should wait for

    root = Path(root or project_root())
    plan = make_plan(profile, manifest, root=root, **changes)
    reasons = []
    for job in plan:
        values = declared_parameters(root / "notebooks" / f"{job.notebook}.ipynb") | job.parameters
        if reason := staleness(root / job.folder, values, root=root):
            reasons.append(f"{job.folder}: {reason}")
    if reasons:
        raise RunError(
            "the book is not built from results that are missing or out of date:\n  "
            + "\n  ".join(reasons)
            + "\nRun them again, or run make book, which does."
        )
    return book.build(
        root / "book",
        [root / job.folder for job in plan],
        root / "book" / "_build" / plan.workspace,
        title=f"paraspine: {plan.cohort}",
        notes=plan.notes,
        benchmarks=root / "benchmarks" / "results.json",
        root=root,
    )


@dataclass(frozen=True)
class Summary:
    """Main results of several books.

    Attributes
    ----------
    table : pandas.DataFrame
        ``result`` and a column per workspace, estimates with 95 % intervals as text.
    words : str
        Where two books differ beyond their intervals, and which code computed them.
    """

    table: pd.DataFrame
    words: str


def summary(workspaces: Iterable[str], *, root: Path | str | None = None) -> Summary:
    """Set the main results of several books side by side.

    Parameters
    ----------
    workspaces : iterable of str
        Folders below ``runs/``, for example ``"quick"``.

    Returns
    -------
    Summary

    Raises
    ------
    RunError
        If a workspace lacks a complete run that the table needs.
    """
    root = Path(root or project_root())
    columns = {}
    for name in workspaces:
        folder = root / "runs" / name
        if not folder.is_dir():
            raise RunError(f"runs/{name}: there is no such workspace; make its book first.")
        columns[name] = {key: found for key, *found in _results(folder)}
    order = list(dict.fromkeys(key for column in columns.values() for key in column))
    table = pd.DataFrame({"result": order})
    for name, column in columns.items():
        table[name] = [
            text.interval(*column[key][:2]) if key in column else "not measured" for key in order
        ]
    words = [_difference(*columns.items())] if len(columns) == 2 else []
    words += [_origin(root / "runs" / name) for name in columns]
    return Summary(table, "\n\n".join(dict.fromkeys(words)))


def _difference(first: tuple[str, dict], second: tuple[str, dict]) -> str:
    """Which results of two books have intervals that do not overlap."""
    (name, before), (other, after) = first, second
    known = [
        k
        for k in before
        if k in after
        and not any(math.isnan(v) for side in (before, after) for v in _numbers(side[k][0]))
    ]
    shared = [k for k in known if min(before[k][2], after[k][2]) >= FEWEST]
    few = len(known) - len(shared)
    rest = ""
    if few:
        rest = (
            f" {text.count(few, 'result')} from fewer than {FEWEST} subjects "
            f"{'is' if few == 1 else 'are'} not compared: of so few, intervals tell nothing apart."
        )
    rose = [k for k in shared if after[k][0].low > before[k][0].high]
    fell = [k for k in shared if after[k][0].high < before[k][0].low]
    if not shared and few:
        return rest.strip()
    if not rose and not fell:
        return (
            f"The intervals of '{name}' and '{other}' overlap in all of the {len(shared)} results "
            f"that can be compared.{rest}"
        )
    words = [f"higher: {text.listing(rose)}"] if rose else []
    words += [f"lower: {text.listing(fell)}"] if fell else []
    return (
        f"Beyond their intervals, '{other}' differs from '{name}' in {len(rose) + len(fell)} of "
        f"{text.count(len(shared), 'result')} ({'; '.join(words)}).{rest}"
    )


def _numbers(estimate: statistics.Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _origin(folder: Path) -> str:
    """When and with what the runs of a workspace were computed."""
    found = runs.read(folder / "interrater" / "interrater").read_json("provenance.json")
    revision = (found["git"]["revision"] or "no revision")[:10]
    versions = found["versions"]
    return (
        f"'{folder.name}' was computed on {found['finished'][:10]} at revision {revision}, with "
        f"PyTorch {versions.get('torch', 'unknown')} on {found['processor']}."
    )


def _results(folder: Path) -> Iterator[tuple[str, statistics.Estimate, int, float]]:
    """Name, estimate, digits and number of subjects (infinite where unknown) of each result."""

    def read(experiment: str, name: str) -> list[dict]:
        run = runs.read(folder / experiment / experiment)
        return run.read_frame(f"{name}.parquet").to_dict("records")

    def cell(row: dict, value: str = "mean") -> statistics.Estimate:
        return statistics.Estimate(row[value], row["low"], row["high"])

    def subjects(row: dict) -> float:
        return row.get("clusters", math.inf)

    for row in read("raters", "agreement"):
        yield f"pairwise Dice of the raters, {row['class']}", cell(row), 3, subjects(row)
    for row in read("raters", "entropy"):
        yield "GT entropy, nats a voxel", cell(row), 4, subjects(row)
    networks = [row for row in read("interrater", "overlap") if row["who"] != measures.RATERS]
    tested = max(map(subjects, networks), default=math.inf)
    for row in networks:
        yield f"Dice, {row['class']}, {row['who']}", cell(row), 3, subjects(row)
    for row in read("interrater", "brier"):
        yield f"Brier score × 10³, {row['class']}, {row['who']}", cell(row), 2, subjects(row)
    for row in read("interrater", "correlations"):
        if row["kind"] == "pearson" and row["score"] == "entropy":
            yield f"r of entropy with GT entropy, {row['who']}", cell(row, "r"), 2, subjects(row)
    for row in read("interrater", "detection"):
        if row["score"] == "entropy":
            yield f"average precision of entropy, {row['who']}", cell(row), 3, tested
    for row in read("calibration", "calibration"):
        yield f"ECE, {row['who']}", cell(row), 4, tested


def write_summary(found: Summary, path: Path | str) -> Path:
    """Write a summary's table as CSV and its words as Markdown beside it, whole or not at all."""
    path = Path(path)
    with runs.atomic(path) as temporary:
        found.table.to_csv(temporary, index=False, lineterminator="\n")
    with runs.atomic(path.with_suffix(".md")) as temporary:
        temporary.write_text(found.words + "\n", encoding="utf-8")
    return path
