"""Two ways to the same result, timed side by side: warm-up, interleaved, medians of ratios."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

__all__ = ["Case", "Limit", "Measured", "Row", "measure", "order_interval"]

#: Fast cases are repeated beyond what was asked for, up to so many rounds or seconds.
MOST_ROUNDS, MOST_SECONDS = 31, 4.0


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what, against : str
        What is fast, and what a competent user would write instead.
    ours, rival : callable
        Do the whole work once, without arguments.
    bound : float
        How many times as fast as `rival` `ours` has to be.
    """

    what: str
    against: str
    ours: Callable[[], object]
    rival: Callable[[], object]
    bound: float


@dataclass(frozen=True)
class Limit:
    """A measured number that has to stay below a limit; it becomes a line of its own.

    The line's ratio is ``limit / value``: how many times below its limit the number is. A value
    below 2.2e-16 counts as that.
    """

    what: str
    against: str
    value: float
    limit: float


@dataclass(frozen=True)
class Case:
    """Rows that have one rival in common, so that it is timed once a round for all of them.

    Attributes
    ----------
    rows : sequence of Row
        All with the same `rival`.
    check : callable
        Runs both sides once, which is the warm-up, and raises an `AssertionError` unless they give
        the same result, exactly or within a bound that it states; returns limits, or None.
    threads : int
        Threads of either side.
    note : str
        Sizes, versions of the rival, and what was compared how closely.
    rounds : int
        Rounds if nothing else is asked for.
    after : callable, optional
        Checks what the timed runs left.
    """

    rows: Sequence[Row]
    check: Callable[[], Sequence[Limit] | None]
    threads: int
    note: str
    rounds: int = 7
    after: Callable[[], None] | None = None


@dataclass(frozen=True)
class Measured:
    """A line of the table, measured; numbers have 4 significant digits.

    Attributes
    ----------
    ratio : float
        Median over rounds of the rival's time over ours; NaN where the check failed.
    low, high : float
        Order statistics that hold the true median with chance `coverage`.
    ours, rival : float
        Median seconds; NaN for a `Limit`.
    """

    what: str
    against: str
    ratio: float
    low: float
    high: float
    bound: float
    coverage: float = math.nan
    rounds: int = 0
    ours: float = math.nan
    rival: float = math.nan
    threads: int = 1
    note: str = ""
    problem: str = field(default="")

    def __post_init__(self):
        for name in ("ratio", "low", "high", "coverage", "ours", "rival"):
            object.__setattr__(self, name, float(f"{getattr(self, name):.4g}"))

    @property
    def holds(self) -> bool:
        """Whether the median ratio reaches the bound."""
        return self.ratio >= self.bound

    @property
    def sure(self) -> bool:
        """Whether the whole interval lies on the side of the bound that `holds` says."""
        return self.low >= self.bound if self.holds else not self.high >= self.bound


def order_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Interval of a median from order statistics, which assumes nothing about the distribution.

    Parameters
    ----------
    values : sequence of float
        At least one, independent.
    confidence : float
        At least this chance, where the values are enough for it (6 for 0.95); otherwise the
        smallest and largest are returned with the chance that they have.

    Returns
    -------
    tuple of float
        Low, high and the chance with which they hold the true median: ``1 - 2 P(X < k)``, where
        ``X`` is binomial over n halves and the k-th smallest and largest are the ends.
    """
    ordered, n = sorted(values), len(values)

    def chance(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n

    k = 1
    while 2 * (k + 1) <= n and chance(k + 1) >= confidence:
        k += 1
    return ordered[k - 1], ordered[n - k], max(0.0, chance(k))


def clock(function: Callable[[], object]) -> float:
    """Seconds of one call, with the garbage collector out of the way."""
    gc.disable()
    try:
        start = perf_counter()
        function()
        return perf_counter() - start
    finally:
        gc.enable()


def measure(case: Case, repeats: int | None = None) -> list[Measured]:
    """Check a case, then time it.

    Each round times the rival and then each row's own way, so that both see the same weather; a
    row's ratio in a round comes from times that lie next to each other.

    Parameters
    ----------
    case : Case
        What to measure.
    repeats : int, optional
        Exactly so many rounds; otherwise the case's own number, and more of them while they are
        quick.

    Raises
    ------
    ValueError
        If the rows have different rivals.
    """
    rival = case.rows[0].rival
    if any(row.rival is not rival for row in case.rows):
        raise ValueError("rows: expected one rival for all rows of a case.")
    try:
        limits = case.check() or ()
    except AssertionError as error:
        return [_failed(row, case, error) for row in case.rows]
    times: list[list[float]] = [[] for _ in case.rows]
    theirs: list[float] = []
    gc.collect()
    begin = perf_counter()
    while _again(len(theirs), perf_counter() - begin, repeats, case.rounds):
        theirs.append(clock(rival))
        for row, own in zip(case.rows, times, strict=True):
            own.append(clock(row.ours))
    try:
        if case.after is not None:
            case.after()
    except AssertionError as error:
        return [_failed(row, case, error) for row in case.rows]
    found = [_measured(row, case, own, theirs) for row, own in zip(case.rows, times, strict=True)]
    return found + [_limited(limit, case) for limit in limits]


def _again(done: int, seconds: float, repeats: int | None, rounds: int) -> bool:
    if repeats is not None:
        return done < repeats
    return done < rounds or (done < MOST_ROUNDS and seconds * (done + 1) / done < MOST_SECONDS)


def _measured(row: Row, case: Case, own: list[float], theirs: list[float]) -> Measured:
    ratios = [b / a for a, b in zip(own, theirs, strict=True)]
    low, high, coverage = order_interval(ratios)
    return Measured(
        what=row.what,
        against=row.against,
        ratio=statistics.median(ratios),
        low=low,
        high=high,
        bound=row.bound,
        coverage=coverage,
        rounds=len(ratios),
        ours=statistics.median(own),
        rival=statistics.median(theirs),
        threads=case.threads,
        note=case.note,
    )


def _limited(limit: Limit, case: Case) -> Measured:
    ratio = limit.limit / max(limit.value, 2.0**-52)
    note = f"measured: {limit.value:.4g}, limit: {limit.limit:.4g}"
    return Measured(
        limit.what, limit.against, ratio, ratio, ratio, 1.0, threads=case.threads, note=note
    )


def _failed(row: Row, case: Case, error: AssertionError) -> Measured:
    problem = " ".join(str(error).split()) or "the check failed"
    nan = math.nan
    return Measured(
        row.what, row.against, nan, nan, nan, row.bound, threads=case.threads, note=case.note,
        problem=problem,
    )  # fmt: skip
