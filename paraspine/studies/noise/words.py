"""Sentences about the grid of noise, bias field and coupling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.judge import claims_summary
from paraspine.evidence.limits import side
from paraspine.evidence.show import Cell, estimate, interval, number, words
from paraspine.evidence.words import without
from paraspine.studies.noise.tables import CLAIM, MIXED, shown_knob

UNDEFINED = (
    "Left out: r is undefined in every cell, with one rater, fewer than three slices or no "
    "difference among them."
)
NAMES = {"noise": "image noise", "bias_field": "bias field", "noise_coupling": "coupling"}
TURNED = {"noise": "More image noise", "bias_field": "A stronger bias field"}
VERBS = {1: "tightens", -1: "loosens", 0: "does not clearly change"}
FOUND = {1: "tighter", -1: "looser", 0: "no clear change"}
TIES = ("aleatoric", "epistemic")
#: Columns of the table of changes.
CHANGES: Mapping[str, Cell] = {
    "r before": number("first", 2),
    "r after": number("last", 2),
    "change": interval(digits=2),
    "leaving one subject out": words("range"),
}


def named(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the knobs in words, and the range over leaving one subject out."""
    knobs = {knob: table[knob].map(shown_knob) for knob in NAMES if knob in table}
    shown = table.assign(**knobs).rename(columns=NAMES)
    if "knob" in table:
        shown["turned"] = table["knob"].map(NAMES)
        ranges = [without(row, 2).split(" without")[0].lstrip("; ") or "–"
                  for row in table.to_dict("records")]  # fmt: skip
        shown["range"] = ranges
    return shown


def setup_sentence(frame: pd.DataFrame, settings: Mapping, data, tested: int) -> str:
    """What was computed, and what the network had seen in training; `tested` slices in all."""
    cells = len(frame[list(NAMES)].drop_duplicates())
    levels = text.listing(dict.fromkeys(data.table["level"]))
    part = (
        f". *r* differs from chapter 5, which takes all {tested} test slices: these are of {levels}"
        if len(data) < tested
        else ""
    )
    return (
        f"{text.count(cells, 'cell')} of {text.count(len(data), 'slice')} of "
        f"{text.count(data.table['subject'].nunique(), 'test subject')}, rated by "
        f"{text.count(len(data.raters), 'rater')}{part}. The network was trained at noise "
        f"{settings['noise']:g}, bias field {settings['bias_field']:g} and coupling "
        f"{settings['noise_coupling']:g}; it has seen no other cell."
    )


def answer(changes: pd.DataFrame) -> str:
    """What image noise and raters whom it misleads do to both ties; first what moves one."""
    own = changes[changes["knob"].isin(["noise", "noise_coupling"])]
    if own.empty or own["mean"].isna().all():
        return UNDEFINED if len(own) else "The grid has one noise level and one coupling."
    said = [_turned(changes, "noise"), _misled(changes)]
    return " ".join(sorted(filter(None, said), key=lambda s: "**" not in s))


def bias_sentence(changes: pd.DataFrame) -> str:
    """What the bias field does to both ties where raters do not see the noise."""
    if len(changes) and changes["mean"].isna().all():
        return UNDEFINED
    return _turned(changes, "bias_field") or "The grid has one bias field, so nothing moves."


def coupling_sentence(changes: pd.DataFrame, partition: pd.DataFrame) -> str:
    """How much of the disagreement is explained with and without raters misled by noise."""
    own = _coupled(changes)
    if own.empty:
        return "The grid has one coupling, so nothing moves."
    if own["mean"].isna().all():
        return UNDEFINED
    place, bias = own["noise"].iloc[0], float(own["bias_field"].iloc[0])
    cells = partition[(partition["noise"] == place) & (partition["bias_field"] == bias)]
    parts = cells.set_index(["noise_coupling", "part"])
    ends = [min(cells["noise_coupling"]), max(cells["noise_coupling"])]
    joint, alone = (
        [f"{estimate(parts.loc[(end, part)]):.0f}".replace(" (", " % (") for end in ends]
        for part in ("joint", "unique_aleatoric")
    )
    return (
        f"Both kinds together{_cohort(changes)} explain {joint[0]} of the variance of disagreement "
        f"where noise does not mislead the raters and {joint[1]} where it does; the "
        f"aleatoric alone adds {alone[0]} and {alone[1]}."
    )


