"""Tidy frames of several runs → the tables of the book, every cell with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from paraspine import metrics, statistics, text
from paraspine.arrays import SettingsError
from paraspine.measures.frames import IDENTITY, error_detectors, rater_frame, rows

__all__ = [
    "CONDITION",
    "brier_table",
    "calibration_table",
    "conditions",
    "correlation_table",
    "detection_curves",
    "detection_table",
    "detectors",
    "difference_between",
    "estimate",
    "estimates",
    "join",
    "mean_of",
    "overlap_table",
    "pretty",
    "reliability_curves",
    "summarise",
    "wide",
]

#: Columns that say which network and which way of sampling a row comes from.
CONDITION = ("model", "fusion", "seed", "method")
SCORES = ("entropy", "expected_entropy", "mutual_information")
RATERS = "raters, in pairs"


def join(sampled: Iterable, name: str) -> pd.DataFrame:
    """One frame of several sample runs, with the columns of `CONDITION` and `who`.

    Parameters
    ----------
    sampled : iterable of runs.Run
        Runs of ``04_sample``.
    name : str
        The frame to read from each, for example ``"measures.parquet"``.

    Returns
    -------
    pandas.DataFrame
        The rows of all; ``who`` names a condition in as few words as tell it from the others.
    """
    sampled = list(sampled)
    chosen = join_parameters(sampled)
    parts = [
        run.read_frame(name).assign(**condition)
        for run, condition in zip(sampled, chosen.to_dict("records"), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def join_parameters(sampled: Iterable) -> pd.DataFrame:
    """The condition of each sample run: columns of `CONDITION` and `who`.

    An ensemble is named with its kind, independent seeds, and its size.
    """
    sampled = list(sampled)
    frame = pd.DataFrame([{key: run.parameters[key] for key in CONDITION} for run in sampled])
    several = [c for c in CONDITION if c != "seed" or frame["seed"].nunique() > 1]
    words = frame[several].astype(str)
    if "seed" in several:
        words["seed"] = "seed " + words["seed"]
    members = [len(run.parameters.get("members", [])) for run in sampled]
    words["method"] = [
        f"ensemble of {n} seeds" if method == "ensemble" else method
        for method, n in zip(frame["method"], members, strict=True)
    ]
    return frame.assign(who=words.agg(", ".join, axis=1))


def conditions(frame: pd.DataFrame) -> list[str]:
    """The conditions of a frame, in the order in which their runs were given."""
    return list(dict.fromkeys(frame["who"]))


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per image and condition with the image-level measures as columns."""
    images = frame[frame["class"] == "all"]
    keys = [c for c in (*IDENTITY, *CONDITION, "who") if c in images]
    table = images.set_index([*keys, "measure"])["value"].unstack("measure")
    return table.reset_index().rename_axis(columns=None)


