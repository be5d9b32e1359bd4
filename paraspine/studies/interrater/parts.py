"""What changes where predictive entropy is taken apart: expected entropy, mutual information."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.conditions import conditions, wide
from paraspine.evidence.contrast import estimate_of
from paraspine.evidence.show import estimate
from paraspine.evidence.words import SCORE_NAMES
from paraspine.statistics import sums
from paraspine.studies.interrater.tables import sources_of_uncertainty

__all__ = ["detection_changes", "correlation_changes", "partition_changes", "changes_sentence"]

PARTS = ("expected_entropy", "mutual_information")


COLUMNS = ["condition", "score", "mean", "low", "high", "p"]


def detection_changes(table: pd.DataFrame) -> pd.DataFrame:
    """By how much average precision changes if a part stands in for predictive entropy.

    Parameters
    ----------
    table : pandas.DataFrame
        `detection_table`, which resamples all scores of a condition together.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``score`` (the part), ``mean`` (its average precision minus that of
        predictive entropy), ``low``, ``high`` (resampling subjects), ``p`` (bootstrap, of no
        change) and ``p_holm``, adjusted over the table.
    """
    chosen = table[table["score"].isin(PARTS)]
    names = {"change": "mean", "change_low": "low", "change_high": "high", "change_p": "p"}
    chosen = chosen[["condition", "score", *names]].rename(columns=names).reset_index(drop=True)
    return _adjusted(chosen)


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
        own = images[images["condition"] == who]
        for part in PARTS:
            if (known := _known(own, [part])) is not None:
                drawn = _resampled(known, resamples)
                change = sums.correlation(drawn, 0, 2) - sums.correlation(drawn, 0, 1)
                found.append(_line(who, part, change, known))
    return _adjusted(pd.DataFrame(found, columns=COLUMNS))


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
        aleatoric = images[images["condition"] == pair["aleatoric"]].set_index(keys)["entropy"]
        own = images[images["condition"] == pair["epistemic"]].join(
            aleatoric.rename("other"), on=keys
        )
        for part in PARTS:
            if (known := _known(own, [part, "other"])) is not None:
                drawn = _resampled(known, resamples)
                before, after = (sums.r_squared(drawn, 0, part, 3) for part in (1, 2))
                found.append(_line(pair["epistemic"], part, 100 * (after - before), known))
    return _adjusted(pd.DataFrame(found, columns=COLUMNS))


def changes_sentence(table: pd.DataFrame, what: str) -> str:
    """Say for how many networks a part of predictive entropy does better or worse than the whole.

    Parameters
    ----------
    table : pandas.DataFrame
        `detection_changes`, `correlation_changes` or `partition_changes`.
    what : str
        What was measured, with its article where it needs one.
    """
    known = table[table["mean"].notna()]
    if known.empty:
        return (
            "Left out: what changes with expected entropy or mutual information. It needs several "
            "samples of a network, and what the table above needs."
        )
    sentences = []
    for score, part in known.groupby("score", sort=False):
        sides = [
            text.verdict(estimate(row), above="higher", below="lower", unclear="open")
            for _, row in part.iterrows()
        ]
        told = {side: part["condition"][[s == side for s in sides]] for side in ("higher", "lower")}
        words = [f"{side} for {_who(names, len(part))}" for side, names in told.items()
                 if len(names)]  # fmt: skip
        start = f"With {SCORE_NAMES[score]} in place of predictive entropy, "
        unclear = sides.count("open")
        if not words:
            of = f" for any of {_ways(len(part))}" if len(part) > 1 else ""
            start += f"the data can't tell{of} whether {what} changes"
        else:
            start += f"{what} is {' and '.join(words)}"
            start += f"; for {unclear} the data can't tell" if unclear else ""
        sentences.append(f"{start}.")
    return " ".join(sentences)


def _ways(number: int) -> str:
    return text.count(number, "sampled network")


def _who(names, total: int) -> str:
    """How many of the sampled networks, by name where they are few."""
    number = f"{len(names)} of {_ways(total)}"
    return f"{number} ({'; '.join(names)})" if len(names) <= 3 and total > 1 else number


def _rated(frame: pd.DataFrame) -> pd.DataFrame:
    images = wide(frame)
    missing = {"gt_entropy", "entropy", *PARTS} - set(images)
    return images.assign(**dict.fromkeys(missing, np.nan))


def _known(own: pd.DataFrame, more: list[str]) -> pd.DataFrame | None:
    """GT entropy, predictive entropy and `more` of the images that have all, by subject."""
    columns = ["gt_entropy", "entropy", *more]
    known = own.set_index("subject")[columns].dropna()
    return None if known.empty else known


def _resampled(known: pd.DataFrame, resamples: int):
    draws = statistics.cluster_weights(known.index.to_numpy(), resamples)
    return sums.moments(draws, known.to_numpy(float))


def _line(who: str, score: str, change: np.ndarray, known: pd.DataFrame) -> tuple:
    found = estimate_of(change)
    p = statistics.bootstrap_p(change[1:], clusters=known.index.nunique())
    return who, score, found.value, found.low, found.high, p


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(p_holm=statistics.holm(table["p"].to_numpy(float)))
