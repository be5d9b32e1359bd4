"""Plan of the chapter on image noise: the first training, on images of the phantom."""

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


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    if not cohort.simulated:
        return Wanted(notes=(NOT_SIMULATED,))
    first = training_requests(values)[0]
    return Wanted((first, Request("noise", "12_noise", (first.name,), first.parameters)))


STUDY = Study("12_noise", _wanted)
