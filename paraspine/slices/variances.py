"""Variance maps of slices: what the second head of a multi-task network is trained towards."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from paraspine import fusion, volumes
from paraspine.slices.data import Slices
from paraspine.slices.targets import label_sets

__all__ = ["variances"]

#: Raised by hand whenever the same labels would give other maps than before.
ALGORITHM = 1


def variances(slices: Slices, *, cache: Path | str | None = None) -> np.ndarray:
    """Return the variance map of each slice's raters, ``(N, C - 1, H, W)`` float32.

    As `paraspine.fusion.variance_map` gives it, of those who rated the slice, with distances in
    pixels of the slices' grid (roshanzamir2022). NaN in the slices that fewer than two raters
    rated: of one rater alone it is unknown, not 0, how far others would differ.

    Parameters
    ----------
    slices : Slices
        Label maps of their raters.
    cache : str or Path, optional
        Folder of the cache; made if missing. An entry is found by what it was made from: the label
        maps, the number of classes and the version of the library that measures distances. A
        damaged entry is computed again. None keeps nothing.
    """
    classes = slices.classes.num_classes
    shape = (len(slices), classes - 1, *slices.size)
    result = np.full(shape, np.nan, dtype=np.float32)
    for place, labels, who in label_sets(slices):
        if len(who) > 1:
            result[place] = _cached(np.ascontiguousarray(labels), classes, cache)
    return result


def _cached(labels: np.ndarray, classes: int, cache: Path | str | None) -> np.ndarray:
    """Variance map ``(C - 1, H, W)`` of label maps ``(R, H, W)``, from the cache if it is there."""
    if cache is None:
        return fusion.variance_map(labels, classes)
    name = _key(labels, classes)
    entry = Path(cache) / name[:2] / f"{name}.npz"
    found = _load(entry, (classes - 1, *labels.shape[1:]))
    if found is None:
        found = fusion.variance_map(labels, classes)
        volumes.write_entry(entry, {"variance": found}, compress=True)
    return found


def _key(labels: np.ndarray, classes: int) -> str:
    recipe = {
        "content": hashlib.sha256(labels.tobytes()).hexdigest(),
        "shape": labels.shape,
        "type": str(labels.dtype),
        "classes": classes,
        "algorithm": ALGORITHM,
        "library": version("scipy"),
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _load(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read an entry; None where there is none, or where it is damaged."""
    found = (volumes.read_entry(path) or {}).get("variance")
    if found is None:
        return None
    whole = found.dtype == np.float32 and found.shape == shape and bool((found >= 0).all())
    return found if whole else None
