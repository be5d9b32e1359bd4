"""A notebook's run from its first cell to its last: parameters, cohort, inputs, results."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from paraspine import manifest, runs
from paraspine.arrays import RunError
from paraspine.models.architectures import NETWORKS
from paraspine.session.digests import cohort_digest, fingerprint, project_root
from paraspine.session.freshness import DATA_STAMP, STAMP, results_digest, staleness
from paraspine.session.imports import import_nbformat
from paraspine.session.parameters import check_parameters, declared_parameters
from paraspine.session.splits import sides_of, slices_of
from paraspine.session.workspace import is_generated, result_parameters, run_folder

if TYPE_CHECKING:  # imported where a notebook asks for images
    from paraspine import slices

__all__ = ["Session", "begin"]


@dataclass
class Session:
    """An open run of one notebook.

    Attributes
    ----------
    run : runs.Run
        The folder that the notebook writes to; it takes its final place in `finish`.
    root : Path
        Top folder of the checkout; relative paths start there.
    notebook : Path
        The notebook's source.
    parameters : dict
        Every parameter with the value that this run uses.
    inputs : dict
        What the run has read: path to kind and SHA-256.
    source : str
        Where the cohort is from, for figures and tables; empty until `cohort` has read it.
    """

    run: runs.Run
    root: Path
    notebook: Path
    parameters: dict
    inputs: dict = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    source: str = ""

    def path(self, name: Path | str) -> Path:
        """A path given relative to the top folder."""
        return self.root / name

    def cohort(self) -> manifest.Cohort:
        """Read the cohort of ``manifest_path``; make the phantom's images if they are missing."""
        from paraspine.session.cache import read_cohort

        path = self.path(self.parameters["manifest_path"])
        if is_generated(path):
            from paraspine import phantom

            phantom.materialise(path)
        cohort = read_cohort(path, self.path(".cache/cohorts"))
        self.inputs[self._relative(path)] = {"kind": "cohort", "sha256": cohort_digest(path)}
        self.source = cohort.source
        return cohort

    def slices(self, cohort: manifest.Cohort, parameters: Mapping | None = None) -> slices.Slices:
        """Load the cohort's slices as the parameters say: grid, denoising, bias correction.

        Those given, such as an upstream run's, go before the notebook's own.
        """
        return slices_of(self.root, cohort, self.parameters | dict(parameters or {}))

    def sides(self, data: slices.Slices, parameters: Mapping | None = None) -> np.ndarray:
        """Side of each slice: ``"train"``, ``"validation"`` or ``"test"``, as `sides_of` says.

        Parameters as in `slices`.
        """
        return sides_of(data.table, self.parameters | dict(parameters or {}))

    def variances(self, data: slices.Slices, tasks: Sequence[str]) -> np.ndarray | None:
        """Variance maps of the slices' raters where a network has that task, else None; cached."""
        if "variance" not in tasks:
            return None
        from paraspine import slices

        return slices.variances(data, cache=self.path(".cache/variance"))

    def crowd(self, data: slices.Slices, raters: int) -> slices.Slices | None:
        """Slices of a phantom rated by many others (`slices.crowd`); None of any other cohort."""
        path = self.path(self.parameters["manifest_path"])
        if not is_generated(path):
            return None
        from paraspine import phantom, slices

        settings = phantom.settings_of(path)
        known = settings.get("kind", "slices") == "slices"
        return slices.crowd(data, settings, raters) if known else None

    def weights(self, model: str, transunet: str) -> Path | None:
        """File that a network starts from; None where it starts at random.

        Parameters
        ----------
        model : str
            The architecture.
        transunet : str
            File for a TransUNet, alone or within a multi-task network, relative to the top folder;
            empty: none.

        Raises
        ------
        RunError
            If there is no such file.
        """
        if not transunet or not NETWORKS[model].pretrained:
            return None
        path = self.path(transunet)
        if not path.is_file():
            raise RunError(
                f"transunet_weights: expected a file below {self.root.name} or an absolute path; "
                f"there is no {transunet}. Put it there, or leave it empty for a random start."
            )
        self.inputs[self._relative(path)] = {"kind": "file", "sha256": runs.sha256(path)}
        return path

    def upstream(self, folder: Path | str) -> runs.Run:
        """Open a run that this one builds on; refuse one that is incomplete, damaged or stale."""
        path = self.path(folder)
        if reason := staleness(path, root=self.root):
            raise RunError(
                f"{self._relative(path)}: {reason}; run it again, or leave the parameter empty."
            )
        run = runs.read(path, verify=True)
        self.inputs[self._relative(path)] = {"kind": "run", "sha256": results_digest(path)}
        return run

    def finish(self) -> Path:
        """Complete the run; an earlier result in the same folder stands until then.

        The code that counts is that of the beginning: an edit while the notebook runs makes the
        result stale.
        """
        self.run.write_json(
            "inputs.json",
            {
                "notebook": self.notebook.name,
                "fingerprint": self.run.read_bytes(STAMP).decode(),
                "inputs": self.inputs,
            },
        )
        hashes = {name: entry["sha256"] for name, entry in self.inputs.items()}
        self.run.finish(hashes, started=self.started)
        return self.run.folder

    def _relative(self, path: Path) -> str:
        path = path.resolve()
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()


