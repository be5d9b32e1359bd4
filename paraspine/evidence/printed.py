"""Published values beside those of a run: digits, units and places."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.show import Table, words
from paraspine.evidence.show import table as show_table
from paraspine.published.tables import SCALES
from paraspine.statistics import Estimate

__all__ = [
    "beside_sentence",
    "digits_of",
    "place_of",
    "beside_display",
    "structure_named",
    "unit_words",
    "with_sd",
]

#: Words for the place of a published value.
PLACES = {place: f"{place} the interval" for place in ("inside", "above", "below")}
#: Digits of a power of ten.
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def digits_of(values) -> int:
    """Digits after the point that the longest of some printed numbers has."""
    return max(len(f"{v:.10f}".rstrip("0").partition(".")[2]) for v in values)


def unit_words(unit: str) -> str:
    """A printed unit after a quantity's name."""
    if not unit:
        return ""
    named = {"%": "%", "mm2": "mm²", "patients": "patients"}
    if unit in named:
        return f", {named[unit]}"
    power = f"{SCALES[unit]:.0e}".split("e")[1]
    return f", × 10{str(int(power)).translate(RAISED)}"


def with_sd(value: float, sd: float, digits: int) -> str:
    """A number and its standard deviation, where there is one, as papers print them."""
    words = text.number(value, digits)
    return words if np.isnan(sd) else f"{words} ± {text.number(sd, digits)}"


def structure_named(structures: Iterable[str], target: str) -> str | None:
    """A cohort's name for a structure; the order of words and their case make no difference."""
    wanted = sorted(target.lower().split())
    return next((s for s in structures if sorted(s.lower().split()) == wanted), None)


def place_of(row) -> str:
    """Where the published value stands to this run's interval."""
    if not (np.isfinite(row.low) and np.isfinite(row.high)):
        return ""
    return "above" if row.published > row.high else "below" if row.published < row.low else "inside"


def beside_display(table: pd.DataFrame, name: str, *, caption: str, source: str) -> Table:
    """One published table beside this run's, for reading.

    Parameters
    ----------
    table : pandas.DataFrame
        As `beside_tables` gives it.
    name : str
        ``"Table 1"`` to ``"Table 5"``.
    caption, source
        As `show.table`.
    """
    table = table[table["table"] == name]
    lines, digits = [], digits_of(table["published"])
    for row in table.to_dict("records"):
        value = Estimate(row["value"], row["low"], row["high"])
        spread = "" if np.isnan(row["sd"]) else f" ± {text.number(row['sd'], digits)}"
        note = f", {row['note']}" if row["note"] else ""
        own = f"{value:.{digits}f brackets}{spread}{trained_words(row['trainings'])}"
        lines.append(
            {
                "model": row["system"],
                "training and method": row["condition"],
                "of": row["target"],
                "published": with_sd(row["published"], row["published_sd"], digits) + note,
                "this run": row["status"]
                or own + (f", {row['ensemble']}" if row["ensemble"] else ""),
                "published value": row["place"] and PLACES[row["place"]],
            }
        )
    shown = pd.DataFrame(lines)
    rows = ["model", "training and method", "of"]
    rows = rows if shown["of"].nunique() > 1 else rows[:2]
    unit = unit_words(table["unit"].iloc[0])
    heads = {f"published{unit}": words("published"), "this run": words("this run")}
    heads |= {"published value": words("published value")}
    return show_table(shown, rows, heads, caption=caption, source=source)


def beside_sentence(table: pd.DataFrame, name: str) -> str:
    """How many cells of one published table this run has, and where they stand to its intervals."""
    table = table[table["table"] == name]
    known = table[table["status"] == ""]
    if known.empty:
        reasons = text.listing(dict.fromkeys(table["status"]))
        return f"This run has none of the {text.count(len(table), 'published cell')}: {reasons}."
    told = known[known["place"] != ""]
    sentence = f"Of {text.count(len(table), 'published cell')} this run has {len(known)}. "
    if told.empty:
        sentence += "None has an interval to compare with"
    else:
        counts = [(int((told["place"] == p).sum()), p) for p in ("inside", "above", "below")]
        words = [f"{number} {place}" for number, place in counts if number]
        sentence += f"The published values lie {text.listing(words)} this run's 95 % interval"
        if len(told) < len(known):
            sentence += f"; {text.count(len(known) - len(told), 'cell')} without an interval"
    return f"{sentence}."


def trained_words(trainings: int) -> str:
    """How many trainings a number is the mean of, to go behind it; empty for one."""
    return f", mean of {trainings} trainings" if trainings > 1 else ""
