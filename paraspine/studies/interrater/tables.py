"""Tidy frames of several runs → the tables of the book, every cell with its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import statistics, text
from paraspine.evidence.conditions import (
    RATERS,
    by_subject,
    conditions,
    method_labels,
    summarise,
    target_label,
    wide,
)
from paraspine.evidence.show import estimate
from paraspine.frames import rater_frame, rows

__all__ = [
    "overlap_table",
    "brier_table",
    "correlation_table",
    "comparison_table",
    "comparison_display",
    "sources_of_uncertainty",
    "partition_table",
]

SCORES = ("entropy", "expected_entropy", "mutual_information")


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
        ``condition`` (a condition, or ``"raters, in pairs"``), ``class``, and the columns of
        `statistics.mean_table`. No row for the raters where fewer than two rated.
    """
    networks = summarise(frame, "dice", ["condition", "class"], resamples=resamples)
    if (data.rated.sum(axis=1) < 2).all():
        return networks
    raters = rows(rater_frame(data), "pairwise_dice").assign(condition=RATERS)
    agreed = statistics.mean_table(raters, by=["condition", "class"], resamples=resamples)
    return pd.concat([networks, agreed], ignore_index=True)


def brier_table(frame: pd.DataFrame, *, resamples: int = 2000, scale: float = 1e3) -> pd.DataFrame:
    """Class-wise Brier score of each condition (roshanzamir2023, Table 1), times `scale`."""
    structures = set(rows(frame, "dice")["class"])
    chosen = rows(frame, "brier")
    chosen = chosen[chosen["class"].isin(structures)]
    chosen = chosen.assign(value=scale * chosen["value"])
    return statistics.mean_table(chosen, by=["condition", "class"], resamples=resamples)


