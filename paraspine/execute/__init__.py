"""Run notebooks: parameters that are checked, runs that are complete, results that are fresh.

A notebook opens its run with `begin` and closes it with ``session.finish()``. `run_notebook`
executes one under papermill and skips it where a fresh result stands already; `need` does so from
inside a notebook whose upstream run is missing. `load_profile` reads ``profiles/*.yaml``.
"""

from importlib import import_module

from paraspine.execute.candidates import fusion_trainings
from paraspine.execute.conditions import conditions, multitask_study
from paraspine.execute.holding import hold
from paraspine.execute.parameters import (
    check_parameters,
    declared_parameters,
    load_profile,
    parse_assignment,
)
from paraspine.execute.plan import Job, Plan, make_plan
from paraspine.execute.publishing import build_book
from paraspine.execute.runner import need, need_each, run_notebook
from paraspine.execute.session import Session, begin, is_fresh, is_generated, staleness
from paraspine.execute.sources import cohort_digest, fingerprint, project_root, sources

__all__ = [
    "Estimate",
    "Job",
    "Plan",
    "Session",
    "Summary",
    "begin",
    "build_book",
    "check_parameters",
    "cohort_digest",
    "conditions",
    "declared_parameters",
    "estimate",
    "fingerprint",
    "fusion_trainings",
    "hold",
    "is_fresh",
    "is_generated",
    "load_profile",
    "make_plan",
    "multitask_study",
    "need",
    "need_each",
    "parse_assignment",
    "project_root",
    "run_notebook",
    "sources",
    "staleness",
    "summary",
    "write_summary",
]

#: What is asked for at a terminal and needs most other rooms: imported when it is asked for.
_LATER = {
    "Estimate": "estimating",
    "estimate": "estimating",
    "Summary": "summaries",
    "summary": "summaries",
    "write_summary": "summaries",
}


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
