"""Dropout on a CPU at the cost of reading and writing the values, by bits instead of products."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Dropout", "clear", "keep_bits", "threshold_of"]

_WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def threshold_of(rate: float) -> int:
    """Number of the 2^16 equally likely 16-bit draws that drop a value."""
    return round(rate * 2**16)


def keep_bits(draws: torch.Tensor, threshold: int) -> torch.Tensor:
    """Turn random 64-bit integers into four 16-bit ones each: -1 (all bits set) to keep, else 0.

    Parameters
    ----------
    draws : torch.Tensor of int64, ``(..., n)``
        Uniform over all 64-bit integers.
    threshold : int
        As `threshold_of` gives it.

    Returns
    -------
    torch.Tensor of int16, ``(..., 4 n)``
    """
    return draws.view(torch.int16).ge_(threshold - 2**15).neg_()


def clear(values: torch.Tensor, keep: torch.Tensor, in_place: bool = False) -> torch.Tensor:
    """Set values to 0 where `keep` is 0; where it is -1 they stay as they are.

    All bits of a kept value are kept and those of a dropped one are cleared: the same as a product
    with 0 and 1, in a fraction of the time.
    """
    whole = _WHOLE[values.element_size()]
    bits, keep = values.view(whole), keep.to(whole)
    bits = bits.bitwise_and_(keep) if in_place else bits.bitwise_and(keep)
    return bits.view(values.dtype)


class _Cleared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, keep, scale):
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return clear(values, keep).mul_(scale)

    @staticmethod
    def backward(ctx, gradient):
        (keep,) = ctx.saved_tensors
        return clear(gradient, keep).mul_(ctx.scale), None, None


class Dropout(nn.Dropout):
    """Dropout as `torch.nn.Dropout`, several times faster in training on a CPU.

    Four values share one draw of torch's generator; the rate is rounded to a multiple of 2^-16.
    Elsewhere, and in evaluation mode, it is `torch.nn.Dropout` itself.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Set a share ``p`` of the values to 0 and scale the others by ``1 / (1 - p)``."""
        threshold = threshold_of(self.p)
        if not self.training or values.device.type != "cpu" or not 0 < threshold < 2**16:
            return super().forward(values)
        count = values.numel()
        draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
        keep = keep_bits(draws, threshold)[:count]
        return _Cleared.apply(values, _in_memory_order(keep, values), 1 / (1 - self.p))


def _in_memory_order(flat: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Give a flat tensor the shape of `values` and, where they fill their memory, its order."""
    return flat.as_strided(values.shape, torch.empty_like(values, device="meta").stride())
