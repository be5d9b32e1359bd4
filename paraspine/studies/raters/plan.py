"""Plan of the chapter on the raters."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import CohortInfo, Request, Study, Wanted

__all__ = ["STUDY"]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    return Wanted((Request("raters", "02_raters", ("cohort",)),))


STUDY = Study("02_raters", _wanted)
