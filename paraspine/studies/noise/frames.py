"""Uncertainty and disagreement over a grid of image noise, bias field and coupling.

A cell of the grid is the same slices of the phantom with three knobs set by hand: the image noise,
the strength of the bias field, and how much a rater's displacement grows with the local noise. The
network stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from paraspine import statistics
from paraspine.arrays import SettingsError
from paraspine.frames import IDENTITY, prediction_frame

__all__ = [
    "noise_frame",
    "noise_images",
    "noise_levels_table",
    "noise_correlations",
    "noise_partition",
    "noise_curves",
    "with_mixed",
    "shown_knob",
]

#: The knobs, as columns of every frame.
KNOBS = ("noise", "bias_field", "noise_coupling")


#: Value of ``noise`` in tables for a cohort in which every slice occurs at every noise level.
MIXED = "mixed"


#: Kinds of uncertainty: name, way of sampling, measure.
KINDS = {
    "aleatoric": ("tta", "entropy"),
    "epistemic": ("dropout", "entropy"),
    "epistemic, mutual information": ("dropout", "mutual_information"),
}


PARTS = {
    "unique_aleatoric": "aleatoric alone adds",
    "unique_epistemic": "epistemic alone adds",
    "shared": "shared by both",
    "joint": "both together",
}


def noise_frame(
    draw: Callable,
    sample: Callable,
    noise: Sequence[float],
    bias_field: Sequence[float],
    noise_coupling: Sequence[float],
) -> pd.DataFrame:
    """Predict the slices of every cell of the grid, and measure the raters' disagreement there.

    The coupling acts on labels alone and the bias field on images alone, so each image and each
    label map is drawn once for all the cells that share it.

    Parameters
    ----------
    draw : callable
        ``draw(noise=..., bias_field=..., noise_coupling=...)`` returns `slices.Slices`; the same
        slices for all knobs.
    sample : callable
        ``sample(method, images=...)`` returns `sampling.SampleMoments`, for ``"dropout"`` and
        ``"tta"``.
    noise, bias_field, noise_coupling : sequences of float
        Values of the knobs; their combinations are the cells.

    Returns
    -------
    pandas.DataFrame
        `frames.prediction_frame` of each cell and way of sampling, with the columns of `KNOBS`
        and ``method``.

    Raises
    ------
    SettingsError
        If a knob has no values or one twice.
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
    """One row per slice and cell: ``gt_entropy`` and a column for each kind of uncertainty.

    Parameters
    ----------
    frame : pandas.DataFrame
        `noise_frame`.

    Returns
    -------
    pandas.DataFrame
        Identifying columns, `KNOBS`, ``gt_entropy`` (nats, NaN with fewer than two raters) and the
        kinds of uncertainty: ``aleatoric`` is the predictive entropy under test-time augmentation,
        ``epistemic`` that under dropout, as published, beside its mutual information.
    """
    chosen = frame[frame["class"] == "all"]
    keys = [c for c in (*IDENTITY, *KNOBS) if c in chosen]
    table = chosen.set_index([*keys, "method", "measure"])["value"].unstack(["method", "measure"])
    found = {name: table[column] for name, column in KINDS.items()}
    return pd.DataFrame({"gt_entropy": table["tta", "gt_entropy"], **found}).reset_index()


def noise_levels_table(images: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Mean disagreement and uncertainty in every cell, 10⁻³ nats.

    Parameters
    ----------
    images : pandas.DataFrame
        `noise_images`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        `KNOBS`, ``what`` and the columns of `statistics.mean_table`.
    """
    names = {"gt_entropy": "disagreement (GT entropy)"} | {kind: kind for kind in KINDS}
    tidy = images.melt(["subject", *KNOBS], list(names), "what")
    tidy = tidy.assign(what=tidy["what"].map(names), value=1e3 * tidy["value"])
    table = statistics.mean_table(tidy, by=[*KNOBS, "what"], resamples=resamples)
    order = {name: place for place, name in enumerate(names.values())}
    return table.sort_values(
        [*KNOBS, "what"],
        key=lambda c: c.map(order) if c.name == "what" else c,
        ignore_index=True,
    )


def noise_correlations(images: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Pearson's r of GT entropy with each kind of uncertainty, in every cell and mixed.

    Parameters
    ----------
    images : pandas.DataFrame
        `noise_images`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        `KNOBS` (``noise`` as text; ``"mixed"``: every slice at every noise level, as in a cohort
        whose images differ in noise), ``kind``, ``n``, ``clusters``, ``r``, ``low``, ``high``,
        ``p``.
    """
    parts = [
        statistics.correlation_table(
            with_mixed(images), "gt_entropy", kind, by=list(KNOBS), resamples=resamples
        ).assign(kind=kind)
        for kind in KINDS
    ]
    columns = [*KNOBS, "kind", "n", "clusters", "r", "low", "high", "p"]
    return pd.concat(parts, ignore_index=True)[columns]


def noise_partition(images: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Percent of the variance of GT entropy that both kinds of uncertainty explain.

    Parameters
    ----------
    images : pandas.DataFrame
        `noise_images`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        `KNOBS` (as in `noise_correlations`), ``part`` (of `statistics.VariancePartition`),
        ``mean``, ``low``, ``high``.
    """
    parts = []
    for key, cell in with_mixed(images).groupby(list(KNOBS), sort=False):
        table = statistics.variance_partition_table(
            cell["gt_entropy"],
            cell["epistemic"],
            cell["aleatoric"],
            cell["subject"].to_numpy(),
            resamples,
        )
        table[["value", "low", "high"]] *= 100
        parts.append(table.assign(**dict(zip(KNOBS, key, strict=True))))
    table = pd.concat(parts, ignore_index=True).rename(columns={"value": "mean"})
    return table[[*KNOBS, "part", "mean", "low", "high"]]


def noise_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Correlations or variance shares for `figures.small_multiples`.

    Parameters
    ----------
    table : pandas.DataFrame
        `noise_correlations` or `noise_partition`.

    Returns
    -------
    pandas.DataFrame
        ``noise``, ``coupling``, ``panel`` (in words), ``value``, ``low``, ``high``.
    """
    if "kind" in table:
        words, value = table["kind"], "r"
    else:
        table = table[table["part"].isin(list(PARTS))]
        words, value = table["part"].map(PARTS), "mean"
    panel = words + ", bias field " + table["bias_field"].map(shown_knob)
    shown = table.assign(
        coupling="coupling " + table["noise_coupling"].map(shown_knob),
        panel=panel,
        value=table[value],
    )
    order = list(dict.fromkeys(words))
    place = words.map(order.index)
    shown = shown.iloc[np.argsort(place.to_numpy(), kind="stable")]
    return shown[["noise", "coupling", "panel", "value", "low", "high"]]


def with_mixed(images: pd.DataFrame) -> pd.DataFrame:
    """The cells, and where there are several noise levels all of them as one more."""
    own = images.assign(noise=images["noise"].map(shown_knob))
    if images["noise"].nunique() < 2:
        return own
    return pd.concat([own, images.assign(noise=MIXED)], ignore_index=True)


def shown_knob(value) -> str:
    """A knob's value as text."""
    return value if isinstance(value, str) else f"{value:g}"
