"""Multi-task networks: segmentation and variance of the raters (roshanzamir2022)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "maps": [
            "compared_methods",
            "cost_table",
            "extra_raters_frame",
            "maps_on",
            "members_for",
            "prevalence_of",
            "rank_frame",
            "ranking_difference",
            "ranking_table",
            "slices_of",
            "uncertainty_maps",
        ],
        "plan": ["multitask_study"],
        "tables": [
            "both_frame",
            "claims_table",
            "joint_frame_of",
            "leakage_table",
            "network_sizes",
            "published_cells",
            "seed_table",
            "sharing_table",
            "task_tests",
            "tested_with_known_subjects",
        ],
        "views": [
            "claim_rows",
            "in_units",
            "level_views",
            "ranking_rows",
            "steps_of",
            "table_rows",
            "variance_limits",
            "variance_views",
        ],
        "words": [
            "answer_sentence",
            "claims_sentence",
            "cost_sentence",
            "few_raters_sentence",
            "headline_sharing",
            "headline_worth",
            "leakage_sentence",
            "published_sentence",
            "sharing_sentence",
            "steps_sentence",
            "summary",
            "worth_sentence",
        ],
    },
)
