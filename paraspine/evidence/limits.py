"""How many subjects an interval needs to mean what it says."""

__all__ = ["FEWEST", "MANY"]

#: Fewest subjects for a verdict. By chance all of five lie on one side of 0 in 1 case of 16, all of
#: six in 1 of 32, so that with fewer than six an interval of 95 % cannot keep its promise.
FEWEST = 6


#: Below this many subjects percentile intervals are noticeably too narrow.
MANY = 20
