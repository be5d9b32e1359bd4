"""The studies of the package, and the jobs that they ask for."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from paraspine import studies
from paraspine.evidence.plan import CohortInfo, Study, fusions_of
from paraspine.graph.job import Job, make_job
from paraspine.session.parameters import declared_parameters

__all__ = ["all_studies", "make_jobs"]


def all_studies() -> list[Study]:
    """Every folder of ``paraspine/studies`` with a module ``plan``, as the notebooks are numbered.

    The plan is found by its place: a further study is one more folder.
    """
    found = []
    for room in pkgutil.iter_modules(studies.__path__):
        module = f"{studies.__name__}.{room.name}"
        inside = pkgutil.iter_modules(import_module(module).__path__)
        if "plan" in {one.name for one in inside}:
            found.append(import_module(f"{module}.plan").STUDY)
    return sorted(found, key=lambda study: study.notebook)


def make_jobs(
    root: Path, workspace: str, values: Mapping, changes: Mapping, cohort: CohortInfo
) -> tuple[list[Job], list[str]]:
    """Lay out the jobs of a book.

    Parameters
    ----------
    root : Path
        Top folder of the checkout.
    workspace : str
        Folder below ``runs/``.
    values : mapping
        Parameters of the profile, the cohort and the user.
    changes : mapping
        The user's among them, where they differ.
    cohort : CohortInfo
        What the manifest says of the cohort.

    Returns
    -------
    list of Job
        In an order that can be run one after another.
    list of str
        What is left out, and why: first what several studies leave out for the same reason.
    """
    fusions, notes = fusions_of(values, cohort)
    values = {**values, "fusions": fusions}
    jobs, reasons = _Jobs(root, workspace, values, changes), {}
    for study in all_studies():
        wanted = study.wanted(values, cohort)
        for note in wanted.notes:
            reasons.setdefault(note, []).append(study.notebook)
        jobs.add(study, wanted.requests)
    shared_first = sorted(reasons.items(), key=lambda item: -len(item[1]))
    said = [note.replace("{chapters}", ", ".join(own)) for note, own in shared_first]
    return list(jobs.by_name.values()), [*notes, *said]


class _Jobs:
    """Jobs of a book: each run of a notebook once, whoever asks for it."""

    def __init__(self, root: Path, workspace: str, values: Mapping, changes: Mapping) -> None:
        self.book = {"root": root, "workspace": workspace, "values": values, "changes": changes}
        self.by_name: dict[str, Job] = {}
        self.by_run: dict[str, Job] = {}

    def add(self, study: Study, requests: Iterable) -> None:
        """Add what a study asks for; a run that is there already is taken."""
        names: dict[str, str] = {}  # as the study calls a job, and as the book does
        for request in requests:
            beside = [self.by_name[name] for name in request.beside if name in self.by_name]
            after = [names.get(name, name) for name in request.after] + [j.name for j in beside]
            after = tuple(dict.fromkeys(after))
            if beside:
                own = request.parameters | {"beside_runs": [job.folder for job in beside]}
                request = replace(request, parameters=own)
            upstream = self._upstream(after)
            job = make_job(replace(request, after=after), **self.book, upstream=upstream)
            known = self.by_run.get(self._run(job))
            if known is None:
                if job.name in self.by_name:  # with other parameters, for another study
                    own = replace(
                        request, name=f"{job.name}-{study.notebook.split('_', 1)[1]}", after=after
                    )
                    job = make_job(own, **self.book, upstream=upstream)
                known = self.by_name[job.name] = self.by_run[self._run(job)] = job
            names[request.name] = known.name

    def _upstream(self, names: Iterable[str]) -> set[str]:
        """Notebooks of some jobs and of all before them."""
        jobs = [self.by_name[name] for name in names]
        return {job.notebook for job in jobs}.union(*(self._upstream(job.after) for job in jobs))

    def _run(self, job: Job) -> str:
        """Notebook and parameters of a job as text."""
        declared = declared_parameters(self.book["root"] / "notebooks" / f"{job.notebook}.ipynb")
        return f"{job.notebook} {json.dumps(declared | job.parameters, sort_keys=True)}"
