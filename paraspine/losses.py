r"""Training losses for hard and for soft targets, all computed in float32.

Notation: ``p`` are probabilities (softmax of the logits over classes), ``g`` the target: one-hot of
a label map, or a soft label. ``w_c`` are class weights, 1 unless given.

Every loss is a dense sum over classes, without scatter operations, so that on a GPU it gives the
same bits each time.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from paraspine.arrays import SettingsError, ShapeError

__all__ = [
    "adaptive_wing",
    "build",
    "cross_entropy",
    "dice",
    "dice_ce",
    "dice_focal",
    "multitask",
    "normalised_relu",
]


def _one_hot(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
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
    batch: bool = True,
    include_background: bool = True,
    soft_overlap: str = "product",
    smooth: float = 1e-5,
) -> torch.Tensor:
    r"""Dice loss: the mean over classes of ``1 - (2 sum(p g) + s) / (sum(p) + sum(g) + s)``.

    Parameters
    ----------
    logits : torch.Tensor, ``(B, C, *spatial)``
        Scores before softmax.
    target : torch.Tensor
        Class numbers ``(B, *spatial)``, integers, or soft labels ``(B, C, *spatial)``, floats.
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
    g = _one_hot(logits, target)
    return _dice(
        logits.float().softmax(1),
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
    g = _one_hot(logits, target)
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
    """
    g = _one_hot(logits, target)
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
    g = _one_hot(logits, target)
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
    g = _one_hot(logits, target)
    d = (g - _ACTIVATIONS[activation](logits)).abs()
    power = alpha - g
    edge = (theta / epsilon) ** power
    slope = omega * power * edge / (theta * (1 + edge))
    offset = theta * slope - omega * torch.log1p(edge)
    # Bounded, since the gradient of the branch that is not taken must be finite too.
    near = omega * torch.log1p((d.clamp(1e-12, theta) / epsilon) ** power)
    return torch.where(d < theta, near, slope * d - offset).mean()


def multitask(
    outputs: tuple[torch.Tensor, torch.Tensor],
    targets: tuple[torch.Tensor, torch.Tensor],
    *,
    segmentation_weight: float = 0.4,
    variance_weight: float = 0.6,
    dice_weight: float = 0.4,
    ce_weight: float = 0.6,
    variance_scale: float = 70.0,
    variance_loss: str = "mse",
    **segmentation,
) -> torch.Tensor:
    r"""Segmentation and rater-variance loss together (roshanzamir2022, equations 7 and 8).

    ``0.4 (0.4 Dice + 0.6 CE) + 0.6 mean((v - 70 V)^2)``, where ``V`` is the variance map and ``v``
    the network's, which therefore is 70 times a variance.

    Parameters
    ----------
    outputs : (logits ``(B, C, *spatial)``, variances ``(B, C - 1, *spatial)``)
        The network's two heads.
    targets : (labels, variances ``(B, C - 1, *spatial)``)
        Labels as in `dice`; variances as `paraspine.fusion.variance_map` gives them, unscaled.
    segmentation_weight, variance_weight, dice_weight, ce_weight, variance_scale : float
        The numbers of the formula, in this order.
    variance_loss : "mse" or "l1"
        ``"l1"`` takes ``|v - 70 V|``; the authors' later code has an L1 loss.
    **segmentation
        More for `dice_ce`.

    Returns
    -------
    torch.Tensor, scalar, float32
    """
    (logits, predicted), (labels, variances) = outputs, targets
    if predicted.shape != variances.shape:
        raise ShapeError(
            f"variance maps: expected the prediction's shape {tuple(predicted.shape)}, got "
            f"{tuple(variances.shape)}."
        )
    losses = {"mse": F.mse_loss, "l1": F.l1_loss}
    if variance_loss not in losses:
        raise SettingsError(f'variance_loss: expected "mse" or "l1", got {variance_loss!r}.')
    drawn = dice_ce(logits, labels, dice_weight=dice_weight, ce_weight=ce_weight, **segmentation)
    spread = losses[variance_loss](predicted.float(), variance_scale * variances.float())
    return segmentation_weight * drawn + variance_weight * spread


_LOSSES: dict[str, Callable] = {
    "dice": dice,
    "cross_entropy": cross_entropy,
    "dice_ce": dice_ce,
    "dice_focal": dice_focal,
    "adaptive_wing": adaptive_wing,
    "multitask": multitask,
}


def _options(function: Callable) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def build(name: str, **options) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a loss by name: a function of (logits, target).

    Parameters
    ----------
    name : str
        ``"dice"``, ``"cross_entropy"``, ``"dice_ce"``, ``"dice_focal"``, ``"adaptive_wing"`` or
        ``"multitask"``.
    **options
        Keyword arguments of the function of that name.

    Raises
    ------
    SettingsError
        If the name or an option is unknown.
    """
    if name not in _LOSSES:
        raise SettingsError(f"loss: expected one of {', '.join(_LOSSES)}, got {name!r}.")
    known = _options(_LOSSES[name]) | (_options(dice_ce) if name == "multitask" else set())
    if unknown := sorted(set(options) - known):
        raise SettingsError(
            f"loss {name}: unknown option {', '.join(unknown)}; known: {', '.join(sorted(known))}."
        )
    return functools.partial(_LOSSES[name], **options)
