"""Plan of the chapter on the phantom, for cohorts that it draws."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import NOT_SIMULATED, CohortInfo, Request, Study, Wanted

__all__ = ["STUDY"]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    if not cohort.simulated:
        return Wanted(notes=(NOT_SIMULATED,))
    return Wanted((Request("phantom", "14_phantom", ("cohort",)),))


STUDY = Study("14_phantom", _wanted)
