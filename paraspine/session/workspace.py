"""Folders of runs: which workspace below ``runs/`` a profile and a cohort have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from paraspine import runs
from paraspine.manifest import sidecar

__all__ = [
    "PLACES",
    "is_generated",
    "read_sidecar",
    "result_parameters",
    "run_folder",
    "slug",
    "workspace_of",
]

#: Parameters that say where a result lies, not what it is.
PLACES = ("run_folder",)


#: The cohort of the project itself; its workspace has the profile's name alone.
DEFAULT = "data_manifest.csv"


def slug(text: str) -> str:
    """Words fit for a file's name: lower case, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "cohort"


def read_sidecar(manifest: Path | str) -> dict:
    """Block of the JSON file beside a manifest; empty where there is none that can be read.

    ``paraspine check`` reports what is wrong with it.
    """
    path = Path(manifest).with_suffix(".json")
    try:
        block = sidecar.parse(path)
        return block | {"parameters": dict(block.get("parameters", {}))}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def is_generated(path: Path | str) -> bool:
    """Say whether a manifest's images are made from its sidecar's ``"generator"`` block."""
    return Path(path).is_file() and bool(read_sidecar(path).get("generator"))


def cohort_name(manifest: Path | str) -> str:
    """Name of a manifest's cohort: as its sidecar says, or else its folder's."""
    return str(read_sidecar(manifest).get("name", "")) or Path(manifest).parent.name


def workspace_of(root: Path, profile: str, manifest: str = DEFAULT) -> str:
    """Folder below ``runs/``: the profile's name, with the cohort's where it is not the default.

    Parameters
    ----------
    root : Path
        Top folder of the checkout.
    profile : str
        Name of a file in ``profiles/``, without ``.yaml``.
    manifest : str
        Path of the manifest, relative to the top folder or absolute.
    """
    path = root / manifest
    if path.resolve() == (root / DEFAULT).resolve():
        return profile
    return f"{profile}-{slug(cohort_name(path))}"


def run_folder(root: Path, name: str, parameters: Mapping) -> Path:
    """Folder of a notebook's run: the one that its parameters give, or else named after them."""
    if parameters.get("run_folder"):
        return root / parameters["run_folder"]
    profile, manifest = (parameters.get(k) for k in ("profile", "manifest_path"))
    workspace = workspace_of(root, profile or "quick", manifest or DEFAULT)
    experiment = name.split("_", 1)[1]
    return root / "runs" / workspace / experiment / runs.run_id(result_parameters(parameters))


def result_parameters(parameters: Mapping) -> dict:
    """Parameters without those that say where the result lies."""
    return {k: v for k, v in parameters.items() if k not in PLACES}
