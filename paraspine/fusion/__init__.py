"""Several raters' label maps of one image made into one target.

Everything but the variance map depends on a voxel only through its raters' votes, so it is worked
out once per distinct vote pattern and looked up for each voxel. Labels are ``(R, *spatial)``
integers of the raters who rated the image: the caller leaves the others out.
"""

from .staple import Staple, staple, staple_many
from .variance import signed_distance, variance_map
from .votes import (
    ground_truth_entropy,
    majority_vote,
    majority_vote_many,
    soft_labels,
    tie_rate,
)

__all__ = [
    "Staple",
    "ground_truth_entropy",
    "majority_vote",
    "majority_vote_many",
    "signed_distance",
    "soft_labels",
    "staple",
    "staple_many",
    "tie_rate",
    "variance_map",
]
