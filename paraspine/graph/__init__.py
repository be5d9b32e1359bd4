"""The experiment graph: which notebook runs a book needs, what they cost, and the book itself."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "estimating": ["Estimate", "estimate", "write_estimate"],
        "job": ["Job"],
        "lock": ["lock_workspace"],
        "notebooks": ["overview"],
        "plan": ["Plan", "make_plan"],
        "assignments": ["parse_assignment", "read_words"],
        "publishing": ["build_book"],
        "summaries": ["Summary", "summary", "write_summary"],
    },
)
