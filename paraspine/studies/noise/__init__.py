"""Image noise, bias field and noise-dependent raters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "frames": ["noise_frame", "noise_images"],
        "tables": [
            "changes_table",
            "claims_table",
            "correlations_table",
            "curves",
            "dice_table",
            "levels_table",
            "partition_table",
        ],
        "words": [
            "CHANGES",
            "answer",
            "bias_sentence",
            "claim_sentence",
            "coupling_sentence",
            "found_sentence",
            "named",
            "setup_sentence",
        ],
    },
)
