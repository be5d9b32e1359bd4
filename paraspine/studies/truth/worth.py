"""What networks recover of the truth, in the units of raters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.show import estimate
from paraspine.frames import rows
from paraspine.studies.truth.panels import GRID, MAJORITY, SOFT, STAPLE

__all__ = [
    "equivalent_raters",
    "equivalent_sentence",
    "network_table",
    "network_sentence",
    "headline_equivalent",
    "ratio",
]


def equivalent_raters(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """How many raters' soft label is as near to the truth as each network, in Brier score.

    The soft label of R independent raters has the expected score ``mean P* (1 - P*) / R``, so a
    network of score B is worth ``mean P* (1 - P*) / B`` raters.

    Parameters
    ----------
    frame : pandas.DataFrame
        `truth_frame` with networks.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``mean``, ``low``, ``high``; empty without networks.
    """
    keys = ["subject", "image", "slice"]
    variance, brier = rows(frame, "variance"), rows(frame, "brier")
    background = variance["class"].iloc[0]
    one = variance[variance["class"] != background].groupby(keys, sort=False)["value"].mean()
    brier = brier[(brier["raters"] == 0) & (brier["class"] != background)]
    lines = []
    for who, part in brier.groupby("condition", sort=False):
        own = part.groupby(keys, sort=False)["value"].mean().reindex(one.index)
        found = ratio(one, own, resamples)
        lines.append((who, found.value, found.low, found.high))
    return pd.DataFrame(lines, columns=["condition", "mean", "low", "high"])


def equivalent_sentence(table: pd.DataFrame, cohort_raters: int = 3) -> str:
    """What the networks are worth in raters, against the raters that they learned from.

    Parameters
    ----------
    table : pandas.DataFrame
        `equivalent_raters`.
    cohort_raters : int
        How many raters they were trained on.
    """
    networks = table[(table["condition"] != GRID) & table["mean"].notna()]
    if networks.empty:
        return "No network was compared with the truth."
    best = networks.loc[networks["mean"].idxmax()]
    worst = networks.loc[networks["mean"].idxmin()]
    turn = text.verdict(
        estimate(best), reference=cohort_raters, above="nearer to the truth than",
        below="further from the truth than", unclear="not told apart from",
    )  # fmt: skip
    words = (
        f"By its Brier score against the truth, {best['condition']} is worth "
        f"{text.interval(estimate(best), 1)} independent raters: {turn} the soft label of the "
        f"{text.count(cohort_raters, 'rater')} that it learned from"
    )
    if len(networks) > 1:
        words += f". The least is {worst['condition']} with {text.interval(estimate(worst), 1)}"
    floor = table[table["condition"] == GRID]
    if len(floor) and np.isfinite(floor["mean"].iloc[0]):
        words += (
            f". Their coarser grid alone would allow {text.number(floor['mean'].iloc[0], 0)} raters"
        )
    return f"{words}."


def network_table(frame: pd.DataFrame, raters: int = 3, *, resamples: int = 2000) -> pd.DataFrame:
    """Errors of the networks beside those of the raters that they learned from, times 1000.

    Parameters
    ----------
    frame : pandas.DataFrame
        `truth_frame` with networks.
    raters : int
        How many raters they learned from.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``measure`` (``brier``, ``entropy_bias``, ``entropy_error``, in words) and
        the columns of `statistics.mean_table`.
    """
    background = rows(frame, "variance")["class"].iloc[0]
    words = {"brier": "Brier", "entropy_bias": "entropy bias", "entropy_error": "entropy error"}
    chosen = frame[frame["measure"].isin(list(words)) & (frame["class"] != background)]
    panel = (chosen["raters"] == raters) & chosen["condition"].isin([SOFT, MAJORITY, STAPLE])
    names = chosen["condition"] + " of " + text.count(raters, "rater")
    chosen = chosen.assign(
        condition=chosen["condition"].where(~panel, names),
        measure=chosen["measure"].map(words),
        value=1e3 * chosen["value"],
    )[panel | (chosen["raters"] == 0)]
    return statistics.mean_table(chosen, by=["condition", "measure"], resamples=resamples)


def network_sentence(frame: pd.DataFrame, raters: int = 3, *, resamples: int = 2000) -> str:
    """How much of the true entropy the networks' entropy is, beside the raters'.

    Up to three networks are named; of more, how many are too sure or too uncertain, and the ends.

    Parameters
    ----------
    frame : pandas.DataFrame
        `truth_frame` with networks.
    raters : int
        How many raters they learned from.
    resamples : int
        Bootstrap resamples of subjects.
    """
    own = rows(frame, "entropy").set_index(["subject", "image", "slice"])
    true = own[own["condition"] == "P*"]["value"]
    networks = own[(own["raters"] == 0) & ~own["condition"].isin(["P*", GRID])]
    shares, turns = {}, {}
    for who, part in networks.groupby("condition", sort=False):
        found = ratio(part["value"].reindex(true.index), true, resamples)
        share = statistics.Estimate(*(100 * v for v in (found.value, found.low, found.high)))
        shares[who] = f"{text.interval(share, 0)} %", share.value
        turns[who] = text.verdict(
            share, reference=100, above="too uncertain", below="too sure",
            unclear="not told apart from the truth",
        )  # fmt: skip
    if not shares:
        return "No network was compared with the truth."
    if len(shares) <= 3:
        words = "; ".join(f"{who} {shares[who][0]}, {turns[who]}" for who in shares)
    else:
        counts = {turn: list(turns.values()).count(turn) for turn in dict.fromkeys(turns.values())}
        known = [who for who in shares if not np.isnan(shares[who][1])] or list(shares)
        verdicts = [
            f"{n} of {len(shares)} {'is' if n == 1 else 'are'} {turn}" for turn, n in counts.items()
        ]
        low, high = (f(known, key=lambda who: shares[who][1]) for f in (min, max))
        words = (
            f"{text.listing(verdicts)}, "
            f"from {low} with {shares[low][0]} to {high} with {shares[high][0]}"
        )
    panel = own[(own["condition"] == SOFT) & (own["raters"] == raters)]["value"].reindex(true.index)
    seen = ratio(panel, true, resamples)
    panel = f"{text.count(raters, 'rater')} of a panel {'shows' if raters == 1 else 'show'}"
    return (
        f"Their mean entropy as a share of the true one: {words}. The {panel} "
        f"{text.percent(seen.value, 0)}."
    )


def headline_equivalent(table: pd.DataFrame) -> str:
    """What the best network is worth in raters, in one phrase."""
    networks = table[(table["condition"] != GRID) & table["mean"].notna()]
    if networks.empty:
        return "no network"
    best = networks.loc[networks["mean"].idxmax()]
    return f"{text.interval(estimate(best), 1)} raters ({best['condition']})"


def ratio(numerator: pd.Series, denominator: pd.Series, resamples: int) -> statistics.Estimate:
    """Ratio of two means over slices, indexed by ``subject``, with its interval over subjects."""
    known = (numerator.notna() & denominator.notna()).to_numpy()
    above, below = numerator.to_numpy()[known], denominator.to_numpy()[known]
    if not known.any() or below.sum() <= 0:
        return statistics.Estimate(float("nan"))
    subjects = denominator.index.get_level_values("subject").to_numpy()[known]
    draws = statistics.cluster_weights(subjects, resamples)
    if len(draws.labels) < 2:
        return statistics.Estimate(float(above.sum() / below.sum()))
    sums = [np.bincount(draws.codes, v, minlength=len(draws.labels)) for v in (above, below)]
    top, bottom = (draws.weights @ total for total in sums)
    drawn = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return statistics.Estimate(
        float(above.sum() / below.sum()), *statistics.percentile_interval(drawn)
    )
