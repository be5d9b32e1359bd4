"""The page of the benchmarks: what is fast, by how much, and on which machine."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from paraspine.arrays import RunError
from paraspine.text import count

from .provenance import duration, html_table, shown

__all__ = ["read_record", "speed_page"]

#: What a row of the record must have to be shown.
_NEEDED = ("what", "against", "ratio", "low", "high", "bound", "holds")
_HEADER = ("what", "against", "times as fast (interval)", "at least", "reached", "seconds")


def read_record(path: Path | str) -> dict | None:
    """Read the benchmarks' ``results.json``.

    Returns
    -------
    dict or None
        With ``rows``, ``provenance`` and ``left_out``; None where there is no such file, because
        the benchmarks were not run.

    Raises
    ------
    RunError
        If the file is not what ``make bench`` writes.
    """
    path = Path(path)
    if not path.is_file():
        return None
    remedy = "Run make bench again, or remove the file."
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        rows, noted = record["rows"], record["provenance"]
        missing = sorted({name for row in rows for name in _NEEDED if name not in row})
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not a record of the benchmarks ({error}). {remedy}") from error
    if not rows or missing or not isinstance(noted, dict):
        lacking = f"without {', '.join(missing)}" if missing else "without rows or provenance"
        raise RunError(f"{path}: a record of the benchmarks {lacking}. {remedy}")
    return record


def speed_page(record: Mapping) -> str:
    """Return the page as MyST markdown: a sentence, the table, the machine, what was left out.

    Parameters
    ----------
    record : mapping
        As `read_record` returns it.
    """
    rows = record["rows"]
    lines = [
        "# Speed",
        "",
        "What paraspine computes fast, timed beside what a user would write instead: both do the "
        "same work in turns, on the same data, and the benchmark first checks that they give the "
        "same result, exactly or within a bound. A ratio is the median over rounds of the other's "
        "time divided by ours; its interval is made of order statistics of the rounds. "
        "`make bench` measures it again.",
        "",
        _verdict(rows),
        "",
        html_table((_row(row) for row in rows), _HEADER),
    ]
    if notes := [_note(row) for row in rows if row.get("note") or row.get("problem")]:
        lines += ["", "::::{dropdown} What was timed", html_table(notes, ("what", "how")), "::::"]
    for name, reason in (record.get("left_out") or {}).items():
        lines += ["", f"Left out: `{name}`, because {html.escape(str(reason))}."]
    noted = record["provenance"]
    lines += ["", "## The machine", "", _machine(noted), ""]
    return "\n".join(lines) + "\n"


def _verdict(rows: Sequence[Mapping]) -> str:
    """How many bounds are reached, and which are not."""
    reached = [row for row in rows if row["holds"]]
    if len(reached) == len(rows):
        words = f"All {len(rows)} bounds are reached" if len(rows) > 1 else "The bound is reached"
    else:
        words = f"{len(reached)} of {count(len(rows), 'bound')} are reached"
    words += " on this machine."
    open_rows = [row for row in rows if not row.get("sure", True) and not row.get("problem")]
    if open_rows:
        some = "that bound lies" if len(open_rows) == 1 else "those bounds lie"
        words += (
            f" {count(len(open_rows), 'verdict is', 'verdicts are')} marked 'just': {some} within "
            "the interval, and another run may decide otherwise."
        )
    if wrong := sum(bool(row.get("problem")) for row in rows):
        words += f" In {count(wrong, 'row')} the two ways gave different results."
    return words


def _row(row: Mapping) -> tuple[str, ...]:
    verdict = "yes" if row["holds"] else "no"
    if row.get("problem"):
        verdict = "results differ"
    elif not row.get("sure", True):
        verdict += ", just"
    ratio = _number(row["ratio"])
    if _known(row["low"]) and _known(row["high"]) and row["low"] != row["high"]:
        ratio += f" ({_number(row['low'])} to {_number(row['high'])})"
    ours, theirs = row.get("ours"), row.get("rival")
    seconds = f"{ours:.3g} against {theirs:.3g}" if _known(ours) and _known(theirs) else ""
    words = html.escape(str(row["what"])), html.escape(str(row["against"]))
    return (*words, ratio, _number(row["bound"]), verdict, seconds)


def _note(row: Mapping) -> tuple[str, str]:
    words = [str(row[k]) for k in ("note", "problem") if row.get(k)]
    if row.get("rounds"):
        words.append(f"{count(row['rounds'], 'round')}, {count(row['threads'], 'thread')}")
    return html.escape(str(row["what"])), html.escape("; ".join(words))


def _machine(noted: Mapping) -> str:
    """The machine and the code, from what the benchmarks noted about themselves."""
    git = noted.get("git") or {}
    revision = str(git.get("revision") or "not a git checkout")[:12]
    versions = noted.get("versions") or {}
    total = (noted.get("durations") or {}).get("total_seconds")
    facts = {
        "processor": noted.get("processor"),
        "device": noted.get("device"),
        "threads": noted.get("threads"),
        "processes": noted.get("processes"),
        "platform": noted.get("platform"),
        "finished": noted.get("finished"),
        "duration": duration(total),
        "revision": revision + (" with changes" if git.get("dirty") else ""),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    if facts["device"] == facts["processor"]:
        del facts["device"]
    cells = ((name, html.escape(shown(fact))) for name, fact in facts.items() if fact)
    return html_table(cells, ("noted", "value"))


def _known(value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(value) -> str:
    return f"{value:.3g}" if _known(value) else "undefined"
