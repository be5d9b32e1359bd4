"""Comparison of the phantom with patient data."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": ["fat_table", "shape_table", "volume_table"],
        "views": [
            "PATIENT_CAPTION",
            "REAL_GRID",
            "SHAPE_CELLS",
            "VOLUME_CELLS",
            "anatomy_views",
            "beside_patient",
            "named",
            "shape_intervals",
        ],
        "words": ["fat_sentence", "level_sentence", "shape_sentence", "summary", "volume_sentence"],
    },
)
