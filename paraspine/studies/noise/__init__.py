"""Image noise, bias field and noise-dependent raters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "changes": ["noise_changes"],
        "frames": [
            "noise_correlations",
            "noise_curves",
            "noise_frame",
            "noise_images",
            "noise_levels_table",
            "noise_partition",
        ],
        "words": [
            "coupling_sentence",
            "headline_coupling",
            "headline_noise",
            "noise_dice",
            "noise_sentence",
            "noise_setup_sentence",
            "pretty_changes",
        ],
    },
)
