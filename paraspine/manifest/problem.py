"""Problems of a manifest and their message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paraspine.arrays import ManifestError

__all__ = ["Problem", "error", "ordered"]

_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a manifest.

    Attributes
    ----------
    row : int or None
        Row of the CSV as a spreadsheet counts it, the header being row 1; None for the whole file.
    column : str or None
        The column's name; the key, where the problem lies in the JSON file.
    value : str or None
        What stands there.
    problem : str
        What is wrong with it.
    remedy : str
        What to do.
    """

    row: int | None
    column: str | None
    value: str | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = [f"row {self.row}" if self.row else "", self.column or "", self.value or ""]
        place = ", ".join(w for w in where if w)
        return f"{place + ': ' if place else ''}{self.problem}. {self.remedy}"


def ordered(problems: Sequence[Problem]) -> list[Problem]:
    """By row, those of the whole file first, each once."""
    unique = list(dict.fromkeys(problems))
    return sorted(unique, key=lambda p: (p.row or 0, p.column or "", p.value or ""))


def error(path: Path, problems: Sequence[Problem]) -> ManifestError:
    """All problems as one exception; the message shows the first twenty."""
    lines = [f"  {p}" for p in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  ... and {len(problems) - _SHOWN} more: paraspine check {path} --all")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ManifestError("\n".join([f"{path}: {count}", *lines]), problems)
