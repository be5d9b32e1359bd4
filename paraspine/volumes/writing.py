"""Write volumes atomically; the same volume always gives the same bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from paraspine.arrays import GeometryError, ImageError
from paraspine.storage import atomic, write_bytes
from paraspine.volumes.grid import Volume

__all__ = ["WRITABLE", "write"]

#: Suffixes that `write` knows.
WRITABLE = (".nii", ".nii.gz", ".nrrd", ".mha")


def write(path, volume: Volume) -> Path:
    """Write a volume as NIfTI, NRRD or MetaImage, chosen by the path's suffix.

    The file appears under its name only when it is complete; missing folders are made. Compressed
    files carry no time stamp, so the same volume gives the same bytes.

    Parameters
    ----------
    path : str or Path
        Ends in one of `WRITABLE`.
    volume : Volume
        What to write. Booleans are written as uint8 and float16 as float32; 64-bit integers become
        32-bit ones where the values allow, since many viewers know no others.

    Returns
    -------
    Path
        The path, as given.

    Raises
    ------
    ImageError
        If the suffix is unknown or the values do not fit the format.
    GeometryError
        If the format cannot hold the affine (NRRD and MetaImage are written with right angles).
    """
    path = Path(path)
    name = path.name.lower()
    if not name.endswith(WRITABLE):
        raise ImageError(
            f"{path}: expected a name that ends in one of {', '.join(WRITABLE)} to write to."
        )
    array = _portable(volume.array, path)
    if name.endswith((".nii", ".nii.gz")):
        data = _nifti(array, volume)
        if name.endswith(".gz"):
            data = gzip.compress(data, compresslevel=6, mtime=0)
        return write_bytes(path, data)
    return _write_simpleitk(path, array, volume)


def _portable(array: np.ndarray, path: Path) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype in (np.int64, np.uint64):
        low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
        if low >= -(2**31) and high < 2**31:
            return array.astype(np.int32)
        raise ImageError(f"{path}: expected whole numbers below 2^31, got {low} to {high}.")
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise ImageError(f"{path}: expected numbers, got dtype {array.dtype}.")
    return array


def _nifti(array: np.ndarray, volume: Volume) -> bytes:
    import nibabel

    affine = volume.affine[:, [2, 1, 0, 3]]
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1, strip_shears=True)
    return image.to_bytes()


def _write_simpleitk(path: Path, array: np.ndarray, volume: Volume) -> Path:
    import SimpleITK as sitk

    spacing = np.array(volume.spacing)
    direction = (volume.affine[:3, :3] / spacing)[:, ::-1] * np.array([[-1], [-1], [1]])
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-4):
        raise GeometryError(
            f"{path}: the axes of this volume are not at right angles, which this format is not "
            "written with; write .nii.gz instead, or resample it first."
        )
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(tuple(float(s) for s in spacing[::-1]))
    image.SetDirection(tuple(float(d) for d in direction.ravel()))
    image.SetOrigin(tuple(float(o) for o in volume.affine[:3, 3] * (-1, -1, 1)))
    with atomic(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)
    return path
