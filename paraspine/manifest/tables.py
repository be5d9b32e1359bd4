"""Read the CSV of a manifest and check its text, header and rows."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from paraspine.manifest import rules
from paraspine.manifest.problem import Problem

__all__ = ["Source", "cells", "check_paths", "is_inside", "load", "path_columns", "rater_names"]

_BLANK = {"", "n/a", "na", "nan", "none", "null"}


@dataclass(frozen=True)
class Source:
    """Where a table comes from: what the checks of its files need to know."""

    path: Path
    root: Path
    given_root: bool
    metadata: dict
    rows: list[int]

    @property
    def generated(self) -> bool:
        """Whether the images are made by the phantom."""
        return bool(self.metadata.get("generator"))

    @property
    def regenerate(self) -> str:
        """The command that makes the images."""
        return f"paraspine phantom {self.path}"


def rater_names(columns: Iterable[str]) -> list[str]:
    """Names of the raters among the columns, in their order."""
    return [c.removeprefix("rater_") for c in columns if c.startswith("rater_")]


def path_columns(table: pd.DataFrame) -> list[str]:
    """Columns that hold paths."""
    return ["image", *(c for c in table if c.startswith("rater_"))]


def cells(path: Path) -> tuple[pd.DataFrame | None, list[int], list[Problem]]:
    """Cells of a manifest as text, the only reading of it: for its check, plans and digests.

    Cells are stripped; rows and columns on the right that are blank are left out; blank cells
    ("", n/a, none, ...) are missing values.

    Returns
    -------
    table : pandas.DataFrame or None
        One row per image; None where the file has none that can be read.
    rows : list of int
        Each row's number in the file, the header being row 1.
    problems : list of Problem
        What is wrong with the text, the header or the number of cells; `table` then holds the rows
        that are right.
    """
    records, found = _records(path)
    if not records:
        return None, [], found
    header = [name.strip() for name in records[0][1]]
    while not header[-1]:  # empty columns on the right, as spreadsheets leave them
        header.pop()
    if found := _check_header(header):
        return None, [], found
    rows, kept = [], []
    for row, record in records[1:]:
        values = [v.strip() for v in record]
        if len(values) < len(header) or any(values[len(header) :]):
            problem = f"expected {len(header)} cells as in the header, found {len(values)}"
            remedy = "Add the missing commas; a cell that holds a comma needs quotation marks."
            found.append(Problem(row, None, None, problem, remedy))
            continue
        rows.append(row)
        kept.append(values[: len(header)])
    table = pd.DataFrame(kept, columns=header, dtype="str")
    return table.mask(table.apply(lambda c: c.str.lower().isin(_BLANK))), rows, found


def load(path: Path) -> tuple[pd.DataFrame | None, list[int], list[Problem], list[str]]:
    """Table (None if there is none), each row's number in the file, problems, notes."""
    table, rows, found = cells(path)
    if table is None or table.empty:
        if not found:
            problem = "the manifest has a header but names no image"
            found.append(Problem(None, None, None, problem, "Add one row per image."))
        return None, [], found, []
    found += rules.check(table, rows) + _check_duplicates(table, rows)
    for column in ("age", "fat"):
        if column in table:
            table[column] = pd.to_numeric(table[column], errors="coerce").astype(float)
    return table, rows, found, rules.notes(table)


