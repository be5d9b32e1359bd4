"""Manifests: a CSV with one row per image, checked before anything is computed.

Columns: ``subject``, ``image``, any number of ``rater_<name>`` (a label map's path), and
optionally ``level``, ``session``, ``sex``, ``age``, ``center``, ``fat``, ``sha256_image`` and
``sha256_<name>``. A blank ``rater_<name>`` means that this rater did not rate this image; a rater
who looked and saw nothing has a label map that is all background. Paths are relative to the CSV.
The JSON file of the same name beside it names the classes and what the intensities are.
"""

from paraspine.manifest.cohort import Cohort, problems, read
from paraspine.manifest.problem import Problem
from paraspine.manifest.splits import SIDES, check_split, folds, split, strata

__all__ = [
    "SIDES",
    "Cohort",
    "Problem",
    "check_split",
    "folds",
    "problems",
    "read",
    "split",
    "strata",
]
