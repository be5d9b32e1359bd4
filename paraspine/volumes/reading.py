"""Read image files into LPS order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paraspine.arrays import ImageError, LabelError, ParaspineError
from paraspine.volumes.grid import Volume
from paraspine.volumes.parts import refuse_elsewhere

__all__ = ["READABLE", "read", "read_labels"]

#: Suffixes that `read` knows, besides DICOM files and folders.
READABLE = (".nii", ".nii.gz", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd")

_NIBABEL = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
_SIMPLEITK = (".nrrd", ".nhdr", ".mha", ".mhd")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")
_DICOM = (".dcm", ".dicom", ".ima", "")


def read(path) -> Volume:
    """Read an image: NIfTI, NRRD, MetaImage, a DICOM file or the folder of one DICOM series.

    Axes are swapped and flipped into LPS order, without interpolation, by the axes' closest
    directions, so an oblique image stays on its own grid. NIfTI's sform is taken before its qform,
    and ``scl_slope`` and DICOM's rescale slope are applied.

    Parameters
    ----------
    path : str or Path
        File or DICOM folder.

    Returns
    -------
    Volume
        ``array`` float32 ``(D, H, W)``; a 2D file has ``D = 1``.

    Raises
    ------
    ImageError
        If the file is missing, damaged, not an image, has several components or time points, or
        states no spacing (PNG and the like).
    """
    array, affine = _load(Path(path))
    return _reorient(array.astype(np.float32, copy=False), affine, Path(path))


def read_labels(path) -> Volume:
    """Read a label map, as `read`, into the smallest integer dtype that holds its values.

    Raises
    ------
    ImageError
        As `read`.
    LabelError
        If values are fractions, NaN or infinite.
    """
    path = Path(path)
    array, affine = _load(path)
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if not (np.isfinite(array).all() and np.abs(array - whole).max(initial=0) < 1e-4):
            raise LabelError(
                f"{path}: expected a label map of whole numbers, found fractions or NaN. If it was "
                "interpolated, export it again with nearest-neighbour interpolation; if it is a "
                "probability map, threshold it first."
            )
        array = whole.astype(np.int64)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    dtype = next(
        d
        for d in (np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64)
        if np.iinfo(d).min <= low and high <= np.iinfo(d).max
    )
    return _reorient(array.astype(dtype), affine, path)


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Array in the file's own order (i, j, k) and its affine to RAS+."""
    name = path.name.lower()
    suffix = path.suffix.lower()
    if not path.exists():
        raise ImageError(f"{path}: no such file; check the path's spelling and the data root.")
    try:
        if path.is_dir():
            from paraspine.volumes import dicom

            array, affine = dicom.load_folder(path)
        elif path.stat().st_size == 0:
            raise ImageError(f"{path}: the file is empty; copy or export it again.")
        elif name.endswith(_NIBABEL):
            array, affine = _load_nibabel(path)
        elif suffix in _SIMPLEITK:
            array, affine = _load_simpleitk(path)
        elif suffix in _PICTURES:
            raise ImageError(
                f"{path}: a {suffix[1:].upper()} picture states no voxel spacing, which areas, "
                "distances and resampling need. Convert it once: volumes.write('name.nii.gz', "
                "volumes.from_array(array, spacing=(rows_mm, columns_mm)))."
            )
        elif _is_dicom(path) or (suffix in _DICOM and suffix):
            from paraspine.volumes import dicom

            array, affine = dicom.load_file(path)
        else:
            raise ImageError(
                f"{path}: not an image that can be read here; expected a DICOM file or folder, or "
                f"one of {', '.join(READABLE)}. Convert it first, for example with SimpleITK."
            )
    except ParaspineError:
        raise
    except PermissionError as error:
        raise ImageError(f"{path}: not allowed to read; change the file's permissions.") from error
    except Exception as error:  # nibabel and SimpleITK raise a dozen types for damaged files
        raise ImageError(
            f"{path}: cannot be read as an image ({_first_line(error)}). The file is damaged, cut "
            "short or not what its name says; open it in a viewer, or export it again."
        ) from error
    _check(array, affine, path)
    return array, affine


