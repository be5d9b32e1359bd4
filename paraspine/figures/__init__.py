"""Figures: a frame, a curve or a map in, a plotly ``Figure`` out. No statistic is computed here.

Every figure shows its `source` (for example ``"synthetic phantom"``) under its title, has its
units on its axes, tells groups apart by colours that colour-blind readers can tell apart, and is
drawn for a book page about 800 pixels wide, light or dark.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "agreement": ["agreement_by_level", "bland_altman", "dice_by_class", "pairwise_dice"],
        "calibration": [
            "accuracy_retention",
            "intervals",
            "precision_recall",
            "reliability_diagram",
        ],
        "candidates": ["entropy_panels", "reliability_panels"],
        "entropies": ["entropy_histogram", "entropy_scatter"],
        "explorer": ["Explorer", "choice_explorer"],
        "images": ["View", "cohort_slices", "slice_explorer", "uncertainty_panels"],
        "multiples": ["small_multiples"],
        "multitask": ["Compared", "Steps", "prediction_grid", "variance_steps"],
        "overview": ["split_overview", "training_curves"],
        "scores": ["score_violins", "validation_losses"],
        "style": ["PALETTE"],
    },
)
