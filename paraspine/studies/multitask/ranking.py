"""Which map ranks voxels by the raters' disagreement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, statistics, text
from paraspine.evidence.conditions import summarise
from paraspine.evidence.show import estimate
from paraspine.frames import identified, rows
from paraspine.studies.multitask.maps import VARIANCE, Score

__all__ = [
    "rank_frame",
    "crowd_frame",
    "ranking_table",
    "ranking_difference",
    "pretty_ranking",
    "prevalence_of",
]

#: Of many raters, so large a share must contradict the others for a voxel to count as disputed.
DISPUTED = 0.1


#: A map whose values vary by less is constant but for rounding.
ROUNDING = 1e-9


#: Measures of `rank_frame`, in words.
MEASURES = {"average_precision": "average precision", "correlation": "Pearson's r"}


def rank_frame(data, scores: Sequence[Score], wanted) -> pd.DataFrame:
    """How well each map finds the voxels at which an image's raters disagree.

    Parameters
    ----------
    data : slices.Slices
        The images and raters.
    scores : sequence of Score
        Of the same images.
    wanted : (N, C - 1, H, W)
        Variance maps of the raters; NaN where fewer than two rated.

    Returns
    -------
    pandas.DataFrame
        One row per image, map (``condition``) and measure: ``average_precision`` (positives: voxels
        whose votes are not unanimous; NaN where all are), ``correlation`` (Pearson's r over voxels
        with the raters' variance, summed over structures; NaN where one of them is constant) and
        ``prevalence`` (share of positives, what a random map reaches).
    """
    disputed = np.zeros((len(data), *data.size), dtype=bool)
    for item in range(len(data)):
        labels = data.labels[item, data.rated[item]]
        disputed[item] = (labels != labels[:1]).any(axis=0) if len(labels) > 1 else False
    known = data.rated.sum(axis=1) > 1
    return _ranked(data, scores, np.asarray(wanted).sum(axis=1), disputed, known)


def crowd_frame(data, scores: Sequence[Score], crowd, wanted) -> pd.DataFrame:
    """As `rank_frame`, against the disagreement of many raters who took no part.

    The variance of many is that of raters in general; the map of the cohort's few raters, from
    which the networks learned, is compared with it too.

    Parameters
    ----------
    data : slices.Slices
        The images with the cohort's raters.
    scores : sequence of Score
        Of the same images.
    crowd : slices.Slices or None
        The same images with many raters (`slices.crowd`); None where there are none.
    wanted : (N, C - 1, H, W)
        Variance maps of the cohort's raters.

    Returns
    -------
    pandas.DataFrame
        As `rank_frame`; positives are voxels at which more than a tenth of the many contradict the
        class that most give. Empty without a crowd.
    """
    if crowd is None:
        return pd.DataFrame(
            columns=["subject", "image", "slice", "measure", "value", "condition", "network"]
        )
    raters, classes = len(crowd.raters), data.classes.num_classes
    true = np.stack([fusion.variance_map(labels, classes) for labels in crowd.labels]).sum(axis=1)
    true *= raters / (raters - 1)  # of the population that the many are a sample of
    counts = np.stack([(crowd.labels == c).sum(axis=1) for c in range(classes)])
    disputed = counts.max(axis=0) < (1 - DISPUTED) * raters
    few = np.nan_to_num(np.asarray(wanted).sum(axis=1))
    own = Score(f"variance of the cohort's {_raters(data)}", "raters", few, 0, 0, float("nan"))
    return _ranked(data, [*scores, own], true, disputed, data.rated.sum(axis=1) > 1)


def _raters(data) -> str:
    return text.count(len(data.raters), "rater")


def _ranked(data, scores, reference, disputed, known) -> pd.DataFrame:
    parts = []
    for score in scores:
        found = []
        for item in np.flatnonzero(known):
            values = score.array[item]
            found += [
                (item, "all", "average_precision",
                 metrics.average_precision(values, disputed[item])),
                (item, "all", "correlation", _pearson(values, reference[item])),
                (item, "all", "prevalence", disputed[item].mean()),
            ]  # fmt: skip
        parts.append(identified(data, found).assign(condition=score.who, network=score.network))
    return pd.concat(parts, ignore_index=True)


def _pearson(a, b) -> float:
    a, b = (np.asarray(x, dtype=np.float64).ravel() for x in (a, b))
    a, b = a - a.mean(), b - b.mean()
    flat = min(a @ a, b @ b) <= len(a) * ROUNDING**2
    return float("nan") if flat else float(a @ b / np.sqrt((a @ a) * (b @ b)))


def ranking_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Mean over images of each measure and map, with its interval over subjects.

    Parameters
    ----------
    frame : pandas.DataFrame
        `rank_frame` or `crowd_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``measure`` (in words) and the columns of `statistics.mean_table`.
    """
    chosen = frame[frame["measure"].isin(list(MEASURES))]
    chosen = chosen.assign(measure=chosen["measure"].map(MEASURES))
    return summarise(chosen, None, ["condition", "measure"], resamples=resamples)


def ranking_difference(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Each entropy's measure minus that of the same architecture's predicted variance.

    Parameters
    ----------
    frame : pandas.DataFrame
        `rank_frame` or `crowd_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``measure`` (in words), ``mean``, ``low``, ``high``, ``clusters``; image by
        image. Empty where there is nothing to compare with.
    """
    parts = []
    for network, own in frame.groupby("network", sort=False):
        reference = f"{network}, {VARIANCE}"
        if reference not in set(own["condition"]) or own["condition"].nunique() < 2:
            continue
        own = own[own["measure"].isin(list(MEASURES))]
        table = statistics.difference_table(
            own, "value", "condition", ["subject", "image", "slice"], ["measure"],
            resamples=resamples, reference=reference,
        )  # fmt: skip
        parts.append(table.rename(columns={"a": "condition", "difference": "mean"}))
    columns = ["condition", "measure", "mean", "low", "high", "clusters"]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    return table.assign(measure=table["measure"].map(MEASURES))[columns]


def pretty_ranking(
    table: pd.DataFrame, difference: pd.DataFrame, cost: pd.DataFrame | None, source: str
) -> pd.DataFrame:
    """Ranking and cost of every map for reading.

    Parameters
    ----------
    table, difference : pandas.DataFrame
        `ranking_table` and `ranking_difference`.
    cost : pandas.DataFrame, optional
        `cost_table`.
    source : str
        Where the data comes from.
    """
    names = list(dict.fromkeys(table["condition"]))
    shown = pd.DataFrame(index=pd.Index(names, name="map"))
    for words in MEASURES.values():
        own = table[table["measure"] == words].set_index("condition")
        apart = difference[difference["measure"] == words].set_index("condition")
        shown[f"{words} (95 % interval)"] = [text.cell(estimate(own.loc[n]), 3) for n in names]
        shown[f"{words}: minus {VARIANCE}"] = [
            text.cell(estimate(apart.loc[n]), 3) if n in apart.index else "" for n in names
        ]
    if cost is not None:
        own = cost.set_index("condition")
        shown["passes"] = [own.loc[n, "passes"] for n in names]
        shown["trainings"] = [own.loc[n, "trainings"] for n in names]
        shown["ms an image"] = [text.number(own.loc[n, "milliseconds"], 1) for n in names]
        shown["times"] = [text.number(own.loc[n, "times"], 1) for n in names]
    return shown.rename_axis(columns=source)


def prevalence_of(frame: pd.DataFrame) -> float:
    """Mean share of positives, what a random map's average precision reaches."""
    if frame.empty:
        return float("nan")
    own = rows(frame, "prevalence").drop_duplicates(["subject", "image", "slice"])
    return float(own["value"].mean())
