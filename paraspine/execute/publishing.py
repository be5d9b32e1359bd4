"""From complete runs to the book, and several books side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from paraspine import runs, statistics, text
from paraspine.arrays import RunError
from paraspine.execute.parameters import declared_parameters
from paraspine.execute.plan import make_plan
from paraspine.execute.session import staleness
from paraspine.execute.sources import project_root

__all__ = ["build_book", "summary_table", "write_table"]


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
        root=root,
    )


def summary_table(workspaces: Iterable[str], *, root: Path | str | None = None) -> pd.DataFrame:
    """Main results of several books, one column each.

    Parameters
    ----------
    workspaces : iterable of str
        Folders below ``runs/``, for example ``"quick"``.

    Returns
    -------
    pandas.DataFrame
        ``result`` and a column per workspace with estimates and 95 % intervals as text.

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
        columns[name] = dict(_results(folder))
    order = list(dict.fromkeys(key for column in columns.values() for key in column))
    table = pd.DataFrame({"result": order})
    for name, column in columns.items():
        table[name] = [column.get(key, "not measured") for key in order]
    return table


def _results(folder: Path):
    def cell(row, value="mean", digits=3):
        return text.interval(statistics.Estimate(row[value], row["low"], row["high"]), digits)

    raters = runs.read(folder / "raters" / "raters")
    for _, row in raters.read_frame("agreement.parquet").iterrows():
        yield f"raters' pairwise Dice, {row['class']}", cell(row)
    entropy = raters.read_frame("entropy.parquet").iloc[0]
    yield "GT entropy, nats a voxel", cell(entropy, digits=4)
    study = runs.read(folder / "interrater" / "interrater")
    for _, row in study.read_frame("overlap.parquet").iterrows():
        yield f"Dice on the test images, {row['class']}, {row['who']}", cell(row)
    for _, row in study.read_frame("brier.parquet").iterrows():
        yield f"Brier score × 10³, {row['class']}, {row['who']}", cell(row, digits=2)
    for _, row in study.read_frame("correlations.parquet").iterrows():
        if row["kind"] == "pearson" and row["score"] == "entropy":
            yield f"r of entropy with GT entropy, {row['who']}", cell(row, "r", 2)
    for _, row in study.read_frame("detection.parquet").iterrows():
        if row["score"] == "entropy":
            yield f"average precision of entropy, {row['who']}", cell(row)
    calibration = runs.read(folder / "calibration" / "calibration")
    for _, row in calibration.read_frame("calibration.parquet").iterrows():
        yield f"ECE, {row['who']}", cell(row, digits=4)


def write_table(table: pd.DataFrame, path: Path | str) -> Path:
    """Write a table as CSV, whole or not at all."""
    path = Path(path)
    with runs.atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return path
