"""Which cohort a manifest holds, and the workspace below ``runs/`` that its book gets."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from paraspine.arrays import ManifestError, SettingsError

__all__ = ["read_header", "refuse_taken", "workspace_name"]


def workspace_name(profile: str, cohort: str) -> str:
    """Folder of a cohort's runs: the profile's name with the cohort's, fit for a file system."""
    slug = re.sub(r"[^a-z0-9]+", "-", cohort.lower()).strip("-") or "cohort"
    return f"{profile}-{slug}"


def refuse_taken(root: Path, workspace: str, manifest: str, cohort: str) -> None:
    """Refuse a cohort whose workspace holds the runs of another one with the same name."""
    record = root / "runs" / workspace / "cohort" / "cohort" / "parameters.json"
    try:
        other = json.loads(record.read_text(encoding="utf-8"))["manifest_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # nobody's, or not to be read: its runs are made anew
    if (root / other).is_file() and not (root / other).samefile(root / manifest):
        raise SettingsError(
            f"{manifest}: its cohort is called '{cohort}', and so is that of {other}, whose runs "
            f'lie in runs/{workspace}. Give this one another "name" in '
            f"{Path(manifest).with_suffix('.json').name}, or remove that folder."
        )


def read_header(path: Path) -> tuple[int, str, dict]:
    """How many raters a manifest has, what its cohort is called, and its own parameters.

    Raises
    ------
    ManifestError
        If there is no such file or it cannot be read. What else is wrong, and with its sidecar,
        is for ``paraspine check`` to report.
    """
    example = "for example MANIFEST=my/data_manifest.csv"
    if path.is_dir():
        inside = ", ".join(sorted(p.name for p in path.glob("*.csv"))) or "none"
        raise ManifestError(
            f"{path}: a folder; name the manifest itself, a CSV file ({example}). CSV files in "
            f"this folder: {inside}."
        )
    if not path.exists():
        raise ManifestError(
            f"{path}: there is no such manifest; check the spelling, and give its path relative to "
            f"the top folder or from the root ({example})."
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest ({error}).") from error
    sidecar = path.with_suffix(".json")
    try:
        block = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else {}
        name, own = str(block.get("name", "")), dict(block.get("parameters", {}))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        name, own = "", {}  # `paraspine check` reports what is wrong with the sidecar
    return sum(c.startswith("rater_") for c in header), name or path.parent.name, own
