"""HTML tables of the book: heads that a screen reader understands, numbers to cite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["TABLE", "html_table", "number_captions", "readable_tables"]

#: Class of the tables that the style sheet knows.
TABLE = "paraspine-table"

_PART = re.compile(r"<(thead|tbody)\b.*?</\1>", re.S)
_HEAD = re.compile(r"<th(\s[^>]*)?>(.*?)</th>", re.S)
_CAPTION = re.compile(r"(<caption[^>]*>)(?!\s*(?:<[^>]+>\s*)*Table\b)")


def html_table(
    rows: Iterable[Sequence[str]],
    header: Sequence[str],
    *,
    caption: str = "",
    numeric: Iterable[int] = (),
    sortable: bool = False,
) -> str:
    """Return an HTML table as a MyST block; cells are HTML already.

    Parameters
    ----------
    rows : iterable of sequence of str
        The first cell of each names the row.
    header : sequence of str
        Heads of the columns; an empty one is no head.
    caption : str
        Stands above.
    numeric : iterable of int
        Columns that are aligned to the right.
    sortable : bool
        Whether a click on a head sorts the rows.
    """
    right = set(numeric)

    def classes(place: int) -> str:
        return ' class="number"' if place in right else ""

    head = "".join(
        f'<th scope="col"{classes(i)}>{h}</th>' if h else "<td></td>" for i, h in enumerate(header)
    )
    body = ""
    for first, *rest in rows:
        cells = "".join(f"<td{classes(i)}>{c}</td>" for i, c in enumerate(rest, 1))
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>\n'
    words = f"<caption>{caption}</caption>\n" if caption else ""
    more = " paraspine-sortable" if sortable else ""
    return (
        f'```{{raw}} html\n<div class="{TABLE}-box"><table class="{TABLE}{more}">\n{words}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n```\n"
    )


def readable_tables(text: str) -> str:
    """Return HTML whose table heads have a scope; an empty head becomes an empty cell."""

    def part(found: re.Match) -> str:
        kind = "col" if found[1] == "thead" else "row"
        return _HEAD.sub(lambda head: _scoped(head, kind), found[0])

    return _PART.sub(part, text) if "<table" in text else text


def _scoped(head: re.Match, kind: str) -> str:
    own, words = head[1] or "", head[2]
    if not re.sub(r"<[^>]+>|&nbsp;", "", words).strip():
        return f"<td{own}>{words}</td>"
    if "scope=" in own:
        return head[0]
    span = "rowspan" if kind == "row" else "colspan"
    group = re.search(rf'{span}="(\d+)"', own)
    scope = f"{kind}group" if group and int(group[1]) > 1 else kind
    return f'<th scope="{scope}"{own}>{words}</th>'


def number_captions(text: str, numbers: Iterator[str]) -> str:
    """Return HTML whose captions begin with "Table 5.2", from an iterator of the numbers.

    A caption that begins with the word "Table" keeps its own; an empty number is left out.
    """

    def caption(found: re.Match) -> str:
        number = next(numbers)
        word = f'<span class="paraspine-number">Table {number}.</span> ' if number else ""
        return found[1] + word

    return _CAPTION.sub(caption, text) if TABLE in text else text
