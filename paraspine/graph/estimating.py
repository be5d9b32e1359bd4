"""Estimated time of a book's trainings on this machine, from a few steps of each."""

from __future__ import annotations

import json
import math
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from paraspine import manifest, phantom, runs, text
from paraspine.graph.plan import make_plan
from paraspine.session.digests import project_root
from paraspine.session.parameters import declared_parameters
from paraspine.session.runner import run_notebook
from paraspine.session.splits import sides_of, slices_of
from paraspine.session.workspace import is_generated

__all__ = ["RULES", "BRIEF", "Estimate", "estimate", "write_estimate"]

#: Rules of the Snakefile besides one for each notebook run of a plan.
RULES = ("all", "check", "book")


#: Columns of an estimate's table that a terminal has room for.
BRIEF = ("model", "trainings", "slices", "steps", "seconds", "hours")


#: Parameters that make another training, which takes as long.
_ALIKE = ("seed", "split_seed", "test_center", "fusion", "split_by", "profile", "run_folder")


#: Epochs of a trial: the first is slower, the last counts.
_EPOCHS = 2


@dataclass(frozen=True)
class Estimate:
    """What the trainings of a book will take.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each kind of training: ``model``, ``trainings`` (how many of it), ``slices`` (to
        learn from, mean), ``steps`` (of one training, mean), ``seconds`` (a step, with its share of
        the validation) and ``hours`` (all trainings of this kind, one after another); also
        ``notebook``, ``loss``, ``size`` (rows and columns of an image), ``batch`` (images a step)
        and ``measured`` (steps that the seconds are of).
    jobs : int
        Notebooks of the book, trainings among them.
    cohort : str
        What the cohort is called.
    noted : dict
        What the numbers depend on: ``profile``, ``changes`` (of the profile), ``cohort`` (``name``,
        ``source``, ``synthetic``, ``subjects``, ``slices``), ``conditions`` (``device``,
        ``precision`` and so on, as the trials noted them) and ``provenance``.
    """

    table: pd.DataFrame
    jobs: int
    cohort: str
    noted: dict = field(default_factory=dict)

    @property
    def hours(self) -> float:
        """Hours of all trainings, one after another."""
        return float(self.table["hours"].sum())

    @property
    def trainings(self) -> int:
        """How many trainings there are."""
        return int(self.table["trainings"].sum())

    def words(self) -> str:
        """The sum in a sentence."""
        notebooks = text.count(self.jobs, "notebook")
        return (
            f"{self.cohort}: {text.count(self.trainings, 'training')} among {notebooks}, "
            f"{text.number(self.hours, 1)} hours one after another if none stops early, from a few "
            "steps of each kind on this machine."
        )


def estimate(
    profile: str = "paper",
    manifest_path: str = "data_manifest.csv",
    *,
    steps: int = 3,
    root: Path | str | None = None,
    **changes,
) -> Estimate:
    """Train every kind of network of a book for a few steps, and extrapolate.

    Each kind is ``03_train`` itself on a few of the cohort's slices, for two epochs of which the
    second counts. Images are neither denoised nor corrected, since that is done once and kept.

    Parameters
    ----------
    profile, manifest_path, root, **changes
        As `make_plan`.
    steps : int
        Iterations of an epoch of the trial.

    Raises
    ------
    SettingsError, ManifestError, RunError
        As the run itself would. The notebook that failed is kept below ``.cache/estimate``.
    """
    started = time.time()
    root = Path(root or project_root())
    plan = make_plan(profile, manifest_path, root=root, **changes)
    notebook = root / "notebooks" / "03_train.ipynb"
    declared = declared_parameters(notebook)
    path = root / manifest_path
    if is_generated(path):
        phantom.materialise(path)
    cohort = manifest.read(path)
    kinds: dict[tuple, list[dict]] = {}
    for job in plan:
        if job.notebook == notebook.stem:
            values = declared | job.parameters
            key = tuple(str(v) for name, v in values.items() if name not in _ALIKE)
            kinds.setdefault(key, []).append(values)
    scratch = root / ".cache" / "estimate"
    shutil.rmtree(scratch, ignore_errors=True)  # of a trial that failed, kept to be looked at
    rows = []
    for number, values in enumerate(kinds.values()):
        folder = scratch / str(number)
        row, images, conditions = _kind(root, notebook, cohort, values, folder, steps)
        rows.append(row)
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)
    about = {"name": plan.cohort, "source": cohort.source, "synthetic": cohort.synthetic}
    about |= {"subjects": len(cohort.subjects), "slices": images}
    computed = {"threads": conditions["threads"]}
    if conditions["device"] != "cpu":
        computed = {"device": conditions["processor"]}
    read = (root / "profiles" / f"{profile}.yaml", path, path.with_suffix(".json"), notebook)
    noted = {
        "profile": profile,
        "changes": {name: _no_folder(value) for name, value in changes.items()},
        "cohort": about,
        "conditions": conditions,
        "provenance": runs.provenance(
            {p.name: p for p in read if p.is_file()}, started=started, **computed
        ),
    }
    return Estimate(pd.DataFrame(rows), len(plan.jobs), plan.cohort, noted)


