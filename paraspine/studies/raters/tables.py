"""Tables of the raters: areas, styles, fusion of votes, STAPLE, ratings that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from paraspine import fusion, muscle, statistics
from paraspine.evidence import influence
from paraspine.frames import IDENTITY, identified, rater_frame
from paraspine.statistics import sums

IMAGE = ["subject", "image", "slice"]
#: The whole image as STAPLE's spatial extent, as other papers and libraries take it.
WHOLE = "whole image"


def group_column(frame: pd.DataFrame) -> str:
    """The column that images are grouped by: ``level`` where there are several, else subject."""
    return "level" if "level" in frame and frame["level"].nunique() > 1 else "subject"


def group_difference(frame: pd.DataFrame, group: str, first: str, second: str) -> dict:
    """Mean of one group of images minus that of another, subjects resampled together."""
    draws = statistics.cluster_weights(frame["subject"].to_numpy(), values=frame["value"])

    def drawn(draws):
        parts = [frame["value"].where(frame[group] == name) for name in (first, second)]
        return sums.mean(draws, parts[0]) - sums.mean(draws, parts[1])

    found = sums.estimate(drawn(draws))
    row = {"mean": found.value, "low": found.low, "high": found.high}
    return row | influence.leave_one_out(drawn, frame["subject"], frame["value"]).columns()


# --- areas -----------------------------------------------------------------------------------


def area_frame(data) -> pd.DataFrame:
    """Area in mm² of each structure in each image by each rater (column ``rater``)."""
    parts = []
    for r, rater in enumerate(data.raters):
        found = [
            (item, name, "area", muscle.area(data.labels[item, r] == number, data.spacing))
            for item in np.flatnonzero(data.rated[:, r])
            for number, name in enumerate(data.classes.foreground, start=1)
        ]
        parts.append(identified(data, found).assign(rater=rater))
    return pd.concat(parts, ignore_index=True)


def area_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """Areas of every two raters of an image: ``pair``, ``mean``, ``difference`` (mm²)."""
    own = dict(list(frame.groupby("rater", sort=False)))
    parts = []
    for first, second in combinations(own, 2):
        both = own[first].merge(
            own[second][[*IMAGE, "class", "value"]], on=[*IMAGE, "class"], suffixes=("", "_b")
        )
        a, b = both["value"], both["value_b"]
        both = both.drop(columns=["value", "value_b", "measure", "rater"])
        both = both.assign(pair=f"{first} and {second}", mean=(a + b) / 2, difference=a - b)
        parts.append(both[(a > 0) | (b > 0)])
    columns = [*IMAGE, "class", "pair", "mean", "difference"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def area_limits(pairs: pd.DataFrame) -> dict[str, statistics.BlandAltman]:
    """Bland and Altman's limits of agreement of each pair of raters, over images and structures."""
    return {
        pair: statistics.bland_altman(own["difference"], np.zeros(len(own)))
        for pair, own in pairs.groupby("pair", sort=False)
    }


