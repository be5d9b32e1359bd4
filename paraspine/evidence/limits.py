"""How many subjects an interval needs, and when a result lies on one side of 0 for sure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FEWEST", "MANY", "side"]

#: Fewest subjects for a verdict. By chance all of five lie on one side of 0 in 1 case of 16, all of
#: six in 1 of 32, so that with fewer than six an interval of 95 % cannot keep its promise.
FEWEST = 6


#: Below this many subjects percentile intervals are noticeably too narrow.
MANY = 20


def side(row: Mapping) -> int:
    """Side of 0 on which a result lies for sure.

    Parameters
    ----------
    row : mapping
        ``low`` and ``high`` of an interval; ``decided_by`` of `influence.Influence.columns` and
        ``clusters``, how many subjects, where a table has them.

    Returns
    -------
    int
        1 or -1 where the interval lies above or below 0 whichever subject is left out; 0 where it
        doesn't, and for fewer than `FEWEST` subjects.
    """
    if row.get("decided_by") or row.get("clusters", FEWEST) < FEWEST:
        return 0
    return int(row["low"] > 0) - int(row["high"] < 0)
