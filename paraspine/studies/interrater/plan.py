"""Plan of the comparison of networks and raters: every condition trained and sampled."""

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
    chapter = Request("interrater", "05_interrater", tuple(one.name for one in samples))
    return Wanted((*training_requests(values), *samples, chapter))


STUDY = Study("05_interrater", _wanted)
