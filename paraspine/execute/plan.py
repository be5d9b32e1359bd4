"""The experiment graph: which notebook runs a book needs, and which needs which.

`Snakefile` turns every `Job` into a rule; a person can type any of them as ``paraspine run``.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paraspine.arrays import ManifestError, SettingsError
from paraspine.execute.conditions import MULTITASK, conditions, multitask_study
from paraspine.execute.parameters import (
    check_parameters,
    declared_parameters,
    load_profile,
    read_words,
)
from paraspine.execute.session import is_fresh
from paraspine.execute.sources import project_root
from paraspine.manifest.splits import SIDES

__all__ = ["Job", "Plan", "make_plan"]

#: Lists of a profile, and the parameter of one job that each value becomes.
GRID = {"models": "model", "fusions": "fusion", "seeds": "seed", "methods": "method"}
#: Parameters that the plan gives each job itself.
OWN = (
    *GRID.values(),
    *("members", "profile", "manifest_path", "run_folder", "train_runs", "sample_runs"),
    "interrater_run",
)
#: Settings of a training that only those of the multi-task study may have otherwise; they are given
#: with this beginning.
APART = ("dice_weight", "ce_weight", "variance_loss", "mirror", "smoothing")


@dataclass(frozen=True)
class Job:
    """One notebook run.

    Attributes
    ----------
    name : str
        Unique within the plan, for example ``"train-unet-random-seed0"``.
    notebook : str
        Name without ``.ipynb``.
    folder : str
        Run folder, relative to the top folder.
    parameters : dict
        What differs from the notebook's defaults.
    after : tuple of str
        Names of the jobs that must be done before.
    trains : bool
        Whether the job wants the GPU where there is one.
    """

    name: str
    notebook: str
    folder: str
    parameters: dict
    after: tuple[str, ...] = ()
    trains: bool = False

    def arguments(self) -> list[str]:
        """The words after ``paraspine run`` that execute this job."""
        words = [f"notebooks/{self.notebook}.ipynb"]
        for key, value in (self.parameters | {"run_folder": self.folder}).items():
            words += ["-p", f"{key}={json.dumps(value)}"]
        return words


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
        itself gives each job, or if models, fusions, seeds or methods are no lists.
    ManifestError
        If there is no such manifest.
    """
    root = Path(root or project_root())
    values = load_profile(root / "profiles" / f"{profile}.yaml")
    raters, subjects, cohort, own = _cohort(root / manifest)
    values |= own | {name: read_words(value) for name, value in changes.items()}
    _check_grid(values, profile)
    default = (root / manifest).resolve() == (root / "data_manifest.csv").resolve()
    workspace = profile if default else f"{profile}-{_slug(cohort)}"
    notes = []
    if raters < 2 and values["fusions"] != ["majority"]:
        values["fusions"] = ["majority"]
        notes.append(
            "One rater: every way of fusing raters gives the same labels, so only 'majority' runs."
        )
    why_not = _no_multitask(raters, values["models"])
    notes += [why_not] if why_not else []
    if not why_not and values.get("leak_models") and 0 < subjects < len(SIDES):
        values["leak_models"] = []
        notes.append(
            f"{subjects} of the {len(SIDES)} subjects that a split by subject takes: what one by "
            "slice flatters is left out."
        )
    common = values | {"profile": workspace, "manifest_path": manifest}
    jobs = list(_jobs(root, workspace, common, multitask=not why_not))
    _refuse_unknown(root, values, profile, jobs)
    return Plan(workspace, manifest, cohort, tuple(jobs), tuple(notes))


def _no_multitask(raters: int, models: list[str]) -> str:
    """Why a book has no chapter on multi-task networks; empty if it has one."""
    if raters < 2:
        return (
            "One rater an image: with nobody to differ from there is no variance between raters to "
            "learn, so the chapter on multi-task networks is left out."
        )
    if not set(models) & set(MULTITASK):
        return (
            f"No multi-task network of {', '.join(models)}: there are some of "
            f"{' and '.join(MULTITASK)}, so the chapter on them is left out."
        )
    return ""


