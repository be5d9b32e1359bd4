"""The experiment graph: which notebook runs a book needs, and which needs which.

`Snakefile` turns every `Job` into a rule; a person can type any of them as ``paraspine run``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paraspine.arrays import SettingsError
from paraspine.graph.assignments import read_words
from paraspine.graph.cohort import read_cohort_info, refuse_taken
from paraspine.graph.job import Job
from paraspine.graph.studies import all_studies, make_jobs
from paraspine.session.digests import project_root
from paraspine.session.freshness import is_fresh
from paraspine.session.parameters import CHOSEN, TRAINING, declared_parameters
from paraspine.session.profile import load_profile
from paraspine.session.workspace import workspace_of

__all__ = ["Plan", "make_plan"]

#: Lists of a profile, and the parameter of one job that each value becomes.
GRID = {"models": "model", "fusions": "fusion", "seeds": "seed", "methods": "method"}


#: Parameters that the plan gives each job itself.
OWN = (*CHOSEN, TRAINING, "sample_runs", "interrater_run", "beside_runs")


@dataclass(frozen=True)
class Plan:
    """All jobs of one book.

    Attributes
    ----------
    workspace : str
        Folder below ``runs/``: the profile's name, with the cohort's where it is not the default.
    manifest : str
        As given.
    cohort : str
        What the cohort is called.
    jobs : tuple of Job
        In an order that can be run one after another.
    notes : tuple of str
        What the plan leaves out for this cohort, and why.
    """

    workspace: str
    manifest: str
    cohort: str
    jobs: tuple[Job, ...]
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[Job]:
        return iter(self.jobs)

    def marker(self, name: str) -> str:
        """File that stands for 'this job is done'."""
        return f"runs/{self.workspace}/done/{name}"

    def drop_stale_markers(self, root: Path | str | None = None) -> list[str]:
        """Remove the marker of every job whose result is not there, not complete or out of date.

        Freshness goes by content (parameters, code, inputs), not by file dates: a fresh clone or
        a touched file retrains nothing, an edited image does. The marker of the check goes with
        that of the cohort, the book's with any, or where its pages are gone. Returns the names of
        the stale jobs.
        """
        root = Path(root or project_root())
        stale = []
        for job in self.jobs:
            values = declared_parameters(root / "notebooks" / f"{job.notebook}.ipynb")
            folder = root / job.folder
            executed = (folder / "notebook.ipynb").is_file()
            behind = any(name in stale for name in job.after)
            if behind or not executed or not is_fresh(folder, values | job.parameters, root=root):
                stale.append(job.name)
        gone = list(stale)
        if "cohort" in stale:  # made from the images that the check looks at
            gone.append("check")
        if stale or not (root / self.page).is_file():
            gone.append("book")
        for name in gone:
            (root / self.marker(name)).unlink(missing_ok=True)
        return stale

    @property
    def page(self) -> str:
        """First page of the book, relative to the top folder."""
        return f"book/_build/{self.workspace}/html/index.html"


def make_plan(
    profile: str = "quick",
    manifest: str = "data_manifest.csv",
    *,
    root: Path | str | None = None,
    **changes,
) -> Plan:
    """Lay out the notebook runs for a profile and a cohort.

    Parameters
    ----------
    profile : str
        Name of a file in ``profiles/``, without ``.yaml``.
    manifest : str
        Path of the manifest, relative to the top folder or absolute.
    root : path, optional
        Top folder of the checkout.
    **changes
        Parameters that go before the cohort's own (``"parameters"`` in its sidecar), which go
        before the profile's. What is text is read as YAML, since Snakemake hands on
        ``--config seeds=[0,1] clip=null`` as texts.

    Raises
    ------
    SettingsError
        If the profile or `changes` name a parameter that no notebook declares or that the plan
        itself gives each job, if models, fusions, seeds or methods are no lists, or if the runs of
        another cohort with the same name are in the way.
    ManifestError
        If there is no such manifest.
    """
    root = Path(root or project_root())
    cohort = read_cohort_info(root / manifest)
    common = load_profile(root / "profiles" / f"{profile}.yaml") | cohort.own
    changes = {name: read_words(value) for name, value in changes.items()}
    values = common | changes
    _check_grid(values, profile)
    workspace = workspace_of(root, profile, manifest)
    refuse_taken(root, workspace, manifest, cohort.name)
    values |= {"profile": profile, "manifest_path": manifest}
    changes = _differing(root, common, changes)
    jobs, notes = make_jobs(root, workspace, values, changes, cohort)
    _refuse_unknown(root, values, profile, jobs)
    return Plan(workspace, manifest, cohort.name, tuple(jobs), tuple(notes))


def _differing(root: Path, common: Mapping, changes: Mapping) -> dict:
    """Those of some changes that give another value than the profile, the cohort or a default."""
    defaults = declared_parameters(root / "notebooks" / "04_sample.ipynb") | common
    return {k: v for k, v in changes.items() if k not in defaults or v != defaults[k]}


def _check_grid(values: Mapping, profile: str) -> None:
    """Refuse what the plan could not honour: it would run with other values unnoticed."""
    where = f"profile '{profile}'"
    if taken := [name for name in values if name in OWN]:
        raise SettingsError(
            f"{where}: {', '.join(taken)} cannot be given, every job gets its own; give the lists "
            f"{', '.join(GRID)} for what shall be run."
        )
    apart = _apart()
    if taken := [name for name in values if name in apart]:
        instead = " or ".join(apart[name] for name in taken if apart[name])
        remedy = f"give {instead}" if instead else "run notebooks/03_train.ipynb by itself with it"
        raise SettingsError(
            f"{where}: {', '.join(taken)} cannot be given for all trainings; {remedy}."
        )
    for name, single in GRID.items():
        given = values.get(name)
        if not isinstance(given, list) or not given or len({str(v) for v in given}) < len(given):
            raise SettingsError(
                f"{where}: {name}: expected a list of different values, one {single} or more, "
                f"got {given!r}."
            )


def _apart() -> dict[str, str]:
    """Settings that not all trainings of a book can share, and the parameter that sets each."""
    return {name: by for study in all_studies() for name, by in study.apart.items()}


def _refuse_unknown(root: Path, values: Mapping, profile: str, jobs: list[Job]) -> None:
    notebooks = {*(job.notebook for job in jobs), *(study.notebook for study in all_studies())}
    known = set(GRID).union(
        *(declared_parameters(root / "notebooks" / f"{n}.ipynb") for n in notebooks)
    )
    if unknown := sorted(set(values) - known):
        may = sorted(known - set(OWN) - set(_apart()))
        near = {n: difflib.get_close_matches(n, may, n=1) for n in unknown}
        words = [f"{n} (did you mean {near[n][0]}?)" if near[n] else n for n in unknown]
        raise SettingsError(
            f"profile '{profile}': no notebook declares {', '.join(words)}; "
            f"known: {', '.join(may)}."
        )
