"""Slices, predictions and uncertainties as the views that figures draw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from paraspine import fusion, text
from paraspine.figures import View
from paraspine.measures.frames import samples_of, uncertainties

__all__ = ["compared_views", "map_limits", "name_of", "predicted_by", "stored_maps", "views"]

NAMES = {
    "entropy": "predictive entropy",
    "expected_entropy": "expected entropy",
    "mutual_information": "mutual information",
}
#: Panels of `compared_views`.
METHODS = {
    "single": "one pass",
    "dropout": "dropout (epistemic)",
    "ensemble": "ensemble (epistemic)",
    "tta": "augmentation (aleatoric)",
}


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
            panels |= {NAMES[k]: v for k, v in scores.items() if not np.isnan(v).all()}
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


def stored_maps(data, shown: Iterable[int], moments) -> dict[str, np.ndarray]:
    """Predictions and uncertainties of some slices as arrays for an ``.npz`` file.

    Parameters
    ----------
    data : slices.Slices
        The images.
    shown : iterable of int
        Which of them to keep.
    moments : sampling.SampleMoments
        Samples of the same images.

    Returns
    -------
    dict of str to numpy.ndarray
        ``keys`` (N,) of the slices, ``prediction`` (N, H, W) and ``entropy``,
        ``expected_entropy``, ``mutual_information`` (N, H, W) in nats, float16.
    """
    shown = list(shown)
    kept = {name: [] for name in NAMES}
    for item in shown:
        scores = uncertainties(
            moments.mean[item], moments.expected_entropy[item], samples_of(moments)
        )
        for name, values in scores.items():
            kept[name].append(values.astype(np.float16))
    size = moments.mean.shape[2:]
    prediction = np.nan_to_num(moments.mean[shown]).argmax(axis=1).astype(np.uint8)
    maps = {n: np.reshape(v, (-1, *size)).astype(np.float16) for n, v in kept.items()}
    return {"keys": data.keys[shown], "prediction": prediction, **maps}


def compared_views(data, sampled: Iterable) -> list[View]:
    """The same slices through several networks: epistemic beside aleatoric uncertainty.

    Parameters
    ----------
    data : slices.Slices
        The images that were sampled.
    sampled : iterable of runs.Run
        Runs of ``04_sample``, with their ``maps.npz``.

    Returns
    -------
    list of figures.View
        One per slice and network (architecture, training target, seed): its prediction (see
        `predicted_by`), the GT entropy (with two raters or more), and the predictive entropy of
        every way of sampling that was run, one pass and test-time augmentation (aleatoric), dropout
        and ensemble (epistemic).
    """
    networks = {
        key: {method: run.read_arrays("maps.npz") for method, run in methods.items()}
        for key, methods in _networks(sampled).items()
    }
    place = {key: item for item, key in enumerate(data.keys)}
    several_seeds = len({seed for _, _, seed in networks}) > 1
    found = []
    for (model, fused, seed), methods in networks.items():
        first = methods[_first(methods)]
        name = f"{model}, {fused}" + (f", seed {seed}" if several_seeds else "")
        for number, key in enumerate(first["keys"]):
            (view,) = views(data, [place[key]])
            panels = _gt_entropy(data, place[key])
            for method, arrays in methods.items():
                title = METHODS.get(method, method)
                panels[title] = arrays["entropy"][number].astype(np.float32)
            found.append(
                replace(
                    view,
                    title=f"{view.title} · {name}",
                    prediction=first["prediction"][number],
                    maps=panels,
                )
            )
    return found


def predicted_by(sampled: Iterable) -> str:
    """Which way of sampling the predictions in `compared_views` come from, in words.

    Parameters
    ----------
    sampled : iterable of runs.Run
        Runs of ``04_sample``.
    """
    first = [METHODS.get(m, m) for m in map(_first, _networks(sampled).values())]
    return f"prediction: {text.listing(dict.fromkeys(first), 'or')}"


def _networks(sampled: Iterable) -> dict[tuple, dict]:
    """Runs by network (architecture, training target, seed) and way of sampling."""
    networks: dict[tuple, dict] = {}
    for run in sampled:
        chosen = run.parameters
        key = (chosen["model"], chosen["fusion"], chosen["seed"])
        networks.setdefault(key, {})[chosen["method"]] = run
    return networks


def _first(methods: Iterable[str]) -> str:
    """The way of sampling whose prediction is shown: one pass where it was run."""
    methods = list(methods)
    return "single" if "single" in methods else methods[0]


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
    name = NAMES["mutual_information"]
    highest = [float(np.nanmax(v.maps[name])) for v in views if name in v.maps]
    return {name: max(highest)} if highest and max(highest) > 0 else {}
