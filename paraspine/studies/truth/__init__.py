"""Recovery of the known label distribution by raters and networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "panels": ["THEORY", "condition_name", "network_errors", "through_grid", "truth_frame"],
        "recovery": [
            "bias_sentence",
            "entropy_shares",
            "headline_bias",
            "population_sentence",
            "recovery_curves",
            "recovery_sentence",
            "recovery_table",
            "truth_views",
        ],
        "theory": [
            "known_truth",
        ],
        "worth": [
            "equivalent_raters",
            "equivalent_sentence",
            "headline_equivalent",
            "network_sentence",
            "network_table",
        ],
    },
)
