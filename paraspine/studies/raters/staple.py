"""What STAPLE says of a cohort: how the estimations went, and how each rater performs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paraspine import fusion, statistics, text
from paraspine.evidence.words import ONE_RATER
from paraspine.frames import IDENTITY

__all__ = ["staple_frame", "staple_raters", "staple_sentence"]


def staple_frame(data, **options) -> pd.DataFrame:
    """STAPLE of each image: how its estimation went.

    Parameters
    ----------
    data : slices.Slices
        Images with the label maps of their raters; those of fewer than two are left out.
    **options
        Those of `fusion.staple`.

    Returns
    -------
    pandas.DataFrame
        One row an image: identifying columns, ``raters``, ``converged`` (bool), ``iterations``,
        ``undecided`` (voxels that several classes explain equally well), ``extent`` (voxels that
        took part), ``inverted`` (bool; raters worse than chance), and ``sensitivity``: an array
        ``(raters, classes)``, the probability that each of `data`'s raters gives a class where it
        is the truth; NaN for who did not rate and for a class without a voxel.
    """
    several = np.flatnonzero(data.rated.sum(axis=1) > 1)
    chosen = data.select(several)
    found = []
    if len(chosen):
        found = fusion.staple_many(
            chosen.labels, chosen.classes.num_classes, chosen.rated, **options
        )
    lines = []
    for one, rated in zip(found, chosen.rated, strict=True):
        sensitivity = np.full((len(rated), chosen.classes.num_classes), np.nan)
        sensitivity[rated] = np.diagonal(one.confusion, axis1=1, axis2=2)
        lines.append(
            (int(rated.sum()), one.converged, one.iterations, one.undecided, one.extent,
             one.inverted, sensitivity)
        )  # fmt: skip
    columns = ["raters", "converged", "iterations", "undecided", "extent", "inverted"]
    frame = pd.DataFrame(lines, columns=[*columns, "sensitivity"])
    table = chosen.table[[c for c in IDENTITY if c in chosen.table]].reset_index(drop=True)
    return pd.concat([table, frame], axis=1)


def staple_raters(frame: pd.DataFrame, data, *, resamples: int = 2000) -> pd.DataFrame:
    """Each rater's probability of giving a class where STAPLE says that it is the truth.

    Parameters
    ----------
    frame : pandas.DataFrame
        `staple_frame`.
    data : slices.Slices
        The images, for the names.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``rater``, ``class`` (background too, whose value is a specificity) and the columns of
        `statistics.mean_table` over images, in percent. Empty without two raters.
    """
    lines = [
        (subject, rater, name, 100 * value)
        for subject, array in zip(frame["subject"], frame["sensitivity"], strict=True)
        for rater, values in zip(data.raters, array, strict=True)
        for name, value in zip(data.classes.names, values, strict=True)
    ]
    tidy = pd.DataFrame(lines, columns=["subject", "rater", "class", "value"])
    return statistics.mean_table(tidy, by=["rater", "class"], resamples=resamples)


def staple_sentence(frame: pd.DataFrame, data) -> str:
    """Whether STAPLE's estimations converged, and whether their labels can be used."""
    if frame.empty:
        return ONE_RATER
    images = text.count(len(frame), "image")
    stuck, wrong = int((~frame["converged"]).sum()), int(frame["inverted"].sum())
    steps = frame["iterations"]
    every = f"all {images}" if len(frame) > 1 else "the one image"
    went = f"STAPLE's estimation converged in {every}"
    if stuck:
        went = f"STAPLE's estimation did not converge in {stuck} of {images}"
    median = text.count(int(steps.median()), "step")
    words = [f"{went}, in {median} (median; at most {steps.max()})"]
    torn = int((frame["undecided"] > 0).sum())
    if torn:
        words.append(
            f"In {torn} of {images}, {text.count(int(frame['undecided'].sum()), 'voxel')} "
            "stayed undecided between classes and went to the lower class number"
        )
    else:
        words.append("No voxel stayed undecided")
    words.append(
        f"In {wrong} of {images} it rests on raters worse than chance: don't use those labels"
        if wrong
        else "Nowhere does it rest on raters worse than chance"
    )
    left = len(data) - len(frame)
    if left:
        words.append(f"{text.count(left, 'image')} with fewer than two raters left out")
    return f"{'. '.join(words)}. ({data.source})"
