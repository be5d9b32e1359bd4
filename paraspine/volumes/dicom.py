"""DICOM files and series through SimpleITK's GDCM reader."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np

from paraspine.arrays import ImageError
from paraspine.volumes.reading import from_simpleitk

__all__ = ["load_file", "load_folder"]

_POSITION, _ORIENTATION = "0020|0032", "0020|0037"
_DESCRIPTION, _NUMBER = "0008|103e", "0020|0011"

_LOCK = threading.Lock()


def load_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Array (i, j, k) and RAS+ affine of one DICOM file, a slice or a multi-frame volume."""
    import SimpleITK as sitk

    return from_simpleitk(sitk.ReadImage(str(path), imageIO="GDCMImageIO"), path)


def load_folder(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Array (i, j, k) and RAS+ affine of the one DICOM series in a folder.

    Slices are sorted by their position along the slice normal, and the step between them is taken
    from the positions, so that a series with a tilted gantry is placed rightly too.
    """
    import SimpleITK as sitk

    with _quiet():
        series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(path))
    if not series:
        raise ImageError(
            f"{path}: the folder holds no DICOM series; name the folder in which the slices lie, "
            "or the image file itself."
        )
    files = {s: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path), s) for s in series}
    if len(series) > 1:
        listed = "; ".join(_describe(s, files[s]) for s in series)
        raise ImageError(
            f"{path}: expected one DICOM series, found {len(series)}: {listed}. Put each series "
            "into a folder of its own."
        )
    names = list(files[series[0]])
    if len(names) == 1:
        return load_file(Path(names[0]))
    names, step = _sort(path, names)
    image = sitk.ReadImage(names, imageIO="GDCMImageIO")
    first = _information(names[0])
    array, affine = from_simpleitk(image, path)
    affine[:3, 2] = step * (-1, -1, 1)
    affine[:3, 3] = _numbers(first, _POSITION, 3) * (-1, -1, 1)
    return array, affine


@contextlib.contextmanager
def _quiet():
    """Without ITK's own words on the terminal, for what is reported as an error anyway."""
    import SimpleITK as sitk

    with _LOCK:
        before = sitk.ProcessObject.GetGlobalWarningDisplay()
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        try:
            yield
        finally:
            sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _sort(path: Path, names: list[str]) -> tuple[list[str], np.ndarray]:
    """File names along the slice normal, and the step (mm, LPS) from slice to slice."""
    headers = [_information(n) for n in names]
    if missing := [n for n, h in zip(names, headers, strict=True) if _POSITION not in h]:
        raise ImageError(
            f"{path}: {len(missing)} of {len(names)} slices state no position, the first is "
            f"{Path(missing[0]).name}; remove what is not a slice of the series."
        )
    axes = np.array([_numbers(h, _ORIENTATION, 6) for h in headers])
    if np.abs(axes - axes[0]).max() > 1e-3:
        groups = len(np.unique(np.round(axes, 2), axis=0))
        raise ImageError(
            f"{path}: the slices of this series lie in {groups} different directions (several "
            "stacks in one series); put each stack, or each slice, into an image of its own."
        )
    positions = np.array([_numbers(h, _POSITION, 3) for h in headers])
    along = positions @ np.cross(axes[0, :3], axes[0, 3:])
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    usual = float(np.median(steps))
    if steps.min() < 1e-3:
        twins = [Path(names[order[i]]).name for i in (steps.argmin(), steps.argmin() + 1)]
        raise ImageError(
            f"{path}: several slices at the same position, such as {twins[0]} and {twins[1]} "
            "(echoes, time points or water and fat in one series); keep one kind in the folder."
        )
    if np.abs(steps - usual).max() > max(0.05 * usual, 0.01):
        where = int(np.abs(steps - usual).argmax())
        before, after = (Path(names[order[i]]).name for i in (where, where + 1))
        raise ImageError(
            f"{path}: slices are usually {usual:.3g} mm apart, but {before} and {after} are "
            f"{steps[where]:.3g} mm apart; a slice is missing, or there are several stacks."
        )
    step = (positions[order[-1]] - positions[order[0]]) / (len(names) - 1)
    return [names[i] for i in order], step


def _information(name: str) -> dict[str, str]:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(name))
    reader.ReadImageInformation()
    return {k: reader.GetMetaData(k) for k in reader.GetMetaDataKeys()}


def _numbers(header: dict[str, str], key: str, count: int) -> np.ndarray:
    values = [float(v) for v in header.get(key, "").split("\\") if v.strip()]
    if len(values) != count:
        raise ImageError(f"DICOM tag {key}: expected {count} numbers, found {values}.")
    return np.array(values)


def _describe(series: str, names) -> str:
    header = _information(names[0])
    words = [header.get(k, "").strip() for k in (_NUMBER, _DESCRIPTION)]
    title = " ".join(w for w in words if w) or "no description"
    return f"{title} ({len(names)} files, {series})"
