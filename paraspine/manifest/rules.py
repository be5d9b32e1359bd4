"""Rules for the cells of a manifest, and notes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine.manifest.problem import Problem

__all__ = ["check", "notes"]

_KNOWN = ("subject", "image", "level", "session", "sex", "age", "center", "fat", "sha256_image")

#: What a failed rule says: problem and remedy.
_WORDS = {
    "blank": ("blank", "Every image needs one; fill it in, or remove the row."),
    "age": ("expected years as a number from 0 to 125", "Write a number, or leave it blank."),
    "fat": (
        "expected a fat fraction from 0 to 1",
        "Divide percentages by 100, or leave it blank.",
    ),
    "sha256": (
        "expected a SHA-256 checksum, 64 hexadecimal digits",
        "Write what 'sha256sum FILE' prints, or leave it blank.",
    ),
    "rater": (
        "this rater has rated no image",
        "Fill in the paths of this rater's label maps, or remove the column.",
    ),
}


def check(table: pd.DataFrame, rows: list[int]) -> list[Problem]:
    """Hold every cell against its column's rule, through pandera, all failures at once."""
    import pandera.pandas as pa

    def between(low, high, name):
        def test(cells):
            return pd.to_numeric(cells, errors="coerce").between(low, high)

        return pa.Column(checks=pa.Check(test, error=name), nullable=True, required=False)

    columns = {name: pa.Column(nullable=False) for name in ("subject", "image")}
    columns |= {"age": between(0, 125, "age"), "fat": between(0, 1, "fat")}
    for name in table:
        if name.startswith("rater_"):
            filled = pa.Check(lambda s: bool(s.notna().any()), error="rater", ignore_na=False)
            columns[name] = pa.Column(checks=filled, nullable=True)
        elif name.startswith("sha256_"):
            digits = pa.Check(lambda s: s.str.fullmatch("[0-9a-fA-F]{64}"), error="sha256")
            columns[name] = pa.Column(checks=digits, nullable=True)
    found = []
    try:
        pa.DataFrameSchema(columns, strict=False).validate(table, lazy=True)
    except pa.errors.SchemaErrors as failures:
        for case in failures.failure_cases.itertuples():
            name = case.check if case.check in _WORDS else "blank"
            place = None if pd.isna(case.index) else int(case.index)
            row = 1 if place is None else rows[place]
            value = None
            if place is not None and name != "blank":
                value = str(table[case.column].iloc[place])
            found.append(Problem(row, case.column, value, *_WORDS[name]))
    return found + _subjects(table, rows)


def _subjects(table: pd.DataFrame, rows: list[int]) -> list[Problem]:
    """What cannot differ within a subject (sex), or within one visit of it (age, center)."""
    found = []
    for column in ("sex", "age", "center"):
        if column not in table or (column != "sex" and "session" not in table):
            continue  # without sessions, two ages may be two visits: said in the notes
        visit = ["subject"] if column == "sex" else ["subject", "session"]
        values = pd.to_numeric(table[column], errors="coerce") if column == "age" else table[column]
        known = table.assign(_value=values, _row=rows).dropna(subset=["_value", "subject"])
        for key, group in known.groupby(visit, sort=False, dropna=False):
            first = group.iloc[0]
            who = f"subject {key[0]}"
            if len(key) > 1 and not pd.isna(key[1]):
                who += f", session {key[1]},"
            for _, other in group[group["_value"] != first["_value"]].iterrows():
                problem = f"{who} has {column} {first[column]} in row {first['_row']}"
                remedy = "Correct one of the two, or give different people different names."
                found.append(
                    Problem(int(other["_row"]), column, str(other[column]), problem, remedy)
                )
    return found


def notes(table: pd.DataFrame) -> list[str]:
    """Sentences on what is allowed but worth knowing."""
    notes = []
    raters = [c.removeprefix("rater_") for c in table if c.startswith("rater_")]
    known = {*_KNOWN, *(f"{kind}_{r}" for r in raters for kind in ("rater", "sha256"))}
    if unknown := [c for c in table if c not in known]:
        notes.append(
            f"Columns that paraspine gives no meaning: {', '.join(unknown)}. They are kept as text "
            "and can be named to split or stratify by."
        )
    if not raters:
        notes.append("No rater: the images can be predicted on, not trained with or scored.")
    elif len(raters) == 1:
        notes.append(
            f"One rater only ({raters[0]}): agreement between raters and ground-truth entropy "
            "cannot be measured."
        )
    if raters:
        rated = np.stack([table[f"rater_{r}"].notna() for r in raters]).sum(axis=0)
        if none := int((rated == 0).sum()):
            notes.append(f"{none} of {len(table)} images are rated by nobody.")
        if some := int(((rated > 0) & (rated < len(raters))).sum()):
            notes.append(
                f"{some} of {len(table)} images are rated by some raters, not by all (a blank cell "
                "means not rated)."
            )
    if "session" not in table and "subject" in table:
        for column in ("age", "center"):
            if column in table:
                several = int(table.groupby("subject")[column].nunique().gt(1).sum())
                if several:
                    notes.append(
                        f"Subjects with more than one {column}: {several}. They are taken as seen "
                        "several times; a 'session' column would tell."
                    )
    return notes
