"""The loss of SoftSeg (lemay2022)."""

from __future__ import annotations

import torch

from paraspine.arrays import SettingsError
from paraspine.losses.activation import probabilities
from paraspine.losses.overlap import one_hot

__all__ = ["adaptive_wing"]


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
    if not (epsilon > 0 and omega > 0 and theta > 0 and alpha > 1):
        raise SettingsError(
            "adaptive_wing: expected epsilon, omega and theta above 0 and alpha above 1, got "
            f"{epsilon}, {omega}, {theta} and {alpha}."
        )
    g = one_hot(logits, target)
    d = (g - probabilities(logits, activation)).abs()
    power = alpha - g
    edge = (theta / epsilon) ** power
    slope = omega * power * edge / (theta * (1 + edge))
    offset = theta * slope - omega * torch.log1p(edge)
    # Bounded, since the gradient of the branch that is not taken must be finite too.
    near = omega * torch.log1p((d.clamp(1e-12, theta) / epsilon) ** power)
    return torch.where(d < theta, near, slope * d - offset).mean()
