"""Variance maps of slices: targets of the multi-task networks' second head."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

from paraspine import fusion, storage
from paraspine.slices.data import Slices
from paraspine.slices.targets import label_sets

__all__ = ["variances"]

#: Cache version: increase when the same labels give other maps than before.
CACHE_VERSION = 1


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
        Folder of the cache, see `storage.cached`; None keeps nothing.
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
    recipe = {
        "content": hashlib.sha256(labels.tobytes()).hexdigest(),
        "shape": labels.shape,
        "classes": classes,
        "version": CACHE_VERSION,
        "library": version("scipy"),
    }

    def load(arrays: dict[str, np.ndarray]) -> np.ndarray:
        found = arrays["variance"]
        whole = found.dtype == np.float32 and found.shape == (classes - 1, *labels.shape[1:])
        if not whole or not (found >= 0).all():
            raise ValueError("expected a variance map of these label maps")
        return found

    return storage.cached(
        cache,
        recipe,
        lambda: fusion.variance_map(labels, classes),
        save=lambda found: {"variance": found},
        load=load,
        compress=True,
    )
