"""Label fusion and SoftSeg (lemay2022)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calibration": [
            "fusion_calibration",
            "fusion_calibration_sentence",
            "fusion_diagrams",
            "fusion_thresholds",
            "pretty_scaling",
            "scaled_predictions",
            "scaling_sentence",
            "scaling_table",
            "temperatures",
        ],
        "candidates": ["candidate_display", "candidate_sentence", "candidate_table"],
        "claims": [
            "distance_sentence",
            "distance_table",
            "fusion_claims",
            "fusion_claims_sentence",
            "headline_fusion",
            "learned_sentence",
            "marks",
            "pair_sentence",
        ],
        "composite": ["composite_score"],
        "frames": [
            "BASELINE",
            "ENSEMBLE",
            "Predicted",
            "fusion_curves",
            "fusion_frame",
            "fusion_reliability",
            "repetitions",
        ],
        "left_out": ["left_out_sentence", "left_out_table"],
        "plan": ["fusion_trainings"],
        "references": ["reference_sentence", "reference_table"],
        "tables": [
            "against",
            "fusion_beside",
            "fusion_beside_sentence",
            "fusion_left_out",
            "published_calibration",
        ],
        "views": [
            "first_curves",
            "fusion_entropies",
            "fusion_limits",
            "fusion_setup_sentence",
            "fusion_views",
            "loss_words",
            "threshold_sentence",
        ],
    },
)
