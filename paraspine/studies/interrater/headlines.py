"""What the chapter found in a few words, for its foot and for the first page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.conditions import (
    RATERS,
    network_label,
    target_label,
    with_condition,
)
from paraspine.evidence.show import estimate
from paraspine.sampling.registry import METHODS
from paraspine.studies.interrater.words import answer, one_signal, pearson

#: Methods that take several trainings.
SEVERAL = tuple(name for name, method in METHODS.items() if method.several)


def found(correlations: pd.DataFrame, partition: pd.DataFrame, gap: pd.DataFrame) -> str:
    """What the chapter found, a line a question."""
    lines = {"Uncertainty follows disagreement": answer(correlations).lower()}
    if len(gap) and gap["value"].notna().any():
        sides = {text.verdict(estimate(row, "value"), reference=1.0, above="larger for all",
                              below="smaller for all", unclear="")
                 for row in gap.to_dict("records")}  # fmt: skip
        lines["It is as large as the disagreement"] = (
            f"no, {sides.pop()}" if len(sides) == 1 and "" not in sides else "it depends"
        )
    if told := one_signal(partition):
        lines["Epistemic and aleatoric uncertainty tell different things"] = told
    return "\n".join(f"- {question}: **{said}**." for question, said in lines.items())


def headline(table: pd.DataFrame, frame: pd.DataFrame) -> str:
    """Correlation of predictive entropy, of dropout where it ran, with GT entropy."""
    if table.empty:
        return "undefined (one rater)"
    chosen = _of_one_way(pearson(table), frame, "dropout")
    if chosen.empty:
        return "undefined (too few images, or no difference among them)"
    return "; ".join(
        f"r = {estimate(row):.2f} ({row['condition']})" for row in chosen.to_dict("records")
    )


def headline_dice(table: pd.DataFrame, frame: pd.DataFrame) -> str:
    """Mean Dice over structures for each network, of one pass where it ran."""
    networks = _of_one_way(table[table["condition"] != RATERS], frame, "single")
    means = networks.groupby("condition", sort=False)["mean"].mean()
    words = [f"{text.number(value, 3)} ({name})" for name, value in means.items()]
    return "; ".join(words) or "undefined (nobody rated the test images)"


def headline_raters(table: pd.DataFrame) -> str:
    """Mean pairwise Dice of the raters over structures."""
    raters = table[table["condition"] == RATERS]
    return text.number(raters["mean"].mean(), 3) if len(raters) else "undefined (one rater)"


def _of_one_way(table: pd.DataFrame, frame: pd.DataFrame, preferred: str) -> pd.DataFrame:
    """Rows of one uncertainty method, or all without it."""
    chosen = with_condition(table, frame)
    of_it = chosen["method"] == preferred
    return chosen[of_it] if of_it.any() else chosen


def trainings_sentence(trained: pd.DataFrame, frame: pd.DataFrame) -> str:
    """How many trainings a network's results rest on, and how far its trainings lie apart."""
    single = frame[~frame["method"].isin(SEVERAL)].drop_duplicates(["model", "fusion", "seed"])
    number = single.groupby(["model", "fusion"])["seed"].nunique()
    each = text.count(int(number.min()), "training") if len(number) else "no training"
    words = f"Results of a single network rest on {each} each"
    spread = trained.groupby(["model", "fusion"], sort=False)["dice"].agg(["count", np.ptp])
    spread = spread[spread["count"] > 1]
    if spread.empty:
        return f"{words}; what another training would change is unknown."
    (model, fusion), widest = spread["ptp"].idxmax(), spread.loc[spread["ptp"].idxmax()]
    return (
        f"{words}. {text.count(int(widest['count']), 'training')} of the {network_label(model)} on "
        f"the {target_label(fusion)} differ by {100 * widest['ptp']:.1f} percentage points of "
        "validation Dice, so differences between networks of that size say little about "
        "architectures."
    )
