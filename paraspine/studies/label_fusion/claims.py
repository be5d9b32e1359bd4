"""What lemay2022 claims of its candidates, judged by this run's intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import published, statistics, text
from paraspine.evidence.judge import claims_summary, judge
from paraspine.evidence.show import estimate
from paraspine.studies.label_fusion.calibration import structure_means
from paraspine.studies.label_fusion.frames import CONVENTIONAL, SOFTSEG

__all__ = [
    "fusion_claims",
    "fusion_claims_sentence",
    "headline_fusion",
    "marks",
    "pair_sentence",
    "distance_table",
    "distance_sentence",
    "learned_sentence",
]

RANDOM = SOFTSEG[2]


OVER = "Conventional training makes over-confident networks"


UNDER = "SoftSeg on the average of the raters is under-confident"


LOWEST = "SoftSeg on random raters has the lowest Brier score"


GAP = "confidence minus accuracy, all test voxels"


def fusion_claims(
    calibration: pd.DataFrame, frame: pd.DataFrame, *, resamples: int = 2000
) -> pd.DataFrame:
    """The paper's three claims, place by place, with the verdict on each.

    Parameters
    ----------
    calibration : pandas.DataFrame
        `fusion_calibration` against STAPLE.
    frame : pandas.DataFrame
        `fusion_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        As `claims_table` gives it, for `pretty_claims` and `claims_summary`.
        ``printed`` is the difference in the paper's Table 2, mean over the two structures of its
        spinal cord data; it prints no signed calibration gap.
    """
    lines = []
    gaps = calibration.set_index("condition")
    for names, claim, kind in ((CONVENTIONAL, OVER, "above"), (SOFTSEG[1:2], UNDER, "below")):
        for who in names:
            row = gaps.loc[who]
            found = statistics.Estimate(row["gap"], row["gap_low"], row["gap_high"])
            about = ("Figure 4", claim, "Results 3.3", GAP, "gap", kind, who, np.nan)
            lines.append(_line(*about, found, int(row["subjects"])))
    brier = structure_means(frame, "brier")
    subjects = brier.index.get_level_values("subject").to_numpy()
    printed = _printed()
    for who in (*CONVENTIONAL, *SOFTSEG[:2]):
        found = statistics.difference_interval(
            brier[RANDOM].to_numpy(), brier[who].to_numpy(), subjects, resamples
        )
        about = (
            "Table 2", LOWEST, "Results 3.1", "Brier score, mean over structures, difference",
            "brier", "below", f"against {who}", printed[RANDOM] - printed[who],
        )  # fmt: skip
        lines.append(_line(*about, found, len(set(subjects))))
    return pd.DataFrame(lines)


def _line(table, claim, said, statistic, quantity, kind, where, printed, found, subjects) -> dict:
    verdict, why = judge(found, kind, subjects=subjects)
    return {
        "table": table,
        "claim": claim,
        "said": said,
        "statistic": statistic,
        "quantity": quantity,
        "kind": kind,
        "bound_low": 0.0,
        "bound_high": 0.0,
        "where": where,
        "printed": printed,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "subjects": subjects,
        "trainings": 1,  # on each split
        "verdict": verdict,
        "why": why,
        "ensemble": "",  # candidates are single networks
    }


def _printed() -> pd.Series:
    """Published Brier scores, mean over the structures of the spinal cord data, in units of 1."""
    rows = published.table("lemay2022", "Table 2")
    rows = rows[(rows["metric"] == "Brier score") & rows["target"].str.startswith("SCGM")]
    return rows.groupby("condition")["plain"].mean()


def fusion_claims_sentence(table: pd.DataFrame, source: str) -> str:
    """Each of the claims with its verdict, and where it holds and where not."""
    summary = claims_summary(table).set_index("claim")
    words = []
    for claim, part in table.groupby("claim", sort=False):
        verdict = summary.loc[claim, "verdict"]
        told = [
            f"{how}: {text.listing(part.loc[part['verdict'] == how, 'where'])}"
            for how in ("supported", "contradicted", "can't tell")
            if (part["verdict"] == how).any()
        ]
        reasons = [w for w in dict.fromkeys(part["why"]) if w]
        because = f" ({'; '.join(reasons)})" if reasons else ""
        detail = f" – {'; '.join(told)}" if len(part) > 1 else ""
        words.append(f"*{claim}*: **{verdict}**{detail}{because}")
    return f"On {source}: {'. '.join(words)}."


def headline_fusion(table: pd.DataFrame) -> str:
    """The three claims and their verdicts in one phrase."""
    summary = claims_summary(table).set_index("claim")["verdict"]
    names = {
        OVER: "conventional over-confident",
        UNDER: "SoftSeg-average under-confident",
        LOWEST: "SoftSeg-random lowest Brier score",
    }
    return "; ".join(f"{names[claim]}: {summary[claim]}" for claim in names)


def marks(table: pd.DataFrame) -> dict[str, str]:
    """``"**"`` for each candidate that differs from the baseline, adjusted p below 0.05 by image.

    Parameters
    ----------
    table : pandas.DataFrame
        `candidate_table` of one measure without classes.
    """
    return {row["condition"]: "**" for _, row in table.iterrows() if row["p_holm"] < 0.05}


def pair_sentence(
    frame: pd.DataFrame,
    calibration: pd.DataFrame,
    one: str,
    other: str,
    *,
    resamples: int = 2000,
) -> str:
    """Two candidates by Brier score, entropy error and calibration error.

    Parameters
    ----------
    frame : pandas.DataFrame
        `fusion_frame`.
    calibration : pandas.DataFrame
        `fusion_calibration`.
    one, other : str
        Candidates.
    resamples : int
        Bootstrap resamples of subjects.
    """
    errors = frame[frame["measure"] == "entropy_error"]
    keys = ["subject", "image", "slice", "split", "condition"]
    words = []
    for name, table, digits in (
        ("Brier score", structure_means(frame, "brier"), 2),
        ("entropy error", errors.set_index(keys)["value"].unstack("condition"), 2),
    ):
        subjects = table.index.get_level_values("subject").to_numpy()
        found = statistics.difference_interval(
            1e3 * table[one].to_numpy(), 1e3 * table[other].to_numpy(), subjects, resamples
        )
        verdict = text.verdict(
            found, above="a higher", below="a lower", unclear="no clearly different"
        )
        words.append(f"{verdict} {name} (difference {text.interval(found, digits)} × 10⁻³)")
    errors = calibration.set_index("condition")["mean"]
    return (
        f"{one} has {text.listing(words)} than the {other}; the calibration errors are "
        f"{text.number(errors[one], 4)} and {text.number(errors[other], 4)}."
    )


def distance_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Energy distance and matched IoU of each candidate's sampled segmentations and the raters.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``measure`` and the columns of `statistics.mean_table`.
    """
    chosen = frame[frame["measure"].isin(["energy_distance", "matched_iou"])]
    return statistics.mean_table(chosen, by=["condition", "measure"], resamples=resamples)


def distance_sentence(table: pd.DataFrame) -> str:
    """Whose sampled segmentations are closest to the raters', by each measure."""
    words = []
    for measure, name, lower in (
        ("energy_distance", "generalised energy distance", True),
        ("matched_iou", "Hungarian-matched IoU", False),
    ):
        part = table[(table["measure"] == measure) & table["mean"].notna()]
        if part.empty:
            return "No test image has two raters, so their spread cannot be compared."
        best = part.loc[part["mean"].idxmin() if lower else part["mean"].idxmax()]
        words.append(
            f"{'lowest' if lower else 'highest'} {name}: {best['condition']}, "
            f"{text.interval(estimate(best), 3)}"
        )
    joined = "; ".join(words)
    return f"{joined[0].upper()}{joined[1:]}."


def learned_sentence(curves: pd.DataFrame) -> str:
    """How well each candidate had learned by its validation images, worst and best."""
    best = curves.groupby(["condition", "split", "member"])["validation_dice"].max()
    dice = best.groupby("condition", sort=False).mean().dropna()
    runs = text.count(len(best), "training")
    if dice.empty:
        return f"{runs}; no validation image marks a structure."
    return (
        f"{runs}; mean over trainings of the best validation Dice from "
        f"{text.number(dice.min(), 3)} ({dice.idxmin()}) to {text.number(dice.max(), 3)} "
        f"({dice.idxmax()})."
    )
