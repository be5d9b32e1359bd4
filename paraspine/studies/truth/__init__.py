"""Recovery of the known label distribution by raters and networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "panels": ["THEORY", "network_errors", "through_grid", "truth_frame"],
        "tables": [
            "condition_labels",
            "effective_raters",
            "entropy_shares",
            "network_entropy",
            "network_table",
            "recovery_curves",
            "recovery_table",
        ],
        "theory": ["known_truth"],
        "words": [
            "answer",
            "bias_sentence",
            "correction_sentence",
            "entropy_sentence",
            "found_sentence",
            "grid_sentence",
            "network_sentence",
            "population_sentence",
            "recovery_sentence",
            "truth_views",
        ],
    },
)