def summarise(
    frame: pd.DataFrame,
    measure: str | None,
    by: str | Sequence[str],
    *,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Mean with its 95 % interval over subjects in each cell; see `statistics.mean_table`.

    Parameters
    ----------
    frame : pandas.DataFrame
        A tidy frame.
    measure : str or None
        Which measure; None: all of them.
    by : str or sequence of str
        Columns whose combinations are the cells.
    resamples : int
        Bootstrap resamples of subjects.
    """
    chosen = frame if measure is None else rows(frame, measure)
    chosen = chosen.assign(cluster=chosen["subject"])  # so that cells may be subjects themselves
    return statistics.mean_table(chosen, by=by, groups="cluster", resamples=resamples)


def mean_of(frame: pd.DataFrame, measure: str, *, resamples: int = 2000) -> statistics.Estimate:
    """Mean of a measure over images and classes with its interval over subjects."""
    chosen = rows(frame, measure)
    return statistics.mean_interval(
        chosen["value"].to_numpy(), chosen["subject"].to_numpy(), resamples
    )


def estimate(row) -> statistics.Estimate:
    """A table's row as an `Estimate`."""
    value = row["mean"] if "mean" in row else row["value"]
    return statistics.Estimate(float(value), float(row["low"]), float(row["high"]))


def estimates(table: pd.DataFrame, names: str | Sequence[str]) -> dict[str, statistics.Estimate]:
    """A table's rows as estimates by name, as figures take them."""
    names = [names] if isinstance(names, str) else list(names)
    value = "mean" if "mean" in table else "r"
    return {
        ", ".join(str(row[n]) for n in names): statistics.Estimate(
            float(row[value]), float(row["low"]), float(row["high"])
        )
        for _, row in table.iterrows()
    }


def overlap_table(frame: pd.DataFrame, data, *, resamples: int = 2000) -> pd.DataFrame:
    """Dice of each condition per class, and the raters' own pairwise Dice on the same images.

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.
    data : slices.Slices
        The test images.

    Returns
    -------
    pandas.DataFrame
        ``who`` (a condition, or ``"raters, in pairs"``), ``class``, and the columns of
        `statistics.mean_table`. No row for the raters where fewer than two rated.
    """
    networks = summarise(frame, "dice", ["who", "class"], resamples=resamples)
    raters = rows(rater_frame(data), "pairwise_dice").assign(who=RATERS)
    if raters["value"].isna().all():
        return networks
    agreed = statistics.mean_table(raters, by=["who", "class"], resamples=resamples)
    return pd.concat([networks, agreed], ignore_index=True)


def brier_table(frame: pd.DataFrame, *, resamples: int = 2000, scale: float = 1e3) -> pd.DataFrame:
    """Class-wise Brier score of each condition (roshanzamir2023, Table 1), times `scale`."""
    structures = set(rows(frame, "dice")["class"])
    chosen = rows(frame, "brier")
    chosen = chosen[chosen["class"].isin(structures)]
    chosen = chosen.assign(value=scale * chosen["value"])
    return statistics.mean_table(chosen, by=["who", "class"], resamples=resamples)


def correlation_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Correlation over images of GT entropy with each uncertainty (roshanzamir2023, Table 3).

    Returns
    -------
    pandas.DataFrame
        ``who``, ``score``, ``method`` (``"pearson"`` or ``"spearman"``) and the columns of
        `statistics.correlation_table`; empty where GT entropy is undefined on every image.
    """
    images = wide(frame)
    parts = []
    for score in SCORES:
        if score not in images or (images[score].notna() & images["gt_entropy"].notna()).sum() == 0:
            continue
        known = images[images[score].notna()]
        for kind in ("pearson", "spearman"):
            table = statistics.correlation_table(
                known, "gt_entropy", score, by=["who"], resamples=resamples, method=kind
            )
            parts.append(table.assign(score=score, kind=kind))
    columns = ["who", "score", "kind", "n", "clusters", "r", "low", "high", "p", "p_holm"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


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
    """
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
    return pd.DataFrame(lines)


def pool(subjects: dict) -> metrics.ErrorDetection:
    """All subjects' counts together."""
    total = metrics.ErrorDetection()
    for detector in subjects.values():
        total.merge(detector)
    return total


def detection_curves(found: dict, who: Iterable[str], score: str = "entropy") -> dict:
    """Precision over recall of some conditions for one uncertainty, as figures take it."""
    return {name: pool(found[name, score]).precision_recall(400) for name in who}


def calibration_table(
    frame: pd.DataFrame, *, resamples: int = 2000, region: str = "all"
) -> pd.DataFrame:
    """Expected calibration error of each condition, pooled and averaged over images.

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``reliability.parquet``.
    region : {"all", "near"}
        Over all voxels, or those near a structure.

    Returns
    -------
    pandas.DataFrame
        ``who``, ``mean`` (pooled ECE, lemay2022), ``low``, ``high`` (resampling subjects), ``over``
        and ``under`` (the parts of it from bins in which confidence is above and below accuracy),
        ``by_image`` (mean over images of each image's ECE), ``accuracy``, ``confidence``.
    """
    chosen = frame[frame["region"] == region]
    if chosen.empty:
        raise SettingsError(f"region: expected 'all' or 'near' with voxels in it, got {region!r}.")
    lines = []
    for who, part in chosen.groupby("who", sort=False):
        bins = part["bin"].to_numpy()
        subjects, owner = np.unique(part["subject"].to_numpy(), return_inverse=True)
        sums = np.zeros((3, len(subjects), bins.max() + 1))
        for row, name in zip(sums, ("count", "confidence", "correct"), strict=True):
            np.add.at(row, (owner, bins), part[name].to_numpy(dtype=float))
        drawn = statistics.cluster_weights(subjects, resamples).weights
        low, high = statistics.percentile_interval(_ece(*(drawn @ s for s in sums))[0])
        pooled, over, under = (float(v[0]) for v in _ece(*(s.sum(0, keepdims=True) for s in sums)))
        images = part.assign(gap=(part["confidence"] - part["correct"]).abs())
        keys = [c for c in ("subject", "image", "slice") if c in part]
        each = images.groupby(keys)[["gap", "count"]].sum()
        each = (each["gap"] / each["count"])[each["count"] > 0]
        total = sums.sum(axis=(1, 2))
        lines.append(
            {
                "who": who,
                "mean": pooled,
                "low": low if len(subjects) > 1 else np.nan,
                "high": high if len(subjects) > 1 else np.nan,
                "over": over,
                "under": under,
                "by_image": float(each.mean()),
                "accuracy": float(total[2] / total[0]),
                "confidence": float(total[1] / total[0]),
            }
        )
    return pd.DataFrame(lines)


def _ece(count, confidence, correct) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ECE with its over- and underconfident parts from sums per bin, ``(B, bins)`` each."""
    gap = (confidence - correct) / count.sum(axis=1, keepdims=True)
    over, under = np.clip(gap, 0, None).sum(axis=1), np.clip(-gap, 0, None).sum(axis=1)
    return over + under, over, under


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
    for who, part in frame[frame["region"] == region].groupby("who", sort=False):
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


def difference_between(
    frame: pd.DataFrame, measure: str, first: str, second: str, *, resamples: int = 2000
) -> statistics.Estimate:
    """Mean difference of a measure, first minus second condition, image by image."""
    chosen = rows(frame, measure)
    keys = [c for c in ("subject", "image", "slice", "class") if c in chosen]
    pair = chosen.pivot_table(index=keys, columns="who", values="value", dropna=False)
    subjects = pair.index.get_level_values("subject").to_numpy()
    return statistics.difference_interval(
        pair[first].to_numpy(), pair[second].to_numpy(), subjects, resamples
    )


def pretty(table: pd.DataFrame, index, columns=None, *, digits: int = 3) -> pd.DataFrame:
    """A table for reading: ``mean (low to high)`` in each cell, one column per class.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``mean`` (or ``r``), ``low`` and ``high``.
    index : str or list of str
        What the rows are.
    columns : str, optional
        What the columns are; without it there is one column of estimates.
    digits : int
        Digits after the point.
    """
    value = "mean" if "mean" in table else "r"
    cells = [
        text.number(v, digits)
        + ("" if np.isnan(lo) else f" ({text.number(lo, digits)} to {text.number(hi, digits)})")
        for v, lo, hi in table[[value, "low", "high"]].to_numpy(dtype=float)
    ]
    names = [index] if isinstance(index, str) else list(index)
    shown = table.assign(cell=cells)
    if columns is None:
        return shown.set_index(names)[["cell"]].rename(columns={"cell": "mean (95 % interval)"})
    order = list(dict.fromkeys(shown[columns]))
    lines = list(dict.fromkeys(shown[names].itertuples(index=False, name=None)))
    result = shown.set_index([*names, columns])["cell"].unstack(columns)[order]
    result = result.reindex([x if len(names) > 1 else x[0] for x in lines])
    return result.rename_axis(columns=None)
