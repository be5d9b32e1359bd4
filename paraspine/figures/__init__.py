"""Figures: a frame, a curve or a map in, a plotly ``Figure`` out. No statistic is computed here.

Every figure shows its `source` (for example ``"synthetic phantom"``) under its title, has its
units on its axes, tells groups apart by colours that colour-blind readers can tell apart, and is
drawn for a book page about 800 pixels wide, light or dark.
"""

from .agreement import agreement_by_level, dice_by_class, pairwise_dice
from .calibration import accuracy_retention, intervals, precision_recall, reliability_diagram
from .candidates import entropy_panels, reliability_panels
from .entropies import entropy_histogram, entropy_scatter
from .explorer import Explorer, choice_explorer
from .images import View, cohort_slices, slice_explorer, uncertainty_panels
from .multiples import small_multiples
from .multitask import Compared, Steps, prediction_grid, variance_steps
from .overview import split_overview, training_curves
from .scores import score_violins, validation_losses
from .style import PALETTE

__all__ = [
    "PALETTE",
    "Compared",
    "Explorer",
    "Steps",
    "View",
    "accuracy_retention",
    "agreement_by_level",
    "choice_explorer",
    "cohort_slices",
    "dice_by_class",
    "entropy_histogram",
    "entropy_panels",
    "entropy_scatter",
    "intervals",
    "pairwise_dice",
    "precision_recall",
    "prediction_grid",
    "reliability_diagram",
    "reliability_panels",
    "score_violins",
    "slice_explorer",
    "small_multiples",
    "split_overview",
    "training_curves",
    "uncertainty_panels",
    "validation_losses",
    "variance_steps",
]
