"""Size and fat of muscles: areas, volumes, fat fraction, Goutallier class, fat by threshold."""

from .fat import fat_fraction, goutallier, goutallier_agreement
from .size import area, areas, csa_error, volume
from .thresholding import Threshold, mixture_threshold, otsu_threshold, threshold_fat

__all__ = [
    "Threshold",
    "area",
    "areas",
    "csa_error",
    "fat_fraction",
    "goutallier",
    "goutallier_agreement",
    "mixture_threshold",
    "otsu_threshold",
    "threshold_fat",
    "volume",
]
