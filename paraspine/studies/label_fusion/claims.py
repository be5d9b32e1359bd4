"""Claims of lemay2022 about its candidates, judged by this run's intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from paraspine import published, statistics, text
from paraspine.evidence import influence
from paraspine.evidence.judge import claims_summary, judge
from paraspine.statistics import sums
from paraspine.studies.label_fusion.calibration import (
    CONTENT,
    errors_by_split,
    over_splits,
    region_rows,
)
from paraspine.studies.label_fusion.frames import CONVENTIONAL, ENSEMBLE, SOFTSEG, by_image
from paraspine.studies.label_fusion.tables import PAPER, PRINTED, reference_of

#: Dice that SoftSeg may lose and still segment as well (1 percentage point), and the share of the
#: ensemble's error by which two candidates may differ and still be alike. Both are chosen here.
AS_WELL, ALIKE = 0.01, 0.1


@dataclass(frozen=True)
class Claim:
    """A statement of the paper: its table, its place, the statistic, and the side it takes."""

    claim: str
    table: str
    said: str
    statistic: str
    quantity: str
    kind: str


VARIABILITY = Claim(
    "SoftSeg keeps the raters' variability better",
    "Table 2", "Abstract", "entropy MAE, SoftSeg minus conventional", "entropy_error_total",
    "below",
)  # fmt: skip
SEGMENTS = Claim(
    "SoftSeg segments as well or better",
    "Table 3", "Abstract", "Dice, SoftSeg minus conventional; as well: at most 1 percentage point "
    "lower, chosen here", "dice", "near zero",
)  # fmt: skip
CALIBRATED = Claim(
    "SoftSeg is better calibrated",
    "Figure 4", "Abstract", "ECE near structures, SoftSeg minus conventional", "ece", "below",
)  # fmt: skip
OVER = Claim(
    "Conventional training makes over-confident networks",
    "Figure 4", "Results 3.3", "confidence minus accuracy near structures", "gap", "above",
)  # fmt: skip
UNDER = Claim(
    "SoftSeg on the average of the raters is under-confident",
    "Figure 4", "Results 3.3", OVER.statistic, "gap", "below",
)  # fmt: skip
TOO_LOW = Claim(
    "Conventional training underestimates the raters' disagreement",
    "Figure 1", "Abstract", "entropy of the prediction minus that of the raters", "bias", "below",
)  # fmt: skip
TOO_HIGH = Claim(
    "SoftSeg on the average of the raters overestimates their disagreement",
    "Figure 1", "Abstract", TOO_LOW.statistic, "bias", "above",
)  # fmt: skip
LOWEST = Claim(
    "SoftSeg on random raters has the lowest Brier score",
    "Table 2", "Results 3.1", "Brier score, SoftSeg on random raters minus the other", "brier",
    "below",
)  # fmt: skip
LIKE = Claim(
    "SoftSeg on STAPLE is like the loss ensemble",
    "Table 4", "Abstract", "SoftSeg minus the ensemble; alike: within 10 % of the ensemble's, "
    "chosen here", "", "near zero",
)  # fmt: skip
CLAIMS = (VARIABILITY, CALIBRATED, SEGMENTS, OVER, UNDER, TOO_LOW, TOO_HIGH, LOWEST, LIKE)
#: Factor and unit of each quantity for showing, and digits.
UNITS = {
    "entropy_error_total": (1.0, "nats × voxels", 1),
    "brier": (1e4, "× 10⁻⁴", 2),
    "dice": (1e2, "percentage points", 2),
    "ece": (1e2, "percentage points", 2),
    "gap": (1e2, "percentage points", 2),
    "bias": (1e3, "nats × 10⁻³", 2),
}


def fusion_claims(counts: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Each claim at each of its places, with interval, influence of single subjects and verdict.

    Takes `fusion_reliability` and `fusion_frame`. Columns as `claims_summary` takes them, and
    ``least``, ``most`` (range of the value leaving one subject out). ``printed`` is the same
    difference in the paper, mean over its spinal cord structures.
    """
    error, brier, dice = (
        by_image(frame, name, reference)
        for name, reference in (("entropy_error_total", ""), ("brier", ""), ("dice", "STAPLE"))
    )
    bias = by_image(frame, "entropy") - by_image(frame, "gt_entropy")
    draws, rows = region_rows(counts, "near")

    def voxels(statistic: Callable) -> tuple:
        left = influence.leave_one_out(statistic, rows["subject"], rows[CONTENT])
        return sums.estimate(statistic(draws)), left, len(draws.labels)

    def errors(drawn, who) -> np.ndarray:
        return over_splits(errors_by_split(drawn, rows, who.label))

    lines = []
    for plain, soft in zip(CONVENTIONAL, SOFTSEG, strict=True):
        a, b, where = soft.label, plain.label, soft.label
        printed = _printed("Table 2", "entropy MAE", a, b)
        lines.append(_line(VARIABILITY, where, _images(error[a] - error[b]), printed))
        found = voxels(lambda drawn, a=soft, b=plain: (errors(drawn, a) - errors(drawn, b))[0])
        lines.append(_line(CALIBRATED, where, found))
        printed = _printed("Table 3a", "Dice", a, b)
        bounds = (-AS_WELL, 1.0)
        lines.append(_line(SEGMENTS, where, _images(dice[a] - dice[b]), printed, bounds))
    for gap, entropy, group in ((OVER, TOO_LOW, CONVENTIONAL), (UNDER, TOO_HIGH, SOFTSEG[1:2])):
        for who in group:
            found = voxels(lambda drawn, who=who: errors(drawn, who)[3])
            lines.append(_line(gap, who.label, found))
            lines.append(_line(entropy, who.label, _images(bias[who.label])))
    best = SOFTSEG[2].label
    for who in (*CONVENTIONAL, *SOFTSEG[:2]):
        printed = _printed("Table 2", "Brier score", best, who.label)
        found = _images(brier[best] - brier[who.label])
        lines.append(_line(LOWEST, f"against {who.label}", found, printed))
    a, b = SOFTSEG[0].label, ENSEMBLE.label
    for table, name, quantity in (
        (brier, "Brier score", "brier"),
        (error, "entropy MAE", "entropy_error_total"),
    ):
        bound = ALIKE * table[b].mean()
        line = _line(LIKE, name, _images(table[a] - table[b]), bounds=(-bound, bound))
        lines.append(line | {"quantity": quantity})
    order = [claim.claim for claim in CLAIMS]
    return pd.DataFrame(sorted(lines, key=lambda line: order.index(line["claim"])))


