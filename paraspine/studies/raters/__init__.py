"""Disagreement between raters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "extents": ["extent_curves", "extent_frame", "extent_sentence", "extent_table"],
        "staple": ["staple_frame", "staple_raters", "staple_sentence"],
        "tables": ["blank_table", "fusion_table", "groups", "rater_styles"],
        "words": [
            "agreement_sentence",
            "blank_sentence",
            "fusion_sentence",
            "group_sentence",
            "style_sentence",
        ],
    },
)
