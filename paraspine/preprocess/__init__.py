"""Preprocessing of images: non-local means, N4 bias correction, intensity scaling, and a cache.

The steps always run in this order: noise first, since N4 takes a logarithm and spreads noise; then
the bias field; then the intensities to [0, 1]. Label maps are never touched.
"""

from paraspine.preprocess.bias import bias_field, correct_bias
from paraspine.preprocess.cache import CACHE_VERSION, cached
from paraspine.preprocess.intensity import scale
from paraspine.preprocess.noise import denoise, noise_level
from paraspine.preprocess.settings import Preprocessing, apply, clean, intensity_kind

__all__ = [
    "CACHE_VERSION",
    "Preprocessing",
    "apply",
    "bias_field",
    "cached",
    "clean",
    "correct_bias",
    "denoise",
    "intensity_kind",
    "noise_level",
    "scale",
]