def begin(name: str, namespace: Mapping) -> Session:
    """Open the run of a notebook.

    A run that was killed half-way is taken up again where parameters, code and cohort are the
    same, so that training resumes; anything else begins in an empty folder. An earlier complete
    result stays until the new one is complete. From here on pandas shows tables whole, and
    intervals come from as many resamples as the parameter ``resamples`` says, where there is one.

    Parameters
    ----------
    name : str
        The notebook's name without ``.ipynb``, for example ``"03_train"``.
    namespace : mapping
        ``globals()`` of the notebook, from which the declared parameters are taken.

    Raises
    ------
    SettingsError
        If a parameter has a value of another type than its default.
    """
    import_nbformat()  # plotly asks for it when the first figure is shown
    _show_whole_tables()
    root = project_root()
    notebook = root / "notebooks" / f"{name}.ipynb"
    values = {key: namespace[key] for key in declared_parameters(notebook)}
    parameters = check_parameters(notebook, values)
    if "resamples" in parameters:
        _set_resamples(parameters["resamples"])
    folder = run_folder(root, name, parameters)
    code = fingerprint(notebook).encode()
    data = _cohort_stamp(root, parameters)
    run = runs.start(folder, result_parameters(parameters), overwrite=True)
    begun = {STAMP: code, DATA_STAMP: data}
    differs = [
        name
        for name, now in begun.items()
        if (run.folder / name).is_file() and (run.folder / name).read_bytes() != now
    ]
    if differs:  # begun with other code or other images: not to be resumed
        shutil.rmtree(run.folder)
        run = runs.start(folder, result_parameters(parameters), overwrite=True)
    for name, now in begun.items():
        run.write_bytes(name, now)
    return Session(run=run, root=root, notebook=notebook, parameters=parameters)


def _show_whole_tables() -> None:
    """Let pandas cut no cell, row or column of what the notebook shows."""
    for what in ("max_colwidth", "max_rows", "max_columns"):
        pd.set_option(f"display.{what}", None)


def _set_resamples(number: int) -> None:
    """Set the number of resamples of every interval of this process.

    The room is imported by its name, so that its code counts in the fingerprints of the notebooks
    that compute statistics, and not in that of a training.
    """
    importlib.import_module("paraspine.statistics.options").set_defaults(resamples=number)


def _cohort_stamp(root: Path, parameters: Mapping) -> bytes:
    """Digest of the cohort that a run begins with; empty where it has none that can be read."""
    manifest_path = root / str(parameters.get("manifest_path") or "")
    return cohort_digest(manifest_path).encode() if manifest_path.is_file() else b""
