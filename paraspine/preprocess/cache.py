"""Content-addressed cache of denoised and bias-corrected images."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from paraspine import storage
from paraspine.arrays import ImageError
from paraspine.preprocess.settings import Preprocessing, clean, scaled
from paraspine.volumes import Volume, checksum, read

__all__ = ["CACHE_VERSION", "cached"]

#: Cache version: increase when the same settings give other numbers than before.
CACHE_VERSION = 1

#: Files whose voxels lie in a second file, so that their own bytes do not say what they show.
_DETACHED = (".mhd", ".nhdr", ".hdr", ".img", ".hdr.gz", ".img.gz")

_SCALING = ("intensity", "window", "percentiles")
_ONLY_DENOISING = ("sigma", "strength", "patch", "search", "rician", "across_slices")
_ONLY_BIAS = ("n4_shrink", "n4_iterations")


@lru_cache(maxsize=1)
def _libraries() -> dict[str, str]:
    names = ("numpy", "scipy", "scikit-image", "SimpleITK", "nibabel")
    return {name: version(name) for name in names}


def _content(path: Path) -> str:
    """Return a checksum of the image: its file's bytes, or a folder's, or else its voxels."""
    if path.is_dir():
        parts = [f"{p.name} {storage.sha256(p)}" for p in sorted(path.iterdir()) if p.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    if path.name.lower().endswith(_DETACHED):
        volume = read(path)
        place = np.asarray(volume.affine, dtype="<f8").tobytes()
        return hashlib.sha256(checksum(volume).encode() + place).hexdigest()
    try:
        return storage.sha256(path)
    except OSError as error:
        raise ImageError(f"{path}: the image cannot be read: {error.strerror}.") from error


def recipe(path, settings: Preprocessing) -> dict:
    """All that a cleaned image depends on.

    The image's content, the settings that matter for cleaning, `CACHE_VERSION` and the versions of
    the libraries that do the work. Scaling happens after the cache, so its settings do not enter.
    """
    kept = asdict(settings)
    unused = [*_SCALING]
    unused += [] if settings.denoise else _ONLY_DENOISING
    unused += [] if settings.bias_correction else _ONLY_BIAS
    for name in unused:
        del kept[name]
    return {
        "content": _content(Path(path)),
        "settings": kept,
        "version": CACHE_VERSION,
        "libraries": _libraries(),
    }


def _save(volume: Volume) -> dict[str, np.ndarray]:
    return {
        "array": volume.array.astype(np.float32, copy=False),
        "spacing": np.asarray(volume.spacing),
        "affine": volume.affine,
    }


def _load(arrays: dict[str, np.ndarray]) -> Volume:
    array = arrays["array"]
    if array.dtype != np.float32 or not np.isfinite(array).all():
        raise ValueError("expected finite intensities")
    return Volume(array, tuple(arrays["spacing"].tolist()), arrays["affine"])


def cached(path, settings: Preprocessing, cache_dir=None) -> Volume:
    """Read an image and preprocess it, or take it from the cache.

    Denoised and bias-corrected images are kept, before scaling; where the settings ask for
    neither, the image is read and scaled, which is as fast as a cache. See `storage.cached`.

    Parameters
    ----------
    path : str or Path
        Image file or DICOM folder, as `paraspine.volumes.read` takes it.
    settings : Preprocessing
        What to do.
    cache_dir : str or Path, optional
        Folder of the cache; made if missing. None keeps nothing.

    Returns
    -------
    Volume
        As `paraspine.preprocess.apply` gives it.
    """
    if not settings.cleans:
        return scaled(read(path), settings)

    def make() -> Volume:
        return clean(read(path), settings)

    if cache_dir is None:
        return scaled(make(), settings)
    volume = storage.cached(cache_dir, recipe(path, settings), make, save=_save, load=_load)
    return scaled(volume, settings)
