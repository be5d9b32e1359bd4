"""Uncertainty of networks and disagreement between raters (roshanzamir2023)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "brier": ["brier_comparison", "brier_comparison_display", "brier_sentence"],
        "detection": ["detection_curves", "detection_table", "detectors", "retention_curves"],
        "parts": [
            "changes_sentence",
            "correlation_changes",
            "detection_changes",
            "partition_changes",
        ],
        "tables": [
            "brier_table",
            "comparison_display",
            "comparison_table",
            "correlation_table",
            "overlap_table",
            "partition_table",
        ],
        "views": ["compared_views"],
        "words": [
            "correlation_sentence",
            "detection_sentence",
            "figure_2_title",
            "headline",
            "headline_dice",
            "headline_raters",
            "overlap_sentence",
            "partition_sentence",
            "scatter_sentence",
            "subjects_sentence",
        ],
    },
)
