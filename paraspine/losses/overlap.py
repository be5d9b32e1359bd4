"""Dice, cross-entropy, focal loss, and their sums."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from paraspine.arrays import SettingsError, ShapeError
from paraspine.losses.activation import probabilities
from paraspine.losses.class_numbers import dice_ce_of_numbers, serves

__all__ = ["cross_entropy", "dice", "dice_ce", "dice_focal", "one_hot"]


def one_hot(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the target as float32 ``(B, C, *spatial)``."""
    if logits.ndim < 3:
        raise ShapeError(
            f"logits: expected (batch, classes, *spatial), got shape {tuple(logits.shape)}."
        )
    classes, voxels = logits.shape[1], (logits.shape[0], *logits.shape[2:])
    if target.shape == logits.shape and target.is_floating_point():
        return target.float()
    if target.shape != voxels or target.is_floating_point():
        raise ShapeError(
            f"target: expected class numbers {voxels} or soft labels {tuple(logits.shape)} to "
            f"match the logits, got {target.dtype} {tuple(target.shape)}."
        )
    numbers = torch.arange(classes, device=target.device)
    numbers = numbers.view(1, classes, *(1 for _ in logits.shape[2:]))
    return (target.unsqueeze(1) == numbers).float()


def _dice(p, g, *, batch: bool, include_background: bool, soft_overlap: str, smooth: float):
    if soft_overlap not in ("product", "minimum"):
        raise SettingsError(f'soft_overlap: expected "product" or "minimum", got {soft_overlap!r}.')
    first = 0 if include_background or p.shape[1] == 1 else 1
    p, g = p[:, first:], g[:, first:]
    axes = [*range(2, p.ndim)] if not batch else [0, *range(2, p.ndim)]
    overlap = (p * g if soft_overlap == "product" else torch.minimum(p, g)).sum(axes)
    return (1 - (2 * overlap + smooth) / (p.sum(axes) + g.sum(axes) + smooth)).mean()


def _weights(class_weights: Sequence[float] | None, like: torch.Tensor) -> torch.Tensor | None:
    if class_weights is None:
        return None
    weights = torch.as_tensor(class_weights, dtype=torch.float32, device=like.device)
    if weights.shape != like.shape[1:2] or not bool((weights >= 0).all() & (weights > 0).any()):
        raise SettingsError(
            f"class_weights: expected {like.shape[1]} numbers of at least 0, one per class with "
            f"background, got {class_weights!r}."
        )
    return weights.view(1, -1, *(1 for _ in like.shape[2:]))


def _averaged(values: torch.Tensor, g: torch.Tensor, weights: torch.Tensor | None):
    """Mean over voxels of the classes' sum; with weights, divided by the weight of the targets."""
    if weights is None:
        return values.sum() / (values.numel() / values.shape[1])
    return (weights * values).sum() / (weights * g).sum().clamp_min(1e-12)


def dice(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    activation: str = "softmax",
    batch: bool = True,
    include_background: bool = True,
    soft_overlap: str = "product",
    smooth: float = 1e-5,
) -> torch.Tensor:
    r"""Dice loss: the mean over classes of ``1 - (2 sum(p g) + s) / (sum(p) + sum(g) + s)``.

    Parameters
    ----------
    logits : torch.Tensor, ``(B, C, *spatial)``
        Scores before the activation.
    target : torch.Tensor
        Class numbers ``(B, *spatial)``, integers, or soft labels ``(B, C, *spatial)``, floats.
    activation : "softmax", "normalised_relu" or "none"
        What turns the network's output into ``p``.
    batch : bool
        Sum over all images of the batch, so that a class missing from one image costs nothing;
        otherwise each image has a Dice of its own and the mean is taken.
    include_background : bool
        Whether class 0 is one of the classes that are averaged.
    soft_overlap : "product" or "minimum"
        ``p g``, as in the papers, or ``min(p, g)``, which for soft targets is smallest at
        ``p = g`` (the product is smallest at 0 or 1); both agree for hard targets.
    smooth : float
        ``s``; keeps the loss of a class that is neither there nor predicted at 0.

    Returns
    -------
    torch.Tensor, scalar, float32

    Raises
    ------
    ShapeError
        If the target does not fit the logits.

    Notes
    -----
    Milletari et al. 2016 without squares; as ``DiceLoss(softmax=True)`` of MONAI. The minimum is
    the soft-label form of Wang et al. 2023, "Dice Semimetric Losses".
    """
    g = one_hot(logits, target)
    return _dice(
        probabilities(logits, activation),
        g,
        batch=batch,
        include_background=include_background,
        soft_overlap=soft_overlap,
        smooth=smooth,
    )


def cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, *, class_weights: Sequence[float] | None = None
) -> torch.Tensor:
    r"""Cross-entropy: the mean over voxels of ``-sum_c g_c log p_c``.

    With weights: ``-sum(w_c g_c log p_c) / sum(w_c g_c)`` over voxels and classes, for soft targets
    too (`torch.nn.functional.cross_entropy` divides by the number of voxels there).

    Parameters
    ----------
    logits, target
        As `dice`.
    class_weights : sequence of float, ``(C,)``, optional
        ``w_c``, background first.

    Returns
    -------
    torch.Tensor, scalar, float32
    """
    g = one_hot(logits, target)
    weights = _weights(class_weights, logits)
    return _averaged(-g * logits.float().log_softmax(1), g, weights)


def dice_ce(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    dice_weight: float = 1.0,
    ce_weight: float = 1.0,
    batch: bool = True,
    include_background: bool = True,
    class_weights: Sequence[float] | None = None,
    soft_overlap: str = "product",
    smooth: float = 1e-5,
) -> torch.Tensor:
    r"""Weighted sum of Dice and cross-entropy: ``a Dice + b CE``; see `dice` and `cross_entropy`.

    Parameters
    ----------
    logits, target, batch, include_background, soft_overlap, smooth
        As `dice`; background always counts in the cross-entropy.
    dice_weight, ce_weight : float
        ``a`` and ``b``: 1 and 1 as MONAI's ``DiceCELoss`` (wesselink2022), 0.4 and 0.6 in
        roshanzamir2022, equation 8.
    class_weights : sequence of float, ``(C,)``, optional
        Of the cross-entropy.

    Returns
    -------
    torch.Tensor, scalar, float32
        On the CPU, for class numbers and the product, it has a first derivative and no second.
    """
    if soft_overlap == "product" and serves(logits, target):
        weights = _weights(class_weights, logits)
        return dice_ce_of_numbers(
            logits,
            target,
            None if weights is None else weights.flatten(),
            dice_weight=dice_weight,
            ce_weight=ce_weight,
            batch=batch,
            include_background=include_background,
            smooth=smooth,
        )
    g = one_hot(logits, target)
    log_p = logits.float().log_softmax(1)
    overlap = _dice(
        log_p.exp(),
        g,
        batch=batch,
        include_background=include_background,
        soft_overlap=soft_overlap,
        smooth=smooth,
    )
    entropy = _averaged(-g * log_p, g, _weights(class_weights, logits))
    return dice_weight * overlap + ce_weight * entropy


def dice_focal(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    dice_weight: float = 1.0,
    focal_weight: float = 1.0,
    gamma: float = 2.0,
    batch: bool = True,
    include_background: bool = True,
    class_weights: Sequence[float] | None = None,
    soft_overlap: str = "product",
    smooth: float = 1e-5,
) -> torch.Tensor:
    r"""Weighted sum of Dice and focal loss (baur2021): ``a Dice + b focal``.

    The focal loss is the mean over voxels of ``-sum_c w_c g_c (1 - p_c)^gamma log p_c``
    (Lin et al. 2017, equation 4); for ``gamma = 0`` it is the cross-entropy.

    Parameters
    ----------
    logits, target, batch, include_background, soft_overlap, smooth
        As `dice`; background always counts in the focal part.
    dice_weight, focal_weight : float
        ``a`` and ``b``.
    gamma : float
        How strongly voxels that are right already are left aside.
    class_weights : sequence of float, ``(C,)``, optional
        ``w_c`` of the focal part: the ``alpha`` of the paper; not normalised.

    Returns
    -------
    torch.Tensor, scalar, float32

    Notes
    -----
    MONAI's ``FocalLoss(use_softmax=True)`` averages over classes too: ``C`` times smaller; its
    ``DiceFocalLoss(softmax=True)`` takes one sigmoid per class in the focal part.
    """
    if not gamma >= 0:
        raise SettingsError(f"gamma: expected a number of at least 0, got {gamma!r}.")
    g = one_hot(logits, target)
    log_p = logits.float().log_softmax(1)
    p = log_p.exp()
    overlap = _dice(
        p,
        g,
        batch=batch,
        include_background=include_background,
        soft_overlap=soft_overlap,
        smooth=smooth,
    )
    # 1 - p as a sum of the others would cost C^2; expm1 keeps its digits where p is near 1, and the
    # bound keeps the gradient of a power below 1 finite where p reaches 1.
    rest = (-torch.expm1(log_p)).clamp_min(1e-12)
    values = -g * log_p if gamma == 0 else -g * log_p * rest**gamma
    weights = _weights(class_weights, logits)
    values = values if weights is None else weights * values
    return dice_weight * overlap + focal_weight * _averaged(values, g, None)
