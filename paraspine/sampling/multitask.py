"""Both tasks of a multi-task network in one pass, and how long a way of sampling takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from paraspine.arrays import ModelError
from paraspine.sampling.inference import batches, check_count, check_images, running
from paraspine.sampling.moments import BatchSums, SampleMoments, Sums

__all__ = ["MultiTaskPrediction", "predict_multitask", "timed"]


@dataclass(frozen=True)
class MultiTaskPrediction:
    """What one pass of a multi-task network says of ``N`` images.

    Attributes
    ----------
    moments : SampleMoments
        Of the segmentation, as `predict` gives them.
    variance : numpy.ndarray of float32, ``(N, C - 1, H, W)``
        The predicted variance of the raters, per foreground class.
    """

    moments: SampleMoments
    variance: np.ndarray


def predict_multitask(
    model: nn.Module,
    images,
    *,
    batch_size: int = 8,
    device="auto",
    precision: str = "auto",
    progress: bool = False,
) -> MultiTaskPrediction:
    """Predict segmentation and rater variance in one pass, without dropout (roshanzamir2022).

    Parameters
    ----------
    model : torch.nn.Module
        With the tasks "segmentation" and "variance", which its ``outputs`` computes by name; those
        of `paraspine.models` whose name begins with ``multitask`` have both.
    images, batch_size, device, precision, progress
        As in `predict`.

    Returns
    -------
    MultiTaskPrediction

    Raises
    ------
    ModelError
        If the network lacks a task, or as in `predict`.
    ShapeError, ImageError, SettingsError
        As in `predict`.
    """
    check_images(images)
    tasks = getattr(model, "tasks", ("segmentation",))
    if not {"segmentation", "variance"} <= set(tasks):
        raise ModelError(
            f"model: expected a network with the tasks segmentation and variance, got one with "
            f"{', '.join(tasks)}; use sampling.single."
        )
    sums, maps = Sums(len(images)), []
    with running(model, device, precision) as runner:
        for items, batch in batches(images, batch_size, progress, "joint"):
            outputs = runner.network.outputs(runner.images(batch))
            one = BatchSums()
            one.add(runner.probabilities(outputs["segmentation"]))
            sums.add(items, one)
            maps.append(outputs["variance"].float().cpu())
    return MultiTaskPrediction(sums.moments(), torch.cat(maps).contiguous().numpy())


def timed(function: Callable, *arguments, repeats: int = 2, **options) -> tuple[object, float]:
    """Call a function and measure how long it takes.

    Parameters
    ----------
    function : callable
        For example `sample`.
    *arguments, **options
        What it is called with.
    repeats : int
        Calls; the fastest counts, since anything else that the machine does only adds.

    Returns
    -------
    tuple
        What the last call returned, and the seconds of the fastest.
    """
    seconds = []
    for _ in range(check_count("repeats", repeats)):
        began = time.perf_counter()
        result = function(*arguments, **options)
        seconds.append(time.perf_counter() - began)
    return result, min(seconds)
