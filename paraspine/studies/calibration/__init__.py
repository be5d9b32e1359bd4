"""Calibration of probabilities (roshanzamir2022, Appendix A)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": ["calibration_table", "reliability_curves"],
        "words": ["calibration_sentence", "headline_calibration"],
    },
)
