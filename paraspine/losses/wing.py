"""The loss and the last activation of SoftSeg (lemay2022)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from paraspine.arrays import SettingsError
from paraspine.losses.overlap import one_hot

__all__ = ["adaptive_wing", "normalised_relu"]


def normalised_relu(scores: torch.Tensor) -> torch.Tensor:
    r"""Last activation of SoftSeg for several classes (lemay2022, 2.1.2).

    Each class's ReLU is divided by its maximum over the image, then by the sum over classes
    including background.

    Parameters
    ----------
    scores : torch.Tensor, ``(B, C, *spatial)``
        Network output.

    Returns
    -------
    torch.Tensor, ``(B, C, *spatial)``, float32
        Probabilities; where no class has a positive score, all have the same probability.
    """
    positive = F.relu(scores.float())
    axes = [*range(2, scores.ndim)]
    scaled = positive / positive.amax(axes, keepdim=True).clamp_min(1e-12)
    total = scaled.sum(1, keepdim=True)
    seen = total > 0
    return torch.where(seen, scaled / total.clamp_min(1e-12), 1 / scores.shape[1])


_ACTIVATIONS: dict[str, Callable] = {
    "none": lambda x: x.float(),
    "softmax": lambda x: x.float().softmax(1),
    "normalised_relu": normalised_relu,
}


def adaptive_wing(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    activation: str = "normalised_relu",
    epsilon: float = 1.0,
    alpha: float = 2.1,
    omega: float = 8.0,
    theta: float = 0.5,
) -> torch.Tensor:
    r"""Adaptive Wing loss (Wang et al. 2019, equations 3 and 4), mean over voxels and classes.

    With ``d = |g - p|``: ``omega ln(1 + (d / epsilon)^(alpha - g))`` where ``d < theta``, else
    ``A d - B``, where ``A = omega (alpha - g) (theta / epsilon)^(alpha - g - 1) / (epsilon (1 +
    (theta / epsilon)^(alpha - g)))`` and ``B = theta A - omega ln(1 + (theta / epsilon)^(alpha -
    g))`` make value and slope continuous.

    Parameters
    ----------
    logits, target
        As `dice`.
    activation : "normalised_relu", "softmax" or "none"
        What turns the network's output into ``p``.
    epsilon, alpha, omega, theta : float
        Defaults of lemay2022, which prints theta as omega a second time.

    Returns
    -------
    torch.Tensor, scalar, float32
    """
    if activation not in _ACTIVATIONS:
        known = ", ".join(_ACTIVATIONS)
        raise SettingsError(f"activation: expected one of {known}, got {activation!r}.")
    if not (epsilon > 0 and omega > 0 and theta > 0 and alpha > 1):
        raise SettingsError(
            "adaptive_wing: expected epsilon, omega and theta above 0 and alpha above 1, got "
            f"{epsilon}, {omega}, {theta} and {alpha}."
        )
    g = one_hot(logits, target)
    d = (g - _ACTIVATIONS[activation](logits)).abs()
    power = alpha - g
    edge = (theta / epsilon) ** power
    slope = omega * power * edge / (theta * (1 + edge))
    offset = theta * slope - omega * torch.log1p(edge)
    # Bounded, since the gradient of the branch that is not taken must be finite too.
    near = omega * torch.log1p((d.clamp(1e-12, theta) / epsilon) ** power)
    return torch.where(d < theta, near, slope * d - offset).mean()
