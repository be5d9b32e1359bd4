"""Inconsistencies between Tables 3 and 5 of roshanzamir2023.

A column of Table 5 is the one-predictor R² of the same uncertainty whose Pearson r with GT entropy
stands in Table 3, so 100 r² must give it back up to rounding. Where it does not, these functions
find what does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .tables import table

__all__ = ["TOLERANCE", "aleatoric_repeats", "exchanged_rows", "inconsistencies"]

#: How far r and the root of R² may differ: r is printed with four decimals, of which one unit is
#: granted, half a unit for rounding.
TOLERANCE = 1.5e-4

_EPISTEMIC = {
    "TTA+TTD majority": "TTD majority",
    "TTA+TTD random": "TTD random",
    "TTA+ensemble": "ensemble majority",
}
_ALEATORIC = {
    "TTA+TTD majority": "TTA majority",
    "TTA+TTD random": "TTA random",
    "TTA+ensemble": "TTA majority",
}


def exchanged_rows() -> pd.DataFrame:
    """Epistemic column of Table 5 against Table 3.

    Returns
    -------
    pandas.DataFrame
        One row per cell of Table 5's epistemic column; columns as for `inconsistencies`. The
        UNet's random and ensemble rows carry each other's number.
    """
    return _compare("epistemic", _EPISTEMIC)


def aleatoric_repeats() -> pd.DataFrame:
    """Aleatoric column of Table 5 against Table 3.

    Returns
    -------
    pandas.DataFrame
        One row per cell of Table 5's aleatoric column; columns as for `inconsistencies`. The
        rows of random sampling carry the number of the majority vote.
    """
    return _compare("aleatoric", _ALEATORIC)


def inconsistencies() -> pd.DataFrame:
    """Every cell of Table 5 that Table 3 gives back, and whether it does.

    Returns
    -------
    pandas.DataFrame
        ``system``, ``row`` and ``column`` (of Table 5); ``printed`` (per cent of variance there);
        ``condition`` (the row of Table 3 it should come from), ``r`` (printed there), ``implied``
        (``100 r²``, per cent); ``consistent`` (bool: root of `printed` within `TOLERANCE` of r);
        ``fits`` (the rows of Table 3, same system, whose r² the printed number is; joined by
        "; ", empty where none); ``exchanged_with`` (the row of Table 5 with which this one has
        changed places, empty where none); ``repeats`` (the row of Table 5 whose number this one
        repeats although it should differ, empty where none).
    """
    return pd.concat([exchanged_rows(), aleatoric_repeats()], ignore_index=True)


def _compare(column: str, mapping: dict[str, str]) -> pd.DataFrame:
    correlations = table("roshanzamir2023", "Table 3")
    shares = table("roshanzamir2023", "Table 5")
    shares = shares[shares["target"] == column]
    prefixes = ("TTD", "ensemble") if column == "epistemic" else ("TTA",)
    rows = []
    for cell in shares.itertuples():
        own = correlations[
            (correlations["system"] == cell.system)
            & correlations["condition"].str.startswith(prefixes)
        ].set_index("condition")["value"]
        wanted = mapping[cell.condition]
        r = float(own[wanted])
        fits = [name for name, other in own.items() if _agrees(other, cell.value)]
        rows.append(
            {
                "system": cell.system,
                "row": cell.condition,
                "column": column,
                "printed": cell.value,
                "condition": wanted,
                "r": r,
                "implied": 100 * r**2,
                "consistent": _agrees(r, cell.value),
                "fits": "; ".join(fits),
            }
        )
    frame = pd.DataFrame(rows)
    pairs = [(_exchange(frame, i), _repeat(frame, i)) for i in range(len(frame))]
    return frame.assign(exchanged_with=[p[0] for p in pairs], repeats=[p[1] for p in pairs])


def _agrees(r: float, percent: float) -> bool:
    return bool(abs(abs(r) - np.sqrt(percent / 100)) <= TOLERANCE)


def _exchange(frame: pd.DataFrame, index: int) -> str:
    """Row whose correlation gives this row's number back while this one's gives that row's."""
    here = frame.iloc[index]
    if here["consistent"]:
        return ""
    for _, there in frame[frame["system"] == here["system"]].iterrows():
        if _agrees(there["r"], here["printed"]) and _agrees(here["r"], there["printed"]):
            return there["row"]
    return ""


def _repeat(frame: pd.DataFrame, index: int) -> str:
    """Row that prints the same number and has a right to it, while this one has none."""
    here = frame.iloc[index]
    if here["consistent"]:
        return ""
    same = frame[
        (frame["system"] == here["system"])
        & (frame["printed"] == here["printed"])
        & frame["consistent"]
    ]
    return same["row"].iloc[0] if len(same) else ""
