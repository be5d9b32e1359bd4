"""Label maps written as text, which have values and no geometry: that of their image is theirs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from paraspine.arrays import LabelError
from paraspine.volumes.grid import Volume
from paraspine.volumes.reading import _load, _reorient

__all__ = ["read_text_labels"]


def read_text_labels(path, image) -> Volume:
    """Read a label map that is written as text, onto the grid of its image.

    One whole number for each voxel in the order in which NIfTI stores them, the first axis
    fastest, as FSL's ``fsl2ascii`` writes and ``fslascii2img`` reads: a line for each row of
    voxels along the first axis, slice after slice, empty lines where one likes. All numbers may
    also stand in one line, or each in a line of its own. Spaces, tabs, commas and semicolons
    separate them.

    Parameters
    ----------
    path : str or Path
        The text.
    image : str or Path
        The image that was labelled; anything that `read` reads.

    Returns
    -------
    Volume
        Labels ``(D, H, W)``, uint8, on the grid on which `read` puts the image.

    Raises
    ------
    LabelError
        If the text holds something else than whole numbers of 0 to 255, or not as many as the
        image has voxels, or its lines are no rows of the image.
    ImageError
        If the image cannot be read.
    """
    path = Path(path)
    array, affine = _load(Path(image))
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
                    f"voxel of {Path(image).name}, found {word[:20]!r}."
                )
        if words:
            rows.append((number, [int(float(word)) for word in words]))
    values = [value for _, row in rows for value in row]
    words = " x ".join(map(str, shape))
    if len(values) != array.size:
        raise LabelError(
            f"{path}: expected {array.size} numbers, one for each voxel of {Path(image).name} "
            f"({words}), found {len(values)}."
        )
    widths = {len(row) for _, row in rows}
    if widths not in ({shape[0]}, {1}, {array.size}):
        number, row = next((n, r) for n, r in rows if len(r) != shape[0])
        raise LabelError(
            f"{path}, line {number}: expected a row of {shape[0]} numbers, along the first axis of "
            f"{Path(image).name} ({words}), found {len(row)}. Write the rows along that axis, or "
            "convert the label map to NIfTI."
        )
    labels = np.array(values, dtype=np.uint8).reshape(shape, order="F")
    return _reorient(labels, affine, path)