def claim_sentence(claims: pd.DataFrame) -> str:
    """The verdict on the paper's hypothesis, with the correlations of the first place."""
    if claims.empty:
        return "With one noise level the paper's hypothesis can't be checked."
    row = claims.iloc[0]
    places = text.count(len(claims), "combination")
    counts = claims["verdict"].value_counts()
    verdict = claims_summary(claims)["verdict"].item()
    told = text.listing(f"{v} in {n}" for v, n in counts.items())
    return (
        f"“{CLAIM}”, the paper supposes. Here: **{verdict}** ({told} of {places} of bias field and "
        f"coupling). At {row['where']}, *r* is {text.number(row['first'])} where all images have "
        f"the same noise and {text.number(row['last'])} where they differ: change "
        f"{estimate(row):.2f}{without(row, 2)}."
    )


def found_sentence(changes: pd.DataFrame, claims: pd.DataFrame) -> str:
    """What was found, as a list."""
    lines = ["The link of each uncertainty to disagreement:", ""]
    for what, own in (
        ("More image noise", _first(changes, "noise")),
        ("A stronger bias field", _first(changes, "bias_field")),
        (f"Raters misled by noise{_cohort(changes).rstrip(',')}", _coupled(changes)),
    ):
        if len(own) and own["mean"].notna().any():
            ties = [f"{kind} **{FOUND[side(_of(own, kind))]}**" for kind in TIES]
            lines.append(f"- {what}: {', '.join(ties)}.")
    if len(claims):
        lines.append(f"- The paper's hypothesis: **{claims_summary(claims)['verdict'].item()}**.")
    return "\n".join(lines) if len(lines) > 2 else UNDEFINED


def _first(changes: pd.DataFrame, knob: str) -> pd.DataFrame:
    """Changes by one knob at the first values of the others."""
    own = changes[changes["knob"] == knob]
    for other in (name for name in NAMES if name != knob):
        own = own[own[other] == own[other].iloc[0]] if len(own) else own
    return own


def _coupled(changes: pd.DataFrame) -> pd.DataFrame:
    """Changes by the coupling in the mixed cohort, or at the first noise level without one."""
    own = changes[changes["knob"] == "noise_coupling"]
    place = MIXED if (own["noise"] == MIXED).any() else next(iter(own["noise"]), "")
    return own[own["noise"] == place]


def _cohort(changes: pd.DataFrame) -> str:
    own = _coupled(changes)
    mixed = len(own) and own["noise"].iloc[0] == MIXED
    return ", in images that differ in noise," if mixed else ""


def _turned(changes: pd.DataFrame, knob: str) -> str:
    own = _first(changes, knob)
    return f"{TURNED[knob]} {_both(own)}." if len(own) else ""


def _misled(changes: pd.DataFrame) -> str:
    own = _coupled(changes)
    if own.empty:
        return ""
    return f"Noise that misleads the raters{_cohort(changes)} {_both(own)}."


def _both(own: pd.DataFrame) -> str:
    """What a knob does to both ties, what it moves first."""
    rows = [_of(own, kind) for kind in TIES]
    if not any(map(side, rows)):
        ties = "; ".join(f"{row['kind']} {_numbers(row)}" for row in rows)
        return f"does not clearly change how closely uncertainty follows disagreement: {ties}"
    told = []
    for row in sorted(rows, key=lambda row: side(row) == 0):
        words = f"{VERBS[side(row)]} the link of {row['kind']} uncertainty"
        words += "" if told else " to disagreement"
        told.append((f"**{words}**" if side(row) else words) + f" ({_numbers(row)})")
    return " and ".join(told)


def _of(own: pd.DataFrame, kind: str) -> dict:
    return own[own["kind"] == kind].iloc[0].to_dict()


def _numbers(row: Mapping) -> str:
    if np.isnan(row["mean"]):
        return "undefined"
    decided = ", not counted, as it depends on one subject" if row["decided_by"] else ""
    ends = f"*r* from {text.number(row['first'])} to {text.number(row['last'])}"
    return f"{ends}, change {estimate(row):.2f cell}{decided}"
