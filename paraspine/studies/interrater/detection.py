"""Detection of misclassified voxels by uncertainty, and the two parts of predictive entropy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from paraspine import metrics, statistics
from paraspine.evidence.conditions import conditions, join_parameters, wide
from paraspine.evidence.contrast import estimate_of
from paraspine.frames import error_detectors
from paraspine.statistics import sums
from paraspine.studies.interrater.tables import paired_images

#: The score whose parts the others are; it comes first among a condition's scores.
WHOLE = "entropy"
PARTS = ("expected_entropy", "mutual_information")

MEASURES = ("mean", "auroc", "prevalence", "by_subject", "change")
ENDS = {"mean_low": "low", "mean_high": "high"}
COLUMNS = [
    "condition",
    "score",
    *(
        ENDS.get(f"{name}{end}", f"{name}{end}")
        for name in MEASURES
        for end in ("", "_low", "_high")
    ),
    "change_p",
    "voxels",
    "left_out",
]


def detectors(sampled: Iterable) -> dict[tuple[str, str], dict]:
    """Counts of error detection of several sample runs: (condition, score) to subject to counts."""
    sampled = list(sampled)
    names = join_parameters(sampled)["condition"]
    return {
        (who, score): subjects
        for who, run in zip(names, sampled, strict=True)
        for score, subjects in error_detectors(run.read_arrays("errors.npz")).items()
    }


def detection_table(found: dict) -> pd.DataFrame:
    """Average precision of each uncertainty at finding misclassified voxels (Table 2).

    ``mean`` is over the pooled voxels, ``by_subject`` the mean of the subjects' own; ``prevalence``
    is the share of misclassified voxels, which a random score reaches; ``change`` is the average
    precision minus that of the same condition's predictive entropy, under the same draws.
    """
    lines, drawn, content = [], {}, {}
    for (who, score), subjects in found.items():
        parts = [part.thresholds() for part in subjects.values()]
        pooled = pool(subjects)
        total = pooled.thresholds()
        each = [part.average_precision() for part in parts]
        content = dict(zip(subjects, each, strict=True)) | content  # the same draws for all
        mean = statistics.mean_interval(each, list(subjects))
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
            values = [content[name] for name in subjects]
            weights = statistics.cluster_weights(list(subjects), values=values).weights
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
    """Counts of all subjects together."""
    total = metrics.ErrorDetection()
    for detector in subjects.values():
        total.merge(detector)
    return total


def detection_curves(found: dict, chosen: Iterable[str]) -> dict:
    """Precision over recall of the predictive entropy of some conditions, as figures take it."""
    return {name: pool(found[name, WHOLE]).precision_recall(400) for name in chosen}


def detection_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Change of average precision if a part stands in for predictive entropy."""
    chosen = table[table["score"].isin(PARTS)]
    names = {"change": "mean", "change_low": "low", "change_high": "high", "change_p": "p"}
    chosen = chosen[["condition", "score", *names]].rename(columns=names)
    return _adjusted(chosen.reset_index(drop=True))


def correlation_changes(frame: pd.DataFrame) -> pd.DataFrame:
    """Change of Pearson's r with GT entropy if a part stands in for predictive entropy."""
    images, found = wide(frame), []
    missing = {"gt_entropy", WHOLE, *PARTS} - set(images)
    images = images.assign(**dict.fromkeys(missing, np.nan))
    for name in conditions(frame):
        own = images[images["condition"] == name]
        for part in PARTS:
            change = _change(own, [part], lambda draws, values: [
                sums.correlation(sums.moments(draws, values), 0, k) for k in (1, 2)
            ])  # fmt: skip
            found += [(name, part, *change)] if change else []
    return _adjusted(pd.DataFrame(found, columns=CHANGES))


def partition_changes(frame: pd.DataFrame) -> pd.DataFrame:
    """Change of the variance explained jointly, in percentage points, likewise."""
    found = []
    for pair, own in paired_images(frame):
        for part in PARTS:
            change = _change(own, [part, "aleatoric"], lambda draws, values: [
                100 * sums.shares(draws, values[:, [0, k, 3]])[2] for k in (1, 2)
            ])  # fmt: skip
            found += [(pair["epistemic"], part, *change)] if change else []
    return _adjusted(pd.DataFrame(found, columns=CHANGES))


CHANGES = ["condition", "score", "mean", "low", "high", "p"]


def _change(own: pd.DataFrame, more: list[str], both) -> tuple | None:
    """Change from predictive entropy to a part, its interval and p; None without an image."""
    known = own.set_index("subject")[["gt_entropy", WHOLE, *more]].dropna()
    if known.empty:
        return None
    values = known.to_numpy(float)
    draws = statistics.cluster_weights(known.index.to_numpy(), values=values)
    before, after = both(draws, values)
    change = estimate_of(after - before)
    p = statistics.bootstrap_p((after - before)[1:], clusters=len(draws.labels))
    return change.value, change.low, change.high, p


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """With p adjusted by Holm over the conditions, for each part by itself."""
    table = table.assign(p_holm=np.nan)
    for _, part in table.groupby("score"):
        table.loc[part.index, "p_holm"] = statistics.holm(part["p"].to_numpy(float))
    return table


def changes(errors: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The changes side by side: ``AP``, ``correlation``, ``R²``, with their intervals and p."""
    table = pd.DataFrame(columns=["condition", "score"])
    for name, found in (
        ("AP", detection_changes(errors)),
        ("correlation", correlation_changes(frame)),
        ("R²", partition_changes(frame)),
    ):
        names = {"mean": name} | {n: f"{name}_{n}" for n in ("low", "high", "p", "p_holm")}
        table = table.merge(found.rename(columns=names), on=["condition", "score"], how="outer")
    place = {name: k for k, name in enumerate(conditions(frame))}
    table["place"] = table["condition"].map(place)
    table = table.sort_values("place", kind="stable").drop(columns="place")
    return table.reset_index(drop=True)
