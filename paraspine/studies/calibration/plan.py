"""Plan of the chapter on calibration: the samples of every condition."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import (
    CohortInfo,
    Request,
    Study,
    Wanted,
    sample_requests,
    training_requests,
)

__all__ = ["STUDY"]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    samples = sample_requests(values)
    chapter = Request("calibration", "06_calibration", tuple(one.name for one in samples))
    return Wanted((*training_requests(values), *samples, chapter))


STUDY = Study("06_calibration", _wanted)
