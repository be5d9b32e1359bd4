"""Tidy frames of several runs → the tables of the book, every cell with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from paraspine import statistics
from paraspine.measures.frames import IDENTITY, rater_frame, rows
from paraspine.measures.sampled import ensemble_name

__all__ = [
    "CONDITION",
    "RATERS",
    "brier_table",
    "by_subject",
    "conditions",
    "correlation_table",
    "join",
    "join_parameters",
    "mean_of",
    "overlap_table",
    "summarise",
    "ways",
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

    An ensemble is named with its kind and size, as its run has recorded them.
    """
    sampled = list(sampled)
    frame = pd.DataFrame([{key: run.parameters[key] for key in CONDITION} for run in sampled])
    several = [c for c in CONDITION if c != "seed" or frame["seed"].nunique() > 1]
    words = frame[several].astype(str)
    if "seed" in several:
        words["seed"] = "seed " + words["seed"]
    words["method"] = [
        ensemble_name(run.read_json("sampling.json")) if method == "ensemble" else method
        for method, run in zip(frame["method"], sampled, strict=True)
    ]
    return frame.assign(who=words.agg(", ".join, axis=1))


def ways(frame: pd.DataFrame) -> pd.Series:
    """How each row of a frame was sampled, an ensemble with its kind and size."""
    return frame["who"].str.rsplit(", ", n=1).str[-1]


def conditions(frame: pd.DataFrame) -> list[str]:
    """The conditions of a frame, in the order in which their runs were given."""
    return list(dict.fromkeys(frame["who"]))


def by_subject(frame: pd.DataFrame) -> pd.DataFrame:
    """A tidy frame with one row per subject instead of per image: the mean over its images.

    Parameters
    ----------
    frame : pandas.DataFrame
        A tidy frame; undefined values are left out of the means.
    """
    keys = [c for c in (*CONDITION, "who", "class", "measure") if c in frame]
    return frame.groupby(["subject", *keys], sort=False, as_index=False)["value"].mean()


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
    if (data.rated.sum(axis=1) < 2).all():
        return networks
    raters = rows(rater_frame(data), "pairwise_dice").assign(who=RATERS)
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
        ``who``, ``score``, ``kind`` (``"pearson"`` over images as published, ``"spearman"``, and
        ``"by subject"``: Pearson over the subjects' means) and the columns of
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
                known, "gt_entropy", score, by=["who"], resamples=resamples, method=kind
            )
            parts.append(table.assign(score=score, kind=kind))
        means = statistics.correlation_table(
            subjects[subjects[score].notna()], "gt_entropy", score, by=["who"], resamples=resamples
        )
        parts.append(means.assign(score=score, kind="by subject"))
    columns = ["who", "score", "kind", "n", "clusters", "r", "low", "high", "p", "p_holm"]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    place = {who: k for k, who in enumerate(conditions(frame))}
    table = table.sort_values("who", key=lambda who: who.map(place), kind="stable")
    table = table.reset_index(drop=True)
    for _, part in table.groupby("kind"):
        table.loc[part.index, "p_holm"] = statistics.holm(part["p"].to_numpy())
    return table[columns]
