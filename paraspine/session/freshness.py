"""Freshness of a run: whether its parameters, its code and its inputs are still the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from paraspine import runs
from paraspine.arrays import RunError
from paraspine.session.digests import cohort_digest, fingerprint, project_root
from paraspine.session.workspace import result_parameters

__all__ = ["DATA_STAMP", "STAMP", "is_fresh", "results_digest", "staleness"]

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


def results_digest(folder: Path | str) -> str:
    """SHA-256 over the checksums of a run's results, without what tells of the circumstances."""
    complete = runs.read(folder).read_json("complete.json")
    files = {k: v for k, v in complete["files"].items() if k not in CIRCUMSTANCES}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def staleness(
    folder: Path | str, parameters: Mapping | None = None, *, root: Path | None = None
) -> str | None:
    """Reason why a run cannot be used, in words; None if it is fresh.

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
        wanted = json.loads(json.dumps(result_parameters(parameters)))
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
    """Say whether a folder holds a complete, fresh result for these parameters."""
    return staleness(folder, parameters, root=root) is None


def _differences(found: Mapping, wanted: Mapping) -> str:
    """Differences between two sets of parameters; empty if nothing does."""
    names = [*wanted, *(k for k in found if k not in wanted)]
    differing = [k for k in names if k not in found or k not in wanted or found[k] != wanted[k]]
    marks = [[repr(d[k]) if k in d else "nothing" for d in (found, wanted)] for k in differing]
    return ", ".join(f"{k} was {a}, is {b}" for k, (a, b) in zip(differing, marks, strict=True))
