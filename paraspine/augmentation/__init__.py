"""Random image transformations for training and test-time augmentation: draw, apply, invert.

`draw` makes the random numbers of a batch, `apply` transforms its images with one interpolation,
`apply_labels`, `apply_soft` and `apply_maps` do the same to its targets, and `invert` brings
predicted probabilities back to the grid of the original image and says which pixels were seen.

All geometry happens in pixels (or millimetres, where a spacing is given), never in coordinates
scaled to the image side, so that a rotation stays a rotation in images that are not square.
"""

from paraspine.augmentation.parameters import Parameters, draw, fixed
from paraspine.augmentation.settings import (
    Augmentation,
    check_invertible,
    check_mirror,
    of_training,
)
from paraspine.augmentation.transform import (
    apply,
    apply_labels,
    apply_maps,
    apply_soft,
    invert,
    mirror,
)

__all__ = [
    "Augmentation",
    "Parameters",
    "apply",
    "apply_labels",
    "apply_maps",
    "apply_soft",
    "check_invertible",
    "check_mirror",
    "draw",
    "fixed",
    "invert",
    "mirror",
    "of_training",
]
