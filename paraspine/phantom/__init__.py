"""A synthetic cohort of axial T2w lumbar images with simulated raters and a known truth.

`make_cohort` writes it, `materialise` brings back the images of a committed manifest, `simulate`
draws one image in memory and `true_probabilities` tells what infinitely many raters would say.
"""

from paraspine.phantom.cohort import make_cohort
from paraspine.phantom.restore import Materialised, materialise, settings_of
from paraspine.phantom.settings import PSOAS, PhantomConfig
from paraspine.phantom.simulate import Case, simulate, true_outlines
from paraspine.phantom.statistics import (
    REAL_SHAPES,
    REAL_VOLUMES,
    muscle_volumes,
    shape_statistics,
)
from paraspine.phantom.truth import TrueProbabilities, true_probabilities

__all__ = [
    "PSOAS",
    "REAL_SHAPES",
    "REAL_VOLUMES",
    "Case",
    "PhantomConfig",
    "Materialised",
    "TrueProbabilities",
    "make_cohort",
    "materialise",
    "muscle_volumes",
    "settings_of",
    "shape_statistics",
    "simulate",
    "true_outlines",
    "true_probabilities",
]
