"""A notebook's run from its first cell to its last: folder, inputs, freshness."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from paraspine import manifest, runs
from paraspine.arrays import ManifestError, RunError
from paraspine.models.architectures import NETWORKS
from paraspine.session.fingerprint import cohort_digest, fingerprint, project_root
from paraspine.session.imports import import_nbformat
from paraspine.session.parameters import check_parameters, declared_parameters

# The rooms of images are imported where a notebook asks for images: the process that hands the
# notebook to papermill, one for each job of a book, would wait for them and not use them.
if TYPE_CHECKING:
    from paraspine import slices

__all__ = ["Session", "is_generated", "begin", "results_digest", "staleness", "is_fresh"]

#: Parameters that say where a result lies, not what it is.
PLACES = ("run_folder",)


#: File that holds the fingerprint of the code that began a run.
STAMP = "fingerprint.txt"


#: File that holds the digest of the cohort that a run began with.
DATA_STAMP = "cohort.txt"


#: Files of a run that tell of the circumstances, not of the result.
CIRCUMSTANCES = (
    "provenance.json",
    "inputs.json",
    "parameters.json",
    "times.json",
    STAMP,
    DATA_STAMP,
)


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
    """

    run: runs.Run
    root: Path
    notebook: Path
    parameters: dict
    inputs: dict = field(default_factory=dict)
    started: float = field(default_factory=time.time)

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


def slices_of(root: Path, cohort: manifest.Cohort, wanted: Mapping) -> slices.Slices:
    """A cohort's slices as ``max_size``, ``denoise``, ``bias_correction`` say; kept by content."""
    from paraspine import preprocess
    from paraspine.session.cache import load_slices

    settings = preprocess.Preprocessing.for_cohort(
        cohort.metadata, denoise=wanted["denoise"], bias_correction=wanted["bias_correction"]
    )
    kept = root / ".cache"
    return load_slices(
        cohort, wanted["max_size"], settings, folder=kept / "slices", cleaned=kept / "preprocess"
    )


def sides_of(table: pd.DataFrame, wanted: Mapping) -> np.ndarray:
    """Side of each slice of a table: ``"train"``, ``"validation"`` or ``"test"``.

    Split by ``"slice"``, the sides have the same shares of every level, where levels are known
    (roshanzamir2022). With ``test_center`` that centre is the test set, and the others' subjects
    are divided in the proportion of the other two fractions (lemay2022).

    Parameters
    ----------
    table : pandas.DataFrame
        One row per slice.
    wanted : mapping
        ``split_by``, ``train_fraction``, ``validation_fraction``, ``split_seed`` and, where there
        is one, ``test_center``.
    """
    train, validation = wanted["train_fraction"], wanted["validation_fraction"]
    if wanted.get("test_center"):
        return _by_center(table, train / (train + validation), wanted)
    fractions = (train, validation, 1 - train - validation)
    by = wanted["split_by"]
    if by == "slice":  # places in a volume repeat over volumes
        table = table.assign(slice=np.arange(len(table)))
    own = {"stratify": ("level",)} if by == "slice" and "level" in table else {}
    sides = manifest.split(table, fractions, by=by, seed=wanted["split_seed"], **own)
    return sides.to_numpy()


def _by_center(table: pd.DataFrame, train: float, wanted: Mapping) -> np.ndarray:
    """Side of each slice where one centre is the test set."""
    centers = table["center"].astype(str).to_numpy() if "center" in table else np.array([])
    held_out = centers == wanted["test_center"]
    if not held_out.any() or held_out.all():
        raise ManifestError(
            f"test_center: expected one of several centres of the manifest's column 'center' "
            f"({', '.join(sorted(set(centers))) or 'there is none'}), got "
            f"{wanted['test_center']!r}."
        )
    rest = table[~held_out]
    sides = pd.Series("test", table.index, dtype=object)
    sides[~held_out] = manifest.split(
        rest, (train, 1 - train, 0.0), by=wanted["split_by"], seed=wanted["split_seed"]
    )
    manifest.check_split(table, sides, by=wanted["split_by"])
    return sides.to_numpy()


def is_generated(path: Path | str) -> bool:
    """Whether a manifest's images are made from its sidecar's ``"generator"`` block."""
    path = Path(path)
    sidecar = path.with_suffix(".json")
    if not (path.is_file() and sidecar.is_file()):
        return False
    try:
        return bool(json.loads(sidecar.read_text(encoding="utf-8")).get("generator"))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        return False  # reading the manifest says what is wrong with it


