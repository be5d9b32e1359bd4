"""Metrics: overlap, borders, calibration, error detection, agreement.

Label maps are ``(*spatial)`` integers, probabilities ``(C, *spatial)``; results per class leave
background out, but `brier` has it first. NaN means undefined: leave it out of means, and count it.
Everything runs on NumPy and SciPy and takes what `numpy.asarray` takes.
"""

from .agreement import generalised_energy_distance, hungarian_iou, pairwise_dice, rater_pairs
from .binarise import ThresholdSearch, binarise, search_threshold
from .calibration import Calibration, expected_calibration_error, reliability
from .diagram import CalibrationError, Reliability, average_reliability, calibration_error
from .errors import ErrorDetection, average_precision
from .overlap import (
    OVERLAP_MEASURES,
    absolute_volume_difference,
    conformity,
    confusion,
    dice,
    iou,
    overlap_measures,
    precision,
    recall,
    relative_volume_difference,
    true_negative_rate,
    volume_ratio,
)
from .resampling import resample_detection
from .soft import brier, entropy_error, image_value
from .surface import average_surface_distance, hausdorff, surface_dice, surface_distances
from .temperature import Temperature, apply_temperature, fit_temperature
from .thresholds import Thresholds

__all__ = [
    "OVERLAP_MEASURES",
    "Calibration",
    "CalibrationError",
    "ErrorDetection",
    "Reliability",
    "Temperature",
    "ThresholdSearch",
    "Thresholds",
    "absolute_volume_difference",
    "apply_temperature",
    "average_precision",
    "average_reliability",
    "average_surface_distance",
    "binarise",
    "brier",
    "calibration_error",
    "confusion",
    "conformity",
    "dice",
    "entropy_error",
    "expected_calibration_error",
    "fit_temperature",
    "generalised_energy_distance",
    "hausdorff",
    "hungarian_iou",
    "image_value",
    "iou",
    "overlap_measures",
    "pairwise_dice",
    "precision",
    "rater_pairs",
    "recall",
    "relative_volume_difference",
    "reliability",
    "resample_detection",
    "search_threshold",
    "surface_dice",
    "surface_distances",
    "true_negative_rate",
    "volume_ratio",
]
