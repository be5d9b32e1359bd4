"""Activations that make probabilities: softmax, and SoftSeg's normalised ReLU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from paraspine.arrays import SettingsError

__all__ = ["ACTIVATIONS", "normalised_relu", "probabilities"]

#: Below this a class's maximum counts as 0: no division blows up where a class is dead.
SMALLEST = 1e-6
#: Slope of the gradient, and of the gradient alone, where a score is negative.
SLOPE = 0.1


def normalised_relu(scores: torch.Tensor, *, by_class: bool = False) -> torch.Tensor:
    r"""Last activation of SoftSeg (lemay2022, 2.1.2; Gros et al. 2021), always in float32.

    ReLU divided by its maximum, then by its sum over classes including background. As in the
    reference implementation there is one maximum for all classes, which so cancels: the probability
    of a class is its share of the positive scores of a voxel.

    Parameters
    ----------
    scores : torch.Tensor, ``(B, C, *spatial)``
        Network output.
    by_class : bool
        Divide each class by its own maximum over the image, the other reading of the paper's
        sentence: a class that is faint everywhere still reaches a probability of about a half.
        One class beside background is then its share of its maximum, and background has the
        rest, so some voxel of every image with a positive score has probability 1.

    Returns
    -------
    torch.Tensor, ``(B, C, *spatial)``, float32
        Probabilities. Where no class has a positive score, all have the same probability; with
        `by_class` and one class, background has probability 1.

    Notes
    -----
    The reference implementation's networks of one class have no channel for background and divide
    by the maximum over the batch, so that a prediction depends on which other images it is made
    with. Here background is a class like any other.

    The gradient is that of the formula but for two things, without which a class that is rare may
    never be learned. A maximum counts as a constant: else the loss falls fastest by making a
    single voxel huge and so all others small. And a negative score passes a tenth of the gradient,
    as through a leaky ReLU: else a class whose scores have all become negative cannot come back.
    """
    one = by_class and scores.shape[1] == 2
    scores = scores[:, 1:].float() if one else scores.float()
    below = scores.clamp_max(0)
    positive = F.relu(scores) + SLOPE * (below - below.detach())
    axes = [*range(2 if by_class else 1, scores.ndim)]
    scaled = positive / positive.detach().amax(axes, keepdim=True).clamp_min(SMALLEST)
    if one:
        return torch.cat([1 - scaled, scaled], dim=1)
    total = scaled.sum(1, keepdim=True)
    return torch.where(total > 0, scaled / total.clamp_min(1e-12), 1 / scores.shape[1])


#: Name to function of scores ``(B, C, *spatial)``. Softmax over background and one class is the
#: sigmoid of the difference of their scores.
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda scores: scores.float(),
    # Each class's scores together: channels last takes twice the time.
    "softmax": lambda scores: torch.softmax(scores.contiguous(), dim=1, dtype=torch.float32),
    "normalised_relu": normalised_relu,
    "normalised_relu_by_class": partial(normalised_relu, by_class=True),
}


def probabilities(scores: torch.Tensor, activation: str = "softmax") -> torch.Tensor:
    """Probabilities ``(B, C, *spatial)`` of a network's output, in float32.

    Parameters
    ----------
    scores : torch.Tensor, ``(B, C, *spatial)``
        Network output, in any precision.
    activation : "softmax", "normalised_relu", "normalised_relu_by_class" or "none"
        See `normalised_relu`; ``"none"`` takes the scores as they are.

    Raises
    ------
    SettingsError
        If there is no such activation.
    """
    if activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise SettingsError(f"activation: expected one of {known}, got {activation!r}.")
    return ACTIVATIONS[activation](scores)