def _images(values: pd.Series) -> tuple:
    """Mean over images, each subject's influence on it, and how many subjects."""
    known = values.dropna()
    subjects = known.index.get_level_values("subject").to_numpy()
    found = statistics.mean_interval(known.to_numpy(), subjects)
    return found, influence.mean(known.to_numpy(), subjects), len(set(subjects))


def _line(claim: Claim, where: str, measured: tuple, printed=np.nan, bounds=(0.0, 0.0)) -> dict:
    found, left, subjects = measured
    verdict, why = judge(found, claim.kind, bounds, subjects, left.each)
    return (
        {"paper": PAPER}
        | asdict(claim)
        | {
            "bound_low": bounds[0],
            "bound_high": bounds[1],
            "where": where,
            "printed": printed,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "least": left.low,
            "most": left.high,
            "subjects": subjects,
            "trainings": 1,  # on each split
            "verdict": verdict,
            "why": why,
            "ensemble": "",  # candidates are single networks
        }
    )


def _printed(table: str, metric: str, one: str, other: str) -> float:
    """Published difference, mean over the structures of the spinal cord data, in units of 1."""
    rows = published.table(PAPER, table)
    rows = rows[(rows["metric"] == metric) & rows["target"].str.startswith("SCGM")]
    means = rows.groupby("condition")["plain"].mean()
    return float(means[PRINTED[one]] - means[PRINTED[other]])


def framework_difference(frame: pd.DataFrame, measure: str) -> tuple:
    """SoftSeg minus conventional over images, influence of each subject, and how many there are."""
    table = by_image(frame, measure, reference_of(measure))
    soft, plain = (table[[w.label for w in group]].mean(axis=1, skipna=False)
                   for group in (SOFTSEG, CONVENTIONAL))  # fmt: skip
    known = (soft - plain).dropna()
    subjects = known.index.get_level_values("subject").to_numpy()
    found = statistics.mean_interval(known.to_numpy(), subjects)
    return found, influence.mean(known.to_numpy(), subjects), len(set(subjects))


def entropy_ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Predictive entropy as a multiple of the raters', by framework, and the mean absolute error.

    Images with one rater have no entropy of raters and are left out.
    """
    entropy, raters = by_image(frame, "entropy"), by_image(frame, "gt_entropy")
    error = by_image(frame, "entropy_error")
    subjects = entropy.index.get_level_values("subject").to_numpy()
    draws, lines = statistics.cluster_weights(subjects, values=raters), []
    for candidates in (CONVENTIONAL, SOFTSEG):
        names = [who.label for who in candidates]
        top, bottom = (t[names].mean(axis=1).to_numpy() for t in (entropy, raters))
        ratio = statistics.sums.estimate(statistics.sums.ratio(draws, top, bottom))
        lines.append(
            {
                "framework": candidates[0].framework,
                "ratio": ratio.value,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
                "error": float(error[names].mean(axis=1).mean()),
            }
        )
    return pd.DataFrame(lines)


def fusion_claims_sentence(table: pd.DataFrame, source: str) -> str:
    """The claims by their verdicts."""
    summary = claims_summary(table)
    words = [
        f"**{verdict}**: {text.listing(own['claim'])}"
        for verdict, own in summary.groupby("verdict", sort=False)
    ]
    return f"On {source}: {'; '.join(words)}."
