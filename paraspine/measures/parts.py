"""What changes where predictive entropy is taken apart: expected entropy, mutual information."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.measures.comparisons import sources_of_uncertainty
from paraspine.measures.display import estimate
from paraspine.measures.paired import _correlation, _moments, _share, estimate_of
from paraspine.measures.sentences import SCORE_NAMES
from paraspine.measures.tables import conditions, wide

__all__ = ["changes_sentence", "correlation_changes", "detection_changes", "partition_changes"]

PARTS = ("expected_entropy", "mutual_information")
COLUMNS = ["who", "score", "mean", "low", "high"]


def detection_changes(table: pd.DataFrame) -> pd.DataFrame:
    """By how much average precision changes if a part stands in for predictive entropy.

    Parameters
    ----------
    table : pandas.DataFrame
        `detection_table`, which resamples all scores of a condition together.

    Returns
    -------
    pandas.DataFrame
        ``who``, ``score`` (the part), ``mean`` (its average precision minus that of predictive
        entropy), ``low``, ``high`` (resampling subjects).
    """
    chosen = table[table["score"].isin(PARTS)]
    names = {"change": "mean", "change_low": "low", "change_high": "high"}
    return chosen[["who", "score", *names]].rename(columns=names).reset_index(drop=True)


def correlation_changes(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """By how much Pearson's r with GT entropy changes if a part stands in for predictive entropy.

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.
    resamples : int
        Bootstrap resamples of subjects, the same for both.

    Returns
    -------
    pandas.DataFrame
        As `detection_changes`; over the images that have both. Empty without GT entropy or where
        there is one sample only.
    """
    images = _rated(frame)
    found = []
    for who in conditions(frame):
        own = images[images["who"] == who]
        for part in PARTS:
            if (known := _known(own, [part])) is not None:
                count, _, spread = known(resamples)
                change = _correlation(spread, 0, 2, count) - _correlation(spread, 0, 1, count)
                found.append(_line(who, part, change))
    return pd.DataFrame(found, columns=COLUMNS)


def partition_changes(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """By how many percent points the share explained changes if a part of the epistemic is taken.

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.
    resamples : int
        Bootstrap resamples of subjects, the same for both.

    Returns
    -------
    pandas.DataFrame
        As `detection_changes`, of the share of the variance of GT entropy that a part of the
        epistemic samples explains together with the aleatoric predictive entropy, in percent
        points. Empty without both kinds of uncertainty or GT entropy.
    """
    images = _rated(frame)
    keys = [c for c in ("subject", "image", "slice") if c in images]
    found = []
    for _, pair in sources_of_uncertainty(frame).iterrows():
        aleatoric = images[images["who"] == pair["aleatoric"]].set_index(keys)["entropy"]
        own = images[images["who"] == pair["epistemic"]].join(aleatoric.rename("other"), on=keys)
        for part in PARTS:
            if (known := _known(own, [part, "other"])) is not None:
                count, _, spread = known(resamples)
                before, after = (
                    _share(spread[:, chosen][:, :, chosen], count, "joint")
                    for chosen in ([0, 1, 3], [0, 2, 3])
                )
                found.append(_line(pair["epistemic"], part, 100 * (after - before)))
    return pd.DataFrame(found, columns=COLUMNS)


def changes_sentence(table: pd.DataFrame, what: str, digits: int = 2, unit: str = "") -> str:
    """Say for which networks a part of predictive entropy does better or worse than the whole.

    Parameters
    ----------
    table : pandas.DataFrame
        `detection_changes`, `correlation_changes` or `partition_changes`.
    what : str
        What was measured, with its article where it needs one.
    digits : int
        Digits of the changes.
    unit : str
        Of the changes.
    """
    known = table[table["mean"].notna()]
    if known.empty:
        return (
            "Left out: what changes with expected entropy or mutual information, because there are "
            "no several samples of a network for which both are defined."
        )
    sentences = []
    for score, part in known.groupby("score", sort=False):
        told: dict[str, list[str]] = {"higher": [], "lower": [], "": []}
        for _, row in part.iterrows():
            change = estimate(row)
            side = text.verdict(change, above="higher", below="lower", unclear="")
            by = text.interval(change, digits) + (f" {unit}" if unit else "")
            told[side].append(f"{row['who']} ({by})" if side else row["who"])
        words = [f"{side} for {text.listing(told[side])}" for side in ("higher", "lower")
                 if told[side]]  # fmt: skip
        start = f"With {SCORE_NAMES[score]} in place of predictive entropy, "
        if words:
            start += f"{what} is {' and '.join(words)}"
            start += f"; for {text.listing(told[''])} the data can't tell" if told[""] else ""
        else:
            start += f"the data can't tell whether {what} changes ({text.listing(told[''])})"
        sentences.append(f"{start}.")
    return " ".join(sentences)


def _rated(frame: pd.DataFrame) -> pd.DataFrame:
    images = wide(frame)
    missing = {"gt_entropy", "entropy", *PARTS} - set(images)
    return images.assign(**dict.fromkeys(missing, np.nan))


def _known(own: pd.DataFrame, more: list[str]):
    """Moments of GT entropy, predictive entropy and `more` over the images that have all."""
    columns = ["gt_entropy", "entropy", *more]
    known = own[own[columns].notna().all(axis=1)]
    if known.empty:
        return None
    return lambda resamples: _moments(
        known[columns].to_numpy(float), known["subject"].to_numpy(), resamples
    )


def _line(who: str, score: str, change: np.ndarray) -> tuple:
    found = estimate_of(change)
    return who, score, found.value, found.low, found.high
