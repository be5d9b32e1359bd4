"""The page of the benchmarks: what is fast, by how much, and on which machine."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from paraspine.arrays import RunError
from paraspine.text import count, listing

from .provenance import duration, shown
from .tables import html_table

__all__ = ["read_record", "speed_page"]

#: What a row of the record must have to be shown.
_NEEDED = ("what", "against", "ratio", "low", "high", "bound", "holds")
_HEADER = ("what", "against", "times as fast (interval)", "at least", "reached", "seconds")
#: The same for the estimate of a book's trainings: texts, numbers.
_TEXTS = ("model", "loss", "notebook")
_NUMBERS = ("trainings", "steps", "measured", "seconds", "hours", "batch")
_KINDS = (
    *("network", "loss", "pixels", "images a step", "trainings"),
    *("steps of each", "seconds a step", "hours"),
)


def read_record(path: Path | str) -> dict | None:
    """Read the benchmarks' ``results.json`` and, beside it, ``estimate.json``.

    Returns
    -------
    dict or None
        With ``rows``, ``provenance``, ``left_out`` and ``estimate``, which is what ``paraspine
        estimate`` wrote and None where there is no such file. None where there is no
        ``results.json``, because the benchmarks were not run.

    Raises
    ------
    RunError
        If a file is not what ``make bench`` or ``paraspine estimate`` writes.
    """
    path = Path(path)
    remedy = "Run make bench again, or remove the file."
    record = _read(path, "a record of the benchmarks", _NEEDED, remedy)
    if record is None:
        return None
    return record | {"estimate": _read_estimate(path.with_name("estimate.json"))}


def _read(path: Path, what: str, needed: Sequence[str], remedy: str) -> dict | None:
    """Read a JSON file with rows and provenance; None where there is none."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        rows, noted = record["rows"], record["provenance"]
        missing = sorted({name for row in rows for name in needed if name not in row})
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not {what} ({error}). {remedy}") from error
    if not rows or missing or not isinstance(noted, dict):
        lacking = f"without {', '.join(missing)}" if missing else "without rows or provenance"
        raise RunError(f"{path}: {what} {lacking}. {remedy}")
    return record


def _read_estimate(path: Path) -> dict | None:
    """Read what ``paraspine estimate --output`` wrote, and check what the page says of it."""
    what = "an estimate of a book's trainings"
    remedy = "Run paraspine estimate --output again, or remove the file."
    record = _read(path, what, (*_TEXTS, *_NUMBERS, "size"), remedy)
    if record is None:
        return None
    try:
        totals, about = record["totals"], record["cohort"]
        computed = record["conditions"]
        numbers = {f"totals.{k}": totals[k] for k in ("jobs", "trainings", "hours")}
        numbers |= {f"cohort.{k}": about[k] for k in ("subjects", "slices")}
        words = {"profile": record["profile"]}
        words |= {f"cohort.{k}": about[k] for k in ("name", "source")}
        words |= {f"conditions.{k}": computed[k] for k in ("device", "precision")}
        if computed["device"] == "cpu":
            numbers["conditions.threads"] = computed["threads"]
        for number, row in enumerate(record["rows"]):
            numbers |= {f"rows[{number}].{k}": row[k] for k in _NUMBERS}
            numbers |= {f"rows[{number}].size[{i}]": n for i, n in enumerate(row["size"])}
            words |= {f"rows[{number}].{k}": row[k] for k in _TEXTS}
    except (KeyError, TypeError) as error:
        raise RunError(f"{path}: not {what} ({error}). {remedy}") from error
    wrong = [name for name, value in numbers.items() if not _known(value)]
    wrong += [name for name, value in words.items() if not isinstance(value, str)]
    if wrong:
        raise RunError(f"{path}: {what} with something else for {', '.join(wrong)}. {remedy}")
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
    lines += ["", "## The machine", "", _machine(record["provenance"]), ""]
    if found := record.get("estimate"):
        lines += _full_size(found)
    return "\n".join(lines) + "\n"


def _full_size(found: Mapping) -> list[str]:
    """Lines of the section on what the trainings of a large book take."""
    return [
        "## A book at full size",
        "",
        _takes(found),
        "",
        html_table((_kind(row) for row in found["rows"]), _KINDS),
        "",
        "### The machine of this estimate",
        "",
        _machine(found["provenance"]),
        "",
    ]


def _takes(found: Mapping) -> str:
    """How much a large book has to do, and how long its trainings take here."""
    totals, about, rows = found["totals"], found["cohort"], found["rows"]
    steps = sorted({row["measured"] for row in rows})
    few = count(steps[0], "step") if len(steps) == 1 else f"{listing(steps, 'or')} steps"
    kinds = "of the one kind" if len(rows) == 1 else f"of each of the {len(rows)} kinds below"
    computed = found["conditions"]
    here, advice = "this GPU", ""
    if computed["device"] == "cpu":
        here = f"{count(computed['threads'], 'core')} of this processor"
        advice = " A GPU is advised."
    size = [count(about["subjects"], "subject"), count(about["slices"], "slice")]
    size = [words for words in size if words not in about["name"]]
    if about.get("synthetic") and "synthetic" not in about["name"].lower():
        size.insert(0, html.escape(about["source"]))
    hours = totals["hours"]
    long = f"{hours:,.0f} hours" if hours >= 10 else f"{hours:.2g} hours"
    if hours >= 48:
        long += f" ({hours / 24:,.0f} days)"
    return (
        f"With the profile `{found['profile']}`, the book of the cohort "
        f"'{html.escape(about['name'])}' ({', '.join(size)}) is a graph of "
        f"{count(totals['jobs'], 'job')}, {totals['trainings']:,} of them trainings. On {here}, "
        f"in {computed['precision']}, the trainings would take {long} one after another if none "
        f"stops early: {few} {kinds} {'was' if few == '1 step' else 'were'} timed, and the time "
        f"multiplied. Cleaning the images, sampling and the figures come on top.{advice} "
        f"`paraspine estimate --profile {found['profile']}` says it for another machine or cohort."
    )


def _kind(row: Mapping) -> tuple[str, ...]:
    """One kind of training as a row of the table."""
    return (
        html.escape(row["model"]),
        html.escape(row["loss"].replace("_", " ")),
        " × ".join(str(n) for n in row["size"]),
        str(row["batch"]),
        f"{row['trainings']:,}",
        f"{row['steps']:,}",
        _number(row["seconds"]),
        f"{row['hours']:,.0f}" if row["hours"] >= 100 else _number(row["hours"]),
    )


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
        if _known(row.get("coverage")):
            words.append(f"coverage of the interval {row['coverage']:.2g}")
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
