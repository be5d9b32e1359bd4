"""Figures: a frame, a curve or a map in, a plotly ``Figure`` out. No statistic is computed here.

Every figure shows its `source` (for example ``"synthetic phantom"``) under its title, has its
units on its axes, tells groups apart by colours that colour-blind readers can tell apart, and is
drawn for a book page about 800 pixels wide, light or dark.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "agreement": ["agreement_by_level", "bland_altman", "pairwise_dice"],
        "calibration": [
            "intervals",
            "precision_recall",
            "reliability_diagram",
        ],
        "candidates": [
            "entropy_panels",
            "reliability_panels",
            "score_violins",
            "validation_losses",
        ],
        "entropies": ["entropy_scatter"],
        "explorer": ["Explorer", "slice_explorer"],
        "first_page": ["Stored", "points_and_slice"],
        "images": ["cohort_slices"],
        "multiples": ["small_multiples"],
        "multitask": ["Compared", "Steps", "prediction_grid", "variance_steps"],
        "overview": ["split_overview"],
        "panels": ["View"],
        "scatter": ["scatter_panels"],
        "style": ["PALETTE"],
        "training": ["training_curves"],
        "verdicts": ["verdict_strip"],
    },
)
