"""Reliability and calibration error, condition by condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import metrics, statistics
from paraspine.arrays import SettingsError
from paraspine.evidence import influence
from paraspine.statistics import sums

#: Measures of calibration, each with its interval.
MEASURES = ("mean", "over", "under", "balance", "by_image", "by_subject")
ENDS = {"mean_low": "low", "mean_high": "high"}
COLUMNS = ["condition"]
COLUMNS += [ENDS.get(n, n) for m in MEASURES for n in (m, f"{m}_low", f"{m}_high")]
COLUMNS += ["accuracy", "confidence", *influence.Influence().columns()]


def calibration_table(frame: pd.DataFrame, *, region: str = "all") -> pd.DataFrame:
    """Expected calibration error (ECE) of each condition: pooled, by image and by subject.

    ``mean`` is the pooled ECE, ``over`` and ``under`` its parts from bins in which confidence is
    above and below accuracy, ``balance`` the first minus the second, of which leaving one subject
    out is tried. ``region`` is ``"all"`` voxels or those ``"near"`` a structure.
    """
    if region not in ("all", "near"):
        raise SettingsError(f"region: expected 'all' or 'near', got {region!r}.")
    chosen, lines = frame[frame["region"] == region], []
    for name, part in chosen.groupby("condition", sort=False):
        lines.append({"condition": name} | _of_one(part))
    return pd.DataFrame(lines, columns=COLUMNS)


def _of_one(part: pd.DataFrame) -> dict:
    subjects = part["subject"].to_numpy()
    columns = [part[name].to_numpy() for name in ("bin", "count", "confidence", "correct")]
    content = np.stack(columns[1:], axis=1)
    draws = statistics.cluster_weights(subjects, values=content)
    error, over, under = sums.ece(draws, *columns)
    keys = [name for name in ("subject", "image", "slice") if name in part]
    gaps = part.assign(gap=(part["confidence"] - part["correct"]).abs())
    images = gaps.groupby(keys)[["gap", "count"]].sum()
    images = (images["gap"] / images["count"])[images["count"] > 0]
    bins = part.groupby(["subject", "bin"])[["confidence", "correct", "count"]].sum()
    bins["gap"] = (bins["confidence"] - bins["correct"]).abs()
    people = bins.groupby("subject")[["gap", "count"]].sum()
    people = (people["gap"] / people["count"]).where(people["count"] > 0)
    found = {
        "mean": sums.estimate(error),
        "over": sums.estimate(over),
        "under": sums.estimate(under),
        "balance": sums.estimate(over - under),
        "by_image": statistics.mean_interval(images, images.index.get_level_values("subject")),
        "by_subject": statistics.mean_interval(people, people.index),
    }
    line = {}
    for measure, one in found.items():
        ends = {f"{measure}_low": one.low, f"{measure}_high": one.high}
        line |= {measure: one.value} | {ENDS.get(key, key): end for key, end in ends.items()}
    count, confidence, correct = (float(column.sum()) for column in columns[1:])
    line["accuracy"] = correct / count if count else np.nan
    line["confidence"] = confidence / count if count else np.nan
    moved = influence.leave_one_out(
        lambda draws: np.subtract(*sums.ece(draws, *columns)[1:]), subjects, content
    )
    return line | moved.columns()


def reliability_curves(frame: pd.DataFrame, *, region: str) -> dict[str, metrics.Reliability]:
    """Reliability of each condition over the voxels of all images together."""
    curves = {}
    chosen = frame[frame["region"] == region]
    for name, part in chosen.groupby("condition", sort=False):
        summed = part.groupby("bin")[["count", "confidence", "correct"]].sum()
        count = summed["count"].to_numpy(float)
        with np.errstate(invalid="ignore"):
            ratio = summed[["confidence", "correct"]].to_numpy(float) / count[:, None]
        curves[name] = metrics.Reliability(*ratio.T, count.astype(np.int64))
    return curves
