"""Plan of the chapter on published results, which reads the comparison's run."""

from __future__ import annotations

from collections.abc import Mapping

from paraspine.evidence.plan import CohortInfo, Request, Study, Wanted

__all__ = ["STUDY"]


def _wanted(values: Mapping, cohort: CohortInfo) -> Wanted:
    others = ("multitask", "label_fusion", "noise")
    return Wanted((Request("published", "13_published", ("interrater",), beside=others),))


STUDY = Study("13_published", _wanted)
