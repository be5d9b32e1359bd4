"""Loss and Dice on the validation images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from paraspine import losses
from paraspine.arrays import SettingsError
from paraspine.training.data import Maps
from paraspine.training.settings import Settings

__all__ = ["activation_of", "mean_dice", "overlaps", "validate"]

#: Activations of losses that are not softmax unless their options say so.
DEFAULTS = {"adaptive_wing": "normalised_relu"}


def activation_of(model: nn.Module, settings: Settings) -> Callable | None:
    """What makes probabilities of a network's logits; None for softmax.

    Raises
    ------
    SettingsError
        If the loss takes another activation than the network's own.
    """
    own = getattr(model, "activation", "softmax")
    taken = settings.loss_options.get("activation", DEFAULTS.get(settings.loss, "softmax"))
    if isinstance(own, str) and taken not in (own, "none"):
        raise SettingsError(
            f"loss_options: the loss {settings.loss} takes the activation {taken!r} and the "
            f"network has {own!r}; give both the same."
        )
    if callable(own):
        return own
    return None if own == "softmax" else partial(losses.probabilities, activation=own)


def overlaps(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Count what Dice needs, per image and foreground class.

    Parameters
    ----------
    scores : torch.Tensor, ``(B, C, *spatial)``
        Probabilities, or logits of a softmax; the class of the largest counts as predicted.
    target : torch.Tensor
        Class numbers ``(B, *spatial)``, or soft labels ``(B, C, *spatial)`` of which the class of
        the largest counts.

    Returns
    -------
    torch.Tensor of int64, ``(B, C - 1, 2)``
        Voxels in both, and the sum of voxels in each.
    """
    predicted = scores.argmax(1)
    reference = target.argmax(1) if target.is_floating_point() else target
    counts = []
    for number in range(1, scores.shape[1]):
        p, g = (predicted == number).flatten(1), (reference == number).flatten(1)
        counts.append(torch.stack([(p & g).sum(1), p.sum(1) + g.sum(1)], dim=1))
    return torch.stack(counts, dim=1)


def mean_dice(counts) -> float:
    """Mean over classes of the mean over images of ``2 both / sum``.

    An image in which a class is neither there nor predicted is left out of that class's mean, and a
    class without any image out of the mean over classes; NaN if nothing is left.

    Parameters
    ----------
    counts : array-like of int, ``(N, C - 1, 2)``
        From `overlaps`.
    """
    both, total = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    defined = total > 0
    dice = np.where(defined, 2 * both / np.maximum(total, 1), 0)
    images = defined.sum(axis=0)
    per_class = dice.sum(axis=0)[images > 0] / images[images > 0]
    return float(per_class.mean()) if per_class.size else float("nan")


@torch.no_grad()
def validate(
    model: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable,
    batch_size: int,
    network: Callable,
    maps: Maps | None = None,
    activation: Callable | None = None,
) -> dict[str, float]:
    """Mean loss over images and mean Dice, in evaluation mode.

    Parameters
    ----------
    model : torch.nn.Module
        Comes back in the mode that it had.
    images, targets : torch.Tensor
        On the device.
    loss : callable
        Of (outputs, target, variance maps or None).
    batch_size : int
        Losses that sum over the batch are those of these batches, in order.
    network : callable
        Runs the model on a batch of images with the training's precision; its outputs by name.
    maps : Maps, optional
        Variance maps, where the loss compares them.
    activation : callable, optional
        What makes probabilities of logits, where it can change which class is the largest.

    Returns
    -------
    dict of str to float
        ``validation_loss``, ``validation_dice`` and, with maps, ``validation_variance_mse``: mean
        over the images whose map is known, classes and voxels.
    """
    training = model.training
    model.eval()
    sums, counts, errors = [], [], []
    for first in range(0, len(images), batch_size):
        chosen = slice(first, first + batch_size)
        outputs, target = network(images[chosen]), targets[chosen]
        wanted = None if maps is None else maps[chosen]
        sums.append(loss(outputs, target, wanted).double() * len(target))
        scores = outputs["segmentation"]
        counts.append(overlaps(scores if activation is None else activation(scores), target))
        if wanted is not None:
            errors.append((outputs["variance"].double() - wanted).square().flatten(1).mean(1))
    model.train(training)
    found = {
        "validation_loss": float(torch.stack(sums).sum()) / len(images),
        "validation_dice": mean_dice(torch.cat(counts).cpu()),
    }
    if errors:
        found["validation_variance_mse"] = float(torch.cat(errors).nanmean())
    return found