def begin(name: str, namespace: Mapping) -> Session:
    """Open the run of a notebook.

    A run that was killed half-way is taken up again where parameters, code and cohort are the
    same, so that training resumes; anything else begins in an empty folder. An earlier complete
    result stays until the new one is complete. From here on pandas shows tables whole.

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
    folder = _folder(root, name, parameters)
    code = fingerprint(notebook).encode()
    data = _cohort_stamp(root, parameters)
    run = runs.start(folder, _result_parameters(parameters), overwrite=True)
    begun = {STAMP: code, DATA_STAMP: data}
    differs = [
        name
        for name, now in begun.items()
        if (run.folder / name).is_file() and (run.folder / name).read_bytes() != now
    ]
    if differs:  # begun with other code or other images: not to be resumed
        shutil.rmtree(run.folder)
        run = runs.start(folder, _result_parameters(parameters), overwrite=True)
    for name, now in begun.items():
        run.write_bytes(name, now)
    return Session(run=run, root=root, notebook=notebook, parameters=parameters)


def _show_whole_tables() -> None:
    """Let pandas cut no cell, row or column of what the notebook shows."""
    for what in ("max_colwidth", "max_rows", "max_columns"):
        pd.set_option(f"display.{what}", None)


def _cohort_stamp(root: Path, parameters: Mapping) -> bytes:
    """Digest of the cohort that a run begins with; empty where it has none that can be read."""
    manifest_path = root / str(parameters.get("manifest_path") or "")
    return cohort_digest(manifest_path).encode() if manifest_path.is_file() else b""


def _folder(root: Path, name: str, parameters: Mapping) -> Path:
    if parameters.get("run_folder"):
        return root / parameters["run_folder"]
    experiment = name.split("_", 1)[1]
    profile = parameters.get("profile", "quick")
    return root / "runs" / profile / experiment / runs.run_id(_result_parameters(parameters))


def _result_parameters(parameters: Mapping) -> dict:
    return {k: v for k, v in parameters.items() if k not in PLACES}


def results_digest(folder: Path | str) -> str:
    """SHA-256 over the checksums of a run's results, without what tells of the circumstances."""
    complete = runs.read(folder).read_json("complete.json")
    files = {k: v for k, v in complete["files"].items() if k not in CIRCUMSTANCES}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def staleness(
    folder: Path | str, parameters: Mapping | None = None, *, root: Path | None = None
) -> str | None:
    """Why a run cannot be used, in words; None if it is fresh.

    Parameters
    ----------
    folder : path
        The run folder.
    parameters : mapping, optional
        All parameters that the run should have been made with; without them any will do.
    root : path, optional
        Top folder of the checkout.

    Returns
    -------
    str or None
        That the run is incomplete, was made with other parameters, or that its code or an input
        changed since. Inputs that are runs are asked in turn, so that a change far upstream is
        found.
    """
    folder = Path(folder)
    root = root or project_root(folder if folder.exists() else None)
    try:
        run = runs.read(folder)
        record = run.read_json("inputs.json")
    except (RunError, OSError) as error:
        return f"not a complete run ({error})"
    if parameters is not None:
        wanted = json.loads(json.dumps(_result_parameters(parameters)))
        if differing := _differences(run.parameters, wanted):
            return f"it ran with other parameters: {differing}"
    notebook = root / "notebooks" / record["notebook"]
    if not notebook.is_file():
        return f"its notebook {record['notebook']} is gone"
    if fingerprint(notebook) != record["fingerprint"]:
        return f"the code of {record['notebook']} or of a module it uses changed since it ran"
    for name, entry in record["inputs"].items():
        path = root / name
        if not path.exists():
            return f"its input {name} is gone"
        if entry["kind"] == "run":
            if reason := staleness(path, root=root):
                return f"its input {name} is out of date: {reason}"
            now = results_digest(path)
        elif entry["kind"] == "file":
            now = runs.sha256(path)
        else:
            now = cohort_digest(path)
        if now != entry["sha256"]:
            return f"its input {name} changed since it ran"
    return None


def is_fresh(folder: Path | str, parameters: Mapping, *, root: Path | None = None) -> bool:
    """Whether a folder holds a complete, fresh result for these parameters."""
    return staleness(folder, parameters, root=root) is None


def _differences(found: Mapping, wanted: Mapping) -> str:
    """What differs between two sets of parameters; empty if nothing does."""
    names = [*wanted, *(k for k in found if k not in wanted)]
    differing = [k for k in names if k not in found or k not in wanted or found[k] != wanted[k]]
    marks = [[repr(d[k]) if k in d else "nothing" for d in (found, wanted)] for k in differing]
    return ", ".join(f"{k} was {a}, is {b}" for k, (a, b) in zip(differing, marks, strict=True))
