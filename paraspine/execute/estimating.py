"""How long the trainings of a book will take on this machine, measured from a few steps of each."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from paraspine import manifest, phantom, runs, text
from paraspine.execute.parameters import declared_parameters
from paraspine.execute.plan import make_plan
from paraspine.execute.runner import run_notebook
from paraspine.execute.session import is_generated, sides_of, slices_of
from paraspine.execute.sources import project_root

__all__ = ["Estimate", "estimate"]

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
        learn from, mean), ``steps`` (of one training), ``seconds`` (a step, with its share of the
        validation) and ``hours`` (all trainings of this kind, one after another).
    jobs : int
        Notebooks of the book, trainings among them.
    cohort : str
        What the cohort is called.
    """

    table: pd.DataFrame
    jobs: int
    cohort: str

    @property
    def hours(self) -> float:
        """Hours of all trainings, one after another."""
        return float(self.table["hours"].sum())

    def words(self) -> str:
        """The sum in a sentence."""
        count = int(self.table["trainings"].sum())
        notebooks = text.count(self.jobs, "notebook")
        return (
            f"{self.cohort}: {text.count(count, 'training')} among {notebooks}, "
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
        As the run itself would.
    """
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
    rows = []
    try:
        for number, values in enumerate(kinds.values()):
            folder = scratch / str(number)
            rows.append(_kind(root, notebook, cohort, values, folder, steps))
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    columns = ["model", "trainings", "slices", "steps", "seconds", "hours"]
    return Estimate(pd.DataFrame(rows, columns=columns), len(plan.jobs), plan.cohort)


def _kind(
    root: Path,
    notebook: Path,
    cohort: manifest.Cohort,
    trainings: list[dict],
    folder: Path,
    steps: int,
) -> dict:
    """Measure one kind of training and count what its trainings have to do."""
    first = trainings[0]
    as_they_are = {"denoise": False, "bias_correction": False}
    table = slices_of(root, cohort, first | as_they_are).table
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
    taken = run.read_json("training.json")["steps"] / _EPOCHS
    a_step = seconds / taken
    needed = [first["epochs"] * math.ceil(n / batch) for n in learned]
    return {
        "model": first["model"],
        "trainings": len(trainings),
        "slices": round(sum(learned) / len(learned)),
        "steps": round(sum(needed) / len(needed)),
        "seconds": a_step,
        "hours": a_step * sum(needed) / 3600,
    }
