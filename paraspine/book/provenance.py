"""The generated page that says where every number of the book comes from."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Page", "duration", "html_table", "parameter_lines", "provenance_page", "shown"]


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
    """

    name: str
    title: str
    notebook: str
    parameters: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)


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


def html_table(rows: Iterable[Sequence[str]], header: Sequence[str]) -> str:
    """Return an HTML table as a MyST block; cells are HTML already."""
    head = "".join(f"<th>{h}</th>" for h in header)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>\n" for row in rows)
    return (
        '```{raw} html\n<div class="paraspine-table"><table class="table">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n```\n"
    )


def parameter_lines(parameters: Mapping, important: Iterable[str] = ()) -> str:
    """Markdown under a page's title: the important parameters, and all of them in a fold.

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


def _summary(page: Page, number: int) -> tuple[str, ...]:
    """One row of the table at the top."""
    noted = page.provenance
    git = noted.get("git") or {}
    revision = _code(str(git["revision"])[:12]) if git.get("revision") else ""
    memory = noted.get("peak_memory_mib")
    return (
        f'<a href="executed/{page.name}.html">{html.escape(page.title)}</a>',
        f'<a href="#run-{number}">details</a>',
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
    """Return the page as MyST markdown: a summary of all runs, then each with everything noted.

    Parameters
    ----------
    pages : sequence of Page
        In the order to show.
    left_out : iterable of str
        Pages that this book doesn't have.
    notes : iterable of str
        Sentences to show at the top, for example why an experiment was left out.
    """
    lines = [
        "# Provenance of every number",
        "",
        "Each page of results is one notebook, executed with the parameters under its title. "
        "This page is written from what the runs noted about themselves: the revision of the code, "
        "the versions of the packages, the checksums of what they read, where and how long they "
        "ran, and the most memory they held.",
        "",
        *(f"- {note}" for note in notes),
    ]
    if missing := sorted(set(left_out)):
        lines += ["", "Not part of this book: " + ", ".join(f"`{m}`" for m in missing) + ".", ""]
    header = ("run", "", "revision", "device", "duration", "peak memory")
    lines += ["", html_table((_summary(p, i) for i, p in enumerate(pages, 1)), header)]
    for number, page in enumerate(pages, 1):
        lines += ["", f"(run-{number})=", f"## {page.title}", ""]
        if page.provenance:
            lines.append(html_table(_details(page.provenance), ("noted", "value")))
        else:
            lines.append("No run folder stands behind this notebook: nothing more is known.")
    return "\n".join(lines) + "\n"
