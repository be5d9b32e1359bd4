"""A notebook's run: parameters, cohort, upstream runs, fingerprint and freshness.

A notebook opens its run with `begin` and closes it with ``session.finish()``. `run_notebook`
executes one under papermill and skips it where a fresh result stands already; `need` does so from
inside a notebook whose upstream run is missing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "digests": ["cohort_digest", "project_root", "sources"],
        "freshness": ["is_fresh", "staleness"],
        "parameters": ["check_parameters", "declared_parameters"],
        "profile": ["common_parameters", "load_profile"],
        "runner": ["need", "need_each", "run_notebook"],
        "session": ["Session", "begin"],
        "workspace": ["is_generated"],
    },
)
