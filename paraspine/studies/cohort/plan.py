"""Plan of the chapter on the cohort, whose run every training follows."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import CohortInfo, Request, Study, Wanted

__all__ = ["STUDY"]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    return Wanted((Request("cohort", "01_cohort"),))


STUDY = Study("01_cohort", _wanted)
