"""Main results in one phrase each, as the first page of a book shows them."""

from __future__ import annotations

import pandas as pd

from paraspine import statistics, text
from paraspine.measures.tables import RATERS

__all__ = [
    "figure_2_title",
    "headline",
    "headline_calibration",
    "headline_dice",
    "headline_raters",
]


def _of_one_way(names: pd.Series, preferred: str) -> pd.Series:
    """Which conditions to name in a headline: those sampled in one way, or all without it."""
    chosen = names.str.endswith(preferred)
    return chosen if chosen.any() else names.notna()


def headline(table: pd.DataFrame) -> str:
    """Correlation of predictive entropy, from dropout where it ran, with GT entropy."""
    if table.empty:
        return "undefined (one rater)"
    chosen = table[(table["kind"] == "pearson") & (table["score"] == "entropy")]
    chosen = chosen[chosen["r"].notna()]
    if chosen.empty:
        return "undefined (too few images, or no difference among them)"
    words = [
        f"r = {text.interval(statistics.Estimate(row['r'], row['low'], row['high']))} "
        f"({row['who']})"
        for _, row in chosen[_of_one_way(chosen["who"], "dropout")].iterrows()
    ]
    return "; ".join(words)


def figure_2_title(method: str) -> str:
    """Which panel of roshanzamir2023's Figure 2 a way of sampling fills, as the figure's title."""
    panel = {
        "single": "Figure 2(a): entropy of the prediction (one pass)",
        "tta": "Beside Figure 2(b): aleatoric uncertainty (tta)",
    }.get(method, f"Figure 2(b): epistemic uncertainty ({method})")
    return f"{panel} against disagreement of the raters"


def headline_dice(table: pd.DataFrame) -> str:
    """Mean Dice over structures for each network, from one pass where it ran."""
    networks = table[table["who"] != RATERS]
    networks = networks[_of_one_way(networks["who"], "single")]
    means = networks.groupby("who", sort=False)["mean"].mean()
    words = [f"{text.number(value, 3)} ({who})" for who, value in means.items()]
    return "; ".join(words) or "undefined (nobody rated the test images)"


def headline_raters(table: pd.DataFrame) -> str:
    """Mean pairwise Dice of the raters over structures."""
    raters = table[table["who"] == RATERS]
    return text.number(raters["mean"].mean(), 3) if len(raters) else "undefined (one rater)"


def headline_calibration(table: pd.DataFrame) -> str:
    """Lowest and highest ECE."""
    known = table[table["mean"].notna()]
    if known.empty:
        return "undefined (nobody rated the test images)"
    ends = [known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]]
    words = [f"{text.number(row['mean'], 4)} ({row['who']})" for row in ends[: len(known)]]
    return " to ".join(words)
