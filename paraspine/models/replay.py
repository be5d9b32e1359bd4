"""Run a decoder many times with different dropout, computing only once what dropout cannot change.

Two things do not depend on the dropout: everything before the first dropout layer, and, because
a convolution is linear, the share of the skip connections in the convolutions that join them:
``conv(cat[up, skip]) = conv_up(up) + conv_skip(skip)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from paraspine.models.blocks import ConvBlock, Decoder, Level

__all__ = ["Drop", "Replay"]

#: ``drop(rate, values, in_place) -> values``: applies a dropout layer of that rate.
Drop = Callable[[float, torch.Tensor, bool], torch.Tensor]


class Replay:
    """A decoder at given features, with what dropout cannot change computed already.

    Calling it with a function that applies dropout returns logits ``(B, C, H, W)``; the function
    is called once for each dropout layer, in the order of the forward pass. Normalisation must be
    in evaluation mode.

    Parameters
    ----------
    decoder : Decoder
        Its layers' weights are read, not changed.
    features : sequence of torch.Tensor
        What the encoder gave.
    """

    def __init__(self, decoder: Decoder, features: Sequence[torch.Tensor]):
        self.decoder = decoder
        pairs = decoder.pairs(features)
        level, skip = pairs[0]
        joined = level.join(decoder.entry(features[0]), skip)
        self.start = level.first.finish(level.first.conv(joined))
        self.parts = [(level, *_split(level, skip)) for level, skip in pairs[1:]]

    def __call__(self, drop: Drop) -> torch.Tensor:
        """Compute logits ``(B, C, H, W)`` with the dropout that `drop` applies."""
        first = self.decoder.levels[0]
        values = _drop(drop, first.first, self.start, False)
        values = _block(drop, first.second, values)
        for level, weight, fixed in self.parts:
            values = level.up(values)
            if fixed is None:
                values = _block(drop, level.first, values)
            else:
                values = F.conv2d(values, weight, padding=1).add_(fixed)
                values = _drop(drop, level.first, level.first.finish(values), True)
            values = _block(drop, level.second, values)
        return self.decoder.head(values)


def _split(level: Level, skip: torch.Tensor | None):
    """Return the weights for the enlarged half and the skip half's share, bias included."""
    if skip is None:
        return None, None
    conv = level.first.conv
    weight = conv.weight[:, : level.up_channels].contiguous(memory_format=torch.channels_last)
    fixed = F.conv2d(skip, conv.weight[:, level.up_channels :], conv.bias, padding=1)
    return weight, fixed


def _drop(drop: Drop, block: ConvBlock, values: torch.Tensor, in_place: bool) -> torch.Tensor:
    return drop(block.rate, values, in_place) if block.rate > 0 else values


def _block(drop: Drop, block: ConvBlock, values: torch.Tensor) -> torch.Tensor:
    return _drop(drop, block, block.finish(block.conv(values)), True)
