"""Read label maps written as text, on the grid of their image."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from paraspine.arrays import LabelError
from paraspine.volumes.grid import Volume
from paraspine.volumes.reading import _load, _reorient, read_labels

__all__ = ["read_text_labels"]


def read_text_labels(path, image, other=None) -> Volume:
    """Read a label map that is written as text, onto the grid of its image.

    One whole number for each voxel in the order in which the image's file stores them, the first
    axis fastest: a line for each row of voxels along the first axis, slice after slice, with empty
    lines where one likes. Spaces, tabs, commas and semicolons separate the numbers.

    Parameters
    ----------
    path : str or Path
        The text.
    image : str or Path
        The image that was labelled; anything that `read` reads.
    other : str or Path, optional
        A label map of the same image by another rater. Nothing in a text says in which direction
        its rows and lines run, but a text that agrees better with this one when its slices are
        mirrored or turned is refused. On another grid than the image's it is not asked.

    Returns
    -------
    Volume
        Labels ``(D, H, W)``, uint8, on the grid on which `read` puts the image.

    Raises
    ------
    LabelError
        If the text holds something else than whole numbers of 0 to 255, or not as many as the
        image has voxels, or its lines are no rows of the image or in another order.
    ImageError
        If the image or `other` cannot be read.
    """
    path = Path(path)
    labels, affine = _stored(path, Path(image))
    found = _reorient(labels, affine, path)
    if other is not None:
        known = read_labels(other).array
        if known.shape == found.array.shape:
            shared = {
                what: _shared(_reorient(turned, affine, path).array, known)
                for what, turned in _turned(labels).items()
            }
            best = max(shared, key=shared.get)
            if shared[best] > _shared(found.array, known):
                raise LabelError(
                    f"{path}: agrees better with {Path(other).name} when {best}. Write it in the "
                    "order of the image's file, first axis fastest, or as NIfTI."
                )
    return found


def _turned(labels: np.ndarray) -> dict[str, np.ndarray]:
    """The other orders in which a slice's labels ``(i, j, k)`` may have been written, in words."""
    turned = {
        "every row is read backwards": labels[::-1],
        "the rows of a slice are read backwards": labels[:, ::-1],
        "rows, and the numbers in them, are read backwards": labels[::-1, ::-1],
    }
    if labels.shape[0] == labels.shape[1]:
        across = labels.swapaxes(0, 1)
        words = "rows and columns are exchanged"
        turned |= {
            words: across,
            f"{words} and rows read backwards": across[::-1],
            f"{words} and columns read backwards": across[:, ::-1],
            f"{words} and both read backwards": across[::-1, ::-1],
        }
    return turned


def _shared(labels: np.ndarray, known: np.ndarray) -> int:
    """Voxels outside the background that two label maps give the same class."""
    return int(((labels == known) & (labels > 0)).sum())


def _stored(path: Path, image: Path) -> tuple[np.ndarray, np.ndarray]:
    """Labels in the order of the image's file (i, j, k), and its affine."""
    array, affine = _load(image)
    shape = array.shape
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: cannot be read as text ({error}).") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        words = [word for word in re.split(r"[\s,;]+", line) if word]
        for word in words:
            if not re.fullmatch(r"\d{1,3}(\.0*)?", word) or float(word) > 255:
                raise LabelError(
                    f"{path}, line {number}: expected whole numbers of 0 to 255, one for each "
                    f"voxel of {image.name}, found {word[:20]!r}."
                )
        if words:
            rows.append((number, [int(float(word)) for word in words]))
    values = [value for _, row in rows for value in row]
    words = " x ".join(map(str, shape))
    if len(values) != array.size:
        raise LabelError(
            f"{path}: expected {array.size} numbers, one for each voxel of {image.name} "
            f"({words}), found {len(values)}."
        )
    widths = {len(row) for _, row in rows}
    if widths != {shape[0]}:
        number, row = next((n, r) for n, r in rows if len(r) != shape[0])
        raise LabelError(
            f"{path}, line {number}: expected a row of {shape[0]} numbers, along the first axis of "
            f"{image.name} ({words}), found {len(row)}. Write the rows along that axis, or "
            "convert the label map to NIfTI."
        )
    return np.array(values, dtype=np.uint8).reshape(shape, order="F"), affine