def write_estimate(found: Estimate, path: Path | str) -> Path:
    """Write an estimate as JSON, whole or not at all.

    Parameters
    ----------
    found : Estimate
        As `estimate` returns it.
    path : path
        The file. ``benchmarks/estimate.json`` is shown in the book.

    Returns
    -------
    Path
        The file: what `found` has noted, ``totals`` (``jobs`` that Snakemake counts, ``notebooks``,
        ``trainings``, ``hours``) and ``rows`` of the table.
    """
    path = Path(path)
    totals = {"jobs": found.jobs + len(RULES), "notebooks": found.jobs}
    totals |= {"trainings": found.trainings, "hours": _short(found.hours)}
    rows = found.table.to_dict("records")
    for row in rows:
        row |= {name: _short(row[name]) for name in ("seconds", "hours")}
    content = found.noted | {"totals": totals, "rows": rows}
    with runs.atomic(path) as temporary:
        written = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(written + "\n", encoding="utf-8")
    return path


def _no_folder(value):
    """A value without the folders of this machine: of an absolute path the last part."""
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value


def _short(value: float) -> float:
    """Four significant digits: a time repeats no better."""
    return float(f"{value:.4g}")


def _kind(
    root: Path,
    notebook: Path,
    cohort: manifest.Cohort,
    trainings: list[dict],
    folder: Path,
    steps: int,
) -> tuple[dict, int, dict]:
    """Measure one kind of training and count what its trainings have to do.

    Returns
    -------
    dict
        Row of the table.
    int
        Slices of the cohort.
    dict
        What the trial noted of where it ran.
    """
    first = trainings[0]
    as_they_are = {"denoise": False, "bias_correction": False}
    data = slices_of(root, cohort, first | as_they_are)
    table = data.table
    sides = [pd.Series(sides_of(table, values)).value_counts() for values in trainings]
    learned = [int(count.get("train", 0)) for count in sides]
    checked = sides[0].get("validation", 0) / max(learned[0], 1)
    batch = first["batch_size"]
    few = min(steps * batch, learned[0])
    short = {
        "epochs": _EPOCHS,
        "patience": None,
        "split_by": "slice",
        "test_center": "",
        "train_fraction": few / len(table),
        "validation_fraction": max(1, round(few * checked)) / len(table),
        "run_folder": folder.relative_to(root).as_posix(),
    }
    given = {name: value for name, value in first.items() if name != "profile"}
    given |= as_they_are | short
    run = runs.read(run_notebook(notebook, given, force=True))
    seconds = run.read_json("times.json")["epoch_seconds"][-1]
    trained = run.read_json("training.json")
    taken = trained["steps"] // _EPOCHS
    a_step = seconds / taken
    needed = [first["epochs"] * math.ceil(n * first["repeats"] / batch) for n in learned]
    row = {
        "model": first["model"],
        "trainings": len(trainings),
        "slices": round(sum(learned) / len(learned)),
        "steps": round(sum(needed) / len(needed)),
        "seconds": a_step,
        "hours": a_step * sum(needed) / 3600,
        "notebook": notebook.stem,
        "loss": first["loss"],
        "size": list(data.size),
        "batch": batch,
        "measured": taken,
    }
    return row, len(table), trained["conditions"]
