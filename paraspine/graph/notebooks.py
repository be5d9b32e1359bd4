"""Overview of the notebooks: what each answers, what it needs and how long its runs took."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from paraspine import runs
from paraspine.arrays import RunError
from paraspine.book.notebook import title_of
from paraspine.book.provenance import duration
from paraspine.graph.job import Job
from paraspine.graph.plan import make_plan
from paraspine.session.digests import project_root
from paraspine.text import count

__all__ = ["overview"]


def overview(
    profile: str = "quick", manifest: str = "data_manifest.csv", *, root: Path | str | None = None
) -> str:
    """Markdown with a table of the notebooks that a book of this profile and cohort runs.

    Times are those that complete runs noted, on the machine that made them; a run counts as it
    stands, whether or not code or parameters changed since.

    Parameters
    ----------
    profile, manifest, root
        As `make_plan`.

    Returns
    -------
    str
        The table, with a link to each notebook; below it where the book is, if it is built, and
        what the cohort leaves out.
    """
    root = Path(root or project_root())
    plan = make_plan(profile, manifest, root=root)
    jobs = {job.name: job for job in plan}
    lines = [
        "| notebook | what it answers | what it needs | its own runs | with what it needs |",
        "|---|---|---|---|---|",
    ]
    for name in sorted({job.notebook for job in plan}):
        own = {job.name for job in plan if job.notebook == name}
        whole = _with_upstream(own, jobs)
        needs = sorted({jobs[job].notebook for job in whole} - {name})
        cells = [
            f"[{name}]({name}.ipynb)",
            _title(root / "notebooks" / f"{name}.ipynb"),
            ", ".join(other.split("_")[0] for other in needs) or "the images",
            _time((jobs[job] for job in own), root),
            _time((jobs[job] for job in whole), root),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    built = (root / plan.page).is_file()
    words = f"The book is in `{plan.page}`." if built else "The book is not built yet: `make book`."
    return "\n".join([*lines, "", words, *(f"\nLeft out: {note}" for note in plan.notes)])


def _title(path: Path) -> str:
    return title_of(json.loads(path.read_text(encoding="utf-8"))) or ""


def _with_upstream(names: Iterable[str], jobs: dict[str, Job]) -> set[str]:
    """Names of the jobs and of all that must be done before them."""
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += jobs[name].after
    return found


def _time(jobs: Iterable[Job], root: Path) -> str:
    """Seconds that the complete runs of some jobs noted, in words."""
    folders = [root / job.folder for job in jobs]
    noted = [seconds for folder in folders if (seconds := _seconds(folder)) is not None]
    if not noted:
        return "no run yet"
    known = count(len(folders), "run")
    if len(noted) < len(folders):
        known = f"{len(noted)} of {known}"
    return f"{duration(round(sum(noted)))} ({known})"


def _seconds(folder: Path) -> float | None:
    try:
        return float(runs.read(folder).read_json("provenance.json")["durations"]["total_seconds"])
    except (RunError, OSError, KeyError):
        return None
