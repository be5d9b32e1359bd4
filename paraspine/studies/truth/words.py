"""Sentences on what panels of raters and networks recover of the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine import fusion, text
from paraspine.evidence.limits import side
from paraspine.evidence.show import estimate
from paraspine.evidence.views import name_of
from paraspine.evidence.words import ends
from paraspine.figures import View
from paraspine.studies.truth.panels import GRID, MAJORITY, SOFT, STAPLE
from paraspine.studies.truth.tables import SHARES
from paraspine.studies.truth.theory import Known

NO_NETWORK = "No network was compared with the truth."
SURE = "The raters never disagree, so there is no entropy to underestimate."
#: Share of the true entropy as measured, and as expected of independent raters.
MEASURED, EXACTLY, CORRECTED = (
    SHARES[SOFT], "expected, exactly", "measured, Miller-Madow corrected",
)  # fmt: skip


def population_sentence(known: Sequence[Known], data) -> str:
    """What the truth is, and how well it is known."""
    first = known[0]
    worst = 0.5 / np.sqrt(first.draws)
    raters, pool = len(data.raters), len(first.labels)
    own = f", of whom the first {raters} are the cohort's" if pool <= 26 else ""
    return (
        f"{text.count(len(known), 'slice')} of "
        f"{text.count(data.table['subject'].nunique(), 'test subject')}. The truth is the mean of "
        f"{text.count(first.draws, 'rater')} and known to {text.number(worst, 3)} or better "
        f"(standard error). Panels are drawn from {pool} others{own}."
    )


def answer(effective: pd.DataFrame, shares: pd.DataFrame, raters: int) -> str:
    """How near the networks come to the truth, and how much of its entropy the raters show."""
    return f"{network_sentence(effective, raters)} {bias_sentence(shares, raters)}"


def network_sentence(effective: pd.DataFrame, raters: int) -> str:
    """Effective number of raters over all networks, beside the raters that they learned from."""
    networks = _networks(effective)
    if networks.empty:
        return NO_NETWORK
    sides = [_side(row, raters) for row in networks.to_dict("records")]
    lead = _lead(sides, f"the mean of its {text.count(raters, 'rater')}")
    best, worst = ends(networks)
    if len(sides) == 1:
        return f"{lead} It is as near as the mean of {estimate(best):.1f} raters would be."
    return (
        f"{lead} Over {len(sides)} ways of training and sampling, a network is as near as the mean "
        f"of {estimate(worst):.1f} to {estimate(best):.1f cell} raters would be (effective number)."
    )


def _networks(effective: pd.DataFrame) -> pd.DataFrame:
    return effective[(effective["condition"] != GRID) & effective["mean"].notna()]


def _lead(sides: Sequence[int], beside: str) -> str:
    further, nearer = sides.count(-1), sides.count(1)
    if further == len(sides):
        return f"**No network is as near to the truth as {beside}.**"
    if nearer == len(sides):
        return f"**Every network is nearer to the truth than {beside}.**"
    told = [_of(n, len(sides), turn) for n, turn in ((nearer, "nearer"), (further, "further")) if n]
    if not told:
        return f"**Whether a network is nearer to the truth than {beside} can't be told.**"
    rest = len(sides) - further - nearer
    open_ones = f"; {rest} can't be told" if rest else ""
    return f"**To the truth, {text.listing(told)} than {beside}{open_ones}.**"


def _of(some: int, every: int, turn: str) -> str:
    return f"{some} of {every} {'is' if some == 1 else 'are'} {turn}"


def _side(row: dict, reference: float) -> int:
    """Side of a reference on which a network lies for sure."""
    return side(row | {"low": row["low"] - reference, "high": row["high"] - reference})


def grid_sentence(effective: pd.DataFrame) -> str:
    """What the networks' coarser grid costs; empty where the images lie on it."""
    floor, networks = effective.loc[effective["condition"] == GRID, "mean"], _networks(effective)
    if floor.empty or not np.isfinite(floor.iloc[0]) or networks.empty:
        return ""
    share = networks["mean"].max() / floor.iloc[0]
    return (
        f"The networks' coarser grid alone would make {text.percent(share)} of the best network's "
        f"error (an effective number of {text.number(floor.iloc[0], 0)} raters)."
    )


