"""Run a decoder many times with different dropout, computing only once what dropout cannot change.

Everything before the first dropout layer is computed once. So is the share of the skip
connections in the convolutions that join them, because a convolution is linear:
``conv(cat[up, skip]) = conv_up(up) + conv_skip(skip)``. For the same reason a transposed
convolution and the convolution behind it make one (3/4 of the multiplications), and since
``relu(s x) = s relu(x)``, the factor that dropout scales the kept values by is part of the
weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from paraspine.models.blocks import ConvBlock, Decoder, Level

__all__ = ["Drop", "Plan", "Replay"]

#: ``drop(rate, values, in_place) -> values``: sets a share of the values to 0, without scaling.
Drop = Callable[[float, torch.Tensor, bool], torch.Tensor]


class Plan(nn.Module):
    """The weights of a decoder, rearranged for `Replay`; the decoder stays as it is.

    Parameters
    ----------
    decoder : Decoder
        With normalisation in evaluation mode.
    """

    def __init__(self, decoder: Decoder):
        super().__init__()
        level = decoder.levels[0]
        self.entry = decoder.entry
        self.join = level.join
        self.first = _scaled(level.first)
        self.second = _scaled(level.second)
        self.steps = nn.ModuleList(Step(level) for level in decoder.levels[1:])
        self.head = decoder.head


class Step(nn.Module):
    """One level: enlarge and convolve in one, add what is fixed, second block."""

    def __init__(self, level: Level):
        super().__init__()
        first = _scaled(level.first)
        weight = first.conv.weight.data
        inner, outer = weight[:, : level.up_channels], weight[:, level.up_channels :]
        self.rate, self.norm = first.rate, first.norm
        self.second = _scaled(level.second)
        self.skip = _conv(outer, None) if outer.shape[1] else None
        self.constant, up = None, level.up
        if isinstance(up, nn.ConvTranspose2d) and up.kernel_size == up.stride == (2, 2):
            channels = up.in_channels, inner.shape[0]
            bias = first.conv.bias
            self.enlarge = nn.utils.skip_init(
                nn.ConvTranspose2d, *channels, 4, stride=2, padding=1, bias=bias is not None
            )
            self.enlarge.weight.data = F.conv2d(up.weight.data, inner, padding=2)
            if bias is not None:
                self.enlarge.bias.data = bias.data
            if up.bias is not None:
                self.constant = _conv(
                    torch.einsum("omhw,m->ohw", inner, up.bias.data)[:, None], None
                )
        else:
            bias = first.conv.bias
            self.enlarge = nn.Sequential(up, _conv(inner, None if bias is None else bias.data))

    def fixed(self, skip: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor | None:
        """Return what does not depend on the sample: of the skip, and of the enlargement's bias."""
        parts = [] if skip is None else [self.skip(skip)]
        if self.constant is not None:
            # The bias' share is a constant but for the border, where the convolution sees zeros.
            ones = values.new_ones(1, 1, 2 * values.shape[2], 2 * values.shape[3])
            parts.append(self.constant(ones))
        return sum(parts[1:], parts[0]) if parts else None


class Replay:
    """A decoder at given features: calling it computes one sample.

    It is called with a function that applies dropout, which is called once for each dropout
    layer, in the order of the forward pass.

    Parameters
    ----------
    plan : Plan
        Of the decoder.
    features : sequence of torch.Tensor
        What the encoder gave: the deepest features, then the skips from deep to shallow.
    """

    def __init__(self, plan: Plan, features: Sequence[torch.Tensor]):
        self.plan = plan
        skips = [*features[1:], *[None] * (len(plan.steps) + 2 - len(features))]
        joined = plan.join(plan.entry(features[0]), skips[0])
        self.start = plan.first.finish(plan.first.conv(joined))
        self.fixed, values = [], self.start
        for step, skip in zip(plan.steps, skips[1:], strict=True):
            self.fixed.append(step.fixed(skip, values))
            # Only its size counts: the next level's is twice as large.
            values = values.new_empty(1).expand(1, 1, 2 * values.shape[2], 2 * values.shape[3])

    def __call__(self, drop: Drop) -> torch.Tensor:
        """Compute logits ``(B, C, H, W)`` with the dropout that `drop` applies."""
        plan = self.plan
        values = _drop(drop, plan.first.rate, self.start, False)
        values = _block(drop, plan.second, values)
        for step, fixed in zip(plan.steps, self.fixed, strict=True):
            values = step.enlarge(values)
            if fixed is not None:
                values = values.add_(fixed)
            values = _drop(drop, step.rate, torch.relu_(step.norm(values)), True)
            values = _block(drop, step.second, values)
        return plan.head(values)


def _scaled(block: ConvBlock) -> ConvBlock:
    """Return a copy that scales by what its dropout scales by."""
    block = copy.deepcopy(block)
    layer = block.conv if isinstance(block.norm, nn.Identity) else block.norm
    for tensor in (layer.weight, layer.bias):
        if tensor is not None:
            tensor.data = tensor.data / (1 - block.rate)
    return block


def _conv(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Conv2d:
    outer, inner = weight.shape[:2]
    conv = nn.utils.skip_init(nn.Conv2d, inner, outer, 3, padding=1, bias=bias is not None)
    conv.weight.data = weight.clone()
    if bias is not None:
        conv.bias.data = bias.clone()
    return conv


def _drop(drop: Drop, rate: float, values: torch.Tensor, in_place: bool) -> torch.Tensor:
    return drop(rate, values, in_place) if rate > 0 else values


def _block(drop: Drop, block: ConvBlock, values: torch.Tensor) -> torch.Tensor:
    return _drop(drop, block.rate, block.finish(block.conv(values)), True)
