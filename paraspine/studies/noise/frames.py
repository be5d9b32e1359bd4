"""Uncertainty and disagreement over a grid of image noise, bias field and coupling.

A cell of the grid is the same slices of the phantom with three knobs set by hand: the image noise,
the strength of the bias field, and how much a rater's displacement grows with the local noise. The
network stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from paraspine.arrays import SettingsError
from paraspine.frames import IDENTITY, prediction_frame

#: The knobs, as columns of every frame.
KNOBS = ("noise", "bias_field", "noise_coupling")


#: Kinds of uncertainty: name, way of sampling, measure.
KINDS = {
    "aleatoric": ("tta", "entropy"),
    "epistemic": ("dropout", "entropy"),
    "epistemic, mutual information": ("dropout", "mutual_information"),
}


def noise_frame(
    draw: Callable,
    sample: Callable,
    noise: Sequence[float],
    bias_field: Sequence[float],
    noise_coupling: Sequence[float],
) -> pd.DataFrame:
    """`frames.prediction_frame` of every cell and way of sampling, with `KNOBS` and ``method``.

    ``draw(noise=..., bias_field=..., noise_coupling=...)`` gives the same slices for all knobs,
    ``sample(method, images=...)`` their `sampling.SampleMoments`. The coupling acts on labels alone
    and the bias field on images alone, so each is drawn once for all the cells that share it.
    """
    for name, values in zip(KNOBS, (noise, bias_field, noise_coupling), strict=True):
        if not len(values) or len(set(values)) < len(values):
            raise SettingsError(f"{name}: expected one or more different values, got {values}.")
    parts = []
    for level in noise:
        images, labels = _drawn(draw, level, list(bias_field), list(noise_coupling))
        for strength, pictures in images.items():
            found = {m: sample(m, images=pictures.images) for m in ("dropout", "tta")}
            for coupling, rated in labels.items():
                data = replace(pictures, labels=rated.labels, rated=rated.rated)
                knobs = dict(zip(KNOBS, (level, strength, coupling), strict=True))
                parts += [
                    prediction_frame(data, moments).assign(method=method, **knobs)
                    for method, moments in found.items()
                ]
    return pd.concat(parts, ignore_index=True)


def _drawn(draw: Callable, noise: float, biases: list, couplings: list) -> tuple[dict, dict]:
    """Slices by bias field (for their images) and by coupling (for their labels)."""
    images, labels = {}, {}
    for place in range(max(len(biases), len(couplings))):
        bias, coupling = (
            biases[min(place, len(biases) - 1)],
            couplings[min(place, len(couplings) - 1)],
        )
        found = draw(noise=noise, bias_field=bias, noise_coupling=coupling)
        images.setdefault(bias, found)
        labels.setdefault(coupling, found)
    return images, labels


def noise_images(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per slice and cell: ``gt_entropy`` and a column for each of `KINDS`, nats.

    Disagreement is NaN with fewer than two raters.
    """
    chosen = frame[frame["class"] == "all"]
    keys = [c for c in (*IDENTITY, *KNOBS) if c in chosen]
    table = chosen.set_index([*keys, "method", "measure"])["value"].unstack(["method", "measure"])
    found = {name: table[column] for name, column in KINDS.items()}
    return pd.DataFrame({"gt_entropy": table["tta", "gt_entropy"], **found}).reset_index()
