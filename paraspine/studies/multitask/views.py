"""What the figures of multi-task networks show: steps of variance maps, outlines, maps, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from scipy.special import expit

from paraspine import fusion
from paraspine.arrays import SettingsError
from paraspine.evidence.views import name_of, views
from paraspine.figures import Compared, Steps
from paraspine.slices.choosing import orders, spread
from paraspine.studies.multitask.frames import plain_name

__all__ = ["steps_of", "level_views", "variance_views", "variance_limits"]

#: Rows of `level_views` where a cohort has no levels.
ROWS = 4


#: Panels of `variance_views`.
WANTED, PREDICTED, ERROR = "raters' variance", "predicted variance", "absolute error"


def steps_of(data, wanted) -> tuple[list[Steps], list[str]]:
    """Every structure of the slice whose raters differ most, on its way to the variance map.

    Parameters
    ----------
    data : slices.Slices
        To choose from.
    wanted : (N, C - 1, H, W)
        Variance maps; NaN where fewer than two rated.

    Returns
    -------
    tuple
        A `figures.Steps` for each structure that a rater marked, and the names of those who rated.

    Raises
    ------
    SettingsError
        If no slice was rated by two.
    """
    total = np.asarray(wanted).mean(axis=(1, 2, 3))
    if np.isnan(total).all():
        raise SettingsError(
            f"raters: expected a test slice that two or more rated, got {len(total)} without; "
            "another split_seed may bring some to the test set."
        )
    item = int(np.nanargmax(total))
    rated = data.rated[item]
    found = []
    for number, name in enumerate(data.classes.foreground, start=1):
        masks = data.labels[item, rated] == number
        if not masks.any():
            continue
        distance = np.stack([fusion.signed_distance(mask) for mask in masks])
        found.append(
            Steps(
                title=f"{name_of(data, item)}: {name}",
                image=data.images[item, 0],
                masks=masks,
                distance=distance,
                soft=expit(distance),
                variance=np.asarray(wanted)[item, number - 1],
            )
        )
    return found, [n for n, yes in zip(data.raters, rated, strict=True) if yes]


def level_views(data, together: Mapping, subjects: int = 2):
    """Majority vote and predictions of some subjects, level by level.

    Parameters
    ----------
    data : slices.Slices
        The images.
    together : mapping of str to sampling.MultiTaskPrediction
        Predictions by the network's name.
    subjects : int
        How many, those with most slices first.

    Returns
    -------
    tuple
        `figures.Compared` for each subject, the rows' names (levels; empty where the cohort has
        none) and the columns'.
    """
    table, rated = data.table, data.rated.any(axis=1)
    counts = table["subject"][rated].value_counts(sort=False)
    names = list(counts.sort_values(ascending=False, kind="stable").index[:subjects])
    levels = orders(table).get("level") if "level" in table else None
    found = []
    for name in names:
        own = np.flatnonzero((table["subject"] == name).to_numpy() & rated)
        if levels:
            by_level = {table["level"].iloc[i]: i for i in reversed(own)}
            items = [by_level.get(level) for level in levels]
        else:
            items = [int(own[i]) for i in spread(data.select(own), ROWS)]
            items += [None] * (ROWS - len(items))
        found.append(
            Compared(
                title=str(name),
                images=[None if i is None else data.images[i, 0] for i in items],
                labels=[[] if i is None else _outlined(data, i, together) for i in items],
            )
        )
    used = [r for r in range(len(found[0].images)) if any(f.images[r] is not None for f in found)]
    found = [
        replace(f, images=[f.images[r] for r in used], labels=[f.labels[r] for r in used])
        for f in found
    ]
    rows = [levels[r] if levels else "" for r in used]
    return found, rows, ["majority vote", *(plain_name(name) for name in together)]


def _outlined(data, item: int, together: Mapping) -> list[np.ndarray]:
    labels = data.labels[item, data.rated[item]]
    vote = fusion.majority_vote(labels, data.classes.num_classes)
    return [vote, *(j.moments.mean[item].argmax(axis=0) for j in together.values())]


def variance_views(data, shown: Iterable[int], together: Mapping, wanted) -> list:
    """The raters' variance map of some slices beside each network's, and its error.

    Parameters
    ----------
    data : slices.Slices
        The images.
    shown : iterable of int
        Which of them; those that fewer than two raters rated are left out.
    together : mapping of str to sampling.MultiTaskPrediction
        Predictions by the network's name.
    wanted : (N, C - 1, H, W)
        Variance maps of the raters.

    Returns
    -------
    list of figures.View
        Maps are summed over structures.
    """
    found = []
    known = [i for i in shown if data.rated[i].sum() > 1]
    for name, joint in together.items():
        for item, view in zip(known, views(data, known), strict=True):
            true, said = (np.asarray(m)[item].sum(axis=0) for m in (wanted, joint.variance))
            found.append(
                replace(
                    view,
                    title=f"{view.title} · {plain_name(name)}",
                    prediction=joint.moments.mean[item].argmax(axis=0),
                    maps={WANTED: true, PREDICTED: said, ERROR: np.abs(said - true)},
                )
            )
    return found


def variance_limits(shown: Iterable) -> dict[str, float]:
    """One scale for all maps of `variance_views`: up to the largest value in any of them."""
    shown = list(shown)
    highest = max((float(m.max()) for view in shown for m in view.maps.values()), default=0.0)
    return dict.fromkeys((WANTED, PREDICTED, ERROR), highest if highest > 0 else 0.25)
