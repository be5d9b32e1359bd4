"""Image files as arrays with a spacing and a place: read, write, compare, resample.

Images are ``(D, H, W)`` in LPS order: rows run to posterior, columns to the patient's left, slices
to superior, so ``array[k]`` with row 0 on top is the view a radiologist reads. A single slice has
``D = 1``. Files are turned into that order by swapping and flipping axes, never by interpolation.
"""

from paraspine.volumes.grid import Grid, Volume, checksum, from_array, geometry_difference
from paraspine.volumes.reading import READABLE, read, read_labels
from paraspine.volumes.resampling import (
    labels_onto,
    probabilities_onto,
    resample,
    resample_grid,
    resample_labels,
    resample_onto,
)
from paraspine.volumes.text import read_text_labels
from paraspine.volumes.writing import WRITABLE, write

__all__ = [
    "READABLE",
    "WRITABLE",
    "Grid",
    "Volume",
    "checksum",
    "from_array",
    "geometry_difference",
    "labels_onto",
    "probabilities_onto",
    "read",
    "read_labels",
    "read_text_labels",
    "resample",
    "resample_grid",
    "resample_labels",
    "resample_onto",
    "write",
]
