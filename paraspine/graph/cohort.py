"""Facts of a manifest and its sidecar that a plan depends on."""

from __future__ import annotations

import json
from pathlib import Path

from paraspine.arrays import ManifestError, SettingsError
from paraspine.evidence.plan import CohortInfo
from paraspine.manifest.problem import error
from paraspine.manifest.tables import cells, rater_names
from paraspine.session.workspace import cohort_name, read_sidecar

__all__ = ["read_cohort_info", "refuse_taken"]


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


def read_cohort_info(path: Path) -> CohortInfo:
    """Read what a plan depends on of a manifest and its sidecar.

    Raises
    ------
    ManifestError
        If there is no such file or its text, header or rows can't be read. What else is wrong,
        and with its sidecar, is for ``paraspine check`` to report.
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
    table, _, found = cells(path)
    if found or table is None:
        raise error(path, found)
    raters = rater_names(table)
    rated = table[[f"rater_{r}" for r in raters]].notna().sum(axis=1)
    text = table.fillna("")
    block = read_sidecar(path)
    return CohortInfo(
        name=cohort_name(path),
        raters=tuple(raters),
        raters_of_an_image=int(rated.max()) if len(rated) else len(raters),
        subjects=text["subject"].nunique(),
        centers=tuple(text["center"]) if "center" in text else (),
        levels=tuple(dict.fromkeys(text["level"])) if "level" in text else ("",),
        own=block.get("parameters", {}),
        simulated=_draws_slices(block.get("generator")),
    )


def _draws_slices(generator) -> bool:
    if not isinstance(generator, dict):
        return False
    return generator.get("name") == "phantom" and generator.get("kind", "slices") == "slices"
