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
from paraspine.models.enlarge import Twofold, TwofoldConvolution

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
        self.entry = decoder.entry
        self.steps = nn.ModuleList(Step(level) for level in decoder.levels)
        self.head = decoder.head


class Step(nn.Module):
    """One level: enlarge and convolve in one, add what is fixed, second block."""

    def __init__(self, level: Level):
        super().__init__()
        first = _scaled(level.first)
        weight, bias, up = first.conv.weight.data, first.conv.bias, level.up
        inner, outer = weight[:, : level.up_channels], weight[:, level.up_channels :]
        self.rate, self.norm = first.rate, first.norm
        self.second = _scaled(level.second)
        self.skip = _conv(outer) if outer.shape[1] else None
        self.constant = None
        # What is added to each sample anyway takes the bias along.
        self.bias = None if bias is None else nn.Parameter(bias.data[:, None, None], False)
        if isinstance(up, Twofold):
            self.enlarge = TwofoldConvolution(inner)
        elif isinstance(up, nn.ConvTranspose2d) and up.kernel_size == up.stride == (2, 2):
            self.enlarge = nn.utils.skip_init(
                nn.ConvTranspose2d,
                up.in_channels,
                inner.shape[0],
                4,
                stride=2,
                padding=1,
                bias=False,
            )
            self.enlarge.weight.data = F.conv2d(up.weight.data, inner, padding=2)
            if up.bias is not None:
                self.constant = _conv(torch.einsum("omhw,m->ohw", inner, up.bias.data)[:, None])
        else:
            self.enlarge = nn.Sequential(up, _conv(inner))

    def fixed(self, skip: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor | None:
        """Return what does not depend on the sample: of the skip, and the biases."""
        parts = [] if skip is None else [self.skip(skip)]
        size = [2 * side for side in values.shape[2:]]
        if self.constant is not None:
            # The bias' share is a constant but for the border, where the convolution sees zeros.
            parts.append(self.constant(values.new_ones(1, 1, *size)))
        if self.bias is not None:
            # Written out: sums of tensors of one size are several times as fast.
            whole = self.bias.expand(1, -1, *size)
            parts.append(whole.contiguous(memory_format=torch.channels_last))
        return sum(parts[1:], parts[0]) if parts else None

    def begin(self, values: torch.Tensor, fixed: torch.Tensor | None) -> torch.Tensor:
        """Compute the level up to its first dropout."""
        values = self.enlarge(values)
        if fixed is not None:
            values = values.add_(fixed)
        return torch.relu_(self.norm(values))

    def finish(self, drop: Drop, values: torch.Tensor, in_place: bool) -> torch.Tensor:
        """Compute the rest of the level; the first dropout may overwrite `values` if `in_place`."""
        values = _drop(drop, self.rate, values, in_place)
        second = self.second
        return _drop(drop, second.rate, second.finish(second.conv(values)), True)


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
        skips = [*features[1:], *[None] * (len(plan.steps) + 1 - len(features))]
        entry = plan.entry(features[0])
        self.fixed, values = [], entry
        for step, skip in zip(plan.steps, skips, strict=True):
            self.fixed.append(step.fixed(skip, values))
            # Only its size counts: the next level's is twice as large.
            values = values.new_empty(1).expand(1, 1, 2 * values.shape[2], 2 * values.shape[3])
        self.start = plan.steps[0].begin(entry, self.fixed[0])

    def __call__(self, drop: Drop) -> torch.Tensor:
        """Compute logits ``(B, C, H, W)`` with the dropout that `drop` applies."""
        first, *others = self.plan.steps
        values = first.finish(drop, self.start, False)
        for step, fixed in zip(others, self.fixed[1:], strict=True):
            values = step.finish(drop, step.begin(values, fixed), True)
        return self.plan.head(values)


def _scaled(block: ConvBlock) -> ConvBlock:
    """Return a copy that scales by what its dropout scales by."""
    block = copy.deepcopy(block)
    layer = block.conv if isinstance(block.norm, nn.Identity) else block.norm
    for tensor in (layer.weight, layer.bias):
        if tensor is not None:
            tensor.data = tensor.data / (1 - block.rate)
    return block


def _conv(weight: torch.Tensor) -> nn.Conv2d:
    outer, inner = weight.shape[:2]
    conv = nn.utils.skip_init(nn.Conv2d, inner, outer, 3, padding=1, bias=False)
    conv.weight.data = weight.clone()
    return conv.requires_grad_(False)


def _drop(drop: Drop, rate: float, values: torch.Tensor, in_place: bool) -> torch.Tensor:
    return drop(rate, values, in_place) if rate > 0 else values