def recovery_sentence(table: pd.DataFrame, raters: int) -> str:
    """How the Brier score of each fusion falls with the number of raters."""
    found, most = table.set_index(["condition", "raters"]), int(table["raters"].max())
    few, falls = min(raters, most), {}
    for name in (SOFT, MAJORITY, STAPLE):
        one, other = (found.loc[(name, r), "mean"] for r in (few, most))
        falls[name] = one / other if other > 0 else np.nan
    soft, vote, posterior = (text.number(fall, 1) for fall in falls.values())
    stay = max(falls[MAJORITY], falls[STAPLE]) < falls[SOFT]
    words = (
        f"From {text.count(few, 'rater')} to {most}, the error of their mean (the soft label) "
        f"falls {soft} times ({text.number(most / few, 1)} expected, as 1/*R*), that of the "
        f"majority vote {vote} times and that of STAPLE's posterior {posterior} times"
        f"{': settling on one class stays wrong however many vote' if stay else ''}."
    )
    if few == 1:
        return f"{words} With 1 rater all three are what that rater said."
    best = min(falls, key=lambda name: found.loc[(name, few), "mean"])
    return f"{words} With {few} raters the {best} is nearest."


def bias_sentence(shares: pd.DataFrame, raters: int) -> str:
    """How much of the true entropy the cohort's raters see."""
    most = int(shares["raters"].max())
    few, found = min(raters, most), shares.set_index(["what", "raters"])
    measured = estimate(found.loc[(MEASURED, few)])
    if np.isnan(measured.value):
        return SURE
    more = f"; {most} see {_percent(estimate(found.loc[(MEASURED, most)]))}" if most > few else ""
    return (
        f"{text.count(few, 'rater')} {'sees' if few == 1 else 'see'} {_percent(measured)} of the "
        f"disagreement (entropy) that an unlimited pool of such raters would show{more}."
    )


def correction_sentence(shares: pd.DataFrame, raters: int) -> str:
    """Whether raters see as much as expected, and whether Miller and Madow's correction helps."""
    few, found = min(raters, int(shares["raters"].max())), shares.set_index(["what", "raters"])
    measured, corrected = (estimate(found.loc[(what, few)]) for what in (MEASURED, CORRECTED))
    if np.isnan(corrected.value):
        return SURE
    expected = found.loc[(EXACTLY, few), "mean"]
    inside = measured.low - 1e-9 <= expected <= measured.high + 1e-9
    outside = "" if inside else ", outside the interval, which resamples subjects and not raters"
    turn = text.verdict(
        corrected, reference=100, above="which is too much", below="which is still too little",
        unclear="which the data cannot tell from all of it",
    )  # fmt: skip
    return (
        f"Expected of {text.count(few, 'rater')}: {text.number(expected, 1)} %{outside}. Corrected "
        f"as Miller and Madow do, they see {_percent(corrected)}, {turn}."
    )


def entropy_sentence(networks: pd.DataFrame, shares: pd.DataFrame, raters: int) -> str:
    """The networks' entropy as a multiple of the true one, beside the raters'."""
    known = networks[networks["mean"].notna()]
    if known.empty:
        return NO_NETWORK
    sides = [_side(row, 1.0) for row in known.to_dict("records")]
    turns = ((1, "too uncertain"), (-1, "too sure"), (0, "not told apart from the truth"))
    counts = [(sides.count(sign), turn) for sign, turn in turns if sign in sides]
    told = [f"All are {turn}" if n == len(sides) else _of(n, len(sides), turn)
            for n, turn in counts]  # fmt: skip
    high, low = (estimate(row) for row in ends(known))
    spread = f"{low:.1f}" if len(known) == 1 else f"{low:.1f} to {high:.1f cell}"
    few = min(raters, int(shares["raters"].max()))
    seen = shares.set_index(["what", "raters"]).loc[(MEASURED, few), "mean"] / 100
    return (
        f"{text.listing(told)}: their mean entropy is {spread} times the true one. "
        f"{text.count(few, 'rater')} {'shows' if few == 1 else 'show'} {text.number(seen)} of it."
    )


def found_sentence(effective, networks, shares: pd.DataFrame, raters: int) -> str:
    """What was found, as a list."""
    lines = [network_sentence(effective, raters), bias_sentence(shares, raters),
             entropy_sentence(networks, shares, raters)]  # fmt: skip
    return "\n".join(f"- {line}" for line in dict.fromkeys(lines))


def truth_views(data, known: Sequence[Known], shown, sizes: Sequence[int]) -> list[View]:
    """Slices with the true entropy beside that of a few raters, for `figures.slice_explorer`."""
    found = []
    for item in shown:
        own = known[item]
        panels = {
            f"entropy of {text.count(r, 'rater')}": fusion.ground_truth_entropy(
                own.labels[:r], len(own.probabilities)
            )
            for r in sizes
        }
        found.append(
            View(
                image=np.clip(own.image, 0, 1),
                title=name_of(data, item),
                labels=own.labels[: len(data.raters)],
                maps={**panels, "true entropy": own.entropy},
            )
        )
    return found


def _percent(found) -> str:
    return f"{found:.1f}".replace(" (", " % (", 1)
