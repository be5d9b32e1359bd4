"""Published tables and claims beside this run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "printed": [
            "as_published",
            "inconsistency_sentence",
            "inconsistency_table",
            "runs_sentence",
        ],
        "tables": [
            "beside_tables",
        ],
        "verdicts": [
            "claims_sentence",
            "claims_table",
            "headline_claims",
        ],
    },
)
