"""How well uncertainty finds misclassified voxels, condition by condition."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import metrics, statistics
from paraspine.evidence.conditions import join_parameters
from paraspine.frames import error_detectors

__all__ = ["detectors", "detection_table", "pool", "detection_curves", "retention_curves"]

#: The score whose parts the others are; it comes first among a condition's scores.
WHOLE = "entropy"


_MEASURES = ("mean", "auroc", "prevalence", "by_subject", "change")


COLUMNS = [
    "condition",
    "score",
    *(f"{name}{end}" for name in _MEASURES for end in ("", "_low", "_high")),
    "change_p",
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
    names = join_parameters(sampled)["condition"]
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
        ``condition``, ``score``, ``mean`` (average precision over the pooled voxels), ``auroc``,
        ``prevalence`` (share of misclassified voxels, what a random score reaches), ``by_subject``
        (mean over subjects of each one's average precision; without error it is undefined and left
        out), ``change`` (average precision minus that of the same condition's predictive entropy),
        the interval of each (``low``, ``high``, ``prevalence_low`` and so on; resampling subjects,
        the same draws for all scores; NaN with one subject, and for ``auroc`` of other scores than
        predictive entropy), ``change_p`` (bootstrap, of no change), ``voxels``, ``left_out``
        (unseen).
        Without a row if nobody rated any of the images.
    """
    lines, drawn = [], {}
    for (who, score), subjects in found.items():
        parts = [part.thresholds() for part in subjects.values()]
        pooled = pool(subjects)
        total = pooled.thresholds()
        each = [part.average_precision() for part in parts]
        mean = statistics.mean_interval(each, list(subjects), resamples)
        same = found.get((who, WHOLE), {})
        paired = score != WHOLE and list(same) == list(subjects)
        line = {
            "condition": who,
            "score": score,
            "mean": total.average_precision(),
            "auroc": total.auroc(),
            "prevalence": total.prevalence(),
            "by_subject": mean.value,
            "by_subject_low": mean.low,
            "by_subject_high": mean.high,
            "voxels": int(total.errors.sum() + total.correct.sum()),
            "left_out": pooled.left_out,
        }
        if paired:
            line["change"] = line["mean"] - pool(same).thresholds().average_precision()
        if len(subjects) > 1:
            weights = statistics.cluster_weights(list(subjects), resamples).weights
            drawn[who, score] = metrics.resample_detection(
                list(subjects.values()), weights, groups=1024
            )
            replicates = {"": drawn[who, score], "prevalence_": _prevalence(parts, weights)}
            if score == WHOLE:
                replicates["auroc_"] = metrics.resample_detection(
                    list(subjects.values()), weights, "auroc", groups=1024
                )
            if paired:
                replicates["change_"] = drawn[who, score] - drawn[who, WHOLE]
                line["change_p"] = statistics.bootstrap_p(
                    replicates["change_"], clusters=len(subjects)
                )
            for name, values in replicates.items():
                line |= dict(zip((f"{name}low", f"{name}high"),
                                 statistics.percentile_interval(values), strict=True))  # fmt: skip
        lines.append(line)
    return pd.DataFrame(lines, columns=COLUMNS)


def _prevalence(parts, weights: np.ndarray) -> np.ndarray:
    """Share of misclassified voxels in each resample; NaN without a voxel."""
    errors = np.array([part.errors.sum() for part in parts], dtype=float)
    voxels = errors + [part.correct.sum() for part in parts]
    drawn = weights @ voxels
    return np.divide(weights @ errors, drawn, out=np.full(len(weights), np.nan), where=drawn > 0)


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
