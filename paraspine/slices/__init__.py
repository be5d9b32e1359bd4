"""Images and label maps of a cohort in memory, slice by slice, and training targets.

`load` reads a cohort onto one grid; `targets` makes what a network is trained towards: a fusion of
the raters, or one rater drawn anew in every epoch. A rater who did not rate an image is marked as
such in `Slices.rated`; its label map there is empty and means nothing.
"""

from paraspine.slices.choosing import orders, spread, studied
from paraspine.slices.data import Slices
from paraspine.slices.grid import common_grid
from paraspine.slices.loading import load
from paraspine.slices.simulated import crowd, redrawn
from paraspine.slices.softened import SOFTNESS, SoftTargets, rated_for, training_targets
from paraspine.slices.targets import (
    FUSIONS,
    Targets,
    label_sets,
    soft,
    targets,
    vote,
)
from paraspine.slices.variances import variances

__all__ = [
    "FUSIONS",
    "SOFTNESS",
    "Slices",
    "SoftTargets",
    "Targets",
    "common_grid",
    "crowd",
    "label_sets",
    "load",
    "orders",
    "rated_for",
    "redrawn",
    "soft",
    "spread",
    "studied",
    "targets",
    "training_targets",
    "variances",
    "vote",
]