def correlation_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Correlation over images of GT entropy with each uncertainty (roshanzamir2023, Table 3).

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``score``, ``kind`` (``"pearson"`` over images as published, ``"spearman"``,
        and ``"by subject"``: Pearson over the subjects' means) and the columns of
        `statistics.correlation_table`, p-values adjusted by Holm over all rows of a ``kind``;
        empty where GT entropy is undefined on every image.
    """
    images, subjects = wide(frame), wide(by_subject(frame))
    parts = []
    for score in SCORES:
        if not {score, "gt_entropy"} <= set(images):
            continue
        if not images[[score, "gt_entropy"]].notna().all(axis=1).any():
            continue
        known = images[images[score].notna()]
        for kind in ("pearson", "spearman"):
            table = statistics.correlation_table(
                known, "gt_entropy", score, by=["condition"], resamples=resamples, method=kind
            )
            parts.append(table.assign(score=score, kind=kind))
        means = statistics.correlation_table(
            subjects[subjects[score].notna()],
            "gt_entropy",
            score,
            by=["condition"],
            resamples=resamples,
        )
        parts.append(means.assign(score=score, kind="by subject"))
    columns = ["condition", "score", "kind", "n", "clusters", "r", "low", "high", "p", "p_holm"]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    place = {who: k for k, who in enumerate(conditions(frame))}
    table = table.sort_values("condition", key=lambda who: who.map(place), kind="stable")
    table = table.reset_index(drop=True)
    for _, part in table.groupby("kind"):
        table.loc[part.index, "p_holm"] = statistics.holm(part["p"].to_numpy())
    return table[columns]


#: Ways of sampling whose uncertainty is taken as epistemic, and as aleatoric.
EPISTEMIC = ("dropout", "ensemble")


ALEATORIC = ("tta",)


SCORES = ("entropy", "expected_entropy", "mutual_information")


def comparison_table(
    frame: pd.DataFrame,
    measure: str = "dice",
    *,
    by_subject: bool = False,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Paired t tests between architectures, per class (roshanzamir2023, Table 4).

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.
    measure : str
        What is compared.
    by_subject : bool
        Average a subject's differences first, since its slices are not independent; the paper
        pairs by image.
    resamples : int
        Bootstrap resamples of subjects, for all intervals.

    Returns
    -------
    pandas.DataFrame
        `statistics.paired_test` with the columns ``trained`` (fusion and method, an ensemble with
        its kind and size) and ``class``; t tests, adjusted by Holm over the table, and intervals
        from resampling subjects.
        Empty with one architecture.
    """
    chosen = rows(frame, measure)
    chosen = chosen.assign(
        trained=chosen["fusion"].map(target_label) + ", " + method_labels(chosen)
    )
    if chosen["model"].nunique() < 2:
        return pd.DataFrame(columns=["trained", "class", "a", "b", "n", "difference", "p_holm"])
    keys = [c for c in ("subject", "image", "slice") if c in chosen]
    chosen = chosen.groupby([*keys, "trained", "class", "model"], sort=False, as_index=False)[
        "value"
    ].mean()  # over seeds
    several = chosen.groupby("trained")["model"].transform("nunique") > 1
    return statistics.paired_test(
        chosen[several],
        "value",
        "model",
        keys,
        by=["trained", "class"],
        average="subject" if by_subject else None,
        clusters="subject",
        resamples=resamples,
    )


def comparison_display(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """Table 4 for reading: each architecture's mean, the difference, p and the effect size."""
    shown = pd.DataFrame(index=table.index)
    for name in ("trained", "class"):
        shown[name] = table[name]
    for side in ("a", "b"):
        shown[f"{side}: mean"] = [
            f"{row[side]}: {text.interval(_mean(row, side), 3)}" for _, row in table.iterrows()
        ]
    if len(table):
        estimates = table.rename(columns={"difference": "mean"})
        shown["a - b"] = [text.interval(estimate(r), 3) for _, r in estimates.iterrows()]
        shown["p"] = [text.p_value(p) for p in table["p"]]
        shown["p (Holm)"] = [text.p_value(p) for p in table["p_holm"]]
        sizes = table[["effect", "effect_low", "effect_high"]].to_numpy(dtype=float)
        shown["effect, d"] = [text.interval(statistics.Estimate(*size)) for size in sizes]
        shown["pairs"] = table["n"]
    return shown.set_index(["trained", "class"]).rename_axis(columns=source)


def _mean(row, side: str) -> statistics.Estimate:
    ends = (row[f"mean_{side}_{end}"] for end in ("low", "high"))
    return statistics.Estimate(row[f"mean_{side}"], *ends)


def sources_of_uncertainty(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs of an epistemic with the aleatoric uncertainty of the same network.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``fusion``, ``seed``, ``epistemic`` and ``aleatoric`` (their ``condition``). An
        ensemble goes with the test-time augmentation of the network of the same training target.
    """
    runs = frame.drop_duplicates("condition")
    found = []
    for (model, fusion, seed), part in runs.groupby(["model", "fusion", "seed"], sort=False):
        names = dict(zip(part["method"], part["condition"], strict=True))
        for source in EPISTEMIC:
            for partner in ALEATORIC:
                if source in names and partner in names:
                    found.append((model, fusion, seed, names[source], names[partner]))
    return pd.DataFrame(found, columns=["model", "fusion", "seed", "epistemic", "aleatoric"])


def partition_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Share of the variance of GT entropy that uncertainties explain (roshanzamir2023, Table 5).

    Parameters
    ----------
    frame : pandas.DataFrame
        `join` of ``measures.parquet``.

    Returns
    -------
    pandas.DataFrame
        ``epistemic`` and ``aleatoric`` (whose), ``score`` (which measure of the epistemic
        samples; the aleatoric is always predictive entropy, as published), ``part``, ``mean``,
        ``low``, ``high`` in percent. Empty without both kinds, or without GT entropy.
    """
    images = wide(frame)
    if "gt_entropy" not in images:  # nobody rated any of them
        images = images.assign(gt_entropy=np.nan)
    keys = [c for c in ("subject", "image", "slice") if c in images]
    lines = []
    for _, pair in sources_of_uncertainty(frame).iterrows():
        first = images[images["condition"] == pair["epistemic"]].set_index(keys)
        second = images[images["condition"] == pair["aleatoric"]].set_index(keys)["entropy"]
        second = second.reindex(first.index)
        subjects = first.index.get_level_values("subject").to_numpy()
        for score in SCORES:
            known = first[score].notna() & first["gt_entropy"].notna() & second.notna()
            if known.sum() < 4:
                continue
            table = statistics.variance_partition_table(
                first["gt_entropy"][known].to_numpy(),
                first[score][known].to_numpy(),
                second[known].to_numpy(),
                subjects[known.to_numpy()],
                resamples,
            )
            for _, row in table.iterrows():
                low, high = 100 * row["low"], 100 * row["high"]
                lines.append(
                    (
                        pair["epistemic"], pair["aleatoric"], score, row["part"],
                        100 * row["value"], low, high,
                    )
                )  # fmt: skip
    columns = ["epistemic", "aleatoric", "score", "part", "mean", "low", "high"]
    return pd.DataFrame(lines, columns=columns)
