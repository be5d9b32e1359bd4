"""A cache of cleaned images, found by what they were made from rather than by name or date."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from paraspine.arrays import ImageError, ParaspineError
from paraspine.preprocess.settings import Preprocessing, clean, scaled
from paraspine.volumes import Volume, checksum, read, read_entry, write_entry

__all__ = ["ALGORITHM", "cached"]

#: Raised by hand whenever the same settings would give other numbers than before.
ALGORITHM = 1

#: Files whose voxels lie in a second file, so that their own bytes do not say what they show.
_DETACHED = (".mhd", ".nhdr", ".hdr", ".img", ".hdr.gz", ".img.gz")

_SCALING = ("intensity", "window", "percentiles")
_ONLY_DENOISING = ("sigma", "strength", "patch", "search", "rician", "across_slices")
_ONLY_BIAS = ("n4_shrink", "n4_iterations")


@lru_cache(maxsize=1)
def _libraries() -> dict[str, str]:
    names = ("numpy", "scipy", "scikit-image", "SimpleITK", "nibabel")
    return {name: version(name) for name in names}


def _file_checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(path: Path) -> str:
    """Return a checksum of the image: its file's bytes, or a folder's, or else its voxels."""
    if path.is_dir():
        parts = [f"{p.name} {_file_checksum(p)}" for p in sorted(path.iterdir()) if p.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    if path.name.lower().endswith(_DETACHED):
        volume = read(path)
        place = np.asarray(volume.affine, dtype="<f8").tobytes()
        return hashlib.sha256(checksum(volume).encode() + place).hexdigest()
    try:
        return _file_checksum(path)
    except OSError as error:
        raise ImageError(f"{path}: the image cannot be read: {error.strerror}.") from error


def key(path, settings: Preprocessing) -> str:
    """Return the name under which a cleaned image is kept.

    Made of the image's content, the settings that matter for cleaning, `ALGORITHM` and the
    versions of the libraries that do the work. Scaling happens after the cache, so that settings
    of it do not enter.
    """
    kept = asdict(settings)
    unused = [*_SCALING]
    unused += [] if settings.denoise else _ONLY_DENOISING
    unused += [] if settings.bias_correction else _ONLY_BIAS
    for name in unused:
        del kept[name]
    recipe = {
        "content": _content(Path(path)),
        "settings": kept,
        "algorithm": ALGORITHM,
        "libraries": _libraries(),
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _load(path: Path) -> Volume | None:
    """Read an entry; None where there is none, or where it is damaged."""
    if (entry := read_entry(path)) is None:
        return None
    try:
        array = entry["array"]
        volume = Volume(array, tuple(entry["spacing"].tolist()), entry["affine"])
    except (KeyError, TypeError, ValueError, ParaspineError):
        return None
    return volume if array.dtype == np.float32 and np.isfinite(array).all() else None


def _store(path: Path, volume: Volume) -> None:
    arrays = {
        "array": volume.array.astype(np.float32, copy=False),
        "spacing": np.asarray(volume.spacing),
        "affine": volume.affine,
    }
    write_entry(path, arrays)


def cached(path, settings: Preprocessing, cache_dir=None) -> Volume:
    """Read an image and preprocess it, or take it from the cache.

    Denoised and bias-corrected images are kept, before scaling; where the settings ask for
    neither, the image is read and scaled, which is as fast as a cache. Entries are written under a
    temporary name and renamed, so any number of processes may share a folder; a damaged entry is
    computed again and replaced. The folder may be deleted at any time.

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
    if cache_dir is None:
        return scaled(clean(read(path), settings), settings)
    name = key(path, settings)
    entry = Path(cache_dir) / name[:2] / f"{name}.npz"
    volume = _load(entry)
    if volume is None:
        volume = clean(read(path), settings)
        _store(entry, volume)
    return scaled(volume, settings)
