"""How well uncertainty finds misclassified voxels, condition by condition."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import metrics, statistics
from paraspine.measures.frames import error_detectors
from paraspine.measures.tables import join_parameters

__all__ = ["detection_curves", "detection_table", "detectors", "pool", "retention_curves"]


def detectors(sampled: Iterable) -> dict[tuple[str, str], dict]:
    """Accumulators of error detection of several sample runs.

    Returns
    -------
    dict of (who, score) to dict
        Subject to `metrics.ErrorDetection`.
    """
    sampled = list(sampled)
    names = join_parameters(sampled)["who"]
    return {
        (who, score): subjects
        for who, run in zip(names, sampled, strict=True)
        for score, subjects in error_detectors(run.read_arrays("errors.npz")).items()
    }


def detection_table(found: dict, *, resamples: int = 2000) -> pd.DataFrame:
    """How well each uncertainty finds misclassified voxels (roshanzamir2023, Table 2).

    Parameters
    ----------
    found : dict
        `detectors` of the sample runs.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``who``, ``score``, ``mean`` (average precision over the pooled voxels), ``low``, ``high``
        (resampling subjects; NaN with one subject), ``auroc``, ``prevalence`` (share of
        misclassified voxels, what a random score reaches), ``voxels``, ``left_out`` (unseen).
        Without a row if nobody rated any of the images.
    """
    columns = [
        "who", "score", "mean", "low", "high", "auroc", "prevalence", "voxels", "left_out"
    ]  # fmt: skip
    lines = []
    for (who, score), subjects in found.items():
        pooled = pool(subjects)
        thresholds = pooled.thresholds()
        low = high = np.nan
        if len(subjects) > 1:
            drawn = statistics.cluster_weights(list(subjects), resamples).weights
            replicates = metrics.resample_detection(list(subjects.values()), drawn, groups=1024)
            low, high = statistics.percentile_interval(replicates)
        lines.append(
            {
                "who": who,
                "score": score,
                "mean": thresholds.average_precision(),
                "low": low,
                "high": high,
                "auroc": thresholds.auroc(),
                "prevalence": thresholds.prevalence(),
                "voxels": int(thresholds.errors.sum() + thresholds.correct.sum()),
                "left_out": pooled.left_out,
            }
        )
    return pd.DataFrame(lines, columns=columns)


def pool(subjects: dict) -> metrics.ErrorDetection:
    """All subjects' counts together."""
    total = metrics.ErrorDetection()
    for detector in subjects.values():
        total.merge(detector)
    return total


def detection_curves(found: dict, who: Iterable[str], score: str = "entropy") -> dict:
    """Precision over recall of some conditions for one uncertainty, as figures take it."""
    return {name: pool(found[name, score]).precision_recall(400) for name in who}


def retention_curves(found: dict, who: Iterable[str], score: str = "entropy") -> dict:
    """Accuracy over the share of voxels kept, least uncertain first, as figures take it."""
    return {name: pool(found[name, score]).accuracy_retention(400) for name in who}
