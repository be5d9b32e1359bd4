"""Reliability and calibration error, condition by condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import metrics, statistics
from paraspine.arrays import SettingsError
from paraspine.evidence.calibration import _ece

__all__ = ["calibration_table", "reliability_curves"]


def calibration_table(
    frame: pd.DataFrame, *, resamples: int = 2000, region: str = "all"
) -> pd.DataFrame:
    """Expected calibration error of each condition: pooled, by image and by subject.

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``reliability.parquet``.
    region : {"all", "near"}
        Over all voxels, or those near a structure.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``mean`` (pooled ECE, lemay2022), ``over`` and ``under`` (the parts of it
        from bins in which confidence is above and below accuracy), ``by_image`` and ``by_subject``
        (mean over images of each image's ECE, over subjects of each subject's), the interval of
        each (``low``, ``high``, ``over_low`` and so on; resampling subjects, NaN with one),
        ``accuracy``, ``confidence``.
    """
    if region not in ("all", "near"):
        raise SettingsError(f"region: expected 'all' or 'near', got {region!r}.")
    chosen = frame[frame["region"] == region]
    columns = [
        "condition", "mean", "low", "high", "over", "over_low", "over_high", "under", "under_low",
        "under_high", "by_image", "by_image_low", "by_image_high", "by_subject", "by_subject_low",
        "by_subject_high", "accuracy", "confidence",
    ]  # fmt: skip
    lines = []
    for who, part in chosen.groupby("condition", sort=False):
        bins = part["bin"].to_numpy()
        subjects, owner = np.unique(part["subject"].to_numpy(), return_inverse=True)
        sums = np.zeros((3, len(subjects), bins.max() + 1))
        for row, name in zip(sums, ("count", "confidence", "correct"), strict=True):
            np.add.at(row, (owner, bins), part[name].to_numpy(dtype=float))
        drawn = statistics.cluster_weights(subjects, resamples).weights
        pooled = [float(v[0]) for v in _ece(*(s.sum(0, keepdims=True) for s in sums))]
        intervals = [(np.nan, np.nan)] * 3
        if len(subjects) > 1:
            intervals = [
                statistics.percentile_interval(v) for v in _ece(*(drawn @ s for s in sums))
            ]
        images = part.assign(gap=(part["confidence"] - part["correct"]).abs())
        keys = [c for c in ("subject", "image", "slice") if c in part]
        each = images.groupby(keys)[["gap", "count"]].sum()
        each = (each["gap"] / each["count"])[each["count"] > 0]
        by_image = statistics.mean_interval(
            each.to_numpy(), each.index.get_level_values("subject").to_numpy(), resamples
        )
        by_subject = statistics.mean_interval(_ece(*sums)[0], subjects, resamples)
        total = sums.sum(axis=(1, 2))
        line = {"condition": who}
        for prefix, value, (low, high) in zip(
            ("", "over_", "under_", "by_image_", "by_subject_"),
            (*pooled, by_image.value, by_subject.value),
            (*intervals, (by_image.low, by_image.high), (by_subject.low, by_subject.high)),
            strict=True,
        ):
            line |= {
                prefix.rstrip("_") or "mean": value,
                f"{prefix}low": low,
                f"{prefix}high": high,
            }
        line["accuracy"] = float(total[2] / total[0]) if total[0] else np.nan
        line["confidence"] = float(total[1] / total[0]) if total[0] else np.nan
        lines.append(line)
    return pd.DataFrame(lines, columns=columns)


def reliability_curves(frame: pd.DataFrame, *, region: str = "all") -> dict:
    """Reliability of each condition, averaged over images bin by bin (Appendix A of the thesis).

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``reliability.parquet``.
    region : {"all", "near"}
        Over all voxels, or those near a structure.

    Returns
    -------
    dict of str to metrics.Reliability
        See `metrics.average_reliability`.
    """
    curves = {}
    for who, part in frame[frame["region"] == region].groupby("condition", sort=False):
        bins = int(part["bin"].max()) + 1
        sums = part[["count", "confidence", "correct"]].to_numpy(dtype=float).reshape(-1, bins, 3)
        count = sums[..., 0]
        with np.errstate(invalid="ignore"):
            ratio = sums[..., 1:] / count[..., None]
        curves[who] = metrics.average_reliability(
            [
                metrics.Reliability(r[:, 0], r[:, 1], c.astype(np.int64))
                for r, c in zip(ratio, count, strict=True)
            ]
        )
    return curves
