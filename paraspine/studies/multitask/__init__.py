"""Multi-task networks: segmentation and variance of the raters (roshanzamir2022)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "frames": ["both_frame", "joint_frame_of", "network_sizes", "sharing_table"],
        "leakage": ["leak_sentence", "leak_table", "pretty_leak", "sides_shared"],
        "maps": ["compared_ways", "cost_table", "members_for", "scores_of", "scores_on", "some_of"],
        "plan": ["multitask_study"],
        "ranking": [
            "crowd_frame",
            "pretty_ranking",
            "prevalence_of",
            "rank_frame",
            "ranking_difference",
            "ranking_table",
        ],
        "tables": ["beside_multitask", "pretty_multitask", "pretty_tests", "task_tests"],
        "views": ["level_views", "steps_of", "variance_limits", "variance_views"],
        "words": [
            "cost_sentence",
            "few_raters_sentence",
            "headline_sharing",
            "headline_worth",
            "multitask_summary",
            "multitask_tests_sentence",
            "sharing_sentence",
            "steps_sentence",
            "worth_sentence",
        ],
    },
)
