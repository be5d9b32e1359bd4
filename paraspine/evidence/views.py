"""Views of slices: image, raters, prediction and uncertainty maps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from paraspine import fusion
from paraspine.evidence.words import SCORE_NAMES
from paraspine.figures import View
from paraspine.frames import samples_of, uncertainties

__all__ = ["views", "name_of", "map_limits"]


def views(data, shown: Iterable[int], moments=None) -> list[View]:
    """Views of some slices, with predictions and uncertainty maps where there are samples.

    Parameters
    ----------
    data : slices.Slices
        The images and raters.
    shown : iterable of int
        Which of them.
    moments : sampling.SampleMoments, optional
        Samples of the same images.

    Returns
    -------
    list of figures.View
        With the GT entropy (left out with fewer than two raters) and the uncertainty maps.
    """
    found = []
    for item in shown:
        rated = data.rated[item]
        panels, prediction = {}, None
        if moments is not None:
            panels = _gt_entropy(data, item)
            mean = moments.mean[item]
            prediction = np.nan_to_num(mean).argmax(axis=0)
            scores = uncertainties(mean, moments.expected_entropy[item], samples_of(moments))
            panels |= {SCORE_NAMES[k]: v for k, v in scores.items() if not np.isnan(v).all()}
        found.append(
            View(
                image=data.images[item, 0],
                title=name_of(data, item),
                labels=data.labels[item] if rated.any() else None,
                rated=rated if rated.any() else None,
                prediction=prediction,
                maps=panels,
            )
        )
    return found


def _gt_entropy(data, item: int) -> dict[str, np.ndarray]:
    labels = data.labels[item][data.rated[item]]
    if len(labels) < 2:
        return {}
    return {"GT entropy": fusion.ground_truth_entropy(labels, data.classes.num_classes)}


def name_of(data, item: int) -> str:
    """Subject and level of a slice, or its place in the volume."""
    row = data.table.iloc[item]
    where = row["level"] if "level" in row and isinstance(row["level"], str) else ""
    several = (data.table["image"] == row["image"]).sum() > 1
    parts = [str(row["subject"]), where, f"slice {row['slice']}" if several else ""]
    return ", ".join(p for p in parts if p)


def map_limits(views: Iterable[View]) -> dict[str, float]:
    """Upper ends of the scales of maps that are too small for the scale of entropies (nats).

    Mutual information gets the largest value in any view; 0 everywhere leaves the common scale.
    """
    name = SCORE_NAMES["mutual_information"]
    highest = [float(np.nanmax(v.maps[name])) for v in views if name in v.maps]
    return {name: max(highest)} if highest and max(highest) > 0 else {}
