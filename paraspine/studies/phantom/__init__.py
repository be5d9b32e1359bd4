"""The phantom compared with patient data."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": [
            "REAL_GRID",
            "anatomy_views",
            "beside_patient",
            "fat_sentence",
            "fat_table",
            "level_sentence",
            "likeness_headline",
            "pretty_shapes",
            "shape_sentence",
            "shape_table",
            "volume_sentence",
            "volume_table",
        ],
    },
)
