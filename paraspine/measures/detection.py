"""How well uncertainty finds misclassified voxels, condition by condition."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import metrics, statistics
from paraspine.measures.frames import error_detectors
from paraspine.measures.tables import join_parameters

__all__ = ["detection_curves", "detection_table", "detectors", "pool", "retention_curves"]

#: The score whose parts the others are; it comes first among a condition's scores.
WHOLE = "entropy"
_MEASURES = ("mean", "auroc", "prevalence", "by_subject", "change")
COLUMNS = [
    "who",
    "score",
    *(f"{name}{end}" for name in _MEASURES for end in ("", "_low", "_high")),
    "voxels",
    "left_out",
]
COLUMNS = [{"mean_low": "low", "mean_high": "high"}.get(name, name) for name in COLUMNS]


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
        ``who``, ``score``, ``mean`` (average precision over the pooled voxels), ``auroc``,
        ``prevalence`` (share of misclassified voxels, what a random score reaches), ``by_subject``
        (mean over subjects of each one's average precision; without error it is undefined and left
        out), ``change`` (average precision minus that of the same condition's predictive entropy),
        the interval of each (``low``, ``high``, ``auroc_low`` and so on; resampling subjects, the
        same draws for all scores; NaN with one subject), ``voxels``, ``left_out`` (unseen).
        Without a row if nobody rated any of the images.
    """
    names = {"": "average_precision", "auroc_": "auroc", "prevalence_": "prevalence"}
    lines, drawn = [], {}
    for (who, score), subjects in found.items():
        pooled = pool(subjects)
        thresholds = pooled.thresholds()
        values = {prefix: getattr(thresholds, name)() for prefix, name in names.items()}
        intervals = dict.fromkeys([*names, "change_"], (np.nan, np.nan))
        if len(subjects) > 1:
            weights = statistics.cluster_weights(list(subjects), resamples).weights
            for prefix, name in names.items():
                drawn[who, score, prefix] = metrics.resample_detection(
                    list(subjects.values()), weights, name, groups=1024
                )
                intervals[prefix] = statistics.percentile_interval(drawn[who, score, prefix])
        values["change_"], same = np.nan, found.get((who, WHOLE), {})
        if score != WHOLE and list(same) == list(subjects):
            values["change_"] = values[""] - pool(same).thresholds().average_precision()
            if len(subjects) > 1:
                intervals["change_"] = statistics.percentile_interval(
                    drawn[who, score, ""] - drawn[who, WHOLE, ""]
                )
        each = [part.thresholds().average_precision() for part in subjects.values()]
        mean = statistics.mean_interval(each, list(subjects), resamples)
        values["by_subject_"], intervals["by_subject_"] = mean.value, (mean.low, mean.high)
        line = {"who": who, "score": score}
        for prefix, value in values.items():
            low, high = intervals[prefix]
            line |= {
                prefix.rstrip("_") or "mean": value,
                f"{prefix}low": low,
                f"{prefix}high": high,
            }
        line["voxels"] = int(thresholds.errors.sum() + thresholds.correct.sum())
        lines.append(line | {"left_out": pooled.left_out})
    return pd.DataFrame(lines, columns=COLUMNS)


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
