r"""Dice and cross-entropy of class numbers, with the gradient written out.

With ``p = softmax(z)``, the class ``y`` of a voxel, ``n_c = 2 sum(p_c [y = c]) + s`` and ``d_c =
sum(p_c) + sum([y = c]) + s``, a Dice loss ``mean(1 - n_c / d_c)`` over ``M`` classes has the
derivative ``A_c = (n_c / d_c^2 - 2 [y = c] / d_c) / M`` by ``p_c``, and by ``z_c`` that of softmax,
``p_c (A_c - sum_k p_k A_k)``; the cross-entropy has ``p_c - [y = c]``. A third of the passes over
all scores that autograd would make are left.
"""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable

__all__ = ["dice_ce_of_numbers", "serves"]


def serves(logits: torch.Tensor, target: torch.Tensor) -> bool:
    """Whether `dice_ce_of_numbers` computes this: on the CPU, in float32 or less, known classes."""
    return (
        logits.device.type == target.device.type == "cpu"
        and logits.ndim >= 3
        and logits.numel() > 0
        and logits.dtype in (torch.float32, torch.bfloat16, torch.float16)
        and not target.is_floating_point()
        and target.dtype != torch.bool
        and target.shape == (logits.shape[0], *logits.shape[2:])
        and _within(target, logits.shape[1])
    )


def _within(target: torch.Tensor, classes: int) -> bool:
    smallest, largest = torch.aminmax(target)
    return int(smallest) >= 0 and int(largest) < classes


def dice_ce_of_numbers(
    logits: torch.Tensor,
    target: torch.Tensor,
    weights: torch.Tensor | None,
    *,
    dice_weight: float,
    ce_weight: float,
    batch: bool,
    include_background: bool,
    smooth: float,
) -> torch.Tensor:
    """Compute `paraspine.losses.dice_ce` of class numbers and softmax.

    It has a first derivative, backwards, and no other.

    Parameters
    ----------
    logits : torch.Tensor, ``(B, C, *spatial)``
    target : torch.Tensor of integers, ``(B, *spatial)``
    weights : torch.Tensor, ``(C,)``, optional
        Of the classes in the cross-entropy.
    dice_weight, ce_weight, batch, include_background, smooth
        As for `dice_ce`.

    Returns
    -------
    torch.Tensor, scalar, float32
    """
    first = 0 if include_background or logits.shape[1] == 1 else 1
    # A copy even of 64-bit numbers: those may be of inference mode, which autograd can't keep.
    numbers = target.as_subclass(torch.Tensor).flatten(1)[:, None].to(torch.int64, copy=True)
    options = (dice_weight, ce_weight, batch, first, smooth)
    return _DiceAndCrossEntropy.apply(logits.as_subclass(torch.Tensor), numbers, weights, options)


def _at(table: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Look up ``(1 or B, C)`` at class numbers ``(B, 1, N)``."""
    return table[:, :, None].expand(len(numbers), -1, numbers.shape[2]).gather(1, numbers)


def _order(values: torch.Tensor) -> torch.memory_format:
    """Return the memory order that what made the values wants their gradient in."""
    for order, dimensions in ((torch.channels_last, 4), (torch.channels_last_3d, 5)):
        if values.ndim == dimensions and values.is_contiguous(memory_format=order):
            return order
    return torch.contiguous_format


class _DiceAndCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, numbers, weights, options):
        dice_weight, ce_weight, batch, first, smooth = options
        images, classes = logits.shape[:2]
        # Each class's scores together: channels last takes twice the time.
        scores = logits.contiguous().flatten(2)
        log_p = torch.log_softmax(scores, dim=1, dtype=torch.float32)
        log_own = log_p.gather(1, numbers)
        p, own = log_p.exp_(), log_own.exp()

        places = (numbers + classes * torch.arange(images)[:, None, None]).flatten()
        counts = torch.bincount(places, minlength=images * classes)
        # One after another: in float32 a sum of many voxels would lose its last ones.
        overlap = torch.bincount(places, own.flatten().double(), minlength=images * classes)
        sums = torch.stack([overlap.float(), counts.float() + p.sum(2).flatten()])
        sums = sums.view(2, images, classes)
        sums = sums.sum(1, keepdim=True) if batch else sums
        top, bottom = 2 * sums[0] + smooth, sums[1] + smooth
        share = dice_weight / top[:, first:].numel()
        dice = share * (1 - top / bottom)[:, first:].sum()

        if weights is None:
            each = own.new_full((), ce_weight / own.numel())
            entropy = each * log_own.sum()
        else:
            each = _at(weights[None], numbers)
            each = each * (ce_weight / each.sum().clamp_min(1e-12))
            entropy = (each * log_own).sum()
        inverse = share / bottom
        ratio = top / bottom * inverse
        inverse[:, :first] = ratio[:, :first] = 0
        ctx.save_for_backward(p, own, numbers, each, inverse, ratio)
        ctx.like = logits.dtype, logits.shape, _order(logits)
        return dice - entropy

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        p, own, numbers, each, inverse, ratio = ctx.saved_tensors
        dtype, shape, order = ctx.like
        each, inverse, ratio = each * gradient, inverse * gradient, ratio * gradient
        # What stands at a voxel's own class alone, and the sum over classes of p A.
        of_own = _at(-2 * inverse, numbers).mul_(own)
        with torch.autocast("cpu", enabled=False):
            mean = torch.matmul(ratio[:, None].expand(len(p), -1, -1), p).add_(of_own)
        if each.ndim:
            mean.sub_(each)
            result = ratio[:, :, None] - mean
        else:
            result = (ratio + each)[:, :, None] - mean
        result.mul_(p).scatter_add_(1, numbers, of_own.sub_(each))
        result = result.to(dtype).view(shape).contiguous(memory_format=order)
        return result, None, None, None
