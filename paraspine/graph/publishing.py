"""From complete runs to the book."""

from __future__ import annotations

from pathlib import Path

from paraspine.arrays import RunError
from paraspine.graph.plan import make_plan
from paraspine.session.digests import project_root
from paraspine.session.freshness import staleness
from paraspine.session.parameters import declared_parameters

__all__ = ["build_book"]


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
