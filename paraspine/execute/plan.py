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
from paraspine.execute.candidates import fusion_trainings
from paraspine.execute.conditions import conditions
from paraspine.execute.parameters import (
    check_parameters,
    declared_parameters,
    load_profile,
    read_words,
)
from paraspine.execute.session import is_fresh
from paraspine.execute.sources import project_root

__all__ = ["Job", "Plan", "make_plan"]

#: Lists of a profile, and the parameter of one job that each value becomes.
GRID = {"models": "model", "fusions": "fusion", "seeds": "seed", "methods": "method"}
#: Parameters that the plan gives each job itself.
OWN = (
    *GRID.values(),
    *("members", "profile", "manifest_path", "run_folder", "train_runs", "sample_runs"),
    "interrater_run",
)


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
    raters, centers, cohort, own = _cohort(root / manifest)
    values |= own | {name: read_words(value) for name, value in changes.items()}
    _check_grid(values, profile)
    default = (root / manifest).resolve() == (root / "data_manifest.csv").resolve()
    workspace = profile if default else f"{profile}-{_slug(cohort)}"
    notes = []
    if len(raters) < 2 and values["fusions"] != ["majority"]:
        values["fusions"] = ["majority"]
        notes.append(
            "One rater: every way of fusing raters gives the same labels, so only 'majority' runs."
        )
    fused = fusion_trainings(values, raters, centers) if len(raters) > 1 else []
    if len(raters) < 2 and values["fusion_splits"]:
        notes.append("One rater: there is nothing to fuse, so the label-fusion study is left out.")
    common = values | {"profile": workspace, "manifest_path": manifest}
    jobs = list(_jobs(root, workspace, common, fused))
    _refuse_unknown(root, values, profile, jobs)
    return Plan(workspace, manifest, cohort, tuple(jobs), tuple(notes))


def _jobs(root: Path, workspace: str, values: Mapping, fused: list[dict]) -> Iterator[Job]:
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
    for key, training in trainings.items():
        yield job(f"train-{key}", "03_train", ["cohort"], trains=True, **training)
    for chosen in wanted:
        model, fusion = chosen["model"], chosen["fusion"]
        seeds = chosen["members"] or [chosen["seed"]]
        needed = [f"train-{_key(model, fusion, seed)}" for seed in seeds]
        name = f"sample-{_key(model, fusion, chosen['seed'])}-{chosen['method']}"
        samples.append(name)
        yield job(name, "04_sample", needed, trains=True, **chosen)
    yield job("interrater", "05_interrater", samples)
    yield job("calibration", "06_calibration", samples)
    yield job("published", "13_published", ["interrater"])
    names = [f"train-fusion-{_fused_key(training)}" for training in fused]
    for name, training in zip(names, fused, strict=True):
        yield job(name, "03_train", ["cohort"], trains=True, **training)
    if fused:
        yield job("label_fusion", "08_label_fusion", names, trains=True)


def _fused_key(training: Mapping) -> str:
    """Name of a training of the label-fusion study."""
    words = (training["loss"], training["fusion"], "split", training["split_seed"])
    return _slug("-".join(map(str, words)))


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
    for name, single in GRID.items():
        given = values.get(name)
        if not isinstance(given, list) or not given or len({str(v) for v in given}) < len(given):
            raise SettingsError(
                f"{where}: {name}: expected a list of different values, one {single} or more, "
                f"got {given!r}."
            )


def _refuse_unknown(root: Path, values: Mapping, profile: str, jobs: list[Job]) -> None:
    notebooks = {job.notebook for job in jobs} | {"08_label_fusion"}  # left out of some plans
    known = set().union(
        *(declared_parameters(root / "notebooks" / f"{n}.ipynb") for n in notebooks)
    )
    if unknown := sorted(set(values) - known):
        raise SettingsError(
            f"profile '{profile}': no notebook declares {', '.join(unknown)}; "
            f"known: {', '.join(sorted(known))}."
        )


def _cohort(path: Path) -> tuple[list[str], list[str], str, dict]:
    """Raters, centres, name and own parameters of a cohort, without reading an image."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or [])
            centers = [row["center"] or "" for row in reader] if "center" in header else []
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest ({error}).") from error
    sidecar = path.with_suffix(".json")
    try:
        block = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
        name, own = str(block.get("name", "")), dict(block.get("parameters", {}))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        name, own = "", {}  # `paraspine check` reports what is wrong with the sidecar
    raters = [c.removeprefix("rater_") for c in header if c.startswith("rater_")]
    return raters, centers, name or path.parent.name, own


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "cohort"
