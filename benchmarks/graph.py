"""Quick-size trainings through the experiment graph: both cores against one."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.material import Benchmark, Material, processors
from benchmarks.timing import Case, Row
from paraspine import graph, phantom, runs, session

__all__ = ["BENCHMARKS"]

CORES = 2
#: Epochs of each training, instead of the profile's: what the graph adds does not depend on it.
EPOCHS = 2
#: Trainings that Snakemake is asked for at a time, so that there is more than one round.
LOT = 4


def make_trainings(material: Material) -> Case:
    top = copy_of_checkout(material.folder / "graph", material.size(16, 3))
    graph = Graph(top, material.size({"epochs": EPOCHS}, {"epochs": 1, "max_size": 64, "width": 4}))
    jobs = graph.trainings[: material.size(None, 2)]
    lots = [jobs[start : start + LOT] for start in range(0, len(jobs), LOT)]
    weights: dict[str, list[str]] = {job.name: [] for job in jobs}

    def trainings(cores: int) -> Callable[[], None]:
        """Return what does the next lot from its beginning each time it is called."""
        turns = itertools.cycle(lots)

        def run() -> None:
            lot = next(turns)
            graph.forget(lot)
            graph.run(lot, cores)
            for job in lot:
                weights[job.name].append(runs.sha256(top / job.folder / "model.safetensors"))

        return run

    def check() -> None:
        graph.run([job for job in graph.plan if job.name == "cohort"], CORES)

    def after() -> None:
        other = [name for name, found in weights.items() if len(set(found)) > 1]
        assert not other, f"{other}: other weights beside another training than alone"

    return Case(
        rows=[
            Row(
                f"all quick-size trainings ({len(jobs)}), through the graph on both cores",
                "one after another on one core",
                trainings(CORES),
                trainings(1),
                1.6,
            )
        ],
        check=check,
        threads=1,
        note=f"Snakemake with {CORES} cores and with one, {min(LOT, len(jobs))} notebooks a round, "
        f"{graph.changes['epochs']} epochs each, start of Snakemake and of the kernels included; "
        "the same weights to the bit",
        rounds=len(lots),
    )


def copy_of_checkout(folder: Path, subjects: int) -> Path:
    """Copy what the graph needs, with a phantom cohort of its own."""
    source = session.project_root(Path(__file__).parent)
    folder.mkdir(parents=True)
    shutil.copy(source / "Snakefile", folder)
    for name in ("notebooks", "profiles"):
        shutil.copytree(source / name, folder / name)
    (folder / "book").mkdir()
    phantom.make_cohort(folder, subjects=subjects, size=(128, 128), spacing=(1.4, 1.4))
    return folder


class Graph:
    """The quick profile's trainings, as the graph does them.

    Parameters
    ----------
    top : Path
        Copy of the checkout.
    changes : dict
        Other values for parameters of the profile.

    Attributes
    ----------
    plan : graph.Plan
        Of all notebook runs.
    trainings : list of graph.Job
        In an order in which those of the same network follow each other by two.
    """

    def __init__(self, top: Path, changes: dict):
        own = {"patience": changes["epochs"], "fusion_splits": 0}  # that study has its own sizes
        self.top, self.changes = top, changes | own
        self.plan = graph.make_plan("quick", root=top, **self.changes)
        by_network: dict[str, list] = {}
        for job in self.plan:
            if job.notebook == "03_train":
                by_network.setdefault(job.parameters["model"], []).append(job)
        pairs = [
            jobs[start : start + CORES]
            for start in range(0, max(map(len, by_network.values())), CORES)
            for jobs in by_network.values()
        ]
        self.trainings = [job for pair in pairs for job in pair]

    def run(self, jobs: Sequence, cores: int) -> None:
        """Let Snakemake do some jobs."""
        targets = [self.plan.marker(job.name) for job in jobs]
        words = [f"{k}={str(v).replace(' ', '')}" for k, v in self.changes.items()]
        environment = os.environ | {
            "PARASPINE_ROOT": str(self.top),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
        }
        done = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all"),
                *("--config", "profile=quick", *words, "--", *targets),
            ],
            cwd=self.top,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Snakemake failed: {done.stderr[-2000:]}")
        missing = [name for name in targets if not (self.top / name).is_file()]
        if missing:
            raise RuntimeError(f"Snakemake left out {missing}.")

    def forget(self, jobs: Sequence) -> None:
        """Remove results, so that the next run makes them again."""
        for job in jobs:
            shutil.rmtree(self.top / job.folder, ignore_errors=True)
            (self.top / self.plan.marker(job.name)).unlink(missing_ok=True)


def _one_core() -> str | None:
    found = processors()
    return None if found >= CORES else f"it needs {CORES} processors, there is {found}"


BENCHMARKS = (Benchmark("graph", make_trainings, _one_core),)
