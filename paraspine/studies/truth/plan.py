"""Plan of the chapter on the true label distribution: every training, of simulated raters."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import (
    NOT_SIMULATED,
    CohortInfo,
    Request,
    Study,
    Wanted,
    training_requests,
)

__all__ = ["STUDY"]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    if not cohort.simulated:
        return Wanted(notes=(NOT_SIMULATED,))
    trained = training_requests(values)
    chapter = Request("truth", "11_truth", tuple(one.name for one in trained))
    return Wanted((*trained, chapter))


STUDY = Study("11_truth", _wanted)