def _load_nibabel(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import nibabel

    image = nibabel.load(path, mmap=False)
    array = np.asanyarray(image.dataobj)
    if array.dtype.fields or array.dtype.kind == "c":
        raise ImageError(_components(path, "a colour or complex number", "in each voxel"))
    affine = np.array(image.affine, dtype=np.float64)
    units = getattr(image.header, "get_xyzt_units", lambda: ("unknown",))()[0]
    affine[:3] *= {"meter": 1000.0, "micron": 0.001}.get(units, 1.0)
    return _squeeze(array, path), affine


def _load_simpleitk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK as sitk

    if not _states_spacing(path):
        raise ImageError(
            f"{path}: the header states no voxel spacing, which areas, distances and resampling "
            "need; export it again with its spacing (NRRD 'space directions' or 'spacings', "
            "MetaImage 'ElementSpacing')."
        )
    refuse_elsewhere(path)
    return from_simpleitk(sitk.ReadImage(str(path)), path)


def from_simpleitk(image, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Array (i, j, k) and affine to RAS+ of a SimpleITK image of 2, 3 or 4 dimensions."""
    import SimpleITK as sitk

    if (components := image.GetNumberOfComponentsPerPixel()) != 1:
        raise ImageError(_components(path, f"{components} components", "in each voxel"))
    if image.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise ImageError(_components(path, "a complex number", "in each voxel"))
    ndim = image.GetDimension()
    direction = np.eye(3)
    spacing, origin = np.ones(3), np.zeros(3)
    n = min(ndim, 3)
    direction[:n, :n] = np.reshape(image.GetDirection(), (ndim, ndim))[:n, :n]
    spacing[:n], origin[:n] = image.GetSpacing()[:n], image.GetOrigin()[:n]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * spacing, origin
    array = _squeeze(sitk.GetArrayFromImage(image).T, path)
    return array, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _squeeze(array: np.ndarray, path: Path) -> np.ndarray:
    """Three axes: add missing ones, drop trailing ones of length 1."""
    if array.ndim < 2:
        raise ImageError(f"{path}: expected a 2D or 3D image, found shape {array.shape}.")
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim > 3:
        raise ImageError(_components(path, f"shape {array.shape}", "(time points or components)"))
    return array if array.ndim == 3 else array[..., None]


def _components(path, found: str, where: str) -> str:
    return (
        f"{path}: expected one number per voxel of a 2D or 3D image, found {found} {where}. "
        "Export each component or time point as a file of its own and name the one to use."
    )


def _states_spacing(path: Path) -> bool:
    """Whether a NRRD or MetaImage header says how large voxels are."""
    with path.open("rb") as file:
        head = file.read(65536).lower()
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        head = head.replace(b"\r\n", b"\n").split(b"\n\n")[0]
        return b"\nspacings:" in head or b"\nspace directions:" in head
    return b"elementspacing" in head or b"elementsize" in head


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1] if lines else type(error).__name__
    return text.removeprefix("sitk::ERROR: ").rstrip(".")


def _check(array: np.ndarray, affine: np.ndarray, path: Path) -> None:
    if array.size == 0:
        raise ImageError(f"{path}: expected voxels, found shape {array.shape}; export it again.")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if (
        not np.isfinite(affine).all()
        or (lengths <= 0).any()
        or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3
    ):
        raise ImageError(
            f"{path}: the header gives no usable voxel spacing and direction (affine "
            f"{np.round(affine[:3], 4).tolist()}); export it again from the original DICOM."
        )


def _reorient(array: np.ndarray, affine: np.ndarray, path: Path) -> Volume:
    """From the file's axes (i, j, k) to LPS and array order (k, j, i), without interpolation."""
    from nibabel import orientations

    start = orientations.io_orientation(affine)
    turn = orientations.ornt_transform(start, orientations.axcodes2ornt("LPS"))
    affine = affine @ orientations.inv_ornt_aff(turn, array.shape)
    array = orientations.apply_orientation(array, turn)
    affine = affine[:, [2, 1, 0, 3]]
    spacing = tuple(float(s) for s in np.linalg.norm(affine[:3, :3], axis=0))
    return Volume(np.ascontiguousarray(array.transpose(2, 1, 0)), spacing, affine)
