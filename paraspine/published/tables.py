"""Reading the published numbers."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import resources

import pandas as pd

from ..arrays import SettingsError

__all__ = ["COLUMNS", "SCALES", "parse", "table", "value"]

#: Columns of the file.
COLUMNS = (
    "source",
    "table",
    "system",
    "condition",
    "target",
    "metric",
    "value",
    "sd",
    "unit",
    "note",
)

#: What a printed number is multiplied by to be in units of 1 (or of mm², or patients).
SCALES = {
    "": 1.0,
    "%": 1e-2,
    "1e-3": 1e-3,
    "1e-4": 1e-4,
    "1e-5": 1e-5,
    "1e3": 1e3,
    "1e4": 1e4,
    "mm2": 1.0,
    "patients": 1.0,
}


def table(source: str | None = None, table: str | None = None) -> pd.DataFrame:
    """Published numbers, all of them or those of one paper or table.

    Parameters
    ----------
    source : str, optional
        Short name of the paper, such as ``"roshanzamir2023"``.
    table : str, optional
        Where it stands in the paper, such as ``"Table 5"``.

    Returns
    -------
    pandas.DataFrame
        One row per number: ``source``, ``table``, ``system``, ``condition``, ``target``,
        ``metric`` (text); ``value`` (float, as printed), ``bound`` (``"<"`` where the paper
        prints only that the number is below `value`, else ``""``), ``sd`` (float, NaN where not
        printed), ``unit``, ``note`` (text); ``plain`` and ``plain_sd`` (`value` and `sd` in
        units of 1).

    Raises
    ------
    SettingsError
        If there is no such paper or table.
    """
    frame = _read()
    for column, wanted in (("source", source), ("table", table)):
        if wanted is None:
            continue
        known = list(dict.fromkeys(frame[column]))
        if wanted not in known:
            raise SettingsError(f"{column}: expected one of {known}, got {wanted!r}.")
        frame = frame[frame[column] == wanted]
    return frame.reset_index(drop=True)


def value(
    source: str,
    table: str,
    *,
    system: str | None = None,
    condition: str | None = None,
    target: str | None = None,
    metric: str | None = None,
    plain: bool = False,
) -> float:
    """One published number.

    Parameters
    ----------
    source, table : str
        Paper and place, as for `table`.
    system, condition, target, metric : str, optional
        What else singles it out.
    plain : bool
        In units of 1 instead of as printed.

    Raises
    ------
    SettingsError
        If not exactly one number fits.
    """
    frame = globals()["table"](source, table)
    wanted = {"system": system, "condition": condition, "target": target, "metric": metric}
    wanted = {name: text for name, text in wanted.items() if text is not None}
    found = frame
    for column, text in wanted.items():
        found = found[found[column] == text]
    if len(found) != 1:
        known = {c: list(dict.fromkeys(frame[c])) for c in ("system", "condition")}
        known |= {c: list(dict.fromkeys(frame[c])) for c in ("target", "metric")}
        raise SettingsError(
            f"{source}, {table}: expected one number for {wanted}, found {len(found)}; "
            f"choose among {known}."
        )
    return float(found["plain" if plain else "value"].iloc[0])


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn the file's text into numbers and check every row.

    Raises
    ------
    SettingsError
        Naming each row whose number, unit or identity does not parse.
    """
    if tuple(frame.columns) != COLUMNS:
        raise SettingsError(
            f"published results: expected the columns {list(COLUMNS)}, got {list(frame.columns)}."
        )
    problems, rows = [], []
    for number, row in enumerate(frame.itertuples(index=False), start=2):
        bound = "<" if row.value.startswith("<") else ""
        amount, sd = _number(row.value.removeprefix("<")), _number(row.sd, empty_is_nan=True)
        if amount is None or not math.isfinite(amount):
            problems.append(f"line {number}: value {row.value!r} is no number")
        if sd is None or sd < 0:
            problems.append(f"line {number}: sd {row.sd!r} is no number of at least 0")
        if row.unit not in SCALES:
            problems.append(f"line {number}: unit {row.unit!r} is none of {list(SCALES)}")
        for column in COLUMNS[:6]:
            if not getattr(row, column).strip():
                problems.append(f"line {number}: {column} is empty")
        scale = SCALES.get(row.unit, math.nan)
        rows.append((amount, bound, sd, scale))
    identity = frame.duplicated(list(COLUMNS[:6]))
    problems += [f"line {number + 2}: repeats an earlier row" for number in frame.index[identity]]
    if problems:
        raise SettingsError("published results: " + "; ".join(problems) + ".")
    parsed = frame.assign(
        value=[r[0] for r in rows], bound=[r[1] for r in rows], sd=[r[2] for r in rows]
    )
    scale = pd.Series([r[3] for r in rows], index=frame.index, dtype=float)
    parsed = parsed.assign(plain=parsed["value"] * scale, plain_sd=parsed["sd"] * scale)
    columns = [*COLUMNS[:7], "bound", "sd", "unit", "note", "plain", "plain_sd"]
    return parsed[columns].astype({"value": float, "sd": float})


@lru_cache(maxsize=1)
def _parsed() -> pd.DataFrame:
    source = resources.files(__package__).joinpath("published_results.csv")
    with source.open(encoding="utf-8") as file:
        return parse(pd.read_csv(file, dtype=str, keep_default_na=False))


def _read() -> pd.DataFrame:
    return _parsed().copy()


def _number(text: str, empty_is_nan: bool = False) -> float | None:
    if not text.strip():
        return math.nan if empty_is_nan else None
    try:
        return float(text)
    except ValueError:
        return None
