"""Content-addressed cache of a cohort and its preprocessed slices."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from paraspine import manifest, preprocess, slices, storage
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
    recipe = {"code": _code("manifest"), "cohort": cohort_digest(path)}

    def load(kept: dict) -> manifest.Cohort:
        notes = tuple(kept["notes"].tolist())
        return replace(manifest.read(path, check_files=False), notes=notes)

    return storage.cached(
        folder,
        recipe,
        lambda: manifest.read(path),
        save=lambda cohort: {"notes": np.array(cohort.notes, dtype=str)},
        load=load,
        most=KEPT,
    )


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
    recipe = {
        "code": _code("slices"),
        "cohort": cohort_digest(cohort.path),
        "table": cohort.table.to_csv(index=True),
        "size": max_size,
        "settings": asdict(settings),
    }

    def make() -> slices.Slices:
        grid = slices.common_grid(cohort, max_size, multiple=16)
        return slices.load(cohort, **grid, preprocessing=settings, cache=cleaned)

    def save(found: slices.Slices) -> dict[str, np.ndarray] | None:
        small = found.images.nbytes + found.labels.nbytes <= LARGEST
        return _packed(found) if small else None

    return storage.cached(
        folder, recipe, make, save=save, load=lambda kept: _unpacked(kept, cohort), most=KEPT
    )


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


def _unpacked(kept: dict[str, np.ndarray], cohort: manifest.Cohort) -> slices.Slices:
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


@cache
def _code(room: str) -> list:
    return [room_fingerprint(room), {name: version(name) for name in LIBRARIES}]
