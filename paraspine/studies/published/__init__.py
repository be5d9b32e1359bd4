"""Published tables and claims beside this run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "printed": ["INCONSISTENCIES", "inconsistency_table", "printed_display"],
        "tables": ["beside_tables", "claims_of_all", "claims_table"],
        "words": [
            "answer",
            "chance_sentence",
            "claims_sentence",
            "headline_claims",
            "inconsistency_sentence",
            "runs_sentence",
        ],
    },
)