def _records(path: Path) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Row numbers and cells, blank rows left out."""

    def fail(problem, remedy):
        return [], [Problem(None, None, str(path), problem, remedy)]

    if not path.is_file():
        return fail("there is no such manifest", "Check the path; it names a CSV file.")
    try:
        data = path.read_bytes()
    except OSError as broken:
        return fail(f"cannot be read ({broken.strerror})", "Change the file's permissions.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return fail("this is a spreadsheet, not a CSV", "Save it as 'CSV UTF-8'.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = data[: broken.start].count(b"\n") + 1
        problem = f"line {line} holds a byte that is not UTF-8"
        return fail(problem, "Save the file as 'CSV UTF-8' in the spreadsheet program.")
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as broken:
        return fail(f"not a CSV ({broken})", "Check for a quotation mark that is never closed.")
    filled = [(i, r) for i, r in enumerate(records, 1) if any(v.strip() for v in r)]
    if not filled:
        return fail(
            "the manifest is empty", "Write a header (subject,image,rater_<name>) and rows."
        )
    first = filled[0][1]
    if len(first) == 1 and (mark := next((m for m in ";\t|" if m in first[0]), "")):
        shown = "tabs" if mark == "\t" else f"'{mark}'"
        return fail(f"cells are parted by {shown}, not by commas", "Save the file with commas.")
    return filled, []


def _check_header(header: list[str]) -> list[Problem]:
    found = []
    for name in dict.fromkeys(n for n in header if n and header.count(n) > 1):
        problem = f"{header.count(name)} columns have this name"
        found.append(Problem(1, name, None, problem, "Rename or remove all but one."))
    for name in ("subject", "image"):
        if name not in header:
            near = next((h for h in header if h.lower().rstrip("s") == name), None)
            remedy = f"Rename '{near}'." if near else "Add it, or check the header's spelling."
            found.append(Problem(1, name, None, "there is no such column", remedy))
    for name in header:
        meant = re.sub(r"^rater[ _.-]*", "", name, flags=re.IGNORECASE).replace(" ", "_")
        if not name.startswith("rater_") and re.match(r"rater[ _.-]", name, re.IGNORECASE):
            remedy = f"Rename it rater_{meant}; capitals count."
            found.append(Problem(1, name, None, "looks like a rater, and is none", remedy))
    if "rater_" in header:
        remedy = "Write rater_<name>, for example rater_A."
        found.append(Problem(1, "rater_", None, "this rater has no name", remedy))
    if "rater_image" in header:
        remedy = "Give the rater another name, so that sha256_image stays the image's."
        found.append(Problem(1, "rater_image", None, "a rater called 'image'", remedy))
    if "" in header:
        place = header.index("") + 1
        found.append(Problem(1, None, None, f"column {place} has no name", "Name or remove it."))
    return found


def _check_duplicates(table: pd.DataFrame, rows: list[int]) -> list[Problem]:
    """A file may stand in one place of the manifest only."""
    found, seen = [], {}
    for column in path_columns(table):
        for place, value in enumerate(table[column]):
            if pd.isna(value):
                continue
            key = os.path.normpath(value)
            before, where = seen.setdefault(key, (place, column))
            if (before, where) == (place, column):
                continue
            if column == where == "image":
                problem = f"this image stands in row {rows[before]} already"
                remedy = "Keep one row per image, with all raters in it."
            elif column == where:
                problem = f"this label map stands in row {rows[before]} already"
                remedy = "Name the label map of this image, or leave the cell blank."
            else:
                problem = f"the same file as {where} in row {rows[before]}"
                remedy = "Name each rater's own label map, or leave the cell blank."
            found.append(Problem(rows[place], column, value, problem, remedy))
    return found


def check_paths(table: pd.DataFrame, source: Source) -> list[Problem]:
    """Whether paths stay inside their folder."""
    found = []
    folder = "the data root" if source.given_root else "the manifest's folder"
    remedy = "Move the file below it, or name a folder that holds all files as data root"
    remedy += "." if source.given_root else " (paraspine check --data-root FOLDER)."
    for column in path_columns(table):
        for place, value in enumerate(table[column]):
            if pd.isna(value) or is_inside(value):
                continue
            problem = f"the path leaves {folder}"
            if _is_absolute(value):
                problem = f"an absolute path; expected one relative to {folder}"
            found.append(Problem(source.rows[place], column, value, problem, remedy))
    return found


def is_inside(value: str) -> bool:
    """Whether a path is relative and does not climb out of its folder."""
    climbs = os.path.normpath(value.replace("\\", "/")).split("/")[0] == ".."
    return not climbs and not _is_absolute(value)


def _is_absolute(value: str) -> bool:
    return os.path.isabs(value) or re.match(r"[A-Za-z]:[\\/]", value) is not None
