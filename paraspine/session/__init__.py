"""A notebook's run: parameters, cohort, upstream runs, fingerprint and freshness.

A notebook opens its run with `begin` and closes it with ``session.finish()``. `run_notebook`
executes one under papermill and skips it where a fresh result stands already; `need` does so from
inside a notebook whose upstream run is missing.
"""

from paraspine.session.fingerprint import cohort_digest, fingerprint, project_root, sources
from paraspine.session.freshness import is_fresh, staleness
from paraspine.session.parameters import check_parameters, declared_parameters
from paraspine.session.profile import load_profile
from paraspine.session.runner import need, need_each, run_notebook
from paraspine.session.session import Session, begin
from paraspine.session.workspace import is_generated

__all__ = [
    "Session",
    "begin",
    "check_parameters",
    "cohort_digest",
    "declared_parameters",
    "fingerprint",
    "is_fresh",
    "is_generated",
    "load_profile",
    "need",
    "need_each",
    "project_root",
    "run_notebook",
    "sources",
    "staleness",
]
