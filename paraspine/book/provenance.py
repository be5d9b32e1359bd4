"""The generated page that says where every number of the book comes from."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paraspine.runs import Run

from .tables import html_table

__all__ = ["Page", "duration", "footer", "parameter_lines", "provenance_page", "shown"]


@dataclass(frozen=True)
class Page:
    """One executed notebook of the book.

    Attributes
    ----------
    name : str
        File name below ``executed/`` without suffix.
    title : str
        Its heading.
    notebook : str
        Name of the notebook's source without suffix, for example ``"03_train"``.
    parameters : dict
        What it was run with.
    provenance : dict
        Content of its run's ``provenance.json``; empty for a notebook without a run folder.
    run : Run, optional
        The run itself.
    """

    name: str
    title: str
    notebook: str
    parameters: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    run: Run | None = None


def shown(value) -> str:
    """A value as a reader wants it: no quotes, no brackets, short numbers."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
            return f"{int(value)}"
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(shown(v) for v in value) if value else "none"
    return str(value) if str(value) else "none"


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def parameter_lines(parameters: Mapping, important: Iterable[str] = ()) -> str:
    """Markdown at a page's foot: the important parameters, and all of them in a fold.

    Parameters
    ----------
    parameters : mapping
        Name to value.
    important : iterable of str
        Names that stand in the line; all of them where they are few.
    """
    if not parameters:
        return ""
    names = [n for n in important if n in parameters]
    if len(parameters) <= 6:
        names = list(parameters)
    line = " · ".join(f"{n.replace('_', ' ')}: `{shown(parameters[n])}`" for n in names)
    if not line:
        line = f"{len(parameters)} parameters"
    block = f":::{{div}} paraspine-parameters\nRun with {line}\n:::"
    if len(names) == len(parameters):
        return block
    rows = ((_code(n), html.escape(shown(v))) for n, v in parameters.items())
    table = html_table(rows, ("parameter", "value"))
    return f"{block}\n\n::::{{dropdown}} All {len(parameters)} parameters\n{table}::::"


def duration(seconds) -> str:
    """Seconds in words; empty where it is no number."""
    if not isinstance(seconds, int | float):
        return ""
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _summary(page: Page) -> tuple[str, ...]:
    """One row of the table at the top."""
    noted = page.provenance
    git = noted.get("git") or {}
    revision = _code(str(git["revision"])[:12]) if git.get("revision") else ""
    memory = noted.get("peak_memory_mib")
    return (
        f'<a href="executed/{page.name}.html">{html.escape(page.title)}</a>',
        revision + (" with changes" if revision and git.get("dirty") else ""),
        html.escape(str(noted.get("device") or "")),
        duration((noted.get("durations") or {}).get("total_seconds")),
        f"{memory:,.0f} MiB" if isinstance(memory, int | float) else "",
    )


def _details(noted: Mapping) -> list[tuple[str, str]]:
    """Rows of one run: every noted thing, with inputs by their checksums."""
    rows = []
    for key, value in noted.items():
        name = html.escape(str(key).replace("_", " ").replace(" mib", " (MiB)"))
        if key == "git" and isinstance(value, Mapping):
            revision = _code(str(value.get("revision") or "not a git checkout"))
            rows.append(("revision", revision + (" with changes" if value.get("dirty") else "")))
        elif key == "durations" and isinstance(value, Mapping):
            words = (f"{k.removesuffix('_seconds').replace('_', ' ')} {duration(v)}"
                     for k, v in value.items())  # fmt: skip
            rows.append((name, html.escape(", ".join(words))))
        elif key == "inputs" and isinstance(value, Mapping):
            rows += [(f"input {_code(str(n))}", _code(f"sha256 {v}")) for n, v in value.items()]
        elif isinstance(value, Mapping):
            words = ", ".join(f"{k.replace('_', ' ')} {shown(v)}" for k, v in value.items())
            rows.append((name, html.escape(words)))
        else:
            rows.append((name, html.escape(shown(value))))
    return rows


def provenance_page(
    pages: Sequence[Page], *, left_out: Iterable[str] = (), notes: Iterable[str] = ()
) -> str:
    """Return the page as MyST markdown: a summary of all runs, then each in a fold.

    Parameters
    ----------
    pages : sequence of Page
        In the order to show.
    left_out : iterable of str
        Pages that this book doesn't have.
    notes : iterable of str
        Sentences to show at the top, for example why an experiment was left out.
    """
    git = [page.provenance.get("git") or {} for page in pages if page.provenance]
    revisions = {str(g["revision"])[:12] for g in git if g.get("revision")}
    changed = any(g.get("dirty") for g in git)
    if len(revisions) == 1:
        said = f"All runs are of revision `{revisions.pop()}`" + (
            ", with changes." * changed or "."
        )
    else:
        said = f"The runs are of {len(revisions)} revisions of the code." if revisions else ""
    lines = [
        *("# Provenance", ""),
        "Where every number that was measured for this book comes from. Published numbers, and "
        "examples and timings that were made earlier, say so where they stand.",
        *("", said, ""),
        *(f"- {note}" for note in notes),
    ]
    if missing := sorted(set(left_out)):
        lines += ["", "Not part of this book: " + ", ".join(f"`{m}`" for m in missing) + "."]
    header = ("run", "revision", "device", "duration", "peak memory")
    lines += ["", html_table(map(_summary, pages), header, numeric=(3, 4), sortable=True)]
    lines += ["", "## What each run noted", ""]
    lines += [
        "The versions of the packages, the checksums of what was read, the machine, the time."
    ]
    for page in pages:
        lines += ["", f"::::{{dropdown}} {page.title}"]
        if page.provenance:
            lines.append(html_table(_details(page.provenance), ("noted", "value")))
        else:
            lines.append("No run folder stands behind this notebook: nothing more is known.")
        lines.append("::::")
    return "\n".join(lines) + "\n"


def footer(pages: Sequence[Page], version: str) -> str:
    """HTML at the foot of every page: version, revision, date of the last run, licence."""
    noted = [page.provenance for page in pages if page.provenance]
    git = [n.get("git") or {} for n in noted]
    revisions = sorted({str(g["revision"])[:12] for g in git if g.get("revision")})
    words = [f"paraspine {version}"]
    if len(revisions) == 1:
        words.append(
            f"revision {revisions[0]}" + " with changes" * any(g.get("dirty") for g in git)
        )
    elif revisions:
        words.append(f"runs of {len(revisions)} revisions")
    if dates := [str(n["finished"])[:10] for n in noted if n.get("finished")]:
        words.append(f"last run {max(dates)}")
    return html.escape(" · ".join([*words, "Apache-2.0"]))
