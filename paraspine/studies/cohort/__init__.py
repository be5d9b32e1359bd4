"""The cohort and its split."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": [
            "cohort_sentence",
            "cohort_summary",
            "shown_title",
            "split_cells",
            "split_sentence",
            "split_table",
            "with_sides",
        ],
    },
)
