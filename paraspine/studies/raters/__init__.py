"""Disagreement between raters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": [
            "area_frame",
            "area_limits",
            "area_pairs",
            "bias_table",
            "blank_table",
            "extent_frame",
            "fusion_table",
            "group_column",
            "icc_table",
            "rater_styles",
            "staple_frame",
            "staple_raters",
        ],
        "views": ["agreement_rows", "extent_curves"],
        "words": [
            "agreement_sentence",
            "area_sentence",
            "blank_sentence",
            "extent_sentence",
            "fusion_sentence",
            "group_sentence",
            "left_out_sentence",
            "staple_sentence",
            "style_sentence",
            "summary",
        ],
    },
)
