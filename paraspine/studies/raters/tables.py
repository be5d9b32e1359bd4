"""Tables about the raters: their styles, what fusing them does, what missing ratings do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from paraspine import fusion, statistics
from paraspine.frames import IDENTITY, rater_frame

__all__ = ["groups", "rater_styles", "fusion_table", "blank_table"]


def groups(frame: pd.DataFrame) -> list[str]:
    """The column that images are grouped by: ``level`` where there is one, else the subject."""
    return ["level"] if "level" in frame and frame["level"].nunique() > 1 else ["subject"]


def rater_styles(data, *, resamples: int = 2000) -> pd.DataFrame:
    """How much more area a rater outlines than the other raters of the same image.

    Parameters
    ----------
    data : slices.Slices
        Images with the label maps of their raters.

    Returns
    -------
    pandas.DataFrame
        ``rater``, ``class`` and the columns of `statistics.mean_table`; the mean is a percentage,
        0 for a rater like the others. Images in which nobody else marked the class are left out.
        Empty with fewer than two raters.
    """
    area = float(np.prod(data.spacing))
    parts = []
    identity = data.table[[c for c in IDENTITY if c in data.table]].reset_index(drop=True)
    for number, name in enumerate(data.classes.foreground, start=1):
        areas = (data.labels == number).sum(axis=(2, 3)) * area
        areas = np.where(data.rated, areas, np.nan)
        for r, rater in enumerate(data.raters):
            others = np.delete(areas, r, axis=1)
            count = (~np.isnan(others)).sum(axis=1)
            mean = np.nansum(others, axis=1) / np.maximum(count, 1)
            known = (count > 0) & (mean > 0)
            excess = np.full(len(data), np.nan)
            np.divide(areas[:, r] - mean, mean, out=excess, where=known)
            parts.append(identity.assign(**{"rater": rater, "class": name, "value": 100 * excess}))
    frame = pd.concat(parts, ignore_index=True)
    if (data.rated.sum(axis=1) < 2).all():
        frame = frame.iloc[:0]
    return statistics.mean_table(frame, by=["rater", "class"], resamples=resamples)


def fusion_table(data, *, resamples: int = 2000) -> pd.DataFrame:
    """How often votes tie, and how much STAPLE differs from the majority vote.

    Returns
    -------
    pandas.DataFrame
        ``measure``: ``tie_rate`` (voxels whose vote ties) and ``staple_differs`` (voxels to which
        STAPLE gives another class than the majority vote), in percent of the voxels that any rater
        marked, with the columns of `statistics.mean_table` over images. Empty with fewer than two
        raters.
    """
    classes = data.classes.num_classes
    lines = []
    for item, subject in enumerate(data.table["subject"]):
        labels = data.labels[item][data.rated[item]]
        marked = (labels > 0).any(axis=0)
        if len(labels) < 2 or not marked.any():
            continue
        majority = fusion.majority_vote(labels, classes)
        staple = fusion.staple(labels, classes).labels
        ties = fusion.tie_rate(labels, classes) * marked.size / marked.sum()
        lines += [
            (subject, "tie_rate", 100 * ties),
            (subject, "staple_differs", 100 * (majority != staple).sum() / marked.sum()),
        ]
    frame = pd.DataFrame(lines, columns=["subject", "measure", "value"])
    return statistics.mean_table(frame, by="measure", resamples=resamples)


def blank_table(data, *, resamples: int = 2000) -> pd.DataFrame:
    """Disagreement with blanks left out as not rated, and counted as rated and empty.

    Images that nobody rated are left out both ways: they are no one's empty outline.

    Parameters
    ----------
    data : slices.Slices
        Images with the label maps of their raters.

    Returns
    -------
    pandas.DataFrame
        ``measure`` (``gt_entropy``, ``pairwise_dice``), ``blank`` (``"not rated"``, ``"rated and
        empty"``) and the columns of `statistics.mean_table`, over the images for which a measure
        is defined: ``n`` says how many. Empty if every rater rated every image that anyone rated.
    """
    columns = ["measure", "blank"]
    data = data.select(data.rated.any(axis=1))
    if data.rated.all():
        return statistics.mean_table(
            pd.DataFrame(columns=["subject", *columns, "value"]), by=columns, resamples=resamples
        )
    labels = np.where(data.rated[:, :, None, None], data.labels, 0).astype(data.labels.dtype)
    filled = replace(data, labels=labels, rated=np.ones_like(data.rated))
    parts = [
        rater_frame(version).assign(blank=name)
        for name, version in (("not rated", data), ("rated and empty", filled))
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame["measure"].isin(["gt_entropy", "pairwise_dice"])]
    return statistics.mean_table(frame, by=columns, resamples=resamples)
