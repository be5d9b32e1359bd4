"""What every notebook of a book reads anew, kept by content: the cohort as slices in memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from paraspine import manifest, preprocess, slices, volumes
from paraspine.session.digests import cohort_digest, room_fingerprint

__all__ = ["KEPT", "read_cohort", "load_slices"]

#: Entries of each kind that stay; those that were not used for longest go first.
KEPT = 6


#: A cohort that takes more memory is read from its files each time.
LARGEST = 2**30


LIBRARIES = ("numpy", "pandas", "scipy", "scikit-image", "SimpleITK", "nibabel")


def read_cohort(path: Path, folder: Path) -> manifest.Cohort:
    """Read a manifest; check its files only where their content was not found good before.

    Parameters
    ----------
    path : Path
        The manifest.
    folder : Path
        Where is kept what was found good; may be deleted at any time.
    """
    if not path.is_file():
        return manifest.read(path)  # says what is missing
    entry = folder / f"{_key('manifest', cohort_digest(path))}.json"
    try:
        notes = tuple(json.loads(entry.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        cohort = manifest.read(path)
        volumes.write_bytes(entry, json.dumps(cohort.notes).encode())
        _let_go(entry)
        return cohort
    _used(entry)
    return replace(manifest.read(path, check_files=False), notes=notes)


def load_slices(
    cohort: manifest.Cohort,
    max_size: int,
    settings: preprocess.Preprocessing,
    folder: Path,
    cleaned: Path,
) -> slices.Slices:
    """Bring a cohort onto its common grid, or take the slices as they were kept.

    Parameters
    ----------
    cohort : manifest.Cohort
        As `read_cohort` gives it, or some rows of it.
    max_size : int
        As for `paraspine.slices.common_grid`.
    settings : preprocess.Preprocessing
        What is done to the images.
    folder : Path
        Where slices are kept, under a name made of the files' content, the settings, the code
        that reads and the versions of its libraries; may be deleted at any time.
    cleaned : Path
        Cache of denoised and bias-corrected images.
    """
    table = cohort.table.to_csv(index=True)
    recipe = [cohort_digest(cohort.path), table, max_size, asdict(settings)]
    entry = folder / f"{_key('slices', *recipe)}.npz"
    if (found := _read(entry, cohort)) is not None:
        _used(entry)
        return found
    grid = slices.common_grid(cohort, max_size, multiple=16)
    found = slices.load(cohort, **grid, preprocessing=settings, cache=cleaned)
    if found.images.nbytes + found.labels.nbytes <= LARGEST:
        volumes.write_entry(entry, _packed(found))
        _let_go(entry)
    return found


def _packed(found: slices.Slices) -> dict[str, np.ndarray]:
    table = io.BytesIO()
    found.table.to_parquet(table)
    return {
        "images": found.images,
        "labels": found.labels,
        "rated": found.rated,
        "spacing": np.array(found.spacing),
        "table": np.frombuffer(table.getvalue(), np.uint8),
    }


def _read(entry: Path, cohort: manifest.Cohort) -> slices.Slices | None:
    """Slices as they were kept; None where there are none, or where the file is damaged."""
    if (kept := volumes.read_entry(entry)) is None:
        return None
    try:
        return slices.Slices(
            images=kept["images"],
            labels=kept["labels"],
            rated=kept["rated"],
            table=pd.read_parquet(io.BytesIO(kept["table"].tobytes())),
            classes=cohort.classes,
            raters=cohort.raters,
            spacing=tuple(kept["spacing"].tolist()),
            source=cohort.source,
            synthetic=cohort.synthetic,
        )
    except (ValueError, KeyError):
        return None


def _key(room: str, *recipe) -> str:
    text = json.dumps([_code(room), *recipe], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _code(room: str) -> list:
    return [room_fingerprint(room), {name: version(name) for name in LIBRARIES}]


def _let_go(entry: Path) -> None:
    """After a new entry: remove those of its kind that were not used for longest."""
    others = [p for p in entry.parent.glob(f"*{entry.suffix}") if not p.name.startswith(".")]
    for old in sorted(others, key=_age, reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _used(entry: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(entry)