def _jobs(root: Path, workspace: str, values: Mapping, *, multitask: bool) -> Iterator[Job]:
    def job(name, notebook, after=(), trains=False, **own):
        source = root / "notebooks" / f"{notebook}.ipynb"
        declared = declared_parameters(source)
        given = {k: v for k, v in (values | own).items() if k in declared}
        folder = f"runs/{workspace}/{notebook.split('_', 1)[1]}/{name.split('-', 1)[-1]}"
        return Job(name, notebook, folder, check_parameters(source, given), tuple(after), trains)

    yield job("cohort", "01_cohort")
    yield job("raters", "02_raters", after=["cohort"])
    wanted = conditions(
        values["models"],
        values["fusions"],
        values["seeds"],
        values["methods"],
        values.get("ensemble_seeds", ()),
    )
    trainings: dict[str, dict] = {}
    samples = []
    for chosen in wanted:
        for seed in chosen["members"] or [chosen["seed"]]:
            training = {"model": chosen["model"], "fusion": chosen["fusion"], "seed": seed}
            trainings.setdefault(_key(**training), training)
    trained = []
    for key, training in trainings.items():
        trained.append(job(f"train-{key}", "03_train", ["cohort"], trains=True, **training))
    yield from trained
    for chosen in wanted:
        model, fusion = chosen["model"], chosen["fusion"]
        seeds = chosen["members"] or [chosen["seed"]]
        needed = [f"train-{_key(model, fusion, seed)}" for seed in seeds]
        name = f"sample-{_key(model, fusion, chosen['seed'])}-{chosen['method']}"
        samples.append(name)
        yield job(name, "04_sample", needed, trains=True, **chosen)
    yield job("interrater", "05_interrater", samples)
    yield job("calibration", "06_calibration", samples)
    if multitask:
        needed = []
        for chosen in (c for part in multitask_study(values).values() for c in part):
            split = "-by-slice" if chosen.get("split_by") == "slice" else ""
            key = _key(chosen["model"], chosen["fusion"], chosen["seed"]) + split
            new = job(f"train-{key}", "03_train", ["cohort"], trains=True, **chosen)
            same = _same_run(root, new, trained)
            if same is None:
                if new.name in {t.name for t in trained}:  # trained otherwise for other chapters
                    new = job(f"train-{key}-multitask", "03_train", ["cohort"], True, **chosen)
                trained.append(same := new)
                yield new
            needed.append(same.name)
        yield job("multitask", "07_multitask", dict.fromkeys(needed), trains=True)
    yield job("published", "13_published", ["interrater"])


def _same_run(root: Path, job: Job, others: list[Job]) -> Job | None:
    """The job among others that runs the same notebook with the same parameters."""
    declared = declared_parameters(root / "notebooks" / f"{job.notebook}.ipynb")
    wanted = declared | job.parameters
    return next((o for o in others if declared | o.parameters == wanted), None)


def _key(model: str, fusion: str, seed: int) -> str:
    return f"{model}-{fusion.replace(':', '-')}-seed{seed}"


def _check_grid(values: Mapping, profile: str) -> None:
    """Refuse what the plan could not honour: it would run with other values unnoticed."""
    where = f"profile '{profile}'"
    if taken := [name for name in values if name in OWN]:
        raise SettingsError(
            f"{where}: {', '.join(taken)} cannot be given, every job gets its own; give the lists "
            f"{', '.join(GRID)} for what shall be run."
        )
    if taken := [name for name in values if name in APART]:
        raise SettingsError(
            f"{where}: {', '.join(taken)} cannot be given for all trainings; give multitask_"
            f"{taken[0]} for those of the multi-task study."
        )
    for name, single in GRID.items():
        given = values.get(name)
        if not isinstance(given, list) or not given or len({str(v) for v in given}) < len(given):
            raise SettingsError(
                f"{where}: {name}: expected a list of different values, one {single} or more, "
                f"got {given!r}."
            )


def _refuse_unknown(root: Path, values: Mapping, profile: str, jobs: list[Job]) -> None:
    notebooks = {job.notebook for job in jobs} | {"07_multitask"}  # known where it is left out too
    known = set().union(
        *(declared_parameters(root / "notebooks" / f"{n}.ipynb") for n in notebooks)
    )
    if unknown := sorted(set(values) - known):
        raise SettingsError(
            f"profile '{profile}': no notebook declares {', '.join(unknown)}; "
            f"known: {', '.join(sorted(known))}."
        )


def _cohort(path: Path) -> tuple[int, int, str, dict]:
    """Most raters of an image, subjects (0: the manifest has no row), name, own parameters."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest ({error}).") from error
    sidecar = path.with_suffix(".json")
    try:
        block = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
        name, own = str(block.get("name", "")), dict(block.get("parameters", {}))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        name, own = "", {}  # `paraspine check` reports what is wrong with the sidecar
    raters = [i for i, column in enumerate(header) if column.startswith("rater_")]
    most = max((sum(bool(r[i].strip()) for i in raters if i < len(r)) for r in rows), default=None)
    place = header.index("subject") if "subject" in header else 0
    subjects = len({row[place] for row in rows if place < len(row)})
    return len(raters) if most is None else most, subjects, name or path.parent.name, own


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "cohort"
