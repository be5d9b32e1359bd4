"""Which cohort a manifest holds, and the workspace below ``runs/`` that its book gets."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

from paraspine.arrays import ManifestError, SettingsError

__all__ = ["workspace_name", "slug", "refuse_taken", "Header", "read_header"]


def workspace_name(profile: str, cohort: str) -> str:
    """Folder of a cohort's runs: the profile's name with the cohort's, fit for a file system."""
    return f"{profile}-{slug(cohort)}"


def slug(text: str) -> str:
    """Words fit for a file's name: lower case, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "cohort"


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


@dataclass(frozen=True)
class Header:
    """What a manifest and its sidecar say of a cohort before anything is checked.

    Attributes
    ----------
    name : str
        What the cohort is called.
    raters : tuple of str
        Names, in the order of the columns.
    raters_of_an_image : int
        Most raters of one image; the number of raters where the manifest has no row.
    subjects : int
        Different subjects; 0 where the manifest has no row.
    centers : tuple of str
        The centre of each image; empty without such a column.
    own : dict
        The cohort's own parameters.
    simulated : bool
        Whether it is one of slices that the phantom draws.
    """

    name: str
    raters: tuple[str, ...]
    raters_of_an_image: int
    subjects: int
    centers: tuple[str, ...]
    own: dict
    simulated: bool


def read_header(path: Path) -> Header:
    """Read what a plan depends on of a manifest and its sidecar.

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
            reader = csv.DictReader(file, restval="")
            header, rows = list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: cannot be read as a manifest ({error}).") from error
    columns = [c for c in header if c.startswith("rater_")]
    counts = [sum(bool(row[c].strip()) for c in columns) for row in rows]
    block = _sidecar(path.with_suffix(".json"))
    return Header(
        name=str(block.get("name", "")) or path.parent.name,
        raters=tuple(c.removeprefix("rater_") for c in columns),
        raters_of_an_image=max(counts, default=len(columns)),
        subjects=len({row.get("subject", "") for row in rows}),
        centers=tuple(row["center"] for row in rows) if "center" in header else (),
        own=block.get("parameters", {}),
        simulated=_draws_slices(block.get("generator")),
    )


def _sidecar(path: Path) -> dict:
    """The sidecar's block; empty where it is none: `paraspine check` reports what is wrong."""
    try:
        block = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return block | {"parameters": dict(block.get("parameters", {}))}
    except (ValueError, AttributeError, TypeError):
        return {}


def _draws_slices(generator) -> bool:
    if not isinstance(generator, dict):
        return False
    return generator.get("name") == "phantom" and generator.get("kind", "slices") == "slices"