def bias_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of each pair the mean difference with its interval, and the limits of agreement, mm²."""
    table = statistics.mean_table(pairs, "difference", by="pair")[
        ["pair", "n", "clusters", "mean", "low", "high"]
    ]
    found = area_limits(pairs)
    size = pairs.groupby("pair", sort=False)["mean"].mean()
    return table.assign(
        lower=[found[p].low for p in table["pair"]],
        upper=[found[p].high for p in table["pair"]],
        area=[size[p] for p in table["pair"]],
    )


def icc(draws: statistics.ClusterWeights, ratings: np.ndarray) -> np.ndarray:
    """ICC(2,1) of ratings ``(n, k)`` without NaN from sums by subject, ``(1 + B,)``."""
    n, k = ratings.shape
    x = ratings - ratings.mean()
    columns = [np.ones(n), *x.T, x.mean(axis=1) ** 2, (x**2).sum(axis=1)]
    count, *summed, of_means, squares = sums.total(draws, np.stack(columns, axis=1)).T
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw of one image, or none
        means = np.stack(summed) / count
        whole = means.mean(axis=0)
        things = k * (of_means - count * whole**2)
        raters = count * ((means - whole) ** 2).sum(axis=0)
        rest = (squares - count * k * whole**2 - things - raters) / ((count - 1) * (k - 1))
        things, raters = things / (count - 1), raters / (k - 1)
        return (things - rest) / (things + (k - 1) * rest + k * (raters - rest) / count)


def icc_table(frame: pd.DataFrame) -> pd.DataFrame:
    """ICC(2,1) of the areas of each structure, over the images that every rater rated."""
    lines = []
    for name, own in frame.groupby("class", sort=False):
        wide = own.pivot(index=IMAGE, columns="rater", values="value").dropna()
        if wide.shape[1] < 2 or len(wide) < 2:
            continue
        subjects = wide.index.get_level_values("subject").to_numpy()
        ratings = wide.to_numpy()
        found = sums.estimate(icc(statistics.cluster_weights(subjects, values=ratings), ratings))
        row = {"class": name, "n": len(wide), "clusters": len(set(subjects)), "icc": found.value}
        row |= {"icc_low": found.low, "icc_high": found.high}
        moved = influence.leave_one_out(lambda draws, r=ratings: icc(draws, r), subjects, ratings)
        lines.append(row | moved.columns())
    columns = ["class", "n", "clusters", "icc", "icc_low", "icc_high"]
    return pd.DataFrame(lines, columns=None if lines else columns)


def rater_styles(areas: pd.DataFrame, raters: Sequence[str]) -> pd.DataFrame:
    """Area that a rater outlines beyond the mean of all raters of the same image, in percent.

    Divided by the mean of the others, a ratio that leans upwards, every rater would outline more.
    """
    wide = areas.pivot(index=["class", *IMAGE], columns="rater", values="value")
    wide = wide.reindex(columns=list(raters))
    order = list(dict.fromkeys(areas["class"]))
    lines = []
    several, mean = wide.notna().sum(axis=1) > 1, wide.mean(axis=1)
    for rater in wide if several.any() else ():
        excess = 100 * (wide[rater] / mean.where(several & (mean > 0)) - 1)
        lines.append(excess.rename("value").reset_index().assign(rater=rater))
    keys = ["rater", "class"]
    if not lines:
        return statistics.mean_table(pd.DataFrame(columns=[*keys, "subject", "value"]), by=keys)
    frame = pd.concat(lines, ignore_index=True)
    frame["class"] = pd.Categorical(frame["class"], order)
    frame = frame.sort_values(["class"], kind="stable").astype({"class": object})
    moved = [
        {"rater": rater, "class": name}
        | influence.mean(own["value"].to_numpy(), own["subject"].to_numpy()).columns()
        for (rater, name), own in frame.groupby(keys, sort=False)
    ]
    return statistics.mean_table(frame, by=keys).merge(pd.DataFrame(moved), on=keys)


# --- fusion ----------------------------------------------------------------------------------


def fusion_table(data) -> pd.DataFrame:
    """Disputed and tied voxels, and those that STAPLE labels otherwise, % of those marked."""
    classes = data.classes.num_classes
    found = []
    for item in np.flatnonzero(data.rated.sum(axis=1) > 1):
        labels = data.labels[item][data.rated[item]]
        marked = (labels > 0).any(axis=0)
        if not marked.any():
            continue
        majority = fusion.majority_vote(labels, classes)
        counts = {
            "disputed": (labels != labels[:1]).any(axis=0).sum(),
            "tie_rate": fusion.tie_rate(labels, classes) * marked.size,
            "staple_differs": (majority != fusion.staple(labels, classes).labels).sum(),
        }
        found += [(item, "all", name, 100 * n / marked.sum()) for name, n in counts.items()]
    return statistics.mean_table(identified(data, found), by="measure")


def blank_table(data) -> pd.DataFrame:
    """GT entropy and Dice with blanks left out as not rated, and counted as rated and empty.

    Images that nobody rated are left out both ways. Empty if all raters rated all others.
    """
    columns = ["measure", "blank"]
    data = data.select(data.rated.any(axis=1))
    if data.rated.all():
        return statistics.mean_table(
            pd.DataFrame(columns=["subject", *columns, "value"]), by=columns
        )
    labels = np.where(data.rated[:, :, None, None], data.labels, 0).astype(data.labels.dtype)
    filled = replace(data, labels=labels, rated=np.ones_like(data.rated))
    parts = [
        rater_frame(version).assign(blank=name)
        for name, version in (("not rated", data), ("rated and empty", filled))
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame["measure"].isin(["gt_entropy", "pairwise_dice"])]
    return statistics.mean_table(frame, by=columns)


# --- STAPLE ----------------------------------------------------------------------------------


def staple_frame(data, **options) -> pd.DataFrame:
    """STAPLE's estimation of each image of two raters or more, with the options of `staple`.

    ``sensitivity`` holds an array ``(raters, classes)``: the probability that a rater gives a class
    where it is the truth; NaN for who did not rate and for a class without a voxel.
    """
    chosen = data.select(np.flatnonzero(data.rated.sum(axis=1) > 1))
    found = []
    if len(chosen):
        found = fusion.staple_many(
            chosen.labels, chosen.classes.num_classes, chosen.rated, **options
        )
    lines = []
    for one, rated in zip(found, chosen.rated, strict=True):
        sensitivity = np.full((len(rated), chosen.classes.num_classes), np.nan)
        sensitivity[rated] = np.diagonal(one.confusion, axis1=1, axis2=2)
        lines.append((one.converged, one.iterations, one.undecided, one.inverted, sensitivity))
    columns = ["converged", "iterations", "undecided", "inverted", "sensitivity"]
    table = chosen.table[[c for c in IDENTITY if c in chosen.table]].reset_index(drop=True)
    return pd.concat([table, pd.DataFrame(lines, columns=columns)], axis=1)


def staple_raters(frame: pd.DataFrame, data) -> pd.DataFrame:
    """Probability of each rater to give a class where STAPLE holds it to be the truth, percent."""
    lines = [
        (subject, rater, name, 100 * value)
        for subject, array in zip(frame["subject"], frame["sensitivity"], strict=True)
        for rater, values in zip(data.raters, array, strict=True)
        for name, value in zip(data.classes.names, values, strict=True)
    ]
    tidy = pd.DataFrame(lines, columns=["subject", "rater", "class", "value"])
    return statistics.mean_table(tidy, by=["rater", "class"])


def extent_frame(data, margins: Sequence[float] = (0, 2, 5, 10, 20)) -> pd.DataFrame:
    """STAPLE with several spatial extents (column ``extent``): the image, the union and margins.

    Agreed background makes every rater look specific and foreground look rare, so the whole image's
    answer depends on how much of it the picture shows. Margins in mm. Measures per structure:
    ``area`` beyond the majority vote's and raters' mean ``sensitivity``; over all ``specificity``,
    ``changed`` (voxels of another class than with the whole image, of those that any rater marked),
    all in percent, and ``converged`` (1 or 0).
    """
    data = data.select(np.flatnonzero(data.rated.sum(axis=1) > 1))
    found, extents = [], []
    if len(data):
        number = data.classes.num_classes
        majority = fusion.majority_vote_many(data.labels, number, data.rated)
        marked = ((data.labels > 0) & data.rated[:, :, None, None]).any(axis=1).sum(axis=(1, 2))
        whole = None
        for extent, options in _extents(margins, data.spacing):
            fused = fusion.staple_many(data.labels, number, data.rated, **options)
            whole = [one.labels for one in fused] if whole is None else whole
            for item, one in enumerate(fused):
                own = _extent_measures(one, majority[item], whole[item], marked[item], data.classes)
                found += [(item, *rest) for rest in own]
                extents += [extent] * (len(found) - len(extents))
    return identified(data, found).assign(extent=extents)


def _extents(margins, spacing):
    """Each extent in words, and as options of `fusion.staple_many`."""
    yield WHOLE, {}
    for margin in sorted(map(float, margins), reverse=True):
        name = f"union + {margin:g} mm" if margin else "union"
        yield name, {"extent": "foreground", "margin": margin, "spacing": spacing}


def _extent_measures(found, majority, whole, marked: int, classes):
    """Class, measure and value of one image's STAPLE."""
    for number, name in enumerate(classes.foreground, start=1):
        area, voted = (found.labels == number).sum(), (majority == number).sum()
        yield name, "area", 100 * (area / voted - 1) if voted else np.nan
        yield name, "sensitivity", 100 * found.confusion[:, number, number].mean()
    changed = (found.labels != whole).sum()
    yield "all", "specificity", 100 * found.confusion[:, 0, 0].mean()
    yield "all", "changed", 100 * changed / marked if marked else np.nan
    yield "all", "converged", found.converged
